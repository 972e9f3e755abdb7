#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts what a run of `meson test` really ran, case by case, and prints the closing line.

A program that speaks TAP counts once per line, any other one once.  A program that ended badly without
a failed line of its own (a crash, a timeout, a sanitizer) is one failure more.  Nothing run is a failure.
"""
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
    if passed + failed == 0:
        failed = 1
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
