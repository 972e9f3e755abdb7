#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts what a run of `meson test` really ran, case by case, and prints the closing line.

A program that speaks TAP counts once per line, any other one once.  A program that ended badly without
a failed line of its own (a crash, a timeout, a sanitizer) is one failure more.  Nothing run is a failure.
Of what failed it prints a line beginning with "failed:" and a few that begin with "  |": the seed that was drawn, the
cases and what they said, or the last words of one that said nothing else.
"""
import itertools
import json
import re
import sys

LINE = re.compile(r"^\s*(not )?ok\b([^#\n]*)(?:#\s*(\w+))?", re.MULTILINE)
GOOD = ("OK", "EXPECTEDFAIL")


def count(test):
    """(passed, failed, skipped) of one program."""
    passed = failed = skipped = 0
    for match in LINE.finditer(test.get("stdout") or ""):
        directive = (match.group(3) or "").upper()
        if directive.startswith("SKIP"):
            skipped += 1
        elif match.group(1) and directive != "TODO":
            failed += 1
        else:
            passed += 1
    result = test["result"]
    if result == "SKIP" and not (passed or failed or skipped):
        skipped = 1
    elif result not in GOOD + ("SKIP",) and not failed:
        failed = 1
    elif not (passed or failed or skipped):
        passed = 1
    return passed, failed, skipped


def is_comment(line):
    return line.lstrip().startswith("#") and "_SEED=" not in line


def last_words(test, most=12):
    """What to know of a failed program when nothing else of the log is at hand."""
    said = (test.get("stdout") or "").splitlines()
    words = [line for line in said if "_SEED=" in line or line.startswith("Bail out!")]
    for i, line in enumerate(said):
        if re.match(r"\s*not ok\b", line) and "# TODO" not in line:
            before = itertools.takewhile(is_comment, reversed(said[max(i - 3, 0):i]))
            words += [*reversed([*before]), line, *itertools.takewhile(is_comment, said[i + 1:i + 5])]
    errors = (test.get("stderr") or "").strip().splitlines()
    words += [line for line in errors if re.search(r"ERROR: |runtime error: |WARNING: ThreadSanitizer", line)][:3]
    if not any(line.lstrip().startswith(("not ok", "Bail out!")) for line in words):
        words += errors[-4:] or said[-4:]
    return [line[:200] for line in words[:most]]


def main():
    try:
        with open(sys.argv[1], encoding="utf-8") as log:
            tests = [json.loads(line) for line in log if line.strip()]
    except (OSError, ValueError) as error:
        print(f"test-summary: {error}", file=sys.stderr)
        tests = []
    passed, failed, skipped = (sum(column) for column in zip((0, 0, 0), *map(count, tests)))
    for test in tests:
        if count(test)[1]:
            print(f"failed: {test['name']} ({test['result']})")
            for line in last_words(test):
                print(f"  | {line}")
    if passed + failed == 0:
        failed = 1
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
