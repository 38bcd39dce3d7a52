/* SPDX-License-Identifier: Apache-2.0 */
/* List, then watch, for ever: decides what to ask the API server next. The rules are those of
 * k8s.io/client-go, tools/cache/reflector.go. A state machine without I/O: the shell carries out
 * what sonde_kube_reflector_step says, and reports what came of it. */
#ifndef SONDE_KUBE_REFLECTOR_H
#define SONDE_KUBE_REFLECTOR_H

#include "kube/backoff.h"
#include "kube/watch.h"

enum {
    SONDE_KUBE_PAGE = 500,               /* items of a page that are asked for */
    SONDE_KUBE_WATCH_SECONDS_MIN = 300,  /* a watch is asked to last a random time … */
    SONDE_KUBE_WATCH_SECONDS_MAX = 600,  /* … so that many do not end together */
    SONDE_KUBE_WATCH_GRACE_SECONDS = 30, /* it has ended by itself this long after that */
    SONDE_KUBE_LIST_SECONDS = 60,        /* a page takes at most this long */
    /* Bookmarks come about once a minute: a watch that is silent for longer is dead. */
    SONDE_KUBE_SILENCE_SECONDS = 150,
};

enum sonde_kube_action {
    SONDE_KUBE_WAIT,  /* nothing until `at`, or until something under way is reported */
    SONDE_KUBE_LIST,  /* ask for a page */
    SONDE_KUBE_WATCH, /* begin a watch */
};

/* What to do. Texts are valid until the next call. */
struct sonde_kube_step {
    enum sonde_kube_action action;
    int64_t at;                   /* WAIT: come back then; INT64_MAX: only after a report */
    bool first_page;              /* LIST: a new list begins, what came before is void */
    unsigned limit;               /* LIST: 0: without a limit */
    const char *continue_token;   /* LIST: NULL: none */
    const char *resource_version; /* LIST: NULL: the latest; "0": any; else not older than this.
                                     WATCH: from there on */
    unsigned timeout_seconds;     /* of the request; of a WATCH: to be asked for */
};

struct sonde_kube_reflector {
    enum {
        SONDE_KUBE_TO_LIST,
        SONDE_KUBE_LISTING,
        SONDE_KUBE_TO_WATCH,
        SONDE_KUBE_WATCHING,
    } state;
    bool synced;                           /* a list was complete at least once */
    bool stale_version;                    /* the server has no such version: list the latest */
    bool no_limit;                         /* a continue token expired: list in one piece */
    char version[SONDE_KUBE_VERSION_SIZE]; /* the last seen; "" before the first */
    char page_version[SONDE_KUBE_VERSION_SIZE]; /* of the list under way */
    char continue_token[SONDE_KUBE_CONTINUE_SIZE];
    struct sonde_kube_backoff backoff;
    int64_t not_before; /* of the next request */
    int64_t started;    /* the watch */
    int64_t listed;     /* when the last list was complete */
    uint64_t events;    /* of the watch under way */
    uint64_t random;
    uint64_t lists, watches; /* begun so far, for metrics */
};

/* `seed` makes timeouts and jitter random. Waits 0.8 s after the first failure, then twice as long
 * each time, at most 30 s, plus up to as much again; after two quiet minutes it begins anew. */
void sonde_kube_reflector_init(struct sonde_kube_reflector *reflector, uint64_t seed);

/* The next thing to do at monotonic time `now` (ns). A LIST or WATCH is under way from then on,
 * until it is reported as ended. */
struct sonde_kube_step sonde_kube_reflector_step(struct sonde_kube_reflector *reflector,
                                                 int64_t now);

/* A page came whole. Returns true when it was the last of its list: what was not in the list is
 * gone. */
bool sonde_kube_reflector_page(struct sonde_kube_reflector *reflector, int64_t now,
                               const struct sonde_kube_list *page);
/* A watch event came whose resource_version is this (of a bookmark too, not of an ERROR). */
void sonde_kube_reflector_event(struct sonde_kube_reflector *reflector,
                                const char *resource_version);
/* The list or watch under way ended: with code 0 as a watch ends when its time is over, else with
 * an error of sonde_kube_status_fail (also from an ERROR event) or of the connection. status may
 * be NULL. */
void sonde_kube_reflector_ended(struct sonde_kube_reflector *reflector, int64_t now, int code,
                                const struct sonde_kube_status *status);

#endif
