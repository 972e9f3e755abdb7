#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""xenmon as a user meets it: usage, exit codes, odd inputs, closed pipes, full disks, a xenbaked that is killed.

usage: cli.py XENBAKED XENMON FOLDER_OF_CAPTURES      TAP on stdout, exit 1 when anything fails
"""
import contextlib
import csv
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from waiting import wait_for

XENBAKED, XENMON, CAPTURES = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
SHORT = CAPTURES / "xen417-credit2-idle.trace.zst"
LOST = CAPTURES / "xen417-credit-lost.trace.zst"


def run(*arguments, **more):
    environment = dict(os.environ, XENMON_REGION="/nonexistent/region")
    return subprocess.run([XENMON, *map(str, arguments)], text=True, check=False, env=environment, timeout=60,
                          stdout=more.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, **more)


def expect(done, code, error="", output=None):
    """Checks a run's exit code, what it complains of, in one line, and what it prints."""
    assert done.returncode == code, f"exit {done.returncode}, not {code}: {done.args} {done.stderr}"
    assert error in done.stderr, f"'{error}' is not in '{done.stderr}'"
    assert error or not done.stderr, f"it complains: {done.stderr}"
    if output is not None:
        assert output in done.stdout, f"'{output}' is not in '{done.stdout}'"


@contextlib.contextmanager
def xenbaked(region, *arguments):
    daemon = subprocess.Popen([XENBAKED, "--foreground", "--region", region, *map(str, arguments)],
                              stderr=subprocess.DEVNULL)
    try:
        wait_for(region.exists, "the region")
        yield daemon
    finally:
        daemon.kill()
        daemon.wait()


def test_usage(_folder):
    expect(run("--version"), 0, output="xenmon 0.")
    expect(run("--help"), 0, output="report")
    expect(run("help"), 0, output="report")
    expect(run("help", "log"), 0, output="--prefix")
    expect(run("help", "help"), 0, output="report")
    expect(run("report", "--help"), 0, output="--cpu-hz")
    expect(run("help", "nothing"), 2, "no command 'nothing'")
    expect(run("nothing"), 2, "'nothing'")
    expect(run("report"), 2, "a trace is needed")
    expect(run("report", "a", "b"), 2, "'b' is a second one")
    expect(run("report", "--format=xml", SHORT), 2, "text|json|csv")
    expect(run("report", "--cpu-hz=fast", SHORT), 2, "frequency")
    expect(run("report", "--max-loss=150%", SHORT), 2, "percentage")
    expect(run("log", "operand"), 2, "'operand'")
    expect(run("log", "--cpu=1", "--format=csv"), 2, "--cpu is for")
    expect(run("log", "--cpu=first"), 2, "each")
    expect(run("log", "-o", "x"), 2, "--output is for")
    expect(run("log", "--interval=0"), 2, "'0' is not within the range, 1ms to 1d")
    expect(run("--interval", "100"), 2, "'100' is not within the range, 100ms to 1m")
    expect(run("--interval", "soon"), 2, "'soon' is not a duration")


def test_every_command_helps(_folder):
    commands = [line.split()[0] for line in run("--help").stdout.splitlines() if line.startswith("  ") and line[2] not in "- "]
    assert {"live", "serve", "connect", "help"} <= set(commands), commands
    for command in commands:
        expect(run(command, "--version"), 0, output="xenmon 0.")
        for words in ((command, "--help"), ("help", command)):
            done = run(*words)
            if done.returncode == 1 and "is not installed here" in done.stderr:
                continue  # left out of this build
            expect(done, 0, output="Usage: xenmon")


def test_no_region(_folder):
    expect(run("log"), 3, "xenbaked")
    expect(run("-n", "-p", "x", "-t", "1", "-i", "100"), 3, "xenbaked")
    expect(run("-ln"), 3, "xenbaked")
    expect(run("--notlive", "--noallocated", "--excount"), 3, "xenbaked")
    expect(run("report", "--region"), 3, "xenbaked")


def test_odd_inputs(folder):
    for name, data in (("empty", b""), ("text", b"no trace, but a text\n" * 50), ("jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF" * 999),
                       ("short", b"\x03\xf0\x01")):
        (folder / name).write_bytes(data)
        expect(run("report", folder / name), 1, name)
        expect(run("report", "--cpu-hz=1GHz", "--format=json", folder / name), 1, name)
    expect(run("report", folder), 1, "directory")
    expect(run("report", folder / "missing"), 1, "missing")
    expect(run("report", "/dev/zero"), 1, "byte 0")
    expect(run("report", "-", stdin=subprocess.DEVNULL), 1, "standard input")


def test_fifo_and_pipe(folder):
    whole = run("report", "--format=csv", SHORT).stdout
    with open(SHORT, "rb") as trace:
        expect(run("report", "--format=csv", "-", stdin=trace), 0, output=whole)
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["/bin/sh", "-c", 'head -c 20000 "$1" > "$2"', "sh", SHORT, fifo]):
        done = run("report", "--format=json", fifo)
    expect(done, 1, "packed byte 20000")  # its writer died: what came is reported
    assert '"xenmon.report/1"' in done.stdout


def test_loss(_folder):
    for options, code in (([], 4), (["--max-loss=none"], 0), (["--max-loss=1320"], 0), (["--max-loss=1319"], 4),
                          (["--max-loss=1%"], 0), (["--max-loss=0.1%"], 4)):
        expect(run("report", *options, LOST), code, "1320 of 233172" if code else "", "LOST         1320 records")


def test_where_it_goes(folder):
    out = folder / "out.json"
    expect(run("report", "--format=json", "-o", out, SHORT), 0)
    assert out.read_text(encoding="utf-8").startswith("{")
    expect(run("report", "-o", folder / "missing" / "out", SHORT), 1, "No such file")
    with open("/dev/full", "w", encoding="utf-8") as full:
        expect(run("report", SHORT, stdout=full), 1, "No space left")
    reader, writer = os.pipe()
    os.close(reader)
    expect(run("report", SHORT, stdout=writer), 0)  # nobody reads: no reason to complain
    os.close(writer)


def test_log_where_it_goes(folder):
    region = folder / "shm"
    with xenbaked(region, "--repeat=forever", SHORT):
        options = ("log", "--region", region, "-i", "100", "-t", "20", "--format=csv")
        with open("/dev/full", "w", encoding="utf-8") as full:
            expect(run(*options, stdout=full), 1, "No space left")
        reader, writer = os.pipe()
        os.close(reader)
        expect(run(*options, stdout=writer), 0)
        os.close(writer)
        expect(run("log", "--region", region, "-i", "100", "-p", folder / "missing" / "log"), 1,
               "missing/log-*.log: ")


def test_live_no_trace(folder):
    text = folder / "text"
    text.write_text("this is no trace, but long enough to be one\n", encoding="utf-8")
    expect(run("live", "--once", text), 1, "text: byte 0: this is no Xen trace")


def test_live_from_a_pipe(folder):
    empty = folder / "empty"
    empty.touch()
    for words in (("replay", "--once", "-"), ("-", "--once"), ("--once", "--replay=-")):
        with subprocess.Popen(["/bin/cat", SHORT], stdout=subprocess.PIPE) as trace:
            expect(run(*words, "--no-config", stdin=trace.stdout), 0, output="Domain-0")
        with open(empty, "rb") as nothing:
            expect(run(*words, "--no-config", stdin=nothing), 1, "xenmon: ")
    master, slave = os.openpty()
    expect(run("replay", "--once", "-", stdin=slave), 2, "standard input is a terminal")
    os.close(master)
    os.close(slave)
    missing = run("replay", "--once", folder / "missing")
    expect(missing, 1, f"xenmon: {folder}/missing: No such file")


def test_live_frames_nohup(folder):
    region = folder / "shm"
    with xenbaked(region, "--repeat=forever", SHORT):
        for number in (signal.SIGHUP, signal.SIGINT):
            for ignored in (True, False):
                live = subprocess.Popen([XENMON, "live", "--no-config", "--region", region, "--frames=100"],
                                        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                        preexec_fn=lambda: signal.signal(number, signal.SIG_IGN) if ignored else None)
                assert live.stdout.readline(), "no frame"
                live.send_signal(number)
                try:
                    ended = live.wait(0.7 if ignored else 20)
                except subprocess.TimeoutExpired:
                    ended = None
                live.kill()
                live.wait()
                assert ended == (None if ignored else -number), f"{number.name}: {ended}"


def test_log_files(folder):
    region = folder / "shm"
    with xenbaked(region, SHORT):
        expect(run("-n", "-p", folder / "log", "-t", "1", "-i", "500", "--region", region, "--allocated"), 0)
        expect(run("log", "-p", folder / "each", "-t", "1s", "-i", "1s", "--region", region, "--cpu=each"), 0)
    names = sorted(p.name for p in folder.glob("*.log"))
    assert {"log-dom0.log", "log-idle.log", "each-dom0.log"} <= set(names), names
    lines = (folder / "log-dom0.log").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# passed(ms) cpu dom cpu(tot)") and len(lines) == 3, lines
    assert all(len(line.split()) == 16 for line in lines[1:]), lines


def test_log_signal(folder):
    region = folder / "shm"
    out = folder / "out.csv"
    with xenbaked(region, "--repeat=forever", SHORT):
        log = subprocess.Popen([XENMON, "log", "--region", region, "-t", "0", "--interval=1h", "--format=csv", "-o", out])
        time.sleep(0.7)
        log.send_signal(signal.SIGTERM)
        assert log.wait(10) == 0
    with open(out, encoding="utf-8", newline="") as f:
        assert sum(1 for _ in csv.DictReader(f)) > 0, "the interval that had begun is not written"


def test_kill_and_restart(folder):
    region = folder / "shm"
    out = folder / "out.csv"
    with xenbaked(region, "--cpu-hz=1GHz", SHORT) as first:
        log = subprocess.Popen([XENMON, "log", "--region", region, "-t", "30", "-i", "200", "--format=csv", "-o", out,
                                "--from-start"], stderr=subprocess.PIPE, text=True)
        time.sleep(0.8)
        first.kill()
        first.wait()
        time.sleep(0.5)
        with xenbaked(region, "--cpu-hz=1GHz", "--speed=max", SHORT):
            complaints = log.communicate(timeout=30)[1]
    assert log.returncode == 0, complaints
    assert "restarted" in complaints, complaints
    with open(out, encoding="utf-8", newline="") as f:
        windows = [int(row["trace_ns"]) for row in csv.DictReader(f)]
    assert windows != sorted(windows), "it did not begin anew"


def main():
    tests = [(name, value) for name, value in globals().items() if name.startswith("test_")]
    failed = 0
    print(f"1..{len(tests)}")
    for number, (name, test) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(pathlib.Path(folder))
                print(f"ok {number} - {name}", flush=True)
            except (AssertionError, subprocess.TimeoutExpired, OSError) as error:
                failed += 1
                print(f"not ok {number} - {name}")
                for line in str(error).splitlines():
                    print(f"# {line}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
