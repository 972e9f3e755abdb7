# SPDX-License-Identifier: MIT
"""Windows over a region's samples, from the definitions in doc/accounting.md alone: in Python, and with no code of src/view.

A sample is what contrib/python/xenmon_region.py returns.  Where a row is asked for, None means that there is none.
"""
STATES = ('running', 'runnable', 'blocked', 'offline', 'unknown')
NS = 10**9
NONE = 2**64 - 1  # a trough of an interval in which nothing was seen


class Scale:
    """Cycles and ns: ns = cycles * mult / 2^shift, rounded down; parts are differences of prefix sums."""

    def __init__(self, hz):
        self.hz = hz
        self.shift = next(s for s in range(63, -1, -1) if (NS << s) // hz < 2**64)
        self.mult = (NS << self.shift) // hz

    def ns(self, cycles):
        return cycles * self.mult >> self.shift

    def cycles(self, ns):
        return ns * self.hz // NS

    def parts(self, cycles):
        result, total, before = [], 0, 0
        for part in cycles:
            total += part
            result.append(self.ns(total) - before)
            before = self.ns(total)
        return result


def index(sample):
    """The sample with its rows by slot: {'vcpu': {slot: row}, ...}; made once, and kept in it."""
    if 'by_slot' not in sample:
        sample['by_slot'] = {kind: {row['slot']: row for row in sample[kind]} for kind in ('vcpu', 'domain', 'pcpu')}
    return sample['by_slot']


def domid(row):
    return row['id'] & 0xffff


def vcpu_number(row):
    return row['id'] >> 16 & 0xffff


def instance(row):
    return row['id'] >> 32 & 0x7fffffff


class Window:
    """What happened between two samples; before=None: since the trace began.

    between: the samples inside it, for peaks (those of `now` count in any case).
    """

    def __init__(self, before, now, scale, io_seen=0, between=()):
        self.before, self.now, self.scale, self.io_seen = before, now, scale, io_seen
        self.start = before['host']['window'] if before else 0
        self.cycles = now['host']['window'] - self.start
        self.ns = scale.ns(self.cycles)
        self.peaks = list(between) + [now]

    def _pair(self, kind, slot):
        """A row, and the same row in the sample before or None."""
        now = index(self.now)[kind].get(slot)
        then = index(self.before)[kind].get(slot) if self.before else None
        return now, then if now and then and then['id'] == now['id'] else None

    @staticmethod
    def _diff(now, then, name):
        return now[name] - (then[name] if then else 0)

    def _peak(self, kind, row, name, best):
        values = []
        for sample in self.peaks:
            there = index(sample)[kind].get(row['slot'])
            if there and there['id'] == row['id']:
                values.append(there[name])
        return best(values)

    def _vcpu_cycles(self, slot):
        """Its states.  One that was not there before has all time since the trace began in them: the part before the
        window was offline if so much was, and else unknown, before anything else."""
        now, then = self._pair('vcpu', slot)
        state = {name: self._diff(now, then, name) for name in STATES}
        left = 0 if then else self.start
        if state['offline'] >= left:
            state['offline'] -= left
            return state
        for name in ('unknown', 'offline', 'blocked', 'runnable', 'running'):
            part = min(state[name], left)
            state[name] -= part
            left -= part
        return state

    def _usage(self, kind, now, then, state):
        diff = lambda name: self._diff(now, then, name)
        u = {'id': now['id'], 'row': now, 'window': self.ns}
        u.update(zip(STATES, self.scale.parts([state[name] for name in STATES])))
        u['span'] = sum(u[name] for name in STATES)
        wake = min(diff('wait_wake'), state['runnable'])
        preempt = min(diff('wait_preempt'), state['runnable'] - wake)
        causes = self.scale.parts([state['running'], wake, preempt, state['runnable'] - wake - preempt])
        u['wait_wake'], u['wait_preempt'], u['wait_other'] = causes[1:]
        late = ['late_' + name for name in STATES[:4]]
        u.update(zip(late, self.scale.parts([diff(name) for name in late])))
        for name in ('executions', 'migrations', 'preemptions', 'yields', 'slices', 'slice_sum'):
            u[name] = diff(name)
        u['wait_max'] = self.scale.ns(self._peak(kind, now, 'wait_max', max))
        u['slice_min'], u['slice_max'] = self._peak(kind, now, 'slice_min', min), self._peak(kind, now, 'slice_max', max)
        u['slices_known'] = u['slices'] > 0 and u['slice_max'] > 0 and u['slice_min'] <= u['slice_max']
        return u

    def vcpu(self, slot):
        now, then = self._pair('vcpu', slot)
        if not now:
            return None
        u = self._usage('vcpu', now, then, self._vcpu_cycles(slot))
        u['vcpus'], u['wait_any'] = 1, u['runnable']
        return u

    def _known(self, mask, count):
        return count if self.io_seen & mask else None

    def domain(self, slot):
        now, then = self._pair('domain', slot)
        if not now:
            return None
        state = {name: self._diff(now, then, name) for name in STATES}
        if self.before and now['vcpus'] != (then['vcpus'] if then else 0):
            its = [self._vcpu_cycles(v) for v, d in self.now['vcpu_domain'].items() if d == slot]
            state = {name: sum(one[name] for one in its) for name in STATES}
        u = self._usage('domain', now, then, state)
        diff = lambda name: self._diff(now, then, name)
        u['vcpus'] = now['vcpus']
        u['wait_any'] = self.scale.ns(diff('wait_any'))
        for name, mask in (('page_transfers', 1), ('done_transfers', 1), ('grant_maps', 2), ('grant_unmaps', 2),
                           ('done_maps', 2), ('done_unmaps', 2), ('done_copies', 4)):
            u[name] = self._known(mask, diff(name))
        parts = [u[name] for name in ('page_transfers', 'grant_maps', 'done_transfers', 'done_maps') if u[name] is not None]
        u['io'] = sum(parts) if parts else None
        return u

    def pair(self, slot, pcpu_slot):
        """The domain on one pCPU: what it ran, waited to be dispatched and was dispatched there; all else is its own."""
        u = self.domain(slot)
        if not u or pcpu_slot not in index(self.now)['pcpu']:
            return None
        now = self.now['pair'][slot, pcpu_slot]
        both = self._pair('domain', slot)[1] and self._pair('pcpu', pcpu_slot)[1]
        then = self.before['pair'].get((slot, pcpu_slot)) if both else None
        u['running'] = self.scale.ns(self._diff(now, then, 'running'))
        u['runnable'] = u['wait_other'] = self.scale.ns(self._diff(now, then, 'waited'))
        u['wait_wake'] = u['wait_preempt'] = 0
        u['executions'] = self._diff(now, then, 'executions')
        return u

    def last(self, kind, slot):
        """The last execution that ended of a vCPU, or of any vCPU of a domain; None: none yet."""
        now = index(self.now)[kind].get(slot)
        if not now:
            return None
        run, wait, blocked = now['last_run'], now['last_wait'], now['last_blocked']
        if not (run or wait or blocked or now['last_slice']):
            return None
        ns = self.scale.parts([run, wait, blocked])
        u = {'id': now['id'], 'row': now, 'vcpus': 1, 'executions': 1, 'window': sum(ns), 'span': sum(ns), 'offline': 0,
             'unknown': 0, 'running': ns[0], 'runnable': ns[1], 'blocked': ns[2], 'wait_any': ns[1], 'wait_max': ns[1],
             'wait_wake': 0, 'wait_preempt': 0, 'wait_other': ns[1], 'slices': int(now['last_slice'] != 0),
             'slice_sum': now['last_slice'], 'slice_min': now['last_slice'], 'slice_max': now['last_slice'],
             'slices_known': now['last_slice'] != 0, 'migrations': 0, 'preemptions': 0, 'yields': 0,
             'io': self._known(3, now['last_io'])}
        u.update(dict.fromkeys(('page_transfers', 'grant_maps', 'grant_unmaps', 'done_maps', 'done_unmaps', 'done_copies')))
        u['done_transfers'] = u['io']
        return u

    def pcpu(self, slot):
        now, then = self._pair('pcpu', slot)
        if not now:
            return None
        parts = [self._diff(now, then, name) for name in ('busy', 'idle', 'switching', 'unknown')]
        parts[3] -= 0 if then else self.start
        u = dict(zip(('busy', 'idle', 'switching', 'unknown'), self.scale.parts(parts)))
        u.update(id=now['id'], row=now, window=sum(u.values()), executions=self._diff(now, then, 'executions'),
                 lost_records=self._diff(now, then, 'lost_records'))
        return u
