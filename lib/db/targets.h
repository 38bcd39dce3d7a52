/* SPDX-License-Identifier: Apache-2.0 */
/* What a store that is a service keeps of a run beside its row: the targets that send to it, and
 * the tokens by which they may. */
#ifndef SONDE_DB_TARGETS_H
#define SONDE_DB_TARGETS_H

#include "db/db.h"

enum {
    SONDE_TARGET_NAME_MAX = 253,        /* bytes: a pod's name */
    SONDE_TARGET_TOKENS_MAX = 8,        /* of a target */
    SONDE_TARGET_RESULT_MAX = 64 << 10, /* bytes of a result */
    SONDE_INSTANCE_MAX = 64,            /* bytes */
};

/* Far enough to be worth a word; a target never goes back. */
enum sonde_target_phase {
    SONDE_TARGET_EXPECTED,
    SONDE_TARGET_CONNECTED,
    SONDE_TARGET_CAPTURING,
    SONDE_TARGET_DONE,
    SONDE_TARGET_LOST, /* never kept: it may speak again */
};

/* "Expected", "Connected" … */
const char *sonde_target_phase_name(enum sonde_target_phase phase);

struct sonde_target {
    const char *run_uid;
    const char *name;
    enum sonde_target_phase phase;
    const char *result;               /* JSON; "" before it is done */
    const char *namespace, *run_name; /* of the run; only read */
};

/* Lets who has the token (its SHA-256, in hexadecimal) send as that target of the run until
 * `expires` (seconds since 1970), and adds the target when it is new. The same token again changes
 * nothing. SONDE_ENOTFOUND: no such run; SONDE_ECONFLICT: the run or the target has ended;
 * SONDE_ELIMIT: more than SONDE_TARGET_TOKENS_MAX. */
int sonde_db_token_add(struct sonde_db *db, const struct sonde_target *target, const char *sha256,
                       int64_t expires, struct sonde_err *err) SONDE_MUST_CHECK;

/* Checks a token at its use. The first use binds it to the instance. SONDE_EDENIED with a reason:
 * TokenUnknown (also of another run or target), TokenExpired, TokenSpent, TokenUsed (by another
 * instance, or one that is to come). */
int sonde_db_token_use(struct sonde_db *db, const struct sonde_target *target, const char *sha256,
                       const char *instance, int64_t now, struct sonde_err *err) SONDE_MUST_CHECK;

/* Lets go of the instance that the tokens of a target are bound to: the next one may use them.
 * `refuse`: but not that one, should it still live. */
int sonde_db_token_release(struct sonde_db *db, const struct sonde_target *target, bool refuse,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* The phase becomes that of *target unless it is there or further already: then 1. With
 * SONDE_TARGET_DONE the result is kept and the target's tokens are spent. SONDE_ENOTFOUND. */
int sonde_db_target_reach(struct sonde_db *db, const struct sonde_target *target,
                          struct sonde_err *err) SONDE_MUST_CHECK;

typedef int (*sonde_target_callback)(void *context, const struct sonde_target *target,
                                     struct sonde_err *err);
/* Those of a run, by name. */
int sonde_db_targets(struct sonde_db *db, const char *run_uid, sonde_target_callback callback,
                     void *context, struct sonde_err *err) SONDE_MUST_CHECK;
/* Those of all runs that have not ended and whose uid comes after `after` (""), by uid and name.
 * The callback ends the call by 1, too. */
int sonde_db_targets_live(struct sonde_db *db, const char *after, sonde_target_callback callback,
                          void *context, struct sonde_err *err) SONDE_MUST_CHECK;
/* Calls back with one target of a run. SONDE_ENOTFOUND. */
int sonde_db_target_get(struct sonde_db *db, const char *run_uid, const char *name,
                        sonde_target_callback callback, void *context,
                        struct sonde_err *err) SONDE_MUST_CHECK;

/* Notes that a run is to be cancelled: sonde_run.cancelled. SONDE_ENOTFOUND. */
int sonde_db_run_cancel(struct sonde_db *db, const char *uid,
                        struct sonde_err *err) SONDE_MUST_CHECK;

#endif
