#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages and --help know the same options.

usage: manual.py XENMON XENBAKED MAN_DIRECTORY      TAP on stdout, exit 1 when they differ
"""
import pathlib
import re
import subprocess
import sys


def helped(*command):
    text = subprocess.run([*command, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return set(re.findall(r"^ +(?:-\w, )?(--[a-z_-]+)", text, re.MULTILINE))


def documented(page):
    """Long options of an mdoc page: those that a list explains, or that stand anywhere."""
    return {"-" + option for line in page.splitlines() if re.match(r"\.(It|Op|Fl)\b", line)
            for option in re.findall(r"(?:Fl|,) (-[a-z_-]{2,})", line)}


def main():
    xenmon, xenbaked, man = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    pages = [
        ("xenmon.1", set().union(helped(xenmon), *(helped(xenmon, name) for name in ("live", "report", "log", "batch", "record", "sim", "sim-ctl", "study")))),
        ("xenbaked.8", helped(xenbaked)),
    ]
    results = []
    for name, options in pages:
        written = documented((man / name).read_text(encoding="utf-8"))
        results.append((f"{name} has every option of --help", options - written - {"--help", "--version"}, options))
        results.append((f"--help has every option of {name}", written - options, written))
    print(f"1..{len(results)}")
    for number, (title, missing, all_of_them) in enumerate(results, 1):
        for option in sorted(missing):
            print(f"# {option}")
        print(f"{'not ok' if missing or not all_of_them else 'ok'} {number} - {title}")
    return 1 if any(missing or not all_of_them for _, missing, all_of_them in results) else 0


if __name__ == "__main__":
    sys.exit(main())
