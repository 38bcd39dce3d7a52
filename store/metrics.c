/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for Prometheus (its text format 0.0.4), and whether the service is well. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "store/service.h"

static const struct {
    const char *name, *help;
    size_t offset;
} counters[] = {
    {"sonde_store_uploads_total", "Artifacts committed.", offsetof(struct metrics, uploads)},
    {"sonde_store_upload_bytes_total", "Bytes of the artifacts committed.",
     offsetof(struct metrics, upload_bytes)},
    {"sonde_store_uploads_refused_total", "Artifacts refused.",
     offsetof(struct metrics, refused_uploads)},
    {"sonde_store_runs_created_total", "Runs registered.", offsetof(struct metrics, runs_created)},
    {"sonde_store_runs_concluded_total", "Conclusions asked for.",
     offsetof(struct metrics, runs_concluded)},
    {"sonde_store_runs_removed_total", "Runs deleted by people, by age and by size.",
     offsetof(struct metrics, removed)},
    {"sonde_store_downloads_total", "Reports, exports and artifacts handed out.",
     offsetof(struct metrics, downloads)},
    {"sonde_store_reviews_total", "Questions to the API server about callers.",
     offsetof(struct metrics, reviews)},
    {"sonde_store_denied_total", "Requests of callers who may not.",
     offsetof(struct metrics, denied)},
};

/* Bytes of memory that are resident; 0 when that cannot be told. */
static int64_t resident_bytes(void)
{
    SONDE_BUF_AUTO text = SONDE_BUF(8192);
    if (sonde_read_file(AT_FDCWD, "/proc/self/status", &text, NULL) < 0) {
        return 0;
    }
    const char *line = strstr(text.data, "VmRSS:");
    struct sonde_str rest = line ? sonde_str_trim(sonde_str(line + 6)) : (struct sonde_str){0};
    int64_t kib = 0;
    return sonde_parse_i64(sonde_str_split(&rest, ' '), 0, INT64_MAX / 1024, &kib) == 0 ? kib * 1024
                                                                                        : 0;
}

void metrics_answer(struct call *call)
{
    const struct service *service = call->service;
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 10);
    for (size_t i = 0; i < SONDE_LENGTH(counters); i++) {
        uint64_t value = 0;
        memcpy(&value, (const char *)&service->metrics + counters[i].offset, sizeof(value));
        sonde_buf_printf(&text, "# HELP %s %s\n# TYPE %s counter\n%s %llu\n", counters[i].name,
                         counters[i].help, counters[i].name, counters[i].name,
                         (unsigned long long)value);
    }
    sonde_buf_text(&text, "# HELP sonde_store_answers_total Answers by class of status.\n"
                          "# TYPE sonde_store_answers_total counter\n");
    for (unsigned class = 2; class < SONDE_LENGTH(service->metrics.answers); class ++) {
        sonde_buf_printf(&text, "sonde_store_answers_total{class=\"%uxx\"} %llu\n", class,
                         (unsigned long long)service->metrics.answers[class]);
    }
    sonde_buf_printf(&text,
                     "# HELP sonde_store_jobs Analyses waiting and under way.\n"
                     "# TYPE sonde_store_jobs gauge\nsonde_store_jobs %zu\n"
                     "# HELP process_resident_memory_bytes Resident memory.\n"
                     "# TYPE process_resident_memory_bytes gauge\n"
                     "process_resident_memory_bytes %lld\n",
                     jobs_busy(service->jobs), (long long)resident_bytes());
    sonde_exchange_answer(call->exchange, 200, "text/plain; version=0.0.4; charset=utf-8",
                          sonde_buf_view(&text));
}

void health_answer(struct call *call)
{
    sonde_exchange_answer(call->exchange, 200, "text/plain", SONDE_STR("ok\n"));
}

static int any(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)context;
    (void)run;
    (void)err;
    return 0;
}

void ready_answer(struct call *call)
{
    struct sonde_err err;
    if (call->service->stopping) {
        call_fail(call, 503, "Stopping", "the store is being stopped");
    } else if (sonde_db_runs(call->service->db, NULL, 1, any, NULL, &err) < 0) {
        call_fail_by(call, &err);
    } else {
        sonde_exchange_answer(call->exchange, 200, "text/plain", SONDE_STR("ok\n"));
    }
}
