/* SPDX-License-Identifier: Apache-2.0 */
/* The times of Kubernetes objects: metav1.Time and metav1.MicroTime. */
#ifndef SONDE_KUBE_TIME_H
#define SONDE_KUBE_TIME_H

#include <stdint.h>

#include "base/clock.h"

enum { SONDE_KUBE_TIME_SIZE = 28 }; /* "2026-01-31T12:34:56.789012Z" and the NUL */

/* RFC 3339 §5.6 with an offset and up to nine digits of fraction, into nanoseconds since
 * 1970-01-01 UTC. SONDE_EPARSE for anything else, and for years outside 1970…2200. */
int sonde_kube_time_parse(struct sonde_str text, int64_t *ret_realtime_ns) SONDE_MUST_CHECK;

/* In UTC with exactly six digits of fraction: the only form a MicroTime is read from. */
void sonde_kube_time_format(int64_t realtime_ns, char ret[SONDE_KUBE_TIME_SIZE]);

#endif
