/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of lib/db alone. */
#ifndef SONDE_DB_DB_INTERNAL_H
#define SONDE_DB_DB_INTERNAL_H

#include <sqlite3.h>

#include "db/db.h"

#define DB_OWNER_PREFIX "owner."
enum { DB_OWNER = sizeof(DB_OWNER_PREFIX) + SONDE_UUID_SIZE };

struct sonde_db {
    sqlite3 *sqlite;
    int directory; /* of the store */
    int blobs;     /* its directory of blobs */
    int incoming;  /* its directory of files that are being written */
    char *path;
    int owner;                 /* locked while the handle is open and has created a run, or -1 */
    char owner_name[DB_OWNER]; /* in incoming/ */
};

/* Prepared for one use; DB_STATEMENT finalizes it at the end of the scope. Texts are bound with
 * db_text, and borrowed until then. */
int db_prepare(struct sonde_db *db, const char *sql, sqlite3_stmt **ret,
               struct sonde_err *err) SONDE_MUST_CHECK;
void db_finalizep(sqlite3_stmt **statement);
#define DB_STATEMENT SONDE_CLEANUP(db_finalizep) sqlite3_stmt
void db_text(sqlite3_stmt *statement, int index, const char *text);
/* The number that `sql` finds for its texts; fallback when there is no row. */
int db_find_number(struct sonde_db *db, const char *sql, const char *const texts[], int count,
                   int64_t fallback, int64_t *ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* 1: a row, 0: done, or an error. */
int db_step(struct sonde_db *db, sqlite3_stmt *statement, struct sonde_err *err) SONDE_MUST_CHECK;
int db_execute(struct sonde_db *db, const char *sql, struct sonde_err *err) SONDE_MUST_CHECK;
int db_failed(struct sonde_db *db, const char *what, struct sonde_err *err);

/* A write transaction: nobody else's, in this process or another, runs at the same time. */
int db_begin(struct sonde_db *db, struct sonde_err *err) SONDE_MUST_CHECK;
/* Commits when code is 0, else rolls back; returns the first failure. */
int db_end(struct sonde_db *db, int code, struct sonde_err *err) SONDE_MUST_CHECK;

/* sonde_db_run_update within a transaction, and without the reserve. */
int db_update_run(struct sonde_db *db, const struct sonde_run *run,
                  struct sonde_err *err) SONDE_MUST_CHECK;

/* Creates a file in incoming/ whose name (into `name`) is the prefix and a uuid, and locks it: it
 * stays while the descriptor is open; then a sweep removes it. */
int db_create_locked(struct sonde_db *db, const char *prefix, char *name, size_t size, int *ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;

/* What deleting may still need when something else has used the reserve. */
enum { RESERVE_FOR_DELETE = 512 * 1024 };
/* After a failure with this code: whether space was freed, so that one more try may succeed. `keep`
 * bytes of the reserve stay; an open that finds space fills it up again. */
bool db_use_reserve(struct sonde_db *db, int code, int64_t keep);

/* A column as text; "" for NULL. Valid until the next step. */
const char *db_column(sqlite3_stmt *statement, int index);
/* After the columns of a row: SONDE_ENOMEM when one of them could not be given. */
int db_columns_check(struct sonde_db *db, struct sonde_err *err) SONDE_MUST_CHECK;

/* A file of blobs whose rows are about to go: blob_sweep looks after them, also after a crash, but
 * not while the list is open. */
struct blob_list {
    int fd;       /* locked */
    int64_t last; /* the id of the newest artifact in it */
};
int blob_list_open(struct sonde_db *db, struct blob_list *ret,
                   struct sonde_err *err) SONDE_MUST_CHECK;
/* Adds those of the run that are not in it yet. Durable when it returns. */
int blob_list_add_run(struct sonde_db *db, struct blob_list *list, const char *uid,
                      struct sonde_err *err) SONDE_MUST_CHECK;
void blob_list_close(struct blob_list *list);

/* Removes what writers that died left behind, and listed blobs that no artifact uses. */
void blob_sweep(struct sonde_db *db);

#endif
