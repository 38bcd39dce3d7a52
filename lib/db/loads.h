/* SPDX-License-Identifier: Apache-2.0 */
/* What a store that is a service keeps of a load test that goes on: its state as it was at some
 * time, and all that came since. It goes when the run has ended. */
#ifndef SONDE_DB_LOADS_H
#define SONDE_DB_LOADS_H

#include "db/db.h"

enum { SONDE_DB_LOAD_STATE_MAX = 64 << 20 }; /* bytes */

struct sonde_load_row {
    const char *addresses; /* JSON: pods that are loaded; "[]": by their Service, or URL */
    int64_t seed;
    int64_t begun_us;       /* since 1970 */
    struct sonde_str state; /* empty: as at its beginning */
};

/* Adds it to a run; one that is there stays as it is. SONDE_ENOTFOUND: no such run;
 * SONDE_ECONFLICT: it has ended. */
int sonde_db_load_create(struct sonde_db *db, const char *uid, const struct sonde_load_row *row,
                         struct sonde_err *err) SONDE_MUST_CHECK;
typedef int (*sonde_load_callback)(void *context, const struct sonde_load_row *row,
                                   struct sonde_err *err);
/* Calls back once; the row is borrowed. SONDE_ENOTFOUND. */
int sonde_db_load_get(struct sonde_db *db, const char *uid, sonde_load_callback callback,
                      void *context, struct sonde_err *err) SONDE_MUST_CHECK;
typedef int (*sonde_load_run_callback)(void *context, const char *uid, struct sonde_err *err);
/* The runs that have one and have not ended. */
int sonde_db_loads(struct sonde_db *db, sonde_load_run_callback callback, void *context,
                   struct sonde_err *err) SONDE_MUST_CHECK;

struct sonde_load_event {
    const char *uid;
    int kind; /* the caller's */
    unsigned runner;
    int64_t time_us;
    struct sonde_str body;
    const char *released; /* the target whose tokens are let go of with it; NULL: none */
    bool refused;         /* … but not to the instance that they were bound to */
    bool gone;            /* set: its test has ended or was deleted, and it is not kept */
};
/* All or none of them, but for those that are gone, durably, in this order. */
int sonde_db_load_add(struct sonde_db *db, struct sonde_load_event *events, size_t count,
                      struct sonde_err *err) SONDE_MUST_CHECK;
typedef int (*sonde_load_event_callback)(void *context, const struct sonde_load_event *event,
                                         struct sonde_err *err);
/* Those of a run since its state was kept, in the order in which they were added. */
int sonde_db_load_events(struct sonde_db *db, const char *uid, sonde_load_event_callback callback,
                         void *context, struct sonde_err *err) SONDE_MUST_CHECK;
/* The state takes the place of the one before, and of all events. SONDE_ENOTFOUND. */
int sonde_db_load_save(struct sonde_db *db, const char *uid, struct sonde_str state,
                       struct sonde_err *err) SONDE_MUST_CHECK;
/* As sonde_db_run_update, and what is kept here goes at the same time, in any case. */
int sonde_db_load_end(struct sonde_db *db, const struct sonde_run *run,
                      struct sonde_err *err) SONDE_MUST_CHECK;

#endif
