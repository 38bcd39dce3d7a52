/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_RESULTS_LOAD_H
#define SONDE_RESULTS_LOAD_H

#include "db/db.h"
#include "profile/profile.h"

/* Looks on while a profile is read: called with it after each window. */
struct sonde_results_watch {
    void *context;
    int (*window)(void *context, const struct sonde_profile *profile, struct sonde_err *err);
};

/* As sonde_results_profile, of bytes_max of memory, and watched. */
int sonde_results_load(struct sonde_db *db, const char *uid, const char *capture, size_t bytes_max,
                       const struct sonde_results_watch *watch, struct sonde_profile *ret,
                       struct sonde_buf *ret_capture, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
