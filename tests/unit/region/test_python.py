#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The reader in Python, which knows no metric, against the reader in C, which knows them all.

usage: test_python.py DUMP_PROGRAM PYTHON_READER        TAP on stdout
"""
import importlib.util
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

DUMP, READER = sys.argv[1:3]
spec = importlib.util.spec_from_file_location("xenmon_region", READER)
xr = importlib.util.module_from_spec(spec)
spec.loader.exec_module(xr)

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def dump(path, first):
    """What the C reader sees, as a set of lines."""
    out = subprocess.run([DUMP, path, str(first)], stdout=subprocess.PIPE, check=True).stdout.decode()
    return {line for line in out.splitlines() if not line.startswith("#")}


def words(value):
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def sample_lines(region, series, index):
    sample = region.sample(series, index)
    for scope in ("host", "vcpu", "domain", "pcpu", "pair"):
        kinds = region.kinds(series, scope) if f"{series}_{scope}" in region.by_name else {}
        rows = [(0, sample["host"])] if scope == "host" else \
            [(d * 1000 + p, row) for (d, p), row in sample["pair"].items()] if scope == "pair" else \
            [(row["slot"], row) for row in sample[scope]]
        for slot, row in rows:
            for name, kind in kinds.items():
                yield f"{series} {index} {scope} {slot} {name} {kind} {words(row[name])}"
    for slot, domain in sample["vcpu_domain"].items():
        yield f"{series} {index} vcpu_domain {slot} {domain}"


def region_lines(region):
    header = region.header()
    for name in ("creation_id lineage_id writer_pid version state source heartbeat_ns tsc_hz tsc_hz_from states_from "
                 "source_name io_seen domains vcpus pcpus fast_interval_ns slow_interval_ns fast_newest slow_newest "
                 "region_bytes hypervisor scheduler events buffer_bytes host_cpus").split():
        yield f"info {name} {header[name]}"
    for index, name in enumerate(n for n in header if n.startswith("records_")):
        yield f"class {index} {header[name]}"
    for name in header:
        if name.startswith("anomaly_"):
            yield f"anomaly {name[8:]} {header[name]}"
    for series in region.SERIES:
        for index in range(region.oldest(series), region.newest(series) + 1):
            yield from sample_lines(region, series, index)
    for slot in range(region.by_name["domains"].count):
        d = region.domain(slot)
        yield f"domain {slot} {d['id']} {d['created_tsc']} {d['ended_tsc']} {d['name']} {d['uuid']}"
    for slot in range(region.by_name["histograms"].count):
        h = region.histogram(slot)
        for kind in ("execution", "wait", "blocked"):
            yield f"histogram {slot} {h['id']} {kind} {words(h[kind])}"


@test
def every_metric_agrees(path):
    for first in (0, 1000, random.randrange(1 << 40)):
        expected = dump(path, first)
        with xr.Region(path) as region:
            found = set(region_lines(region))
        assert len(expected) > 2000, len(expected)
        assert found == expected, sorted(found ^ expected)[:6]


@test
def outcomes(path):
    dump(path, 5)
    with xr.Region(path) as region:
        raises(xr.Overrun, region.sample, "fast", 0)
        raises(xr.Retry, region.sample, "fast", region.newest("fast") + 1)
        raises(xr.Incompatible, region.domain, 4)
        # Its writer left without a word, and with a heartbeat of long ago.
        raises(xr.Gone, region.check)
        old = region.header()
        dump(path, 6)
        raises(xr.Restarted, region.check)
        assert region.header()["lineage_id"] != old["lineage_id"]
        assert region.sample("fast", region.newest("fast"))["host"]["window"] == (6 + 13) * 1000 + 7
        os.unlink(path)
        assert region.sample("slow", region.newest("slow"))["index"] == 13


@test
def find_and_window(path):
    dump(path, 100)
    with xr.Region(path) as region:
        newest = region.newest("fast")
        for index in range(region.oldest("fast"), newest + 1):
            assert region.find("fast", (100 + index) * 1000 + 7) == index
            assert region.find("fast", (100 + index) * 1000 + 999) == index
        assert region.find("fast", 0) == region.oldest("fast")
        older, newer = region.sample("fast", newest - 1), region.sample("fast", newest)
        window = region.window(older, newer)
        assert window["host"]["window"] == 1000
        assert window["host"]["tsc"] == newer["host"]["tsc"]
        # Stamps have another id in every sample, so each row began in the window; but not if we say otherwise.
        assert window["vcpu"][0]["running"] == newer["vcpu"][0]["running"]
        older["vcpu"][0]["id"] = newer["vcpu"][0]["id"]
        window = region.window(older, newer)
        assert window["vcpu"][0]["running"] == newer["vcpu"][0]["running"] - older["vcpu"][0]["running"]
        slow = region.window(region.sample("slow", newest - 1), region.sample("slow", newest))
        assert slow["host"]["window"] == 1000 and slow["pair"] == {}
        assert region.bucket_low(64) == 64 and region.bucket_low(65) == 66 and region.bucket_low(96) == 128


@test
def torn_slots(path):
    dump(path, 5)
    with xr.Region(path) as region:
        newest = region.newest("fast")
        ring = region.by_name["fast"]
        at = ring.offset + newest % ring.count * ring.stride
        poke(path, at, 2 * newest + 1)
        raises(xr.Overrun, region.sample, "fast", newest)
        poke(path, region.by_name["domains"].offset, 7)
        raises(xr.Retry, region.domain, 0)


@test
def hostile_files(path):
    dump(path, 5)
    with open(path, "rb") as file:
        image = file.read()
    metrics = struct.unpack_from("<Q", image, 0x30)[0]
    tables = metrics + 192 * struct.unpack_from("<I", image, 0x38)[0]
    seed = int(os.environ.get("XM_SEED", random.randrange(1 << 32)))
    print(f"# XM_SEED={seed}")
    rng = random.Random(seed)
    outcomes_seen = set()
    for _ in range(400):
        bad = bytearray(image)
        for _ in range(rng.randrange(1, 4)):
            at = rng.choice((rng.randrange(0x400), rng.randrange(metrics), rng.randrange(tables))) & ~3
            struct.pack_into("<I", bad, at, rng.choice((0, 1, 7, 0xffffffff, rng.getrandbits(32), len(image))))
        outcomes_seen.add(look(path, bad))
    for size in list(range(0, tables, 997)) + [len(image) - 1]:
        assert look(path, image[:size]) == "Incompatible", size
    assert {"ok", "Incompatible"} <= outcomes_seen, outcomes_seen
    # A file that shrinks while it is mapped.
    write(path, image)
    with xr.Region(path) as region:
        os.truncate(path, 4096)
        raises(xr.Incompatible, region.newest, "fast")
        raises(xr.Incompatible, region.header)


@test
def command_line(path):
    dump(path, 5)
    run = [sys.executable, READER, path]
    plain = subprocess.run(run, stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "running" in plain and "blocked" in plain and len(plain.splitlines()) >= 3, plain
    shown = json.loads(subprocess.run(run + ["--json"], stdout=subprocess.PIPE, check=True).stdout)
    assert shown["sample"]["host"]["window"] == 18 * 1000 + 7
    listed = subprocess.run(run + ["--metrics"], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "fast_vcpu.running\tu64\tcounter\tcycles\t" in listed
    bad = subprocess.run([sys.executable, READER, path + ".no"], stderr=subprocess.PIPE, check=False)
    assert bad.returncode == 1 and len(bad.stderr.decode().splitlines()) == 1, bad.stderr


# ---- Means.

def raises(kind, function, *arguments):
    try:
        function(*arguments)
    except kind:
        return
    raise AssertionError(f"{kind.__name__} expected")


def write(path, data):
    # In a new file: the one before may be mapped.
    if os.path.exists(path):
        os.unlink(path)
    with open(path, "wb") as file:
        file.write(data)


def poke(path, at, word):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(struct.pack("<Q", word))


def look(path, data):
    """Every call on a region of these bytes; any exception but the reader's own is a failure."""
    write(path, data)
    try:
        with xr.Region(path) as region:
            region.header()
            for series in region.SERIES:
                region.sample(series, region.newest(series))
                region.find(series, 1 << 20)
            region.domain(0)
            region.histogram(0)
            try:
                region.check()
            except xr.Gone:
                pass
    except xr.RegionError as error:
        return type(error).__name__
    return "ok"


def main():
    failed = 0
    directory = tempfile.mkdtemp()
    print(f"1..{len(TESTS)}")
    for number, function in enumerate(TESTS, 1):
        try:
            function(os.path.join(directory, "shm"))
            print(f"ok {number} - {function.__name__}")
        except Exception as error:  # a test that breaks is one that fails
            failed += 1
            print(f"not ok {number} - {function.__name__}\n# {type(error).__name__}: {error}")
    shutil.rmtree(directory)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
