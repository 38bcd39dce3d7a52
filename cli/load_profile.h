/* SPDX-License-Identifier: Apache-2.0 */
/* A profile of the process that is loaded, taken meanwhile: `sonde profile` as a process of its
 * own, so that its work is neither in our threads nor in our CPU time. */
#ifndef SONDE_CLI_LOAD_PROFILE_H
#define SONDE_CLI_LOAD_PROFILE_H

#include <sys/types.h>

#include "base/random.h"
#include "cli/load_run.h"
#include "load/result.h"

/* What came of it. Texts are cut to their size. */
struct load_profile_outcome {
    char uid[SONDE_UUID_SIZE]; /* of its run; "": there is none */
    int64_t from_ns, to_ns;    /* from the start of the load: when it began and was over */
    char title[160];           /* of its first finding; "": it has none */
    char where[256];           /* … its place: "hotLoop service.js:48"; "": it has none */
    char failure[256];         /* why there is no profile; "": there is */
};

struct load_profile {
    const struct cli_settings *settings; /* NULL: none is wanted */
    struct sonde_str document;           /* a ProfileRun that says what is taken; NULL: settings */
    const char *type;                    /* of what is taken first */
    int64_t wanted_ns, delay_ns;         /* how long it takes; 0: when the load is steady */
    char port[8];                        /* of the server that is loaded */
    pid_t child;                         /* 0: not started, or over */
    int in, out, messages;               /* what it reads and prints: memory files */
    bool started;
    struct load_profile_outcome outcome;
    struct sonde_load_profiled told; /* of the outcome */
};

#define LOAD_PROFILE_NONE ((struct load_profile){.in = -1, .out = -1, .messages = -1})

/* Takes what --profile of the settings wants, or the order's document; they must outlive it. It is
 * LOAD_PROFILE_NONE before. SONDE_EINVALID for a type that there is not, SONDE_ENOMEM. */
int load_profile_plan(struct load_profile *profile, const struct cli_settings *settings,
                      const struct load_order *order, uint16_t port, struct sonde_arena *arena,
                      struct sonde_err *err) SONDE_MUST_CHECK;
/* Starts it when it is time for it, by what the load's intervals show, and sees whether it is over.
 * now_ns is from the start of the load, which takes so many seconds (0: that is not known): a
 * capture ends one before. What goes wrong is said in the outcome. */
void load_profile_tend(struct load_profile *profile, int64_t now_ns, int64_t seconds,
                       const struct sonde_load_intervals *intervals);
/* Waits for its end, for a minute at most, and gives the result (which borrows from the profile)
 * what came of it. Of a load that was stopped it takes what it has by now. */
void load_profile_end(struct load_profile *profile, struct sonde_load_result *result);

/* Reads what `sonde profile --output json` printed into the outcome. SONDE_EPARSE. */
int load_profile_read(struct sonde_str text, struct load_profile_outcome *outcome,
                      struct sonde_err *err) SONDE_MUST_CHECK;

#endif
