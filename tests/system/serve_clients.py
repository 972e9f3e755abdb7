#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The example clients of contrib/clients, against a server.

usage: serve_clients.py XENMON XENBAKED SOURCE_ROOT      TAP on stdout, exit 1 when anything fails
"""
import contextlib
import csv
import http.server
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import serve_kit as kit
from waiting import wait_for

XENMON, XENBAKED, ROOT = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
CLIENTS = ROOT / "contrib" / "clients"


@contextlib.contextmanager
def running(folder, *words):
    with kit.host(XENBAKED, folder) as (region, _), kit.server(XENMON, region, *words) as server:
        server.wait_for_data()
        yield server


def client(name, *words, code=0, **environment):
    runner = [sys.executable] if name.endswith(".py") else ["sh"]
    done = subprocess.run([*runner, CLIENTS / name, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                          env={**os.environ, **environment}, check=False)
    assert done.returncode == code, (name, words, done.returncode, done.stdout, done.stderr)
    return done.stderr if code == 2 or (code == 1 and name.endswith(".py")) else done.stdout


def needs_shell_tools():
    for tool in ("curl", "jq"):
        if not shutil.which(tool):
            raise kit.Skip(f"no {tool}")


def python_over_json(folder):
    with running(folder) as server:
        url = ["--url", server.url]
        time.sleep(3)
        lines = client("xenmon_api.py", *url, "top").splitlines()
        assert len(lines) == 4 and re.match(r"\S+ +\d+\.\d% +\d+\.\d% +\d+\.\d% ", lines[1]), lines
        lines = client("xenmon_api.py", *url, "watch", "--count", "2").splitlines()
        assert len(lines) == 2 and all("web " in line and line.count("%") == 3 for line in lines), lines
        rows = list(csv.DictReader(io.StringIO(client("xenmon_api.py", *url, "bill", "--from=-3s", "--step", "1s"))))
        assert [r["domid"] for r in rows] == ["0", "1", "2"] and 0 < sum(float(r["cpu_seconds"]) for r in rows) <= 2 * 3 + 0.01, rows
        rows = list(csv.DictReader(io.StringIO(client("xenmon_api.py", *url, "history", "1", "--from=-3s", "--step=1s"))))
        assert len(rows) == 3 and all(abs(sum(float(r[k]) for k in ("running_ratio", "wait_ratio", "blocked_ratio")) - 1) < 1e-6 for r in rows), rows
        said = client("xenmon_api.py", *url, "history", "77", code=1)
        assert "404 no_such_domain" in said and said.count("\n") == 1, said
    said = client("xenmon_api.py", *url, "top", code=1)
    assert "xenmon_api: " in said and "Traceback" not in said, said


def python_over_xml_rpc(folder):
    with running(folder) as server:
        said = client("xenmon_rpc.py", server.url)
        assert re.fullmatch(r"2 pCPUs, \d+\.\d% busy, \d+\.\d\d vCPUs waiting on average\n(no )?room.*\n", said), said


def shell_finds_who_waits(folder):
    needs_shell_tools()
    with running(folder) as server:
        time.sleep(2)
        lines = client("xenmon-waits.sh", server.url, "0.01", code=1).splitlines()
        assert lines and all(re.search(r"  \d+(\.\d)? %  (99% of waits within \d+(\.\d+)? ms|length of waits not known)$", line) for line in lines), lines
        assert client("xenmon-waits.sh", server.url, "1") == ""
    client("xenmon-waits.sh", server.url, code=2)
    with kit.server(XENMON, folder / "nothing") as server:
        assert "there is no data" in client("xenmon-waits.sh", server.url, code=2)


def shell_follows_the_stream(folder):
    needs_shell_tools()
    with running(folder) as server:
        done = subprocess.run(["sh", CLIENTS / "xenmon-follow.sh", server.url, "2"], capture_output=True, text=True, timeout=60, check=True)
        assert done.stderr == "", done
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(lines) == 2 and lines[0]["time"] < lines[1]["time"], lines
        for line in lines:
            for d in line["domains"]:
                assert abs(sum(d[f"{s}_ratio"] for s in ("running", "wait", "blocked", "unknown")) - 1) < 1e-6, d


def waits(server):
    """Of every domain, in the last second that there is."""
    domains = json.loads(server.ask("/api/v1/domains?window=1s")[2])["domains"]
    return [d["windows"]["1s"]["wait_p"] for d in domains]


def the_last_window_keeps_its_waits(folder):
    """The window of a dead xenbaked is that of its last sample, and so are its waits."""
    for _ in range(10):
        with kit.host(XENBAKED, folder) as (region, daemon), kit.server(XENMON, region) as server:
            server.wait_for_data()
            wait_for(lambda: sum(w["count"] or 0 for w in waits(server)) > 0, "waits in a window")
            daemon.kill()
            daemon.wait()
            wait_for(lambda: json.loads(server.ask("/api/v1/host")[2])["state"] == "dead", "its death to be seen")
            last = waits(server)
        # A busy machine may have left xenbaked without time for its whole last second.
        if sum(w["count"] or 0 for w in last) > 0:
            assert any(w["99"] for w in last), last
            return
    raise AssertionError("ten hosts died with a last second in which nobody had waited")


def old_numbers_are_called_old(folder):
    """Where xenbaked was killed, and where there never was one: nobody takes that for now, and nobody waits for ever."""
    needs_shell_tools()
    with kit.host(XENBAKED, folder) as (region, daemon), kit.server(XENMON, region) as server:
        server.wait_for_data()
        api = ["xenmon_api.py", "--url", server.url]
        # A busy machine may leave xenbaked without time for some seconds.
        said = [client(*api, "watch", "--count=1") for _ in range(5)]
        assert any("Z waiting: " in line for line in said), said
        for words in (("bill", "--from", "-2s", "--to", "now", "--step", "1s"), ("history", "web", "--from", "-2s", "--step=1s")):
            assert len(client(*api, *words).splitlines()) > 2, words
        assert "no domain is called 'nobody' now" in client(*api, "history", "nobody", code=1)
        daemon.kill()
        daemon.wait()
        for _ in range(200):
            if json.loads(server.ask("/api/v1/host")[2])["state"] == "dead":
                break
            time.sleep(0.1)
        with kit.server(XENMON, region) as late:
            time.sleep(2.5)
            domains = json.loads(late.ask("/api/v1/domains?window=1s")[2])["domains"]
            found = [d["windows"]["1s"]["wait_p"] for d in domains]
            assert found and all(w["count"] is None and w["99"] is None and w["max"] is not None for w in found), found
        assert "xenbaked is dead" in client("xenmon-waits.sh", server.url, "0.0001", code=2)
        assert "old numbers" in client("xenmon_rpc.py", server.url, code=1)
        assert "xenbaked is dead, old numbers, waiting: " in client(*api, "watch", "--count", "1")
        done = subprocess.run([sys.executable, CLIENTS / api[0], *api[1:], "top"], capture_output=True, text=True, timeout=60, check=True)
        assert "old numbers" in done.stderr and len(done.stdout.splitlines()) == 4, done
        assert json.loads(client("xenmon-follow.sh", server.url, "1"))["state"] == "dead"
    with kit.server(XENMON, folder / "nothing") as server:
        lines = client("xenmon_api.py", "--url", server.url, "watch", "--count", "2").splitlines()
        assert len(lines) == 2 and all(line.startswith("- no data: ") for line in lines), lines
        assert all("start xenbaked" in line for line in lines), lines
        line = json.loads(client("xenmon-follow.sh", server.url, "1"))
        assert line == {"time": None, "state": "absent", "domains": None}, line


def what_is_not_known_is_not_zero(folder):
    """An answer as of a server that has not seen a whole window yet."""
    needs_shell_tools()
    window = {"wait_ratio": 0.714, "wait_p": {"count": None, "50": None, "95": None, "99": None, "max": 1.5}}
    body = json.dumps({"state": "running", "domains": [{"domid": 3, "name": None, "windows": {"10s": window}}]}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as there:
        threading.Thread(target=there.serve_forever, daemon=True).start()
        try:
            said = client("xenmon-waits.sh", f"http://127.0.0.1:{there.server_port}", code=1)
        finally:
            there.shutdown()
    assert said == "domain 3  71.4 %  length of waits not known\n", said


def tokens_are_handed_over(folder):
    needs_shell_tools()
    token = folder / "token"
    token.write_text("a-token-of-more-than-thirty-two-letters-and-digits\n")
    token.chmod(0o600)
    with kit.host(XENBAKED, folder) as (region, _), kit.server(XENMON, region, f"--token-file={token}") as server:
        secret = token.read_text().strip()
        for _ in range(100):
            if server.ask("/api/v1/host", Authorization=f"Bearer {secret}")[0] == 200:
                break
            time.sleep(0.1)
        assert "401 unauthorized" in client("xenmon_api.py", "--url", server.url, "top", code=1)
        assert len(client("xenmon_api.py", "--url", server.url, "--token-file", token, "top").splitlines()) == 4
        assert "right one" in client("xenmon-waits.sh", server.url, "1", code=2)
        assert client("xenmon-waits.sh", server.url, "1", XENMON_TOKEN=secret) == ""
        assert len(client("xenmon-follow.sh", server.url, "2", XENMON_TOKEN=secret).splitlines()) == 2
        assert client("xenmon-follow.sh", server.url, "2") == ""


class Listener:
    """A server on this machine that writes down what it is asked, and sends everybody elsewhere."""

    def __init__(self):
        self.asked = asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.path, dict(self.headers.items())))
                self.send_response(302)
                self.send_header("Location", f"http://127.0.0.2:{self.server.server_port}/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("", 0), Handler)
        self.port = self.server.server_port

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def a_token_stays_in_its_quotes(folder):
    """Whatever characters it has, it is one header of the one request."""
    needs_shell_tools()
    victim = folder / "victim"
    victim.write_text("kept")
    with Listener() as there:
        url = f"http://127.0.0.1:{there.port}"
        for token in ('a"b\\c', '"\noutput = "VICTIM', 'x"\nurl = "http://127.0.0.1:PORT/more', "back\\slash\\", "\\n", "'$(id)`id`", "tab\there"):
            token = token.replace("VICTIM", str(victim)).replace("PORT", str(there.port))
            for name in ("xenmon-curl.sh", "xenmon-waits.sh"):
                there.asked.clear()
                done = subprocess.run(["sh", CLIENTS / name, url], capture_output=True, text=True, timeout=60, check=False,
                                      env={**os.environ, "XENMON_TOKEN": token})
                if any(ord(c) < 32 for c in token):
                    assert done.returncode == 2 and not there.asked and "control character" in done.stderr, (token, done)
                    continue
                assert len(there.asked) == 1 and there.asked[0][1]["Authorization"] == f"Bearer {token}", (token, there.asked, done)
    assert victim.read_text() == "kept"


def the_shell_keeps_a_token_here(folder):
    """As the Python client does: not in clear to others, not along a redirect, not through a proxy."""
    needs_shell_tools()
    secret = "client-token-0123456789"
    with Listener() as there:
        for host in ("192.0.2.1", "127.evil.example", "localhost.evil.example", "localhost:8436@192.0.2.1", "127.0.0.1#@192.0.2.1",
                     "[::2]", "127.0.0.1.evil.example:8436"):
            for name in ("xenmon-curl.sh", "xenmon-waits.sh", "xenmon-follow.sh"):
                done = subprocess.run(["sh", CLIENTS / name, f"http://{host}"], capture_output=True, text=True, timeout=60, check=False,
                                      env={**os.environ, "XENMON_TOKEN": secret})
                assert "xenmon-curl: " in done.stderr and secret not in done.stderr, (host, name, done)
        for scheme in ("ftp", "file"):
            assert "begins with" in client("xenmon-curl.sh", f"{scheme}://127.0.0.1/", code=2, XENMON_TOKEN=secret)
        proxy = f"http://127.0.0.1:{there.port}"
        nobody = kit.free_port()
        client("xenmon-curl.sh", "--silent", f"http://localhost:{nobody}/", code=7, XENMON_TOKEN=secret, http_proxy=proxy, ALL_PROXY=proxy)
        assert not there.asked, there.asked
        client("xenmon-curl.sh", "--silent", f"http://localhost:{there.port}/first", XENMON_TOKEN=secret)
        assert [path for path, _ in there.asked] == ["/first"], there.asked


def a_token_goes_to_whom_it_is_for(folder):
    """Not in clear to another machine, nor after a redirect."""
    token = folder / "token"
    token.write_text("client-token-0123456789\n")
    program = ROOT / "contrib/clients/xenmon_api.py"

    def run(url):
        done = subprocess.run([sys.executable, program, "--url", url, "--token-file", token, "top"], capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 1 and "client-token" not in done.stderr and "Traceback" not in done.stderr, done
        return done.stderr
    for there in ("192.0.2.1", "127.evil.example", "localhost.evil.example", "[::2]"):
        assert "in clear" in run(f"http://{there}:8436"), there
    with Listener() as there:
        assert "302" in run(f"http://127.0.0.1:{there.port}")
        assert len(there.asked) == 1 and there.asked[0][0].startswith("/api/v1/"), there.asked
        assert there.asked[0][1]["Authorization"] == "Bearer client-token-0123456789"


TESTS = [a_token_goes_to_whom_it_is_for, python_over_json, python_over_xml_rpc, shell_finds_who_waits, shell_follows_the_stream,
         the_last_window_keeps_its_waits, old_numbers_are_called_old, what_is_not_known_is_not_zero, tokens_are_handed_over,
         a_token_stays_in_its_quotes, the_shell_keeps_a_token_here]


def main():
    with tempfile.TemporaryDirectory() as folder:
        return kit.run_tests(TESTS, folder)


if __name__ == "__main__":
    sys.exit(main())
