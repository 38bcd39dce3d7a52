/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a load test that goes on, in a form of our own: short, and for this version
 * alone. One function says what is kept of a thing: it writes, or reads what it has written. Pure.
 */
#ifndef SONDE_LOAD_ARCHIVE_H
#define SONDE_LOAD_ARCHIVE_H

#include "load/intervals.h"
#include "load/tally.h"

struct sonde_load_archive {
    struct sonde_buf *to;  /* where it is written; NULL: it is read */
    struct sonde_str from; /* what is left to be read */
    bool brief;            /* of a tally no histogram but that of the response is read */
    int code; /* the first failure, SONDE_EPARSE or SONDE_ENOMEM: what is read then is 0 */
};

/* Numbers take a byte for seven bits of them. */
void sonde_load_archive_number(struct sonde_load_archive *archive, uint64_t *number);
void sonde_load_archive_signed(struct sonde_load_archive *archive, int64_t *number);
void sonde_load_archive_unsigned(struct sonde_load_archive *archive, unsigned *number);
void sonde_load_archive_flag(struct sonde_load_archive *archive, bool *flag);
/* A text in a place of `size` bytes with its NUL. */
void sonde_load_archive_text(struct sonde_load_archive *archive, char *text, size_t size);
/* A number that must be below `end`. */
void sonde_load_archive_below(struct sonde_load_archive *archive, uint64_t *number, uint64_t end);

/* The three add what is read to what is there, exactly. A tally without parts takes no notice of
 * those that were written. */
void sonde_load_archive_histogram(struct sonde_load_archive *archive,
                                  struct sonde_histogram *histogram);
void sonde_load_archive_tally(struct sonde_load_archive *archive, struct sonde_load_tally *tally);
void sonde_load_archive_intervals(struct sonde_load_archive *archive,
                                  struct sonde_load_intervals *intervals);

/* A tally in pieces, to be written where not all parts are in memory at once: what is of all; the
 * number of parts; each with its label. */
void sonde_load_archive_own(struct sonde_load_archive *archive, struct sonde_load_tally *tally);
void sonde_load_archive_part(struct sonde_load_archive *archive, struct sonde_load_tally *part,
                             size_t label);

/* What is read of a tally's beginning: its counts, without histograms. */
void sonde_load_archive_counts(struct sonde_load_archive *archive, struct sonde_load_tally *tally);

/* 0, or the failure with a message. */
int sonde_load_archive_check(const struct sonde_load_archive *archive,
                             struct sonde_err *err) SONDE_MUST_CHECK;

#endif
