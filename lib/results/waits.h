/* SPDX-License-Identifier: Apache-2.0 */
/* When the worker threads of a run waited: `waits` of inspector/context.h. */
#ifndef SONDE_RESULTS_WAITS_H
#define SONDE_RESULTS_WAITS_H

#include "base/arena.h"
#include "base/map.h"
#include "db/db.h"
#include "profile/waits.h"

enum {
    SONDE_RESULTS_WAITS_BYTES_MAX = 4 << 20, /* of memory; what is more is not known */
    SONDE_RESULTS_WAITS_THREADS_MAX = 4096,
    SONDE_RESULTS_WAITS_STRETCHES_MAX = 1 << 16, /* of a thread */
};

struct sonde_results_waits {
    struct sonde_arena arena; /* of stretches and names */
    struct sonde_map threads; /* "CAPTURE PROCESS" → index of items */
    struct sonde_waits *items;
    size_t count, capacity;
};

#define SONDE_RESULTS_WAITS                                                                        \
    ((struct sonde_results_waits){.arena = SONDE_ARENA(SONDE_RESULTS_WAITS_BYTES_MAX),             \
                                  .threads = SONDE_MAP(SONDE_RESULTS_WAITS_THREADS_MAX)})

/* Adds those of a capture, NULL: of all. A context speaks of the process that it is of and of its
 * worker threads alone; of what is no time, or of a thread that was there before, nothing is taken.
 * The store's code, SONDE_ENOMEM, SONDE_EPARSE. The caller calls sonde_results_waits_fini in any
 * case. */
int sonde_results_waits_read(struct sonde_db *db, const char *uid, const char *capture,
                             struct sonde_results_waits *ret,
                             struct sonde_err *err) SONDE_MUST_CHECK;
/* Those of the thread that an artifact is of, which live as long as `waits`; NULL: not known. */
const struct sonde_waits *sonde_results_waits_find(const struct sonde_results_waits *waits,
                                                   const struct sonde_artifact *artifact);
void sonde_results_waits_fini(struct sonde_results_waits *waits);

#endif
