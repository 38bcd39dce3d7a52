/* SPDX-License-Identifier: Apache-2.0 */
/* What the API server asks before it makes or changes one of our kinds, and what is answered: text
 * alone, no I/O. The format is AdmissionReview of admission.k8s.io/v1. */
#ifndef SONDE_CONTROLLER_ADMISSION_H
#define SONDE_CONTROLLER_ADMISSION_H

#include "base/buf.h"
#include "base/err.h"

enum {
    ADMISSION_REVIEW_MAX = 512 << 10, /* bytes */
    ADMISSION_ANSWER_MAX = 64 << 10,  /* bytes */
    ADMISSION_GROUPS_MAX = 16 << 10,  /* bytes of a requester's groups */
};

/* Answers a review: what is created gets its requester's name in the annotation
 * sonde.dev/requester, by a JSON Patch (RFC 6902), whatever stood there; so does a schedule whose
 * spec is changed, and a schedule's requester's groups stand in sonde.dev/requester-groups, a line
 * each. Runs and tests that are created by `controller` (a user's name) and anything else are
 * allowed as they are. Appends the answer to *ret, whose maximum bounds it. SONDE_EPARSE when the
 * text is no review with a uid and, for what may be written, a user and its objects; SONDE_ENOMEM,
 * SONDE_ELIMIT (also for a review of more values than sonde_json_parse_up_to takes of
 * ADMISSION_REVIEW_MAX). */
int admission_answer(struct sonde_str review, const char *controller, struct sonde_buf *ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;

#endif
