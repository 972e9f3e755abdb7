/* SPDX-License-Identifier: MIT */
/* XML-RPC: what is let through to the parser, and that every call gets an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/rpc.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static void what_fits(void **state)
{
    static const struct {
        const char *xml;
        bool fits;
    } cases[] = {
        {"", true},
        {"<?xml version=\"1.0\"?><a><b/><!-- < <x> --><![CDATA[<c><d>]]></a>", true},
        {"<!DOCTYPE a>", false},
        {"<!ENTITY a \"b\">", false},
        {"<!-- no end", false},
        {"<![CDATA[ no end", false},
        {"<?no end", false},
        {"<no end", false},
        {"<", false},
        {"<a b='/>'>", true},
        {"</a></a></a>", true},
        {"&lt;&amp;", true},
        {"<value><i8>1</i8></value>", false},
        {"<i8 >", false},
        {"<i8\n>", false},
        {"<i8/>", false},
        {"<ex:i8 xmlns:ex='a'>1</ex:i8>", false},
        {"<i4>1</i4><i80/><ex:i80/><xi8/><![CDATA[<i8>x</i8>]]><!-- <i8> -->", true},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        assert_int_equal(xm_rpc_fits(cases[i].xml, strlen(cases[i].xml)), cases[i].fits);
}

/* In UTF-16 a '<' is not where it is looked for: such a call must not come as far as the parser. */
static void only_utf8_fits(void **state)
{
    static const struct {
        const char *xml;
        bool fits;
    } cases[] = {
        {"<a>\xc3\xa9 \xf0\x9f\x90\xa7</a>", true},
        {"\xef\xbb\xbf<a/>", true},
        {"<a>\xe9</a>", false},
        {"\xff\xfe<a/>", false},
        {"\xfe\xff<a/>", false},
        {"<a>\xed\xa0\x80</a>", false},
        {"<?xml version='1.0' encoding='UTF-8'?><a/>", true},
        {"<?xml version=\"1.0\" encoding = \"us-ascii\" ?><a/>", true},
        {"<?xml version='1.0' encoding='UTF-16'?><a/>", false},
        {"<?xml version='1.0' encoding='UTF-16LE'?><a/>", false},
        {"<?xml version='1.0' encoding='iso-8859-1'?><a/>", false},
        {"<?xml version='1.0' encoding='utf-8x'?><a/>", false},
        {"<?xml version='1.0' encoding?><a/>", false},
        {"<?xml version='1.0' encoding=", false},
        {"<a/><?xml encoding='utf-7'?>", false},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        assert_int_equal(xm_rpc_fits(cases[i].xml, strlen(cases[i].xml)), cases[i].fits);
    static const char text[] = "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>";
    char wide[2 * sizeof text + 2];
    for (int big = 0; big < 2; big++) {
        memcpy(wide, big ? "\xfe\xff" : "\xff\xfe", 2);
        for (size_t i = 0; i + 1 < sizeof text; i++) {
            wide[2 + 2 * i] = big ? '\0' : text[i];
            wide[3 + 2 * i] = big ? text[i] : '\0';
        }
        size_t bytes = 2 * (sizeof text - 1);
        assert_false(xm_rpc_fits(wide, bytes + 2));
        assert_false(xm_rpc_fits(wide + 2, bytes));
    }
}

/* `count` times the text, then whatever it takes to be cut at no fixed place. */
static char *repeated(const char *text, size_t count)
{
    size_t length = strlen(text);
    char *all = malloc(length * count + 1);
    assert_non_null(all);
    for (size_t i = 0; i < count; i++)
        memcpy(all + i * length, text, length);
    all[length * count] = '\0';
    return all;
}

static void how_deep(void **state)
{
    /* The last two only look as if they ended at once. */
    static const char *const tags[] = {"<a>", "<a b=\"/>\">", "<a b='/>' c=\">\">"};
    for (size_t i = 0; i < ELEMENTS(tags); i++) {
        char *good = repeated(tags[i], XM_RPC_DEPTH);
        char *bad = repeated(tags[i], XM_RPC_DEPTH + 1);
        assert_true(xm_rpc_fits(good, strlen(good)));
        assert_false(xm_rpc_fits(bad, strlen(bad)));
        free(good);
        free(bad);
    }
    char *flat = repeated("<a></a>", 5000);
    assert_true(xm_rpc_fits(flat, strlen(flat)));
    free(flat);
    char *large = repeated("x", XM_RPC_CALL_BYTES + 1);
    assert_true(xm_rpc_fits(large, XM_RPC_CALL_BYTES));
    assert_false(xm_rpc_fits(large, XM_RPC_CALL_BYTES + 1));
    free(large);
}

struct answer {
    char *text;
    size_t bytes;
};

static bool keep(void *user, const void *data, size_t bytes)
{
    struct answer *answer = user;
    answer->text = malloc(bytes + 1);
    assert_non_null(answer->text);
    memcpy(answer->text, data, bytes);
    answer->text[bytes] = '\0';
    answer->bytes = bytes;
    return true;
}

static char *call(struct xm_rpc *rpc, const char *xml, size_t bytes)
{
    static const struct xm_host_snapshot none = {.state = XM_HOST_ABSENT, .reason = "no such file"};
    struct xm_ask ask = {.snapshot = &none, .path = "/nonexistent", .hostname = "", .version = "1.2.3"};
    struct answer answer = {0};
    assert_int_equal(xm_rpc_call(rpc, &ask, xml, bytes, keep, &answer), XM_OK);
    assert_non_null(answer.text);
    assert_non_null(strstr(answer.text, "<methodResponse>"));
    return answer.text;
}

#define CALL(method) "<methodCall><methodName>" method "</methodName><params></params></methodCall>"

#define ARGUMENT(value)                                                                                     \
    "<methodCall><methodName>xenmon.domain</methodName><params><param><value>" value                        \
    "</value></param></params></methodCall>"

static void every_call_is_answered(void **state)
{
    static const struct {
        const char *xml, *part;
    } cases[] = {
        {CALL("xenmon.version"), "1.2.3"},
        {CALL("xenmon.metrics"), "running_ratio"},
        {CALL("xenmon.snapshot"), "no_data: there is no data: no such file"},
        {CALL("xenmon.domain"), "bad_arguments"},
        {CALL("nosuch"), "-506"},
        {"", "faultCode"},
        {"<!DOCTYPE a>", "bad_call"},
        {"<a></b>", "faultCode"},
        /* Of these the parser cannot say what is wrong: it dies of it. */
        {ARGUMENT("<i8>/9</i8>"), "bad_call"},
        {ARGUMENT("<i8>9999999999999999999999</i8>"), "bad_call"},
        {ARGUMENT("<ex:i8 xmlns:ex='a'>x</ex:i8>"), "bad_call"},
        {ARGUMENT("<i4>x</i4>"), "-503"},
    };
    struct xm_rpc *rpc;
    assert_int_equal(xm_rpc_create(&rpc, NULL), XM_OK);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char *text = call(rpc, cases[i].xml, strlen(cases[i].xml));
        assert_non_null(strstr(text, cases[i].part));
        free(text);
    }
    xm_rpc_destroy(rpc);
    xm_rpc_destroy(NULL);
}

static bool count_turn(void *user)
{
    ++*(unsigned *)user;
    return true;
}

/* Past its time a call begins no dear answer more; others it still gets. */
static void no_dear_answer_is_begun_late(void **state)
{
    static const struct xm_host_snapshot none = {
        .state = XM_HOST_ABSENT, .reason = "no such file", .made_real_ns = UINT64_C(1700000000000000000)};
    static const struct {
        uint64_t until_ns;
        const char *xml, *part;
        unsigned turns;
    } cases[] = {
        {1, CALL("xenmon.history"), "<i4>503</i4>", 0},
        {1, CALL("xenmon.history"), "busy: ", 0},
        {1, CALL("xenmon.history_ranges"), "busy: ", 0},
        {1, CALL("xenmon.version"), "1.2.3", 0},
        {UINT64_MAX, CALL("xenmon.history"), "no_data: ", 1},
        {UINT64_MAX, CALL("xenmon.history_ranges"), "durable", 1},
        {0, CALL("xenmon.history"), "no_data: ", 1},
    };
    struct xm_rpc *rpc;
    assert_int_equal(xm_rpc_create(&rpc, NULL), XM_OK);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        unsigned turns = 0;
        struct xm_ask ask = {.snapshot = &none,
                             .path = "/nonexistent",
                             .hostname = "",
                             .version = "1.2.3",
                             .history = "/nonexistent",
                             .turn = count_turn,
                             .turn_user = &turns,
                             .until_ns = cases[i].until_ns};
        struct answer answer = {0};
        assert_int_equal(xm_rpc_call(rpc, &ask, cases[i].xml, strlen(cases[i].xml), keep, &answer), XM_OK);
        assert_non_null(strstr(answer.text, cases[i].part));
        assert_int_equal(turns, cases[i].turns);
        free(answer.text);
    }
    xm_rpc_destroy(rpc);
}

/* A call cut anywhere is answered too, and nothing behind its end is read. */
static void a_call_cut_anywhere(void **state)
{
    static const char xml[] =
        "<?xml version=\"1.0\"?><methodCall><methodName>xenmon.domain</methodName><params><param>"
        "<value><int>1</int></value></param><param><value><string>1s</string></value></param>"
        "</params></methodCall>";
    struct xm_rpc *rpc;
    assert_int_equal(xm_rpc_create(&rpc, NULL), XM_OK);
    for (size_t length = 0; length < sizeof xml; length++) {
        char *copy = malloc(length + 1); /* of exactly that length, but that none is of 0 */
        assert_non_null(copy);
        memcpy(copy, xml, length);
        free(call(rpc, copy, length));
        free(copy);
    }
    xm_rpc_destroy(rpc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits),
        cmocka_unit_test(only_utf8_fits),
        cmocka_unit_test(how_deep),
        cmocka_unit_test(every_call_is_answered),
        cmocka_unit_test(no_dear_answer_is_begun_late),
        cmocka_unit_test(a_call_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
