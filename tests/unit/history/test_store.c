/* SPDX-License-Identifier: MIT */
/*
 * What goes into the database comes out of it; retention takes only what it may; versions are migrated or
 * refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "history/check.h"
#include "history/query.h"
#include "history/schema.h"
#include "history/store.h"
#include "history/thin.h"

#define S     XM_NS_PER_S
#define BEGIN (UINT64_C(1795694400) * S)

struct world {
    char directory[64];
    struct xm_store *store;
    struct xm_sample sample;
    struct xm_region_domain fact[2];
    struct xm_region_info info;
};

static int make(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    snprintf(w->directory, sizeof w->directory, "/tmp/xenmon-history-XXXXXX");
    assert_non_null(mkdtemp(w->directory));
    assert_int_equal(xm_sample_init(&w->sample, (struct xm_capacity){2, 2, 1}), XM_OK);
    w->info = (struct xm_region_info){.lineage_id = 7, .tsc_hz = S, .io_seen = 3, .source = XM_SOURCE_LIVE};
    for (uint32_t i = 0; i < 2; i++) {
        w->fact[i] = (struct xm_region_domain){.id = XM_ROW_USED | i};
        snprintf(w->fact[i].name, sizeof w->fact[i].name, "dom%u", i);
    }
    *state = w;
    return 0;
}

static int drop(void **state)
{
    static const char *const files[] = {"history.db", "history.db-wal", "history.db-shm", "history.lock"};
    struct world *w = *state;
    char path[128];
    xm_store_close(w->store);
    xm_sample_fini(&w->sample);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", w->directory, files[i]);
        unlink(path);
    }
    rmdir(w->directory);
    free(w);
    return 0;
}

/* Second `t` of the run: domain 0 runs all the time, domain 1 half of it and is gone after second `end`. */
static void at(struct world *w, uint64_t t, uint64_t end)
{
    uint64_t window = (t + 1) * S, alive = t < end ? window : (end + 1) * S;
    struct xm_sample *s = &w->sample;
    xm_sample_clear(s);
    s->used = (struct xm_capacity){2, 2, 1};
    s->host = (struct xm_host_row){
        .tsc = 1000 * S + window, .mono = 50 * S + window, .real = BEGIN + window, .window = window};
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t running = i ? alive / 2 : window, blocked = i ? alive - alive / 2 : 0,
                 offline = i ? window - alive : 0;
        s->vcpu[i] = (struct xm_vcpu_row){.id = XM_ROW_USED | i,
                                          .running = running,
                                          .blocked = blocked,
                                          .offline = offline,
                                          .executions = 3 * running / S};
        s->domain[i] = (struct xm_domain_row){.id = XM_ROW_USED | i,
                                              .vcpus = 1,
                                              .running = running,
                                              .blocked = blocked,
                                              .offline = offline,
                                              .executions = 3 * running / S,
                                              .ended = i && t > end};
        s->vcpu_domain[i] = i;
    }
    s->pcpu[0] = (struct xm_pcpu_row){.id = XM_ROW_USED, .busy = window};
    w->fact[1].ended_tsc = t > end ? 1000 * S + (end + 1) * S : 0;
}

static void open_store(struct world *w)
{
    struct xm_error err = {.offset = XM_NO_OFFSET};
    if (xm_store_open(w->directory, &w->store, &err) != XM_OK)
        fail_msg("%s", err.text);
}

static void put(struct world *w, uint64_t first, uint64_t count, uint64_t end)
{
    uint64_t window;
    assert_int_equal(xm_store_begin(w->store, &w->info, true, &window, NULL), XM_OK);
    for (uint64_t t = first; t < first + count; t++) {
        at(w, t, end);
        assert_int_equal(xm_store_put(w->store, &w->sample, w->fact, true, NULL), XM_OK);
    }
    assert_int_equal(xm_store_commit(w->store, false, NULL), XM_OK);
}

static int64_t number(struct world *w, const char *sql)
{
    int64_t value = -1;
    assert_int_equal(xm_history_number(xm_store_database(w->store), sql, -1, &value, NULL), XM_OK);
    return value;
}

static void no_fault(void *user, const char *text)
{
    fail_msg("%s", text);
}

static void all_is_well(const struct world *w)
{
    struct xm_history h;
    struct xm_history_findings found;
    assert_int_equal(xm_history_open(w->directory, &h, NULL), XM_OK);
    assert_int_equal(xm_history_check(&h, no_fault, NULL, &found, NULL), XM_OK);
    assert_true(found.faults == 0 && found.rows > 0);
    xm_history_end(&h);
}

static void what_goes_in_comes_out(void **state)
{
    struct world *w = *state;
    struct xm_history h;
    struct xm_history_instant *instant;
    struct xm_history_stretch stretch;
    struct xm_sample out;
    size_t count;
    open_store(w);
    put(w, 0, 100, 40);
    /* Of an ended domain one row is kept that says so, and none after it. */
    assert_int_equal(number(w, "SELECT max(sample) FROM domain_sample WHERE domain = 2"), 42);
    assert_int_equal(xm_history_open(w->directory, &h, NULL), XM_OK);
    assert_true(h.runs == 1 && h.domains == 2 && h.run[0].samples == 100);
    assert_int_equal(xm_history_instants(&h, h.run, &instant, &count, NULL), XM_OK);
    assert_int_equal(count, 101);
    assert_true(instant[0].sample == 0 && instant[0].real_ns == BEGIN && instant[0].mono_ns == 50 * S);
    assert_int_equal(xm_history_stretch(&h, h.run, 10, 100, &stretch, NULL), XM_OK);
    assert_int_equal(xm_sample_init(&out, stretch.capacity), XM_OK);
    assert_int_equal(xm_history_sample(&stretch, &instant[100], 10, &out, NULL), XM_OK);
    at(w, 99, 40);
    assert_memory_equal(&out.domain[1], &w->sample.domain[1], offsetof(struct xm_domain_row, wait_coarse));
    assert_memory_equal(&out.vcpu[1], &w->sample.vcpu[1], sizeof out.vcpu[1]);
    assert_memory_equal(&out.host, &w->sample.host, sizeof out.host);
    assert_memory_equal(&out.pcpu[0], &w->sample.pcpu[0], sizeof out.pcpu[0]);
    /* It ended before this window, so it is not in it. */
    assert_int_equal(xm_history_sample(&stretch, &instant[100], 50, &out, NULL), XM_OK);
    assert_true(out.domain[1].id == 0 && out.domain[0].id != 0);
    xm_sample_fini(&out);
    xm_history_stretch_end(&stretch);
    free(instant);
    xm_history_end(&h);
    all_is_well(w);
}

/* What is not asked for is not read, has no slots, and can be had of one domain. */
static void a_part_is_read_alone(void **state)
{
    struct world *w = *state;
    struct xm_history h;
    struct xm_history_instant *instant;
    struct xm_history_stretch whole, part;
    struct xm_sample all, out;
    size_t count;
    open_store(w);
    put(w, 0, 100, 1000);
    assert_int_equal(xm_history_open(w->directory, &h, NULL), XM_OK);
    assert_int_equal(h.domains, 2);
    assert_int_equal(xm_history_instants(&h, h.run, &instant, &count, NULL), XM_OK);
    const struct xm_history_part of = {.domid = xm_row_domid(h.domain[1].row), .vcpus = false};
    assert_int_equal(xm_history_stretch(&h, h.run, 10, 100, &whole, NULL), XM_OK);
    assert_int_equal(xm_history_stretch_of(&h, h.run, 10, 100, of, &part, NULL), XM_OK);
    assert_true(whole.capacity.domains == 2 && part.capacity.domains == 1 && part.domain[0] == 1);
    assert_int_equal(part.capacity.vcpus, whole.capacity.vcpus - whole.first_vcpu[1]);
    assert_int_equal(xm_sample_init(&all, whole.capacity), XM_OK);
    assert_int_equal(xm_sample_init(&out, part.capacity), XM_OK);
    assert_int_equal(xm_history_sample(&whole, &instant[50], 10, &all, NULL), XM_OK);
    assert_int_equal(xm_history_sample(&part, &instant[50], 10, &out, NULL), XM_OK);
    assert_memory_equal(&out.domain[0], &all.domain[1], sizeof out.domain[0]);
    assert_memory_equal(&out.pcpu[0], &all.pcpu[0], sizeof out.pcpu[0]);
    assert_true(out.domain[0].id != 0 && out.vcpu[0].id == 0);
    assert_int_equal(xm_history_vcpus(&part, &instant[50], 0, &out, NULL), XM_OK);
    assert_true(out.vcpu[0].id != 0);
    assert_memory_equal(&out.vcpu[0], &all.vcpu[whole.first_vcpu[1]], sizeof out.vcpu[0]);
    xm_sample_fini(&out);
    xm_sample_fini(&all);
    xm_history_stretch_end(&part);
    xm_history_stretch_end(&whole);
    free(instant);
    xm_history_end(&h);
}

/* Reading ends where its time is over, and says that this was it. */
static void a_deadline_ends_it(void **state)
{
    struct world *w = *state;
    struct xm_history_deadline deadline = {.mono_ns = UINT64_MAX};
    struct xm_history_instant *instant;
    struct xm_history h;
    size_t count;
    open_store(w);
    put(w, 0, 7200, 10);
    assert_int_equal(xm_history_open_until(w->directory, &deadline, &h, NULL), XM_OK);
    assert_int_equal(xm_history_instants(&h, h.run, &instant, &count, NULL), XM_OK);
    assert_true(count == 7201 && !deadline.passed);
    free(instant);
    deadline.mono_ns = 1;
    assert_int_not_equal(xm_history_instants(&h, h.run, &instant, &count, NULL), XM_OK);
    assert_true(deadline.passed && !instant && count == 0);
    xm_history_end(&h);
}

static void a_transaction_is_all_or_nothing(void **state)
{
    struct world *w = *state;
    struct xm_store *second;
    struct xm_error err = {.offset = XM_NO_OFFSET};
    uint64_t window;
    open_store(w);
    put(w, 0, 10, 1000);
    assert_int_equal(xm_store_begin(w->store, &w->info, false, &window, NULL), XM_OK);
    assert_int_equal(window, 10 * S);
    at(w, 10, 1000);
    assert_int_equal(xm_store_put(w->store, &w->sample, w->fact, true, NULL), XM_OK);
    xm_store_rollback(w->store);
    assert_int_equal(number(w, "SELECT count(*) FROM sample"), 10);
    put(w, 10, 5, 1000);
    assert_int_equal(number(w, "SELECT max(id) FROM sample"), 15);
    assert_int_equal(number(w, "SELECT count(*) FROM domain"), 2);
    assert_int_equal(xm_store_open(w->directory, &second, &err), XM_LIMIT);
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld ", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    xm_store_close(w->store);
    open_store(w);
    put(w, 15, 5, 1000);
    assert_int_equal(number(w, "SELECT count(*) FROM run"), 1);
    all_is_well(w);
}

static void thin(struct world *w, const struct xm_retention *r)
{
    bool more = true;
    for (int i = 0; more; i++) {
        assert_true(i < 10000);
        assert_int_equal(xm_history_thin(xm_store_database(w->store), r, &more, NULL), XM_OK);
    }
}

/* Sums over what is left are what they were. */
static void thinning_keeps_the_sums(void **state)
{
    struct world *w = *state;
    const struct xm_retention r = {.rule = {{S, 1800 * S}, {60 * S, 3600 * S}, {600 * S, 86400 * S}},
                                   .rules = 3};
    open_store(w);
    put(w, 0, 7200, 123);
    thin(w, &r);
    /* 1800 s whole, 1800 s by minute, 3600 s by ten minutes, the first, and a life's last. */
    assert_int_equal(number(w, "SELECT count(*) FROM sample WHERE id > 5400"), 1800);
    int64_t minutes = number(w, "SELECT count(*) FROM sample WHERE id > 3600 AND id <= 5400");
    int64_t tens = number(w, "SELECT count(*) FROM sample WHERE id <= 3600");
    assert_in_range(minutes, 30, 32);
    assert_in_range(tens, 7, 9);
    assert_int_equal(number(w, "SELECT count(*) FROM sample WHERE id IN (1, 125, 7200)"), 3);
    assert_int_equal(
        number(w, "SELECT count(*) FROM vcpu_sample WHERE sample NOT IN (SELECT id FROM sample)"), 0);
    assert_int_equal(number(w, "SELECT running FROM vcpu_sample WHERE sample = 7200 AND domain = 1"),
                     (int64_t)(7200 * S));
    int64_t before = number(w, "SELECT count(*) FROM sample");
    thin(w, &r);
    assert_int_equal(number(w, "SELECT count(*) FROM sample"), before);
    all_is_well(w);
    /* A day later all of it is too old: the run and its domains go with their samples. */
    w->info.lineage_id = 8;
    put(w, 200000, 700, 1);
    thin(w, &r);
    assert_int_equal(number(w, "SELECT count(*) FROM run"), 1);
    assert_int_equal(number(w, "SELECT count(*) FROM domain WHERE run = 1"), 0);
    assert_int_equal(number(w, "SELECT count(*) FROM sample"), 700);
    all_is_well(w);
}

static void size_is_kept(void **state)
{
    struct world *w = *state;
    struct xm_retention r = xm_retention_default();
    r.max_bytes = 1 << 18;
    open_store(w);
    put(w, 0, 20000, 19999);
    assert_true(number(w, "PRAGMA page_count") * number(w, "PRAGMA page_size") > 1 << 20);
    thin(w, &r);
    assert_true(number(w, "PRAGMA page_count") * number(w, "PRAGMA page_size") <= 1 << 18);
    /*
     * The newest ten minutes are whole, and the oldest sample is still there, as the ends of what was
     * thinned are.
     */
    assert_int_equal(number(w, "SELECT count(*) FROM sample WHERE id > 19400"), 600);
    assert_int_equal(number(w, "SELECT min(id) FROM sample"), 1);
    assert_true(number(w, "SELECT count(*) FROM sample") > 610);
    all_is_well(w);
}

static void rules_that_are_none(void **state)
{
    struct xm_retention r = xm_retention_default();
    assert_null(xm_retention_fault(&r));
    r.rule[1].step_ns = S;
    assert_non_null(xm_retention_fault(&r));
    r = xm_retention_default();
    r.rule[2].age_ns = S;
    assert_non_null(xm_retention_fault(&r));
    r.rules = 0;
    assert_non_null(xm_retention_fault(&r));
}

/* A version before the first is brought up to date; data is not touched where a version is not known. */
static void versions(void **state)
{
    struct world *w = *state;
    struct xm_error err = {.offset = XM_NO_OFFSET};
    sqlite3 *db;
    char path[128];
    snprintf(path, sizeof path, "%s/history.db", w->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "CREATE TABLE draft(a); PRAGMA application_id = 0x584d4844", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    open_store(w);
    assert_int_equal(number(w, "PRAGMA user_version"), XM_HISTORY_VERSION);
    assert_int_equal(number(w, "SELECT count(*) FROM draft"), 0);
    put(w, 0, 3, 9);
    xm_store_close(w->store);
    w->store = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(xm_store_open(w->directory, &w->store, &err), XM_UNSUPPORTED);
    assert_non_null(strstr(err.text, "of version 2"));
    assert_null(w->store);
}

/* A migration that cannot be finished leaves nothing behind. */
static void a_migration_that_fails(void **state)
{
    struct world *w = *state;
    struct xm_error err = {.offset = XM_NO_OFFSET};
    sqlite3 *db;
    sqlite3_stmt *stmt;
    char path[128];
    snprintf(path, sizeof path, "%s/history.db", w->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "CREATE TABLE vcpu_sample(a); PRAGMA application_id = 0x584d4844", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(xm_store_open(w->directory, &w->store, &err), XM_DAMAGED);
    assert_non_null(strstr(err.text, "vcpu_sample already exists"));
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_master", -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), 1);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_goes_in_comes_out),  TEST(a_transaction_is_all_or_nothing),
        TEST(thinning_keeps_the_sums), TEST(size_is_kept),
        TEST(rules_that_are_none),     TEST(versions),
        TEST(a_migration_that_fails),  TEST(a_part_is_read_alone),
        TEST(a_deadline_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
