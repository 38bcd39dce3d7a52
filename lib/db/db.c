/* SPDX-License-Identifier: Apache-2.0 */
#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "db/db_internal.h"

/* "SOND" in the file's header says that it is ours (SQLite's application_id). */
enum { APPLICATION_ID = 0x534f4e44, CACHE_KIB = 512, RETRY_MS = 5 };
enum { RESERVE_BYTES = 1 << 20 };

/* Step N brings a file of version N to version N + 1; a step is never changed, only added. */
static const char *const migrations[] = {
    "CREATE TABLE runs ("
    " uid TEXT PRIMARY KEY, name TEXT NOT NULL, namespace TEXT NOT NULL, kind TEXT NOT NULL,"
    " spec TEXT NOT NULL, status TEXT NOT NULL, state INTEGER NOT NULL, reason TEXT NOT NULL,"
    " message TEXT NOT NULL, created INTEGER NOT NULL, completed INTEGER NOT NULL,"
    " owner INTEGER NOT NULL, owner_start INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX runs_created ON runs (created);"
    "CREATE INDEX runs_name ON runs (name, created);"
    "CREATE TABLE artifacts ("
    " id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (uid) ON DELETE CASCADE,"
    " name TEXT NOT NULL, capture TEXT NOT NULL, type TEXT NOT NULL, media_type TEXT NOT NULL,"
    " class INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,"
    " UNIQUE (run, name)) STRICT;"
    "CREATE INDEX artifacts_sha256 ON artifacts (sha256);",
    /* Where pids mean what owner says: the boot and the pid namespace. */
    "ALTER TABLE runs ADD COLUMN owner_place TEXT NOT NULL DEFAULT '';",
    /* The owner is a file that is locked while it lives. */
    "ALTER TABLE runs DROP COLUMN owner;"
    "ALTER TABLE runs DROP COLUMN owner_start;"
    "ALTER TABLE runs DROP COLUMN owner_place;"
    "ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT '';",
    /* Runs of a cluster: several processes in several pods, which send with tokens. */
    "ALTER TABLE runs ADD COLUMN requester TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE runs ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE artifacts ADD COLUMN process TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE targets ("
    " run TEXT NOT NULL REFERENCES runs (uid) ON DELETE CASCADE, name TEXT NOT NULL,"
    " phase INTEGER NOT NULL, result TEXT NOT NULL,"
    " PRIMARY KEY (run, name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE tokens ("
    " sha256 TEXT PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (uid) ON DELETE CASCADE,"
    " target TEXT NOT NULL, expires INTEGER NOT NULL, instance TEXT NOT NULL,"
    " spent INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX tokens_target ON tokens (run, target);",
    /* What a blob takes on the disk; of those before, nobody knows better than this. */
    ("ALTER TABLE artifacts ADD COLUMN stored INTEGER NOT NULL DEFAULT 0;"
     "UPDATE artifacts SET stored = bytes;"),
    /* Which runs are alike. */
    ("ALTER TABLE runs ADD COLUMN schedule TEXT NOT NULL DEFAULT '';"
     "CREATE INDEX runs_schedule ON runs (namespace, schedule, created);"),
    /* Load tests on several runners, while they go on. */
    "CREATE TABLE loads ("
    " run TEXT PRIMARY KEY REFERENCES runs (uid) ON DELETE CASCADE, addresses TEXT NOT NULL,"
    " seed INTEGER NOT NULL, begun INTEGER NOT NULL, state BLOB NOT NULL) STRICT;"
    "CREATE TABLE load_events ("
    " id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (uid) ON DELETE CASCADE,"
    " kind INTEGER NOT NULL, runner INTEGER NOT NULL, time INTEGER NOT NULL,"
    " body BLOB NOT NULL) STRICT;"
    "CREATE INDEX load_events_run ON load_events (run, id);",
    /* Instances that another one is to take the place of, a line each. */
    "ALTER TABLE tokens ADD COLUMN refused TEXT NOT NULL DEFAULT '';",
};

enum { VERSION = (int)SONDE_LENGTH(migrations) };

int db_failed(struct sonde_db *db, const char *what, struct sonde_err *err)
{
    static const struct {
        int sqlite;
        int code;
        const char *text;
    } table[] = {
        {SQLITE_FULL, SONDE_ENOSPACE, "the disk is full"},
        {SQLITE_NOMEM, SONDE_ENOMEM, "out of memory"},
        {SQLITE_BUSY, SONDE_EBUSY, "another process has held the store for too long"},
        {SQLITE_READONLY, SONDE_EDENIED, "the store cannot be written"},
        {SQLITE_CANTOPEN, SONDE_EDENIED, "the store's file cannot be opened"},
        {SQLITE_PERM, SONDE_EDENIED, "the store's file cannot be opened"},
        {SQLITE_NOTADB, SONDE_EINVALID, "the file is not a store"},
        {SQLITE_CORRUPT, SONDE_EPARSE, "the store's file is damaged: move it aside and run again"},
        {SQLITE_CONSTRAINT, SONDE_EEXISTS, "it is there already"},
    };
    int sqlite = sqlite3_errcode(db->sqlite);
    int sys = sqlite3_system_errno(db->sqlite);
    for (size_t i = 0; i < SONDE_LENGTH(table); i++) {
        if (table[i].sqlite == (sqlite & 0xff)) {
            return sonde_fail(err, table[i].code, 0, "store %s: %s: %s", db->path, what,
                              table[i].text);
        }
    }
    int code = sys == ENOSPC || sys == EDQUOT ? SONDE_ENOSPACE : SONDE_EIO;
    return sonde_fail(err, code, 0, "store %s: %s: %s", db->path, what,
                      code == SONDE_ENOSPACE ? "the disk is full" : sqlite3_errmsg(db->sqlite));
}

int db_prepare(struct sonde_db *db, const char *sql, sqlite3_stmt **ret, struct sonde_err *err)
{
    *ret = NULL;
    if (sqlite3_prepare_v2(db->sqlite, sql, -1, ret, NULL) != SQLITE_OK) {
        return db_failed(db, "read", err);
    }
    return 0;
}

void db_finalizep(sqlite3_stmt **statement)
{
    (void)sqlite3_finalize(*statement);
}

void db_text(sqlite3_stmt *statement, int index, const char *text)
{
    /* Borrowed: needs no memory, so it cannot fail and leave a NULL that means something else. */
    (void)sqlite3_bind_text(statement, index, text ? text : "", -1, SQLITE_STATIC);
}

int db_step(struct sonde_db *db, sqlite3_stmt *statement, struct sonde_err *err)
{
    switch (sqlite3_step(statement)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        return db_failed(db, "use", err);
    }
}

int db_execute(struct sonde_db *db, const char *sql, struct sonde_err *err)
{
    if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return db_failed(db, "write", err);
    }
    return 0;
}

int db_begin(struct sonde_db *db, struct sonde_err *err)
{
    return db_execute(db, "BEGIN IMMEDIATE", err);
}

int sonde_db_read_begin(struct sonde_db *db, struct sonde_err *err)
{
    return db_execute(db, "BEGIN", err);
}

int sonde_db_read_end(struct sonde_db *db, int code, struct sonde_err *err)
{
    return db_end(db, code, err);
}

int db_end(struct sonde_db *db, int code, struct sonde_err *err)
{
    int r = code < 0 ? code : db_execute(db, "COMMIT", err);
    if (r < 0 && !sqlite3_get_autocommit(db->sqlite)) {
        (void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    }
    return r;
}

const char *db_column(sqlite3_stmt *statement, int index)
{
    const unsigned char *text = sqlite3_column_text(statement, index);
    return text ? (const char *)text : "";
}

int db_columns_check(struct sonde_db *db, struct sonde_err *err)
{
    return sqlite3_errcode(db->sqlite) == SQLITE_NOMEM ? db_failed(db, "read", err) : 0;
}

int db_find_number(struct sonde_db *db, const char *sql, const char *const texts[], int count,
                   int64_t fallback, int64_t *ret, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, sql, &statement, err);
    if (r < 0) {
        return r;
    }
    for (int i = 0; i < count; i++) {
        db_text(statement, i + 1, texts[i]);
    }
    r = db_step(db, statement, err);
    if (r >= 0) {
        *ret = r == 1 ? sqlite3_column_int64(statement, 0) : fallback;
    }
    return r < 0 ? r : 0;
}

static int migrate(struct sonde_db *db, int64_t version, struct sonde_err *err)
{
    int r = 0;
    for (int64_t step = version; step < VERSION && r == 0; step++) {
        char pragma[64];
        (void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", (int)step + 1);
        r = db_execute(db, migrations[step], err);
        r = r < 0 ? r : db_execute(db, pragma, err);
    }
    char pragma[64];
    (void)snprintf(pragma, sizeof(pragma), "PRAGMA application_id = %d", APPLICATION_ID);
    return r < 0 ? r : db_execute(db, pragma, err);
}

struct identity {
    int64_t application, version, tables;
};

/* Whether the file is ours, or new, and not newer than we are. Only reads; the application last:
 * another process that makes the store meanwhile sets all three at once. */
static int identify(struct sonde_db *db, struct identity *ret, struct sonde_err *err)
{
    struct identity found = {0};
    int r =
        db_find_number(db, "SELECT count(*) FROM sqlite_master", NULL, 0, 0, &found.tables, err);
    r = r < 0 ? r : db_find_number(db, "PRAGMA user_version", NULL, 0, 0, &found.version, err);
    r = r < 0 ? r
              : db_find_number(db, "PRAGMA application_id", NULL, 0, 0, &found.application, err);
    if (r < 0) {
        return r;
    }
    if (found.application != APPLICATION_ID &&
        (found.application || found.version || found.tables)) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "%s/runs.db is a database of another program: give another --store",
                          db->path);
    }
    if (found.version > VERSION) {
        return sonde_fail(err, SONDE_EVERSION, 0,
                          "the store %s was written by a newer version (format %lld, this one "
                          "knows %d): use that version, or another --store",
                          db->path, (long long)found.version, VERSION);
    }
    *ret = found;
    return 0;
}

/* A new file gets its tables, an older one what is missing. Looks again, under the lock. */
static int bring_up_to_date(struct sonde_db *db, struct sonde_err *err)
{
    struct identity found;
    int r = db_begin(db, err);
    if (r < 0) {
        return r;
    }
    r = identify(db, &found, err);
    if (r == 0 && found.version < VERSION) {
        r = migrate(db, found.version, err);
    }
    return db_end(db, r, err);
}

/* The directories of a new store, before anything in it is acknowledged: whoever has made them may
 * have died since. The one above may belong to somebody else. */
static int sync_directories(struct sonde_db *db, struct sonde_err *err)
{
    SONDE_CLOSE int above = openat(db->directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fsync(db->directory) < 0 || (above >= 0 && fsync(above) < 0)) {
        return sonde_fail(err, SONDE_EIO, errno, "write the directory %s", db->path);
    }
    return 0;
}

static int open_directory(int parent, const char *name, int *ret, struct sonde_err *err)
{
    *ret = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret < 0 && errno == ENOENT) {
        if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST) {
            return sonde_fail(err, SONDE_EIO, errno, "create directory %s", name);
        }
        *ret = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return *ret < 0 ? sonde_fail(err, SONDE_EIO, errno, "open directory %s", name) : 0;
}

/* SQLite does not wait by itself where a read lock becomes a write lock. */
static int use_wal(struct sonde_db *db, struct sonde_err *err)
{
    for (int waited_ms = 0;; waited_ms += RETRY_MS) {
        int code = sqlite3_exec(db->sqlite, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (code == SQLITE_OK) {
            return 0;
        }
        if (code != SQLITE_BUSY || waited_ms >= SONDE_DB_BUSY_TIMEOUT_MS) {
            return db_failed(db, "write", err);
        }
        (void)sqlite3_sleep(RETRY_MS);
    }
}

/* A path in a URI: what has a meaning there is escaped. */
static void print_uri(const char *path, struct sonde_buf *uri)
{
    sonde_buf_text(uri, path[0] == '/' ? "file://" : "file:");
    for (; *path; path++) {
        sonde_buf_printf(uri, strchr("%?#", *path) ? "%%%02X" : "%c", *path);
    }
}

static int connect(struct sonde_db *db, bool immutable, struct sonde_err *err)
{
    SONDE_BUF_AUTO file = SONDE_BUF(16384);
    if (immutable) {
        print_uri(db->path, &file);
    } else {
        sonde_buf_text(&file, db->path);
    }
    sonde_buf_text(&file, immutable ? "/runs.db?immutable=1" : "/runs.db");
    int r = sonde_buf_check(&file, "the store's path", err);
    if (r < 0) {
        return r;
    }
    int flags = immutable ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
                          : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    mode_t before = umask(077);
    int opened = sqlite3_open_v2(file.data, &db->sqlite, flags | SQLITE_OPEN_NOMUTEX, NULL);
    (void)umask(before);
    if (opened != SQLITE_OK) {
        return db->sqlite ? db_failed(db, "open", err)
                          : sonde_fail(err, SONDE_ENOMEM, 0, "the store: out of memory");
    }
    (void)sqlite3_extended_result_codes(db->sqlite, 0);
    (void)sqlite3_busy_timeout(db->sqlite, SONDE_DB_BUSY_TIMEOUT_MS);
    return 0;
}

/* After a failure: whether the file is alone on a read-only file system. SQLite cannot make the
 * index of its log there; with an empty log it needs none, and no locks either. */
static bool is_alone(struct sonde_db *db)
{
    struct statvfs system;
    struct stat log;
    if (sqlite3_errcode(db->sqlite) != SQLITE_CANTOPEN || fstatvfs(db->directory, &system) < 0 ||
        !(system.f_flag & ST_RDONLY)) {
        return false;
    }
    return fstatat(db->directory, "runs.db-wal", &log, 0) < 0 ? errno == ENOENT : log.st_size == 0;
}

static int set_up(struct sonde_db *db, struct sonde_err *err)
{
    char cache[64];
    (void)snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d", CACHE_KIB);
    int r = use_wal(db, err);
    /* The index of the log keeps its space when the last process leaves: the store can still be
     * read on a disk that is full afterwards, or read-only. The log is emptied then, so that it
     * cannot be taken for the log of a file that was restored. */
    int keep = 1;
    (void)sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    r = r < 0 ? r : db_execute(db, "PRAGMA journal_size_limit = 0", err);
    r = r < 0 ? r : db_execute(db, "PRAGMA synchronous = FULL", err);
    r = r < 0 ? r : db_execute(db, "PRAGMA foreign_keys = ON", err);
    r = r < 0 ? r : db_execute(db, "PRAGMA trusted_schema = OFF", err);
    return r < 0 ? r : db_execute(db, cache, err);
}

static int open_sqlite(struct sonde_db *db, struct sonde_err *err)
{
    struct identity found;
    int r = connect(db, false, err);
    if (r < 0) {
        return r;
    }
    r = identify(db, &found, err); /* before anything is written: it may not be ours */
    if (r < 0 && is_alone(db)) {
        (void)sqlite3_close(db->sqlite);
        r = connect(db, true, err);
        r = r < 0 ? r : identify(db, &found, err);
    }
    r = r < 0 ? r : set_up(db, err);
    if (r < 0 || found.version == VERSION) {
        return r;
    }
    r = sync_directories(db, err);
    return r < 0 ? r : bring_up_to_date(db, err);
}

/* Space for the last words of a run, and for deleting, when the disk is full. */
static const char reserve_name[] = "reserve";

static void make_reserve(struct sonde_db *db)
{
    struct stat status;
    SONDE_CLOSE int fd = openat(db->directory, reserve_name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &status) < 0 || status.st_size >= RESERVE_BYTES) {
        return;
    }
    if (posix_fallocate(fd, 0, RESERVE_BYTES) != 0) {
        (void)!ftruncate(fd, status.st_size); /* no space for it */
    }
}

bool db_use_reserve(struct sonde_db *db, int code, int64_t keep)
{
    struct stat status;
    if (code != SONDE_ENOSPACE) {
        return false;
    }
    SONDE_CLOSE int fd = openat(db->directory, reserve_name, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && fstat(fd, &status) == 0 && status.st_size > keep && ftruncate(fd, keep) == 0;
}

int sonde_db_open(const char *directory, struct sonde_db **ret, struct sonde_err *err)
{
    int r = sonde_make_directories(directory, err);
    if (r < 0) {
        return r;
    }
    struct sonde_db *db = calloc(1, sizeof(*db));
    if (!db) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the store: out of memory");
    }
    db->blobs = db->incoming = db->owner = -1;
    db->path = strdup(directory);
    db->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!db->path) {
        r = sonde_fail(err, SONDE_ENOMEM, 0, "the store: out of memory");
    } else if (db->directory < 0) {
        r = sonde_fail(err, SONDE_EIO, errno, "open directory %s", directory);
    }
    r = r < 0 ? r : open_directory(db->directory, "blobs", &db->blobs, err);
    r = r < 0 ? r : open_directory(db->directory, "incoming", &db->incoming, err);
    r = r < 0 ? r : open_sqlite(db, err);
    if (db->sqlite && db_use_reserve(db, r, RESERVE_FOR_DELETE)) {
        (void)sqlite3_close(db->sqlite);
        r = open_sqlite(db, err);
    }
    if (r < 0) {
        sonde_db_close(db);
        return r;
    }
    if (sqlite3_db_readonly(db->sqlite, "main") == 0) {
        /* Whoever only reads does not wait for who writes: what is left now is for the next. */
        (void)sqlite3_busy_timeout(db->sqlite, 0);
        blob_sweep(db);
        (void)sqlite3_busy_timeout(db->sqlite, SONDE_DB_BUSY_TIMEOUT_MS);
        make_reserve(db);
    }
    *ret = db;
    return 0;
}

void sonde_db_close(struct sonde_db *db)
{
    if (!db) {
        return;
    }
    (void)sqlite3_close(db->sqlite);
    if (db->owner >= 0) {
        (void)unlinkat(db->incoming, db->owner_name, 0);
    }
    sonde_closep(&db->owner);
    sonde_closep(&db->incoming);
    sonde_closep(&db->blobs);
    sonde_closep(&db->directory);
    free(db->path);
    free(db);
}
