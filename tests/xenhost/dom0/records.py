# SPDX-License-Identifier: MIT
"""Runstate records of a trace file, read without anything of ours: what there is between a sample and a moment."""
import array

RUNNING, RUNNABLE, BLOCKED, OFFLINE = range(4)


class Records:
    """The changes of every vCPU in a recording, in the order of their time."""

    def __init__(self, path):
        self.first, self.last, self.changes, self.ran = None, 0, {}, {}
        words = array.array("I", path.read_bytes())
        at, end = 0, len(words)
        while at < end:
            header = words[at]
            if header >> 31:
                when = words[at + 1] | words[at + 2] << 32
                self.first = when if self.first is None or when < self.first else self.first
                self.last = max(self.last, when)
                if header & 0xffff00f == 0x21001:
                    who = words[at + 3]
                    self.changes.setdefault((who >> 16, who & 0xffff), []).append(
                        (when, header >> 8 & 3, header >> 4 & 3))
                elif header & 0xfffffff == 0x2800e:  # SWITCH_INFPREV: domain, vCPU, ns that it ran
                    self.ran.setdefault((words[at + 3], words[at + 4]), []).append((when, words[at + 5]))
            at += 1 + 2 * (header >> 31) + (header >> 28 & 7)
        for changes in self.changes.values():
            changes.sort(key=lambda change: change[0])

    def spent(self, vcpu, since, until, state=None):
        """Cycles of a (domid, vcpu) in each state between two moments; state: the one it was in at the first.

        Without one it is what the next record says, or the last one where there is none.
        """
        changes = self.changes.get(vcpu, [])
        if state is None:
            later = [old for when, old, _ in changes if when > since]
            state = later[0] if later else changes[-1][2]
        spent, at = [0, 0, 0, 0], since
        for when, _, new in changes:
            if since < when <= until:
                spent[state] += when - at
                at, state = when, new
        spent[state] += until - at
        return spent

    def executions_ns(self, vcpu, since, until, hz):
        """What the hypervisor says of the executions between two moments: its own lengths, and of those that were going
        on at either moment the part inside, by the records."""
        total = sum(ns for when, ns in self.ran.get(vcpu, ()) if since < when <= until)
        for moment, sign in ((since, -1), (until, 1)):
            total += sign * max(moment - self._running_since(vcpu, moment, hz), 0) * 1e9 / hz
        return total

    def _running_since(self, vcpu, moment, hz):
        """When the execution began that goes on at a moment; later than that where none does."""
        before = [change for change in self.changes[vcpu] if change[0] <= moment]
        if before:
            return before[-1][0] if before[-1][2] == RUNNING else moment + 1
        # It began before the recording did: its end tells.
        return next((when - ns * hz / 1e9 for when, ns in self.ran.get(vcpu, ()) if when > moment), moment + 1)
