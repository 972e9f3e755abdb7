/* SPDX-License-Identifier: MIT */
/* Who wants packed answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/http_int.h"

static void wishes(void **state)
{
    static const struct {
        const char *accepted;
        bool wanted;
    } rows[] = {
        {NULL, false},
        {"", false},
        {"identity", false},
        {"gzip", true},
        {"GZIP", true},
        {"x-gzip", true},
        {"gzip;q=0", false},
        {"gzip;q=0.000", false},
        {"gzip;q=0.001", true},
        {"gzip ; q=1.0", true},
        {"gzip;q=x", false},
        {"gzipped", false},
        {"deflate, br, zstd", false},
        {"deflate, gzip, br", true},
        {"deflate,gzip;q=0,br", false},
        {"*", true},
        {"*;q=0", false},
        {"gzip;q=0, *", false},
        {"gzip, *;q=0", true},
        {"identity, gzip;q=0.5", false},
        {"identity;q=0.5, gzip;q=0.5", true},
        {"identity;q=0.6, gzip;q=0.5", false},
        {"identity;q=0, gzip;q=0.1", true},
        {" , ,, gzip", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (xm_http_wants_gzip(rows[i].accepted) != rows[i].wanted)
            fail_msg("'%s'", rows[i].accepted ? rows[i].accepted : "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wishes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
