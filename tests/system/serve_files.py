#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the server may and does: whom root becomes, which files it opens, and what it says to whom it does not know.

usage: serve_files.py XENMON XENBAKED SOURCE_ROOT      TAP on stdout, exit 1 when anything fails
Much of it needs root, for users and addresses that this machine does not have: they are made in name spaces of its own,
where this program calls itself with --inside TEST FOLDER.
"""
import contextlib
import ctypes
import fcntl
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
import struct
import subprocess
import sys
import tempfile

import serve_kit as kit
from waiting import wait_for

XENMON, XENBAKED, ROOT = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
SERVE = XENMON.with_name("xenmon-serve")
TOKEN = "0123456789abcdef-our-token"
ELSEWHERE = "192.0.2.7"  # the address of the manual's example, for documents alone
NOBODY = 65534


# ---- Helpers.

def needs(*tools, root=False):
    if root and os.geteuid() != 0:
        raise kit.Skip("it is about root")
    for tool in tools:
        if not shutil.which(tool):
            raise kit.Skip(f"no {tool}")


def secret(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def certificate(folder, name="tls"):
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                    "-out", cert, "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:localhost,IP:127.0.0.1,IP:{ELSEWHERE}"],
                   check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


def open_to_all(folder):
    """Other users may come as far as here."""
    for path in (folder, *folder.parents[:-1]):
        if path.stat().st_uid == os.geteuid() and str(path).startswith(tempfile.gettempdir() + "/"):
            path.chmod(path.stat().st_mode | 0o755)


def users(folder, *names):
    """A command's beginning that sees these users beside root, and no others; it needs a mount name space."""
    number = {"xenmon": 4242, "nobody": NOBODY}
    etc = {"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\n", "nsswitch.conf": "passwd: files\ngroup: files\n"}
    for name in names:
        etc["passwd"] += f"{name}:x:{number[name]}:{number[name]}::/nonexistent:/usr/sbin/nologin\n"
        etc["group"] += f"{'nogroup' if name == 'nobody' else name}:x:{number[name]}:\n"
    for name, text in etc.items():
        (folder / name).write_text(text)
    script = "".join(f"mount --bind '{folder}/{name}' /etc/{name} && " for name in etc) + 'exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh"]


def needs_name_spaces():
    needs("unshare", "mount", root=True)
    if subprocess.run(["unshare", "--mount", "--net", "sh", "-c", "mount --bind /etc/passwd /etc/group"], capture_output=True, check=False).returncode != 0:
        raise kit.Skip("no name spaces may be made here")


@contextlib.contextmanager
def running(command):
    """A server of any command line; its first lines on standard error are in .begun once it answers."""
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    process.begun = ""
    try:
        while "answering at" not in process.begun:
            line = process.stderr.readline()
            assert line, (process.wait(10), process.begun)
            process.begun += line
        yield process
    finally:
        process.kill()
        process.communicate()


def reloaded(process):
    """What it says of a reload; what it says of other things is passed over."""
    process.send_signal(signal.SIGHUP)
    while "read again" not in (said := process.stderr.readline()):
        assert said, "it ended"
    return said


def next_line(process):
    """What it says next by itself."""
    assert select.select([process.stderr], [], [], 30)[0], "it says nothing"
    return process.stderr.readline()


def refused(command, code):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code and done.stderr.count("\n") == 1 and done.stderr.startswith("xenmon serve: "), (done.returncode, done.stderr)
    return done.stderr


def status_of(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def ask(port, path="/healthz", host="127.0.0.1", context=None, method="GET", body=None, headers=None):
    made = http.client.HTTPSConnection(host, port, timeout=20, context=context) if context else http.client.HTTPConnection(host, port, timeout=20)
    try:
        made.request(method, path, body, headers or {})
        answer = made.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        made.close()


# ---- Whom root becomes.

def root_becomes_nobody_rather_than_staying(folder):
    needs_name_spaces()
    open_to_all(folder)
    port = kit.free_port()
    path, log, region = folder / "http.sock", folder / "log", folder / "none"
    words = [SERVE, f"--listen=127.0.0.1:{port}", f"--listen=unix:{path}", f"--region={region}", f"--access-log={log}"]
    assert "no such user: make one, or say --user=none" in refused([*users(folder), *words], 3)
    path.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    os.chown(folder, NOBODY, NOBODY)
    for names, said, uid in ((("nobody",), "there is no user xenmon: it becomes nobody", NOBODY), (("nobody", "xenmon"), None, 4242)):
        os.chown(folder, uid, uid)
        with running([*users(folder, *names), *words]) as process:
            assert said in process.begun if said else process.begun.count("\n") == 2, process.begun
            facts = status_of(process.pid)
            assert facts["Uid"].split() == facts["Gid"].split() == [str(uid)] * 4 and not facts["Groups"].strip(), facts
            assert int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == 0 and facts["NoNewPrivs"].strip() == "1", facts
            assert ask(port)[0] == 503
            assert log.stat().st_uid == path.stat().st_uid == uid and log.stat().st_mode & 0o777 == 0o640
            process.terminate()
            assert process.wait(20) == 0 and not path.exists()
        log.unlink()
    assert "there is no user 'no-such-one'" in refused([*words, "--user=no-such-one"], 2)
    with running([*users(folder, "nobody"), *words, "--user=none"]) as process:
        assert status_of(process.pid)["Uid"].split()[0] == "0"


def what_the_user_will_lack_is_said_at_the_start(folder):
    needs("openssl", root=True)
    open_to_all(folder)
    port = kit.free_port()
    region = secret(folder / "shm", "x", 0o640)
    cert, key = certificate(folder)
    words = [SERVE, "--user=nobody", f"--listen=127.0.0.1:{port}", f"--region={region}"]
    with running([*words, f"--access-log={folder / 'log'}"]) as process:
        assert f"the region {region}: user 'nobody' cannot read it" in process.begun, process.begun
        assert f"{folder}: user 'nobody' cannot make a file there" in process.begun, process.begun
    tls = [f"--tls-cert={cert}", f"--tls-key={key}"]
    assert f"{key}: user 'nobody' cannot read it" in refused([*words, *tls], 3)
    os.chown(key, 0, NOBODY)
    key.chmod(0o640)
    with running([*words, *tls]) as process:
        assert "read again" in reloaded(process)
    # A file that has another name somewhere else is not given away.
    other = secret(folder / "precious", "x", 0o600)
    os.link(other, folder / "log2")
    with running([*words, f"--access-log={folder / 'log2'}"]):
        assert other.stat().st_uid == 0


def the_log_survives_rotation(folder):
    open_to_all(folder)
    port = kit.free_port()
    log = folder / "log" / "access.log"
    log.parent.mkdir()
    words = [SERVE, f"--listen=127.0.0.1:{port}", f"--region={folder / 'none'}", f"--access-log={log}"]
    if os.geteuid() == 0:
        os.chown(log.parent, NOBODY, NOBODY)
        words.append("--user=nobody")
    uid = NOBODY if os.geteuid() == 0 else os.geteuid()
    with running(words) as process:
        assert process.begun.count("\n") == 2, process.begun
        ask(port, "/first")
        wait_for(lambda: "/first" in log.read_text(), "the first line")
        # Root made it, and who it is now may open it again.
        assert "not" not in reloaded(process)
        log.rename(log.with_name("access.log.1"))
        ask(port, "/between")
        wait_for(lambda: "/between" in log.with_name("access.log.1").read_text(), "a line in the old file")
        assert "not" not in reloaded(process)
        ask(port, "/second")
        wait_for(lambda: "/second" in log.read_text(), "the second line")
        assert "/first" not in log.read_text()
        assert log.stat().st_uid == uid and log.stat().st_mode & 0o777 == 0o640
        logrotate = shutil.which("logrotate", path="/usr/sbin:/sbin:" + os.environ.get("PATH", ""))
        if logrotate and os.geteuid() == 0:
            rotate(folder, logrotate, log, process)
        else:
            print("# no logrotate, or no root: renamed by hand alone")


def rotate(folder, logrotate, log, process):
    """The sample as it stands, but for the directory; its postrotate calls a systemctl of ours."""
    sample = (ROOT / "contrib/logrotate/xenmon-serve").read_text(encoding="utf-8")
    assert "/var/log/xenmon-serve/*.log" in sample
    secret(folder / "conf", sample.replace("\n/var/log/xenmon-serve/", f"\n{log.parent}/"), 0o644)
    (folder / "bin").mkdir()
    secret(folder / "bin/systemctl", f'#!/bin/sh\n[ "$*" = "kill --signal=HUP xenmon-serve.service" ] && kill -HUP {process.pid}\n', 0o755)
    before = log.read_text()
    done = subprocess.run([logrotate, "--force", "--state", folder / "state", folder / "conf"], text=True, capture_output=True, check=False,
                          env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"})
    assert done.returncode == 0 and not done.stderr, done
    wait_for(log.exists, "the log that is made anew")
    assert before.startswith(log.with_name("access.log.1").read_text()[:len(before)])


def a_region_that_cannot_be_read_is_told_of(folder):
    """At the start and whenever that changes, once each time: who looks into the log sees why there is no data."""
    region = folder / "shm"
    with running([SERVE, "--user=none", f"--listen=127.0.0.1:{kit.free_port()}", f"--region={region}"]) as process:
        assert process.begun.count("there is no data") == 1 and "start xenbaked" in process.begun, process.begun
        region.with_name("new").write_text("no region\n")
        region.with_name("new").rename(region)
        said = process.stderr.readline()
        assert "there is no data: " in said and "start xenbaked" not in said, said
        region.unlink()
        with kit.host(XENBAKED, folder):
            for _ in range(2):  # it may be seen as absent between
                said = process.stderr.readline()
                if "is read" in said:
                    break
            assert f"the region {region} is read" in said, said


def a_key_that_others_can_read_is_refused(folder):
    needs("openssl")
    cert, key = certificate(folder)
    tokens = secret(folder / "tokens", TOKEN + "\n")
    port = kit.free_port()
    words = [SERVE, "--user=none", f"--listen=127.0.0.1:{port}", f"--region={folder / 'none'}", f"--tls-cert={cert}", f"--tls-key={key}",
             f"--token-file={tokens}"]
    for mode in (0o644, 0o604, 0o602, 0o660):
        key.chmod(mode)
        said = refused(words, 3)
        assert f"{key}: others may read or change it (mode {mode:03o})" in said, said
    for mode in (0o600, 0o640):
        key.chmod(mode)
        with running(words) as process:
            key.chmod(0o644)
            said = reloaded(process)
            assert "tokens: read again; certificate: not read again" in said and "others may read" in said, said
            assert ask(port, context=ssl.create_default_context(cafile=cert), host="localhost", headers={"Authorization": f"Bearer {TOKEN}"})[0] == 503


# ---- The manual.

def link_up(address):
    """The loopback device of this name space, with one more address that is no loopback one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, up and running
        fcntl.ioctl(s, 0x8916, struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(address)))  # SIOCSIFADDR


def inside(name, folder):
    """Runs a function of this file in name spaces of its own."""
    done = subprocess.run(["unshare", "--mount", "--net", sys.executable, __file__, *sys.argv[1:4], "--inside", name, folder], capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.stdout.write(done.stdout)


def manual_example():
    """The commands for a Prometheus elsewhere, as who reads the manual types them."""
    page = (ROOT / "man/xenmon-serve.1").read_text(encoding="utf-8")
    text = page[page.index("For a Prometheus elsewhere"):]
    lines = text[text.index(".Bd"):text.index(".Ed")].splitlines()[1:]
    return "\n".join(line.removeprefix("# ").replace("\\e", "\\") for line in lines)


def run_manual_example(folder):
    """In name spaces: a machine with the user xenmon, whose files are all root's own."""
    link_up(ELSEWHERE)
    commands = manual_example()
    assert commands.count("\nxenmon serve ") == 1 and ELSEWHERE in commands, commands
    for name in ("etc", "log", "run", "bin"):
        (folder / name).mkdir()
    subprocess.run(["cp", "-a", "/etc/.", folder / "etc"], check=True)
    users(folder, "xenmon", "nobody")
    for name in ("passwd", "group", "nsswitch.conf"):
        shutil.copy(folder / name, folder / "etc" / name)
    mine = folder / "etc/xenmon"
    mine.mkdir(exist_ok=True)
    cert, key = certificate(folder)
    shutil.copy(cert, mine / "tls.crt")
    shutil.copy(key, mine / "tls.key")
    secret(mine / "tokens", TOKEN + "\n")
    for name, there in (("etc", "/etc"), ("log", "/var/log"), ("run", "/run")):
        subprocess.run(["mount", "--bind", folder / name, there], check=True)
    (folder / "bin/xenmon").symlink_to(XENMON)
    process = subprocess.Popen(["sh", "-ec", commands.replace("\nxenmon serve", "\nexec xenmon serve")], stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"})
    try:
        line = process.stderr.readline()
        if "there is no data" in line:
            line = process.stderr.readline()
        assert line == f"xenmon serve: answering at {ELSEWHERE}:8436\n", (line, process.stderr.readline())
        context = ssl.create_default_context(cafile=cert)
        assert ask(8436, "/metrics", ELSEWHERE, context)[0] == 401
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert ask(8436, "/metrics", ELSEWHERE, context, headers=bearer)[0] == 200
        assert status_of(process.pid)["Uid"].split()[0] == "4242"
        secret(mine / "tokens", "a-new-token-of-tomorrow\n", 0o640)
        pathlib.Path("/var/log/xenmon-serve/access.log").rename("/var/log/xenmon-serve/access.log.1")
        assert "not" not in reloaded(process)
        assert ask(8436, "/metrics", ELSEWHERE, context, headers=bearer)[0] == 401
        wait_for(lambda: "/metrics" in pathlib.Path("/var/log/xenmon-serve/access.log").read_text(), "the new log")
    finally:
        process.kill()
        process.communicate()


def the_manual_is_right_word_by_word(folder):
    needs("openssl")
    needs_name_spaces()
    open_to_all(folder)
    inside("run_manual_example", folder)


# ---- Who may ask.

def routes():
    """(method, path) of every row of every table that the server has, out of the sources."""
    found = set()
    for path in sorted((ROOT / "src/export").glob("*.[ch]")):
        found.update(re.findall(r'\{XM_HTTP_(GET|POST), "(/[^"]*)"', path.read_text(encoding="utf-8")))
    assert {("GET", "/metrics"), ("GET", "/"), ("POST", "/RPC2"), ("GET", "/api/v1/region"), ("GET", "/api/v1/stream"), ("GET", "/healthz")} <= found, found
    return sorted(found)


def first_bytes(address, port, context, path, headers):
    """(status, some bytes) of an answer that may have no end."""
    made = http.client.HTTPSConnection(address, port, timeout=20, context=context)
    try:
        made.request("GET", path, headers=headers)
        answer = made.getresponse()
        return answer.status, answer.read1(200)
    finally:
        made.close()


def ask_every_route(folder, address):
    cert, key = certificate(folder)
    tokens = secret(folder / "tokens", TOKEN + "\n")
    port = kit.free_port()
    words = [SERVE, "--user=none", "--rate=0", f"--listen={address}:{port}"]
    tls, auth = [f"--tls-cert={cert}", f"--tls-key={key}"], [f"--token-file={tokens}"]
    with kit.host(XENBAKED, folder) as (region, _):
        for some in ([], tls, auth):
            said = refused([*words, f"--region={region}", *some], 2)
            assert f"others can reach {address}:{port}" in said, said
        with running([*words, *tls, *auth, f"--region={region}"]):
            context = ssl.create_default_context(cafile=cert)
            context.check_hostname = False  # any address of this machine
            good = {"Authorization": f"Bearer {TOKEN}"}
            wait_for(lambda: b'"web"' in ask(port, "/api/v1/domains?window=1s", address, context, headers=good)[2], "data")
            described = json.loads(ask(port, "/api/v1/openapi.json", address, context, headers=good)[2])["paths"]
            everything = sorted(set(routes()) | {("GET", path) for path in described})
            known = None
            for method, template in everything:
                path = re.sub(r"\{\w+\}", "1", template)
                for how in sorted({method, "GET", "HEAD", "POST"}):
                    for wrong in ({}, {"Authorization": f"Bearer {TOKEN[:-1]}"}, {"Authorization": "Basic eDp4"}):
                        status, headers, body = ask(port, path, address, context, how, "<x/>" if how == "POST" else None, {**wrong, "Content-Type": "text/xml"})
                        known = known or body
                        assert status == 401 and "ETag" not in headers and headers["WWW-Authenticate"], (how, path, wrong, status)
                        assert body == (b"" if how == "HEAD" else known), (how, path, body)
                if method == "GET":
                    status, body = first_bytes(address, port, context, path, good)
                    assert status in (200, 400, 404, 503) and body and body != known, (path, status, body)
            assert json.loads(known)["error"]["code"] == "unauthorized" and len(known) < 200, known
            assert ask(port, "/RPC2", address, context, "POST", "<methodCall><methodName>system.listMethods</methodName></methodCall>",
                       {**good, "Content-Type": "text/xml"})[0] == 200
            print(f"# {len(everything)} routes at {address}")


def ask_elsewhere(folder):
    link_up(ELSEWHERE)
    ask_every_route(folder, ELSEWHERE)


def own_address():
    """An address of this machine that others can reach; None: there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        with contextlib.suppress(OSError):
            s.connect((ELSEWHERE, 9))  # nothing is sent
            found = s.getsockname()[0]
            return None if found.startswith("127.") or found == "0.0.0.0" else found
    return None


def no_route_says_anything_to_strangers(folder):
    needs("openssl")
    address = own_address()
    if address:
        ask_every_route(folder, address)
        return
    needs_name_spaces()
    inside("ask_elsewhere", folder)


# ---- Which files it opens.

def has_fence():
    """The kernel's, and the program's: who measures coverage or looks for faults goes without."""
    data = SERVE.read_bytes()
    libc = ctypes.CDLL(None, use_errno=True)
    return (libc.syscall(444, None, ctypes.c_size_t(0), 1) >= 1  # landlock_create_ruleset: the version
            and not any(mark in data for mark in (b"__asan_init", b"__tsan_init", b"__gcov_")))


CALLS = ("open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,rmdir,mknod,mknodat,"
         "truncate,ftruncate,chmod,fchmod,fchmodat,chown,fchown,fchownat,lchown,execve,execveat,connect,bind,sendto,sendmsg,prctl")
CONFINED = "prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE)"


def needs_strace():
    """By root: the server closes its memory to others of its own user, and strace reads the paths there."""
    needs("strace", root=True)
    if subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode != 0:
        raise kit.Skip("no process may be traced here")


def calls_of(trace):
    """(name, arguments, result) of each call after it confined itself; a call that another thread cut in two is put together."""
    text = trace.read_text(errors="replace")
    assert CONFINED in text, text[-2000:]
    begun = {}
    seen = False
    for line in text.splitlines():
        pid, _, rest = line.partition(" ")
        rest = rest.lstrip()
        resumed = re.match(r"<\.\.\. (\w+) resumed>(.*)", rest)
        if rest.endswith("<unfinished ...>"):
            begun[pid] = rest.removesuffix("<unfinished ...>").rstrip()
            continue
        if resumed:
            rest = begun.pop(pid) + resumed[2]
        match = re.match(r"(\w+)\((.*)\)\s+= (-?\d+|\?)(.*)", rest)
        if seen and match:
            yield match[1], match[2], match[3]
        seen = seen or CONFINED in rest


def use_it_all(port, cert, process, log, daemon_restarts):
    """Everything that a client and an operator can ask of it."""
    context = ssl.create_default_context(cafile=cert)
    good = {"Authorization": f"Bearer {TOKEN}"}

    def get(path, **headers):
        return ask(port, path, "localhost", context, headers={**good, **headers})
    wait_for(lambda: b'"web"' in get("/api/v1/domains?window=1s")[2], "data", 60)
    for path in ("/", "/healthz", "/readyz", "/nowhere", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/api/v1/region/samples?series=fast&after=0&limit=2",
                 "/api/v1/region/histograms?first=0&limit=2", "/api/v1/history?domain=1&metric=running_ratio"):
        assert get(path)[0] in (200, 400, 404, 503), path
    for path in json.loads(get("/api/v1/openapi.json")[2])["paths"]:
        first_bytes("localhost", port, context, path.replace("{domid}", "1"), good)
    assert get("/metrics", Accept="application/openmetrics-text")[0] == get("/metrics")[0] == 200
    assert ask(port, "/RPC2", "localhost", context, "POST", "<methodCall><methodName>xenmon.domains</methodName></methodCall>",
               {**good, "Content-Type": "text/xml"})[0] == 200
    assert ask(port, "/metrics", "localhost", context, headers={"Authorization": "Basic Ym9iOnNlY3JldA=="})[0] == 200
    assert ask(port, "/metrics", "localhost", context, headers={"Authorization": "Basic Ym9iOng="})[0] == 401
    log.rename(log.with_name("access.log.1"))
    process.send_signal(signal.SIGHUP)
    wait_for(log.exists, "the new log")
    daemon_restarts()
    wait_for(lambda: json.loads(get("/healthz")[2])["restarts"] >= 1 and b'"web"' in get("/api/v1/domains?window=1s")[2], "xenbaked again", 60)
    get("/metrics")


@contextlib.contextmanager
def traced(folder, words):
    """The server under strace: its process, and the file with its calls."""
    trace = folder / "trace"
    tracer = subprocess.Popen(["strace", "-f", "-s", "200", "-o", str(trace), "-e", f"trace={CALLS}", *map(str, words)], stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "")})
    try:
        while True:
            line = tracer.stderr.readline()
            assert line, tracer.wait(10)
            if "answering at" in line:
                break
        pids = pathlib.Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text().split()
        yield int(pids[0]), tracer, trace
    finally:
        tracer.kill()
        tracer.communicate()
        if os.environ.get("XM_KEEP"):
            shutil.copy(trace, os.environ["XM_KEEP"])


def it_opens_what_it_was_told_and_no_more(folder):
    needs("openssl")
    needs_strace()
    open_to_all(folder)
    home = folder / "conf"
    home.mkdir()
    cert, key = certificate(home)
    tokens = secret(home / "tokens", TOKEN + "\n")
    hashed = secret(home / "users", "bob:$2y$05$CoESKMj8aYBW5Wdrz28Zb.KylZRt57P9bKpAASF/B9w9F8.nua2va\n")  # secret
    logs = folder / "logs"
    logs.mkdir()
    log, sock = logs / "access.log", folder / "http.sock"
    port = kit.free_port()
    bakers = []
    past = folder / "past"
    durable = [f"--history={past}"] if XENMON.with_name("xenmon-history").exists() else []
    with contextlib.ExitStack() as stack:
        def bake():
            bakers.append(stack.enter_context(kit.host(XENBAKED, folder, *durable)))

        def bake_again():
            bakers[-1][1].kill()
            bakers[-1][1].wait()
            bake()
        bake()
        region = bakers[0][0]
        words = [SERVE, "--user=none", "--rate=0", "--interval=100ms", f"--listen=127.0.0.1:{port}", f"--listen=unix:{sock}", f"--region={region}",
                 f"--tls-cert={cert}", f"--tls-key={key}", f"--token-file={tokens}", f"--users={hashed}", f"--access-log={log}", *durable]
        with traced(folder, words) as (pid, tracer, trace):
            class Process:
                send_signal = staticmethod(lambda number: os.kill(pid, number))
            use_it_all(port, cert, Process, log, bake_again)
            os.kill(pid, signal.SIGTERM)
            assert tracer.wait(30) == 0
        seen = list(calls_of(trace))
    bakers_pids = "|".join(str(daemon.pid) for _, daemon in bakers)
    # Readers of SQLite tell its writers where they read; where the fence forbids that, they read without.
    files = [str(past / f"history.db{end}") for end in ("", "-wal", "-shm")] if durable else []
    shared = set(files[1:])
    read, written, others = set(), set(), []
    for name, words, result in seen:
        path = (re.findall(r'"([^"]*)"', words) or [""])[0]
        if name in ("open", "openat", "openat2", "creat"):
            if "O_PATH" in words or (result == "-1" and path in shared):
                continue  # it names a place, and reads nothing; or SQLite asked for more than it needs, and was refused
            (written if re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE", words) or name == "creat" else read).add(path)
        elif name in ("sendto", "sendmsg"):
            if "sa_family" in words:
                others.append((name, words))
        elif name == "fchown" and re.fullmatch(rf"\d+, {os.geteuid()}, {os.getegid()}", words):
            continue  # SQLite, as root, of files that are root's already
        elif name != "prctl" and not (name == "unlink" and path == str(sock)):
            others.append((name, words))
    # Its own and xenbaked's processes; then what libc (gmtime and malloc read these) and libjansson open by themselves.
    own = re.compile(rf"/proc/self/(stat|statm|status|fd)|/proc/({bakers_pids})/(stat|statm|status)"
                     r"|/etc/localtime|/proc/sys/vm/overcommit_memory|/sys/devices/system/cpu/online|/dev/urandom")
    strange = sorted(path for path in read if path not in map(str, (region, cert, key, tokens, hashed, *files)) and not own.fullmatch(path))
    print(f"# read: {', '.join(sorted(pathlib.PurePath(p).name for p in read))}")
    assert not strange, f"read without being told: {strange}"
    assert written - (set() if has_fence() else shared) == {str(log)}, f"written: {written}"
    assert not others, f"neither read nor logged: {others}"
    for path in (region, cert, key, tokens, hashed, *files[:1]):
        assert str(path) in read, f"{path} was not seen: the trace is not whole"


# ---- What it could not open.

def the_kernel_holds_it_to_its_files(folder):
    """A token file that leads elsewhere after the start: what could be read before cannot be."""
    if not has_fence():
        raise kit.Skip("this kernel has no Landlock, or this build goes without it")
    home, other = folder / "conf", folder / "other"
    for path in (home, other, folder / "run"):
        path.mkdir()
    tokens = secret(home / "tokens", TOKEN + "\n")
    elsewhere = secret(other / "tokens", "a-new-token-of-tomorrow\n")
    port = kit.free_port()
    words = [SERVE, "--user=none", f"--listen=127.0.0.1:{port}", f"--region={folder / 'run/one/shm'}", f"--token-file={tokens}"]

    def knows(token):
        return ask(port, headers={"Authorization": f"Bearer {token}"})[0] == 503
    for more, good in (([], False), (["--no-fence"], True)):
        tokens.unlink()
        secret(tokens, TOKEN + "\n")
        with running([*words, *more]) as process:
            tokens.unlink()
            secret(tokens, "a-token-of-this-evening\n")
            assert "not" not in reloaded(process) and knows("a-token-of-this-evening")
            tokens.unlink()
            tokens.symlink_to(elsewhere)
            said = reloaded(process)
            assert ("not read again" not in said) == good and (good or "Permission denied" in said), (more, said)
            assert good or f"it is the fence (Landlock) that shuts out what --token-file={tokens} names, {elsewhere}: " in said, said
            assert knows("a-new-token-of-tomorrow") == good and knows("a-token-of-this-evening") != good


def what_the_fence_shuts_out_is_named(folder):
    """A directory of logs that is made anew, a certificate that is renewed elsewhere: the option, the path, and that it is the fence."""
    needs("openssl")
    if not has_fence():
        raise kit.Skip("this kernel has no Landlock, or this build goes without it")
    for name in ("live", "archive", "later", "logs"):
        (folder / name).mkdir()
    links, log = [folder / "live/cert.pem", folder / "live/key.pem"], folder / "logs/access.log"
    renewed = certificate(folder / "later", "two")
    for link, there in zip(links, certificate(folder / "archive", "one")):
        link.symlink_to(there)
    words = [SERVE, "--user=none", f"--listen=127.0.0.1:{kit.free_port()}", f"--region={folder / 'run/one/shm'}", f"--access-log={log}",
             f"--tls-cert={links[0]}", f"--tls-key={links[1]}"]
    shut = "it is the fence (Landlock) that shuts out what --{}={} names{}: it lies where nothing was to be opened when the server began"
    with running(words) as process:
        assert reloaded(process) == "xenmon serve: certificate: read again; access log: read again\n"
        log.parent.rename(folder / "logs.1")
        log.parent.mkdir()
        for link, there in zip(links, renewed):
            link.unlink()
            link.symlink_to(there)
        said = reloaded(process)
        assert said.count("not read again") == 2 and said.count("\n") == 1, said
        assert shut.format("tls-cert", links[0], f", {renewed[0]}") in said and shut.format("access-log", log, "") in said, said
        # It blames the fence for nothing else.
        shutil.rmtree(log.parent)
        links[0].unlink()
        said = reloaded(process)
        assert said.count("not read again") == 2 and said.count("No such file") == 2 and "Landlock" not in said, said
    if os.geteuid() != 0:
        return
    # What is not the server's to read is not the fence's doing.
    open_to_all(folder)
    tokens = secret(folder / "live/tokens", TOKEN + "\n")
    os.chown(tokens, NOBODY, NOBODY)
    with running([SERVE, "--user=nobody", f"--listen=127.0.0.1:{kit.free_port()}", f"--region={folder / 'shm'}", f"--token-file={tokens}"]) as process:
        os.chown(tokens, 0, 0)
        said = reloaded(process)
        assert "Permission denied" in said and "Landlock" not in said, said


def a_region_that_the_fence_shuts_out_is_named(folder):
    """One that was not there when the server began, and then leads elsewhere; again, when it is another for a while; else it is not the fence."""
    if not has_fence():
        raise kit.Skip("this kernel has no Landlock, or this build goes without it")
    region, other = folder / "run/one/shm", folder / "other/shm"
    for path in (region, other):
        path.parent.mkdir(parents=True)
    other.write_bytes(b"no region")
    words = [SERVE, "--user=none", f"--listen=127.0.0.1:{kit.free_port()}", f"--region={region}"]
    named = f"there is no data: it is the fence (Landlock) that shuts out what --region={region} names, {other}: "
    with running(words) as process:
        assert "No such file" in process.begun and "Landlock" not in process.begun, process.begun
        region.symlink_to(other)
        said = next_line(process)
        assert named in said, said
        region.unlink()
        region.write_bytes(b"no region")
        said = next_line(process)
        assert "there is no data: " in said and "Landlock" not in said, said
        again = region.with_name("again")
        again.symlink_to(other)
        again.replace(region)
        said = next_line(process)
        assert named in said, said
        process.terminate()
        said = process.stderr.read()
        assert "no data" not in said, said
    region.unlink()
    with running([*words, "--no-fence"]) as process:
        region.symlink_to(other)
        said = next_line(process)
        assert "there is no data: " in said and "Landlock" not in said, said


def what_is_missing_stays_shut(folder):
    """A region and a history whose directories are not there, nor those above: said, and nothing else is open instead."""
    if not has_fence():
        raise kit.Skip("this kernel has no Landlock, or this build goes without it")
    far = folder / "a/b/c"
    durable = [f"--history={far}"] if XENMON.with_name("xenmon-history").exists() else []
    home, other = folder / "conf", folder / "other"
    home.mkdir()
    other.mkdir()
    tokens = secret(home / "tokens", TOKEN + "\n")
    elsewhere = secret(other / "tokens", "a-new-token-of-tomorrow\n")
    with running([SERVE, "--user=none", f"--listen=127.0.0.1:{kit.free_port()}", f"--region={far / 'shm'}", f"--token-file={tokens}", *durable]) as process:
        assert f"{far}: the region's directory: No such file or directory, nor is the directory above it" in process.begun, process.begun
        assert process.begun.count("Landlock") == 1 + len(durable), process.begun
        tokens.unlink()
        tokens.symlink_to(elsewhere)
        assert "Permission denied" in reloaded(process)


def a_fence_that_is_refused_is_said(folder):
    """As a service manager's filter of system calls does that does not know Landlock."""
    if not has_fence():
        raise kit.Skip("this kernel has no Landlock, or this build goes without it")
    # The call's number; landlock_create_ruleset fails with EPERM, all others go on.
    code = b"".join(struct.pack("HBBI", *words) for words in ((0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x00050000 | 1), (0x06, 0, 0, 0x7FFF0000)))

    def refuse():
        libc = ctypes.CDLL(None, use_errno=True)
        held = ctypes.create_string_buffer(code)
        program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(held)))
        if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
            os._exit(99)
    done = subprocess.Popen([SERVE, "--user=none", f"--listen=127.0.0.1:{kit.free_port()}", f"--region={folder / 'shm'}"], stderr=subprocess.PIPE, text=True,
                            preexec_fn=refuse)
    said = done.stderr.readline()
    done.kill()
    done.communicate()
    assert "no fence" in said and "Landlock" in said and "Operation not permitted" in said, said


def the_fence_has_room_for_what_changes(folder):
    """Links that are turned, a region's directory that is made anew where a link leads."""
    needs("openssl")
    archive, live, run = folder / "archive", folder / "live", folder / "run"
    for path in (archive, live, run):
        path.mkdir()
    certs = [certificate(archive, name) for name in ("one", "two")]
    for path, there in zip((live / "cert.pem", live / "key.pem"), certs[0]):
        path.symlink_to(there)
    port = kit.free_port()
    there = run / "there/other"  # it is there at the start, and is replaced
    there.mkdir(parents=True)
    (folder / "named").mkdir()
    (folder / "named/link").symlink_to(there)
    words = [SERVE, "--user=none", "--rate=0", "--interval=100ms", f"--listen=127.0.0.1:{port}", f"--region={folder / 'named/link/shm'}",
             f"--tls-cert={live / 'cert.pem'}", f"--tls-key={live / 'key.pem'}"]
    with running(words) as process:
        def get(path, number=0):
            return ask(port, path, "localhost", ssl.create_default_context(cafile=certs[number][0]))
        assert get("/healthz")[0] == 503
        for _ in range(2):
            there.mkdir(exist_ok=True)
            with kit.host(XENBAKED, there):
                wait_for(lambda: json.loads(get("/healthz")[2])["status"] in ("running", "restarted"), "xenbaked", 60)
                wait_for(lambda: b'"web"' in get("/api/v1/domains?window=1s")[2], "data", 60)
            shutil.rmtree(there)
            wait_for(lambda: json.loads(get("/healthz")[2])["status"] in ("absent", "dead"), "that it is gone", 60)
        for path, there in zip((live / "cert.pem", live / "key.pem"), certs[1]):
            path.unlink()
            path.symlink_to(there)
        assert "not" not in reloaded(process)
        assert get("/healthz", 1)[0] == 503


TESTS = [root_becomes_nobody_rather_than_staying, what_the_user_will_lack_is_said_at_the_start, the_log_survives_rotation,
         a_region_that_cannot_be_read_is_told_of, a_key_that_others_can_read_is_refused, the_manual_is_right_word_by_word, no_route_says_anything_to_strangers,
         it_opens_what_it_was_told_and_no_more, the_kernel_holds_it_to_its_files, what_the_fence_shuts_out_is_named,
         a_region_that_the_fence_shuts_out_is_named, what_is_missing_stays_shut,
         a_fence_that_is_refused_is_said, the_fence_has_room_for_what_changes]


def main():
    if "--inside" in sys.argv:
        name, folder = sys.argv[sys.argv.index("--inside") + 1:]
        globals()[name](pathlib.Path(folder))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return kit.run_tests(TESTS, folder)


if __name__ == "__main__":
    sys.exit(main())
