/* SPDX-License-Identifier: Apache-2.0 */
#include "store/load_kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "load/tally_json.h"

enum { URL_MAX = 4096 };

/* ---- what is said ---- */

static int apply_ready(struct load_kept *kept, const struct load_said *said,
                       struct load_effect *ret, struct sonde_err *err)
{
    struct sonde_load_ready ready;
    int r = sonde_load_ready_read(said->body, kept->labels, &ready, err);
    ready.runner = said->runner;
    return r < 0 ? r
                 : sonde_load_coordination_ready(kept->coordination, &ready, said->time_us,
                                                 &ret->answer, &ret->changed, err);
}

static int apply_interval(struct load_kept *kept, const struct load_said *said,
                          struct load_effect *ret, struct sonde_err *err)
{
    struct sonde_load_sent sent;
    sonde_buf_clear(&kept->tally);
    int r = sonde_load_sent_read(said->body, sonde_load_coordination_labels(kept->coordination),
                                 &kept->scratch, &kept->tally, &sent, err);
    sent.runner = said->runner;
    return r < 0 ? r
                 : sonde_load_coordination_interval(kept->coordination, &sent, said->time_us,
                                                    &ret->stop, &ret->expected, &ret->changed, err);
}

static int apply_done(struct load_kept *kept, const struct load_said *said, struct load_effect *ret,
                      struct sonde_err *err)
{
    struct sonde_load_done done;
    int r = sonde_load_done_read(said->body, &done, err);
    done.runner = said->runner;
    return r < 0 ? r
                 : sonde_load_coordination_done(kept->coordination, &done, said->time_us,
                                                &ret->next, &ret->changed, err);
}

static int apply_lost(struct load_kept *kept, const struct load_said *said, struct load_effect *ret,
                      struct sonde_err *err)
{
    const struct sonde_load_lost lost = {
        .runner = said->runner,
        .final = sonde_json_true(said->body, "final"),
        .pod = sonde_json_string_or(said->body, "pod", ""),
        .reason = sonde_json_string_or(said->body, "reason", ""),
        .message = sonde_json_string_or(said->body, "message", ""),
    };
    ret->was_there = sonde_load_coordination_is_there(kept->coordination, said->runner);
    return sonde_load_coordination_lost(kept->coordination, &lost, said->time_us, &ret->replaced,
                                        &ret->changed, err);
}

int load_kept_apply(struct load_kept *kept, const struct load_said *said, struct load_effect *ret,
                    struct sonde_err *err)
{
    *ret = (struct load_effect){0};
    switch (said->kind) {
    case LOAD_EVENT_READY:
        return apply_ready(kept, said, ret, err);
    case LOAD_EVENT_INTERVAL:
        return apply_interval(kept, said, ret, err);
    case LOAD_EVENT_DONE:
        return apply_done(kept, said, ret, err);
    case LOAD_EVENT_LOST:
        return apply_lost(kept, said, ret, err);
    case LOAD_EVENT_CANCEL:
        return sonde_load_coordination_cancel(kept->coordination, said->time_us, &ret->changed,
                                              err);
    case LOAD_EVENT_EXPIRE:
        return sonde_load_coordination_expire(kept->coordination, said->time_us, &ret->changed,
                                              err);
    }
    return sonde_fail(err, SONDE_EVERSION, 0, "a newer version of the store has kept the test");
}

/* ---- what is kept ---- */

static void put_url(const struct sonde_load_target *target, const char *namespace,
                    struct sonde_buf *buf)
{
    const struct sonde_service_target *service = target->service;
    if (service) {
        sonde_buf_printf(buf, "%s://%s.%s:%lld",
                         service->scheme == SONDE_SCHEME_HTTPS ? "https" : "http", service->name,
                         namespace, (long long)service->port);
    } else {
        sonde_buf_text(buf, target->url);
    }
}

static int parse(const char *document, struct sonde_spec_documents *ret,
                 const struct sonde_spec_document **ret_one, struct sonde_err *err)
{
    int r = sonde_spec_parse("document", sonde_str(document), ret, err);
    if (r == 0 && (ret->count != 1 || ret->items[0].kind != &sonde_kind_load_test)) {
        r = sonde_fail(err, SONDE_EINVALID, 0, "the document is not one LoadTest");
    }
    *ret_one = &ret->items[0];
    return r;
}

int load_kept_check(const char *document, int64_t *ret_runners, struct sonde_err *err)
{
    struct sonde_spec_documents *documents = calloc(1, sizeof(*documents));
    const struct sonde_spec_document *one;
    if (!documents) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
    }
    int r = parse(document, documents, &one, err);
    *ret_runners = r < 0 ? 0 : one->load_test->parallelism;
    sonde_spec_documents_fini(documents);
    free(documents);
    return r;
}

/* What another version has taken, and this one refuses, cannot be read. */
static int unreadable(const struct load_kept *kept, int r, struct sonde_err *err)
{
    if (r == 0 || r == SONDE_ENOMEM || r == SONDE_EVERSION) {
        return r;
    }
    (void)sonde_err_wrap(err, r, "what is kept of run %s", kept->uid);
    err->code = SONDE_EPARSE;
    err->reason = NULL;
    return SONDE_EPARSE;
}

static int make_coordination(struct load_kept *kept, const struct sonde_load_row *row,
                             struct sonde_err *err)
{
    const struct sonde_spec_document *one;
    SONDE_BUF_AUTO url = SONDE_BUF(URL_MAX);
    int r = parse(kept->document, &kept->documents, &one, err);
    if (r < 0) {
        return r;
    }
    put_url(one->load_test->target, one->metadata.namespace, &url);
    const struct sonde_load_coordination_options options = {
        .test = one->load_test,
        .title = one->metadata.name ? one->metadata.name : "",
        .url = url.data ? url.data : "",
        .seed = (uint64_t)row->seed,
        .now_us = row->begun_us,
    };
    r = sonde_buf_check(&url, "the target", err);
    r = r < 0 ? r : sonde_load_coordination_new(&options, &kept->coordination, err);
    return r < 0 || row->state.length == 0
               ? r
               : sonde_load_coordination_restore(kept->coordination, row->state, err);
}

static int take_row(void *context, const struct sonde_load_row *row, struct sonde_err *err)
{
    struct load_kept *kept = context;
    kept->addresses = strdup(row->addresses);
    return kept->addresses ? unreadable(kept, make_coordination(kept, row, err), err)
                           : sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
}

static int take_document(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct load_kept *kept = context;
    kept->cancelled = run->cancelled;
    kept->document = strdup(run->spec);
    return kept->document ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
}

static int repeat(void *context, const struct sonde_load_event *event, struct sonde_err *err)
{
    struct load_kept *kept = context;
    SONDE_JSON_AUTO *body = NULL;
    struct load_effect effect;
    int r = sonde_json_parse(event->body, &body, err);
    const struct load_said said = {.kind = (enum load_event_kind)event->kind,
                                   .runner = event->runner,
                                   .time_us = event->time_us,
                                   .body = body};
    r = r < 0 ? r : load_kept_apply(kept, &said, &effect, err);
    kept->event_bytes += event->body.length;
    kept->latest_us = event->time_us > kept->latest_us ? event->time_us : kept->latest_us;
    return unreadable(kept, r, err);
}

/* Its state and what came since belong together, whoever writes meanwhile. */
static int read_kept(struct load_kept *kept, struct sonde_db *db, struct sonde_err *err)
{
    int r = sonde_db_read_begin(db, err);
    if (r < 0) {
        return r;
    }
    r = sonde_db_run_get(db, kept->uid, take_document, kept, err);
    r = r < 0 ? r : sonde_db_load_get(db, kept->uid, take_row, kept, err);
    r = r < 0 ? r : sonde_db_load_events(db, kept->uid, repeat, kept, err);
    return sonde_db_read_end(db, r, err);
}

int load_kept_open(struct sonde_db *db, const char *uid, struct load_kept **ret,
                   struct sonde_err *err)
{
    struct load_kept *kept = calloc(1, sizeof(*kept));
    if (!kept) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
    }
    kept->tally = SONDE_BUF(SONDE_LOAD_TALLY_MAX);
    (void)snprintf(kept->uid, sizeof(kept->uid), "%s", uid);
    int r = sonde_load_tally_init(&kept->scratch, err);
    r = r < 0 ? r : read_kept(kept, db, err);
    if (r < 0) {
        load_kept_free(kept);
        return r;
    }
    *ret = kept;
    return 0;
}

void load_kept_free(struct load_kept *kept)
{
    if (kept) {
        sonde_load_coordination_free(kept->coordination);
        sonde_spec_documents_fini(&kept->documents);
        sonde_load_tally_fini(&kept->scratch);
        sonde_buf_fini(&kept->tally);
        free(kept->document);
        free(kept->addresses);
        free(kept);
    }
}

int load_kept_save(struct load_kept *kept, struct sonde_db *db, struct sonde_err *err)
{
    SONDE_BUF_AUTO state = SONDE_BUF(SONDE_DB_LOAD_STATE_MAX);
    int r = sonde_load_coordination_save(kept->coordination, &state, err);
    r = r < 0 ? r : sonde_db_load_save(db, kept->uid, sonde_buf_view(&state), err);
    kept->event_bytes = r < 0 ? kept->event_bytes : 0;
    return r;
}
