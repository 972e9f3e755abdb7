#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""xenmon --connect: a remote host's region, copied here and shown; and servers that lie.

usage: connect.py XENMON XENBAKED SOURCE_ROOT [NAME...]     TAP on stdout; NAME: only tests with that in their name
"""
import contextlib
import functools
import glob
import http.server
import os
import pathlib
import random
import re
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time

from serve_kit import Server, Skip, ended, free_port, host, run_tests, server
from waiting import wait_for

XENMON, XENBAKED, ROOT = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
sys.path.insert(0, str(ROOT / "contrib/python"))
sys.path.insert(0, str(ROOT / "tests/terminal"))
import xenmon_region as region_module  # noqa: E402

HEAD = struct.Struct("<8sIIQQQQIIQQQII")  # magic .. reserved, as in src/export/mirror_format.h
LATE = """
[domain late]
id = 7
role = hog
vcpus = 3
from = 6s
"""


# ---- What the tests share.

def xenmon(*words, timeout=60, **more):
    """(exit code, output, errors) of a run to its end."""
    done = subprocess.run([XENMON, *map(str, words)], capture_output=True, text=True, timeout=timeout, check=False, **more)
    return done.returncode, done.stdout, done.stderr


def copies_of(pid):
    """Paths of the copies that a process keeps."""
    found = []
    for directory in sorted(glob.glob(f"/dev/shm/xenmon.{pid}.*") + glob.glob(f"/tmp/xenmon.{pid}.*")):
        for path in sorted(glob.glob(directory + "/[0-9]")):
            with contextlib.suppress(OSError, region_module.RegionError, ValueError), region_module.Region(path) as region:
                if region.header()["writer_pid"] == pid:
                    found.append(path)
    return found


@contextlib.contextmanager
def connection(*words):
    """A xenmon --connect that prints frames for ever: (process, path of the first copy)."""
    process = subprocess.Popen([XENMON, "connect", *map(str, words), "--frames=100000"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: copies_of(process.pid) or process.poll() is not None, "a copy")
        assert process.poll() is None, process.stderr.read()
        yield process, copies_of(process.pid)[0]
        assert process.poll() is None, f"it ended: {process.stderr.read()}"
    finally:
        code, said = ended(process)
    assert code == 0, (code, said)
    assert not copies_of(process.pid)


def newest(path, series="fast"):
    with contextlib.suppress(OSError, region_module.RegionError), region_module.Region(path) as region:
        return region.newest(series)
    return -1


def compare(original, copy, series, least):
    """Every sample that both have is the same in both, to the last counter."""
    same = 0
    with region_module.Region(original) as a, region_module.Region(copy) as b:
        for index in range(max(a.oldest(series), b.oldest(series)), min(a.newest(series), b.newest(series)) + 1):
            try:
                there, here = a.sample(series, index), b.sample(series, index)
            except region_module.Overrun:
                continue
            assert there == here, f"{series} sample {index} differs"
            same += 1
    assert same >= least, f"only {same} {series} samples could be compared"
    return same


# ---- The copy.

def every_counter_of_the_copy_is_the_host_s_own(folder):
    with host(XENBAKED, folder) as (region, _), server(XENMON, region) as serve:
        serve.wait_for_data()
        time.sleep(3)
        with connection(serve.url) as (_, copy):
            wait_for(lambda: newest(copy) >= 60 and newest(copy, "slow") >= 5, "60 fast samples")
            print(f"# {compare(region, copy, 'fast', 40)} fast samples, {compare(region, copy, 'slow', 4)} slow ones")
            with region_module.Region(region) as a, region_module.Region(copy) as b:
                there, here = a.header(), b.header()
                for name in ("lineage_id", "tsc_hz", "tsc_hz_from", "states_from", "io_seen", "hypervisor", "scheduler", "domains",
                             "vcpus", "pcpus", "host_cpus", "events", "buffer_bytes"):
                    assert there[name] == here[name], f"{name}: {there[name]} there, {here[name]} here"
                for slot in range(3):
                    mine, its = b.domain(slot), a.domain(slot)
                    for facts in (mine, its):
                        facts.pop("seq")
                    assert mine == its and mine["name"], (mine, its)
                # Counts of waits only grow: what came later is no less, and no more than there is now.
                for slot in range(4):
                    early, late = b.histogram(slot), a.histogram(slot)
                    assert early["id"] == late["id"]
                    for name in (k for k, v in early.items() if isinstance(v, list)):
                        assert sum(early[name]) > 0 or name != "execution", "no executions"
                        assert all(x <= y for x, y in zip(early[name], late[name])), name


def the_copy_follows_from_the_first_sample_on(folder):
    """A client that is there before there is anything to see has the host's index 0 too."""
    with host(XENBAKED, folder) as (region, _), server(XENMON, region) as serve:
        with connection(serve.url, "--history=1h") as (_, copy):
            wait_for(lambda: newest(copy) >= 20, "20 samples")
            with region_module.Region(copy) as here:
                assert here.oldest("fast") == 0
                here.sample("fast", 0)


def another_run_of_xenbaked_is_another_run_here(folder):
    with contextlib.ExitStack() as stack:
        first = contextlib.ExitStack()
        region, daemon = first.enter_context(host(XENBAKED, folder))
        serve = stack.enter_context(server(XENMON, region))
        serve.wait_for_data()
        _, copy = stack.enter_context(connection(serve.url))
        wait_for(lambda: newest(copy) > 10, "samples")
        with region_module.Region(copy) as here:
            before = here.header()["lineage_id"]
        daemon.kill()
        first.close()
        stack.enter_context(host(XENBAKED, folder))

        def other():
            with contextlib.suppress(OSError, region_module.RegionError), region_module.Region(copy) as here:
                return here.header()["lineage_id"] != before and here.newest("fast") > 10
            return False
        wait_for(other, "the other run")
        compare(region, copy, "fast", 10)


def growth_over_there_is_growth_here(folder):
    import serve_kit
    kept = serve_kit.SCENARIO
    serve_kit.SCENARIO = kept + LATE
    try:
        with host(XENBAKED, folder, "--max-domains=3", "--max-vcpus=4") as (region, _), server(XENMON, region) as serve:
            serve.wait_for_data()
            with connection(serve.url) as (_, copy):
                wait_for(lambda: newest(copy) > 5, "samples")
                with region_module.Region(copy) as here:
                    before = here.header()
                assert before["domains"] == 3, before["domains"]

                def grown():
                    with contextlib.suppress(OSError, region_module.RegionError), region_module.Region(copy) as here:
                        header = here.header()
                        return header["domains"] > 3 and header["lineage_id"] == before["lineage_id"] and here.newest("fast") > 70
                    return False
                wait_for(grown, "a larger copy of the same run", 30)
                compare(region, copy, "fast", 5)
    finally:
        serve_kit.SCENARIO = kept


def a_server_that_was_away_is_caught_up_with(folder):
    with host(XENBAKED, folder) as (region, _):
        port = free_port()
        with server(XENMON, region, port=port) as serve:
            serve.wait_for_data()
            stack = contextlib.ExitStack()
            _, copy = stack.enter_context(connection(serve.url))
            wait_for(lambda: newest(copy) > 10, "samples")
            serve.process.kill()
        with stack:
            time.sleep(2)
            stood = newest(copy)
            time.sleep(1)
            assert newest(copy) == stood, "samples without a server"
            with server(XENMON, region, port=port):
                wait_for(lambda: newest(copy) > stood + 20, "what was missed")
                with region_module.Region(copy) as here:
                    for index in range(stood - 5, stood + 20):
                        here.sample("fast", index)  # no hole
                compare(region, copy, "fast", 30)


def silence_over_there_is_silence_here(folder):
    with host(XENBAKED, folder) as (region, daemon), server(XENMON, region) as serve:
        serve.wait_for_data()
        with connection(serve.url) as (_, copy):
            wait_for(lambda: newest(copy) > 10, "samples")

            def heartbeat():
                with region_module.Region(copy) as here:
                    return here.header()["heartbeat_ns"]
            assert abs(time.monotonic_ns() - heartbeat()) < 3e9
            daemon.send_signal(signal.SIGSTOP)
            try:
                wait_for(lambda: time.monotonic_ns() - heartbeat() > 4e9, "an old sign of life", 15)
                code, out, _ = xenmon("connect", serve.url, serve.url, "--once", "--width=200")
                assert code == 0 and out.count("stale") == 2 and "silent for" in out, out
            finally:
                daemon.send_signal(signal.SIGCONT)


def an_end_over_there_is_an_end_here(folder):
    trace = folder / "t.trace"
    code, _, said = xenmon("sim", "--duration=3s", "--output", trace, ROOT / "scenarios/contention.ini")
    if code != 0:
        raise Skip(f"no trace: {said}")
    with host(XENBAKED, folder, source=trace) as (region, _), server(XENMON, region) as serve:
        wait_for(lambda: serve.ask("/api/v1/host?window=1s")[0] == 200, "data")
        with connection(serve.url) as (_, copy):
            def ended_here():
                with region_module.Region(copy) as here:
                    return here.header()["state"] == 2
            wait_for(ended_here, "the end")
            compare(region, copy, "fast", 5)


def whoever_is_gone_over_there_is_gone_here(folder):
    """A copy's writer is our own process, which is no xenbaked and lives on: the host's screen says what the server says."""
    with host(XENBAKED, folder) as (region, daemon), server(XENMON, region) as serve:
        serve.wait_for_data()
        daemon.kill()
        daemon.wait()
        wait_for(lambda: serve.ask("/healthz")[0] == 503 and b'"dead"' in serve.ask("/healthz")[2], "the server's word")
        wait_for(lambda: "is gone" in xenmon("connect", serve.url, serve.url, "--once", "--width=200")[1], "the table's word")
        code, out, said = xenmon("--connect", serve.url, "--frames=8", "--interval=500ms", "--width=120")
        last = out[len(out) // 2:]
        assert code == 0 and said == "" and "xenbaked of that host has ended or is gone" in last, (code, out, said)
        assert "(pid" not in out and "stale" not in last, out


def a_copy_that_a_kill_left_goes_with_the_next_start(folder):
    with host(XENBAKED, folder) as (region, _), server(XENMON, region) as serve:
        serve.wait_for_data()
        process = subprocess.Popen([XENMON, "connect", serve.url, "--frames=100000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: copies_of(process.pid), "a copy")
            left = copies_of(process.pid)
        finally:
            process.kill()
            process.wait()
        assert [path for path in left if os.path.exists(path)] == left, "whoever is killed at once cannot have removed it"
        with connection(serve.url) as (_, living):
            wait_for(lambda: not os.path.exists(os.path.dirname(left[0])), "what was left to be removed")
            code, _, said = xenmon("connect", serve.url, "--once")
            assert code == 0, (code, said)
            assert os.path.exists(living), "the copy of one that lives was removed"


# ---- One host, several hosts.

def one_host_as_text_is_the_live_screen_s(folder):
    with host(XENBAKED, folder) as (region, _), server(XENMON, region, f"--listen=unix:{folder}/sock") as serve:
        serve.wait_for_data()
        time.sleep(2)
        for url in (serve.url, f"http+unix://{folder}/sock", "http+unix://" + f"{folder}/sock".replace("/", "%2F")):
            code, out, said = xenmon("--connect", url, "--once", "--width=100", "--sort=-wait")
            assert code == 0, (url, code, said)
            assert "web" in out and "Domain-0" in out and "2 pCPUs" in out, out
        code, out, said = xenmon("live", "--once", f"--connect={serve.url}", "--view=vcpus")
        assert code == 0 and "web" in out, (code, out, said)


def several_hosts_are_a_table(folder):
    (folder / "b").mkdir()
    with host(XENBAKED, folder) as (one, _), host(XENBAKED, folder / "b") as (two, _), \
            server(XENMON, one) as first, server(XENMON, two) as second:
        first.wait_for_data()
        second.wait_for_data()
        time.sleep(1.5)
        gone = f"http://127.0.0.1:{free_port()}"
        code, out, said = xenmon("--connect", first.url, "--connect", second.url, "--connect", gone, "--once", "--width=120")
        assert code == 0, (code, said)
        lines = out.splitlines()
        assert lines[0].startswith("XenMon  3 hosts, 2 live"), out
        for serve in (first, second):
            line = next(li for li in lines if str(serve.port) in li)
            match = re.search(r"live +(\d+\.\d)% +(\d\.\d\d) +3 +4 +0 +\d\.\d s +\d+\.\d% \S", line)
            assert match and 90 < float(match[1]) <= 100 and 0.5 < float(match[2]) < 2, line
        assert any("lost" in li and "nobody answers" in li for li in lines), out
        code, out, _ = xenmon("connect", first.url, second.url, "--once", f"--filter={second.port}")
        assert str(second.port) in out and str(first.port) not in out, out


def a_table_on_a_terminal_goes_into_a_host_and_back(folder):
    from session import Session
    (folder / "b").mkdir()
    with host(XENBAKED, folder) as (one, _), host(XENBAKED, folder / "b") as (two, _), \
            server(XENMON, one) as first, server(XENMON, two) as second:
        first.wait_for_data()
        second.wait_for_data()
        screen = Session([str(XENMON), "--connect", first.url, "--connect", second.url, "--no-config"], columns=100)
        try:
            assert screen.wait(lambda s: s.text().count("live") >= 3), screen.text()
            assert "pCPU%" in screen.text() and "Enter look at it" in screen.text(), screen.text()
            screen.send(f"/{second.port}\r")
            assert screen.wait(lambda s: str(first.port) not in "\n".join(s.text().splitlines()[1:])), screen.text()
            screen.send("\r")
            assert screen.wait(lambda s: "rec/s" in s.text() and "Domain-0" in s.text()), screen.text()
            assert str(second.port) in screen.text(), screen.text()
            screen.send("q")
            assert screen.wait("only hosts with"), screen.text()
            screen.send("\x1b")
            assert screen.wait(lambda s: str(first.port) in s.text()), screen.text()
            screen.resize(60, 12)
            assert screen.wait("HOST"), screen.text()
            screen.send("?")
            assert screen.wait("Columns") or screen.wait("Keys"), screen.text()
            screen.send("q")  # ends the help only
            assert screen.wait("Enter look"), screen.text()
            second.process.kill()
            assert screen.wait("lost"), screen.text()
            screen.send("q")
            assert screen.wait_end() == 0, screen.text()
            assert screen.settings_kept()
        finally:
            screen.close()


def one_host_on_a_terminal_is_its_screen(folder):
    from session import Session
    with host(XENBAKED, folder) as (region, _), server(XENMON, region) as serve:
        serve.wait_for_data()
        screen = Session([str(XENMON), "--connect", serve.url, "--no-config"])
        try:
            assert screen.wait(lambda s: "rec/s" in s.text() and "Domain-0" in s.text()), screen.text()
            serve.process.kill()
            assert screen.wait("stale"), screen.text()
            screen.send("q")
            assert screen.wait_end() == 0
            assert screen.settings_kept()
        finally:
            screen.close()


# ---- Who may ask.

def a_wrong_token_is_refused_and_a_right_one_is_not(folder):
    with host(XENBAKED, folder) as (region, _):
        for name, text in (("good", "sesame-0123456789abcdef\n"), ("bad", "open-0123456789abcdef\n"), ("empty", "\n"), ("odd", "a\x01b\n")):
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        with server(XENMON, region, f"--token-file={folder / 'good'}") as serve:
            wait_for(lambda: serve.ask("/api/v1/region", Authorization="Bearer sesame-0123456789abcdef")[0] == 200, "the server")
            time.sleep(1.5)
            code, out, said = xenmon("--connect", serve.url, "--once", f"--token-file={folder / 'good'}")
            assert code == 0 and "web" in out, (code, said)
            for words in ((), (f"--token-file={folder / 'bad'}",)):
                code, out, said = xenmon("--connect", serve.url, "--once", *words)
                assert code == 3 and "not permitted (401)" in said and out == "", (code, out, said)
                assert len(said.splitlines()) == 1
            code, out, _ = xenmon("connect", serve.url, serve.url, "--once", "--width=100")
            assert code == 3 and out.count("refused") == 2, (code, out)
            for name, why in (("empty", "empty"), ("odd", "control character"), ("none", "No such file")):
                code, _, said = xenmon("--connect", serve.url, f"--token-file={folder / name}")
                assert code == 2 and why in said, (name, code, said)


def secrets_do_not_go_in_clear_to_others(folder):
    secret = folder / "token"
    secret.write_text("secret-token\n")
    password = folder / "user"
    password.write_text("joe:secret-token\n")
    for how, file in (("token", secret), ("user", password)):
        for mode, why in ((0o644, "others may read"), (0o662, "others may read or change"), (0o640, "in clear"), (0o600, "in clear")):
            file.chmod(mode)
            code, _, said = xenmon("--connect", "http://192.0.2.1:8436", f"--{how}-file={file}", "--once")
            assert code == 2 and why in said and len(said.splitlines()) == 1 and "secret-token" not in said, (mode, code, said)
    home = folder / "home"
    home.mkdir()
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login joe password secret-token\n")
    for mode, code in ((0o644, 2), (0o600, 3)):
        netrc.chmod(mode)
        for how in ("--netrc", f"--netrc={netrc}"):
            done = subprocess.run([XENMON, "--connect", f"http://127.0.0.1:{free_port()}", how, "--once"], capture_output=True, text=True, check=False,
                                  env={**os.environ, "HOME": str(home)}, timeout=30)
            assert done.returncode == code and ("others may read or change" in done.stderr) == (code == 2), (mode, how, done)
    # Names that only look like this machine are anybody's.
    for there in ("192.0.2.1", "127.evil.example", "127.0.0.1.evil.example", "127.", "localhost.evil.example", "128.0.0.1", "[::2]",
                  "[::ffff:192.0.2.1]", "[fe80::1]", "126.255.255.255"):
        for how in (f"--token-file={secret}", f"--user-file={password}", f"--netrc={secret}"):
            code, _, said = xenmon("--connect", f"http://{there}:8436", how, "--once")
            assert code == 2 and "in clear" in said and "secret-token" not in said, (there, code, said)
    for here in ("127.0.0.1", "127.255.255.254", "127.1", "localhost", "LocalHost", "[::1]", "[0:0::0:1]"):
        code, _, said = xenmon("--connect", f"http://{here}:{free_port()}", f"--token-file={secret}", "--once")
        assert code == 3 and "in clear" not in said, (here, code, said)
    code, _, said = xenmon("--connect", "http://joe:hunter2@127.0.0.1:8436")
    assert code == 2 and "hunter2" not in said, (code, said)


def wrong_usage_is_said_in_a_line(_):
    for words, why in ((("connect",), "URL is missing"), (("--connect", "ftp://x"), "begins with https"),
                       (("--connect", "http://127.0.0.1:8436/path"), "more than a scheme"),
                       (("--connect", "http://127.0.0.1:99999"), "127.0.0.1:99999"),
                       (("--connect", "http+unix://relative/path"), "socket"), (("--connect", "http+unix:///" + "x" * 300), "socket"),
                       (("connect", *["http://127.0.0.1:1"] * 65), "64")):
        code, out, said = xenmon(*words)
        assert code == 2 and why in said and out == "" and len(said.splitlines()) == 1, (words[:2], code, said)
    # All that are wrong, and no server is asked meanwhile.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        good, one, two = f"http://127.0.0.1:{listener.getsockname()[1]}", "http://127.0.0.1:99999", "http+unix://relative/path"
        code, out, said = xenmon("connect", good, one, two)
        lines = said.splitlines()
        assert code == 2 and out == "" and len(lines) == 2 and "127.0.0.1:99999" in lines[0] and "socket" in lines[1], (code, said)
        listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            listener.accept()
            raise AssertionError("one of them was asked before the others were looked at")
    code, out, _ = xenmon("connect", "--help")
    assert code == 0 and "--token-file" in out and max(map(len, out.splitlines())) <= 80


def made_certificate(folder, name):
    """(certificate, key) of a server at 127.0.0.1, its own authority."""
    key, certificate = folder / f"{name}-key.pem", folder / f"{name}-cert.pem"
    try:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-keyout", key, "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                       capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Skip("no openssl") from error
    return certificate, key


@contextlib.contextmanager
def server_of_tls(folder):
    """(URL, token file, certificate) of a server with a token and a certificate of its own making."""
    token = folder / "token"
    token.write_text("sesame-0123456789abcdef\n")
    token.chmod(0o600)
    certificate, key = made_certificate(folder, "server")
    with host(XENBAKED, folder) as (region, _), \
            server(XENMON, region, f"--tls-cert={certificate}", f"--tls-key={key}", f"--token-file={token}") as serve:
        time.sleep(2.5)
        yield f"https://127.0.0.1:{serve.port}", token, certificate


def a_server_of_tls_is_believed_with_its_authority_only(folder):
    with server_of_tls(folder) as (url, token, certificate):
        code, out, said = xenmon("--connect", url, "--once", f"--token-file={token}", f"--ca-file={certificate}")
        assert code == 0 and "web" in out, (code, said)
        other, _ = made_certificate(folder, "other")
        for words in ((), (f"--ca-file={other}",)):
            code, _, said = xenmon("--connect", url, "--once", f"--token-file={token}", *words)
            assert code == 3 and "not trusted" in said and "--ca-file" in said, (words, code, said)
        port = url.rsplit(":", 1)[1]
        code, _, said = xenmon("--connect", f"http://127.0.0.1:{port}", "--once")
        assert code == 1 and "https://" in said and said.count("\n") == 1, (code, said)
    with host(XENBAKED, folder) as (region, _), server(XENMON, region) as serve:
        code, _, said = xenmon("--connect", f"https://127.0.0.1:{serve.port}", "--once")
        assert code == 1 and "http://" in said and said.count("\n") == 1, (code, said)


def an_authority_that_is_given_replaces_the_system_s(folder):
    """The system trusts the server, in a view of the files that is this test's own: --ca-file with another authority does not."""
    with server_of_tls(folder) as (url, token, certificate):
        other, _ = made_certificate(folder, "other")
        trusting = ("mount -t tmpfs certs /etc/ssl/certs && cp \"$0\" /etc/ssl/certs/server.pem && "
                    "cp \"$0\" /etc/ssl/certs/ca-certificates.crt && exec \"$@\"")

        def run(*words):
            return subprocess.run(["unshare", "--mount", "--map-root-user", "sh", "-c", trusting, certificate, *words],
                                  capture_output=True, text=True, timeout=60, check=False)
        try:
            able = run("true")
        except OSError as error:
            raise Skip("no unshare") from error
        if able.returncode != 0:
            raise Skip(f"the system's authorities cannot be put elsewhere: {able.stderr.strip()[:100]}")
        ask = (XENMON, "--connect", url, "--once", f"--token-file={token}")
        done = run(*ask)
        assert done.returncode == 0 and "web" in done.stdout, done
        done = run(*ask, f"--ca-file={other}")
        assert done.returncode == 3 and "not trusted" in done.stderr and not done.stdout, done
        done = run(*ask, f"--ca-file={certificate}")
        assert done.returncode == 0 and "web" in done.stdout, done


# ---- Servers that lie.

class Liar(http.server.BaseHTTPRequestHandler):
    """Answers of a real server, changed by `lie`, a function (path, body) -> body, or of the handler itself."""
    protocol_version = "HTTP/1.1"
    lie = None
    answers = None

    def do_GET(self):
        path = self.path.split("?")[0]
        body = self.answers.get(self.path) or self.answers[path]
        try:
            told = type(self).lie(self, path, body)
            if told is not None:
                self.reply(told)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def reply(self, body, status=200, **headers):
        self.send_response(status)
        given = {"Content-Type": "application/octet-stream", "Content-Length": str(len(body)), **headers}
        for name, value in given.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Threads(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        pass


@contextlib.contextmanager
def liar(answers, lie):
    kind = type("OneLiar", (Liar,), {"answers": answers, "lie": lie})
    serve = Threads(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=serve.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{serve.server_port}"
    finally:
        serve.shutdown()
        serve.server_close()


def real_answers(folder):
    """What an honest server says."""
    answers = {}
    with host(XENBAKED, folder) as (region, _), server(XENMON, region) as serve:
        serve.wait_for_data()
        time.sleep(3)
        for path in ("/api/v1/region", "/api/v1/region/samples?series=slow&from=0", "/api/v1/region/samples?series=fast&from=0",
                     "/api/v1/region/histograms"):
            status, _, body = serve.ask(path)
            assert status == 200
            answers[path.split("&")[0]] = body
    answers["/api/v1/region/samples"] = answers.pop("/api/v1/region/samples?series=fast")
    answers["slow"] = answers.pop("/api/v1/region/samples?series=slow")
    return answers


def put(body, at, form, value):
    changed = bytearray(body)
    struct.pack_into("<" + form, changed, at, value)
    return bytes(changed)


def only(path, change):
    """A lie about one path; the truth about the others."""
    def lie(self, asked, body):
        if "series=slow" in self.path:
            body = self.answers["slow"]
        return change(self, body) if asked == path or path == "*" else body
    return lie


def endless(self, _):
    self.send_response(200)
    self.send_header("Content-Type", "application/octet-stream")
    self.end_headers()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        self.wfile.write(b"\0" * 1048576)


def endless_headers(self, _):
    self.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for i in range(1000000):
        self.wfile.write(b"X-%d: y\r\n" % i)


@functools.lru_cache
def packed_zeros():
    """A quarter of a gigabyte in a few kilobytes."""
    return subprocess.run(["zstd", "-q", "-c"], input=b"\0" * (1 << 28), capture_output=True, check=False).stdout


def bomb(self, _):
    self.reply(packed_zeros(), Content_Encoding="zstd")


def broken_off(self, body):
    self.send_response(200)
    self.send_header("Content-Type", "application/octet-stream")
    self.send_header("Content-Length", str(len(body)))
    self.end_headers()
    self.wfile.write(body[:len(body) // 2])
    self.close_connection = True


REGION, SAMPLES, HISTOGRAMS = "/api/v1/region", "/api/v1/region/samples", "/api/v1/region/histograms"
H = HEAD.size
CAPACITY = H + 16 + 32  # of the region's answer: domains, vCPUs, pCPUs
METRICS = CAPACITY + 16 + 32 + 256 + 208
LIES = {
    "redirect": (REGION, lambda s, b: s.reply(b"", 302, Location="http://127.0.0.1:1/api/v1/region"), "leads elsewhere", 1),
    "status 500": (REGION, lambda s, b: s.reply(b"\x1b[2J", 500), "status 500", 1),
    "no such path": (REGION, lambda s, b: s.reply(b"", 404), "no region", 1),
    "not now": (REGION, lambda s, b: s.reply(b'{"error":{"code":"x","message":"no region \x1b[2J yet"}}', 503), "not now", 3),
    "html": (REGION, lambda s, b: s.reply(b, Content_Type="text/html"), "something else", 1),
    "empty": (REGION, lambda s, b: b"", "no description", 1),
    "wrong magic": (REGION, lambda s, b: b"XENMONRG" + b[8:], "no description", 1),
    "another version": (REGION, lambda s, b: put(b, 8, "I", 2), "version 2", 1),
    "an answer to something else": (REGION, lambda s, b: put(b, 12, "I", 2), "something else", 1),
    "wrong length": (REGION, lambda s, b: put(b, 16, "Q", len(b) + 1), "wrong length", 1),
    "a state there is not": (REGION, lambda s, b: put(b, 48, "I", 99), "state", 1),
    "cut short": (REGION, lambda s, b: put(b[:100], 16, "Q", 100), "too early", 1),
    "broken off": (REGION, broken_off, "", 1),
    "endless": (REGION, endless, "longer than any", 1),
    "endless headers": (REGION, endless_headers, "", 1),
    "a bomb of zstd": (REGION, bomb, "longer than any", 1),
    "no zstd": (REGION, lambda s, b: s.reply(b, Content_Encoding="zstd"), "cannot be unpacked", 1),
    "no capacity": (REGION, lambda s, b: put(b, CAPACITY, "I", 0), "capacity", 1),
    "a million domains": (REGION, lambda s, b: put(put(b, CAPACITY, "I", 1 << 20), CAPACITY + 4, "I", 1 << 20), "too large", 1),
    "interval 0": (REGION, lambda s, b: put(b, CAPACITY + 16, "Q", 0), "interval", 1),
    "a billion metrics": (REGION, lambda s, b: put(b, METRICS, "I", 1 << 30), "metrics", 1),
    "a metric of no scope": (REGION, lambda s, b: put(b, METRICS + 8, "B", 77), "metric", 1),
    "a metric of 65535 values": (REGION, lambda s, b: put(b, METRICS + 12, "H", 65535), "metric", 1),
    "a billion domains": (REGION, lambda s, b: put(b, METRICS + 4, "I", 1 << 30), "domains", 1),
    "a domain beyond the capacity": (REGION, lambda s, b: put(b, len(b) - 136, "I", 1 << 31), "beyond", 1),
    "a million rows": (SAMPLES, lambda s, b: put(b, H + 8 + 8, "I", 1 << 20), "more rows", 1),
    "a billion samples": (SAMPLES, lambda s, b: put(b, H + 4, "I", 1 << 30), "early", 1),
    "no sample, and more bytes": (SAMPLES, lambda s, b: put(b, H + 4, "I", 0), "after its end", 1),
    "index beyond all": (SAMPLES, lambda s, b: put(b, H + 8, "Q", 1 << 63), "order", 1),
    "another series": (SAMPLES, lambda s, b: put(b, H, "I", 7), "series", 1),
    "another region each time": (SAMPLES, lambda s, b: put(b, 32, "Q", random.getrandbits(60) | 1), "another region", 1),
    "another description each time": (SAMPLES, lambda s, b: put(b, 24, "Q", random.getrandbits(60)), "another region", 1),
    "samples cut short": (SAMPLES, lambda s, b: put(b[:len(b) - 7], 16, "Q", len(b) - 7), "too early", 1),
    "no HTTP": ("*", lambda s, b: s.wfile.write(b"220 smtp ready\r\n") and None, "", 1),
}


def no_lie_does_more_than_end_in_a_message(folder):
    answers = real_answers(folder)
    packed_zeros()
    for name, (path, change, why, wanted) in LIES.items():
        with liar(answers, only(path, change)) as url:
            # Two of them, so that the table is what says it; a single one would show what came before the lie.
            code, out, said = xenmon("connect", url, url, "--once", "--width=400", timeout=90)
        assert "ERROR: AddressSanitizer" not in said and "runtime error" not in said, (name, said)
        assert said == "" and "\x1b" not in out, (name, said)
        lines = [li for li in out.splitlines() if li.startswith("127.0.0.1")]
        assert len(lines) == 2, (name, out)
        for line in lines:
            assert re.search(r" (bad|lost|gone) ", line), (name, line)
            assert why in line, f"{name}: '{why}' is not in: {line}"
        if path == REGION:
            assert code == wanted, (name, code, out)


def a_lie_to_one_host_is_an_exit_code(folder):
    answers = real_answers(folder)
    for name in ("redirect", "wrong magic", "another version", "not now", "endless"):
        path, change, why, wanted = LIES[name]
        with liar(answers, only(path, change)) as url:
            code, out, said = xenmon("--connect", url, "--once", timeout=90)
        assert code == wanted and why in said and out == "" and len(said.splitlines()) == 1 and "\x1b" not in said, (name, code, said)


def a_storm_of_small_lies_neither_crashes_nor_grows(folder):
    answers = real_answers(folder)
    rng = random.Random(int(os.environ.get("XM_SEED", "20261126")))
    count = {"asked": 0}

    def lie(self, path, body):
        if "series=slow" in self.path:
            body = self.answers["slow"]
        count["asked"] += 1
        changed = bytearray(body)
        for _ in range(rng.choice((0, 0, 0, 0, 0, 0, 1, 2, 8))):
            at = rng.randrange(len(changed))
            changed[at] = rng.choice((0, 1, 0x7f, 0x80, 0xff, changed[at] ^ 1 << rng.randrange(8)))
        return bytes(changed)
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(liar(answers, lie)) for _ in range(8)]
        process = subprocess.Popen([XENMON, "connect", *urls, "--frames=1000000", "--interval=100ms"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        try:
            def memory():
                text = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
                return int(re.search(r"RssAnon:\s+(\d+)", text)[1])
            time.sleep(6)
            assert process.poll() is None, process.stderr.read()
            early = memory()
            time.sleep(12)
            assert process.poll() is None, process.stderr.read()
            late = memory()
        finally:
            code, said = ended(process)
        assert code == 0 and said == "", (code, said)
        print(f"# {count['asked']} answers, most of them wrong; {early} kB of its own at first, {late} kB later")
        assert count["asked"] > 100 and late < early + 20000


def a_server_that_never_answers_is_given_up(folder):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        began = time.monotonic()
        code, out, said = xenmon("connect", f"http://127.0.0.1:{deaf.getsockname()[1]}", "--once", timeout=60)
        assert code in (1, 3) and "no answer" in said and out == "", (code, said)
        assert time.monotonic() - began < 25
        # And a signal ends the waiting.
        process = subprocess.Popen([XENMON, "connect", f"http://127.0.0.1:{deaf.getsockname()[1]}"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        began = time.monotonic()
        ended(process)
        assert time.monotonic() - began < 5


TESTS = [
    every_counter_of_the_copy_is_the_host_s_own,
    the_copy_follows_from_the_first_sample_on,
    another_run_of_xenbaked_is_another_run_here,
    growth_over_there_is_growth_here,
    a_server_that_was_away_is_caught_up_with,
    silence_over_there_is_silence_here,
    an_end_over_there_is_an_end_here,
    whoever_is_gone_over_there_is_gone_here,
    a_copy_that_a_kill_left_goes_with_the_next_start,
    one_host_as_text_is_the_live_screen_s,
    several_hosts_are_a_table,
    a_table_on_a_terminal_goes_into_a_host_and_back,
    one_host_on_a_terminal_is_its_screen,
    a_wrong_token_is_refused_and_a_right_one_is_not,
    secrets_do_not_go_in_clear_to_others,
    wrong_usage_is_said_in_a_line,
    a_server_of_tls_is_believed_with_its_authority_only,
    an_authority_that_is_given_replaces_the_system_s,
    no_lie_does_more_than_end_in_a_message,
    a_lie_to_one_host_is_an_exit_code,
    a_storm_of_small_lies_neither_crashes_nor_grows,
    a_server_that_never_answers_is_given_up,
]


def main():
    wanted = sys.argv[4:]
    tests = [t for t in TESTS if not wanted or any(w in t.__name__ for w in wanted)]
    with tempfile.TemporaryDirectory() as folder:
        return run_tests(tests, folder)


if __name__ == "__main__":
    sys.exit(main())
