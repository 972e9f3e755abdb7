#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An hour of ordinary use in about two minutes: what the server holds at its end is what it held after a quarter.

usage: serve_soak.py XENMON XENBAKED SOURCE_ROOT     TAP on stdout, exit 1 when anything fails

The hour, in twelve rounds of the same: a scrape every 15 s (240), a program that asks the API every 5 s (720) and
XML-RPC every minute (60), a question of history every minute (60), two pages that are open (7200 events of their streams) and loaded
anew now and then, xenbaked restarted twelve times, half of them by kill -9, 60 domains created and destroyed, a wrong token every
minute, tokens and certificate read again twelve times.  All of it over TLS with a token, each question on a new connection.
"""
import contextlib
import http.client
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import xmlrpc.client

from serve_kit import PLACEHOLDER, SCENARIO, Skip, certificate, free_port, process_facts, run_tests, sanitized, secret, server, settled

XENMON, XENBAKED, ROOT = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
SERVE = XENMON.with_name("xenmon-serve")
TOKEN = "0123456789abcdef-our-token"
ROUNDS = 12
STREAMS = 8
HOUR = {"scrapes": 240, "api": 720, "rpc": 60, "history": 60, "events": 7200, "loads": 24, "domains": 60, "wrong": 60}
# Between the second quarter and the last, which is half an hour of use: a leak of a megabyte an hour is seen.
BOUND_KB = 512
API = ["/api/v1/host", "/api/v1/domains", "/api/v1/cpus", "/api/v1/windows?window=1s", "/api/v1/domains/0", "/api/v1/domains/1/vcpus?window=1s",
       "/api/v1/metrics", "/api/v1/version", "/healthz", "/readyz", "/api/v1/region", "/api/v1/region/samples?series=fast&limit=4"]
PAGE = ["/", "/app.js", "/style.css", "/icon.svg"]
ORDINARY = SCENARIO.partition(f"\n[domain {PLACEHOLDER}]")[0]  # without the name that means harm


def scenario(folder, number):
    """A host on which five domains come and go within six seconds."""
    text = ORDINARY
    for i in range(HOUR["domains"] // ROUNDS):
        text += f"\n[domain guest-{number}-{i}]\nid = {10 + i}\nrole = hog\nfrom = {1 + i * 0.5}s\nto = {3 + i * 0.5}s\n"
    path = folder / f"host{number}.ini"
    path.write_text(text)
    return path


class User:
    """Everybody who asks, as one."""

    def __init__(self, port, cert):
        self.port = port
        self.context = ssl.create_default_context(cafile=cert)
        self.asked, self.seen, self.failed = 0, set(), []

    def ask(self, path, method="GET", body=None, wanted=(200,), token=TOKEN, **headers):
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=60, context=self.context)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {token}", **{k.replace("_", "-"): v for k, v in headers.items()}})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        assert answer.status in wanted, (path, answer.status, data[:200])
        self.asked += 1
        return data

    def watch(self, count):
        try:
            self.seen.add(self.listen(count))
        except Exception as error:  # its thread's end is looked at
            self.failed.append(repr(error))

    def listen(self, count):
        """A page's stream until it has brought so many events; begun again where it ends, as a browser does."""
        events, last = 0, ""
        while events < count:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=60, context=self.context)
            with contextlib.closing(connection):
                connection.request("GET", "/api/v1/stream?interval=100ms", headers={"Authorization": f"Bearer {TOKEN}", **({"Last-Event-ID": last} if last else {})})
                answer = connection.getresponse()
                assert answer.status == 200, answer.status
                while events < count and (line := answer.readline()):
                    events += line.startswith(b"data:")
                    last = line[3:].decode().strip() if line.startswith(b"id:") else last
        return last

    def round(self, server_process):
        """A twelfth of the hour."""
        streams = [threading.Thread(target=self.watch, args=(HOUR["events"] // ROUNDS // STREAMS,), daemon=True) for _ in range(STREAMS)]
        for stream in streams:
            stream.start()
        for number in range(HOUR["api"] // ROUNDS):
            # A domain may not be there yet, or any more; and xenbaked may be about to write its first sample.
            self.ask(API[number % len(API)], wanted=(200, 404, 503))
            if number % 3 == 0:
                self.ask("/metrics", Accept="application/openmetrics-text" if number % 2 else "text/plain")
            if number % 12 == 0:
                call = ("xenmon.snapshot", ("1s",)) if number % 24 else ("xenmon.domains", ())
                self.ask("/RPC2", "POST", xmlrpc.client.dumps(call[1], call[0]).encode(), Content_Type="text/xml")
                self.ask("/api/v1/history?metric=running_ratio,wait_ratio&from=-1m&step=1s", wanted=(200, 400, 503))
                self.ask("/api/v1/host", wanted=(401,), token=f"guess-number-{number:04}")
            if number % 30 == 0:
                for path in PAGE:
                    self.ask(path, wanted=(200, 404))  # a build without npm has the first of them alone
            if number == 30:
                server_process.send_signal(signal.SIGHUP)
            time.sleep(0.05)
        for stream in streams:
            stream.join(120)
            assert not stream.is_alive() and not self.failed, f"a stream does not go on: {self.failed}"


@contextlib.contextmanager
def baked(folder, region, number):
    """A run of xenbaked, ended in order or not."""
    daemon = subprocess.Popen([XENBAKED, "--foreground", "--region", region, "--no-record", f"--source=sim:{scenario(folder, number)}"],
                              stderr=subprocess.PIPE, text=True)
    try:
        yield daemon
        assert daemon.poll() is None, daemon.stderr.read()
    finally:
        daemon.send_signal(signal.SIGTERM if number % 2 else signal.SIGKILL)
        daemon.communicate(timeout=60)


class Drain(threading.Thread):
    """Reads what the server says, so that it need not wait, and looks at what it holds."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.said = process, []

    def run(self):
        for line in self.process.stderr:
            self.said.append(line)


def slope(values):
    """Of a straight line through them: its rise from the first to the last."""
    n = len(values)
    middle, mean = (n - 1) / 2, sum(values) / n
    return sum((i - middle) * (v - mean) for i, v in enumerate(values)) / sum((i - middle) ** 2 for i in range(n)) * (n - 1)


def an_hour_of_use_leaves_no_trace(folder):
    try:
        cert, key = certificate(folder, "one")
    except OSError as error:
        raise Skip("openssl is not installed") from error
    tokens, region, port = secret(folder / "tokens", TOKEN + "\n"), folder / "shm", free_port()
    facts, begun = [], time.monotonic()
    with server(XENMON, region, f"--tls-cert={cert}", f"--tls-key={key}", f"--token-file={tokens}", "--interval=100ms", "--linger=1s",
                "--max-per-address=64", "--max-streams=64", port=port) as it:  # an old stream may not be quite over yet
        drain = Drain(it.process)
        drain.start()
        user = User(port, cert)
        for number in range(ROUNDS):
            with baked(folder, region, number):
                user.round(it.process)
                facts.append(settled(it.process.pid, facts[0] if facts else None))
            assert it.process.poll() is None, drain.said
            print(f"# round {number + 1}: {facts[-1]}", flush=True)
        restarts = sum(int(line.split()[-1]) for line in user.ask("/metrics").decode().splitlines() if line.startswith("xenmon_baked_restarts_total"))
        it.process.terminate()
        assert it.process.wait(60) == 0, drain.said
        drain.join(10)
    print(f"# {user.asked} questions and {HOUR['events']} events in {time.monotonic() - begun:.0f} s, {restarts} restarts of xenbaked seen")
    assert restarts >= 10 and len(user.seen) > 1 and sum("read again" in line for line in drain.said) == ROUNDS, drain.said
    judge(facts)


def judge(facts):
    """Whether what was held stayed the same after the first quarter."""
    quarter = ROUNDS // 4
    resident = [f["resident_kb"] for f in facts]
    means = [sum(resident[i:i + quarter]) / quarter for i in range(0, ROUNDS, quarter)]
    rise = slope(resident[quarter:])
    print(f"# resident in the quarters: {', '.join(f'{m:.0f}' for m in means)} kB; a line through the last three rises by {rise:.0f} kB")
    for what in ("descriptors", "threads"):
        assert len({f[what] for f in facts}) == 1, (what, [f[what] for f in facts])
    if sanitized(SERVE):
        raise Skip("a sanitizer keeps what was freed: flat memory is for the ordinary build")
    assert means[3] - means[1] < BOUND_KB and rise < 2 * BOUND_KB, (means, rise, resident)


TESTS = [an_hour_of_use_leaves_no_trace]

if __name__ == "__main__":
    assert process_facts(os.getpid())["threads"] == 1
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(run_tests(TESTS, temporary))
