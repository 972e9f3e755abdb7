#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Length and complexity of every function (pmccabe), and global functions that one file alone uses.

Fails on a function past LINES or past COMPLEXITY that is not in EXCUSED with its reason.
"""
import collections
import pathlib
import re
import shutil
import subprocess
import sys

LINES, COMPLEXITY = 80, 15
EXCUSED = {
    "xm_merge_run": "the whole rule of what may be released, which is read as one; called for every run of events",
    "in_window": "where a window's bytes lie: in hand, across two pushes, at the end; the cases exclude each other",
    "slow_record": "one test a kind of record that is no plain event",
    "xm_stream_tsc": "everything that a TSC can be, decided once a record",
}


def sources(*folders):
    return sorted(str(path) for folder in folders for path in pathlib.Path(folder).rglob("*.c"))


def too_big():
    faults = []
    count = 0
    output = subprocess.run(["pmccabe", *sources("src", "cmd")], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in output.splitlines():
        complexity, _, _, _, length, place = line.split("\t")[:6]
        name = place.rsplit(" ", 1)[-1]
        if name.isupper():
            continue  # a macro that makes functions
        count += 1
        if (int(length) > LINES or int(complexity) > COMPLEXITY) and name not in EXCUSED:
            faults.append(f"{place}: {length} lines, complexity {complexity}")
    return count, faults


def used_in_one_file():
    """Global functions of src/ that no other file names and no installed header promises."""
    words = {path: set(re.findall(r"\b[a-z]\w+\b", pathlib.Path(path).read_text(encoding="utf-8")))
             for path in sources("src", "cmd", "tests", "bench")}
    public = set()
    for header in pathlib.Path("include").rglob("*.h"):
        public |= set(re.findall(r"\bxm_\w+", header.read_text(encoding="utf-8")))
    users = collections.Counter(word for found in words.values() for word in found)
    for path in sources("src"):
        text = pathlib.Path(path).read_text(encoding="utf-8")
        for name in re.findall(r"^(?!static)[a-z][\w \*]*?\b(xm_\w+)\([^;]*?\)\s*\n\{", text, re.MULTILINE):
            if users[name] < 2 and name not in public:
                yield f"{path}: {name} is global and used here only"


def main():
    for line in used_in_one_file():
        print(f"note: {line}")
    if not shutil.which("pmccabe"):
        print("pmccabe is not installed: length and complexity not checked")
        return 0
    count, faults = too_big()
    for line in faults:
        print(line)
    print(f"{count} functions, {len(faults)} past {LINES} lines or complexity {COMPLEXITY}")
    return 1 if faults or not count else 0


if __name__ == "__main__":
    sys.exit(main())
