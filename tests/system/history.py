#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The durable history as a user meets it: kept by xenbaked, killed, out of room, queried, accounted from.

usage: history.py XENBAKED XENMON SOURCE_ROOT      TAP on stdout, exit 1 when anything fails
"""
import calendar
import csv
import io
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import manual
from waiting import wait_for

XENBAKED, XENMON, ROOT = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
sys.path.insert(0, str(ROOT / "contrib/python"))
import xenmon_region  # noqa: E402

LIFECYCLE = ROOT / "scenarios" / "lifecycle.ini"
STATES = ("running", "runnable", "blocked", "offline", "unknown")
SEED = int(os.environ.get("XM_SEED", "0")) or int(time.time())
ENVIRONMENT = {**os.environ, "TZ": "UTC"}
HZ = 1000000000


class Skip(Exception):
    """Why a test cannot be run here."""


def run(*command, code=0, env=None, **options):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          timeout=120, env=env or ENVIRONMENT, **options)
    assert done.returncode == code, f"{command}: exit {done.returncode}, not {code}: {done.stderr}"
    return done


def history(*arguments, code=0, **options):
    return run(XENMON, "history", *arguments, code=code, **options)


def rows(*arguments):
    return list(csv.DictReader(io.StringIO(history(*arguments, "--format=csv").stdout)))


def trace(folder, name, seconds, scenario=LIFECYCLE, *options):
    path = folder / name
    run(XENMON, "sim", scenario, f"--duration={seconds}s", "-q", "-o", path, *options)
    return path


def bake(folder, *arguments, **options):
    """xenbaked itself, so that a signal reaches it and not a shell."""
    return subprocess.Popen([XENBAKED, "--region", folder / "shm", *map(str, arguments)], stderr=subprocess.PIPE, text=True,
                            env=ENVIRONMENT, **options)


def finish(process, code=0):
    said = process.communicate(timeout=90)[1]
    assert process.returncode == code, f"exit {process.returncode}, not {code}: {said}"
    return said


def samples(directory):
    try:
        with sqlite3.connect(f"file:{directory}/history.db?mode=ro", uri=True) as db:
            return db.execute("SELECT count(*) FROM sample").fetchone()[0]
    except sqlite3.Error:
        return 0


def intact(directory):
    with sqlite3.connect(f"file:{directory}/history.db?mode=ro", uri=True) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    done = history("check", directory)
    assert " 0 faults" in done.stdout, done.stdout
    return done.stdout


def by_vcpu(table, extra=()):
    sums = {}
    for row in table:
        if row["vcpu"] == "":
            continue
        key = (int(row["domid"]), int(row["instance"]), int(row["vcpu"]))
        into = sums.setdefault(key, {})
        for name in (*(f"{s}_ns" for s in STATES), *extra):
            into[name] = into.get(name, 0) + int(row[name] or 0)
    return sums


def test_five_minutes_agree_to_the_nanosecond(folder):
    """Region, log and history of five minutes: the same sums, whatever the step."""
    path = trace(folder, "t", 300, LIFECYCLE, "--set=web.rate=40")
    counts = ("executions", "migrations", "preemptions", "wait_after_wake_ns")
    daemon = bake(folder, "--speed=max", "--cpu-hz", HZ, "--fast-history=1200s", "--slow-history=2h", "--memory=1G",
                  f"--history={folder}/h", path)
    try:
        wait_for((folder / "shm").exists, "the region")
        done = run(XENMON, "log", "--region", folder / "shm", "--format=csv", "--from-start", "-t", "60", "-i", "700")
        region = json.loads(run(XENMON, "report", "--region", folder / "shm", "--format=json", "--cpu-hz", HZ).stdout)
        wait_for(lambda: samples(folder / "h") and "ended" in history("runs", folder / "h").stdout, "the history")
    finally:
        daemon.terminate()
    finish(daemon)
    intact(folder / "h")
    log = by_vcpu(csv.DictReader(io.StringIO(done.stdout)), counts)
    metrics = [f"--metric={name}" for name in (*(f"{s}_ns" for s in STATES), *counts)]
    whole = by_vcpu(rows("--vcpu", *metrics, folder / "h"), counts)
    assert len(whole) >= 6 and set(whole) == set(log), (sorted(whole), sorted(log))
    assert sum(v["running_ns"] for v in whole.values()) > 10**9
    for key, values in whole.items():
        assert values == log[key], f"{key}: {values} is not {log[key]}"
    for domain in region["domains"]:
        for vcpu in domain["vcpus"]:
            mine = whole[domain["domid"], domain["instance"], vcpu["vcpu"]]
            assert mine["executions"] == vcpu["executions"] and mine["running_ns"] <= vcpu["running_ns"]
            assert vcpu["running_ns"] - mine["running_ns"] <= mine["unknown_ns"]
    # A domain that was not there yet is in no earlier window: what it lacks is offline, or unknown.
    for step in ("1s", "5s", "1m", "1h"):
        parts = by_vcpu(rows("--vcpu", f"--step={step}", *metrics, folder / "h"), counts)
        for key, values in parts.items():
            for name in ("running_ns", "runnable_ns", "blocked_ns", *counts):
                assert values[name] == whole[key][name], f"step {step}, {key}, {name}: {values[name]}, not {whole[key][name]}"


def test_every_format_says_the_same(folder):
    path = trace(folder, "t", 12)
    finish(bake(folder, "--speed=max", "--exit-at-end", f"--history={folder}/h", path))
    for arguments in ([], ["--step=5s"], ["--vcpu", "--step=1s"], ["report"], ["report", "--by=day"], ["report", "--by=month"],
                      ["report", "--by=total"], ["runs"], ["--step=day"], ["--step=month", "--vcpu"]):
        text = history(*arguments, folder / "h").stdout.splitlines()
        table = rows(*arguments, folder / "h")
        lines = [json.loads(line) for line in history(*arguments, "--format=jsonl", folder / "h").stdout.splitlines()]
        assert table and len(lines) == len(table), arguments
        assert len(text) == len(table) + (2 if "report" in arguments else 1), arguments
        for row, line in zip(table, lines):
            assert row.keys() == line.keys()
            for key, value in row.items():
                mine = line[key]
                same = value == "" if mine is None else value == mine if isinstance(mine, str) else float(value) == float(mine)
                assert same or mine == "", f"{arguments}: {key}: {value!r}, {mine!r}"
    every = history("--list-metrics").stdout.split("\n")
    for name in (line.split()[0] for line in every if line):
        assert rows(f"--metric={name}", folder / "h")[0].get(name) is not None
    assert all(row["domid"] == "2" for row in rows("--domain=2", folder / "h"))
    assert {row["instance"] for row in rows("--domain=2", folder / "h")} == {"0", "1"}
    assert rows("--domain=Domain-0", folder / "h")[0]["domid"] == "0"


def test_tables_fit_the_paper(folder):
    """Columns go, "+N" says how many; what tells rows apart stays, and so does what was asked for by name."""
    finish(bake(folder, "--speed=max", "--exit-at-end", f"--history={folder}/h", trace(folder, "t", 12)))
    with sqlite3.connect(folder / "h" / "history.db") as db:
        db.execute("UPDATE domain SET name = ? WHERE row & 65535 = 1", ("front-end-of-the-\u00fcberall-shop-number-01",))
    db.close()
    base = {key: value for key, value in ENVIRONMENT.items() if key != "COLUMNS"}
    for arguments in ([], ["--vcpu"], ["--step=5s"], ["report"], ["report", "--by=total"], ["runs"]):
        widths = {}
        for columns in (None, "70", "80", "100", "120", "300", "0", "x", "99999999999999999999"):
            env = dict(base, COLUMNS=columns) if columns else base
            out = history(*arguments, folder / "h", env=env).stdout.splitlines()
            room = int(columns) if columns in ("70", "80", "100", "120", "300") else 80
            assert all(len(line) <= room for line in out), (arguments, columns, max(out, key=len))
            left_out = re.search(r"  \+(\d+)$", out[0])
            shown = len(re.split(r"  +", out[0].strip())) - bool(left_out)
            widths[columns] = shown, shown + (int(left_out[1]) if left_out else 0)
            assert columns != "300" or not left_out, out[0]
            assert "Known" in out[0] or arguments == ["runs"], out[0]
            if arguments != ["runs"]:
                assert ("front-end-of-the-\u00fcberall" in "\n".join(out)) == (room == 300), "\n".join(out)
        assert len({total for _, total in widths.values()}) == 1, widths
        assert widths["70"][0] < widths["100"][0] < widths["300"][0], widths
        assert widths[None] == widths["80"] == widths["0"] == widths["x"], widths
    asked = ["--metric=running_pct", "--metric=blocked_pct", "--metric=executions_per_s"]
    titles = history(*asked, folder / "h", env=dict(base, COLUMNS="30")).stdout.splitlines()[0]
    assert "Gotten%" in titles and "Blocked%" in titles and "Ex/s" in titles, titles


def test_times_on_paper_are_local(folder):
    finish(bake(folder, "--speed=max", "--exit-at-end", f"--history={folder}/h", trace(folder, "t", 5)))
    first = rows(folder / "h")[0]["from"]
    when = calendar.timegm(time.strptime(first[:19], "%Y-%m-%dT%H:%M:%S")) + float(first[19:23])
    for zone, title, offset in (("UTC", "From (UTC)", 0), ("XYZ-3", "From (XYZ)", 3), ("AAA5BBB,M3.2.0,M11.1.0", "From (AAA/BBB)", None)):
        out = history(folder / "h", env=dict(ENVIRONMENT, TZ=zone)).stdout.splitlines()
        assert out[0].startswith(title), out[0]
        if offset is not None:
            local = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(round(when + 3600 * offset)))
            assert out[1].startswith(local + "  "), (out[1], local)


def test_windows_by_the_clock(folder):
    """Steps begin where a clock's do, and windows follow each other without a seam."""
    path = trace(folder, "t", 20)
    finish(bake(folder, "--speed=max", "--cpu-hz", HZ, "--exit-at-end", f"--history={folder}/h", path))
    table = [row for row in rows("--step=5s", "--domain=Domain-0", folder / "h")]
    assert 8 <= len(table) <= 10, table  # at this rate 20 s are 40
    for row in table:
        assert int(row["time"][17:19]) % 5 == 0 and row["time"][20:23] == "000", row["time"]
    for a, b in zip(table, table[1:]):
        assert a["to"] == b["from"]
        assert sum(int(a[f"{s}_ns"]) for s in STATES) == int(a["window_ns"])
    inner = table[1:-1]
    assert inner and all(0.7 < float(row["coverage"]) <= 1 for row in inner), inner
    middle = table[1]["from"], table[-2]["to"]
    part = rows("--domain=0", f"--from={middle[0]}", f"--to={middle[1]}", folder / "h")
    assert len(part) == 1
    for name in ("window_ns", "running_ns", "blocked_ns", "executions"):
        assert int(part[0][name]) == sum(int(row[name]) for row in inner), name


def test_restarts_and_ids_used_again(folder):
    """Lives that xenbaked's restart cut in two are one; an id used again is another life; a gap is in the coverage alone."""
    arguments = [f"--source=sim:{LIFECYCLE}", f"--history={folder}/h", "--history-sync=300ms"]
    for _ in range(2):
        daemon = bake(folder, *arguments)
        time.sleep(9.3)
        daemon.terminate()
        finish(daemon)
        time.sleep(1.2)
    intact(folder / "h")
    runs = rows("runs", folder / "h")
    assert len(runs) == 2 and all(r["state"] == "ended" and r["source"] == "live" for r in runs), runs
    report = rows("report", "--by=total", folder / "h")
    dom0 = [row for row in report if row["domid"] == "0"]
    assert len(dom0) == 1, report
    spans = sum(int(r["span_ns"]) for r in runs)
    assert abs(int(dom0[0]["known_ns"]) - spans) < 10**6, (dom0, spans)
    gap = int(dom0[0]["life_ns"]) - int(dom0[0]["known_ns"])
    assert 10**9 < gap < 4 * 10**9, gap
    assert 0.8 < float(dom0[0]["coverage"]) < 0.97
    # Domain 2 is 'build', and then 'rebuild': two lives in each run.
    two = [row for row in report if row["domid"] == "2"]
    assert len(two) == 4 and {row["instance"] for row in two} == {"0", "1"}, two
    for row in report:
        total = sum(int(row[f"{s}_ns"]) for s in ("running", "waiting", "blocked", "offline", "unknown"))
        assert abs(total - int(row["known_ns"]) * int(row["vcpus"]) - int(row["unknown_ns"])) < 10**7, row
    said = history("--step=1s", "--format=csv", folder / "h").stderr
    assert said.count("nothing is known from") == 1, said
    assert "nothing is known from" in history("--step=1s", folder / "h").stdout
    assert '"known": false' in history("--format=jsonl", folder / "h").stdout
    parts = rows("report", "--by=hour", folder / "h")
    assert sum(int(r["running_ns"]) for r in parts) == sum(int(r["running_ns"]) for r in report)


POLL_NS = 20_000_000
COUNTED = """
[host]
cpus = 2
poll = 20ms
pages = {pages}
duration = 5s
[domain Domain-0]
id = 0
role = driver
[domain web]
id = 1
role = web
rate = 200
[domain build]
id = 2
role = hog
vcpus = 2
[domain short]
id = 3
role = hog
from = 1500ms
to = 3500ms
"""


def test_held_against_the_hypervisors_account(folder):
    """Running time is what the hypervisor counts, but for the age of its list: from one pass to the next, for each vCPU."""
    (folder / "s.ini").write_text(COUNTED.format(pages=128))
    for _ in range(2):
        finish(bake(folder, f"--source=sim:{folder}/s.ini", "--exit-at-end", f"--history={folder}/h"))
    intact(folder / "h")
    table = rows("report", "--by=total", folder / "h")
    assert {row["name"] for row in table} == {"Domain-0", "web", "build", "short"} and len(table) == 5, table
    for row in table:
        runs = 2 if row["name"] != "short" else 1  # it ends, and another comes in the next run
        # An ended one's last list is of a pass before its end; which is taken only when a sample is due, every 100 ms.
        age = POLL_NS if row["name"] != "short" else POLL_NS + 100_000_000
        apart = int(row["running_ns"]) - int(row["cpu_time_ns"])
        assert int(row["cpu_time_ns"]) > 10**7 and abs(float(row["difference_s"]) * 1e9 - apart) < 2, row
        assert abs(float(row["difference_pct"]) - 100 * apart / int(row["cpu_time_ns"])) < 1e-6, row
        # Nanoseconds are cut off: one or two a window.
        assert -4 * runs - int(row["unknown_ns"]) <= apart <= runs * int(row["vcpus"]) * age, (row, apart)
    for column in ("cpu_time_ns", "running_ns"):
        whole, parts = (sum(int(row[column]) for row in rows("report", f"--by={by}", folder / "h")) for by in ("total", "hour"))
        assert whole == parts, (column, whole, parts)
    # Windows within a run: a bound's list may be old, or the other's.
    seen = 0
    for row in rows("--step=1s", "--metric=running_ns", "--metric=cpu_time_ns", folder / "h"):
        if row["name"] != "short" and row["cpu_time_ns"]:
            most = (2 if row["name"] == "build" else 1) * POLL_NS + 2
            assert abs(int(row["running_ns"]) - int(row["cpu_time_ns"])) <= most, row
            seen += 1
    assert seen > 12, seen
    total = history("report", "--by=total", folder / "h").stdout.splitlines()
    assert "Xen CPU s" in total[0] and " total " in total[-1], total  # nothing of it is unknown: no remark
    assert re.search(r" [+-]\d+\.\d{3}% ", total[-1]), total


def test_held_against_the_hypervisors_account_with_losses(folder):
    """The hypervisor counts what the trace lost: running is short by no more than what is unknown, and that is said."""
    (folder / "s.ini").write_text(COUNTED.replace("20ms", "400ms").format(pages=1))
    finish(bake(folder, f"--source=sim:{folder}/s.ini", "--exit-at-end", f"--history={folder}/h"))
    table = rows("report", "--by=total", folder / "h")
    assert sum(int(row["unknown_ns"]) for row in table) > 10**8, table
    assert min(float(row["difference_s"]) for row in table) < -0.01, table
    for row in table:
        assert int(row["running_ns"]) + int(row["unknown_ns"]) + 4 >= int(row["cpu_time_ns"]), row
    last = history("report", "--by=total", folder / "h").stdout.splitlines()[-1]
    assert re.search(r"^-- of \d+\.\d{3} vCPU seconds it is unknown whether they ran: running is short", last), last


def test_without_a_hypervisor_to_ask(folder):
    """A replay has nobody's account but its own: null, and no difference of 0."""
    path = trace(folder, "t", 5)
    finish(bake(folder, "--speed=max", "--exit-at-end", f"--history={folder}/h", path))
    for row in rows("report", folder / "h"):
        assert row["running_ns"] and (row["cpu_time_ns"], row["difference_s"], row["difference_pct"]) == ("", "", ""), row
    lines = [json.loads(line) for line in history("report", "--format=jsonl", folder / "h").stdout.splitlines()]
    assert lines and all(line["cpu_time_ns"] is None and line["difference_pct"] is None for line in lines), lines


def test_kill_the_keeper_at_random_moments(folder):
    """The database is whole each time, and in the end nothing is missing: the region had it all."""
    dice = random.Random(SEED)
    print(f"# XM_SEED={SEED}")
    path = trace(folder, "t", 40)
    daemon = bake(folder, "--speed=4", "--cpu-hz", HZ, path)
    try:
        wait_for((folder / "shm").exists, "the region")
        (folder / "h").mkdir()

        def keeper():
            return subprocess.Popen([XENMON, "history", "keep", "--sync=100ms", "--region", folder / "shm", folder / "h"],
                                    stderr=subprocess.DEVNULL)
        # How long one takes here until it has kept something: moments are drawn from before and after that.
        start, first = time.monotonic(), keeper()
        try:
            wait_for(lambda: samples(folder / "h") > 0, "a first sample")
        finally:
            first.kill()
            first.wait()
        longest = max(0.25, 1.5 * (time.monotonic() - start))
        before = 0
        for _ in range(50):
            with keeper() as killed:
                time.sleep(dice.uniform(0.005, longest))
                killed.kill()
            now = samples(folder / "h")
            assert now >= before, f"{now} samples, and there were {before}"
            before = now
        assert before > 3, before
        intact(folder / "h")
        run(XENMON, "history", "keep", "--exit-at-end", "--sync=100ms", "--region", folder / "shm", folder / "h")
    finally:
        daemon.terminate()
    finish(daemon)
    intact(folder / "h")
    finish(bake(folder, "--speed=max", "--cpu-hz", HZ, "--exit-at-end", f"--history={folder}/whole", path))
    killed, whole = (by_vcpu(rows("--vcpu", folder / name)) for name in ("h", "whole"))
    assert killed == whole, (killed, whole)
    with sqlite3.connect(folder / "h/history.db") as db:
        runs, kept, distinct = db.execute("SELECT (SELECT count(*) FROM run), count(*), count(DISTINCT window) FROM sample").fetchone()
    # At this rate 40 s are 80.
    assert runs == 1 and kept == distinct and 81 <= kept <= 82, (runs, kept, distinct)


def test_kill_xenbaked(folder):
    """Nothing that the keeper could still read is lost, and the next xenbaked's run is another."""
    for number in range(3):
        daemon = bake(folder, f"--source=sim:{LIFECYCLE}", f"--history={folder}/h", "--history-sync=60s")
        time.sleep(2.5)
        daemon.send_signal(signal.SIGKILL)
        finish(daemon, -signal.SIGKILL)
        wait_for(lambda n=number: samples(folder / "h") >= 2 * (n + 1), "the rest of a killed xenbaked")
        wait_for(lambda: subprocess.run(["flock", "-n", folder / "h/history.lock", "true"], check=False).returncode == 0,
                 "the keeper to end")
    intact(folder / "h")
    assert len(rows("runs", folder / "h")) == 3


def newest_sample(folder):
    """Of the region's series that is kept: how far the trace had come; None where there is no region to be read."""
    try:
        with xenmon_region.Region(folder / "shm") as region:
            return region.header()["lineage_id"], region.sample("slow", region.newest("slow"))["host"]["window"]
    except (OSError, xenmon_region.RegionError):
        return None


def test_kill_all_at_random_moments(folder):
    """Xenbaked and keeper at once, 50 times: only the last unsynced interval is lost, and the database is always whole."""
    dice = random.Random(SEED)
    print(f"# XM_SEED={SEED}")
    path = trace(folder, "t", 40)
    sync_s, slack_s = 0.1, 0.4  # what is due is read, written and synced within that, on a machine that has other work too
    kept_some, checked, lost = 0, 0, []
    for number in range(50):
        daemon = bake(folder, "--speed=20", f"--history={folder}/h", f"--history-sync={int(sync_s * 1000)}ms", path)
        seen = []
        if number % 5:  # the others are killed while they start
            wait_for(lambda: newest_sample(folder), "a sample")
        end = time.monotonic() + dice.uniform(0, 1.2 if number % 5 else 0.5)
        while time.monotonic() < end:
            now = newest_sample(folder)
            if now:
                seen.append((time.monotonic(), *now))
            time.sleep(0.01)
        lock = folder / "h/history.lock"
        keeper = int(lock.read_text().strip() or 0) if lock.exists() else 0
        for pid in dice.sample([daemon.pid, keeper], 2):
            try:
                if pid:
                    os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # the one before it, of the last round
        killed = time.monotonic()
        daemon.communicate(timeout=20)
        (folder / "shm").unlink(missing_ok=True)
        if not (folder / "h/history.db").exists():
            continue  # it was killed before it had begun
        wait_for(lambda: subprocess.run(["flock", "-n", lock, "true"], check=False).returncode == 0, "the keeper to end")
        if samples(folder / "h"):
            intact(folder / "h")
        if not seen:
            continue
        lineage = seen[-1][1]
        lineage -= 2**64 if lineage >= 2**63 else 0
        with sqlite3.connect(f"file:{folder}/h/history.db?mode=ro", uri=True) as db:
            have = db.execute("SELECT max(window) FROM sample WHERE run = (SELECT id FROM run WHERE lineage = ?)", (lineage,)).fetchone()[0]
        first = seen[0][0]
        due = max((window for when, _, window in seen if when <= killed - sync_s - slack_s), default=None)
        if due is not None and killed - first > 0.7:  # by then a new xenbaked has its keeper
            checked += 1
            assert have is not None and have >= due, f"round {number}: {have} is kept, and {due} was due"
        if have is not None:
            kept_some += 1
            lost.append(sum(1 for window in {w for _, _, w in seen} if window > have))
    assert kept_some > 20 and checked > 5, (kept_some, checked)
    print(f"# {kept_some} of 50 runs kept something; samples lost in one: {sum(lost) / len(lost):.1f} of 20 a second, at most {max(lost)}")


def test_a_keeper_that_dies_is_started_again(folder):
    daemon = bake(folder, f"--source=sim:{LIFECYCLE}", f"--history={folder}/h", "--history-sync=200ms")
    try:
        lock = folder / "h/history.lock"
        wait_for(lambda: lock.exists() and lock.read_text().strip(), "the keeper")
        first = int(lock.read_text())
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: int(lock.read_text() or first) != first, "another keeper")
        had = samples(folder / "h")
        wait_for(lambda: samples(folder / "h") > had, "samples")
    finally:
        daemon.terminate()
    said = finish(daemon)
    assert said.count("what keeps the history was ended by a signal: Killed") == 1, said
    intact(folder / "h")


def test_two_writers(folder):
    path = trace(folder, "t", 6)
    (folder / "h").mkdir()
    first = subprocess.Popen([XENMON, "history", "keep", "--region", folder / "shm", folder / "h"], stderr=subprocess.PIPE)
    try:
        lock = folder / "h/history.lock"
        wait_for(lambda: lock.exists() and lock.read_text().strip(), "the lock")
        said = history("keep", "--region", folder / "shm", folder / "h", code=1).stderr
        assert f"process {first.pid} writes this history already" in said and said.count("\n") == 1, said
        said = finish(bake(folder, "--speed=max", "--exit-at-end", f"--history={folder}/h", path))
        assert f"process {first.pid} writes" in said and "the trace has ended" in said, said
    finally:
        first.terminate()
        first.communicate(timeout=20)


FULL = """
mount -t tmpfs -o size=2M none "$1/h" || exit 77
head -c 100M /dev/zero >"$1/h/ballast" 2>/dev/null
truncate -s -220K "$1/h/ballast"
"$2" history keep --sync=100ms --region "$1/shm" --exit-at-end "$1/h" 2>"$1/said" &
keeper=$!
for i in $(seq 300); do grep -q full "$1/said" && break; sleep 0.05; done
rm "$1/h/ballast"
wait $keeper || exit 1
cp "$1/h/history.db"* "$1/out" || exit 1
"""


def test_a_full_disk(folder):
    """Said once, waited for, and caught up from the region when there is room again."""
    for name in ("h", "out"):
        (folder / name).mkdir()
    if not shutil.which("unshare") or subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", folder / "h"],
                                                     stderr=subprocess.DEVNULL, check=False).returncode:
        raise Skip("no namespace to mount a small disk in")
    path = trace(folder, "t", 120, LIFECYCLE, "--set=web.rate=20")
    daemon = bake(folder, "--speed=60", "--cpu-hz", HZ, path)
    try:
        wait_for((folder / "shm").exists, "the region")
        time.sleep(0.5)
        done = subprocess.run(["unshare", "-Urm", "bash", "-c", FULL, "full", folder, XENMON], check=False, timeout=60)
        assert done.returncode == 0, (done.returncode, (folder / "said").read_text())
    finally:
        daemon.terminate()
    finish(daemon)
    said = (folder / "said").read_text()
    assert said.count("is full") == 1 and said.count("the history is written again") == 1, said
    intact(folder / "out")
    assert samples(folder / "out") in (241, 242), samples(folder / "out")  # at this rate 120 s are 240


def test_databases_that_are_none(folder):
    """Each is refused by name, in one line, and is left as it was."""
    for name, content, text in (("text", b"this is no database, not at all\n" * 100, "file is not a database"),
                                ("other", None, "a database of another program"),
                                ("newer", None, "of version 99, and this xenmon knows versions up to 1")):
        directory = folder / name
        directory.mkdir()
        file = directory / "history.db"
        if content:
            file.write_bytes(content)
        else:
            with sqlite3.connect(file) as db:
                db.execute("CREATE TABLE mine(a)")
                if name == "newer":
                    db.execute(f"PRAGMA application_id = {0x584d4844}")
                    db.execute("PRAGMA user_version = 99")
            db.close()
        before = file.read_bytes()
        for command in ([], ["report"], ["runs"], ["check"], ["show"], ["keep"]):
            said = history(*command, directory, code=1).stderr
            assert text in said and "history.db" in said and said.count("\n") == 1, said
        assert file.read_bytes() == before
    for command in ([], ["report"], ["check"]):
        said = history(*command, folder / "nowhere", code=1).stderr
        assert "No such file" in said and said.count("\n") == 1, said
    said = history("keep", folder / "nowhere", code=1).stderr
    assert "nowhere" in said, said


def test_damage_is_found(folder):
    path = trace(folder, "t", 8)
    finish(bake(folder, "--speed=max", "--exit-at-end", f"--history={folder}/h", path))
    intact(folder / "h")
    good = (folder / "h/history.db").read_bytes()
    for sql, text in (("UPDATE vcpu_sample SET running = running + 1 WHERE sample = 4", "add up to"),
                      ("UPDATE domain_sample SET executions = 0 WHERE sample = 5 AND domain = 1", "executions goes back"),
                      ("UPDATE sample SET window = 1 WHERE id = 6", "time does not go on"),
                      ("UPDATE pcpu_sample SET idle = idle - 7 WHERE sample = 3", "add up to"),
                      ("DELETE FROM sample WHERE id = 3", "rows belong to nothing")):
        directory = folder / str(len(list(folder.iterdir())))
        directory.mkdir()
        (directory / "history.db").write_bytes(good)
        db = sqlite3.connect(directory / "history.db")
        assert db.execute(sql).rowcount > 0, sql
        db.commit()
        db.close()
        done = subprocess.run([XENMON, "history", "check", directory], stdout=subprocess.PIPE, text=True, check=False, timeout=60)
        assert done.returncode == 1 and text in done.stdout, (sql, done.stdout)
    dice = random.Random(SEED)
    for _ in range(40):
        bad = bytearray(good)
        for _ in range(dice.choice((1, 20, 400))):
            bad[dice.randrange(100, len(bad))] = dice.randrange(256)
        (folder / "h/history.db").write_bytes(bad[:dice.choice((len(bad), len(bad), dice.randrange(1, len(bad))))])
        for command in (["check"], ["report"], ["--step=1s", "--vcpu"]):
            done = subprocess.run([XENMON, "history", *command, folder / "h"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  check=False, timeout=60)
            assert done.returncode in (0, 1), (SEED, command, done.returncode, done.stderr)
        for name in ("history.db-wal", "history.db-shm"):
            (folder / "h" / name).unlink(missing_ok=True)


def test_numbers_that_make_no_sense(folder):
    """A sound database with anything in it: an answer or an error, and in a few seconds."""
    path = trace(folder, "t", 8)
    finish(bake(folder, "--speed=max", "--exit-at-end", f"--history={folder}/h", path))
    good = (folder / "h/history.db").read_bytes()
    dice = random.Random(SEED)
    print(f"# XM_SEED={SEED}")
    values = (0, 1, -1, 2**63 - 1, -2**63, 2**32, 65535, 65536, 1.5, "x", None, b"\0\xff", 10**18)
    for number in range(40):
        directory = folder / f"n{number}"
        directory.mkdir()
        (directory / "history.db").write_bytes(good)
        db = sqlite3.connect(directory / "history.db", isolation_level=None)
        for _ in range(dice.choice((1, 3, 10))):
            table = dice.choice(("run", "domain", "sample", "vcpu_sample", "domain_sample", "pcpu_sample"))
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            key = "id" if table in ("run", "domain", "sample") else "sample"
            where = dice.choice(("1", f"{key} = {dice.randrange(1, 10)}"))
            try:
                db.execute(f"UPDATE {table} SET {dice.choice(columns)} = ? WHERE {where}", (dice.choice(values),))
            except sqlite3.Error:
                pass  # a key that is there already, or no number at all
        db.close()
        for command in (["check"], ["report"], ["--step=1s", "--vcpu"], ["--step=month"], ["runs"],
                        ["show", "--region", directory / "shm"]):
            done = subprocess.run([XENMON, "history", *command, directory], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  check=False, timeout=60)
            assert done.returncode in (0, 1), (SEED, number, command, done.returncode, done.stderr[-2000:])


def test_a_directory_that_is_not_ours(folder):
    path = trace(folder, "t", 5)
    finish(bake(folder, "--speed=max", "--exit-at-end", f"--history={folder}/h", path))
    (folder / "file").write_text("")
    said = finish(bake(folder, "--speed=max", "--exit-at-end", f"--history={folder}/file", path))
    assert "the trace has ended" in said and "file" in said, said
    if os.geteuid() == 0:
        return
    (folder / "h").chmod(0o500)
    try:
        assert rows("report", folder / "h")
        history("keep", "--region", folder / "shm", folder / "h", code=3)
    finally:
        (folder / "h").chmod(0o700)


def test_what_is_shown(folder):
    """A stretch of the past as a region: its windows are those of the history."""
    path = trace(folder, "t", 20)
    finish(bake(folder, "--speed=max", "--cpu-hz", HZ, "--exit-at-end", f"--history={folder}/h", path))
    history("show", "--region", folder / "past", folder / "h")
    done = run(XENMON, "report", "--region", folder / "past", "--format=json", "--cpu-hz", HZ)
    region = json.loads(done.stdout)
    whole = by_vcpu(rows("--vcpu", folder / "h"))
    seen = {(d["domid"], d["instance"], v["vcpu"]): v for d in region["domains"] for v in d["vcpus"]}
    for key in ((0, 0, 0), (1, 0, 0), (4, 0, 0)):
        for state in STATES[:3]:
            assert seen[key][f"{state}_ns"] == whole[key][f"{state}_ns"], (key, state, seen[key], whole[key])
        # A report's totals have what was learned later where it belongs.
        rest = [sum(v[f"{s}_ns"] for s in STATES[3:]) for v in (seen[key], whole[key])]
        assert rest[0] == rest[1], (key, rest)
    history("show", "--run=7", folder / "h", code=1)


def test_wrong_usage(folder):
    for arguments in (["--step=7h"], ["--step=0"], ["--step=x"], ["--from=yesterday"], ["--to=2026-02-31"], ["--metric=speed"],
                      ["--metric=wait_max_ns"], ["--format=xml"], ["--from=-1h", "--to=-2h"], ["report", "--by=week"], ["a", "b"],
                      ["keep", "--keep=1s"], ["keep", "--keep=1m:1d,1s:2d"], ["keep", "--keep=1s:1d,1m:1h"], ["keep", "--step=1"
                       "us"], ["runs", "--by=hour"], ["check", "--format=csv"], ["show", "--run=0"]):
        said = history(*arguments, code=2).stderr
        assert said.count("\n") == 1 and "--help" in said, said
    for command in ([], ["report"], ["runs"], ["check"], ["show"], ["keep"]):
        assert history(*command, "--help").stdout.startswith("Usage: xenmon history")
    path = trace(folder, "t", 5)
    finish(bake(folder, "--speed=max", "--exit-at-end", f"--history={folder}/h", path))
    assert "xenbaked --history" in history("/nonexistent", code=1).stderr
    assert "give a time such as" in history("--from=yesterday", code=2).stderr
    assert history("check", folder / "h").stdout.startswith("1 run, "), "a plural"
    assert "no such domain" in history("--domain=nobody", folder / "h", code=1).stderr
    assert bake(folder, "--history=", path).wait(20) == 2
    assert bake(folder, "--history=0", path).wait(20) == 2
    helped = set().union(*(manual.helped(XENMON, "history", *command)
                           for command in ([], ["report"], ["runs"], ["check"], ["show"], ["keep"])))
    written = manual.documented((ROOT / "man/xenmon-history.1").read_text(encoding="utf-8"))
    assert len(helped) > 15 and helped - {"--help"} == written, (helped - written, written - helped)


def main():
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    only = sys.argv[4:]
    tests = [t for t in tests if not only or t[0] in only]
    print(f"1..{len(tests)}")
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        title = name[5:].replace("_", " ")
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(pathlib.Path(folder))
                print(f"ok {number} - {title}", flush=True)
            except Skip as why:
                print(f"ok {number} - {title} # SKIP {why}", flush=True)
            except Exception as problem:  # pylint: disable=broad-exception-caught
                failed += 1
                for line in f"{type(problem).__name__}: {problem}"[:3000].splitlines():
                    print(f"# {line}")
                print(f"not ok {number} - {title}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
