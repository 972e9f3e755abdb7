/* SPDX-License-Identifier: MIT */
/*
 * The order of a live stream, which waits for passes and for full buffers only, gives the same totals as the exact one:
 * on every capture, also where records were lost, however the bytes come.
 */
#include <string.h>

#include "baked.h"

static bool same(const struct xt_baked *prompt, const struct xt_baked *strict)
{
    bool good = prompt->stats.stragglers == 0 && prompt->stats.late_gaps == 0 &&
                prompt->end.host.gap == strict->end.host.gap && prompt->end.host.window == strict->end.host.window &&
                prompt->end.used.vcpus == strict->end.used.vcpus;
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
            good = same(&prompt, &strict) && good;
            xt_baked_free(&prompt);
        }
        xt_ok(&tap, good, "%s, in the order of a live stream", xt_captures[i]);
        xt_baked_free(&strict);
        xt_free(&bytes);
    }
    return xt_done(&tap);
}
