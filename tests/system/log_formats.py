#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The log in all its formats: they agree with each other and with the region, and no file ever holds half an interval.

usage: log_formats.py XENMON XENBAKED XENMON_SIM SOURCE_ROOT      TAP on stdout, exit 1 when anything fails
       ... --only NAME      just one test
"""
import collections
import contextlib
import csv
import json
import os
import pathlib
import pty
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from waiting import wait_for

XENMON, XENBAKED, SIM = (os.path.abspath(program) for program in sys.argv[1:4])
ROOT = pathlib.Path(sys.argv[4]).absolute()
sys.path.insert(0, str(ROOT / "contrib/python"))
import xenmon_region  # noqa: E402  pylint: disable=wrong-import-position

STATES = ("running", "runnable", "blocked", "offline", "unknown")
SUMS = {"executions": "executions", "migrations": "migrations", "preemptions": "preemptions", "yields": "yields",
        "allocated_count": "slices", "allocated_sum_ns": "slice_sum", "wait_after_wake_ns": "wait_wake",
        "wait_after_preemption_ns": "wait_preempt", "wait_other_ns": "wait_other",
        **{f"{s}_ns": s for s in STATES}, **{f"late_{s}_ns": f"late_{s}" for s in STATES[:4]}}
OF_DOMAIN = {"page_transfers": "page_transfers", "grant_maps": "grant_maps", "grant_unmaps": "grant_unmaps",
             "done_page_transfers": "done_transfers", "done_grant_maps": "done_maps", "done_grant_unmaps": "done_unmaps"}


class Skip(Exception):
    """Why a test cannot be run here."""


def run(*arguments, **more):
    more.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([XENMON, *map(str, arguments)], text=True, check=False, timeout=120, stderr=subprocess.PIPE,
                          env=dict(os.environ, XENMON_REGION="/nonexistent/region"), **more)


def expect(done, code, error="", output=""):
    assert done.returncode == code, f"exit {done.returncode}, not {code}: {done.args} {done.stderr}"
    assert error in done.stderr, f"'{error}' is not in '{done.stderr}'"
    assert error or not done.stderr, f"it complains: {done.stderr}"
    assert output in (done.stdout or ""), f"'{output}' is not in '{done.stdout}'"
    return done


@contextlib.contextmanager
def xenbaked(region, *arguments):
    daemon = subprocess.Popen([XENBAKED, "--foreground", "--region", region, *map(str, arguments)],
                              stderr=subprocess.DEVNULL)
    try:
        wait_for(region.exists, "the region")
        yield daemon
    finally:
        daemon.terminate()
        daemon.wait(20)


def simulated(folder):
    """A host that runs for ever in real time."""
    return xenbaked(folder / "shm", f"--source=sim:{ROOT}/scenarios/web.ini")


def make_trace(folder, scenario="web", duration="20s", hz="1GHz", more=()):
    trace = folder / "sim.trace"
    subprocess.run([SIM, "sim", ROOT / f"scenarios/{scenario}.ini", "-o", trace, "-q", f"--duration={duration}",
                    f"--set=host.hz={hz}", *more], check=True)
    return trace


@contextlib.contextmanager
def replayed(folder, trace, *more):
    """All of a trace in a region, a cycle to the nanosecond."""
    region = folder / "shm"
    with xenbaked(region, "--speed=max", "--cpu-hz=1000000000", "--history=400s", "--memory=2G", *more, trace):
        wait_for(lambda: is_over(region), "the end of the trace")
        yield region


def is_over(region):
    try:
        return xenmon_region.Region(region).info()["state"] == xenmon_region.ENDED
    except (xenmon_region.RegionError, OSError):
        return False


def log(folder, name, *arguments, code=0, error=""):
    """Logs to a file of this name."""
    out = folder / name
    expect(run("log", "--region", folder / "shm", "-t", "0", "-o", out, *arguments), code, error)
    return out


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def read_jsonl(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def number(text):
    return int(text) if text else None


def add(into, row, names):
    for name in names:
        value = number(row[name]) if isinstance(row[name], str) else row[name]
        into[name] = into.get(name, 0) + (value or 0)


def newest(region):
    r = xenmon_region.Region(region)
    return r.sample("fast", r.newest("fast"))


def ids(row):
    return row["id"] & 0xffff, row["id"] >> 32 & 0x7fffffff


def vcpu_ids(row):
    return (*ids(row), row["id"] >> 16 & 0xffff)


def compare(found, should, names, what):
    """Both: key -> metric -> number."""
    assert found.keys() == should.keys(), f"{what}: {sorted(found)} is not {sorted(should)}"
    compared = 0
    for key, row in found.items():
        for mine, theirs in names.items():
            assert row[mine] == should[key][theirs], f"{what} {key} {mine}: {row[mine]} is not {should[key][theirs]}"
            compared += 1
    assert compared > 20, f"{what}: {compared} figures are too few"
    return compared


def sums_of(rows, key, names):
    sums = collections.defaultdict(dict)
    for row in rows:
        add(sums[key(row)], row, names)
    return dict(sums)


def rows_of_jsonl(objects, of_vcpus):
    for o in objects:
        for d in o["domains"]:
            for row in d["vcpus"] if of_vcpus else [d]:
                yield {**row, "domid": d["domid"], "instance": d["instance"]}


def key_of_domain(row):
    return int(row["domid"]), int(row["instance"])


def key_of_vcpu(row):
    return (*key_of_domain(row), int(row["vcpu"]))


def check_interval_by_interval(vcpus, domains, objects):
    """Every value of each interval is the same in all three, null where the csv has nothing."""
    by_time = collections.defaultdict(list)
    for row in vcpus:
        by_time[row["trace_ns"], key_of_domain(row)].append(row)
    domains = {(row["trace_ns"], key_of_domain(row)): row for row in domains}
    compared = 0
    for o in objects:
        for d in o["domains"]:
            at = str(o["trace_ns"]), (d["domid"], d["instance"])
            mine = domains.pop(at)
            assert (mine["name"] or None) == d["name"] and o["time"].startswith(mine["time"][:-1])
            for name in set(mine) - {"time", "trace_ns", "name", "uuid", "vcpus"}:
                assert number(mine[name]) == d[name], f"{at} {name}: {mine[name]} is not {d[name]}"
                compared += 1
            rows = by_time.pop(at)
            assert [int(r["vcpu"]) for r in rows] == [v["vcpu"] for v in d["vcpus"]]
            for first, (row, v) in enumerate(zip(rows, d["vcpus"])):
                assert (row["name"] or None, row["uuid"] or None) == (d["name"], d["uuid"]), row
                for name in set(row) - {"time", "trace_ns", "domid", "instance", "vcpu", "name", "uuid"}:
                    should = v.get(name, d[name] if first == 0 else None)
                    assert number(row[name]) == should, f"{at} v{v['vcpu']} {name}: {row[name]} is not {should}"
                    compared += 1
            for state in STATES:
                assert d[f"{state}_ns"] == sum(v[f"{state}_ns"] for v in d["vcpus"])
            for v in d["vcpus"]:
                assert sum(v[f"{s}_ns"] for s in STATES) == v["window_ns"]
    assert not domains and not by_time and compared > 1000
    return compared


def check_upstream_files(folder, prefix, domain_sums, objects):
    for (domid, _), sums in domain_sums.items():
        lines = (folder / f"{prefix}-dom{domid}.log").read_text(encoding="utf-8").splitlines()
        assert len(lines) == len(objects) + 1 and lines[0].startswith("# passed(ms)")
        for column, name in ((3, "running_ns"), (7, "blocked_ns"), (10, "runnable_ns")):
            total = sum(float(line.split()[column]) for line in lines[1:])
            assert total == sums[name], f"dom{domid} {name}: {total} is not {sums[name]}"
    idle = (folder / f"{prefix}-idle.log").read_text(encoding="utf-8").splitlines()
    should = sum(c["idle_ns"] for o in objects for c in o["cpus"])
    assert sum(float(line.split()[3]) for line in idle[1:]) == should


def tables(text):
    """The tables of a batch: lists of dicts."""
    result = []
    for part in text.strip().split("\n\n"):
        lines = part.splitlines()
        assert lines[0].startswith("xenmon - "), lines[0]
        header = lines[1].split()
        rows = [dict(zip(header, line.split(), strict=True)) for line in lines[2:] if line.split() != header]
        result.append(rows)
    return result


def check_batch(text, objects):
    found = tables(text)
    assert len(found) == len(objects), f"{len(found)} tables, {len(objects)} intervals"
    so_far = collections.Counter()
    for rows, o in zip(found, objects):
        assert len(rows) == len(o["domains"])
        for row, d in zip(rows, o["domains"]):
            assert row["NAME"] == (d["name"] or f"dom{d['domid']}")
            so_far[d["domid"]] += d["running_ns"]
            assert row["CPU(sec)"] == f"{so_far[d['domid']] / 1e9:.3f}", row
            for title, state in (("CPU(%)", "running"), ("WAIT(%)", "runnable"), ("BLKD(%)", "blocked")):
                should = 100 * d[f"{state}_ns"] / d["window_ns"]
                assert abs(float(row[title]) - should) < 0.0501, f"{row} {title} is not {should}"
            assert abs(float(row["EX/s"]) - d["executions"] * 1e9 / d["window_ns"]) < 0.0501, row


def check_all(folder, trace, interval):
    """One trace, all formats; returns how many figures were compared."""
    with replayed(folder, trace) as region:
        more = ("--from-start", "-i", interval)
        vcpus = read_csv(log(folder, "vcpu.csv", "--format=csv", *more))
        domains = read_csv(log(folder, "domain.csv", "--format=csv", "--per=domain", *more))
        objects = read_jsonl(log(folder, "all.jsonl", "--format=jsonl", *more))
        expect(run("log", "--region", region, "-p", folder / "up", "-t", "0", *more), 0)
        batch = expect(run("batch", "--region", region, "-f", "--from-start", "-d", f"{interval}ms"), 0).stdout
        sample = newest(region)
    compared = check_interval_by_interval(vcpus, domains, objects)
    vcpu_sums = sums_of(vcpus, key_of_vcpu, SUMS)
    domain_sums = sums_of(domains, key_of_domain, {**SUMS, **OF_DOMAIN})
    in_region = {vcpu_ids(row): row for row in sample["vcpu"] if row["id"]}
    domains_in_region = {ids(row): row for row in sample["domain"] if row["id"]}
    compared += compare(vcpu_sums, in_region, SUMS, "csv of vCPUs and region")
    compared += compare(domain_sums, domains_in_region, {**SUMS, **OF_DOMAIN}, "csv of domains and region")
    compared += compare(sums_of(rows_of_jsonl(objects, True), key_of_vcpu, SUMS), in_region, SUMS, "jsonl and region")
    compared += compare(sums_of(rows_of_jsonl(objects, False), key_of_domain, SUMS), domains_in_region, SUMS, "jsonl's domains")
    assert sum(o["span_ns"] for o in objects) == sample["host"]["window"] == objects[-1]["trace_ns"]
    assert sum(o["host"]["records"] for o in objects) == sample["host"]["records"]
    assert sum(o["quality"]["lost_records"] for o in objects) == sample["host"]["lost_records"]
    pcpus = {row["id"] & ~xenmon_region.ROW_USED: row for row in sample["pcpu"] if row["id"]}
    for cpu, row in pcpus.items():
        for name in ("busy", "idle", "switching"):
            assert sum(c[f"{name}_ns"] for o in objects for c in o["cpus"] if c["cpu"] == cpu) == row[name]
    for before, after in zip(objects, objects[1:]):
        assert before["time"] == after["from"], "there is a seam"
    check_upstream_files(folder, "up", domain_sums, objects)
    check_batch(batch, objects)
    return compared, len(objects)


# ---- Tests.

def test_all_formats_agree(folder):
    compared, intervals = check_all(folder, make_trace(folder), 700)
    assert 27 <= intervals <= 29 and compared > 5000, intervals
    return f"{compared} figures in {intervals} intervals"


def test_five_minutes_agree(folder):
    compared, intervals = check_all(folder, make_trace(folder, "web", "300s"), 1000)
    assert 299 <= intervals <= 301, intervals
    return f"{compared} figures in {intervals} intervals"


def test_domains_that_come_and_go(folder):
    trace = make_trace(folder, "lifecycle")
    with replayed(folder, trace) as region:
        more = ("--from-start", "-i", "500")
        vcpus = read_csv(log(folder, "vcpu.csv", "--format=csv", *more))
        domains = read_csv(log(folder, "domain.csv", "--format=csv", "--per=domain", *more))
        objects = read_jsonl(log(folder, "all.jsonl", "--format=jsonl", *more))
        batch = tables(expect(run("batch", "--region", region, "--from-start", "-d", "0.5"), 0).stdout)
        sample = newest(region)
    check_interval_by_interval(vcpus, domains, objects)
    compare(sums_of(vcpus, key_of_vcpu, SUMS), {vcpu_ids(r): r for r in sample["vcpu"] if r["id"]}, SUMS, "csv and region")
    ended = [(d["domid"], d["instance"]) for d in objects[-1]["domains"] if d["ended"]]
    assert ended, "no domain has ended in a scenario that is about that"
    assert len({len(o["domains"]) for o in objects}) > 1, "none has come"
    assert any(row["STATE"][0] == "d" for rows in batch for row in rows), "no table saw one die"
    assert len(batch[-1]) == len(objects[-1]["domains"]) - len(ended), "what is gone is still in the table"


def test_any_rate_agrees(folder):
    """At a rate that is no power of ten the parts still add up, and all formats say the same."""
    with xenbaked(folder / "shm", "--speed=max", "--history=60s", make_trace(folder, "contention", "8s", "2.4GHz")):
        wait_for(lambda: is_over(folder / "shm"), "the end")
        more = ("--from-start", "-i", "300")
        vcpus = read_csv(log(folder, "vcpu.csv", "--format=csv", *more))
        domains = read_csv(log(folder, "domain.csv", "--format=csv", "--per=domain", *more))
        objects = read_jsonl(log(folder, "all.jsonl", "--format=jsonl", *more))
    assert objects[0]["host"]["tsc_hz"] != 1000000000
    check_interval_by_interval(vcpus, domains, objects)


def test_logged_at_once(folder):
    """Live, all formats at the same time, from the beginning: what they have in common at the end is the same."""
    with simulated(folder):
        common = ("--region", folder / "shm", "--from-start", "--count", "8")
        logs = [subprocess.Popen([XENMON, *map(str, command)]) for command in (
            ("log", *common, "-i", "250", "--format=csv", "-o", folder / "v.csv"),
            ("log", *common, "-i", "250", "--format=csv", "--per=domain", "-o", folder / "d.csv"),
            ("log", *common, "-i", "250", "--format=jsonl", "-o", folder / "o.jsonl"),
            ("batch", *common, "-d", "0.25", "-o", folder / "b.txt"))]
        assert [p.wait(30) for p in logs] == [0] * 4
    vcpus, domains, objects = read_csv(folder / "v.csv"), read_csv(folder / "d.csv"), read_jsonl(folder / "o.jsonl")
    assert len(objects) == 8
    check_interval_by_interval(vcpus, domains, objects)
    check_batch((folder / "b.txt").read_text(encoding="utf-8"), objects)


def test_selection(folder):
    with replayed(folder, make_trace(folder, "web", "3s")):
        start = ("--format=csv", "--from-start")
        everything = read_csv(log(folder, "all.csv", *start))
        some = read_csv(log(folder, "a.csv", *start, "--metric", "runnable_ns,running_ns", "--metric=running_ns,executions"))
        assert list(some[0]) == ["time", "trace_ns", "domid", "instance", "vcpu", "runnable_ns", "running_ns", "executions",
                                 "name", "uuid"]
        assert [r["running_ns"] for r in some] == [r["running_ns"] for r in everything]
        one = read_csv(log(folder, "b.csv", *start, "--domain=2"))
        assert one == [r for r in everything if r["domid"] == "2"] and one
        named = read_csv(log(folder, "c.csv", *start, "--domain", "Domain-*", "--domain", "3"))
        assert {r["domid"] for r in named} == {"0", "3"}
        ratios = read_jsonl(log(folder, "d.jsonl", "--format=jsonl", "--from-start", "--per=domain", "--domain=0",
                                "--metric=running_pct,io_per_execution,net_sent_bytes"))
        for o in ratios:
            (d,) = o["domains"]
            assert "vcpus" not in d and d["net_sent_bytes"] is None and 0 < d["running_pct"] < 100 and d["io_per_execution"] > 0
        nobody = log(folder, "e.csv", *start, "--domain=nobody").read_text(encoding="utf-8")
        assert nobody.count("\n") == 1 and nobody.startswith("time,")
        expect(run("log", "--region", folder / "shm", "-p", folder / "one", "-t", "0", "--from-start", "--domain=1"), 0)
        assert [p.name for p in folder.glob("one-*.log")] == ["one-dom1.log"]
        expect(run("log", "--region", folder / "shm", "-p", folder / "two", "-t", "0", "--from-start", "--domain=idle"), 0)
        assert [p.name for p in folder.glob("two-*.log")] == ["two-idle.log"]


def test_a_domain_that_comes_later(folder):
    with simulated(folder):
        control = [SIM, "sim-ctl", "--region", folder / "shm"]
        process = start_log(folder, "later.jsonl", "--format=jsonl", "--domain=77", "-i", "100")
        wait_for(lambda: lines_of(folder / "later.jsonl") > 2, "intervals")
        subprocess.run([*control, "create", "late", "id=77"], check=True, stdout=subprocess.DEVNULL)
        wait_for(lambda: '"domid":77' in (folder / "later.jsonl").read_text(encoding="utf-8"), "the domain")
        stop(process)
    objects = read_jsonl(folder / "later.jsonl")
    assert objects[0]["domains"] == [] and {d["domid"] for o in objects for d in o["domains"]} == {77}


def test_list_metrics(_folder):
    lines = expect(run("log", "--list-metrics"), 0).stdout.splitlines()
    metrics = {line.split()[0]: line.split()[1] for line in lines}
    assert len(metrics) == len(lines) > 60
    assert metrics["running_ns"] == "ns" and metrics["running_pct"] == "%" and metrics["late_running_ns"] == "ns"
    assert metrics["executions"] == "count" and metrics["executions_per_s"] == "1/s"
    assert expect(run("-b", "--list-metrics"), 0).stdout.splitlines() == lines


def test_every_metric_can_be_logged(folder):
    every = ",".join(line.split()[0] for line in run("log", "--list-metrics").stdout.splitlines())
    with replayed(folder, make_trace(folder, "web", "2s")):
        for per in ("vcpu", "domain"):
            rows = read_csv(log(folder, f"{per}.csv", "--format=csv", "--from-start", f"--per={per}", "--metric", every))
            assert set(every.split(",")) <= set(rows[0])
        (first, *_) = read_jsonl(log(folder, "a.jsonl", "--format=jsonl", "--from-start", "--metric", every))
        assert set(every.split(",")) <= set(first["domains"][0])
        expect(run("batch", "--region", folder / "shm", "--from-start", "--metric", every), 0, output="running_of_vcpus_pct")


def test_usage(folder):
    for arguments, error in (
            (("log", "--format=csv", "--metric=runing_ns"), "did you mean 'running_ns'"),
            (("log", "--format=jsonl", "--metric=running_ns,waitd_max_ns"), "did you mean 'wait_max_ns'"),
            (("log", "--format=csv", "--metric=xyzzy"), "--list-metrics"),
            (("log", "--format=csv", "--metric=running_ns,,blocked_ns"), "empty"),
            (("log", "--format=csv", "--metric="), "is not a name"),
            (("log", "--metric=running_ns"), "--metric is for"),
            (("log", "--per=domain"), "--per is for"),
            (("log", "--per=host", "--format=csv"), "domain or vcpu"),
            (("log", "--format=jsonl", "--cpu=1"), "--cpu is for"),
            (("log", "--format=xml"), "xenmon|csv|jsonl"),
            (("log", "--count=0", "--format=csv"), "whole number"),
            (("log", "--count=-1"), "whole number"),
            (("log", "--format=csv", "--append"), "--append is for files"),
            (("log", "--max-loss=150%"), "percentage"),
            (("log", "--domain="), "is not a name"),
            (("log", *["--domain=a"] * 65), "at most 64"),
            (("log", "operand"), "'operand'"),
            (("batch", "-n", "0"), "whole number"),
            (("batch", "-n"), "needs a value"),
            (("batch", "-d", "fast"), "duration"),
            (("batch", "--format=xenmon"), "text|csv|jsonl"),
            (("batch", "--format=csv", "-v"), "--format=text"),
            (("batch", "--per=domain"), "with text it is -v"),
            (("batch", "-x", "--metric=running_ns"), "says which columns"),
            (("batch", "-p", "x"), "no option '-p'"),
            (("-b", "operand"), "'operand'")):
        done = expect(run(arguments[0], "--region", folder / "shm", *arguments[1:]), 2, error)
        assert done.stderr.count("\n") == 1 and not done.stdout, done.stderr
    for arguments in (("log", "--help"), ("batch", "--help"), ("help", "batch"), ("-b", "-h")):
        expect(run(*arguments), 0, output="--max-loss")


def test_batch_as_xentop_and_top(folder):
    with replayed(folder, make_trace(folder, "web", "10s")):
        more = ("--region", folder / "shm", "--from-start")
        for arguments in (("-b", "-d", "2", "-n", "3"), ("-b", "-d", "2", "-i", "3"), ("-bn3", "-d2"), ("-d", "2", "-fb", "-i3"),
                          ("--batch", "--delay=2", "--iterations=3"), ("batch", "-bzd2", "-n3")):
            found = tables(expect(run(*arguments, *more), 0).stdout)
            assert len(found) == 3 and all(len(rows) == 4 for rows in found), arguments
        with_vcpus = tables(expect(run("-b", "-v", "-n1", *more), 0).stdout)[0]
        assert [r["NAME"] for r in with_vcpus] == ["Domain-0", "vcpu0", "dom1", "vcpu0", "dom2", "vcpu0", "vcpu1", "dom3", "vcpu0", "vcpu1"]
        for row in with_vcpus:
            assert len(row["STATE"]) == 6 and set(row["STATE"]) <= set("-bprw")
        plain = expect(run("-b", "-n1", *more), 0).stdout
        assert plain.count("NAME") == 1 and "VBD_RD" not in plain and "NETTX" not in plain
        wide = expect(run("-b", "-rxn1", "--networks", *more), 0).stdout
        assert wide.count("NAME") == 4 and wide.count("VBD_WSECT") == 4 and wide.count("NETRX(k)") == 4
        assert all(row["VBD_RD"] == "-" for row in tables(wide)[0])  # a trace does not know, and that is not 0
        assert len(expect(run("-b", "--format=jsonl", "-n2", *more), 0).stdout.splitlines()) == 2
        assert expect(run("-b", "--format=csv", "-n1", *more), 0).stdout.startswith("time,trace_ns,domid,instance,vcpu,window_ns,")


def test_count_and_time(folder):
    with simulated(folder):
        begun = time.monotonic()
        rows = read_jsonl(log(folder, "count.jsonl", "--format=jsonl", "--count=3", "-i", "200"))
        assert len(rows) == 3 and 0.3 < time.monotonic() - begun < 5
        done = expect(run("log", "--region", folder / "shm", "--format=jsonl", "--count=2", "-i", "100"), 0)
        assert len(done.stdout.splitlines()) == 2  # without -t: no limit of time
        done = expect(run("log", "--region", folder / "shm", "--format=jsonl", "--count=1000", "-i", "200", "-t", "1"), 0)
        assert 3 <= len(done.stdout.splitlines()) <= 6


def start_log(folder, name, *arguments, **more):
    return subprocess.Popen([XENMON, "log", "--region", folder / "shm", "-t", "0", "-o", folder / name, *map(str, arguments)],
                            stderr=subprocess.PIPE, text=True, **more)


def stop(process, number_=signal.SIGTERM, code=0):
    process.send_signal(number_)
    said = process.communicate(timeout=20)[1]
    assert process.returncode == code, f"exit {process.returncode}, not {code}: {said}"
    return said


def lines_of(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def check_seamless(objects):
    assert len(objects) > 3, f"{len(objects)} intervals are too few"
    for before, after in zip(objects, objects[1:]):
        assert before["time"] == after["from"], f"{before['time']} is followed by {after['from']}"


def test_a_signal_writes_the_begun_interval(folder):
    with simulated(folder):
        for number_ in (signal.SIGTERM, signal.SIGINT):
            process = start_log(folder, f"out{number_}", "--format=jsonl", "-i", "3600s")
            wait_for(lambda path=folder / f"out{number_}": path.exists(), "the log")
            time.sleep(0.6)
            assert stop(process, number_) == ""
            (only,) = read_jsonl(folder / f"out{number_}")
            assert only["span_ns"] > 0


def test_renamed_and_hangup(folder):
    with simulated(folder):
        process = start_log(folder, "out.csv", "--format=csv", "-i", "50")
        wait_for(lambda: lines_of(folder / "out.csv") > 20, "the log")
        (folder / "out.csv").rename(folder / "out.csv.1")
        time.sleep(0.2)  # it still goes into the old one
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: lines_of(folder / "out.csv") > 20, "the new log")
        assert stop(process) == ""
    old, new = read_csv(folder / "out.csv.1"), read_csv(folder / "out.csv")
    assert list(old[0]) == list(new[0])
    times = [int(r["trace_ns"]) for r in old + new if r["domid"] == "0"]
    windows = [int(r["window_ns"]) for r in old + new if r["domid"] == "0"]
    for before, after, window in zip(times, times[1:], windows[1:]):
        assert abs(after - before - window) <= 1, "an interval is missing between the two files"  # 1: a rounded ns


def test_renamed_without_a_signal(folder):
    """The paper's files are opened at every interval."""
    with simulated(folder):
        process = subprocess.Popen([XENMON, "log", "--region", folder / "shm", "-t", "0", "-i", "50", "-p", folder / "log"])
        wait_for(lambda: lines_of(folder / "log-dom0.log") > 3, "the log")
        (folder / "log-dom0.log").rename(folder / "log-dom0.log.1")
        wait_for(lambda: lines_of(folder / "log-dom0.log") > 3, "the new log")
        process.send_signal(signal.SIGHUP)  # does no harm
        time.sleep(0.2)
        process.terminate()
        assert process.wait(10) == 0
    for name in ("log-dom0.log", "log-dom0.log.1"):
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("# passed(ms)") and sum(line[0] == "#" for line in lines) == 1


def test_copied_and_emptied(folder):
    with simulated(folder):
        process = start_log(folder, "out.csv", "--format=csv", "-i", "50")
        wait_for(lambda: lines_of(folder / "out.csv") > 20, "the log")
        shutil.copy(folder / "out.csv", folder / "out.csv.1")
        os.truncate(folder / "out.csv", 0)
        wait_for(lambda: lines_of(folder / "out.csv") > 20, "the new log")
        stop(process)
    text = (folder / "out.csv").read_bytes()
    assert b"\0" not in text and text.startswith(b"time,") and text.count(b"time,") == 1
    assert read_csv(folder / "out.csv")[0]["domid"] == "0"


def test_logrotate(folder):
    logrotate = shutil.which("logrotate", path="/usr/sbin:/sbin:" + os.environ.get("PATH", ""))
    if not logrotate:
        raise Skip("no logrotate here")
    sample = (ROOT / "contrib/logrotate/xenmon").read_text(encoding="utf-8")
    assert "/var/log/xenmon/" in sample
    (folder / "conf").write_text(sample.replace("/var/log/xenmon/", f"{folder}/"), encoding="utf-8")
    (folder / "conf").chmod(0o644)
    (folder / "bin").mkdir()
    stub = folder / "bin" / "systemctl"  # the postrotate script is run as it is; only the service is not one
    stub.write_text('#!/bin/sh\n[ "$*" = "kill --signal=HUP xenmon-log.service" ] && kill -HUP "$LOG_PID"\n', encoding="utf-8")
    stub.chmod(0o755)
    with simulated(folder):
        process = start_log(folder, "out.jsonl", "--format=jsonl", "-i", "50", "--append", "--keep-going")
        wait_for(lambda: lines_of(folder / "out.jsonl") > 5, "the log")
        for _ in range(2):
            done = subprocess.run([logrotate, "--force", "--state", folder / "state", folder / "conf"], text=True, check=False,
                                  env=dict(os.environ, PATH=f"{folder}/bin:{os.environ['PATH']}", LOG_PID=str(process.pid)),
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert done.returncode == 0, done.stdout
            wait_for(lambda: lines_of(folder / "out.jsonl") > 5, "the new log")
        stop(process)
    packed = subprocess.run(["gzip", "-dc", folder / "out.jsonl.2.gz"], check=True, stdout=subprocess.PIPE).stdout
    objects = [json.loads(line) for line in packed.splitlines()]
    check_seamless(objects + read_jsonl(folder / "out.jsonl.1") + read_jsonl(folder / "out.jsonl"))


def test_hangup_with_nowhere_to_go(folder):
    (folder / "sub").mkdir()
    with simulated(folder):
        process = start_log(folder, "sub/out.csv", "--format=csv", "-i", "50")
        wait_for(lambda: lines_of(folder / "sub/out.csv") > 5, "the log")
        (folder / "sub").rename(folder / "moved")
        said = stop(process, signal.SIGHUP, 1)
        assert "sub/out.csv: No such file or directory" in said and said.count("\n") == 1, said
        process = subprocess.Popen([XENMON, "log", "--region", folder / "shm", "-t", "0", "--format=jsonl"], stdout=subprocess.DEVNULL)
        time.sleep(0.3)
        process.send_signal(signal.SIGHUP)  # to the standard output: the end
        assert process.wait(10) == 0


def test_the_terminal_goes(folder):
    """SIGHUP by somebody is logrotate's; when the terminal has gone it is the end, and the begun interval is written."""
    with simulated(folder):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(XENMON, [XENMON, "log", "--region", str(folder / "shm"), "-t", "0", "-i", "3600s", "--format=jsonl",
                              "-o", str(folder / "out")])
        try:
            wait_for((folder / "out").exists, "the log")
            time.sleep(0.5)
            os.kill(pid, signal.SIGHUP)
            time.sleep(0.3)
            assert os.waitpid(pid, os.WNOHANG) == (0, 0), "it ended with its terminal still there"
            os.close(terminal)
            ended = []
            wait_for(lambda: ended.append(os.waitpid(pid, os.WNOHANG)) or ended[-1][0] == pid, "the end")
            assert os.waitstatus_to_exitcode(ended[-1][1]) == 0, ended[-1]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        (only,) = read_jsonl(folder / "out")
        assert only["span_ns"] > 0


def test_nohup(folder):
    with simulated(folder):
        process = subprocess.Popen(["nohup", XENMON, "log", "--region", folder / "shm", "-t", "0", "-i", "50", "--format=jsonl"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert json.loads(process.stdout.readline())
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert process.poll() is None, "nohup did not help"
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_append(folder):
    with replayed(folder, make_trace(folder, "web", "2s")):
        out = log(folder, "out.csv", "--format=csv", "--from-start")
        once = out.read_bytes()
        log(folder, "out.csv", "--format=csv", "--from-start")
        assert out.read_bytes() == once  # begun anew
        log(folder, "out.csv", "--format=csv", "--from-start", "--append")
        assert out.read_bytes() == once + once.split(b"\n", 1)[1]
        out.write_bytes(once[:-7])
        log(folder, "out.csv", "--format=csv", "--from-start", "--append", error="cut off")
        rest = once[:-7].rsplit(b"\n", 1)[0] + b"\n"
        assert out.read_bytes() == rest + once.split(b"\n", 1)[1]
        out.write_bytes(b"no line" * 3000)
        log(folder, "out.csv", "--format=csv", "--append", code=1, error="does not begin as this log would")
        assert out.read_bytes() == b"no line" * 3000
        out.write_bytes(once)
        for other in (("--format=csv", "--per=domain"), ("--format=csv", "--metric=running_ns"), ("--format=jsonl",)):
            log(folder, "out.csv", *other, "--append", code=1, error="does not begin as this log would")
        assert out.read_bytes() == once
        for form in ("jsonl", "text"):
            command = ("batch", "--region", folder / "shm", "--from-start", f"--format={form}", "-o", folder / form, "--append")
            expect(run(*command), 0)
            first = (folder / form).read_bytes()
            expect(run(*command), 0)
            assert (folder / form).read_bytes() == first + first and first
        log(folder, "new.csv", "--format=csv", "--from-start", "--append")
        assert (folder / "new.csv").read_bytes() == once


def test_nothing_is_lost_where_nothing_runs(folder):
    out = folder / "out.csv"
    out.write_text("good old rows\n", encoding="utf-8")
    expect(run("log", "--format=csv", "-o", out), 3, "xenbaked")
    expect(run("log", "--format=csv", "-o", out, "--region", folder / "shm"), 3, "no region at")
    assert out.read_text(encoding="utf-8") == "good old rows\n"


def test_cannot_be_opened(folder):
    for arguments, error in ((("--format=csv", "-o", folder / "no/out.csv"), "no/out.csv: No such file or directory"),
                             (("--format=jsonl", "-o", folder), ": Is a directory"),
                             (("-p", folder / "no/log"), "no/log-*.log: No such file or directory")):
        done = expect(run("log", "--region", "/nonexistent", *arguments), 1, error)  # before the region is looked at
        assert done.stderr.count("\n") == 1


def test_closed_pipe(folder):
    with simulated(folder):
        for command in (("log", "--format=csv", "-i", "50"), ("log", "--format=jsonl", "-i", "50"), ("-b", "-d", "0.05")):
            reader, writer = os.pipe()
            os.close(reader)
            expect(run(*command, "-t", "20", "--region", folder / "shm", "--keep-going", stdout=writer), 0)
            os.close(writer)
        # head reads a little and goes
        text = subprocess.run(f"'{XENMON}' -b --region '{folder}/shm' -d 0.05 | head -n 3", shell=True, check=True, timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert text.stdout.count(b"\n") == 3 and text.stderr == b"", text


def test_a_reader_that_sleeps(folder):
    """A signal ends a log whose pipe is full and whose reader does not read."""
    with simulated(folder):
        reader, writer = os.pipe()
        process = subprocess.Popen([XENMON, "log", "--region", folder / "shm", "-t", "0", "-i", "10", "--format=jsonl"],
                                   stdout=writer, stderr=subprocess.PIPE, text=True)
        os.close(writer)
        wait_for(lambda: "pipe_write" in wchan(process.pid) or is_asleep_for(process.pid), "the full pipe")
        said = stop(process, signal.SIGTERM, 1)
        assert "nobody read it" in said and said.count("\n") == 1, said
        os.close(reader)


def wchan(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/wchan").read_text(encoding="utf-8")
    except OSError:
        return ""


def is_asleep_for(pid):
    """Has it not been woken for a second?  It polls ten times a second while it can write."""
    def switches():
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        return status[status.index("voluntary_ctxt_switches"):]
    before = switches()
    time.sleep(1)
    return before == switches()


def test_dev_full(folder):
    with simulated(folder):
        more = ("--region", folder / "shm", "-t", "20", "-i", "50")
        done = expect(run("log", "--format=jsonl", "-o", "/dev/full", *more), 1, "/dev/full: No space left on device")
        assert done.stderr.count("\n") == 1
        with open("/dev/full", "w", encoding="utf-8") as full:
            expect(run("log", "--format=csv", *more, stdout=full), 1, "standard output: No space left on device")
            expect(run("-b", "--region", folder / "shm", "-d", "0.05", stdout=full), 1, "standard output: No space left")
        (folder / "up-dom0.log").symlink_to("/dev/full")
        expect(run("log", "-p", folder / "up", *more), 1, "up-dom0.log: No space left on device")
        done = expect(run("log", "--format=csv", "-o", "/dev/full", "--keep-going", "--count=5", *more), 0, "keeps going")
        assert done.stderr.count("keeps going") == 1 and "5 intervals that could not be written" in done.stderr, done.stderr
        done = expect(run("log", "-p", folder / "up", "--keep-going", "--count=3", *more), 0, "up-dom0.log: No space left")
        assert lines_of(folder / "up-dom1.log") == 4, "the other files go on"


FULL_DISK = """
set -e
mount -t tmpfs -o size=$4k none "$1/disk"
cd "$1"
fill() { dd if=/dev/zero of=disk/filler bs=1k count=256 2>/dev/null || true; }
case $2 in
stop)
    "$3" log --region shm --format=jsonl -i 20 -t 20 -o disk/out >said 2>&1 && code=0 || code=$?
    echo "$code" >code ;;
going)
    "$3" log --region shm --format=jsonl -i 50 -t 0 --keep-going -o disk/out >said 2>&1 &
    log=$!
    i=0; while [ ! -s disk/out ] && [ $i -lt 500 ]; do sleep 0.01; i=$((i + 1)); done
    fill
    i=0; while ! grep -q 'keeps going' said && [ $i -lt 1000 ]; do sleep 0.01; i=$((i + 1)); done
    sleep 0.5
    cp disk/out full
    rm disk/filler
    i=0; while ! grep -q 'well again' said && [ $i -lt 1000 ]; do sleep 0.01; i=$((i + 1)); done
    sleep 0.5
    kill $log; wait $log && code=0 || code=$?
    echo "$code" >code ;;
esac
cp disk/out out
"""


def full_disk(folder, how, kib):
    (folder / "disk").mkdir()
    probe = subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", folder / "disk"], check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if probe.returncode != 0:
        raise Skip(f"no tmpfs of one's own here: {probe.stdout.strip()}")
    with simulated(folder):
        done = subprocess.run(["unshare", "-Urm", "sh", "-c", FULL_DISK, "sh", folder, how, XENMON, str(kib)], check=False, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stdout} {(folder / 'said').read_text(encoding='utf-8')}"
    return int((folder / "code").read_text()), (folder / "said").read_text(encoding="utf-8")


def test_full_disk_ends_it(folder):
    code, said = full_disk(folder, "stop", 16)
    assert code == 1 and "disk/out: No space left on device" in said and said.count("\n") == 1, (code, said)
    objects = read_jsonl(folder / "out")  # every line is whole
    assert objects and (folder / "out").read_bytes().endswith(b"\n")


def test_full_disk_and_room_again(folder):
    code, said = full_disk(folder, "going", 128)
    assert code == 0, (code, said)
    assert said.count("keeps going") == 1 and "disk/out: No space left on device" in said, said
    assert "well again: " in said and "intervals could not be written" in said, said
    assert lines_of(folder / "full") and (folder / "full").read_bytes().endswith(b"\n"), "half an interval stayed in the file"
    objects = read_jsonl(folder / "out")
    check_seamless(objects)  # and no time is missing
    assert max(o["span_ns"] for o in objects) > 400_000_000, "what could not be written is not in the next one"


def check_killed(folder, out, form):
    """Whole lines and whole intervals.  Linux may cut a write of more than a page in two, so seldom that it has to be
    let pass here: then the next log that goes on in the file removes what is too much, and says so."""
    text = out.read_bytes()
    if not text.endswith(b"\n"):
        command = ("log", "--region", folder / "shm", f"--format={form}", "-o", out, "--append", "--count=1", "-i", "50")
        expect(run(*command), 0, "cut off")
        return 0
    if form == "jsonl":
        return len(read_jsonl(out))
    rows = read_csv(out)
    assert len({line.count(b",") for line in text.splitlines()}) == 1
    by_interval = collections.Counter(r["trace_ns"] for r in rows)
    assert len(set(by_interval.values())) == 1, f"an interval is cut: {by_interval}"
    return len(by_interval)


def test_killed(folder):
    """kill -9 at any moment leaves whole lines."""
    dice = random.Random(int(os.environ.get("XM_SEED", "5")))
    intervals = 0
    with simulated(folder):
        for number_ in range(12):
            form = ("csv", "jsonl")[number_ % 2]
            out = folder / f"out{number_}"
            process = start_log(folder, out.name, f"--format={form}", "-i", "5")
            wait_for(lambda path=out: lines_of(path) > 1, "the log")
            time.sleep(dice.random() / 4)
            process.kill()
            process.communicate()
            intervals += check_killed(folder, out, form)
    assert intervals > 12, intervals


def test_loss(folder):
    trace = make_trace(folder, "web", "3s", more=("--set=host.pages=1", "--set=host.poll=200ms"))
    with replayed(folder, trace) as region:
        lost = newest(region)["host"]["lost_records"]
        assert lost > 10, "the scenario loses nothing"
        more = ("--region", region, "--format=jsonl", "--from-start", "-t", "0")
        for limit, code in (("none", 0), (str(lost), 0), (str(lost - 1), 4), ("0", 4), ("100%", 0), ("0.0001%", 4)):
            done = run("log", *more, f"--max-loss={limit}")
            expect(done, code, f"{lost} of " if code else "")
            assert sum(json.loads(line)["quality"]["lost_records"] for line in done.stdout.splitlines()) == lost
        expect(run("log", *more), 0)
        expect(run("batch", "--region", region, "--from-start", "--max-loss=0"), 4, "--max-loss")
        with open("/dev/full", "w", encoding="utf-8") as full:
            expect(run("log", *more, "--max-loss=0", stdout=full), 1, "No space left")  # 1 wins over 4
        objects = [json.loads(line) for line in run("log", *more).stdout.splitlines()]
        assert any(o["quality"]["coverage_ratio"] < 1 for o in objects)


def main():
    only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else ""
    tests = [(name, value) for name, value in globals().items() if name.startswith("test_") and only in name]
    failed = 0
    print(f"1..{len(tests)}")
    for number_, (name, test) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                said = test(pathlib.Path(folder))
                print(f"ok {number_} - {name}{': ' + said if said else ''}", flush=True)
            except Skip as why:
                print(f"ok {number_} - {name} # SKIP {why}", flush=True)
            except (AssertionError, subprocess.SubprocessError, OSError, KeyError, ValueError) as error:
                failed += 1
                print(f"not ok {number_} - {name}")
                for line in (f"{type(error).__name__}: {error}").splitlines():
                    print(f"# {line}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
