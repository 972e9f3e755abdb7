/* SPDX-License-Identifier: MIT */
/*
 * The order of a live stream, which waits for passes and for full buffers only, gives the same totals as the exact one:
 * on every capture, also where records were lost, however the bytes come.  So it does while a host's list tells of
 * others all along: no record that is still to come is older than what it tells.
 */
#include <string.h>

#include "baked.h"

/* vCPUs that no capture has: told of one after another. */
#define STRANGERS 8u
#define STRANGER 30000u
#define NEVER_THERE 31000u

static void tell_list(struct xm_bake *bake, uint32_t turn)
{
    if (!xm_bake_start(bake).v)
        return;
    xm_cycles told = xm_bake_stats(bake).last_tsc;
    if (xm_bake_introduce(bake, STRANGER, turn % STRANGERS, XM_BLOCKED, told) != XM_OK)
        xt_die("out of memory");
    xm_bake_gone(bake, NEVER_THERE);
}

static struct xt_baked bake_listed(const struct xt_bytes *bytes, size_t piece)
{
    struct xm_bake_config config = {.hz = XM_NS_PER_S, .stream = {.order = XM_ORDER_PROMPT}};
    struct xm_bake *bake = xm_bake_create(&config);
    struct xt_baked b = {0};
    uint32_t turn = 0;
    if (!bake)
        xt_die("out of memory");
    for (size_t at = 0, used = 1; at < bytes->size && used; at += used) {
        size_t left = bytes->size - at;
        if (xm_bake_run(bake, (const char *)bytes->data + at, left < piece ? left : piece, &used) != XM_OK)
            break;
        tell_list(bake, turn++);
    }
    b.ended = xm_bake_finish(bake);
    tell_list(bake, turn);
    b.stats = xm_bake_stats(bake);
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        b.anomaly[i] = xm_account_anomalies(xm_bake_account(bake), (enum xm_anomaly)i);
    if (xm_sample_init(&b.end, xm_account_capacity(xm_bake_account(bake))) != XM_OK)
        xt_die("out of memory");
    xm_bake_sample(bake, xm_bake_now(bake), false, &b.end);
    xm_account_total(&b.end);
    xm_bake_destroy(bake);
    return b;
}

static bool same(const struct xt_baked *prompt, const struct xt_baked *strict, uint32_t strangers)
{
    bool good = prompt->stats.stragglers == 0 && prompt->stats.late_gaps == 0 &&
                prompt->end.host.gap == strict->end.host.gap && prompt->end.host.window == strict->end.host.window &&
                prompt->end.used.vcpus == strict->end.used.vcpus + strangers &&
                memcmp(prompt->anomaly, strict->anomaly, sizeof strict->anomaly) == 0;
    for (uint32_t i = 0; i < strict->end.used.vcpus; i++) {
        const struct xm_vcpu_row *a = &strict->end.vcpu[i];
        const struct xm_vcpu_row *b = xt_vcpu(&prompt->end, a->id);
        /* Everything but the id. */
        good = b && memcmp(&a->running, &b->running, sizeof *a - offsetof(struct xm_vcpu_row, running)) == 0 && good;
    }
    for (uint32_t i = 0; i < strict->end.used.pcpus; i++) {
        const struct xm_pcpu_row *a = &strict->end.pcpu[i];
        const struct xm_pcpu_row *b = xt_pcpu(&prompt->end, a->id);
        good = b && memcmp(a, b, sizeof *a) == 0 && good;
    }
    return good;
}

int main(void)
{
    struct xt_tap tap = {0};
    struct xt_rng r = xt_rng(xt_seed(), 1);
    for (unsigned i = 0; xt_captures[i]; i++) {
        struct xt_bytes bytes = xt_capture(xt_captures[i]);
        struct xt_baked strict = xt_bake(bytes.data, bytes.size, 0, XM_NS_PER_S, 0);
        bool good = true;
        for (unsigned k = 0; k < 5; k++) {
            struct xt_baked prompt = xt_bake_prompt(bytes.data, bytes.size, 1 + (size_t)xt_below(&r, 1u << 4 * k));
            good = same(&prompt, &strict, 0) && good;
            xt_baked_free(&prompt);
        }
        xt_ok(&tap, good, "%s, in the order of a live stream", xt_captures[i]);
        struct xt_baked listed = bake_listed(&bytes, bytes.size / 1000 + 1 + (size_t)xt_below(&r, 1000));
        xt_ok(&tap, same(&listed, &strict, STRANGERS), "and with a list that tells of others");
        xt_baked_free(&listed);
        xt_baked_free(&strict);
        xt_free(&bytes);
    }
    return xt_done(&tap);
}
