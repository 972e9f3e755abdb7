/* SPDX-License-Identifier: MIT */
/* Values as people write them, and command lines as tables read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"

#define UNTOUCHED       UINT64_C(0x5555555555555555)
#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

struct value_case {
    const char *text;
    bool good;
    uint64_t value;
};

static void durations(void **state)
{
    static const struct value_case cases[] = {
        {"500ms", true, 500000000},
        {"1s", true, 1000000000},
        {"1.5s", true, 1500000000},
        {"2m", true, UINT64_C(120000000000)},
        {"1h", true, UINT64_C(3600000000000)},
        {"250us", true, 250000},
        {"10ns", true, 10},
        {"0.000000001s", true, 1},
        {"0", true, 0},
        {"18446744073709551615ns", true, UINT64_MAX},
        {"18446744073709551616ns", false, 0},
        {"18446744074s", false, 0},
        {"7", false, 0},
        {"", false, 0},
        {"s", false, 0},
        {"-1s", false, 0},
        {"1 s", false, 0},
        {"1.s", false, 0},
        {".5s", false, 0},
        {"1S", false, 0},
        {"1ss", false, 0},
        {"0x10ms", false, 0},
        {"1e3ms", false, 0},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        uint64_t ns = UNTOUCHED;
        print_message("# %s\n", cases[i].text);
        assert_int_equal(xm_read_duration(cases[i].text, 0, &ns), cases[i].good);
        assert_true(ns == (cases[i].good ? cases[i].value : UNTOUCHED));
    }
    uint64_t ns;
    assert_true(xm_read_duration("1000", 1000000, &ns));
    assert_true(ns == 1000000000);
    assert_true(xm_read_duration("0.5", 1000000000, &ns));
    assert_true(ns == 500000000);
    assert_true(xm_read_duration("3s", 1000000, &ns));
    assert_true(ns == UINT64_C(3000000000));
}

static void sizes(void **state)
{
    static const struct value_case cases[] = {
        {"4096", true, 4096},
        {"64K", true, 65536},
        {"64k", true, 65536},
        {"1M", true, 1048576},
        {"1.5GiB", true, 1610612736},
        {"2T", true, UINT64_C(1) << 41},
        {"0", true, 0},
        {"16777216T", false, 0},
        {"1X", false, 0},
        {"", false, 0},
        {"K", false, 0},
        {"1K ", false, 0},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        uint64_t bytes = UNTOUCHED;
        print_message("# %s\n", cases[i].text);
        assert_int_equal(xm_read_size(cases[i].text, &bytes), cases[i].good);
        assert_true(bytes == (cases[i].good ? cases[i].value : UNTOUCHED));
    }
}

static void frequencies(void **state)
{
    static const struct value_case cases[] = {
        {"2793439000", true, 2793439000},
        {"2793439kHz", true, 2793439000},
        {"2.79GHz", true, 2790000000},
        {"2793.439MHz", true, 2793439000},
        {"1000000000hz", true, 1000000000},
        {"1", true, 1},
        {"1099511627776", true, UINT64_C(1) << 40},
        {"1099511627777", false, 0},
        {"0", false, 0},
        {"0.4", false, 0},
        {"GHz", false, 0},
        {"2.79 GHz", false, 0},
        {"2.79G", false, 0},
        {"-1", false, 0},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        uint64_t hz = UNTOUCHED;
        print_message("# %s\n", cases[i].text);
        assert_int_equal(xm_read_hz(cases[i].text, &hz), cases[i].good);
        assert_true(hz == (cases[i].good ? cases[i].value : UNTOUCHED));
    }
}

static void losses(void **state)
{
    struct xm_max_loss loss;
    assert_true(xm_read_loss("0", &loss));
    assert_false(xm_loss_exceeds(&loss, 0, 1000));
    assert_true(xm_loss_exceeds(&loss, 1, 1000));
    assert_true(xm_read_loss("100", &loss));
    assert_false(xm_loss_exceeds(&loss, 100, 1000));
    assert_true(xm_loss_exceeds(&loss, 101, 1000));
    assert_true(xm_read_loss("0.5%", &loss));
    assert_false(
        xm_loss_exceeds(&loss, 5, 995)); /* exactly half a percent of the 1000 there should have been */
    assert_true(xm_loss_exceeds(&loss, 6, 994));
    assert_true(xm_loss_exceeds(&loss, UINT64_MAX / 2, UINT64_MAX / 2));
    assert_true(xm_read_loss("none", &loss));
    assert_false(xm_loss_exceeds(&loss, UINT64_MAX, 0));
    static const char *const bad[] = {"", "%", "101%", "1.5", "1 %", "five", "-1", "1%%"};
    for (size_t i = 0; i < ELEMENTS(bad); i++)
        assert_false(xm_read_loss(bad[i], &loss));
}

/* ---- Command lines. */

struct config {
    bool flag, other;
    const char *text, *maybe;
    uint64_t count, duration;
    unsigned format;
};

static const struct xm_option options[] = {
    {.help = "Test:"},
    {"flag", 'f', XM_ARG_NONE, xm_set_flag, offsetof(struct config, flag), NULL, "a flag", 0, 0, 0},
    {"flagrant", 'F', XM_ARG_NONE, xm_set_flag, offsetof(struct config, other), NULL, "another", 0, 0, 0},
    {"noflag", 0, XM_ARG_NONE, xm_set_no, offsetof(struct config, flag), NULL, NULL, 0, 0, 0},
    {"text", 't', XM_ARG_NEEDED, xm_set_text, offsetof(struct config, text), "TEXT", "some text", 0, 0, 0},
    {"region", 0, XM_ARG_OPTIONAL, xm_set_text, offsetof(struct config, maybe), "PATH",
     "a path that may be left out, and a help text so long that it has to be continued on the line below", 0,
     0, 0},
    {"count", 'n', XM_ARG_NEEDED, xm_set_count, offsetof(struct config, count), "N", "a number", 1, 64, 0},
    {"interval", 'i', XM_ARG_NEEDED, xm_set_duration, offsetof(struct config, duration), "MS", "a duration",
     1000000, UINT64_C(3600000000000), 1000000},
    {"format", 0, XM_ARG_NEEDED, xm_set_choice, offsetof(struct config, format), "text|json|csv", "a word", 0,
     0, 0},
};

#define READ(config, operands, err, ...)                                                                     \
    xm_options_read(options, ELEMENTS(options), config,                                                      \
                    (int)(sizeof((const char *[]){"prog", __VA_ARGS__}) / sizeof(char *)),                   \
                    argv_of((const char *[]){"prog", __VA_ARGS__, NULL}), operands, err)

static char *arguments[32];

static char **argv_of(const char *const *words)
{
    size_t n = 0;
    memset(arguments, 0, sizeof arguments);
    for (; words[n]; n++)
        memcpy(&arguments[n], &words[n], sizeof arguments[n]);
    return arguments;
}

static void good_lines(void **state)
{
    struct config c = {0};
    struct xm_error err = {0};
    int operands;
    assert_int_equal(READ(&c, &operands, &err, "one", "-fn5", "--text=", "two", "-", "--format", "csv", "-i",
                          "1000", "--", "--flag"),
                     XM_OK);
    assert_int_equal(operands, 4);
    assert_string_equal(arguments[1], "one");
    assert_string_equal(arguments[2], "two");
    assert_string_equal(arguments[3], "-");
    assert_string_equal(arguments[4], "--flag");
    assert_true(c.flag && !c.other);
    assert_true(c.count == 5 && c.duration == 1000000000);
    assert_int_equal(c.format, 2);
    assert_string_equal(c.text, "");

    c = (struct config){.flag = true};
    assert_int_equal(READ(&c, &operands, &err, "--nof", "--flagr", "--reg", "-t", "-x"), XM_OK);
    assert_int_equal(operands, 0);
    assert_true(!c.flag && c.other);
    assert_string_equal(c.maybe, "");
    assert_string_equal(c.text, "-x");
    assert_int_equal(READ(&c, &operands, &err, "--region=/a=b", "--interval=1.5s", "--flag"), XM_OK);
    assert_string_equal(c.maybe, "/a=b");
    assert_true(c.flag && c.duration == 1500000000);
}

static void bad_lines(void **state)
{
    static const struct {
        const char *line[3];
        const char *says;
    } cases[] = {
        {{"--nothing"}, "there is no option '--nothing'"},
        {{"--=5"}, "there is no option '--'"},
        {{"--fla"}, "option '--fla' is ambiguous"},
        {{"-x"}, "there is no option '-x'"},
        {{"--flag=yes"}, "option '--flag' takes no value"},
        {{"--text"}, "option '--text' needs a value"},
        {{"-n"}, "option '-n' needs a value"},
        {{"-n", "0"}, "--count: '0' is not a whole number, 1 to 64"},
        {{"-n65"}, "--count: '65' is not a whole number, 1 to 64"},
        {{"--count=0x5"}, "--count: '0x5' is not a whole number, 1 to 64"},
        {{"-i0"}, "--interval: '0' is not within the range, 1ms to 1h"},
        {{"-i2h"}, "--interval: '2h' is not within the range, 1ms to 1h"},
        {{"-iabc"}, "--interval: 'abc' is not a duration such as 500ms, 1s or 2m, 1ms to 1h"},
        {{"--format=xml"}, "--format: 'xml' is not one of text|json|csv"},
        {{"--format="}, "--format: '' is not one of text|json|csv"},
        {{"--format=text|json"}, "--format: 'text|json' is not one of text|json|csv"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct config c = {0};
        struct xm_error err = {0};
        const char *words[4] = {"prog", cases[i].line[0], cases[i].line[1], NULL};
        int operands = -7;
        assert_int_equal(xm_options_read(options, ELEMENTS(options), &c, words[2] ? 3 : 2, argv_of(words),
                                         &operands, &err),
                         XM_INVALID);
        assert_string_equal(err.text, cases[i].says);
        assert_int_equal(operands, -7);
    }
}

static void help(void **state)
{
    char text[4096];
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_non_null(out);
    xm_options_print(options, ELEMENTS(options), out);
    fclose(out);
    assert_non_null(strstr(text, "\nTest:\n  -f, --flag              a flag\n"));
    assert_non_null(strstr(text, "      --region[=PATH]     a path that may be left out,"));
    assert_null(strstr(text, "noflag"));
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        assert_in_range(strcspn(line, "\n"), 0, 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations), cmocka_unit_test(sizes),      cmocka_unit_test(frequencies),
        cmocka_unit_test(losses),    cmocka_unit_test(good_lines), cmocka_unit_test(bad_lines),
        cmocka_unit_test(help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
