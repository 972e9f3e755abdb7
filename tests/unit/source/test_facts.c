/* SPDX-License-Identifier: MIT */
/* Names, UUIDs and devices: right ones, hostile ones, missing ones, and a xenstored that breaks or hangs. */
#include "source/xen/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakexenstore.h"
#include "source/xen/devices.h"
#include "source/xen/names.h"
#include "source/xen/xenstore.h"

#define UUID_A "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
#define UUID_B "9c858901-8a57-4791-81fe-4c455b099bc9"

/* ---- A hypervisor: the domains that it lists. */

static struct {
    struct xm_control_domain domain[8];
    size_t count;
    enum xm_status refusal; /* not XM_OK: instead of a domain whose id is at least refuse_from */
    uint32_t refuse_from;
    bool backwards; /* says always the first one */
} hyper;

static struct xm_control *const control = (struct xm_control *)&hyper;

enum xm_status xm_control_domain(struct xm_control *c, uint32_t first, struct xm_control_domain *domain)
{
    assert_ptr_equal(c, control);
    for (size_t i = 0; i < hyper.count; i++) {
        if (hyper.domain[i].domid < first && !hyper.backwards)
            continue;
        if (hyper.refusal != XM_OK && hyper.domain[i].domid >= hyper.refuse_from)
            return hyper.refusal;
        *domain = hyper.domain[i];
        return XM_OK;
    }
    return hyper.refusal != XM_OK ? hyper.refusal : XM_END;
}

/* Ids ascend; the last argument is -1. */
static void hyper_has(int domid, ...)
{
    va_list ids;
    memset(&hyper, 0, sizeof hyper);
    va_start(ids, domid);
    for (; domid >= 0; domid = va_arg(ids, int))
        hyper.domain[hyper.count++] = (struct xm_control_domain){.domid = (uint16_t)domid, .vcpus = 2, .online = 1};
    va_end(ids);
}

/* ---- Memory: the allocation that fails, counted down; 0: none. */

static unsigned fail_in;
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    return fail_in && --fail_in == 0 ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fail_in && --fail_in == 0 ? NULL : __real_realloc(memory, size);
}

/* ---- A /sys. */

static char sys[64];

static int set_up(void **state)
{
    (void)state;
    fake_xs_reset();
    hyper_has(-1);
    fail_in = 0;
    snprintf(sys, sizeof sys, "/tmp/xm-facts-XXXXXX");
    return mkdtemp(sys) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    (void)stat, (void)flag, (void)walk;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int tear_down(void **state)
{
    (void)state;
    remove_tree(sys);
    return 0;
}

static const char *under_sys(const char *relative)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", sys, relative);
    return path;
}

static void make_parents(char *path)
{
    for (char *slash = path + strlen(sys) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
}

static void write_file(const char *relative, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s", under_sys(relative));
    make_parents(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void write_link(const char *relative, const char *target)
{
    char path[256];
    snprintf(path, sizeof path, "%s", under_sys(relative));
    make_parents(path);
    assert_int_equal(symlink(target, path), 0);
}

static void write_counters(const char *device, const char *const file[4], const uint64_t value[4])
{
    for (unsigned i = 0; i < 4; i++) {
        char path[160], text[32];
        snprintf(path, sizeof path, "%s/statistics/%s", device, file[i]);
        snprintf(text, sizeof text, "%llu\n", (unsigned long long)value[i]);
        write_file(path, text);
    }
}

/* As dom0 counts: rx is what the guest sent. */
static void write_interface(const char *device, uint64_t rx_bytes, uint64_t rx_packets, uint64_t tx_bytes,
                            uint64_t tx_packets)
{
    static const char *const file[4] = {"rx_bytes", "rx_packets", "tx_bytes", "tx_packets"};
    write_counters(device, file, (uint64_t[4]){rx_bytes, rx_packets, tx_bytes, tx_packets});
}

static void write_disk(const char *device, uint64_t rd_req, uint64_t wr_req, uint64_t rd_sect, uint64_t wr_sect)
{
    static const char *const file[4] = {"rd_req", "wr_req", "rd_sect", "wr_sect"};
    write_counters(device, file, (uint64_t[4]){rd_req, wr_req, rd_sect, wr_sect});
}

#define VIF(name) "class/net/" name
#define BUS(name) "bus/xen-backend/devices/" name

/* ---- xenstore. */

static void store(const char *path, const char *text)
{
    fake_xs_put(path, text, strlen(text));
}

static void store_domain(unsigned domid, const char *name, const char *vm)
{
    char path[64];
    snprintf(path, sizeof path, "/local/domain/%u/name", domid);
    store(path, name);
    snprintf(path, sizeof path, "/local/domain/%u/vm", domid);
    store(path, vm);
}

static const char *const fake_library[] = {FAKEXENSTORE, NULL};
static const char *const no_library[] = {"libxm-there-is-none.so.1", NULL};

static struct xm_facts *open_facts(bool with_control, const char *const *libraries)
{
    const struct xm_facts_config config = {
        .control = with_control ? control : NULL, .sys = sys, .libraries = libraries};
    struct xm_facts *facts;
    struct xm_error said;
    assert_int_equal(xm_facts_open(&config, &facts, &said), XM_OK);
    if (libraries == fake_library)
        assert_string_equal(said.text, "");
    return facts;
}

static const struct xm_facts_domain *refresh(struct xm_facts *facts, uint32_t domid)
{
    assert_int_equal(xm_facts_refresh(facts), XM_OK);
    return xm_facts_find(facts, domid);
}

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_nsec = ms * 1000000};
    nanosleep(&time, NULL);
}

/* Until the domain has that name; what xenstore says comes when it comes. */
static const struct xm_facts_domain *until_named(struct xm_facts *facts, uint32_t domid, const char *name)
{
    for (unsigned i = 0; i < 10000; i++) {
        const struct xm_facts_domain *domain = refresh(facts, domid);
        if (domain && strcmp(domain->name, name) == 0)
            return domain;
        pause_ms(1);
    }
    fail_msg("domain %u has never been called %s", (unsigned)domid, name);
    return NULL;
}

static void until(unsigned (*value)(void), unsigned wanted)
{
    for (unsigned i = 0; i < 10000 && value() != wanted; i++)
        pause_ms(1);
    assert_int_equal(value(), wanted);
}

/* ---- Names. */

static void names_and_uuids(void **state)
{
    (void)state;
    hyper_has(0, 1, 2, 3, 4, -1);
    for (unsigned i = 0; i < 16; i++)
        hyper.domain[4].handle[i] = (uint8_t)(0xf0 - 0x0f * i);
    store("/local/domain/0/name", "Domain-0");
    store_domain(1, "web", "/vm/" UUID_A);
    store_domain(2, "old toolstack", "/vm/" UUID_B "-2");
    store_domain(3, "no uuid", "/vm/" UUID_A "f");
    store_domain(4, "last", "/vm/" UUID_A);
    struct xm_facts *facts = open_facts(true, fake_library);
    until_named(facts, 4, "last");
    assert_string_equal(xm_facts_find(facts, 0)->name, "Domain-0");
    assert_string_equal(xm_facts_find(facts, 0)->uuid, "");
    assert_string_equal(xm_facts_find(facts, 1)->name, "web");
    assert_string_equal(xm_facts_find(facts, 1)->uuid, UUID_A);
    assert_string_equal(xm_facts_find(facts, 2)->uuid, UUID_B);
    assert_string_equal(xm_facts_find(facts, 3)->uuid, "");
    assert_string_equal(xm_facts_find(facts, 4)->uuid, "f0e1d2c3-b4a5-9687-7869-5a4b3c2d1e0f");
    assert_null(xm_facts_find(facts, 5));
    size_t count;
    const struct xm_facts_domain *domain = xm_facts_domains(facts, &count);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(domain[i].domain.domid, i);
    assert_int_equal(domain[1].domain.vcpus, 2); /* the hypervisor's word */
    xm_facts_close(facts);
    assert_int_equal(fake_xs_open(), 0);
}

static void a_name_that_changes(void **state)
{
    (void)state;
    hyper_has(1, -1);
    store_domain(1, "web--incoming", "/vm/" UUID_A);
    struct xm_facts *facts = open_facts(true, fake_library);
    until_named(facts, 1, "web--incoming");
    unsigned before = fake_xs_read("/local/domain/1/name");
    for (unsigned i = 0; i < 200; i++) {
        refresh(facts, 1);
        if (i % 20 == 0)
            pause_ms(1);
    }
    assert_in_range(fake_xs_read("/local/domain/1/name") - before, 0, 21); /* every tenth time */
    store_domain(1, "web", "/vm/" UUID_A);
    until_named(facts, 1, "web");
    fake_xs_remove("/local/domain/1/name");
    until_named(facts, 1, "");
    xm_facts_close(facts);
}

/* Nobody asks for ever after what is not there. */
static void a_domain_without_a_name(void **state)
{
    (void)state;
    hyper_has(1, -1);
    struct xm_facts *facts = open_facts(true, fake_library);
    for (unsigned i = 0; i < 200; i++) {
        refresh(facts, 1);
        pause_ms(1);
    }
    assert_in_range(fake_xs_read("/local/domain/1/name"), 2, 10 + 20);
    xm_facts_close(facts);
}

struct text_case {
    const char *bytes;
    size_t size;
    const char *string;
};
#define BYTES(literal) literal, sizeof(literal) - 1

/* Values into a room of 8. */
static void values_of_any_bytes(void **state)
{
    (void)state;
    static const struct text_case cases[] = {
        {BYTES(""), ""},
        {BYTES("\0hidden"), ""},
        {BYTES("1234567"), "1234567"},
        {BYTES("12345678"), "1234567"},
        {BYTES("web\0db"), "web"},
        {BYTES("1234567\0"), "1234567"},
        {BYTES("12345\xc3\xa4"), "12345\xc3\xa4"},            /* fits */
        {BYTES("123456\xc3\xa4"), "123456"},                  /* of two bytes, cut through */
        {BYTES("12345\xe2\x82\xac"), "12345"},                /* of three, after two */
        {BYTES("123456\xe2\x82\xac"), "123456"},              /* after one */
        {BYTES("1234567\xe2\x82\xac"), "1234567"},            /* just before it */
        {BYTES("1234\xf0\x9f\x90\xa7"), "1234"},              /* of four, after three */
        {BYTES("\x80\x80\x80\x80\x80\x80\x80\x80\x80"), "\x80\x80\x80\x80\x80\x80\x80"}, /* no character at all */
        {BYTES("\xc3\x80\x80\x80\x80\x80\x80\x80\x80"), "\xc3\x80\x80\x80\x80\x80\x80"}, /* nor here */
        {BYTES("\x01\x1b[31m\xff\xfe"), "\x01\x1b[31m\xff"},  /* as they are: who shows them sanitises */
    };
    struct xm_xenstore *xenstore;
    assert_int_equal(xm_xenstore_load(fake_library, &xenstore, NULL), XM_OK);
    char value[8] = "before";
    assert_int_equal(xm_xenstore_read(xenstore, "/v", value, sizeof value), XM_IO); /* not connected */
    assert_string_equal(value, "");
    assert_int_equal(xm_xenstore_connect(xenstore, NULL), XM_OK);
    assert_int_equal(xm_xenstore_read(xenstore, "/v", value, sizeof value), XM_END);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_xs_put("/v", cases[i].bytes, cases[i].size);
        memset(value, 'x', sizeof value);
        assert_int_equal(xm_xenstore_read(xenstore, "/v", value, sizeof value), XM_OK);
        assert_string_equal(value, cases[i].string);
        for (size_t j = strlen(cases[i].string) + 1; j < sizeof value; j++)
            assert_int_equal(value[j], 'x'); /* nothing of what a NUL hides */
    }
    assert_int_equal(xm_xenstore_read(xenstore, "/v", value, 1), XM_OK);
    assert_string_equal(value, "");
    fake_xs_fail("/v", EACCES);
    assert_int_equal(xm_xenstore_read(xenstore, "/v", value, sizeof value), XM_AGAIN);
    fake_xs_fail("/v", EPIPE);
    assert_int_equal(xm_xenstore_read(xenstore, "/v", value, sizeof value), XM_IO);
    assert_int_equal(fake_xs_open(), 0);
    xm_xenstore_unload(xenstore);
}

static void hostile_values(void **state)
{
    (void)state;
    static char huge[100000];
    memset(huge, 'N', sizeof huge);
    char expected[64];
    memset(expected, 'N', 63);
    expected[63] = 0;
    hyper_has(1, 2, 3, 4, 5, -1);
    fake_xs_put("/local/domain/1/name", huge, sizeof huge);
    fake_xs_put("/local/domain/1/vm", huge, sizeof huge);
    store_domain(2, "short", "/vm/");
    store_domain(3, "none", "");
    store_domain(4, "no hyphens", "/vm/0f1e2d3c04b5a069780879600a5b4c3d2e1f0");
    store_domain(5, "last", "/vm/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1\xff\xff");
    struct xm_facts *facts = open_facts(true, fake_library);
    until_named(facts, 5, "last");
    assert_string_equal(xm_facts_find(facts, 1)->name, expected);
    for (uint32_t domid = 1; domid <= 5; domid++)
        assert_string_equal(xm_facts_find(facts, domid)->uuid, "");
    xm_facts_close(facts);
}

/* A key that is refused is not a name that is gone, and no reason to doubt the others. */
static void a_refused_key(void **state)
{
    (void)state;
    hyper_has(1, 2, -1);
    store_domain(1, "one", "/vm/" UUID_A);
    store_domain(2, "two", "/vm/" UUID_B);
    struct xm_facts *facts = open_facts(true, fake_library);
    until_named(facts, 2, "two");
    until_named(facts, 1, "one");
    fake_xs_fail("/local/domain/1/name", EACCES);
    store_domain(2, "zwei", "/vm/" UUID_B);
    unsigned before = fake_xs_read("/local/domain/1/name");
    while (fake_xs_read("/local/domain/1/name") < before + 2)
        refresh(facts, 1);
    until_named(facts, 2, "zwei");
    assert_string_equal(refresh(facts, 1)->name, "one");
    assert_int_equal(fake_xs_opened(), 1);
    xm_facts_close(facts);
}

/* ---- Domains. */

static void domains_come_and_go(void **state)
{
    (void)state;
    hyper_has(0, 3, -1);
    struct xm_facts *facts = open_facts(true, no_library);
    assert_int_equal(refresh(facts, 3)->seen, 1);
    assert_int_equal(refresh(facts, 3)->seen, 2);
    hyper_has(0, 2, -1);
    hyper.domain[1].weight = 512;
    hyper.domain[1].handle[15] = 1;
    assert_null(refresh(facts, 3));
    assert_int_equal(xm_facts_find(facts, 0)->seen, 3);
    assert_int_equal(xm_facts_find(facts, 2)->seen, 1);
    assert_int_equal(xm_facts_find(facts, 2)->domain.weight, 512);
    assert_string_equal(xm_facts_find(facts, 2)->uuid, "00000000-0000-0000-0000-000000000001");
    hyper_has(3, -1);
    assert_int_equal(refresh(facts, 3)->seen, 1);
    size_t count;
    xm_facts_domains(facts, &count);
    assert_int_equal(count, 1);
    xm_facts_close(facts);
}

static void a_hypervisor_that_fails(void **state)
{
    (void)state;
    hyper_has(0, 1, 2, -1);
    write_interface(VIF("vif2.0"), 100, 1, 200, 2);
    struct xm_facts *facts = open_facts(true, no_library);
    refresh(facts, 2);
    hyper.refusal = XM_IO;
    hyper.refuse_from = 1;
    assert_true(xm_facts_listed(facts));
    assert_int_equal(refresh(facts, 2)->seen, 2); /* not gone, and its totals with it */
    assert_false(xm_facts_listed(facts));
    hyper.refusal = XM_OK;
    assert_int_equal(refresh(facts, 2)->devices.sent_bytes, 100);
    hyper.backwards = true; /* would never end */
    assert_int_equal(refresh(facts, 2)->seen, 4);
    hyper.backwards = false;
    hyper.domain[2].domid = XM_DOMIDS; /* and DOMID_XEN is no domain */
    assert_null(refresh(facts, XM_DOMIDS));
    xm_facts_close(facts);
}

static void list_in_xenstore(void)
{
    static const char *const odd[] = {"abc", "-1", "01", "1x", "32752", "99999999999999999999", " 3", "\xff"};
    store_domain(0, "Domain-0", "");
    store_domain(12, "twelve", "/vm/" UUID_A);
    store("/local/domain/12/cpu/0/availability", "online");
    store("/local/domain/12/cpu/1/other", "online");
    store("/local/domain/12/cpu/2/availability", "online");
    store("/local/domain/12/cpu/3/availability", "offline");
    store("/local/domain/12/cpu/x/availability", "online");
    store("/local/domain/12/cpu/99999/availability", "online");
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "/local/domain/%s/name", odd[i]);
        store(path, "odd");
    }
}

static void check_xenstore_list(struct xm_facts *facts)
{
    list_in_xenstore();
    const struct xm_facts_domain *domain = until_named(facts, 12, "twelve");
    assert_int_equal(domain->domain.vcpus, 4);
    assert_int_equal(domain->domain.online, 2);
    assert_string_equal(domain->uuid, UUID_A);
    size_t count;
    domain = xm_facts_domains(facts, &count);
    assert_int_equal(count, 2);
    assert_int_equal(domain[0].domain.domid, 0);
    assert_int_equal(domain[1].domain.domid, 12);
    for (unsigned i = 0; i < 10000 && (refresh(facts, 12), !xm_facts_listed(facts)); i++)
        pause_ms(1);
    assert_true(xm_facts_listed(facts));
    /* An xenstored that goes takes no domain along; one that is there does. */
    fake_xs_fail("/local/domain", EACCES);
    for (unsigned i = 0; i < 20; i++) {
        assert_non_null(refresh(facts, 12));
        assert_true(i < 10 || !xm_facts_listed(facts));
        pause_ms(1);
    }
    fake_xs_fail("/local/domain", 0);
    fake_xs_remove("/local/domain/0/name");
    fake_xs_remove("/local/domain/0/vm");
    for (unsigned i = 0; i < 10000 && refresh(facts, 0); i++)
        pause_ms(1);
    assert_null(xm_facts_find(facts, 0));
    assert_int_equal(xm_facts_find(facts, 12)->domain.vcpus, 4);
    xm_facts_close(facts);
}

static void domains_from_xenstore(void **state)
{
    (void)state;
    check_xenstore_list(open_facts(false, fake_library));
}

static void domains_from_xenstore_without_domctl(void **state)
{
    (void)state;
    hyper.refusal = XM_UNSUPPORTED;
    check_xenstore_list(open_facts(true, fake_library));
}

/* An answer that took long enough for the id to be another domain's. */
static void an_answer_about_another(void **state)
{
    (void)state;
    hyper_has(7, -1);
    store_domain(7, "old", "/vm/" UUID_A);
    struct xm_facts *facts = open_facts(true, fake_library);
    fake_xs_hang(true);
    refresh(facts, 7);
    until(fake_xs_waiting, 1);
    hyper_has(-1);
    refresh(facts, 7);
    hyper_has(7, -1);
    refresh(facts, 7);
    fake_xs_hang(false);
    while (!fake_xs_read("/local/domain/7/vm"))
        pause_ms(1);
    store_domain(7, "new", "/vm/" UUID_B);
    for (unsigned i = 0; i < 10000; i++) {
        const char *name = refresh(facts, 7)->name;
        assert_string_not_equal(name, "old");
        if (strcmp(name, "new") == 0)
            break;
        pause_ms(1);
    }
    assert_string_equal(xm_facts_find(facts, 7)->name, "new");
    xm_facts_close(facts);
}

/* ---- Without xenstore, or with a sick one. */

static void no_libraries(void **state)
{
    (void)state;
    static const char *const without_calls[] = {"libc.so.6", NULL};
    static const char *const second[] = {"libxm-there-is-none.so.1", "libc.so.6", FAKEXENSTORE, NULL};
    static const char *const nothing[] = {NULL};
    struct xm_facts_config config = {.control = control, .sys = sys, .libraries = no_library};
    struct xm_facts *facts;
    struct xm_error said;
    hyper_has(1, -1);
    store_domain(1, "one", "/vm/" UUID_A);
    assert_int_equal(xm_facts_open(&config, &facts, &said), XM_OK);
    assert_non_null(strstr(said.text, "libxm-there-is-none.so.1"));
    assert_null(strchr(said.text, '\n'));
    assert_string_equal(refresh(facts, 1)->name, "");
    xm_facts_close(facts);
    config.libraries = without_calls;
    assert_int_equal(xm_facts_open(&config, &facts, &said), XM_OK);
    assert_non_null(strstr(said.text, "xs_open"));
    xm_facts_close(facts);
    config.libraries = nothing;
    assert_int_equal(xm_facts_open(&config, &facts, &said), XM_OK);
    assert_string_not_equal(said.text, "");
    xm_facts_close(facts);
    config.libraries = second;
    assert_int_equal(xm_facts_open(&config, &facts, &said), XM_OK);
    assert_string_equal(said.text, "");
    until_named(facts, 1, "one");
    xm_facts_close(facts);
    assert_int_equal(xm_facts_open(&config, &facts, NULL), XM_OK);
    xm_facts_close(facts);
    xm_facts_close(NULL);
}

static void a_daemon_that_comes_later(void **state)
{
    (void)state;
    const struct xm_facts_config config = {.control = control, .sys = sys, .libraries = fake_library};
    struct xm_facts *facts;
    struct xm_error said;
    hyper_has(1, -1);
    store_domain(1, "one", "/vm/" UUID_A);
    fake_xs_refuse(true);
    assert_int_equal(xm_facts_open(&config, &facts, &said), XM_OK);
    assert_non_null(strstr(said.text, "no connection to xenstored: Connection refused"));
    for (unsigned i = 0; i < 30; i++) {
        assert_string_equal(refresh(facts, 1)->name, "");
        pause_ms(1);
    }
    fake_xs_refuse(false);
    until_named(facts, 1, "one");
    xm_facts_close(facts);
    assert_int_equal(fake_xs_open(), 0);
}

static void a_daemon_that_goes(void **state)
{
    (void)state;
    hyper_has(1, -1);
    store_domain(1, "one", "/vm/" UUID_A);
    struct xm_facts *facts = open_facts(true, fake_library);
    until_named(facts, 1, "one");
    fake_xs_refuse(true);
    fake_xs_break();
    for (unsigned i = 0; i < 10000 && fake_xs_open(); i++) {
        assert_string_equal(refresh(facts, 1)->name, "one");
        pause_ms(1);
    }
    assert_int_equal(fake_xs_open(), 0); /* noticed, and given back */
    hyper_has(1, 2, -1);
    store_domain(2, "two", "/vm/" UUID_B);
    unsigned before = fake_xs_tried();
    for (unsigned i = 0; i < 30; i++) {
        assert_string_equal(refresh(facts, 1)->name, "one");
        assert_string_equal(xm_facts_find(facts, 2)->name, "");
        pause_ms(2);
    }
    assert_in_range(fake_xs_tried() - before, 1, 4); /* now and then */
    fake_xs_refuse(false);
    until_named(facts, 2, "two");
    assert_int_equal(fake_xs_opened(), 2);
    xm_facts_close(facts);
}

static void a_daemon_that_hangs(void **state)
{
    (void)state;
    hyper_has(1, -1);
    store_domain(1, "one", "/vm/" UUID_A);
    struct xm_facts *facts = open_facts(true, fake_library);
    fake_xs_hang(true);
    refresh(facts, 1);
    until(fake_xs_waiting, 1);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(refresh(facts, 1)->seen, i + 2); /* all else goes on */
    fake_xs_hang(false);
    until_named(facts, 1, "one");
    /* An end while it hangs: what is left behind goes away once it can. */
    fake_xs_hang(true);
    while (!fake_xs_waiting()) {
        refresh(facts, 1);
        pause_ms(1);
    }
    xm_facts_close(facts);
    assert_int_equal(fake_xs_open(), 1);
    fake_xs_hang(false);
    until(fake_xs_open, 0);
}

static void a_daemon_that_hangs_from_the_start(void **state)
{
    (void)state;
    const struct xm_facts_config config = {.control = control, .sys = sys, .libraries = fake_library};
    struct xm_facts *facts;
    struct xm_error said;
    hyper_has(1, -1);
    store_domain(1, "one", "/vm/" UUID_A);
    fake_xs_hang(true);
    assert_int_equal(xm_facts_open(&config, &facts, &said), XM_OK);
    assert_string_equal(said.text, "xenstore cannot be read: xenstored does not answer");
    assert_int_equal(refresh(facts, 1)->seen, 1);
    fake_xs_hang(false);
    until_named(facts, 1, "one");
    xm_facts_close(facts);
}

static void on_signal(int number)
{
    (void)number;
}

/* A signal that the process waits for must not end up in the other thread. */
static void signals_stay(void **state)
{
    (void)state;
    struct xm_facts *facts = open_facts(true, fake_library);
    const struct timespec patience = {.tv_sec = 10};
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    signal(SIGUSR1, on_signal);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    kill(getpid(), SIGUSR1);
    pause_ms(50); /* for a thread that would take it */
    assert_int_equal(sigtimedwait(&set, NULL, &patience), SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    xm_facts_close(facts);
}

/* ---- Devices. */

static void directions_and_units(void **state)
{
    (void)state;
    hyper_has(0, 1, 2, -1);
    write_interface(VIF("vif1.0"), 1000, 10, 2000, 20);
    write_interface(VIF("vif1.1"), 1, 2, 3, 4);
    write_disk(BUS("vbd-1-51712"), 5, 7, 80, 160);
    write_disk(BUS("vbd-1-268439552"), 1, 1, 1, 1);
    struct xm_facts *facts = open_facts(true, no_library);
    const struct xm_facts_devices *d = &refresh(facts, 1)->devices;
    assert_int_equal(d->vifs, 2);
    assert_int_equal(d->vbds, 2);
    assert_int_equal(d->sent_bytes, 1001); /* what dom0 received */
    assert_int_equal(d->sent_packets, 12);
    assert_int_equal(d->received_bytes, 2003);
    assert_int_equal(d->received_packets, 24);
    assert_int_equal(d->reads, 6);
    assert_int_equal(d->writes, 8);
    assert_int_equal(d->read_bytes, 81 * 512);
    assert_int_equal(d->write_bytes, 161 * 512);
    static const struct xm_facts_devices none;
    assert_memory_equal(&xm_facts_find(facts, 0)->devices, &none, sizeof none);
    assert_memory_equal(&xm_facts_find(facts, 2)->devices, &none, sizeof none);
    xm_facts_close(facts);
}

static void names_that_are_none(void **state)
{
    (void)state;
    static const char *const other[] = {
        VIF("vif1.0-emu"), VIF("vif1.0.7"), VIF("vif1"), VIF("vif1."), VIF("vif01.0"), VIF("vif1.00"), VIF("vif-1.0"),
        VIF("xvif1.0"), VIF("vif65537.0"), VIF("vif18446744073709551617.0"), VIF("vif1.4294967296"), VIF("tap1.0"),
        VIF("lo"), BUS("vif-1"), BUS("vif-1-0-1")};
    hyper_has(1, -1);
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        write_interface(other[i], 1, 1, 1, 1);
    write_disk(BUS("vbd3-1-0"), 1, 1, 1, 1);
    write_disk(BUS("qdisk-1-51712"), 1, 1, 1, 1);
    write_disk(BUS("vbd-1-x"), 1, 1, 1, 1);
    write_interface(VIF("vif1.0"), 64, 1, 0, 0);
    write_file(BUS("vbd-1-51728/mode"), "w"); /* no statistics: somebody else serves it */
    struct xm_facts *facts = open_facts(true, no_library);
    const struct xm_facts_devices *d = &refresh(facts, 1)->devices;
    assert_int_equal(d->vifs, 1);
    assert_int_equal(d->vbds, 0);
    assert_int_equal(d->sent_bytes, 64);
    assert_int_equal(d->received_bytes, 0);
    assert_int_equal(d->reads, 0);
    xm_facts_close(facts);
}

/* As the kernel has them: an interface of the class is a link to one of the bus. */
static void renamed_interfaces(void **state)
{
    (void)state;
    hyper_has(1, -1);
    write_interface(BUS("vif-1-0/net/vif1.0"), 10, 1, 0, 0);
    write_link(VIF("vif1.0"), "../../" BUS("vif-1-0/net/vif1.0"));
    write_interface(BUS("vif-1-1/net/backup"), 500, 5, 0, 0);
    write_link(VIF("backup"), "../../" BUS("vif-1-1/net/backup"));
    write_file(BUS("vif-1-2/state"), "4");    /* not connected yet: it has no interface */
    write_file(BUS("vif-1-3/net/.hidden"), "");
    struct xm_facts *facts = open_facts(true, no_library);
    assert_int_equal(refresh(facts, 1)->devices.vifs, 2);
    assert_int_equal(xm_facts_find(facts, 1)->devices.sent_bytes, 510);
    /* Renamed while it is looked at: the same device all the same. */
    assert_int_equal(unlink(under_sys(VIF("vif1.0"))), 0);
    char from[256];
    snprintf(from, sizeof from, "%s", under_sys(BUS("vif-1-0/net/vif1.0")));
    assert_int_equal(rename(from, under_sys(BUS("vif-1-0/net/front"))), 0);
    write_interface(BUS("vif-1-0/net/front"), 12, 1, 0, 0);
    assert_int_equal(refresh(facts, 1)->devices.vifs, 2);
    assert_int_equal(xm_facts_find(facts, 1)->devices.sent_bytes, 512);
    xm_facts_close(facts);
}

static void counters_that_begin_again(void **state)
{
    (void)state;
    hyper_has(1, -1);
    write_interface(VIF("vif1.0"), 1000, 10, 50, 5);
    write_disk(BUS("vbd-1-0"), 100, 200, 1000, 2000);
    struct xm_facts *facts = open_facts(true, no_library);
    refresh(facts, 1);
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 1000); /* nothing twice */
    write_interface(VIF("vif1.0"), 1500, 11, 50, 5);
    write_disk(BUS("vbd-1-0"), 3, 200, 1010, 2000); /* as log_stats does: requests alone go back */
    const struct xm_facts_devices *d = &refresh(facts, 1)->devices;
    assert_int_equal(d->sent_bytes, 1500);
    assert_int_equal(d->sent_packets, 11);
    assert_int_equal(d->reads, 103);
    assert_int_equal(d->writes, 200);
    assert_int_equal(d->read_bytes, 1010 * 512);
    write_interface(VIF("vif1.0"), 0, 0, 0, 0); /* the guest's driver has gone */
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 1500);
    write_interface(VIF("vif1.0"), 70, 1, 0, 0);
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 1570);
    assert_int_equal(xm_facts_find(facts, 1)->devices.sent_packets, 12);
    xm_facts_close(facts);
}

static void devices_plugged_anew(void **state)
{
    (void)state;
    char away[256];
    hyper_has(1, -1);
    write_interface(VIF("vif1.0"), 1000, 10, 0, 0);
    struct xm_facts *facts = open_facts(true, no_library);
    refresh(facts, 1);
    /* Between two refreshes, and further than the old one was: only its inode tells. */
    snprintf(away, sizeof away, "%s", under_sys("away"));
    assert_int_equal(rename(under_sys(VIF("vif1.0")), away), 0);
    write_interface(VIF("vif1.0"), 1200, 12, 0, 0);
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 2200);
    /* Gone, and back. */
    remove_tree(under_sys(VIF("vif1.0")));
    assert_int_equal(refresh(facts, 1)->devices.vifs, 0);
    assert_int_equal(xm_facts_find(facts, 1)->devices.sent_bytes, 2200);
    write_interface(VIF("vif1.0"), 1300, 13, 0, 0);
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 3500);
    assert_int_equal(xm_facts_find(facts, 1)->devices.vifs, 1);
    xm_facts_close(facts);
}

/* An id used again is another domain: from 0, also where a device of the old one is still there. */
static void ids_used_again(void **state)
{
    (void)state;
    hyper_has(1, -1);
    write_interface(VIF("vif1.0"), 1000, 10, 0, 0);
    write_interface(VIF("vif2.0"), 77, 1, 0, 0); /* before its domain */
    struct xm_facts *facts = open_facts(true, no_library);
    refresh(facts, 1);
    hyper_has(-1);
    refresh(facts, 1);
    hyper_has(1, 2, -1);
    write_interface(VIF("vif1.0"), 1010, 11, 0, 0);
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 10);
    assert_int_equal(xm_facts_find(facts, 2)->devices.sent_bytes, 77);
    remove_tree(under_sys(VIF("vif1.0")));
    hyper_has(-1);
    refresh(facts, 1);
    hyper_has(1, -1);
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 0);
    write_interface(VIF("vif1.0"), 5, 1, 0, 0);
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 5);
    xm_facts_close(facts);
}

static void replace(const char *relative, const char *target)
{
    remove_tree(under_sys(relative));
    write_link(relative, target);
}

static void files_that_cannot_be_read(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "\n", "-5\n", "12 \n", "0x10\n", "18446744073709551616\n", "1e3\n", "1\n2\n",
                                      "99999999999999999999999999999999999999999999\n", " 7\n", "007\n"};
    static const char file[] = VIF("vif1.0/statistics/rx_bytes");
    hyper_has(1, -1);
    write_interface(VIF("vif1.0"), 1000, 10, 0, 0);
    struct xm_facts *facts = open_facts(true, no_library);
    refresh(facts, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file(file, bad[i]);
        assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 1000);
        assert_int_equal(xm_facts_find(facts, 1)->devices.vifs, 1);
    }
    write_file(file, "1100"); /* what it had carried meanwhile */
    write_file(VIF("vif1.0/statistics/rx_packets"), "12\n");
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 1100);
    assert_int_equal(xm_facts_find(facts, 1)->devices.sent_packets, 12);
    replace(file, "rx_bytes"); /* a link to itself: ELOOP, for root too */
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 1100);
    remove_tree(under_sys(file));
    assert_int_equal(mkdir(under_sys(file), 0755), 0); /* EISDIR */
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 1100);
    remove_tree(under_sys(file));
    assert_int_equal(mkfifo(under_sys(file), 0600), 0); /* would block whoever waits for a writer */
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 1100);
    remove_tree(under_sys(file));
    write_file(file, "1200\n");
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 1200);
    xm_facts_close(facts);
}

/* What cannot be listed or opened for now is not gone: else it would be counted twice. */
static void directories_that_cannot_be_read(void **state)
{
    (void)state;
    char away[256];
    hyper_has(1, -1);
    write_interface(VIF("vif1.0"), 1000, 10, 0, 0);
    write_disk(BUS("vbd-1-0"), 1, 2, 3, 4);
    struct xm_facts *facts = open_facts(true, no_library);
    refresh(facts, 1);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const directory[] = {"class/net", "bus/xen-backend/devices", VIF("vif1.0/statistics")};
        snprintf(away, sizeof away, "%s", under_sys("away"));
        assert_int_equal(rename(under_sys(directory[i]), away), 0);
        write_link(directory[i], strrchr(directory[i], '/') + 1); /* to itself */
        assert_int_equal(refresh(facts, 1)->devices.vifs, 1);
        assert_int_equal(xm_facts_find(facts, 1)->devices.vbds, 1);
        assert_int_equal(unlink(under_sys(directory[i])), 0);
        assert_int_equal(rename(away, under_sys(directory[i])), 0);
        assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 1000);
        assert_int_equal(xm_facts_find(facts, 1)->devices.read_bytes, 3 * 512);
    }
    xm_facts_close(facts);
}

/* Listed, and gone before it is read: a link to nowhere. */
static void vanished_between(void **state)
{
    (void)state;
    hyper_has(1, -1);
    write_interface(VIF("vif1.0"), 1000, 10, 0, 0);
    write_link(VIF("vif1.1"), "nowhere");
    write_disk(BUS("vbd-1-0"), 1, 2, 3, 4);
    struct xm_facts *facts = open_facts(true, no_library);
    assert_int_equal(refresh(facts, 1)->devices.vifs, 1);
    assert_int_equal(xm_facts_find(facts, 1)->devices.vbds, 1);
    replace(VIF("vif1.0"), "nowhere");
    replace(BUS("vbd-1-0"), "nowhere");
    assert_int_equal(refresh(facts, 1)->devices.vifs, 0);
    assert_int_equal(xm_facts_find(facts, 1)->devices.vbds, 0);
    assert_int_equal(xm_facts_find(facts, 1)->devices.sent_bytes, 1000);
    assert_int_equal(unlink(under_sys(VIF("vif1.0"))), 0);
    write_interface(VIF("vif1.0"), 2000, 20, 0, 0); /* a new one of that name */
    assert_int_equal(refresh(facts, 1)->devices.sent_bytes, 3000);
    xm_facts_close(facts);
}

static void totals_that_do_not_fit(void **state)
{
    (void)state;
    hyper_has(1, -1);
    write_disk(BUS("vbd-1-0"), UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX / 512);
    struct xm_facts *facts = open_facts(true, no_library);
    assert_true(refresh(facts, 1)->devices.read_bytes == UINT64_MAX);
    write_disk(BUS("vbd-1-0"), 5, 0, 1, 1);
    const struct xm_facts_devices *d = &refresh(facts, 1)->devices;
    assert_true(d->reads == UINT64_MAX);
    assert_true(d->writes == UINT64_MAX);
    assert_true(d->read_bytes == UINT64_MAX);
    assert_true(d->write_bytes == UINT64_MAX / 512 * 512 + 511 || d->write_bytes == UINT64_MAX);
    xm_facts_close(facts);
}

static void no_sys(void **state)
{
    (void)state;
    hyper_has(1, -1);
    struct xm_facts *facts = open_facts(true, no_library); /* empty */
    assert_int_equal(refresh(facts, 1)->devices.vifs, 0);
    remove_tree(sys);
    assert_int_equal(refresh(facts, 1)->devices.vifs, 0);
    xm_facts_close(facts);
}

/* More devices than are read in one go: each has its turn, and none is counted twice. */
static void many_devices(void **state)
{
    (void)state;
    const unsigned many = XM_DEVICES_TURN + XM_DEVICES_TURN / 2;
    hyper_has(1, 2, -1);
    for (unsigned i = 0; i < many; i++) {
        char name[64];
        snprintf(name, sizeof name, VIF("vif%u.%u"), 1 + i % 2, i);
        write_interface(name, 3, 1, 0, 0);
    }
    struct xm_facts *facts = open_facts(true, no_library);
    uint64_t first = refresh(facts, 1)->devices.sent_packets + xm_facts_find(facts, 2)->devices.sent_packets;
    assert_int_equal(first, XM_DEVICES_TURN);
    for (unsigned i = 0; i < 3; i++)
        refresh(facts, 1);
    for (uint32_t domid = 1; domid <= 2; domid++) {
        assert_int_equal(xm_facts_find(facts, domid)->devices.vifs, many / 2);
        assert_int_equal(xm_facts_find(facts, domid)->devices.sent_packets, many / 2);
        assert_int_equal(xm_facts_find(facts, domid)->devices.sent_bytes, 3 * many / 2);
    }
    xm_facts_close(facts);
}

/* ---- Memory. */

static void no_memory_to_open(void **state)
{
    (void)state;
    const struct xm_facts_config config = {.control = control, .sys = sys, .libraries = fake_library};
    enum xm_status status = XM_NOMEM;
    unsigned failures = 0;
    for (unsigned at = 1; status != XM_OK; at++) {
        struct xm_facts *facts = NULL;
        struct xm_error said;
        fail_in = at;
        status = xm_facts_open(&config, &facts, &said);
        bool failed = fail_in == 0;
        fail_in = 0;
        assert_int_equal(status, failed ? XM_NOMEM : XM_OK);
        failures += failed;
        xm_facts_close(facts);
    }
    assert_in_range(failures, 4, 8);
    until(fake_xs_open, 0);
}

static void no_memory_to_refresh(void **state)
{
    (void)state;
    hyper_has(1, -1);
    write_interface(VIF("vif1.0"), 1000, 10, 0, 0);
    store_domain(1, "one", "/vm/" UUID_A);
    enum xm_status status = XM_NOMEM;
    unsigned failures = 0;
    for (unsigned at = 1; status != XM_OK; at++) {
        struct xm_facts *facts = open_facts(true, fake_library);
        fail_in = at;
        status = xm_facts_refresh(facts);
        fail_in = 0;
        failures += status == XM_NOMEM;
        size_t count;
        xm_facts_domains(facts, &count);
        assert_int_equal(count, status == XM_OK ? 1 : 0);
        if (status != XM_OK)
            assert_int_equal(refresh(facts, 1)->seen, 1);
        assert_int_equal(xm_facts_find(facts, 1)->devices.sent_bytes, 1000);
        until_named(facts, 1, "one");
        xm_facts_close(facts);
    }
    assert_int_equal(failures, 3); /* rows, questions, devices */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_and_uuids),
        TEST(a_name_that_changes),
        TEST(a_domain_without_a_name),
        TEST(values_of_any_bytes),
        TEST(hostile_values),
        TEST(a_refused_key),
        TEST(domains_come_and_go),
        TEST(a_hypervisor_that_fails),
        TEST(domains_from_xenstore),
        TEST(domains_from_xenstore_without_domctl),
        TEST(an_answer_about_another),
        TEST(no_libraries),
        TEST(a_daemon_that_comes_later),
        TEST(a_daemon_that_goes),
        TEST(a_daemon_that_hangs),
        TEST(a_daemon_that_hangs_from_the_start),
        TEST(signals_stay),
        TEST(directions_and_units),
        TEST(names_that_are_none),
        TEST(renamed_interfaces),
        TEST(counters_that_begin_again),
        TEST(devices_plugged_anew),
        TEST(ids_used_again),
        TEST(files_that_cannot_be_read),
        TEST(directories_that_cannot_be_read),
        TEST(vanished_between),
        TEST(totals_that_do_not_fit),
        TEST(no_sys),
        TEST(many_devices),
        TEST(no_memory_to_open),
        TEST(no_memory_to_refresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
