#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Asks xenmon serve with nothing but the standard library: a module, and a program that shows what it is for.

    from xenmon_api import Host
    host = Host("http://localhost:8436")
    for domain in host.domains("10s"):
        print(domain["name"], domain["windows"]["10s"]["wait_ratio"])
    if host.state not in LIVE:
        print("these are the last numbers there were: xenbaked is", host.state)

usage: xenmon_api.py [--url URL] [--token-file FILE] [--cafile FILE] top|watch|bill|history ...
    top              the domains by how long they waited in the last ten seconds
    watch            the same, a line an event of the live stream, for --count events
    bill             CPU seconds of each domain from --from to --to, for who writes invoices
    history DOMAIN   a metric over time, as CSV; a domain by its number, or by its name now
"""
import argparse
import ipaddress
import json
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

DEFAULT_URL = "http://localhost:8436"
LIVE = ("running", "restarted")  # states in which numbers are of now


class Refused(Exception):
    """The server's own words for why it does not answer; .code is the API's code."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code = status, code


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The server sends none, and a token is for nobody else."""

    def redirect_request(self, *_):
        return None


def is_local(host):
    """Whether what goes there in clear stays on this machine: a number or localhost, no name that only looks like one."""
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


class Host:
    """One server.  token: what its --token-file has; cafile: the certificate that its own is signed by."""

    def __init__(self, url=DEFAULT_URL, token=None, cafile=None, timeout=30):
        self.url, self.token, self.timeout = url.rstrip("/"), token, timeout
        self.state = None  # of xenbaked, as the newest answer said: "running", "dead", ...
        where = urllib.parse.urlsplit(url)
        if token and where.scheme != "https" and not is_local(where.hostname):
            raise ValueError(f"the token would go to {where.hostname} in clear: use https")
        handlers = [NoRedirect]
        if where.scheme == "https":
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=cafile)))
        else:
            handlers.append(urllib.request.ProxyHandler({}))  # a proxy would read it
        self.opener = urllib.request.build_opener(*handlers)

    def open(self, path, **query):
        given = {key: value for key, value in query.items() if value is not None}
        request = urllib.request.Request(f"{self.url}/api/v1/{path}" + ("?" + urllib.parse.urlencode(given) if given else ""))
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            return self.opener.open(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            with error:
                try:
                    said = json.loads(error.read())["error"]
                except (ValueError, KeyError):
                    said = {"code": "http", "message": error.reason}
            raise Refused(error.code, said["code"], said["message"]) from None

    def get(self, path, **query):
        with self.open(path, **query) as answer:
            document = json.load(answer)
        self.state = document.get("state", self.state)
        return document

    def snapshot(self, window="1s"):
        return self.get("windows", window=window)

    def domains(self, window="1s"):
        return self.get("domains", window=window)["domains"]

    def domain(self, domid, window=None):
        return self.get(f"domains/{int(domid)}", window=window)["domain"]

    def history(self, metric, domain=None, start=None, end=None, step=None):
        return self.get("history", metric=metric, domain=domain, step=step, **{"from": start, "to": end})

    def stream(self, window="1s", last_id=None):
        """
        (id, snapshot) of each event, until the server ends it; hand the id back to go on after a break.  Where there is no
        data the snapshot has no "domains", but "state" and "reason".
        """
        request = urllib.request.Request(f"{self.url}/api/v1/stream?window={window}")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        if last_id:
            request.add_header("Last-Event-ID", last_id)
        with self.opener.open(request, timeout=self.timeout) as answer:
            event = {}
            for line in answer:
                key, _, value = line.decode().rstrip("\n").partition(": ")
                if key:
                    event[key] = value
                elif event.get("event") in ("snapshot", "state"):
                    document = json.loads(event["data"])
                    self.state = document["state"]
                    yield event["id"], document
                    event = {}
                else:
                    event = {}


def name_of(domain):
    return domain["name"] or f"domain {domain['domid']}"


def share(ratio):
    return "-" if ratio is None else f"{ratio * 100:.1f}%"


def say_whether_old(host):
    """A word to whoever would take the numbers just printed for those of now."""
    if host.state not in LIVE:
        print(f"xenmon_api: these are old numbers, the last there were: xenbaked is {host.state}", file=sys.stderr)


def top(host, _):
    print(f"{'domain':24} {'running':>8} {'waiting':>8} {'blocked':>8} {'wait 99%':>10}")
    rows = host.domains("10s")
    for domain in sorted(rows, key=lambda d: -d["windows"]["10s"]["wait_s"]):
        w = domain["windows"]["10s"]
        wait = w["wait_p"]["99"]
        print(f"{name_of(domain):24.24} {share(w['running_ratio']):>8} {share(w['wait_ratio']):>8} {share(w['blocked_ratio']):>8} "
              f"{'-' if wait is None else f'{wait * 1e3:.3f} ms':>10}")
    say_whether_old(host)


def watch(host, words):
    for number, (_, snapshot) in enumerate(host.stream(), 1):
        old = "" if host.state in LIVE else f"xenbaked is {host.state}, old numbers, "
        if "domains" in snapshot:
            waits = ", ".join(f"{name_of(d)} {share(d['windows']['1s']['wait_ratio'])}" for d in snapshot["domains"])
            print(f"{snapshot['time']} {old}waiting: {waits}", flush=True)
        else:
            print(f"- no data: {snapshot['reason'] or host.state}", flush=True)
        if number == words.count:
            return


def bill(host, words):
    answer = host.history("running_s", start=words.start, end=words.end, step=words.step)
    print("domid,instance,name,cpu_seconds,seconds_not_known")
    for domain in answer["domains"]:
        values = domain["values"]["running_s"]
        known = [v for v in values if v is not None]
        name = name_of(domain).replace('"', '""')
        print(f"{domain['domid']},{domain['instance']},\"{name}\",{sum(known):.6f},{(len(values) - len(known)) * answer['step_s']:g}")


def number_of(host, text):
    """The domid of a domain that is given by number or name; ValueError where none is called so now."""
    if text.isdecimal():
        return int(text)
    for domain in host.domains():
        if domain["name"] == text:
            return domain["domid"]
    raise ValueError(f"no domain is called '{text}' now: give its number")


def history(host, words):
    answer = host.history(words.metric, number_of(host, words.domain), words.start, words.end, words.step)
    metrics = answer["metrics"]
    print("time," + ",".join(metrics))
    values = answer["domains"][0]["values"]
    for i, at in enumerate(answer["times_s"]):
        print(f"{at:.3f}," + ",".join("" if values[m][i] is None else repr(values[m][i]) for m in metrics))


def joined(words):
    """--from -2h as --from=-2h, which argparse does not take for another option."""
    taken = []
    for word in words:
        if taken and taken[-1] in ("--from", "--to"):
            taken[-1] += "=" + word
        else:
            taken.append(word)
    return taken


def main():
    parser = argparse.ArgumentParser(description="Asks xenmon serve.")
    parser.add_argument("--url", default=DEFAULT_URL)
    parser.add_argument("--token-file")
    parser.add_argument("--cafile")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("top").set_defaults(run=top)
    one = commands.add_parser("watch")
    one.add_argument("--count", type=int, default=0, help="0: for ever")
    one.set_defaults(run=watch)
    for name, run in (("bill", bill), ("history", history)):
        one = commands.add_parser(name)
        if name == "history":
            one.add_argument("domain", help="number or name")
            one.add_argument("--metric", default="running_ratio,wait_ratio,blocked_ratio")
        one.add_argument("--from", dest="start", default="-5m")
        one.add_argument("--to", dest="end", default="now")
        one.add_argument("--step")
        one.set_defaults(run=run)
    words = parser.parse_args(joined(sys.argv[1:]))
    token = None
    if words.token_file:
        with open(words.token_file, encoding="utf-8") as file:
            token = file.readline().strip()
    try:
        words.run(Host(words.url, token, words.cafile), words)
    except (Refused, OSError, ValueError) as error:
        print(f"xenmon_api: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
