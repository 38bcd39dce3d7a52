/* SPDX-License-Identifier: Apache-2.0 */
#include "load/profiled.h"

#include "analysis/cell.h"
#include "base/clock.h"
#include "load/duration.h"

static double seconds_of(int64_t ns)
{
    return (double)ns / (double)SONDE_SECOND;
}

bool sonde_load_profiled_is_due(int64_t now_ns, int64_t left_ns, int64_t wanted_ns,
                                enum sonde_load_steadiness state)
{
    enum {
        FIRST_SECONDS = 3,
        PATIENCE_SECONDS = 60,
        AROUND_SECONDS = 3, /* attaching, and the analysis */
    };
    bool last_chance = left_ns <= wanted_ns + AROUND_SECONDS * SONDE_SECOND;
    bool long_enough = left_ns == INT64_MAX && now_ns >= PATIENCE_SECONDS * SONDE_SECOND;
    return now_ns >= FIRST_SECONDS * SONDE_SECOND &&
           (state == SONDE_LOAD_STEADY || last_chance || long_enough);
}

/* An interval that the capture begins or ends in belongs to neither. */
static int part(const struct sonde_load_profiled *p, const struct sonde_load_intervals *intervals,
                struct sonde_histogram *one, struct sonde_histogram parts[2], struct sonde_err *err)
{
    int r = 0;
    for (size_t i = 0; i < intervals->count && r == 0; i++) {
        int64_t begin_ns = sonde_load_intervals_begin(intervals, i);
        int64_t end_ns = intervals->items[i].end_ns;
        bool with = begin_ns >= p->from_ns && end_ns <= p->to_ns;
        bool without = end_ns <= p->from_ns || begin_ns >= p->to_ns;
        if (with || without) {
            r = sonde_load_intervals_response(intervals, i, one, err);
            r = r < 0 ? r : sonde_histogram_add(&parts[without], one, err);
        }
    }
    return r;
}

int sonde_load_profiled_measure(struct sonde_load_profiled *profile,
                                const struct sonde_load_intervals *intervals, struct sonde_err *err)
{
    struct sonde_histogram one = {0};
    struct sonde_histogram parts[2] = {0};
    const struct sonde_histogram_layout *layout = &intervals->scratch.layout;
    int r = sonde_histogram_init(&one, layout, err);
    for (size_t i = 0; i < SONDE_LENGTH(parts) && r == 0; i++) {
        r = sonde_histogram_init(&parts[i], layout, err);
    }
    r = r < 0 ? r : part(profile, intervals, &one, parts, err);
    if (r == 0 && parts[0].total && parts[1].total) {
        profile->p50_with_us = sonde_histogram_quantile(&parts[0], 0.5);
        profile->p50_without_us = sonde_histogram_quantile(&parts[1], 0.5);
        profile->p99_with_us = sonde_histogram_quantile(&parts[0], 0.99);
        profile->p99_without_us = sonde_histogram_quantile(&parts[1], 0.99);
    }
    sonde_histogram_fini(&one);
    sonde_histogram_fini(&parts[0]);
    sonde_histogram_fini(&parts[1]);
    return r;
}

/* What the capture cost. */
static void put_times(const struct sonde_load_profiled *p, struct sonde_buf *buf)
{
    char times[4][SONDE_LOAD_DURATION_SIZE];
    if (p->p99_without_us) {
        sonde_buf_printf(buf,
                         "  response in its seconds, and in the others: 50 %% %s and %s, 99 %% %s "
                         "and %s\n",
                         sonde_load_duration(p->p50_with_us, times[0]),
                         sonde_load_duration(p->p50_without_us, times[1]),
                         sonde_load_duration(p->p99_with_us, times[2]),
                         sonde_load_duration(p->p99_without_us, times[3]));
    }
}

void sonde_load_profiled_text(const struct sonde_load_profiled *profiles, size_t count,
                              struct sonde_buf *buf)
{
    enum { UID_SHOWN = 8 };
    for (size_t i = 0; i < count; i++) {
        const struct sonde_load_profiled *p = &profiles[i];
        sonde_cell_clean(buf, sonde_str(p->type));
        sonde_buf_printf(buf, " meanwhile, %.0f s to %.0f s: ", seconds_of(p->from_ns),
                         seconds_of(p->to_ns));
        if (p->failure) {
            sonde_buf_text(buf, "no profile: ");
            sonde_cell_clean(buf, sonde_str(p->failure));
        } else {
            sonde_cell_clean(buf, sonde_str(p->title ? p->title : "nothing stands out"));
            sonde_buf_text(buf, p->where ? ", " : "");
            sonde_cell_clean(buf, sonde_str(p->where));
            struct sonde_str run = sonde_str(p->run);
            run.length = run.length < UID_SHOWN ? run.length : UID_SHOWN;
            sonde_buf_text(buf, " (sonde report ");
            sonde_cell_clean(buf, run);
            sonde_buf_char(buf, ')');
        }
        sonde_buf_char(buf, '\n');
        put_times(p, buf);
    }
}

static void put_text(const char *name, const char *text, struct sonde_buf *buf)
{
    if (text) {
        sonde_buf_printf(buf, ",\"%s\":", name);
        sonde_buf_json_string(buf, sonde_str(text));
    }
}

void sonde_load_profiled_json(const struct sonde_load_profiled *profiles, size_t count,
                              struct sonde_buf *buf)
{
    sonde_buf_char(buf, '[');
    for (size_t i = 0; i < count; i++) {
        const struct sonde_load_profiled *p = &profiles[i];
        sonde_buf_printf(buf, "%s{\"fromNanoseconds\":%lld,\"toNanoseconds\":%lld", i ? "," : "",
                         (long long)p->from_ns, (long long)p->to_ns);
        put_text("type", p->type, buf);
        put_text("run", p->run, buf);
        put_text("title", p->title, buf);
        put_text("where", p->where, buf);
        put_text("failure", p->failure, buf);
        if (p->p99_without_us) {
            sonde_buf_printf(buf, ",\"p50With\":%lld,\"p50Without\":%lld,",
                             (long long)p->p50_with_us, (long long)p->p50_without_us);
            sonde_buf_printf(buf, "\"p99With\":%lld,\"p99Without\":%lld", (long long)p->p99_with_us,
                             (long long)p->p99_without_us);
        }
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
}
