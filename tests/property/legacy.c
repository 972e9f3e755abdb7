/* SPDX-License-Identifier: MIT */
/*
 * Captures as an older Xen would have written them: the fixed records of 3.1 (32 and 64 bit) and the variable ones of
 * 3.2 and 3.3, without runstate records.  States from SWITCH, WAKE, BLOCK and SLEEP against those from the runstate
 * records of the same capture.
 *
 * They cannot be the same.  SWITCH is traced some microseconds before the runstate records that go with it: running is
 * held to 0.5 % or 2 ms.  WAKE is traced before the scheduler's lock is taken, on these captures up to 12 ms before the
 * vCPU is runnable: what that adds up to is measured in the capture and allowed, no more.  Executions are equal.
 */
#include <stdlib.h>
#include <string.h>

#include "baked.h"
#include "trace/format.h"

#define HZ 2793439000.0

/* Only these were there then; how many words each had. */
static const struct {
    uint32_t event, was;
    unsigned words;
} kept[] = {
    {0x28001, 0x2f001, 2}, {0x28002, 0x2f002, 2}, {0x28003, 0x2f003, 2}, {0x28004, 0x2f004, 2}, {0x28005, 0x2f005, 2},
    {0x28006, 0x2f006, 2}, {0x2800a, 0x2f00a, 4}, {0x2800e, 0x2f00e, 2}, {0x2800f, 0x2f00f, 3},
};
#define ADJDOM 0x2f009 /* says nothing of time: stands for the first and the last record, whatever they are */

enum format { FIXED_32, FIXED_64, VARIABLE };
static const char *const format_names[] = {"36 bytes a record", "60 bytes a record", "variable records"};

/* Today's payload without the vCPU word that INFPREV and INFNEXT got in 4.8. */
static void old_words(const struct xt_trace *t, const struct xt_record *r, uint32_t word[5])
{
    memset(word, 0, 20);
    unsigned have = (r->size - 4 - 8 * r->has_tsc) / 4;
    for (unsigned i = 0; i < have && i < 5; i++)
        word[i] = xt_word(t, r, i);
    if (r->event == XM_TRC_SWITCH_INFPREV || r->event == XM_TRC_SWITCH_INFNEXT)
        memmove(word + 1, word + 2, 12);
}

static void put_fixed(struct xt_bytes *b, bool wide, uint32_t cpu, uint64_t tsc, uint32_t event, const uint32_t word[5])
{
    xt_put32(b, cpu);
    xt_put64(b, tsc);
    xt_put32(b, event);
    if (wide)
        xt_put32(b, 0);
    for (unsigned i = 0; i < 5; i++)
        if (wide)
            xt_put64(b, word[i]);
        else
            xt_put32(b, word[i]);
}

/* The event number that a record had then; 0: there was no such record. */
static uint32_t old_event(const struct xt_record *r, uint64_t first, uint64_t last, unsigned *words)
{
    for (unsigned k = 0; k < sizeof kept / sizeof kept[0]; k++)
        if (kept[k].event == r->event) {
            *words = kept[k].words;
            return kept[k].was;
        }
    *words = 1;
    return r->has_tsc && r->event != XM_TRC_WRAP && (r->tsc == first || r->tsc == last) ? ADJDOM : 0;
}

static struct xt_bytes converted(const struct xt_trace *t, enum format format, uint64_t first, uint64_t last)
{
    struct xt_bytes out = {0};
    for (size_t w = 0; w < t->windows; w++) {
        uint32_t cpu = t->window[w].cpu;
        size_t begun = format == VARIABLE ? xt_window_begin(&out, cpu) : 0;
        for (size_t i = t->window[w].first; i < t->window[w].first + t->window[w].count; i++) {
            const struct xt_record *r = &t->record[i];
            uint32_t word[5];
            unsigned words;
            uint32_t event = old_event(r, first, last, &words);
            if (!event)
                continue;
            old_words(t, r, word);
            if (format == VARIABLE)
                xt_record(&out, event, r->tsc, words, word);
            else
                put_fixed(&out, format == FIXED_64, cpu, r->tsc, event, word);
        }
        if (format == VARIABLE)
            xt_window_end(&out, begun);
    }
    return out;
}

static double ms(uint64_t cycles)
{
    return (double)cycles / HZ * 1e3;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* A state's time: within 0.5 % of itself or 2 ms. */
static bool close_to(uint64_t is, uint64_t truth, uint64_t allowed)
{
    return ms(apart(is, truth)) <= 2 + ms(allowed) || (double)apart(is, truth) <= 0.005 * (double)truth + (double)allowed;
}

/* How long before the changes that they bring about the capture's WAKEs are traced: sum over one vCPU. */
static uint64_t wake_ahead(const struct xt_events *e, uint32_t dom, uint32_t vcpu)
{
    uint64_t woken = 0, sum = 0;
    bool blocked = true; /* if it is not, its first record says so */
    for (size_t i = 0; i < e->count; i++) {
        const struct xm_event *at = &e->event[i];
        if (at->kind == XM_EV_WAKE && at->word[0] == dom && at->word[1] == vcpu && blocked && !woken)
            woken = at->tsc.v;
        if (at->kind != XM_EV_RUNSTATE || at->word[0] != (vcpu | dom << 16))
            continue;
        sum += woken && at->from_to >> 2 == XM_BLOCKED ? at->tsc.v - woken : 0;
        woken = 0;
        blocked = (at->from_to & 3) == XM_BLOCKED;
    }
    return sum;
}

static bool same_vcpu(const struct xm_vcpu_row *is, const struct xm_vcpu_row *truth, const struct xt_events *e)
{
    uint64_t ahead = wake_ahead(e, xm_row_domid(truth->id), xm_row_vcpu(truth->id));
    /* Whether a vCPU that was paused in its sleep is woken or let go cannot be told apart: asleep is both. */
    bool good = close_to(is->running, truth->running, 0) && close_to(is->runnable, truth->runnable, ahead) &&
                close_to(is->blocked + is->offline, truth->blocked + truth->offline, ahead) &&
                ms(is->unknown) <= 2 && is->executions == truth->executions && is->migrations == truth->migrations &&
                is->slices == truth->slices;
    if (!good)
        xt_note("d%uv%u: running %.3f for %.3f ms, runnable %.3f for %.3f, blocked %.3f for %.3f, offline %.3f for %.3f, "
                "unknown %.3f, woken %.3f ahead; %llu executions for %llu, %llu slices for %llu",
                xm_row_domid(truth->id), xm_row_vcpu(truth->id), ms(is->running), ms(truth->running), ms(is->runnable),
                ms(truth->runnable), ms(is->blocked), ms(truth->blocked), ms(is->offline), ms(truth->offline),
                ms(is->unknown), ms(ahead), (unsigned long long)is->executions, (unsigned long long)truth->executions,
                (unsigned long long)is->slices, (unsigned long long)truth->slices);
    return good;
}

static bool same(const struct xt_baked *is, const struct xt_baked *truth, const struct xt_events *e)
{
    bool good = is->ended == XM_OK && is->from_switch && !truth->from_switch && !xt_broken_sum(&is->end);
    for (uint32_t i = 0; i < truth->end.used.vcpus; i++) {
        const struct xm_vcpu_row *row = xt_vcpu(&is->end, truth->end.vcpu[i].id);
        if (!row)
            xt_note("d%uv%u is missing", xm_row_domid(truth->end.vcpu[i].id), xm_row_vcpu(truth->end.vcpu[i].id));
        good = row && same_vcpu(row, &truth->end.vcpu[i], e) && good;
    }
    for (uint32_t i = 0; i < truth->end.used.pcpus; i++) {
        const struct xm_pcpu_row *t = &truth->end.pcpu[i];
        const struct xm_pcpu_row *p = xt_pcpu(&is->end, t->id);
        if (!p || !close_to(p->busy, t->busy, 0) || !close_to(p->idle, t->idle, 0)) {
            xt_note("pCPU %u: busy %.3f for %.3f ms, idle %.3f for %.3f", xm_row_domid(t->id), p ? ms(p->busy) : 0,
                    ms(t->busy), p ? ms(p->idle) : 0, ms(t->idle));
            good = false;
        }
    }
    if (is->hz && truth->hz && (double)apart(is->hz, truth->hz) > 0.002 * (double)truth->hz) {
        xt_note("%llu Hz for %llu", (unsigned long long)is->hz, (unsigned long long)truth->hz);
        good = false;
    }
    return good;
}

int main(void)
{
    struct xt_tap tap = {0};
    for (unsigned i = 0; xt_captures[i]; i++) {
        struct xt_bytes bytes = xt_capture(xt_captures[i]);
        struct xt_trace t = xt_take_apart(&bytes);
        struct xt_baked truth = xt_bake(bytes.data, bytes.size, 0, 0, 0);
        struct xt_events events = xt_run(bytes.data, bytes.size, NULL, NULL, NULL, XT_DRAIN_ALWAYS);
        uint64_t first = truth.stats.first_tsc.v, last = truth.stats.last_tsc.v;
        for (unsigned format = FIXED_32; format <= VARIABLE && strcmp(xt_captures[i], xt_lost_capture); format++) {
            struct xt_bytes old = converted(&t, (enum format)format, first, last);
            struct xt_baked is = xt_bake(old.data, old.size, 0, 0, 4000);
            bool good = same(&is, &truth, &events) && is.stats.fixed_format == (format != VARIABLE);
            xt_ok(&tap, good, "%s, %s", xt_captures[i], format_names[format]);
            xt_baked_free(&is);
            xt_free(&old);
        }
        xt_events_free(&events);
        xt_baked_free(&truth);
        xt_trace_free(&t);
        xt_free(&bytes);
    }
    return xt_done(&tap);
}
