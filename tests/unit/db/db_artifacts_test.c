/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "db_helpers.h"

struct fixture {
    char directory[PATH_SIZE];
    struct sonde_db *db;
    struct sonde_err err;
    struct sonde_buf read;
    char run[SONDE_UUID_SIZE];
    char other[SONDE_UUID_SIZE];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    REQUIRE(f != NULL);
    make_directory(f->directory);
    f->db = open_store(f->directory);
    f->read = SONDE_BUF(16 << 20);
    make_uid(1, f->run);
    make_uid(2, f->other);
    REQUIRE_DONE(add_run(f->db, f->run, "run", 1, &f->err), &f->err);
    REQUIRE_DONE(add_run(f->db, f->other, "other", 2, &f->err), &f->err);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sonde_db_close(f->db);
    sonde_buf_fini(&f->read);
    remove_directory(f->directory);
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    sonde_db_close(f->db);
    f->db = open_store(f->directory);
}

static void add(struct fixture *f, const char *uid, const char *name, const char *text)
{
    if (add_artifact(f->db, uid, name, text, strlen(text), &f->err) != 0) {
        fail_msg("%s: %s", name, f->err.message);
    }
}

static void assert_content(struct fixture *f, const char *uid, const char *name, const char *text)
{
    if (read_artifact(f->db, uid, name, &f->read, &f->err) != 0) {
        fail_msg("%s: %s", name, f->err.message);
    }
    assert_int_equal(f->read.length, strlen(text));
    assert_string_equal(f->read.data, text);
}

static void what_is_written_is_read(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 0; i < 40; i++) {
        size_t length = 0;
        char name[32];
        char *content = make_content(i, &length);
        (void)snprintf(name, sizeof(name), "cpu.%d", (int)i);
        assert_int_equal(add_artifact(f->db, f->run, name, content, length, &f->err), 0);
        free(content);
    }
    add(f, f->run, "empty", "");
    reopen(f);
    for (uint64_t i = 0; i < 40; i++) {
        size_t length = 0;
        char name[32];
        char *content = make_content(i, &length);
        (void)snprintf(name, sizeof(name), "cpu.%d", (int)i);
        assert_content(f, f->run, name, content);
        free(content);
    }
    assert_content(f, f->run, "empty", "");
    assert_int_equal(check_store(f->db, f->directory), 41);
}

struct listing {
    int count;
    struct sonde_artifact last;
    char names[8][32];
};

static int list(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    (void)err;
    struct listing *listing = context;
    assert_true((size_t)listing->count < SONDE_LENGTH(listing->names));
    (void)snprintf(listing->names[listing->count++], sizeof(listing->names[0]), "%s",
                   artifact->name);
    assert_string_equal(artifact->capture, "cpu");
    assert_string_equal(artifact->type, "CPUProfile");
    assert_string_equal(artifact->media_type, "application/json");
    assert_int_equal(artifact->data_class, SONDE_DATA_TRACE);
    listing->last = *artifact;
    return 0;
}

static void artifacts_come_in_the_order_of_their_commits(void **state)
{
    struct fixture *f = *state;
    struct listing listing = {0};
    add(f, f->run, "z", "first");
    add(f, f->other, "q", "not of this run");
    add(f, f->run, "a", "second");
    add(f, f->run, "m", "abc");
    assert_int_equal(sonde_db_artifacts(f->db, f->run, list, &listing, &f->err), 0);
    assert_int_equal(listing.count, 3);
    assert_string_equal(listing.names[0], "z");
    assert_string_equal(listing.names[1], "a");
    assert_string_equal(listing.names[2], "m");
    assert_int_equal(listing.last.bytes, 3);
    /* SHA-256 of "abc": FIPS 180-4, example B.1. */
    assert_string_equal(listing.last.sha256,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(sonde_db_artifacts(f->db, "nobody", list, &listing, &f->err), 0);
    assert_int_equal(listing.count, 3);
}

static void equal_content_is_kept_once(void **state)
{
    struct fixture *f = *state;
    add(f, f->run, "one", "same");
    add(f, f->run, "two", "same");
    add(f, f->other, "one", "same");
    add(f, f->other, "three", "different");
    assert_int_equal(count_files(f->directory, "blobs"), 2);
    assert_int_equal(check_store(f->db, f->directory), 4);

    assert_int_equal(sonde_db_run_delete(f->db, f->run, &f->err), 0);
    assert_content(f, f->other, "one", "same");
    assert_int_equal(count_files(f->directory, "blobs"), 2);
    assert_int_equal(sonde_db_run_delete(f->db, f->other, &f->err), 0);
    assert_int_equal(count_files(f->directory, "blobs"), 0);
    assert_int_equal(check_store(f->db, f->directory), 0);
}

static void nothing_exists_before_the_commit(void **state)
{
    struct fixture *f = *state;
    const struct sonde_artifact artifact = {.run_uid = f->run,
                                            .name = "half",
                                            .capture = "cpu",
                                            .type = "CPUProfile",
                                            .media_type = "application/json"};
    struct sonde_artifact_writer *writer = NULL;
    assert_int_equal(sonde_artifact_begin(f->db, &artifact, &writer, &f->err), 0);
    assert_int_equal(sonde_artifact_write(writer, "half of it", 10, &f->err), 0);
    assert_int_equal(read_artifact(f->db, f->run, "half", &f->read, &f->err), SONDE_ENOTFOUND);
    assert_int_equal(count_files(f->directory, "blobs"), 0);
    sonde_artifact_abort(writer);
    assert_int_equal(check_store(f->db, f->directory), 0);
    sonde_artifact_abort(NULL);
}

static void a_name_in_a_run_is_used_once(void **state)
{
    struct fixture *f = *state;
    add(f, f->run, "cpu.0", "the first");
    assert_int_equal(add_artifact(f->db, f->run, "cpu.0", "another", 7, &f->err), SONDE_EEXISTS);
    assert_content(f, f->run, "cpu.0", "the first");
    add(f, f->other, "cpu.0", "another run's");
    assert_int_equal(check_store(f->db, f->directory), 2);
}

static void a_run_that_is_gone_takes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct sonde_artifact artifact = {
        .run_uid = f->run, .name = "late", .capture = "", .type = "", .media_type = ""};
    struct sonde_artifact_writer *writer = NULL;
    assert_int_equal(sonde_artifact_begin(f->db, &artifact, &writer, &f->err), 0);
    assert_int_equal(sonde_artifact_write(writer, "late", 4, &f->err), 0);
    assert_int_equal(sonde_db_run_delete(f->db, f->run, &f->err), 0);
    assert_int_equal(sonde_artifact_commit(writer, &f->err), SONDE_ENOTFOUND);
    assert_int_equal(check_store(f->db, f->directory), 0);
}

static void names_are_bounded(void **state)
{
    struct fixture *f = *state;
    char name[SONDE_DB_ARTIFACT_NAME_MAX + 2];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(add_artifact(f->db, f->run, name, "x", 1, &f->err), SONDE_EINVALID);
    name[sizeof(name) - 2] = '\0';
    assert_int_equal(add_artifact(f->db, f->run, name, "x", 1, &f->err), 0);
    assert_content(f, f->run, name, "x");
}

/* The path of the only blob. */
static void blob_path(struct fixture *f, char ret[2 * PATH_SIZE])
{
    struct listing listing = {0};
    assert_int_equal(sonde_db_artifacts(f->db, f->run, list, &listing, &f->err), 0);
    assert_int_equal(listing.count, 1);
    (void)snprintf(ret, (size_t)2 * PATH_SIZE, "%s/blobs/%.2s/%s.zst", f->directory,
                   listing.last.sha256, listing.last.sha256);
}

static void overwrite(const char *path, struct sonde_str data)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(sonde_write_all(fd, data.data, data.length, path, NULL), 0);
    assert_int_equal(close(fd), 0);
}

static void a_damaged_blob_is_never_taken_for_whole(void **state)
{
    struct fixture *f = *state;
    char path[2 * PATH_SIZE];
    size_t length = 0;
    char *content = make_content(7, &length);
    add(f, f->run, "cpu.0", content);
    free(content);
    blob_path(f, path);
    SONDE_BUF_AUTO whole = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO damaged = SONDE_BUF(1 << 20);
    assert_int_equal(sonde_read_file(AT_FDCWD, path, &whole, NULL), 0);
    uint64_t seed = 11;
    for (int round = 0; round < 200; round++) {
        size_t at = (size_t)(sonde_random_next(&seed) % whole.length);
        sonde_buf_clear(&damaged);
        if (round % 4 == 0) {
            sonde_buf_append(&damaged, whole.data, at); /* cut */
        } else {
            sonde_buf_append(&damaged, whole.data, whole.length);
            damaged.data[at] = (char)(damaged.data[at] ^ (1 << round % 8));
        }
        overwrite(path, sonde_buf_view(&damaged));
        int r = read_artifact(f->db, f->run, "cpu.0", &f->read, &f->err);
        if (r == 0) {
            /* A bit of a frame's header may mean nothing; the content was checked then. */
            content = make_content(7, &length);
            assert_string_equal(f->read.data, content);
            free(content);
        }
        if (r != 0) {
            assert_int_equal(r, SONDE_EPARSE);
            assert_string_equal(f->err.reason, SONDE_DB_UNREADABLE);
            assert_non_null(strstr(f->err.message, "cpu.0 is damaged"));
        }
    }
    overwrite(path, sonde_buf_view(&whole));
    assert_int_equal(read_artifact(f->db, f->run, "cpu.0", &f->read, &f->err), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(read_artifact(f->db, f->run, "cpu.0", &f->read, &f->err), SONDE_EPARSE);
    assert_string_equal(f->err.reason, SONDE_DB_UNREADABLE);
    assert_non_null(strstr(f->err.message, "cpu.0 is not in the store"));
    assert_int_equal(sonde_db_run_delete(f->db, f->run, &f->err), 0); /* and can be cleared away */
}

static int open_blob(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct fixture *f = context;
    SONDE_CLOSE int fd = -1;
    return sonde_artifact_open(f->db, artifact, &fd, err);
}

/* As another version may have left it. */
static void set_stored(struct fixture *f, const char *value)
{
    char sql[64];
    (void)snprintf(sql, sizeof(sql), "UPDATE artifacts SET stored = %s", value);
    run_sql_in(f->directory, sql);
}

static void a_blob_that_was_cut_is_not_opened(void **state)
{
    struct fixture *f = *state;
    char path[2 * PATH_SIZE];
    struct stat whole;
    add(f, f->run, "cpu.0", "content");
    blob_path(f, path);
    assert_int_equal(sonde_db_artifacts(f->db, f->run, open_blob, f, &f->err), 0);
    assert_int_equal(stat(path, &whole), 0);
    assert_int_equal(truncate(path, whole.st_size - 1), 0);
    assert_int_equal(sonde_db_artifacts(f->db, f->run, open_blob, f, &f->err), SONDE_EPARSE);
    assert_non_null(strstr(f->err.message, "cpu.0 is damaged"));
    set_stored(f, "bytes"); /* nobody knows */
    assert_int_equal(sonde_db_artifacts(f->db, f->run, open_blob, f, &f->err), 0);
}

static void what_is_stored_again_may_be_shorter(void **state)
{
    struct fixture *f = *state;
    add(f, f->run, "cpu.0", "content");
    set_stored(f, "stored + 10"); /* compressed otherwise */
    assert_int_equal(sonde_db_artifacts(f->db, f->run, open_blob, f, &f->err), SONDE_EPARSE);
    add(f, f->other, "cpu.0", "content");
    assert_int_equal(sonde_db_artifacts(f->db, f->run, open_blob, f, &f->err), 0);
}

/* It has put the shorter one in place before it learns that its run is gone. */
static void a_refused_artifact_leaves_what_others_have_of_it(void **state)
{
    struct fixture *f = *state;
    const struct sonde_artifact artifact = {
        .run_uid = f->other, .name = "late", .capture = "", .type = "", .media_type = ""};
    struct sonde_artifact_writer *writer = NULL;
    add(f, f->run, "cpu.0", "content");
    set_stored(f, "stored + 10"); /* compressed otherwise */
    assert_int_equal(sonde_artifact_begin(f->db, &artifact, &writer, &f->err), 0);
    assert_int_equal(sonde_artifact_write(writer, "content", 7, &f->err), 0);
    assert_int_equal(sonde_db_run_delete(f->db, f->other, &f->err), 0);
    assert_int_equal(sonde_artifact_commit(writer, &f->err), SONDE_ENOTFOUND);
    assert_int_equal(sonde_db_artifacts(f->db, f->run, open_blob, f, &f->err), 0);
    assert_content(f, f->run, "cpu.0", "content");
    assert_int_equal(count_files(f->directory, "incoming"), 0);
}

static int stop_reading(void *context, const void *data, size_t length, struct sonde_err *err)
{
    (void)context;
    (void)data;
    (void)length;
    return sonde_fail(err, SONDE_ECANCELLED, 0, "enough");
}

static int read_and_stop(void *context, const struct sonde_artifact *artifact,
                         struct sonde_err *err)
{
    struct fixture *f = context;
    return sonde_artifact_read(f->db, artifact, stop_reading, NULL, err);
}

static void a_reader_may_stop(void **state)
{
    struct fixture *f = *state;
    add(f, f->run, "cpu.0", "some text");
    assert_int_equal(sonde_db_artifacts(f->db, f->run, read_and_stop, f, &f->err),
                     SONDE_ECANCELLED);
    assert_content(f, f->run, "cpu.0", "some text");
}

/* ---- what writers leave behind ---- */

static void leave_half(void *context)
{
    struct fixture *f = context;
    struct sonde_db *db = open_store(f->directory);
    const struct sonde_artifact artifact = {
        .run_uid = f->run, .name = "half", .capture = "", .type = "", .media_type = ""};
    struct sonde_artifact_writer *writer = NULL;
    REQUIRE_DONE(sonde_artifact_begin(db, &artifact, &writer, &f->err), &f->err);
    REQUIRE_DONE(sonde_artifact_write(writer, "half", 4, &f->err), &f->err);
    REQUIRE(count_files(f->directory, "incoming") == 1);
    /* ended without a word: the kernel drops the lock */
}

static void the_next_open_removes_what_a_dead_writer_left(void **state)
{
    struct fixture *f = *state;
    add(f, f->run, "kept", "kept");
    assert_int_equal(in_child(leave_half, f), 0);
    assert_int_equal(count_files(f->directory, "incoming"), 1);
    reopen(f);
    assert_int_equal(check_store(f->db, f->directory), 1);
}

/* It had put a blob in place that is shorter than the one before, and died. */
static void the_next_open_tells_the_length_that_a_dead_writer_did_not(void **state)
{
    struct fixture *f = *state;
    char path[2 * PATH_SIZE];
    char left[3 * PATH_SIZE];
    add(f, f->run, "cpu.0", "content");
    blob_path(f, path);
    set_stored(f, "stored + 10");
    assert_int_equal(sonde_db_artifacts(f->db, f->run, open_blob, f, &f->err), SONDE_EPARSE);
    (void)snprintf(left, sizeof(left), "%s/incoming/%.64s.00000000-0000-4000-8000-000000000000",
                   f->directory, strrchr(path, '/') + 1);
    assert_int_equal(link(path, left), 0);
    reopen(f);
    assert_int_equal(sonde_db_artifacts(f->db, f->run, open_blob, f, &f->err), 0);
    assert_int_equal(count_files(f->directory, "incoming"), 0);
}

static void a_living_writer_keeps_its_file(void **state)
{
    struct fixture *f = *state;
    const struct sonde_artifact artifact = {
        .run_uid = f->run, .name = "cpu.0", .capture = "", .type = "", .media_type = ""};
    struct sonde_artifact_writer *writer = NULL;
    assert_int_equal(sonde_artifact_begin(f->db, &artifact, &writer, &f->err), 0);
    assert_int_equal(sonde_artifact_write(writer, "alive", 5, &f->err), 0);
    struct sonde_db *second = open_store(f->directory);
    assert_int_equal(count_files(f->directory, "incoming"), 1);
    assert_int_equal(sonde_artifact_commit(writer, &f->err), 0);
    assert_int_equal(read_artifact(second, f->run, "cpu.0", &f->read, &f->err), 0);
    assert_string_equal(f->read.data, "alive");
    sonde_db_close(second);
    assert_int_equal(check_store(f->db, f->directory), 1);
}

/* A run of many artifacts with few contents, each let go once. */
static void a_large_run_is_deleted_whole(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 300; i++) {
        char name[16];
        char text[16];
        (void)snprintf(name, sizeof(name), "cpu.%d", i);
        (void)snprintf(text, sizeof(text), "content %d", i % 20);
        add(f, f->run, name, text);
    }
    add(f, f->other, "kept", "content 3");
    assert_int_equal(check_store(f->db, f->directory), 301);
    assert_int_equal(sonde_db_run_delete(f->db, f->run, &f->err), 0);
    assert_int_equal(check_store(f->db, f->directory), 1);
    assert_content(f, f->other, "kept", "content 3");
}

/* The same content, stored again, is whole again for all that have it. */
static void storing_again_mends_a_damaged_blob(void **state)
{
    struct fixture *f = *state;
    char path[2 * PATH_SIZE];
    add(f, f->run, "cpu.0", "content");
    blob_path(f, path);
    overwrite(path, SONDE_STR("damage"));
    assert_int_equal(read_artifact(f->db, f->run, "cpu.0", &f->read, &f->err), SONDE_EPARSE);
    add(f, f->run, "cpu.1", "content");
    assert_content(f, f->run, "cpu.0", "content");
    assert_int_equal(check_store(f->db, f->directory), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(artifacts_come_in_the_order_of_their_commits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(equal_content_is_kept_once, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_exists_before_the_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_in_a_run_is_used_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_that_is_gone_takes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(storing_again_mends_a_damaged_blob, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_blob_is_never_taken_for_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blob_that_was_cut_is_not_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_stored_again_may_be_shorter, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_artifact_leaves_what_others_have_of_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_reader_may_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_open_removes_what_a_dead_writer_left, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_next_open_tells_the_length_that_a_dead_writer_did_not,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_living_writer_keeps_its_file, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_run_is_deleted_whole, setup, teardown),
    };
    return cmocka_run_group_tests_name("db_artifacts", tests, NULL, NULL);
}
