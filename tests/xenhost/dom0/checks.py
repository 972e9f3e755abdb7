# SPDX-License-Identifier: MIT
"""What is checked on a real Xen, in this order."""
import time

from host import (WEB_ADDRESS, WHAT_WE_WANT, Baked, Guest, Load, Xentrace, need, run, same, vcpu_times, wait_for, xl)

ALL = []


def check(title, always=False):
    """Registers a check; always: the others stand on it."""
    def register(function):
        function.title, function.always = title, always
        ALL.append(function)
        return function
    return register


@check("Xen, its scheduler and its pCPUs are what was asked for", always=True)
def xen_is_up(host):
    host.loop = host.ready()
    info = host.info
    same(info["xen_scheduler"], host.config["scheduler"], "the scheduler")
    same(int(info["nr_cpus"]), host.config["pcpus"], "pCPUs")
    return f"Xen {info['xen_version']}, {info['cpu_mhz']} MHz"


@check("guests: a web server, two spinners of two vCPUs with weights 512 and 256", always=True)
def guests_are_up(host):
    web = host.add(Guest("web", "web", "disk", address=WEB_ADDRESS, disk=host.loop))
    web.unpause()
    wait_for("the web server's answer", host.served, 90, 0.5)
    host.say("the web server answers")
    heavy = host.add(Guest("heavy", "spin", vcpus=2, weight=512))
    light = host.add(Guest("light", "spin", vcpus=2, weight=256))
    heavy.unpause()
    light.unpause()
    for guest in (heavy, light):
        wait_for(f"{guest.name} to spin", lambda domid=guest.domid: min(
            row["cpu_time_ns"] for row in vcpu_times(domid).values()) > 2_000_000_000, 120, 1)
    return xl("list").strip()


@check("the web server serves a load from dom0 beside the spinners")
def load_is_served(host):
    with Load() as load:
        time.sleep(10)
        done = load.stop()
    need(done["served"] > 0, f"nothing was served: {done}")
    return f"{done}"


@check("xentrace piped into xenbaked: the region, the report and the log")
def piped(host):
    trace = host.keep(Xentrace(host, "-e", WHAT_WE_WANT))
    baked = host.keep(Baked(host, "piped", "--cpu-hz", host.tsc_hz, "-", stdin=trace.out))
    trace.out.close()
    baked.wait()
    time.sleep(3)
    text = run("xenmon", "report", f"--region={baked.region}").stdout
    host.file("piped-report.txt").write_text(text)
    run("xenmon", "log", f"--region={baked.region}", "--time=2", "--prefix", host.file("piped-log"))
    trace.stop()
    wait_for("xenbaked to see the pipe's end", lambda: "has ended" in baked.said(), 20)
    same(baked.stop(), 0, "xenbaked's exit status")
    need("none" in next(line for line in text.splitlines() if line.startswith("lost")), "records were lost")
    for domid in (0, 1, 2, 3, "idle"):
        name = f"piped-log-{domid}.log" if domid == "idle" else f"piped-log-dom{domid}.log"
        need(host.file(name).exists(), f"xenmon log wrote no {name}")
