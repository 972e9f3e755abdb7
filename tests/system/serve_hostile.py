#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ten thousand requests that are wrong in every way: over TLS with a right token, over TCP, and over a Unix socket.

usage: serve_hostile.py XENMON XENBAKED SOURCE_ROOT     TAP on stdout, exit 1 when anything fails
XM_SERVE_MUTATIONS: how many mutated requests are sent (10000); XM_SEED: those of another run.
"""
import contextlib
import http.client
import json
import os
import pathlib
import re
import socket
import ssl
import sys
import tempfile
import threading
import time
import xmlrpc.client

from serve_kit import Skip, certificate, free_port, host, process_facts, run_tests, sanitized, secret, seeded, server, settled

XENMON, XENBAKED, ROOT = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
SERVE = XENMON.with_name("xenmon-serve")
TOKEN = "0123456789abcdef-our-token"
MANY = 40  # connections that wait for their answers at a time
VALUES = {"domid": "1", "domain": "1", "metric": "running_s,wait_ratio", "from": "-10s", "to": "now", "step": "1s", "window": "exec,1s,10s",
          "series": "fast", "after": "3", "limit": "4", "first": "0", "interval": "100ms"}
HEADERS = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
           "If-None-Match": '"1-1", W/"2"', "Accept-Encoding": "gzip;q=0.5, zstd, *;q=0", "Last-Event-ID": "1-2-3",
           "Host": "localhost:8436", "Range": "bytes=0-5", "Expect": "100-continue", "Cookie": "a=b"}
PIECES = [b"%", b"%00", b"%ff", b"%c3%28", b"\0", b"\r\n", b"\n", b" ", b"\t", b"{", b"/../", b"?", b"&", b"=", b"\xff\xfe", b"\xc3\xa9", b"A" * 5000,
          b":", b"-1", b",", b"chunked", b"9" * 30, b"18446744073709551616", b"1e999", b"-0", b"nan", b"2026-02-30T25:61:61Z", b"+", b";q=", b"\x80"]
TAGS = [b"<value>", b"</value>", b"<i4>9999999999</i4>", b"<nil/>", b"<array><data>", b"</data></array>", b"&#0;", b"&#x110000;", b"&amp;", b"<double>1e999</double>",
        b"<string>", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?xml encoding='utf-16'?>", b"<!DOCTYPE a>", b"<struct><member><name>", b"\xff\xfe", b"<base64>=</base64>",
        b"<dateTime.iso8601>x</dateTime.iso8601>", b"<i8>-9223372036854775809</i8>", b"<a b='/>'>", b"<" * 40, b"<param>" * 33]
WORDS = [b"", b" ", b"0", b"-1", b"1", b"77", b"65536", b"9" * 30, b"exec,1s,10s", b"1s,1s", b"5m", b"-5m", b"now", b"running_s,", b"running_s," * 20,
         b"wait_ratio", b"2026-02-30T25:61:61Z", b"xenmon.domain", b"system.shutdown", b"&#65;&amp;&lt;", b"\xc3\xa9\xf0\x9f\x90\xa7", b"a" * 300, b"1e999",
         b"<![CDATA[exec]]>", b"<!-- -->1s", b"<nil/>", b"<string>1s</string>", b"<array><data/></array>", b"100ms", b"3100000000s"]
TYPED = [b"<i8>/9</i8>", b"<i8>%s</i8>", b"<ex:i8 xmlns:ex='a'>x</ex:i8>", b"<i4>%n</i4>", b"<i4>99999999999</i4>", b"<double>1e999</double>", b"<double>1.5</double>",
         b"<boolean>7</boolean>", b"<base64>=</base64>", b"<base64>YWJj</base64>", b"<dateTime.iso8601>99999999T99:99:99</dateTime.iso8601>", b"<i1>x</i1>", b"<nil>x</nil>",
         b"<array><data><value>1</value></data></array>", b"<struct><member><name>a</name><value/></member></struct>", b"<string/>", b"1s", b"<x/>"]


# ---- What is right, before it is changed.

def targets():
    """A path with its query for each route of the description, and those that it does not have."""
    found = ["/metrics", "/healthz", "/readyz", "/", "/app.js"]
    for path, operations in json.loads((ROOT / "src/export/openapi.json").read_text())["paths"].items():
        given = [p["name"] for o in operations.values() for p in o.get("parameters", [])]
        path = re.sub(r"\{(\w+)\}", lambda m: VALUES[m[1]], path)
        query = [f"{name}={VALUES[name]}" for name in given if name in VALUES and name not in ("domid", "after")]
        found.append(path)
        if query:
            found.append(f"{path}?{'&'.join(query)}")
    assert len(found) > 20, found
    return [target.encode() for target in found]


def calls():
    """Bodies of calls that are right."""
    def call(method, *arguments):
        return xmlrpc.client.dumps(arguments, method, allow_none=True).encode()
    return [call("xenmon.domain", 1, "1s"), call("xenmon.version"), call("xenmon.snapshot", "exec,1s"), call("xenmon.metrics"),
            call("xenmon.history", 1, "running_s", "-5s", "now", "1s"), call("xenmon.vcpus", "1"), call("system.methodHelp", "xenmon.domain"),
            call("system.multicall", [{"methodName": "xenmon.version", "params": []}, {"methodName": "xenmon.cpus", "params": ["1s"]}]),
            call("system.methodSignature", "xenmon.history"), call("system.listMethods")]


class Maker:
    """Requests, wrong by some changes each."""

    def __init__(self, rng):
        self.rng = rng
        self.targets, self.calls = targets(), calls()

    def change(self, data, pieces, most=4):
        data = bytearray(data)
        for _ in range(self.rng.randrange(1, most + 1)):
            at = self.rng.randrange(len(data) + 1)
            kind = self.rng.randrange(5)
            if kind == 0 and data:
                data[at % len(data)] = self.rng.randrange(256)
            elif kind == 1:
                data[at:at] = self.rng.choice(pieces)
            elif kind == 2:
                del data[at:at + self.rng.randrange(1, 30)]
            elif kind == 3:
                data[at:at] = data[at // 2:at]
            else:
                del data[at:]
                data += self.rng.choice(pieces)
        return bytes(data)

    def body(self):
        """A call with other words in it, with values of other types, with other elements, or with other bytes."""
        body = self.rng.choice(self.calls)
        kind = self.rng.randrange(4)
        values = list(re.finditer(rb"<(string|int)>[^<]*</\1>", body))
        if kind == 0 and values:
            one = self.rng.choice(values)
            parts = [body[:one.start()], self.rng.choice(TYPED), body[one.end():]]
        elif kind < 2:
            parts = re.split(rb"(>[^<>]*<)", body)
            for _ in range(self.rng.randrange(1, 3)):
                parts[self.rng.randrange(len(parts) // 2) * 2 + 1] = b">" + self.rng.choice(WORDS) + b"<"
        elif kind == 2:
            parts = re.split(rb"(<[^<>]*>)", body)
            for _ in range(self.rng.randrange(1, 3)):
                one, other = self.rng.randrange(len(parts)), self.rng.randrange(len(parts))
                parts[one] = self.rng.choice((b"", parts[other], parts[one] * 2, parts[one] + self.rng.choice(TAGS)))
        else:
            parts = [self.change(body, TAGS, 2)]
        return b"".join(parts)

    def packets(self, body):
        """A body in chunks that are right."""
        out = b""
        while body:
            size = self.rng.randrange(1, 200)
            out += b"%x\r\n%s\r\n" % (len(body[:size]), body[:size])
            body = body[size:]
        return out + b"0\r\n\r\n"

    def head(self, method, target, headers=(), authorization=b""):
        lines = [method + b" " + target + b" HTTP/1.1", b"Host: localhost"] + ([authorization] if authorization else []) + list(headers)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def call(self, authorization):
        """A call whose length is right, so that the parser sees what is wrong in it."""
        body = self.body()
        kind = b"Content-Type: text/xml"
        if self.rng.randrange(4) == 0:
            return self.head(b"POST", b"/RPC2", [kind, b"Transfer-Encoding: chunked"], authorization) + self.packets(body)
        return self.head(b"POST", b"/RPC2", [kind, b"Content-Length: %d" % len(body)], authorization) + body

    def question(self, authorization):
        """A target or a header that is wrong, in a request that ends where it should."""
        target = self.rng.choice([t for t in self.targets if b"/stream" not in t])
        headers = []
        if self.rng.randrange(3) == 0:
            name = self.rng.choice(sorted(set(HEADERS) - {"Host", "Expect"}))
            value = re.sub(rb"[\r\n\0]", b"", self.change(HEADERS[name].encode(), PIECES))
            headers = [name.encode() + b": " + value]
        else:
            keep = 1 + (self.rng.randrange(len(target)) if self.rng.randrange(2) else len(target.split(b"=")[0]))
            target = target[:keep] + re.sub(rb"[\r\n\0 \t]", b"", self.change(target[keep:], PIECES))
        return self.head(b"GET", target, headers, authorization)

    def seed(self, authorization):
        target = self.rng.choice(self.targets)
        headers = [f"{name}: {HEADERS[name]}".encode() for name in self.rng.sample(sorted(HEADERS), 2) if name != "Host"]
        kind = self.rng.randrange(4)
        if kind == 0:
            body = self.rng.choice(self.calls)
            return self.head(b"POST", b"/RPC2", [b"Content-Type: text/xml", b"Content-Length: %d" % len(body)] + headers, authorization) + body
        if kind == 1:
            return self.head(b"POST", b"/RPC2", [b"Content-Type: text/xml", b"Transfer-Encoding: chunked"], authorization) + \
                self.packets(self.rng.choice(self.calls))
        return self.head(b"GET" if kind == 2 else b"HEAD", target, headers, authorization)

    def several(self, authorization):
        """Bytes of 1 to 4 requests on one connection, each of them changed anywhere: (bytes, how many)."""
        count = self.rng.choice((1, 1, 1, 2, 4))
        return b"".join(self.change(self.seed(authorization), PIECES) for _ in range(count)), count


# ---- How it is sent.

class Road:
    """One way to a server: connections, and a count of what came back."""

    def __init__(self, connect, authorization=b""):
        self.connect, self.authorization = connect, authorization
        self.statuses, self.faults = {}, {}
        self.client, self.file = None, None
        self.waiting, self.lost = [], 0

    def open(self):
        client = socket.socket(socket.AF_UNIX if isinstance(self.connect, str) else socket.AF_INET)
        client.settimeout(20)
        client.connect(self.connect)
        if client.family == socket.AF_INET:  # else a request waits until the end of the handshake is acknowledged
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def close(self):
        if self.client:
            self.file.close()
            self.client.close()
        self.client = None

    def count(self, status):
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def answer(self):
        """(status, body) of the next answer; None where the server hung up."""
        line = self.file.readline(70000)
        if not line:
            return None
        status = int(re.fullmatch(rb"HTTP/1\.[01] (\d\d\d) [^\r\n]*\r\n", line)[1])
        length, last = None, False
        while (line := self.file.readline(70000)) not in (b"\r\n", b""):
            name, _, value = line.lower().partition(b":")
            length = int(value) if name == b"content-length" else length
            last = last or (name == b"connection" and b"close" in value)
        if status == 100:
            return self.answer()
        body = b"" if status == 304 else self.file.read(length) if length is not None else self.file.read()
        if last or (length is None and status != 304):
            self.close()
        return status, body

    def ask(self, request, is_call):
        """One after the other on the same connection, for as long as the server keeps it."""
        for _ in range(2):
            fresh = self.client is None
            if fresh:
                self.client = self.open()
                self.file = self.client.makefile("rb")
            try:
                self.client.sendall(request)
                got = self.answer()
            except (OSError, ssl.SSLError) as error:
                assert not isinstance(error, TimeoutError), request
                got = None
            if got:
                break
            self.close()
            if fresh:  # else the connection was idle for too long, or the answer before closed it
                self.lost += 1
                return
        self.count(got[0])
        if is_call and got[0] == 200:
            fault = re.search(rb"<name>faultCode</name>\s*<value><(?:int|i4)>(-?\d+)<", got[1])
            code = "bad_call" if b"bad_call" in got[1] else int(fault[1]) if fault else "answered"
            self.faults[code] = self.faults.get(code, 0) + 1

    def throw(self, data, rng):
        """Bytes on a connection of their own; what comes of them is looked at later."""
        client = self.open()
        with contextlib.suppress(OSError):
            client.sendall(data)
            if rng.randrange(3) and not isinstance(client, ssl.SSLSocket):
                client.shutdown(socket.SHUT_WR)
        self.waiting.append(client)
        if len(self.waiting) > MANY:
            self.look(self.waiting.pop(0))

    def look(self, client):
        with client, contextlib.suppress(OSError):
            client.settimeout(0.01)
            first = re.match(rb"HTTP/1\.[01] (\d\d\d) ", client.recv(65536))
            if first and int(first[1]) != 100:
                self.count(int(first[1]))

    def end(self):
        self.close()
        while self.waiting:
            self.look(self.waiting.pop())


class SecureRoad(Road):
    def __init__(self, connect, cert):
        super().__init__(connect, f"Authorization: Bearer {TOKEN}".encode())
        self.context = ssl.create_default_context(cafile=cert)

    def open(self):
        return self.context.wrap_socket(super().open(), server_hostname="localhost")


class GoodClient(threading.Thread):
    """Somebody who asks rightly all the while, each time on a new connection: how long each answer took."""

    def __init__(self, port, cert, plain_port):
        super().__init__(daemon=True)
        self.port, self.plain_port = port, plain_port
        self.context = ssl.create_default_context(cafile=cert)
        self.times, self.wrong, self.stop = [], [], threading.Event()

    def probe(self, number):
        if number % 2:
            connection = http.client.HTTPConnection("127.0.0.1", self.plain_port, timeout=60)
        else:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=60, context=self.context)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        try:
            if number % 3 == 0:
                connection.request("POST", "/RPC2", xmlrpc.client.dumps((), "xenmon.version").encode(), {"Content-Type": "text/xml", **headers})
                answer = connection.getresponse()
                assert xmlrpc.client.loads(answer.read())[0][0]["api"] == "v1"
            else:
                connection.request("GET", ("/healthz", "/metrics", "/api/v1/domains")[number % 5 % 3], headers=headers)
                answer = connection.getresponse()
                assert answer.read()
            assert answer.status == 200, answer.status
        finally:
            connection.close()

    def run(self):
        number = 0
        while not self.stop.is_set():
            begun = time.monotonic()
            try:
                self.probe(number)
            except Exception as error:  # whatever it is, it is the server's fault
                self.wrong.append((number, repr(error)))
            self.times.append(time.monotonic() - begun)
            number += 1
            self.stop.wait(0.1)


# ---- The test.

def send_all(maker, roads, count):
    """Half over the first road, the rest over the others by turns: how many calls had a right length."""
    rng, sent, called = maker.rng, 0, 0
    while sent < count:
        road = roads[0] if sent % 2 == 0 else roads[1 + sent // 2 % (len(roads) - 1)]
        kind = rng.randrange(100)
        if kind < 40:
            road.ask(maker.call(road.authorization), True)
            called += 1
            sent += 1
        elif kind < 70:
            road.ask(maker.question(road.authorization), False)
            sent += 1
        else:
            data, many = maker.several(road.authorization)
            road.throw(data, rng)
            sent += many
    for road in roads:
        road.end()
    return called


def judge(roads, count, called):
    """What came of them: most were answered, and the parser of XML saw a sizeable part."""
    names = ("TLS", "TCP", "Unix")
    reached = 0
    for name, road in zip(names, roads):
        print(f"# {name}: {dict(sorted(road.statuses.items()))}, {road.lost} hung up on; calls: {road.faults}")
        assert sum(road.statuses.values()) > count / len(roads) / 4, name
        assert road.statuses.get(401, 0) < sum(road.statuses.values()) / 4, "most had a right token, where one is asked for"
        assert set(road.statuses) <= {200, 304, 400, 401, 404, 405, 406, 411, 413, 414, 415, 417, 421, 431, 501, 503, 505}, road.statuses
        reached += sum(n for code, n in road.faults.items() if code != "bad_call")
    print(f"# {reached} of {called} calls came as far as the parser of XML")
    answered = sum(road.faults.get("answered", 0) for road in roads)
    assert reached > called * 0.4 and reached > count * 0.1, (reached, called)
    assert 0 < answered < reached, "some are right all the same, and some are wrong for the parser"


def ten_thousand_mutated_requests(folder):
    count = int(os.environ.get("XM_SERVE_MUTATIONS", "10000"))
    maker = Maker(seeded(os.environ.get("XM_SEED")))
    try:
        cert, key = certificate(folder, "one")
    except OSError as error:
        raise Skip("openssl is not installed") from error
    tokens = secret(folder / "tokens", TOKEN + "\n")
    port, limits = free_port(), ("--request-timeout=2s", "--timeout=2s", "--max-connections=400", "--max-per-address=300")
    slow = sanitized(SERVE)
    with host(XENBAKED, folder) as (region, _), server(XENMON, region, f"--access-log={folder / 'log'}", *limits) as plain, \
            server(XENMON, region, f"--tls-cert={cert}", f"--tls-key={key}", f"--token-file={tokens}", f"--listen=unix:{folder / 'sock'}",
                   f"--access-log={folder / 'log2'}", *limits, port=port) as secure:
        plain.wait_for_data()
        roads = [SecureRoad(("127.0.0.1", port), cert), Road(("127.0.0.1", plain.port)), Road(str(folder / "sock"))]
        for target in maker.targets:
            if b"/stream" not in target:
                for road in roads:
                    road.ask(maker.head(b"GET", target, (), road.authorization), False)
        send_all(maker, roads, 600)  # every buffer, every thread's heap, and what is opened when it is asked for first, is there then
        for road in roads:
            road.statuses, road.faults, road.lost = {}, {}, 0
        settled(secure.process.pid)
        before = {it: process_facts(it.process.pid) for it in (plain, secure)}
        good = GoodClient(port, cert, plain.port)
        good.start()
        begun = time.monotonic()
        called = send_all(maker, roads, count)
        took = time.monotonic() - begun
        good.stop.set()
        good.join(90)
        judge(roads, count, called)
        print(f"# {took:.1f} s; {len(good.times)} good requests meanwhile, the longest took {max(good.times) * 1000:.0f} ms")
        assert not good.wrong, good.wrong[:5]
        assert len(good.times) > 5 and max(good.times) < (30 if slow else 10), max(good.times)
        for name, it in (("plain", plain), ("secure", secure)):
            assert it.process.poll() is None, it.process.stderr.read()
            after = settled(it.process.pid, before[it])
            print(f"# {name}: {before[it]} before, {after} after")
            assert after["descriptors"] == before[it]["descriptors"] and after["threads"] == before[it]["threads"], (before[it], after)
            # A sanitizer keeps what was freed.
            assert slow or after["resident_kb"] < before[it]["resident_kb"] + 16384, (before[it], after)
        plain.wait_for_data()
        for it in (plain, secure):
            said = it.end()  # under a sanitizer: any fault or leak is another exit code
            assert "ERROR" not in said and "runtime error" not in said, said
        for name in ("log", "log2"):
            for line in (folder / name).read_bytes().splitlines():
                assert re.fullmatch(rb'([0-9.]+|unix) - \S+ \[[^\]]+\] "\S+ \S+ \S+" \d+ (\d+|-)', line), line


TESTS = [ten_thousand_mutated_requests]

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(run_tests(TESTS, temporary))
