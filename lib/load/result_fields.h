/* SPDX-License-Identifier: Apache-2.0 */
/* Of the writer and the reader of results: which members they have. */
#ifndef SONDE_LOAD_RESULT_FIELDS_H
#define SONDE_LOAD_RESULT_FIELDS_H

#include "load/result.h"

#define SONDE_LOAD_RESULT_TYPE "LoadResult"

/* A histogram of a tally, or of the result: its name and offset; the last has no name. */
struct sonde_load_result_histogram {
    const char *name;
    size_t offset;
};
extern const struct sonde_load_result_histogram sonde_load_result_histograms[];
/* The same of a tally. */
extern const struct sonde_load_result_histogram sonde_load_tally_histograms[];

/* The counts of a tally, each a uint64_t. */
extern const struct sonde_load_interval_field sonde_load_tally_fields[];

/* Appends the member "asked" of an object, after a comma. */
void sonde_load_result_asked(const struct sonde_load_asked *asked, struct sonde_buf *buf);

#endif
