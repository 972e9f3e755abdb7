/* SPDX-License-Identifier: MIT */
/* Options from files: what a table of options takes, refuses and leaves to the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

struct target {
    uint64_t count, time_ns;
    unsigned word;
    bool flag, other;
    const char *text;
};

#define AT(member) offsetof(struct target, member)
static const struct xm_option options[] = {
    {.help = "A heading:"},
    {"count", 'c', XM_ARG_NEEDED, xm_set_count, AT(count), "N", "a count", 1, 9, 0},
    {"time", 0, XM_ARG_NEEDED, xm_set_duration, AT(time_ns), "TIME", "a time", 0, 0, 1000000000},
    {"word", 0, XM_ARG_NEEDED, xm_set_choice, AT(word), "one|two", "a word", 0, 0, 0},
    {"flag", 0, XM_ARG_NONE, xm_set_flag, AT(flag), NULL, "a flag", 0, 0, 0},
    {"no-other", 0, XM_ARG_NONE, xm_set_no, AT(other), NULL, "another", 0, 0, 0},
    {"text", 0, XM_ARG_NEEDED, xm_set_text, AT(text), "TEXT", "a text", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(flag), NULL, "help", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])
static const char *const never[] = {"help", NULL};

static char path[64], said[1000];
static struct target target, scratch;

static void say(void *user, const char *text)
{
    size_t length = strlen(said);
    assert_memory_equal(text, path, strlen(path));
    snprintf(said + length, sizeof said - length, "%s\n", text + strlen(path));
}

static enum xm_status read_text(const char *text, const bool *skip, bool whole, struct xm_config *config)
{
    struct xm_error err;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    said[0] = '\0';
    target = (struct target){.other = true};
    *config = (struct xm_config){.section = "xenbaked",
                                 .options = options,
                                 .count = OPTIONS,
                                 .config = &target,
                                 .never = never,
                                 .skip = skip,
                                 .scratch = &scratch,
                                 .whole = whole};
    xm_error_clear(&err);
    return xm_config_read(config, path, say, NULL, &err);
}

static void test_values(void **state)
{
    struct xm_config config;
    assert_int_equal(read_text("[xenbaked]\ncount = 3\ntime = 1.5s\nword = two\nflag = yes\nno-other = on\n"
                               "text = a b\n[live]\ncount = x\n",
                               NULL, true, &config),
                     XM_OK);
    assert_int_equal(target.count, 3);
    assert_int_equal(target.time_ns, 1500000000);
    assert_int_equal(target.word, 1);
    assert_true(target.flag);
    assert_false(target.other);
    assert_string_equal(target.text, "a b");
    assert_string_equal(said, "");
    xm_config_fini(&config);
    /* What is in a later line, or file, wins; also that a flag is not meant. */
    assert_int_equal(read_text("[xenbaked]\nflag=1\nflag=no\nno-other=true\nno-other=off\ncount=1\ncount=2\n",
                               NULL, true, &config),
                     XM_OK);
    assert_false(target.flag);
    assert_true(target.other);
    assert_int_equal(target.count, 2);
    xm_config_fini(&config);
}

static void test_wrong(void **state)
{
    struct xm_config config;
    assert_int_equal(
        read_text(
            "[xenbaked]\ncount = 10\ncou = 1\nhelp = yes\nflag = perhaps\nword = three\ntext =\n-c = 1\n"
            "A heading: = 1\ncount = 5\n",
            NULL, true, &config),
        XM_INVALID);
    assert_string_equal(said, ":2: [xenbaked] count: '10' is not a whole number, 1 to 9\n"
                              ":3: [xenbaked] cou: there is no such option\n"
                              ":4: [xenbaked] help: it cannot be set here\n"
                              ":5: [xenbaked] flag: yes or no is right\n"
                              ":6: [xenbaked] word: 'three' is not one of one|two\n"
                              ":7: [xenbaked] text: it needs a value\n"
                              ":8: [xenbaked] -c: there is no such option\n"
                              ":9: [xenbaked] A heading: there is no such option\n");
    assert_int_equal(target.count, 5); /* the rest holds */
    xm_config_fini(&config);
}

static void test_sections(void **state)
{
    static const char text[] = "[other]\na = b\nnonsense\n[xenbaked]\ncount = x\n";
    struct xm_config config;
    assert_int_equal(read_text(text, NULL, true, &config), XM_INVALID);
    assert_string_equal(
        said, ":2: [other] a: there is no such section: [screen], [live], [xenbaked] and [serve] are right\n"
              ":3: neither [section] nor name = value\n"
              ":5: [xenbaked] count: 'x' is not a whole number, 1 to 9\n");
    xm_config_fini(&config);
    /* Where another reader speaks of the rest. */
    assert_int_equal(read_text(text, NULL, false, &config), XM_INVALID);
    assert_string_equal(said, ":5: [xenbaked] count: 'x' is not a whole number, 1 to 9\n");
    xm_config_fini(&config);
}

static void test_skipped(void **state)
{
    const bool skip[OPTIONS] = {[1] = true};
    struct xm_config config;
    assert_int_equal(read_text("[xenbaked]\ncount = 4\ntext = x\n", skip, true, &config), XM_OK);
    assert_int_equal(target.count, 0);
    assert_int_equal(scratch.count, 4);
    assert_string_equal(target.text, "x");
    xm_config_fini(&config);
    /* It is checked all the same. */
    assert_int_equal(read_text("[xenbaked]\ncount = 99\n", skip, true, &config), XM_INVALID);
    xm_config_fini(&config);
}

static void test_given(void **state)
{
    char words[4][16] = {"p", "--time=2", "operand", "-c4"};
    char *argv[] = {words[0], words[1], words[2], words[3], NULL};
    bool given[OPTIONS] = {false};
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    assert_int_equal(xm_options_read_given(options, OPTIONS, &target, 4, argv, &operands, given, &err),
                     XM_OK);
    assert_int_equal(operands, 1);
    for (size_t i = 0; i < OPTIONS; i++)
        assert_int_equal(given[i], i == 1 || i == 2);
}

static int set_up(void **state)
{
    umask(022);
    snprintf(path, sizeof path, "/tmp/xm-config-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 || fchmod(fd, 0644) != 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_wrong), cmocka_unit_test(test_sections),
        cmocka_unit_test(test_skipped), cmocka_unit_test(test_given),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
