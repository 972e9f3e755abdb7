#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Five minutes, told four times: region, CSV log, JSON Lines log and durable history of one run of xenbaked agree.

usage: agree.py XENBAKED XENMON SOURCE_ROOT      TAP on stdout, exit 1 when anything fails

The expected values are computed here, in Python, from the region's samples; equal means equal: to the ns, to the count,
of every vCPU and domain, in every interval.
"""
import csv
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

XENBAKED, XENMON, ROOT = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
sys.path[:0] = [str(ROOT / "contrib/python"), str(ROOT / "tests/support")]
import windows  # noqa: E402
import xenmon_region  # noqa: E402

SECONDS = 300
NS = 10**9
# Domains that come, go and use an id again; more vCPUs that want to run than there are pCPUs; disk and network traffic.
SCENARIO = """
[host]
cpus = 3
hz = 2.1GHz
scheduler = credit2
pages = 256

[domain Domain-0]
id = 0
role = driver
vcpus = 2

[domain web]
id = 1
role = web
rate = 4

[domain build]
id = 2
role = hog
vcpus = 3
from = 20s
to = 90s

[domain rebuild]
id = 2
role = hog
from = 130s
to = 210s

[domain visitor]
id = 3
role = nap
vcpus = 2
work = 2ms
pause = 40ms
from = 61.5s
to = 250s

[domain evening]
id = 4
role = hog
from = 199s
"""
VCPU = {"window_ns": "window", **{f"{s}_ns": s for s in windows.STATES}, "wait_after_wake_ns": "wait_wake",
        "wait_after_preemption_ns": "wait_preempt", "wait_other_ns": "wait_other", "executions": "executions",
        "migrations": "migrations", "preemptions": "preemptions", "yields": "yields", "allocated_count": "slices",
        "allocated_sum_ns": "slice_sum", "allocated_min_ns": "slice_min", "allocated_max_ns": "slice_max",
        "wait_max_ns": "wait_max", **{f"late_{s}_ns": f"late_{s}" for s in windows.STATES[:4]}}
ADDED = (*windows.STATES, "span", "wait_wake", "wait_preempt", "wait_other", *(f"late_{s}" for s in windows.STATES[:4]))
DOMAIN = {"page_transfers": "page_transfers", "grant_maps": "grant_maps", "grant_unmaps": "grant_unmaps",
          "grant_copies_issued": "done_copies", "done_page_transfers": "done_transfers", "done_grant_maps": "done_maps",
          "done_grant_unmaps": "done_unmaps"}
failed = count = 0


def check(problems, name, detail=""):
    """problems: what is not as it should be; a list, or a bool that is true where all is well."""
    global failed, count  # pylint: disable=global-statement
    count += 1
    bad = [] if problems is True else [detail] if problems is False else problems
    failed += bool(bad)
    print(f"{'not ' if bad else ''}ok {count} - {name}")
    for line in bad[:20]:
        print(f"# {line}")
    if len(bad) > 20:
        print(f"# and {len(bad) - 20} more")
    sys.stdout.flush()


def value(u, name):
    """What a log has of a usage: slices are known where there were any."""
    if name in ("slice_min", "slice_max") and not u["slices_known"]:
        return None
    return u[name]


class Run:
    """One xenbaked, both logs and the keeper of the history, all at once; and afterwards what each of them has."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "scenario.ini").write_text(SCENARIO, encoding="utf-8")
        self.command(XENMON, "sim", folder / "scenario.ini", f"--duration={SECONDS}s", "--seed=5", "-q", "-o", folder / "trace")
        baked = subprocess.Popen([XENBAKED, "--region", folder / "shm", "--speed=50", "--log-level=error",
                                  f"--fast-history={SECONDS + 20}s", f"--slow-history={SECONDS + 20}s", "--memory=1G",
                                  f"--history={folder}/h", folder / "trace"])
        try:
            self.wait((folder / "shm").exists)
            logs = [subprocess.Popen([XENMON, "log", "--region", folder / "shm", f"--format={name}", "--from-start", "-t", "0",
                                      "-i", "1000", "-o", folder / f"log.{name}"]) for name in ("csv", "jsonl")]
            for log in logs:
                assert log.wait(120) == 0, f"xenmon log ended with {log.returncode}"
            self.wait(lambda: "ended" in self.command(XENMON, "history", "runs", folder / "h"))
            self.read_region()
        finally:
            baked.terminate()
            baked.wait(60)
        assert baked.returncode == 0, f"xenbaked ended with {baked.returncode}"
        with open(folder / "log.csv", encoding="utf-8", newline="") as file:
            self.csv = list(csv.DictReader(file))
        self.jsonl = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]

    @staticmethod
    def command(*command):
        done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                              timeout=120)
        assert done.returncode in (0, 1) and (done.returncode == 0 or "history" in command), (command, done.stderr)
        return done.stdout

    @staticmethod
    def wait(condition):
        for _ in range(6000):
            if condition():
                return
            time.sleep(0.01)
        raise AssertionError("waited a minute in vain")

    def read_region(self):
        with xenmon_region.Region(self.folder / "shm") as region:
            header = region.header()
            self.scale = windows.Scale(header["tsc_hz"])
            self.io_seen = header["io_seen"]
            first, last = region.oldest("fast"), region.newest("fast")
            assert first == 0, "the region does not hold all of the trace"
            self.samples = [region.sample("fast", i) for i in range(first, last + 1)]
        self.by_window = {sample["host"]["window"]: i for i, sample in enumerate(self.samples)}
        self.by_ns = {self.scale.ns(window): i for window, i in self.by_window.items()}
        assert len(self.by_ns) == len(self.samples)

    def window(self, before, now):
        """Of samples by their places; before None: since the trace began."""
        between = self.samples[(0 if before is None else before + 1):now]
        return windows.Window(None if before is None else self.samples[before], self.samples[now], self.scale, self.io_seen,
                              between)


def usages(window):
    """Every vCPU and, under number None, every domain."""
    result = {}
    for row in window.now["vcpu"]:
        result[windows.domid(row), windows.instance(row), windows.vcpu_number(row)] = window.vcpu(row["slot"])
    for row in window.now["domain"]:
        result[windows.domid(row), windows.instance(row), None] = window.domain(row["slot"])
    return result


def logged(run, before, now):
    """The same as the log has it (xenmon(1)): what was not there at the beginning of the interval counts since the trace
    began, so that rows add up to the newest counters; and a domain's states are the sums over its vCPUs' ns."""
    window = run.window(before, now)
    result = usages(window)
    if before is not None:
        there = {(kind, row["id"]) for kind in ("vcpu", "domain") for row in run.samples[before][kind]}
        fresh = {(kind, row["id"]) for kind in ("vcpu", "domain") for row in run.samples[now][kind]} - there
        if fresh:
            whole = windows.Window(None, run.samples[now], run.scale, run.io_seen, run.samples[before + 1:now])
            result.update({key: u for key, u in usages(whole).items() if ("domain" if key[2] is None else "vcpu", u["id"]) in fresh})
    for (domid, instance, number), u in result.items():
        its = [v for k, v in result.items() if k[:2] == (domid, instance) and k[2] is not None]
        if number is None and its:
            u.update({name: sum(v[name] for v in its) for name in ADDED})
    return result


def intervals(run, ends):
    """What the log should have for the window up to each of the ends (ns of trace), each from the one before on."""
    before = None
    for end in ends:
        now = run.by_ns[end]
        yield end, logged(run, before, now)
        before = now


def test_jsonl(run):
    problems, compared = [], 0
    ends = [line["trace_ns"] for line in run.jsonl]
    over = set()
    for line, (end, want) in zip(run.jsonl, intervals(run, ends)):
        seen = set()
        for domain in line["domains"]:
            for vcpu in [None, *domain["vcpus"]]:
                key = domain["domid"], domain["instance"], vcpu["vcpu"] if vcpu else None
                told = vcpu or domain
                seen.add(key)
                for name, mine in (VCPU if vcpu else {**VCPU, **DOMAIN, "wait_any_ns": "wait_any"}).items():
                    compared += 1
                    if told[name] != value(want[key], mine):
                        problems.append(f"at {end}: {key}: {name} is {told[name]}, in the region {value(want[key], mine)}")
        problems += [f"at {end}: nothing of {key}" for key in want if key not in seen and key[:2] not in over]
        over |= {(d["domid"], d["instance"]) for d in line["domains"] if d["ended"]}
    check(problems, f"JSON Lines and region: {compared} values of {len(ends)} intervals")
    check(len(ends) == SECONDS and compared > 70000, "all of the five minutes", f"{len(ends)} intervals, {compared} values")


def test_csv(run):
    """The same numbers as in JSON Lines, which are the region's; what a domain has stands on its first vCPU's row."""
    problems, compared = [], 0
    told = {}
    for line in run.jsonl:
        for domain in line["domains"]:
            for place, vcpu in enumerate(domain["vcpus"]):
                told[line["trace_ns"], domain["domid"], domain["instance"], vcpu["vcpu"]] = domain, vcpu, place == 0
    rows = {tuple(int(row[name]) for name in ("trace_ns", "domid", "instance", "vcpu")): row for row in run.csv}
    for key in set(rows) ^ set(told):
        problems.append(f"{key} is in one of them alone")
    for key in set(rows) & set(told):
        domain, vcpu, first = told[key]
        for name, text in rows[key].items():
            if name in ("time", "trace_ns", "domid", "instance", "vcpu"):
                continue
            mine = vcpu.get(name) if name in vcpu else domain[name] if first or name in ("name", "uuid") else None
            compared += 1
            if text != ("" if mine is None else str(mine)):
                problems.append(f"{key}: {name} is '{text}' in CSV, {mine} in JSON Lines")
    check(problems, f"CSV and JSON Lines: {compared} values of {len(rows)} rows")
    check(len(rows) == len(run.csv) and compared > 50000, "and no row is there twice", f"{len(rows)} of {len(run.csv)}")


def test_seams(run):
    """Intervals follow each other without a seam, and the logs end where the region does."""
    ends = [line["trace_ns"] for line in run.jsonl]
    check(ends == sorted(set(ends)) and ends[-1] == max(run.by_ns), "the logs end where the region does",
          f"{ends[-1]}, {max(run.by_ns)}")
    check([a for a in range(1, len(ends)) if run.jsonl[a]["span_ns"] != run.scale.ns(
        run.samples[run.by_ns[ends[a]]]["host"]["window"] - run.samples[run.by_ns[ends[a - 1]]]["host"]["window"])],
          "each interval is as long as from the end of the one before")
    sums = {}
    for row in run.csv:
        key = tuple(int(row[name]) for name in ("domid", "instance", "vcpu"))
        sums[key] = [a + int(row[name]) for a, name in zip(sums.get(key, [0] * 3), ("executions", "migrations", "yields"))]
    whole = {key: u for key, u in usages(run.window(None, len(run.samples) - 1)).items() if key[2] is not None}
    check([f"{key}: {sums.get(key)}, in the region {u['executions']} {u['migrations']} {u['yields']}" for key, u in whole.items()
           if sums.get(key, [0] * 3) != [u["executions"], u["migrations"], u["yields"]]],
          f"counts of the log's {len(ends)} intervals add up to the region's")
    check(len(whole) >= 10 and sum(u["executions"] for u in whole.values()) > 10000, "which are many")


def test_database(run):
    """Every column of every row that the history keeps is the region's, in cycles."""
    problems, compared = [], 0
    db = sqlite3.connect(f"file:{run.folder}/h/history.db?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    names = {row["id"]: row["row"] for row in db.execute("SELECT id, row FROM domain")}
    samples = {row["id"]: row for row in db.execute("SELECT * FROM sample")}
    tables = {"domain": "domain_sample", "vcpu": "vcpu_sample", "pcpu": "pcpu_sample"}
    for sample in samples.values():
        mine = run.samples[run.by_window[sample["window"]]]
        for name in set(sample.keys()) - {"id", "run", "detail"}:
            compared += 1
            if sample[name] != mine["host"][name]:
                problems.append(f"sample {sample['id']}: {name} is {sample[name]}, in the region {mine['host'][name]}")
    rows = 0
    for kind, table in tables.items():
        for row in db.execute(f"SELECT * FROM {table}"):
            mine = run.samples[run.by_window[samples[row["sample"]]["window"]]]
            number = row["pcpu"] | 1 << 63 if kind == "pcpu" else names[row["domain"]] | 1 << 63
            number |= row["vcpu"] << 16 if kind == "vcpu" else 0
            found = [r for r in mine[kind] if r["id"] == number]
            keys = {"sample", "domain", "vcpu"} if kind != "pcpu" else {"sample", "pcpu"}
            rows += 1
            if len(found) != 1:
                problems.append(f"sample {row['sample']}: {kind} {number:x} is in the region {len(found)} times")
                continue
            for name in set(row.keys()) - keys:
                compared += 1
                if row[name] != found[0][name]:
                    problems.append(f"sample {row['sample']}, {kind} {number:x}: {name} is {row[name]}, in the region {found[0][name]}")
    # A domain that has ended changes no more: its last row is the one that says so.
    due, over = 0, set()
    for sample in sorted(samples.values(), key=lambda s: s["window"]):
        mine = run.samples[run.by_window[sample["window"]]]
        due += len(mine["pcpu"]) + sum(row["slot"] not in over for row in mine["domain"])
        due += sum(mine["vcpu_domain"][row["slot"]] not in over for row in mine["vcpu"])
        over |= {row["slot"] for row in mine["domain"] if row["ended"]}
    missing = due - rows
    db.close()
    check(problems, f"history and region: {compared} values of {len(samples)} samples")
    check(missing == 0 and compared > 50000 and len(samples) >= SECONDS, "and no row is missing",
          f"{missing} missing, {len(samples)} samples")


def test_history(run):
    """What xenmon history says of all that time is the region's window."""
    metrics = [name for name in VCPU if name not in ("allocated_min_ns", "allocated_max_ns", "wait_max_ns") and "late" not in name]
    whole = usages(run.window(None, len(run.samples) - 1))
    problems = []
    said = csv.DictReader(run.command(XENMON, "history", "--format=csv", "--vcpu", *(f"-m{name}" for name in metrics),
                                      run.folder / "h").splitlines())
    seen = set()
    for row in said:
        key = int(row["domid"]), int(row["instance"]), int(row["vcpu"])
        seen.add(key)
        problems += [f"{key}: {name} is {row[name]}, in the region {value(whole[key], VCPU[name])}" for name in metrics
                     if int(row[name]) != value(whole[key], VCPU[name])]
    problems += [f"nothing of {key}" for key in whole if key[2] is not None and key not in seen]
    check(problems, f"xenmon history and region: {len(seen)} vCPUs over all that time")
    problems = []
    steps = 0
    with_io = [*metrics, *DOMAIN]
    parts = {}
    for row in csv.DictReader(run.command(XENMON, "history", "--format=csv", "--step=1m", *(f"-m{name}" for name in with_io),
                                          run.folder / "h").splitlines()):
        key = int(row["domid"]), int(row["instance"]), None
        steps += 1
        for name in ("executions", "migrations", "yields", "preemptions", *DOMAIN):
            parts[key, name] = parts.get((key, name), 0) + int(row[name] or 0)
    for (key, name), total in parts.items():
        want = value(whole[key], {**VCPU, **DOMAIN}[name])
        if total != (want or 0):
            problems.append(f"{key}: {name} of all minutes is {total}, in the region {want}")
    check(problems, f"and counts of its {steps} rows by the minute add up to it")
    check(steps > 15 and sum(parts.values()) > 10000, "which are some", f"{steps} {sum(parts.values())}")


def main():
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="xenmon-agree-") as folder:
        run = Run(pathlib.Path(folder))
        print(f"# {len(run.samples)} samples, {len(run.samples[-1]['vcpu'])} vCPUs, {time.monotonic() - start:.1f} s")
        for test in (test_jsonl, test_csv, test_seams, test_database, test_history):
            test(run)
    print(f"# took {time.monotonic() - start:.1f} s")
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
