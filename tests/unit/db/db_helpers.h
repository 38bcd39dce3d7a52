/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of lib/db share: a directory for a store, contents that a seed gives, and a look
 * at the files. Nothing here fails through cmocka, so that children may use it too. */
#ifndef SONDE_TESTS_UNIT_DB_DB_HELPERS_H
#define SONDE_TESTS_UNIT_DB_DB_HELPERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/db.h"

enum { PATH_SIZE = 128 };

/* Says what is wrong and ends the process when the condition does not hold. */
#define REQUIRE(condition) require((condition), #condition, __FILE__, __LINE__, NULL)
/* As REQUIRE for a call of the store, with its message. */
#define REQUIRE_DONE(call, err) require((call) == 0, #call, __FILE__, __LINE__, (err)->message)
void require(bool holds, const char *condition, const char *file, int line, const char *message);

/* A new empty directory. */
void make_directory(char ret[PATH_SIZE]);
void remove_directory(const char *path);
/* The regular files below a directory, without those that say that an owner lives. */
size_t count_files(const char *directory, const char *name);

struct sonde_db *open_store(const char *directory);

/* Does it with the store's file, as another program might. */
void run_sql_in(const char *directory, const char *sql);

/* Text number `number`, NUL-terminated and the caller's: long, short, repetitive and random ones.
 */
char *make_content(uint64_t number, size_t *ret_length);

/* The uid of run `number`; its first four characters are shared by every fourth run. */
void make_uid(unsigned number, char ret[SONDE_UUID_SIZE]);
/* Creates a Running run. */
int add_run(struct sonde_db *db, const char *uid, const char *name, int64_t created_ns,
            struct sonde_err *err) SONDE_MUST_CHECK;
int end_run(struct sonde_db *db, const char *uid, enum sonde_run_state state,
            struct sonde_err *err) SONDE_MUST_CHECK;

/* Begins, writes in pieces, and commits. */
int add_artifact(struct sonde_db *db, const char *uid, const char *name, const void *data,
                 size_t length, struct sonde_err *err) SONDE_MUST_CHECK;
/* Reads the artifact of that name into buf. SONDE_ENOTFOUND. */
int read_artifact(struct sonde_db *db, const char *uid, const char *name, struct sonde_buf *buf,
                  struct sonde_err *err) SONDE_MUST_CHECK;

/* Ends the process when an artifact of any run is not whole, when a blob belongs to no artifact, or
 * when something lies in incoming/. Returns the number of artifacts. */
size_t check_store(struct sonde_db *db, const char *directory);

/* Runs the function in a process of its own: its exit code, or 128 + the signal that ended it. */
int in_child(void (*function)(void *context), void *context);

#endif
