#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tiny traces, written by hand as text, against what xenmon report must print of them.

usage: golden.py [--update] XENMON FOLDER      TAP on stdout, exit 1 when anything differs

FOLDER holds NAME.case, a trace in words, and for each format NAME.text, NAME.json and NAME.csv: standard output,
then what came on standard error, each line behind "! ", and "exit N" where N is not 0.  --update writes these anew:
a commit of its own, which says why.

A case:
    # comment
    options --cpu-hz 1GHz       to give to the report
    cpu N                       a window of that CPU's records begins
    TSC runstate dNvM OLD NEW   running, runnable, blocked or offline
    TSC continue dNvM
    TSC infprev dNvM NS         TSC infnext dNvM WAITED_NS SLICE_NS
    TSC map dN                  unmap, transfer; add and rem: a domain's beginning and end
    TSC lost COUNT dNvM FIRST_TSC
    bytes HEX...                as they are, instead of a record
"""
import argparse
import difflib
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

STATES = {"running": 0, "runnable": 1, "blocked": 2, "offline": 3}
DOMAIN_EVENTS = {"map": 0x10F001, "unmap": 0x10F002, "transfer": 0x10F003, "add": 0x41001, "rem": 0x41002}
FORMATS = ("text", "json", "csv")


def who(word):
    match = re.fullmatch(r"d(\d+)(?:v(\d+))?", word)
    if not match:
        raise ValueError(f"'{word}' is no domain or vCPU")
    return int(match[1]), int(match[2] or 0)


def record(event, tsc, *words):
    header = 1 << 31 | len(words) << 28 | event
    return struct.pack(f"<IQ{len(words)}I", header, tsc, *words)


def encode(tsc, kind, args):
    dom, vcpu = who(args[1] if kind == "lost" else args[0])
    if kind == "runstate":
        return record(0x21001 | STATES[args[1]] << 8 | STATES[args[2]] << 4, tsc, dom << 16 | vcpu)
    if kind == "continue":
        return record(0x21002, tsc, dom << 16 | vcpu)
    if kind == "infprev":
        return record(0x2800E, tsc, dom, vcpu, int(args[1]))
    if kind == "infnext":
        return record(0x2800F, tsc, dom, vcpu, int(args[1]), int(args[2]))
    if kind == "lost":
        first = int(args[2])
        return record(0x1F001, tsc, int(args[0]), vcpu << 16 | dom, first & 0xFFFFFFFF, first >> 32)
    return record(DOMAIN_EVENTS[kind], tsc, dom)


def compile_case(text):
    """The trace's bytes and the options."""
    windows, options = [], []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "options":
            options += words[1:]
        elif words[0] == "cpu":
            windows.append([int(words[1]), b""])
        elif words[0] == "bytes":
            windows[-1][1] += bytes.fromhex("".join(words[1:]))
        else:
            windows[-1][1] += encode(int(words[0]), words[1], words[2:])
    trace = b"".join(struct.pack("<III", 0x2001F003, cpu, len(data)) + data for cpu, data in windows)
    return trace, options


def run(xenmon, case, form):
    trace, options = compile_case(case.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{case.stem}.trace"
        path.write_bytes(trace)
        done = subprocess.run([xenmon, "report", f"--format={form}", *options, path], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = done.stdout + "".join(f"! {line}\n" for line in done.stderr.splitlines())
    return text + (f"exit {done.returncode}\n" if done.returncode else "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--update", action="store_true")
    parser.add_argument("xenmon")
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    cases = sorted(arguments.folder.glob("*.case"))
    failed, number = 0, 0
    print(f"1..{len(cases) * len(FORMATS) or 1}")
    if not cases:
        print("not ok 1 - there are cases")
        sys.exit(1)
    for case in cases:
        for form in FORMATS:
            number += 1
            expected_path = case.with_suffix(f".{form}")
            got = run(arguments.xenmon, case, form)
            if arguments.update:
                expected_path.write_text(got, encoding="utf-8")
            expected = expected_path.read_text(encoding="utf-8") if expected_path.exists() else ""
            good = got == expected and got != ""
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - {case.stem} {form}")
            if not good:
                for line in difflib.unified_diff(expected.splitlines(), got.splitlines(), "expected", "got", lineterm=""):
                    print(f"# {line}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
