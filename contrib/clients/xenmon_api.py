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
    history DOMAIN   a metric over time, as CSV; a domain by its id, name or UUID, ended ones too
"""
import argparse
import http.client
import ipaddress
import json
import os
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
            try:
                context = ssl.create_default_context(cafile=cafile)
            except OSError as error:
                raise ValueError(f"{cafile}: {error}") from None
            handlers.append(urllib.request.HTTPSHandler(context=context))
        else:
            handlers.append(urllib.request.ProxyHandler({}))  # a proxy would read it
        self.opener = urllib.request.build_opener(*handlers)

    def open(self, path, last_id=None, **query):
        given = {key: value for key, value in query.items() if value is not None}
        words = urllib.parse.urlencode(given, quote_via=urllib.parse.quote, safe="")
        request = urllib.request.Request(f"{self.url}/api/v1/{path}" + ("?" + words if words else ""))
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        if last_id:
            request.add_header("Last-Event-ID", last_id)
        try:
            return self.opener.open(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            with error:
                try:
                    said = json.loads(error.read())["error"]
                    code, message = said["code"], said["message"]
                except (ValueError, KeyError, TypeError):
                    code, message = "http", error.reason
            raise Refused(error.code, code, message) from None
        except urllib.error.URLError as error:
            # The cause, without urllib's brackets.
            raise (error.reason if isinstance(error.reason, OSError) else ValueError(error.reason)) from None

    def get(self, path, **query):
        with self.open(path, **query) as answer:
            try:
                document = json.load(answer)
            except ValueError as error:
                raise ValueError(f"the answer is no JSON: {error}") from None
        if not isinstance(document, dict):
            raise ValueError("the answer is not xenmon's: no object")
        self.state = document.get("state", self.state)
        return document

    def snapshot(self, window="1s"):
        return self.get("windows", window=window)

    def domains(self, window="1s"):
        return self.get("domains", window=window)["domains"]

    def domain(self, domid, window=None):
        return self.get(f"domains/{int(domid)}", window=window)["domain"]

    def history(self, metric, domain=None, start=None, end=None, step=None):
        """domain: an id, a name or a UUID, which the server looks up: it knows ended ones too."""
        return self.get("history", metric=metric, domain=domain, step=step, **{"from": start, "to": end})

    def stream(self, window="1s", last_id=None):
        """
        (id, snapshot) of each event, until the server ends it; hand the id back to go on after a break.  Where there is no
        data the snapshot has no "domains", but "state" and "reason".
        """
        with self.open("stream", last_id, window=window) as answer:
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
    rows = host.domains("10s")
    print(f"{'domain':24} {'running':>8} {'waiting':>8} {'blocked':>8} {'wait 99%':>10}")
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


def seconds_not_known(answer, domain, metric):
    """
    Of the steps from the first to the last one in which anything is known of the domain, those without a value, in seconds.
    Before and after these nobody can tell a domain that was not there from one that was not seen.
    What a coarse step of the region has been through is summed in the steps beside it.
    """
    seen = [i for i, covered in enumerate(domain["coverage_ratio"]) if covered > 0]
    if not seen:
        return 0.0
    durable = answer["durable_steps"]
    return answer["step_s"] * sum(domain["values"][metric][i] is None and not (answer["coarse"][i] and i >= durable)
                                  for i in range(seen[0], seen[-1] + 1))


def bill(host, words):
    answer = host.history("running_s", start=words.start, end=words.end, step=words.step)
    print("domid,instance,name,cpu_seconds,seconds_not_known")
    for domain in answer["domains"]:
        known = [v for v in domain["values"]["running_s"] if v is not None]
        name = name_of(domain).replace('"', '""')
        print(f"{domain['domid']},{domain['instance']},\"{name}\",{f'{sum(known):.6f}' if known else ''},"
              f"{seconds_not_known(answer, domain, 'running_s'):g}")


def history(host, words):
    answer = host.history(words.metric, words.domain, words.start, words.end, words.step)
    if not answer["domains"]:
        raise ValueError(f"nothing is known of domain '{words.domain}' in that time")
    metrics = answer["metrics"]
    print("time," + ",".join(metrics))
    values = answer["domains"][0]["values"]
    for i, at in enumerate(answer["times_s"]):
        print(f"{at:.3f}," + ",".join("" if values[m][i] is None else repr(values[m][i]) for m in metrics))
    if len(answer["domains"]) > 1:
        print(f"xenmon_api: the first of {len(answer['domains'])} domains that had this id in that time", file=sys.stderr)


def joined(words):
    """--from -2h as --from=-2h, which argparse does not take for another option."""
    taken = []
    for word in words:
        if taken and taken[-1] in ("--from", "--to"):
            taken[-1] += "=" + word
        else:
            taken.append(word)
    return taken


def one_line(text):
    """What others said, without what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text))


TIME = ("RFC 3339 as 2026-01-02T03:04:05Z or with +01:00, seconds since 1970, 'now', or so long before now as -90s, -5m, -2h "
        "or -1d")
ABOUT = {
    "bill": "CPU seconds of each domain from --from to --to, as CSV.",
    "history": "Metrics of a domain over time, as CSV; what is not known is empty.",
}
COLUMNS = {
    "bill": "Columns: domid; instance, which counts the domains that had this id before; name, or 'domain ID' where it is not known; "
            "cpu_seconds, the sum of what is known, empty where nothing is; seconds_not_known, the steps without a number, from the "
            "first to the last one in which anything is known of the domain: time before it began and after it ended does not "
            "count.  A step that is known in part counts as known.",
    "history": "Columns: time, the end of the step in seconds since 1970; then the metrics.",
}


def add_past(commands, name, run):
    one = commands.add_parser(name, description=ABOUT[name], epilog=COLUMNS[name])
    if name == "history":
        one.add_argument("domain", help="id, name or UUID; a name is that of the domain that has it now, else that had it last")
        one.add_argument("--metric", default="running_ratio,wait_ratio,blocked_ratio",
                         help="ids of /api/v1/metrics, with commas (default: %(default)s)")
    one.add_argument("--from", dest="start", metavar="TIME", default="-5m", help=TIME + " (default: -5m, five minutes ago)")
    one.add_argument("--to", dest="end", metavar="TIME", default="now", help="the same (default: now)")
    one.add_argument("--step", metavar="DURATION", help="as 500ms, 1s, 5m, 2h or 1d, 100ms at least (default: as the server "
                     "divides that time)")
    one.set_defaults(run=run)


def words_given():
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
        add_past(commands, name, run)
    return parser.parse_args(joined(sys.argv[1:]))


def main():
    words = words_given()
    token = None
    try:
        if words.token_file:
            with open(words.token_file, encoding="utf-8") as file:
                token = file.readline().strip()
    except (OSError, ValueError) as error:
        print(f"xenmon_api: {one_line(words.token_file)}: {one_line(getattr(error, 'strerror', None) or error)}", file=sys.stderr)
        return 1
    try:
        words.run(Host(words.url, token, words.cafile), words)
        sys.stdout.flush()
    except BrokenPipeError:  # who read it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Refused, OSError, ValueError, http.client.HTTPException) as error:
        print(f"xenmon_api: {one_line(words.url)}: {one_line(error) or type(error).__name__}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
