#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tables of domains and vCPUs on a terminal: tables.py XENMON XENBAKED TRACE READER_DIRECTORY HOSTS

As views.py: the trace is replayed to its end, and every number of a line must be the one that the region has for the
window on show, in each of the units.  HOSTS keeps the region of a made-up host, of a thousand domains here.
"""
import os
import re
import subprocess
import sys
import tempfile
import time

from session import Session
from views import TRACE, XENBAKED, XENMON, Truth, check, name_of, tap

STATES = ('running', 'runnable', 'blocked')
HOSTS = os.path.abspath(sys.argv[5])
WORDS = ('running', 'waiting', 'blocked', 'offline', 'unknown')


def window(truth, seconds):
    region = truth.region
    if truth.now['host']['window'] < seconds * truth.hz:
        return truth.now  # the trace is shorter: all of it
    older = region.find('fast', truth.now['host']['window'] - seconds * truth.hz)
    return region.window(region.sample('fast', older), truth.now)


def share(part, whole, factor=100):
    value = factor * part / whole
    return '<0.1' if part and value < 0.05 else '%.*f' % (1 if value < 999.95 else 0, value)


def rate(count, seconds):
    value = count / seconds
    return '%.*f' % (1 if value < 99.95 else 0, value)


def numbers(line, name):
    """What stands behind the name: words and bars left out."""
    rest = line[line.index(name) + len(name):]
    return [word for word in rest.split() if re.fullmatch(r'<?\d+(\.\d+)?', word)]


def line_of(session, name, depth=0):
    wanted = r'^[> ]..%s(?= )' % re.escape(name) if not depth else r'^[> ] {4}%s(?= )' % re.escape(name)
    return next((line for line in session.text().splitlines() if re.match(wanted, line)), '')


def test_domains(session, truth, seconds, units):
    rows = window(truth, seconds)
    whole = rows['host']['window']
    for row in rows['domain']:
        name = name_of(row)
        line = line_of(session, name)
        vcpus = next(d for d in truth.now['domain'] if d['slot'] == row['slot'])['vcpus']
        of = whole * vcpus if units == 'of vcpus' else whole
        factor = 1000 if units == 'ms' else 100
        want = [share(row[state], of, factor) for state in STATES]
        want.append(share(row['wait_any'], whole, factor))
        want.append(rate(row['executions'], whole / truth.hz))
        found = numbers(line, name)[:5] if line else []
        check(found == want, '%d s, %s: %s has %s' % (seconds, units, name, ' '.join(want)), session, found)


def test_vcpus(session, truth, seconds):
    rows = window(truth, seconds)
    whole = rows['host']['window']
    for row in rows['vcpu']:
        domain = next(d for d in truth.now['domain'] if d['slot'] == truth.now['vcpu_domain'][row['slot']])
        name = '%s v%d' % (name_of(domain), row['id'] >> 16 & 0xffff)
        line = next((text for text in session.text().splitlines() if re.match(r'^[> ]%s ' % name, text)), '')
        now = next(v for v in truth.now['vcpu'] if v['slot'] == row['slot'])
        want = ['%d' % (now['pcpu'] - 1)] + [share(row[state], whole) for state in STATES]
        want.append(rate(row['executions'], whole / truth.hz))
        found = numbers(line, name)[:5] if line else []
        check(found == want, '%d s: %s has %s' % (seconds, name, ' '.join(want)), session, found)
        state = min(now['state'] & 7, 4)
        check(WORDS[state] in line, '%s is %s' % (name, WORDS[state]), session)


def test_expanded(session, truth):
    session.send('1v')
    check(session.wait(lambda s: re.search(r'^[> ] {4}v0 ', s.text(), re.M)), 'v: expanded', session)
    text = session.text()
    for domain in truth.now['domain']:
        its = sum(truth.now['vcpu_domain'][v['slot']] == domain['slot'] for v in truth.now['vcpu'])
        block = re.search(r'^[> ]..%s .*\n((?:[> ] {4}v\d+ .*\n)*)' % name_of(domain), text, re.M)
        check(block and block.group(1).count('\n') == its, '%s shows its %d vCPUs' % (name_of(domain), its), session)
    session.send('v')
    session.wait(lambda s: not re.search(r'^[> ] {4}v0 ', s.text(), re.M))


def test_host(session, truth):
    rows = window(truth, 1)
    busy = sum(p['busy'] for p in rows['pcpu'])
    time_of_all = rows['host']['window'] * len(rows['pcpu'])
    want = '%.1f%% busy of %d pCPUs' % (100 * busy / time_of_all, len(rows['pcpu']))
    check(want in session.line('Host '), 'the host: %s' % want, session)
    want = '%.2f vCPUs waiting' % (sum(d['runnable'] for d in rows['domain']) / rows['host']['window'])
    check(want in session.line('Host '), 'the host: %s' % want, session)


def cpu_seconds(pid):
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def test_thousand(directory):
    """A thousand domains of four vCPUs: all there, and keys are answered at once."""
    path = os.path.join(directory, 'many')
    host = subprocess.Popen([HOSTS, path, '1000', '4', '16', '120'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    session = Session([XENMON, 'live', '--region', path], columns=120, lines=40)
    try:
        check(session.wait(' of 1000', 60), 'a thousand domains', session)
        session.send('zv')
        check(session.wait(' of 5000', 10), 'and their vCPUs: five thousand lines', session)
        session.send('G')
        check(session.wait('-5000 of 5000', 10), 'G: the last', session)
        session.send('gN')
        check(session.wait(lambda s: re.search(r'^>.*Domain-0', s.text(), re.M), 10), 'by name: Domain-0 first', session)
        session.pump(0.5)
        before = cpu_seconds(session.pid)
        for _ in range(200):
            session.send('j')
            session.pump(0.01)
        at = lambda s: re.search(r' (\d+)-\d+ of 5000', s.text())
        check(session.wait(lambda s: at(s) and int(at(s).group(1)) > 150, 20), 'two hundred lines down', session)
        took = cpu_seconds(session.pid) - before
        print('# 200 keys at 5000 lines took %.0f ms of CPU each' % (took * 1000 / 200))
        check(took < 20, 'none of them took a tenth of a second', session, took)
        session.send('/guest-777')
        check(session.wait(lambda s: re.search(r'^>.*guest-777 ', s.text(), re.M), 10), 'found as it is typed', session)
        session.send('\r\\guest-99')
        check(session.wait(lambda s: 'guest-998' in s.text() and 'guest-100' not in s.text(), 10), 'filtered', session)
        session.send('\x1bq')
        session.pump(1)
        session.send('q')
        check(session.wait_end() == 0, 'q', session)
    finally:
        host.kill()
        host.wait()
        session.close()


def main():
    with tempfile.TemporaryDirectory(prefix='xenmon-tables-') as directory:
        path = os.path.join(directory, 'shm')
        baked = subprocess.Popen([XENBAKED, '--foreground', '--speed=max', '--log-level', 'error', '--region', path,
                                  TRACE], stdin=subprocess.DEVNULL)
        session = None
        try:
            session = Session([XENMON, 'live', '--region', path], columns=110, lines=50)
            check(session.wait('the source has ended', 60), 'the trace has been replayed', session)
            time.sleep(0.2)
            truth = Truth(path)
            test_host(session, truth)
            # The last second; all of the trace, as it has no ten; and a window of one's own.
            for seconds, keys, words in ((1, '', r'  1(\.0\d)? s window'), (10, 'w', r'  4\.\d\d s window'),
                                         (3, 'M3s\r', r'  3(\.0)? s window')):
                session.send(keys)
                check(session.wait(lambda s, words=words: re.search(words, s.text())), 'a window of %d s' % seconds,
                      session)
                for units, base in (('of vcpus', "% of the vCPUs' time"), ('of one', "% of one CPU's time"),
                                     ('ms', 'ms of each second')):
                    session.wait(base)
                    test_domains(session, truth, seconds, units)
                    session.send('u')
                session.send('2')
                session.wait('[2 vCPUs]')
                test_vcpus(session, truth, seconds)
                session.send('1')
                session.wait('[1 Domains]')
            test_expanded(session, truth)
            test_thousand(directory)
        finally:
            baked.terminate()
            baked.wait()
            if session:
                session.close()
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
