/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a text that comes in pieces is UTF-8 (RFC 3629, 4). Pure. */
#ifndef SONDE_LOAD_TEXT_H
#define SONDE_LOAD_TEXT_H

#include <stdbool.h>

#include "base/str.h"

/* How far its last character has come. Begins zeroed. */
struct sonde_load_text {
    unsigned char left, low, high; /* bytes to come, and the bounds of the next one */
};

/* Whether the piece goes on with the text. It may end when nothing is left. */
bool sonde_load_text_feed(struct sonde_load_text *text, struct sonde_str piece);

#endif
