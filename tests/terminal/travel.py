#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Time travel on a terminal: travel.py XENMON XENBAKED TRACE REGION_MODULE

Freeze, steps, jumps, playing, over the history of a region and in a trace that is replayed; and that the numbers shown at
a position are those of the region's own samples there, and at the end those of xenmon report.
"""
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from session import Session, Tap

XENMON, XENBAKED, TRACE, MODULE = (os.path.abspath(path) for path in sys.argv[1:5])
spec = importlib.util.spec_from_file_location('xenmon_region', MODULE)
reader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reader)
tap = Tap()
check = tap.check
WIDE = {'columns': 150, 'lines': 40}
VIEW = ('--no-config', '--view', 'domains', '--units', 'cpu')


def at(session):
    """The trace's time in the title, in tenths of a second; -1: none."""
    found = re.search(r'xenmon . (\d\d):(\d\d):(\d\d)\.(\d)', session.text())
    if not found:
        return -1
    hours, minutes, seconds, tenths = map(int, found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 10 + tenths


def shares(session):
    """Running, waiting and blocked of each line of the table, by the line's name."""
    lines = {}
    header = session.line('run%')
    for line in session.screen.display:
        found = re.match(r'[> ](?:[▸▾+-] )?(\S+(?: \S+)*?) {2,}.*?([\d.]+|<0\.1) +([\d.]+|<0\.1) +([\d.]+|<0\.1)', line)
        if header and found:
            lines[found.group(1)] = tuple(0.05 if x == '<0.1' else float(x) for x in found.groups()[1:])
    return lines


def expected(region, cycles, window_ns):
    """The same from the samples of the region, by the rules of a window: % of one CPU's time."""
    newest = region.newest('fast')
    hz = region.header()['tsc_hz']
    samples = {}
    for index in range(newest, -1, -1):
        try:
            sample = region.sample('fast', index)
        except reader.RegionError:
            break
        samples[index] = sample
        if sample['host']['window'] + 3 * hz * window_ns // 10**9 < cycles:
            break
    end = max((s for s in samples.values() if s['host']['window'] <= cycles), key=lambda s: s['host']['window'])
    begin_at = end['host']['window'] - hz * window_ns // 10**9
    begin = min(samples.values(), key=lambda s: abs(s['host']['window'] - begin_at))
    length = end['host']['window'] - begin['host']['window']
    before = {row['id']: row for row in begin['domain']}
    result = {}
    for row in end['domain']:
        then = before.get(row['id'])
        if row['id'] and then:
            result[row['id'] & 0xffff] = tuple(100 * (row[m] - then[m]) / length
                                               for m in ('running', 'runnable', 'blocked'))
    return result


def agree(session, wanted):
    """Whether every line's numbers are the region's, to the digit shown; what is not."""
    wrong = []
    lines = shares(session)
    for domid, numbers in wanted.items():
        name = next((n for n in lines if re.search(r'\bdom %d\b' % domid, n)), None)
        if name is None:
            if max(numbers[:2]) > 0:
                wrong.append('no line for dom %d' % domid)
            continue
        for shown, real in zip(lines[name], numbers):
            if abs(shown - real) > (0.06 if shown < 100 else 0.6):
                wrong.append('%s: %s, should be %s' % (name, lines[name], numbers))
    return wrong


class Baked:
    """A xenbaked that replays the trace over and over into a region of its own."""

    def __init__(self, directory):
        self.region = os.path.join(directory, 'shm')
        self.process = None

    def start(self, *options):
        self.process = subprocess.Popen(
            [XENBAKED, '--no-config', '--foreground', '--log-level', 'error', '--region', self.region, *options, TRACE],
            stdin=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not os.path.exists(self.region) and time.monotonic() < end:
            time.sleep(0.05)
        return self

    def stop(self, number=signal.SIGTERM):
        if self.process:
            self.process.send_signal(number)
            self.process.wait()
        self.process = None


def key(session, keys, condition, name, seconds=5):
    session.send(keys)
    return check(session.wait(condition, seconds), name, session)


def test_live_region(directory):
    """The history of a xenbaked that goes on."""
    baked = Baked(directory).start('--repeat', 'forever')
    s = Session([XENMON, 'live', '--region', baked.region, *VIEW], **WIDE)
    check(s.wait(lambda s: at(s) >= 30), 'three seconds have passed', s)
    key(s, 'z', 'FROZEN', 'z: frozen')
    frozen = at(s)
    before = shares(s)
    s.pump(2.5)
    check(at(s) == frozen and shares(s) == before and before, 'nothing moves', s)
    key(s, 's', 'Sort by', 'a frozen screen still hears keys')
    key(s, '\x1b', lambda s: 'Sort by' not in s.text(), 'Esc closes that')
    for step in range(1, 4):
        key(s, '[', lambda s, step=step: at(s) == frozen - step, '[: %d back' % step)
    key(s, ']', lambda s: at(s) == frozen - 2, ']: on again')
    check('FROZEN -' in s.text(), 'it says how far back it is', s)
    key(s, '{', lambda s: at(s) <= 1, '{: a minute back, or as far as there is')
    check('oldest' in s.text(), 'and says which', s)
    key(s, '}', lambda s: at(s) >= frozen, '}: a minute on')
    key(s, 't-1s\r', lambda s: at(s) >= frozen - 10, 't -1s: a second back')
    key(s, 'L', lambda s: 'FROZEN' not in s.text() and at(s) > frozen + 20, 'L: live again')
    live = at(s)
    check(s.wait(lambda s: at(s) > live), 'and it goes on', s)
    s.send('[' * 20)
    check(s.wait(lambda s: 'FROZEN' in s.text() and at(s) <= live), 'twenty steps at once', s)
    back = at(s)
    key(s, 'y', lambda s: 'PLAYING' in s.text(), 'y: plays')
    check(s.wait(lambda s: at(s) > back + 5, 6), 'on from there', s)
    key(s, ')', 'x2', '): twice as fast')
    check(s.wait(lambda s: 'PLAYING' not in s.text() and 'FROZEN' not in s.text(), 20), 'until it is live again', s)
    s.send('[')
    s.wait('FROZEN')
    baked.stop(signal.SIGKILL)
    check(s.wait('is gone', 10), 'xenbaked is killed', s)
    dead = at(s)
    key(s, '[', lambda s: at(s) == dead - 1, 'one can still look about')
    baked.start('--repeat', 'forever')
    check(s.wait(lambda s: 'FROZEN' not in s.text() and 0 <= at(s) < dead, 15), 'another one has a time of its own', s)
    s.send('q')
    check(s.wait_end() == 0, 'q', s)
    s.close()
    baked.stop()


def test_numbers(directory):
    """A region that has ended: its samples do not change under us."""
    baked = Baked(directory).start('--speed=max', '--history', '60s')
    region = reader.Region(baked.region)
    end = time.monotonic() + 30
    while region.header()['state'] != reader.ENDED and time.monotonic() < end:
        time.sleep(0.1)
    hz = region.header()['tsc_hz']
    s = Session([XENMON, 'live', '--region', baked.region, *VIEW], **WIDE)
    check(s.wait(lambda s: shares(s)), 'a region that has ended', s)
    last = region.sample('fast', region.newest('fast'))['host']['window']
    wrong = agree(s, expected(region, last, 10**9))
    check(not wrong, 'its last second', s, wrong)
    for keys, back in (('[', 1), ('[', 2), ('[' * 5, 7), ('t-5s\r', 57)):
        s.send(keys)
        wanted_index = region.newest('fast') - back
        window = region.sample('fast', wanted_index)['host']['window']
        check(s.wait(lambda s: abs(at(s) - int(window * 10 / hz)) <= 1), '%d samples back' % back, s)
        s.pump(0.2)
        wrong = agree(s, expected(region, window, 10**9))
        check(not wrong, 'the numbers of that second', s, wrong)
    s.send('w')
    check(s.wait('10 s window'), 'w: the next window', s)
    wrong = agree(s, expected(region, window, 10 * 10**9))
    check(not wrong, 'the numbers of ten seconds', s, wrong)
    s.close()
    region.close()
    baked.stop()


def report():
    r = subprocess.run([XENMON, 'report', '--format=json', TRACE], stdout=subprocess.PIPE, timeout=60)
    return json.loads(r.stdout)


def test_replay():
    whole = report()
    duration = whole['trace']['duration_ns']
    s = Session([XENMON, 'replay', *VIEW, '--paused', TRACE], **WIDE)
    check(s.wait('FROZEN'), 'replay --paused', s)
    check(s.wait('of trace, a sample every'), 'it says how it was baked', s)
    check(at(s) <= 1, 'at the beginning', s)
    s.pump(1.5)
    check(at(s) <= 1, 'and stays there', s)
    key(s, 'y', 'PLAYING', 'y: plays')
    check(s.wait(lambda s: at(s) >= 15, 10), 'as time went', s)
    key(s, 'z', 'FROZEN', 'z: pauses')
    paused = at(s)
    s.pump(1.5)
    check(at(s) == paused, 'and stays', s)
    key(s, 'z', 'PLAYING', 'z: plays on')
    check(s.wait(lambda s: at(s) > paused), 'from there', s)
    for speed in (2, 4, 8, 16):
        key(s, ')', 'x%d' % speed, '): %d times as fast' % speed)
    check(s.wait('this is the end', 30), 'to the end', s)
    check('FROZEN' in s.text() and at(s) == duration // 10**8, 'where it stays', s)
    key(s, 't+1h\r', 'this is the end', 'there is nothing after it')
    key(s, 't0:20\r', lambda s: abs(at(s) - 200) <= 1, 't: a place since the beginning')
    key(s, 'L', lambda s: 'this is the end' in s.text() and at(s) == duration // 10**8, 'L: to the end')
    key(s, 'y', lambda s: 'PLAYING' in s.text() and at(s) < duration // 10**8, 'y: from the beginning again')
    key(s, 'L', lambda s: 'FROZEN' in s.text() and at(s) == duration // 10**8, 'L: to the end, and stays')
    # The whole trace in one window is what the report says.
    s.send('M')
    s.pump(0.3)
    s.send('1h\r')
    s.pump(1.5)
    lines = shares(s)
    wrong = []
    for domain in whole['domains']:
        name = next((n for n in lines if re.search(r'\bdom %d\b' % domain['domid'], n)), None)
        total = [sum(v[m] for v in domain['vcpus']) for m in ('running_ns', 'runnable_ns', 'blocked_ns')]
        late = sum(v['unknown_ns'] for v in domain['vcpus'])
        if name is None:
            continue  # it has ended too long ago to be on the screen
        for shown, ns in zip(lines[name], total):
            # What became known later is a part of unknown in the region.
            if not ns * 100 / duration - 100 * late / duration - 2 < shown < ns * 100 / duration + 0.6:
                wrong.append('%s: %s, report %s of %d' % (name, lines[name], total, duration))
    check(lines and not wrong, 'all of it is what xenmon report says', s, wrong)
    s.send('q')
    check(s.wait_end() == 0, 'q', s)
    s.close()


def test_replay_options():
    s = Session([XENMON, 'replay', *VIEW, '--start', '3s', '--speed', '0.5', TRACE], **WIDE)
    check(s.wait('PLAYING x0.5'), '--speed', s)
    start = at(s)
    check(29 <= start <= 35, '--start', s)
    s.pump(4)
    check(start + 10 <= at(s) <= start + 30, 'half as fast', s)
    key(s, '{', lambda s: at(s) <= 1, '{: back to the beginning')
    s.send('q')
    s.wait_end()
    s.close()
    s = Session([XENMON, TRACE], **WIDE)
    check(s.wait('PLAYING'), 'a FILE alone is replayed', s)
    s.send('q')
    check(s.wait_end() == 0, 'q', s)
    s.close()
    for argv in (['replay'], ['replay', '/nonexistent'], ['live', '--speed', '2'], ['replay', '--speed', '0', TRACE],
                 ['replay', '--speed', 'nan', TRACE], ['replay', '--start', 'x', TRACE], ['replay', __file__]):
        r = subprocess.run([XENMON, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, timeout=60)
        check(r.returncode in (1, 2) and r.stderr.count('\n') == 1 and r.stdout == '', 'one line: ' + ' '.join(argv[:3]),
              detail=r)
    r = subprocess.run([XENMON, 'replay', '--no-config', '--view', 'paper', '--frames', '2', '--start', '2s', '--interval',
                        '200ms', TRACE], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60)
    times = re.findall(r'xenmon . 00:00:0(\d\.\d)', r.stdout)
    check(r.returncode == 0 and len(times) == 2 and 1.9 <= float(times[0]) < float(times[1]) <= 2.6, 'frames of text',
          detail=r)
    with open(TRACE, 'rb') as f:
        data = f.read()
    plain = subprocess.run(['zstd', '-dc', TRACE], stdout=subprocess.PIPE).stdout if TRACE.endswith('.zst') else data
    with tempfile.TemporaryDirectory() as directory:
        fifo = os.path.join(directory, 'fifo')
        os.mkfifo(fifo)
        process = subprocess.Popen([XENMON, 'replay', '--no-config', '--once', fifo], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True)
        with open(fifo, 'wb') as f:
            try:
                f.write(plain)
            except BrokenPipeError:
                pass
        output = process.communicate(timeout=60)[0]
        check(process.returncode == 0 and 'xenmon' in output, 'a pipe is shown as it comes', detail=output)


def main():
    directory = tempfile.mkdtemp(prefix='xm-travel-')
    try:
        test_live_region(directory)
        test_numbers(directory)
        test_replay()
        test_replay_options()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
