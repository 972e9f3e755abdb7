# SPDX-License-Identifier: MIT
"""A program on a terminal of our own: keys in, the screen as text out.  Standard library and pyte only."""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

try:
    import pyte
except ImportError:
    print('1..0 # SKIP the Python module pyte is not installed')
    sys.exit(0)


class Screen(pyte.Screen):
    """With what pyte leaves out of a terminal of today: scrolling without moving, and repeating a character."""
    last = ' '

    def draw(self, data):
        super().draw(data)
        self.last = data[-1:] or self.last

    def repeat(self, count=1):
        super().draw(self.last * (count or 1))

    def scroll(self, count, row, step):
        y, self.cursor.y = self.cursor.y, row
        for _ in range(count or 1):
            step()
        self.cursor.y = y

    def scroll_up(self, count=1):
        self.scroll(count, self.margins.bottom if self.margins else self.lines - 1, self.index)

    def scroll_down(self, count=1):
        self.scroll(count, self.margins.top if self.margins else 0, self.reverse_index)


class Stream(pyte.ByteStream):
    csi = dict(pyte.ByteStream.csi, S='scroll_up', T='scroll_down', b='repeat')
    events = pyte.ByteStream.events | {'scroll_up', 'scroll_down', 'repeat'}


PATIENCE = float(os.environ.get('XM_PATIENCE', '20'))


class Session:
    """Runs `argv` on a pseudo-terminal of the type that pyte knows best.  The slave stays open here, so that its settings can be compared afterwards."""

    def __init__(self, argv, columns=80, lines=24, env=None):
        self.columns, self.lines = columns, lines
        self.screen = Screen(columns, lines)
        self.stream = Stream(self.screen)
        self.raw = b''
        self.status = None
        self.master, self.slave = pty.openpty()
        self.set_size(columns, lines)
        self.settings = termios.tcgetattr(self.slave)
        environment = dict(os.environ, TERM='linux', LANG='C.UTF-8', LC_ALL='C.UTF-8', XDG_CONFIG_HOME='/nonexistent')
        for name in ('NO_COLOR', 'CLICOLOR', 'CLICOLOR_FORCE', 'COLUMNS', 'LINES', 'XENMON_REGION'):
            environment.pop(name, None)
        environment['NCURSES_GPM_TERMS'] = '' # no console: nobody is to be asked for its mouse, and libgpm leaks when nobody answers
        environment.update(env or {})
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.closerange(3, 256)
            os.execve(argv[0], argv, environment)

    def set_size(self, columns, lines):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))

    def resize(self, columns, lines):
        self.pump(0.05)
        self.columns, self.lines = columns, lines
        self.screen.resize(lines, columns)
        self.set_size(columns, lines)

    def pump(self, seconds):
        """Takes in what the program writes for so long."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            ready = select.select([self.master], [], [], max(left, 0))[0]
            if ready:
                data = os.read(self.master, 65536)
                self.raw += data
                self.stream.feed(data)
            elif left <= 0:
                return

    def text(self):
        return '\n'.join(line.rstrip() for line in self.screen.display)

    def line(self, what):
        """The first line with `what` in it, or ''."""
        return next((line.rstrip() for line in self.screen.display if what in line), '')

    def wait(self, condition, seconds=None):
        """Until condition(self) or a text is there.  True if it came."""
        if isinstance(condition, str):
            wanted = condition
            condition = lambda session: wanted in session.text()
        end = time.monotonic() + (seconds or PATIENCE)
        while not condition(self):
            if time.monotonic() > end or self.ended():
                self.pump(0.05)
                return condition(self)
            self.pump(0.05)
        return True

    def send(self, keys):
        os.write(self.master, keys if isinstance(keys, bytes) else keys.encode())

    def kill(self, number):
        os.kill(self.pid, number)

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status is not None

    def wait_end(self, seconds=None):
        """The exit code, negative for a signal's number; None: it still runs."""
        end = time.monotonic() + (seconds or PATIENCE)
        while not self.ended():
            self.pump(0.05)
            if time.monotonic() > end:
                return None
        self.pump(0.1)
        return os.waitstatus_to_exitcode(self.status)

    def settings_kept(self):
        return termios.tcgetattr(self.slave) == self.settings

    def close(self):
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            self.wait_end(5)
        os.close(self.master)
        os.close(self.slave)


class Tap:
    """Results as TAP, with what was on the screen when one is not as it should be."""

    def __init__(self):
        self.count = self.failed = 0

    def check(self, good, name, session=None, detail=''):
        self.count += 1
        print('%sok %d - %s' % ('' if good else 'not ', self.count, name))
        if not good:
            self.failed += 1
            for line in (str(detail) + '\n' + (session.text() if session else '')).splitlines():
                print('# ' + line)
        sys.stdout.flush()
        return good

    def finish(self):
        print('1..%d' % self.count)
        return 1 if self.failed else 0
