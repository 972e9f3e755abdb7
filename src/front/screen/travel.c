/* SPDX-License-Identifier: MIT */
#include "front/screen/travel.h"

#include <stdio.h>

#define MIN_SPEED (1.0 / 1024)
#define MAX_SPEED 4096.0

static void say(struct xm_choice *choice, const char *text)
{
    snprintf(choice->said, sizeof choice->said, "%s", text);
}

static double speed_of(const struct xm_choice *choice)
{
    double speed = choice->speed;
    if (!(speed > 0))
        return 1;
    return speed < MIN_SPEED ? MIN_SPEED : speed > MAX_SPEED ? MAX_SPEED : speed;
}

static uint64_t shown(const struct xm_model *m)
{
    return m->window[XM_SPAN_1S].to->host.window;
}

/* Nothing more will come. */
static bool over(const struct xm_model *m)
{
    return m->link == XM_LINK_ENDED || m->link == XM_LINK_GONE;
}

static bool plays(const struct xm_choice *choice)
{
    return choice->travelling && !choice->frozen;
}

/* Samples are an interval apart, less or more a little: the nearest is meant, not the last before. */
static uint64_t half_interval(const struct xm_model *m)
{
    uint64_t interval_ns = m->info.series[XM_SERIES_FAST].interval_ns;
    return xm_scale_to_cycles(m->window[XM_SPAN_1S].scale, xm_ns_of(interval_ns / 2)).v;
}

/* ---- Jumps. */

static void jump_by(const struct xm_model *m, int64_t ns, struct xm_choice *choice)
{
    uint64_t length = ns < 0 ? (uint64_t) - (ns + 1) + 1 : (uint64_t)ns;
    uint64_t cycles = xm_scale_to_cycles(m->window[XM_SPAN_1S].scale, xm_ns_of(length)).v;
    uint64_t from = shown(m);
    uint64_t back = from > m->oldest ? from - m->oldest : 0;
    uint64_t on = m->newest > from ? m->newest - from : 0;
    if (ns < 0) {
        choice->position = cycles <= back ? from - cycles + half_interval(m) : m->oldest;
        if (cycles > back)
            say(choice, "the oldest that there is");
    } else {
        choice->position = cycles <= on ? from + cycles + half_interval(m) : m->newest;
        if (cycles > on)
            say(choice, over(m) ? "this is the end" : "the newest that there is");
    }
}

/* The sample nearest to the place, as for steps back. */
static void jump_to(const struct xm_model *m, uint64_t ns, struct xm_choice *choice)
{
    uint64_t cycles = xm_scale_to_cycles(m->window[XM_SPAN_1S].scale, xm_ns_of(ns)).v;
    choice->position = cycles > m->newest ? m->newest : cycles < m->oldest ? m->oldest : cycles + half_interval(m);
    if (cycles > m->newest)
        say(choice, "no sample is that new: the newest");
    else if (cycles < m->oldest)
        say(choice, "no sample is that old: the oldest");
}

static void jump(struct xm_feed *feed, const struct xm_model *m, struct xm_choice *choice)
{
    const struct xm_jump wanted = choice->jump;
    choice->jump = (struct xm_jump){.kind = XM_JUMP_NONE};
    if (wanted.kind == XM_JUMP_NONE)
        return;
    if (!m->data) {
        choice->frozen = false;
        say(choice, "there is no sample to go to");
        return;
    }
    choice->travelling = true;
    if (wanted.kind == XM_JUMP_STEPS) {
        int64_t most = 1000000;
        int64_t steps = wanted.value < -most ? -most : wanted.value > most ? most : wanted.value;
        choice->position = xm_feed_step(feed, (int)steps);
    } else if (wanted.kind == XM_JUMP_BY) {
        jump_by(m, wanted.value, choice);
    } else if (wanted.kind == XM_JUMP_AT) {
        jump_to(m, wanted.value < 0 ? 0 : (uint64_t)wanted.value, choice);
    } else if (!xm_feed_position(feed, wanted.value < 0 ? 0 : (uint64_t)wanted.value, &choice->position)) {
        bool new = choice->position >= m->newest;
        say(choice, new ? "no sample is that new: the newest" : "no sample is that old: the oldest");
    }
}

/* ---- Playing. */

/* At the newest sample: what is live goes on as such, what has ended stays there. */
static void arrive(struct xm_travel *travel, const struct xm_model *m, struct xm_choice *choice)
{
    choice->position = m->newest;
    if (over(m)) {
        choice->frozen = true;
        travel->last_ns = 0;
        say(choice, "this is the end");
    } else if (!choice->replay) {
        choice->travelling = false;
    }
}

/* Playing where there is nothing more to play. */
static void begin_again(struct xm_travel *travel, const struct xm_model *m, struct xm_choice *choice,
                        uint64_t now_ns)
{
    travel->last_ns = now_ns;
    travel->rest = 0;
    choice->position = m->oldest + half_interval(m);
    say(choice, "from the oldest on again");
}

static void play(struct xm_travel *travel, const struct xm_model *m, struct xm_choice *choice,
                 uint64_t now_ns)
{
    if (!travel->last_ns && over(m) && choice->position >= m->newest) {
        begin_again(travel, m, choice, now_ns);
        return;
    }
    uint64_t passed_ns = travel->last_ns && now_ns > travel->last_ns ? now_ns - travel->last_ns : 0;
    travel->last_ns = now_ns;
    if (choice->replay && choice->position > m->newest && !over(m))
        return; /* it is not baked yet: the newest is shown meanwhile */
    uint64_t cycles = xm_scale_to_cycles(m->window[XM_SPAN_1S].scale, xm_ns_of(passed_ns)).v;
    double on = (double)cycles * speed_of(choice) + travel->rest;
    uint64_t left = m->newest > choice->position ? m->newest - choice->position : 0;
    if (on >= (double)left) {
        travel->rest = 0;
        arrive(travel, m, choice);
        return;
    }
    travel->rest = on - (double)(uint64_t)on;
    choice->position += (uint64_t)on;
}

/* ---- What was asked for, and what became of it. */

static void begin_replay(struct xm_travel *travel, const struct xm_model *m, struct xm_choice *choice,
                         uint64_t now_ns)
{
    if (travel->begun || !m->data || !choice->replay)
        return;
    travel->begun = true;
    choice->travelling = true;
    choice->position =
        xm_scale_to_cycles(m->window[XM_SPAN_1S].scale, xm_ns_of(choice->start_ns)).v + half_interval(m);
    travel->last_ns = now_ns;
}

static void settle(struct xm_travel *travel, const struct xm_model *m, struct xm_choice *choice,
                   uint64_t now_ns)
{
    if (!m->data)
        return;
    if (!choice->travelling && (choice->frozen || choice->replay)) {
        choice->travelling = true;
        choice->position = shown(m);
    }
    if (plays(choice)) {
        play(travel, m, choice, now_ns);
    } else {
        travel->last_ns = 0;
        travel->rest = 0;
    }
}

/* Another run of xenbaked has another time: what was held is nowhere in it. */
static bool restarted(struct xm_travel *travel, const struct xm_model *m)
{
    uint64_t lineage = m->info.lineage_id;
    bool other = travel->lineage && lineage && travel->lineage != lineage;
    travel->lineage = lineage ? lineage : travel->lineage;
    return other;
}

static void conclude(struct xm_travel *travel, struct xm_feed *feed, struct xm_choice *choice,
                     uint64_t now_ns)
{
    const struct xm_model *m = xm_feed_model(feed);
    if (restarted(travel, m) && choice->travelling) {
        choice->travelling = false;
        choice->frozen = false;
        travel->begun = false;
        xm_feed_follow(feed);
        xm_feed_update(feed, now_ns);
    } else if (m->data && choice->travelling && choice->frozen && choice->position <= m->newest) {
        choice->position = shown(m);
    }
}

void xm_travel_update(struct xm_travel *travel, struct xm_feed *feed, struct xm_choice *choice,
                      uint64_t now_ns)
{
    const struct xm_model *m = xm_feed_model(feed);
    bool had = m->data;
    xm_feed_set_window(feed, xm_choice_window_ns(choice));
    if (choice->watch_anew)
        xm_feed_watch_anew(feed);
    choice->watch_anew = false;
    begin_replay(travel, m, choice, now_ns);
    if (choice->jump.kind != XM_JUMP_NONE)
        travel->last_ns = now_ns; /* played on from there: what is at the end already stays */
    jump(feed, m, choice);
    settle(travel, m, choice, now_ns);
    if (choice->travelling)
        xm_feed_seek(feed, choice->position);
    else
        xm_feed_follow(feed);
    xm_feed_update(feed, now_ns);
    if (m->data && !had && choice->replay && !travel->begun) {
        begin_replay(travel, m, choice, now_ns);
        xm_feed_seek(feed, choice->position);
        xm_feed_update(feed, now_ns);
    }
    conclude(travel, feed, choice, now_ns);
}
