/* SPDX-License-Identifier: MIT */
/* The hypervisor's controls against a fake of each version: what is read, and what every refusal says. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fakexen.h"
#include "source/xen/control.h"
#include "support.h"
#include "trace/ring.h"

struct bench {
    struct fakexen *fake;
    struct xm_hyper hyper;
    struct xm_control *control;
    struct xm_error err;
};

static struct bench set_up(const struct fakexen_config *config)
{
    struct bench b = {.fake = fakexen_create(config)};
    b.hyper = fakexen_hyper(b.fake);
    xm_error_clear(&b.err);
    return b;
}

static struct bench opened(const struct fakexen_config *config)
{
    struct bench b = set_up(config);
    assert_int_equal(xm_control_open(&b.hyper, &b.control, &b.err), XM_OK);
    assert_non_null(b.control);
    return b;
}

/* Nothing may be left behind, whatever was tried. */
static void tear_down(struct bench *b)
{
    xm_control_close(b->control);
    xm_hyper_close(&b->hyper);
    struct fakexen_state state = fakexen_state(b->fake);
    assert_int_equal(state.memory, 0);
    assert_int_equal(state.mappings, 0);
    assert_int_equal(state.opened, 0);
    fakexen_destroy(b->fake);
}

static void assert_says(const struct xm_error *err, const char *words)
{
    if (!strstr(err->text, words))
        fail_msg("'%s' does not say '%s'", err->text, words);
    assert_null(strchr(err->text, '\n'));
}

/* Opening fails, and says so. */
static void assert_refused(struct bench *b, enum xm_status status, const char *words)
{
    b->control = (struct xm_control *)b;
    assert_int_equal(xm_control_open(&b->hyper, &b->control, &b->err), status);
    assert_null(b->control);
    assert_says(&b->err, words);
    tear_down(b);
}

static const struct expected {
    enum fakexen_version version;
    uint32_t sysctl, domctl;
    const char *name;
} expected[] = {
    {FAKEXEN_4_7, 0x0d, 0x0b, "Xen 4.7.0"},   {FAKEXEN_4_11, 0x11, 0x10, "Xen 4.11.4"},
    {FAKEXEN_4_14, 0x13, 0x12, "Xen 4.14.6"}, {FAKEXEN_4_17, 0x15, 0x15, "Xen 4.17.7"},
    {FAKEXEN_4_20, 0x15, 0x17, "Xen 4.20.0"}, {FAKEXEN_4_21, 0x16, 0x17, "Xen 4.21.1"},
    {FAKEXEN_4_22, 0x16, 0x18, "Xen 4.22.0-rc"}, {FAKEXEN_NEXT, 0x17, 0x19, "Xen 4.23-unstable"},
};
#define VERSIONS (sizeof expected / sizeof expected[0])

static void test_every_version_is_found(void **unused)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        const struct fakexen_config config = {.version = expected[i].version, .cpus = 6, .khz = 5294608,
                                              .offline = {[2] = true, [3] = true},
                                              .scheduler = FAKEXEN_CREDIT};
        struct bench b = opened(&config);
        struct xm_control_host host;
        xm_control_host(b.control, &host);
        assert_int_equal(host.sysctl_version, expected[i].sysctl);
        assert_int_equal(host.domctl_version, expected[i].domctl);
        assert_string_equal(host.hypervisor, expected[i].name);
        assert_string_equal(host.scheduler, "credit");
        assert_int_equal(host.tsc_hz, UINT64_C(5294608000));
        assert_int_equal(host.cpus, 4);
        assert_int_equal(host.max_cpu, 5);
        assert_false(fakexen_state(b.fake).enabled); /* looking has no effect */
        tear_down(&b);
    }
}

static void test_schedulers_have_names(void **unused)
{
    static const struct {
        uint32_t number;
        const char *name;
    } row[] = {{5, "credit"}, {6, "credit2"}, {7, "arinc653"}, {8, "rtds"}, {9, "null"}, {77, ""}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct bench b = opened(&(struct fakexen_config){.scheduler = row[i].number});
        struct xm_control_host host;
        xm_control_host(b.control, &host);
        assert_string_equal(host.scheduler, row[i].name);
        tear_down(&b);
    }
}

/* ---- Tracing. */

static void test_tracing_is_set(void **unused)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        const uint8_t some[2] = {0x05, 0x02};
        struct bench b = opened(&(struct fakexen_config){.version = expected[i].version, .cpus = 12});
        struct xm_control_tbuf tbuf;
        assert_int_equal(xm_control_tbuf(b.control, &tbuf, &b.err), XM_OK);
        assert_int_equal(tbuf.events, 0x0ffff000);
        assert_int_equal(tbuf.info_bytes, 0);
        assert_int_equal(tbuf.info_frame, 0);

        assert_int_equal(xm_control_events(b.control, 0x00169000, &b.err), XM_OK);
        assert_int_equal(xm_control_cpus(b.control, some, 10, &b.err), XM_OK);
        for (uint32_t cpu = 0; cpu < 16; cpu++)
            assert_int_equal(fakexen_traces_cpu(b.fake, cpu), cpu == 0 || cpu == 2 || cpu == 9);
        /* The tenth bit is none of it. */
        assert_int_equal(xm_control_cpus(b.control, some, 9, &b.err), XM_OK);
        assert_false(fakexen_traces_cpu(b.fake, 9));
        assert_int_equal(xm_control_cpus(b.control, NULL, 0, &b.err), XM_OK);
        for (uint32_t cpu = 0; cpu < FAKEXEN_CPUS; cpu++)
            assert_true(fakexen_traces_cpu(b.fake, cpu));

        assert_int_equal(xm_control_allocate(b.control, 7, &b.err), XM_OK);
        assert_int_equal(xm_control_tbuf(b.control, &tbuf, &b.err), XM_OK);
        assert_int_equal(tbuf.events, 0x00169000);
        assert_int_equal(tbuf.info_bytes, 4096);
        assert_true(tbuf.info_frame > 0);
        assert_true(fakexen_state(b.fake).enabled);
        assert_int_equal(xm_control_enable(b.control, false, &b.err), XM_OK);
        assert_false(fakexen_state(b.fake).enabled);
        assert_int_equal(xm_control_enable(b.control, true, &b.err), XM_OK);
        assert_true(fakexen_state(b.fake).enabled);
        tear_down(&b);
    }
}

static void test_buffers_are_allocated_once(void **unused)
{
    struct bench b = opened(NULL);
    assert_int_equal(xm_control_allocate(b.control, 8, &b.err), XM_OK);
    assert_int_equal(xm_control_allocate(b.control, 8, &b.err), XM_FULL);
    assert_int_equal(xm_control_allocate(b.control, 16, &b.err), XM_FULL);
    assert_int_equal(b.err.status, XM_OK);
    assert_int_equal(fakexen_state(b.fake).pages, 8);
    tear_down(&b);
}

/* -EINVAL means another size, where there are buffers, and nonsense, where there are none. */
static void test_no_buffers(void **unused)
{
    struct bench b = opened(NULL);
    assert_int_equal(xm_control_allocate(b.control, 0, &b.err), XM_IO);
    assert_says(&b.err, "Xen 4.17.7 cannot allocate trace buffers of 0 pages for each CPU: Invalid argument");
    xm_error_clear(&b.err);
    assert_int_equal(xm_control_enable(b.control, true, &b.err), XM_IO);
    assert_says(&b.err, "cannot switch tracing on: Invalid argument");
    xm_error_clear(&b.err);
    fakexen_refusals(b.fake)->allocate = ENOMEM;
    assert_int_equal(xm_control_allocate(b.control, 100, &b.err), XM_IO);
    assert_says(&b.err, "of 100 pages for each CPU: Cannot allocate memory");
    struct xm_control_tbuf tbuf;
    assert_int_equal(xm_control_tbuf(b.control, &tbuf, NULL), XM_OK);
    assert_int_equal(tbuf.info_bytes, 0); /* though a size is left over from the attempt */
    tear_down(&b);
}

static void test_refusals_after_opening(void **unused)
{
    struct bench b = opened(NULL);
    struct xm_control_tbuf tbuf;
    fakexen_refusals(b.fake)->tbuf = EPERM;
    assert_int_equal(xm_control_events(b.control, 1, &b.err), XM_DENIED);
    assert_says(&b.err, "Xen 4.17.7 does not let this domain set the mask of events");
    xm_error_clear(&b.err);
    assert_int_equal(xm_control_cpus(b.control, NULL, 0, &b.err), XM_DENIED);
    assert_says(&b.err, "set the mask of CPUs");
    xm_error_clear(&b.err);
    assert_int_equal(xm_control_enable(b.control, false, &b.err), XM_DENIED);
    assert_says(&b.err, "switch tracing off");
    xm_error_clear(&b.err);
    assert_int_equal(xm_control_allocate(b.control, 3, &b.err), XM_DENIED);
    assert_says(&b.err, "allocate trace buffers of 3 pages");
    xm_error_clear(&b.err);
    assert_int_equal(xm_control_tbuf(b.control, &tbuf, &b.err), XM_DENIED);
    assert_int_equal(tbuf.events, 0);
    fakexen_refusals(b.fake)->tbuf = EACCES;
    assert_int_equal(xm_control_tbuf(b.control, &tbuf, NULL), XM_DENIED);
    tear_down(&b);
}

/* No more is read of a mask, and no more is copied, than any Xen has CPUs. */
static void test_endless_cpu_mask(void **unused)
{
    static const uint8_t bitmap[2048] = {1};
    struct bench b = opened(NULL);
    assert_int_equal(xm_control_cpus(b.control, bitmap, UINT32_MAX, &b.err), XM_OK);
    assert_true(fakexen_traces_cpu(b.fake, 0));
    assert_false(fakexen_traces_cpu(b.fake, 1));
    tear_down(&b);
}

static void test_no_domctl(void **unused)
{
    struct bench b = set_up(NULL);
    struct xm_control_host host;
    fakexen_refusals(b.fake)->domctl = EPERM; /* of the right version, and refused all the same */
    assert_int_equal(xm_control_open(&b.hyper, &b.control, &b.err), XM_OK);
    xm_control_host(b.control, &host);
    assert_int_equal(host.domctl_version, 0);
    tear_down(&b);
}

/* ---- Refusals at once. */

static void test_too_old(void **unused)
{
    struct bench b = set_up(&(struct fakexen_config){.version = FAKEXEN_4_6});
    assert_refused(&b, XM_DENIED, "Xen 4.6.6 is too old: 4.7 is the oldest");
}

static void test_too_new(void **unused)
{
    struct bench b = set_up(&(struct fakexen_config){.version = FAKEXEN_FAR});
    assert_refused(&b, XM_DENIED, "Xen 4.40.0 refuses every sysctl version from 0xd to 0x24: it is newer");
}

static void test_all_refused(void **unused)
{
    struct bench b = set_up(NULL);
    fakexen_refusals(b.fake)->sysctl = EACCES;
    assert_refused(&b, XM_DENIED, "Xen 4.17.7 refuses every sysctl version");
}

static void test_flask_forbids_tracing(void **unused)
{
    struct bench b = set_up(NULL);
    fakexen_refusals(b.fake)->tbuf = EACCES;
    assert_refused(&b, XM_DENIED, "Xen 4.17.7's security policy (XSM/FLASK) does not let this domain trace");
}

static void test_not_permitted(void **unused)
{
    struct bench b = set_up(NULL);
    fakexen_refusals(b.fake)->tbuf = EPERM;
    assert_refused(&b, XM_DENIED, "Xen 4.17.7 does not let this domain trace: its security policy (XSM)");
}

static void test_compiled_out(void **unused)
{
    static const int errors[] = {ENOSYS, EOPNOTSUPP};
    for (unsigned i = 0; i < 4; i++) {
        struct bench b = set_up(&(struct fakexen_config){.version = FAKEXEN_4_20});
        *(i & 1 ? &fakexen_refusals(b.fake)->tbuf : &fakexen_refusals(b.fake)->sysctl) = errors[i / 2];
        assert_refused(&b, XM_DENIED, "Xen 4.20.0 was built without tracing (CONFIG_TRACEBUFFER)");
    }
}

static void test_other_failures(void **unused)
{
    struct bench b = set_up(NULL);
    fakexen_refusals(b.fake)->tbuf = EFAULT;
    assert_refused(&b, XM_IO, "Xen 4.17.7 cannot trace: Bad address");
    b = set_up(NULL);
    fakexen_refusals(b.fake)->memory = true;
    assert_refused(&b, XM_NOMEM, "out of memory");
}

/* What it does not say is not known, and no more than that. */
static void test_silent_hypervisor(void **unused)
{
    struct bench b = set_up(NULL);
    struct fakexen_refusals *no = fakexen_refusals(b.fake);
    struct xm_control_host host;
    struct xm_control_domain domain;
    no->version = no->physinfo = no->scheduler = EPERM;
    no->domctl = EACCES;
    assert_int_equal(xm_control_open(&b.hyper, &b.control, &b.err), XM_OK);
    xm_control_host(b.control, &host);
    assert_string_equal(host.hypervisor, "Xen");
    assert_string_equal(host.scheduler, "");
    assert_int_equal(host.tsc_hz, 0);
    assert_int_equal(host.cpus, 0);
    assert_int_equal(host.domctl_version, 0);
    assert_int_equal(xm_control_domain(b.control, 0, &domain), XM_OK);
    assert_int_equal(domain.vcpus, 2);
    assert_int_equal(domain.weight, 0);
    struct xm_control_vcpu vcpu;
    assert_int_equal(xm_control_vcpu(b.control, 0, 0, &vcpu), XM_UNSUPPORTED);
    tear_down(&b);
}

/* A version of the table of calls that nobody has written yet may well answer something else. */
struct nonsense {
    struct xm_hyper real;
    uint32_t size;
    uint64_t frame;
    uint32_t count, domid, max_vcpu, online;
    const char *extra;
};

static void *nonsense_alloc(void *self, size_t bytes)
{
    struct nonsense *n = self;
    return n->real.ops->alloc(n->real.self, bytes);
}

static void nonsense_release(void *self, void *memory, size_t bytes)
{
    struct nonsense *n = self;
    n->real.ops->release(n->real.self, memory, bytes);
}

static int nonsense_sysctl(void *self, void *op)
{
    const struct nonsense *n = self;
    uint32_t command;
    uint64_t buffer;
    memcpy(&command, op, 4);
    if (command == 2) {
        memcpy((char *)op + 40, &n->frame, 8);
        memcpy((char *)op + 48, &n->size, 4);
    }
    if (command == 6) {
        memcpy(&buffer, (char *)op + 16, 8);
        memcpy((char *)op + 24, &n->count, 4);
        memcpy((void *)(uintptr_t)buffer, &n->domid, 2);
        memcpy((char *)(uintptr_t)buffer + 64, &n->online, 4);
        memcpy((char *)(uintptr_t)buffer + 68, &n->max_vcpu, 4);
    }
    return 0;
}

static int nonsense_domctl(void *self, void *op)
{
    return -ENOSYS;
}

static int nonsense_version(void *self, unsigned command, void *buffer)
{
    const struct nonsense *n = self;
    if (command == 1)
        memcpy(buffer, n->extra, 16);
    return 4 << 16 | 19;
}

static const struct xm_hyper_ops nonsense_ops = {.alloc = nonsense_alloc, .release = nonsense_release,
                                                 .sysctl = nonsense_sysctl, .domctl = nonsense_domctl,
                                                 .version = nonsense_version};

/* What Xen says of itself is printed: only what is plain of it. */
static void test_names_of_hypervisors(void **unused)
{
    static const char *const rows[][2] = {{"<denied>\0......", "Xen 4.19"},
                                          {".1-\x1b[31mred....", "Xen 4.19.1-"},
                                          {".2\x7f............", "Xen 4.19.2"},
                                          {".3\xc3\xa9...........", "Xen 4.19.3"},
                                          {".4 5............", "Xen 4.19.4"},
                                          {".567890123456789", "Xen 4.19.56789012345678"}};
    struct bench b = set_up(NULL);
    struct nonsense n = {.real = b.hyper};
    const struct xm_hyper hyper = {&nonsense_ops, &n};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct xm_control_host host;
        n.extra = rows[i][0];
        assert_int_equal(xm_control_open(&hyper, &b.control, &b.err), XM_OK);
        xm_control_host(b.control, &host);
        assert_string_equal(host.hypervisor, rows[i][1]);
        xm_control_close(b.control);
    }
    b.control = NULL;
    tear_down(&b);
}

static void test_nonsense_is_refused(void **unused)
{
    static const uint32_t sizes[] = {0, 1, 4095, 4097, 524288 + 4096, UINT32_MAX};
    struct bench b = set_up(NULL);
    struct nonsense n = {.real = b.hyper, .frame = 77, .extra = ".1-\x1b[31mred\n12345"};
    const struct xm_hyper hyper = {&nonsense_ops, &n};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        n.size = sizes[i];
        xm_error_clear(&b.err);
        assert_int_equal(xm_control_open(&hyper, &b.control, &b.err), XM_IO);
        assert_says(&b.err, "Xen 4.19.1- says nonsense of its trace buffers");
    }
    n.size = 524288;
    assert_int_equal(xm_control_open(&hyper, &b.control, &b.err), XM_OK);

    struct xm_control_domain domain;
    n.count = 1;
    n.domid = 5;
    assert_int_equal(xm_control_domain(b.control, 5, &domain), XM_OK);
    assert_int_equal(xm_control_domain(b.control, 6, &domain), XM_IO); /* backwards */
    n.domid = 0x7ff0;
    assert_int_equal(xm_control_domain(b.control, 6, &domain), XM_IO);
    n.domid = 6;
    n.count = 2;
    assert_int_equal(xm_control_domain(b.control, 6, &domain), XM_IO); /* more than was asked for */
    n.count = 1;
    n.max_vcpu = 8192;
    n.online = 8191;
    assert_int_equal(xm_control_domain(b.control, 6, &domain), XM_OK);
    assert_int_equal(domain.vcpus, 0);
    assert_int_equal(domain.online, 0);
    n.max_vcpu = 8191;
    assert_int_equal(xm_control_domain(b.control, 6, &domain), XM_OK);
    assert_int_equal(domain.vcpus, 8192);
    assert_int_equal(domain.online, 8191);
    n.online = 8193; /* more than there are */
    assert_int_equal(xm_control_domain(b.control, 6, &domain), XM_OK);
    assert_int_equal(domain.online, 8192);
    tear_down(&b);
}

/* ---- Domains. */

static const struct fakexen_domain some_domains[] = {
    {.domid = 3, .vcpus = 2, .online = 1, .weight = 512, .cap = 150, .hvm = true,
     .cpu_ns = UINT64_C(0x123456789abcdef)},
    {.domid = 900, .vcpus = 4, .online = 4, .weight = 128, .paused = true},
    {.domid = 32751, .dying = true, .weight = 256},
};

static void test_domains_are_listed(void **unused)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        struct bench b = opened(&(struct fakexen_config){.version = expected[i].version});
        struct xm_control_domain d;
        for (size_t k = 0; k < 3; k++)
            fakexen_domain(b.fake, &some_domains[k]);
        assert_int_equal(xm_control_domain(b.control, 0, &d), XM_OK);
        assert_int_equal(d.domid, 0);
        assert_int_equal(d.weight, 256);
        assert_false(d.hvm || d.paused || d.dying);
        assert_int_equal(xm_control_domain(b.control, 1, &d), XM_OK);
        assert_int_equal(d.domid, 3);
        assert_int_equal(d.vcpus, 2);
        assert_int_equal(d.online, 1);
        assert_true(d.hvm && !d.paused && !d.dying);
        assert_true(d.cpu_ns == UINT64_C(0x123456789abcdef));
        for (unsigned byte = 0; byte < 16; byte++)
            assert_int_equal(d.handle[byte], 3 + byte);
        assert_int_equal(d.weight, 512);
        /* Credit 2 has caps since 4.10. */
        assert_int_equal(d.cap, expected[i].version == FAKEXEN_4_7 ? 0 : 150);
        assert_int_equal(xm_control_domain(b.control, 4, &d), XM_OK);
        assert_int_equal(d.domid, 900);
        assert_true(d.paused && !d.hvm);
        assert_int_equal(xm_control_domain(b.control, 901, &d), XM_OK);
        assert_int_equal(d.domid, 32751);
        assert_true(d.dying);
        assert_int_equal(d.vcpus, 0);
        assert_int_equal(d.online, 0);
        assert_int_equal(xm_control_domain(b.control, 32752, &d), XM_END);
        assert_int_equal(xm_control_domain(b.control, 65536, &d), XM_END); /* and not domain 0 again */
        fakexen_domain_gone(b.fake, 32751);
        assert_int_equal(xm_control_domain(b.control, 901, &d), XM_END);
        tear_down(&b);
    }
}

/* One that has shut down and is kept: that is no pause, and its vCPUs are online. */
static void test_shut_down(void **unused)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        struct bench b = opened(&(struct fakexen_config){.version = expected[i].version});
        struct xm_control_domain d;
        fakexen_domain(b.fake, &(struct fakexen_domain){.domid = 1, .vcpus = 2, .online = 2, .shut_down = true});
        assert_int_equal(xm_control_domain(b.control, 0, &d), XM_OK);
        assert_false(d.shut_down);
        assert_int_equal(xm_control_domain(b.control, 1, &d), XM_OK);
        assert_true(d.shut_down && !d.paused && !d.dying && d.online == 2);
        tear_down(&b);
    }
}

/* What was PVH until 4.8 and the domain of xenstored share a bit. */
static void test_flags_that_moved(void **unused)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        struct bench b = opened(&(struct fakexen_config){.version = expected[i].version});
        struct xm_control_domain d;
        fakexen_domain(b.fake, &(struct fakexen_domain){.domid = 1, .vcpus = 1, .pvh = true});
        fakexen_domain(b.fake, &(struct fakexen_domain){.domid = 2, .vcpus = 1, .stores = true});
        assert_int_equal(xm_control_domain(b.control, 1, &d), XM_OK);
        assert_true(d.hvm);
        assert_int_equal(xm_control_domain(b.control, 2, &d), XM_OK);
        assert_false(d.hvm);
        tear_down(&b);
    }
}

static void test_weights_of_schedulers(void **unused)
{
    static const struct {
        uint32_t host, pool;
        uint32_t weight, cap;
        uint64_t calls;
    } row[] = {{FAKEXEN_CREDIT, 0, 300, 40, 1},
               {FAKEXEN_CREDIT2, 0, 300, 40, 1},
               {FAKEXEN_CREDIT2, FAKEXEN_CREDIT, 300, 40, 2},
               {FAKEXEN_CREDIT, FAKEXEN_CREDIT2, 300, 40, 2},
               {FAKEXEN_RTDS, FAKEXEN_CREDIT, 300, 40, 2},
               {FAKEXEN_RTDS, 0, 0, 0, 2},
               {FAKEXEN_NULL, 0, 0, 0, 2},
               {77, 0, 0, 0, 2}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct bench b = opened(&(struct fakexen_config){.scheduler = row[i].host});
        struct xm_control_domain d;
        fakexen_domain(b.fake, &(struct fakexen_domain){.domid = 9, .vcpus = 1, .weight = 300, .cap = 40,
                                                       .scheduler = row[i].pool});
        struct fakexen_state before = fakexen_state(b.fake);
        assert_int_equal(xm_control_domain(b.control, 1, &d), XM_OK);
        assert_int_equal(d.weight, row[i].weight);
        assert_int_equal(d.cap, row[i].cap);
        struct fakexen_state after = fakexen_state(b.fake);
        assert_int_equal(after.sysctls - before.sysctls, 1); /* the cost that the header names */
        assert_int_equal(after.domctls - before.domctls, row[i].calls);
        tear_down(&b);
    }
}

static void test_vcpus(void **unused)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        struct bench b = opened(&(struct fakexen_config){.version = expected[i].version, .cpus = 3});
        struct xm_control_vcpu v;
        fakexen_domain(b.fake, &(struct fakexen_domain){.domid = 7, .vcpus = 5, .online = 4, .running = 2,
                                                       .blocked = 4});
        for (uint32_t n = 0; n < 5; n++) {
            assert_int_equal(xm_control_vcpu(b.control, 7, n, &v), XM_OK);
            assert_int_equal(v.online, n < 4);
            assert_int_equal(v.running, n == 1);
            assert_int_equal(v.blocked, n == 2);
            assert_int_equal(v.cpu, n % 3);
            assert_int_equal(v.cpu_ns, fakexen_cpu_ns(7, n));
        }
        assert_int_equal(xm_control_vcpu(b.control, 7, 5, &v), XM_END);
        assert_int_equal(xm_control_vcpu(b.control, 6, 0, &v), XM_END);
        assert_int_equal(xm_control_vcpu(b.control, 32752, 0, &v), XM_END);
        assert_int_equal(xm_control_vcpu(b.control, 65536 + 7, 0, &v), XM_END); /* and not domain 7 */
        fakexen_refusals(b.fake)->domctl = EPERM;
        assert_int_equal(xm_control_vcpu(b.control, 7, 0, &v), XM_IO);
        tear_down(&b);
    }
}

static void test_domains_refused(void **unused)
{
    static const int hidden[] = {EPERM, EACCES, ENOSYS};
    struct bench b = opened(NULL);
    struct xm_control_domain d;
    for (size_t i = 0; i < 3; i++) {
        fakexen_refusals(b.fake)->list = hidden[i];
        assert_int_equal(xm_control_domain(b.control, 0, &d), XM_UNSUPPORTED);
    }
    fakexen_refusals(b.fake)->list = EFAULT;
    assert_int_equal(xm_control_domain(b.control, 0, &d), XM_IO);
    fakexen_refusals(b.fake)->list = 0;
    fakexen_refusals(b.fake)->weight = EPERM;
    assert_int_equal(xm_control_domain(b.control, 0, &d), XM_OK);
    assert_int_equal(d.weight, 0);
    tear_down(&b);
}

/* ---- The fake itself, as far as others rely on it. */

static void *map_info(struct bench *b, struct xm_control_tbuf *tbuf, struct xm_tinfo *info)
{
    uint64_t frames[128];
    int error = 0;
    assert_int_equal(xm_control_tbuf(b->control, tbuf, &b->err), XM_OK);
    for (uint32_t i = 0; i < tbuf->info_bytes / 4096; i++)
        frames[i] = tbuf->info_frame + i;
    void *table = b->hyper.ops->map(b->hyper.self, false, frames, tbuf->info_bytes / 4096, &error);
    assert_non_null(table);
    assert_int_equal(xm_tinfo_read(info, table, tbuf->info_bytes, &b->err), XM_OK);
    assert_null(b->hyper.ops->map(b->hyper.self, true, frames, 1, &error));
    assert_int_equal(error, EINVAL);
    return table;
}

static void *map_buffer(struct bench *b, const struct xm_tinfo *info, uint32_t cpu)
{
    uint64_t frames[64];
    uint32_t frame = 0;
    int error = 0;
    for (uint32_t page = 0; page < info->pages; page++) {
        assert_true(xm_tinfo_frame(info, cpu, page, &frame));
        frames[page] = frame;
    }
    void *buffer = b->hyper.ops->map(b->hyper.self, true, frames, info->pages, &error);
    assert_non_null(buffer);
    return buffer;
}

/* Records go in on a sparse set of CPUs and come out of the mapping; masks, and the event when half full. */
static void test_fake_buffers(void **unused)
{
    struct bench b = opened(&(struct fakexen_config){.cpus = 5, .offline = {[1] = true, [2] = true}});
    struct xm_control_tbuf tbuf;
    struct xm_tinfo info;
    struct xm_ring ring;
    struct xm_ring_window window;
    assert_int_equal(fakexen_runstate(b.fake, 3, 5, 1, 0, 1, 0), FAKEXEN_OFF);
    assert_int_equal(xm_control_allocate(b.control, 3, &b.err), XM_OK);
    assert_int_equal(xm_control_events(b.control, 0x00021000, &b.err), XM_OK);
    void *table = map_info(&b, &tbuf, &info);
    assert_int_equal(info.pages, 3);
    for (uint32_t cpu = 0; cpu < 5; cpu++) {
        uint32_t frame;
        assert_int_equal(xm_tinfo_frame(&info, cpu, 0, &frame), cpu == 0 || cpu >= 3);
    }
    void *buffer = map_buffer(&b, &info, 3);
    assert_int_equal(xm_ring_attach(&ring, buffer, 3), XM_OK);
    assert_int_equal(b.hyper.ops->bind(b.hyper.self), 0);

    assert_int_equal(fakexen_runstate(b.fake, 1, 10, 1, 0, 1, 0), FAKEXEN_NO_BUFFER);
    assert_int_equal(fakexen_record(b.fake, 3, &(struct xm_record){.event = 0x00028006}), FAKEXEN_MASKED);
    unsigned wrote = 0;
    enum fakexen_wrote what;
    while ((what = fakexen_runstate(b.fake, 3, 20 + wrote, 7, 1, 1, 0)) == FAKEXEN_WROTE) {
        wrote++;
        assert_int_equal(fakexen_state(b.fake).virqs, wrote * 16 >= ring.bytes / 2);
    }
    assert_int_equal(what, FAKEXEN_LOST);
    assert_int_equal(wrote, ring.bytes / 16);
    assert_int_equal(xm_ring_peek(&ring, &window), XM_OK);
    assert_int_equal(window.size, wrote * 16);
    assert_memory_equal(window.part[0].bytes, "\x01\x11\x02\x90\x14\0\0\0\0\0\0\0\x01\0\x07\0", 16);
    assert_int_equal(fakexen_other_take(b.fake, 3), window.size);
    assert_int_equal(xm_ring_peek(&ring, &window), XM_AGAIN);
    assert_int_equal(fakexen_runstate(b.fake, 3, 9999, 7, 1, 0, 1), FAKEXEN_WROTE);
    assert_int_equal(xm_ring_peek(&ring, &window), XM_OK);

    fakexen_set_indices(b.fake, 3, 2, 0);
    assert_int_equal(fakexen_runstate(b.fake, 3, 10000, 7, 1, 1, 0), FAKEXEN_BOGUS);
    assert_false(fakexen_state(b.fake).enabled);
    b.hyper.ops->unmap(b.hyper.self, buffer, 3);
    b.hyper.ops->unmap(b.hyper.self, table, tbuf.info_bytes / 4096);
    tear_down(&b);
}

/* Switching tracing off forgets what was lost, as Xen does. */
static void test_fake_forgets_losses(void **unused)
{
    struct bench b = opened(&(struct fakexen_config){.boot_pages = 1, .boot_events = 0x00021000});
    uint32_t cons, prod, tsc = 0;
    assert_true(fakexen_state(b.fake).enabled);
    while (fakexen_runstate(b.fake, 0, ++tsc, 7, 1, 1, 0) == FAKEXEN_WROTE)
        continue;
    assert_int_equal(xm_control_enable(b.control, false, &b.err), XM_OK);
    assert_int_equal(xm_control_enable(b.control, true, &b.err), XM_OK);
    assert_true(fakexen_other_take(b.fake, 0) > 0);
    assert_int_equal(fakexen_runstate(b.fake, 0, ++tsc, 7, 1, 1, 0), FAKEXEN_WROTE);
    fakexen_indices(b.fake, 0, &cons, &prod);
    assert_int_equal(prod - cons, 4088 % 16 + 16); /* a filler and the record: no LOST_RECORDS */
    tear_down(&b);
}

static void test_fake_other_consumer(void **unused)
{
    struct bench b = opened(NULL);
    fakexen_other_bind(b.fake, true);
    assert_int_equal(b.hyper.ops->bind(b.hyper.self), -EEXIST);
    assert_int_equal(b.hyper.ops->fd(b.hyper.self), -1);
    fakexen_other_bind(b.fake, false);
    assert_int_equal(b.hyper.ops->bind(b.hyper.self), 0);
    assert_true(b.hyper.ops->fd(b.hyper.self) >= 0);
    b.hyper.ops->take(b.hyper.self); /* nothing there: returns */
    fakexen_other_events(b.fake, 0x1000);
    struct xm_control_tbuf tbuf;
    assert_int_equal(xm_control_tbuf(b.control, &tbuf, &b.err), XM_OK);
    assert_int_equal(tbuf.events, 0x1000);
    tear_down(&b);
}

/* A capture played comes out of the buffers as the same records, in the same order on each CPU. */
static void test_fake_plays(void **unused)
{
    struct xt_bytes bytes = {0};
    for (uint32_t cpu = 0; cpu < 2; cpu++) {
        size_t window = xt_window_begin(&bytes, cpu);
        for (uint64_t i = 0; i < 10; i++)
            xt_runstate(&bytes, 100 + 20 * i + 10 * cpu, 1, cpu, 1, 0);
        xt_window_end(&bytes, window);
    }
    struct bench b = opened(&(struct fakexen_config){.boot_pages = 1, .boot_events = 0x00021000});
    struct fakexen_play *play = fakexen_play(b.fake, bytes.data, bytes.size);
    assert_int_equal(fakexen_play_first(play), 100);
    assert_int_equal(fakexen_play_last(play), 290);
    assert_int_equal(fakexen_play_until(play, 99), 0);
    assert_int_equal(fakexen_play_until(play, 110), 2);
    assert_int_equal(fakexen_play_records(play, 3), 3);
    assert_int_equal(fakexen_play_left(play), 15);
    fakexen_play_run(play, 1e9, 1, NULL);
    assert_int_equal(fakexen_play_left(play), 0);
    assert_int_equal(fakexen_play_count(play, FAKEXEN_WROTE), 20);
    for (uint32_t cpu = 0; cpu < 2; cpu++) {
        uint32_t cons, prod;
        fakexen_indices(b.fake, cpu, &cons, &prod);
        assert_int_equal(prod - cons, 10 * 16);
    }
    fakexen_play_end(play);
    xt_free(&bytes);
    tear_down(&b);
}

#define MANY 200000u

struct producer {
    struct fakexen *fake;
    uint64_t count[FAKEXEN_BOGUS + 1];
    atomic_bool done;
};

static void *produce(void *user)
{
    struct producer *p = user;
    for (uint32_t i = 0; i < MANY; i++)
        p->count[fakexen_runstate(p->fake, 0, i + 1, 7, 1, i & 1, ~i & 1)]++;
    atomic_store(&p->done, true);
    return NULL;
}

/* Takes what is there; records in order, and those that are said to be lost. */
static uint64_t take_window(struct xm_ring *ring, uint64_t *lost, uint64_t *last)
{
    struct xm_ring_window window;
    uint64_t records = 0;
    if (xm_ring_peek(ring, &window) != XM_OK)
        return 0;
    for (unsigned part = 0; part < 2; part++) {
        struct xm_record r;
        size_t used;
        for (size_t at = 0; at < window.part[part].size; at += used) {
            size_t left = window.part[part].size - at;
            assert_int_equal(xm_record_read(window.part[part].bytes + at, left, &r, &used), XM_OK);
            if (r.event == 0x0001f001)
                *lost += r.word[0];
            if (r.event >> 12 != 0x21)
                continue;
            assert_true(r.tsc.v > *last);
            *last = r.tsc.v;
            records++;
        }
    }
    xm_ring_consume(ring, window.size);
    return records;
}

/* One thread writes, one consumes through a mapping of its own: nothing is torn, nothing unaccounted for. */
static void test_fake_two_threads(void **unused)
{
    struct bench b = opened(&(struct fakexen_config){.boot_pages = 1, .boot_events = 0x00021000});
    struct xm_control_tbuf tbuf;
    struct xm_tinfo info;
    struct xm_ring ring;
    struct producer producer = {.fake = b.fake};
    uint64_t taken = 0, lost = 0, last = 0;
    pthread_t thread;
    void *table = map_info(&b, &tbuf, &info);
    void *buffer = map_buffer(&b, &info, 0);
    assert_int_equal(xm_ring_attach(&ring, buffer, 1), XM_OK);
    assert_int_equal(pthread_create(&thread, NULL, produce, &producer), 0);
    while (!atomic_load(&producer.done))
        taken += take_window(&ring, &lost, &last);
    assert_int_equal(pthread_join(thread, NULL), 0);
    taken += take_window(&ring, &lost, &last);
    /* One more tells the last losses. */
    assert_int_equal(fakexen_runstate(b.fake, 0, MANY + 1, 7, 1, 0, 1), FAKEXEN_WROTE);
    taken += take_window(&ring, &lost, &last);
    assert_int_equal(taken, producer.count[FAKEXEN_WROTE] + 1);
    assert_int_equal(lost, producer.count[FAKEXEN_LOST]);
    assert_int_equal(taken + lost, MANY + 1);
    b.hyper.ops->unmap(b.hyper.self, buffer, 1);
    b.hyper.ops->unmap(b.hyper.self, table, tbuf.info_bytes / 4096);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_version_is_found),
        cmocka_unit_test(test_schedulers_have_names),
        cmocka_unit_test(test_tracing_is_set),
        cmocka_unit_test(test_buffers_are_allocated_once),
        cmocka_unit_test(test_no_buffers),
        cmocka_unit_test(test_refusals_after_opening),
        cmocka_unit_test(test_too_old),
        cmocka_unit_test(test_too_new),
        cmocka_unit_test(test_all_refused),
        cmocka_unit_test(test_flask_forbids_tracing),
        cmocka_unit_test(test_not_permitted),
        cmocka_unit_test(test_compiled_out),
        cmocka_unit_test(test_other_failures),
        cmocka_unit_test(test_silent_hypervisor),
        cmocka_unit_test(test_names_of_hypervisors),
        cmocka_unit_test(test_nonsense_is_refused),
        cmocka_unit_test(test_no_domctl),
        cmocka_unit_test(test_endless_cpu_mask),
        cmocka_unit_test(test_domains_are_listed),
        cmocka_unit_test(test_shut_down),
        cmocka_unit_test(test_flags_that_moved),
        cmocka_unit_test(test_weights_of_schedulers),
        cmocka_unit_test(test_vcpus),
        cmocka_unit_test(test_domains_refused),
        cmocka_unit_test(test_fake_buffers),
        cmocka_unit_test(test_fake_forgets_losses),
        cmocka_unit_test(test_fake_other_consumer),
        cmocka_unit_test(test_fake_plays),
        cmocka_unit_test(test_fake_two_threads),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
