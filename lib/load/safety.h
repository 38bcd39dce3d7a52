/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a host may be loaded so much. Pure. */
#ifndef SONDE_LOAD_SAFETY_H
#define SONDE_LOAD_SAFETY_H

#include "base/err.h"
#include "spec/kinds.h"

/* Whether a name or address is of this machine: "localhost" and names below it, 127.0.0.0/8, ::1.
 */
bool sonde_load_host_is_local(const char *host);
/* The same, or of the cluster that this process is in: what a ceiling does not protect. A name of
 * one label that begins with a letter, and names that end in .svc or .svc.cluster.local. */
bool sonde_load_host_is_near(const char *host);

/* Per second, at the highest point of stages; SONDE_SPEC_ABSENT: there is none. */
int64_t sonde_load_highest_rate(const struct sonde_arrival *arrival);

/* Refuses a rate above the ceiling for a host that is neither near nor allowed, at the highest
 * point of stages; and one that sends without a rate, as fast as it is answered: nobody knows how
 * fast. safety NULL: there is no ceiling. SONDE_EDENIED with host, ceiling, and what to do. */
int sonde_load_safety_check(const struct sonde_load_safety *safety, const char *host,
                            const struct sonde_arrival *arrival,
                            struct sonde_err *err) SONDE_MUST_CHECK;

#endif
