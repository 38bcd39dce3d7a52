/* SPDX-License-Identifier: Apache-2.0 */
/* A ProfileRun or a LoadTest in a cluster is followed until it has ended. */
#ifndef SONDE_CLI_FOLLOW_H
#define SONDE_CLI_FOLLOW_H

#include "cli/cluster.h"
#include "spec/kinds.h"

enum { FOLLOW_CONDITIONS_MAX = 8, FOLLOW_WORD_SIZE = 64, FOLLOW_UID_SIZE = 64 };

/* Zeroed at first, but for what stands above the line. Texts are borrowed. */
struct following {
    struct cluster *cluster;
    const struct sonde_kind *kind;
    const char *namespace, *name, *uid;
    /* Says a line, without a line feed; NULL: on stderr. */
    void (*say)(void *context, const char *line);
    void *context;
    int64_t timeout_ns; /* how long it is waited for; 0: until it is over */

    struct sonde_kube_resource resource;
    struct sonde_kube_informer *informer;
    struct sonde_kube_request *request; /* for one that the list does not have */
    struct sonde_timer *timer;
    struct sonde_signal *signals[2];
    char seen[FOLLOW_CONDITIONS_MAX][FOLLOW_WORD_SIZE]; /* "True Completed": what was said last */
    bool found;
    bool silent; /* the API server does not answer: it was said */
    bool over;   /* one of the following is true */
    bool ended, gone, interrupted, timed_out;
    struct sonde_err failure; /* it may not be seen; code 0: it may */
    bool succeeded;
    char reason[FOLLOW_WORD_SIZE];
    char message[SONDE_ERR_MESSAGE_MAX];
};

/* Follows it from now on, while the cluster's loop runs: what becomes of its conditions is said.
 * When it is over, the loop is stopped, and so is a request that is waited for. The caller calls
 * follow_end in any case. */
int follow_begin(struct following *following, struct sonde_err *err) SONDE_MUST_CHECK;
void follow_end(struct following *following);
/* All of it: until it is over. SONDE_EDENIED when we may not see it. */
int follow(struct following *following, struct sonde_err *err) SONDE_MUST_CHECK;
/* Whether it was left before its end, by a signal or for taking too long: it goes on. */
bool follow_was_left(const struct following *following);

/* Says on stderr why it is over, unless all went well, and gives the exit code: that of its
 * verdict. */
int follow_say_end(const struct following *following);

#endif
