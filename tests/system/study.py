#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""xenmon study: what the paper found has to come out of the simulated host, with more than one seed.

usage: study.py XENMON SOURCE_ROOT            TAP on stdout
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

XENMON, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
NAMES = ["Conf_0.5", "Conf_Equal", "Conf_2", "Conf_10"]
RATES = [200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800]
DOMAIN = {"gotten_pct", "waited_pct", "blocked_pct", "executions_per_s", "us_per_execution", "io_per_s", "io_per_execution"}
results = []


def check(good, title, detail=""):
    results.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(results)} - {title}", flush=True)
    if not good and detail:
        print("#", str(detail).replace("\n", "\n# "), flush=True)


def run(*arguments, **more):
    return subprocess.run([XENMON, "study", *arguments], capture_output=True, text=True, check=False, timeout=600, **more)


def points(study):
    return {c["name"]: c["points"] for c in study["configurations"]}


def shape(study, title):
    check(study["schema"] == "xenmon.study/1" and [c["name"] for c in study["configurations"]] == NAMES,
          f"{title}: the four configurations")
    check(all([p["rate"] for p in c] == RATES for c in points(study).values()), f"{title}: points in rising rate, the last 1800")
    check(all(p.keys() >= {"throughput", "response_ms"} and p["dom0"].keys() >= DOMAIN and p["dom1"].keys() >= DOMAIN
              for c in points(study).values() for p in c), f"{title}: every member is there")
    for c in points(study).values():
        for p in c:
            for d in (p["dom0"], p["dom1"]):
                total = d["gotten_pct"] + d["waited_pct"] + d["blocked_pct"]
                if abs(total - 100) > 0.1:
                    check(False, f"{title}: gotten + waited + blocked is 100", total)
                    return
    check(True, f"{title}: gotten + waited + blocked is 100 everywhere")


def throughput(study, title):
    best = [max(p["throughput"] for p in points(study)[name]) for name in NAMES]
    check(all(a > b for a, b in zip(best, best[1:])), f"{title}: best throughput falls strictly", best)
    for value, paper, part in zip(best, (1380, 1200, 980, 700), (0.1, 0.1, 0.2, 0.2)):
        check(abs(value - paper) <= part * paper, f"{title}: within {part:.0%} of {paper}", value)
    check(0.45 <= best[3] / best[0] <= 0.62, f"{title}: Conf_10 has about half of Conf_0.5", best[3] / best[0])


def saturated(study, title):
    half, _, _, ten = (points(study)[name][-1] for name in NAMES)
    gotten = [half["dom0"]["gotten_pct"], half["dom1"]["gotten_pct"], ten["dom0"]["gotten_pct"], ten["dom1"]["gotten_pct"]]
    check(all(abs(a - b) <= 5 for a, b in zip(gotten, (30, 68, 45, 55))), f"{title}: gotten at saturation", gotten)
    check(ten["dom0"]["gotten_pct"] <= 45, f"{title}: Conf_10: Dom0 gets 45 % at most", gotten)
    check(ten["dom0"]["waited_pct"] <= 4, f"{title}: Conf_10: Dom0 hardly waits", ten["dom0"]["waited_pct"])
    check(30 <= ten["dom1"]["waited_pct"] <= 45, f"{title}: Conf_10: Dom1 waits", ten["dom1"]["waited_pct"])
    each = [p["dom0"]["io_per_execution"] for p in points(study)["Conf_10"]]
    check(max(each) < 1.9, f"{title}: Conf_10: I/O an execution", each)
    share = ten["dom0"]["io_per_s"] / half["dom0"]["io_per_s"]
    check(0.4 <= share <= 0.6, f"{title}: Conf_10: half the I/O of Conf_0.5", share)
    for name in ("dom0", "dom1"):
        d = ten[name]
        check(9000 <= d["executions_per_s"] <= 13000 and 35 <= d["us_per_execution"] <= 60,
              f"{title}: Conf_10: many short executions of {name}", d)


def regimes(study, title):
    """Conf_0.5 has two."""
    half = points(study)["Conf_0.5"]
    light, loaded, full = half[0], half[4:], half[-1]
    for name in ("dom0", "dom1"):
        check(light[name]["executions_per_s"] >= 2000 and light[name]["us_per_execution"] < 60,
              f"{title}: Conf_0.5: light load, thousands of short executions of {name}", light[name])
        check(100 <= full[name]["executions_per_s"] < 1000, f"{title}: Conf_0.5: heavy load, hundreds of {name}", full[name])
    lengths = [full["dom0"]["us_per_execution"], full["dom1"]["us_per_execution"]]
    check(700 <= lengths[0] <= 1400 and 1400 <= lengths[1] <= 2800, f"{title}: Conf_0.5: of around 1 and 2 ms", lengths)
    check(full["dom0"]["io_per_execution"] >= 50, f"{title}: Conf_0.5: 50 I/Os an execution", full["dom0"])
    check(all(p["dom1"]["blocked_pct"] > p["dom0"]["blocked_pct"] for p in loaded),
          f"{title}: Conf_0.5: Dom1 is blocked more than Dom0 under load", loaded)
    check(all(p["dom0"]["waited_pct"] > 1.5 * p["dom1"]["waited_pct"] for p in loaded),
          f"{title}: Conf_0.5: Dom0 waits well above Dom1 under load", loaded)


def beyond(study, title):
    groups = {g["name"]: {c["name"]: c["points"][-1] for c in g["configurations"]}
              for g in study["ablation"] + study["schedulers"] + study["network"]}
    paper = {name: p[-1]["throughput"] for name, p in points(study).items()}
    exact = groups["exact-charging"]["Conf_Equal"]["throughput"]
    check(abs(exact / paper["Conf_0.5"] - 1) < 0.1, f"{title}: charged exactly, Conf_Equal is as good as Conf_0.5", exact)
    check({"sedf", "credit", "credit2", "rr"} <= groups.keys(), f"{title}: other schedulers", groups.keys())
    check(groups["batch-records"]["Conf_0.5"]["records_per_s"] < 0.9 * points(study)["Conf_0.5"][-1]["records_per_s"],
          f"{title}: a record for a batch saves records")
    check(groups["batch-records"]["Conf_0.5"]["dom0"]["io_per_s"] == points(study)["Conf_0.5"][-1]["dom0"]["io_per_s"],
          f"{title}: and none of the I/O count")
    check(study["overhead"]["lost_records"] == 0 and study["overhead"]["anomalies"] == 0, f"{title}: nothing lost, no contradiction",
          study["overhead"])
    fails = [s for s in study["statements"] if not s["holds"]]
    check(len(fails) <= 5, f"{title}: no more than five statements do not hold", [s["subject"] for s in fails])


def conditions(study, title):
    shape(study, title)
    throughput(study, title)
    saturated(study, title)
    regimes(study, title)
    reasons(study, title)


def files(folder):
    names = {p.name for p in folder.iterdir()}
    check({"index.html", "Conf_0.5.dat", "fig3a.gp", "fig4.gp"} <= names, "--output: data, scripts and the page", sorted(names))
    page = (folder / "index.html").read_text(encoding="utf-8")
    check("http:" not in page and "https:" not in page, "the page names no outside address")
    check(page.count("statement") > 20 and "Conf_10" in page, "and has statements and tables")
    return names, page


def quick():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        done = run("--quick", "--format=json", "--output", folder / "out")
        check(done.returncode == 0, "--quick --format=json", done.stderr)
        study = json.loads(done.stdout)
        conditions(study, "seed 1")
        beyond(study, "seed 1")
        names, page = files(folder / "out")
        if shutil.which("gnuplot"):
            wanted = {f"fig{n}.svg" for n in ("3a", "3b", "4", "5", "6", "7a", "7b", "8", "9", "4a", "9d")} | {"ablation.svg"}
            check(wanted <= names and page.count("<svg") >= 24 and not done.stderr, "pictures, and all of them in the page",
                  done.stderr)
        else:
            check("gnuplot" in done.stderr, "without gnuplot it says so", done.stderr)


def without_gnuplot():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        done = run("--paper-only", "-r1", "-d", "100ms", "--warm-up=100ms", "-o", folder / "out", env={**os.environ, "PATH": str(folder)})
        check(done.returncode == 0 and "gnuplot is not installed" in done.stderr, "without gnuplot: a line, and no failure", done.stderr)
        names, page = files(folder / "out")
        check(not any(n.endswith(".svg") for n in names) and "no picture" in page, "the page says what is missing")


def scenarios():
    """The four configurations are those of scenarios/, for who wants to look at one of them closer."""
    for name, file in zip(NAMES, ("0.5", "equal", "2", "10")):
        text = (ROOT / "scenarios" / f"paper-conf-{file}.ini").read_text(encoding="utf-8")
        advance = [int(n) for n in re.findall(r"^mcu_advance = (\d+)", text, re.MULTILINE)]
        here = next(c for c in SHORT["configurations"] if c["name"] == name)
        check(advance == [here["dom0_mcu_advance"], here["dom1_mcu_advance"]] and "scheduler = bvt" in text and
              "hz = 2.8GHz" in text and "[costs]" not in text and "network = flip" in text, f"{name} is its scenario in the tree", advance)


def cost(*values):
    """What the costs are, as the study itself has them; None where it refuses them."""
    done = run("--paper-only", "-r1", "-d", "100ms", "--warm-up=1ms", "--format=json", *(f"--cost={v}" for v in values))
    return json.loads(done.stdout)["costs"] if done.returncode == 0 else None


def units():
    got = cost("server_request=100us", "driver_entry=1500", "round_trip=1ms", "ring=64", "driver_batch=0")
    wanted = {"server_request": 100000, "driver_entry": 1500, "round_trip": 1000000, "ring": 64, "driver_batch": 0}
    check(got and {k: got[k] for k in wanted} == wanted, "--cost takes a scenario's units, and bare ns", got)


def words(study):
    """Every sentence that the numbers choose."""
    return [s[k] for s in study["statements"] for k in ("measured", "reason") if s[k]] + study["conclusion"]


def reasons(study, title):
    fails = [s for s in study["statements"] if not s["holds"]]
    check(all(s["reason"] for s in fails), f"{title}: what does not hold has a reason", fails)
    check(not [w for w in words(study) if re.search(r"\b(nan|inf)\b", w)], f"{title}: every number is one", words(study))
    wrong = [s for s in study["statements"] if "10000 to 12000" in (s["reason"] or "") and
             (s["holds"] or not s["subject"].endswith(("Conf_2", "Conf_10")))]
    check(not wrong, f"{title}: what the paper says of two configurations is no reason for others", wrong)


def other_costs():
    """Reasons stand with costs that were not calibrated too."""
    for title, *costs in (("a cheap server", "server_request=100us"), ("a dear server", "server_request=2ms"),
                          ("dear dispatches", "driver_entry=100us", "server_entry=100us"), ("free dispatches", "driver_entry=0", "server_entry=0")):
        done = run("--paper-only", "-r1", "-d1s", "--warm-up=500ms", "--format=json", *(f"--cost={c}" for c in costs))
        check(done.returncode == 0, title, done.stderr)
        reasons(json.loads(done.stdout), title)


def nothing_answered():
    """No request comes back within the run: that is no response time, and none of 0 ms."""
    arguments = ["-r1", "-d", "100ms", "--warm-up=1ms", "--cost=round_trip=1s"]
    study = json.loads(run(*arguments, "--format=json").stdout)
    check(all(p["throughput"] == 0 and p["response_ms"] is None for c in points(study).values() for p in c),
          "nothing answered: throughput 0 and no response time", points(study))
    reasons(study, "nothing answered")
    with tempfile.TemporaryDirectory() as folder:
        done = run(*arguments, "-o", folder)
        page = (pathlib.Path(folder) / "index.html").read_text(encoding="utf-8")
        check(done.returncode == 0 and not re.search(r"\b(nan|inf)\b", done.stdout), "nothing answered: the text", done)
        check(not re.search(r"\b(nan|inf)\b", re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)), "nothing answered: the page")


def usage():
    for arguments in (["--cost=nothing=1"], ["--cost=ring"], ["--cost=ring=1"], ["--cost=ring=64us"], ["--cost=server_request="],
                      ["--cost=server_request=1parsec"], ["--cost=server_request=2s"], ["--cost=server_request=" + "1" * 300],
                      ["--repetitions=0"], ["operand"], ["--jobs=0"],
                      ["--format=csv"]):
        done = run(*arguments)
        check(done.returncode == 2 and done.stderr.count("\n") == 1, f"wrong usage: {' '.join(arguments)}", done)
    done = run("--paper-only", "-r1", "-d", "100ms", "-o", "/proc/none")
    check(done.returncode == 1 and "/proc/none" in done.stderr, "a directory that cannot be made", done.stderr)


SHORT = json.loads(run("--paper-only", "-r2", "-d", "200ms", "--warm-up=100ms", "--format=json", "--cost=server_request=1000").stdout)
check(SHORT["costs"]["server_request"] == 1000 and SHORT["costs"]["ring"] == 256, "--cost is used and told", SHORT["costs"])
again = run("--paper-only", "-r2", "-d", "200ms", "--warm-up=100ms", "--format=json", "--cost=server_request=1000", "-j1")
check(points(json.loads(again.stdout))["Conf_2"][3]["dom0"] == points(SHORT)["Conf_2"][3]["dom0"],
      "the same seed gives the same figures, with one job too")
quick()
other = run("--quick", "--paper-only", "--format=json", "--seed=4711")
check(other.returncode == 0, "another seed", other.stderr)
conditions(json.loads(other.stdout), "seed 4711")
without_gnuplot()
scenarios()
units()
other_costs()
nothing_answered()
usage()
print(f"1..{len(results)}")
sys.exit(0 if all(results) else 1)
