/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of objects, framed as they come: the lines of a watch and the items of a list. Never
 * more than one object is held, and one that is too large, too deep or of too many values is left
 * out: whoever may make an object must not be able to hide all others. No I/O. */
#ifndef SONDE_KUBE_WATCH_H
#define SONDE_KUBE_WATCH_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "codec/json_scan.h"
#include "kube/status.h"

enum {
    /* etcd takes objects of 1.5 MB; JSON of what it holds as protobuf may be longer. */
    SONDE_KUBE_OBJECT_MAX = 4 << 20,  /* bytes of one object or line */
    SONDE_KUBE_VERSION_SIZE = 64,     /* bytes of a resourceVersion with its NUL */
    SONDE_KUBE_CONTINUE_SIZE = 2048,  /* bytes of a list's continue token with its NUL */
    SONDE_KUBE_KEPT_BUFFER = 64 << 10 /* bytes a buffer keeps for the next object */
};

enum sonde_kube_event_type {
    SONDE_KUBE_ADDED,
    SONDE_KUBE_MODIFIED,
    SONDE_KUBE_DELETED,
    SONDE_KUBE_BOOKMARK, /* only resource_version is new */
    SONDE_KUBE_ERROR,    /* the object is a Status; the stream ends */
};

/* Valid during the callback only. */
struct sonde_kube_watch_event {
    enum sonde_kube_event_type type;
    const cJSON *object;
    const char *resource_version; /* opaque text, never a number; "" for an ERROR */
};

/* 0 to go on, or a negative code with *err filled, which ends the stream. */
typedef int (*sonde_kube_watch_callback)(void *context, const struct sonde_kube_watch_event *event,
                                         struct sonde_err *err);

/* One object was left out. */
typedef void (*sonde_kube_skip_callback)(void *context, const struct sonde_err *err);

struct sonde_kube_watch {
    struct sonde_buf line;
    sonde_kube_watch_callback callback;
    sonde_kube_skip_callback skipped; /* NULL: nobody is told; set after init */
    void *context;
    bool skips; /* the rest of this line */
    int failed; /* the code of the first failure */
};

/* Borrows context. The caller frees it with fini. */
void sonde_kube_watch_init(struct sonde_kube_watch *watch, sonde_kube_watch_callback callback,
                           void *context);
void sonde_kube_watch_fini(struct sonde_kube_watch *watch);

/* Takes the next bytes of a watch's answer ({"type":…,"object":…} and a line end, repeated), in
 * any split. SONDE_EPARSE for a line that is not JSON, SONDE_EPROTOCOL for one that is no watch
 * event (an unknown type, an object without resourceVersion), SONDE_ENOMEM, or what the callback
 * returned. Then all further calls fail. */
int sonde_kube_watch_feed(struct sonde_kube_watch *watch, const char *data, size_t length,
                          struct sonde_err *err) SONDE_MUST_CHECK;
/* The end of the answer: SONDE_ENETWORK when it comes within a line. */
int sonde_kube_watch_finish(struct sonde_kube_watch *watch, struct sonde_err *err) SONDE_MUST_CHECK;

/* One item of a list, valid during the callback only. */
typedef int (*sonde_kube_item_callback)(void *context, const cJSON *object, struct sonde_err *err);

/* A page of a list. */
struct sonde_kube_list {
    struct sonde_json_scanner scanner;
    struct sonde_buf item; /* the one being read */
    sonde_kube_item_callback callback;
    sonde_kube_skip_callback skipped; /* as in a watch */
    void *context;
    bool skips; /* the rest of this item */
    enum { SONDE_KUBE_IN_NOTHING, SONDE_KUBE_IN_METADATA, SONDE_KUBE_IN_ITEMS } place;
    enum {
        SONDE_KUBE_NO_KEY,
        SONDE_KUBE_KEY_METADATA,
        SONDE_KUBE_KEY_ITEMS,
        SONDE_KUBE_KEY_VERSION,
        SONDE_KUBE_KEY_CONTINUE,
        SONDE_KUBE_KEY_OTHER
    } key;
    bool has_items;
    uint64_t count;                                 /* items so far, with those left out */
    char resource_version[SONDE_KUBE_VERSION_SIZE]; /* metadata's; "" until it was read */
    char continue_token[SONDE_KUBE_CONTINUE_SIZE];  /* "" on the last page */
};

/* As for a watch. */
void sonde_kube_list_init(struct sonde_kube_list *list, sonde_kube_item_callback callback,
                          void *context);
void sonde_kube_list_fini(struct sonde_kube_list *list);
/* Takes the next bytes of a list's answer ({"metadata":…,"items":[…]}). Errors as for a watch, and
 * SONDE_ELIMIT for what is too large outside of the items. */
int sonde_kube_list_feed(struct sonde_kube_list *list, const char *data, size_t length,
                         struct sonde_err *err) SONDE_MUST_CHECK;
/* The end of the answer: SONDE_EPARSE when it is cut, SONDE_EPROTOCOL when it was no list (no
 * items, or no resourceVersion). */
int sonde_kube_list_finish(struct sonde_kube_list *list, struct sonde_err *err) SONDE_MUST_CHECK;

/* Copies metadata.resourceVersion of an object. SONDE_EPROTOCOL when there is none, or it is too
 * long or not printable. */
int sonde_kube_version_of(const cJSON *object, char ret[SONDE_KUBE_VERSION_SIZE],
                          struct sonde_err *err) SONDE_MUST_CHECK;

#endif
