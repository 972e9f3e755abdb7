#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What keeps the server answering: its watchdog, dear questions, crowds of connections, clients that do not read.

usage: serve_guards.py XENMON XENBAKED SOURCE_ROOT MADE_REGION     TAP on stdout, exit 1 when anything fails
"""
import contextlib
import ctypes
import fcntl
import http.client
import json
import os
import pathlib
import re
import resource
import select
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

import serve_kit as kit
from waiting import wait_for

TOKEN = "0123456789abcdef-our-token"
HERE, ELSEWHERE = "127.0.0.1", [f"192.0.2.{n}" for n in range(1, 8)]
# Of 34 domains nearly as much as one answer may have.
METRICS = "running_ratio,wait_ratio,blocked_ratio,offline_ratio,unknown_ratio,executions_per_s"
DEAR = f"/api/v1/history?from=-95s&to=now&step=100ms&metric={METRICS}"


# ---- Helpers.

@contextlib.contextmanager
def made_region(path, domains, vcpus, pcpus):
    """A region of any size; its writer."""
    writer = subprocess.Popen([MADE_REGION, path, str(domains), str(vcpus), str(pcpus)])
    try:
        wait_for(path.exists, "a region", 10)
        yield writer
    finally:
        writer.kill()
        writer.wait()


def told(it, name):
    """A number out of /metrics."""
    return int(float(re.search(rf"^{name} (\S+)", it.ask("/metrics")[2].decode(), re.M)[1]))


def resident_kb(process):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1])


def unix(path, target="/healthz"):
    """The whole answer by a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(f"GET {target} HTTP/1.0\r\n\r\n".encode())
        with client.makefile("rb") as file:
            return file.read()


# ---- A thread that hangs.

WORKER = b"MHD-worker"


def workers(process):
    """The threads that answer."""
    folder = pathlib.Path(f"/proc/{process.pid}/task")
    return sorted(int(task.name) for task in folder.iterdir() if (task / "comm").read_bytes().strip() == WORKER)


def hold_thread(tid):
    """Stops one thread as a debugger does, until this program is killed or the thread is gone."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long] * 4
    seize, interrupt, wall = 0x4206, 0x4207, 0x40000000
    if ptrace(seize, tid, 0, 0) or ptrace(interrupt, tid, 0, 0):
        print(f"no: {os.strerror(ctypes.get_errno())}", flush=True)
        return
    os.waitpid(tid, wall)
    print("held", flush=True)
    with contextlib.suppress(ChildProcessError):
        while not (os.WIFEXITED(status := os.waitpid(tid, wall)[1]) or os.WIFSIGNALED(status)):
            pass


@contextlib.contextmanager
def held(tid):
    holder = subprocess.Popen([sys.executable, __file__, "--hold", str(tid)], stdout=subprocess.PIPE, text=True)
    try:
        said = holder.stdout.readline().strip()
        if said != "held":
            raise kit.Skip(f"no thread can be stopped here: {said}")
        yield
    finally:
        holder.kill()
        holder.communicate()


class Notified:
    """A server as the service manager starts it, with its notifications."""

    def __init__(self, folder, watchdog_s, *words):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.process = subprocess.Popen([XENMON.with_name("xenmon-serve"), "--user=none", *words], stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(int(watchdog_s * 1e6))})
        while "READY=1" not in self.wait(20):
            pass

    def wait(self, seconds):
        """The next notification; "" when none comes."""
        return self.socket.recv(4096).decode() if select.select([self.socket], [], [], seconds)[0] else ""

    def count(self, seconds):
        """How many signs of life come in that time."""
        deadline, count = time.monotonic() + seconds, 0
        while (left := deadline - time.monotonic()) > 0:
            count += "WATCHDOG=1" in self.wait(left)
        return count

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.socket.close()


def a_thread_that_hangs_ends_the_signs_of_life(folder):
    """Each of the threads of a plain and of an encrypted listener counts; while they rest there is no alarm."""
    words = [f"--region={folder / 'none'}", f"--listen=unix:{folder / 'sock'}"]
    if shutil.which("openssl"):
        cert, key = kit.certificate(folder, "one")
        words += [f"--listen=127.0.0.1:{kit.free_port()}", f"--tls-cert={cert}", f"--tls-key={key}"]
    with Notified(folder, 2, *words) as it:
        assert it.count(5) >= 5, "signs of life of one that rests"
        threads = workers(it.process)
        assert len(threads) in (3, 6), threads
        for tid in threads[::5] or threads:  # of the first listener, and of the last
            with held(tid):
                wait_for(lambda: it.count(1.5) == 0, "the signs of life to end", 30)
                assert it.count(2) == 0
            assert it.wait(30) == "WATCHDOG=1", "it does not come back to life"
        it.process.terminate()
        assert it.process.wait(20) == 0


def it_ends_though_a_thread_does_not(folder):
    """Within its bound, with a line, a code that says so, and its socket's name gone."""
    with Notified(folder, 60, f"--region={folder / 'none'}", f"--listen=unix:{folder / 'sock'}") as it:
        assert (folder / "sock").exists()
        with held(workers(it.process)[-1]):
            began = time.monotonic()
            it.process.terminate()
            _, said = it.process.communicate(timeout=60)
            took = time.monotonic() - began
        assert it.process.returncode == 1 and said.splitlines()[-1].endswith("does not end: it ends without it"), (it.process.returncode, said)
        assert not (folder / "sock").exists()
        print(f"# it ended after {took:.1f} s")


# ---- What is dear.

def dear_questions_wait_for_each_other(folder):
    """However many ask, few are answered at once; the others are told when to come again, and others go on."""
    with made_region(folder / "shm", 34, 1, 2), kit.server(XENMON, folder / "shm", f"--listen=unix:{folder / 'sock'}") as it:
        it.wait_for_data()
        answers, lock = [], threading.Lock()

        def ask():
            for _ in range(4):
                got = it.ask(DEAR)
                with lock:
                    answers.append(got)
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert unix(folder / "sock").startswith(b"HTTP/1.1 200")
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        done = [json.loads(body) for status, _, body in answers if status == 200]
        refused = [(headers, json.loads(body)) for status, headers, body in answers if status == 503]
        assert len(done) + len(refused) == 32 and done and refused, [status for status, _, _ in answers]
        assert len(done[0]["domains"]) == 34 and len(done[0]["times_s"]) == 950
        for headers, body in refused:
            assert body["error"]["code"] == "busy" and int(headers["Retry-After"]) >= 1, (headers, body)
        print(f"# {len(done)} were answered, {len(refused)} were told to come again")
        # The same by XML-RPC: a fault, as all that is refused there.
        status, _, body = it.ask("/RPC2", "POST", "<methodCall><methodName>xenmon.history</methodName></methodCall>", Content_Type="text/xml")
        assert status == 200 and b"<fault>" not in body, body[:300]
        assert it.ask(DEAR)[0] == 200, "a place is free again"
        it.end()


def two_that_never_pause_leave_a_third_its_turn(folder):
    """Two addresses ask dear questions without end; a third one comes again as it is told, and is answered."""
    with made_region(folder / "shm", 34, 1, 2), kit.server(XENMON, folder / "shm", "--rate=0", f"--listen=unix:{folder / 'sock'}") as it:
        it.wait_for_data()
        stop = threading.Event()

        def ask_always(source):
            while not stop.is_set():
                connection = http.client.HTTPConnection("127.0.0.1", it.port, timeout=60, source_address=(source, 0))
                connection.request("GET", DEAR)
                connection.getresponse().read()
                connection.close()
        threads = [threading.Thread(target=ask_always, args=(f"127.0.0.{2 + n % 2}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(2)
            tries = 0
            for _ in range(3):
                while not unix(folder / "sock", DEAR).startswith(b"HTTP/1.1 200"):
                    tries += 1
                    assert tries < 60, "the third one does not get its turn"
                    time.sleep(1)
            print(f"# it was told to come again {tries} times for 3 answers")
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def wrong_tokens_do_not_shut_out_a_right_one(folder):
    """Of the same address; and wrong ones still have their bound."""
    tokens = kit.secret(folder / "tokens", TOKEN + "\n")
    with kit.server(XENMON, folder / "none", "--rate=2", "--burst=10", f"--token-file={tokens}") as it:
        def ask(token):
            return it.ask("/healthz", Authorization=f"Bearer {token}")[0]
        wrong = [ask("0123456789abcdef-not-a-token") for _ in range(10)]
        assert wrong[0] == 401 and wrong.count(429) >= 5, wrong
        assert [ask(TOKEN) for _ in range(8)] == [503] * 8, "there is no region; somebody says so"
        assert 429 in [ask(TOKEN) for _ in range(20)], "a right one has a bound, too"


def rpc_history(it):
    """The same question by XML-RPC, which takes the most time and memory of all."""
    words = "".join(f"<param><value><string>{word}</string></value></param>" for word in ("", METRICS, "-95s", "now", "100ms"))
    return it.ask("/RPC2", "POST", f"<methodCall><methodName>xenmon.history</methodName><params>{words}</params></methodCall>", Content_Type="text/xml")


def a_dear_question_counts_for_more(folder):
    with made_region(folder / "shm", 34, 1, 2), kit.server(XENMON, folder / "shm", "--rate=2", "--burst=5") as it:
        time.sleep(3)
        assert [it.ask("/api/v1/host")[0] for _ in range(4)] == [200] * 4, "cheap ones"
        time.sleep(3)
        status, _, body = rpc_history(it)
        assert status == 200 and len(body) > 1 << 20, (status, body[:300])
        status, headers, _ = it.ask("/api/v1/host")
        assert status == 429 and int(headers["Retry-After"]) >= 1, status


def memory_comes_back(folder):
    with made_region(folder / "shm", 34, 1, 2), kit.server(XENMON, folder / "shm") as it:
        it.wait_for_data()
        before = resident_kb(it.process)
        for _ in range(3):
            threads = [threading.Thread(target=rpc_history, args=(it,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        time.sleep(1)
        after = resident_kb(it.process)
        peak = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{it.process.pid}/status").read_text())[1])
        print(f"# resident: {before} kB before, {peak} kB at most, {after} kB after")
        if kit.sanitized(XENMON.with_name("xenmon-serve")):
            raise kit.Skip("a sanitizer keeps what was freed")
        assert peak - before > 30000, "these are no dear answers"
        assert after - before < (peak - before) / 2, (before, peak, after)


# ---- Crowds.

def add_addresses():
    """This network namespace gets the addresses of elsewhere, all on its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        def tell(name, request, data):
            fcntl.ioctl(control, request, struct.pack("16s", name.encode()) + data.ljust(24, b"\0"))
        tell("lo", 0x8914, struct.pack("h", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running
        for number, address in enumerate(ELSEWHERE):
            tell(f"lo:{number}", 0x8916, struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(address)))  # SIOCSIFADDR


class Crowd(threading.Thread):
    """Clients at some addresses that take all the connections they can get, and say something on each or nothing."""

    def __init__(self, port, addresses, say):
        super().__init__(daemon=True)
        self.port, self.addresses, self.say = port, addresses, say
        self.stop = threading.Event()
        self.held = {address: [] for address in addresses}
        self.start()

    def open(self, address):
        client = socket.socket()
        client.settimeout(2)
        client.bind((address, 0))
        client.connect((ELSEWHERE[0], self.port))
        self.say(client)
        client.setblocking(False)
        return client

    def run(self):
        while not self.stop.wait(0.02):
            for address, clients in self.held.items():
                for client in list(clients):
                    try:
                        if client.recv(65536) == b"":
                            raise ConnectionResetError
                    except (BlockingIOError, ssl.SSLWantReadError):
                        pass
                    except OSError:
                        client.close()
                        clients.remove(client)
                with contextlib.suppress(OSError):
                    while len(clients) < 40 and not self.stop.is_set():
                        clients.append(self.open(address))

    def end(self):
        self.stop.set()
        self.join()
        for clients in self.held.values():
            for client in clients:
                client.close()


def crowd_of(folder, say, port, cert, title):
    """How long clients of three kinds wait for an answer while a crowd holds what it can; those that got none."""
    context = ssl.create_default_context(cafile=cert)

    def ask(source, target):
        began = time.monotonic()
        connection = http.client.HTTPSConnection("localhost", port, timeout=20, source_address=(source, 0), context=context)
        connection._create_connection = lambda _, timeout, source_address: socket.create_connection((target, port), timeout, source_address)
        try:
            connection.request("GET", "/healthz", headers={"Authorization": f"Bearer {TOKEN}"})
            assert connection.getresponse().status == 503  # there is no region; somebody says so
        finally:
            connection.close()
        return time.monotonic() - began

    def ask_unix(*_):
        began = time.monotonic()
        assert unix(folder / "sock").startswith(b"HTTP/1.1 503")
        return time.monotonic() - began
    crowd = Crowd(port, ELSEWHERE[1:5], say)
    try:
        wait_for(lambda: sum(map(len, crowd.held.values())) >= 40, "a crowd", 20)
        worst, failed = {}, []
        for round_number in range(12):
            for kind, call in (("here", lambda: ask(HERE, HERE)), ("new", lambda: ask(ELSEWHERE[5 + round_number % 2], ELSEWHERE[0])), ("unix", ask_unix)):
                try:
                    worst[kind] = max(worst.get(kind, 0), call())
                except OSError as error:
                    failed.append((kind, round_number, repr(error)))
            time.sleep(0.2)
        print(f"# {title}: {sum(map(len, crowd.held.values()))} connections of the crowd; longest waits {({k: round(v, 2) for k, v in worst.items()})}, failed {len(failed)} of 36",
              flush=True)
        assert not failed, failed
        assert max(worst.values()) < 10, worst
    finally:
        crowd.end()


def inside_of_a_network(folder):
    """Run in a network namespace: four addresses against everybody else."""
    add_addresses()
    cert, key = kit.certificate(folder, "one")
    tokens = kit.secret(folder / "tokens", TOKEN + "\n")
    port = kit.free_port()
    with Notified(folder, 60, f"--region={folder / 'none'}", f"--listen=0.0.0.0:{port}", f"--listen=unix:{folder / 'sock'}", f"--tls-cert={cert}",
                  f"--tls-key={key}", f"--token-file={tokens}", *sys.argv[6:]):
        context = ssl.create_default_context(cafile=cert)
        context.check_hostname = False

        def say_nothing(_):
            pass

        def say_half(client):
            tls = context.wrap_socket(client.dup())
            tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            tls.detach()

        def say_all(client):
            """And stays when it has been told that it may not."""
            tls = context.wrap_socket(client.dup())
            tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            tls.recv(10)
            tls.detach()
        crowd_of(folder, say_nothing, port, cert, "nothing is said")
        crowd_of(folder, say_half, port, cert, "half a request")
        crowd_of(folder, say_all, port, cert, "a whole one, with no token")


def who_holds_all_keeps_nobody_out(folder):
    if not shutil.which("openssl"):
        raise kit.Skip("openssl is not installed")
    inside = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if not shutil.which("unshare") or subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        raise kit.Skip("no network of its own can be had")
    done = subprocess.run([*inside, sys.executable, __file__, *sys.argv[1:5], f"--network={folder}"], capture_output=True, text=True, check=False, timeout=300)
    print(done.stdout, end="")
    assert done.returncode == 0, done.stdout + done.stderr


def idle_connections_give_way_when_many_are_open(folder):
    """Past half of the places who has said nothing, or nothing for a while, is cut off; below it nobody is."""
    with kit.server(XENMON, folder / "none", "--max-connections=20", "--max-per-address=20", "--timeout=60s", "--request-timeout=60s") as it:
        def kept_alive():
            client = socket.create_connection(("127.0.0.1", it.port), 20)
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 503")
            return client

        def lives(client):
            try:
                return not select.select([client], [], [], 0)[0] or client.recv(4096) != b""
            except ConnectionResetError:
                return False
        old = [kept_alive() for _ in range(4)]
        silent = [socket.create_connection(("127.0.0.1", it.port)) for _ in range(3)]
        time.sleep(3.5)
        assert all(map(lives, old + silent)), "with few connections nobody is cut off"
        young = [kept_alive() for _ in range(5)]
        wait_for(lambda: not any(map(lives, silent)), "who said nothing to be cut off", 20)
        assert sum(map(lives, old)) >= 3 and all(map(lives, young)), "enough was free without them"
        more = [kept_alive() for _ in range(4)]
        wait_for(lambda: sum(map(lives, old)) < 3, "the oldest to be cut off", 20)
        assert all(map(lives, more)), "the youngest stay"
        for client in old + silent + young + more:
            client.close()
        it.end()


def it_may_open_as_many_files_as_it_has_connections(folder):
    """The soft limit of open files is raised; where the hard one is too low that is said."""
    for hard, good in ((4096, True), (300, False)):
        process = subprocess.Popen([XENMON.with_name("xenmon-serve"), "--user=none", f"--region={folder / 'none'}", f"--listen=127.0.0.1:{kit.free_port()}",
                                    "--max-connections=1000"], stderr=subprocess.PIPE, text=True,
                                   preexec_fn=lambda hard=hard: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)))
        said = process.stderr.readline()
        limits = re.search(r"Max open files\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/limits").read_text())
        process.kill()
        process.communicate()
        assert ("1000 connections need 1128 open files, and it may have 300" not in said) == good, said
        assert int(limits[1]) == (1128 if good else 300), limits


# ---- Clients that do not read.

def a_stream_that_nobody_reads_ends(folder):
    """By TCP and by a Unix socket; one that is read goes on."""
    with made_region(folder / "shm", 400, 1, 4), kit.server(XENMON, folder / "shm", "--timeout=10m", f"--listen=unix:{folder / 'sock'}") as it:
        it.wait_for_data()
        deaf = []
        for family, address in ((socket.AF_INET, ("127.0.0.1", it.port)), (socket.AF_UNIX, str(folder / "sock"))):
            client = socket.socket(family)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(address)
            begun = time.monotonic()
            client.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            deaf.append((client, begun))
        reader = http.client.HTTPConnection("127.0.0.1", it.port, timeout=20)
        reader.request("GET", "/api/v1/stream")
        answer = reader.getresponse()
        assert answer.status == 200
        wait_for(lambda: told(it, "xenmon_http_streams") == 3, "three streams", 20)
        began, seen = deaf[-1][1], 0
        while told(it, "xenmon_http_streams") > 1:
            assert time.monotonic() - began < 90, "who reads nothing keeps its stream"
            seen += len(answer.read1(1 << 20))
        assert time.monotonic() - began > 5, "they were cut off at once"
        assert answer.read1(1 << 20) and told(it, "xenmon_http_streams") == 1, "the one that is read goes on"
        print(f"# ended after {time.monotonic() - began:.1f} s; {seen} bytes were read by the other")
        reader.close()
        for client, _ in deaf:
            client.close()


# ---- Its beginning, and what it says of its answers.

def a_full_backlog_is_somebody(folder):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(folder / "sock"))
        other.listen(0)
        waiting = []
        with contextlib.suppress(BlockingIOError):
            for _ in range(16):
                client = socket.socket(socket.AF_UNIX)
                waiting.append(client)
                client.setblocking(False)
                client.connect(str(folder / "sock"))
            raise AssertionError("the backlog does not fill")
        done = subprocess.run([XENMON, "serve", "--user=none", f"--region={folder / 'none'}", f"--listen=unix:{folder / 'sock'}"], capture_output=True, text=True,
                              timeout=20, check=False)
        assert done.returncode == 1 and "in use" in done.stderr and (folder / "sock").exists(), done
        for client in waiting:
            client.close()


def what_is_not_there_has_no_tag(folder):
    with made_region(folder / "shm", 2, 1, 1), kit.server(XENMON, folder / "shm") as it:
        it.wait_for_data()
        for path, status in (("/api/v1/domains/777", 404), ("/api/v1/host?window=zzz", 400), ("/api/v1/history?metric=none", 400), ("/nowhere", 404)):
            got, headers, body = it.ask(path, If_None_Match="*")
            assert got == status and "ETag" not in headers and b'"error"' in body, (path, got, headers)
        for path in ("/api/v1/domains/0", "/api/v1/version", "/api/v1/history", "/api/v1/openapi.json"):
            got, headers, body = it.ask(path, If_None_Match="*")
            assert got == 304 and headers["ETag"] and not body, (path, got)
        got, headers, _ = it.ask("/api/v1/version", "HEAD")
        assert got == 200 and headers["ETag"]


def the_log_tells_what_arrived(folder):
    log = folder / "log"
    with made_region(folder / "shm", 1000, 4, 8), kit.server(XENMON, folder / "shm", f"--access-log={log}") as it:
        it.wait_for_data()
        size = len(it.ask("/metrics?")[2])
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", it.port))
        client.sendall(b"GET /metrics?cut HTTP/1.1\r\nHost: localhost\r\n\r\n".replace(b"?cut", b""))
        client.recv(100)
        client.close()
        wait_for(lambda: ' 499 ' in log.read_text(), "the one that was cut off", 20)
        stream = http.client.HTTPConnection("127.0.0.1", it.port, timeout=20)
        stream.request("GET", "/api/v1/stream")
        stream.getresponse().read(100)
        stream.close()
        wait_for(lambda: "/api/v1/stream" in log.read_text(), "the stream", 20)
        it.end()
        lines = log.read_text().splitlines()
        cut = [line for line in lines if " 499 " in line]
        assert len(cut) == 1 and cut[0].endswith('"GET /metrics HTTP/1.1" 499 -'), cut
        whole = [line for line in lines if "/metrics?" in line]
        assert len(whole) == 1 and abs(int(whole[0].split()[-1]) - size) < 10, whole
        streamed = [line for line in lines if "/api/v1/stream" in line]
        assert len(streamed) == 1 and re.search(r'" 200 \d+$', streamed[0]), streamed


TESTS = [a_thread_that_hangs_ends_the_signs_of_life, it_ends_though_a_thread_does_not, dear_questions_wait_for_each_other,
         two_that_never_pause_leave_a_third_its_turn, wrong_tokens_do_not_shut_out_a_right_one, it_may_open_as_many_files_as_it_has_connections,
         a_dear_question_counts_for_more, memory_comes_back, who_holds_all_keeps_nobody_out, idle_connections_give_way_when_many_are_open,
         a_stream_that_nobody_reads_ends, a_full_backlog_is_somebody, what_is_not_there_has_no_tag, the_log_tells_what_arrived]

if __name__ == "__main__":
    if sys.argv[1] == "--hold":
        hold_thread(int(sys.argv[2]))
        sys.exit(0)
    XENMON, XENBAKED, ROOT, MADE_REGION = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
    if len(sys.argv) > 5 and sys.argv[5].startswith("--network="):
        inside_of_a_network(pathlib.Path(sys.argv[5].split("=", 1)[1]))
        sys.exit(0)
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(kit.run_tests(TESTS, temporary))
