/* SPDX-License-Identifier: Apache-2.0 */
/* A load test as the store keeps it: what was said of it is on the disk before it is answered, and
 * is said again after a restart, in the same order and at the same times. */
#ifndef SONDE_STORE_LOAD_KEPT_H
#define SONDE_STORE_LOAD_KEPT_H

#include "db/loads.h"
#include "load/coordination_json.h"

/* What the database calls the kind of an event. Never changed, only added to. */
enum load_event_kind {
    LOAD_EVENT_READY = 1,
    LOAD_EVENT_INTERVAL,
    LOAD_EVENT_DONE,
    LOAD_EVENT_LOST,
    LOAD_EVENT_CANCEL,
    LOAD_EVENT_EXPIRE,
};

struct load_kept {
    char uid[SONDE_UUID_SIZE];
    char *document, *addresses; /* JSON */
    struct sonde_spec_documents documents;
    struct sonde_load_coordination *coordination;
    struct sonde_load_tally scratch;
    struct sonde_buf tally;
    struct sonde_load_label labels[SONDE_LOAD_LABELS_MAX];
    size_t event_bytes; /* since its state was kept */
    bool cancelled;     /* its run is to end */
    int64_t latest_us;  /* when the last of what is kept was said; 0: nobody knows */
};

/* Something that is said of a test; the body is that of its request. */
struct load_said {
    enum load_event_kind kind;
    unsigned runner;
    int64_t time_us;
    const cJSON *body;
    struct sonde_str text; /* of the body; empty: it is made of it */
};

/* What comes of it, as far as its kind has that. */
struct load_effect {
    bool changed; /* it has to be kept */
    struct sonde_load_answer_ready answer;
    bool stop;
    uint64_t expected;
    bool next;
    bool replaced, was_there; /* of LOST: another takes its place; it had been ready */
};

/* Whether a document is that of a load test on several runners that can be carried out; its
 * number of runners. The errors of sonde_spec_parse. */
int load_kept_check(const char *document, int64_t *ret_runners,
                    struct sonde_err *err) SONDE_MUST_CHECK;
/* Makes it of what is kept of a run. SONDE_ENOTFOUND: it is no load test; SONDE_EVERSION,
 * SONDE_EPARSE: that cannot be read; the errors of the database. The caller calls load_kept_free.
 */
int load_kept_open(struct sonde_db *db, const char *uid, struct load_kept **ret,
                   struct sonde_err *err) SONDE_MUST_CHECK;
void load_kept_free(struct load_kept *kept);

/* What is said of it takes its effect. The errors of the coordination; after SONDE_ENOMEM and
 * SONDE_EINTERNAL it must be opened anew. */
int load_kept_apply(struct load_kept *kept, const struct load_said *said, struct load_effect *ret,
                    struct sonde_err *err) SONDE_MUST_CHECK;
/* Keeps its state in place of all that was said. */
int load_kept_save(struct load_kept *kept, struct sonde_db *db,
                   struct sonde_err *err) SONDE_MUST_CHECK;

#endif
