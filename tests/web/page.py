#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The web page in headless Chromium: what it shows, keys, themes, a phone's width, a restart, who is asked, who can use it.

usage: page.py XENMON XENBAKED SOURCE_ROOT      TAP on stdout, exit 1 when anything fails
XM_SCREENSHOTS=FOLDER keeps pictures of it there.
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

XENMON, XENBAKED, ROOT = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
sys.path.insert(0, str(ROOT / "tests" / "system"))
import serve_kit as kit  # noqa: E402

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None
MISSING = "no python3-selenium" if not webdriver else "no chromium" if not CHROMIUM else "no chromium-driver" if not DRIVER else None
PATIENCE_S = 30
DESK, PHONE = (1280, 800), (390, 844)


class Page:
    """One browser with the page in it."""

    def __init__(self, server, size=DESK, scheme="light", motion=True, path="/", before=None, quiet=True):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--disable-background-networking", "--lang=en", f"--window-size={size[0]},{size[1]}"):
            options.add_argument(word)
        logs = {"browser": "ALL", "performance": "ALL"} if quiet else {"browser": "ALL"}
        options.set_capability("goog:loggingPrefs", logs)
        self.driver = webdriver.Chrome(service=Service(DRIVER), options=options)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "no-preference" if motion else "reduce"}]})
        self.size(*size)
        if before:
            self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": before})
        self.asked = []
        self.server = server
        self.driver.get(server.url + path)

    def size(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector)

    def key(self, *keys):
        self.one("body").send_keys(*keys)

    def press(self, key):
        """A key for whatever has the focus."""
        webdriver.ActionChains(self.driver).send_keys(key).perform()

    def until(self, what, condition, patience=PATIENCE_S):
        deadline = time.monotonic() + patience
        while True:
            with contextlib.suppress(Exception):
                if value := condition():
                    return value
            assert time.monotonic() < deadline, f"not within {patience} s: {what}"
            time.sleep(0.1)

    def live(self, domains=3):
        self.until("live", lambda: self.run("return document.getElementById('status').dataset.state") == "live")
        self.until("the domains' rows", lambda: len(self.all("#rows tr[data-key]")) == domains)

    def errors(self):
        return [entry for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self):
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
                self.asked.append(message["params"]["request"]["url"] if "request" in message["params"] else message["params"]["url"])
        return self.asked

    def picture(self, name):
        png = self.driver.get_screenshot_as_png()
        if folder := os.environ.get("XM_SCREENSHOTS"):
            pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
            (pathlib.Path(folder) / f"{name}.png").write_bytes(png)
        return png

    def close(self):
        self.driver.quit()


@contextlib.contextmanager
def page(server, **options):
    it = Page(server, **options)
    try:
        yield it
    finally:
        it.close()


@contextlib.contextmanager
def running(folder, hostile=False):
    """A host of its own, for tests that change something."""
    if MISSING:
        raise kit.Skip(MISSING)
    with kit.host(XENBAKED, folder) as (region, _):
        if hostile:
            kit.make_hostile(region)
        with kit.server(XENMON, region) as server:
            server.wait_for_data()
            whole(server)
            yield server


def whole(server):
    if server.ask("/app.js")[0] == 404:
        raise kit.Skip("built without uPlot: npm ci in web/ brings it")


class Common:
    """One host for all who only look."""
    server = None
    keep = contextlib.ExitStack()

    @classmethod
    @contextlib.contextmanager
    def host(cls):
        if MISSING:
            raise kit.Skip(MISSING)
        if cls.server is None:
            folder = pathlib.Path(cls.keep.enter_context(tempfile.TemporaryDirectory()))
            region, _ = cls.keep.enter_context(kit.host(XENBAKED, folder))
            cls.server = cls.keep.enter_context(kit.server(XENMON, region))
            cls.server.wait_for_data()
        whole(cls.server)
        yield cls.server


def painted(view, selector):
    """How many colours a chart's canvas has."""
    return view.run("""
        const canvas = document.querySelector(arguments[0] + " canvas");
        if (!canvas || !canvas.width) return 0;
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        const seen = new Set();
        for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3]) seen.add((pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2]);
        return seen.size;""", selector)


def it_loads_and_stays_live(folder):
    with Common.host() as server, page(server) as view:
        view.live()
        assert "2 pCPUs" in view.one("#host").text and "credit2" in view.one("#host").text, view.one("#host").text
        assert len(view.all("#multiples .multiple")) == 3 and len(view.all("#cpus li")) == 2 and len(view.all("#tiles > div")) == 7
        assert re.fullmatch(r"\d+(\.\d)? %", view.texts("#tiles dd")[0]), view.texts("#tiles dd")
        for chart in (".multiple .chart", "#c-wait", "#c-io"):
            view.until(f"{chart} is painted", lambda c=chart: painted(view, c) > 3)
        before = view.texts("#rows td")
        moved = view.until("the numbers move", lambda: view.texts("#rows td") != before and view.texts("#rows td"))
        # What is shown is what the API says, as far as a second matters: the hog never sleeps.
        row = dict(zip(view.texts("#columns th"), moved[:0] + view.run(
            "return [...document.querySelector('#rows tr[data-domid=\"2\"]').children].map((c) => c.textContent)")))
        w = server.get("/api/v1/domains/2?window=10s")["domain"]["windows"]["10s"]
        assert row["Blocked"] == "0.0 %" and abs(float(row["Running"].split()[0]) / 100 - w["running_ratio"]) < 0.15, (row, w["running_ratio"])
        traced = view.one("#host").text
        view.until("the trace grows", lambda: view.one("#host").text != traced)
        assert not view.errors(), view.errors()


# A stream that ends its news with the first: what else is drawn, the page had from the history.
ONE_EVENT = """const Real = window.EventSource;
    window.EventSource = class {
      constructor(url) { this.real = new Real(url); this.seen = 0; this.readyState = 1; }
      addEventListener(kind, f) { this.real.addEventListener(kind, (e) => { if (kind !== "snapshot" || this.seen++ === 0) f(e); }); }
      close() { this.real.close(); }
    };"""


def columns(view, selector, colour):
    """How many columns of a chart's canvas have a colour of the theme."""
    return view.run("""
        const canvas = document.querySelector(arguments[0] + " canvas");
        if (!canvas || !canvas.width) return 0;
        const probe = document.createElement("canvas").getContext("2d");
        probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(arguments[1]).trim();
        probe.fillRect(0, 0, 1, 1);
        const want = probe.getImageData(0, 0, 1, 1).data;
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        const seen = new Set();
        for (let i = 0; i < pixels.length; i += 4)
          if (pixels[i] === want[0] && pixels[i + 1] === want[1] && pixels[i + 2] === want[2]) seen.add((i / 4) % canvas.width);
        return seen.size;""", selector, colour)


def it_begins_with_the_past(folder):
    """The last minutes of domains and pCPUs are there before the stream has told them; an hour, and where it is kept a day."""
    if MISSING:
        raise kit.Skip(MISSING)
    if not (XENBAKED.parent / "xenmon-history").is_file():
        raise kit.Skip("built without SQLite")
    history = folder / "h"
    history.mkdir()
    with kit.host(XENBAKED, folder, f"--history={history}", "--history-sync=300ms") as (region, _), \
            kit.server(XENMON, region, f"--history={history}") as server:
        server.wait_for_data()
        whole(server)
        time.sleep(15)
        with page(server, before=ONE_EVENT) as view:  # it does not stay live
            for chart in ("#c-cpus", ".multiple .chart"):
                view.until(f"{chart} has a past", lambda c=chart: columns(view, c, "--running") >= 10)
            assert "last five minutes" in view.one("#c-cpus").get_attribute("aria-label")
            assert not view.errors(), view.errors()
        with page(server) as view:
            view.live()
            view.until("a day is offered", lambda: not view.run("return document.getElementById('range-day').hidden"))
            for words in ("last hour", "last day", "last five minutes"):
                view.key("h")
                view.until(words, lambda w=words: view.one("#range-words").text == w and w in view.one("#c-cpus").get_attribute("aria-label")
                           and view.one(".multiple .chart").get_attribute("aria-label").startswith(("placeholder", "Domain-0", "web")))
                assert not view.one("#range-note").text
            view.run("document.querySelector('input[value=\"1h\"]').click()")
            view.until("an hour", lambda: view.one(".multiple .figure").text.startswith("ran "))
            assert view.texts(".multiple .name")[0] == kit.PLACEHOLDER, "who ran longest comes first"
            assert not view.errors(), view.errors()
    with Common.host() as server, page(server) as view:
        view.live()
        time.sleep(1)
        assert view.run("return document.getElementById('range-day').hidden"), "nobody keeps a day"


REFUSING = """
    const real = window.fetch;
    window.asked = [];
    window.fetch = async (url, options) => {
        if (!String(url).includes("from=-24h") && !String(url).includes("from=-1h")) return real(url, options);
        window.asked.push(String(url).match(/step=(\\d+)s/)[1]);
        const few = window.asked.length > 2 && !window.never;
        if (few) return real(url, options);
        const error = {code: "too_much", message: "that is too much of it at once"};
        return new Response(JSON.stringify({error}), {status: 400});
    };
"""


def what_is_too_much_is_asked_in_longer_steps(folder):
    """And where no step is long enough the server's own words are shown."""
    if MISSING:
        raise kit.Skip(MISSING)
    with Common.host() as server, page(server) as view:
        view.live()
        view.run(REFUSING)
        view.run("document.querySelector('input[value=\"1h\"]').click()")
        view.until("an hour in longer steps", lambda: view.one(".multiple .figure").text.startswith("ran "))
        assert view.run("return window.asked") == ["20", "40", "80"] and not view.one("#range-note").text
        view.run("window.asked = []; window.never = true; document.querySelector('input[value=\"5m\"]').click();"
                 "document.querySelector('input[value=\"1h\"]').click()")
        view.until("the server's words", lambda: view.one("#range-note").text == "The server says: that is too much of it at once.")
        assert view.run("return window.asked") == ["20", "40", "80", "160"]
        dashes = view.run("return [...document.querySelectorAll('#l-io .swatch, #l-wait .swatch')].map((s) => s.dataset.dash)")
        assert dashes and all(d is not None for d in dashes), dashes


def a_thousand_domains_are_no_burden(folder):
    """The page asks for the past of a few of them; it gets that, and is live."""
    made = XENBAKED.parent.parent / "tests" / "unit" / "export" / "made_region"
    if MISSING or not made.is_file():
        raise kit.Skip(MISSING or "no made_region")
    writer = subprocess.Popen([made, folder / "shm", "1000", "4", "64"])
    try:
        time.sleep(6)
        with kit.server(XENMON, folder / "shm") as server:
            server.wait_for_data()
            whole(server)
            with page(server, quiet=False) as view:  # a log of megabytes a second would be the burden
                view.live(domains=100)
                questions = [url for url in view.run("return performance.getEntriesByType('resource').map((e) => e.name)") if "/api/v1/history?" in url]
                assert questions and all("top=" in url for url in questions), questions
                status, _, body = server.ask(questions[0][len(server.url):])
                past = json.loads(body)
                errors = view.errors()
                assert status == 200 and len(past["domains"]) == 24 and past["domains_left_out"] == 976 and len(body) < 1e6, (status, body[:200])
                assert "100 of 1000" in view.one("#count").text, view.one("#count").text
                before = view.one("#host").text
                view.until("it goes on", lambda: view.one("#host").text != before)
                view.key("/")
                view.press("guest-777")
                view.until("one of them", lambda: view.texts("#rows bdi") == ["guest-777"])
                errors += view.errors()
                assert not errors, errors
    finally:
        writer.terminate()
        writer.wait()


def a_domain_can_be_looked_into(folder):
    with Common.host() as server, page(server) as view:
        view.live()
        view.run("window.scrollTo(0, 0)")
        view.one('#rows tr[data-domid="1"] td:nth-child(6)').click()
        view.until("the domain's page", lambda: view.one("#d-name").text == "web" and view.all("#v-rows tr"))
        assert view.driver.current_url.endswith("#domain=1") and not view.one("#overview").is_displayed()
        assert len(view.all("#lengths table")) == 2 and len(view.all("#d-tiles > div")) == 7
        view.until("its chart", lambda: painted(view, "#c-states") > 3)
        view.until("its waits", lambda: painted(view, "#c-percentiles") > 3)
        before = view.texts("#w-rows td")
        view.until("its numbers move", lambda: view.texts("#w-rows td") != before)
        assert view.run("return document.activeElement.id") == "d-name"
        view.press(Keys.ESCAPE)
        view.until("the overview", lambda: view.one("#overview").is_displayed())
        assert view.run("return document.activeElement.closest('tr').dataset.domid") == "1"
        view.driver.back()
        view.until("history works", lambda: view.one("#domain").is_displayed())
        view.driver.get(server.url + "/#domain=2")
        view.until("a link to a domain", lambda: len(view.all("#v-rows tr")) == 2)
        view.driver.get(server.url + "/#domain=77")
        view.until("there is no such domain", lambda: "not there" in view.one("#d-facts").text)
        view.one(".back").click()
        view.until("back", lambda: view.one("#overview").is_displayed())
        severe = [e for e in view.errors() if "404" not in e["message"]]
        assert not severe, severe


def the_table_sorts_and_filters(folder):
    with Common.host() as server, page(server) as view:
        view.live()

        def order():
            return view.run("return [...document.querySelectorAll('#rows tr[data-key]')].map((r) => r.dataset.domid)")
        for column, wanted in (("domid", ["0", "1", "2"]), ("domid", ["2", "1", "0"])):
            view.one(f'th[data-key="{column}"] button').click()
            view.until(f"sorted by {column}", lambda w=wanted: order() == w)
        assert view.one('th[data-key="domid"]').get_attribute("aria-sort") == "descending"
        view.key("r")
        view.until("the other way", lambda: order() == ["0", "1", "2"])
        assert view.one('th[data-key="domid"]').get_attribute("aria-sort") == "ascending"
        view.key("s")
        view.until("the next column", lambda: view.one('th[data-key="vcpus"]').get_attribute("aria-sort") == "descending" and order()[0] == "2")
        view.key("/")
        view.press("WEB")
        view.until("filtered", lambda: order() == ["1"])
        view.press("x")
        view.until("nothing fits", lambda: "no domain of that name" in view.one("#rows").text)
        view.press(Keys.ESCAPE)
        view.until("all again", lambda: len(order()) == 3)
        assert not view.errors(), view.errors()


def keys_do_what_the_help_says(folder):
    with Common.host() as server, page(server) as view:
        view.live()
        view.key("?")
        view.until("the help", lambda: view.one("#help").is_displayed())
        view.press(Keys.ESCAPE)
        view.until("no help", lambda: not view.one("#help").is_displayed())
        rows = view.run("return [...document.querySelectorAll('#rows tr[data-key]')].map((r) => r.dataset.key)")
        for key in (Keys.ARROW_DOWN, Keys.ARROW_DOWN, "k", "j", Keys.END):
            view.press(key)
        current = view.run("return document.querySelector('#rows tr[data-current=\"true\"]').dataset.key")
        last = view.run("return document.querySelector('#rows tr[data-key]:last-child').dataset.key")
        assert current == last and current in rows, (current, last)
        view.press(Keys.ENTER)
        view.until("the row's domain", lambda: view.driver.current_url.endswith("#domain=" + current.split(".")[0]))
        view.press(Keys.ESCAPE)
        view.until("back", lambda: view.one("#overview").is_displayed())
        view.key("p")
        assert view.one("#pause").get_attribute("aria-pressed") == "true" and view.one("#status-text").text == "held"
        held = view.texts("#rows td")
        time.sleep(2.5)
        assert view.texts("#rows td") == held
        view.key("p")
        view.until("it goes on", lambda: view.texts("#rows td") != held)
        view.key("2")
        view.until("ten seconds", lambda: view.run("return document.querySelector('input[value=\"10s\"]').checked"))
        view.until("and live", lambda: view.one("#status").get_attribute("data-state") == "live")
        assert view.texts(".keys kbd")[0] == "?" and not view.errors(), view.errors()


def themes_follow_and_switch(folder):
    with Common.host() as server:
        grounds = {}
        for scheme in ("light", "dark"):
            with page(server, scheme=scheme) as view:
                view.live()
                view.until("charts", lambda v=view: painted(v, "#c-wait") > 3)
                grounds[scheme] = view.run("return getComputedStyle(document.body).backgroundColor")
                assert len(view.picture(f"overview-{scheme}")) > 20000
                other = "dark" if scheme == "light" else "light"
                for _ in range(3):
                    view.key("t")
                    if view.run("return document.documentElement.dataset.theme") == other:
                        break
                assert view.run("return document.documentElement.dataset.theme") == other
                view.driver.refresh()
                view.live()
                assert view.run("return document.documentElement.dataset.theme") == other, "it is kept"
        assert grounds["light"] != grounds["dark"], grounds


def a_phone_is_wide_enough(folder):
    with Common.host() as server:
        for scheme in ("light", "dark"):
            with page(server, size=PHONE, scheme=scheme) as view:
                view.live()
                view.picture(f"phone-{scheme}")
                for where in ("/", "/#domain=1"):
                    view.driver.get(server.url + where)
                    view.live() if where == "/" else view.until("vCPUs", lambda v=view: v.all("#v-rows tr"))
                    wide = view.run("return [document.documentElement.scrollWidth, innerWidth]")
                    assert wide[0] <= wide[1] == PHONE[0], (where, wide)
                    narrow = view.run("""return [...document.querySelectorAll("button, .switch label")].filter((b) => b.offsetParent
                        && !b.closest("th")).map((b) => b.getBoundingClientRect()).filter((r) => r.height < 24 || r.width < 24).length""")
                    assert narrow == 0, f"{narrow} buttons are too small for a finger"


def names_are_text(folder):
    with running(folder, hostile=True) as server, page(server) as view:
        view.live()
        shown = "<img src=x onerror=evil()>"
        view.until("the name", lambda: any(shown in t for t in view.texts("#rows bdi")))
        view.driver.get(server.url + "/#domain=2")
        view.until("the name on its page", lambda: shown in view.one("#d-name").text)
        assert view.run("return document.images.length") == 0 and view.run("return typeof evil") == "undefined"
        assert not any("\u202e" in t or "\x07" in t for t in view.texts("body"))
        assert not view.errors(), view.errors()
        # And were it markup, the policy would not let it run.
        view.run("""const s = document.createElement("script"); s.textContent = "window.evil = 1"; document.head.append(s);
            const i = document.createElement("img"); i.setAttribute("onerror", "window.evil = 2"); i.src = "nowhere"; document.body.append(i);""")
        time.sleep(0.5)
        assert view.run("return typeof window.evil") == "undefined"
        _, headers, _ = server.ask("/")
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'", policy
        assert policy["frame-ancestors"] == "'none'" and "unsafe" not in headers["Content-Security-Policy"]


def nobody_else_is_asked(folder):
    with Common.host() as server, page(server) as view:
        view.live()
        view.driver.get(server.url + "/#domain=1")
        view.until("vCPUs", lambda: view.all("#v-rows tr"))
        time.sleep(2)
        asked = view.requests()
        elsewhere = [url for url in asked if not url.startswith((server.url + "/", "data:", "chrome", "about:"))]
        assert len(asked) > 8 and not elsewhere, elsewhere
        assert any("/api/v1/stream" in url for url in asked)
        built = server.ask("/")[2] + server.ask("/style.css")[2]
        assert not re.search(rb"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", built)


def a_restart_is_survived(folder):
    with running(folder) as server, page(server) as view:
        view.live()
        view.run("window.stays = 1")
        port, region = server.port, folder / "shm"
        server.end()
        view.until("it says so", lambda: view.one("#status").get_attribute("data-state") == "bad" and "stale" in view.one("body").get_attribute("class"))
        assert "no connection" in view.one("#status-text").text and len(view.all("#rows tr[data-key]")) == 3, "what was there is kept"
        with kit.server(XENMON, region, port=port) as fresh:
            view.live()
            before = view.texts("#rows td")
            view.until("the numbers move again", lambda: view.texts("#rows td") != before)
            assert view.run("return window.stays") == 1, "it was not loaded again"
            assert "stale" not in (view.one("body").get_attribute("class") or "")
            fresh.end()


def a_dead_xenbaked_is_told(folder):
    if MISSING:
        raise kit.Skip(MISSING)
    with kit.host(XENBAKED, folder) as (region, daemon), kit.server(XENMON, region, "--stale=2s") as server:
        server.wait_for_data()
        if server.ask("/app.js")[0] == 404:
            raise kit.Skip("built without uPlot")
        with page(server) as view:
            view.live()
            daemon.kill()
            daemon.wait()
            view.until("it says so", lambda: view.one("#status-text").text == "xenbaked is gone" and view.one("#notice").is_displayed())
            assert view.one("#notice").text and not view.errors(), view.errors()


def everybody_can_use_it(folder):
    """axe-core's rules: no serious violation in either theme."""
    if not AXE.is_file():
        raise kit.Skip("no axe-core: npm ci in web/ brings it")
    source = AXE.read_text()
    with Common.host() as server:
        for scheme in ("light", "dark"):
            with page(server, scheme=scheme, motion=False) as view:
                view.live()
                view.driver.set_script_timeout(60)

                def check(where, v=view, s=scheme):
                    v.run(source)
                    found = v.driver.execute_async_script("axe.run(document, {resultTypes: ['violations']}).then(arguments[0])")
                    bad = [(x["id"], x["impact"], [n["html"][:120] for n in x["nodes"][:3]]) for x in found["violations"] if x["impact"] in ("serious", "critical")]
                    assert len(found["passes"]) > 15 and not bad, (where, s, bad)
                    for minor in found["violations"]:
                        print(f"# {where}, {s}: {minor['impact']}: {minor['id']}: {minor['help']}")
                check("overview")
                view.key("?")
                view.until("the help", lambda v=view: v.one("#help").is_displayed())
                check("help")
                view.press(Keys.ESCAPE)
                view.driver.get(server.url + "/#domain=1")
                view.until("vCPUs", lambda v=view: v.all("#v-rows tr"))
                view.picture(f"domain-{scheme}")
                check("domain")


def without_charts_it_says_so(folder):
    """The page that stands in for it, out of the same script that builds it in."""
    web = folder / "web"
    shutil.copytree(ROOT / "web", web, ignore=shutil.ignore_patterns("node_modules"))
    output = folder / "page.c"
    assert os.system(f"{sys.executable} {web / 'embed.py'} {output} {web} {ROOT / 'src/export/openapi.json'}") == 0
    text = output.read_text()
    assert '"/api/v1/openapi.json"' in text and '"/app.js", "text' not in text
    data = [bytes(int(n) for n in part.split(",")) for part in re.findall(r"= \{\n([\d,\n]+)\};", text)]
    assert any(b"built without the page" in d and b"npm ci" in d for d in data)


TESTS = [it_loads_and_stays_live, it_begins_with_the_past, what_is_too_much_is_asked_in_longer_steps, a_thousand_domains_are_no_burden, a_domain_can_be_looked_into, the_table_sorts_and_filters, keys_do_what_the_help_says,
         themes_follow_and_switch, a_phone_is_wide_enough, names_are_text, nobody_else_is_asked, a_restart_is_survived,
         a_dead_xenbaked_is_told, everybody_can_use_it, without_charts_it_says_so]


def main():
    with tempfile.TemporaryDirectory() as folder, Common.keep:
        return kit.run_tests(TESTS, folder)


if __name__ == "__main__":
    sys.exit(main())
