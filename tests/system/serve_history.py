#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The past that xenmon serve --history has: the durable history over the network, against xenmon history itself.

usage: serve_history.py XENMON XENBAKED SOURCE_ROOT [--slow]      TAP on stdout, exit 1 when anything fails
--slow: what takes its time, and that alone.
"""
import contextlib
import datetime
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.parse
import xmlrpc.client

import serve_kit as kit
from waiting import wait_for

try:
    from serve_described import description_of
except ImportError:  # no python3-jsonschema: the answers are compared, and not held against their description
    description_of = None

XENMON, XENBAKED, ROOT = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
ENVIRONMENT = dict(os.environ, TZ="UTC")
METRICS = {"running_s": ("running_ns", 1e-9), "wait_s": ("runnable_ns", 1e-9), "blocked_s": ("blocked_ns", 1e-9), "unknown_s": ("unknown_ns", 1e-9),
           "executions": ("executions", 1), "wait_any_ratio": ("wait_any_pct", 0.01), "running_ratio": ("running_of_vcpus_pct", 0.01),
           "migrations": ("migrations", 1)}
SHORT = ("--fast-history=5s", "--slow-history=8s")


def trace(folder, name, seconds):
    path = folder / name
    subprocess.run([XENMON, "sim", "contention", "-o", path, "--duration", f"{seconds}s", "-q"], cwd=ROOT, check=True)
    return path


@contextlib.contextmanager
def baked(folder, source, *words):
    """A xenbaked that replays a trace ten times as fast as it was, with a short memory, and keeps what passes."""
    with kit.host(XENBAKED, folder, "--speed=10", "--history-sync=300ms", f"--history={folder}/h", *SHORT, *words, source=source) as (region, daemon):
        yield region, daemon


def command(folder, *words):
    return subprocess.run([XENMON, "history", *words, folder / "h"], env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout


def kept(folder, runs=1):
    """So many runs have ended, and all of them is in the database."""
    def there():
        with contextlib.suppress(subprocess.CalledProcessError):
            return command(folder, "runs").count("ended") == runs
        return False

    wait_for(there, "the history", 60)


def seconds_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def rows_of_command(folder, start, end, step):
    """What xenmon history says."""
    metrics = [word for column, _ in METRICS.values() for word in ("--metric", column)]
    said = command(folder, f"--from={stamp(start)}", f"--to={stamp(end)}", f"--step={step}s", "--format=jsonl", *metrics)
    rows = [json.loads(line) for line in said.splitlines()]
    return [row for row in rows if row.get("known", True)]


def stamp(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def question(start, end, step, **more):
    words = {"from": start, "to": end, "step": f"{step}s", "metric": ",".join(METRICS), **more}
    return "/api/v1/history?" + "&".join(f"{key}={value}" for key, value in words.items())


def close(a, b):
    return a is b is None or abs(a - b) <= 1e-9 + 1e-12 * abs(b)


def compare(answer, rows, runs, start, step):
    """Each row of the command has its like in the answer.  How many were compared."""
    lines = {(d["domid"], d["run"]): d for d in answer["domains"]}
    assert len(lines) == len(answer["domains"])
    checked = 0
    for row in rows:
        at = round((seconds_of(row["time"]) - start) // step)
        line = lines[row["domid"], runs[row["run"] - 1]["run"]]
        for metric, (column, factor) in METRICS.items():
            want = None if row[column] is None else row[column] * factor
            assert close(line["values"][metric][at], want), (metric, at, line["values"][metric][at], want)
        assert abs(line["coverage_ratio"][at] - row["coverage"]) < 1e-6, (row, line["coverage_ratio"][at])
        checked += 1
    return checked


def thin(database):
    """Takes samples out as age does: of the slow series' second each, one in five stays."""
    with sqlite3.connect(database) as db:
        ends = {x for row in db.execute("SELECT first_sample, last_sample FROM domain") for x in row}
        ends |= {x for row in db.execute("SELECT min(id), max(id) FROM sample GROUP BY run") for x in row}
        gone = [(x,) for (x,) in db.execute("SELECT id FROM sample") if x % 5 and x not in ends]
        for table, key in (("sample", "id"), ("domain_sample", "sample"), ("vcpu_sample", "sample"), ("pcpu_sample", "sample")):
            db.executemany(f"DELETE FROM {table} WHERE {key} = ?", gone)
    db.close()
    assert len(gone) > 20


def names_are_found(folder, server, rpc, start, end):
    """By a name or UUID that only the database has, as the command finds them; of a name that went round, who had it last."""
    uuid = "01234567-89ab-cdef-0123-456789abcdef"
    with sqlite3.connect(folder / "h" / "history.db") as db:
        runs = [run for (run,) in db.execute("SELECT id FROM run ORDER BY id")]
        before = db.execute("SELECT id, name, uuid FROM domain").fetchall()
        for run, domid, name, its in ((0, 1, "db 1 \u00e4<b>", uuid), (1, 1, "db 1 \u00e4<b>", uuid), (0, 2, "wanderer", ""), (1, 3, "wanderer", "")):
            assert db.execute("UPDATE domain SET name = ?, uuid = ? WHERE run = ? AND row & 65535 = ?", (name, its, runs[run], domid)).rowcount == 1
    by_id = {domid: server.get(question(start, end, 5, domain=domid))["domains"] for domid in (1, 3)}
    for text, domid in (("db%201%20%C3%A4%3Cb%3E", 1), (uuid, 1), (uuid.upper(), 1), ("wanderer", 3)):
        found = server.get(question(start, end, 5, domain=text))["domains"]
        assert found == by_id[domid] and {d["domid"] for d in found} == {domid}, (text, found)
    assert rpc.xenmon.history("wanderer", "running_s", str(start), str(end), "5s")["domains"][0]["domid"] == 3
    for name in ("db 1 \u00e4<b>", uuid):
        said = command(folder, f"--domain={name}", "--step=5s", "--format=csv").splitlines()
        column = said[0].split(",").index("domid")
        assert {line.split(",")[column] for line in said[1:]} - {""} == {"1"}, said[:3]
    for text in ("wandere", "wanderer%20", "*", "%27%20OR%201--", "w" * 900):
        status, _, body = server.ask(question(start, end, 5, domain=text))
        assert status == 404 and json.loads(body)["error"]["code"] == "no_such_domain", (text, status, body)
    with sqlite3.connect(folder / "h" / "history.db") as db:
        db.executemany("UPDATE domain SET name = ?2, uuid = ?3 WHERE id = ?1", before)


def values_are_those_of_the_command(folder):
    """All of two runs of xenbaked out of the database, with no region at all; steps on the clock's lines, so that both ask for the same."""
    for runs, name in enumerate(("a", "b"), 1):
        with baked(folder, trace(folder, name, 30), "--speed=max", "--fast-history=60s", "--slow-history=60s"):
            kept(folder, runs)
    with kit.server(XENMON, folder / "nothing", f"--history={folder}/h/history.db") as server:
        ranges = server.get("/api/v1/history/ranges")
        durable = ranges["ranges"][2]
        assert [r["series"] for r in ranges["ranges"]] == ["fast", "slow", "durable"] and len(ranges["runs"]) == 2, ranges
        assert ranges["ranges"][0]["from"] is None and ranges["ranges"][0]["reason"] and durable["reason"] is None, ranges
        if description_of:
            described = description_of(server)
            described.answers("/api/v1/history/ranges", 200, ranges)
            described.answers("/api/v1/history", 200, server.get(f"/api/v1/history?from={durable['from']}&step=10s"))
        first, last = seconds_of(durable["from"]), seconds_of(durable["to"])
        assert 25 < last - first < 120 and durable["samples"] == sum(r["samples"] for r in ranges["runs"]) > 40, durable
        for step in (1, 5):
            start, end = int(first) // 60 * 60 - 60, (int(last) // 60 + 1) * 60
            rows = rows_of_command(folder, start, end, step)
            answer = server.get(question(start, end, step))
            assert answer["state"] == "absent" and answer["series"] == "durable" and answer["durable_steps"] == len(answer["times_s"]), answer["series"]
            checked = compare(answer, rows, ranges["runs"], start, step)
            assert checked == len(rows) > 300 / step, (checked, len(rows))
            assert answer["coarse"] == [False] * len(answer["times_s"]), "samples are as close as steps"
            told = sum(v is not None for d in answer["domains"] for v in d["values"]["running_s"])
            assert told == checked, "nothing that the command does not have"
            silent = [i for i, t in enumerate(answer["times_s"]) if t <= first]
            assert silent and all(d["coverage_ratio"][i] == 0 and d["values"]["running_s"][i] is None for d in answer["domains"] for i in silent)
            busy = [v for v in answer["cpus"]["busy_ratio"] if v is not None]
            parts = [sum(answer["cpus"][k][i] for k in answer["cpus"]) for i, v in enumerate(answer["cpus"]["busy_ratio"]) if v is not None]
            assert busy and all(0.5 < v <= 1 for v in busy) and all(abs(p - 1) < 1e-9 for p in parts), busy
        one = server.get(question(start, end, 5, domain=1))
        assert {d["domid"] for d in one["domains"]} == {1} and len(one["domains"]) == 2 and len({d["run"] for d in one["domains"]}) == 2, one["domains"]
        top = server.get(question(start, end, 5, top=2))
        assert len(top["domains"]) == 2 and top["domains_left_out"] == len(answer["domains"]) - 2
        # Both runs are of one scenario and may tie to the nanosecond, where sums of doubles do not: then the order is that of the answer.
        total = {(d["domid"], d["run"]): round(sum(v or 0 for v in d["values"]["running_s"]) * 1e9) for d in answer["domains"]}
        assert [(d["domid"], d["run"]) for d in top["domains"]] == sorted(total, key=lambda k: -total[k])[:2], (top, total)
        # The longest wait is not kept.
        peak = server.get(f"/api/v1/history?from={start}&to={end}&step=5s&metric=wait_max_s")
        assert all(v is None for d in peak["domains"] for v in d["values"]["wait_max_s"])
        status, _, body = server.ask(question(start, end, 5, domain=77))
        assert status == 404 and json.loads(body)["error"]["code"] == "no_such_domain", body
        rpc = xmlrpc.client.ServerProxy(server.url + "/RPC2", allow_none=True)
        for ours, theirs in zip(one["domains"], rpc.xenmon.history(1, ",".join(METRICS), str(start), str(end), "5s")["domains"], strict=True):
            assert all(close(a, b) for a, b in zip(ours["values"]["running_s"], theirs["values"]["running_s"], strict=True)), theirs
        assert rpc.xenmon.history_ranges()["runs"] == ranges["runs"]
        names_are_found(folder, server, rpc, start, end)
        thin(folder / "h" / "history.db")
        sparse = server.get(question(start, end, 1))
        rows = [row for row in rows_of_command(folder, start, end, 1) if row["coverage"] > 0.99]
        wide = [row for row in rows if seconds_of(row["to"]) - seconds_of(row["from"]) > 2.5]
        assert len(wide) > 20, len(rows)
        for row in wide:  # what is known of a stretch of steps alone: no sum is any step's
            line = next(d for d in sparse["domains"] if (d["domid"], d["run"]) == (row["domid"], ranges["runs"][row["run"] - 1]["run"]))
            first_of_it = round(seconds_of(row["time"]) - start)
            for at in (first_of_it, first_of_it + 1):
                assert close(line["values"]["running_ratio"][at], row["running_of_vcpus_pct"] * 0.01), (at, row)
                assert line["values"]["running_s"][at] is None and line["coverage_ratio"][at] > 0.8, (at, row)
                assert sparse["coarse"][at] is True, (at, row)
        server.end()


def region_and_database_make_one_answer(folder):
    """The region has the last seconds of the second run; the rest is in the database, with the run before and the time between."""
    with baked(folder, trace(folder, "a", 10), "--exit-at-end") as (_, daemon):
        daemon.wait(timeout=60)
    (folder / "shm").unlink(missing_ok=True)
    with baked(folder, trace(folder, "b", 25)) as (region, _), kit.server(XENMON, region, f"--history={folder}/h") as server:
        server.wait_for_data("ended")
        kept(folder, 2)
        ranges = {r["series"]: r for r in server.get("/api/v1/history/ranges")["ranges"]}
        first, last = seconds_of(ranges["durable"]["from"]), seconds_of(ranges["slow"]["to"])
        reach = seconds_of(ranges["slow"]["from"])
        assert last - reach < 20 < last - first, ranges
        assert ranges["fast"]["samples"] > 20 and abs(ranges["fast"]["step_s"] - 0.1) < 1e-9 and ranges["slow"]["coverage_ratio"] > 0.99, ranges
        start, end = int(first), int(last) + 1
        answer = server.get(f"/api/v1/history?from={start}&to={end}&step=1s&metric=running_s,wait_s,blocked_s,unknown_s")
        steps, durable = len(answer["times_s"]), answer["durable_steps"]
        assert answer["series"] == "slow" and 0 < durable < steps and abs(answer["times_s"][durable - 1] - reach) <= 2, (durable, steps, reach)
        rows = rows_of_command(folder, start, end, 1)
        newest = max(answer["domains"], key=lambda d: d["values"]["running_s"][-2] or 0)["run"]
        for domain in (d for d in answer["domains"] if d["run"] == newest):
            mine = [r for r in rows if r["domid"] == domain["domid"]]
            got = domain["values"]["running_s"]
            for row in mine:
                at = int(seconds_of(row["time"])) - start
                if at < durable and got[at] is not None and row["coverage"] == 1:
                    near = [r for r in mine if int(seconds_of(r["time"])) - start == at]
                    assert any(close(got[at], r["running_ns"] * 1e-9) for r in near), (at, got[at], near)
        # From the seam on they are those of a server that knows the region alone.
        with kit.server(XENMON, region) as plain:
            plain.wait_for_data("ended")
            alone = plain.get(f"/api/v1/history?from={start}&to={end}&step=1s&metric=running_s,wait_s,blocked_s,unknown_s")
            assert alone["durable_steps"] == 0 and alone["times_s"] == answer["times_s"]
            both = {d["domid"]: d for d in answer["domains"] if d["run"] == newest}
            for domain in alone["domains"]:
                for metric, values in domain["values"].items():
                    assert values[:durable] == [None] * durable and values[durable:] == both[domain["domid"]]["values"][metric][durable:], (metric, values)
                assert sum(v is not None for v in domain["values"]["running_s"]) >= 4, domain["values"]["running_s"]
            assert alone["cpus"]["busy_ratio"][durable:] == answer["cpus"]["busy_ratio"][durable:]
            plain.end()
        runs = {d["run"] for d in answer["domains"]}
        assert len(runs) == 2, "the run before is there too"
        # What the region has is not looked up: it is answered though the database is gone.
        shutil.move(folder / "h", folder / "gone")
        assert server.get("/api/v1/history?from=-3s&step=1s")["durable_steps"] == 0
        server.end()


def lives_go_on_over_a_restart(folder):
    """A domain of a host that was traced all along is one line, whose step at the restart says how much of it is known."""
    directory = folder / "h"
    directory.mkdir()
    with kit.host(XENBAKED, folder, f"--history={directory}", "--history-sync=300ms") as (_, daemon):
        time.sleep(3)
        daemon.terminate()
        daemon.wait(timeout=20)
    time.sleep(2)
    with kit.host(XENBAKED, folder, f"--history={directory}", "--history-sync=300ms") as (region, daemon), \
            kit.server(XENMON, region, f"--history={directory}") as server:
        server.wait_for_data()
        time.sleep(3)
        with sqlite3.connect(directory / "history.db") as db:  # as a live host's: replays are worlds of their own
            assert db.execute("UPDATE run SET source = 0").rowcount == 2
            db.execute("UPDATE domain SET created_tsc = 0, ended_tsc = 0")
        db.close()
        answer = server.get("/api/v1/history?from=-14s&step=1s&metric=running_s&domain=2")
        assert len(answer["domains"]) == 1 and answer["domains"][0]["name"] == kit.PLACEHOLDER, answer["domains"]
        covered = answer["domains"][0]["coverage_ratio"]
        known = [i for i, c in enumerate(covered) if c > 0.9]
        silent = [i for i in range(known[0], known[-1]) if covered[i] < 0.1]
        assert silent and known[0] < silent[0] and silent[-1] < known[-1], covered
        assert all(answer["domains"][0]["values"]["running_s"][i] is None for i in silent if covered[i] == 0)
        server.end()


def one_that_has_ended_keeps_its_past(folder):
    """Off the lists of now, and in the answers for the time in which it ran: by id, by name, and among all; with a database and without."""
    path = folder / "brief.ini"
    path.write_text(kit.SCENARIO + "\n[domain late]\nid = 9\nrole = hog\nfrom = 500ms\nto = 4s\n")
    begin = time.time()
    with kit.host(XENBAKED, folder, "--history-sync=300ms", f"--history={folder}/h", source=f"--source=sim:{path}") as (region, _), \
            kit.server(XENMON, region, "--linger=1s") as plain, kit.server(XENMON, region, "--linger=1s", f"--history={folder}/h") as both:
        for server in (plain, both):
            server.wait_for_data()

        def listed():
            return [d["domid"] for d in json.loads(plain.ask("/api/v1/domains")[2])["domains"]]
        wait_for(lambda: 9 in listed(), "it to come")
        wait_for(lambda: 9 not in listed(), "it to be off the list", 60)
        assert plain.ask("/api/v1/domains/9")[0] == 404
        for server in (plain, both):
            sums = {}
            for domain in ("9", "late", None):
                ask = {"from": begin - 1, "to": time.time(), "step": "1s", "metric": "running_s,offline_s"}
                if domain:
                    ask["domain"] = domain
                status, _, body = server.ask("/api/v1/history?" + urllib.parse.urlencode(ask))
                assert status == 200, (domain, body)
                lines = [d for d in json.loads(body)["domains"] if d["domid"] == 9]
                assert len(lines) == 1 and lines[0]["name"] == "late", (domain, lines)
                sums[domain] = sum(v or 0 for v in lines[0]["values"]["running_s"])
            # Two pCPUs for a web server and three that never rest, and all its 3.5 s but a sample or two at the beginning.
            assert all(0.8 < v < 2.5 for v in sums.values()), sums
            assert server.ask("/api/v1/history?domain=nobody")[0] == 404
            assert server.ask("/api/v1/history?domain=8")[0] == 404


def what_is_wrong_with_it_is_said(folder):
    with baked(folder, trace(folder, "a", 20), "--speed=max", "--slow-history=60s"):
        kept(folder)
    directory, database = folder / "h", folder / "h" / "history.db"
    good = database.read_bytes()
    for rest in directory.glob("history.db-*"):
        assert rest.stat().st_size == 0 or rest.suffix == ".db-shm", rest

    def put(data):
        fresh = folder / "fresh"
        fresh.write_bytes(data)
        for rest in directory.glob("history.db-*"):
            rest.unlink()
        fresh.rename(database)

    with kit.server(XENMON, folder / "nothing", f"--history={directory}") as server:
        durable = server.get("/api/v1/history/ranges")["ranges"][2]
        asked = f"/api/v1/history?from={durable['from']}&to={durable['to']}&step=1s"
        whole = server.get(asked)

        def refused(*words):
            status, headers, body = server.ask(asked)
            said = json.loads(body)["error"]
            assert status == 503 and said["code"] == "no_data" and all(w in said["message"] for w in ("durable history", *words)), (status, said)
            assert headers["ETag"] is None, headers
            assert server.get("/api/v1/history/ranges")["ranges"][2]["reason"] == said["message"]

        put(b"this is no database, whatever it is called" * 100)
        refused("not a database")
        damaged = bytearray(good)
        for at in range(8192, len(damaged), 4096):
            damaged[at:at + 64] = b"\xa5" * 64
        put(bytes(damaged))
        refused()
        put(good[:len(good) // 2 // 4096 * 4096])
        status, _, body = server.ask(asked)
        assert status in (200, 503), (status, body)
        foreign = folder / "foreign.db"
        with sqlite3.connect(foreign) as db:
            db.execute("CREATE TABLE t(x)")
            db.execute("PRAGMA application_id = 1")
        db.close()
        put(foreign.read_bytes())
        refused("another program")
        database.unlink()
        refused("No such file")
        put(good)
        assert server.get(asked)["domains"] == whole["domains"], "the right one again, and nothing was started anew"
        server.end()
    database.unlink()
    with kit.server(XENMON, folder / "nothing", f"--history={directory}") as server:
        said = server.end()
        assert f"--history={directory}: the durable history cannot be read" in said, said


def one_that_is_locked_is_not_waited_for_long(folder):
    with baked(folder, trace(folder, "a", 20), "--speed=max", "--slow-history=60s"):
        kept(folder)
    with kit.server(XENMON, folder / "nothing", f"--history={folder}/h") as server:
        durable = server.get("/api/v1/history/ranges")["ranges"][2]
        asked = f"/api/v1/history?from={durable['from']}&to={durable['to']}&step=1s"
        whole = server.get(asked)
        lock = sqlite3.connect(folder / "h" / "history.db", isolation_level=None)
        lock.execute("PRAGMA locking_mode = EXCLUSIVE")
        lock.execute("BEGIN EXCLUSIVE")
        lock.execute("UPDATE run SET ended = ended")
        begun = time.monotonic()
        status, _, body = server.ask(asked)
        assert status == 503 and "locked" in json.loads(body)["error"]["message"] and 4 < time.monotonic() - begun < 15, (status, body)
        lock.execute("ROLLBACK")
        lock.close()
        assert server.get(asked)["domains"] == whole["domains"]
        said = server.end()
        assert "--history" not in said, said


def swell(database, samples, domains, vcpus):
    """Makes of a host's first sample and domain a large one's: a sample each five minutes, and so many vCPUs each."""
    def multiply(table, tables, where, **columns):
        names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        db.execute(f"CREATE TEMP TABLE old_{table} AS SELECT * FROM {table} LIMIT 1")
        db.execute(f"DELETE FROM {table}")
        db.execute(f"INSERT INTO {table} SELECT {','.join(columns.get(n, 'o.' + n) for n in names)} FROM old_{table} o, {tables} WHERE {where}")

    with sqlite3.connect(database) as db:
        (hz,) = db.execute("SELECT tsc_hz FROM run").fetchone()
        db.execute("CREATE TEMP TABLE n(i INTEGER)")
        db.executemany("INSERT INTO n VALUES(?)", [(i,) for i in range(max(samples, domains * vcpus))])
        ns, cycles = f"n.i * {300 * 10**9}", f"n.i * 300 * {hz}"
        multiply("sample", "n", f"n.i < {samples}", id="1 + n.i", mono=f"o.mono + {ns}", real=f"o.real + {ns}", window=f"o.window + {cycles}",
                 tsc=f"o.tsc + {cycles}")
        multiply("domain", "n", f"n.i < {domains}", id="1 + n.i", row="o.row + n.i", name="'vm' || n.i", first_sample="1", last_sample=str(samples),
                 ended_tsc="0")
        multiply("domain_sample", "n, n m", f"n.i < {samples} AND m.i < {domains}", sample="1 + n.i", domain="1 + m.i", vcpus=str(vcpus),
                 running=f"o.running + {cycles} * m.i / {domains}")
        multiply("vcpu_sample", "n, n m", f"n.i IN (0, {samples - 1}) AND m.i < {domains * vcpus}", sample="1 + n.i", domain=f"1 + m.i / {vcpus}",
                 vcpu=f"m.i % {vcpus}")
        multiply("pcpu_sample", "n", f"n.i < {samples}", sample="1 + n.i")
    db.close()


def a_day_of_a_large_host_can_be_asked_for(folder):
    """A thousand domains of four vCPUs, as the page asks for them; one of them alone has the same values."""
    with baked(folder, trace(folder, "a", 20), "--speed=max", "--slow-history=60s"):
        kept(folder)
    swell(folder / "h" / "history.db", 289, 1000, 4)
    with kit.server(XENMON, folder / "nothing", f"--history={folder}/h") as server:
        durable = server.get("/api/v1/history/ranges")["ranges"][2]
        asked = f"/api/v1/history?from={durable['from']}&to={durable['to']}&metric=running_ratio"
        day = server.get(f"{asked}&step=300s&top=6")
        assert [d["name"] for d in day["domains"]] == [f"vm{i}" for i in range(999, 993, -1)] and day["domains_left_out"] == 994, day["domains"]
        assert all(sum(v is not None for v in d["values"]["running_ratio"]) >= 288 for d in day["domains"])
        domid = day["domains"][0]["domid"]
        alone = server.get(f"{asked}&step=300s&domain={domid}")["domains"]
        assert [d["values"] for d in alone] == [day["domains"][0]["values"]], alone
        server.end()


def without_it_nothing_has_changed(folder):
    with kit.host(XENBAKED, folder) as (region, _), kit.server(XENMON, region) as server:
        server.wait_for_data()
        answer = server.get("/api/v1/history?from=-1h&step=1m")
        assert answer["durable_steps"] == 0 and all(v is None for d in answer["domains"] for v in d["values"]["running_ratio"][:50])
        durable = server.get("/api/v1/history/ranges")["ranges"][2]
        assert durable["from"] is None and "not told" in durable["reason"], durable
        server.end()


TESTS = [values_are_those_of_the_command, region_and_database_make_one_answer, one_that_has_ended_keeps_its_past, what_is_wrong_with_it_is_said, without_it_nothing_has_changed]
SLOW = [a_day_of_a_large_host_can_be_asked_for, lives_go_on_over_a_restart, one_that_is_locked_is_not_waited_for_long]


def main():
    with tempfile.TemporaryDirectory() as folder:
        return kit.run_tests(SLOW if "--slow" in sys.argv else TESTS, folder)


if __name__ == "__main__":
    sys.exit(main())
