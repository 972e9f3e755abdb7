/* SPDX-License-Identifier: MIT */
/* What is said where a machine cannot be asked: each thing that can be missing, by files of a made-up one. */
#include <errno.h>
#include <fcntl.h>
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

#include "source/xen/hyper.h"
#include "source/xen/machine.h"

#define NOBODY 65534u

static char folder[] = "/tmp/xenmon-machine-XXXXXX";

struct machine {
    char path[5][96];
    struct xm_machine_paths paths;
    struct xm_error err;
};

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A dom0 that has everything. */
static struct machine *machine(void)
{
    static const char *const names[5] = {"type", "capabilities", "privcmd", "privcmd-old", "evtchn"};
    static const char *const texts[5] = {"xen\n", "control_d\n", "", NULL, ""};
    static struct machine m;
    for (unsigned i = 0; i < 5; i++) {
        snprintf(m.path[i], sizeof m.path[i], "%s/%s", folder, names[i]);
        (void)unlink(m.path[i]);
        if (texts[i])
            write_text(m.path[i], texts[i]);
    }
    m.paths = (struct xm_machine_paths){m.path[0], m.path[1], m.path[2], m.path[3], m.path[4]};
    xm_error_clear(&m.err);
    return &m;
}

static void assert_denied(struct machine *m, const char *words)
{
    xm_error_clear(&m->err);
    assert_int_equal(xm_machine_check(&m->paths, &m->err), XM_DENIED);
    if (!strstr(m->err.text, words))
        fail_msg("'%s' does not say '%s'", m->err.text, words);
    assert_null(strchr(m->err.text, '\n'));
}

static void test_dom0(void **unused)
{
    struct machine *m = machine();
    assert_int_equal(xm_machine_check(&m->paths, &m->err), XM_OK);
    unlink(m->paths.type); /* a kernel without /sys/hypervisor */
    assert_int_equal(xm_machine_check(&m->paths, &m->err), XM_OK);
    m = machine();
    /* One from before /dev/xen/privcmd. */
    assert_int_equal(rename(m->paths.privcmd, m->paths.privcmd_old), 0);
    assert_int_equal(xm_machine_check(&m->paths, &m->err), XM_OK);
    assert_string_equal(m->err.text, "");
}

static void test_no_xen(void **unused)
{
    struct machine *m = machine();
    unlink(m->paths.type);
    unlink(m->paths.capabilities);
    assert_denied(m, "this machine does not run under Xen");
    write_text(m->paths.type, "kvm\n");
    assert_denied(m, "this machine runs under 'kvm', not under Xen");
    write_text(m->paths.capabilities, "control_d\n");
    assert_denied(m, "this machine runs under 'kvm', not under Xen");
    write_text(m->paths.type, "");
    assert_denied(m, "not under Xen");
}

static void test_no_xenfs(void **unused)
{
    struct machine *m = machine();
    unlink(m->paths.capabilities);
    assert_denied(m, "xenfs is not mounted (mount -t xenfs xenfs /proc/xen)");
}

static void test_a_guest(void **unused)
{
    struct machine *m = machine();
    write_text(m->paths.capabilities, "");
    assert_denied(m, "this is a guest, not Xen's control domain");
    assert_denied(m, "run it in dom0");
}

static void test_no_devices(void **unused)
{
    struct machine *m = machine();
    unlink(m->paths.evtchn);
    assert_denied(m, "(modprobe xen-evtchn)");
    unlink(m->paths.privcmd);
    assert_denied(m, "(modprobe xen-privcmd)"); /* the first that is missing */
}

static void test_a_node_without_driver(void **unused)
{
    struct machine *m = machine();
    unlink(m->paths.privcmd);
    if (mknod(m->paths.privcmd, S_IFCHR | 0600, 0) != 0) /* 0:0 is nobody's */
        skip();
    assert_denied(m, "(modprobe xen-privcmd)");
}

static void test_no_permission(void **unused)
{
    struct machine *m = machine();
    bool root = geteuid() == 0;
    assert_int_equal(chmod(folder, 0755), 0);
    for (unsigned i = 1; i < 5; i++) {
        if (i == 3)
            continue;
        assert_int_equal(chmod(m->path[i], 0), 0);
        if (root)
            assert_int_equal(seteuid(NOBODY), 0);
        assert_denied(m, "no permission to");
        assert_denied(m, m->path[i]);
        assert_denied(m, "run as root");
        if (root)
            assert_int_equal(seteuid(0), 0);
        assert_int_equal(chmod(m->path[i], 0666), 0);
    }
}

static void test_other_trouble(void **unused)
{
    struct machine *m = machine();
    m->paths.evtchn = folder;
    assert_int_equal(xm_machine_check(&m->paths, &m->err), XM_IO);
    assert_non_null(strstr(m->err.text, "Is a directory"));
    m = machine();
    m->paths.capabilities = folder;
    assert_int_equal(xm_machine_check(&m->paths, &m->err), XM_IO);
    assert_non_null(strstr(m->err.text, "cannot read"));
}

/* Here, whatever here is: open or say why not, and closing twice is fine. */
static void test_this_machine(void **unused)
{
    struct xm_hyper hyper;
    struct xm_error err;
    xm_error_clear(&err);
    enum xm_status status = xm_hyper_open(&hyper, &err);
    assert_int_equal(status == XM_OK, hyper.ops != NULL);
    assert_int_equal(status == XM_OK, err.text[0] == 0);
    if (status != XM_OK)
        assert_true(status == XM_DENIED || status == XM_UNSUPPORTED);
    xm_hyper_close(&hyper);
    xm_hyper_close(&hyper);
    assert_null(hyper.ops);
}

static int remove_folder(void **unused)
{
    struct machine *m = machine();
    for (unsigned i = 0; i < 5; i++)
        (void)unlink(m->path[i]);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dom0),
        cmocka_unit_test(test_no_xen),
        cmocka_unit_test(test_no_xenfs),
        cmocka_unit_test(test_a_guest),
        cmocka_unit_test(test_no_devices),
        cmocka_unit_test(test_a_node_without_driver),
        cmocka_unit_test(test_no_permission),
        cmocka_unit_test(test_other_trouble),
        cmocka_unit_test(test_this_machine),
    };
    if (!mkdtemp(folder))
        return 1;
    return cmocka_run_group_tests_name("machine", tests, NULL, remove_folder);
}
