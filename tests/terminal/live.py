#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The live screen on a terminal: live.py XENMON XENBAKED TRACE

Every key, sizes down to tiny, no colours, xenbaked killed and come again, and a terminal that is left as it was found.
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from session import Session, Tap

XENMON, XENBAKED, TRACE = (os.path.abspath(path) for path in sys.argv[1:4])
tap = Tap()
check = tap.check

LEAVE_ALTERNATE = b'\x1b[?1049l'
COLOUR = re.compile(rb'\x1b\[[0-9;]*3[0-7][;m]')


class Baked:
    """A xenbaked that replays the trace over and over into a region of its own."""

    def __init__(self, directory):
        self.region = os.path.join(directory, 'shm')
        self.process = None

    def start(self, *options):
        self.process = subprocess.Popen(
            [XENBAKED, '--foreground', '--repeat', 'forever', '--log-level', 'error', '--region', self.region, *options,
             TRACE], stdin=subprocess.DEVNULL)
        return self

    def stop(self, number=signal.SIGTERM):
        if self.process:
            self.process.send_signal(number)
            self.process.wait()
        self.process = None


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def live(baked, *options, **how):
    return Session([XENMON, 'live', '--region', baked.region, *options], **how)


def title_time(session):
    found = re.search(r'xenmon . (\d\d:\d\d:\d\d\.\d)', session.text())
    return found.group(1) if found else ''


def paper(baked, *options, **how):
    return live(baked, '--view=paper', *options, **how)


def test_first_screen(baked):
    s = live(baked)
    check(s.wait('Domain-0'), 'the domains come up', s)
    check('[1 Domains]' in s.text(), 'the view on show is marked in the bar', s)
    check(s.wait('Domains on all CPUs (2)  1 s window'), 'it says what it shows', s)
    for name in ('Host ', 'Trace ', 'domain ', 'run%', 'wait%', 'block%', 'exec/s', 'All ', 'q quit'):
        check(bool(s.line(name)), 'there is %s' % name, s)
    check(s.wait(lambda s: re.search(r'Host \[.*\] \d+\.\d% busy of 2 pCPUs', s.text())), 'the host is summed up', s)
    check(all(len(line.rstrip()) <= 80 for line in s.screen.display), 'no line is too long', s)
    before = title_time(s)
    beat = s.text()[7]
    check(s.wait(lambda s: title_time(s) > before), 'time goes on', s)
    check(s.wait(lambda s: s.text()[7] != beat), 'the heart beats', s)
    s.close()
    s = paper(baked)
    check(s.wait('Domain-0 (dom 0)'), 'the paper\'s screen comes up', s)
    check('Paper on all CPUs (2)' in s.text(), 'it says what it shows', s)
    for row in ('Gotten', 'Allocated', 'Waited', 'Blocked', 'per I/O', 'Executions', 'I/O count', 'All '):
        check(bool(s.line(row)), 'row %s' % row, s)
    check(s.wait(lambda s: re.search(r'Gotten .* ms +\d+\.\d%', s.text())), 'gotten has a time and a percentage', s)
    s.close()


class Keys:
    """Presses keys, and checks what comes of it."""

    def __init__(self, session):
        self.session = session

    def __call__(self, keys, condition, name):
        self.session.send(keys)
        check(self.session.wait(condition), name, self.session)


def gone(what):
    return lambda s: what not in s.text()


def first_of(s):
    found = re.search(r' (\d+)-\d+ of \d+', s.text())
    return int(found.group(1)) if found else 0


def cursor(s):
    """The name on the line that the cursor is on."""
    found = re.search(r'^>(?:[^\w\n]*)(\S+)', s.text(), re.M)
    return found.group(1) if found else ''


def lines_of(s):
    """Names of the domains in the order of their lines."""
    return re.findall(r'^[> ][^\w\n]{2}(Domain-0|dom \d+)', s.text(), re.M)


def test_paper_keys(baked):
    s = paper(baked)
    s.wait('Domain-0 (dom 0)')
    key = Keys(s)
    key('c', 'Paper on CPU 0', 'c: the first CPU')
    check('Blocked*' in s.text(), 'what is the domain\'s own is marked', s)
    key('n', 'Paper on CPU 1', 'n: the next CPU')
    key('p', 'Paper on CPU 0', 'p: the previous one')
    key('cc', 'Paper on all CPUs', 'c: all again after the last')
    key('p', 'Paper on CPU 1', 'p: the last from all')
    key('n', 'Paper on all CPUs', 'n: all again')
    for letter, row in (('a', 'Allocated'), ('w', 'Waited'), ('b', 'Blocked'), ('x', 'Executions'), ('i', 'I/O count'),
                        ('o', 'I/O count')):
        key(letter, gone(row), '%s: hides %s' % (letter, row))
        key(letter, row, '%s: shows %s' % (letter, row))
    key('u', "% of one CPU's time", 'u: of one CPU')
    key('uu', "% of the vCPUs' time", 'u: of the vCPUs')
    key(' ', lambda s: first_of(s) > 1, 'space: a page on')
    key(b'\x1b[1~', lambda s: first_of(s) == 1, 'Home')
    for name, keys in (('r', 'r'), ('Ctrl-L', b'\x0c')):
        s.pump(0.2)
        s.screen.reset()
        check('Domain-0' not in s.text(), 'something has spoilt the screen', s)
        key(keys, 'Domain-0 (dom 0)', '%s: draws it again' % name)
    s.close()


def test_views(baked):
    s = live(baked)
    s.wait('Domain-0')
    key = Keys(s)
    names = ('Domains', 'vCPUs', 'pCPUs', 'Depth', 'Latency', 'Paper')
    for number, name in enumerate(names, 1):
        key(str(number), '[%d %s]' % (number, name), '%d: %s' % (number, name))
    key('\t', '[1 Domains]', 'Tab: round to the first')
    key('\t', '[2 vCPUs]', 'Tab: the next')
    key(b'\x1b\t', '[1 Domains]', 'Shift-Tab: the one before')
    for name, keys in (('?', '?'), ('h', 'h'), ('F1', b'\x1b[[A')):
        key(keys, '[? Help]', '%s: help' % name)
        key('?', '[1 Domains]', '?: out of the help')
    key('h', 'Help: keys', 'help, which is long')
    key('\x1b', '[1 Domains]', 'Esc: out of the help')
    key('?', 'Help: keys', 'help once more')
    key('j', lambda s: first_of(s) == 2, 'j: down a line')
    key(b'\x1b[B', lambda s: first_of(s) == 3, 'down')
    key('k', lambda s: first_of(s) == 2, 'k: up')
    key(b'\x1b[A', lambda s: first_of(s) == 1, 'up')
    key(b'\x1b[6~', lambda s: first_of(s) > 10, 'PgDn')
    key(b'\x1b[5~', lambda s: first_of(s) == 1, 'PgUp')
    key(b'\x1b[4~', 'the figures are old', 'End')
    key(b'\x1b[1~', lambda s: first_of(s) == 1, 'Home')
    key('1', '[1 Domains]', 'out of the help by 1')
    key('\r', '[4 Depth]', 'Enter: into the domain')
    key(b'\x7f', '[1 Domains]', 'Backspace: back')
    key('3', '[3 pCPUs]', 'pCPUs')
    key('\r', 'vCPUs on CPU 0', 'Enter: the vCPUs of a pCPU')
    key('\r', '[4 Depth]', 'Enter: the domain of a vCPU')
    key('\x1b', 'vCPUs on CPU 0', 'Esc: back')
    key('\x1b', '[3 pCPUs]', 'Esc: back to where it began')
    key('Z!', '[3 pCPUs]', 'keys that mean nothing do nothing')
    s.send('q')
    check(s.wait_end() == 0, 'q: quits', s)
    s.close()


def test_tables(baked):
    s = live(baked, columns=160)
    s.wait('Domain-0')
    key = Keys(s)
    key('z', 'FROZEN', 'z: frozen')
    still = title_time(s)
    key('N', 'by domain', 'N: by name')
    check(lines_of(s) == sorted(lines_of(s)), 'they are in order', s)
    key('S', lambda s: len(lines_of(s)) > 1 and lines_of(s) == sorted(lines_of(s), reverse=True), 'S: the other way round')
    key('P', 'by run%', 'P: by running')
    key('W', 'by wait%', 'W: by waiting')
    key('B', 'by block%', 'B: by blocked')
    key('r', 'by block% upwards', 'r: reversed')
    key('I', gone('upwards'), 'I: back')
    key('<', 'by wait%', '<: the column before')
    key('>', 'by block%', '>: the column after')
    key(b'\x1b[C', 'by any%', 'right')
    key(b'\x1b[D', 'by block%', 'left')
    key('s', 'Sort by', 's: the menu')
    key('\x1b', gone('Sort by'), 'Esc closes it')
    key('s', 'Sort by', 's: once more')
    key('j\r', 'by any%', 'Enter: by that one')
    key('f', '[x] run%', 'f: the columns')
    key(' \r', lambda s: 'state ' not in s.line('domain '), 'space: one is gone')
    key('f', lambda s: 'Columns (' in s.text() and '[x] state ' not in s.text(), 'f: and not chosen')
    key('r\r', lambda s: 'state ' in s.line('domain '), 'r: as it was')
    key('N', 'by domain', 'by name again')
    key('g', lambda s: cursor(s) == 'Domain-0', 'g: the first line')
    key('j', lambda s: cursor(s) not in ('Domain-0', ''), 'j: the next')
    key('k', lambda s: cursor(s) == 'Domain-0', 'k: back')
    key('G', lambda s: cursor(s) not in ('Domain-0', ''), 'G: the last')
    key('g ', 'v0', 'space: its vCPUs')
    key('e', gone('v0'), 'e: and not')
    key('v', lambda s: s.text().count('v0') > 1, 'v: those of all')
    key('v', gone('v0'), 'v: of none')
    key('/omai', lambda s: cursor(s) == 'Domain-0' and 'Search: omai' in s.text(), '/: found while it is typed')
    key('\r', gone('Search:'), 'Enter')
    key('\\omai', lambda s: 'Filter: omai' in s.text() and len(lines_of(s)) == 1, '\\: filtered while it is typed')
    key('\r', 'filter "omai"', 'the filter is named')
    key('\x1b', gone('filter "'), 'Esc: all again')
    key('H', 'not idle', 'H: idle ones are hidden')
    key('H', gone('not idle'), 'H: and shown')
    key('w', lambda s: re.search(r'  (10|\d\.\d\d) s window', s.text()), 'w: 10 s, or what there is of them')
    key('w', lambda s: re.search('60 s window|only so many', s.text()), 'w: a minute')
    key('w', 'last execution', 'w: the last execution')
    key('M3s\r', '3 s window', 'M: one\'s own')
    key('ww', '1 s window', 'w: round')
    key('uu', 'ms of each second', 'u: ms per second')
    key('u', "% of the vCPUs' time", 'u: % again')
    key('d2\r', 'every 2 s', 'd: the delay')
    key('-', 'every 1 s', '-: more often')
    key('d99\r', 'from 0.1s to 60s', 'd: nothing silly')
    key('\x1b', gone('Refresh every'), 'Esc: leaves it')
    check(title_time(s) == still, 'all the while it was frozen', s)
    key('[', lambda s: 'FROZEN -' in s.text() and title_time(s) < still, '[: one sample back')
    key('L', gone('FROZEN'), 'L: live again')
    key('t-1s\r', lambda s: re.search(r'FROZEN -[12]\.\d s', s.text()), 't: a second ago')
    key('z', gone('FROZEN'), 'z: live again')
    key('T', 'theme: ', 'T: a theme')
    s.close()


def test_mouse(baked):
    s = live(baked, env={'TERM': 'xterm-256color'})
    s.wait('Domain-0')

    def click(x, y):
        s.send(b'\x1b[<0;%d;%dM\x1b[<0;%d;%dm' % (x + 1, y + 1, x + 1, y + 1))

    check(b'\x1b[?1000h' in s.raw or b'\x1b[?1002h' in s.raw or b'\x1b[?1006' in s.raw, 'the mouse is asked for')
    rows = [line.rstrip() for line in s.screen.display]
    tabs = next(i for i, line in enumerate(rows) if '[1 Domains]' in line)
    click(rows[tabs].index('2 vCPUs'), tabs)
    check(s.wait('[2 vCPUs]'), 'a click on a view', s)
    click(rows[tabs].index('1 Domains'), tabs)
    check(s.wait('[1 Domains]'), 'and back', s)
    header = next(i for i, line in enumerate(rows) if 'wait%' in line)
    click(rows[header].index('wait%'), header)
    check(s.wait('by wait%'), 'a click on a title sorts by it', s)
    s.close()


def test_hostile(baked):
    """Whatever is pasted or held down, the screen stays a screen."""
    s = live(baked)
    s.wait('Domain-0')
    s.send(b'/' + b'\xff\xfe\x1b[999;999H%s%n' + b'x' * 300 + b'\r')
    s.send(b'\x1b' + bytes(range(32, 113)) * 3)
    s.pump(0.5)
    if not s.ended():
        s.send(b'\x1b\x1b\x1b1')
        check(s.wait(lambda s: s.text().startswith('xenmon')), 'garbage does no harm', s)
    check(s.ended() is False or s.wait_end() == 0, 'or quits in order', s)
    s.close()


def test_leaves_terminal(baked):
    ways = (('q', lambda s: s.send('q'), 0), ('F10', lambda s: s.send(b'\x1b[21~'), 0),
            ('Ctrl-C', lambda s: s.send(b'\x03'), 0), ('SIGTERM', lambda s: s.kill(signal.SIGTERM), 0),
            ('SIGHUP', lambda s: s.kill(signal.SIGHUP), 0), ('SIGINT', lambda s: s.kill(signal.SIGINT), 0),
            ('SIGSEGV', lambda s: s.kill(signal.SIGSEGV), -signal.SIGSEGV),
            ('SIGABRT', lambda s: s.kill(signal.SIGABRT), -signal.SIGABRT),
            ('SIGBUS', lambda s: s.kill(signal.SIGBUS), -signal.SIGBUS))
    for name, act, code in ways:
        s = live(baked, env={'TERM': 'xterm-256color'})
        s.wait('Domain-0')
        check(not s.settings_kept(), '%s: the terminal is in use' % name)
        act(s)
        ended = s.wait_end()
        check(ended == code, '%s: ends with %d' % (name, code), s, 'ended with %s' % ended)
        check(s.settings_kept(), '%s: settings as before' % name)
        tail = s.raw[s.raw.rfind(b'\x1b[?1049h'):]
        check(LEAVE_ALTERNATE in tail, '%s: the alternate screen is left' % name)
        check(tail.rfind(b'\x1b[?25h') > tail.rfind(b'\x1b[?25l'), '%s: the cursor is back' % name)
        s.close()


def test_sizes(baked):
    s = live(baked)
    s.wait('Domain-0')
    for columns, lines in ((40, 10), (20, 5), (200, 60), (30, 6), (80, 24)):
        s.resize(columns, lines)
        name = '%dx%d' % (columns, lines)
        good = s.wait(lambda s: s.text().startswith('xenmon') and 'Domain-0' in s.text() and 'run%' in s.text())
        check(good, '%s: title, domains and what they ran' % name, s)
        s.send('2')
        check(s.wait(lambda s: re.search(r'Domain-0( \(dom 0\))? v\d ', s.text())), '%s: vCPUs' % name, s)
        s.send('6')
        check(s.wait('Gotten'), '%s: the paper\'s' % name, s)
        s.send('1')
        s.wait('run%')
    s.resize(12, 3)
    check(s.wait('too'), '12x3: says that it is too small', s)
    s.resize(1, 1)
    s.pump(1.3)
    check(not s.ended(), '1x1: goes on', s)
    s.resize(80, 24)
    check(s.wait('Domain-0'), 'and is back at 80x24', s)
    s.send('q')
    check(s.wait_end() == 0, 'q after all that', s)
    s.close()
    s = live(baked, columns=20, lines=5)
    check(s.wait('Domain-0'), 'begins at 20x5', s)
    s.close()


def test_colours(baked):
    s = live(baked)
    s.wait('Domain-0')
    check(bool(COLOUR.search(s.raw)), 'colours where the terminal has them')
    s.close()
    s = live(baked, env={'NO_COLOR': '1'})
    s.wait('Domain-0')
    s.pump(1.2)
    check(not COLOUR.search(s.raw), 'NO_COLOR: none')
    check('Domain-0' in s.text(), 'NO_COLOR: the same text', s)
    s.close()
    s = live(baked, '--color=always', env={'NO_COLOR': '1'})
    s.wait('Domain-0')
    check(bool(COLOUR.search(s.raw)), '--color=always wins over NO_COLOR')
    s.close()
    s = live(baked, env={'TERM': 'vt100'})
    check(s.wait('Domain-0'), 'a monochrome vt100', s)
    check(not COLOUR.search(s.raw), 'vt100: no colours')
    s.send('q')
    check(s.wait_end() == 0 and s.settings_kept(), 'vt100: left as it was', s)
    s.close()
    s = live(baked, env={'LC_ALL': 'C', 'LANG': 'C'})
    check(s.wait('Domain-0'), 'a locale of ASCII alone', s)
    s.close()


def test_writer_lost(directory):
    place = os.path.join(directory, 'lost')
    os.mkdir(place)
    baked = Baked(place)
    s = live(baked)
    check(s.wait('No region yet: ' + baked.region), 'no region yet: it says so', s)
    baked.start()
    check(s.wait('Domain-0'), 'a xenbaked comes: the numbers are there', s)
    killed = baked.process.pid
    baked.stop(signal.SIGKILL)
    check(s.wait('xenbaked (pid %d) is gone' % killed), 'kill -9: it says so', s)
    check('Domain-0' in s.text(), 'the last numbers stay', s)
    before = title_time(s)
    baked.start()
    check(s.wait('restarted'), 'another one: it says so', s)
    check(s.wait(lambda s: 'Domain-0' in s.text() and 'gone' not in s.text()), 'and goes on', s)
    check(s.wait(lambda s: title_time(s) != before), 'with its time', s)
    stopped = baked.process.pid
    baked.process.send_signal(signal.SIGSTOP)
    check(s.wait('stale: xenbaked (pid %d) silent for' % stopped), 'one that hangs: stale, in words', s)
    baked.process.send_signal(signal.SIGCONT)
    check(s.wait(lambda s: 'stale' not in s.text()), 'and no more', s)
    baked.stop()
    check(s.wait('is gone'), 'SIGTERM: gone', s)
    s.send('q')
    check(s.wait_end() == 0, 'q: quits', s)
    s.close()


def test_growth(directory):
    place = os.path.join(directory, 'grown')
    os.mkdir(place)
    baked = Baked(place).start('--max-domains', '1', '--max-vcpus', '1', '--max-pcpus', '1')
    s = live(baked)
    check(s.wait(lambda s: 'Domain-0' in s.text() and re.search(r'^[> ].{2}dom [1-9]|^[> ].{2}[a-z]\S* ', s.text(), re.M)),
          'a region that grows is followed', s)
    s.close()
    baked.stop()


def test_refuses(baked):
    for term in ('dumb', 'no-such-terminal', ''):
        s = live(baked, env={'TERM': term})
        code = s.wait_end()
        check(code == 2, 'TERM=%s: exits 2' % term, s, code)
        check('--frames' in s.raw.decode(), 'TERM=%s: with a hint' % term, s)
        check(s.settings_kept(), 'TERM=%s: settings as before' % term)
        s.close()
    s = live(baked, '--frames', '1')
    check(s.wait_end() == 0 and 'All ' in s.raw.decode(), '--frames on a terminal: text', s)
    check(b'\x1b' not in s.raw, 'without any escape')
    s.close()


def run(*argv, **how):
    environment = dict(os.environ, **how.pop('env', {}))
    environment.pop('COLUMNS', None)
    return subprocess.run([XENMON, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          env=environment, **how)


def test_frames(baked):
    start = time.monotonic()
    r = run('live', '--region', baked.region)
    took = time.monotonic() - start
    titles = re.findall(r'^xenmon . (\d\d:\d\d:\d\d\.\d)', r.stdout, re.M)
    check(r.returncode == 0 and len(titles) == 3, 'no terminal: three frames, exit 0', detail=r)
    check(len(set(titles)) == 3 and took > 1.9, 'one second apart', detail=(titles, took))
    check('\x1b' not in r.stdout and r.stderr == '', 'plain text', detail=r)
    check(max(len(line) for line in r.stdout.splitlines()) <= 80, '80 columns')
    check(len(re.findall(r'^All +1 s ', r.stdout, re.M)) >= 2, 'each covers a second', detail=r.stdout)
    r = run('live', '--region', baked.region, '--once', '--width', '120', '--view', 'vcpus')
    check(r.returncode == 0 and r.stdout.count('xenmon ') == 1 and 'v0' in r.stdout, '--once, wider, vCPUs', detail=r)
    r = run('-l', '--region', baked.region, '--once', '--noallocated', '--noiocount', '--cpu=1')
    check(r.returncode == 0 and 'Allocated' not in r.stdout and 'I/O count' not in r.stdout and 'CPU 1' in r.stdout,
          'upstream\'s options', detail=r)
    r = run('live', '--once', env={'XENMON_REGION': baked.region})
    check(r.returncode == 0 and 'Domain-0' in r.stdout, 'the region by its variable', detail=r)
    read, write = os.pipe()
    os.close(read)
    r = subprocess.run([XENMON, 'live', '--region', baked.region, '--once'], stdin=subprocess.DEVNULL, stdout=write,
                       stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(write)
    check(r.returncode == 0 and r.stderr == '', 'a reader that has gone: quietly 0', detail=r)
    with open('/dev/full', 'w') as full:
        r = subprocess.run([XENMON, 'live', '--region', baked.region, '--once'], stdin=subprocess.DEVNULL, stdout=full,
                           stderr=subprocess.PIPE, text=True, timeout=60)
    check(r.returncode == 1 and 'No space' in r.stderr, 'a full disk: says so, 1', detail=r)


def test_no_region(directory):
    nowhere = os.path.join(directory, 'nowhere')
    r = run('live', env={'XENMON_REGION': nowhere})
    one_line = r.stderr.count('\n') == 1 and 'xenbaked' in r.stderr
    check(r.returncode == 3 and one_line and r.stdout == '', 'nothing runs: one line, 3', detail=r)
    s = Session([XENMON], env={'XENMON_REGION': nowhere})
    check(s.wait_end() == 3 and 'xenbaked FILE' in s.raw.decode(), 'the same on a terminal', s)
    check(s.settings_kept(), 'which is left alone')
    s.close()
    r = run('live', '--region', nowhere, '--once')
    check(r.returncode == 3 and 'No such file' in r.stderr, 'a region that does not come: 3, after some seconds', detail=r)
    for argv in (('live', '--frames', '0'), ('live', '--cpu', 'x'), ('live', 'a', 'b'), ('live', '--nonsense'),
                 ('live', '--region', nowhere, TRACE)):
        r = run(*argv)
        check(r.returncode == 2 and r.stderr.count('\n') == 1, 'wrong usage: %s' % ' '.join(argv[1:3]), detail=r)
    r = run('live', '--help')
    check(r.returncode == 0 and '--frames' in r.stdout and max(map(len, r.stdout.splitlines())) <= 80, '--help', detail=r)


def own_baked():
    """Process ids of xenbaked that replay our copy of the trace for a xenmon."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/cmdline' % pid, 'rb') as f:
                words = f.read().split(b'\0')
        except OSError:
            continue
        if words[0].endswith(b'xenbaked') and COPY.encode() in words:
            found.append(int(pid))
    return found


def own_directories(pid):
    """Private directories of that process: other tests make theirs at the same time."""
    return [path for root in ('/dev/shm', '/tmp') for path in glob.glob('%s/xenmon.%d.*' % (root, pid))]


def tidy(pid):
    return own_baked() == [] and own_directories(pid) == []


def ran(*argv):
    """A run to its end: exit code, output, errors, process id."""
    process = subprocess.Popen([XENMON, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors, process.pid


def test_own_xenbaked():
    code, output, errors, pid = ran('live', '--replay', COPY, '--once')
    check(code == 0 and 'Domain-0' in output, '--replay: a xenbaked of its own', detail=(code, output, errors))
    check(tidy(pid), 'which it stops and tidies up')
    s = Session([XENMON, COPY])
    check(s.wait('Domain-0'), 'xenmon FILE', s)
    check(len(own_baked()) == 1, 'one xenbaked runs for it')
    check(len(own_directories(s.pid)) == 1, 'and has one private directory')
    s.send('q')
    check(s.wait_end() == 0, 'q', s)
    check(tidy(s.pid), 'and no more')
    s.close()
    for number in (signal.SIGTERM, signal.SIGSEGV):
        s = Session([XENMON, COPY])
        s.wait('Domain-0')
        s.kill(number)
        s.wait_end()
        check(tidy(s.pid), 'signal %d: stopped and tidied up' % number)
        check(s.settings_kept(), 'signal %d: settings as before' % number)
        s.close()
    s = Session([XENMON, COPY])
    s.wait('Domain-0')
    s.kill(signal.SIGKILL)
    s.wait_end()
    check(wait_for(lambda: own_baked() == [], 10), 'kill -9 of xenmon: its xenbaked goes too')
    s.close()
    process = subprocess.Popen([XENMON, 'live', '--frames', '1000', COPY], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
    wait_for(lambda: len(own_baked()) == 1)
    check(own_directories(s.pid) == [], 'what the killed one left is swept by the next')
    process.terminate()
    process.wait(20)
    check(tidy(process.pid), 'frames, SIGTERM: stopped and tidied up')
    code, _, errors, pid = ran('live', '--replay', '/nonexistent/file', '--once')
    check(code in (1, 2) and '/nonexistent/file' in errors, 'a file that is not there: its words', detail=(code, errors))
    check(tidy(pid), 'and tidied up')


def test_two(baked):
    a, b = live(baked), live(baked, columns=100, lines=30)
    check(a.wait('Domain-0') and b.wait('Domain-0'), 'two at once', b)
    a.send('q')
    check(a.wait_end() == 0, 'one quits', a)
    before = title_time(b)
    check(b.wait(lambda s: title_time(s) > before), 'the other goes on', b)
    a.close()
    b.close()


def main():
    global COPY
    directory = tempfile.mkdtemp(prefix='xm-terminal-')
    COPY = os.path.join(directory, 'copy-' + os.path.basename(TRACE))
    shutil.copy(TRACE, COPY)
    baked = Baked(directory).start()
    try:
        wait_for(lambda: os.path.exists(baked.region))
        test_first_screen(baked)
        test_paper_keys(baked)
        test_views(baked)
        test_tables(baked)
        test_mouse(baked)
        test_hostile(baked)
        test_leaves_terminal(baked)
        test_sizes(baked)
        test_colours(baked)
        test_two(baked)
        test_refuses(baked)
        test_frames(baked)
        test_writer_lost(directory)
        test_growth(directory)
        test_no_region(directory)
        test_own_xenbaked()
    finally:
        baked.stop()
        shutil.rmtree(directory, ignore_errors=True)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
