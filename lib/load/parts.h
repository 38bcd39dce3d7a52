/* SPDX-License-Identifier: Apache-2.0 */
/* What came of each part of the requests, for a person and for programs. Pure. */
#ifndef SONDE_LOAD_PARTS_H
#define SONDE_LOAD_PARTS_H

#include "load/tally.h"

/* Appends a table for names, one for addresses, and nothing where there are none. */
void sonde_load_parts_text(const struct sonde_load_tally *tally, struct sonde_buf *buf);

/* Appends [{"name": …, "answered", … "responseMicroseconds": {…}}]. */
void sonde_load_parts_json(const struct sonde_load_tally *tally, struct sonde_buf *buf);

#endif
