#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""xenmon-region(5) as generated: clean for mandoc, and no metric left out.

usage: test_manual.py MANDOC PAGE METRICS_DEF        TAP on stdout
"""
import re
import subprocess
import sys

MANDOC, PAGE, METRICS = sys.argv[1:4]
failed = False


def report(number, name, wrong):
    global failed
    failed = failed or bool(wrong)
    print(f"{'not ok' if wrong else 'ok'} {number} - {name}")
    for line in wrong:
        print("#", line)


print("1..2")
lint = subprocess.run([MANDOC, "-T", "lint", PAGE], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
# Pages of our own that are not installed yet cannot be found.
report(1, "mandoc lint", [line for line in lint.stdout.decode().splitlines()
                          if "STYLE: referenced manual not found" not in line and "outdated mandoc.db" not in line])

with open(PAGE, encoding="utf-8") as file:
    page = file.read()
with open(METRICS, encoding="utf-8") as file:
    metrics = re.findall(r"^XM_METRIC\((\w+), (\w+), (\w+),", file.read(), re.MULTILINE)
titles = {"VCPU": "Rows of a vCPU", "DOMAIN": "Rows of a domain", "PCPU": "Rows of a pCPU",
          "PAIR": "Rows of a domain on a pCPU", "HOST": "The host's row"}
parts = dict(re.findall(r"^\.Ss (.*?)\n(.*?)(?=^\.S[sh])", page, re.MULTILINE | re.DOTALL))
report(2, f"{len(metrics)} metrics", [f"{scope} {name}" for scope, name, kind in metrics
                                      if f".It Va {name} Pq {kind.lower()}" not in parts[titles[scope]]]
       or ([] if len(metrics) > 80 else ["too few metrics found"]))
sys.exit(failed)
