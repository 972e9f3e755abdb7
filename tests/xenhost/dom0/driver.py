# SPDX-License-Identifier: MIT
"""Runs the checks in dom0: driver.py RESULTS

Every check stands alone: one that fails, or dies, takes no other with it.  TAP goes to RESULTS/results.tap, where it is
counted, and to the second serial port, where it is watched.
"""
import json
import pathlib
import sys
import time
import traceback

import checks
import live  # noqa: F401 (registers its checks)
from host import Failed, Host

SERIAL = "/dev/ttyS1"


class Voice:
    """Says a line to whoever watches, and, where it is TAP, to the file that is counted."""

    def __init__(self, results):
        self.tap = open(results / "results.tap", "w", encoding="utf-8")
        try:
            self.serial = open(SERIAL, "w", encoding="utf-8")
        except OSError:
            self.serial = None
        self.start = time.monotonic()

    def say(self, text):
        line = " ".join(text.split("\n"))
        print(f"# {self.seconds():6.1f} {line}", file=self.tap, flush=True)
        self.watch(f"# {self.seconds():6.1f} {line}")

    def result(self, line):
        print(line, file=self.tap, flush=True)
        self.watch(line)

    def watch(self, line):
        if self.serial is not None:
            print(line, file=self.serial, flush=True)

    def seconds(self):
        with open("/proc/uptime", encoding="ascii") as file:
            return float(file.read().split()[0])


def one(host, number, check):
    """Makes a check and says how it went."""
    start = time.monotonic()
    line, why = f"ok {number} - {check.title}", None
    try:
        note = check(host)
        if note:
            host.say(f"{check.title}: {note}")
    except Failed as reason:
        line, why = "not " + line, str(reason)
    except Exception:  # a check's own mistake is that check's failure alone
        line, why = "not " + line, traceback.format_exc()
    host.voice.result(line)
    for text in (why or "").splitlines():
        host.voice.result(f"#   {text}")
    host.voice.watch(f"# {host.voice.seconds():6.1f} ({time.monotonic() - start:.1f} s)")
    return why is None


def chosen(config):
    """The checks asked for, in their order; those marked always are what the others stand on."""
    asked = config.get("checks")
    return [c for c in checks.ALL if not asked or c.always or c.__name__ in asked]


def main():
    results = pathlib.Path(sys.argv[1])
    config = json.loads(pathlib.Path("config.json").read_text(encoding="utf-8"))
    voice = Voice(results)
    host = Host(results, config, voice.say)
    host.voice = voice
    voice.say(f"dom0 is up, with {config['scheduler']} on {config['pcpus']} pCPUs")
    todo = chosen(config)
    try:
        for number, check in enumerate(todo, 1):
            if not one(host, number, check) and check.always:
                voice.say("what the other checks stand on has failed")
                break
    finally:
        voice.result(f"1..{len(todo)}")
        host.close()
        voice.say("guests destroyed")


if __name__ == "__main__":
    main()
