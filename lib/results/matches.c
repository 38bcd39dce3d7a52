/* SPDX-License-Identifier: Apache-2.0 */
#include "results/matches.h"

#include <stdio.h>
#include <string.h>

bool sonde_results_match(struct sonde_results_matches *matches, const char *name)
{
    size_t length = strlen(matches->names);
    if (length + strlen(name) + 2 < sizeof(matches->names)) {
        (void)snprintf(matches->names + length, sizeof(matches->names) - length, "%s%s",
                       length ? ", " : "", name);
    }
    return matches->count++ == 0;
}

int sonde_results_matches_check(const struct sonde_results_matches *matches, const char *kind,
                                const char *wanted, struct sonde_err *err)
{
    if (matches->count == 0) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0, "the run has no %s%s%.100s", kind,
                          wanted ? " called " : "", wanted ? wanted : "");
    }
    return matches->count == 1
               ? 0
               : sonde_fail(err, SONDE_EINVALID, 0,
                            "the run has %zu %ss: give --capture with one of %s", matches->count,
                            kind, matches->names[0] ? matches->names : "them");
}

static int copy_name(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    (void)snprintf(context, SONDE_DB_NAME_MAX + 1, "%s", run->name);
    return 0;
}

int sonde_results_run_name(struct sonde_db *db, const char *uid, char ret[SONDE_DB_NAME_MAX + 1],
                           struct sonde_err *err)
{
    ret[0] = '\0';
    return sonde_db_run_get(db, uid, copy_name, ret, err);
}
