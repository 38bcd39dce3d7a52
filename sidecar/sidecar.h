/* SPDX-License-Identifier: Apache-2.0 */
/* The sidecar: what its parts share. It talks to the inspector and to the store, to nothing else.
 */
#ifndef SONDE_SIDECAR_SIDECAR_H
#define SONDE_SIDECAR_SIDECAR_H

#include "base/log.h"
#include "inspector/inspector.h"
#include "inspector/process.h"
#include "spec/spec.h"
#include "uplink/uplink.h"

enum {
    SIDECAR_PROCESSES_MAX = 64,           /* visited in one run */
    SIDECAR_ARTIFACT_MAX = 16 << 20,      /* bytes of one artifact */
    SIDECAR_WAITING_BYTES_MAX = 24 << 20, /* bytes of artifacts that are not committed yet */
    SIDECAR_NAME_MAX = 300,
    SIDECAR_PROCESS_MAX = 21,      /* "4711-w1" */
    SIDECAR_PATIENCE_DEFAULT = 30, /* seconds */
    SIDECAR_PATIENCE_MAX = 300,
};

/* ---- settings.c: from the environment ---- */

struct settings {
    struct sonde_uplink uplink;
    int64_t patience_ns; /* how long the store may fail to answer once it has answered */
    int64_t liveness_ns; /* the container's liveness probe forgives it so long a silence; 0: any */
    struct sonde_spec_documents documents;
    const struct sonde_profile_run *spec;
};

/* Reads SONDE_… of the environment; the token is wiped there. SONDE_EINVALID names what is wrong.
 * The caller calls settings_fini in any case. */
int settings_read(struct settings *ret, bool look, struct sonde_err *err) SONDE_MUST_CHECK;
void settings_fini(struct settings *settings);

/* ---- choose.c: which processes ---- */

/* Keeps those of the list that the spec means, the oldest first. SONDE_ENOTFOUND TargetNotFound,
 * SONDE_EINVALID TargetAmbiguous with the candidates. */
int choose_processes(struct sonde_process_list *list, const struct sonde_profile_target *target,
                     struct sonde_err *err) SONDE_MUST_CHECK;

/* ---- store.c: the store's API ---- */

struct store;

struct store_options {
    struct sonde_loop *loop;
    const struct settings *settings;
    const struct sonde_log *log;
    void *context;
    /* The run is to end: a person wants it so, or the store does not answer any more. */
    void (*cancelled)(void *context);
    void (*failed)(void *context, const struct sonde_err *err);
    /* Nothing waits any more. */
    void (*idle)(void *context);
    /* What is streamed had no room, and has it again. */
    void (*resume)(void *context);
};

int store_new(const struct store_options *options, struct store **ret,
              struct sonde_err *err) SONDE_MUST_CHECK;
void store_free(struct store *store);
/* Says that we live and how far we are: once now, then each 2 s. The first answer is told by
 * `idle`, or by `failed` when none comes within 15 s. */
void store_beat(struct store *store, const char *phase);
/* Queues an artifact; takes over the buffer. SONDE_ELIMIT when too much waits. */
int store_put(struct store *store, const char *name, const char *capture,
              const struct sonde_artifact_type *type, const char *process, struct sonde_buf *body,
              struct sonde_err *err) SONDE_MUST_CHECK;
/* Begins an artifact that is sent while it is captured, one at a time and after those that wait. It
 * cannot be tried again: a failure is told by store_write or store_commit. */
int store_open(struct store *store, const char *name, const char *capture,
               const struct sonde_artifact_type *type, const char *process,
               struct sonde_err *err) SONDE_MUST_CHECK;
int store_write(struct store *store, const char *data, size_t length,
                struct sonde_err *err) SONDE_MUST_CHECK;
/* Whether it has no room: nothing is to be written before `resume`. */
bool store_full(const struct store *store);
int store_commit(struct store *store, struct sonde_err *err) SONDE_MUST_CHECK;
void store_abort(struct store *store);
/* The last word; `idle` or `failed` follows. No beats are sent any more. */
void store_done(struct store *store, struct sonde_str result);
bool store_busy(const struct store *store);
/* The store has answered at least once. */
bool store_connected(const struct store *store);

/* ---- result.c ---- */

struct result {
    const char *state; /* "Succeeded", "Failed", "Cancelled" */
    const char *reason;
    char message[SONDE_ERR_MESSAGE_MAX];
    struct sonde_buf processes; /* JSON objects, with commas between */
    struct sonde_buf short_processes;
    size_t artifacts;
    uint64_t bytes;
};

void result_init(struct result *result);
void result_fini(struct result *result);
void result_add(struct result *result, const struct sonde_visit_result *visit);
/* Appends it whole, for the store. */
void result_print(const struct result *result, struct sonde_buf *buf);
/* Appends it in at most SONDE_UPLINK_MESSAGE_MAX bytes: what does not fit is left out. */
void result_print_short(const struct result *result, struct sonde_buf *buf);

#endif
