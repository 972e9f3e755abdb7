#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real Prometheus scrapes the server; its rates are those of the region, and every query of the dashboard has data.

usage: serve_prometheus.py XENMON XENBAKED SOURCE_ROOT MADE_REGION     TAP on stdout, exit 1 when anything fails
XM_PROMETHEUS_SECONDS: for how long it scrapes (30; the whole check has 120).
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from serve_kit import Skip, ended, free_port, host, run_tests, server

XENMON, XENBAKED, ROOT, MADE_REGION = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
SECONDS = int(os.environ.get("XM_PROMETHEUS_SECONDS", "30"))
RULES = ROOT / "contrib/prometheus"
DASHBOARD = ROOT / "contrib/grafana/xenmon.json"
TOKEN = "the-token-of-the-scraper"
# Domains that run, wait and are blocked in steady parts, so that a rate is one.
SCENARIO = """[host]
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
rate = 100
[domain one]
id = 2
role = hog
vcpus = 2
[domain two]
id = 3
role = hog
weight = 512
"""
sys.path.insert(0, str(ROOT / "contrib/python"))
import xenmon_region  # noqa: E402  pylint: disable=wrong-import-position


def promtool(*words):
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed")
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Prometheus:
    """A Prometheus with our rules, on a port of its own, that scrapes two of our servers every second."""

    def __init__(self, folder, targets, secure):
        if not shutil.which("prometheus"):
            raise Skip("prometheus is not installed")
        self.port = free_port()
        token = folder / "token"
        token.write_text(TOKEN + "\n")
        listed = ", ".join(f"'127.0.0.1:{port}'" for port in targets)
        (folder / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 1s, evaluation_interval: 5s}}
rule_files: ['{RULES / "xenmon.rules.yml"}']
scrape_configs:
  - job_name: xen
    static_configs: [{{targets: [{listed}]}}]
  - job_name: secure
    scheme: https
    authorization: {{credentials_file: '{token}'}}
    tls_config: {{ca_file: '{secure[1]}', server_name: localhost}}
    static_configs: [{{targets: ['127.0.0.1:{secure[0]}']}}]
""")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
             f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"], stderr=subprocess.PIPE, text=True)
        for _ in range(300):
            assert self.process.poll() is None, self.process.stderr.read()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=2).read()
                return
            time.sleep(0.1)
        raise AssertionError("prometheus does not become ready")

    def query(self, expression, at=None):
        """[(labels, value)] of an instant query."""
        words = {"query": expression, **({"time": at} if at else {})}
        url = f"http://127.0.0.1:{self.port}/api/v1/query?{urllib.parse.urlencode(words)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                data = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read()}") from None
        assert data["status"] == "success", data
        return [(r["metric"], float(r["value"][1])) for r in data["data"]["result"]]

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return json.load(answer)["data"]


@contextlib.contextmanager
def scraped(folder):
    """(Prometheus, path of the simulated host's region, its port, when scraping began)"""
    scenario = folder / "rates.ini"
    scenario.write_text(SCENARIO)
    made = folder / "made"
    key, cert = folder / "key.pem", folder / "cert.pem"
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                    "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    tokens = folder / "tokens"
    tokens.write_text(TOKEN + "\n")
    tokens.chmod(0o600)
    writer = subprocess.Popen([MADE_REGION, made, "5", "2", "4"])
    prometheus = None
    try:
        with host(XENBAKED, folder, source=f"--source=sim:{scenario}") as (region, _), \
                server(XENMON, region, "--interval=100ms", "--collector.vcpu-histogram") as one, \
                server(XENMON, made, "--interval=100ms", f"--tls-cert={cert}", f"--tls-key={key}", f"--token-file={tokens}") as two, \
                server(XENMON, made, "--interval=100ms") as three:
            one.wait_for_data()
            prometheus = Prometheus(folder, [one.port, three.port], (two.port, cert))
            yield prometheus, region, one.port, time.time()
            for it in (one, two, three):
                it.end()
    finally:
        if prometheus:
            ended(prometheus.process)
        writer.kill()
        writer.wait()


def region_rates(path, begin, end):
    """{(domid, state): seconds a second} between two instants, out of the region's own samples."""
    with xenmon_region.Region(str(path)) as region:
        hz = region.header()["tsc_hz"]
        newest = region.newest("slow")
        samples = [region.sample("slow", index) for index in range(region.oldest("slow"), newest + 1)]
    first = min(samples, key=lambda s: abs(s["host"]["real"] / 1e9 - begin))
    last = min(samples, key=lambda s: abs(s["host"]["real"] / 1e9 - end))
    # A simulated host on a busy machine may fall behind; Prometheus counts by the wall clock.
    seconds = (last["host"]["real"] - first["host"]["real"]) / 1e9
    pace = (last["host"]["window"] - first["host"]["window"]) / hz / seconds
    rates = {}
    for then, now in zip(first["domain"], last["domain"]):
        if now["id"] and then["id"] == now["id"]:
            for state in ("running", "runnable", "blocked"):
                rates[now["id"] & 0xffff, state] = (now[state] - then[state]) / hz / seconds
    return rates, seconds, pace


def rates_are_the_regions(prometheus, path, port, began):
    now = time.time()
    window = int(now - began) - 10  # it takes some seconds before it scrapes at all
    rates, seconds, pace = region_rates(path, now - 1 - window, now - 1)
    assert abs(seconds - window) < 2.5, (seconds, window)
    found = prometheus.query(f'sum by (domid, state) (rate(xen_domain_state_seconds_total{{instance="127.0.0.1:{port}"}}[{window}s]))', now - 1)
    compared = 0
    for labels, shown in found:
        wanted = rates.get((int(labels["domid"]), labels["state"]))
        if wanted is None:
            continue
        # One hundredth of the value; of what is next to nothing, of a pCPU's thousandth.
        assert abs(shown - wanted) <= max(wanted * 0.01, 0.001), (labels, shown, wanted)
        compared += wanted > 0.01
    assert compared >= 6, (compared, rates)
    print(f"# {compared} rates of gotten, waited and blocked over {window} s within 1 %; the host ran at {pace:.3f} of real time")
    # And all states of a vCPU are all of the time.
    for labels, share in prometheus.query(f'sum by (domid, vcpu) (rate(xen_vcpu_state_seconds_total{{instance="127.0.0.1:{port}"}}[{window}s]))', now - 1):
        assert abs(share - pace) < 0.01, (labels, share, pace)


def every_query_of_the_dashboard_has_data(prometheus, *_):
    text = DASHBOARD.read_text()
    dashboard = json.loads(text)
    assert not re.search(r"https?://", text) and '"uid": "${datasource}"' in text
    asked = 0
    for variable in dashboard["templating"]["list"]:
        match = re.fullmatch(r"label_values\((.*), (\w+)\)", variable.get("definition", ""))
        if match:
            expression = re.sub(r"\$\w+", ".+", match.group(1))
            assert prometheus.query(f"count by ({match.group(2)}) ({expression})"), variable
            asked += 1
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "10s")
            expression = re.sub(r"\$(job|instance|domain)\b", ".+", expression)
            assert "$" not in expression, expression
            found = prometheus.query(expression)
            assert found, f"{panel['title']}: no data: {expression}"
            assert all(v == v for _, v in found) or panel["title"].startswith(("Waits", "Mean")), (panel["title"], found)
            asked += 1
    print(f"# {asked} queries")
    assert asked > 25


def the_rules_record(prometheus, *_):
    groups = prometheus.get("/api/v1/rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) >= 13
    for rule in rules:
        assert rule["health"] == "ok" and not rule.get("lastError"), rule
        if rule["type"] == "recording":
            assert prometheus.query(rule["name"]), rule["name"]


def every_scrape_was_good(prometheus, *_):
    targets = prometheus.get("/api/v1/targets")["activeTargets"]
    assert len(targets) == 3
    for target in targets:
        assert target["health"] == "up" and not target["lastError"], target
    for labels, failed in prometheus.query("sum by (instance) (count_over_time((up == 0)[3m:1s]))"):
        assert failed <= 1, (labels, failed)  # the very first may be too early
    scrapes = prometheus.query("sum by (instance) (scrape_samples_scraped)")
    durations = prometheus.query("max by (instance) (scrape_duration_seconds)")
    print(f"# samples: {[int(v) for _, v in scrapes]}; slowest last scrape {max(v for _, v in durations) * 1000:.1f} ms")
    for _, value in prometheus.query("max by (instance) (xenmon_up)"):
        assert value == 1
    said = prometheus.query("scrape_samples_scraped - scrape_samples_post_metric_relabeling")
    assert all(v == 0 for _, v in said)


def the_rules_pass_their_tests(folder):
    assert "SUCCESS" in promtool("check", "rules", RULES / "xenmon.rules.yml")
    assert "SUCCESS" in promtool("test", "rules", RULES / "xenmon.rules.test.yml")
    # A test that cannot fail proves nothing: without its threshold it must.
    text = (RULES / "xenmon.rules.yml").read_text()
    (folder / "xenmon.rules.yml").write_text(text.replace("ratio_rate5m > 0.10\n        for: 10m", "ratio_rate5m > 0.20\n        for: 10m"))
    assert (folder / "xenmon.rules.yml").read_text() != text
    (folder / "test.yml").write_text((RULES / "xenmon.rules.test.yml").read_text())
    done = subprocess.run(["promtool", "test", "rules", folder / "test.yml"], capture_output=True, timeout=60, check=False)
    assert done.returncode != 0


def the_scrape_configuration_is_one(folder):
    text = (RULES / "prometheus.yml").read_text()
    for name in ("xenmon.token", "xenmon-ca.pem"):
        (folder / name).write_text("x" * 20)
        text = text.replace(f"/etc/prometheus/{name}", str(folder / name))
    shutil.copy(RULES / "xenmon.rules.yml", folder)
    if shutil.which("openssl"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null",
                        "-out", folder / "xenmon-ca.pem", "-subj", "/CN=x"], check=True, capture_output=True)
    (folder / "prometheus.yml").write_text(text)
    promtool("check", "config", folder / "prometheus.yml")


def a_real_prometheus_scrapes_it(folder):
    with scraped(folder) as all_of_it:
        time.sleep(SECONDS)
        failures = []
        for part in (every_scrape_was_good, rates_are_the_regions, every_query_of_the_dashboard_has_data, the_rules_record):
            try:
                part(*all_of_it)
                print(f"# good: {part.__name__.replace('_', ' ')}")
            except AssertionError as error:
                failures.append(f"{part.__name__}: {error}")
        assert not failures, "\n".join(failures)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(run_tests([the_rules_pass_their_tests, the_scrape_configuration_is_one, a_real_prometheus_scrapes_it], temporary))
