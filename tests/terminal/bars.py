#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is drawn: bars.py XENMON XENBAKED SOURCE_ROOT

The bars of states, of the host and of the pCPUs, the strips of the last minute, and the bar and the minute of one domain in
depth are read off the terminal, in UTF-8 and in ASCII, now and in the past, and compared with what tests/support/windows.py
makes of the region's samples: a bar within a cell, a strip within a level.  The same comparison must find fault with the
figures of another row, state or time.
"""
import os
import re
import subprocess
import sys
import tempfile

from session import Session, Tap

XENMON, XENBAKED, ROOT = (os.path.abspath(path) for path in sys.argv[1:4])
sys.path[:0] = [os.path.join(ROOT, 'contrib/python'), os.path.join(ROOT, 'tests/support')]
import windows  # noqa: E402
import xenmon_region  # noqa: E402
from replayed import Replayed  # noqa: E402

tap = Tap()
check = tap.check
NS = windows.NS
STATES = windows.STATES
STEPS = 60
# Running, waiting, blocked, offline, unknown, from the left.
GLYPHS = {True: '█▒· ?', False: '#w.-?'}
LEVELS = {True: ' ▁▂▃▄▅▆▇█', False: ' .:-=+*#'}
EIGHTHS = ' ▏▎▍▌▋▊▉█'
LOCALES = {True: 'C.UTF-8', False: 'C'}

# Loads unlike each other on pCPUs unlike each other, and changing within the minute.
SCENARIO = '''
[host]
cpus = 4
hz = 2.1GHz
scheduler = credit2
pages = 256

[domain Domain-0]
id = 0
role = nap
vcpus = 2
work = 2ms
pause = 6ms
cpus = 0

[domain early]
id = 1
role = hog
vcpus = 2
cpus = 1
to = 50s

[domain late]
id = 2
role = hog
vcpus = 3
cpus = 1-2
from = 30s

[domain half]
id = 3
role = nap
work = 5ms
pause = 5ms
cpus = 3

[domain little]
id = 4
role = nap
vcpus = 2
work = 1ms
pause = 30ms
cpus = 3

[domain other]
id = 5
role = nap
work = 4ms
pause = 2ms
cpus = 0
'''


# ---- What should be drawn.

class Past:
    """A region that stands still, at one of its samples."""

    def __init__(self, path, back):
        with xenmon_region.Region(path) as region:
            self.header = region.header()
            self.fast, self.slow = ([region.sample(name, i) for i in range(region.oldest(name), region.newest(name) + 1)]
                                    for name in ('fast', 'slow'))
        self.scale = windows.Scale(self.header['tsc_hz'])
        self.shown = self.fast[-1 - back]
        now = self.shown['host']['window']
        half = self.scale.cycles(self.header['fast_interval_ns'] // 2)
        upto = now + half - self.scale.cycles(NS)
        self.window = windows.Window([s for s in self.fast if s['host']['window'] <= upto][-1], self.shown, self.scale)
        # The slow samples up to the one on show; of each two that follow each other one step is made.
        upto = [s for s in self.slow if s['host']['window'] <= now]
        self.pairs = [None] * STEPS + list(zip(upto, upto[1:]))
        self.pairs = self.pairs[-STEPS:]

    def rows(self, kind):
        return [row for row in self.shown[kind] if not row.get('ended')]

    def vcpus(self, domain):
        return [row for row in self.shown['vcpu'] if self.shown['vcpu_domain'][row['slot']] == domain['slot']]

    def name(self, row):
        return ('Domain-0 (dom 0)' if windows.domid(row) == 0 else 'dom %d' % windows.domid(row))


def shares(u, names):
    """Parts of what they add up to."""
    whole = sum(u[name] for name in names)
    return [u[name] / whole for name in names]


def states_of(u):
    return shares(u, STATES)


def pcpu_states(u):
    busy, switching, idle, unknown = shares(u, ('busy', 'switching', 'idle', 'unknown'))
    return [busy, switching, idle, 0.0, unknown]


def minute(past, domain):
    """How much of each step it was in each state; None: not known."""
    steps = []
    for pair in past.pairs:
        window = windows.Window(*pair, past.scale) if pair else None
        now, then = window._pair('domain', domain['slot']) if pair else (None, None)
        if not now or not then or now['id'] != domain['id']:
            steps.append(None)
            continue
        own = {name: now[name] - then[name] for name in STATES}
        if now['vcpus'] != then['vcpus']:
            its = [window._vcpu_cycles(v) for v, d in pair[1]['vcpu_domain'].items() if d == domain['slot']]
            own = {name: sum(one[name] for one in its) for name in STATES}
        whole = sum(own.values())
        steps.append([own[state] / whole for state in STATES] if whole else None)
    return steps


def trail(past, domain, state):
    """How much of each step it was in the state; None: not known."""
    return [step and step[STATES.index(state)] for step in minute(past, domain)]


def host_trail(past):
    steps = []
    for pair in past.pairs:
        if not pair:
            steps.append(None)
            continue
        window = windows.Window(*pair, past.scale)
        rows = [r for r in (window._pair('pcpu', row['slot']) for row in pair[1]['pcpu']) if r[1]]
        whole, busy = (sum(now[name] - then[name] for now, then in rows for name in names)
                       for names in (('busy', 'idle', 'switching', 'unknown'), ('busy',)))
        steps.append(busy / whole if whole else None)
    return steps


def averaged(steps, width):
    """The means of the known ones that share a cell."""
    cells = []
    for i in range(width):
        known = [s for s in steps[i * STEPS // width:(i + 1) * STEPS // width] if s is not None]
        cells.append(sum(known) / len(known) if known else None)
    return cells


# ---- What is wrong with what is drawn.

def faults_of_bar(text, parts, utf8):
    """Parts side by side: in their order, each within a cell; none is left out, and the largest makes room for that."""
    width, glyphs = len(text), GLYPHS[utf8]
    cells = [text.count(glyph) for glyph in glyphs]
    if text != ''.join(glyph * n for glyph, n in zip(glyphs, cells)):
        return ['"%s": not side by side' % text]
    largest = parts.index(max(parts))
    little = sum(0 < part * width < 1 for part in parts)
    faults = []
    for i, (part, n) in enumerate(zip(parts, cells)):
        if (part > 0) != (n > 0) or abs(n - part * width) >= (1 + little if i == largest else 1):
            faults.append('"%s": %d cells of state %d, should be %.2f' % (text, n, i, part * width))
    return faults


def faults_of_length(text, part, utf8):
    """A single bar: within a step; empty only for nothing, full only for all."""
    if not utf8:
        length, steps, good = text.count('#'), len(text), re.fullmatch('#* *', text)
    else:
        length, steps = sum(EIGHTHS.find(c) for c in text), 8 * len(text)
        good = re.fullmatch('█*[▏▎▍▌▋▊▉]? *', text)
    if not good or abs(length - part * steps) > 1 or (length == 0) != (part == 0) or (length == steps) != (part == 1):
        return ['"%s": should be %.2f of %d steps' % (text, part * steps, steps)]
    return []


def faults_of_strip(text, cells, utf8):
    """Each cell within a level; a blank for nothing, or what is not known."""
    levels = LEVELS[utf8]
    if len(text) != len(cells):
        return ['"%s": %d cells' % (text, len(cells))]
    faults = []
    for at, (glyph, value) in enumerate(zip(text, cells)):
        level, exact = levels.find(glyph), (value or 0) * (len(levels) - 1)
        # A thousandth is what a step is kept in.
        seen = level > 0 if (value or 0) > 0.002 else level == 0 if not value else True
        if level < 0 or not seen or abs(level - (-(-exact // 1))) > 1:
            faults.append('"%s", cell %d: level %d, should be %.2f' % (text, at, level, exact))
    return faults


def faults_of_minute(lines, steps, utf8):
    """Columns: running from the bottom on within a step, what waited on top of it within a cell and a half, what it slept takes the rest."""
    rows, glyphs = len(lines), GLYPHS[utf8]
    up = LEVELS[True][1:] if utf8 else '#'
    faults = [] if rows else ['no minute']
    for at, parts in enumerate(steps if rows else []):
        column = ''.join(line[at:at + 1] for line in lines)[::-1]
        run = sum(up.find(c) + 1 for c in column)
        cells = [sum(c == g or (g == '▒' and c == '░') for c in column) for g in glyphs]
        if parts is None:
            if column.strip():
                faults.append('column %d, "%s": should be empty' % (at, column))
            continue
        most = len(up) * (rows - (parts[1] > 0)) # what waited at all has a cell
        waits = parts[1] * rows
        if (not re.fullmatch('█*[▁▂▃▄▅▆▇]?[▒░]*·*' if utf8 else '#*w*[.]*', column)
                or abs(run - min(parts[0] * rows * len(up), most)) > 1.01 or (parts[1] > 0.002) > (cells[1] > 0)
                or abs(cells[1] - waits) > 1.51 or (cells[2] > 0 and parts[2] == 0)):
            faults.append('column %d, "%s": should be %.2f steps, and %.2f cells' % (at, column, parts[0] * rows * len(up), waits))
    return faults


# ---- What is on the screen.

def header_of(text, title):
    """The line of titles, and the column that one begins at."""
    return next(((line, line.index(title)) for line in text.splitlines() if title in line and 'every' not in line), ('', -1))


def line_of(text, name):
    return next((line for line in text.splitlines() if line[1:].startswith(name + ' ') or line[3:].startswith(name + ' ')), None)


def cut(text, name, title, width, right=False):
    """`width` cells under a title: from where it begins, or (right) up to where it ends."""
    line, (header, x) = line_of(text, name), header_of(text, title)
    if line is None or x < 0:
        return 'no %s of %s' % (title, name)
    end = x + len(title) if right else x + width
    return line.ljust(end)[end - width:end]


def between(text, begin, end):
    found = re.search(re.escape(begin) + '(.*?)' + re.escape(end), text)
    return found.group(1) if found else 'no ' + begin


RUN, WAIT = 'run, 1 min', 'wait, 1 min'


def domain_parts(past):
    """(what, cells of the text, faults of them given parts, the parts): of each domain its bar and its strips."""
    for row in past.rows('domain'):
        name = past.name(row)
        yield ((name, 'states'), lambda t, name=name: cut(t, name, 'states', 7), faults_of_bar,
               states_of(past.window.domain(row['slot'])))
        for title, state in ((RUN, 'running'), (WAIT, 'runnable')):
            yield ((name, title), lambda t, name=name, title=title: cut(t, name, title, 15, True), faults_of_strip,
                   averaged(trail(past, row, state), 15))


def vcpu_parts(past):
    for domain in past.rows('domain'):
        for row in past.vcpus(domain):
            name = '%s v%d' % (past.name(domain), windows.vcpu_number(row))
            yield ((name, 'states'), lambda t, name=name: cut(t, name, 'states', 7), faults_of_bar,
                   states_of(past.window.vcpu(row['slot'])))


def pcpu_parts(past):
    for row in past.rows('pcpu'):
        name = 'CPU %d' % (row['id'] & 0xffff)
        yield ((name, 'bar'), lambda t, name=name: cut(t, name, 'busy, idle', 13), faults_of_bar,
               pcpu_states(past.window.pcpu(row['slot'])))


def lines_after(text, what):
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if line.startswith(what)), len(lines))
    return lines[at:]


LABEL = 8 # cells before what is drawn in depth


def bar_in_depth(text, width, utf8):
    """Under what is said of the states, however many lines that takes."""
    drawn = set(GLYPHS[utf8])
    line = next((line[LABEL:] for line in lines_after(text, 'Time')[1:] if line[LABEL:].strip() and set(line[LABEL:]) <= drawn), 'no bar')
    return line.ljust(width - LABEL)


def minute_in_depth(text):
    lines = lines_after(text, '100%')
    bottom = next((i for i, line in enumerate(lines) if line.startswith('0 ')), -1)
    return [line[LABEL:].ljust(STEPS)[:STEPS] for line in lines[:bottom + 1]]


def depth_parts(past, row, width, utf8):
    name = past.name(row)
    yield (name, 'states'), lambda t: bar_in_depth(t, width, utf8), faults_of_bar, states_of(past.window.domain(row['slot']))
    yield (name, 'minute'), minute_in_depth, faults_of_minute, minute(past, row)


def host_parts(past, width):
    us = [past.window.pcpu(row['slot']) for row in past.rows('pcpu')]
    busy = sum(u['busy'] for u in us) / sum(u['window'] for u in us)
    yield ('host', 'length'), lambda t: between(t, 'Host [', '] '), faults_of_length, busy
    if width >= 200:
        yield ('host', 'strip'), lambda t: between(t, '1 min [', ']\n'), faults_of_strip, averaged(host_trail(past), 60)


# With the columns asked for; and (UTF-8, width, samples back) of each screen.
SCREENS = ((True, 200, 0), (False, 200, 0), (True, 200, 180))
VIEWS = (('domains', domain_parts, ('states', 'run', 'wait', 'run_trail', 'wait_trail'),
          (*SCREENS, (True, 126, 0), (False, 126, 0), (False, 126, 180))),
         ('vcpus', vcpu_parts, ('states', 'run', 'wait'), SCREENS), ('pcpus', pcpu_parts, ('bar', 'busy', 'idle'), SCREENS))


DEPTHS = ((True, 100, 0), (False, 80, 0), (True, 80, 180)) # one column: the bar has its whole width


def another(parts, name):
    """The figures of others, which must not do: the kind of what is drawn, and what else there is of that kind."""
    return [(what, figures) for what, _, _, figures in parts if what[1] == name[1] and what[0] != name[0]]


def check_screen(past, path, view, make, columns, utf8, width, back):
    """One view at one time: what is drawn is right.  Its text, and the parts."""
    parts = [*make(past), *host_parts(past, width)]
    session = screen_of(path, view, utf8, width, back, '--columns=' + ','.join(columns))
    try:
        return compared(session, parts, title_of(view, utf8, width, back), utf8), parts
    finally:
        session.close()


def title_of(view, utf8, width, back):
    return '%s, %s, %d columns, %d back' % (view, 'UTF-8' if utf8 else 'ASCII', width, back)


def screen_of(path, view, utf8, width, back, *words):
    session = Session([XENMON, 'live', '--no-config', '--no-mouse', '--interval=100ms', '--region', path, '--view', view, *words],
                      columns=width, lines=40, env={'LC_ALL': LOCALES[utf8], 'LANG': LOCALES[utf8]})
    session.wait('Trace ')
    session.send('[' * back)
    return session


def compared(session, parts, title, utf8):
    """Waits until the screen is as it should be.  Its text."""
    def faults(text):
        return [': '.join((*map(str, what), fault)) for what, get, judge, figures in parts for fault in judge(get(text), figures, utf8)]
    good = session.wait(lambda s: not faults(s.text() + '\n'))
    text = session.text() + '\n'
    check(good, '%s: %d bars and strips' % (title, len(parts)), detail='\n'.join([*faults(text), text]))
    return text


def check_depths(past, path, utf8, width, back):
    """One domain after the other in depth: what is drawn is right, and no other domain's, nor another time's, would do."""
    title = title_of('domain', utf8, width, back)
    session = screen_of(path, 'domain', utf8, width, back)
    left, seen = past.rows('domain'), []

    def on_show():
        return next((row for row in left if session.line(past.name(row)).startswith(past.name(row) + ' ')), None)
    try:
        while left and session.wait(lambda _: on_show()): # in the order of the table
            row = on_show()
            parts = [*depth_parts(past, row, width, utf8)]
            seen.append((compared(session, parts, '%s, %s' % (title, past.name(row)), utf8), parts))
            left.remove(row)
            session.send('>')
    finally:
        session.close()
    same, tried = [], 0
    for text, parts in seen:
        for _, others in seen:
            for (what, get, judge, figures), (other, _, _, theirs) in zip(parts, others):
                if what == other or much_alike(figures, theirs):
                    continue
                tried += 1
                if not judge(get(text), theirs, utf8):
                    same.append((what, other))
        what, get, judge, figures = parts[1]
        moved = [*figures[7:], *figures[:7]]
        if not much_alike(figures, moved):
            tried += 1
            if not judge(get(text), moved, utf8):
                same.append((what, 'another time'))
    check(not left and tried >= 8 and not same, '%s: of %d others none would do' % (title, tried), detail=same)


def much_alike(figures, theirs):
    """So much that they cannot be told apart in four cells: shares of states, or such of a minute's steps."""
    pairs = zip(figures, theirs) if figures and isinstance(figures[0], (list, type(None))) else [(figures, theirs)]
    return all((a is None and b is None) or (a and b and max(abs(a[0] - b[0]), abs(a[1] - b[1])) < 0.6) for a, b in pairs)


def told_apart(text, parts, utf8):
    """How many pairs of rows were compared with each other's figures, and how many were taken for each other."""
    tried, same = 0, []
    for what, get, judge, figures in parts:
        for other, theirs in another(parts, what):
            steps = 7 if judge is faults_of_strip else len(get(text))
            if max(abs((a or 0) - (b or 0)) for a, b in zip(theirs, figures)) * steps < 3.5:
                continue  # too much alike to be told apart in so few cells
            tried += 1
            if not judge(get(text), theirs, utf8):
                same.append((what, other))
    return tried, same


def check_power(text, parts, utf8, view):
    """The comparison finds fault with another row's figures, with states that are mixed up, and with another time's."""
    tried, same = told_apart(text, parts, utf8)
    check(tried >= 4 and not same, '%s: of %d rows no other one\'s figures would do' % (view, tried), detail=same)
    mixed = [what for what, get, judge, figures in parts if judge is faults_of_bar and max(figures) - min(figures[:3]) > 0.3
             and not judge(get(text), [figures[2], figures[0], figures[1], *figures[3:]], utf8)]
    check(not mixed, '%s: nor other states' % view, detail=mixed)
    moved = [bool(judge(get(text), [*figures[4:], *figures[:4]], utf8)) for what, get, judge, figures in parts
             if judge is faults_of_strip and max(f or 0 for f in figures) - min(f or 0 for f in figures) > 0.3]
    check(all(moved), '%s: nor another time\'s' % view, detail=moved)
    return len(moved)


def main():
    with tempfile.TemporaryDirectory(prefix='xenmon-bars-') as directory:
        scenario, trace = (os.path.join(directory, name) for name in ('sim.ini', 'sim.trace'))
        with open(scenario, 'w', encoding='utf-8') as file:
            file.write(SCENARIO)
        subprocess.run([XENMON, 'sim', scenario, '--duration=66s', '--seed=5', '-q', '-o', trace], check=True)
        moved = 0
        with Replayed(XENBAKED, directory, trace) as path:
            pasts = {back: Past(path, back) for back in (0, 180)}
            for view, make, columns, screens in VIEWS:
                for utf8, width, back in screens:
                    text, parts = check_screen(pasts[back], path, view, make, columns, utf8, width, back)
                    moved += check_power(text, parts, utf8, '%s, %d columns, %d back' % (view, width, back))
            for utf8, width, back in DEPTHS:
                check_depths(pasts[back], path, utf8, width, back)
        check(moved >= 12, 'and %d strips changed within the minute' % moved)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
