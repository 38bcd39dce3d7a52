/* SPDX-License-Identifier: Apache-2.0 */
#include "db_helpers.h"

#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"

enum { PIECE = 5000, CONTENT_MAX = 200000, ARTIFACTS_MAX = 20000 };

void require(bool holds, const char *condition, const char *file, int line, const char *message)
{
    if (!holds) {
        (void)fprintf(stderr, "%s:%d: does not hold: %s%s%s\n", file, line, condition,
                      message ? ": " : "", message ? message : "");
        _exit(1);
    }
}

void make_directory(char ret[PATH_SIZE])
{
    /* In memory, where fsync costs nothing: a killed process leaves the same there as on a disk. */
    static const char memory[] = "/dev/shm";
    const char *parent = access(memory, R_OK | W_OK | X_OK) == 0 ? memory : "/tmp";
    (void)snprintf(ret, PATH_SIZE, "%s/sonde-db-XXXXXX", parent);
    REQUIRE(mkdtemp(ret) != NULL);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void remove_directory(const char *path)
{
    REQUIRE(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static size_t files_seen;

static int count_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    /* What says that the owner of runs lives is no leftover. */
    bool owner = strncmp(path + place->base, "owner.", 6) == 0;
    files_seen += kind == FTW_F && !owner;
    return 0;
}

size_t count_files(const char *directory, const char *name)
{
    char path[PATH_SIZE + 32];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    files_seen = 0;
    REQUIRE(nftw(path, count_one, 16, FTW_PHYS) == 0);
    return files_seen;
}

void run_sql_in(const char *directory, const char *sql)
{
    char path[PATH_SIZE + 16];
    sqlite3 *sqlite = NULL;
    (void)snprintf(path, sizeof(path), "%s/runs.db", directory);
    REQUIRE(sqlite3_open(path, &sqlite) == SQLITE_OK);
    REQUIRE(sqlite3_exec(sqlite, sql, NULL, NULL, NULL) == SQLITE_OK);
    REQUIRE(sqlite3_close(sqlite) == SQLITE_OK);
}

struct sonde_db *open_store(const char *directory)
{
    struct sonde_err err = {0};
    struct sonde_db *db = NULL;
    REQUIRE_DONE(sonde_db_open(directory, &db, &err), &err);
    return db;
}

char *make_content(uint64_t number, size_t *ret_length)
{
    uint64_t state = number;
    size_t length = (size_t)(sonde_random_next(&state) % CONTENT_MAX);
    length = number % 3 == 0 ? length % 100 : length;
    char *data = malloc(length + 1);
    REQUIRE(data != NULL);
    uint64_t word = 0;
    for (size_t i = 0; i < length; i++) {
        if (number % 2 || i % 512 == 0) {
            word = sonde_random_next(&state);
        }
        data[i] = (char)('!' + (word >> i % 8) % 90);
    }
    data[length] = '\0';
    *ret_length = length;
    return data;
}

void make_uid(unsigned number, char ret[SONDE_UUID_SIZE])
{
    (void)snprintf(ret, SONDE_UUID_SIZE, "%04x%04x-0000-4000-8000-%012x", number % 4 + 0xa0b0,
                   number, number);
}

int add_run(struct sonde_db *db, const char *uid, const char *name, int64_t created_ns,
            struct sonde_err *err)
{
    struct sonde_run run = {.name = name,
                            .namespace = "clinic",
                            .kind = "ProfileRun",
                            .spec = "{\"a\":1}",
                            .state = SONDE_RUN_RUNNING,
                            .created_ns = created_ns};
    (void)snprintf(run.uid, sizeof(run.uid), "%s", uid);
    return sonde_db_run_create(db, &run, err);
}

int end_run(struct sonde_db *db, const char *uid, enum sonde_run_state state, struct sonde_err *err)
{
    struct sonde_run run = {.state = state,
                            .reason = "Because",
                            .message = "it ended",
                            .status = "{\"b\":2}",
                            .completed_ns = 77};
    (void)snprintf(run.uid, sizeof(run.uid), "%s", uid);
    return sonde_db_run_update(db, &run, err);
}

int add_artifact(struct sonde_db *db, const char *uid, const char *name, const void *data,
                 size_t length, struct sonde_err *err)
{
    struct sonde_artifact artifact = {.run_uid = uid,
                                      .name = name,
                                      .capture = "cpu",
                                      .type = "CPUProfile",
                                      .media_type = "application/json",
                                      .data_class = SONDE_DATA_TRACE};
    struct sonde_artifact_writer *writer = NULL;
    int r = sonde_artifact_begin(db, &artifact, &writer, err);
    if (r < 0) {
        return r;
    }
    for (size_t at = 0; at < length && r == 0; at += PIECE) {
        size_t piece = length - at < PIECE ? length - at : PIECE;
        r = sonde_artifact_write(writer, (const char *)data + at, piece, err);
    }
    if (r < 0) {
        sonde_artifact_abort(writer);
        return r;
    }
    return sonde_artifact_commit(writer, err);
}

struct search {
    struct sonde_db *db;
    const char *name;
    struct sonde_buf *buf;
    bool found;
};

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "the content", err);
}

static int read_if_named(void *context, const struct sonde_artifact *artifact,
                         struct sonde_err *err)
{
    struct search *search = context;
    if (strcmp(artifact->name, search->name) != 0) {
        return 0;
    }
    search->found = true;
    return sonde_artifact_read(search->db, artifact, append, search->buf, err);
}

int read_artifact(struct sonde_db *db, const char *uid, const char *name, struct sonde_buf *buf,
                  struct sonde_err *err)
{
    struct search search = {db, name, buf, false};
    sonde_buf_clear(buf);
    sonde_buf_text(buf, "");
    int r = sonde_db_artifacts(db, uid, read_if_named, &search, err);
    return r == 0 && !search.found ? SONDE_ENOTFOUND : r;
}

struct inventory {
    struct sonde_db *db;
    size_t count;
    size_t distinct;
    char (*seen)[SONDE_SHA256_TEXT];
};

static int ignore_bytes(void *context, const void *data, size_t length, struct sonde_err *err)
{
    (void)context;
    (void)data;
    (void)length;
    (void)err;
    return 0;
}

static int check_artifact(void *context, const struct sonde_artifact *artifact,
                          struct sonde_err *err)
{
    struct inventory *inventory = context;
    REQUIRE_DONE(sonde_artifact_read(inventory->db, artifact, ignore_bytes, NULL, err), err);
    REQUIRE(inventory->count++ < ARTIFACTS_MAX);
    for (size_t i = 0; i < inventory->distinct; i++) {
        if (strcmp(inventory->seen[i], artifact->sha256) == 0) {
            return 0;
        }
    }
    memcpy(inventory->seen[inventory->distinct++], artifact->sha256, SONDE_SHA256_TEXT);
    return 0;
}

static int check_run(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct inventory *inventory = context;
    REQUIRE_DONE(sonde_db_artifacts(inventory->db, run->uid, check_artifact, inventory, err), err);
    return 0;
}

size_t check_store(struct sonde_db *db, const char *directory)
{
    struct sonde_err err = {0};
    struct inventory inventory = {.db = db, .seen = calloc(ARTIFACTS_MAX, SONDE_SHA256_TEXT)};
    REQUIRE(inventory.seen != NULL);
    REQUIRE_DONE(sonde_db_runs(db, NULL, SONDE_DB_RUNS_LISTED_MAX, check_run, &inventory, &err),
                 &err);
    free(inventory.seen);
    REQUIRE(count_files(directory, "blobs") == inventory.distinct);
    REQUIRE(count_files(directory, "incoming") == 0);
    return inventory.count;
}

int in_child(void (*function)(void *context), void *context)
{
    (void)fflush(NULL);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        function(context);
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
