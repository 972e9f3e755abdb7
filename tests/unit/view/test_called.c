/* SPDX-License-Identifier: MIT */
/* What a text names: the same for commands and for the API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "view/called.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"

static void a_text_is_a_number_a_name_or_a_uuid(void **state)
{
    static const struct {
        const char *text;
        uint32_t domid;
        const char *name, *uuid;
        enum xm_called how;
    } cases[] = {
        {"5", 5, "web", UUID, XM_CALLED_ID},
        {"5", 6, "5", "", XM_CALLED_NAME},
        {"05", 5, "web", "", XM_CALLED_NOT},
        {"web", 5, "web", UUID, XM_CALLED_NAME},
        {"Web", 5, "web", UUID, XM_CALLED_NOT},
        {"we*", 5, "web", UUID, XM_CALLED_NOT},
        {"we", 5, "web", UUID, XM_CALLED_NOT},
        {"01234567-89AB-cdef-0123-456789abcdef", 5, "web", UUID, XM_CALLED_UUID},
        {UUID, 5, UUID, "", XM_CALLED_NAME},
        {"01234567", 5, "web", UUID, XM_CALLED_NOT},
        {"", 5, "", "", XM_CALLED_NOT},
        {"", 5, "web", UUID, XM_CALLED_NOT},
        {"\xc3\xa4\n", 5, "\xc3\xa4\n", "", XM_CALLED_NAME},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(xm_called(cases[i].text, cases[i].domid, cases[i].name, cases[i].uuid),
                         cases[i].how);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_text_is_a_number_a_name_or_a_uuid)};
    return cmocka_run_group_tests_name("called", tests, NULL, NULL);
}
