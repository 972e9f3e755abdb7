#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The views of pCPUs, depth and latency on a terminal: views.py XENMON XENBAKED TRACE READER_DIRECTORY

The trace is replayed to its end at once, so the region holds all of it and stays as it is: what the screen shows must
be what the region has (read by contrib's reader, which shares no code with it), and percentiles the report's.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from session import Session, Tap

XENMON, XENBAKED, TRACE, READER = (os.path.abspath(path) for path in sys.argv[1:5])
sys.path.insert(0, READER)
import xenmon_region  # noqa: E402

tap = Tap()
check = tap.check
IDLE = 32767


def duration(ns):
    """As src/view/format.h has it: four digits and a unit."""
    if ns < 1000:
        return '%d ns' % ns
    for limit, factor, unit in ((999950, 1000, 'us'), (999950000, 1000000, 'ms'), (999999 * 10**9, 10**9, 's')):
        if ns < limit:
            break
    for decimals in (3, 2, 1):
        scaled = (ns * 10**decimals + factor // 2) // factor
        if scaled < 10000:
            return '%d.%0*d %s' % (scaled // 10**decimals, decimals, scaled % 10**decimals, unit)
    return '%d %s' % ((ns + factor // 2) // factor, unit)


def percentile(region, counts, p):
    """Cycles in the middle of the bucket that holds the ceil(p * n)-th value."""
    total = sum(counts)
    rank, seen = -(-total * p // 100), 0
    for index, count in enumerate(counts):
        seen += count
        if count and seen >= rank:
            low = region.bucket_low(index)
            return low + (region.bucket_low(index + 1) - low) // 2
    return 0


class Truth:
    """What the region, and the report, say."""

    def __init__(self, path):
        self.region = xenmon_region.Region(path)
        self.hz = self.region.header()['tsc_hz']
        self.now = self.region.sample('fast', self.region.newest('fast'))
        older = self.region.find('fast', self.now['host']['window'] - self.hz)
        self.window = self.region.window(self.region.sample('fast', older), self.now)
        self.report = json.loads(subprocess.run([XENMON, 'report', '--format=json', TRACE], stdout=subprocess.PIPE,
                                                check=False).stdout)

    def ns(self, cycles):
        return cycles * 10**9 // self.hz

    def histogram(self, domain_slot, kind):
        total = None
        for vcpu in self.now['vcpu']:
            if self.now['vcpu_domain'][vcpu['slot']] == domain_slot:
                counts = self.region.histogram(vcpu['slot'])[kind]
                total = [a + b for a, b in zip(total, counts)] if total else list(counts)
        return total


def name_of(domain):
    return 'Domain-0' if domain['id'] & 0xffff == 0 else 'dom %d' % (domain['id'] & 0xffff)


def test_latency(session, truth):
    session.send('5')
    check(session.wait('wait p50'), 'the view of latency', session)
    check('lengths since the start' in session.text(), 'it says since when', session)
    for domain in truth.now['domain']:
        line = session.line(name_of(domain) + ' ')
        found = re.findall(r'\d[\d.]* (?:ns|us|ms|s)\b', line)[:3]
        counts = truth.histogram(domain['slot'], 'wait')
        want = [duration(truth.ns(percentile(truth.region, counts, p))) for p in (50, 95, 99)]
        check(found == want, 'percentiles of %s are those of the region: %s' % (name_of(domain), want), session, found)
        check(re.search(r' %d( |$)' % sum(counts), line), 'and so is the number of its waits', session, line)


def test_report(session, truth):
    """A domain of one vCPU has the report's percentiles, but where the longest wait is: only the report knows it."""
    compared = 0
    for domain in truth.report['domains']:
        if len(domain['vcpus']) != 1 or domain['domid'] == IDLE:
            continue
        vcpu = domain['vcpus'][0]
        line = session.line('dom %d ' % domain['domid'])
        found = re.findall(r'\d[\d.]* (?:ns|us|ms|s)\b', line)[:3]
        for place, name in enumerate(('wait_p50_ns', 'wait_p95_ns', 'wait_p99_ns')):
            want = vcpu[name]
            if want < vcpu['wait_max_ns']:
                check(found[place:place + 1] == [duration(want)], '%s of dom %d is the report\'s: %s' %
                      (name, domain['domid'], duration(want)), session, found)
                compared += 1
    check(compared > 0, 'something was compared with the report')


def test_pcpus(session, truth):
    session.send('3')
    check(session.wait('on it now'), 'the view of pCPUs', session)
    for pcpu in truth.window['pcpu']:
        number = pcpu['id'] & 0xffff
        line = session.line(' CPU %d ' % number) or session.line('>CPU %d ' % number)
        whole = pcpu['busy'] + pcpu['idle'] + pcpu['switching'] + pcpu['unknown']
        waiting = sum(v['state'] == 1 and v['pcpu'] == number + 1 for v in truth.now['vcpu'])
        want = '%.1f %5d ' % (100 * pcpu['busy'] / whole, waiting)
        check(want in line, 'CPU %d is busy, and has a queue, as in the region: %s' % (number, want), session, line)
        current = next(p for p in truth.now['pcpu'] if p['slot'] == pcpu['slot'])['current']
        who = 'unknown' if not current else 'idle' if current & 0xffff == IDLE else 'v%d' % (current >> 16 & 0xffff)
        check(re.search(r' %d +(\S+ )*%s ' % (waiting, who), line), 'and who is on it: %s' % who, session, line)


def test_depth(session, truth):
    domain = min(truth.now['domain'], key=lambda d: d['id'] & 0xffff)
    session.send('4')
    check(session.wait('Lengths'), 'the view of one domain', session)
    for name, kind in (('waits', 'wait'), ('runs', 'execution'), ('blocked', 'blocked')):
        counts = truth.histogram(domain['slot'], kind)
        want = ' '.join('%8s' % duration(truth.ns(percentile(truth.region, counts, p))) for p in (50, 95, 99))
        line = session.line(' ' + name + ' ' + ' ' * (7 - len(name)) + want)
        check(re.search(r' %d( |$)' % sum(counts), line), 'lengths of %s are those of the region: %s' %
              (name, want), session, line)
    row = next(d for d in truth.window['domain'] if d['slot'] == domain['slot'])
    span = sum(row[state] for state in ('running', 'runnable', 'blocked', 'offline', 'unknown'))
    want = 'running %.1f%%' % (100 * row['running'] / span)
    check(want in session.text(), want, session)
    its = {pcpu for (d, pcpu), pair in truth.window['pair'].items() if d == domain['slot'] and pair['running']}
    cycles = truth.window['host']['window'] * len(its)
    for other in truth.window['domain']:
        had = sum(truth.window['pair'][other['slot'], pcpu]['running'] for pcpu in its)
        who = 'itself' if other['slot'] == domain['slot'] else name_of(other)
        want = '%s %.1f%%' % (who, 100 * had / cycles)
        check(not had or want in session.text(), 'who is on its pCPUs: %s' % want, session)
    ids = len(truth.now['domain'])
    session.send(b'\x1b[C')
    check(session.wait('< 2 of %d >' % ids), 'Right: the next domain', session)
    session.send(b'\x1b[D')
    check(session.wait('< 1 of %d >' % ids), 'Left: the one before', session)
    session.send('D')
    check(session.wait('since watched'), 'D: from now on', session)
    check(session.wait(lambda s: re.search(r' waits +- +- +- +- +0\b', s.text())), 'and nothing has happened since',
          session)
    session.send('D')
    check(session.wait('since the start'), 'D: since the start again', session)


def test_sizes(path):
    for columns, lines in ((40, 10), (20, 5), (300, 100)):
        session = Session([XENMON, 'live', '--region', path], columns=columns, lines=lines)
        session.wait(lambda s: s.line('xenmon'))
        for key, what in (('3', r'CPU 0'), ('4', r'Domain-0|Depth'), ('5', r'Domain-0|dom \d')):
            session.send(key)
            check(session.wait(lambda s, what=what: re.search(what, s.text())), 'view %s at %dx%d' %
                  (key, columns, lines), session)
        session.close()


def test_ascii(path):
    session = Session([XENMON, 'live', '--region', path], columns=120, lines=40, env={'LC_ALL': 'C', 'LANG': 'C'})
    session.wait(lambda s: s.line('xenmon'))
    for key in '345':
        session.send(key)
        session.pump(1)
    check(max(session.raw) < 128, 'plain ASCII where the locale has no more', session)
    session.send('4')
    check(session.wait(lambda s: re.search(r'# running \d.*w waiting \d.*\. blocked \d', s.text())),
          'states are letters there, and the legend says which', session)
    session.close()


def main():
    with tempfile.TemporaryDirectory(prefix='xenmon-views-') as directory:
        path = os.path.join(directory, 'shm')
        baked = subprocess.Popen([XENBAKED, '--foreground', '--speed=max', '--log-level', 'error', '--region', path,
                                  TRACE], stdin=subprocess.DEVNULL)
        session = None
        try:
            session = Session([XENMON, 'live', '--region', path], columns=160, lines=50)
            check(session.wait('the source has ended', 60), 'the trace has been replayed', session)
            time.sleep(0.2)
            truth = Truth(path)
            test_latency(session, truth)
            test_report(session, truth)
            test_pcpus(session, truth)
            test_depth(session, truth)
            test_sizes(path)
            test_ascii(path)
        finally:
            if session:
                session.close()
            baked.terminate()
            baked.wait()
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
