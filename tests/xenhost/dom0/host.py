# SPDX-License-Identifier: MIT
"""What the checks use of a Xen host: its guests, their load, the hypervisor's own clocks, our programs.

Everything that is started here is remembered and ended by Host.close(), whatever happened in between.
"""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import xenmon_region

HERE = pathlib.Path(__file__).resolve().parent
GUESTS = pathlib.Path("/run/xenhost")
XEN_BIN = "/usr/lib/xen-4.17/bin"
BRIDGE, DOM0_ADDRESS, WEB_ADDRESS = "xenbr0", "10.77.0.1", "10.77.0.2"
WHAT_WE_WANT = "0x00169000"  # runstates, verbose scheduling, grants, domains: our default mask


class Failed(Exception):
    """A check found something that should not be so."""


def need(condition, what):
    if not condition:
        raise Failed(what)


def same(is_, should, what):
    need(is_ == should, f"{what} is {is_!r}, should be {should!r}")


def wait_for(what, condition, seconds=30, every=0.2):
    """The first true value of condition(); Failed after so long."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise Failed(f"waited {seconds} s in vain for {what}")
        time.sleep(every)


def run(*command, timeout=60, check=True, **more):
    """Runs a command to its end: the finished process, with stdout and stderr as text."""
    more.setdefault("stdin", subprocess.DEVNULL)
    try:
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, check=False, encoding="utf-8", errors="replace", **more)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(map(str, command))}: not done after {timeout} s") from error
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: exit status {done.returncode}: {done.stderr.strip()[-500:]}")
    return done


def xl(*arguments, **more):
    return run(f"{XEN_BIN}/xl", *arguments, **more).stdout


def xl_info():
    """What `xl info` says, as a dict of texts."""
    pairs = (line.split(":", 1) for line in xl("info").splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def vcpu_times(*domids):
    """The hypervisor's own account: {(domid, vcpu): facts}, see vcpu_times.c."""
    lines = run(HERE / "vcpu_times", *domids).stdout.splitlines()
    return {(row["domid"], row["vcpu"]): row for row in map(json.loads, lines)}


class Guest:
    """A PV guest of the small ramdisk; roles as in image.d/guest-init."""

    def __init__(self, name, *roles, vcpus=1, weight=256, address=None, disk=False):
        self.name, self.roles, self.vcpus, self.domid = name, roles, vcpus, None
        self.weight, self.address, self.disk = weight, address, disk

    def config(self):
        extra = f"console=hvc0 quiet xenhost={','.join(self.roles)}"
        if self.address:
            extra += f" address={self.address}/24"
        lines = [f'name="{self.name}"', 'type="pv"', 'kernel="/opt/guest/vmlinuz"', 'ramdisk="/opt/guest/guest.img"',
                 "memory=112", f"vcpus={self.vcpus}", f"cpu_weight={self.weight}", f'extra="{extra}"',
                 'on_crash="destroy"', 'on_reboot="destroy"']
        if self.address:
            lines.append(f"vif=['bridge={BRIDGE}']")
        if self.disk:
            lines.append(f"disk=['format=raw,vdev=xvda,access=ro,backendtype=phy,target={self.disk}']")
        return "\n".join(lines) + "\n"

    def create(self, paused=True):
        """Makes the domain; paused, since a spinner would leave xl little time to finish."""
        path = GUESTS / f"{self.name}.cfg"
        path.write_text(self.config())
        xl("create", "-q", *(["-p"] if paused else []), path, timeout=120)
        self.domid = int(xl("domid", self.name))
        return self

    def unpause(self):
        xl("unpause", self.domid)

    def pause(self):
        xl("pause", self.domid)

    def destroy(self):
        if self.domid is not None:
            xl("destroy", self.domid, timeout=120)
            self.domid = None


class Thing:
    """Something with an end, whatever happens: Host.keep(), or `with`."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        raise NotImplementedError


class Load(Thing):
    """Requests to the web guest from dom0, from several connections at once; see load.py."""

    def __init__(self, connections=2, path="/1k", pause_ms=500):
        command = ["python3", str(HERE / "load.py"), f"http://{WEB_ADDRESS}{path}", str(connections), str(pause_ms)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8")

    def stop(self):
        """Ends it: {"served":, "failed":, "seconds":}."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=30)
        return json.loads(said)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Hogs(Thing):
    """Keeps every vCPU of dom0 busy, behind all else that dom0 does."""

    def __init__(self, count=2):
        self.processes = [subprocess.Popen(["nice", "-n", "19", "sh", "-c", "while :; do :; done"]) for _ in range(count)]

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()


class Host:
    """This Xen host while the checks run."""

    def __init__(self, results, config, say):
        self.results, self.config, self.say = results, config, say
        self.guests, self.things = {}, []
        self.info = None
        self.live = None  # the xenbaked that reads the trace buffers
        GUESTS.mkdir(parents=True, exist_ok=True)

    def keep(self, thing):
        """Something with close() to be called at the end."""
        self.things.append(thing)
        return thing

    def file(self, name):
        """Path of a file that comes home with the results."""
        return self.results / name

    @property
    def tsc_hz(self):
        """The TSC's rate as the hypervisor says it, to the kHz."""
        return round(float(self.info["cpu_mhz"]) * 1e6)

    @property
    def credit2(self):
        return self.config["scheduler"] == "credit2"

    @property
    def crowded(self):
        """More pCPUs than the machine that emulates them has CPUs: any of them can stand still, for milliseconds, anywhere."""
        return self.config.get("crowded", False)

    def ready(self):
        """Waits for Xen's tools and gives dom0 the weight without which spinners starve it."""
        wait_for("xl info", lambda: run(f"{XEN_BIN}/xl", "info", check=False).returncode == 0, 120, 1)
        self.info = xl_info()
        sched = "sched-credit2" if self.credit2 else "sched-credit"
        xl(sched, "-d", "0", "-w", "4096")
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "addr", "add", f"{DOM0_ADDRESS}/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        disk = GUESTS / "disk.img"
        with open(disk, "wb") as file:
            file.truncate(16 << 20)
        return run("losetup", "-f", "--show", disk).stdout.strip()

    @contextlib.contextmanager
    def long_runs(self):
        """While in it, nobody is preempted within 5 ms (1 ms is Xen's default).

        The hypervisor accounts a switch at the time at which it decided on it, and writes the records when it has: under
        emulation that is some 10 us later (where machines are not busy), and not as long for a vCPU that blocks as for
        one that is preempted: see the check hypervisors_executions.  Fewer switches make less of it.
        """
        tool, slice_ = ("sched-credit2", []) if self.credit2 else ("sched-credit", ["-t", "30"])
        xl(tool, "-s", "-r", "5000", *slice_)
        try:
            yield
        finally:
            xl(tool, "-s", "-r", "1000", *slice_)

    def add(self, guest):
        self.guests[guest.name] = guest
        return guest.create()

    def served(self):
        """True if the web guest answers."""
        with contextlib.suppress(OSError), socket.create_connection((WEB_ADDRESS, 80), timeout=5) as web:
            web.settimeout(10)
            web.sendall(b"GET /1k HTTP/1.0\r\n\r\n")
            return web.recv(64).startswith(b"HTTP/1.") and True
        return False

    def close(self):
        for thing in reversed(self.things):
            with contextlib.suppress(Exception):
                thing.close()
        for guest in self.guests.values():
            with contextlib.suppress(Exception):
                guest.destroy()


class Baked(Thing):
    """A running xenbaked; what it says goes to a file among the results."""

    def __init__(self, host, name, *arguments, region="/run/xenmon-test/shm", stdin=subprocess.DEVNULL):
        self.region, self.log = region, host.file(f"{name}.log")
        os.makedirs(os.path.dirname(region), exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["xenbaked", "--region", region, *map(str, arguments)], stdin=stdin,
                                            stdout=log, stderr=log)

    def said(self):
        return self.log.read_text("utf-8", "replace")

    def sample(self, series="fast"):
        """The newest sample, or None while there is none."""
        try:
            with xenmon_region.Region(self.region) as region:
                return region.sample(series, region.newest(series))
        except (xenmon_region.RegionError, OSError):
            return None

    def wait(self, tsc=0, seconds=60):
        """Waits for a sample of this time or later."""
        def reached():
            if self.process.poll() is not None:
                raise Failed(f"xenbaked ended with {self.process.returncode}: {self.said()[-500:]}")
            sample = self.sample()
            return sample if sample and sample["host"]["tsc"] >= tsc else None
        return wait_for(f"a sample of xenbaked's after {tsc}", reached, seconds)

    def header(self):
        with xenmon_region.Region(self.region) as region:
            return region.header()

    def sample_at(self, tsc):
        """The newest fast sample that is no later than this."""
        with xenmon_region.Region(self.region) as region:
            low, high = region.oldest("fast"), region.newest("fast")
            if low > 0:
                low += 20  # the very oldest are overwritten while this emulated host reads them
            need(region.sample("fast", low)["host"]["tsc"] <= tsc, "the region begins later")
            while low < high:
                middle = (low + high + 1) // 2
                if region.sample("fast", middle)["host"]["tsc"] <= tsc:
                    low = middle
                else:
                    high = middle - 1
            return region.sample("fast", low)

    def stop(self, how=signal.SIGTERM, seconds=20):
        """Ends it: its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            self.process.wait()
            raise Failed(f"xenbaked did not end within {seconds} s of {signal.Signals(how).name}") from error

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Xentrace(Thing):
    """Debian's xentrace, writing to a file or, with pipe, to a pipe that is its stdout."""

    def __init__(self, host, *arguments, file=None):
        self.log = host.file("xentrace.log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([f"{XEN_BIN}/xentrace", "-D", *map(str, arguments), str(file or "/dev/stdout")],
                                            stdin=subprocess.DEVNULL, stdout=log if file else subprocess.PIPE, stderr=log)
        self.out = self.process.stdout

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
