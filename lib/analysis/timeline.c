/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/timeline.h"

#include <math.h>
#include <stdio.h>

#include "analysis/allocations.h"
#include "analysis/report.h"
#include "codec/json.h"

/* What was allocated of late is in use without being kept: the last sixth does not count. What is
 * kept is worth a word from 1 MB and a twentieth of the heap on. */
enum { LATE = SONDE_TIMELINE_STRETCHES / 6 };
#define KEPT_MIN 1e6
#define KEPT_SHARE 0.05
#define AMOUNT_MAX 1e15 /* bytes; beyond, nothing that V8 says */

/* Where a stretch begins; of the last one plus 1 the end. */
static double start_of(const struct sonde_timeline *t, int stretch)
{
    return t->milliseconds * stretch / (double)SONDE_TIMELINE_STRETCHES;
}

/* ---- reading ---- */

static double number(const cJSON *object, const char *name)
{
    double value = sonde_json_number_or(object, name, 0);
    return isfinite(value) && value > 0 ? fmin(value, AMOUNT_MAX) : 0;
}

static void add(struct sonde_timeline_amount *to, const struct sonde_timeline_amount *amount)
{
    to->objects = fmin(to->objects + amount->objects, AMOUNT_MAX);
    to->bytes = fmin(to->bytes + amount->bytes, AMOUNT_MAX);
    to->peak_bytes = fmin(to->peak_bytes + amount->peak_bytes, AMOUNT_MAX);
}

/* The first moment is what there was before. */
static void read_moments(const cJSON *moments, struct sonde_timeline *ret)
{
    const cJSON *moment;
    cJSON_ArrayForEach(moment, moments)
    {
        ret->milliseconds = fmax(ret->milliseconds, number(moment, "milliseconds"));
    }
    cJSON_ArrayForEach(moment, moments)
    {
        const struct sonde_timeline_amount amount = {
            .objects = number(moment, "objects"),
            .bytes = number(moment, "bytes"),
            .peak_bytes = fmax(number(moment, "peakBytes"), number(moment, "bytes")),
        };
        double part =
            ret->milliseconds > 0 ? number(moment, "milliseconds") / ret->milliseconds : 0;
        /* A moment is told by its end. */
        int stretch = (int)ceil(part * (double)SONDE_TIMELINE_STRETCHES) - 1;
        if (ret->moments++ == 0) {
            ret->before = amount;
        } else {
            add(&ret->since, &amount);
            add(&ret->stretches[stretch < 0 ? 0 : stretch], &amount);
        }
    }
}

/* ---- the finding ---- */

static void evidence(struct sonde_finding *finding, const char *name, double value,
                     const char *unit)
{
    finding->evidence[finding->evidence_count++] = (struct sonde_evidence){name, value, unit};
}

static void find(struct sonde_timeline *t)
{
    struct sonde_timeline_amount early = {0};
    struct sonde_finding *finding = &t->findings[t->finding_count++];
    char bytes[SONDE_BYTES_SIZE];
    for (int i = 0; i < SONDE_TIMELINE_STRETCHES - LATE; i++) {
        add(&early, &t->stretches[i]);
    }
    double whole = t->before.bytes + t->since.bytes;
    double share = whole > 0 ? early.bytes / whole : 0;
    bool kept = early.bytes >= KEPT_MIN && share >= KEPT_SHARE;
    *finding = (struct sonde_finding){.tool = "timeline",
                                      .kind = kept ? "growing-heap" : "healthy",
                                      .severity = kept ? (int)(25 + 50 * share) : 0,
                                      .confidence = 0.5};
    (void)snprintf(finding->title, sizeof(finding->title),
                   "%s of what was allocated in the first %.1f s is still in use at the end, %.0f "
                   "%% of the heap",
                   sonde_bytes_say((int64_t)early.bytes, bytes),
                   start_of(t, SONDE_TIMELINE_STRETCHES - LATE) / 1e3, 100 * share);
    (void)snprintf(finding->advice, sizeof(finding->advice), "%s",
                   kept
                       ? "If that goes on, memory grows without end: two heap snapshots, compared, "
                         "tell of which class it is and what holds it."
                       : "That is little. A leak that is slower can only be seen over hours.");
    evidence(finding, "kept", early.bytes, "bytes");
    evidence(finding, "keptObjects", early.objects, "count");
    evidence(finding, "heapShare", share, "share");
    evidence(finding, "duration", t->milliseconds / 1e3, "s");
}

int sonde_timeline_analyze(struct sonde_str text, struct sonde_timeline *ret, struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    *ret = (struct sonde_timeline){0};
    int r = sonde_json_parse_up_to(text, SONDE_TIMELINE_BYTES_MAX, &json, err);
    const cJSON *moments = cJSON_GetObjectItemCaseSensitive(json, "moments");
    if (r == 0 && !cJSON_IsArray(moments)) {
        r = sonde_fail(err, SONDE_EPARSE, 0, "no record of allocations: moments are missing");
    }
    if (r == 0) {
        read_moments(moments, ret);
        find(ret);
    }
    return r;
}

/* ---- the report ---- */

void sonde_timeline_text(const struct sonde_timeline *t, struct sonde_buf *buf)
{
    char before[SONDE_BYTES_SIZE];
    char since[SONDE_BYTES_SIZE];
    sonde_buf_printf(buf,
                     "allocations for %.1f s: %s of them in use at the end, beside %s from "
                     "before\n",
                     t->milliseconds / 1e3, sonde_bytes_say((int64_t)t->since.bytes, since),
                     sonde_bytes_say((int64_t)t->before.bytes, before));
    sonde_findings_text(t->findings, t->finding_count, "", buf);
    sonde_buf_text(buf, "\nby when it was allocated\n      from        to    in use   at most   "
                        "objects\n");
    for (int i = 0; i < SONDE_TIMELINE_STRETCHES; i++) {
        const struct sonde_timeline_amount *stretch = &t->stretches[i];
        sonde_buf_printf(buf, "  %6.1f s  %6.1f s  %8s  %8s  %8.0f\n", start_of(t, i) / 1e3,
                         start_of(t, i + 1) / 1e3, sonde_bytes_say((int64_t)stretch->bytes, since),
                         sonde_bytes_say((int64_t)stretch->peak_bytes, before), stretch->objects);
    }
}

static void put_amount(const struct sonde_timeline_amount *amount, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "\"objects\":%.0f,\"bytes\":%.0f,\"peakBytes\":%.0f}", amount->objects,
                     amount->bytes, amount->peak_bytes);
}

void sonde_timeline_json(const struct sonde_timeline *t, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, ",\"durationSeconds\":%.6g,\"moments\":%zu,\"findings\":[",
                     t->milliseconds / 1e3, t->moments);
    sonde_findings_json(t->findings, t->finding_count, buf);
    sonde_buf_text(buf, "],\"before\":{");
    put_amount(&t->before, buf);
    sonde_buf_text(buf, ",\"since\":{");
    put_amount(&t->since, buf);
    sonde_buf_text(buf, ",\"stretches\":[");
    for (int i = 0; i < SONDE_TIMELINE_STRETCHES; i++) {
        sonde_buf_printf(buf, "%s{\"startMilliseconds\":%.6g,\"endMilliseconds\":%.6g,",
                         i ? "," : "", start_of(t, i), start_of(t, i + 1));
        put_amount(&t->stretches[i], buf);
    }
    sonde_buf_char(buf, ']');
}
