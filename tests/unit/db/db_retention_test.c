/* SPDX-License-Identifier: Apache-2.0 */
/* Which runs are to go first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "db_helpers.h"

enum { MANY = SONDE_DB_RUNS_LISTED_MAX + 50, HELD_NS = 1000 };

static const int64_t any_time[SONDE_DATA_CLASSES] = {INT64_MAX, INT64_MAX, INT64_MAX};

struct fixture {
    struct sonde_db *db;
    char directory[PATH_SIZE];
    struct sonde_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    make_directory(f->directory);
    f->db = open_store(f->directory);
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

static void end_at(struct fixture *f, unsigned number, int64_t completed_ns)
{
    struct sonde_run run = {.state = SONDE_RUN_SUCCEEDED,
                            .reason = "Completed",
                            .message = "",
                            .status = "{}",
                            .completed_ns = completed_ns};
    make_uid(number, run.uid);
    assert_int_equal(sonde_db_run_update(f->db, &run, &f->err), 0);
}

static void create_by(struct fixture *f, unsigned number, const char *namespace,
                      const char *schedule, int64_t created_ns)
{
    struct sonde_run run = {.name = "run",
                            .namespace = namespace,
                            .kind = "ProfileRun",
                            .spec = "{}",
                            .schedule = schedule,
                            .state = SONDE_RUN_RUNNING,
                            .created_ns = created_ns};
    make_uid(number, run.uid);
    assert_int_equal(sonde_db_run_create(f->db, &run, &f->err), 0);
}

static void create_in(struct fixture *f, unsigned number, const char *namespace)
{
    create_by(f, number, namespace, "", number);
}

static void create(struct fixture *f, unsigned number)
{
    create_in(f, number, "clinic");
}

static void add_bytes(struct fixture *f, unsigned number, const char *name,
                      enum sonde_data_class class, const char *content, size_t length)
{
    char uid[SONDE_UUID_SIZE];
    struct sonde_artifact_writer *writer = NULL;
    make_uid(number, uid);
    const struct sonde_artifact artifact = {.run_uid = uid,
                                            .name = name,
                                            .capture = "cpu",
                                            .type = "CPUProfile",
                                            .media_type = "application/json",
                                            .data_class = class};
    assert_int_equal(sonde_artifact_begin(f->db, &artifact, &writer, &f->err), 0);
    assert_int_equal(sonde_artifact_write(writer, content, length, &f->err), 0);
    assert_int_equal(sonde_artifact_commit(writer, &f->err), 0);
}

static void add(struct fixture *f, unsigned number, const char *name, enum sonde_data_class class,
                const char *content)
{
    add_bytes(f, number, name, class, content, strlen(content));
}

static void expect(struct fixture *f, const int64_t before_ns[SONDE_DATA_CLASSES],
                   const unsigned numbers[], size_t count)
{
    struct sonde_run_weight found[8];
    char uid[SONDE_UUID_SIZE];
    size_t found_count = 0;
    assert_int_equal(sonde_db_ended(f->db, before_ns, HELD_NS, found, SONDE_LENGTH(found),
                                    &found_count, &f->err),
                     0);
    assert_int_equal(found_count, count);
    for (size_t i = 0; i < count; i++) {
        make_uid(numbers[i], uid);
        assert_string_equal(found[i].uid, uid);
    }
}

static void each_class_has_its_time(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 5; i++) {
        create(f, i);
    }
    add(f, 0, "a", SONDE_DATA_PROFILE, "profile");
    add(f, 1, "a", SONDE_DATA_PROFILE, "profile");
    add(f, 1, "b", SONDE_DATA_HEAP, "heap heap");
    add(f, 2, "a", SONDE_DATA_TRACE, "trace");
    /* Run 3 has nothing, and run 4 has not ended. */
    end_at(f, 0, 400);
    end_at(f, 1, 300);
    end_at(f, 2, 200);
    end_at(f, 3, 100);
    expect(f, any_time, (const unsigned[]){3, 2, 1, 0}, 4);
    expect(f, (const int64_t[]){INT64_MIN, INT64_MIN, 301}, (const unsigned[]){1}, 1);
    expect(f, (const int64_t[]){INT64_MIN, INT64_MIN, 300}, NULL, 0);
    expect(f, (const int64_t[]){101, 201, INT64_MIN}, (const unsigned[]){3, 2}, 2);
    struct sonde_run_weight found[8];
    size_t count = 0;
    assert_int_equal(sonde_db_ended(f->db, any_time, HELD_NS, found, 3, &count, &f->err), 0);
    assert_int_equal(count, 3);
    assert_int_equal(found[0].bytes, 0);
    assert_in_range(found[2].bytes, 20, 100); /* two blobs */
    assert_int_equal(found[2].data_class, SONDE_DATA_HEAP);
    assert_int_equal(found[2].completed_ns, 300);
}

static int64_t ended_bytes(struct fixture *f)
{
    int64_t bytes = -1;
    assert_int_equal(sonde_db_ended_bytes(f->db, &bytes, &f->err), 0);
    return bytes;
}

/* What counts is what the disk has: compressed, once, and of runs that have ended. */
static void bytes_are_those_of_the_disk(void **state)
{
    struct fixture *f = *state;
    enum { LENGTH = 1 << 20 };
    SONDE_FREE char *zeros = calloc(1, LENGTH);
    for (unsigned i = 0; i < 3; i++) {
        create(f, i);
    }
    add_bytes(f, 0, "a", SONDE_DATA_PROFILE, zeros, LENGTH);
    assert_int_equal(ended_bytes(f), 0);
    end_at(f, 0, 100);
    int64_t once = ended_bytes(f);
    assert_in_range(once, 20, LENGTH / 100);
    add_bytes(f, 1, "a", SONDE_DATA_PROFILE, zeros, LENGTH);
    add(f, 2, "a", SONDE_DATA_PROFILE, "profile");
    end_at(f, 1, 100);
    assert_int_equal(ended_bytes(f), once);
    end_at(f, 2, 100);
    assert_true(ended_bytes(f) > once);
}

static void expect_heaviest(struct fixture *f, unsigned number)
{
    char uid[SONDE_UUID_SIZE];
    struct sonde_run_weight heaviest;
    make_uid(number, uid);
    assert_int_equal(sonde_db_heaviest(f->db, HELD_NS, &heaviest, &f->err), 0);
    assert_string_equal(heaviest.uid, uid);
    assert_int_equal(sonde_db_run_delete(f->db, uid, &f->err), 0);
}

static void whoever_has_most_gives_first(void **state)
{
    struct fixture *f = *state;
    struct sonde_run_weight none;
    assert_int_equal(sonde_db_heaviest(f->db, HELD_NS, &none, &f->err), SONDE_ENOTFOUND);
    for (unsigned i = 0; i < 7; i++) {
        create_in(f, i, i < 2 ? "billing" : "clinic");
        char content[2] = {(char)('a' + i)};
        if (i != 5) { /* nothing is won by it */
            add(f, i, "a", SONDE_DATA_PROFILE, content);
        }
        if (i != 6) { /* it goes on */
            end_at(f, i, i == 4 ? 1 : 100 + i);
        }
    }
    /* Of the clinic three, then as many as of billing, and those in turn. */
    static const unsigned order[] = {4, 0, 2, 1, 3};
    for (size_t i = 0; i < SONDE_LENGTH(order); i++) {
        expect_heaviest(f, order[i]);
    }
    assert_int_equal(sonde_db_heaviest(f->db, HELD_NS, &none, &f->err), SONDE_ENOTFOUND);
}

static void the_oldest_is_found_among_many(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < MANY; i++) {
        create(f, i);
        end_at(f, i, 1000 + i);
    }
    expect(f, (const int64_t[]){1002, 0, 0}, (const unsigned[]){0, 1}, 2);
}

/* A run of a schedule that compares with the last two, with an artifact of that class. */
static void night(struct fixture *f, unsigned number, const char *schedule,
                  enum sonde_run_state state, enum sonde_data_class class, const char *status)
{
    char content[2] = {(char)('a' + number)};
    struct sonde_run run = {.state = state,
                            .reason = "Completed",
                            .message = "",
                            .status = status,
                            .completed_ns = 100 + number};
    create_by(f, number, "clinic", schedule, HELD_NS + number);
    add(f, number, "a", class, content);
    make_uid(number, run.uid);
    assert_int_equal(sonde_db_run_update(f->db, &run, &f->err), 0);
}

static void what_others_are_compared_with_is_held(void **state)
{
    struct fixture *f = *state;
    static const char two[] = "{\"" SONDE_STATUS_NIGHTS "\":2}";
    night(f, 0, "nightly", SONDE_RUN_SUCCEEDED, SONDE_DATA_PROFILE, two);
    night(f, 1, "nightly", SONDE_RUN_SUCCEEDED, SONDE_DATA_PROFILE, two);
    night(f, 2, "nightly", SONDE_RUN_SUCCEEDED, SONDE_DATA_PROFILE, two);
    night(f, 3, "nightly", SONDE_RUN_FAILED, SONDE_DATA_PROFILE, two);
    night(f, 4, "hourly", SONDE_RUN_SUCCEEDED, SONDE_DATA_PROFILE, "{}"); /* has no baseline */
    night(f, 5, "weekly", SONDE_RUN_SUCCEEDED, SONDE_DATA_HEAP, two);
    night(f, 6, "", SONDE_RUN_SUCCEEDED, SONDE_DATA_PROFILE, two);
    night(f, 7, "", SONDE_RUN_SUCCEEDED, SONDE_DATA_PROFILE, "{\"" SONDE_STATUS_PINNED "\":1}");
    night(f, 8, "", SONDE_RUN_SUCCEEDED, SONDE_DATA_PROFILE, "{\"" SONDE_STATUS_PINNED "\":0}");
    expect(f, any_time, (const unsigned[]){0, 3, 4, 5, 6, 8}, 6);
    static const unsigned order[] = {0, 3, 4, 5, 6, 8, 1, 2, 7}; /* where room is needed */
    for (size_t i = 0; i < SONDE_LENGTH(order); i++) {
        expect_heaviest(f, order[i]);
    }
}

/* Of a schedule that was deleted. */
static void what_nobody_compares_with_any_more_goes(void **state)
{
    struct fixture *f = *state;
    struct sonde_run run = {.state = SONDE_RUN_SUCCEEDED,
                            .reason = "Completed",
                            .message = "",
                            .status = "{\"" SONDE_STATUS_NIGHTS "\":20}",
                            .completed_ns = 100};
    create_by(f, 0, "clinic", "nightly", HELD_NS - 1);
    make_uid(0, run.uid);
    assert_int_equal(sonde_db_run_update(f->db, &run, &f->err), 0);
    expect(f, any_time, (const unsigned[]){0}, 1);
    create_by(f, 1, "clinic", "nightly", HELD_NS); /* it was not */
    expect(f, any_time, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_class_has_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_are_those_of_the_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whoever_has_most_gives_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_oldest_is_found_among_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_others_are_compared_with_is_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_compares_with_any_more_goes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
