/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/keep.h"

#include "base/clock.h"
#include "cli/check.h"
#include "cli/store.h"
#include "spec/artifact.h"
#include "spec/reason.h"

static const char capture[] = "load";

static void say_not_kept(struct sonde_err *err)
{
    (void)sonde_err_wrap(err, err->code, "the results are not kept (give --store, or --no-store)");
    (void)cli_say_error(err);
}

static int create_run(const struct cli_settings *settings, const char *url,
                      const struct sonde_spec_document *document, struct keep *keep,
                      struct sonde_err *err)
{
    SONDE_BUF_AUTO spec = SONDE_BUF(SONDE_DB_DOCUMENT_MAX);
    if (document) {
        sonde_spec_print_json(document, &spec);
    } else {
        sonde_buf_text(&spec, "{\"load\":{\"url\":");
        sonde_buf_json_string(&spec, sonde_str(url));
        sonde_buf_text(&spec, "}}");
    }
    int r = sonde_buf_check(&spec, "the run's document", err);
    sonde_random_uuid(keep->run.uid);
    keep->run.name = settings->name ? settings->name : capture;
    keep->run.namespace = "";
    keep->run.kind = "LoadTest";
    keep->run.spec = spec.data;
    keep->run.state = SONDE_RUN_RUNNING;
    keep->run.created_ns = sonde_clock_realtime();
    r = r < 0 ? r : sonde_db_run_create(keep->db, &keep->run, err);
    keep->run.spec = NULL;
    return r;
}

/* What is not kept cannot be held against anything. */
static int do_without(const struct cli_settings *settings, struct keep *keep, struct sonde_err *err)
{
    sonde_db_close(SONDE_TAKE(keep->db));
    if (check_is_wanted(settings)) {
        return sonde_err_wrap(err, err->code,
                              "--baseline and --budget need the results, which cannot be kept");
    }
    say_not_kept(err);
    return 0;
}

int keep_open(const struct cli_settings *settings, struct keep *ret, struct sonde_err *err)
{
    bool asked = settings->store || settings->name || check_is_wanted(settings);
    *ret = (struct keep){0};
    if (settings->load.no_store || (settings->load.autocannon && !asked)) {
        return 0;
    }
    return store_open(settings, &ret->db, err) < 0 ? do_without(settings, ret, err) : 0;
}

int keep_begin(const struct cli_settings *settings, const char *url,
               const struct sonde_spec_document *document, struct keep *keep, struct sonde_err *err)
{
    return keep->db && create_run(settings, url, document, keep, err) < 0
               ? do_without(settings, keep, err)
               : 0;
}

static int keep_result(const struct keep *keep, const struct sonde_load_result *result,
                       struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_RESULT_MAX);
    const struct sonde_artifact_type *type = sonde_artifact_type_find(SONDE_ARTIFACT_LOAD_RESULT);
    const struct sonde_artifact artifact = {
        .run_uid = keep->run.uid,
        .name = "load.0",
        .capture = capture,
        .type = type->name,
        .media_type = type->media_type,
        .data_class = type->data_class,
    };
    int r = sonde_load_result_write(result, &text, err);
    return r < 0 ? r : store_keep_artifact(keep->db, &artifact, sonde_buf_view(&text), err);
}

/* Or, when none is, that a search found no rate. */
static const char *first_broken(const struct sonde_load_result *result)
{
    for (size_t i = 0; i < result->verdict_count; i++) {
        if (!result->verdicts[i].keeps) {
            return result->verdicts[i].text;
        }
    }
    return result->search ? "no rate is known that keeps the thresholds" : "";
}

/* How it went. The message is borrowed from the result. */
static void judge(struct sonde_run *run, const struct sonde_load_result *result, bool cancelled)
{
    bool valid = result->validity.valid;
    if (cancelled) {
        run->state = SONDE_RUN_CANCELLED;
        run->reason = SONDE_REASON_CANCELLED;
        run->message = "it was interrupted before its time";
        return;
    }
    bool passes = sonde_load_result_passes(result);
    run->state = valid && passes ? SONDE_RUN_SUCCEEDED : SONDE_RUN_FAILED;
    run->reason = !valid    ? SONDE_REASON_INVALID
                  : !passes ? SONDE_REASON_THRESHOLD_BROKEN
                            : SONDE_REASON_COMPLETED;
    run->message = !valid ? result->validity.reason : !passes ? first_broken(result) : "";
}

static int complete_run(struct keep *keep, const char *url, struct sonde_err *err)
{
    SONDE_BUF_AUTO status = SONDE_BUF(SONDE_DB_DOCUMENT_MAX);
    sonde_buf_text(&status, "{\"target\":");
    sonde_buf_json_string(&status, sonde_str(url));
    sonde_buf_char(&status, '}');
    int r = sonde_buf_check(&status, "the run's status", err);
    keep->run.status = status.data;
    keep->run.completed_ns = sonde_clock_realtime();
    r = r < 0 ? r : sonde_db_run_update(keep->db, &keep->run, err);
    keep->run.status = NULL;
    return r;
}

void keep_end(struct keep *keep, const struct sonde_load_result *result, bool cancelled,
              const struct sonde_err *why)
{
    struct sonde_err err;
    if (!keep->db || !keep->run.uid[0]) {
        sonde_db_close(SONDE_TAKE(keep->db)); /* it was not begun */
        return;
    }
    if (result) {
        judge(&keep->run, result, cancelled);
    } else {
        keep->run.state = SONDE_RUN_FAILED;
        keep->run.reason = why->reason ? why->reason : SONDE_REASON_INTERNAL;
        keep->run.message = why->message;
    }
    int r = result ? keep_result(keep, result, &err) : 0;
    r = r < 0 ? r : complete_run(keep, result ? result->asked.url : "", &err);
    if (r < 0) {
        say_not_kept(&err);
    }
    sonde_db_close(SONDE_TAKE(keep->db));
}
