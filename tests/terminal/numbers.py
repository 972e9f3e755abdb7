#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every number of every view: numbers.py XENMON XENBAKED SOURCE_ROOT

In each view, window, unit and position in time the cells on the terminal are compared, to the last digit shown, with what
tests/support/windows.py computes from the region's samples; for a whole trace also with xenmon report.
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

from session import Session, Tap

XENMON, XENBAKED, ROOT = (os.path.abspath(path) for path in sys.argv[1:4])
sys.path[:0] = [os.path.join(ROOT, 'contrib/python'), os.path.join(ROOT, 'tests/support')]
import windows  # noqa: E402
import xenmon_region  # noqa: E402
from replayed import Replayed  # noqa: E402

tap = Tap()
check = tap.check
NS = windows.NS
IDLE = 32767
STATES = windows.STATES
WORDS = ('running', 'waiting', 'blocked', 'offline', 'unknown')
UNITS = ('vcpus', 'cpu', 'ms')
BASES = {'vcpus': "% of the vCPUs' time", 'cpu': "% of one CPU's time", 'ms': 'ms of each second'}

# ---- How numbers are written (src/view/format.h, and the screen's own).


def four_digits(value, factor, unit):
    for decimals in (3, 2, 1):
        scaled = (value * 10**decimals + factor // 2) // factor
        if scaled < 10000:
            return '%d.%0*d %s' % (scaled // 10**decimals, decimals, scaled % 10**decimals, unit)
    return '%d %s' % ((value + factor // 2) // factor, unit)


def duration(ns):
    if ns < 1000:
        return '%d ns' % ns
    for limit, factor, unit in ((999950, 1000, 'us'), (999950000, 10**6, 'ms'), (999999 * NS, NS, 's')):
        if ns < limit:
            return four_digits(ns, factor, unit)
    return '%.1e s' % (ns / NS)


def number(value):
    for limit, digits in ((9.9995, 3), (99.995, 2), (999.95, 1), (99999999, 0)):
        if value < limit:
            return '%.*f' % (digits, value)
    return '%.2e' % value


def percent(value):
    return '<0.1%' if 0 < value < 0.05 else '%.1f%%' % value


def count(value, width=8):
    """Cut off, not rounded."""
    if len(str(value)) <= width:
        return str(value)
    factor, prefix = 1, -1
    while value // factor >= 1000 and prefix < 5:
        factor, prefix = factor * 1000, prefix + 1
    whole = value // factor
    decimals = min(max(width - 2 - len(str(whole)), 0), 2)
    rest = value % factor // (factor // 10**decimals)
    return '%d%s%s' % (whole, '.%0*d' % (decimals, rest) if decimals else '', 'kMGTPE'[prefix])


def size(value):
    unit = 0
    while unit < 6 and value >= 999.5:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    return '%.*f %s' % (digits, value, ('B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB')[unit])


def rate(value):
    return '%.*f' % (1 if value < 99.95 else 0, value) if value < 99999.5 else count(int(value), 5)


def paper_rate(value):
    return '%.1f/s' % value if value < 99.95 else '%.0f/s' % value if value < 9999.5 else '%.0fk/s' % (value / 1000)


def share(part, of, window, units):
    whole = of if units == 'vcpus' else window
    if not whole:
        return '-'
    value = (1000 if units == 'ms' else 100) * float(part) / float(whole)
    return '<0.1' if part and value < 0.05 else '%.*f' % (1 if value < 999.95 else 0, value)


# ---- Numbers of the table of columns, by id: how, from what (None: not known), and which of the region's metrics they need.

def quotient(part, whole, factor=1):
    return None if part is None or not whole else factor * float(part) / float(whole)


def per_s(name):
    return lambda u: quotient(u[name], u['window'], float(NS))


def average(name, by='executions'):
    return lambda u: quotient(u[name], u[by])


def of_window(name):
    return lambda u: quotient(u[name], u['window'], 100)


def of_vcpus(name):
    return lambda u: quotient(u[name], u['window'] * u['vcpus'], 100)


def plain(name):
    return lambda u: u.get(name)


def slices(name):
    return lambda u: u[name] if u['slices_known'] else None


def rounded_duration(value):
    """As llround() has it: half away from 0."""
    return duration(int(value + 0.5))


def told(name, condition=None):
    """A gauge that the toolstack gave; 0: it gave none."""
    return lambda u: None if 'last_only' in u or not u['row'][condition or name] else u['row'][name]


def traffic(name, device, timed):
    def get(u):
        if 'last_only' in u or not u['row'][device]:
            return None
        return quotient(u[name], u['window'], float(NS)) if timed else u[name]
    return get


IO = ('page_transfers', 'grant_maps', 'done_transfers', 'done_maps')
COLUMNS = {'window_ns': (duration, plain('window'), ()), 'executions': (count, plain('executions'), ('executions',)),
           'executions_per_s': (rate, per_s('executions'), ('executions',)),
           'wait_any_ns': (duration, plain('wait_any'), ('wait_any',)),
           'wait_any_pct': (percent, of_window('wait_any'), ('wait_any',)),
           'wait_after_wake_ns': (duration, plain('wait_wake'), ('wait_wake',)),
           'wait_after_preemption_ns': (duration, plain('wait_preempt'), ('wait_preempt',)),
           'wait_other_ns': (duration, plain('wait_other'), ('wait_other',)),
           'allocated_count': (count, plain('slices'), ('slices',)),
           'allocated_sum_ns': (duration, plain('slice_sum'), ('slice_sum',)),
           'allocated_avg_ns': (rounded_duration, average('slice_sum', 'slices'), ('slice_sum',)),
           'allocated_min_ns': (duration, slices('slice_min'), ('slice_min',)),
           'allocated_max_ns': (duration, slices('slice_max'), ('slice_max',)),
           'io_count': (count, plain('io'), IO), 'io_per_s': (rate, per_s('io'), IO),
           'io_per_execution': (number, average('io'), (*IO, 'executions')),
           'blocked_per_io_ns': (rounded_duration, lambda u: quotient(u['blocked'], u['io']), (*IO, 'blocked')),
           'grant_copies_issued': (count, plain('done_copies'), ('done_copies',)),
           'done_page_transfers': (count, plain('done_transfers'), ('done_transfers',)),
           'done_grant_maps': (count, plain('done_maps'), ('done_maps',)),
           'done_grant_unmaps': (count, plain('done_unmaps'), ('done_unmaps',)),
           'weight': (count, told('weight'), ('weight',)), 'cap_pct': (count, told('cap', 'weight'), ('cap',)),
           'online_vcpus': (count, told('online'), ('online',)), 'paused': (count, told('paused', 'online'), ('paused',))}
for _state in ('running', 'runnable', 'blocked'):
    COLUMNS[_state + '_of_vcpus_pct'] = percent, of_vcpus(_state), (_state,)
    COLUMNS[_state + '_per_execution_ns'] = rounded_duration, average(_state), (_state, 'executions')
for _state in STATES:
    COLUMNS[_state + '_ns'] = duration, plain(_state), (_state,)
    COLUMNS[_state + '_pct'] = percent, of_window(_state), (_state,)
for _name in ('migrations', 'preemptions', 'yields', 'page_transfers', 'grant_maps', 'grant_unmaps'):
    COLUMNS[_name] = count, plain(_name), (_name,)
for _name, _metric, _device, _bytes in (
        ('net_received_bytes', 'received_bytes', 'vifs', True), ('net_received_packets', 'received_packets', 'vifs', False),
        ('net_sent_bytes', 'sent_bytes', 'vifs', True), ('net_sent_packets', 'sent_packets', 'vifs', False),
        ('disk_reads', 'disk_reads', 'vbds', False), ('disk_writes', 'disk_writes', 'vbds', False),
        ('disk_read_bytes', 'disk_read_bytes', 'vbds', True), ('disk_write_bytes', 'disk_write_bytes', 'vbds', True)):
    COLUMNS[_name] = size if _bytes else count, traffic(_metric, _device, False), (_metric,)
    COLUMNS[_name + '_per_s'] = size if _bytes else number, traffic(_metric, _device, True), (_metric,)
# Those that are not of times or of what the vCPUs did: known of a domain that left no record too.
TOLD = ('online_vcpus', 'paused', 'weight', 'cap_pct', 'net_', 'disk_', 'unknown', 'window', 'io_', 'grant_', 'page_', 'done_')
# The screen's own columns that are shares of time: of what, never of all vCPUs' together, of one pCPU's in its view.
SHARES = {'run': 'running', 'wait': 'runnable', 'block': 'blocked', 'off': 'offline', 'unknown': 'unknown', 'any': 'wait_any',
          'wake': 'wait_wake', 'preempt': 'wait_preempt', 'other': 'wait_other'}
ON_CPU = ('run', 'wait')
NUMBERS = [name for name in COLUMNS if name not in ('executions_per_s', 'io_per_s')]
DOMAIN_COLUMNS = ['state', *SHARES, 'executions_per_s', 'wait_max_ns', 'io_per_s', 'vcpus', 'domid', *NUMBERS]
NOT_OF_VCPUS = ('any', 'io_per_s', 'vcpus', 'wait_any_ns', 'wait_any_pct', 'blocked_per_io_ns', 'online_vcpus', 'paused',
                'weight', 'cap_pct', 'grant_copies_issued', 'page_transfers', 'io_count', 'io_per_execution')
VCPU_COLUMNS = [name for name in DOMAIN_COLUMNS if name not in NOT_OF_VCPUS and
                not name.startswith(('net_', 'disk_', 'grant_', 'done_'))] + ['cpu', 'vcpu']
PCPU_COLUMNS = ['busy', 'queue', 'current', 'idle', 'executions_per_s', 'switching', 'unknown', 'lost']
LATENCY_COLUMNS = ['wait_p50_ns', 'wait_p95_ns', 'wait_p99_ns', 'wait_max_ns', 'over_1ms', 'over_10ms', 'waits', 'run_p50_ns',
                   'run_p95_ns', 'run_p99_ns', 'blocked_p50_ns', 'blocked_p95_ns', 'blocked_p99_ns', 'wait_longest_ns', 'runs',
                   'blocks']


# ---- What should be on the screen.

class Past:
    """All of a region that stands still."""

    def __init__(self, path):
        self.region = xenmon_region.Region(path)
        self.header = self.region.header()
        self.scale = windows.Scale(self.header['tsc_hz'])
        self.series = {}
        for name in ('fast', 'slow'):
            newest = self.region.newest(name)
            self.series[name] = {i: self.region.sample(name, i) for i in range(self.region.oldest(name), newest + 1)}
        FAST_METRICS.update({kind: list(self.region.by_name['fast_' + kind].by_name) for kind in ('domain', 'vcpu', 'pcpu')})
        self.series['slow'] = {i: filled(s, s) for i, s in self.series['slow'].items()}
        self.slow_metrics = {kind: set(self.region.by_name['slow_' + kind].by_name) for kind in ('domain', 'vcpu', 'pcpu')}
        self.facts = {row['slot']: self.region.domain(row['slot']) for row in self.newest()['domain']}

    def newest(self):
        return self.series['fast'][max(self.series['fast'])]

    def last_upto(self, series, cycles):
        """The last sample no later; the oldest, and False, where all are later."""
        found = [i for i, s in self.series[series].items() if s['host']['window'] <= cycles]
        return (max(found), True) if found else (min(self.series[series]), False)

    def beginning(self, series, shown, cycles):
        """The index of the sample nearest to `cycles` before the one on show; None: the trace's beginning.  And whether the
        series reaches so far back."""
        now = shown['host']['window']
        half = min(self.scale.cycles(self.header[series + '_interval_ns'] // 2), now)
        if now + half <= cycles:
            return None, True
        index, reaches = self.last_upto(series, now + half - cycles if half < cycles else now)
        if not reaches and index == 0:
            return None, True
        if series == shown['series'] and index == shown['index']:
            return (index - 1, reaches) if index else (None, True)
        return index, reaches

    def window(self, shown, ns, chosen=True):
        """The window of so many ns that ends with the sample, and whether it lacks what the slow series lacks."""
        series, cycles = shown['series'], self.scale.cycles(ns)
        index, reaches = self.beginning(series, shown, cycles)
        if chosen and series == 'fast' and not reaches:
            further = self.beginning('slow', shown, cycles)[0]
            oldest = self.series['fast'][min(self.series['fast'])]['host']['window']
            if further is None or self.series['slow'][further]['host']['window'] < oldest:
                series, index = 'slow', further
        before = None if index is None else self.series[series][index]
        between = []
        if shown['series'] == 'fast':
            start = before['host']['window'] if before else -1
            between = [s for i, s in self.series['fast'].items() if start < s['host']['window'] and i < shown['index']]
        coarse = shown['series'] == 'slow' or (before is not None and series == 'slow')
        return windows.Window(filled(before, shown), shown, self.scale, self.header['io_seen'], between), coarse

    def name(self, row, bare=False):
        """What a domain is called; its number in brackets where there is room."""
        dom = 'dom %d' % windows.domid(row) + ('#%d' % windows.instance(row) if windows.instance(row) else '')
        facts = self.facts.get(row['slot'])
        if not facts or facts['id'] != row['id'] or not facts['name']:
            return dom
        return facts['name'] if bare else '%s (%s)' % (facts['name'], dom)


def filled(sample, like):
    """A sample of the slow series with what only the fast one has: as it is in the rows of `like`, so that nothing of it
    happened in between; else 0, and no state known.  None of that is on the screen, but for the states."""
    if sample is None or sample['series'] == like['series'] == 'fast':
        return sample
    same = sample is like
    result = {**sample, 'pair': {}}
    result.pop('by_slot', None)
    for kind in ('vcpu', 'domain', 'pcpu'):
        names = FAST_METRICS[kind]
        rows = {} if same else {(row['slot'], row['id']): row for row in like[kind]}
        blank = {**dict.fromkeys(names, 0), 'state': 4, 'slice_min': windows.NONE}
        result[kind] = [{**blank, **rows.get((row['slot'], row['id']), {}), **row} for row in sample[kind]]
    return result


FAST_METRICS = {}


class View:
    """One setting of the screen: a sample, a window, units; and what then should be in each cell."""

    def __init__(self, past, shown, window, units, cpu=None):
        self.past, self.shown, self.units, self.cpu = past, shown, units, cpu
        self.last = window == 'last'
        self.w, self.coarse = past.window(shown, NS if self.last else window)
        self.one, _ = past.window(shown, NS, False)
        self.ten, _ = past.window(shown, 10 * NS, False)
        self.coarse_now = shown['series'] == 'slow'

    def domain(self, slot):
        if self.last:
            u = None if self.coarse else self.w.last('domain', slot)
            if u:
                u['last_only'] = True
            return u
        if self.cpu is not None:
            return None if self.coarse else self.w.pair(slot, self.cpu)
        return self.w.domain(slot)

    def domain_for(self, slot, name):
        """What a column is of: in the view of one pCPU only running, waiting and executions are of it."""
        of_it = name in ON_CPU or name.startswith(('running_', 'runnable_', 'executions'))
        return self.domain(slot) if self.cpu is None or self.last or of_it else self.w.domain(slot)

    def vcpu(self, slot):
        if self.last:
            return None if self.coarse else self.w.last('vcpu', slot)
        return self.w.vcpu(slot)

    def known(self, kind, u, metrics, name):
        if u is None or (self.coarse and not set(metrics) <= self.past.slow_metrics[kind]):
            return False
        return not (u['unknown'] == u['span'] and u['executions'] == 0) or name.startswith(TOLD)

    def figure(self, kind, u, name):
        form, get, metrics = COLUMNS[name]
        value = get(u) if self.known(kind, u, metrics, name) else None
        return '-' if value is None else form(value)

    def share_of(self, kind, u, name):
        part = SHARES[name]
        if not self.known(kind, u, (part,), name):
            return '-'
        of_cpu = self.cpu is not None and kind == 'domain' and name in ON_CPU
        return share(u[part], u['window'] * (1 if of_cpu or name == 'any' else u['vcpus']), u['window'], self.units)

    def longest(self, kind, u):
        return duration(u['wait_max']) if self.known(kind, u, ('wait_max',), 'wait_max') and u['wait_max'] else '-'

    def state(self, row, kind):
        if kind == 'vcpu':
            state = 4 if self.coarse_now else row['state'] & 7
            guess = WORDS[row['state'] >> 8 & 3] + '?' if not self.coarse_now and row['state'] & 16 and state >= 4 else None
            return guess or WORDS[min(state, 4)]
        if row.get('ended'):
            return 'ended'
        its = {4 if self.coarse_now else min(v['state'] & 7, 4) for v in self.shown['vcpu']
               if self.shown['vcpu_domain'][v['slot']] == row['slot']}
        return ''.join(letter if i in its else '-' for i, letter in enumerate('rwbo?'))

    def cell(self, kind, row, u, name):
        if name in SHARES:
            return self.share_of(kind, u, name)
        if name == 'state':
            return self.state(row, kind)
        if name == 'wait_max_ns':
            return self.longest(kind, u)
        if name == 'vcpus':
            online = row.get('online', 0)
            return '%d/%d' % (online, row['vcpus']) if online and online != row['vcpus'] else '%d' % row['vcpus']
        if name == 'domid':
            return '%d' % windows.domid(row) + ('#%d' % windows.instance(row) if windows.instance(row) else '')
        if name == 'cpu':
            return '%d' % (row['pcpu'] - 1) if row.get('pcpu') else '-'
        if name == 'vcpu':
            return '%d' % windows.vcpu_number(row)
        return self.figure(kind, u, name)


def squeeze(text):
    return ' '.join(text.split())


def place_of(name, text):
    """The line of a table whose name this is."""
    return next((line[3:] if line[3:].startswith(name + ' ') else line[1:] for line in text.splitlines()
                 if line[1:].startswith(name + ' ') or line[3:].startswith(name + ' ')), None)


def faults_of_lines(wanted, text):
    """wanted: name -> (cells, whether the line may be missing)."""
    faults = []
    for name, (cells, optional) in wanted.items():
        line = place_of(name, text)
        found = squeeze(line[len(name):]) if line else None
        if found is None and optional:
            continue
        if found != squeeze(' '.join(cells)):
            faults.append('%s\n  has    %s\n  should %s' % (name, found, squeeze(' '.join(cells))))
    return faults


def wanted_domains(view, past):
    return {past.name(row): ([view.cell('domain', row, view.domain_for(row['slot'], c), c) for c in DOMAIN_COLUMNS],
                             bool(row.get('ended'))) for row in view.shown['domain']}


def wanted_vcpus(view, past):
    wanted = {}
    domains = {row['slot']: row for row in view.shown['domain']}
    for row in view.shown['vcpu']:
        domain = domains.get(view.shown['vcpu_domain'][row['slot']])
        if domain and (view.cpu is None or row['pcpu'] in (0, number_of(view, view.cpu) + 1)):
            wanted['%s v%d' % (past.name(domain), windows.vcpu_number(row))] = \
                [view.cell('vcpu', row, view.vcpu(row['slot']), c) for c in VCPU_COLUMNS], bool(domain.get('ended'))
    return wanted


def number_of(view, slot):
    return windows.index(view.shown)['pcpu'][slot]['id'] & 0xffffffff


def on_it(view, past, row):
    current = row.get('current', 0)
    if not current:
        return 'unknown'
    if current & 0xffff == IDLE:
        return 'idle'
    its = [d for d in view.shown['domain'] if windows.domid(d) == current & 0xffff]
    live = [d for d in its if not d['ended']] or its[:1]
    name = past.name(live[-1], True) if live else 'dom %d' % (current & 0xffff)
    return '%s v%d' % (name if len(name) <= 16 else name[:15] + '~', current >> 16 & 0xffff)


def wanted_pcpus(view, past):
    wanted = {}
    for row in view.shown['pcpu']:
        u = view.w.pcpu(row['slot'])
        shares = {name: share(u[name], u['window'], u['window'], view.units) for name in ('busy', 'idle', 'switching', 'unknown')}
        waiting = sum(v['state'] & 15 == 1 and v['pcpu'] == (row['id'] & 0xffff) + 1 for v in view.shown['vcpu']) \
            if not view.coarse_now else 0
        cells = {**shares, 'queue': '-' if view.coarse_now else str(waiting), 'current': on_it(view, past, row),
                 'executions_per_s': '-' if view.coarse else rate(quotient(u['executions'], u['window'], float(NS))),
                 'lost': '-' if view.coarse else count(u['lost_records'], 6)}
        wanted['CPU %d' % (row['id'] & 0xffff)] = [cells[c] for c in PCPU_COLUMNS], False
    return wanted


def percentile(region, counts, p):
    """Cycles in the middle of the bucket that holds the ceil(p * n)-th value."""
    rank, seen = -(-sum(counts) * p // 100), 0
    for index, n in enumerate(counts):
        seen += n
        if n and seen >= rank:
            return middle(region, index)
    return 0


def middle(region, index):
    low = region.bucket_low(index)
    return low + (region.bucket_low(index + 1) - low) // 2


def histograms(past, slot, shown):
    total = {}
    for row in shown['vcpu']:
        if shown['vcpu_domain'][row['slot']] != slot:
            continue
        mine = past.region.histogram(row['slot'])
        if mine['id'] == row['id']:
            for kind in ('wait', 'execution', 'blocked'):
                total[kind] = [a + b for a, b in zip(total[kind], mine[kind])] if kind in total else list(mine[kind])
    return total


def lengths(past, counts):
    """p50, p95, p99 and the longest, as text; '-' where there is none."""
    if not sum(counts):
        return ['-'] * 4
    longest = max(i for i, n in enumerate(counts) if n)
    return [duration(past.scale.ns(c)) for c in (*(percentile(past.region, counts, p) for p in (50, 95, 99)),
                                                 middle(past.region, longest))]


def longer(past, counts, ns):
    over = sum(n for i, n in enumerate(counts) if n and past.scale.ns(middle(past.region, i)) > ns)
    return percent(100 * (float(over) / float(sum(counts)))) if sum(counts) else '-'


def wanted_latency(view, past):
    wanted = {}
    for row in view.shown['domain']:
        hist = histograms(past, row['slot'], view.shown)
        if not hist:
            continue
        wait, run, blocked = (lengths(past, hist[kind]) for kind in ('wait', 'execution', 'blocked'))
        cells = [*wait[:3], view.longest('domain', view.domain(row['slot'])), longer(past, hist['wait'], 10**6),
                 longer(past, hist['wait'], 10**7), count(sum(hist['wait']), 7), *run[:3], *blocked[:3], wait[3],
                 count(sum(hist['execution']), 7), count(sum(hist['blocked']), 7)]
        wanted[('ended: ' if row.get('ended') else '') + past.name(row)] = cells, bool(row.get('ended'))
    return wanted


# ---- One domain in depth: sentences that must be in the text.

def with_unit(text, units):
    return text if text == '-' else text + (' ms/s' if units == 'ms' else '%')


def depth_numbers(view, u, names):
    """Word and number, as the view has them; rates have a unit."""
    parts = []
    for word, name in names:
        text = view.figure('domain', u, name)
        if name.endswith('_per_s') and text != '-':
            value = COLUMNS[name][1](u)
            text = (size(value) if '_bytes' in name else number(value)) + '/s'
        parts.append('%s %s' % (word, text))
    return ' '.join(parts)


def depth_time(view, u):
    if not u or not u['window']:
        return []
    text = []
    for state, word in zip(STATES, WORDS):
        if state in ('offline', 'unknown') and not u[state]:
            continue
        text.append('%s %s' % (word, with_unit(share(u[state], u['span'], u['window'], view.units), view.units)))
    if not view.last and u['vcpus'] > 1:
        text.append('any vCPU waiting ' + with_unit(share(u['wait_any'], u['window'], u['window'], view.units), view.units))
    return text


def depth_waits(view, u):
    if view.last:
        return ['before it ' + view.figure('domain', u, 'runnable_ns')] if u else []
    text = []
    for word, name, part in (('after wake-up', 'wait_after_wake_ns', 'wait_wake'),
                             ('after preemption', 'wait_after_preemption_ns', 'wait_preempt'),
                             ('other', 'wait_other_ns', 'wait_other')):
        known = view.known('domain', u, (part,), name)
        text.append('%s %s' % (word, '%s (%s)' % (with_unit(share(u[part], u['span'], u['window'], view.units), view.units),
                                                  duration(u[part])) if known else '-'))
    return [' '.join([*text, 'longest ' + view.longest('domain', u)])]


def depth_runs(view, u):
    if view.last:
        return ['for %s slice %s' % (view.figure('domain', u, 'running_per_execution_ns'),
                                     view.figure('domain', u, 'allocated_min_ns'))] if u else []
    return [depth_numbers(view, u, (('executions', 'executions_per_s'), ('average', 'running_per_execution_ns'),
                                    ('preempted', 'preemptions'), ('yields', 'yields'), ('changed pCPU', 'migrations'),
                                    ('slices', 'allocated_min_ns'), ('to', 'allocated_max_ns'), ('average', 'allocated_avg_ns')))]


def depth_vcpus(view, slot):
    text = []
    for row in view.shown['vcpu']:
        if view.shown['vcpu_domain'][row['slot']] != slot:
            continue
        u = view.vcpu(row['slot'])
        cells = [view.cell('vcpu', row, u, c) for c in ('state', 'cpu', 'run', 'wait', 'block')]
        cells += [view.longest('vcpu', u), view.cell('vcpu', row, u, 'executions_per_s'), view.figure('vcpu', u, 'migrations')]
        text.append('v%d %s' % (windows.vcpu_number(row), ' '.join(cells)))
    return text


def depth_neighbours(view, past, slot):
    """Who had the pCPUs that it ran on, or waits on; the first five."""
    w = view.ten if view.coarse else view.w
    if view.coarse_now:
        return ['On CPUs -']
    ran = lambda d, p: w.cycles and pair_cycles(w, d, p)
    pcpus = windows.index(view.shown)['pcpu']
    its = {p for p in pcpus if ran(slot, p)}
    for v in view.shown['vcpu']:
        if view.shown['vcpu_domain'][v['slot']] == slot and v['state'] & 15 == 1 and v['pcpu']:
            its |= {p for p, row in pcpus.items() if row['id'] & 0xffffffff == v['pcpu'] - 1}
    if not its:
        return ['on none in this window']
    had = sorted(((-sum(ran(row['slot'], p) for p in its), row['slot'], row) for row in view.shown['domain']),
                 key=lambda h: h[:2])
    text = []
    for cycles, other, row in had[:5]:
        if cycles:
            text.append('%s %s' % ('itself' if other == slot else past.name(row, True),
                                   percent(100 * float(-cycles) / (float(w.cycles) * len(its)))))
    return [' '.join(text)]


def pair_cycles(w, domain, pcpu):
    now = w.now['pair'][domain, pcpu]['running']
    then = 0
    if w.before:
        same = all(windows.index(w.before)[kind].get(slot, {}).get('id') == windows.index(w.now)[kind][slot]['id']
                   for kind, slot in (('domain', domain), ('pcpu', pcpu)))
        then = w.before['pair'][domain, pcpu]['running'] if same else 0
    return now - then


def depth_io(view, u):
    return [depth_numbers(view, u, names) for names in (
        (('I/O pages', 'io_per_s'), ('per execution', 'io_per_execution'), ('blocked per page', 'blocked_per_io_ns')),
        (('own flipped', 'page_transfers'), ('mapped', 'grant_maps'), ('unmapped', 'grant_unmaps')),
        (('did flipped', 'done_page_transfers'), ('mapped', 'done_grant_maps'), ('unmapped', 'done_grant_unmaps'),
         ('copies', 'grant_copies_issued')),
        (('Net in', 'net_received_bytes_per_s'), ('out', 'net_sent_bytes_per_s'), ('packets in', 'net_received_packets_per_s'),
         ('out', 'net_sent_packets_per_s')),
        (('Disk read', 'disk_read_bytes_per_s'), ('written', 'disk_write_bytes_per_s'), ('requests to read', 'disk_reads_per_s'),
         ('to write', 'disk_writes_per_s')))]


def depth_lengths(view, past, slot):
    hist = histograms(past, slot, view.shown)
    return ['%s %s %s' % (word, ' '.join(lengths(past, hist[kind])), count(sum(hist[kind]), 8)) for word, kind in
            (('waits', 'wait'), ('runs', 'execution'), ('blocked', 'blocked'))] if hist else []


def wanted_depth(view, past, slot):
    saved, view.cpu = view.cpu, None  # all pCPUs, whichever was chosen
    u = view.domain(slot)
    text = [*depth_time(view, u), *depth_waits(view, u), *depth_runs(view, u), *depth_vcpus(view, slot),
            *depth_neighbours(view, past, slot), *depth_io(view, u), *depth_lengths(view, past, slot)]
    view.cpu = saved
    return text


# ---- The paper's screen: seven rows of each domain.

def trimmed(value):
    text = '%.*f' % (3 if value < 10 else 2 if value < 100 else 1, value)
    return text.rstrip('0').rstrip('.')


def slice_range(u):
    if not u or not u['slices_known']:
        return '-'
    factor, unit = next((f, n) for f, n in ((1e9, 's'), (1e6, 'ms'), (1e3, 'us'), (1, 'ns')) if u['slice_max'] >= f or f == 1)
    low, high = trimmed(u['slice_min'] / factor), trimmed(u['slice_max'] / factor)
    return '%s %s' % (high if low == high else low + '..' + high, unit)


def paper_rows(view, slot):
    """Label -> cells, in the order of the screen's columns: last, 1 s, 10 s."""
    last = view.w.last('domain', slot) if not view.coarse_now else None
    if last:
        last['last_only'] = True
    on = [w.pair(slot, view.cpu) if view.cpu is not None else w.domain(slot) for w in (view.one, view.ten)]
    silent = lambda u: u is None or (u['unknown'] == u['span'] and u['executions'] == 0)

    def figure(u, name, io=False):
        if u is None or (silent(u) and not io):
            return '-'
        form, get, metrics = COLUMNS[name]
        if view.coarse_now and not set(metrics) <= view.past.slow_metrics['domain']:
            return '-'
        value = get(u)
        form = paper_rate if name.endswith('_per_s') else form
        return '-' if value is None else form(value)

    def times(state, own):
        base = '_pct' if view.units == 'cpu' or (view.cpu is not None and not own) else '_of_vcpus_pct'
        cells = [figure(last, state + '_ns'), figure(last, state + base)]
        for u in on:
            cells += [figure(u, state + '_ns'), figure(u, state + base)]
            cells += [] if view.cpu is not None and own else [figure(u, state + '_per_execution_ns')]
        return cells
    star = '*' if view.cpu is not None else ''
    rows = {'Gotten': times('running', False), 'Waited': times('runnable', False), 'Blocked' + star: times('blocked', True)}
    rows['Allocated' + star] = [figure(last, 'allocated_avg_ns')]
    rows['per I/O' + star] = [figure(last, 'blocked_per_io_ns')]
    rows['Execution count'] = []
    rows['I/O count' + star] = [figure(last, 'io_count', True)]
    for u in on:
        rows['Allocated' + star] += [slice_range(u), figure(u, 'allocated_avg_ns')]
        rows['per I/O' + star] += [figure(u, 'blocked_per_io_ns')]
        rows['Execution count'] += [figure(u, 'executions'), figure(u, 'executions_per_s')]
        rows['I/O count' + star] += [figure(u, 'io_count', True), figure(u, 'io_per_s', True)]
        rows['I/O count' + star] += [] if view.cpu is not None else [figure(u, 'io_per_execution', True)]
    return rows


def faults_of_paper(view, past, text):
    faults = []
    lines = text.splitlines()
    for row in view.shown['domain']:
        name = past.name(row)
        at = next((i for i, line in enumerate(lines) if line.startswith(name + '  ')), None)
        if at is None:
            faults += [] if row.get('ended') else ['no ' + name]
            continue
        block = {}
        for line in lines[at + 1:at + 8]:
            found = re.match(r' *(Gotten|Allocated\*?|Waited|Blocked\*?|per I/O\*?|Execution count|I/O count\*?)(?: |$)(.*)',
                             line)
            if found:
                block[found.group(1)] = squeeze(found.group(2))
        for label, cells in paper_rows(view, row['slot']).items():
            if block.get(label) != squeeze(' '.join(cells)):
                faults.append('%s, %s\n  has    %s\n  should %s' % (name, label, block.get(label), squeeze(' '.join(cells))))
    return faults


# ---- Around the views: host, totals, what is unknown.

def faults_around(view, past, text):
    w = view.one
    wanted = []
    busy = [w.pcpu(row['slot']) for row in view.shown['pcpu']]
    whole = sum(u['window'] for u in busy)
    wanted.append('%s busy of %d pCPU%s' % (percent(100 * float(sum(u['busy'] for u in busy)) / float(whole)), len(busy),
                                            's' if len(busy) != 1 else ''))
    waited = sum(past.scale.ns(w._diff(*w._pair('domain', row['slot']), 'runnable')) for row in view.shown['domain'])
    wanted.append('%.2f vCPUs waiting' % (float(waited) / float(busy[-1]['window'])))
    ns = past.scale.ns(view.shown['host']['window'])
    wanted.append('%02d:%02d:%02d.%d' % (ns // NS // 3600, ns // NS // 60 % 60, ns // NS % 60, ns % NS // 10**8))
    records = view.ten.now['host']['records'] - (view.ten.before['host']['records'] if view.ten.before else 0)
    wanted.append('%.0f rec/s' % (float(records) * NS / float(view.ten.ns)))
    squeezed = squeeze(text)
    faults = ['nowhere: ' + what for what in wanted if what not in squeezed]
    totals = re.findall(r'^All .*', text, re.M)
    if len(totals) == 2:
        for w, line in zip((view.one, view.ten), totals):
            over = {row['id'] for row in (w.before or {'domain': []})['domain'] if row.get('ended')}
            us = [w.domain(row['slot']) if view.cpu is None else w.pair(row['slot'], view.cpu)
                  for row in view.shown['domain'] if row['id'] not in over]
            cpus = [w.pcpu(row['slot']) for row in view.shown['pcpu'] if view.cpu in (None, row['slot'])]
            window = float(us[-1]['window'])
            span = float(sum(u['window'] * u['vcpus'] for u in us))
            star = '*' if view.cpu is not None else ''
            base = window if view.units == 'cpu' or view.cpu is not None else span
            own = window if view.units == 'cpu' else span
            of_cpus = window if view.units == 'cpu' else float(sum(u['window'] for u in cpus))
            total = lambda name, rows: float(sum(u[name] for u in rows))
            parts = [('running', total('running', us), base), ('waiting', total('runnable', us), base),
                     ('blocked' + star, total('blocked', us), own), ('idle', total('idle', cpus), of_cpus),
                     ('busy', total('busy', cpus), of_cpus), ('switching', total('switching', cpus), of_cpus)]
            parts += [(name + star, total(name, us), own) for name in ('offline', 'unknown') if total(name, us)]
            for name, part, of in parts:
                if '%s %s' % (name, percent(100 * part / of)) not in squeeze(line):
                    faults.append('%s: no %s %s' % (squeeze(line), name, percent(100 * part / of)))
    return faults


# ---- Sessions.

class Screen:
    """A session on one view; each question is repeated until the answer is right, or time is up."""
    checked = 0

    def __init__(self, title, past, path, view, columns=None, lines=50, width=300, options=()):
        self.title, self.past, self.view = title, past, view
        chosen = ['--columns=' + ','.join(columns)] if columns else []
        self.session = Session([XENMON, 'live', '--no-config', '--no-mouse', '--interval=100ms', '--region', path, '--view',
                                view, *chosen, *options], columns=width, lines=lines)
        self.session.wait('Trace ', 20)

    def expect(self, what, faults):
        """faults: text -> list."""
        good = self.session.wait(lambda s: not faults(s.text()))
        Screen.checked += 1
        if not good:
            check(False, '%s, %s: %s' % (self.title, self.view, what), self.session, '\n'.join(faults(self.session.text())[:12]))
        return good

    def send(self, keys):
        self.session.send(keys)

    def close(self):
        self.session.close()


def frame(title, path, what, faults, *options):
    """One frame as text, as wide as it takes."""
    text = subprocess.run([XENMON, 'live', '--no-config', '--once', '--width=1000', '--region', path, *options],
                          stdout=subprocess.PIPE, text=True, check=True, env=dict(os.environ, LC_ALL='C.UTF-8')).stdout
    Screen.checked += 1
    wrong = faults(text)
    if wrong:
        check(False, '%s: %s' % (title, what), detail='\n'.join(wrong[:12]) + '\n' + text)


def stepped(past, steps):
    """The sample that so many steps back from the newest lead to: in the fast series, and then in the slow one."""
    oldest = {name: min(s) + (2 if min(s) > 0 else 0) for name, s in past.series.items()}
    newest = max(past.series['fast'])
    if newest - steps >= oldest['fast']:
        return past.series['fast'][newest - steps]
    index, _ = past.last_upto('slow', past.series['fast'][oldest['fast']]['host']['window'] - 1)
    return past.series['slow'][max(index - (steps - (newest - oldest['fast']) - 1), oldest['slow'])]


FREE = 700 * 10**6
WINDOWS = (('last', 'last'), ('1s', NS), ('10s', 10 * NS), ('1min', 60 * NS), ('700ms', FREE))


TABLES = (('domains', DOMAIN_COLUMNS, wanted_domains), ('vcpus', VCPU_COLUMNS, wanted_vcpus),
          ('pcpus', PCPU_COLUMNS, wanted_pcpus), ('latency', LATENCY_COLUMNS, wanted_latency))


def check_views(title, path, positions, cpu=False):
    """All views, windows and units at positions (samples back from the newest) of a region that stands still."""
    past = Past(path)
    before, failed = Screen.checked, tap.failed
    first = min(past.newest()['pcpu'], key=lambda row: row['id'])['slot']
    for name, columns, wanted in TABLES:
        for window, ns in WINDOWS:
            for units in UNITS:
                for one in (None, first) if cpu and units == 'vcpus' and name in ('domains', 'vcpus') else (None,):
                    view = View(past, past.newest(), ns, units, one)
                    lines = wanted(view, past)
                    frame(title, path, '%s, %s, %s, CPU %s' % (name, window, units, one),
                          lambda text: faults_of_lines(lines, text) + faults_around(view, past, text),
                          '--view=' + name, '--window=' + window, '--units=' + units, '--columns=' + ','.join(columns),
                          *(['--cpu=%d' % number_of(view, one)] if one is not None else []))
        if positions[1:]:
            visit(title, path, name, columns, wanted, past, positions[1:])
    for units in ('vcpus', 'cpu'):
        for one in (None, first) if cpu else (None,):
            view = View(past, past.newest(), NS, units, one)
            frame(title, path, 'paper, %s, CPU %s' % (units, one),
                  lambda text: faults_of_paper(view, past, text) + faults_around(view, past, text), '--view=paper',
                  '--units=' + units, *(['--cpu=%d' % number_of(view, one)] if one is not None else []))
    visit_depth(title, past, path, positions)
    visit_paper(title, past, path, positions[1:])
    check(tap.failed == failed, '%s: every number of %d screens' % (title, Screen.checked - before))


def visit(title, path, name, columns, wanted, past, positions):
    """Positions in the past, each with every window, in one unit after the other.  The columns that fit on a screen."""
    columns = columns[:20]
    screen = Screen(title, past, path, name, columns, options=['--window=' + WINDOWS[-1][0]])
    turn = at = 0
    try:
        for steps in positions:
            screen.send('[' * (steps - at))
            at = steps
            for window, ns in WINDOWS:
                screen.send('wu')
                turn += 1
                view = View(past, stepped(past, steps), ns, UNITS[turn % 3])
                lines = {line: (cells[:20], optional) for line, (cells, optional) in wanted(view, past).items()}
                screen.expect('%s, %d back, %s' % (view.units, steps, window),
                              lambda text: faults_of_lines(lines, text) + faults_around(view, past, text))
    finally:
        screen.close()


def without_marks(text):
    """Bars and the signs of states before their names left out."""
    return squeeze(re.sub('[░▒▓█▏▎▍▌▋▊▉·#=.]* ?(?=(?:%s) )' % '|'.join(WORDS), ' ', text))


def visit_depth(title, past, path, positions):
    """Every domain; the newest sample with every window, the others with one."""
    screen = Screen(title, past, path, 'domain', lines=100, width=118, options=['--window=' + WINDOWS[-1][0]])
    at = turn = 0
    try:
        for steps in positions:
            screen.send('[' * (steps - at))
            at = steps
            shown = stepped(past, steps)
            for window, ns in WINDOWS if steps == 0 else WINDOWS[turn % 5:turn % 5 + 1]:
                screen.send('wu' if steps == 0 else 'u')
                turn += 1
                view = View(past, shown, ns if steps == 0 else WINDOWS[-1][1], UNITS[turn % 3])
                order = sorted((row for row in shown['domain'] if not row.get('ended')),
                               key=lambda r: (windows.domid(r), windows.instance(r)))
                for place, row in enumerate(order):
                    parts = [past.name(row), *wanted_depth(view, past, row['slot'])]
                    screen.expect('%s, %d back, %s: %s' % (view.units, steps, window, parts[0]),
                                  lambda text: ['nowhere: ' + part for part in parts if part not in without_marks(text)])
                    screen.send('>' if place + 1 < len(order) else '<' * (len(order) + 3))
    finally:
        screen.close()


def visit_paper(title, past, path, positions):
    screen = Screen(title, past, path, 'paper', lines=100, width=200)
    at, units = 0, 'vcpus'
    try:
        for steps in positions:
            screen.send('[' * (steps - at))
            at = steps
            shown = stepped(past, steps)
            if shown['series'] == 'fast':
                view = View(past, shown, NS, units)
                screen.expect('%s, %d back' % (units, steps),
                              lambda text: faults_of_paper(view, past, text) + faults_around(view, past, text))
    finally:
        screen.close()


def check_report(title, path, trace):
    """The whole trace.  Region and report agree to the ns, what was learned late included (law 5 keeps it out of windows); and
    on a screen whose window is longer than the trace stands what the report says."""
    report = json.loads(subprocess.run([XENMON, 'report', '--format=json', trace], stdout=subprocess.PIPE, check=False).stdout)
    past = Past(path)
    now = past.newest()
    columns = ['running_ns', 'runnable_ns', 'blocked_ns', 'executions', 'migrations']
    domains = {(windows.domid(d), windows.instance(d)): d for d in now['domain']}
    rows = {(windows.domid(r), windows.instance(r), windows.vcpu_number(r)): r for r in now['vcpu']}
    view, wanted, faults, compared = View(past, now, 3600 * NS, 'vcpus'), {}, [], 0
    for domain in report['domains']:
        for vcpu in domain['vcpus']:
            key = domain['domid'], domain['instance'], vcpu['vcpu']
            row = rows[key]
            late = {s: row['late_' + s] if s != 'unknown' else -sum(row['late_' + t] for t in STATES[:4]) for s in STATES}
            ns = past.scale.parts([row[s] + late[s] for s in STATES])
            faults += ['%s: %s is %d in the report, %d in the region' % (key, s, vcpu[s + '_ns'], n)
                       for s, n in zip(STATES, ns) if vcpu[s + '_ns'] != n]
            u = view.vcpu(row['slot'])
            cells = []
            for name in columns:
                told_now = not name.endswith('_ns') or not late[name[:-3]]
                if told_now and view.known('vcpu', u, (), name):
                    compared += 1
                    cells.append(duration(vcpu[name]) if name.endswith('_ns') else count(vcpu[name]))
                else:
                    cells.append(view.figure('vcpu', u, name))
            ended = domains[key[:2]]['ended']
            wanted['%s v%d' % (past.name(domains[key[:2]]), key[2])] = cells, bool(ended)
    check(not faults, '%s: region and report agree on the whole trace' % title, detail='\n'.join(faults))
    frame(title, path, 'as the report', lambda text: faults_of_lines(wanted, text), '--view=vcpus', '--window=1h',
          '--columns=' + ','.join(columns))
    check(compared >= 10, '%s: and %d numbers on the screen are the report\'s' % (title, compared))


SCENARIO = '''
[host]
cpus = 3
hz = 2.1GHz
scheduler = credit2
pages = 256

[domain Domain-0]
id = 0
role = driver
vcpus = 2

[domain web]
id = 1
role = web
rate = 15

[domain hog]
id = 2
role = hog
vcpus = 3

[domain nap]
id = 3
role = nap
vcpus = 2
work = 3ms
pause = 40ms

[domain second]
id = 4
role = nap
from = 30s
work = 1ms
pause = 7ms

[domain database]
id = 5
role = reader
work = 2ms
pause = 30ms
'''


def test_captures(directory):
    captures = os.path.join(ROOT, 'tests/data/traces')
    for name, positions, cpu in (('xen417-credit2-contend', (0, 7, 31), True), ('xen417-credit2-web-c16-all', (0, 12), True),
                                 ('xen417-credit-lost', (0, 20), False), ('xen417-credit2-lifecycle', (0, 25), False)):
        trace = os.path.join(captures, name + '.trace.zst')
        with Replayed(XENBAKED, directory, trace) as path:
            check_views(name, path, positions, cpu)
            check_report(name, path, trace)


def write_scenario(directory):
    scenario = os.path.join(directory, 'sim.ini')
    with open(scenario, 'w', encoding='utf-8') as file:
        file.write(SCENARIO)
    return scenario


def test_simulated(directory):
    """Domains of one and of several vCPUs, and a region that does not hold all: from some point on there are coarse samples."""
    trace = os.path.join(directory, 'sim.trace')
    scenario = write_scenario(directory)
    subprocess.run([XENMON, 'sim', scenario, '--duration=75s', '--seed=3', '-q', '-o', trace], check=True)
    with Replayed(XENBAKED, directory, trace, '--fast-history=20s', '--slow-history=120s') as path:
        check_views('simulated', path, (0, 55, 230), True)
    with Replayed(XENBAKED, directory, trace, '--fast-history=80s', '--slow-history=120s') as path:
        check_report('simulated', path, trace)


def test_live(directory):
    """A simulated host that runs: names, weights and devices too.  It is stopped in its tracks, so that it can be compared."""
    scenario = write_scenario(directory)
    path = os.path.join(directory, 'live')
    process = subprocess.Popen([XENBAKED, '--no-config', '--foreground', '--log-level=error', '--region', path,
                                '--source=sim:' + scenario], stdin=subprocess.DEVNULL)
    try:
        time.sleep(4)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        check_views('live', path, (0, 9), True)
    finally:
        process.kill()
        process.wait()


def main():
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='xenmon-numbers-') as directory:
        for test in (test_captures, test_simulated, test_live):
            if not sys.argv[4:] or test.__name__ in sys.argv[4:]:
                test(directory)
    print('# %d screens, %.0f s' % (Screen.checked, time.monotonic() - start))
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
