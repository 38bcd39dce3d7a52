/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms as HdrHistogram writes them: its V2 encoding, compressed and in base64, and its log of
 * intervals (HdrHistogram_c, hdr_histogram_log.c; Java's EncodableHistogram and
 * HistogramLogWriter). No I/O. */
#ifndef SONDE_HISTOGRAM_WIRE_H
#define SONDE_HISTOGRAM_WIRE_H

#include "histogram/histogram.h"

enum {
    SONDE_HISTOGRAM_WIRE_MAX = 40 << 20, /* bytes of a histogram without compression */
    SONDE_HISTOGRAM_TEXT_MAX = 16 << 20, /* bytes of one in base64 */
};

/* Appends the histogram: V2, compressed by zlib, base64 ("HISTFAAA…"). The buffer's errors. */
int sonde_histogram_encode(const struct sonde_histogram *histogram, struct sonde_buf *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* Makes a histogram of such a text. Its minimum and maximum are as far as the digits tell: they are
 * not written. SONDE_EPARSE, SONDE_ELIMIT, SONDE_ENOMEM. The caller calls sonde_histogram_fini. */
int sonde_histogram_decode(struct sonde_str text, struct sonde_histogram *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* Adds what such a text counts to a histogram, with no more memory than its layout may need:
 * SONDE_EPARSE when that of the text is another one. After an error a part may have been added.
 */
int sonde_histogram_decode_into(struct sonde_str text, struct sonde_histogram *histogram,
                                struct sonde_err *err) SONDE_MUST_CHECK;

/* The counts alone, without layout, compression and base64: for many that are kept in memory. Of a
 * sum they are no longer than of what was added together. The buffer's errors. */
void sonde_histogram_pack(const struct sonde_histogram *histogram, struct sonde_buf *ret);
/* Adds such counts to a histogram of the layout that they are of. SONDE_EPARSE. */
int sonde_histogram_unpack(struct sonde_str packed, struct sonde_histogram *histogram,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends what a log begins with. `start_ns`: of the realtime clock. */
void sonde_histogram_log_begin(int64_t start_ns, struct sonde_buf *ret);
/* Appends an interval: when it began, from the start, and how long it was. `tag` NULL: none; it
 * must be free of commas, spaces and line ends. The maximum is written in millionths of the
 * histogram's unit, as the tools expect (milliseconds of nanoseconds). The buffer's errors. */
int sonde_histogram_log_add(const struct sonde_histogram *histogram, const char *tag,
                            int64_t begin_ns, int64_t length_ns, struct sonde_buf *ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;

#endif
