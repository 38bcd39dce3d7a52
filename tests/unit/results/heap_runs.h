/* SPDX-License-Identifier: Apache-2.0 */
/* A store with runs that have heap snapshots. */
#ifndef SONDE_TESTS_UNIT_RESULTS_HEAP_RUNS_H
#define SONDE_TESTS_UNIT_RESULTS_HEAP_RUNS_H

#include "unit/db/db_helpers.h"

enum { SESSION_BYTES = 1000000, OTHERS = 50 };

struct heap_runs {
    char directory[PATH_SIZE];
    struct sonde_db *db;
    /* Runs of that name: `before` and `after` have a snapshot "heap" of 10 and 50 Sessions in a
     * Map, `pair` has two, of the processes 7 and 8; `none` has nothing. */
    char before[SONDE_UUID_SIZE], after[SONDE_UUID_SIZE], pair[SONDE_UUID_SIZE],
        none[SONDE_UUID_SIZE];
};

void heap_runs_init(struct heap_runs *runs);
void heap_runs_fini(struct heap_runs *runs);
/* The same as a test's state. */
int heap_runs_setup(void **state);
int heap_runs_teardown(void **state);
/* Adds an artifact of that type to a run. */
void heap_runs_add(struct heap_runs *runs, const char *uid, const struct sonde_artifact *artifact,
                   struct sonde_str text);

#endif
