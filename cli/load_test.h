/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `sonde load` as the LoadTest that they stand for: a document is another front of
 * the same. */
#ifndef SONDE_CLI_LOAD_TEST_H
#define SONDE_CLI_LOAD_TEST_H

#include "cli/load.h"
#include "spec/kinds.h"

/* Of the options, without what is sent and where. The test refers to the others. */
struct load_test {
    struct sonde_load_test test;
    struct sonde_load_http http;
    struct sonde_arrival arrival;
    struct sonde_rate_search search;
    struct sonde_load_safety safety;
    struct sonde_stage stages[SONDE_OPTION_STRINGS_MAX];
};

/* Borrows from the settings; *ret must stay where it is. SONDE_EINVALID with the options that do
 * not go together, or the one that cannot be read. */
int load_test_of_options(const struct cli_load_settings *settings, struct load_test *ret,
                         struct sonde_err *err) SONDE_MUST_CHECK;

#endif
