/* SPDX-License-Identifier: Apache-2.0 */
/* A scenario under way: what each thread and each connection has of it. Pure: the time is given. */
#ifndef SONDE_LOAD_SESSION_H
#define SONDE_LOAD_SESSION_H

#include "load/cookies.h"
#include "load/scenario.h"

/* What a thread has. */
struct sonde_load_player {
    const struct sonde_load_scenario *scenario;
    struct sonde_load_draw *draws; /* one of each drawing */
    uint64_t *rows;                /* that were drawn last */
    uint64_t random;
    size_t turn; /* the next step, in turn */
    struct sonde_load_matcher *matcher;
};

/* `part` of `parts` of all threads that play the scenario, for values that are used in turn.
 * SONDE_ENOMEM. The caller calls sonde_load_player_fini in any case. */
int sonde_load_player_init(struct sonde_load_player *player,
                           const struct sonde_load_scenario *scenario, uint64_t part,
                           uint64_t parts, uint64_t seed, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_load_player_fini(struct sonde_load_player *player);

enum { SONDE_LOAD_NUMBER_SIZE = 24 }; /* of a range, with its NUL */

/* What a connection has; or a thread, where the scenario needs no sessions. */
struct sonde_load_session {
    const struct sonde_load_scenario *scenario;
    struct sonde_str *values;                /* of all variables: for templates */
    char (*numbers)[SONDE_LOAD_NUMBER_SIZE]; /* of ranges */
    struct sonde_buf *texts;                 /* of variables that were set */
    bool *is_set;                            /* … whether they were */
    struct sonde_buf path;                   /* of the request under way, where it matters */
    struct sonde_cookie_jar jar;
    size_t position; /* in a sequence */
};

/* SONDE_ENOMEM. The caller calls sonde_load_session_fini in any case. */
int sonde_load_session_init(struct sonde_load_session *session,
                            const struct sonde_load_scenario *scenario,
                            struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_load_session_fini(struct sonde_load_session *session);

/* The step that is sent next, with its values drawn. A sequence begins each pass without cookies
 * and without what answers have set. now: seconds since 1970, for cookies. */
size_t sonde_load_session_next(struct sonde_load_session *session, struct sonde_load_player *player,
                               int64_t now);

/* A field of the answer: cookies are kept. What has no memory is left out. */
void sonde_load_session_field(struct sonde_load_session *session, struct sonde_str name,
                              struct sonde_str value, int64_t now);

/* What came of an answer. */
enum {
    SONDE_LOAD_WRONG = 1,    /* it is not as expected: has failed, as far as thresholds go */
    SONDE_LOAD_MISMATCH = 2, /* … and the scenario said how it had to be */
    SONDE_LOAD_AGAIN = 4,    /* a sequence cannot go on, and begins anew */
};

/* Takes the whole answer of a step: sets variables, goes on. answer: NULL where the step does not
 * look at fields or bodies. Returns bits of the above. */
unsigned sonde_load_session_take(struct sonde_load_session *session,
                                 struct sonde_load_player *player, size_t step,
                                 const struct sonde_load_answer *answer, int status);
/* There is no answer: a sequence begins anew. Returns bits of the above. */
unsigned sonde_load_session_fail(struct sonde_load_session *session);

#endif
