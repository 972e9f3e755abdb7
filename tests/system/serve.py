#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The server as its neighbours meet it: who may ask, /metrics, health, limits, reloads, hostile clients.

usage: serve.py XENMON XENBAKED SOURCE_ROOT MADE_REGION     TAP on stdout, exit 1 when anything fails
"""
import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import serve_kit as kit
from serve_kit import Server, Skip, certificate, ended, free_port, host, run_tests, secret, server
from waiting import wait_for

XENMON, XENBAKED, ROOT, MADE_REGION = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
SERVE = XENMON.with_name("xenmon-serve")
sys.path.insert(0, str(ROOT / "contrib/python"))
import xenmon_region  # noqa: E402  pylint: disable=wrong-import-position

TOKEN = "0123456789abcdef-our-token"
EVERY_PATH = ["/", "/metrics", "/healthz", "/readyz", "/api/v1/host", "/api/v1/domains", "/api/v1/stream", "/RPC2", "/nowhere"]
OPEN_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


# ---- Helpers.

@contextlib.contextmanager
def made_region(path, domains, vcpus, pcpus, *name):
    """A region of any size; its writer."""
    writer = subprocess.Popen([MADE_REGION, path, str(domains), str(vcpus), str(pcpus), *name])
    try:
        for _ in range(200):
            if path.exists():
                break
            assert writer.poll() is None
            time.sleep(0.02)
        yield writer
    finally:
        with contextlib.suppress(ProcessLookupError):
            writer.send_signal(signal.SIGCONT)
        writer.kill()
        writer.wait()


def refused(*words):
    """What a server that must not start says, on one line."""
    done = subprocess.run([SERVE, "--user=none", *map(str, words)], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2, (words, done.returncode, done.stderr)
    assert done.stderr.startswith("xenmon serve: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


class Secure:
    """A server that others can reach, and requests to it."""

    def __init__(self, folder, region, *words):
        if not shutil.which("openssl"):
            raise Skip("openssl is not installed")
        self.cert, self.key = certificate(folder, "one")
        self.tokens = secret(folder / "tokens", f"# ours\n{TOKEN}\n")
        self.port = free_port()
        self.process = subprocess.Popen([SERVE, "--user=none", f"--listen=0.0.0.0:{self.port}", f"--region={region}", f"--tls-cert={self.cert}",
                                         f"--tls-key={self.key}", f"--token-file={self.tokens}", *words], stderr=subprocess.PIPE, text=True)
        for _ in range(100):
            assert self.process.poll() is None, self.process.stderr.read()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError("the server does not listen")

    def connect(self, cert):
        context = ssl.create_default_context(cafile=cert)
        return http.client.HTTPSConnection("localhost", self.port, timeout=20, context=context)

    def ask(self, path, method="GET", authorization=None, body=None, cert=None):
        connection = self.connect(cert or self.cert)
        try:
            connection.request(method, path, body, {"Authorization": authorization} if authorization else {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        while "read again" not in (said := self.process.stderr.readline()):  # it may have other things to say
            assert said, "it ended"
        return said


@contextlib.contextmanager
def secure(folder, region, *words):
    it = Secure(folder, region, *words)
    try:
        while "answering at" not in it.process.stderr.readline():
            pass
        yield it
    finally:
        it.process.kill()
        it.process.communicate()


LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def series(body):
    """{(name, frozenset of labels): value} of a text format; a series that is there twice is an error."""
    found = {}
    for line in body.decode().splitlines():
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        assert match, line
        labels = frozenset((k, re.sub(r"\\(.)", r"\1", v)) for k, v in LABEL.findall(match.group(2) or ""))
        key = match.group(1), labels
        assert key not in found, f"twice: {line}"
        found[key] = float(match.group(3))
    return found


def value(found, name, **labels):
    """The one series that has all these labels."""
    wanted = {(k, str(v)) for k, v in labels.items()}
    hits = [v for (n, have), v in found.items() if n == name and wanted <= have]
    assert len(hits) == 1, (name, labels, hits)
    return hits[0]


def names(found):
    return {name for name, _ in found}


def sanitized():
    return kit.sanitized(SERVE)


# ---- Who may ask.

def it_listens_on_this_machine_alone(folder):
    """The default: what it listens on, as the kernel says."""
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    process = subprocess.Popen([SERVE, "--user=none", f"--region={folder / 'none'}"], stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "XDG_RUNTIME_DIR": str(runtime), "RUNTIME_DIRECTORY": str(runtime)})
    try:
        path = runtime / "http.sock"
        wait_for(path.exists, "the default socket", 10)
        assert path.stat().st_mode & 0o777 == 0o660, oct(path.stat().st_mode)
        inodes = set()
        for entry in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(entry)))
        for table, loopback in (("tcp", {"0100007F"}), ("tcp6", {"00000000000000000000000001000000"})):
            for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                words = line.split()
                if words[9] in inodes and words[3] == "0A":
                    assert words[1].split(":")[0] in loopback, line
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            answer = client.makefile("rb").read()
            assert answer.startswith(b"HTTP/1.1 503") and b'"status":"absent"' in answer, answer
    finally:
        code, said = ended(process)
    assert code == 0 and not path.exists(), said


def any_port_becomes_the_one_that_is_said(folder):
    """--listen=ADDRESS:0, twice, in IPv6, behind a name, and with TLS: each line names where it really answers."""
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    cert, key = certificate(folder, "one")
    context = ssl.create_default_context(cafile=cert)
    context.check_hostname = False
    words = ["127.0.0.1:0", "127.0.0.1:0", "localhost:0"]
    if pathlib.Path("/proc/net/if_inet6").exists() and "0" * 31 + "1 " in pathlib.Path("/proc/net/if_inet6").read_text():
        words.append("[::1]:0")
    last = f"unix:{folder / 'sock'}"
    for tls in ([], [f"--tls-cert={cert}", f"--tls-key={key}"]):
        process = subprocess.Popen([SERVE, "--user=none", f"--region={folder / 'none'}", *tls, *(f"--listen={word}" for word in [*words, last])],
                                   stderr=subprocess.PIPE, text=True)
        try:
            found = []
            while last not in found:
                line = process.stderr.readline()
                assert line, (found, process.wait(10))
                if line.startswith("xenmon serve: answering at "):
                    found.append(line.split(" at ", 1)[1].rstrip())
            assert len(set(found)) == len(found) > len(words), found
            assert any("[" in where for where in found) >= ("[::1]:0" in words), found
            for where in found[:-1]:
                address, port = re.fullmatch(r"\[?(127\.0\.0\.1|::1)\]?:([1-9]\d*)", where).groups()
                made = (http.client.HTTPSConnection(address, int(port), timeout=20, context=context) if tls
                        else http.client.HTTPConnection(address, int(port), timeout=20))
                made.request("GET", "/healthz")
                assert made.getresponse().status == 503, where
                made.close()
        finally:
            code, said = ended(process)
        assert code == 0, said


def beyond_it_only_with_tls_and_authentication(folder):
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    cert, key = certificate(folder, "one")
    tokens = secret(folder / "tokens", TOKEN + "\n")
    port = free_port()
    rule = "others can reach"
    for address in (f"0.0.0.0:{port}", f"[::]:{port}", f"*:{port}"):
        assert rule in refused("--listen", address)
        assert rule in refused("--listen", address, "--tls-cert", cert, "--tls-key", key)
        assert rule in refused("--listen", address, "--token-file", tokens)
    assert "go together" in refused("--listen", f"0.0.0.0:{port}", "--tls-cert", cert, "--token-file", tokens)
    assert str(tokens) in refused("--listen", f"0.0.0.0:{port}", "--tls-cert", tokens, "--tls-key", key, "--token-file", tokens)
    other = certificate(folder, "two")[1]
    assert "do not do" in refused("--listen", f"127.0.0.1:{port}", "--tls-cert", cert, "--tls-key", other)
    tokens.chmod(0o644)
    done = subprocess.run([SERVE, "--listen", f"127.0.0.1:{port}", "--token-file", tokens], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 3 and "others may read" in done.stderr, done
    for bad in ("nonsense", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:65536", "::1:80", "[::1:80", "unix:", "127.0.0.1:http"):
        refused("--listen", bad)


def nothing_is_said_without_authentication(folder):
    region = folder / "shm"
    with made_region(region, 2, 2, 2), secure(folder, region, "--rate=0") as it:
        wrong = [None, "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer " + "x" * 400, f"Basic {TOKEN}", TOKEN,
                 "Basic " + base64.b64encode(b"bob:secret").decode(), "Bearer # ours"]
        for path in EVERY_PATH:
            for authorization in wrong:
                method = "POST" if path == "/RPC2" else "GET"
                status, headers, body = it.ask(path, method, authorization, body="<x/>" if method == "POST" else None)
                assert status == 401, (path, authorization, status)
                assert headers["WWW-Authenticate"].startswith("Bearer "), headers
                assert json.loads(body)["error"]["code"] == "unauthorized" and len(body) < 200, body
        status, _, body = it.ask("/metrics", authorization=f"Bearer {TOKEN}")
        assert status == 200 and b"xen_vcpu_state_seconds_total" in body
        # Without TLS there is not even an answer.
        with socket.create_connection(("127.0.0.1", it.port), 5) as plain:
            plain.sendall(f"GET /metrics HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
            plain.settimeout(15)
            with contextlib.suppress(ConnectionResetError):
                assert b"xen" not in plain.makefile("rb").read()


def passwords_are_asked_for(folder):
    if not shutil.which("htpasswd"):
        raise Skip("htpasswd is not installed")
    line = subprocess.run(["htpasswd", "-nbB", "bob", "correct horse"], capture_output=True, text=True, check=True).stdout
    users = secret(folder / "users", line.strip() + "\n")

    def basic(text):
        return "Basic " + base64.b64encode(text.encode()).decode()
    with server(XENMON, folder / "none", f"--users={users}") as it:
        for text, wanted in {"bob:correct horse": 200, "bob:wrong": 401, "alice:correct horse": 401, "bob:": 401, "": 401, ":": 401}.items():
            assert it.ask("/metrics", Authorization=basic(text))[0] == wanted, text
        assert it.ask("/metrics")[1]["WWW-Authenticate"].startswith("Basic ")
        # What was right once is known again without hashing.
        times = []
        for _ in range(5):
            start = time.monotonic()
            assert it.ask("/metrics", Authorization=basic("bob:correct horse"))[0] == 200
            times.append(time.monotonic() - start)
        assert min(times) < 0.05, times


def the_configuration_file_has_the_same_names(folder):
    tokens = secret(folder / "tokens", TOKEN + "\n")
    conf = secret(folder / "serve.conf", f"[serve]\ntoken-file = {tokens}\nrate = 7\nlisten = 127.0.0.1:1\n")
    port = free_port()
    with server(XENMON, folder / "none", f"--config={conf}", port=port) as it:
        assert it.ask("/metrics")[0] == 401
        assert it.ask("/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
    shown = subprocess.run([SERVE, f"--config={conf}", "--rate=9", "--no-collector.vcpu", "--show-config"], capture_output=True, text=True, check=True)
    assert re.search(r"^rate = 9$", shown.stdout, re.M) and re.search(r"^listen = 127.0.0.1:1$", shown.stdout, re.M), shown.stdout
    assert re.search(r"^collector.vcpu = off$", shown.stdout, re.M) and re.search(r"^series_per_vcpu = 0$", shown.stdout, re.M)
    conf.write_text("[serve]\ntoken-fil = x\n")
    done = subprocess.run([SERVE, f"--config={conf}"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2 and f"{conf}:2" in done.stderr, done.stderr


def secrets_change_while_it_runs(folder):
    with secure(folder, folder / "none") as it:
        old = it.cert.read_bytes()
        kept = folder / "kept.pem"
        kept.write_bytes(old)
        assert it.ask("/healthz", authorization=f"Bearer {TOKEN}", cert=kept)[0] == 503
        cert, key = certificate(folder, "two")
        it.cert.write_bytes(cert.read_bytes())
        it.key.write_bytes(key.read_bytes())
        it.tokens.write_text("another-token-of-tomorrow\n")
        said = it.reload()
        assert said == "xenmon serve: tokens: read again; certificate: read again\n", said  # and no word of users
        assert it.ask("/healthz", authorization="Bearer another-token-of-tomorrow", cert=cert)[0] == 503
        assert it.ask("/healthz", authorization=f"Bearer {TOKEN}", cert=cert)[0] == 401
        with contextlib.suppress(ssl.SSLError):
            it.ask("/healthz", authorization="Bearer another-token-of-tomorrow", cert=kept)
            raise AssertionError("the old certificate is still shown")
        # What is wrong is said, and changes nothing.
        it.key.write_text("nonsense")
        said = it.reload()
        assert "tokens: read again; certificate: not read again, what was known stays: " in said, said
        assert it.ask("/healthz", authorization="Bearer another-token-of-tomorrow", cert=cert)[0] == 503
        it.key.write_bytes(key.read_bytes())
        it.tokens.write_text("short\n")
        said = it.reload()
        assert "tokens: not read again" in said and "tokens:1:" in said and "certificate: read again" in said, said
        assert it.ask("/healthz", authorization="Bearer another-token-of-tomorrow", cert=cert)[0] == 503


def root_steps_down_to_one_who_can_read_again(folder):
    """What the user cannot read could not be read again either: said at the start, not when a token is taken back."""
    if os.geteuid() != 0:
        raise Skip("it is about root")
    folder.chmod(0o755)
    tokens = secret(folder / "tokens", TOKEN + "\n")
    done = subprocess.run([SERVE, "--user=nobody", f"--listen=127.0.0.1:{free_port()}", f"--region={folder / 'none'}", f"--token-file={tokens}"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 3 and f"{tokens}: user 'nobody' cannot read it" in done.stderr, (done.returncode, done.stderr)


def a_stream_ends_when_tokens_are_read_again(folder):
    tokens = secret(folder / "tokens", TOKEN + "\n")
    with made_region(folder / "shm", 2, 2, 2), server(XENMON, folder / "shm", f"--token-file={tokens}") as it:
        stream = http.client.HTTPConnection("127.0.0.1", it.port, timeout=20)
        stream.request("GET", "/api/v1/stream", headers={"Authorization": f"Bearer {TOKEN}"})
        answer = stream.getresponse()
        assert answer.status == 200 and answer.readline()
        tokens.write_text("another-token-of-tomorrow\n")
        it.process.send_signal(signal.SIGHUP)
        wait_for(lambda: it.ask("/metrics", Authorization=f"Bearer {TOKEN}")[0] == 401, "the old token to be refused", 10)
        begun = time.monotonic()
        while answer.readline():
            assert time.monotonic() - begun < 10, "a stream outlives its token"
        stream.close()


def a_stream_goes_on_where_its_right_does(folder):
    """Where a reload fails nothing was taken back; who comes by the Unix socket never needed a token."""
    tokens, path = secret(folder / "tokens", TOKEN + "\n"), folder / "sock"
    with made_region(folder / "shm", 2, 2, 2), server(XENMON, folder / "shm", f"--token-file={tokens}", f"--listen=unix:{path}") as it:
        stream = http.client.HTTPConnection("127.0.0.1", it.port, timeout=20)
        stream.request("GET", "/api/v1/stream", headers={"Authorization": f"Bearer {TOKEN}"})
        by_token = stream.getresponse()
        local = socket.socket(socket.AF_UNIX)
        local.settimeout(20)
        local.connect(str(path))
        local.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        by_path = local.makefile("rb")

        def events(answer, count):
            """So many more events; fewer where it ends."""
            seen = 0
            while seen < count:
                line = answer.readline()
                if not line:
                    break
                seen += line.startswith(b"event: ")
            return seen

        def reload():
            it.process.send_signal(signal.SIGHUP)
            while "tokens: " not in (said := it.process.stderr.readline()):
                assert said, "it ended"
            return said
        assert by_token.status == 200 and events(by_token, 1) == events(by_path, 1) == 1
        tokens.write_text("short\n")
        assert "not read again" in reload()
        assert events(by_token, 3) == 3 and events(by_path, 3) == 3
        tokens.write_text("another-token-of-tomorrow\n")
        assert "not read again" not in reload()
        assert events(by_token, 15) < 15, "a stream outlives its token"
        assert events(by_path, 3) == 3
        by_path.close()
        local.close()
        stream.close()


def sent_bytes_are_those_that_were_sent(folder):
    def sent():
        return int(re.search(r"^xenmon_http_sent_bytes_total (\d+)", it.ask("/metrics")[2].decode(), re.M)[1])
    with made_region(folder / "shm", 200, 2, 2), server(XENMON, folder / "shm", "--rate=0") as it:
        it.wait_for_data()
        size = len(it.ask("/metrics")[2])
        before = sent()
        for _ in range(20):
            it.ask("/metrics", "HEAD")
        # The one that asked before is in it, and answers to HEAD are not.
        assert sent() - before < 2 * size, (before, size)
        before = sent()
        stream = http.client.HTTPConnection("127.0.0.1", it.port, timeout=20)
        stream.request("GET", "/api/v1/stream")
        answer = stream.getresponse()
        assert answer.status == 200
        got = len(answer.read(50000))
        stream.close()
        # Beside the answer that said `before`, at most some bytes of which differ from those of another.
        assert got == 50000 and sent() - before > size + 40000, (before, size)


def foreign_names_are_not_answered(folder):
    """A page elsewhere that makes its own name point here gets nothing."""
    with server(XENMON, folder / "none") as it:
        for name, wanted in {"localhost": 503, "127.0.0.1": 503, f"[::1]:{it.port}": 503, "evil.example": 421,
                             f"evil.example:{it.port}": 421, "127.0.0.1.evil.example": 421}.items():
            assert it.ask("/healthz", Host=name)[0] == wanted, name


# ---- What is asked wrongly.

def wrong_requests_get_an_error_that_says_what(folder):
    with server(XENMON, folder / "none", "--max-body=2K") as it:
        def fails(path, status, code, method="GET", body=None, **headers):
            got, answer, text = it.ask(path, method, body, **headers)
            assert got == status, (path, method, got, text[:200])
            assert answer["Content-Type"] == "application/json" and answer["X-Content-Type-Options"] == "nosniff"
            error = json.loads(text)["error"] if method != "HEAD" else {"code": code, "message": "-"}
            assert error["code"] == code and error["message"], (path, error)
            return answer
        for path in ("/nowhere", "/metrics/", "//metrics", "/metrics/../metrics", "/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
                     "/..%2f..%2fetc%2fpasswd", "/metrics%00", "/static/../../x"):
            got, _, text = it.ask(path)
            assert got in (400, 404) and b"root:" not in text, (path, got)
        fails("/nowhere", 404, "not_found")
        fails("/metrics?x=1", 400, "unknown_query_key")
        fails("/metrics?", 200, "") if False else None
        fails("/api/v1/windows?window=1s&window=1s", 400, "repeated_query_key")
        fails("/metrics?%ff=1", 400, "bad_query")
        fails("/%zz", 400, "bad_path")
        fails("/%c3%28", 400, "bad_path")
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "POST", "TRACE", "BREW"):
            assert fails("/metrics", 405, "method_not_allowed", method)["Allow"] == "GET, HEAD"
        assert fails("/RPC2", 405, "method_not_allowed")["Allow"] == "POST"
        fails("/metrics", 400, "unexpected_body", body="x")
        fails("/RPC2", 415, "unsupported_type", "POST", "<x/>", Content_Type="application/json")
        fails("/RPC2", 413, "body_too_large", "POST", "x" * 3000, Content_Type="text/xml")
        fails("/metrics", 406, "not_acceptable", Accept="image/png")
        fails("/nowhere", 404, "not_found", "HEAD")
        got, headers, text = it.ask("/metrics", "HEAD")
        assert got == 200 and text == b"" and int(headers["Content-Length"]) > 1000, headers


# ---- /metrics.

def both_formats_are_what_they_say(folder):
    with host(XENBAKED, folder) as (region, _), server(XENMON, region, "--collector.vcpu-histogram", "--collector.cpu-domain", "--created") as it:
        it.wait_for_data()
        status, headers, text = it.ask("/metrics")
        assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
            assert done.returncode == 0 and not done.stderr, done.stderr.decode() + done.stdout.decode()
        else:
            print("# promtool is not installed: not checked with it")
        for accept in ("application/openmetrics-text", "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                       "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"):
            status, headers, text = it.ask("/metrics", Accept=accept)
            assert status == 200 and headers["Content-Type"] == OPEN_TYPE, headers["Content-Type"]
        try:
            from prometheus_client.openmetrics.parser import text_string_to_metric_families
            from prometheus_client.parser import text_string_to_metric_families as plain_families
        except ImportError:
            raise Skip("python3-prometheus-client is not installed") from None
        families = {f.name: f for f in text_string_to_metric_families(text.decode())}
        assert families["xen_vcpu_state_seconds"].type == "counter" and families["xen_vcpu_state_seconds"].unit == "seconds"
        assert families["xen_domain"].type == "info" and families["xen_domain_runqueue_latency_seconds"].type == "histogram"
        assert families["xen_vcpu_runqueue_latency_seconds"].samples and families["xen_cpu_domain_seconds"].samples
        assert any(s.name.endswith("_created") for f in families.values() for s in f.samples)
        plain = list(plain_families(it.ask("/metrics")[2].decode()))
        assert len(plain) == len(families), (len(plain), len(families))
        for family in plain:
            assert family.documentation, family.name


def values_are_those_of_the_region(folder):
    """Every counter of every row, at the same sample, by a reader that shares no code with the server."""
    with host(XENBAKED, folder) as (path, _), server(XENMON, path) as it:
        it.wait_for_data()
        with xenmon_region.Region(str(path)) as region:
            def ended_executions():
                ids = [row["id"] for row in region.sample("fast", region.newest("fast"))["vcpu"]]
                totals = {}
                for slot, row in enumerate(ids):
                    if row:
                        counts = region.histogram(slot)["execution"]
                        totals[row & 0xffff] = totals.get(row & 0xffff, 0) + sum(counts)
                return totals
            before = ended_executions()
            time.sleep(2.5)
            found = series(it.ask("/metrics")[2])
            after = ended_executions()
            stamp = value(found, "xenmon_last_sample_timestamp_seconds")
            newest = region.newest("fast")
            sample = None
            for index in range(newest, max(-1, newest - 100), -1):
                candidate = region.sample("fast", index)
                if abs(candidate["host"]["real"] / 1e9 - stamp) < 1e-4:
                    sample = candidate
                    break
            assert sample, stamp
            hz = region.header()["tsc_hz"]
            name = {d: region.domain(slot)["name"] for slot, d in enumerate(row["id"] for row in sample["domain"]) if d}
        compared = 0
        for row in sample["vcpu"]:
            if not row["id"]:
                continue
            domid, vcpu = row["id"] & 0xffff, row["id"] >> 16 & 0xffff
            total = 0
            for state in ("running", "runnable", "blocked", "offline", "unknown"):
                shown = value(found, "xen_vcpu_state_seconds_total", domid=domid, vcpu=vcpu, state=state)
                assert abs(shown - row[state] / hz) < 2e-9 + shown * 1e-12, (row, state, shown)
                total += shown
            assert abs(total - sample["host"]["window"] / hz) < 1e-7, total
            for metric, family in (("executions", "xen_vcpu_executions_total"), ("migrations", "xen_vcpu_migrations_total"),
                                   ("slices", "xen_vcpu_slices_total")):
                assert value(found, family, domid=domid, vcpu=vcpu) == row[metric]
            compared += 1
        assert compared >= 4, compared
        for row in sample["domain"]:
            if not row["id"]:
                continue
            domid = row["id"] & 0xffff
            assert value(found, "xen_domain_executions_total", domid=domid, domain=name[row["id"]]) == row["executions"]
            assert abs(value(found, "xen_domain_wait_any_seconds_total", domid=domid) - row["wait_any"] / hz) < 2e-9 + row["wait_any"] / hz * 1e-12
            assert value(found, "xen_domain_io_operations_total", domid=domid, kind="grant_map") == row["grant_maps"]
            counts = value(found, "xen_domain_execution_duration_seconds_count", domid=domid)
            assert 0 < before[domid] <= counts <= after[domid], (before, counts, after)
        for row in sample["pcpu"]:
            if row["id"]:
                cpu = row["id"] & 0xffff
                assert abs(value(found, "xen_cpu_seconds_total", cpu=cpu, mode="idle") - row["idle"] / hz) < 1e-8
                assert value(found, "xen_cpu_switches_total", cpu=cpu) == row["executions"]
        assert not {n for n in names(found) if n.endswith("_created")}


def counters_never_go_back(folder):
    with host(XENBAKED, folder) as (region, _), server(XENMON, region, "--interval=100ms") as it:
        it.wait_for_data()
        before = {}
        for _ in range(40):
            found = series(it.ask("/metrics")[2])
            for key, now in found.items():
                if key[0].endswith(("_total", "_bucket", "_count", "_sum")):
                    assert now >= before.get(key, 0), (key, before[key], now)
            for (name, labels), count in found.items():
                if name.endswith("_bucket") and ("le", "+Inf") in labels:
                    rest = frozenset(label for label in labels if label[0] != "le")
                    assert count == found[name[:-len("bucket")] + "count", rest]
            before = found
            time.sleep(0.05)


def domains_that_end_disappear_and_ids_do_not_mix(folder):
    """The same id twice: other series; and none of the first once its time is over."""
    scenario = folder / "host2.ini"
    scenario.write_text("[host]\ncpus = 2\nhz = 2GHz\nscheduler = credit2\n[domain Domain-0]\nid = 0\nrole = driver\n"
                        "[domain web]\nid = 1\nrole = web\nrate = 50\n[domain first]\nid = 7\nrole = hog\nfrom = 1s\nto = 5s\n[domain second]\nid = 7\nrole = hog\nfrom = 7s\n")
    with host(XENBAKED, folder, source=f"--source=sim:{scenario}") as (region, _), server(XENMON, region, "--linger=1s", "--interval=200ms") as it:
        def shown():
            return {tuple(sorted(labels)) for (name, labels) in series(it.ask("/metrics")[2]) if name == "xen_domain_info" and ("domid", "7") in labels}
        first = wait_for(shown, "the first domain 7", 20)
        assert len(first) == 1 and "incarnation" not in str(first), first
        wait_for(lambda: not shown(), "the first domain 7 to disappear", 20)
        second = wait_for(shown, "the second domain 7", 20)
        assert len(second) == 1 and ("incarnation", "1") in list(second)[0], second
        found = series(it.ask("/metrics")[2])
        assert value(found, "xen_domain_state_seconds_total", domid=7, state="running", incarnation=1) < 60
        assert {dict(labels).get("incarnation") for (name, labels) in found if ("domid", "7") in labels} == {"1"}


def names_cannot_forge_labels(folder):
    for name in ('x"} 1\nforged 1\n#', "back\\slash", "<script>alert(1)</script>", 'a",domid="0', "\u202egnp.exe"):
        region = folder / f"shm{abs(hash(name))}"
        with made_region(region, 2, 1, 1, name), server(XENMON, region) as it:
            it.wait_for_data()
            found = series(it.ask("/metrics")[2])
            assert "forged" not in names(found)
            hits = [dict(labels)["domain"] for (n, labels) in found if n == "xen_domain_info" and ("domid", "0") in labels]
            assert len(hits) == 1 and len(hits[0]) >= 5, hits
            it.end()


def the_document_lists_every_family(folder):
    """With its type and its labels: no more, and no fewer."""
    region = folder / "shm"
    with made_region(region, 3, 2, 2), server(XENMON, region, "--collector.vcpu-histogram", "--collector.cpu-domain") as it:
        it.wait_for_data()
        body = it.ask("/metrics")[2]
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", body.decode(), re.M))
    documented = {}
    for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", (ROOT / "doc/metrics.md").read_text(), re.M):
        documented[name] = kind, set(labels.split(", ")) - {"-"}
    assert set(types) == set(documented), set(types) ^ set(documented)
    for (name, labels), _ in series(body).items():
        family = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
        assert types[family] == documented[family][0], family
        assert {k for k, _ in labels} - {"le"} == documented[family][1] - {"le"}, (name, labels, documented[family])


def collectors_bound_what_is_shown(folder):
    region = folder / "shm"
    with made_region(region, 20, 2, 4):
        def shown(*words):
            with server(XENMON, region, *words) as it:
                it.wait_for_data()
                return series(it.ask("/metrics")[2])
        everything = shown("--collector.vcpu-histogram", "--collector.cpu-domain")
        assert "xen_vcpu_runqueue_latency_seconds_bucket" in names(everything)
        less = shown("--no-collector.vcpu", "--no-collector.histogram", "--no-collector.self")
        assert not [n for n in names(less) if n.startswith(("xen_vcpu", "process_")) or n.endswith("_bucket")]
        few = shown("--max-domains=3")
        assert value(few, "xenmon_export_domains_left_out") == 17
        assert len({dict(l)["domid"] for n, l in few if n == "xen_domain_info"}) == 3
        # What --show-config promises is a bound, and a close one.
        told = subprocess.run([SERVE, "--show-config"], capture_output=True, text=True, check=True).stdout
        per = {k: int(v) for k, v in re.findall(r"^series_per_(\w+) = (\d+)$", told, re.M)}
        default = shown()
        promised = per["host"] + per["domain"] * 20 + per["vcpu"] * 40 + per["pcpu"] * 4
        counted = len(default)
        assert promised * 0.8 < counted <= promised, (promised, counted)


def a_thousand_domains_in_fifty_milliseconds(folder):
    """The best of some, and the CPU that all of them took: what it costs, and not what else this machine does meanwhile."""
    region = folder / "shm"
    with made_region(region, 1000, 4, 64), server(XENMON, region, "--interval=2s") as it:
        it.wait_for_data()
        connection = http.client.HTTPConnection("127.0.0.1", it.port, timeout=60)
        times, sizes = [], []

        def cpu_s():
            """Of all threads: what making pictures of the host takes meanwhile is in it."""
            tasks = pathlib.Path(f"/proc/{it.process.pid}/task").iterdir()
            return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
        begun_s = cpu_s()
        first_s = 0
        for _ in range(30):
            start = time.monotonic()
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            body = answer.read()
            times.append(time.monotonic() - start)
            sizes.append(len(body))
            first_s = first_s or cpu_s() - begun_s
        spent_s = (cpu_s() - begun_s) / 30
        connection.close()
        print(f"# {sizes[-1]} bytes, {body.count(10)} lines: best {min(times) * 1000:.1f} ms, median {sorted(times)[15] * 1000:.1f} ms, "
              f"worst {max(times) * 1000:.1f} ms, the server's CPU {first_s * 1000:.1f} ms for the first, {spent_s * 1000:.1f} ms each, load {os.getloadavg()[0]:.0f}")
        assert min(times) < (0.5 if sanitized() else 0.05), times
        assert 0 < spent_s < (0.5 if sanitized() else 0.05), spent_s
        assert max(sizes) - min(sizes) < max(sizes) * 0.05
        assert body.count(b"xen_vcpu_executions_total{") == 4000
        it.process.terminate()


# ---- Health.

def every_state_of_xenbaked_has_a_name(folder):
    region = folder / "shm"
    with server(XENMON, region, "--interval=100ms", "--stale=1s") as it:
        def state(path="/healthz"):
            status, _, body = it.ask(path)
            told = json.loads(body)
            return status, told["status"], told

        def becomes(name, status, seconds=15):
            wait_for(lambda: state()[:2] == (status, name), f"{name}, not {state()}", seconds)
            assert name == "running" or state()[2]["reason"], state()
        becomes("absent", 503)
        assert state("/readyz")[0] == 503
        with made_region(region, 2, 1, 1) as writer:
            becomes("running", 200)
            wait_for(lambda: state("/readyz")[0] == 200, "ready", 5)
            assert value(series(it.ask("/metrics")[2]), "xenmon_up") == 1
            writer.send_signal(signal.SIGSTOP)
            becomes("stale", 503)
            assert value(series(it.ask("/metrics")[2]), "xenmon_up") == 0
            writer.send_signal(signal.SIGCONT)
            becomes("running", 200)
            writer.kill()
            writer.wait()
            becomes("dead", 503)
            found = series(it.ask("/metrics")[2])
            assert value(found, "xenmon_up") == 0 and value(found, "xenmon_region_state", state="dead") == 1
            assert not [n for n in names(found) if n.startswith(("xen_vcpu", "xen_domain", "xen_cpu"))]
        with made_region(region, 3, 1, 1):
            becomes("restarted", 200)
            told = state()[2]
            assert told["restarts"] == 1 and told["since_restart_s"] < 10, told
            found = series(it.ask("/metrics")[2])
            assert value(found, "xenmon_baked_restarts_total") == 1
            assert value(found, "xen_vcpu_state_seconds_total", domid=0, state="running") < 10
            wait_for(lambda: state()[1] == "running", "the restart to be long ago", 20)
        region.unlink(missing_ok=True)
        region.write_bytes(b"this is no region" * 1000)
        wait_for(lambda: state()[1] in ("broken", "dead", "ended"), "a file that is none", 15)
        it.end()


# ---- How much they may have.

def a_rate_is_a_rate(folder):
    with server(XENMON, folder / "none", "--rate=5", "--burst=10") as it:
        codes = [it.ask("/healthz")[0] for _ in range(30)]
        assert codes[:9] == [503] * 9 and 429 in codes, codes
        status, headers, body = it.ask("/healthz")
        assert status == 429 and int(headers["Retry-After"]) >= 1 and json.loads(body)["error"]["code"] == "too_many_requests"
        wait_for(lambda: it.ask("/healthz")[0] == 503, "the bucket to fill again", 10)


def guessing_is_slow(folder):
    tokens = secret(folder / "tokens", TOKEN + "\n")
    with server(XENMON, folder / "none", "--rate=50", "--burst=100", f"--token-file={tokens}") as it:
        codes = [it.ask("/metrics", Authorization=f"Bearer guess-number-{n:04}")[0] for n in range(40)]
        assert codes[0] == 401 and codes.count(401) < 25 and codes[-1] == 429, codes


def slow_and_half_open_clients_starve_nobody(folder):
    """Connections that send nothing, send byte by byte, or read nothing; everybody else is answered meanwhile."""
    region = folder / "shm"
    with made_region(region, 200, 4, 8), server(XENMON, region, "--max-connections=60", "--max-per-address=40", "--request-timeout=3s", "--timeout=3s",
                                                f"--listen=unix:{folder / 'sock'}") as it:
        it.wait_for_data()

        def unix():
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(10)
            client.connect(str(folder / "sock"))
            client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            with client, client.makefile("rb") as file:
                return file.read()
        began = time.monotonic()
        idle = [socket.create_connection(("127.0.0.1", it.port)) for _ in range(15)]
        dripping = [socket.create_connection(("127.0.0.1", it.port)) for _ in range(10)]
        deaf = [socket.create_connection(("127.0.0.1", it.port)) for _ in range(10)]
        for client in dripping:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        for client in deaf:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
        gone, worst = set(), 0
        while len(gone) < 10 and time.monotonic() - began < 20:
            for client in dripping:
                if client in gone:
                    continue
                try:
                    client.sendall(b"x")
                    if select.select([client], [], [], 0)[0] and not client.recv(1000):
                        gone.add(client)
                except OSError:
                    gone.add(client)
            start = time.monotonic()
            assert it.ask("/healthz")[0] == 200
            assert unix().startswith(b"HTTP/1.1 200")
            worst = max(worst, time.monotonic() - start)
            time.sleep(0.2)
        assert len(gone) == 10, f"{len(gone)} of 10 that drip were cut off"
        assert time.monotonic() - began < 12, "they were cut off late"
        assert worst < (10 if sanitized() else 2), worst
        print(f"# cut off after {time.monotonic() - began:.1f} s, others waited {worst * 1000:.0f} ms at most")
        for client in idle:
            client.settimeout(10)
            try:
                said = client.recv(100)
            except ConnectionResetError:
                said = b""
            assert said == b"", f"one that says nothing is told {said}"
        for client in idle + dripping + deaf:
            client.close()
        # More connections than one address may have are closed at once; a Unix socket is another address.
        many = [socket.create_connection(("127.0.0.1", it.port)) for _ in range(55)]
        time.sleep(0.5)
        closed = 0
        for client in many:
            client.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                try:
                    closed += client.recv(1) == b""
                except ConnectionResetError:
                    closed += 1
        assert closed >= 14, closed
        assert unix().startswith(b"HTTP/1.1 200")
        for client in many:
            client.close()
        wait_for(lambda: it.ask("/healthz")[0] == 200, "an answer after the flood", 10)


def a_request_has_its_time_and_no_more(folder):
    """It counts from the request's line on: on a connection that is older, and for a second request."""
    with server(XENMON, folder / "none", "--request-timeout=3s", "--timeout=30s") as it:
        def drips(client, seconds):
            """Sends a header a byte at a time; how long that went well."""
            began = time.monotonic()
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            while time.monotonic() - began < seconds:
                try:
                    client.sendall(b"x")
                    if select.select([client], [], [], 0.1)[0] and not client.recv(1000):
                        break
                except OSError:
                    break
            return time.monotonic() - began

        with socket.create_connection(("127.0.0.1", it.port), 10) as client:
            time.sleep(2.2)
            took = drips(client, 1.8)
            assert took >= 1.8, f"cut off after {took:.1f} s of its own"
            client.sendall(b"\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 503"), "an answer"
            took = drips(client, 15)
            assert 2 < took < (12 if sanitized() else 6), f"the second request had {took:.1f} s"


def oversized_requests_are_cut_off(folder):
    with server(XENMON, folder / "none", "--max-header=8K", "--max-body=4K") as it:
        def raw(data):
            with socket.create_connection(("127.0.0.1", it.port), 10) as client:
                with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                    client.sendall(data)
                client.settimeout(15)
                try:
                    return client.recv(4096)
                except ConnectionResetError:
                    return b""
        for data in (b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
                     b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 1000000 + b"\r\n\r\n",
                     b"POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: 99999999999999\r\n\r\n",
                     b"POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n" +
                     b"1000\r\n" + b"x" * 4096 + b"\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\n\r\n"):
            answer = raw(data)
            assert answer == b"" or re.match(rb"HTTP/1\.[01] 4\d\d", answer), answer[:100]
        assert it.ask("/healthz")[0] == 503
        it.end()


# ---- A service.

def it_writes_nothing_and_opens_nothing_else(folder):
    """Every file that it has open, and what it may do with it."""
    region, log = folder / "shm", folder / "log"
    with made_region(region, 2, 1, 1), server(XENMON, region, f"--access-log={log}") as it:
        it.wait_for_data()
        it.ask("/metrics")
        it.ask("/api/v1/history?domain=1&metric=running_ns")
        for entry in pathlib.Path(f"/proc/{it.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                target = os.readlink(entry)
                flags = int(re.search(r"flags:\s+(\d+)", (pathlib.Path(f"/proc/{it.process.pid}/fdinfo") / entry.name).read_text()).group(1), 8)
                if target.startswith(("socket:", "anon_inode:", "pipe:", "/dev/null", "/dev/pts")) or int(entry.name) < 3:
                    continue
                assert target in (str(region), str(log)), target
                assert flags & 3 == (os.O_WRONLY if target == str(log) else os.O_RDONLY), (target, oct(flags))
        maps = pathlib.Path(f"/proc/{it.process.pid}/maps").read_text()
        assert not re.search(r"^\S+ .w.s .*shm$", maps, re.M), "the region is mapped for writing"
        before = region.stat().st_mtime_ns
        assert before  # the writer's own
        assert sorted(p.name for p in folder.iterdir()) in (["log", "shm"], ["log", "shm", "shm.lock"]), list(folder.iterdir())
        assert log.stat().st_mode & 0o777 == 0o640


def systemd_hands_it_sockets(folder):
    with socket.socket() as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        notices.bind(str(folder / "notify"))
        notices.settimeout(10)
        command = f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --user=none --region="{folder / "none"}"'

        def third():
            os.dup2(listener.fileno(), 3, inheritable=True)
            os.set_inheritable(3, True)  # it may have been 3 already
        process = subprocess.Popen(["sh", "-c", command, SERVE], preexec_fn=third, close_fds=False, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "2000000"})
        try:
            assert b"READY=1" in notices.recv(1000)
            connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=10)
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 503
            assert notices.recv(1000) == b"WATCHDOG=1"
            process.send_signal(signal.SIGHUP)
            heard = b""
            while b"RELOADING=1" not in heard:
                heard = notices.recv(1000)
        finally:
            code, said = ended(process)
        assert code == 0 and f"answering at 127.0.0.1:{listener.getsockname()[1]}\n" in said, said
        heard = b""
        while b"STOPPING=1" not in heard:
            heard = notices.recv(1000)


def it_ends_in_order(folder):
    """An answer that is on its way arrives; streams end; the socket's name is gone."""
    region, path = folder / "shm", folder / "sock"
    with made_region(region, 1000, 4, 8):
        it = Server(XENMON, region, f"--listen=unix:{path}")
        try:
            it.wait_for_data()
            stream = http.client.HTTPConnection("127.0.0.1", it.port, timeout=20)
            stream.request("GET", "/api/v1/stream")
            answer = stream.getresponse()
            assert answer.status == 200 and answer.read(10)
            slow = socket.create_connection(("127.0.0.1", it.port))
            slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert slow.recv(16, socket.MSG_PEEK)
            start = time.monotonic()
            it.process.terminate()
            with slow.makefile("rb") as file:
                body = file.read()
            assert b"process_resident_memory_bytes" in body[-2000:], body[-200:]
            code, said = ended(it.process, signal_it=False)
            assert code == 0 and time.monotonic() - start < 10, (code, said)
            assert not path.exists()
            slow.close()
            stream.close()
        finally:
            it.process.kill()


def the_unit_is_well_formed(folder):
    """The unit hardens what it can, and systemd understands it."""
    unit = (ROOT / "contrib/systemd/xenmon-serve.service.in").read_text()
    for word in ("DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=\n", "MemoryDenyWriteExecute=yes",
                 "SystemCallFilter=@system-service", "SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self\n",
                 "UMask=0027", "Type=notify", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"):
        assert word in unit, word
    # A reload reads old copies of credentials: who is told of the one must be told of the other.
    for text in (unit, (ROOT / "man/xenmon-serve.1").read_text()):
        after = text[text.index("LoadCredential="):]
        assert "copies" in after and "restart" in after.split("copies", 1)[1][:200], after[:400]
    if not shutil.which("systemd-analyze"):
        raise Skip("systemd-analyze is not installed: its unit was only read")
    path = folder / "xenmon-serve.service"
    path.write_text(unit.replace("@libexecdir@/xenmon/xenmon-serve", str(SERVE)).replace("Requires=xenmon-serve.socket", ""))
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False, timeout=60)
    wrong = [line for line in done.stderr.splitlines() if "xenmon-serve.service:" in line and "man:" not in line and "Command 'man" not in line]
    assert not wrong, wrong


TESTS = [it_listens_on_this_machine_alone, any_port_becomes_the_one_that_is_said, beyond_it_only_with_tls_and_authentication, nothing_is_said_without_authentication,
         passwords_are_asked_for, the_configuration_file_has_the_same_names, secrets_change_while_it_runs, root_steps_down_to_one_who_can_read_again, a_stream_ends_when_tokens_are_read_again,
         a_stream_goes_on_where_its_right_does,
         sent_bytes_are_those_that_were_sent, foreign_names_are_not_answered,
         wrong_requests_get_an_error_that_says_what, both_formats_are_what_they_say, values_are_those_of_the_region, counters_never_go_back,
         domains_that_end_disappear_and_ids_do_not_mix, names_cannot_forge_labels, the_document_lists_every_family, collectors_bound_what_is_shown,
         a_thousand_domains_in_fifty_milliseconds, every_state_of_xenbaked_has_a_name, a_rate_is_a_rate, guessing_is_slow,
         slow_and_half_open_clients_starve_nobody, a_request_has_its_time_and_no_more,
         oversized_requests_are_cut_off,
         it_writes_nothing_and_opens_nothing_else, systemd_hands_it_sockets, it_ends_in_order, the_unit_is_well_formed]

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(run_tests(TESTS, temporary))
