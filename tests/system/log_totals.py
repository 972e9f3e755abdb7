#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What xenbaked counts and xenmon log writes adds up to the truth, to the cycle.

usage: log_totals.py XENBAKED XENMON TRACE...      (or folders of them)  TAP on stdout, exit 1 when anything differs

Every trace is replayed into a region, once fast with a log that reads along, once at --speed max with a log that
reads afterwards; the sums over all their rows, counters plus late, are held against NAME.truth.json beside the
trace, and xenmon report --region against xenmon report of the file.
"""
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import truth as captures
from waiting import wait_for

STATES = ("running", "runnable", "blocked", "offline")
SUMS = {"executions": "executions", "migrations": "migrations", "wait_after_wake": "wait_after_wake_ns",
        "wait_after_preempt": "wait_after_preemption_ns"}
IO = ("page_transfers", "grant_maps", "grant_unmaps")


def add_up(rows):
    """(domid, instance, vcpu) -> column -> sum; an empty vCPU is the row of a domain that has none."""
    sums = {}
    for row in rows:
        key = (int(row["domid"]), int(row["instance"]), row["vcpu"])
        total = sums.setdefault(key, {})
        for name, value in row.items():
            if name in ("time", "trace_ns", "domid", "instance", "vcpu", "name", "uuid"):
                continue
            if name.endswith("_min_ns"):
                keep = [v for v in (total.get(name), int(value) if value else None) if v is not None]
                total[name] = min(keep) if keep else None
            elif name.endswith("_max_ns"):
                total[name] = max(total.get(name, 0), int(value or 0))
            else:
                total[name] = total.get(name, 0) + int(value or 0)
    return sums


def compare_log(d, path, truth, window):
    with open(path, newline="", encoding="utf-8") as f:
        sums = add_up(csv.DictReader(f))
    d.same("rows there are", bool(sums), True)
    for (domid, instance, vcpu), total in sums.items():
        if vcpu == "":
            continue
        key = f"d{domid}{f'#{instance}' if instance else ''}v{vcpu}"
        d.same(f"{key} sum of windows", total["window_ns"], window)
        d.same(f"{key} sum of states", sum(total[f"{s}_ns"] for s in STATES) + total["unknown_ns"], window)
        should = truth["vcpus"].get(key)
        if not truth["vcpus"]:
            continue
        if should is None:
            d.found.append(f"{key} is not in the truth")
            continue
        for state in STATES:
            d.same(f"{key} {state}", total[f"{state}_ns"] + total[f"late_{state}_ns"], should[state])
        d.fields(key, SUMS, total, should)
        d.same(f"{key} wait_other", total["wait_other_ns"] + total["late_runnable_ns"], should["wait_other"])
        d.same(f"{key} wait_max", total["wait_max_ns"], should["max_wait"])
        slices = should.get("allocated_ns") or {"count": 0, "sum": 0}
        names = {word: f"allocated_{word}{'' if word == 'count' else '_ns'}" for word in slices}
        d.fields(f"{key} allocated", names, total, slices)
    for name in IO:
        by_domain = {}
        for (domid, _, _), total in sums.items():
            by_domain[str(domid)] = by_domain.get(str(domid), 0) + total[name]
        should = {domid: io.get(name, 0) for domid, io in truth["io"].items()}
        for domid in sorted(set(by_domain) | set(should)):
            d.same(f"d{domid} {name}", by_domain.get(domid, 0), should.get(domid, 0))


def without(report, names):
    """A report without the members that the two ways of making it need not share."""
    if isinstance(report, dict):
        return {k: without(v, names) for k, v in report.items() if k not in names}
    if isinstance(report, list):
        return [without(v, names) for v in report]
    return report


def compare_reports(d, xenmon, trace, region):
    runs = [subprocess.run([xenmon, "report", "--format=json", "--cpu-hz", "1000000000", *what],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False) for what in ([trace], ["--region", region])]
    d.same("exit code of report --region", runs[1].returncode, 0)
    file_report, region_report = (json.loads(r.stdout) for r in runs)
    differ = {"damage", "short_records", "backwards", "stragglers", "source", "name"}
    d.same("report --region", without(region_report, differ), without(file_report, differ))


def log_command(xenmon, region, out):
    return [xenmon, "log", "--region", region, "--format=csv", "-o", out, "--from-start", "-t", "60", "-i", "700"]


def check_speed(d, xenbaked, xenmon, trace, folder, speed):
    truth = captures.truth_of(trace)
    region = folder / f"shm-{speed}"
    out = folder / f"{speed}.csv"
    daemon = subprocess.Popen([xenbaked, "--foreground", "--region", region, "--speed", speed, "--cpu-hz",
                               "1000000000", "--history", "300s", "--memory", "1G", trace], stderr=subprocess.DEVNULL)
    try:
        wait_for(region.exists, "the region")
        run = subprocess.run(log_command(xenmon, region, out), stderr=subprocess.PIPE, check=False)
        d.same("exit code of the log", run.returncode, 0)
        d.same("what the log complains of", run.stderr.decode(), "")
        compare_log(d, out, truth, truth["span_cycles"])
        compare_reports(d, xenmon, trace, region)
    finally:
        daemon.terminate()
        daemon.wait(10)


def check(xenbaked, xenmon, trace, folder):
    d = captures.Differences()
    for speed in ("25", "max"):
        check_speed(d, xenbaked, xenmon, trace, folder, speed)
    return d


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    xenbaked, xenmon = sys.argv[1:3]
    traces = captures.traces_of(sys.argv[3:])
    failed = 0
    print(f"1..{len(traces)}")
    for number, trace in enumerate(traces, 1):
        with tempfile.TemporaryDirectory() as folder:
            d = check(xenbaked, xenmon, trace, pathlib.Path(folder))
        good = not d.found and d.compared > 10
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {trace.name}: {d.compared} figures", flush=True)
        for line in d.found:
            print(f"# {line}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
