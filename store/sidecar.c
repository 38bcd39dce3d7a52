/* SPDX-License-Identifier: Apache-2.0 */
/* What sidecars send: artifacts in two steps, signs of life, and their last word. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "results/results.h"
#include "store/result.h"
#include "store/service.h"

enum { OPEN_MAX = 256, OPEN_OF_TARGET_MAX = 16 };
#define UNCOMMITTED_NS (120 * SONDE_SECOND) /* sent, and not committed for so long: removed */

/* One artifact between its first byte and its commit. */
struct upload {
    struct upload *next, **at;
    char uid[SONDE_UUID_SIZE];
    char target[SONDE_TARGET_NAME_MAX + 1];
    char name[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    struct sonde_artifact_writer *writer;
    int64_t bytes;       /* that have arrived */
    int64_t room;        /* bytes that the run may have beside what is committed */
    struct call *sender; /* NULL: all of it is here */
    int64_t since;       /* monotonic: then it was complete */
};

struct uploads {
    struct service *service;
    struct upload *first;
    struct sonde_timer *sweep;
};

static void free_upload(struct upload *upload)
{
    sonde_artifact_abort(upload->writer);
    *upload->at = upload->next;
    if (upload->next) {
        upload->next->at = upload->at;
    }
    free(upload);
}

static void sweep(void *context)
{
    struct uploads *uploads = context;
    int64_t now = sonde_clock_monotonic();
    for (struct upload *upload = uploads->first, *next; upload; upload = next) {
        next = upload->next;
        if (!upload->sender && now - upload->since > UNCOMMITTED_NS) {
            free_upload(upload);
        }
    }
}

int uploads_new(struct service *service, struct uploads **ret, struct sonde_err *err)
{
    struct uploads *uploads = calloc(1, sizeof(*uploads));
    if (!uploads) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    uploads->service = service;
    int r = sonde_timer_new(service->loop, sweep, uploads, &uploads->sweep, err);
    if (r < 0) {
        free(uploads);
        return r;
    }
    sonde_timer_start(uploads->sweep, UNCOMMITTED_NS, UNCOMMITTED_NS);
    *ret = uploads;
    return 0;
}

void uploads_free(struct uploads *uploads)
{
    if (uploads) {
        while (uploads->first) {
            free_upload(uploads->first);
        }
        sonde_timer_free(uploads->sweep);
        free(uploads);
    }
}

static struct upload *find(struct call *call, const char *name)
{
    for (struct upload *upload = call->service->uploads->first; upload; upload = upload->next) {
        if (strcmp(upload->uid, call->uid) == 0 && strcmp(upload->target, call->target) == 0 &&
            strcmp(upload->name, name) == 0) {
            return upload;
        }
    }
    return NULL;
}

/* A load test's runner has the same kind of token, but sends no artifacts. True: it was refused. */
static bool refuse_runner(struct call *call)
{
    struct sonde_err err;
    bool is_load = false;
    if (sonde_db_run_get(call->service->db, call->uid, runs_read_kind, &is_load, &err) < 0) {
        call_fail_by(call, &err);
        return true;
    }
    if (is_load) {
        call->service->metrics.denied++;
        call_fail(call, 403, "Denied", "the token is that of a load test's runner");
    }
    return is_load;
}

/* ---- PUT ---- */

struct room {
    int64_t used, allowed;
    bool ended;
};

static int add_used(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    (void)err;
    ((struct room *)context)->used += artifact->bytes;
    return 0;
}

static int read_allowed(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct room *room = context;
    SONDE_JSON_AUTO *document = NULL;
    int r = sonde_json_parse(sonde_str(run->spec), &document, err);
    room->ended = run->state >= SONDE_RUN_SUCCEEDED;
    room->allowed = sonde_json_integer_or(cJSON_GetObjectItemCaseSensitive(document, "spec"),
                                          "maxBytes", SONDE_DB_ARTIFACT_MAX);
    return r;
}

/* The bytes that the run may have beside what is committed. */
static int find_room(struct call *call, int64_t *ret, struct sonde_err *err)
{
    struct room room = {0};
    struct sonde_db *db = call->service->db;
    int r = sonde_db_run_get(db, call->uid, read_allowed, &room, err);
    r = r < 0 ? r : sonde_db_artifacts(db, call->uid, add_used, &room, err);
    if (r == 0 && room.ended) {
        return sonde_fail(err, SONDE_ECONFLICT, 0, "the run has ended");
    }
    *ret = room.allowed - room.used;
    return r;
}

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

static bool consists_of(const char *text, const char *characters, size_t maximum)
{
    size_t length = text ? strlen(text) : 0;
    return length > 0 && length <= maximum && strspn(text, characters) == length;
}

static bool is_name(const char *text, size_t maximum)
{
    return consists_of(text, NAME_CHARACTERS, maximum);
}

/* Reads what the head says of the artifact; false after a refusal. Texts are the exchange's. */
static bool describe(struct call *call, struct sonde_artifact *ret)
{
    *ret = (struct sonde_artifact){
        .run_uid = call->uid,
        .name = sonde_exchange_parameter(call->exchange, "name"),
        .capture = sonde_exchange_header(call->exchange, "Sonde-Capture"),
        .type = sonde_exchange_header(call->exchange, "Sonde-Type"),
        .media_type = sonde_exchange_header(call->exchange, "Content-Type"),
    };
    const struct sonde_artifact_type *type = sonde_artifact_type_find(ret->type);
    size_t prefix = strlen(call->target);
    if (!is_name(ret->name, SONDE_DB_ARTIFACT_NAME_MAX) ||
        strncmp(ret->name, call->target, prefix) != 0 || ret->name[prefix] != '.') {
        call_fail(call, 400, "Invalid", "an artifact's name begins with its target: POD.PID.…");
        return false;
    }
    if (!is_name(ret->capture, 63) || !type ||
        !consists_of(ret->media_type, NAME_CHARACTERS "/;=+ ", 128)) {
        call_fail(call, 400, "Invalid",
                  "give Sonde-Capture, a Sonde-Type that this version knows, and Content-Type");
        return false;
    }
    ret->data_class = type->data_class;
    return true;
}

static bool has_place(struct call *call)
{
    size_t all = 0;
    size_t own = 0;
    for (struct upload *upload = call->service->uploads->first; upload; upload = upload->next) {
        all++;
        own += strcmp(upload->uid, call->uid) == 0 && strcmp(upload->target, call->target) == 0;
    }
    if (all >= OPEN_MAX || own >= OPEN_OF_TARGET_MAX) {
        call_fail(call, 503, "Busy", "too many artifacts are being sent: commit some, then go on");
        return false;
    }
    return true;
}

/* A sidecar sends an artifact again because its connection died, which is noticed here a minute
 * later, or because its commit was never answered. Only one process has the token: the newer
 * attempt is the one that counts. */
static void send_anew(struct upload *before)
{
    if (before->sender) {
        before->sender->upload = NULL;
        call_fail(before->sender, 409, "Conflict", "the artifact is being sent anew");
    }
    free_upload(before);
}

void upload_begin(struct call *call)
{
    struct sonde_err err;
    struct sonde_artifact artifact;
    struct uploads *uploads = call->service->uploads;
    char process[SONDE_TARGET_NAME_MAX + 32];
    int64_t room = 0;
    if (refuse_runner(call) || !describe(call, &artifact)) {
        return;
    }
    struct upload *before = find(call, artifact.name);
    if (before) {
        send_anew(before);
    }
    if (!has_place(call)) {
        return;
    }
    const char *pid = sonde_exchange_header(call->exchange, "Sonde-Process");
    (void)snprintf(process, sizeof(process), "%s/%.20s", call->target, is_name(pid, 20) ? pid : "");
    artifact.process = process;
    struct upload *upload = calloc(1, sizeof(*upload));
    int r = upload ? find_room(call, &room, &err)
                   : sonde_fail(&err, SONDE_ENOMEM, 0, "the store is out of memory");
    r = r < 0 ? r : sonde_artifact_begin(call->service->db, &artifact, &upload->writer, &err);
    if (r < 0) {
        free(upload);
        call->service->metrics.refused_uploads++;
        call_fail_by(call, &err);
        return;
    }
    upload->room = room;
    (void)snprintf(upload->uid, sizeof(upload->uid), "%s", call->uid);
    (void)snprintf(upload->target, sizeof(upload->target), "%s", call->target);
    (void)snprintf(upload->name, sizeof(upload->name), "%s", artifact.name);
    upload->next = uploads->first;
    upload->at = &uploads->first;
    if (upload->next) {
        upload->next->at = &upload->next;
    }
    uploads->first = upload;
    upload->sender = call;
    call->upload = upload;
}

/* Of all artifacts of its run that are not committed yet. */
static int64_t uncommitted(const struct uploads *uploads, const char *uid)
{
    int64_t bytes = 0;
    for (const struct upload *upload = uploads->first; upload; upload = upload->next) {
        bytes += strcmp(upload->uid, uid) == 0 ? upload->bytes : 0;
    }
    return bytes;
}

void upload_data(struct call *call, const char *data, size_t length)
{
    struct sonde_err err;
    struct upload *upload = call->upload;
    upload->bytes += (int64_t)length;
    int r =
        uncommitted(call->service->uploads, upload->uid) > upload->room
            ? sonde_fail(&err, SONDE_ELIMIT, 0, "the run's artifacts are larger than spec.maxBytes")
            : sonde_artifact_write(upload->writer, data, length, &err);
    if (r < 0) {
        call->service->metrics.refused_uploads++;
        call->upload = NULL;
        free_upload(upload);
        call_fail_by(call, &err);
    }
}

void upload_end(struct call *call)
{
    struct sonde_err err;
    struct sonde_artifact sealed;
    struct upload *upload = call->upload;
    call->upload = NULL;
    if (sonde_artifact_seal(upload->writer, &sealed, &err) < 0) {
        free_upload(upload);
        call_fail_by(call, &err);
        return;
    }
    upload->sender = NULL;
    upload->since = sonde_clock_monotonic();
    char text[160];
    (void)snprintf(text, sizeof(text), "{\"bytes\":%lld,\"sha256\":\"%s\"}\n",
                   (long long)sealed.bytes, sealed.sha256);
    call_answer(call, 202, sonde_str(text));
}

/* The peer has gone in the middle. */
void upload_closed(struct call *call)
{
    free_upload(SONDE_TAKE(call->upload));
}

/* ---- commit ---- */

static void answer_id(struct call *call, const char *name)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1024);
    sonde_buf_printf(&text, "{\"id\":\"%s.%s\"}\n", call->uid, name);
    call_answer(call, 201, sonde_buf_view(&text));
}

struct wanted {
    const char *name, *sha256;
    int64_t bytes;
    bool found;
};

static int compare_artifact(void *context, const struct sonde_artifact *artifact,
                            struct sonde_err *err)
{
    (void)err;
    struct wanted *wanted = context;
    wanted->found = wanted->found || (strcmp(artifact->name, wanted->name) == 0 &&
                                      strcmp(artifact->sha256, wanted->sha256) == 0 &&
                                      artifact->bytes == wanted->bytes);
    return 0;
}

/* A commit whose answer was lost comes again. */
static void commit_again(struct call *call, const struct wanted *asked)
{
    struct sonde_err err;
    struct wanted wanted = *asked;
    if (sonde_db_artifacts(call->service->db, call->uid, compare_artifact, &wanted, &err) < 0) {
        call_fail_by(call, &err);
    } else if (wanted.found) {
        answer_id(call, wanted.name);
    } else {
        call_fail(call, 404, "NotFound", "no such artifact was sent: send it, then commit it");
    }
}

/* What is committed from now on is no room for the others of its run any more. */
static void take_room(struct uploads *uploads, const char *uid, int64_t bytes)
{
    for (struct upload *upload = uploads->first; upload; upload = upload->next) {
        upload->room -= strcmp(upload->uid, uid) == 0 ? bytes : 0;
    }
}

static void commit(struct call *call, struct upload *upload, const struct wanted *wanted)
{
    struct sonde_err err;
    struct sonde_artifact sealed;
    struct metrics *metrics = &call->service->metrics;
    int r = sonde_artifact_seal(upload->writer, &sealed, &err);
    if (r == 0 && (sealed.bytes != wanted->bytes || strcmp(sealed.sha256, wanted->sha256) != 0)) {
        r = sonde_fail_reason(&err, SONDE_ECONFLICT, "Mismatch",
                              "%lld bytes with SHA-256 %.64s have arrived: send it again",
                              (long long)sealed.bytes, sealed.sha256);
    }
    if (r == 0) {
        r = sonde_artifact_commit(SONDE_TAKE(upload->writer), &err);
    }
    free_upload(upload);
    if (r < 0) {
        metrics->refused_uploads++;
        call_fail_by(call, &err);
        return;
    }
    take_room(call->service->uploads, call->uid, wanted->bytes);
    metrics->uploads++;
    metrics->upload_bytes += (uint64_t)wanted->bytes;
    answer_id(call, wanted->name);
}

void sidecar_commit(struct call *call)
{
    struct sonde_err err;
    SONDE_JSON_AUTO *json = call_json(call);
    struct wanted wanted = {.name = sonde_exchange_parameter(call->exchange, "name")};
    if (!json || refuse_runner(call)) {
        return;
    }
    if (sonde_json_integer(json, "bytes", &wanted.bytes, &err) < 0 ||
        sonde_json_string(json, "sha256", &wanted.sha256, &err) < 0) {
        call_fail_by(call, &err);
        return;
    }
    struct upload *upload = find(call, wanted.name);
    if (!upload) {
        commit_again(call, &wanted);
    } else if (upload->sender) {
        call_fail(call, 409, "Conflict", "the artifact is still being sent");
    } else {
        commit(call, upload, &wanted);
    }
}

/* ---- signs of life ---- */

static int read_cancelled(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    *(bool *)context = run->cancelled || run->state >= SONDE_RUN_SUCCEEDED;
    return 0;
}

/* Notes how far the target is, and tells the controller when that is news. */
static int reach(struct call *call, enum sonde_target_phase phase, const char *result,
                 struct sonde_err *err)
{
    struct sonde_target target = {
        .run_uid = call->uid, .name = call->target, .phase = phase, .result = result};
    int r = sonde_db_target_reach(call->service->db, &target, err);
    if (r == 0) {
        changes_add(call->service, call->uid, call->target, phase);
    }
    return r < 0 ? r : 0;
}

void sidecar_heartbeat(struct call *call)
{
    struct sonde_err err;
    SONDE_JSON_AUTO *json = call_json(call);
    if (!json || refuse_runner(call)) {
        return;
    }
    const char *word = sonde_json_string_or(json, "phase", "");
    bool capturing = strcmp(word, "Capturing") == 0 || strcmp(word, "Leaving") == 0;
    bool cancelled = false;
    int r = reach(call, capturing ? SONDE_TARGET_CAPTURING : SONDE_TARGET_CONNECTED, "", &err);
    r = r < 0 ? r
              : sonde_db_run_get(call->service->db, call->uid, read_cancelled, &cancelled, &err);
    if (r < 0) {
        call_fail_by(call, &err);
        return;
    }
    call_answer(call, 200,
                cancelled ? SONDE_STR("{\"cancel\":true}\n") : SONDE_STR("{\"cancel\":false}\n"));
}

void sidecar_done(struct call *call)
{
    struct sonde_err err;
    SONDE_JSON_AUTO *json = call_json(call);
    if (!json) {
        return;
    }
    char *result = result_keep(json);
    int r = result ? loads_failed(call->service->loads, call->uid, call->target, json, &err)
                   : sonde_fail(&err, SONDE_ENOMEM, 0, "the store is out of memory");
    /* Last: with this its token is spent, and it could not say it again. */
    r = r < 0 ? r : reach(call, SONDE_TARGET_DONE, result, &err);
    cJSON_free(result);
    if (r < 0) {
        call_fail_by(call, &err);
        return;
    }
    silence_forget(call->service->silence, call->uid, call->target);
    for (struct upload *upload = call->service->uploads->first, *next; upload; upload = next) {
        next = upload->next;
        if (!upload->sender && strcmp(upload->uid, call->uid) == 0 &&
            strcmp(upload->target, call->target) == 0) {
            free_upload(upload); /* never to be committed */
        }
    }
    call_answer(call, 200, SONDE_STR("{}\n"));
}
