#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""xenalyze beside `xenmon report` on the bundled captures, wherever both have a figure.

    xenalyze.py XENMON CAPTURES

Seconds are compared to what xenalyze prints, hundredths, and to what it does by design: a vCPU is not counted before
it is first seen going to run, nor the state it is in after its last record, so just these times may be missing there.
Counts are those of waits that ended.  The capture with lost records is left out: there the two mean different things by the same words.
"""
import collections
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

HZ = 2793439000  # Xen's own figure for the host of the captures
ROUNDING = 0.0051

test = bad = 0


def report(good, name, why=""):
    global test, bad
    test += 1
    bad += not good
    for line in why.splitlines():
        print("# " + line)
    print(f"{'ok' if good else 'not ok'} {test} - {name}", flush=True)


NAMES = ["running", "runnable", "blocked", "offline"]


def both_ends(path):
    """(dom, vcpu) -> [s until its first transition into running, s after its last record, its state then]"""
    data = open(path, "rb").read()
    at, start, end, seen = 0, None, 0, {}
    while at + 4 <= len(data):
        header, = struct.unpack_from("<I", data, at)
        event, words, tsc = header & 0xfffffff, header >> 28 & 7, header >> 31
        if tsc:
            when, = struct.unpack_from("<Q", data, at + 4)
            start, end = when if start is None else min(start, when), max(end, when)
            if event & 0xfffff00f & ~0x300 == 0x21001:
                word, = struct.unpack_from("<I", data, at + 12)
                one = seen.setdefault((word >> 16, word & 0xffff), [None, 0, None])
                if event >> 4 & 3 == 0 and (one[0] is None or when < one[0]):
                    one[0] = when
                if when >= one[1]:
                    one[1:] = when, NAMES[event >> 4 & 3]
        at += 4 + 8 * tsc + 4 * words
    return {key: ((first - start) / HZ, (end - last) / HZ, state)
            for key, (first, last, state) in seen.items() if first is not None}


STATE = re.compile(r"^\s+(running|runnable|wake|preempt|other|blocked|offline):\s+(\d+)\s+([0-9.]+)s")


def xenalyze(path):
    """(dom, vcpu) -> state -> (count, seconds)"""
    text = subprocess.run(["xenalyze", "--cpu-hz", str(HZ), "-s", path], capture_output=True, text=True,
                          check=True).stdout
    found, dom, vcpu = collections.defaultdict(dict), None, None
    for line in text.splitlines():
        if match := re.match(r"^\|-- Domain (\d+) --\|", line):
            dom, vcpu = int(match[1]), None
        elif match := re.match(r"^-- v(\d+) --", line):
            vcpu = int(match[1])
        elif (match := STATE.match(line)) and vcpu is not None:
            found[dom, vcpu][match[1]] = int(match[2]), float(match[3])
    return found


def compare(vcpu, theirs, ends, ended):
    until, after, last = ends
    wrong = []
    ours = {"running": vcpu["running_ns"], "runnable": vcpu["runnable_ns"], "wake": vcpu["wait_after_wake_ns"],
            "preempt": vcpu["wait_after_preemption_ns"], "blocked": vcpu["blocked_ns"]}
    for state, ns in ours.items():
        if state == "blocked" and ended:
            continue  # xenalyze lets a domain that is gone sleep on
        seconds = theirs.get(state, (0, 0.0))[1]
        missing = until + (after if state == last or last == "runnable" and state in ("wake", "preempt") else 0)
        if not -ROUNDING <= ns / 1e9 - seconds <= missing + ROUNDING:
            wrong.append(f"{state}: {ns / 1e9:.4f} s, xenalyze {seconds:.2f} s, of which it may miss {missing:.4f} s")
    waits = theirs.get("runnable", (0, 0.0))[0]
    if not 0 <= vcpu["executions"] - waits <= 2 + ended:
        wrong.append(f"executions: {vcpu['executions']}, xenalyze has {waits} waits")
    return wrong


def capture(xenmon, packed, scratch):
    name = os.path.basename(packed).removesuffix(".trace.zst")
    path = os.path.join(scratch, name + ".trace")
    subprocess.run(["zstd", "-dqf", packed, "-o", path], check=True)
    theirs, ends = xenalyze(path), both_ends(path)
    mine = json.loads(subprocess.run([xenmon, "report", "--format=json", f"--cpu-hz={HZ}", path], capture_output=True,
                                     text=True, check=True).stdout)
    wrong, compared = [], 0
    for domain in mine["domains"]:
        for vcpu in domain["vcpus"]:
            key = domain["domid"], vcpu["vcpu"]
            if key not in theirs or key not in ends:
                continue
            compared += 1
            ended = bool(domain.get("ended"))
            wrong += [f"d{key[0]}v{key[1]}: {what}" for what in compare(vcpu, theirs[key], ends[key], ended)]
    if not compared:
        wrong.append("nothing to compare")
    report(not wrong, f"{name}: xenalyze agrees on {compared} vCPUs", "\n".join(wrong))


def main():
    xenmon, captures = sys.argv[1:]
    if not shutil.which("xenalyze"):
        print("1..0 # SKIP xenalyze (Debian's xen-utils-common) is not installed")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        for file in sorted(os.listdir(captures)):
            if file.endswith(".trace.zst") and "lost" not in file:
                capture(xenmon, os.path.join(captures, file), scratch)
    print(f"1..{test}")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
