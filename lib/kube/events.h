/* SPDX-License-Identifier: Apache-2.0 */
/* What `kubectl describe` shows: objects of events.k8s.io/v1, where what repeats becomes a series
 * (k8s.io/client-go, tools/events). Pure: it says what to write and is told what came of it. */
#ifndef SONDE_KUBE_EVENTS_H
#define SONDE_KUBE_EVENTS_H

#include "base/buf.h"
#include "kube/path.h"

enum {
    SONDE_KUBE_EVENT_NOTE_MAX = 1024,      /* bytes; a longer note is cut (API validation) */
    SONDE_KUBE_EVENT_WORD_MAX = 128,       /* bytes of a reason or action */
    SONDE_KUBE_EVENT_WINDOW_SECONDS = 360, /* a series ends this long after its last event */
    SONDE_KUBE_EVENT_PATCH_SECONDS = 60,   /* a series is written at most this often */
    SONDE_KUBE_EVENT_TRIES = 5,            /* of one write */
};

extern const struct sonde_kube_resource sonde_kube_event_resource;

/* What an event is about. Strings are borrowed for the call. */
struct sonde_kube_event {
    const char *api_version, *kind, *namespace, *name, *uid; /* of the object it regards */
    bool warning;                                            /* else normal */
    const char *reason;                                      /* "Attached" */
    const char *action;                                      /* "Attach": what was being done */
    const char *note;                                        /* for people */
};

struct sonde_kube_events;

/* A write to be carried out. Texts are valid until it is reported. */
struct sonde_kube_event_write {
    bool create; /* POST to the collection; else PATCH (merge) of the name */
    const char *namespace;
    const char *name;
    struct sonde_str body; /* JSON */
};

/* `controller` and `instance` are copied: reportingController ("sonde.dev/controller") and
 * reportingInstance (the pod's name). At most `maximum` series are known at a time. */
int sonde_kube_events_new(const char *controller, const char *instance, size_t maximum,
                          struct sonde_kube_events **ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_kube_events_free(struct sonde_kube_events *events);

/* Takes an event that happened at `realtime` (ns since 1970; `now` is the monotonic time). One
 * with the same object, type, reason and action as one of the last six minutes is counted.
 * SONDE_EINVALID for words that are missing or too long; SONDE_ELIMIT when all series are in use:
 * it is dropped, and counted as such; SONDE_ENOMEM. */
int sonde_kube_events_record(struct sonde_kube_events *events, const struct sonde_kube_event *event,
                             int64_t now, int64_t realtime, struct sonde_err *err) SONDE_MUST_CHECK;

/* The next write; false when there is none now, or one is under way, or its body found no memory
 * (it is tried again). */
bool sonde_kube_events_take(struct sonde_kube_events *events, int64_t now,
                            struct sonde_kube_event_write *ret);
/* What came of it: 0 or an error's code. Tried again unless that makes no sense. */
void sonde_kube_events_written(struct sonde_kube_events *events, int64_t now, int code);
/* When to call sonde_kube_events_take again: `now`, later, or INT64_MAX. */
int64_t sonde_kube_events_next(const struct sonde_kube_events *events, int64_t now);
/* Events that were never written. */
uint64_t sonde_kube_events_dropped(const struct sonde_kube_events *events);

#endif
