/* SPDX-License-Identifier: Apache-2.0 */
/* The ways to compare runs that sonde_results_compare chooses from. */
#ifndef SONDE_RESULTS_COMPARE_H
#define SONDE_RESULTS_COMPARE_H

#include "analysis/compare.h"
#include "results/results.h"

/* Which two are compared. */
struct sonde_results_pair {
    const char *uids[SONDE_SIDES];
    const char *captures[SONDE_SIDES]; /* NULL: the run's only one; of a page all */
};

/* What a comparison says of a run. */
struct sonde_results_head {
    char name[SONDE_DB_NAME_MAX + 1];
    struct sonde_buf directory; /* of the target; empty: not known */
};

/* The caller frees the directory in any case. Errors as of sonde_db_run_get. */
int sonde_results_head(struct sonde_db *db, const char *uid, struct sonde_results_head *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;

/* A capture that is read once and compared with several. SONDE_ENOTFOUND, what readers of profiles
 * say, SONDE_ENOMEM. The caller frees it. */
struct sonde_results_side;
int sonde_results_side_new(struct sonde_db *db, const char *uid, const char *capture,
                           struct sonde_results_side **ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_results_side_free(struct sonde_results_side *side);

/* Called with the comparison of two profiles, which is borrowed. */
typedef int (*sonde_results_profiles_callback)(void *context,
                                               const struct sonde_comparison *comparison,
                                               struct sonde_err *err);
int sonde_results_with_sides(const struct sonde_results_side *before,
                             const struct sonde_results_side *after,
                             sonde_results_profiles_callback callback, void *context,
                             struct sonde_err *err) SONDE_MUST_CHECK;
/* Of profiles: appends text or one JSON object. */
int sonde_results_compare_profiles(struct sonde_db *db, const struct sonde_results_pair *pair,
                                   bool json, struct sonde_buf *buf,
                                   struct sonde_err *err) SONDE_MUST_CHECK;
/* The same of coverage. */
int sonde_results_compare_coverage(struct sonde_db *db, const struct sonde_results_pair *pair,
                                   bool json, struct sonde_buf *buf,
                                   struct sonde_err *err) SONDE_MUST_CHECK;
/* The same of event loops, diagnostic reports and allocations by time. */
int sonde_results_compare_measures(struct sonde_db *db, const struct sonde_results_pair *pair,
                                   bool json, struct sonde_buf *buf,
                                   struct sonde_err *err) SONDE_MUST_CHECK;
/* The same of load tests. */
int sonde_results_compare_load(struct sonde_db *db, const struct sonde_results_pair *pair,
                               bool json, struct sonde_buf *buf,
                               struct sonde_err *err) SONDE_MUST_CHECK;
/* The same of heap snapshots, of heap_bytes_max of memory. */
int sonde_results_compare_heaps(struct sonde_db *db, const struct sonde_results_pair *pair,
                                uint64_t heap_bytes_max, bool json, struct sonde_buf *buf,
                                struct sonde_err *err) SONDE_MUST_CHECK;
/* The one of these that is meant. */
int sonde_results_compare_pair(struct sonde_db *db, const struct sonde_results_pair *pair,
                               uint64_t heap_bytes_max, bool json, struct sonde_buf *buf,
                               struct sonde_err *err) SONDE_MUST_CHECK;
/* Of all that two runs have in common: appends a page. */
int sonde_results_comparison_page(struct sonde_db *db, const struct sonde_results_pair *pair,
                                  uint64_t heap_bytes_max, struct sonde_buf *buf,
                                  struct sonde_err *err) SONDE_MUST_CHECK;

#endif
