#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The report of every capture equals its truth file, number for number.

usage: truth.py XENMON TRACE...      TAP on stdout, exit 1 when anything differs

TRACE is NAME.trace or NAME.trace.zst, or a folder of them; its truth is NAME.truth.json beside it.  With --cpu-hz 1000000000 a
cycle is a nanosecond, so every figure of the report is an exact integer of cycles.  Without it the trace's own rate
has to be near the one that Xen had measured on the host of the captures.
"""
import json
import pathlib
import subprocess
import sys

IDLE = 32767
HOST_HZ = 2793439000  # Xen's cpu_khz where the captures were made
HZ_TOLERANCE = 0.002

# truth's word -> the report's, for one vCPU
VCPU = {
    "running": "running_ns", "runnable": "runnable_ns", "blocked": "blocked_ns", "offline": "offline_ns",
    "executions": "executions", "migrations": "migrations", "wait_after_wake": "wait_after_wake_ns",
    "wait_after_preempt": "wait_after_preemption_ns", "wait_other": "wait_other_ns", "max_wait": "wait_max_ns",
}
SLICES = {"count": "count", "sum": "sum_ns", "min": "min_ns", "max": "max_ns"}
CPU = {"idle": "idle_ns", "busy": "busy_ns", "switching": "switching_ns"}
TRACE = {"records": "records", "lost_records": "lost_records", "first_tsc": "first_tsc", "last_tsc": "last_tsc",
         "span_cycles": "duration_ns", "anomalies": "anomalies", "ends": "ends"}
UNDERSTOOD = set(TRACE) | {"cpus", "vcpus", "io", "file", "note"}


def truth_of(trace):
    name = trace.name.removesuffix(".zst").removesuffix(".trace") + ".truth.json"
    return json.loads(trace.with_name(name).read_text(encoding="utf-8"))


def traces_of(arguments):
    """The traces that are named, and all of the folders that are."""
    traces = []
    for path in map(pathlib.Path, arguments):
        traces += sorted(path.glob("*.trace.zst")) if path.is_dir() else [path]
    if not traces:
        sys.exit("no traces")
    return traces


def vcpu_key(domain, vcpu):
    instance = f"#{domain['instance']}" if domain["instance"] else ""
    return f"d{domain['domid']}{instance}v{vcpu['vcpu']}"


class Differences:
    """What is not as it should be, and how much was looked at."""

    def __init__(self):
        self.found = []
        self.compared = 0

    def same(self, where, is_, should):
        self.compared += 1
        if is_ != should:
            self.found.append(f"{where} is {is_}, should be {should}")

    def fields(self, where, names, is_, should):
        for theirs, ours in names.items():
            if theirs in should and should[theirs] is not None:
                self.same(f"{where} {ours}", is_.get(ours), should[theirs])


def compare_vcpus(d, report, truth):
    vcpus = {vcpu_key(domain, v): v for domain in report["domains"] for v in domain["vcpus"]}
    wanted = {key: v for key, v in truth["vcpus"].items() if not key.startswith(f"d{IDLE}v")}
    if wanted:
        d.same("the list of vCPUs", sorted(vcpus), sorted(wanted))
    for key, should in wanted.items():
        is_ = vcpus.get(key, {})
        d.fields(key, VCPU, is_, should)
        d.same(f"{key} unknown_ns", is_.get("unknown_ns"), 0)
        slices = should.get("allocated_ns") or {"count": 0, "sum": 0}
        d.fields(f"{key} allocated", SLICES, is_.get("allocated", {}), slices)
        unknown_words = set(should) - set(VCPU) - {"allocated_ns"}
        d.same(f"{key}: words of the truth that are not compared", unknown_words, set())


def compare_cpus(d, report, truth):
    cpus = {str(c["cpu"]): c for c in report["cpus"]}
    if "cpus" in truth:
        d.same("the list of pCPUs", sorted(cpus), sorted(truth["cpus"]))
    for cpu, should in truth.get("cpus", {}).items():
        d.fields(f"cpu {cpu}", CPU, cpus.get(cpu, {}), should)
        d.same(f"cpu {cpu} unknown_ns", cpus.get(cpu, {}).get("unknown_ns"), 0)
    for key, should in truth["vcpus"].items():
        if key.startswith(f"d{IDLE}v"):
            cpu = key[len(f"d{IDLE}v"):]
            d.same(f"cpu {cpu} idle_ns", cpus.get(cpu, {}).get("idle_ns"), should["running"])


def compare_io(d, report, truth):
    for name in ("grant_maps", "grant_unmaps", "page_transfers"):
        totals = {}
        for domain in report["domains"]:
            value = domain["io"][name]
            if value is not None:
                totals[str(domain["domid"])] = totals.get(str(domain["domid"]), 0) + value
        should = {domid: io.get(name, 0) for domid, io in truth["io"].items()}
        for domid in sorted(set(totals) | set(should)):
            # A domain that the truth does not list had no grant event.
            d.same(f"d{domid} {name}", totals.get(domid), should.get(domid, 0))


def compare_sums(d, report):
    """What holds whatever the trace: law 2."""
    window = report["trace"]["duration_ns"]
    states = ("running_ns", "runnable_ns", "blocked_ns", "offline_ns", "unknown_ns")
    for domain in report["domains"]:
        for v in domain["vcpus"]:
            key = vcpu_key(domain, v)
            d.same(f"{key} sum of states", sum(v[s] for s in states), window)
            waits = v["wait_after_wake_ns"] + v["wait_after_preemption_ns"] + v["wait_other_ns"]
            d.same(f"{key} sum of waits", waits, v["runnable_ns"])
            ordered = [v["wait_p50_ns"], v["wait_p95_ns"], v["wait_p99_ns"], v["wait_max_ns"]]
            d.same(f"{key} percentiles in order", ordered, sorted(ordered))
    for c in report["cpus"]:
        parts = c["idle_ns"] + c["busy_ns"] + c["switching_ns"] + c["unknown_ns"]
        d.same(f"cpu {c['cpu']} sum", parts, window)


def check_rate(d, xenmon, trace):
    run = subprocess.run([xenmon, "report", "--format=json", "--max-loss=none", trace], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, check=False)
    d.same("exit code without --cpu-hz", run.returncode, 0)
    if run.returncode == 0:
        report = json.loads(run.stdout)
        hz = report["trace"]["tsc_hz"]
        d.same("tsc_hz_from", report["trace"]["tsc_hz_from"], "trace")
        d.same(f"{hz} Hz is near {HOST_HZ}", abs(hz - HOST_HZ) <= HZ_TOLERANCE * HOST_HZ, True)
        compare_sums(d, report)


def check(xenmon, trace):
    truth = truth_of(trace)
    run = subprocess.run([xenmon, "report", "--format=json", "--cpu-hz", "1000000000", trace],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    d = Differences()
    d.same("exit code", run.returncode, 4 if truth["lost_records"] else 0)
    if run.returncode not in (0, 4):
        d.found.append(run.stderr.decode(errors="replace").strip())
        return d
    report = json.loads(run.stdout)
    d.same("schema", report["schema"], "xenmon.report/1")
    d.same("words of the truth that are not compared", set(truth) - UNDERSTOOD, set())
    d.fields("trace", TRACE, report["trace"], truth)
    compare_cpus(d, report, truth)
    compare_vcpus(d, report, truth)
    compare_io(d, report, truth)
    compare_sums(d, report)
    check_rate(d, xenmon, trace)
    return d


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    xenmon, traces = sys.argv[1], traces_of(sys.argv[2:])
    failed = 0
    print(f"1..{len(traces)}")
    for number, trace in enumerate(traces, 1):
        d = check(xenmon, trace)
        good = not d.found and d.compared > 10
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {trace.name}: {d.compared} figures")
        for line in d.found:
            print(f"# {line}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
