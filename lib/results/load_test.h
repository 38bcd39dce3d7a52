/* SPDX-License-Identifier: Apache-2.0 */
/* Load tests in the store. */
#ifndef SONDE_RESULTS_LOAD_TEST_H
#define SONDE_RESULTS_LOAD_TEST_H

#include "db/db.h"
#include "load/result.h"

/* Reads an artifact. The store's code, or that of sonde_load_result_read. The caller calls
 * sonde_load_result_fini in any case. */
int sonde_results_load_test(struct sonde_db *db, const struct sonde_artifact *artifact,
                            struct sonde_load_result *ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* Reads the run's load test of that name, or its only one (NULL). ret_name, when there is one, gets
 * its name. SONDE_ENOTFOUND; SONDE_EINVALID with the names when there are several. The same. */
int sonde_results_load_test_find(struct sonde_db *db, const char *uid, const char *name,
                                 char ret_name[SONDE_DB_ARTIFACT_NAME_MAX + 1],
                                 struct sonde_load_result *ret,
                                 struct sonde_err *err) SONDE_MUST_CHECK;

#endif
