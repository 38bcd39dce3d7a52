/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of load tests that go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "db/loads.h"
#include "db/targets.h"
#include "db_helpers.h"

struct fixture {
    struct sonde_db *db;
    char directory[PATH_SIZE];
    struct sonde_err err;
    char uid[SONDE_UUID_SIZE], other[SONDE_UUID_SIZE];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    make_directory(f->directory);
    f->db = open_store(f->directory);
    make_uid(1, f->uid);
    make_uid(2, f->other);
    assert_int_equal(add_run(f->db, f->uid, "one", 1, &f->err), 0);
    assert_int_equal(add_run(f->db, f->other, "other", 2, &f->err), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sonde_db_close(f->db);
    remove_directory(f->directory);
    free(f);
    return 0;
}

static void create(struct fixture *f, const char *uid)
{
    const struct sonde_load_row row = {.addresses = "[]", .seed = 7, .begun_us = 9};
    assert_int_equal(sonde_db_load_create(f->db, uid, &row, &f->err), 0);
}

static struct sonde_load_event said(const char *uid, int kind, unsigned runner, int64_t time_us,
                                    const char *body)
{
    return (struct sonde_load_event){
        .uid = uid, .kind = kind, .runner = runner, .time_us = time_us, .body = sonde_str(body)};
}

static int put_row(void *context, const struct sonde_load_row *row, struct sonde_err *err)
{
    (void)err;
    sonde_buf_printf(context, "%s %lld %lld %.*s", row->addresses, (long long)row->seed,
                     (long long)row->begun_us, SONDE_STR_ARG(row->state));
    return 0;
}

static int put_event(void *context, const struct sonde_load_event *event, struct sonde_err *err)
{
    (void)err;
    sonde_buf_printf(context, "%d/%u/%lld/%.*s ", event->kind, event->runner,
                     (long long)event->time_us, SONDE_STR_ARG(event->body));
    return 0;
}

static int put_uid(void *context, const char *uid, struct sonde_err *err)
{
    (void)err;
    sonde_buf_printf(context, "%s ", uid);
    return 0;
}

static void must_be(struct fixture *f, const char *uid, const char *row, const char *events)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1000);
    SONDE_BUF_AUTO list = SONDE_BUF(1000);
    assert_int_equal(sonde_db_load_get(f->db, uid, put_row, &text, &f->err), 0);
    assert_string_equal(text.data, row);
    assert_int_equal(sonde_db_load_events(f->db, uid, put_event, &list, &f->err), 0);
    assert_string_equal(list.data ? list.data : "", events);
}

static void reopen(struct fixture *f)
{
    sonde_db_close(f->db);
    f->db = open_store(f->directory);
}

static void what_is_said_is_there_after_a_restart(void **state)
{
    struct fixture *f = *state;
    create(f, f->uid);
    create(f, f->other);
    struct sonde_load_event events[] = {
        said(f->uid, 2, 99, 1000, "{\"a\":1}"),
        said(f->other, 1, 0, 1001, "{}"),
        said(f->uid, 3, 7, 1002, ""),
    };
    assert_int_equal(sonde_db_load_add(f->db, events, SONDE_LENGTH(events), &f->err), 0);
    reopen(f);
    must_be(f, f->uid, "[] 7 9 ", "2/99/1000/{\"a\":1} 3/7/1002/ ");
    must_be(f, f->other, "[] 7 9 ", "1/0/1001/{} ");
    /* Again: it stays as it is. */
    const struct sonde_load_row again = {.addresses = "[1]", .seed = 8};
    assert_int_equal(sonde_db_load_create(f->db, f->uid, &again, &f->err), 0);
    must_be(f, f->uid, "[] 7 9 ", "2/99/1000/{\"a\":1} 3/7/1002/ ");
}

/* A trigger stands for a disk that refuses. */
static void all_of_a_transaction_or_nothing(void **state)
{
    struct fixture *f = *state;
    create(f, f->uid);
    run_sql_in(f->directory, "CREATE TRIGGER no BEFORE INSERT ON load_events WHEN NEW.kind = 9"
                             " BEGIN SELECT RAISE(ABORT, 'no'); END");
    struct sonde_load_event events[] = {said(f->uid, 1, 0, 1, "{}"), said(f->uid, 9, 0, 1, "{}")};
    assert_true(sonde_db_load_add(f->db, events, SONDE_LENGTH(events), &f->err) < 0);
    must_be(f, f->uid, "[] 7 9 ", "");
}

static void what_is_deleted_takes_nothing_else_with_it(void **state)
{
    struct fixture *f = *state;
    create(f, f->uid);
    create(f, f->other);
    assert_int_equal(sonde_db_run_delete(f->db, f->other, &f->err), 0);
    struct sonde_load_event events[] = {said(f->uid, 1, 0, 1, "{}"), said(f->other, 1, 0, 1, "{}"),
                                        said(f->uid, 2, 0, 1, "{}")};
    assert_int_equal(sonde_db_load_add(f->db, events, SONDE_LENGTH(events), &f->err), 0);
    must_be(f, f->uid, "[] 7 9 ", "1/0/1/{} 2/0/1/{} ");
    assert_false(events[0].gone);
    assert_true(events[1].gone);
    assert_false(events[2].gone);
}

static const char token[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/* Who is given up, and that it is, is one and the same. */
static void a_token_is_released_with_what_is_said(void **state)
{
    struct fixture *f = *state;
    const struct sonde_target target = {.run_uid = f->uid, .name = "runner-0"};
    create(f, f->uid);
    run_sql_in(f->directory, "CREATE TRIGGER no BEFORE INSERT ON load_events WHEN NEW.kind = 9"
                             " BEGIN SELECT RAISE(ABORT, 'no'); END");
    assert_int_equal(sonde_db_token_add(f->db, &target, token, 1000, &f->err), 0);
    assert_int_equal(sonde_db_token_use(f->db, &target, token, "old", 1, &f->err), 0);
    struct sonde_load_event events[] = {said(f->uid, 4, 0, 1, "{}"), said(f->uid, 9, 0, 1, "{}")};
    events[0].released = target.name;
    events[0].refused = true;
    assert_true(sonde_db_load_add(f->db, events, 2, &f->err) < 0);
    assert_int_equal(sonde_db_token_use(f->db, &target, token, "old", 1, &f->err), 0);
    assert_int_equal(sonde_db_load_add(f->db, events, 1, &f->err), 0);
    assert_int_equal(sonde_db_token_use(f->db, &target, token, "old", 1, &f->err), SONDE_EDENIED);
    assert_int_equal(sonde_db_token_use(f->db, &target, token, "new", 1, &f->err), 0);
}

static void a_state_takes_the_place_of_events(void **state)
{
    struct fixture *f = *state;
    create(f, f->uid);
    create(f, f->other);
    struct sonde_load_event events[] = {said(f->uid, 1, 0, 1, "{}"), said(f->other, 1, 0, 1, "{}")};
    assert_int_equal(sonde_db_load_add(f->db, events, SONDE_LENGTH(events), &f->err), 0);
    assert_int_equal(sonde_db_load_save(f->db, f->uid, SONDE_STR("state"), &f->err), 0);
    must_be(f, f->uid, "[] 7 9 state", "");
    must_be(f, f->other, "[] 7 9 ", "1/0/1/{} ");
    assert_int_equal(sonde_db_load_add(f->db, events, 1, &f->err), 0);
    must_be(f, f->uid, "[] 7 9 state", "1/0/1/{} ");
    assert_int_equal(sonde_db_load_save(f->db, "none", SONDE_STR("state"), &f->err),
                     SONDE_ENOTFOUND);
}

static void it_goes_with_the_run_or_before(void **state)
{
    struct fixture *f = *state;
    SONDE_BUF_AUTO uids = SONDE_BUF(1000);
    create(f, f->uid);
    create(f, f->other);
    struct sonde_load_event event = said(f->uid, 1, 0, 1, "{}");
    assert_int_equal(sonde_db_load_add(f->db, &event, 1, &f->err), 0);
    assert_int_equal(end_run(f->db, f->other, SONDE_RUN_SUCCEEDED, &f->err), 0);
    assert_int_equal(sonde_db_loads(f->db, put_uid, &uids, &f->err), 0);
    assert_non_null(strstr(uids.data, f->uid));
    assert_null(strstr(uids.data, f->other));
    assert_int_equal(sonde_db_run_delete(f->db, f->uid, &f->err), 0);
    assert_int_equal(sonde_db_load_get(f->db, f->uid, put_row, &uids, &f->err), SONDE_ENOTFOUND);
    assert_int_equal(sonde_db_load_add(f->db, &event, 1, &f->err), 0);
    assert_true(event.gone);
    const struct sonde_load_row row = {.addresses = "[]"};
    assert_int_equal(sonde_db_load_create(f->db, f->uid, &row, &f->err), SONDE_ENOTFOUND);
}

static int see_state(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    *(enum sonde_run_state *)context = run->state;
    return 0;
}

static void the_run_ends_and_it_goes_at_once(void **state)
{
    struct fixture *f = *state;
    SONDE_BUF_AUTO text = SONDE_BUF(1000);
    enum sonde_run_state seen;
    struct sonde_run run = {.state = SONDE_RUN_FAILED, .reason = "Because", .message = ""};
    struct sonde_load_event event = said(f->uid, 1, 0, 1, "{}");
    memcpy(run.uid, f->uid, sizeof(run.uid));
    create(f, f->uid);
    assert_int_equal(sonde_db_load_add(f->db, &event, 1, &f->err), 0);
    run_sql_in(f->directory, "CREATE TRIGGER no BEFORE DELETE ON load_events"
                             " BEGIN SELECT RAISE(ABORT, 'no'); END");
    assert_true(sonde_db_load_end(f->db, &run, &f->err) < 0);
    assert_int_equal(sonde_db_run_get(f->db, f->uid, see_state, &seen, &f->err), 0);
    assert_int_equal(seen, SONDE_RUN_RUNNING);
    must_be(f, f->uid, "[] 7 9 ", "1/0/1/{} ");
    run_sql_in(f->directory, "DROP TRIGGER no");
    assert_int_equal(sonde_db_load_end(f->db, &run, &f->err), 0);
    assert_int_equal(sonde_db_run_get(f->db, f->uid, see_state, &seen, &f->err), 0);
    assert_int_equal(seen, SONDE_RUN_FAILED);
    assert_int_equal(sonde_db_load_get(f->db, f->uid, put_row, &text, &f->err), SONDE_ENOTFOUND);
    assert_int_equal(sonde_db_load_events(f->db, f->uid, put_event, &text, &f->err), 0);
    assert_int_equal(text.length, 0);
    const struct sonde_load_row row = {.addresses = "[]"};
    assert_int_equal(sonde_db_load_create(f->db, f->uid, &row, &f->err), SONDE_ECONFLICT);
    assert_int_equal(sonde_db_load_get(f->db, f->uid, put_row, &text, &f->err), SONDE_ENOTFOUND);
    /* One that has ended stays as it ended; what is left of it goes all the same. */
    run_sql_in(f->directory, "INSERT INTO loads (run, addresses, seed, begun, state)"
                             " SELECT uid, '[]', 7, 9, x'' FROM runs WHERE state = 3");
    run.state = SONDE_RUN_SUCCEEDED;
    assert_int_equal(sonde_db_load_end(f->db, &run, &f->err), SONDE_ECONFLICT);
    assert_int_equal(sonde_db_run_get(f->db, f->uid, see_state, &seen, &f->err), 0);
    assert_int_equal(seen, SONDE_RUN_FAILED);
    assert_int_equal(sonde_db_load_get(f->db, f->uid, put_row, &text, &f->err), SONDE_ENOTFOUND);
}

/* The state takes the place of the events between the two reads. */
static void what_is_read_together_is_of_one_time(void **state)
{
    struct fixture *f = *state;
    struct sonde_load_event event = said(f->uid, 1, 0, 1, "{}");
    create(f, f->uid);
    assert_int_equal(sonde_db_load_add(f->db, &event, 1, &f->err), 0);
    struct sonde_db *reader = open_store(f->directory);
    SONDE_BUF_AUTO row = SONDE_BUF(1000);
    SONDE_BUF_AUTO events = SONDE_BUF(1000);
    assert_int_equal(sonde_db_read_begin(reader, &f->err), 0);
    assert_int_equal(sonde_db_load_get(reader, f->uid, put_row, &row, &f->err), 0);
    assert_int_equal(sonde_db_load_save(f->db, f->uid, SONDE_STR("state"), &f->err), 0);
    assert_int_equal(sonde_db_load_events(reader, f->uid, put_event, &events, &f->err), 0);
    assert_int_equal(sonde_db_read_end(reader, 0, &f->err), 0);
    assert_string_equal(row.data, "[] 7 9 ");
    assert_string_equal(events.data, "1/0/1/{} ");
    sonde_db_close(reader);
    must_be(f, f->uid, "[] 7 9 state", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_said_is_there_after_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_of_a_transaction_or_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_deleted_takes_nothing_else_with_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_token_is_released_with_what_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_run_ends_and_it_goes_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_read_together_is_of_one_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_state_takes_the_place_of_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_goes_with_the_run_or_before, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
