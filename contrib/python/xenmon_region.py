#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads XenMon's shared memory with nothing but the standard library.

What is known here is what xenmon-region(5) calls the fixed part: the first 64 bytes of the header, the entries of
the section table and of the metric table, and the rules of sequences and indices.  Everything else, every metric and
every fact, is learned from the mapping.

    region = Region("/run/xenmon/shm")
    now = region.sample("fast", region.newest("fast"))
    for row in now["domain"]:
        print(row["id"], row["running"])

Errors are exceptions: Retry, Overrun, Gone, Restarted and Incompatible, all of them RegionError.

The file is mapped, and its length is looked at before each use, so that a file that has shrunk is Incompatible.  One
that shrinks in the microseconds between look and use ends the process by SIGBUS; only who may write the file can do
that.  A program that must survive even its writer reads the same bytes with os.pread(), as libxenmon does.
"""
import argparse
import json
import mmap
import os
import stat
import struct
import sys
import time

MAGIC = b"XENMONRG"
MAJOR = 1
BYTE_ORDER = 0x01020304
PREFIX = struct.Struct("<8sIIQQQIIQII")  # magic .. metric_stride: 64 bytes
SECTION = struct.Struct("<24sIIQQQ")     # name, parent, reserved, offset, stride, count; 8 reserved bytes follow
METRIC = struct.Struct("<IIII8s8s8s32s120s")  # section, offset, count, bytes, type, kind, unit, name, help
TOP = 0xFFFFFFFF
NONE = 0xFFFFFFFFFFFFFFFF
ENDED, SUPERSEDED = 2, 3
STALE_NS = 3_000_000_000
TRIES = 100
# What this reader looks up by name; all else is passed on as it is found.
NEEDED = {
    "header": ("creation_id", "lineage_id", "facts_seq", "state", "heartbeat_ns", "writer_pid", "writer_start", "tsc_hz",
               "fast_newest", "slow_newest", "fast_first", "slow_first", "hist_sub_bits"),
    "domains": ("seq", "id"),
    "histograms": ("seq", "id"),
    "fast": ("seq", "index", "used_domains", "used_vcpus", "used_pcpus"),
    "slow": ("seq", "index", "used_domains", "used_vcpus", "used_pcpus"),
    "fast_host": ("window",), "slow_host": ("window",),
    "fast_vcpu": ("id",), "slow_vcpu": ("id",),
    "fast_domain": ("id",), "slow_domain": ("id",),
    "fast_pcpu": ("id",), "slow_pcpu": ("id",),
    "fast_vcpu_domain": ("domain_slot",), "slow_vcpu_domain": ("domain_slot",),
}
FORMATS = {("u64", 8): "Q", ("u32", 4): "I"}
ROW_USED = 1 << 63


class RegionError(Exception):
    """How a call on a region ended when it did not end well."""


class Retry(RegionError):
    """Not there yet, or being written all the time: try again later."""


class Overrun(RegionError):
    """The sample asked for has been overwritten."""


class Gone(RegionError):
    """The writer is dead or has ended; what it left can still be read."""


class Restarted(RegionError):
    """There is another region of this name; the handle now reads that one."""


class Incompatible(RegionError):
    """Not a region, damaged, or of another major version."""


def text(raw):
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


class Metric:
    """One entry of the metric table."""

    def __init__(self, raw):
        (self.section, self.offset, self.count, self.bytes, type_, kind, unit, name, help_) = METRIC.unpack(raw)
        self.type, self.kind, self.unit, self.name, self.help = map(text, (type_, kind, unit, name, help_))
        letter = FORMATS.get((self.type, self.bytes))
        self.format = struct.Struct(f"<{self.count}{letter}") if letter else None

    def value(self, row):
        """The metric's value in the bytes of one element; None where its type is not known here."""
        raw = row[self.offset:self.offset + self.count * self.bytes]
        if self.type == "char":
            return text(raw)
        if self.format is None:
            return None
        values = self.format.unpack(raw)
        return values[0] if self.count == 1 else list(values)


class Section:
    """One entry of the section table, with the metrics of its elements."""

    def __init__(self, raw):
        name, self.parent, _, self.offset, self.stride, self.count = SECTION.unpack(raw)
        self.name = text(name)
        self.metrics = []
        self.by_name = {}

    def add(self, metric):
        self.metrics.append(metric)
        self.by_name[metric.name] = metric

    def row(self, raw):
        return {m.name: m.value(raw) for m in self.metrics}


def check(condition, what):
    if not condition:
        raise Incompatible(f"not a region, or a damaged one: {what}")


class Region:
    """A region, mapped read-only.  Every value returned is a copy."""

    SERIES = ("fast", "slow")

    def __init__(self, path):
        self.path = path
        self._attach()

    # ---- Opening.

    def _attach(self):
        fd = os.open(os.fspath(self.path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            facts = os.fstat(fd)
            check(stat.S_ISREG(facts.st_mode) and facts.st_size >= PREFIX.size, "not a file that could be one")
            new = mmap.mmap(fd, facts.st_size, mmap.MAP_SHARED, mmap.PROT_READ)
            layout = self._learn(new, facts.st_size)
        except (struct.error, ValueError) as error:
            os.close(fd)
            raise Incompatible(str(error)) from error
        except BaseException:
            os.close(fd)
            raise
        self._release()
        self._fd, self._map, self._file = fd, new, (facts.st_dev, facts.st_ino)
        self._bytes, self.sections = layout
        self.by_name = {s.name: s for s in self.sections}
        header = self.header()
        self.creation_id, self.lineage_id = header["creation_id"], header["lineage_id"]

    @staticmethod
    def _learn(mapping, size):
        (magic, version, order, _, region_bytes, sections_at, section_count, section_stride,
         metrics_at, metric_count, metric_stride) = PREFIX.unpack_from(mapping, 0)
        check(magic == MAGIC, "no magic number")
        check(order == BYTE_ORDER, "byte order")
        if version >> 16 != MAJOR:
            raise Incompatible(f"a region of version {version >> 16}.{version & 0xffff}")
        check(region_bytes <= size, "it is shorter than it says")
        check(section_stride >= SECTION.size and metric_stride >= METRIC.size, "length of table entries")
        check(sections_at + section_count * section_stride <= region_bytes, "the section table")
        check(metrics_at + metric_count * metric_stride <= region_bytes, "the metric table")
        sections = [Section(mapping[at:at + SECTION.size]) for at in
                    range(sections_at, sections_at + section_count * section_stride, section_stride)]
        for section in sections:
            check(section.parent == TOP or section.parent < section_count, "a section's parent")
            room = region_bytes if section.parent == TOP else sections[section.parent].stride
            check(section.offset + section.stride * section.count <= room, f"section {section.name}")
        for at in range(metrics_at, metrics_at + metric_count * metric_stride, metric_stride):
            metric = Metric(mapping[at:at + METRIC.size])
            check(metric.section < section_count, f"metric {metric.name}")
            section = sections[metric.section]
            check(metric.offset + metric.count * metric.bytes <= section.stride, f"metric {metric.name}")
            section.add(metric)
        by_name = {s.name: s for s in sections}
        for name, metrics in NEEDED.items():
            check(name in by_name and by_name[name].count > 0, f"no section {name}")
            for metric in metrics:
                found = by_name[name].by_name.get(metric)
                check(found is not None and found.format is not None and found.count == 1, f"no {metric} in {name}")
        return region_bytes, sections

    def _release(self):
        if getattr(self, "_map", None) is not None:
            self._map.close()
            os.close(self._fd)
            self._map = None

    def close(self):
        self._release()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- Bytes, and groups of words with a sequence.

    def _look(self):
        """Before each use: the file may have shrunk."""
        if self._map is None:
            raise ValueError("the region is closed")
        check(os.fstat(self._fd).st_size >= self._bytes, "it has been truncated")

    def _element(self, section, index=0):
        """Where an element of a section begins that lies in the region itself."""
        return section.offset + section.stride * index

    def _word(self, section, name, index=0):
        metric = section.by_name[name]
        at = self._element(section, index) + metric.offset
        return metric.format.unpack_from(self._map, at)[0]

    def _sequenced(self, section, seq, index=0):
        """One element's bytes, whole: the sequence is even, and the same before and after the copy."""
        self._look()
        at = self._element(section, index)
        for _ in range(TRIES):
            before = self._word(section, seq, index)
            raw = self._map[at:at + section.stride]
            if before % 2 == 0 and self._word(section, seq, index) == before:
                return raw
        raise Retry("being written all the time")

    # ---- What a region holds.

    def header(self):
        """Every fact of the header, by name."""
        section = self.by_name["header"]
        return section.row(self._sequenced(section, "facts_seq"))

    info = header

    def newest(self, series):
        """Index of the newest sample; Retry where there is none yet."""
        self._look()
        newest = self._word(self.by_name["header"], series + "_newest")
        if newest == NONE:
            raise Retry("no sample yet")
        return newest

    def oldest(self, series):
        """Index of the oldest sample that may still be there."""
        newest = self.newest(series)
        first = self._word(self.by_name["header"], series + "_first")
        return max(first, newest - self.by_name[series].count + 1, 0)

    def sample(self, series, index):
        """One sample, as lists of rows: host, vcpu, domain, pcpu, pair and vcpu_domain.

        A row is a dict of its metrics by name, and "slot", its place.  pair is a dict of rows by (domain slot, pCPU
        slot).  Unused slots (id 0) are left out.
        """
        ring = self.by_name[series]
        newest = self.newest(series)
        if index > newest:
            raise Retry(f"{series} sample {index} is not there yet")
        complete = 2 * index + 2
        slot = index % ring.count
        at = self._element(ring, slot)
        before = self._word(ring, "seq", slot)
        raw = self._map[at:at + ring.stride]
        after = self._word(ring, "seq", slot)
        if before != complete or after != complete:
            raise Overrun(f"{series} sample {index} has been overwritten")
        return self._unpack(series, ring.row(raw), raw)

    def _rows(self, series, kind, raw, count):
        section = self.by_name.get(f"{series}_{kind}")
        if section is None:
            return []
        check(count <= section.count, f"{count} rows in use of {section.count}")
        return [section.row(raw[at:at + section.stride]) for at in
                range(section.offset, section.offset + count * section.stride, section.stride)]

    def _unpack(self, series, head, raw):
        used = {"domain": head["used_domains"], "vcpu": head["used_vcpus"], "pcpu": head["used_pcpus"]}
        sample = {"series": series, "index": head["index"], "host": self._rows(series, "host", raw, 1)[0]}
        for kind, count in used.items():
            rows = self._rows(series, kind, raw, count)
            sample[kind] = [{"slot": slot, **row} for slot, row in enumerate(rows) if row.get("id")]
        slots = self._rows(series, "vcpu_domain", raw, used["vcpu"])
        sample["vcpu_domain"] = {row["slot"]: slots[row["slot"]]["domain_slot"] for row in sample["vcpu"]}
        width = self.by_name[f"{series}_pcpu"].count
        pairs = self._rows(series, "pair", raw, used["domain"] * width if f"{series}_pair" in self.by_name else 0)
        sample["pair"] = {(i // width, i % width): row for i, row in enumerate(pairs) if i % width < used["pcpu"]}
        return sample

    def find(self, series, window):
        """Index of the newest sample whose host window is at most `window` cycles; the oldest where all are newer."""
        low, high = self.oldest(series), self.newest(series)
        best = None
        while low <= high:
            middle = (low + high) // 2
            try:
                host = self.sample(series, middle)["host"]
            except Overrun:
                low, best = middle + 1, None
                continue
            if host["window"] <= window:
                low, best = middle + 1, middle
            else:
                high = middle - 1
        return self.oldest(series) if best is None else best

    def domain(self, slot):
        """Facts of the domain in a slot: id, name, uuid, ...; id 0 where the slot is free."""
        section = self.by_name["domains"]
        check(0 <= slot < section.count, "no such slot")
        return section.row(self._sequenced(section, "seq", slot))

    def histogram(self, slot):
        """Cumulative histograms of the vCPU in a slot: id, and a list of counts by name."""
        section = self.by_name["histograms"]
        check(0 <= slot < section.count, "no such slot")
        return section.row(self._sequenced(section, "seq", slot))

    def bucket_low(self, index):
        """Smallest value of a histogram's bucket, by the rule whose numbers stand in the header."""
        bits = self._word(self.by_name["header"], "hist_sub_bits")
        octave = index >> bits
        return index if octave < 2 else ((index & ((1 << bits) - 1)) + (1 << bits)) << (octave - 1)

    def kinds(self, series, scope):
        """Kind ("counter", "gauge", ...) of every metric of a series' rows, by name."""
        return {m.name: m.kind for m in self.by_name[f"{series}_{scope}"].metrics}

    def window(self, older, newer):
        """What happened between two samples of one series and lineage: like a sample, but counters are differences.

        A row that is not in the older sample began in between, and counts from 0.
        """
        result = dict(newer)
        for scope in ("host", "vcpu", "domain", "pcpu", "pair"):
            if f"{newer['series']}_{scope}" not in self.by_name:
                continue
            kinds = self.kinds(newer["series"], scope)
            if scope == "host":
                result[scope] = subtract(kinds, older[scope], newer[scope])
            elif scope == "pair":
                # A pair has no id of its own: it is the same while its domain's row is.
                same = {row["slot"]: row["id"] for row in older["domain"]}
                kept = {row["slot"] for row in newer["domain"] if same.get(row["slot"]) == row["id"]}
                result[scope] = {key: subtract(kinds, older[scope].get(key) if key[0] in kept else None, row)
                                 for key, row in newer[scope].items()}
            else:
                before = {(row["slot"], row["id"]): row for row in older[scope]}
                result[scope] = [subtract(kinds, before.get((row["slot"], row["id"])), row) for row in newer[scope]]
        return result

    # ---- The writer.

    def check(self):
        """Looks whether the writer lives, and follows a restart or growth.

        Raises Restarted (the handle reads the new region now; counters go on if lineage_id is as it was), Gone or
        Incompatible.
        """
        named = True
        try:
            facts = os.stat(self.path)
            if (facts.st_dev, facts.st_ino) != self._file:
                self._attach()
                raise Restarted(self.path)
        except FileNotFoundError:
            named = False
        header = self.header()
        dead = process_dead(header["writer_pid"], header["writer_start"])
        if header["state"] in (ENDED, SUPERSEDED):
            if dead or not named:
                raise Gone(self.path)
        elif dead and abs(time.monotonic_ns() - header["heartbeat_ns"]) > STALE_NS:
            raise Gone(self.path)


def subtract(kinds, before, row):
    """Counters minus those before; a counter of several words is of 32 bits and wraps."""
    if before is None:
        return dict(row)
    return {name: row[name] if kinds.get(name) != "counter"
            else [(b - a) % 2 ** 32 for a, b in zip(before[name], row[name])] if isinstance(row[name], list)
            else row[name] - before[name] for name in row}


def process_dead(pid, start):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:
            pass
        return False
    return fields[0] in "ZX" or (start != 0 and int(fields[19]) != start)


def default_path():
    given = os.environ.get("XENMON_REGION")
    if given:
        return given
    if os.geteuid() == 0:
        return "/run/xenmon/shm"
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return f"{runtime}/xenmon/shm" if runtime.startswith("/") else f"/dev/shm/xenmon-{os.geteuid()}/shm"


# ---- The command line.

def last_second(region):
    """The window of the newest fast sample and the one a second before."""
    newer = region.sample("fast", region.newest("fast"))
    hz = region.header()["tsc_hz"]
    back = hz if hz else 0
    for _ in range(TRIES):
        index = region.find("fast", max(newer["host"]["window"] - back, 0))
        if index == newer["index"] and index > region.oldest("fast"):
            index -= 1
        try:
            return region.window(region.sample("fast", index), newer)
        except Overrun:
            continue
    raise Retry("overwritten all the time")


def print_domains(region):
    window = last_second(region)
    span = window["host"]["window"]
    header = region.header()
    hz = header["tsc_hz"]
    host = " ".join(filter(None, (header.get("hypervisor"), header.get("scheduler"))))  # since layout 1.1
    if host:
        print(host)
    length = f"{span / hz:.3f} s" if hz else f"{span} cycles"
    print(f"last {length}; percentages are of that and may exceed 100 with several vCPUs")
    print(f"{'domain':>7} {'name':<20} {'vcpus':>5} {'running':>9} {'runnable':>9} {'blocked':>9}")
    for row in sorted(window["domain"], key=lambda row: row["id"] & 0xffff):
        facts = region.domain(row["slot"])
        name = facts["name"] if facts["id"] == row["id"] else ""
        shares = (100 * row[state] / span if span else 0 for state in ("running", "runnable", "blocked"))
        print(f"{row['id'] & 0xffff:>7} {name or '-':<20} {row['vcpus']:>5} "
              + " ".join(f"{share:>8.2f}%" for share in shares))


def as_json(region):
    sample = region.sample("fast", region.newest("fast"))
    sample["pair"] = [{"domain_slot": d, "pcpu_slot": p, **row} for (d, p), row in sample["pair"].items()]
    return {"header": region.header(), "sample": sample,
            "domains": [region.domain(row["slot"]) for row in sample["domain"]]}


def main():
    parser = argparse.ArgumentParser(description="Prints what XenMon's shared memory says about domains.")
    parser.add_argument("path", nargs="?", default=default_path(), help="the region (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the newest sample, whole, as JSON")
    parser.add_argument("--metrics", action="store_true", help="print every metric that the region describes")
    options = parser.parse_args()
    try:
        with Region(options.path) as region:
            if options.metrics:
                for section in region.sections:
                    for m in section.metrics:
                        print(f"{section.name}.{m.name}\t{m.type}\t{m.kind}\t{m.unit}\t{m.help}")
            elif options.json:
                json.dump(as_json(region), sys.stdout, indent=1)
                print()
            else:
                print_domains(region)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left has no reader
    except (RegionError, OSError) as error:
        print(f"xenmon_region: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
