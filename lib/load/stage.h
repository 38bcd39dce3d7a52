/* SPDX-License-Identifier: Apache-2.0 */
/* Stages of a load test as a command line has them. Pure. */
#ifndef SONDE_LOAD_STAGE_H
#define SONDE_LOAD_STAGE_H

#include "base/err.h"
#include "base/str.h"
#include "spec/kinds.h"

enum { SONDE_LOAD_RATE_MAX = 10000000 }; /* requests a second */

/* Takes "TIME:RATE", a rate that is held, or "TIME:RATE:ramp", one that is gone to in a straight
 * line from the rate before; "30s:500". Whole seconds, up to a day; whole requests a second.
 * SONDE_EINVALID, with the text and what it should be. */
int sonde_load_stage_parse(struct sonde_str text, struct sonde_stage *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;

#endif
