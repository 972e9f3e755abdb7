#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The JSON API of xenmon serve against its own description, against the region, and against requests that are wrong.

usage: serve_api.py XENMON XENBAKED SOURCE_ROOT      TAP on stdout, exit 1 when anything fails
"""
import contextlib
import copy
import gzip
import http.client
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse

try:
    import jsonschema
except ImportError:
    print("1..0 # SKIP no python3-jsonschema")
    sys.exit(0)

import serve_kit as kit
from serve_described import Description, description_of, json_paths

XENMON, XENBAKED, ROOT = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
sys.path.insert(0, str(ROOT / "contrib" / "python"))
import xenmon_region  # noqa: E402

RANDOM_REQUESTS = int(os.environ.get("XM_REQUESTS", "400"))


@contextlib.contextmanager
def running(folder, *words):
    with kit.host(XENBAKED, folder) as (region, _), kit.server(XENMON, region, *words) as server:
        server.wait_for_data()
        yield server, region


def the_description_is_openapi_3(folder):
    with running(folder) as (server, _):
        document = server.get("/api/v1/openapi.json")
        assert re.fullmatch(r"3\.0\.\d+", document["openapi"]) and document["info"]["title"] and document["info"]["version"]
        ids = [path["get"]["operationId"] for path in document["paths"].values()]
        assert len(ids) == len(set(ids)) > 8
        for path, item in document["paths"].items():
            for name in re.findall(r"\{(\w+)\}", path):
                assert any(p["name"] == name and p["in"] == "path" and p["required"] for p in item["get"]["parameters"]), path
        for name, schema in Description(document).schemas.items():
            jsonschema.Draft7Validator.check_schema(schema)
            for target in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schema)):
                assert target in document["components"]["schemas"], (name, target)
        # It would not accept what is wrong.
        described = Description(document)
        good = server.get("/api/v1/cpus?window=1s")
        for spoil in (lambda d: d.update(extra=1), lambda d: d["cpus"][0]["windows"]["1s"].update(busy_s="1"),
                      lambda d: d["cpus"][0].pop("current"), lambda d: d.update(state="fine")):
            bad = copy.deepcopy(good)
            spoil(bad)
            try:
                described.check("CpusAnswer", bad)
            except jsonschema.ValidationError:
                continue
            raise AssertionError("the description accepts nonsense")


def every_path_that_is_served_is_described(folder):
    """And with the same keys of a query; what is described is served, and the manual has it."""
    served = {}
    for path in sorted((ROOT / "src/export").glob("*.c")):
        text = path.read_text()
        lists = {name: re.findall(r'"(\w+)"', words) for name, words in re.findall(r"(\w+_query)\[\] = \{([^}]*)\}", text)}
        for route, query in re.findall(r'\{XM_HTTP_GET, "(/api/[^"]*)", (\w+),', text):
            served[route] = set() if query == "NULL" else set(lists[query])
    assert "/api/v1/region/samples" in served and served["/api/v1/history"], served
    with running(folder) as (server, _):
        described = description_of(server)
        said = {path: {p["name"] for p in item["get"].get("parameters", ()) if p["in"] == "query"}
                for path, item in described.document["paths"].items()}
        status, _, body = server.ask("/api/v1/")
        assert status == 404 and "/api/v1/openapi.json" in json.loads(body)["error"]["message"], body
        assert said == served, {p: (said.get(p), served.get(p)) for p in set(said) | set(served) if said.get(p) != served.get(p)}
        manual = re.sub(r" Ns Ar (\w+)( Ns Pa )?", r"{\1}", (ROOT / "man/xenmon-serve.1").read_text())
        document = (ROOT / "doc/api.md").read_text()
        for path in said:
            assert re.search(re.escape(path) + r"(?![\w/])", manual), f"{path} is not in the manual"
            assert f"| `{path}` |" in document, f"{path} is not in doc/api.md"
        bytes_of_it(server, described)


def bytes_of_it(server, described):
    """The paths that answer with bytes."""
    for path, good, bad in (("/api/v1/region", ("",), ("x=1",)),
                            ("/api/v1/region/samples", ("", "series=slow", "after=0&limit=64", "from=9223372036854775807", "limit=0"),
                             ("series=x", "after=-1", "after=9223372036854775808", "limit=65", "from=", "x=1", "limit=1&limit=1")),
                            ("/api/v1/region/histograms", ("", "first=4294967295", "limit=1"), ("first=4294967296", "limit=65", "first=x", "after=0"))):
        for query in good:
            status, headers, body = server.ask(f"{path}?{query}" if query else path)
            kinds = described.document["paths"][path]["get"]["responses"]["200"]["content"]
            assert status == 200 and headers["Content-Type"] in kinds and body.startswith(b"XENMONMR"), (path, query, status, body[:100])
            assert headers["ETag"] is None, headers
        for query in bad:
            status, _, body = server.ask(f"{path}?{query}")
            assert status == 400, (path, query, status)
            described.answers(path, status, json.loads(body))


# ---- Requests made from the description: what is allowed, and what is just not.

WINDOWS_GOOD = ["exec", "1s", "10s", "exec,1s,10s", "100ms", "0.5s", "2s", "1d", "1.5h", "90m", "10s,3s", "5", "1s,exec,7s"]
WINDOWS_BAD = ["", "99ms", "25h", "1s,1s", "1s,10s,exec,2s", "2s,3s", "-1s", "1e3s", "s", "1s,", ",1s", "1 s", "%00", "1s%0a", "exec ", "EXEC",
               "99999999999999999999s", "0", "0s", "x" * 300, "%ff", "1s;2s"]
TIMES_GOOD = ["now", "-1s", "-5m", "-1.5s", "1", "1767323045.25", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456789Z",
              "2026-01-02T03:04:05%2B01:00", "2026-02-28t23:59:60z"]
TIMES_BAD = ["", "yesterday", "--5m", "-", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-02", "2026-01-02T25:00:00Z",
             "2026-01-02T03:04:05", "99999999999999999999", "1e9", "2026-01-02T03:04:05.Z", "nowx", "1.2.3"]
LISTS = {"/api/v1/host": "HostAnswer", "/api/v1/domains": "DomainsAnswer", "/api/v1/cpus": "CpusAnswer", "/api/v1/windows": "WindowsAnswer",
         "/api/v1/domains/{domid}": "DomainAnswer", "/api/v1/domains/{domid}/vcpus": "VcpusAnswer"}


def every_path_answers_as_described(folder):
    with running(folder) as (server, _):
        described = description_of(server)
        assert len(json_paths(described)) == 10, json_paths(described)
        for path in json_paths(described):
            described.answers(path, 200, server.get(path.replace("{domid}", "1")))
        for path in LISTS:
            for window in WINDOWS_GOOD:
                answer = server.get(f"{path.replace('{domid}', '2')}?window={window}")
                described.answers(path, 200, answer)
                wanted = [name for name in window.split(",") if name != "exec" or path not in ("/api/v1/host", "/api/v1/cpus", "/api/v1/windows")]
                holder = {"/api/v1/host": lambda a: a, "/api/v1/windows": lambda a: a, "/api/v1/domains": lambda a: a["domains"][0],
                          "/api/v1/cpus": lambda a: a["cpus"][0], "/api/v1/domains/{domid}": lambda a: a["domain"],
                          "/api/v1/domains/{domid}/vcpus": lambda a: a["vcpus"][0]}[path](answer)
                assert list(holder["windows"]) == wanted, (path, window, list(holder["windows"]))


def bounds_are_held(folder):
    with running(folder) as (server, _):
        described = description_of(server)

        def refused(path, query, code, status=400):
            got, _, body = server.ask(f"{path}?{query}" if query else path)
            said = json.loads(body)
            described.check("Error", said)
            assert got == status and said["error"]["code"] == code, (path, query, got, said)
            assert said["error"]["message"].isprintable(), said
            return said["error"]["message"]

        for path in LISTS:
            real = path.replace("{domid}", "1")
            for window in WINDOWS_BAD:
                got, _, body = server.ask(f"{real}?window={urllib.parse.quote(window, safe='%')}")
                assert got == 400, (real, window, got, body)
                described.check("Error", json.loads(body))
            refused(real, "window=1s&window=10s", "repeated_query_key")
            refused(real, "windows=1s", "unknown_query_key")
        for tail in ("", "/vcpus"):
            for domid in ("x", "-1", "32768", "99999999999999999999", "1.0", "0x1", "%201", "1%00"):
                got, _, body = server.ask(f"/api/v1/domains/{domid}{tail}")
                assert got == 400, (domid, got, body)
            refused("/api/v1/domains/32767" + tail, "", "no_such_domain", 404)
            refused("/api/v1/domains/77" + tail, "", "no_such_domain", 404)
        for path in ("/api/v1/version", "/api/v1/metrics", "/api/v1/openapi.json", "/"):
            refused(path, "x=1", "unknown_query_key")
        history = "/api/v1/history"
        for when in TIMES_GOOD:
            got, _, body = server.ask(f"{history}?to={when}&step=1s")
            assert got == 200, (when, got, body)
            described.answers(history, 200, json.loads(body))
        for when in TIMES_BAD:
            refused(history, f"from={urllib.parse.quote(when, safe='%')}", "bad_time")
            refused(history, f"to={urllib.parse.quote(when, safe='%')}", "bad_time")
        refused(history, "from=now", "bad_range")
        refused(history, "from=now&to=-1m", "bad_range")
        refused(history, "step=99ms", "bad_step")
        refused(history, "step=x", "bad_step")
        for top in ("0", "-1", "32768", "x", ""):
            refused(history, f"top={top}", "bad_top")
        refused(history + "/ranges", "top=1", "unknown_query_key")
        refused(history, "metric=", "bad_metric")
        refused(history, "metric=nosuch", "bad_metric")
        refused(history, "metric=running_s,running_s", "bad_metric")
        refused(history, "metric=" + ",".join(m["id"] for m in server.get("/api/v1/metrics")["metrics"][:9]), "bad_metric")
        refused(history, "from=-1h&step=1s", "too_much")
        for text in ("", "32768", "99999999999999999999"):
            refused(history, f"domain={text}", "bad_domid")
        for text in ("99", "x", "-1", "0x1", "1.0", "%201", "web%20", "WEB", "we*", "w" * 70, "%27%3B%3Cb%3E", "%0a%e2%80%ae%07", "*", "%25s%25n"):
            refused(history, f"domain={text}", "no_such_domain", 404)
        for text, shown in (("b%c3%a4cker%20%f0%9f%8d%9e", "'b\u00e4cker \U0001f35e'"), ("%0a%e2%80%ae%07", "'???'"),
                            ("%e2%82%ac" * 20, "'" + "\u20ac" * 15 + "'")):
            said = refused(history, f"domain={text}", "no_such_domain", 404)
            assert said.endswith(shown), said
        refused(history, "domain=web%00", "bad_query")
        refused(history, "domain=%ff", "bad_query")
        assert len(server.get(f"{history}?from=-1000s&step=1s&domain=1")["times_s"]) == 1000
        server.end()


def requests_at_random_get_an_answer(folder):
    """Any mixture of paths, keys and values: an answer that is described, and the server stays."""
    rng = kit.seeded(os.environ.get("XM_SEED"))
    with running(folder) as (server, _):
        described = description_of(server)
        paths = json_paths(described)
        values = WINDOWS_GOOD + WINDOWS_BAD + TIMES_GOOD + TIMES_BAD + [m["id"] for m in server.get("/api/v1/metrics")["metrics"]] + ["0", "1", "2"]
        seen = {}
        for _ in range(RANDOM_REQUESTS):
            path = rng.choice(paths)
            real = path.replace("{domid}", rng.choice(["0", "1", "2", "3", "x"]))
            keys = rng.sample(["window", "domain", "metric", "from", "to", "step", "top", "x"], rng.choice([0, 1, 1, 2, 3]))
            query = "&".join(f"{key}={urllib.parse.quote(rng.choice(values), safe='%')}" for key in keys)
            status, _, body = server.ask(f"{real}?{query}" if query else real)
            seen[status] = seen.get(status, 0) + 1
            assert status in (200, 400, 404), (real, query, status, body[:200])
            described.answers(path, status, json.loads(body))
        assert seen.get(200, 0) > 20 and seen.get(400, 0) > 20, seen
        server.end()


# ---- The numbers.

def numbers_are_the_regions(folder):
    """A trace that has ended: what the API says is what another reader finds in the region."""
    trace = folder / "trace"
    subprocess.run([XENMON, "sim", "contention", "-o", trace, "--duration", "20s", "-q"], cwd=ROOT, check=True)
    with kit.host(XENBAKED, folder, "--speed=max", source=trace) as (path, _), kit.server(XENMON, path) as server:
        server.wait_for_data("ended")
        region = xenmon_region.Region(str(path))
        sample = region.sample("fast", region.newest("fast"))
        hz = server.get("/api/v1/host")["host"]["tsc_hz"]
        answer = server.get("/api/v1/windows?window=1d")
        rows = {row["id"] & 0xffff: row for row in sample["domain"] if row["id"]}
        assert len(answer["domains"]) == len(rows) > 2
        for domain in answer["domains"]:
            w, row = domain["windows"]["1d"], rows[domain["domid"]]
            for key, metric in (("running_s", "running"), ("wait_s", "runnable"), ("blocked_s", "blocked"), ("offline_s", "offline"),
                                ("unknown_s", "unknown"), ("wait_any_s", "wait_any")):
                assert abs(w[key] - row[metric] / hz) < 1e-8, (domain["domid"], key, w[key], row[metric] / hz)
            assert w["executions"] == row["executions"] and w["migrations"] == row["migrations"]
            states = sum(w[f"{s}_s"] for s in ("running", "wait", "blocked", "offline", "unknown"))
            assert abs(states - w["span_s"] * domain["vcpus_seen"]) < 1e-7, (states, w["span_s"])
            ratios = sum(w[f"{s}_ratio"] for s in ("running", "wait", "blocked", "offline", "unknown"))
            assert abs(ratios - 1) < 1e-9, ratios
            assert abs(sum(w["wait_by_cause_s"].values()) - w["wait_s"]) < 1e-8
            # The vCPUs are the domain.
            vcpus = server.get(f"/api/v1/domains/{domain['domid']}/vcpus?window=1d")["vcpus"]
            for key in ("running_s", "wait_s", "blocked_s", "offline_s", "unknown_s", "executions"):
                assert abs(sum(v["windows"]["1d"][key] for v in vcpus) - w[key]) < 1e-7, (domain["domid"], key)
        cpus = {row["id"] & 0xffff: row for row in sample["pcpu"] if row["id"]}
        for cpu in answer["cpus"]:
            w, row = cpu["windows"]["1d"], cpus[cpu["cpu"]]
            for key in ("busy", "idle", "switching", "unknown"):
                assert abs(w[f"{key}_s"] - row[key] / hz) < 1e-8, (cpu["cpu"], key)
        whole = answer["windows"]["1d"]
        assert abs(sum(c["windows"]["1d"]["busy_s"] for c in answer["cpus"]) - whole["busy_s"]) < 1e-7
        # What the domains ran is what the pCPUs were busy with.
        assert abs(sum(d["windows"]["1d"]["running_s"] for d in answer["domains"]) - whole["busy_s"]) < 1e-6
        # Windows of the snapshot, and the same ones read from the series.
        for ours, theirs in (("1s", "1.0s"), ("10s", "10.0s")):
            one, other = (server.get(f"/api/v1/domains/1?window={name}")["domain"]["windows"][name] for name in (ours, theirs))
            for key in ("running_s", "wait_s", "executions", "wait_max_s", "alloc_s", "io"):
                assert one[key] == other[key], (ours, key, one[key], other[key])
        history_adds_up(server, region, hz)
        server.end()


def history_adds_up(server, region, hz):
    answer = server.get("/api/v1/history?domain=1&from=-10s&step=1s&metric=running_s,wait_s,blocked_s,executions,running_ratio,wait_max_s")
    assert answer["series"] == "fast" and len(answer["times_s"]) == 10
    values = answer["domains"][0]["values"]
    w = server.get("/api/v1/domains/1?window=10s")["domain"]["windows"]["10s"]
    for key in ("running_s", "wait_s", "blocked_s", "executions"):
        assert None not in values[key] and abs(sum(values[key]) - w[key]) < 1e-6 * max(1, w[key]), (key, sum(values[key]), w[key])
    assert max(values["wait_max_s"]) == w["wait_max_s"] and len(set(values["wait_max_s"])) > 1
    slow = server.get("/api/v1/history?domain=1&from=-10s&step=1s&metric=running_s")
    assert slow["series"] == "slow" and sum(v is not None for v in slow["domains"][0]["values"]["running_s"]) >= 9, slow
    # Before the trace there is nothing, and nothing is not 0.
    early = server.get("/api/v1/history?domain=1&from=-1h&step=60s&metric=running_s")
    assert early["domains"][0]["values"]["running_s"][0] is None
    every = server.get("/api/v1/history?from=-5s&step=1s")
    assert {d["domid"] for d in every["domains"]} == {row["id"] & 0xffff for row in region.sample("fast", region.newest("fast"))["domain"] if row["id"]}
    assert hz > 0


def what_is_not_known_is_null(folder):
    with running(folder) as (server, _):
        w = server.get("/api/v1/domains/1?window=1s")["domain"]["windows"]["1s"]
        assert w["net"]["received_bytes"] is None and w["disk"]["reads"] is None and w["io"]["grant_copies_issued"] is None, w
        assert w["io"]["count"] is not None
        hog = server.get("/api/v1/domains/2?window=1s")["domain"]
        assert hog["uuid"] is None and hog["cap_ratio"] is None and hog["weight"] == 256


def names_are_harmless(folder):
    with running(folder) as (server, region):
        kit.make_hostile(region)
        deadline = time.monotonic() + 30
        name = ""
        while "<img" not in name and time.monotonic() < deadline:
            time.sleep(0.3)
            status, headers, body = server.ask("/api/v1/domains/2?window=1s")
            name = json.loads(body)["domain"]["name"]
        assert name.startswith("<img src=x onerror=evil()>"), name
        assert name.isprintable() and "\u202e" not in name and "\x07" not in name, ascii(name)
        assert headers["Content-Type"].startswith("application/json") and headers["X-Content-Type-Options"] == "nosniff", headers
        history = server.get("/api/v1/history?domain=2&from=-3s")
        assert history["domains"][0]["name"] == name
        # Who copies the name as it is shown finds the domain.
        again = server.get(f"/api/v1/history?domain={urllib.parse.quote(name, safe='')}&from=-3s")
        assert [d["domid"] for d in again["domains"]] == [2] and again["domains"][0]["name"] == name
        server.end()


def domains_have_names(folder):
    """The same answer by id, name and UUID, as the commands take them; what is all digits is an id."""
    with running(folder) as (server, region):
        # The simulated host has no UUIDs: one is put where it would be, behind the name.
        uuid = "01234567-89ab-cdef-0123-456789abcdef"
        data = region.read_bytes()
        at = data.find(b"web\0")
        while at >= 0:
            with region.open("r+b") as file:
                file.seek(at + 64)
                assert file.read(40) == bytes(40)
                file.seek(at + 64)
                file.write(uuid.encode())
            at = data.find(b"web\0", at + 1)

        def known():
            return server.get("/api/v1/domains/1?window=1s")["domain"]["uuid"] == uuid
        deadline = time.monotonic() + 30
        while not known() and time.monotonic() < deadline:
            time.sleep(0.3)
        assert known()
        to = time.time()
        asked = f"/api/v1/history?from={to - 3}&to={to}&step=1s&domain="
        described = description_of(server)
        for text, domid in (("web", 1), ("%77eb", 1), (uuid, 1), (uuid.upper(), 1), ("Domain-0", 0), ("Domain%2D0", 0), ("1", 1), ("001", 1)):
            answer = server.get(asked + text)
            described.answers("/api/v1/history", 200, answer)
            assert [d["domid"] for d in answer["domains"]] == [domid], (text, answer["domains"])
            assert answer["domains"][0]["values"].keys() == server.get(asked + str(domid))["domains"][0]["values"].keys()
        schema = next(p["schema"] for p in described.document["paths"]["/api/v1/history"]["get"]["parameters"] if p["name"] == "domain")
        for value, good in ((1, True), ("web", True), (uuid, True), (32768, False), ("", False), ("12", False)):
            assert jsonschema.Draft7Validator(schema).is_valid(value) == good, value
        server.end()


def tags_save_the_answer(folder):
    with running(folder, "--interval=3s") as (server, _):
        for _ in range(5):
            _, headers, _ = server.ask("/api/v1/windows")
            status, again, body = server.ask("/api/v1/windows", If_None_Match=headers["ETag"])
            if status == 304:
                break
        assert status == 304 and body == b"" and again["ETag"] == headers["ETag"], (status, body[:100])
        time.sleep(3.5)
        status, later, _ = server.ask("/api/v1/windows", If_None_Match=headers["ETag"])
        assert status == 200 and later["ETag"] != headers["ETag"]
        _, page, _ = server.ask("/api/v1/openapi.json")
        assert server.ask("/api/v1/openapi.json", If_None_Match=page["ETag"])[0] == 304


def answers_are_packed_for_who_reads_that(folder):
    with running(folder, "--interval=5s") as (server, _):
        page = ("/app.js",) if server.ask("/app.js")[0] == 200 else ()  # not where it was built without npm
        for path in ("/metrics", "/api/v1/windows", "/api/v1/openapi.json", "/api/v1/metrics", *page):
            for _ in range(5):  # until both are of one snapshot
                _, plain, body = server.ask(path)
                status, packed, data = server.ask(path, Accept_Encoding="br, gzip;q=0.8")
                if not plain["ETag"] or packed["ETag"] == plain["ETag"][:-1] + '-gz"':
                    break
            assert status == 200 and packed["Content-Encoding"] == "gzip" and plain["Content-Encoding"] is None, (path, packed.items())
            assert len(data) * 2 < len(body) and int(packed["Content-Length"]) == len(data), (path, len(data), len(body))
            for headers in (plain, packed):
                assert "Accept-Encoding" in ",".join(headers.get_all("Vary")), (path, headers.items())
            if path != "/metrics":  # its own numbers move
                assert gzip.decompress(data) == body, path
                assert packed["ETag"] == plain["ETag"][:-1] + '-gz"', (plain["ETag"], packed["ETag"])
                tag = packed["ETag"]
                status, again, rest = server.ask(path, Accept_Encoding="gzip", If_None_Match=tag)
                assert (status, again["ETag"], rest) == (304, tag, b"") and again["Content-Encoding"] is None, (path, status, again.items())
                assert "Accept-Encoding" in again["Vary"]
                assert server.ask(path, If_None_Match=tag)[0] == 200, "who reads no gzip has not got this one"
            else:
                assert b"xen_domain_info" in gzip.decompress(data) and gzip.decompress(data).endswith(b"\n")
            _, head, nothing = server.ask(path, "HEAD", Accept_Encoding="gzip")
            assert head["Content-Encoding"] == "gzip" and nothing == b"" and abs(int(head["Content-Length"]) - len(data)) < 400, head.items()
            for other in ("identity", "gzip;q=0", "br", "identity, gzip;q=0.5"):
                assert server.ask(path, Accept_Encoding=other)[1]["Content-Encoding"] is None, (path, other)
        # Not what is small, what went wrong, nor a stream.
        assert server.ask("/healthz", Accept_Encoding="gzip")[1]["Content-Encoding"] is None
        assert server.ask("/api/v1/domains/77", Accept_Encoding="gzip")[1]["Content-Encoding"] is None
        stream = Stream(server, "/api/v1/stream", Accept_Encoding="gzip")
        assert stream.answer.headers["Content-Encoding"] is None and stream.next()["event"] == "snapshot"
        stream.close()
        server.end()
    (folder / "off").mkdir()
    with running(folder / "off", "--gzip-level=0", "--max-answer=64K") as (server, _):
        _, headers, body = server.ask("/api/v1/windows", Accept_Encoding="gzip")
        assert headers["Content-Encoding"] is None and headers["Vary"] is None and len(body) > 1024, headers.items()
        server.end()


def without_data_it_says_so(folder):
    with kit.server(XENMON, folder / "nothing") as server:
        described = description_of(server)
        for path in json_paths(described) + [p for p in described.document["paths"] if "/region" in p]:
            status, _, body = server.ask(path.replace("{domid}", "1"))
            described.answers(path, status, json.loads(body))
            assert status == (200 if path.endswith(("/version", "/metrics", "/ranges")) else 503), (path, status)
        events = Stream(server, "/api/v1/stream")
        said = events.next()
        events.close()
        assert said["event"] == "state" and said["data"]["state"] == "absent" and said["data"]["reason"], said
        server.end()


# ---- The stream.

class Stream:
    """Server-sent events as they come."""

    def __init__(self, server, path, **headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        self.connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        self.answer = self.connection.getresponse()
        self.comments = []
        self.status = self.answer.status

    def next(self):
        """The next event."""
        event = {}
        while True:
            line = self.answer.readline()
            assert line, "the stream ended"
            line = line.decode().rstrip("\n")
            if not line and "data" in event:
                event["data"] = json.loads(event["data"])
                return event
            if line.startswith(":"):
                self.comments.append(line)
            elif line:
                key, _, value = line.partition(": ")
                event[key] = value

    def close(self):
        self.answer.close()
        self.connection.close()


def number_of(event):
    return int(event["id"].split("-")[1])


def the_stream_is_live(folder):
    with running(folder) as (server, _):
        described = description_of(server)
        stream = Stream(server, "/api/v1/stream?window=10s")
        assert stream.answer.headers["Content-Type"].startswith("text/event-stream") and stream.answer.headers["Cache-Control"] == "no-store"
        begun = time.monotonic()
        events = [stream.next() for _ in range(4)]
        took = time.monotonic() - begun
        stream.close()
        assert 2 < took < 8, took
        numbers = [number_of(e) for e in events]
        assert numbers == list(range(numbers[0], numbers[0] + 4)), numbers
        for event in events:
            assert event["event"] == "snapshot"
            described.check("WindowsAnswer", event["data"])
            assert list(event["data"]["windows"]) == ["10s"]
        times = [e["data"]["time"] for e in events]
        assert times == sorted(set(times)), times
        slow = Stream(server, "/api/v1/stream?interval=2s")
        three = [number_of(slow.next()) for _ in range(3)]
        slow.close()
        assert [b - a for a, b in zip(three, three[1:])] == [2, 2], three
        for query in ("window=5s", "window=", "interval=0", "interval=61s", "interval=99ms", "interval=x", "x=1", "window=1s&window=1s"):
            assert server.ask(f"/api/v1/stream?{query}")[0] == 400, query


def a_stream_goes_on_where_it_was(folder):
    with running(folder) as (server, region):
        stream = Stream(server, "/api/v1/stream")
        last = [stream.next() for _ in range(2)][-1]
        stream.close()
        time.sleep(3.2)
        again = Stream(server, "/api/v1/stream", Last_Event_ID=last["id"])
        begun = time.monotonic()
        missed = [number_of(again.next()) for _ in range(4)]
        again.close()
        assert missed == [number_of(last) + i for i in (1, 2, 3, 4)], (last["id"], missed)
        assert time.monotonic() - begun < 2.5, "what was missed comes at once"
        for strange in ("", "x", "0-0", "ffffffffffffffff-99999999999999999999", last["id"].split("-")[0] + "-999999", "a" * 500):
            other = Stream(server, "/api/v1/stream", Last_Event_ID=strange)
            assert number_of(other.next()) > number_of(last), strange
            other.close()
        port = server.port
        server.end()
        with kit.server(XENMON, region, port=port) as fresh:
            fresh.wait_for_data()
            after = Stream(fresh, "/api/v1/stream", Last_Event_ID=last["id"])
            event = after.next()
            after.close()
            assert event["id"].split("-")[0] != last["id"].split("-")[0] and event["event"] == "snapshot"


def streams_are_bounded(folder):
    with running(folder, "--max-streams=2") as (server, _):
        held = [Stream(server, "/api/v1/stream") for _ in range(2)]
        assert [s.next()["event"] for s in held] == ["snapshot", "snapshot"]
        status, _, body = server.ask("/api/v1/stream")
        assert status == 503 and json.loads(body)["error"]["code"], (status, body)
        assert server.get("/api/v1/version")["api"] == "v1"
        held[0].close()
        for _ in range(50):
            time.sleep(0.2)
            third = Stream(server, "/api/v1/stream")
            if third.status == 200:
                break
            third.close()
        assert third.status == 200 and third.next()["event"] == "snapshot", third.status
        third.close()
        # One that does not read holds up nobody.
        lazy = Stream(server, "/api/v1/stream") if held[1].close() is None else None
        begun = time.monotonic()
        assert server.get("/api/v1/version")["api"] == "v1" and time.monotonic() - begun < 2
        lazy.close()
        server.end()


def streams_of_one_client_leave_some_for_others(folder):
    """A quarter is the most that one address may have, whatever it does."""
    with running(folder, "--max-streams=12") as (server, _):
        held = [Stream(server, "/api/v1/stream") for _ in range(4)]
        assert [s.status for s in held] == [200, 200, 200, 503], [s.status for s in held]
        other = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10, source_address=("127.0.0.2", 0))
        other.request("GET", "/api/v1/stream")
        assert other.getresponse().status == 200
        other.close()
        for stream in held:
            stream.close()
        server.end()


TESTS = [the_description_is_openapi_3, every_path_that_is_served_is_described, every_path_answers_as_described, bounds_are_held, requests_at_random_get_an_answer,
         numbers_are_the_regions, what_is_not_known_is_null, names_are_harmless, domains_have_names, tags_save_the_answer,
         answers_are_packed_for_who_reads_that, without_data_it_says_so,
         the_stream_is_live, a_stream_goes_on_where_it_was, streams_are_bounded,
         streams_of_one_client_leave_some_for_others]


def main():
    with tempfile.TemporaryDirectory() as folder:
        return kit.run_tests(TESTS, folder)


if __name__ == "__main__":
    sys.exit(main())
