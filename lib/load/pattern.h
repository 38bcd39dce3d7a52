/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions in Perl's words, by PCRE2 with bounds on what a match may cost: POSIX ones
 * (regex.h) have none, need text that ends with a NUL, and know the locale. Pure. */
#ifndef SONDE_LOAD_PATTERN_H
#define SONDE_LOAD_PATTERN_H

#include "base/err.h"
#include "base/str.h"

enum {
    SONDE_LOAD_PATTERN_MAX = 1024,           /* bytes of an expression */
    SONDE_LOAD_PATTERN_STEPS_MAX = 1000000,  /* of PCRE2's match function, for one text */
    SONDE_LOAD_PATTERN_KIBIBYTES_MAX = 4096, /* that it may use for that */
};

struct sonde_load_pattern; /* may be used by several threads */
struct sonde_load_matcher; /* memory for matches, of one thread */

/* SONDE_EINVALID with what is wrong and where; SONDE_ELIMIT, SONDE_ENOMEM. Freed with
 * sonde_load_pattern_free, which takes NULL too. */
int sonde_load_pattern_new(struct sonde_str text, struct sonde_load_pattern **ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_load_pattern_free(struct sonde_load_pattern *pattern);

/* NULL: out of memory. */
struct sonde_load_matcher *sonde_load_matcher_new(void);
void sonde_load_matcher_free(struct sonde_load_matcher *matcher);

/* Finds the first match in a text of any bytes: *ret is a view of its first group, or of all of it
 * where there is none or the group has no part in it. SONDE_ENOTFOUND, without a message;
 * SONDE_ELIMIT when it would cost too much; SONDE_ENOMEM. */
int sonde_load_pattern_find(const struct sonde_load_pattern *pattern,
                            struct sonde_load_matcher *matcher, struct sonde_str text,
                            struct sonde_str *ret, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
