#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The simulated host as a user meets it: xenmon sim, xenbaked --source=sim:, xenmon sim-ctl, scripts/run.

usage: sim.py XENMON XENBAKED SOURCE_ROOT      TAP on stdout, exit 1 when anything fails
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

XENMON, XENBAKED, ROOT = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3]).resolve()
SCENARIOS = sorted((ROOT / "scenarios").glob("*.ini"))


class Skip(Exception):
    """Why a test cannot be run here."""


def run(*words, code=0, **options):
    done = subprocess.run([str(w) for w in words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, **options)
    assert done.returncode == code, f"{words}: exit {done.returncode}, not {code}: {done.stderr.decode()}"
    return done


def sim(*words, code=0):
    done = run(XENMON, "sim", *words, code=code)
    return (done.stderr if code else done.stdout).decode()


def report(path, *words, code=0):
    return json.loads(run(XENMON, "report", "--format=json", *words, path, code=code).stdout)


# ---- To a file.

def every_scenario_is_a_trace(folder):
    for path in SCENARIOS:
        trace = folder / (path.stem + ".trace")
        said = sim(path.stem, "-o", trace, "--duration", "2500ms")
        assert re.fullmatch(rf"{re.escape(path.stem)}: 2\.500 s of \d+ pCPUs? under \w+, seed 1: \d+ records, \d+ bytes.*\n", said), said
        seen = report(trace)
        assert seen["trace"]["lost_records"] == seen["trace"]["anomalies"] == seen["trace"]["damaged_bytes"] == 0, seen["trace"]
        assert seen["trace"]["records"] == int(re.search(r"(\d+) records", said).group(1))
        for domain in seen["domains"]:
            for v in domain["vcpus"]:
                assert v["unknown_ns"] == 0 and v["executions"] > 0, (path, domain["domid"], v)


def what_is_asked_for_happens(folder):
    for rate in (100, 300):
        said = sim("web", "-o", folder / "a", "-f", "--set", f"web.rate={rate}")
        offered = int(re.search(r"of (\d+) requests/s", said).group(1))
        assert abs(offered - rate) < rate * 0.15, said
    one = folder / "one"
    sim("contention", "-o", one, "-f", "--set", "host.scheduler=rr", "--set", "host.cpus=1", "--set", "gold.from=1s", "--set", "gold.to=1500ms",
        "--duration", "2s")
    seen = report(one)
    assert len(seen["cpus"]) == 1
    gold = [d for d in seen["domains"] if d["domid"] == 1][0]
    assert all(abs(v["offline_ns"] - 1.5e9) < 3e7 for v in gold["vcpus"]), gold


def a_seed_is_a_trace(folder):
    names = {}
    for name, words in {"a": [], "b": [], "c": ["--seed", "2"], "d": ["--set", "host.seed=2"]}.items():
        sim("web", "-o", folder / name, "-f", "--duration", "1s", *words)
        names[name] = (folder / name).read_bytes()
    assert names["a"] == names["b"] != names["c"] == names["d"]
    piped = run(XENMON, "sim", "web", "-o", "-", "--duration", "1s")
    assert piped.stdout == names["a"] and b"web: 1.000 s" in piped.stderr
    sim("web", "-o", folder / "a.zst", "--duration", "1s")
    assert report(folder / "a.zst")["domains"] == report(folder / "a")["domains"]
    assert (folder / "a.zst").stat().st_size < len(names["a"]) / 3
    assert sim("web", "-o", folder / "a", "-f", "-q", "--duration", "1s") == ""


def small_buffers_lose_records(folder):
    said = sim("web", "-o", folder / "lost", "--duration", "2s", "--set", "host.pages=1")
    lost = int(re.search(r"(\d+) lost", said).group(1))
    seen = report(folder / "lost", code=4)["trace"]
    assert seen["lost_records"] == lost > 1000 and seen["anomalies"] == 0, (said, seen)


def xenalyze_reads_it(folder):
    if not shutil.which("xenalyze"):
        raise Skip("no xenalyze")
    for path in SCENARIOS:
        for pages in ([], ["--set", "host.pages=1"]):
            sim(path.stem, "-o", folder / "x", "-f", "--duration", "1500ms", *pages)
            done = run("xenalyze", "-s", folder / "x")
            bad = re.findall(r"^.*(?:strange|warn|assert|error|invalid|unexpected).*$", (done.stdout + done.stderr).decode(errors="replace"),
                             re.IGNORECASE | re.MULTILINE)
            assert not bad, (path.stem, bad[:3])


def errors_say_where(folder):
    bad = folder / "bad.ini"
    bad.write_text("[host]\ncpus = 2\n\n[domain a]\nid = 1\nrole = hog\nwork = 5\n")
    said = sim(bad, "-o", folder / "x", code=2)
    assert re.fullmatch(r"xenmon sim: \S*bad\.ini:7: \[domain a\] work: a time from 10us to 10s, .*\n", said), said
    for words, code, part in [
            (["web"], 2, "-o"), (["-o", folder / "x"], 2, "which scenario"), (["web", "web", "-o", folder / "x"], 2, "one scenario"),
            (["nosuch", "-o", folder / "x"], 1, "there is no scenario 'nosuch'"), ([folder, "-o", folder / "x"], 1, "not a file"),
            (["web", "-o", folder / "x", "--set", "web.rate"], 2, "SECTION.NAME=VALUE"),
            (["web", "-o", folder / "x", "--set", "web.colour=1"], 2, "has no 'colour'"),
            (["web", "-o", folder / "x", "--set", "hog1.id=1"], 2, "at the same time"),
            (["web", "-o", folder / "x", "--duration", "0"], 2, "duration"), (["web", "-o", folder / "no" / "x"], 1, "No such file"),
            (["web", "-o", bad], 2, "exists")]:
        said = sim(*words, code=code)
        assert part in said and said.count("\n") == 1, (words, said)
    assert not (folder / "x").exists()


def a_server_is_told_by_its_life(folder):
    said = sim("lifecycle", "-o", folder / "x", "--set", "web.to=5s")
    rates = {name: int(rate) for name, rate in re.findall(r"; (\S+) answered \d+ of (\d+) requests/s", said)}
    assert rates.keys() == {"web", "evening"} and abs(rates["web"] - 200) < 30 and abs(rates["evening"] - 100) < 15, said


def what_a_role_has_no_use_for(folder):
    for change, part in (("hog1.rate=77", "rate: it is not for the role hog"), ("web.work=5ms", "work: it is not for the role web")):
        assert part in sim("web", "-o", folder / "x", "--set", change, code=2)
    with simulated(folder) as (region, _):
        assert "rate: it is not for the role hog" in ctl(region, "create", "x", "role=hog", "rate=5", code=1)
        assert "work: it is not for the role web" in ctl(region, "create", "x", "work=5ms", "role=web", code=1)
        assert state(region, 4) is None


def enough_is_enough(folder):
    for number in (signal.SIGINT, signal.SIGTERM):
        trace = folder / f"{number}.zst"
        running = subprocess.Popen([XENMON, "sim", ROOT / "scenarios/web.ini", "-o", trace, "--duration", "7d"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        time.sleep(1.5)
        running.send_signal(number)
        said, complained = running.communicate(timeout=60)
        assert running.returncode == 0 and "stopped before its 604800.000 s" in said and not complained, (said, complained)
        seen = report(trace)["trace"]
        assert seen["damaged_bytes"] == 0 and seen["records"] == int(re.search(r"(\d+) records", said).group(1)) > 0, seen


# ---- Live.

@contextlib.contextmanager
def simulated(folder, scenario="web", *words):
    region = folder / "shm"
    daemon = subprocess.Popen([XENBAKED, "--foreground", f"--source=sim:{scenario}", "--region", region, *words], cwd=ROOT,
                              stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(100):
            if region.exists() and pathlib.Path(f"{region}.sim").exists():
                break
            assert daemon.poll() is None, daemon.stderr.read()
            time.sleep(0.05)
        yield region, daemon
    finally:
        daemon.kill()
        daemon.wait()
        daemon.stderr.close()


def ctl(region, *words, code=0):
    done = run(XENMON, "sim-ctl", "--region", region, *words, code=code)
    return (done.stderr if code else done.stdout).decode()


def state(region, domid):
    """The words of the domain's line in status."""
    line = [line for line in ctl(region, "status").splitlines() if line.startswith(f"domain {domid} ")]
    if not line:
        return None
    words = line[0].split()
    return dict(zip(words[4::2], words[5::2])) | {"name": words[2], "paused": str("paused" in words)}


def window(region):
    return json.loads(run(XENMON, "report", "--region=" + str(region), "--format=json", "--max-loss=none").stdout)


def it_lives_and_can_be_changed(folder):
    with simulated(folder) as (region, daemon):
        time.sleep(1)
        assert "simulated Xen" in run(XENMON, "live", "--region", region, "--frames", "1").stdout.decode()
        ctl(region, "rate", "web", "0")
        before = state(region, 1)
        ctl(region, "weight", "hog1", "777")
        ctl(region, "pause", "hog2")
        assert ctl(region, "create", "guest", "role=nap", "vcpus=2", "id=40") == "domain 40 guest\n"
        time.sleep(1)
        after = state(region, 1)
        assert before["offered"] == after["offered"] != "0" and after["rate"] == "0"
        assert state(region, 2)["weight"] == "777" and state(region, 3)["paused"] == "True"
        seen = {d["domid"]: d for d in window(region)["domains"]}
        assert seen[40]["name"] == "guest" and len(seen[40]["vcpus"]) == 2 and seen[1]["name"] == "web", seen
        offline = seen[3]["vcpus"][0]["offline_ns"]
        assert offline > 5e8, offline
        ctl(region, "destroy", "guest")
        assert state(region, 40) is None
        assert "error" not in ctl(region, "help")
        assert "there is no domain '40'" in ctl(region, "pause", "40", code=1)
        daemon.send_signal(signal.SIGTERM)
        said = daemon.communicate(timeout=10)[1]
        assert daemon.returncode == 0 and "0 lost, 0 anomalies, 0 damaged" in said, said
        assert not list(folder.glob("shm*")) or [p.name for p in folder.glob("shm*")] == ["shm.lock"], list(folder.glob("shm*"))


def it_keeps_time(folder):
    with simulated(folder) as (region, _):
        begun = float(re.search(r"seconds ([\d.]+)", ctl(region, "status")).group(1)), time.monotonic()
        time.sleep(2)
        ended = float(re.search(r"seconds ([\d.]+)", ctl(region, "status")).group(1)), time.monotonic()
        simulated_s, real_s = ended[0] - begun[0], ended[1] - begun[1]
        assert abs(simulated_s - real_s) < 0.3, (simulated_s, real_s)


def it_is_recorded(folder):
    with simulated(folder) as (region, _):
        run(XENMON, "record", "--region", region, "-o", folder / "rec.zst", "--duration", "1s")
        seen = report(folder / "rec.zst")["trace"]
        assert seen["records"] > 1000 and seen["anomalies"] == seen["damaged_bytes"] == seen["lost_records"] == 0, seen


def nobody_stalls_it(folder):
    with simulated(folder) as (region, daemon):
        nuisances = []
        for number in range(30):
            s = socket.socket(socket.AF_UNIX)
            s.connect(f"{region}.sim")
            s.setblocking(False)
            with contextlib.suppress(OSError):
                s.send([os.urandom(3000), b"status\n" * 20000, b"rate web 5", b"create x" + b" a" * 300 + b"\n", b"\n" * 5000][number % 5])
            nuisances.append(s)
        begun = time.monotonic()
        ctl(region, "rate", "web", "123")
        assert time.monotonic() - begun < 2
        assert state(region, 1)["rate"] == "123"
        for s in nuisances:
            s.close()
        time.sleep(0.3)
        seen = int(re.search(r"records (\d+)", ctl(region, "status")).group(1))
        time.sleep(0.5)
        assert int(re.search(r"records (\d+)", ctl(region, "status")).group(1)) > seen
        assert daemon.poll() is None


def it_ends_when_told(folder):
    short = folder / "short.ini"
    short.write_text((ROOT / "scenarios/web.ini").read_text().replace("cpus = 2\n", "cpus = 2\nduration = 1s\n", 1))
    done = run(XENBAKED, "--foreground", f"--source=sim:{short}", "--region", folder / "shm", "--exit-at-end")
    assert re.search(rb"(0\.99\d|1\.000) s of trace", done.stderr), done.stderr


def wrong_starts(folder):
    for words, code, part in [(["--source=sim:nosuch"], 1, "there is no scenario"), (["--source=sim:"], 2, "sim:SCENARIO"),
                              (["--source=sim:web", folder / "x"], 2, "not both")]:
        said = run(XENBAKED, "--foreground", "--region", folder / "shm", *words, code=code).stderr.decode()
        assert part in said and "Traceback" not in said, said
    said = ctl(folder / "none", "status", code=3)
    assert "no host is simulated there" in said, said
    run(XENMON, "sim-ctl", code=2)


def make_run_shows_it(folder):
    environment = {**os.environ, "XENMON_BUILD": str(XENMON.parent.parent), "TMPDIR": str(folder)}
    done = run(ROOT / "scripts/run", "sim:web", env=environment)
    frames = done.stdout.decode()
    assert frames.count("simulated Xen") == 3 and re.search(r"^[ >]▸ web ", frames, re.MULTILINE), frames
    assert "sim-ctl --region" in done.stderr.decode()
    assert not list(folder.iterdir()), "something was left behind"


def in_words(ns):
    for unit, of in (("s", 10 ** 9), ("ms", 10 ** 6), ("us", 1000)):
        if ns and ns % of == 0:
            return f"{ns // of}{unit}"
    return f"{ns}ns" if ns else "0"


def the_manual_has_every_name(folder):
    page = (ROOT / "man/xenmon-scenario.5").read_text()
    costs = (ROOT / "src/sim/costs.h").read_text()
    names = re.findall(r"XM_COST\((\w+), (?:ns|count|milli),", costs)
    names += re.findall(r'^    \{"(\w+)", XM_KEY', (ROOT / "src/sim/scenario.c").read_text(), re.MULTILINE)
    assert len(names) > 40, names
    missing = [name for name in names if not re.search(rf"^\.It .*\b{name}\b", page, re.MULTILINE)]
    assert not missing, missing
    stale = [f"{name} {default}" for name, unit, default in re.findall(r"XM_COST\((\w+), (ns|count|milli), (\d+)", costs)
             if f".It Cm {name} Pq {in_words(int(default)) if unit == 'ns' else default}\n" not in page]
    assert not stale, stale


TESTS = [every_scenario_is_a_trace, what_is_asked_for_happens, a_seed_is_a_trace, small_buffers_lose_records, xenalyze_reads_it,
         errors_say_where, a_server_is_told_by_its_life, what_a_role_has_no_use_for, enough_is_enough, it_lives_and_can_be_changed, it_keeps_time, it_is_recorded, nobody_stalls_it, it_ends_when_told, wrong_starts,
         make_run_shows_it, the_manual_has_every_name]


def main():
    bad = 0
    print(f"1..{len(TESTS)}", flush=True)
    for number, test in enumerate(TESTS, 1):
        title, end = test.__name__.replace("_", " "), ""
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(pathlib.Path(folder))
                good = True
            except Skip as why:
                good, end = True, f" # SKIP {why}"
            except Exception as why:  # a test that broke has failed
                good = False
                print("# " + f"{type(why).__name__}: {why}"[:2000].replace("\n", "\n# "))
        bad += not good
        print(f"{'ok' if good else 'not ok'} {number} - {title}{end}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
