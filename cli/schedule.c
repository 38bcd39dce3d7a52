/* SPDX-License-Identifier: Apache-2.0 */
/* When the schedules of a file fire: nothing is asked but the clock and the time zones. */
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/document.h"
#include "kube/time.h"
#include "schedule/firing.h"

enum { COUNT_MAX = 1000, TIME_SIZE = 32, MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };

const struct sonde_option cli_schedule_options[] = {
    {"count", SONDE_OPTION_NUMBER, offsetof(struct cli_settings, count), .argument = "N", .min = 1,
     .max = COUNT_MAX, .help = "how many times (default: 10)"},
    {"from", SONDE_OPTION_STRING, offsetof(struct cli_settings, from), .argument = "TIME",
     .help = "those after this time, as in 2026-10-24T00:00:00Z (default: now)"},
    {0},
};

/* One schedule, and where its times begin. */
struct firings {
    const struct sonde_spec_document *document;
    const struct sonde_schedule *spec;
    struct sonde_cron cron;
    struct sonde_zone zone;
    int64_t count, from_s;
};

static const struct sonde_schedule *schedule_of(const struct sonde_spec_document *document)
{
    return document->kind == &sonde_kind_profile_schedule ? &document->profile_schedule->common
           : document->kind == &sonde_kind_load_test_schedule
               ? &document->load_test_schedule->common
               : NULL;
}

/* "2026-10-25T01:30:00+01:00"; without an offset Z. */
static void format_time(int64_t utc_s, int32_t offset_s, bool is_utc, char ret[TIME_SIZE])
{
    int64_t local_s = utc_s + offset_s;
    int64_t days = sonde_day_of(local_s);
    int64_t rest = local_s - days * DAY_S;
    int64_t year;
    int month;
    int day;
    char zone[8] = "Z";
    sonde_date_of(days, &year, &month, &day);
    if (!is_utc) {
        int away = (offset_s < 0 ? -offset_s : offset_s) / MINUTE_S;
        (void)snprintf(zone, sizeof(zone), "%c%02d:%02d", offset_s < 0 ? '-' : '+', away / 60 % 100,
                       away % 60);
    }
    (void)snprintf(ret, TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d%s", (int)year % 10000, month, day,
                   (int)(rest / HOUR_S) % 24, (int)(rest / MINUTE_S % 60), (int)(rest % 60), zone);
}

static void print_text(const struct firings *firings, struct sonde_buf *text)
{
    int64_t at = firings->from_s;
    sonde_buf_printf(text, "%s%s %s: %s (%s)\n", text->length ? "\n" : "",
                     firings->document->kind->name, firings->document->metadata.name,
                     firings->spec->schedule, firings->spec->time_zone);
    for (int64_t i = 0; i < firings->count; i++) {
        char local[TIME_SIZE];
        char utc[TIME_SIZE];
        at = sonde_firing_after(&firings->cron, &firings->zone, at);
        if (at == INT64_MAX) {
            sonde_buf_text(text, i ? "  never again\n" : "  never\n");
            break;
        }
        format_time(at, sonde_zone_stretch_at(&firings->zone, at).offset_s, false, local);
        format_time(at, 0, true, utc);
        sonde_buf_printf(text, "  %s  %s\n", local, utc);
    }
    if (firings->spec->jitter_seconds) {
        sonde_buf_printf(text, "each is put off by up to %lld s\n",
                         (long long)firings->spec->jitter_seconds);
    }
    if (firings->spec->suspend) {
        sonde_buf_text(text, "it is suspended: none of them fires\n");
    }
}

static void put_member(struct sonde_buf *text, const char *name, const char *value)
{
    sonde_buf_printf(text, "\"%s\":", name);
    sonde_buf_json_string(text, sonde_str(value));
    sonde_buf_char(text, ',');
}

static void print_json(const struct firings *firings, struct sonde_buf *text)
{
    int64_t at = firings->from_s;
    sonde_buf_text(text, text->length ? ",\n{" : "[{");
    put_member(text, "kind", firings->document->kind->name);
    put_member(text, "namespace", firings->document->metadata.namespace);
    put_member(text, "name", firings->document->metadata.name);
    put_member(text, "schedule", firings->spec->schedule);
    put_member(text, "timeZone", firings->spec->time_zone);
    sonde_buf_printf(text, "\"suspend\":%s,\"jitterSeconds\":%lld,\"firings\":[",
                     firings->spec->suspend ? "true" : "false",
                     (long long)firings->spec->jitter_seconds);
    for (int64_t i = 0; i < firings->count; i++) {
        char utc[TIME_SIZE];
        at = sonde_firing_after(&firings->cron, &firings->zone, at);
        if (at == INT64_MAX) {
            break;
        }
        format_time(at, 0, true, utc);
        sonde_buf_printf(text, "%s\"%s\"", i ? "," : "", utc);
    }
    sonde_buf_text(text, "]}");
}

static int print(const struct cli_call *call, const struct sonde_spec_document *document,
                 int64_t from_s, struct sonde_buf *text, struct sonde_err *err)
{
    struct firings firings = {.document = document,
                              .spec = schedule_of(document),
                              .count = call->settings.count,
                              .from_s = from_s};
    int r = sonde_cron_parse(sonde_str(firings.spec->schedule), &firings.cron, err);
    r = r < 0 ? r : sonde_zone_read(firings.spec->time_zone, &firings.zone, err);
    if (r == 0 && call->settings.output == CLI_OUTPUT_JSON) {
        print_json(&firings, text);
    } else if (r == 0) {
        print_text(&firings, text);
    }
    sonde_zone_fini(&firings.zone);
    return r;
}

static int print_all(const struct cli_call *call, const struct sonde_spec_documents *documents,
                     struct sonde_buf *text, struct sonde_err *err)
{
    int64_t from_ns = sonde_clock_realtime();
    const char *from = call->settings.from;
    if (from && sonde_kube_time_parse(sonde_str(from), &from_ns) < 0) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "--from %.100s: a time is written as 2026-10-24T00:00:00Z", from);
    }
    for (size_t i = 0; i < documents->count; i++) {
        int r = schedule_of(&documents->items[i])
                    ? print(call, &documents->items[i], from_ns / SONDE_SECOND, text, err)
                    : 0;
        if (r < 0) {
            return r;
        }
    }
    if (text->length == 0) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "%.200s has no ProfileSchedule and no LoadTestSchedule",
                          call->arguments.positional[0]);
    }
    sonde_buf_text(text, call->settings.output == CLI_OUTPUT_JSON ? "]\n" : "");
    return sonde_buf_check(text, "the times", err);
}

int cli_schedule(struct cli_call *call)
{
    struct sonde_err err;
    struct sonde_spec_documents documents;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    int code = document_read(call->arguments.positional[0], &documents);
    if (code == SONDE_EXIT_DONE) {
        code = print_all(call, &documents, &text, &err) < 0
                   ? cli_say_error(&err)
                   : cli_write_output(&call->settings, &text);
    }
    sonde_spec_documents_fini(&documents);
    return code;
}
