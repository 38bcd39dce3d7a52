/* SPDX-License-Identifier: Apache-2.0 */
/* Of the writers and the readers of results and of tallies: which members they have. For lib/load
 * alone. */
#ifndef SONDE_LOAD_RESULT_FIELDS_H
#define SONDE_LOAD_RESULT_FIELDS_H

#include <cjson/cJSON.h>

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

/* ---- what results and tallies have in common: tally_json.c ---- */

/* ,"counts":{…},"errors":{…},"statuses":{…}. The buffer's errors. */
void sonde_load_put_counts(const struct sonde_load_tally *tally, struct sonde_buf *buf);
/* "histogram":"HISTF…", behind what that does not tell. The buffer's errors, SONDE_ENOMEM. */
int sonde_load_put_histogram(const struct sonde_histogram *histogram, struct sonde_buf *buf,
                             struct sonde_err *err) SONDE_MUST_CHECK;
/* ,"NAME":{…} of each in the table of a result, or a tally. The same errors. */
int sonde_load_put_histograms(const struct sonde_load_result_histogram *table, const void *from,
                              struct sonde_buf *buf, struct sonde_err *err) SONDE_MUST_CHECK;
/* The uint64_t of a table's row. */
uint64_t sonde_load_number_at(const void *object, size_t offset);

/* SONDE_EPARSE, with the member's name. */
int sonde_load_out_of_bounds(const char *name, struct sonde_err *err);
int sonde_load_read_number(const cJSON *object, const char *name, int64_t least, int64_t most,
                           int64_t *ret, struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_load_read_count(const cJSON *object, const char *name, uint64_t *ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;
/* All of a table. */
int sonde_load_read_fields(const cJSON *object, const struct sonde_load_interval_field *fields,
                           void *ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* What sonde_load_put_counts has written. */
int sonde_load_read_counts(struct sonde_load_tally *tally, const cJSON *object,
                           struct sonde_err *err) SONDE_MUST_CHECK;
/* Of an object that has its members, into an empty one. */
int sonde_load_read_histogram(const cJSON *from, const char *name, struct sonde_histogram *ret,
                              struct sonde_err *err) SONDE_MUST_CHECK;
/* All of a table, each of which must be there. */
int sonde_load_read_histograms(const struct sonde_load_result_histogram *table, void *ret,
                               const cJSON *from, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
