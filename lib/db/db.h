/* SPDX-License-Identifier: Apache-2.0 */
/* Where runs and what they captured are kept: rows in SQLite, blobs in a directory. The interface
 * names neither, so that a server and an object store can stand behind it later.
 *
 * Nothing exists before its commit, and what was committed survives a crash at any instant. Several
 * processes may use one directory at once. One handle belongs to one thread. */
#ifndef SONDE_DB_DB_H
#define SONDE_DB_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/random.h"
#include "spec/artifact.h"

enum {
    SONDE_DB_NAME_MAX = 253, /* bytes of a run's name, as Kubernetes has it */
    SONDE_DB_ARTIFACT_NAME_MAX = 300,
    SONDE_DB_DOCUMENT_MAX = 4 << 20,  /* bytes of a run's spec, status or findings */
    SONDE_DB_RUNS_LISTED_MAX = 1000,  /* of one call */
    SONDE_DB_PREFIX_MIN = 4,          /* characters of a uid that name a run */
    SONDE_DB_BUSY_TIMEOUT_MS = 10000, /* for another process's transaction */
    SONDE_SHA256_TEXT = 65,           /* 64 hexadecimal digits and the NUL */
};
#define SONDE_DB_ARTIFACT_MAX (INT64_C(16) << 30) /* bytes of one artifact */

struct sonde_db;

enum sonde_run_state {
    SONDE_RUN_PENDING,
    SONDE_RUN_RUNNING,
    SONDE_RUN_SUCCEEDED,
    SONDE_RUN_FAILED,
    SONDE_RUN_CANCELLED,
};

const char *sonde_run_state_name(enum sonde_run_state state);

/* Texts are NUL-terminated and never NULL in what is read. */
struct sonde_run {
    char uid[SONDE_UUID_SIZE];
    const char *name, *namespace, *kind;
    const char *spec;   /* JSON: the document */
    const char *status; /* JSON: target, cost … ("{}" at first) */
    enum sonde_run_state state;
    const char *reason, *message;
    int64_t created_ns, completed_ns; /* since 1970; completed 0: not yet */
    const char *requester;            /* who asked for it; "" when that is not known */
    const char *schedule; /* that made it, or SONDE_SPEC_SERIES and a name; "": neither */
    bool remote;          /* carried out elsewhere: this process does not own it */
    bool cancelled;       /* it is to end; only read */
};

/* The name of the series that the run is one of, under whatever name it was made, within its
 * `schedule`; NULL: it is in none. */
const char *sonde_run_series(const struct sonde_run *run);

/* Opens the store in `directory`, made (mode 0700) when missing. SONDE_EVERSION when a newer
 * version has written it, SONDE_EINVALID when the file is not a store, SONDE_EIO, SONDE_ENOSPACE,
 * SONDE_EDENIED. A store of this version on a read-only file system can be read; what writes ends
 * with SONDE_EDENIED. */
int sonde_db_open(const char *directory, struct sonde_db **ret,
                  struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_db_close(struct sonde_db *db);

/* Reads between these see the store as it was at the first of them, whoever writes meanwhile; they
 * are not nested. The end returns the code of what was read, or its own failure. */
int sonde_db_read_begin(struct sonde_db *db, struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_db_read_end(struct sonde_db *db, int code, struct sonde_err *err) SONDE_MUST_CHECK;

/* Adds a run with its uid, name, namespace, kind, spec, schedule, state and created_ns. The handle
 * owns it: a run that has not ended when the handle is closed, or its process dies, is read as
 * Failed with reason Interrupted. SONDE_EEXISTS when the uid is there. */
int sonde_db_run_create(struct sonde_db *db, const struct sonde_run *run,
                        struct sonde_err *err) SONDE_MUST_CHECK;
/* Sets state, reason, message, status and completed_ns. A run that has ended stays as it is:
 * SONDE_ECONFLICT. */
int sonde_db_run_update(struct sonde_db *db, const struct sonde_run *run,
                        struct sonde_err *err) SONDE_MUST_CHECK;

/* A run that has succeeded may still be found to be worse than those before it: sets its state,
 * reason, message and status. SONDE_ECONFLICT when it has not succeeded. */
int sonde_db_run_judge(struct sonde_db *db, const struct sonde_run *run,
                       struct sonde_err *err) SONDE_MUST_CHECK;

/* Called for each run; the run is borrowed. A negative code ends the call with it. */
typedef int (*sonde_run_callback)(void *context, const struct sonde_run *run,
                                  struct sonde_err *err);
/* Those of a namespace (NULL: all), newest first, at most `limit`. */
int sonde_db_runs(struct sonde_db *db, const char *namespace, int limit,
                  sonde_run_callback callback, void *context,
                  struct sonde_err *err) SONDE_MUST_CHECK;
/* What a run is compared with: those of its kind that succeeded before it. */
struct sonde_runs_good {
    const char *namespace, *kind;
    const char *schedule;   /* that made them; "": those that none made; NULL: whoever did */
    const char *name;       /* of this name, or of this series; NULL: of any */
    int64_t since_ns;       /* created at that time or later … */
    int64_t before_ns;      /* … and before that */
    const char *except_uid; /* NULL: none */
};
/* Calls back for these, newest first, at most `limit`. */
int sonde_db_runs_good(struct sonde_db *db, const struct sonde_runs_good *wanted, int limit,
                       sonde_run_callback callback, void *context,
                       struct sonde_err *err) SONDE_MUST_CHECK;
/* Calls back once with the run of that uid. SONDE_ENOTFOUND. */
int sonde_db_run_get(struct sonde_db *db, const char *uid, sonde_run_callback callback,
                     void *context, struct sonde_err *err) SONDE_MUST_CHECK;
/* The uid of what a person typed: "last", a name or a series (its newest run), or the beginning of
 * a uid; in that namespace (NULL: all). SONDE_ENOTFOUND; SONDE_ECONFLICT when several uids begin
 * so. */
int sonde_db_run_resolve(struct sonde_db *db, const char *text, const char *namespace,
                         char ret[SONDE_UUID_SIZE], struct sonde_err *err) SONDE_MUST_CHECK;
/* Removes the run, its artifacts, and the blobs that no other run uses. SONDE_ENOTFOUND. */
int sonde_db_run_delete(struct sonde_db *db, const char *uid,
                        struct sonde_err *err) SONDE_MUST_CHECK;

/* Members of a run's status that say what is compared with it: how many of the newest runs of its
 * schedule that succeeded the next one is; when (seconds since 1970) one was that it was pinned
 * for. */
#define SONDE_STATUS_NIGHTS "nights"
#define SONDE_STATUS_PINNED "pinnedAt"

/* A run that has ended, and what it keeps. */
struct sonde_run_weight {
    char uid[SONDE_UUID_SIZE];
    int64_t completed_ns;             /* since 1970 */
    int64_t bytes;                    /* of its artifacts, compressed */
    enum sonde_data_class data_class; /* the highest of them */
};

/* Runs that ended before the time which their class has in before_ns (since 1970; INT64_MIN: none),
 * those that ended first: at most `maximum` into ret, *ret_count of them. Runs that others are
 * compared with are left out: those of class SONDE_DATA_PROFILE which succeeded and are the newest
 * of their schedule, as many as it compares with, or were pinned; when the schedule has made a run,
 * or one was compared with the pinned one, since held_ns. */
int sonde_db_ended(struct sonde_db *db, const int64_t before_ns[SONDE_DATA_CLASSES],
                   int64_t held_ns, struct sonde_run_weight *ret, size_t maximum, size_t *ret_count,
                   struct sonde_err *err) SONDE_MUST_CHECK;
/* The bytes that the artifacts of runs which have ended take: compressed, each content once. */
int sonde_db_ended_bytes(struct sonde_db *db, int64_t *ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* Of the namespace whose ended runs have most of them, the run with artifacts that ended first;
 * those that others are compared with (as of sonde_db_ended) last. SONDE_ENOTFOUND when there is
 * none. */
int sonde_db_heaviest(struct sonde_db *db, int64_t held_ns, struct sonde_run_weight *ret,
                      struct sonde_err *err) SONDE_MUST_CHECK;

struct sonde_artifact {
    const char *run_uid;
    const char *name;       /* unique in the run: "cpu.0" */
    const char *capture;    /* the capture it belongs to: "cpu" */
    const char *type;       /* "CPUProfile", "SourceMap" … */
    const char *media_type; /* "application/json" */
    const char *process;    /* "POD/PID" that it is of; "" in a run of one process, NULL as "" */
    enum sonde_data_class data_class;
    int64_t bytes;                  /* uncompressed; set when committed */
    int64_t stored;                 /* bytes that were written to the disk; 0: not known */
    char sha256[SONDE_SHA256_TEXT]; /* of the uncompressed content */
};

struct sonde_artifact_writer;

/* Begins an artifact; the texts are copied. The caller ends it with commit or abort. */
int sonde_artifact_begin(struct sonde_db *db, const struct sonde_artifact *artifact,
                         struct sonde_artifact_writer **ret,
                         struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_artifact_write(struct sonde_artifact_writer *writer, const void *data, size_t length,
                         struct sonde_err *err) SONDE_MUST_CHECK;
/* Ends the writing; *ret is borrowed and has bytes and sha256, to be compared before the commit. */
int sonde_artifact_seal(struct sonde_artifact_writer *writer, struct sonde_artifact *ret,
                        struct sonde_err *err) SONDE_MUST_CHECK;
/* Makes it durable and visible; the writer is gone in any case. SONDE_EEXISTS when the run has one
 * of that name, SONDE_ENOTFOUND when the run is gone. */
int sonde_artifact_commit(struct sonde_artifact_writer *writer,
                          struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_artifact_abort(struct sonde_artifact_writer *writer);

typedef int (*sonde_artifact_callback)(void *context, const struct sonde_artifact *artifact,
                                       struct sonde_err *err);
/* Those of a run in the order of their commits. */
int sonde_db_artifacts(struct sonde_db *db, const char *run_uid, sonde_artifact_callback callback,
                       void *context, struct sonde_err *err) SONDE_MUST_CHECK;

/* The reason of errors that say that a blob is missing, cut or changed: what was stored intact may
 * be malformed, too, which is its sender's doing and no reason to look at the disk. */
#define SONDE_DB_UNREADABLE "Unreadable"

/* Opens the content as it is kept: one zstd frame with a checksum. The caller closes *ret_fd.
 * SONDE_EPARSE, as Unreadable, when it is missing, or shorter than it was written. */
int sonde_artifact_open(struct sonde_db *db, const struct sonde_artifact *artifact, int *ret_fd,
                        struct sonde_err *err) SONDE_MUST_CHECK;

typedef int (*sonde_bytes_callback)(void *context, const void *data, size_t length,
                                    struct sonde_err *err);
/* The content, in pieces, checked against bytes and sha256 at its end: SONDE_EPARSE, as
 * Unreadable, when the blob is damaged or missing. */
int sonde_artifact_read(struct sonde_db *db, const struct sonde_artifact *artifact,
                        sonde_bytes_callback callback, void *context,
                        struct sonde_err *err) SONDE_MUST_CHECK;
/* Appends the content to a buffer. The same, and the buffer's errors. */
int sonde_artifact_text(struct sonde_db *db, const struct sonde_artifact *artifact,
                        struct sonde_buf *buf, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
