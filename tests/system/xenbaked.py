#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""xenbaked as a program: what it says, keeps, refuses and leaves behind.

usage: xenbaked.py [--rss FIRST,LAST] XENBAKED XENMON CAPTURES      TAP on stdout, exit 1 when anything fails

CAPTURES is the directory of NAME.trace.zst and NAME.truth.json.  --rss: seconds of endless replay after which memory
is compared (10,60; the soak run gives 60,600; 0 leaves it out).
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

from waiting import wait_for

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "contrib" / "python"))
import xenmon_region  # noqa: E402

HZ = 2793439000
ONE_GHZ = ["--cpu-hz", "1000000000"]
STATES = ("running", "runnable", "blocked", "offline")
STARTING, RUNNING, ENDED = 0, 1, 2
TESTS = []
# What a region cannot know: peaks are those of the newest sample's interval; these are of the decoder alone.
UNKNOWN_TO_REGION = {"wait_max_ns", "min_ns", "max_ns", "name", "peaks_complete", "short_records", "backwards",
                     "stragglers", "source", "damage"}


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


def need(condition, what):
    if not condition:
        raise Failed(what)


def same(is_, should, what):
    need(is_ == should, f"{what} is {is_!r}, should be {should!r}")


class Bench:
    """The programs, the captures, a directory for one test."""

    def __init__(self, arguments):
        self.xenbaked = str(pathlib.Path(arguments.xenbaked).resolve())
        self.xenmon = str(pathlib.Path(arguments.xenmon).resolve())
        self.captures = pathlib.Path(arguments.captures).resolve()
        self.rss = [float(n) for n in arguments.rss.split(",")]
        self.directory = None

    def capture(self, name):
        return str(self.captures / f"xen417-{name}.trace.zst")

    def plain(self, name):
        """The unpacked bytes of a capture."""
        return subprocess.run(["zstd", "-dc", self.capture(name)], stdout=subprocess.PIPE, check=True).stdout

    def file(self, name, content):
        path = self.directory / name
        path.write_bytes(content)
        return str(path)

    def run(self, *arguments, **more):
        """To its end: (exit status, stdout, stderr)."""
        more.setdefault("timeout", 60)
        done = subprocess.run([self.xenbaked, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=more.pop("stdin", subprocess.DEVNULL), **more)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def report(self, *arguments):
        done = subprocess.run([self.xenmon, "report", "--format=json", "--max-loss=none", *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        need(done.returncode == 0, f"xenmon report {' '.join(arguments)}: {done.returncode} {done.stderr.decode()}")
        return json.loads(done.stdout)


class Daemon:
    """A running xenbaked with a region of its own."""

    def __init__(self, bench, *arguments, region=None, **more):
        self.region = str(region or bench.directory / "shm")
        self.log = bench.directory / f"log{time.monotonic_ns()}"
        more.setdefault("stdin", subprocess.DEVNULL)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([bench.xenbaked, "--region", self.region, *arguments], stderr=log, **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def said(self):
        return self.log.read_text()

    def header(self):
        with xenmon_region.Region(self.region) as region:
            return region.header()

    def state(self):
        if self.process.poll() is not None:
            raise Failed(f"xenbaked ended with {self.process.returncode}: {self.said()}")
        try:
            return self.header()["state"]
        except (OSError, xenmon_region.RegionError):
            return None

    def until(self, state, seconds=20):
        wait_for(lambda: self.state() == state, f"state {state}", seconds)
        return self

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(10)

    def newest(self, series="fast"):
        with xenmon_region.Region(self.region) as region:
            return region.sample(series, region.newest(series))

    def memory(self):
        """Kilobytes of its own (the region is shared memory) and in all."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in text.splitlines())
        return int(fields["RssAnon"].split()[0]), int(fields["VmRSS"].split()[0])


def stripped(value):
    """A report without what a region cannot know."""
    if isinstance(value, dict):
        return {k: stripped(v) for k, v in value.items() if k not in UNKNOWN_TO_REGION}
    if isinstance(value, list):
        return [stripped(v) for v in value]
    return value


def difference(one, other, where=""):
    """The first place where two reports differ; None: nowhere."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs = ((f"{where}.{k}", one[k], other[k]) for k in one)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = ((f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(one, other)))
    else:
        return None if one == other else f"{where}: {one!r} and {other!r}"
    return next((d for d in (difference(a, b, w) for w, a, b in pairs) if d), None)


def vcpu_rows(sample):
    """Rows by (domid, instance, vcpu), `late` summed up."""
    rows = {}
    for row in sample["vcpu"]:
        if row["id"]:
            total = {s: row[s] + row["late_" + s] for s in STATES}
            total["unknown"] = row["unknown"] - sum(row["late_" + s] for s in STATES)
            total["executions"] = row["executions"]
            total["migrations"] = row["migrations"]
            rows[row["id"] & 0xffff, row["id"] >> 32 & 0x7fffffff, row["id"] >> 16 & 0xffff] = total
    return rows


def equals_truth(bench, daemon, name):
    truth = json.loads((bench.captures / f"xen417-{name}.truth.json").read_text())
    sample = daemon.newest()
    same(sample["host"]["window"], truth["span_cycles"], "the window")
    same(sample["host"]["records"], truth["records"], "the number of records")
    rows = vcpu_rows(sample)
    compared = 0
    for key, should in truth["vcpus"].items():
        domain, vcpu = key[1:].split("v")
        domid, _, instance = domain.partition("#")
        if int(domid) == 32767:
            continue
        is_ = rows[int(domid), int(instance or 0), int(vcpu)]
        for field in STATES + ("executions", "migrations"):
            same(is_[field], should[field], f"{key} {field}")
            compared += 1
    need(compared >= 12, "the truth file says next to nothing")


# ---- Command line.


@test
def version_and_help(bench):
    code, out, err = bench.run("--version")
    same((code, err), (0, ""), "--version")
    need(out.startswith("xenbaked "), out)
    code, out, err = bench.run("--help")
    same((code, err), (0, ""), "--help")
    for word in ("--speed", "--show-config", "-m, --ms_per_sample", "-s, --poll-sleep", "-t, --log-thresh"):
        need(word in out, f"--help does not know {word}")
    need(max(map(len, out.splitlines())) <= 100, "--help is too wide")


@test
def wrong_usage(bench):
    trace = bench.capture("credit2-idle")
    for arguments in (["--nonsense", trace], [trace, trace], ["--speed=0", trace], ["--speed=fast", trace],
                      ["--repeat=0", trace], ["--order=odd", trace], ["-m", "0", trace], ["--history=0", trace],
                      ["--max-vcpus=0", trace], ["--daemon", "--foreground", trace], ["--repeat=2", "-"],
                      ["--source=pipe", trace], ["--cpu-hz=0", trace]):
        code, out, err = bench.run("--region", str(bench.directory / "shm"), *arguments)
        same(code, 2, f"the exit status of {arguments}")
        need(err.startswith("xenbaked: ") and err.count("\n") == 1 and not out, f"{arguments}: {err!r}")
    need(not (bench.directory / "shm").exists(), "a region was left")


@test
def without_a_trace(bench):
    code, _, err = bench.run()
    same(code, 3, "the exit status")
    need(err.count("\n") == 1 and "name a trace" in err, err)


def configuration(bench, *arguments):
    code, out, err = bench.run("--show-config", *arguments)
    same((code, err), (0, ""), "--show-config")
    return dict(line.split(" = ", 1) for line in out.splitlines())


@test
def show_config(bench):
    c = configuration(bench)
    need(int(c["region_bytes"]) <= 64 << 20, f"the default region has {c['region_bytes']} bytes")
    same([c[k] for k in ("domains", "vcpus", "pcpus", "history_cut_short")], ["32", "100", "8", "no"], "the default")
    need(float(c["fast_history_s"]) >= 60 and float(c["slow_history_s"]) >= 3600, f"the default history: {c}")
    large = configuration(bench, "--max-domains=1000", "--max-vcpus=4000", "--max-pcpus=128", "--memory=256M")
    same(large["history_cut_short"], "yes", "large capacities: history_cut_short")
    need(float(large["slow_history_s"]) >= 60 and float(large["fast_history_s"]) >= 10, f"cut too short: {large}")
    fine = configuration(bench, "-m", "10", "--history=20", "--slow-history=2m", "--memory=256M")
    same((fine["fast_interval_s"], fine["slow_history_s"]), ("0.010", "120.000"), "-m 10")
    need(int(fine["fast_samples"]) >= 2000, f"20 s at 100 a second are {fine['fast_samples']} samples")
    same(configuration(bench, "--samples-per-second=4")["fast_interval_s"], "0.250", "4 samples a second")


@test
def region_is_as_large_as_announced(bench):
    options = ["--history=12", "--slow-history=90", "--max-vcpus=50"]
    announced = int(configuration(bench, *options)["region_bytes"])
    with Daemon(bench, *options, "--speed=max", bench.capture("credit2-idle")) as d:
        d.until(ENDED)
        same(os.stat(d.region).st_size, announced, "the region's size")
        same(os.stat(d.region).st_mode & 0o777, 0o640, "the region's mode")
        same(d.stop(), 0, "the exit status")


# ---- Totals.


@test
def totals_of_every_capture(bench):
    names = [p.name[7:-10] for p in sorted(bench.captures.glob("xen417-*.trace.zst"))]
    need(len(names) >= 9, f"only {names}")
    for name in names:
        with Daemon(bench, *ONE_GHZ, "--speed=max", bench.capture(name)) as d:
            d.until(ENDED)
            wrong = difference(stripped(bench.report("--region", d.region)),
                               stripped(bench.report(*ONE_GHZ, bench.capture(name))))
            need(wrong is None, f"{name}: region and file differ in {wrong}")
            if "lost" not in name:
                equals_truth(bench, d, name)
            same(d.stop(), 0, "the exit status")


@test
def totals_from_file_pipe_and_fifo(bench):
    for name, order in (("credit2-web-c16", "prompt"), ("credit-mix", "prompt"), ("credit-lost", "strict"), ("credit-lost", "prompt"), ("credit2-web-c16-all", "prompt")):
        content = bench.plain(name)
        path = bench.file("trace", content)
        should = stripped(bench.report(*ONE_GHZ, path))
        fifo = str(bench.directory / "fifo")
        os.mkfifo(fifo)
        options = [*ONE_GHZ, "--speed=max", f"--order={order}"]
        with contextlib.ExitStack() as stack:
            cat = stack.enter_context(subprocess.Popen(["cat", path], stdout=subprocess.PIPE))
            zcat = stack.enter_context(subprocess.Popen(["cat", bench.capture(name)], stdout=subprocess.PIPE))
            daemons = [Daemon(bench, *options, *more, region=bench.directory / f"shm{i}", **streams)
                       for i, (more, streams) in enumerate((([path], {}), (["-"], {"stdin": cat.stdout}),
                                                            (["-"], {"stdin": zcat.stdout}), ([fifo], {}),
                                                            (["-"], {"stdin": open(path, "rb")})))]
            for d in daemons:
                stack.enter_context(d)
            stack.enter_context(subprocess.Popen(["cp", path, fifo]))
            for i, d in enumerate(daemons):
                d.until(ENDED)
                wrong = difference(stripped(bench.report("--region", d.region)), should)
                need(wrong is None, f"{name} by way {i}: differs in {wrong}")
                kind = d.header()["source"]
                same(kind, 1 if i in (0, 4) else 2, f"the source's kind by way {i}")
                same(d.stop(), 0, "the exit status")
        os.unlink(fifo)


@test
def totals_after_growth(bench):
    for name in ("credit2-lifecycle", "credit2-contend"):
        with Daemon(bench, *ONE_GHZ, "--speed=max", "--max-domains=1", "--max-vcpus=1", "--max-pcpus=1",
                    bench.capture(name)) as d:
            d.until(ENDED)
            equals_truth(bench, d, name)
            need(d.header()["domains"] > 1, "it has not grown")
            same(d.stop(), 0, "the exit status")


@test
def repeated(bench):
    with Daemon(bench, "--speed=max", "--repeat=3", bench.capture("credit2-lifecycle")) as d:
        d.until(ENDED)
        host = d.newest()["host"]
        truth = json.loads((bench.captures / "xen417-credit2-lifecycle.truth.json").read_text())
        same(host["records"], 3 * truth["records"], "the number of records")
        same(host["anomalies"], 0, "the number of anomalies")
        need(0 <= host["window"] - 3 * truth["span_cycles"] <= 2 * HZ // 500, f"the window is {host['window']}")
        for row in d.newest()["vcpu"]:
            if row["id"]:
                same(sum(row[s] for s in STATES) + row["unknown"], host["window"], "a vCPU's five states")
        same(d.stop(), 0, "the exit status")


# ---- Time.


@test
def real_time(bench):
    with Daemon(bench, "--speed=1", bench.capture("credit2-idle")) as d:
        d.until(RUNNING)
        begun = time.monotonic()
        d.until(ENDED)
        took = time.monotonic() - begun
        duration = d.newest()["host"]["mono"] / 1e9
        need(2.5 < duration < 4, f"the trace lasts {duration} s")
        # The state is RUNNING from the first sample on, which is due after 0.1 s.
        need(duration - 0.5 < took < duration + 1, f"{duration} s of trace took {took:.2f} s")
        with xenmon_region.Region(d.region) as region:
            count = region.newest("fast") + 1
        need(duration * 10 - 1 <= count <= duration * 10 + 2, f"{count} samples in {duration} s")
        same(d.stop(), 0, "the exit status")


@test
def other_speeds(bench):
    with Daemon(bench, "--speed=8", bench.capture("credit2-web-rate")) as d:
        d.until(RUNNING)
        begun = time.monotonic()
        d.until(ENDED)
        took = time.monotonic() - begun
        need(0.35 < took < 1.6, f"5 s at 8 times the speed took {took:.2f} s")
        same(d.stop(), 0, "the exit status")


@test
def pipe_in_real_time(bench):
    content = bench.plain("credit2-web-rate")
    middle = 0
    while middle < len(content) // 2 or struct.unpack_from("<I", content, middle + 4)[0] != 0:
        middle += 12 + struct.unpack_from("<I", content, middle + 8)[0]  # up to the end of a pass over the CPUs
    with Daemon(bench, *ONE_GHZ, "-", stdin=subprocess.PIPE) as d:
        d.process.stdin.write(content[:middle])
        d.process.stdin.flush()
        d.until(RUNNING)
        time.sleep(0.8)
        first, heartbeat = d.newest()["host"], d.header()["heartbeat_ns"]
        time.sleep(1.2)
        second = d.newest()["host"]
        need(d.header()["heartbeat_ns"] - heartbeat > 500e6, "the heart stands still while nothing comes")
        same(d.state(), RUNNING, "the state")
        same(second["records"], first["records"], "records while nothing comes")
        need(second["window"] % 100000000 > 1000, "no sample of what came last")
        d.process.stdin.write(content[middle:])
        d.process.stdin.close()
        d.until(ENDED)
        equals_truth(bench, d, "credit2-web-rate")
        same(d.newest()["host"]["anomalies"], 0, "anomalies")
        same(d.stop(), 0, "the exit status")


@test
def fifo_without_a_writer(bench):
    fifo = str(bench.directory / "fifo")
    os.mkfifo(fifo)
    with Daemon(bench, fifo) as d:
        d.until(STARTING)
        begun = time.monotonic()
        same(d.stop(), 0, "the exit status")
        need(time.monotonic() - begun < 1, "it took its time")


@test
def fifo_whose_writer_dies(bench):
    fifo = str(bench.directory / "fifo")
    os.mkfifo(fifo)
    content = bench.plain("credit2-idle")
    with Daemon(bench, *ONE_GHZ, fifo) as d:
        writer = subprocess.Popen(["sh", "-c", f"head -c 100001 > {fifo}; kill -9 $$"], stdin=subprocess.PIPE)
        with contextlib.suppress(BrokenPipeError):
            writer.stdin.write(content)
            writer.stdin.close()
        d.until(ENDED)
        need("byte " in d.said(), d.said())
        need(d.newest()["host"]["records"] > 1000, "what came before is not there")
        same(d.stop(), 1, "the exit status")
        writer.wait()


# ---- Ends.


def residue(bench):
    return sorted(p.name for p in bench.directory.iterdir() if not p.name.startswith("log"))


@test
def signals_end_it_cleanly(bench):
    for number in (signal.SIGTERM, signal.SIGINT):
        for options in (["--speed=1"], ["--speed=max", "--repeat=forever"], ["--speed=max"]):
            pid_file = bench.directory / "pid"
            with Daemon(bench, *options, "--pid-file", str(pid_file), bench.capture("credit2-web-rate")) as d:
                wait_for(lambda: d.state() in (RUNNING, ENDED), "a sample")
                same(int(pid_file.read_text()), d.process.pid, "the pid file")
                with xenmon_region.Region(d.region) as region:
                    same(d.stop(number), 0, f"the exit status after {number!r}")
                    same(region.header()["state"], ENDED, "the state that its readers see")
            same(residue(bench), [], f"what {options} leaves after {number!r}")


@test
def hangup_reopens_the_log(bench):
    log = bench.directory / "daemon.log"
    with Daemon(bench, "--log-to", str(log), bench.capture("credit2-web-rate")) as d:
        d.until(RUNNING)
        log.rename(bench.directory / "daemon.log.1")
        d.process.send_signal(signal.SIGHUP)
        wait_for(lambda: log.exists() and "SIGHUP" in log.read_text(), "the new log")
        need(" records" in log.read_text(), log.read_text())
        same(d.state(), RUNNING, "the state")
        same(d.stop(), 0, "the exit status")
    same(d.said(), "", "stderr")


@test
def second_instance_is_refused(bench):
    with Daemon(bench, "--repeat=forever", bench.capture("credit2-idle")) as d:
        d.until(RUNNING)
        before = d.header()["creation_id"]
        code, _, err = bench.run("--region", d.region, bench.capture("credit2-idle"))
        same(code, 1, "the second one's exit status")
        need(str(d.process.pid) in err and err.count("\n") == 1, err)
        same(d.header()["creation_id"], before, "the creation id")
        same(d.state(), RUNNING, "the first one's state")
        code, _, err = bench.run("--region", d.region + "2", "--speed=max", "--exit-at-end",
                                 bench.capture("credit2-idle"))
        same(code, 0, f"another region beside it: {err}")
        same(d.stop(), 0, "the exit status")


def outcome(region):
    try:
        region.check()
        return ""
    except xenmon_region.RegionError as error:
        return type(error).__name__


@test
def killed_and_started_again(bench):
    with Daemon(bench, "--speed=max", "--repeat=forever", bench.capture("credit2-idle")) as d:
        d.until(RUNNING)
        with xenmon_region.Region(d.region) as region:
            region.check()
            d.process.kill()
            d.process.wait()
            wait_for(lambda: outcome(region) == "Gone", "a reader to see that the writer is gone")
            region.sample("fast", region.newest("fast"))  # what it left can be read
            with Daemon(bench, bench.capture("credit2-idle")) as again:
                wait_for(lambda: again.state() is not None and again.header()["writer_pid"] == again.process.pid,
                         "the new region")
                same(outcome(region), "Restarted", "what a reader sees then")
                same(outcome(region), "", "what it sees next")
                same(region.header()["writer_pid"], again.process.pid, "the writer's pid")
                same(again.stop(), 0, "the exit status")


@test
def end_of_the_trace(bench):
    begun = time.monotonic()
    code, _, err = bench.run("--region", str(bench.directory / "shm"), "--speed=max", "--linger=1s",
                             bench.capture("credit2-idle"))
    took = time.monotonic() - begun
    same(code, 0, f"the exit status: {err}")
    need(0.9 < took < 5, f"--linger=1s took {took:.2f} s")
    begun = time.monotonic()
    code, _, err = bench.run("--region", str(bench.directory / "shm"), "--speed=max", "--exit-at-end",
                             bench.capture("credit2-idle"))
    same(code, 0, f"the exit status: {err}")
    need(time.monotonic() - begun < 0.9, "--exit-at-end took its time")
    same(residue(bench), [], "what it leaves")


@test
def in_the_background(bench):
    region, pid_file, log = (str(bench.directory / n) for n in ("shm", "pid", "daemon.log"))
    options = ["--daemon", "--region", region, "--pid-file", pid_file, "--log-to", log]
    # Relative names must not depend on the directory, which a daemon leaves.
    begun = time.monotonic()
    code, out, err = bench.run(*(o.replace(str(bench.directory), ".") for o in options),
                               bench.capture("credit2-web-rate"), cwd=bench.directory)
    same((code, out, err), (0, "", ""), "the start")
    need(time.monotonic() - begun < 3, "it stayed in the foreground")
    pid = int(pathlib.Path(pid_file).read_text())
    try:
        same(os.readlink(f"/proc/{pid}/cwd"), "/", "its directory")
        same(os.getsid(pid), pid, "its session")
        need(os.path.exists(region), "no region")
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists(pid_file), "its end")
    wait_for(lambda: residue(bench) == ["daemon.log"], "the lock's end", 5)
    need("stopping" in pathlib.Path(log).read_text(), "the log says nothing")
    code, _, err = bench.run(*options, str(bench.directory / "missing"))
    same(code, 1, "the exit status of a start that fails")
    need("No such file" in err, err)


# ---- What is wrong with the input, or the machine.


def only_runstates(content):
    """The capture as it would be with --evt-mask=0x21000: nothing in it tells the clock's rate."""
    out, at = bytearray(), 0
    while at < len(content):
        _, cpu, size = struct.unpack_from("<III", content, at)
        at += 12
        window = bytearray()
        end = at + size
        while at < end:
            header = struct.unpack_from("<I", content, at)[0]
            length = 4 + (8 if header >> 31 else 0) + 4 * (header >> 28 & 7)
            if header & 0x0ffff000 == 0x00021000:
                window += content[at:at + length]
            at += length
        out += struct.pack("<III", 0x2001f003, cpu, len(window)) + window
    return bytes(out)


@test
def clock_of_unknown_rate(bench):
    trace = bench.file("runstates", only_runstates(bench.plain("credit2-idle")))
    region = str(bench.directory / "shm")
    code, _, err = bench.run("--region", region, "--speed=max", "--exit-at-end", trace)
    same(code, 2, "the exit status")
    need("--cpu-hz" in err and err.count("\n") == 1, err)
    need(not os.path.exists(region), "a region was left")
    code, _, err = bench.run("--region", region, "--speed=max", "--exit-at-end", "--cpu-hz=2793439kHz", trace)
    same(code, 0, f"the exit status with --cpu-hz: {err}")


@test
def bad_input(bench):
    region = str(bench.directory / "shm")
    good = bench.plain("credit2-idle")
    packed = pathlib.Path(bench.capture("credit2-idle")).read_bytes()
    (bench.directory / "directory").mkdir()
    cases = {
        "missing": (str(bench.directory / "missing"), "No such file"),
        "a directory": (str(bench.directory / "directory"), "Is a directory"),
        "empty": (bench.file("empty", b""), "empty"),
        "text": (bench.file("text", b"this is no trace, whatever its name is\n" * 100), "byte 0"),
        "a picture": (bench.file("jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 20), "byte 0"),
        "gzip": (bench.file("gzip", b"\x1f\x8b\x08\x00" + bytes(100)), "gzip"),
        "torn": (bench.file("torn", good[:100001]), "byte 100001"),
        "torn zstd": (bench.file("tornzst", packed[:20001]), "byte 20001"),
        "torn in the middle": (bench.file("hole", good[:60000] + good[70000:]), "byte "),
        "/dev/null": ("/dev/null", "byte 0"),
        "/dev/zero": ("/dev/zero", "byte "),
    }
    for what, (path, words) in cases.items():
        code, out, err = bench.run("--region", region, "--speed=max", "--exit-at-end", "--cpu-hz=2793439kHz",
                                   "--log-level=error", path)
        same(code, 1, f"the exit status for {what} ({err!r})")
        need(words in err and err.count("\n") == 1 and not out, f"{what}: {err!r}")
        need(not os.path.exists(region), f"{what}: a region was left")


@test
def only_a_region_is_replaced(bench):
    mine = bench.file("mine", b"my own words\n")
    os.symlink(mine, bench.directory / "link")
    for path in (mine, str(bench.directory / "link"), "/dev/null", str(bench.directory)):
        code, _, err = bench.run("--region", path, "--speed=max", "--exit-at-end", bench.capture("credit2-idle"))
        same(code, 2, f"the exit status for {path} ({err!r})")
        need("no region" in err and err.count("\n") == 1, err)
    same(pathlib.Path(mine).read_bytes(), b"my own words\n", "the file")
    need(os.path.islink(bench.directory / "link"), "the link is gone")


@test
def no_trace_is_not_kept(bench):
    text = bench.file("text", b"this is no trace, whatever its name is\n" * 100)
    for how in ("--foreground", "--daemon"):
        code, _, err = bench.run("--region", str(bench.directory / "shm"), how, text)
        same(code, 1, f"the exit status with {how} ({err!r})")


@test
def damage_leaves_what_came_before(bench):
    for content in (bench.plain("credit2-web-rate")[:1000001],
                    pathlib.Path(bench.capture("credit2-web-rate")).read_bytes()[:300001]):
        with Daemon(bench, "--speed=max", bench.file("torn", content)) as d:
            d.until(ENDED)
            need("byte " in d.said(), d.said())
            sample = d.newest()
            need(sample["host"]["records"] > 10000, f"{sample['host']['records']} records")
            same(d.stop(), 1, "the exit status")


@test
def region_without_permission(bench):
    if os.geteuid() != 0:
        raise Skipped("only root can become somebody else")
    os.chmod(bench.directory, 0o755)
    try:
        code, _, err = bench.run("--region", str(bench.directory / "shm"), bench.capture("credit2-idle"), user=65534)
    except PermissionError as error:
        raise Skipped(f"{error}: the build is not for everybody") from error
    if "trace" in err:
        raise Skipped("the captures are not for everybody")
    same(code, 3, f"the exit status ({err!r})")
    need("Permission denied" in err and err.count("\n") == 1, err)


@test
def full_file_system(bench):
    mount = bench.directory / "small"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "xm", str(mount)],
                          stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Skipped("no file system can be mounted here")
    try:
        code, _, err = bench.run("--region", str(mount / "shm"), bench.capture("credit2-idle"))
        same(code, 1, "the exit status")
        need("No space left" in err and err.count("\n") == 1, err)
        left = [p.name for p in mount.iterdir() if p.stat().st_size > 100]
        same(left, [], "what it leaves")
    finally:
        subprocess.run(["umount", str(mount)], check=True)


@test
def growth_into_a_full_file_system(bench):
    mount = bench.directory / "small"
    mount.mkdir()
    options = ["--max-domains=1", "--max-vcpus=1", "--max-pcpus=1", "--history=10", "--slow-history=60"]
    size = int(configuration(bench, *options)["region_bytes"])
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size + 65536},mode=755", "xm", str(mount)],
                          stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Skipped("no file system can be mounted here")
    try:
        with Daemon(bench, *options, "--speed=max", bench.capture("credit2-lifecycle"), region=mount / "shm") as d:
            d.until(ENDED)
            need("No space left" in d.said(), d.said())
            host = d.newest()["host"]
            need(host["refused"] > 0, "nothing says that rows are missing")
            same(d.header()["domains"], 1, "the number of domains")
            same(d.stop(), 0, "the exit status")
    finally:
        subprocess.run(["umount", str(mount)], check=True)


# ---- Company, and a long time.


@test
def several_readers_at_once(bench):
    with Daemon(bench, "--speed=4", "--repeat=forever", bench.capture("credit2-web-c16")) as d:
        d.until(RUNNING)
        last = 0
        for _ in range(5):
            readers = [subprocess.Popen([bench.xenmon, "report", "--format=json", "--max-loss=none", "--region",
                                         d.region], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
            texts = [r.communicate(timeout=60) for r in readers]
            same([r.returncode for r in readers], [0] * 4, f"their exit status ({texts[0][1]!r})")
            records = [json.loads(out)["trace"]["records"] for out, _ in texts]
            need(min(records) >= last, f"records go back: {records} after {last}")
            last = max(records)
            for out, _ in texts:
                for domain in json.loads(out)["domains"]:
                    for v in domain["vcpus"]:
                        total = sum(v[s + "_ns"] for s in STATES) + v["unknown_ns"]
                        same(total, json.loads(out)["trace"]["duration_ns"], "a vCPU's five states")
        need(last > 0, "no records")
        same(d.stop(), 0, "the exit status")


@test
def memory_does_not_grow(bench):
    if not bench.rss[0]:
        raise Skipped("--rss 0")
    program = pathlib.Path(bench.xenbaked).read_bytes()
    if b"__asan_init" in program or b"__tsan_init" in program:
        raise Skipped("a sanitizer keeps what is freed")
    first_s, last_s = bench.rss
    with Daemon(bench, "--speed=max", "--repeat=forever", bench.capture("credit2-lifecycle")) as d:
        d.until(RUNNING)
        time.sleep(first_s)
        first = d.memory()
        passes = d.newest()["host"]["records"]
        time.sleep(last_s - first_s)
        last = d.memory()
        need(d.newest()["host"]["records"] > passes, "it stands still")
        same(d.header()["domains"], 32, "room for domains (ended ones make room)")
        for name, a, b in zip(("RssAnon", "VmRSS"), first, last):
            need(abs(b - a) <= 64, f"{name} was {a} kB after {first_s:g} s and is {b} kB after {last_s:g} s")
        print(f"# {first} kB after {first_s:g} s, {last} kB after {last_s:g} s, "
              f"{d.newest()['host']['records']} records")
        same(d.stop(), 0, "the exit status")


def run_one(bench, function):
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    bench.directory = pathlib.Path(tempfile.mkdtemp(prefix="xenbaked-test-", dir=parent))
    try:
        function(bench)
        return "ok", ""
    except Skipped as why:
        return "ok", f" # SKIP {why}"
    except Exception as why:  # whatever it is, it is a failure of this test alone
        text = "\n".join(f"# {line}" for line in f"{type(why).__name__}: {why}".splitlines()[:20])
        return "not ok", "\n" + text
    finally:
        shutil.rmtree(bench.directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rss", default="10,60")
    parser.add_argument("--only", help="run only tests whose name contains this")
    parser.add_argument("xenbaked")
    parser.add_argument("xenmon")
    parser.add_argument("captures")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    tests = [t for t in TESTS if not arguments.only or arguments.only in t.__name__]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, function in enumerate(tests, 1):
        result, detail = run_one(bench, function)
        failed += result != "ok"
        print(f"{result} {number} - {function.__name__}{detail}", flush=True)
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
