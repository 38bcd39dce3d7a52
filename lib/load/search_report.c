/* SPDX-License-Identifier: Apache-2.0 */
#include "load/search_report.h"

void sonde_load_search_text(const struct sonde_load_search *search, struct sonde_buf *buf)
{
    if (!search) {
        return;
    }
    struct sonde_load_search_result result = sonde_load_search_result(search);
    if (result.lower) {
        sonde_buf_printf(buf, "\nthe highest rate that keeps: %lld a second",
                         (long long)result.lower);
    } else {
        sonde_buf_text(buf, "\nno rate is known that keeps");
    }
    if (result.upper) {
        sonde_buf_printf(buf, " (%lld does not)", (long long)result.upper);
    }
    sonde_buf_printf(buf, "; %s\n\n%10s%10s%12s\n", sonde_load_search_end_text(result.end), "rate",
                     "seconds", "answers/s");
    for (size_t i = 0; i < search->count; i++) {
        const struct sonde_load_trial *trial = &search->trials[i];
        sonde_buf_printf(buf, "%10lld%10lld%12.1f  %s\n", (long long)trial->rate,
                         (long long)trial->seconds, trial->achieved,
                         !trial->keeps  ? "breaks"
                         : trial->valid ? "keeps"
                                        : "invalid");
    }
}

void sonde_load_search_json(const struct sonde_load_search *search, struct sonde_buf *buf)
{
    if (!search) {
        sonde_buf_text(buf, "null");
        return;
    }
    struct sonde_load_search_result result = sonde_load_search_result(search);
    const struct sonde_rate_search *plan = &search->plan;
    sonde_buf_printf(buf,
                     "{\"startRate\":%lld,\"maxRate\":%lld,\"trialSeconds\":%lld,"
                     "\"precisionPercent\":%lld,\"end\":\"%s\",\"lower\":%lld,\"upper\":%lld,"
                     "\"throughput\":%.15g,\"trials\":[",
                     (long long)plan->start_rate, (long long)plan->max_rate,
                     (long long)plan->trial_seconds, (long long)plan->precision_percent,
                     sonde_load_search_end_name(result.end), (long long)result.lower,
                     (long long)result.upper, result.throughput);
    for (size_t i = 0; i < search->count; i++) {
        const struct sonde_load_trial *trial = &search->trials[i];
        sonde_buf_printf(buf,
                         "%s{\"rate\":%lld,\"seconds\":%lld,\"keeps\":%s,\"valid\":%s,"
                         "\"achieved\":%.17g}",
                         i ? "," : "", (long long)trial->rate, (long long)trial->seconds,
                         trial->keeps ? "true" : "false", trial->valid ? "true" : "false",
                         trial->achieved);
    }
    sonde_buf_text(buf, "]}");
}
