#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One binary for every Xen from 4.7 on: programs need Xen's stable libraries only, in their first versions.

usage: symbols.py PROGRAM...     TAP on stdout; at least one of the programs has to use libxencall
"""
import os
import re
import subprocess
import sys

STABLE = {"libxencall.so.1", "libxenforeignmemory.so.1", "libxenevtchn.so.1"}
FIRST = "VERS_1.0"


def readelf(option, program):
    return subprocess.run(["readelf", "--wide", option, program], stdout=subprocess.PIPE, text=True,
                          check=True, env={**os.environ, "LC_ALL": "C"}).stdout


def needed(text):
    """Libraries of Xen among those of `readelf --dynamic`."""
    return {name for name in re.findall(r"\(NEEDED\).*\[(.*?)\]", text) if name.startswith("libxen")}


def versions(text):
    """(library, version) that `readelf --version-info` says are needed."""
    pairs, library = set(), None
    for line in text.splitlines():
        if re.match(r"Version symbols|Version definition", line):
            library = None
        match = re.search(r"\bFile: (\S+)", line)
        if match:
            library = match.group(1)
        match = re.search(r"\bName: (\S+)\s+Flags:", line)
        if match and library:
            pairs.add((library, match.group(1)))
    return pairs


def faults(dynamic, version_info):
    """What would keep a program from starting on some Xen, one line each."""
    found = [f"{name} is not one of the stable libraries" for name in sorted(needed(dynamic) - STABLE)]
    for library, version in sorted(versions(version_info)):
        if library.startswith("libxen") and version != FIRST:
            found.append(f"{library} is needed in {version}, Xen 4.7 has {FIRST} only")
    for library in sorted(needed(dynamic) & STABLE - {library for library, _ in versions(version_info)}):
        found.append(f"nothing is said of the version of {library}")
    return found


GOOD_DYNAMIC = """ 0x0001 (NEEDED)  Shared library: [libxencall.so.1]
 0x0001 (NEEDED)  Shared library: [libc.so.6]
"""
GOOD_VERSIONS = """Version needs section '.gnu.version_r' contains 2 entries:
  000000: Version: 1  File: libxencall.so.1  Cnt: 1
  0x0010:   Name: VERS_1.0  Flags: none  Version: 3
  0x0020: Version: 1  File: libc.so.6  Cnt: 1
  0x0030:   Name: GLIBC_2.34  Flags: none  Version: 2
"""
SINS = [
    ("a newer function", GOOD_DYNAMIC, GOOD_VERSIONS.replace("VERS_1.0", "VERS_1.2")),
    ("libxenctrl", GOOD_DYNAMIC.replace("libc.so.6", "libxenctrl.so.4.17"), GOOD_VERSIONS),
    ("libxenstore", GOOD_DYNAMIC.replace("libc.so.6", "libxenstore.so.4"), GOOD_VERSIONS),
    ("a library without versions", GOOD_DYNAMIC, ""),
]


def main():
    results = [("what is allowed passes", faults(GOOD_DYNAMIC, GOOD_VERSIONS))]
    results += [(f"{name} is noticed", [] if faults(*texts) else ["it is not"]) for name, *texts in SINS]
    users = 0
    for program in sys.argv[1:]:
        dynamic = readelf("--dynamic", program)
        users += "libxencall.so.1" in needed(dynamic)
        results.append((f"{program.rsplit('/', 1)[-1]} starts on Xen 4.7",
                        faults(dynamic, readelf("--version-info", program))))
    results.append(("libxencall is used", [] if users else ["by none of the programs"]))
    print(f"1..{len(results)}")
    for number, (title, found) in enumerate(results, 1):
        for line in found:
            print(f"# {line}")
        print(f"{'not ok' if found else 'ok'} {number} - {title}")
    return 1 if any(found for _, found in results) else 0


if __name__ == "__main__":
    sys.exit(main())
