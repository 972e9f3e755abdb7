#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""XML-RPC of xenmon serve, by Python's client: answers, introspection, faults, and calls that mean harm.

usage: serve_rpc.py XENMON XENBAKED SOURCE_ROOT      TAP on stdout, exit 1 when anything fails
"""
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import xml.dom.minidom
import xmlrpc.client

import serve_kit as kit

XENMON, XENBAKED, ROOT = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
MUTATIONS = int(os.environ.get("XM_REQUESTS", "600"))


@contextlib.contextmanager
def running(folder, *words):
    with kit.host(XENBAKED, folder) as (region, _), kit.server(XENMON, region, *words) as server:
        server.wait_for_data()
        yield server, xmlrpc.client.ServerProxy(server.url + "/RPC2")


def post(server, body, kind="text/xml"):
    return server.ask("/RPC2", "POST", body, Content_Type=kind)


def fault_of(answer):
    """(code, text) of an answer that is a fault."""
    try:
        xmlrpc.client.loads(answer)
    except xmlrpc.client.Fault as fault:
        return fault.faultCode, fault.faultString
    raise AssertionError(f"no fault: {answer[:300]}")


def call(method, *arguments):
    return xmlrpc.client.dumps(arguments, method, allow_none=True).encode()


def three_lines_are_enough(folder):
    with running(folder) as (server, _):
        lines = ("import xmlrpc.client\n"
                 f"host = xmlrpc.client.ServerProxy('{server.url}/RPC2')\n"
                 "print([d['name'] for d in host.xenmon.snapshot()['domains']])\n")
        done = subprocess.run([sys.executable, "-c", lines], stdout=subprocess.PIPE, text=True, check=True, timeout=30)
        assert done.stdout == f"['Domain-0', 'web', '{kit.PLACEHOLDER}']\n", done.stdout


def answers_are_the_apis(folder):
    """A trace that has ended: both carry the same."""
    trace = folder / "trace"
    subprocess.run([XENMON, "sim", "contention", "-o", trace, "--duration", "5s", "-q"], cwd=ROOT, check=True)
    with kit.host(XENBAKED, folder, "--speed=max", source=trace) as (region, _), kit.server(XENMON, region) as server:
        server.wait_for_data("ended")
        rpc = xmlrpc.client.ServerProxy(server.url + "/RPC2").xenmon
        for path, answer in [("windows?window=1s", rpc.snapshot()), ("windows?window=exec,3s", rpc.snapshot("exec,3s")),
                             ("domains", rpc.domains()), ("domains?window=10s", rpc.domains("10s")), ("cpus", rpc.cpus()),
                             ("domains/1", rpc.domain(1)), ("domains/1", rpc.domain("1", "")), ("domains/1/vcpus?window=1s", rpc.vcpus(1, "1s")),
                             ("host?window=1s", rpc.host("1s")), ("metrics", rpc.metrics()), ("version", rpc.version()),
                             ("history?domain=1&metric=running_s&from=-2s", rpc.history(1, "running_s", "-2s")),
                             ("history?from=-3s&step=1s", rpc.history("", "", "-3s", "now", "1s"))]:
            same(path, server.get(f"/api/v1/{path}"), answer)
        server.end()


def same(where, one, other):
    """Equal but for rounding, and for what passes meanwhile."""
    if isinstance(one, dict):
        assert isinstance(other, dict) and set(one) == set(other), (where, one, other)
        for key in one:
            if key != "age_s":
                same(f"{where}.{key}", one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for number, pair in enumerate(zip(one, other)):
            same(f"{where}[{number}]", *pair)
    elif isinstance(one, float):
        assert isinstance(other, float) and abs(one - other) <= 1e-9 * max(1, abs(one)), (where, one, other)
    else:
        assert one == other and type(one) is type(other), (where, one, other)


def it_describes_itself(folder):
    with running(folder) as (_, rpc):
        methods = [m for m in rpc.system.listMethods() if m.startswith("xenmon.")]
        assert set(methods) == {f"xenmon.{m}" for m in ("snapshot", "host", "domains", "domain", "vcpus", "cpus", "history", "history_ranges", "metrics", "version")}
        for method in methods:
            assert len(rpc.system.methodHelp(method)) > 15, method
            signatures = rpc.system.methodSignature(method)
            assert signatures and all(s[0] == "struct" for s in signatures), (method, signatures)
        assert ["struct", "int", "string"] in rpc.system.methodSignature("xenmon.domain")


def what_is_wrong_is_a_fault(folder):
    with running(folder) as (_, rpc):
        for code, part, ask in [
                (404, "no_such_domain", lambda: rpc.xenmon.domain(77)), (400, "bad_domid", lambda: rpc.xenmon.domain("x")),
                (400, "bad_domid", lambda: rpc.xenmon.domain(-1)), (400, "bad_arguments", lambda: rpc.xenmon.domain()),
                (400, "bad_arguments", lambda: rpc.xenmon.domain(1, "1s", "x")), (400, "bad_arguments", lambda: rpc.xenmon.domain([1])),
                (400, "bad_arguments", lambda: rpc.xenmon.domain(1.5)), (400, "bad_arguments", lambda: rpc.xenmon.domain("1" * 5000)),
                (400, "bad_window", lambda: rpc.xenmon.snapshot("x")), (400, "bad_window", lambda: rpc.xenmon.domains("1s,1s")),
                (400, "bad_metric", lambda: rpc.xenmon.history(1, "nosuch")), (400, "bad_time", lambda: rpc.xenmon.history(1, "running_s", "x")),
                (400, "too_much", lambda: rpc.xenmon.history(1, "running_s", "-1h", "now", "1s")),
                (-506, "not defined", lambda: rpc.nosuch()), (-506, "not defined", lambda: rpc.xenmon.nosuch(1))]:
            try:
                ask()
            except xmlrpc.client.Fault as fault:
                assert fault.faultCode == code and part in fault.faultString, (code, part, fault)
            else:
                raise AssertionError(f"no fault: {part}")
        with contextlib.suppress(xmlrpc.client.Fault):
            rpc.system.shutdown("please")
        assert rpc.xenmon.version()["api"] == "v1"


def many_calls_in_one_are_bounded(folder):
    with running(folder) as (_, rpc):
        several = xmlrpc.client.MultiCall(rpc)
        for _ in range(16):
            several.xenmon.domain(1, "1s")
        assert [a["domain"]["domid"] for a in several()] == [1] * 16
        many = xmlrpc.client.MultiCall(rpc)
        for _ in range(300):
            many.xenmon.snapshot()
        results = many().results
        assert sum(isinstance(r, list) for r in results) == 16, [type(r) for r in results[:20]]
        assert all(r["faultCode"] == 400 and "too_much" in r["faultString"] for r in results[16:]), results[16]


def answers_of_one_call_are_bounded_together(folder):
    """All are held until the last is made: 16 times what one may have does not fit into the service's memory."""
    with running(folder) as (server, rpc):
        metrics = "running_ratio,wait_ratio,blocked_ratio,offline_ratio,unknown_ratio,running_s,wait_s,blocked_s"
        several = xmlrpc.client.MultiCall(rpc)
        for _ in range(16):
            several.xenmon.history("", metrics, "-95s", "now", "100ms")
        results = several().results
        # Of each step: eight metrics and their coverage for each domain, its time, and what all pCPUs did.
        made = [(len(r[0]["domains"]) * 9 + 5) * len(r[0]["times_s"]) for r in results if isinstance(r, list)]
        assert made and made[0] > 20000 and 150000 < sum(made) <= 200000, made
        assert all(r["faultCode"] == 400 and "too_much" in r["faultString"] for r in results[len(made):]), results[-1]
        assert len(rpc.xenmon.history("", metrics, "-95s", "now", "100ms")["times_s"]) == 950
        assert len(rpc.xenmon.history(1, "running_s", "0", "18000000000", "3100000000s")["times_s"]) == 6
        server.end()


def calls_that_mean_harm(folder):
    with running(folder) as (server, rpc):
        entities = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
            b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)) + \
            b"]><methodCall><methodName>xenmon.version</methodName><params><param><value>&j;</value></param></params></methodCall>"
        file = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><methodCall><methodName>xenmon.domain</methodName>' \
               b"<params><param><value>&f;</value></param></params></methodCall>"
        arrays = b"<methodCall><methodName>xenmon.domain</methodName><params><param>" + b"<value><array><data>" * 600 + \
                 b"</data></array></value>" * 600 + b"</param></params></methodCall>"
        quoted = b'<methodCall a="/>">' * 2000
        for body in (entities, file, arrays, quoted, b"<a>" * 20000, b"<" * 60000, b"<!--" * 9000, b"<![CDATA[" * 5000, b"<?" * 30000):
            status, _, answer = post(server, body)
            assert status == 200 and fault_of(answer)[0] == 400, (body[:40], status, answer[:200])
            assert b"root:" not in answer
        for text in (entities, file, entities.replace(b'<?xml version="1.0"?>', b'<?xml version="1.0" encoding="UTF-16"?>')):
            for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
                for body in (text.decode().encode(encoding), b"\xfe\xff" + text.decode().encode("utf-16-be")):
                    status, _, answer = post(server, body)
                    assert status == 200 and fault_of(answer)[0] == 400 and "bad_call" in fault_of(answer)[1], (body[:40], status, answer[:200])
        for body in (b"", b"\0", b"{}", b"<methodCall/>", b"<methodCall></methodCall>", b"\xff\xfe<", call("xenmon.version")[:-20],
                     b"<methodResponse><params/></methodResponse>", call("xenmon.version").replace(b"<params>", b"<params><params>")):
            status, _, answer = post(server, body)
            assert status in (200, 400), (body, status)
            if status == 200:
                fault_of(answer)
        assert post(server, call("xenmon.version", "x" * 70000))[0] == 413
        assert post(server, call("xenmon.version"), "application/json")[0] == 415
        status, headers, _ = server.ask("/RPC2")
        assert status == 405 and "POST" in headers["Allow"]
        assert rpc.xenmon.version()["api"] == "v1"
        server.end()


def calls_at_random_get_an_answer(folder):
    """Calls with bytes changed, cut, doubled and moved: an answer, always XML, and the server stays."""
    rng = kit.seeded(os.environ.get("XM_SEED"))
    with running(folder) as (server, rpc):
        models = [call("xenmon.domain", 1, "1s"), call("xenmon.version"), call("xenmon.history", 1, "running_s", "-5s", "now", "1s"),
                  call("system.multicall", [{"methodName": "xenmon.version", "params": []}, {"methodName": "system.listMethods", "params": []}]),
                  call("system.methodHelp", "xenmon.domain")]
        kinds = {}
        for _ in range(MUTATIONS):
            body = bytearray(rng.choice(models))
            for _ in range(rng.randint(1, 6)):
                at = rng.randrange(len(body)) if body else 0
                end = min(len(body), at + rng.randint(1, 30))
                kind = rng.randrange(5)
                if kind == 0 and body:
                    body[at] = rng.randrange(256)
                elif kind == 1:
                    del body[at:end]
                elif kind == 2:
                    body[at:at] = body[at:end] * rng.randint(1, 5)
                elif kind == 3:
                    body[at:at] = rng.choice([b"<value>", b"</value>", b"<i4>9999999999</i4>", b"<nil/>", b"<array><data>", b"&#0;", b"<double>1e999</double>"])
                else:
                    del body[end:]
            status, headers, answer = post(server, bytes(body))
            assert status in (200, 400), (bytes(body), status, answer[:200])
            kinds[status] = kinds.get(status, 0) + 1
            if status == 200:
                assert headers["Content-Type"].startswith("text/xml")
                xml.dom.minidom.parseString(answer)
        assert kinds[200] > MUTATIONS / 4, kinds
        begun = time.monotonic()
        assert rpc.xenmon.snapshot()["schema"] == "xenmon/1" and time.monotonic() - begun < 2
        server.end()


TESTS = [three_lines_are_enough, answers_are_the_apis, it_describes_itself, what_is_wrong_is_a_fault, many_calls_in_one_are_bounded,
         answers_of_one_call_are_bounded_together, calls_that_mean_harm, calls_at_random_get_an_answer]


def main():
    with tempfile.TemporaryDirectory() as folder:
        return kit.run_tests(TESTS, folder)


if __name__ == "__main__":
    sys.exit(main())
