#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Histories are dear, and keep nobody waiting who asks for something else.

usage: serve_dear.py XENMON XENBAKED SOURCE_ROOT MADE_REGION     TAP on stdout, exit 1 when anything fails
"""
import contextlib
import gzip
import http.client
import json
import pathlib
import shutil
import sqlite3
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import xmlrpc.client

import serve_kit as kit
from waiting import wait_for

XENMON, XENBAKED, ROOT, MADE_REGION = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
# Of 34 domains nearly as much as one answer may have.
METRICS = "running_ratio,wait_ratio,blocked_ratio,offline_ratio,unknown_ratio,executions_per_s"
DEAR = f"/api/v1/history?from=-95s&to=now&step=100ms&metric={METRICS}"
WORDS = "".join(f"<param><value><string>{word}</string></value></param>" for word in ("", METRICS, "-95s", "now", "100ms"))
CALL = f"<methodCall><methodName>xenmon.history</methodName><params>{WORDS}</params></methodCall>"
PAST = "/api/v1/history?from=-10m&step=1s"
OTHERS = ("/healthz", "/metrics", "/api/v1/version")


def ask(port, path, source="127.0.0.1", body=None, **headers):
    """(seconds, status, headers, body) of one request on a connection of its own."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(source, 0))
    try:
        connection.request("POST" if body else "GET", path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        return time.monotonic() - begun, answer.status, answer.headers, data
    finally:
        connection.close()


class Askers:
    """Clients at addresses of their own that ask one dear question again and again; how long those took that were not sent away."""

    def __init__(self, count, question):
        self.stop, self.took, self.away, self.failed = threading.Event(), [], 0, []
        self.threads = [threading.Thread(target=self.run, args=(f"127.0.0.{2 + n}", question)) for n in range(count)]

    def run(self, source, question):
        try:
            while not self.stop.is_set():
                seconds, status, _, body = question(source)
                if status == 503 and json.loads(body)["error"]["code"] == "busy" or b"<fault>" in body[:300]:
                    self.away += 1
                    time.sleep(0.05)
                else:
                    self.took.append(seconds)
        except Exception as error:  # a test may fail in any way
            self.failed.append(repr(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class Others:
    """
    Connections that stay open, as a scraper's do, on which something else is asked.  A new one is taken up by a thread that is free: it would say
    little about those that a busy one has.
    """

    def __init__(self, port):
        self.connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(24)]
        for connection in self.connections:
            self.one(connection, "/healthz")

    @staticmethod
    def one(connection, path):
        begun = time.monotonic()
        connection.request("GET", path)
        connection.getresponse().read()
        return time.monotonic() - begun

    def until(self, condition):
        """How long the longest answer of each round takes, on one connection after the other, while condition() is not true."""
        longest = []
        while not condition():
            longest.append(max(self.one(connection, OTHERS[i % len(OTHERS)]) for i, connection in enumerate(self.connections)))
            time.sleep(0.03)
        return longest

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self.connections:
            connection.close()


def say(title, took):
    print(f"# {title}: {len(took)}, median {statistics.median(took) * 1000:.1f} ms, mean {statistics.mean(took) * 1000:.1f} ms, longest {max(took) * 1000:.0f} ms", flush=True)


@contextlib.contextmanager
def made_region(path):
    """A region of 34 domains."""
    writer = subprocess.Popen([MADE_REGION, path, "34", "1", "2"])
    try:
        wait_for(path.exists, "a region")
        yield
    finally:
        writer.kill()
        writer.wait()


def durable_history(folder):
    """The directory of a durable history that nobody writes any more."""
    directory = folder / "h"
    directory.mkdir()
    with kit.host(XENBAKED, folder, f"--history={directory}", "--history-sync=300ms") as (_, daemon):
        time.sleep(2)
        daemon.terminate()
        daemon.wait(timeout=20)
    return directory


@contextlib.contextmanager
def locked_history(folder):
    """A durable history that another process has locked: a question waits five seconds for it, and computes nothing."""
    directory = durable_history(folder)
    lock = sqlite3.connect(directory / "history.db", isolation_level=None, check_same_thread=False)
    lock.execute("PRAGMA locking_mode = EXCLUSIVE")
    lock.execute("BEGIN EXCLUSIVE")
    lock.execute("UPDATE run SET ended = ended")
    try:
        yield directory, lock
    finally:
        lock.close()


def nobody_waits_for_a_history_that_waits(folder):
    with locked_history(folder) as (directory, lock), kit.server(XENMON, folder / "none", f"--history={directory}") as it:
        with Others(it.port) as others, Askers(3, lambda source: ask(it.port, PAST, source)) as askers:
            took = others.until(lambda: len(askers.took) >= 5 or askers.failed)
        say("histories of a locked database", askers.took)
        say("longest of each round of others meanwhile", took)
        assert not askers.failed and askers.away, (askers.failed, askers.away)
        assert min(askers.took) > 4, "these waited for the lock"
        assert max(took) < min(askers.took) / 2, "somebody waited for another's history"
        lock.execute("ROLLBACK")
        lock.close()
        wait_for(lambda: ask(it.port, PAST)[1] == 200, "a history of it")  # those that were sent away last go first
        it.end()


def nobody_waits_for_histories_that_compute(folder):
    """The dearest question by XML-RPC, two at a time: both CPUs of a small host are busy, and its threads are not."""
    with made_region(folder / "shm"), kit.server(XENMON, folder / "shm") as it:
        it.wait_for_data()
        wait_for(lambda: len(ask(it.port, DEAR)[3]) > 1 << 20, "a history that is dear")
        kinds = (lambda source: ask(it.port, "/RPC2", source, CALL, **{"Content-Type": "text/xml"}), lambda source: ask(it.port, DEAR, source))
        with Others(it.port) as others:
            until = time.monotonic() + 2
            alone = others.until(lambda: time.monotonic() > until)
            with Askers(4, lambda source: kinds[int(source[-1]) % 2](source)) as askers:
                busy = others.until(lambda: len(askers.took) >= 6 or askers.failed)
        say("longest of each round without histories", alone)
        say("histories", askers.took)
        say("longest of each round of others meanwhile", busy)
        assert not askers.failed, askers.failed
        # Every round asks every thread: where one of them is busy with a history, each round has to wait for it.  A machine that halts us now and
        # then is not that.
        assert statistics.median(busy) < statistics.median(askers.took) / 4, "others waited for histories"
        it.end()


def a_history_is_whole_however_it_is_asked_for(folder):
    """Packed, by TLS, without its body, one after the other on one connection; the log tells of them as of all others."""
    if not shutil.which("openssl"):
        raise kit.Skip("openssl is not installed")
    cert, key = kit.certificate(folder, "one")
    log = folder / "log"
    with made_region(folder / "shm"), kit.server(XENMON, folder / "shm", f"--tls-cert={cert}", f"--tls-key={key}", f"--access-log={log}") as it:
        connection = http.client.HTTPSConnection("127.0.0.1", it.port, timeout=60, context=ssl.create_default_context(cafile=cert))

        def one(method, path, **headers):
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        wait_for(lambda: one("GET", "/healthz")[0] == 200, "a region")
        time.sleep(5)
        to = time.time() - 1
        path = f"/api/v1/history?from={to - 3}&to={to}&step=1s"
        _, plain_headers, plain = one("GET", path)
        _, packed_headers, packed = one("GET", path, **{"Accept-Encoding": "gzip"})
        status, head_headers, nothing = one("HEAD", path)
        connection.close()
        values = [json.loads(text)["domains"] for text in (plain, gzip.decompress(packed))]
        assert values[0] == values[1] and len(values[0]) == 34, values
        assert packed_headers["Content-Encoding"] == "gzip" and len(packed) < len(plain)
        assert status == 200 and nothing == b"" and abs(int(head_headers["Content-Length"]) - int(plain_headers["Content-Length"])) < 100, head_headers
        it.end()
        logged = [line for line in log.read_text().splitlines() if path in line][-3:]
        assert [line.split()[-1] for line in logged] == [str(len(plain)), str(len(packed)), "0"], logged
        assert [line.split()[-2] for line in logged] == ["200"] * 3 and '"HEAD ' in logged[2], logged


def who_goes_and_a_stop_leave_nothing_behind(folder):
    """Clients that go while their histories wait, and an end meanwhile: it ends well, and long before it would be ended."""
    with locked_history(folder) as (directory, _), kit.server(XENMON, folder / "none", f"--history={directory}") as it:
        def gone(timeout):
            connection = http.client.HTTPConnection("127.0.0.1", it.port, timeout=timeout)
            connection.request("GET", PAST)
            with contextlib.suppress(TimeoutError):
                return json.loads(connection.getresponse().read())["error"]["code"]
            connection.close()
            return None
        before = kit.settled(it.process.pid)
        for _ in range(2):
            assert gone(0.5) is None, "these wait"
        assert gone(20) == "busy", "both turns are taken, whoever has gone: one that has a turn waits, and says no_data"
        wait_for(lambda: gone(0.5) is None, "a turn that is free again")
        time.sleep(6)
        after = kit.settled(it.process.pid, like=before)
        assert after["descriptors"] == before["descriptors"] and after["threads"] == before["threads"], (before, after)
        wait_for(lambda: gone(0.5) is None, "a history in the making")
        begun = time.monotonic()
        said = it.end()
        assert "--history" not in said, f"it is there, if locked: {said}"
        print(f"# it ended within {time.monotonic() - begun:.1f} s, with a history in the making")


def a_call_for_many_histories_ends(folder):
    """
    A durable history whose domains never end: a question gives up after four seconds, and says the same whether it is about a name or an id; a call
    of sixteen ends long before a server that hangs would be ended.
    """
    directory = durable_history(folder)
    with contextlib.closing(sqlite3.connect(directory / "history.db")) as database:
        database.execute("ALTER TABLE domain RENAME TO ended")
        database.execute("CREATE VIEW domain AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT ended.* FROM n CROSS JOIN ended WHERE i < 0")
        database.commit()
    calls = [{"methodName": "xenmon.history", "params": [word, "", "-10m", "now", "1s"]} for word in ("", "nobody") * 8]
    with kit.server(XENMON, folder / "none", f"--history={directory}") as it:
        for word in ("1", "nobody"):
            seconds, status, _, body = ask(it.port, f"{PAST}&domain={word}")
            assert status == 400 and json.loads(body)["error"]["code"] == "too_much" and seconds > 3, (word, seconds, status, body)
        seconds, status, _, body = ask(it.port, "/RPC2", body=xmlrpc.client.dumps((calls,), "system.multicall"), **{"Content-Type": "text/xml"})
        said = [answer["faultString"].split(":")[0] for answer in xmlrpc.client.loads(body)[0][0]]
        made = said.count("too_much")
        print(f"# {made} of {len(said)} were begun, within {seconds:.1f} s")
        assert said == ["too_much"] * made + ["busy"] * (16 - made) and 1 < made < 7 and seconds < 45, (said, seconds)
        it.end()


TESTS = [nobody_waits_for_a_history_that_waits, nobody_waits_for_histories_that_compute, a_history_is_whole_however_it_is_asked_for,
         who_goes_and_a_stop_leave_nothing_behind, a_call_for_many_histories_ends]


def main():
    with tempfile.TemporaryDirectory() as folder:
        return kit.run_tests(TESTS, folder)


if __name__ == "__main__":
    sys.exit(main())
