/* SPDX-License-Identifier: Apache-2.0 */
/* A duration as a person reads it. Pure. */
#ifndef SONDE_LOAD_DURATION_H
#define SONDE_LOAD_DURATION_H

#include <stdint.h>

#include "base/buf.h"
#include "histogram/histogram.h"

/* "836 µs", "3.54 ms", "1.20 s". Returns ret. */
enum { SONDE_LOAD_DURATION_SIZE = 40 };
const char *sonde_load_duration(int64_t us, char ret[SONDE_LOAD_DURATION_SIZE]);

/* Append it, with a mark behind it, to the right of a column of so many characters; a quantile: "-"
 * where there is none, with a star where it is of too few values; of all (share 1) the maximum. The
 * buffer's errors. */
void sonde_load_put_duration(int64_t us, const char *mark, size_t width, struct sonde_buf *buf);
void sonde_load_put_quantile(const struct sonde_histogram *histogram, double share, size_t width,
                             struct sonde_buf *buf);

/* What such a star means, below a table that has one. */
#define SONDE_LOAD_STAR "* of too few requests: fewer than ten lie beyond\n"

#endif
