/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of source text that a page shows of a capture: those with samples, where functions of
 * the application begin, and some around them, as far as the run has the text. */
#ifndef SONDE_RESULTS_SOURCES_H
#define SONDE_RESULTS_SOURCES_H

#include "base/arena.h"
#include "db/db.h"
#include "results/page.h"

enum { SONDE_SOURCES_AROUND = 3 }; /* lines before and after one with samples */

struct sonde_sources {
    struct sonde_arena text, marks;
    struct sonde_page_source *rows; /* by file and line */
    size_t count, capacity;
};

#define SONDE_SOURCES                                                                              \
    ((struct sonde_sources){.text = SONDE_ARENA(SONDE_PAGE_SOURCE_BYTES_MAX),                      \
                            .marks = SONDE_ARENA(SONDE_PAGE_MARK_BYTES_MAX)})

void sonde_sources_fini(struct sonde_sources *sources);

/* Adds a row with a copy of the lines; what is beyond the bounds is left out: *ret NULL. The row is
 * valid until the next one. SONDE_ENOMEM. */
int sonde_sources_keep(struct sonde_sources *sources, const struct sonde_page_source *source,
                       struct sonde_page_source **ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* Adds the lines of a capture whose source maps have been applied. `file` in the rows is borrowed
 * from the profile. What is beyond the bounds is left out. SONDE_ENOMEM, or the store's code. */
int sonde_sources_add(struct sonde_db *db, const char *uid, const char *capture,
                      const struct sonde_profile *profile, struct sonde_sources *ret,
                      struct sonde_err *err) SONDE_MUST_CHECK;

#endif
