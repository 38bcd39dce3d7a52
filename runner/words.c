/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"
#include "load/share.h"
#include "load/tally_json.h"
#include "load/validity.h"
#include "runner/runner.h"

typedef unsigned long long number;

void print_ready(const struct settings *settings, const struct work *work, unsigned round,
                 const struct store_clock *clock, struct sonde_buf *buf)
{
    /* As the store sees it: how much its clock is ahead of our realtime clock. */
    int64_t offset_ns = clock->offset_ns - (sonde_clock_realtime() - sonde_clock_monotonic());
    sonde_buf_printf(buf, "{\"round\":%u,\"offset\":%lld,\"uncertainty\":%lld,\"labels\":[", round,
                     (long long)(offset_ns / SONDE_MICROSECOND),
                     (long long)(clock->uncertainty_ns / SONDE_MICROSECOND));
    for (size_t i = 0; i < work->plan.label_count; i++) {
        const struct sonde_load_label *label = &work->labels[i];
        sonde_buf_printf(buf, "%s{\"kind\":\"%s\",\"text\":", i ? "," : "",
                         label->kind == SONDE_LOAD_OF_NAME ? "name" : "address");
        sonde_buf_json_string(buf, sonde_str(label->text));
        sonde_buf_char(buf, '}');
    }
    sonde_buf_text(buf, "],\"pod\":");
    sonde_buf_json_string(buf, sonde_str(settings->pod));
    sonde_buf_text(buf, ",\"node\":");
    sonde_buf_json_string(buf, sonde_str(settings->node));
    sonde_buf_char(buf, '}');
}

int print_interval(unsigned round, uint64_t sequence, int64_t end_ns, bool warm_up, int64_t late_ns,
                   const struct sonde_load_tally *tally, struct sonde_buf *buf,
                   struct sonde_err *err)
{
    sonde_buf_printf(buf, "{\"round\":%u,\"sequence\":%llu,\"end\":%lld,\"warmUp\":%s", round,
                     (number)sequence, (long long)(end_ns / SONDE_MICROSECOND),
                     warm_up ? "true" : "false");
    if (late_ns >= 0) {
        sonde_buf_printf(buf, ",\"started\":%lld", (long long)(late_ns / SONDE_MICROSECOND));
    }
    sonde_buf_text(buf, ",\"tally\":");
    int r = sonde_load_tally_write(tally, buf, err);
    sonde_buf_char(buf, '}');
    return r < 0 ? r : sonde_buf_check(buf, "a second of the test", err);
}

/* Only what this runner alone can know: the store judges what all of them make together. */
bool find_invalid(const struct account *account, char *ret, size_t size)
{
    const struct sonde_load_outcome *outcome = account->outcome;
    const struct sonde_load_tally *tally = &outcome->tally;
    const struct settings *settings = account->settings;
    double time_ns = (double)outcome->duration_ns;
    double threads = sonde_load_share_threads(account->plan);
    double throttled = time_ns > 0 ? (double)account->throttled_ns / time_ns : 0;
    double cpu = time_ns > 0 ? (double)outcome->cpu_ns / (time_ns * threads) : 0;
    double late = tally->sent ? (double)tally->late / (double)tally->sent : 0;
    const char *node = *settings->node ? settings->node : "its node";
    if (throttled > SONDE_LOAD_THROTTLED_MAX) {
        (void)snprintf(ret, size,
                       "%s was throttled for %.1f %% of the time by a CPU limit: raise "
                       "spec.runner.resources.limits.cpu or spec.parallelism, or lower the rate",
                       settings->target, 100 * throttled);
    } else if (cpu > SONDE_LOAD_CPU_MAX) {
        (void)snprintf(ret, size,
                       "the threads of %s used %.0f %% of a CPU each: raise spec.parallelism, or "
                       "lower the rate",
                       settings->target, 100 * cpu);
    } else if (late > SONDE_LOAD_LATE_MAX) {
        (void)snprintf(ret, size,
                       "%s sent %.1f %% of its requests more than %d ms late, though a connection "
                       "was free: %.100s is too busy",
                       settings->target, 100 * late, (int)(SONDE_LOAD_LATE_NS / SONDE_MILLISECOND),
                       node);
    } else {
        return false;
    }
    return true;
}

void print_done(const struct account *account, struct sonde_buf *buf)
{
    enum { REASON_SIZE = 400 };
    char reason[REASON_SIZE];
    const struct sonde_load_outcome *outcome = account->outcome;
    const struct sonde_load_tally *t = &outcome->tally;
    const struct sonde_load_plan *plan = account->plan;
    unsigned threads = sonde_load_share_threads(plan);
    uint64_t connections = 0;
    for (unsigned i = 0; i < threads; i++) {
        connections += sonde_load_share_of(plan, i).connections;
    }
    sonde_buf_printf(buf,
                     "{\"round\":%u,\"intervals\":%llu,\"sent\":%llu,\"answered\":%llu,"
                     "\"failed\":%llu,\"censored\":%llu,\"unsent\":%llu,",
                     account->round, (number)account->intervals, (number)t->sent,
                     (number)t->answered, (number)t->failed, (number)t->censored,
                     (number)t->unsent);
    sonde_buf_printf(buf,
                     "\"durationMicroseconds\":%lld,\"cpuMicroseconds\":%lld,"
                     "\"throttledMicroseconds\":%lld,\"threads\":%u,\"connections\":%llu,"
                     "\"stopped\":%s",
                     (long long)(outcome->duration_ns / SONDE_MICROSECOND),
                     (long long)(outcome->cpu_ns / SONDE_MICROSECOND),
                     (long long)(account->throttled_ns / SONDE_MICROSECOND), threads,
                     (number)connections, outcome->stopped ? "true" : "false");
    if (find_invalid(account, reason, sizeof(reason))) {
        sonde_buf_text(buf, ",\"invalid\":");
        sonde_buf_json_string(buf, sonde_str(reason));
    }
    sonde_buf_char(buf, '}');
}

void print_end(const char *state, const char *reason, const char *message, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "{\"state\":\"%s\",\"reason\":\"%s\",\"message\":", state, reason);
    sonde_buf_json_string(buf, sonde_str(message));
    sonde_buf_char(buf, '}');
}
