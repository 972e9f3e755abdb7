#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What libxenmon exports: every function that an installed header promises, and nothing else.

usage: export-map.py HEADER... > MAP            a linker's version script
       export-map.py --check LIBRARY HEADER...  the library holds the promise; exit 1 if not
"""
import pathlib
import re
import subprocess
import sys

VERSION = "XENMON_0"


def promised(headers):
    names = []
    for header in headers:
        text = re.sub(r"/\*.*?\*/", "", pathlib.Path(header).read_text(encoding="utf-8"), flags=re.DOTALL)
        names += re.findall(r"^(?!static)[a-z][\w \*]*?\b(xm_\w+)\([^{}]*?\)[^{};]*;", text, re.MULTILINE)
    return names


def exported(library):
    output = subprocess.run(["nm", "-D", "--defined-only", library], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in output.splitlines()} - {VERSION}


def check(library, headers):
    want, have = set(promised(headers)), exported(library)
    for name in sorted(want - have):
        print("promised by a header, not exported:", name)
    for name in sorted(have - want):
        print("exported, in no installed header:", name)
    return 1 if want != have or not want else 0


def main():
    if sys.argv[1] == "--check":
        return check(sys.argv[2], sys.argv[3:])
    print(VERSION + " {\nglobal:\n" + "".join(f"    {name};\n" for name in promised(sys.argv[1:])) + "local:\n    *;\n};")
    return 0


if __name__ == "__main__":
    sys.exit(main())
