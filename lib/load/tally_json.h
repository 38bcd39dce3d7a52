/* SPDX-License-Identifier: Apache-2.0 */
/* A tally as JSON: as runners of a load test send it each second, and as results keep it. What
 * others send is hostile until it was read. Pure. */
#ifndef SONDE_LOAD_TALLY_JSON_H
#define SONDE_LOAD_TALLY_JSON_H

#include <cjson/cJSON.h>

#include "load/tally.h"

enum {
    /* Bytes of a tally with parts: a runner that has more has nobody to tell them. */
    SONDE_LOAD_TALLY_MAX = 2 << 20,
    SONDE_LOAD_TALLY_COUNT_BITS = 36,
};
/* Of each count of a tally that is read, and of the values of each histogram: so many fit into the
 * sums of a hundred runners in seven days. */
#define SONDE_LOAD_TALLY_COUNT_MAX (UINT64_C(1) << SONDE_LOAD_TALLY_COUNT_BITS)

/* Appends an object: "counts", "errors" and "statuses"; "response", "service" and "sendLag" with
 * HdrHistogram's V2 encoding, where they are not empty; "parts", of which each tells its number
 * among the labels, where anything came of it. The buffer's errors, SONDE_ENOMEM. */
int sonde_load_tally_write(const struct sonde_load_tally *tally, struct sonde_buf *buf,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* Reads one into an empty tally, which has the parts that may come. Members that it does not know
 * are passed over. SONDE_EPARSE with the member, SONDE_ELIMIT, SONDE_ENOMEM; something may have
 * been read then. */
int sonde_load_tally_read(const cJSON *object, struct sonde_load_tally *ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;

/* The same as an archive, which is appended: with no more memory than a tally without parts, the
 * scratch, whose content does not matter. `labels`: as many parts may come. */
int sonde_load_tally_pack(const cJSON *object, size_t labels, struct sonde_load_tally *scratch,
                          struct sonde_buf *ret, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
