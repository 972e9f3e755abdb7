/* SPDX-License-Identifier: MIT */
/* The table of metrics describes the structures that are made from it, and samples have the room they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "xenmon/sample.h"

/* Each scope's metrics follow each other without a hole and fill the row. */
static void test_offsets(void **state)
{
    size_t count;
    size_t end[XM_SCOPES] = {0};
    const struct xm_metric *m = xm_metrics(&count);
    assert_true(count > 50);
    for (size_t i = 0; i < count; i++) {
        assert_true(m[i].scope < XM_SCOPES);
        assert_int_equal(m[i].offset, end[m[i].scope]);
        assert_true(m[i].bytes == 8 ? m[i].count == 1 : m[i].bytes == 4 && m[i].count > 1);
        end[m[i].scope] += (size_t)m[i].bytes * m[i].count;
    }
    for (unsigned s = 0; s < XM_SCOPES; s++)
        assert_int_equal(end[s], xm_row_bytes((enum xm_scope)s));
}

static void test_names(void **state)
{
    size_t count;
    const struct xm_metric *m = xm_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(m[i].name) > 0 && strlen(m[i].help) > 0);
        assert_int_equal(strspn(m[i].name, "abcdefghijklmnopqrstuvwxyz_"), strlen(m[i].name));
        for (size_t k = i + 1; k < count; k++)
            if (m[i].scope == m[k].scope)
                assert_string_not_equal(m[i].name, m[k].name);
    }
}

/* Rows are told apart by their id, which comes first; pairs and the host have none. */
static void test_ids(void **state)
{
    size_t count;
    unsigned ids[XM_SCOPES] = {0};
    const struct xm_metric *m = xm_metrics(&count);
    for (size_t i = 0; i < count; i++)
        if (m[i].kind == XM_KIND_ID) {
            assert_int_equal(m[i].offset, 0);
            assert_string_equal(m[i].name, "id");
            ids[m[i].scope]++;
        }
    assert_int_equal(ids[XM_SCOPE_VCPU], 1);
    assert_int_equal(ids[XM_SCOPE_DOMAIN], 1);
    assert_int_equal(ids[XM_SCOPE_PCPU], 1);
    assert_int_equal(ids[XM_SCOPE_PAIR] + ids[XM_SCOPE_HOST], 0);
    uint64_t id = XM_ROW_USED | UINT64_C(0x7fffffff) << 32 | UINT64_C(8191) << 16 | 0x7fef;
    assert_int_equal(xm_row_domid(id), 0x7fef);
    assert_int_equal(xm_row_vcpu(id), 8191);
    assert_int_equal(xm_row_instance(id), 0x7fffffff);
}

static void test_words(void **state)
{
    static const char *const scopes[] = {"vcpu", "domain", "pcpu", "pair", "host"};
    static const char *const kinds[] = {"id", "counter", "gauge", "peak", "trough"};
    static const char *const units[] = {"", "cycles", "ns", "count", "bytes"};
    for (unsigned i = 0; i < XM_SCOPES; i++)
        assert_string_equal(xm_scope_name((enum xm_scope)i), scopes[i]);
    for (unsigned i = 0; i < 5; i++)
        assert_string_equal(xm_kind_name((enum xm_kind)i), kinds[i]);
    for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++)
        assert_string_equal(xm_unit_name((enum xm_unit)i), units[i]);
}

static void test_capacity(void **state)
{
    static const struct xm_capacity bad[] = {{0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {(1u << 20) + 1, 1, 1},
                                             {1, (1u << 20) + 1, 1}, {1, 1, (1u << 20) + 1}};
    struct xm_sample s;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(xm_sample_init(&s, bad[i]), XM_LIMIT);
        xm_sample_fini(&s);
    }
    memset(&s, 0, sizeof s);
    xm_sample_fini(&s);
}

static void test_clear(void **state)
{
    struct xm_sample s;
    assert_int_equal(xm_sample_init(&s, (struct xm_capacity){3, 7, 2}), XM_OK);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(s.vcpu[i].id, 0);
    memset(s.vcpu, 0xff, 7 * sizeof *s.vcpu);
    memset(s.domain, 0xff, 3 * sizeof *s.domain);
    memset(s.pcpu, 0xff, 2 * sizeof *s.pcpu);
    memset(s.pair, 0xff, 6 * sizeof *s.pair);
    memset(s.vcpu_domain, 0xff, 7 * sizeof *s.vcpu_domain);
    memset(&s.host, 0xff, sizeof s.host);
    s.used = s.capacity;
    xm_sample_clear(&s);
    assert_int_equal(s.used.vcpus + s.used.domains + s.used.pcpus, 0);
    assert_int_equal(s.capacity.vcpus, 7);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(s.vcpu[i].last_io | s.vcpu[i].id | s.vcpu_domain[i], 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(s.domain[i].id | s.domain[i].wait_coarse[XM_COARSE_BUCKETS - 1], 0);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(s.pair[i].executions | s.pair[i].running, 0);
    assert_int_equal(s.host.refused | s.host.tsc | s.pcpu[1].current, 0);
    xm_sample_fini(&s);
    assert_null(s.vcpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets), cmocka_unit_test(test_names),    cmocka_unit_test(test_ids),
        cmocka_unit_test(test_words),   cmocka_unit_test(test_capacity), cmocka_unit_test(test_clear),
    };
    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
