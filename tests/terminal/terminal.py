#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What goes to the terminal and comes from it: terminal.py XENMON XENBAKED TRACE

Colours by $TERM and the variables that ask for none, how it is left on every way out, Ctrl-Z and back, mouse and other
sequences, how few bytes a refresh takes, ASCII, and settings that are kept.
"""
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

from session import PATIENCE, Session, Tap

XENMON, XENBAKED, TRACE = (os.path.abspath(path) for path in sys.argv[1:4])
tap = Tap()
check = tap.check

SGR = re.compile(rb'\x1b\[([0-9;]*)m')
ENTER, LEAVE = b'\x1b[?1049h', b'\x1b[?1049l'
MOUSE_ON, MOUSE_OFF = b'\x1b[?1006;1000h', b'1000l'
BARE = {name: None for name in ('NO_COLOR', 'CLICOLOR', 'CLICOLOR_FORCE', 'XENMON_REGION', 'ESCDELAY', 'COLUMNS')}


class Baked:
    """A xenbaked that replays the trace over and over into a region of its own."""

    def __init__(self, directory, *options):
        self.region = os.path.join(directory, 'shm')
        self.process = subprocess.Popen(
            [XENBAKED, '--foreground', '--no-config', '--repeat', 'forever', '--log-level', 'error', '--region', self.region,
             *options, TRACE], stdin=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not os.path.exists(self.region) and time.monotonic() < end:
            time.sleep(0.05)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait()


def live(baked, *options, env=None, config='--no-config', **how):
    for name in BARE:
        os.environ.pop(name, None)
    argv = [XENMON, 'live', '--region', baked.region, *([config] if config else []), *options]
    return Session(argv, env=dict({'TERM': 'xterm-256color'}, **(env or {})), **how)


def shown(s):
    return s.wait('Domain-0')


def colours(raw):
    """The kinds of colours that were set: 'dark' 30-37 and 40-47, 'bright' 90-107, 'many' 38;5."""
    kinds = set()
    for match in SGR.finditer(raw):
        numbers = [int(n) for n in match.group(1).split(b';') if n]
        if 38 in numbers or 48 in numbers:
            kinds.add('many')
        elif any(30 <= n <= 37 or 40 <= n <= 47 for n in numbers):
            kinds.add('dark')
        elif any(90 <= n <= 107 for n in numbers):
            kinds.add('bright')
    return kinds


def test_colours(baked):
    cases = (
        ('xterm-256color', {}, (), {'many'}), ('xterm', {}, (), {'dark'}), ('linux', {}, (), {'dark'}),
        ('screen', {}, (), {'dark'}), ('tmux-256color', {}, (), {'many'}),
        ('vt100', {}, (), set()), ('vt220', {}, (), set()), ('xterm-mono', {}, (), set()),
        ('xterm-256color', {'NO_COLOR': '1'}, (), set()), ('xterm-256color', {'NO_COLOR': ''}, (), {'many'}),
        ('xterm-256color', {'CLICOLOR': '0'}, (), set()), ('xterm-256color', {'CLICOLOR': '1'}, (), {'many'}),
        ('xterm-256color', {'CLICOLOR': '0', 'CLICOLOR_FORCE': '1'}, (), {'many'}),
        ('xterm-256color', {'NO_COLOR': '1', 'CLICOLOR_FORCE': '1'}, (), set()),
        ('xterm-256color', {'NO_COLOR': '1'}, ('--color=always',), {'many'}),
        ('xterm-256color', {}, ('--color=never',), set()), ('xterm-256color', {}, ('--theme=mono',), set()),
        ('xterm', {}, ('--theme=light',), {'dark'}), ('xterm-256color', {}, ('--theme=high-contrast',), {'many', 'dark'}),
    )
    for term, env, options, wanted in cases:
        name = ' '.join([term, *('%s=%s' % pair for pair in env.items()), *options])
        if subprocess.run(['infocmp', term], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            print('# %s: not known here' % term)
            continue
        s = live(baked, *options, env=dict(env, TERM=term))
        check(shown(s), '%s: the domains' % name, s)
        seen = colours(s.raw)
        check(seen <= wanted and bool(seen) == bool(wanted), '%s: colours %s' % (name, sorted(wanted)), detail=seen)
        s.send('q')
        check(s.wait_end() == 0 and s.settings_kept(), '%s: left as it was' % name, s)
        s.close()


def test_themes(baked):
    s = live(baked, '--interval=60') # what is drawn is drawn for the key
    shown(s)
    seen = set()
    for _ in range(5):
        before = len(s.raw)
        s.send('T')
        s.wait(lambda s: len(s.raw) > before)
        s.pump(0.6)
        check('Domain-0' in s.text(), 'T: another theme, the same text', s)
        seen.add(frozenset(m.group(0) for m in SGR.finditer(s.raw[before:])))
    check(len(seen) == 5, 'five themes, none like another', detail=seen)
    s.close()


def restored(s, name, mouse=True):
    tail = s.raw[s.raw.rfind(ENTER):]
    check(s.settings_kept(), '%s: settings as before' % name)
    check(tail.count(LEAVE) >= 1, '%s: the alternate screen is left' % name, detail=tail[-200:])
    check(tail.rfind(b'\x1b[?25h') > tail.rfind(b'\x1b[?25l'), '%s: the cursor is back' % name)
    if mouse:
        check(tail.rfind(MOUSE_OFF) > tail.rfind(MOUSE_ON), '%s: the mouse is free' % name, detail=tail[-200:])


def test_ways_out(baked):
    ways = [('q', lambda s: s.send('q'), 0), ('F10', lambda s: s.send(b'\x1b[21~'), 0),
            ('Ctrl-C', lambda s: s.send(b'\x03'), 0)]
    ways += [(number.name, lambda s, number=number: s.kill(number), 0)
             for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)]
    ways += [(number.name, lambda s, number=number: s.kill(number), -number)
             for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE)]
    for name, act, code in ways:
        s = live(baked)
        shown(s)
        check(not s.settings_kept() and MOUSE_ON in s.raw, '%s: the terminal is in use' % name)
        act(s)
        ended = s.wait_end()
        check(ended == code, '%s: ends with %d' % (name, code), s, ended)
        restored(s, name)
        s.close()


def test_dead_writer(directory):
    place = os.path.join(directory, 'dead')
    os.mkdir(place)
    baked = Baked(place)
    s = live(baked)
    shown(s)
    baked.stop(signal.SIGKILL)
    check(s.wait('gone'), 'kill -9 of xenbaked: the screen stays', s)
    s.send('q')
    check(s.wait_end() == 0, 'and can be left', s)
    restored(s, 'after kill -9 of xenbaked')
    s.close()


CTRL_L = b'\x0c'


class Job(Session):
    """The program as a shell's job: something has to stay in the terminal's foreground when it stops."""

    def __init__(self, argv, **how):
        super().__init__(['/bin/bash', '-c', 'set -m; %s; read line; fg; read line; fg' % quoted(argv)], **how)


def quoted(argv):
    return ' '.join("'%s'" % word for word in argv)


def stopped(session):
    """The job of the shell in `session` is there and stopped, now or soon."""
    return session.wait(lambda s: [state_of(pid) for pid in children_of(s.pid)] == ['T'])


def test_suspend_writing(baked):
    """curses, if one lets it, ignores SIGTSTP for as long as it writes to the terminal, and what was pending is gone then."""
    s = Job([XENMON, 'live', '--region', baked.region, '--no-config'], env={'TERM': 'xterm-256color'})
    shown(s)
    pid = children_of(s.pid)[0]
    try:
        writes(pid)
    except OSError as why: # nobody may look into others
        print('# what it waits for cannot be seen here: %s' % why)
        s.close()
        return
    end = time.monotonic() + PATIENCE
    while not writes(pid) and time.monotonic() < end: # nobody reads: at some time it has to wait for the terminal
        s.send(CTRL_L)
        time.sleep(0.01)
    check(writes(pid), 'nobody reads: it waits for the terminal', s)
    check(not ignores(pid, signal.SIGTSTP), 'and does not ignore SIGTSTP', s)
    os.kill(pid, signal.SIGTSTP)
    check(stopped(s), 'kill -TSTP while it writes: it stops', s)
    s.close()


def test_suspend_ignored(baked):
    argv = [XENMON, 'live', '--region', baked.region, '--no-config']
    s = Session(['/bin/bash', '-c', "trap '' TSTP; exec %s" % quoted(argv)], env={'TERM': 'xterm-256color'})
    shown(s)
    s.kill(signal.SIGTSTP)
    s.send('2')
    check(s.wait(lambda s: re.search(r'v0 ', s.text())) and LEAVE not in s.raw, 'started with SIGTSTP ignored: it goes on', s)
    s.send('q')
    check(s.wait_end() == 0, 'and can be left', s)
    s.close()


def test_suspend(baked):
    argv = [XENMON, 'live', '--region', baked.region, '--no-config']
    s = Job(argv, env={'TERM': 'xterm-256color'})
    check(shown(s), 'as a job: the domains', s)
    for keys, how in ((b'\x1a', 'Ctrl-Z'), (None, 'kill -TSTP')):
        before = len(s.raw)
        if keys:
            s.send(keys)
        else:
            for pid in children_of(s.pid):
                os.kill(pid, signal.SIGTSTP)
        check(s.wait(lambda s: LEAVE in s.raw[before:]), '%s: the alternate screen is left' % how, s)
        check(stopped(s), '%s: it has stopped' % how)
        tail = s.raw[before:]
        check(MOUSE_OFF in tail and b'\x1b[?25h' in tail, '%s: mouse and cursor are the shell\'s' % how)
        check(termios.tcgetattr(s.slave)[3] & (termios.ICANON | termios.ECHO) == termios.ICANON | termios.ECHO,
              '%s: lines and echo, too' % how)
        s.pump(0.5) # the shell takes the terminal, and drops what was typed until then
        before = len(s.raw)
        s.send('\n')
        check(s.wait(lambda s: ENTER in s.raw[before:] and 'Domain-0' in s.text()), 'fg: it is back', s)
        check(s.wait(lambda s: MOUSE_ON in s.raw[before:]), 'fg: with the mouse', s)
        s.send('2')
        check(s.wait(lambda s: re.search(r'v0 ', s.text())), 'fg: and hears keys', s)
        s.send('1')
        s.pump(0.3)
    s.send('q')
    check(s.wait_end() == 0, 'q ends it, and the shell', s)
    s.close()
    s = live(baked)
    shown(s)
    s.kill(signal.SIGSTOP)
    s.pump(0.5)
    before = len(s.raw)
    s.kill(signal.SIGCONT)
    check(s.wait(lambda s: ENTER in s.raw[before:] and 'Domain-0' in s.text()), 'SIGSTOP, SIGCONT: draws everything again', s)
    s.send('q')
    check(s.wait_end() == 0 and s.settings_kept(), 'and is left as it was', s)
    s.close()


def children_of(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
        return [int(word) for word in f.read().split()]


WRITE = {'x86_64': '1'}.get(os.uname().machine, '64') # the number of write(2)


def writes(pid):
    with open('/proc/%d/syscall' % pid) as f:
        return f.read().split()[0] == WRITE


def ignores(pid, number):
    with open('/proc/%d/status' % pid) as f:
        ignored = next(line for line in f if line.startswith('SigIgn:')).split()[1]
    return bool(int(ignored, 16) & 1 << number - 1)


def state_of(pid):
    """A letter; '': it is gone."""
    try:
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0]
    except OSError:
        return ''


def test_mouse(baked):
    s = live(baked)
    shown(s)
    row, column = next((y, line.index('vCPUs')) for y, line in enumerate(s.screen.display) if 'vCPUs' in line and '1' in line)

    def press(x, y, button=0):
        s.send(b'\x1b[<%d;%d;%dM\x1b[<%d;%d;%dm' % (button, x + 1, y + 1, button, x + 1, y + 1))

    press(column, row)
    check(s.wait(lambda s: re.search(r'vCPUs on ', s.text())), 'a click on a view\'s name goes there', s)
    s.send('1')
    s.wait('Domains on')
    y = next(i for i, line in enumerate(s.screen.display) if 'Domain-0' in line)
    press(3, y)
    s.pump(0.1)
    press(3, y)
    check(s.wait('Depth on'), 'a double click drills', s)
    s.send('h')
    s.wait('Help: keys')
    first = s.text()
    press(5, 10, 65)
    check(s.wait(lambda s: s.text() != first), 'the wheel scrolls down', s)
    press(5, 10, 64)
    check(s.wait(lambda s: s.text().splitlines()[3:] == first.splitlines()[3:]), 'and up', s)
    s.close()
    s = live(baked, '--no-mouse')
    shown(s)
    check(b'\x1b[?1000h' not in s.raw and MOUSE_ON not in s.raw, '--no-mouse: it is not asked for')
    s.send('q')
    s.wait_end()
    restored(s, '--no-mouse', mouse=False)
    s.close()
    s = live(baked, env={'TERM': 'vt220'})
    shown(s)
    check(b'?1000h' not in s.raw, 'a vt220 has none')
    s.close()


def test_unknown_sequences(baked):
    """What a terminal sends for keys that mean nothing here: none of its bytes may be taken for a key ([ steps back, q quits)."""
    s = live(baked)
    shown(s)
    for sequence in (b'\x1b[1;5q', b'\x1b[27;5;9~', b'\x1b[200~', b'\x1b[I', b'\x1b[?1;2c', b'\x1bOz', b'\x1b[<0;1;1q', b'\x1b[99999999999999q'):
        s.send(sequence)
        s.pump(0.3)
        text = s.text()
        check(not s.ended() and 'FROZEN' not in text and 'Domains on' in text, '%r is nothing' % sequence, s)
    s.send(b'\xff\xfe\x80')
    s.pump(0.3)
    check(not s.ended() and 'Domains on' in s.text(), 'bytes that are no characters are nothing', s)
    for keys, name in ((b'\x1b[B', 'arrows of another terminal'), (b'\x1bOB', 'and in its other mode')):
        s.send('h')
        s.wait('Help: keys')
        before = s.text()
        s.send(keys)
        check(s.wait(lambda s: s.text() != before), '%s' % name, s)
        s.send('h')
        s.wait('Domains on')
    s.send('/d\u00f6m')
    check(s.wait('d\u00f6m'), 'characters of two bytes are one', s)
    s.send(b'\x1b')
    s.close()


def drain_slowly(s, seconds):
    """Takes what comes at 9600 baud; True: the program ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not s.ended():
        if select.select([s.master], [], [], 0.01)[0]:
            os.read(s.master, 10)
            time.sleep(0.0104)
    return s.ended()


def test_typed_ahead(baked, directory):
    """Keys that wait: a signal does not wait behind them, and they do not wait for a frame each."""
    path = os.path.join(directory, 'ahead', 'config')
    s = live(baked, '--config', path, config=None)
    shown(s)
    s.kill(signal.SIGSTOP)
    s.send('T' * 4000 + 'O')
    s.kill(signal.SIGCONT)
    time.sleep(0.02) # it is at the keys now
    s.kill(signal.SIGTERM)
    check(s.wait_end() == 0 and not os.path.exists(path), 'SIGTERM is heard before the keys that came first', s)
    restored(s, 'SIGTERM before keys')
    s.close()
    s = live(baked, '--interval=60')
    shown(s)
    s.send('h')
    s.wait('Help: keys')
    top = s.text()
    s.send('jjjkkk')
    s.pump(0.5)
    check(s.text() == top, 'keys of one burst act one after the other', s)
    s.send('G')
    s.wait(lambda s: s.text() != top)
    s.pump(0.2)
    last = s.text()
    s.send('k')
    s.wait(lambda s: s.text() != last)
    s.pump(0.2)
    above = s.text()
    s.send('gG' + 'j' * 20 + 'k')
    s.pump(0.5)
    check(s.text() == above != last, 'and none goes beyond the end', s)
    s.send('gG' * 500 + 'q')
    start = time.monotonic()
    check(drain_slowly(s, 15), '1000 keys on a slow line: q is heard', s)
    print('# after %.1f s at 9600 baud' % (time.monotonic() - start))
    s.close()


def test_escape(baked):
    s = live(baked, '--interval=60')
    shown(s)

    def cursor(s):
        return [y for y, line in enumerate(s.screen.display) if line.startswith('>')]

    s.wait(cursor)
    top = cursor(s)
    s.send('j')
    check(s.wait(lambda s: cursor(s) == [top[0] + 1]), 'j: a line down', s, top)
    s.send(b'\x1b\x1bOA')
    check(s.wait(lambda s: cursor(s) == top), 'a cursor key right after Esc is heard', s, (top, cursor(s)))
    s.close()


def test_piped(baked):
    """The trace comes on standard input: keys come from the terminal all the same."""
    s = Session(['/bin/sh', '-c', 'cat "$2" | "$1" replay --no-config -', 'sh', XENMON, TRACE],
                env={'TERM': 'xterm-256color'})
    check(shown(s), 'a trace from a pipe: the screen', s)
    s.send('2')
    check(s.wait('vCPUs on'), 'and it hears keys', s)
    s.send('q')
    check(s.wait_end() == 0, 'and ends', s)
    restored(s, 'a trace from a pipe', mouse=False)
    s.close()


def per_refresh(s, seconds):
    sizes = []
    for _ in range(seconds):
        before = len(s.raw)
        s.pump(1)
        sizes.append(len(s.raw) - before)
    return sizes


def test_bytes(baked, directory):
    s = live(baked)
    shown(s)
    s.pump(2)
    sizes = per_refresh(s, 5)
    mean = sum(sizes) / len(sizes)
    print('# domains, 80x24, xterm-256color: %d bytes at first, %.0f a refresh, at most %d' % (len(s.raw), mean, max(sizes)))
    check(0 < mean < 960, 'a refresh fits a line of 9600 baud', detail=sizes)
    check(b'\x1b[2J' not in s.raw[-sum(sizes):] and b'\x1b[H\x1b[J' not in s.raw[-sum(sizes):], 'nothing is erased for it')
    s.close()
    # Nothing changes any more: neither does the screen.
    place = os.path.join(directory, 'ended')
    os.mkdir(place)
    region = os.path.join(place, 'shm')
    process = subprocess.Popen([XENBAKED, '--foreground', '--no-config', '--speed', 'max', '--log-level', 'error', '--region',
                                region, TRACE], stdin=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while not os.path.exists(region) and time.monotonic() < end:
        time.sleep(0.05)

    class Ended:
        pass

    ended = Ended()
    ended.region = region
    s = live(ended)
    shown(s)
    s.wait('ended')
    s.pump(2)
    before = len(s.raw)
    s.pump(3)
    check(len(s.raw) == before, 'the trace has ended: nothing is sent', detail=s.raw[before:])
    s.close()
    process.terminate()
    process.wait()


def test_ascii(baked):
    for view in ('domains', 'vcpus', 'pcpus', 'domain', 'latency', 'paper'):
        s = live(baked, '--view', view, env={'LC_ALL': 'C', 'LANG': 'C'})
        check(shown(s) or view == 'pcpus', 'LANG=C: the view %s' % view, s)
        s.pump(1.2)
        odd = re.sub(rb'[\x20-\x7e\x1b\x0e\x0f\r\n\x08\t]', b'', s.raw)
        check(odd == b'' and '?' * 3 not in s.text(), 'LANG=C: %s in ASCII' % view, s, odd)
        s.close()


def test_settings(baked, directory):
    path = os.path.join(directory, 'settings', 'config')
    s = live(baked, '--config', path, config=None)
    shown(s)
    s.send('2uT')
    s.wait('vCPUs on')
    s.send(b'\x1bOQ')
    check(s.wait('saved') and os.path.exists(path), 'F2 saves', s)
    s.close()
    with open(path) as f:
        text = f.read()
    check('view = vcpus' in text and 'theme = light' in text and 'units = cpu' in text, 'what was chosen', detail=text)
    s = live(baked, '--config', path, config=None)
    check(s.wait('vCPUs on'), 'and the next one begins with it', s)
    s.close()
    s = live(baked, '--config', path, '--view', 'paper', config=None)
    check(s.wait('Gotten'), 'but the command line wins', s)
    s.close()
    with open(path, 'a') as f:
        f.write('theme = pink\n[live]\nno-mouse = yes\ncolor = never\n')
    s = live(baked, '--config', path, config=None)
    check(s.wait('vCPUs on'), 'a line that is wrong keeps nobody out', s)
    check(b"theme: 'pink' is not" in s.raw, 'but is said', detail=s.raw[:300])
    check(not colours(s.raw) and MOUSE_ON not in s.raw, 'options of [live] hold', s)
    s.close()
    s = live(baked)
    shown(s)
    s.send('O')
    check(s.wait('not saved'), '--no-config: says that it is not saved', s)
    s.close()
    home = os.path.join(directory, 'home')
    os.mkdir(home)
    s = live(baked, env={'HOME': home, 'XDG_CONFIG_HOME': ''}, config=None)
    shown(s)
    s.send('O')
    check(s.wait('saved to') and os.path.exists(home + '/.config/xenmon/config'), 'in the home directory', s)
    s.close()
    fifo = os.path.join(directory, 'fifo')
    os.mkfifo(fifo)
    s = live(baked, '--config', fifo, config=None)
    check(shown(s) and b'no regular file' in s.raw, 'a FIFO is not waited for', s)
    s.send('O')
    check(s.wait('not saved'), 'nor written to', s)
    s.close()


def main():
    directory = tempfile.mkdtemp(prefix='xm-terminal-')
    baked = Baked(directory)
    only = sys.argv[4:]
    try:
        for name, test in (('colours', lambda: test_colours(baked)), ('themes', lambda: test_themes(baked)),
                           ('out', lambda: test_ways_out(baked)), ('dead', lambda: test_dead_writer(directory)),
                           ('suspend', lambda: test_suspend(baked)),
                           ('writing', lambda: test_suspend_writing(baked)), ('ignored', lambda: test_suspend_ignored(baked)), ('mouse', lambda: test_mouse(baked)),
                           ('unknown', lambda: test_unknown_sequences(baked)),
                           ('ahead', lambda: test_typed_ahead(baked, directory)), ('escape', lambda: test_escape(baked)),
                           ('piped', lambda: test_piped(baked)),
                           ('bytes', lambda: test_bytes(baked, directory)), ('ascii', lambda: test_ascii(baked)),
                           ('settings', lambda: test_settings(baked, directory))):
            if not only or name in only:
                test()
    finally:
        baked.stop()
        shutil.rmtree(directory, ignore_errors=True)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
