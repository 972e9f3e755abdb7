# SPDX-License-Identifier: MIT
"""What the tests of the server's answers share: a simulated host, a server, and a client that hides nothing."""
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import time
import traceback

# A name as a guest's admin could choose it, put into the region past all who would have refused it: markup, an
# override of the text's direction, and a control character.
PLACEHOLDER = "placeholder.of.a.hostile.name"
HOSTILE = "<img src=x onerror=evil()>\u202e\x07".encode()[:len(PLACEHOLDER)].ljust(len(PLACEHOLDER), b"!")
assert len(HOSTILE) == len(PLACEHOLDER) and HOSTILE.startswith(b"<img src=x onerror=evil()>")

SCENARIO = f"""
[host]
cpus = 2
hz = 2GHz
scheduler = credit2
pages = 256

[domain Domain-0]
id = 0
role = driver

[domain web]
id = 1
role = web
rate = 200

[domain {PLACEHOLDER}]
id = 2
role = hog
vcpus = 2
"""


class Skip(Exception):
    """Why a test cannot be run here."""


def free_port():
    """Below those that connections get: what other tests do meanwhile does not take it by chance."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def ended(process, signal_it=True):
    """Ends a program that the test began: (exit code, standard error)."""
    if signal_it and process.poll() is None:
        process.terminate()
    try:
        _, said = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        _, said = process.communicate()
        raise AssertionError(f"it did not end: {said}") from None
    return process.returncode, said


@contextlib.contextmanager
def host(xenbaked, folder, *words, source=None):
    """A region that xenbaked writes: a simulated host, or a file."""
    region = folder / "shm"
    scenario = folder / "host.ini"
    scenario.write_text(SCENARIO)
    what = [source] if source else [f"--source=sim:{scenario}"]
    daemon = subprocess.Popen([xenbaked, "--foreground", "--region", region, "--no-record", *words, *what],
                              stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(200):
            if region.exists():
                break
            assert daemon.poll() is None, daemon.stderr.read()
            time.sleep(0.05)
        yield region, daemon
    finally:
        daemon.kill()
        daemon.communicate()


def make_hostile(region):
    """Gives the domain of the placeholder its name."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        data = region.read_bytes()
        at = data.find(PLACEHOLDER.encode())
        if at >= 0:
            with region.open("r+b") as file:
                while at >= 0:
                    file.seek(at)
                    file.write(HOSTILE)
                    at = data.find(PLACEHOLDER.encode(), at + 1)
            return
        time.sleep(0.1)
    raise AssertionError("the placeholder is not in the region")


class Server:
    """xenmon serve on a port of its own."""

    def __init__(self, xenmon, region, *words, port=None):
        self.port = port or free_port()
        self.process = subprocess.Popen(
            [xenmon, "serve", "--user=none", "--rate=0", f"--listen=127.0.0.1:{self.port}", f"--region={region}", *words],
            stderr=subprocess.PIPE, text=True)
        for _ in range(200):
            assert self.process.poll() is None, self.process.stderr.read()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        self.process.kill()
        raise AssertionError("the server does not listen")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path, method="GET", body=None, **headers):
        """(status, headers, body) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path, status=200):
        """The JSON that a path answers with."""
        got, headers, body = self.ask(path)
        assert got == status, f"{path}: {got}, not {status}: {body[:300]}"
        assert headers["Content-Type"].startswith("application/json"), (path, headers["Content-Type"])
        return json.loads(body)

    def wait_for_data(self, state=None):
        for _ in range(100):
            status, _, body = self.ask("/api/v1/host?window=1s")
            if status == 200 and (state is None or json.loads(body)["state"] == state):
                return json.loads(body)
            time.sleep(0.1)
        raise AssertionError(f"no data: {body}")

    def end(self):
        code, said = ended(self.process)
        assert code == 0, (code, said)
        return said


@contextlib.contextmanager
def server(xenmon, region, *words, port=None):
    it = Server(xenmon, region, *words, port=port)
    try:
        yield it
    finally:
        if it.process.poll() is None:
            it.process.kill()
        it.process.communicate()


def secret(path, text):
    """A file that nobody else may read."""
    path.write_text(text)
    path.chmod(0o600)
    return path


def certificate(folder, name):
    """(certificate, key) of a server at localhost, its own authority."""
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj", f"/CN={name}", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


def sanitized(program):
    """Built with a sanitizer: slower, and larger, as what was freed is kept."""
    data = pathlib.Path(program).read_bytes()
    return b"__asan_init" in data or b"__tsan_init" in data


def process_facts(pid):
    """What a process holds: resident memory in kB, descriptors, threads."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {"resident_kb": int(re.search(r"VmRSS:\s+(\d+)", status)[1]), "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "threads": int(re.search(r"Threads:\s+(\d+)", status)[1])}


def settled(pid, like=None, seconds=30):
    """Its facts once it has as many descriptors as `like`, or, without that, as many for three seconds; at the latest after `seconds`."""
    deadline, since, facts = time.monotonic() + seconds, time.monotonic(), process_facts(pid)
    while time.monotonic() < deadline:
        now = process_facts(pid)
        if now["descriptors"] != facts["descriptors"]:
            since = time.monotonic()
        facts = now
        if facts["descriptors"] == like["descriptors"] if like else time.monotonic() - since > 3:
            break
        time.sleep(0.1)
    return facts


def seeded(seed_text):
    """A generator whose seed is printed; XM_SEED runs it again."""
    seed = int(seed_text or time.time())
    print(f"# seed {seed}: XM_SEED={seed} runs this one again")
    return random.Random(seed)


def run_tests(tests, folder):
    """TAP for functions that take a folder, those with XM_ONLY in their names where that is set; a program's exit code."""
    tests = [test for test in tests if os.environ.get("XM_ONLY", "") in test.__name__]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        title = test.__name__.replace("_", " ")
        own = pathlib.Path(folder) / str(number)
        own.mkdir()
        try:
            test(own)
            print(f"ok {number} - {title}", flush=True)
        except Skip as why:
            print(f"ok {number} - {title} # SKIP {why}", flush=True)
        except Exception as error:  # a test may fail in any way
            failed += 1
            for line in "".join(traceback.format_exception(error)).splitlines():
                print(f"# {line}")
            print(f"not ok {number} - {title}", flush=True)
    sys.stdout.flush()
    return 1 if failed else 0
