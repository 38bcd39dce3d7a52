/* SPDX-License-Identifier: Apache-2.0 */
/* What runners of a load test and the store say to each other, as JSON. What comes is hostile until
 * it was read. Pure. */
#ifndef SONDE_LOAD_COORDINATION_JSON_H
#define SONDE_LOAD_COORDINATION_JSON_H

#include <cjson/cJSON.h>

#include "load/coordination.h"

/* Read a request's body. The runner is the caller's to set. Texts are borrowed from the document.
 * SONDE_EPARSE with the member, SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_load_ready_read(const cJSON *object,
                          struct sonde_load_label labels[static SONDE_LOAD_LABELS_MAX],
                          struct sonde_load_ready *ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* Appends the tally as an archive to an empty buffer, which ret borrows; the scratch is of
 * sonde_load_tally_pack. */
int sonde_load_sent_read(const cJSON *object, size_t labels, struct sonde_load_tally *scratch,
                         struct sonde_buf *tally, struct sonde_load_sent *ret,
                         struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_load_done_read(const cJSON *object, struct sonde_load_done *ret,
                         struct sonde_err *err) SONDE_MUST_CHECK;

/* Append what is answered to `ready`, and how the test goes. The buffer's errors. */
void sonde_load_answer_write(const struct sonde_load_answer_ready *answer, struct sonde_buf *buf);
void sonde_load_state_write(const struct sonde_load_state *state, struct sonde_buf *buf);
/* … for people: with the seconds from number `since` on, and the number that follows. */
void sonde_load_live_write(const struct sonde_load_coordination *c, uint64_t since,
                           struct sonde_buf *buf);
/* "thresholds":[{threshold,value,holds}] */
void sonde_load_verdicts_write(const struct sonde_load_verdict *verdicts, size_t count,
                               struct sonde_buf *buf);

#endif
