#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Domain names as their owners choose them, on terminals of all sizes: names.py XENMON MADE_REGION

MADE_REGION writes a region of three domains, the first of which has the name.  Whatever that is, nothing of it reaches the
terminal as a command, every view at every size stays in its columns, and the other domains keep their lines.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

from session import Session, Tap

XENMON, MADE = (os.path.abspath(path) for path in sys.argv[1:3])
tap = Tap()
check = tap.check
# What it is, the bytes, and what of them must never be sent.
NAMES = (
    ('control characters', b'a\x07b\r\nc\td\x08e\x0e\x7f', (b'a\x07b', b'c\td', b'd\x08e', b'\x0e', b'\x7f')),
    ('escape sequences', b'x\x1b[2J\x1b]0;owned\x07\x1b[8;1;1t', (b'\x1b]0;owned', b'\x1b[8;1;1t', b'x\x1b[2J')),
    ('C1 controls', 'x\u009b2J\u0090q\u009c'.encode(), ('\u009b'.encode(), '\u0090'.encode(), b'\x9b2J')),
    ('bidirectional text', 'a\u202ebc\u2066d\u2069\u200fe'.encode(), ('\u202e'.encode(), '\u2066'.encode(), '\u200f'.encode())),
    ('what cannot be seen', 'a\u200bb\u00adc\ufeffd\U000e0041'.encode(), ('\u200b'.encode(), '\ufeff'.encode(), '\U000e0041'.encode())),
    ('no UTF-8', b'a\xff\xfe\xc0\x80b\xed\xa0\x80\xf5', (b'\xff', b'\xfe', b'\xc0\x80', b'\xed\xa0\x80')),
    ('200 characters', b'long' * 50, (b'long' * 25,)),
    ('200 wide characters', '\u57df'.encode() * 200, ('\u57df'.encode() * 60,)),
    ('a character with marks on it', b'a' + '\u0301'.encode() * 60 + b'z', ('\u0301'.encode() * 59,)),
    ('a name that is a number', b'(dom 2) v1 100.0', ()),
    ('formats', b'%s%n%d{0}$(id)`id`', ()),
)
SIZES = ((40, 10), (80, 24), (300, 100), (21, 6), (131, 37))
PLAIN = {'LC_ALL': 'C', 'LANG': 'C', 'NO_COLOR': '1'}
COLOUR = re.compile(rb'\x1b\[[0-9;]*3[0-7][;m]')


class Region:
    def __init__(self, path, name):
        self.process = subprocess.Popen([MADE, path, '3', '2', '2', name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not os.path.exists(path) and time.monotonic() < end:
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


VIEWS = dict(zip('123456', ('Domains', 'vCPUs', 'pCPUs', 'Depth', 'Latency', 'Paper')))


def faults(session, view):
    """What is not as it should be on a screen."""
    text = session.text()
    if session.lines >= 10 and not re.search(r'(?m)^%s( on| {2})' % VIEWS[view], text):
        return ['not the view']
    lines = text.splitlines()
    wrong = []
    if not text.startswith('xenmon'):
        wrong.append('no title')
    if view in '12' and session.lines >= 10:
        # The numbers of all lines end where the title of their column does.
        header = next((line for line in lines if re.search(r'run%', line) and 'wait%' in line), None)
        if header is None:
            return wrong + ['no titles']
        ends = [header.index(title) + len(title) for title in ('run%', 'wait%')]
        rows = [line for line in lines[lines.index(header) + 1:] if re.search(r'\d\.\d .*\d\.\d', line) and not line.startswith('All ')]
        want = {'1': 3, '2': 6}[view]
        if len(rows) < min(want, session.lines - 8):
            wrong.append('%d lines of domains' % len(rows))
        for row in rows:
            cells = session.screen.display[lines.index(row)]
            # pyte leaves nothing in the second cell of a wide character: columns are counted in its own buffer.
            place = session.screen.buffer[lines.index(row)]
            for end in ends:
                around = ''.join(place[x].data or ' ' for x in range(end - 4, end + 1))
                if not re.match(r'.*\d( |$)', around):
                    wrong.append('at column %d of "%s": "%s"' % (end, cells.rstrip(), around))
    if session.lines >= 24 and view in '12' and not re.search(r'guest|dom', text):
        wrong.append('the others are gone')
    return wrong


def test_views(path, what):
    """All views at all sizes, resized while it runs."""
    session = Session([XENMON, 'live', '--no-config', '--region', path, '--interval=200ms'])
    bad = []
    try:
        session.wait('run%', 20)
        for columns, lines in SIZES:
            session.resize(columns, lines)
            for view in '123456':
                session.send(view)
                if not session.wait(lambda s: not faults(s, view)):
                    bad.append('view %s at %dx%d: %s\n%s' % (view, columns, lines, faults(session, view), session.text()))
        session.send('q')
        code = session.wait_end()
    finally:
        session.close()
    check(not bad and code == 0, '%s: six views at %d sizes' % (what, len(SIZES)), detail='\n'.join(bad[:3]) + '\nended with %s' % code)
    return session.raw


def test_plain(path, what):
    """In a locale of ASCII, without colours: ASCII, and no colours."""
    session = Session([XENMON, 'live', '--no-config', '--region', path, '--interval=200ms'], env=PLAIN)
    bad = []
    try:
        session.wait('run%', 20)
        for view in '123456':
            session.send(view)
            if not session.wait(lambda s: not faults(s, view)):
                bad.append('view %s: %s\n%s' % (view, faults(session, view), session.text()))
        session.send('q')
        session.wait_end()
    finally:
        session.close()
    good = not bad and max(session.raw) < 128 and not COLOUR.search(session.raw)
    check(good, '%s: LANG=C, NO_COLOR' % what, detail='\n'.join(bad[:3]))
    return session.raw


def test_search(path, what, name):
    """What is typed meets the name as it is shown."""
    session = Session([XENMON, 'live', '--no-config', '--region', path, '--interval=200ms'])
    try:
        session.wait('run%', 20)
        session.send(b'/' + name + b'\r')
        session.pump(0.5)
        session.send(b'\x1b\x1b')
        session.pump(0.3)
        check(not session.ended() or session.wait_end() == 0, '%s: typed as a search, it does no harm' % what, session)
    finally:
        session.close()


# Names, and what is typed.
CASES = (('W\u00e9bserver', 'w\u00c9BS'), ('\u0411\u0430\u0437\u0430', '\u0431\u0410\u0417'),
         ('\u0395\u03bb\u03bb\u03ac\u03c2', '\u03bb\u03bb\u0386\u03a3'), ('Stra\u00dfe', 'STRA\u00dfE'))


def test_case(directory):
    """Filter and search do not mind the case of letters of any script; where the locale is one of ASCII, too."""
    for number, (name, typed) in enumerate(CASES):
        path = os.path.join(directory, 'case%d' % number)
        with Region(path, name.encode()):
            for env in ({}, PLAIN):
                shown = re.sub('[^ -~]', '?', name) if env else name
                what = '%s%s' % (name, ', LANG=C' if env else '')
                session = Session([XENMON, 'live', '--no-config', '--region', path, '--interval=200ms'], env=env)
                try:
                    session.wait(lambda s, shown=shown: shown in s.text() and 'guest' in s.text())
                    session.send('\\' + typed)
                    check(session.wait(lambda s, shown=shown: shown in s.text() and 'guest' not in s.text()),
                          '%s: filtered by %s' % (what, typed), session)
                    # A text with half a character is no text; then what is left of it.
                    session.send(b'\x15' + typed[:3].encode() + b'\xc3')
                    session.pump(0.3)
                    session.send('\x1b\x1b')
                    check(session.wait(lambda s: 'guest' in s.text() and 'Filter:' not in s.text()), '%s: and Esc is heard' % what,
                          session)
                    session.send('G/' + typed + '\r')
                    check(session.wait(lambda s, shown=shown: re.search('(?m)^>..' + re.escape(shown), s.text())),
                          '%s: found by %s' % (what, typed), session)
                    session.send('/nobody')
                    check(session.wait('no line has it'), '%s: and others are not' % what, session)
                finally:
                    session.close()


def main():
    with tempfile.TemporaryDirectory(prefix='xenmon-names-') as directory:
        for number, (what, name, never) in enumerate(NAMES):
            path = os.path.join(directory, 'shm%d' % number)
            with Region(path, name):
                raw = test_views(path, what) + test_plain(path, what)
                sent = [piece for piece in never if piece in raw]
                check(not sent, '%s: nothing of it is sent as it is' % what, detail=sent)
                if number % 4 == 1:
                    test_search(path, what, name)
                frame = subprocess.run([XENMON, 'live', '--no-config', '--region', path, '--once', '--width=90'],
                                       stdout=subprocess.PIPE, check=False).stdout
                check(frame.startswith(b'xenmon') and not any(piece in frame for piece in never), '%s: a frame of text' % what,
                      detail=frame)
        test_case(directory)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
