/* SPDX-License-Identifier: Apache-2.0 */
/* Texts from a target in the columns of a report. */
#ifndef SONDE_ANALYSIS_CELL_H
#define SONDE_ANALYSIS_CELL_H

#include <stdbool.h>

#include "base/buf.h"

/* Without control characters: a terminal obeys them, and a function's name may hold any. */
void sonde_cell_clean(struct sonde_buf *buf, struct sonde_str text);
/* Clean, and cut or filled to `width` characters; UTF-8 is not cut in the middle of one. */
void sonde_cell_put(struct sonde_buf *buf, struct sonde_str text, size_t width, bool keep_end);
/* Takes the spaces away that a line ends with. */
void sonde_cell_trim(struct sonde_buf *buf);
/* The same, and ends the line. */
void sonde_cell_end_line(struct sonde_buf *buf);

#endif
