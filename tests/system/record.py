#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""xenmon record as a user meets it; a small server with a tee plays a capture in place of a xenbaked on a Xen host.

usage: record.py XENMON XENBAKED TEE_SERVER FOLDER_OF_CAPTURES      TAP on stdout, exit 1 when anything fails
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
import threading
import time

from waiting import wait_for

XENMON, XENBAKED, SERVER, CAPTURES = *sys.argv[1:4], pathlib.Path(sys.argv[4])
NAME = "xen417-credit2-contend"
HZ = 2793439000
PASSES = 48  # in the capture


class Skip(Exception):
    """Why a test cannot be run here."""


def start(folder, *arguments, where=None, **options):
    where = where or ["--control", folder / "socket"]
    options.setdefault("stdout", subprocess.DEVNULL)
    return subprocess.Popen([XENMON, "record", *where, *map(str, arguments)], stderr=subprocess.PIPE, text=True, **options)


def finish(recorder, code):
    said = recorder.communicate(timeout=60)[1]
    assert recorder.returncode == code, f"exit {recorder.returncode}, not {code}: {said}"
    return said


def record(folder, *arguments, code):
    return finish(start(folder, *arguments), code)


@contextlib.contextmanager
def server(folder, *arguments, listeners=1, name="socket"):
    player = subprocess.Popen([SERVER, folder / name, folder / "trace", "--listeners", str(listeners),
                               *map(str, arguments)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(folder / name), "the player")
        yield player
    finally:
        player.kill()
        player.wait()
        (folder / name).unlink(missing_ok=True)


def settled(path):
    """The size of a file that has begun, once it grows no more."""
    wait_for(lambda: path.exists() and path.stat().st_size > 0, path)
    size = -1
    while size != (size := path.stat().st_size):
        time.sleep(0.5)
    return size


def answers(path):
    """Whether there is somebody behind a socket; who does not mind one that says nothing."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def report(*arguments):
    done = subprocess.run([XENMON, "report", "--format=json", f"--cpu-hz={HZ}", *map(str, arguments)], text=True,
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return json.loads(done.stdout), done


def unpacked(path):
    return subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout


def numbers(said):
    match = re.search(r"(\d+) bytes.*, (\d+) passes, ([0-9.]+) s, (\d+) records, (\d+) lost, (\d+) dropped", said)
    assert match, said
    return [float(n) if "." in n else int(n) for n in match.groups()]


def test_every_way_gives_the_same(folder):
    trace = (folder / "trace").read_bytes()
    with server(folder, listeners=3):
        with open(folder / "piped", "wb") as piped:
            recorders = [start(folder, "-o", folder / "plain", "--no-wait"),
                         start(folder, "-o", folder / "packed.zst", "--level", 1, "--no-wait"),
                         start(folder, "-o", "-", "--no-wait", stdout=piped)]
            said = [finish(recorder, 1) for recorder in recorders]  # 1: xenbaked went away, and --no-wait says so
    assert (folder / "plain").read_bytes() == trace
    assert unpacked(folder / "packed.zst") == trace
    assert (folder / "piped").read_bytes() == trace
    for path in ("plain", "packed.zst"):
        assert (folder / path).stat().st_mode & 0o777 == 0o600
    for one in said:
        assert "xenbaked has gone" in one, one
        size, passes, _, records, lost, dropped = numbers(one)
        assert passes == PASSES and lost == 0 and dropped == 0 and records > 100000, one
    assert numbers(said[0])[0] == len(trace)
    assert numbers(said[1])[0] == (folder / "packed.zst").stat().st_size


def test_the_report_is_that_of_the_capture(folder):
    with server(folder):
        record(folder, "-o", folder / "out.zst", "--no-wait", code=1)
    mine, done = report(folder / "out.zst")
    theirs, _ = report(folder / "trace")
    assert done.returncode == 0, done.stderr
    assert mine["trace"].pop("source") == "out.zst" and theirs["trace"].pop("source") == "trace"
    different = [key for key in mine if mine[key] != theirs.get(key)]
    assert not different and mine.keys() == theirs.keys(), different
    assert mine["trace"]["records"] > 100000


def test_a_signal_ends_it_well(folder):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        out = folder / f"out{number}.zst"
        with server(folder, "--pause", 100):
            recorder = start(folder, "-o", out)
            wait_for(out.exists, "the recording")
            wait_for(lambda path=out: path.stat().st_size > 0, "something in it")
            recorder.send_signal(number)
            said = finish(recorder, 0)
        assert said.count("\n") == 1, said
        passes = numbers(said)[1]
        assert 0 < passes < PASSES, said
        assert (folder / "trace").read_bytes().startswith(unpacked(out))


def test_a_signal_that_is_ignored(folder):
    """As by nohup, and for a job in the background: it outlives what it was meant to outlive."""
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = folder / "out"
    with server(folder, "--pause", 20, "--linger"):
        recorder = start(folder, "-o", out, preexec_fn=ignore)
        wait_for(lambda: out.exists() and out.stat().st_size > 0, "the recording")
        for number in (signal.SIGHUP, signal.SIGINT):
            recorder.send_signal(number)
        wait_for(lambda: out.stat().st_size == (folder / "trace").stat().st_size, "all of it")
        recorder.terminate()
        finish(recorder, 0)


def test_a_signal_before_anything_came(folder):
    """Nothing is recorded, and that is no success."""
    with silent(folder / "socket") as listening:
        recorder = start(folder, "-o", folder / "out")
        with listening.accept()[0]:
            recorder.terminate()
            said = finish(recorder, 1)
    assert "nothing is recorded" in said and not (folder / "out").exists(), said


def test_limits(folder):
    with server(folder, "--pause", 5):
        said = record(folder, "-o", folder / "sized", "--size", "300K", code=0)
    assert 200 * 1024 < (folder / "sized").stat().st_size <= 300 * 1024, said
    with server(folder, "--linger", "--pause", 1):
        said = record(folder, "-o", folder / "timed", "--duration", "700ms", code=0)
    assert 0.7 <= numbers(said)[2], said
    assert (folder / "trace").read_bytes().startswith((folder / "timed").read_bytes())
    assert (folder / "timed").stat().st_size == numbers(said)[0] > 0, said


def test_rotation(folder):
    with server(folder):
        said = record(folder, "-o", folder / "r.zst", "--rotate", "200K", "--no-wait", code=1)
    names = ["r.zst"] + [f"r.{i}.zst" for i in range(1, 100) if (folder / f"r.{i}.zst").exists()]
    assert len(names) > 3 and f" in {len(names)} files" in said, said
    assert b"".join(unpacked(folder / name) for name in names) == (folder / "trace").read_bytes()
    for name in names:
        assert (folder / name).stat().st_size <= 200 * 1024
        assert report(folder / name)[1].returncode == 0
    with server(folder):
        record(folder, "-o", folder / "k", "--rotate", "500K", "--keep", 2, "--no-wait", code=1)
    kept = sorted(path.name for path in folder.iterdir() if path.name == "k" or path.name.startswith("k."))
    assert len(kept) == 2 and "k" not in kept and "k.1" not in kept, kept
    assert (folder / "trace").read_bytes().endswith(b"".join((folder / name).read_bytes() for name in kept))


def test_killed(folder):
    """What a recorder that is killed leaves can be read up to its last second; so can what it had plain."""
    trace = (folder / "trace").read_bytes()
    with server(folder, "--pause", 60, listeners=2):
        plain, packed = (start(folder, "-o", folder / name) for name in ("p", "p.zst"))
        wait_for(lambda: (folder / "p").exists() and (folder / "p.zst").exists(), "two recordings")
        wait_for(lambda: (folder / "p.zst").stat().st_size > 400000, "a packed one")  # more than one flush
        packed.kill()
        finish(packed, -signal.SIGKILL)
        mine, done = report(folder / "p.zst")
        wait_for(lambda: report(folder / "p")[0]["trace"]["records"] >= mine["trace"]["records"], "as many records")
        plain.kill()
        finish(plain, -signal.SIGKILL)
    assert trace.startswith((folder / "p").read_bytes())
    assert done.returncode == 1 and "the zstd data ends in the middle of a frame" in done.stderr, done.stderr
    assert mine["trace"]["records"] > 10000, mine["trace"]


def test_another_xenbaked(folder):
    """It is killed, and the next one goes on: one file, and a gap in it that nobody fills with guesses."""
    with server(folder, "--pause", 10, "--passes", 20, "--linger") as first:
        recorder = start(folder, "-o", folder / "out")
        trace = (folder / "trace").read_bytes()
        size = settled(folder / "out")  # all twenty are there
        first.kill()
        first.wait()
        assert trace.startswith((folder / "out").read_bytes())
    with server(folder, "--from", 30, "--linger"):
        wait_for(lambda: (folder / "out").stat().st_size > size, "more of it")
        while size != (size := (folder / "out").stat().st_size):
            time.sleep(0.3)
        recorder.terminate()
        said = finish(recorder, 0)
    assert "waiting for the next one" in said and "interrupted 1 time" in said, said
    mine, done = report("--max-loss=none", folder / "out")
    whole, _ = report(folder / "trace")
    assert done.returncode == 0, done.stderr
    assert mine["trace"]["lost_records"] == 2 and mine["trace"]["anomalies"] == 0, mine["trace"]
    for ours, theirs in zip(mine["cpus"], whole["cpus"]):
        assert 0 < ours["unknown_ns"] < mine["trace"]["duration_ns"] / 2
        assert ours["busy_ns"] <= theirs["busy_ns"] and ours["idle_ns"] <= theirs["idle_ns"]


def test_a_refusal_while_recording(folder):
    """All places are taken, it is not let in yet, it is dropped: the next xenbaked may think better of it."""
    out = folder / "out"
    with server(folder, "--passes", 5, "--linger"):
        recorder = start(folder, "-o", out)
        size = settled(out)  # all five are there
    with silent(folder / "socket") as listening:
        for text in (b"error as many listen already as may\n", b"", b"error as many listen already as may\n"):
            with listening.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(text)
    if os.geteuid() != 0:
        with silent(folder / "socket"):
            (folder / "socket").chmod(0)
            time.sleep(0.5)
    with server(folder, "--from", 30, "--linger"):
        wait_for(lambda: out.stat().st_size > size, "more of it")
        recorder.terminate()
        said = finish(recorder, 0)
    assert said.count("has gone") == 1 and "interrupted 1 time" in said, said


@contextlib.contextmanager
def region(folder, live):
    """A region, written, with nothing to record beside it; of a capture, which `live` hides."""
    with subprocess.Popen([XENBAKED, "--region", folder / "shm", folder / "trace"], stderr=subprocess.DEVNULL) as writer:
        try:
            wait_for((folder / "shm").exists, "the region")
            if live:
                with open(folder / "shm", "r+b") as shm:
                    shm.seek(0x108)  # `source`, in xenmon-region(5)
                    shm.write(bytes(8))
            yield
        finally:
            writer.terminate()


def test_a_xenbaked_that_is_starting(folder):
    """It has its region before it takes tracing over, and its socket after."""
    with region(folder, live=False):
        began = time.monotonic()
        said = finish(start(folder, "-o", folder / "none", where=["--region", folder / "shm"]), 3)
        assert "nobody answers" in said and time.monotonic() - began < 3, said
    with region(folder, live=True):
        recorder = start(folder, "-o", folder / "out", "--no-wait", where=["--region", folder / "shm"])
        time.sleep(0.7)
        with server(folder, name="shm.control"):
            finish(recorder, 1)
    assert (folder / "out").read_bytes() == (folder / "trace").read_bytes()


# The real /proc stays within reach of this one process: the sanitizers read their options and the threads there.
DOM0 = """
mkdir -p "$0" && mount --rbind /proc "$0" && mount -t tmpfs none /proc && mkdir /proc/xen &&
echo control_d >/proc/xen/capabilities && ln -s "$0/self" "$0/$$" /proc && exec "$@"
"""
# Its socket goes before it does: it has tracing to put back.
OWN = """#!/bin/sh
{xenbaked} --region "$3" {trace} 2>/dev/null &
echo "xenbaked: the first line" >&2
{server} "$3.control" {trace} 2>/dev/null
sleep 0.5
echo "xenbaked: the hypervisor has had enough" >&2
kill $!
exit 1
"""


def test_a_xenbaked_of_its_own_ends(folder):
    """Nobody will start it again, so it is not waited for."""
    dom0 = ["unshare", "-Urm", "sh", "-c", DOM0, folder / "proc"]
    if not shutil.which("unshare") or subprocess.run([*dom0, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        raise Skip("no namespace to play dom0 in")
    (folder / "xenbaked").write_text(OWN.format(xenbaked=XENBAKED, server=SERVER, trace=folder / "trace"))
    (folder / "xenbaked").chmod(0o700)
    environment = {**os.environ, "XENMON_REGION": str(folder / "shm")}
    shutil.copy(XENMON, folder)  # it looks for xenbaked beside itself first
    recorder = subprocess.Popen([*dom0, folder / "xenmon", "record", "-o", folder / "out"], env=environment,
                                stderr=subprocess.PIPE, text=True)
    try:
        said = finish(recorder, 1)
    finally:
        recorder.kill()
    assert said.count("\n") == 2 and "the hypervisor has had enough" in said.splitlines()[0], said
    assert (folder / "out").read_bytes() == (folder / "trace").read_bytes()


def test_files_that_exist(folder):
    (folder / "out").write_bytes(b"dear")
    with server(folder, "--linger"):
        said = record(folder, "-o", folder / "out", code=2)
        assert "exists already: --force replaces it" in said, said
        assert (folder / "out").read_bytes() == b"dear"
    with server(folder, "--linger"):
        record(folder, "-o", folder / "out", "--force", "--duration", "300ms", code=0)
        assert (folder / "trace").read_bytes().startswith((folder / "out").read_bytes()[:1000])
        assert (folder / "out").read_bytes() != b"dear"
        said = record(folder, "-o", folder / "no/such", code=1)
        assert "No such file or directory" in said, said


def test_usage(folder):
    for arguments, error in [
            ([], "-o"), (["-o", "x", "y"], "'y'"), (["-o", "x", "--keep", 3], "--keep"), (["-o", "x", "--level", 3], ".zst"),
            (["-o", "-", "--rotate", "1M"], "--rotate"), (["-o", "x", "--rotate", "soon"], "64M"),
            (["-o", "x", "--rotate", "1"], "at least"), (["-o", "x.zst", "--level", 20], "--level"),
            (["-o", "x", "--region", "r"], "not both")]:
        said = record(folder, *arguments, code=2)
        assert error in said and said.count("\n") == 1, said
    said = record(folder, "-o", folder / "x", code=3)
    assert "nobody answers at" in said, said
    assert not (folder / "x").exists()


def test_full_pipe(folder):
    """Whoever reads the pipe has had enough: that is no failure."""
    with server(folder, "--pause", 1):
        recorder = start(folder, "-o", "-", stdout=subprocess.PIPE)
        recorder.stdout.buffer.read(1000)
        recorder.stdout.close()
        recorder.wait(timeout=60)
        assert recorder.returncode == 0, recorder.stderr.read()
        recorder.stderr.close()


@contextlib.contextmanager
def silent(path):
    """A socket with somebody behind it who is no xenbaked."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.settimeout(30)
        listening.bind(str(path))
        listening.listen()
        yield listening
    path.unlink()


def answer(path, *texts):
    """A server that is none."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def serve():
        for text in texts:
            connection, _ = listening.accept()
            with connection:
                connection.recv(100)
                connection.sendall(text)
        listening.close()
    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_hostile(folder):
    greeting = b"ok Xen\t1000\t0x1\n"
    for number, (text, error) in enumerate([
            (b"SSH-2.0-OpenSSH\r\n", "no xenbaked"), (b"x" * 5000, "no xenbaked"), (b"error go away\n", "go away"),
            (greeting + b"\xff" * 64, "which none can have"), (greeting + b"\x0c\0\0\0abcdefghijkl", "no CPU_CHANGE"),
            (greeting + b"\x00\0\0\x10" + b"\0" * 100, "xenbaked has gone")]):
        path = folder / "socket"
        thread = answer(path, text)
        said = record(folder, "-o", folder / f"hostile{number}", "--no-wait", code=1)
        thread.join()
        path.unlink()
        assert error in said, said


def main():
    failed = 0
    tests = [(name, test) for name, test in sorted(globals().items()) if name.startswith("test_")]
    print(f"1..{len(tests)}")
    for number, (name, test) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            subprocess.run(["zstd", "-dq", CAPTURES / f"{NAME}.trace.zst", "-o", folder / "trace"], check=True)
            try:
                test(folder)
                print(f"ok {number} - {name}", flush=True)
            except Skip as reason:
                print(f"ok {number} - {name} # SKIP {reason}", flush=True)
            except Exception as fault:  # pylint: disable=broad-except
                failed += 1
                for line in str(fault).splitlines() or [repr(fault)]:
                    print(f"# {line}")
                print(f"not ok {number} - {name}", flush=True)
    return failed > 0


if __name__ == "__main__":
    os.environ["XENMON_REGION"] = "/nonexistent/region"
    sys.exit(main())
