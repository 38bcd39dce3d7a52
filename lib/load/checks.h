/* SPDX-License-Identifier: Apache-2.0 */
/* All that a run was held against, and whether it kept it: the cases of a CI server. Pure. */
#ifndef SONDE_LOAD_CHECKS_H
#define SONDE_LOAD_CHECKS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_CHECKS_MAX = 1024,
    SONDE_CHECK_TEXT_MAX = 2048, /* bytes of a message */
    SONDE_CHECKS_BYTES_MAX = 4 << 20,
};

/* In the order in which they count for the exit code. */
enum sonde_check_kind {
    SONDE_CHECK_RUN,        /* the run itself came to its end, and can be believed */
    SONDE_CHECK_THRESHOLD,  /* of a load test */
    SONDE_CHECK_REGRESSION, /* beside its baseline */
    SONDE_CHECK_BUDGET,
    SONDE_CHECK_KINDS,
};
/* "Run", "ThresholdBroken" …: what it is called when it fails. */
const char *sonde_check_kind_word(enum sonde_check_kind kind);

enum sonde_check_state { SONDE_CHECK_PASSED, SONDE_CHECK_FAILED, SONDE_CHECK_SKIPPED };

struct sonde_check {
    enum sonde_check_kind kind;
    enum sonde_check_state state;
    const char *name;    /* "http_req_duration: p(99)<250" */
    const char *message; /* what was measured, or why it was skipped; "": nothing is said */
};

struct sonde_checks {
    const char *name, *uid, *target; /* of the run */
    int64_t start_ns;                /* since 1970 */
    double seconds;                  /* that it took */
    const char *report;              /* as text; "": none */
    struct sonde_check *items;
    size_t count, capacity;
    struct sonde_arena arena; /* of all texts */
};

/* An empty one. The caller calls sonde_checks_fini in any case. */
void sonde_checks_init(struct sonde_checks *checks);
void sonde_checks_fini(struct sonde_checks *checks);
/* Adds one whose message is printed. SONDE_ENOMEM; SONDE_ELIMIT beyond the maximum. */
int sonde_checks_add(struct sonde_checks *checks, enum sonde_check_kind kind,
                     enum sonde_check_state state, const char *name, struct sonde_err *err,
                     const char *format, ...) SONDE_PRINTF(6, 7) SONDE_MUST_CHECK;
/* A text of the caller's, kept; NULL without memory. */
const char *sonde_checks_keep(struct sonde_checks *checks, const char *text);

size_t sonde_checks_count(const struct sonde_checks *checks, enum sonde_check_state state);
/* The first kind of which one failed; SONDE_CHECK_KINDS: none did. */
enum sonde_check_kind sonde_checks_verdict(const struct sonde_checks *checks);

/* Each appends a whole file; the buffer's errors. The text says those that did not pass, and how
 * many did; JSON is one object, described in docs/ci.md. */
void sonde_checks_text(const struct sonde_checks *checks, struct sonde_buf *buf);
void sonde_checks_json(const struct sonde_checks *checks, struct sonde_buf *buf);
/* JUnit's XML, as CI servers read it. */
void sonde_checks_junit(const struct sonde_checks *checks, struct sonde_buf *buf);
/* For a comment on a change, or the summary of a job: GitHub's Markdown, as GitLab has it, too. */
void sonde_checks_markdown(const struct sonde_checks *checks, struct sonde_buf *buf);

#endif
