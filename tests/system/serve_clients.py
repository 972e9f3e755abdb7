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
import urllib.parse

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


def refused(name, *words):
    """(stdout, stderr) of a Python client that ends with 1 and one line that says why."""
    done = subprocess.run([sys.executable, CLIENTS / name, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr, (name, words, done)
    return done.stdout, done.stderr


@contextlib.contextmanager
def answering(answers):
    """A server that knows these paths, each with the JSON it answers, and no others: (URL, what it was asked)."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            where = urllib.parse.urlsplit(self.path)
            asked.append((where.path, urllib.parse.parse_qs(where.query, strict_parsing=bool(where.query))))
            body = answers.get(where.path)
            self.send_response(200 if body else 503)
            self.end_headers()
            self.wfile.write(json.dumps(body or {"error": {"code": "no_data", "message": "there is no data"}}).encode())

        def do_POST(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"no XML")

        def log_message(self, *_):
            pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as there:
        threading.Thread(target=there.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{there.server_port}", asked
        finally:
            there.shutdown()


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
        assert [r["domid"] for r in rows] == ["0", "1", "2"] and 0 < sum(float(r["cpu_seconds"] or 0) for r in rows) <= 2 * 3 + 0.01, rows
        rows = list(csv.DictReader(io.StringIO(client("xenmon_api.py", *url, "history", "1", "--from=-3s", "--step=1s"))))
        assert len(rows) == 3 and all(abs(sum(float(r[k]) for k in ("running_ratio", "wait_ratio", "blocked_ratio")) - 1) < 1e-6 for r in rows), rows
        for domain in ("77", "no body&metric=x"):
            printed, said = refused("xenmon_api.py", *url, "history", domain)
            assert printed == "" and said.startswith(f"xenmon_api: {server.url}: 404 no_such_domain: ") and domain in said, said
        # Of five minutes it lived some seconds: what was before is not time of which nothing is known.
        rows = list(csv.DictReader(io.StringIO(client("xenmon_api.py", *url, "bill"))))
        assert len(rows) == 3 and all(float(r["seconds_not_known"]) < 120 for r in rows), rows
    for words in (("top",), ("bill",), ("history", "1"), ("watch",)):
        printed, said = refused("xenmon_api.py", *url, *words)
        assert printed == "" and said.startswith(f"xenmon_api: {server.url}: ") and "efused" in said, (words, printed, said)


def python_over_xml_rpc(folder):
    with running(folder) as server:
        said = client("xenmon_rpc.py", server.url)
        assert re.fullmatch(r"2 pCPUs, \d+\.\d% busy, \d+\.\d\d vCPUs waiting on average\n(no )?room.*\n", said), said
    printed, said = refused("xenmon_rpc.py", server.url)
    assert printed == "" and said.startswith(f"xenmon_rpc: {server.url}: ") and "efused" in said, said
    with kit.server(XENMON, folder / "nothing") as server:
        for name, *words in (("xenmon_rpc.py", server.url), ("xenmon_api.py", "--url", server.url, "top")):
            printed, said = refused(name, *words)
            assert printed == "" and f"{name[:-3]}: {server.url}: 503 no_data: there is no data" in said, said
    with answering({}) as (url, _):
        printed, said = refused("xenmon_rpc.py", url)
        assert printed == "" and said.startswith(f"xenmon_rpc: {url}: "), said
    for url in ("localhost:8436", "http://[::"):
        assert refused("xenmon_rpc.py", url)[1].startswith(f"xenmon_rpc: {url}: ")


def a_bill_is_of_what_lived(_):
    """Of six steps of ten seconds: what was before a domain began and after it ended is not time without knowledge."""
    def line(domid, name, values, covered):
        return {"domid": domid, "instance": 0, "run": "1", "name": name, "values": {"running_s": values}, "coverage_ratio": covered}
    body = {"state": "running", "step_s": 10.0, "metrics": ["running_s"], "times_s": [10.0 * i for i in range(1, 7)], "durable_steps": 3,
            "coarse": [False, False, True, False, True, False], "domains": [
        line(9, None, [None, 1.0, None, 2.0, None, None], [0.0, 0.5, 0.0, 0.2, 0.0, 0.0]),
        line(10, "short", [None, None, 3.0, None, None, None], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
        line(11, "thinned", [None, None, None, 4.0, None, None], [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]),
        line(12, "unseen", [None] * 6, [0.0] * 6),
        line(14, "beside", [1.0, 1.0, 1.0, 2.0, None, 1.0], [1.0] * 6),
        line(13, 'quo"ted, name', [1.0] * 6, [1.0] * 6)]}
    with answering({"/api/v1/history": body}) as (url, asked):
        rows = list(csv.reader(io.StringIO(client("xenmon_api.py", "--url", url, "bill", "--from", "-1m", "--step=10s"))))
        assert rows[1:] == [["9", "0", "domain 9", "3.000000", "10"], ["10", "0", "short", "3.000000", "0"],
                            ["11", "0", "thinned", "4.000000", "20"], ["12", "0", "unseen", "", "0"], ["14", "0", "beside", "6.000000", "0"],
                            ["13", "0", 'quo"ted, name', "6.000000", "0"]], rows
        assert asked == [("/api/v1/history", {"metric": ["running_s"], "from": ["-1m"], "to": ["now"], "step": ["10s"]})], asked


def a_past_is_asked_for_once(_):
    """The server looks the domain up, whatever is in its name; where it has no past, it says so."""
    body = {"state": "absent", "step_s": 1.0, "metrics": ["wait_s"], "times_s": [5.0, 6.0], "domains": [
        {"domid": 4, "instance": 0, "run": "1", "name": None, "values": {"wait_s": [None, 0.5]}, "coverage_ratio": [0.0, 1.0]}]}
    with answering({"/api/v1/history": body}) as (url, asked):
        for domain in ("4", "a b+c", "x&top=1", "50%41#/?", "n\u00e4me", "7d5b8a4e-0000-4000-8000-000000000000"):
            asked.clear()
            said = client("xenmon_api.py", "--url", url, "history", domain, "--metric=wait_s", "--from=2026-01-02T03:04:05+01:00")
            assert said == "time,wait_s\n5.000,\n6.000,0.5\n", said
            assert asked == [("/api/v1/history", {"metric": ["wait_s"], "domain": [domain], "from": ["2026-01-02T03:04:05+01:00"],
                                                  "to": ["now"]})], asked
        body["domains"] *= 2
        done = subprocess.run([sys.executable, CLIENTS / "xenmon_api.py", "--url", url, "history", "4"], capture_output=True, text=True,
                              timeout=60, check=True)
        assert "first of 2 domains" in done.stderr and done.stdout.count("\n") == 3, done
        body["domains"] = []
        printed, said = refused("xenmon_api.py", "--url", url, "history", "4")
        assert printed == "" and said == f"xenmon_api: {url}: nothing is known of domain '4' in that time\n", said
    with answering({}) as (url, _):
        assert refused("xenmon_api.py", "--url", url, "history", "4") == ("", f"xenmon_api: {url}: 503 no_data: there is no data\n")


def a_kept_past_needs_no_region(folder):
    """Nobody writes a region any more, and the durable history still has the domain by its name."""
    if not (XENMON.parent / "xenmon-history").exists():
        raise kit.Skip("no durable history in this build")
    kept = f"--history={folder / 'kept'}"
    with kit.host(XENBAKED, folder, kept) as (region, daemon):
        with kit.server(XENMON, region) as server:
            server.wait_for_data()
            time.sleep(2)
        daemon.terminate()
        daemon.wait(30)
    with kit.server(XENMON, folder / "nothing", kept) as server:
        url = ["--url", server.url]
        rows = list(csv.DictReader(io.StringIO(client("xenmon_api.py", *url, "history", "web", "--step=1s"))))
        assert any(r["running_ratio"] for r in rows), rows
        rows = list(csv.DictReader(io.StringIO(client("xenmon_api.py", *url, "bill", "--step=1s"))))
        assert "web" in [r["name"] for r in rows] and all(float(r["seconds_not_known"]) < 120 for r in rows), rows
        assert "404 no_such_domain: there is no domain 'nobody'" in refused("xenmon_api.py", *url, "history", "nobody")[1]


def help_names_the_times(_):
    """What --from takes is the server's, and so is what it is without."""
    for command in ("bill", "history"):
        said = " ".join(client("xenmon_api.py", command, "--help").split())
        for word in ("RFC 3339", "seconds since 1970", "'now'", "-5m", "five minutes ago", "(default: now)"):
            assert word in said, (command, word, said)
    said = " ".join(client("xenmon_api.py", "bill", "--help").split())
    assert "from the first to the last one in which anything is known of the domain" in said, said


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
        assert "404 no_such_domain: there is no domain 'nobody'" in client(*api, "history", "nobody", code=1)
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


TESTS = [a_token_goes_to_whom_it_is_for, python_over_json, python_over_xml_rpc, a_bill_is_of_what_lived,
         a_past_is_asked_for_once, a_kept_past_needs_no_region, help_names_the_times, shell_finds_who_waits, shell_follows_the_stream,
         the_last_window_keeps_its_waits, old_numbers_are_called_old, what_is_not_known_is_not_zero, tokens_are_handed_over,
         a_token_stays_in_its_quotes, the_shell_keeps_a_token_here]


def main():
    with tempfile.TemporaryDirectory() as folder:
        return kit.run_tests(TESTS, folder)


if __name__ == "__main__":
    sys.exit(main())
