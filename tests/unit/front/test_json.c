/* SPDX-License-Identifier: MIT */
/* The writers of JSON and CSV: exact numbers, nesting, and names that mean harm. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "front/print/csv.h"
#include "front/print/json.h"

struct paper {
    FILE *out;
    char *text;
    size_t size;
};

static void open_paper(struct paper *p)
{
    p->out = open_memstream(&p->text, &p->size);
    assert_non_null(p->out);
}

static void check_paper(struct paper *p, const char *should)
{
    assert_int_equal(fclose(p->out), 0);
    assert_string_equal(p->text, should);
    free(p->text);
}

static void put_document(struct xm_json *json, bool lines)
{
    xm_json_object(json, NULL, lines);
    xm_json_u64(json, "most", UINT64_MAX);
    xm_json_u64(json, "odd", (UINT64_C(1) << 53) + 1); /* no double holds it */
    xm_json_array(json, "list", false);
    xm_json_u64(json, NULL, 0);
    xm_json_object(json, NULL, false);
    xm_json_close(json);
    xm_json_bool(json, NULL, true);
    xm_json_close(json);
    xm_json_array(json, "none", lines);
    xm_json_close(json);
    xm_json_real(json, "real", 0.125);
    xm_json_real(json, "huge", HUGE_VAL);
    xm_json_real(json, "nan", (double)NAN);
    xm_json_null(json, "null");
    xm_json_text(json, "text", NULL);
    xm_json_close(json);
}

static void one_line(void **state)
{
    struct paper p;
    struct xm_json json;
    open_paper(&p);
    xm_json_init_line(&json, p.out);
    put_document(&json, false);
    put_document(&json, false); /* the next line */
    static const char line[] = "{\"most\":18446744073709551615,\"odd\":9007199254740993,\"list\":[0,{},true],"
                               "\"none\":[],\"real\":0.125,"
                               "\"huge\":null,\"nan\":null,\"null\":null,\"text\":null}\n";
    char twice[2 * sizeof line];
    snprintf(twice, sizeof twice, "%s%s", line, line);
    check_paper(&p, twice);
}

static void on_lines(void **state)
{
    struct paper p;
    struct xm_json json;
    open_paper(&p);
    xm_json_init(&json, p.out);
    put_document(&json, true);
    check_paper(
        &p, "{\n  \"most\": 18446744073709551615,\n  \"odd\": 9007199254740993,\n  \"list\": [0, {}, true],\n"
            "  \"none\": [],\n  \"real\": 0.125,\n  \"huge\": null,\n  \"nan\": null,\n  \"null\": null,\n"
            "  \"text\": null\n}\n");
}

/* What a guest's owner may call it stays within its quotes, on its line, and valid UTF-8. */
static void hostile_texts(void **state)
{
    static const struct {
        const char *text, *should;
    } cases[] = {
        {"", ""},
        {"a\"b\\c", "a\\\"b\\\\c"},
        {"line\nbreak\r\t\x7f\x1b[31m", "line?break????[31m"},
        {"\xff\xc0\x80 \xed\xa0\x80", "??? ???"},
        {"\xe2\x80\xae"
         "evil",
         "?evil"},
        {"\xc3\xbc\xf0\x9f\x90\xa7", "\xc3\xbc\xf0\x9f\x90\xa7"},
        {"\xe2\x80\xa8", "?"},
        {"cut\xf0\x9f", "cut??"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct paper p;
        struct xm_json json;
        char should[64];
        open_paper(&p);
        xm_json_init_line(&json, p.out);
        xm_json_object(&json, NULL, false);
        xm_json_text(&json, "name", cases[i].text);
        xm_json_close(&json);
        snprintf(should, sizeof should, "{\"name\":\"%s\"}\n", cases[i].should);
        check_paper(&p, should);
    }
}

/* A long text is cut at a whole character, also where all of it needs an escape. */
static void long_texts(void **state)
{
    static char longest[5000];
    struct paper p;
    struct xm_json json;
    memset(longest, '"', sizeof longest - 1);
    open_paper(&p);
    xm_json_init_line(&json, p.out);
    xm_json_object(&json, NULL, false);
    xm_json_text(&json, "name", longest);
    xm_json_close(&json);
    assert_int_equal(fclose(p.out), 0);
    size_t length = strlen(p.text);
    assert_true(length > 2000 && length < 2100);
    assert_string_equal(p.text + length - 5, "\\\"\"}\n");
    free(p.text);
}

static void csv_fields(void **state)
{
    struct paper p;
    open_paper(&p);
    struct xm_csv csv = {.out = p.out};
    xm_csv_text(&csv, "plain");
    xm_csv_text(&csv, "a,b");
    xm_csv_text(&csv, "say \"hi\"");
    xm_csv_text(&csv, "two\nlines");
    xm_csv_text(&csv, NULL);
    xm_csv_text(&csv, "");
    xm_csv_end(&csv);
    xm_csv_u64(&csv, UINT64_MAX);
    xm_csv_maybe(&csv, false, 7);
    xm_csv_maybe(&csv, true, 7);
    xm_csv_real(&csv, true, 1.0 / 3);
    xm_csv_real(&csv, true, 100);
    xm_csv_real(&csv, false, 1);
    xm_csv_real(&csv, true, (double)NAN);
    xm_csv_real(&csv, true, -HUGE_VAL);
    xm_csv_end(&csv);
    check_paper(
        &p,
        "plain,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",,\n18446744073709551615,,7,0.333333333,100,,,\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line),   cmocka_unit_test(on_lines),   cmocka_unit_test(hostile_texts),
        cmocka_unit_test(long_texts), cmocka_unit_test(csv_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
