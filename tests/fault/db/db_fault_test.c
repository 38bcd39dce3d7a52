/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation (SQLite's too), every write and every call that changes the file system fails
 * in turn, once and for good. The store says so, keeps what it acknowledged, and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "db_helpers.h"
#include "fail.h"

enum { FAULTS_MAX = 20000, KEPT = 4, ADDED = 5, SYNCED_MAX = 100 };

/* ---- calls that fail.c does not count: those on files, and those of SQLite ---- */

static struct {
    uint64_t calls, nth;
    bool persistent, happened;
    int error;
} files;

static bool file_call_fails(void)
{
    uint64_t call = ++files.calls;
    bool now = files.nth && (call == files.nth || (files.persistent && call > files.nth));
    files.happened = files.happened || now;
    if (now) {
        errno = files.error;
    }
    return now;
}

/* The names that the linker's --wrap gives. */
int __real_fsync(int fd);
int __real_linkat(int from, const char *name, int to, const char *path, int flags);
int __real_renameat(int from, const char *name, int to, const char *path);
int __real_mkdirat(int directory, const char *path, mode_t mode);
int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_fsync(int fd);
int __wrap_linkat(int from, const char *name, int to, const char *path, int flags);
int __wrap_renameat(int from, const char *name, int to, const char *path);
int __wrap_mkdirat(int directory, const char *path, mode_t mode);
int __wrap_openat(int directory, const char *path, int flags, ...);

static struct {
    ino_t inodes[SYNCED_MAX];
    size_t count;
} synced;

int __wrap_fsync(int fd)
{
    struct stat status;
    if (file_call_fails() || __real_fsync(fd) < 0) {
        return -1;
    }
    if (fstat(fd, &status) == 0 && synced.count < SYNCED_MAX) {
        synced.inodes[synced.count++] = status.st_ino;
    }
    return 0;
}

int __wrap_linkat(int from, const char *name, int to, const char *path, int flags)
{
    return file_call_fails() ? -1 : __real_linkat(from, name, to, path, flags);
}

int __wrap_renameat(int from, const char *name, int to, const char *path)
{
    return file_call_fails() ? -1 : __real_renameat(from, name, to, path);
}

int __wrap_mkdirat(int directory, const char *path, mode_t mode)
{
    return file_call_fails() ? -1 : __real_mkdirat(directory, path, mode);
}

/* Only creating files can lack space. */
int __wrap_openat(int directory, const char *path, int flags, ...)
{
    return flags & O_CREAT && file_call_fails() ? -1 : __real_openat(directory, path, flags, 0600);
}

/* zstd allocates in here, but not through the names that the linker wraps. */
static bool zstd_lacks_memory;
size_t __real_ZSTD_decompressStream(ZSTD_DStream *stream, ZSTD_outBuffer *out, ZSTD_inBuffer *in);
size_t __wrap_ZSTD_decompressStream(ZSTD_DStream *stream, ZSTD_outBuffer *out, ZSTD_inBuffer *in);

size_t __wrap_ZSTD_decompressStream(ZSTD_DStream *stream, ZSTD_outBuffer *out, ZSTD_inBuffer *in)
{
    return zstd_lacks_memory ? (size_t)-ZSTD_error_memory_allocation
                             : __real_ZSTD_decompressStream(stream, out, in);
}

static ssize_t failing_pwrite(int fd, const void *data, size_t length, off_t at)
{
    return file_call_fails() ? -1 : pwrite(fd, data, length, at);
}

static void *give(int size)
{
    return malloc((size_t)size);
}

static void *resize(void *block, int size)
{
    return realloc(block, (size_t)size);
}

static int size_of(void *block)
{
    return (int)malloc_usable_size(block);
}

static int round_up(int size)
{
    return (size + 7) & ~7;
}

static int begin(void *context)
{
    (void)context;
    return SQLITE_OK;
}

static void end(void *context)
{
    (void)context;
}

static int take_over_sqlite(void **state)
{
    (void)state;
    static const sqlite3_mem_methods methods = {give,     free,  resize, size_of,
                                                round_up, begin, end,    NULL};
    REQUIRE(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK);
    REQUIRE(sqlite3_initialize() == SQLITE_OK);
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    /* Which of the two SQLite calls depends on how it was built. */
    int set = vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)failing_pwrite);
    int set64 = vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)failing_pwrite);
    REQUIRE(set == SQLITE_OK || set64 == SQLITE_OK);
    return 0;
}

/* ---- the kinds of faults ---- */

static void arm_allocation(uint64_t nth, bool persistent, int error)
{
    fail_arm(FAIL_ALLOCATION, nth, persistent, error);
}

static bool allocation_happened(void)
{
    return fail_happened(FAIL_ALLOCATION);
}

static void arm_write(uint64_t nth, bool persistent, int error)
{
    fail_arm(FAIL_WRITE, nth, persistent, error);
}

static bool write_happened(void)
{
    return fail_happened(FAIL_WRITE);
}

static void arm_read(uint64_t nth, bool persistent, int error)
{
    fail_arm(FAIL_READ, nth, persistent, error);
}

static bool read_happened(void)
{
    return fail_happened(FAIL_READ);
}

static void arm_file(uint64_t nth, bool persistent, int error)
{
    files.calls = 0;
    files.nth = nth;
    files.persistent = persistent;
    files.error = error;
    files.happened = false;
}

static bool file_happened(void)
{
    return files.happened;
}

struct fault {
    void (*arm)(uint64_t nth, bool persistent, int error);
    bool (*happened)(void);
    int error;
    int code; /* that the store must give */
};

/* ---- what is done meanwhile ---- */

struct acknowledged {
    bool created, added, shared, ended, deleted;
};

struct scenario {
    char directory[PATH_SIZE];
    char *contents[2]; /* kept, added */
    char uids[3][SONDE_UUID_SIZE];
    struct acknowledged done;
};

enum { RUN_KEPT, RUN_DELETED, RUN_ADDED };

static int add(struct scenario *s, struct sonde_db *db, int run, const char *name, int content,
               struct sonde_err *err)
{
    const char *text = s->contents[content];
    return add_artifact(db, s->uids[run], name, text, strlen(text), err);
}

static void prepare(struct scenario *s)
{
    struct sonde_err err = {0};
    make_directory(s->directory);
    struct sonde_db *db = open_store(s->directory);
    for (int i = RUN_KEPT; i <= RUN_DELETED; i++) {
        REQUIRE_DONE(add_run(db, s->uids[i], "run", i, &err), &err);
        REQUIRE_DONE(add(s, db, i, "kept", 0, &err), &err);
    }
    REQUIRE_DONE(add_artifact(db, s->uids[RUN_DELETED], "own", "own", 3, &err), &err);
    sonde_db_close(db);
    s->done = (struct acknowledged){0};
}

static int use(struct scenario *s, struct sonde_err *err)
{
    struct sonde_db *db = NULL;
    SONDE_BUF_AUTO read = SONDE_BUF(1 << 20);
    int r = sonde_db_open(s->directory, &db, err);
    r = r < 0 ? r : add_run(db, s->uids[RUN_ADDED], "added", 9, err);
    s->done.created = r == 0;
    r = r < 0 ? r : add(s, db, RUN_ADDED, "new", 1, err);
    s->done.added = r == 0;
    r = r < 0 ? r : add(s, db, RUN_ADDED, "shared", 0, err);
    s->done.shared = r == 0;
    r = r < 0 ? r : read_artifact(db, s->uids[RUN_KEPT], "kept", &read, err);
    if (r == 0) {
        assert_string_equal(read.data, s->contents[0]);
    }
    char uid[SONDE_UUID_SIZE];
    r = r < 0 ? r : sonde_db_run_resolve(db, "added", NULL, uid, err);
    if (r == 0) {
        assert_string_equal(uid, s->uids[RUN_ADDED]);
    }
    r = r < 0 ? r : end_run(db, s->uids[RUN_ADDED], SONDE_RUN_SUCCEEDED, err);
    s->done.ended = r == 0;
    r = r < 0 ? r : sonde_db_run_delete(db, s->uids[RUN_DELETED], err);
    s->done.deleted = r == 0;
    sonde_db_close(db);
    return r;
}

static int see_state(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    *(enum sonde_run_state *)context = run->state;
    return 0;
}

static void check_artifact(struct scenario *s, struct sonde_db *db, int run, const char *name,
                           int content, bool must)
{
    struct sonde_err err = {0};
    SONDE_BUF_AUTO read = SONDE_BUF(1 << 20);
    int r = read_artifact(db, s->uids[run], name, &read, &err);
    assert_true(r == 0 || (r == SONDE_ENOTFOUND && !must));
    if (r == 0) {
        assert_string_equal(read.data, s->contents[content]);
    }
}

/* With nothing failing any more. */
static void check(struct scenario *s)
{
    struct sonde_err err = {0};
    enum sonde_run_state state = SONDE_RUN_PENDING;
    struct sonde_db *db = open_store(s->directory);
    (void)check_store(db, s->directory);
    check_artifact(s, db, RUN_KEPT, "kept", 0, true);
    check_artifact(s, db, RUN_ADDED, "new", 1, s->done.added);
    check_artifact(s, db, RUN_ADDED, "shared", 0, s->done.shared);
    int r = sonde_db_run_get(db, s->uids[RUN_ADDED], see_state, &state, &err);
    assert_true(r == 0 || !s->done.created);
    assert_true(state == SONDE_RUN_SUCCEEDED || !s->done.ended);
    r = sonde_db_run_get(db, s->uids[RUN_DELETED], see_state, &state, &err);
    assert_true(r == SONDE_ENOTFOUND || !s->done.deleted);
    sonde_db_close(db);
    remove_directory(s->directory);
}

/* False when the scenario has no call number nth. */
static bool use_with_fault(struct scenario *s, const struct fault *fault, uint64_t nth,
                           bool persistent)
{
    struct sonde_err err = {0};
    prepare(s);
    int64_t blocks = fail_blocks();
    fault->arm(nth, persistent, fault->error);
    int r = use(s, &err);
    bool happened = fault->happened();
    fault->arm(0, false, 0);
    if ((r != 0 && r != fault->code) || (!happened && r != 0) || fail_blocks() != blocks) {
        fail_msg("call %" PRIu64 " failing %s: code %d, %" PRId64 " blocks kept: %s", nth,
                 persistent ? "for good" : "once", r, fail_blocks() - blocks, err.message);
    }
    check(s);
    return happened;
}

static void each_call_fails(const struct fault *fault, uint64_t least)
{
    struct scenario s = {0};
    for (unsigned i = 0; i < SONDE_LENGTH(s.uids); i++) {
        make_uid(i, s.uids[i]);
    }
    size_t length = 0;
    s.contents[0] = make_content(KEPT, &length);
    s.contents[1] = make_content(ADDED, &length);
    assert_false(use_with_fault(&s, fault, 0, false)); /* what is made once is made here */
    uint64_t nth = 1;
    while (use_with_fault(&s, fault, nth, false)) {
        (void)use_with_fault(&s, fault, nth, true);
        assert_true(++nth < FAULTS_MAX);
    }
    print_message("%" PRIu64 " calls\n", nth - 1);
    assert_true(nth > least);
    free(s.contents[0]);
    free(s.contents[1]);
}

static void each_allocation_fails(void **state)
{
    (void)state;
    each_call_fails(&(struct fault){arm_allocation, allocation_happened, ENOMEM, SONDE_ENOMEM},
                    100);
}

static void each_write_finds_the_disk_full(void **state)
{
    (void)state;
    each_call_fails(&(struct fault){arm_write, write_happened, ENOSPC, SONDE_ENOSPACE}, 2);
}

static void each_write_meets_a_broken_disk(void **state)
{
    (void)state;
    each_call_fails(&(struct fault){arm_write, write_happened, EIO, SONDE_EIO}, 2);
}

static void each_read_meets_a_broken_disk(void **state)
{
    (void)state;
    each_call_fails(&(struct fault){arm_read, read_happened, EIO, SONDE_EIO}, 2);
}

static void each_change_of_files_finds_the_disk_full(void **state)
{
    (void)state;
    each_call_fails(&(struct fault){arm_file, file_happened, ENOSPC, SONDE_ENOSPACE}, 20);
}

static void each_change_of_files_meets_a_broken_disk(void **state)
{
    (void)state;
    each_call_fails(&(struct fault){arm_file, file_happened, EIO, SONDE_EIO}, 20);
}

static bool was_synced(const char *directory, const char *name)
{
    char path[2 * PATH_SIZE];
    struct stat status;
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_int_equal(stat(path, &status), 0);
    for (size_t i = 0; i < synced.count; i++) {
        if (synced.inodes[i] == status.st_ino) {
            return true;
        }
    }
    return false;
}

/* Whoever made the directories, or placed the blob, may have died before it synced them. */
static void what_another_process_has_made_is_synced(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    char store[2 * PATH_SIZE];
    char directory[PATH_SIZE];
    char uid[SONDE_UUID_SIZE];
    make_uid(1, uid);
    make_directory(directory);
    (void)snprintf(store, sizeof(store), "%s/store", directory);
    assert_int_equal(mkdir(store, 0700), 0);
    synced.count = 0;
    struct sonde_db *db = open_store(store);
    assert_true(was_synced(store, "."));
    assert_true(was_synced(store, ".."));
    assert_int_equal(add_run(db, uid, "run", 1, &err), 0);
    /* The SHA-256 of "content" begins with ed. */
    for (int i = 0; i < 2; i++) {
        synced.count = 0;
        assert_int_equal(add_artifact(db, uid, i ? "again" : "once", "content", 7, &err), 0);
        assert_true(was_synced(store, "incoming"));
        assert_true(was_synced(store, "blobs"));
        assert_true(was_synced(store, "blobs/ed"));
    }
    sonde_db_close(db);
    remove_directory(directory);
}

/* Nobody is told to delete a run because memory was short. */
static void lack_of_memory_is_not_damage(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    char directory[PATH_SIZE];
    char uid[SONDE_UUID_SIZE];
    SONDE_BUF_AUTO content = SONDE_BUF(100);
    make_uid(1, uid);
    make_directory(directory);
    struct sonde_db *db = open_store(directory);
    assert_int_equal(add_run(db, uid, "run", 1, &err), 0);
    assert_int_equal(add_artifact(db, uid, "cpu.0", "content", 7, &err), 0);
    zstd_lacks_memory = true;
    assert_int_equal(read_artifact(db, uid, "cpu.0", &content, &err), SONDE_ENOMEM);
    zstd_lacks_memory = false;
    assert_non_null(strstr(err.message, "memory"));
    assert_int_equal(read_artifact(db, uid, "cpu.0", &content, &err), 0);
    assert_string_equal(content.data, "content");
    sonde_db_close(db);
    remove_directory(directory);
}

static void short_and_interrupted_transfers_change_nothing(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    struct scenario s = {0};
    size_t length = 0;
    for (unsigned i = 0; i < SONDE_LENGTH(s.uids); i++) {
        make_uid(i, s.uids[i]);
    }
    s.contents[0] = make_content(KEPT, &length);
    s.contents[1] = make_content(ADDED, &length);
    fail_short_transfers(true);
    prepare(&s);
    assert_int_equal(use(&s, &err), 0);
    check(&s);
    fail_short_transfers(false);
    free(s.contents[0]);
    free(s.contents[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails),
        cmocka_unit_test(each_write_finds_the_disk_full),
        cmocka_unit_test(each_write_meets_a_broken_disk),
        cmocka_unit_test(each_read_meets_a_broken_disk),
        cmocka_unit_test(each_change_of_files_finds_the_disk_full),
        cmocka_unit_test(each_change_of_files_meets_a_broken_disk),
        cmocka_unit_test(what_another_process_has_made_is_synced),
        cmocka_unit_test(lack_of_memory_is_not_damage),
        cmocka_unit_test(short_and_interrupted_transfers_change_nothing),
    };
    return cmocka_run_group_tests_name("db_fault", tests, take_over_sqlite, NULL);
}
