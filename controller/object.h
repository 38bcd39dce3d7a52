/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds that are carried out have in common: an object from when it is taken up until its
 * last status is written. A kind's own struct begins with struct object. */
#ifndef SONDE_CONTROLLER_OBJECT_H
#define SONDE_CONTROLLER_OBJECT_H

#include "controller/owned.h"
#include "kube/cache.h"
#include "kube/path.h"
#include "kube/reflector.h"
#include "spec/spec.h"

enum {
    OBJECT_KEY_SIZE = SONDE_KUBE_KEY_MAX + 1,
    OBJECT_UID_SIZE = 37,
    OBJECT_REASON_SIZE = 64,
    OBJECT_MESSAGE_SIZE = 1024,
    OBJECT_CONDITIONS = 5, /* of each kind; the first is Accepted, the last Succeeded */
    OBJECT_ACCEPTED = 0,
    OBJECT_SUCCEEDED = OBJECT_CONDITIONS - 1,
};

struct controller;
struct object;
struct sonde_kube_response;
struct store_answer;

/* Each kind has a cache, and keys of its own in the queue. */
enum kind {
    KIND_PROFILE_RUN,
    KIND_LOAD_TEST,
    KIND_PROFILE_SCHEDULE,
    KIND_LOAD_TEST_SCHEDULE,
    KIND_COUNT,
};

enum object_phase {
    OBJECT_BEGINNING,  /* it waits, or what it is about is not chosen yet */
    OBJECT_WORKING,    /* the store knows it, or will */
    OBJECT_CONCLUDING, /* the store is asked for the results */
    OBJECT_ENDING,     /* the last status is being written */
    OBJECT_OVER,
};

struct condition {
    char status; /* 'T', 'F', 'U' */
    char reason[OBJECT_REASON_SIZE];
    char message[OBJECT_MESSAGE_SIZE];
    int64_t since; /* ns since 1970 */
};

struct verdict {
    bool succeeded;
    char reason[OBJECT_REASON_SIZE];
    char message[OBJECT_MESSAGE_SIZE];
};

/* What a kind does in its own way. */
struct object_way {
    enum kind kind;
    const struct sonde_kube_resource *resource;
    size_t size; /* of its struct */
    const char *conditions[OBJECT_CONDITIONS];
    const char *done_word; /* "captured": what has been when only the store fails */

    /* The document is valid, and in object->documents: takes what it needs of it. */
    int (*read)(struct object *object, struct sonde_err *err);
    /* Frees what is its own. */
    void (*fini)(struct object *object);
    /* Appends its own members to a status, through status_put_*; takes them from one. */
    void (*put)(cJSON *status, const struct object *object);
    int (*take)(struct object *object, const cJSON *status, struct sonde_err *err);

    /* One step in OBJECT_BEGINNING and OBJECT_WORKING; called whenever something may be new. */
    void (*begin)(struct object *object);
    void (*work)(struct object *object);
    /* A request is under way by which the store may learn of it. */
    bool (*registers)(const struct object *object);
    /* What it says of its end, before the store has said anything. */
    void (*judge)(const struct object *object, struct verdict *ret);
    /* Nothing has reached the store: it is not waited for. */
    bool (*nothing_stored)(const struct object *object);
    /* Appends its own members (",…") to the conclusion. May be NULL. */
    void (*conclusion)(const struct object *object, struct sonde_buf *body);
    /* The store's answer is in object->results; the verdict may be another one now. May be NULL. */
    void (*concluded)(struct object *object, struct verdict *verdict);
    /* Its own conditions at the end; and in `note` what a success is worth in a line. */
    void (*finish)(struct object *object, const struct verdict *verdict,
                   char note[OBJECT_MESSAGE_SIZE]);
    /* One step after the end: false while there is something left to be put away. May be NULL. */
    bool (*leave)(struct object *object);

    /* The store tells how far it is. */
    void (*changed)(struct object *object, const cJSON *change);
    /* Whether a change of a pod may be news. */
    bool (*concerns)(const struct object *object, const struct sonde_kube_object *pod);
};

struct object {
    const struct object_way *way;
    struct controller *controller;
    struct object *next;
    char key[OBJECT_KEY_SIZE]; /* "namespace/name"; "~uid" when it is gone */
    char uid[OBJECT_UID_SIZE];
    const char *name; /* in key */
    char namespace[SONDE_KUBE_LABEL_MAX + 1];
    int64_t generation;
    int64_t created; /* ns since 1970 */
    struct sonde_spec_documents documents;
    bool valid;               /* the document is */
    char *document;           /* for the store: JSON, with all defaults */
    int64_t deadline_seconds; /* activeDeadlineSeconds */
    char requester[512];
    char schedule[SONDE_KUBE_NAME_MAX + 1]; /* see struct sonde_run */
    bool cancel;                            /* spec.cancel */
    bool paused;                            /* spec.paused */
    /* Of the object that it was taken up from; "" once a status of ours is written. Whoever leads
     * may have a cache that is behind: only if nobody wrote since does the first status hold. */
    char version[SONDE_KUBE_VERSION_SIZE];

    enum object_phase phase;
    int64_t started, completed; /* ns since 1970; 0: not yet */
    struct condition conditions[OBJECT_CONDITIONS];
    char target_word[320];                  /* "Deployment/patients" */
    char ending_reason[OBJECT_REASON_SIZE]; /* cancel or deadline: nothing more is begun; "" */
    char ending_message[OBJECT_MESSAGE_SIZE];
    int64_t ending_since; /* monotonic */
    bool cancel_sent;     /* to the store */
    bool busy;            /* a request for it is under way */
    bool gone;            /* the object was deleted: nothing is written any more */
    bool writing;         /* a status is being written */
    bool bare;            /* the whole one is refused: only times and Succeeded are written */
    int conclude_failures;
    int64_t conclude_since; /* monotonic */
    int pending;            /* requests that will still call back */
    cJSON *applied;         /* the status as it was last written or read */
    cJSON *results;         /* the store's answer to the conclusion */
};

/* ---- as they are cached ---- */

struct object_kept {
    struct owned *owned; /* first: owned_of. NULL: none of our kinds controls it */
    bool finished;
    int64_t completed_ns; /* since 1970 */
    int64_t ttl_ns;
    char *text; /* the object as JSON; NULL when it is finished */
};

int object_keep(void *context, const cJSON *object, void **ret, struct sonde_err *err);
void object_release(void *context, void *kept);

/* ---- object.c: its life in memory ---- */

struct object *object_find(struct controller *controller, enum kind kind, const char *key);
struct object *object_find_uid(struct controller *controller, const char *uid);
/* From an object of the cache; its status is taken up. SONDE_ENOMEM. A document that is not valid
 * leaves object->valid false and the reason in *ret_invalid. */
int object_new(struct controller *controller, const struct object_way *way,
               const struct sonde_kube_object *cached, struct object **ret,
               struct sonde_err *ret_invalid, struct sonde_err *err) SONDE_MUST_CHECK;
/* Takes what may change: cancel and paused. */
void object_refresh(struct object *object, const struct sonde_kube_object *cached);
/* Out of the list; freed when nothing calls back any more. */
void object_drop(struct object *object);
void object_hold(struct object *object);
void object_end_hold(struct object *object);
void object_set_condition(struct object *object, size_t type, char status, const char *reason,
                          const char *message);
void object_event(const struct object *object, bool warning, const char *reason, const char *action,
                  const char *note);
/* Whether another object, or a pod, is in its namespace. */
bool object_is_beside(const struct object *object, const struct sonde_kube_object *other);

/* What it is called: "ProfileRun". */
const char *object_word(const struct object *object);

/* ---- object_status.c ---- */

/* The status as it should be; NULL without memory. */
cJSON *object_status(const struct object *object);
/* Takes conditions, times and what is the kind's own from a status. SONDE_ENOMEM. */
int object_take_status(struct object *object, const cJSON *status,
                       struct sonde_err *err) SONDE_MUST_CHECK;

/* For a kind's own members. Texts that are empty and numbers below 1 are left out; a text that was
 * cut within a character ends before it. What finds no memory makes object_status fail. */
void status_put_text(cJSON *object, const char *name, const char *text);
void status_put_number(cJSON *object, const char *name, int64_t value);
void status_put_count(cJSON *object, const char *name, int64_t value); /* from 0 on */
void status_put_boolean(cJSON *object, const char *name, bool value);
cJSON *status_add_array(cJSON *object, const char *name);
cJSON *status_add_item(cJSON *list);
cJSON *status_add_object(cJSON *object, const char *name);
void status_must(bool made);
void status_take_text(const cJSON *object, const char *name, char *ret, size_t size);

/* ---- object_way.c: from what is to what should be ---- */

/* For a key of the queue. */
void object_reconcile(struct controller *controller, const struct object_way *way, const char *key);
void object_wake(const struct object *object, int64_t delay_ns);
void object_retry(const struct object *object);

/* A request of the API server for an object's sake; the context of `done` is the object. */
struct object_request {
    struct sonde_kube_target target;
    const char *method;       /* NULL: GET */
    const char *selector;     /* of labels; NULL: all */
    const char *content_type; /* NULL: JSON */
    struct sonde_str body;
    void (*done)(void *context, const struct sonde_kube_response *response,
                 const struct sonde_err *err);
};

/* The object is busy and held until `done`, which must end both. False: it could not be sent, and
 * the object is looked at again. */
bool object_ask(struct object *object, const struct object_request *request);
/* The same for a POST to the store. */
bool object_post(struct object *object, const char *path, const struct sonde_buf *body,
                 int64_t timeout_ns,
                 void (*done)(void *context, const struct store_answer *answer,
                              const struct sonde_err *err));

/* True when the API server has the status as it should be. */
bool object_write_status(struct object *object);
/* Nothing was begun: it ends here. */
void object_end_early(struct object *object, const char *reason, const char *message);
/* Nothing more is begun; the first such reason holds. */
void object_end_with(struct object *object, const char *reason, const char *message);
/* All is done that can be: the store is asked for the results. */
void object_conclude(struct object *object);
/* Another step at once. */
void object_step(struct object *object);
/* Begins the body of a registration at the store, up to and with "targets":[ */
void object_registration(const struct object *object, struct sonde_buf *body);
/* When it must be over: seconds since 1970. */
int64_t object_deadline(const struct object *object);

#endif
