/* SPDX-License-Identifier: Apache-2.0 */
/* What the API server asks before it makes one of our kinds, and what is answered: text alone, no
 * I/O. The format is AdmissionReview of admission.k8s.io/v1. */
#ifndef SONDE_CONTROLLER_ADMISSION_H
#define SONDE_CONTROLLER_ADMISSION_H

#include "base/buf.h"
#include "base/err.h"

enum {
    ADMISSION_REVIEW_MAX = 512 << 10, /* bytes */
    ADMISSION_ANSWER_MAX = 64 << 10,  /* bytes */
};

/* Answers a review: what is created gets its requester's name in the annotation
 * sonde.dev/requester, by a JSON Patch (RFC 6902), whatever stood there; anything else is allowed
 * as it is. Appends the answer to *ret, whose maximum bounds it. SONDE_EPARSE when the text is no
 * review with a uid and, for what is created, a user; SONDE_ENOMEM, SONDE_ELIMIT (also for a review
 * of more values than sonde_json_parse_up_to takes of ADMISSION_REVIEW_MAX). */
int admission_answer(struct sonde_str review, struct sonde_buf *ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;

#endif
