/* SPDX-License-Identifier: Apache-2.0 */
#include "results/top.h"

#include <stdio.h>
#include <string.h>

#include "analysis/cell.h"
#include "analysis/report.h"

/* How a kind of finding is said: one of its numbers, and some words. */
static const struct {
    const char *kind, *evidence, *words;
} sayings[] = {
    {"loop-stall", "stalled", "stalled"},
    {"loop-saturated", "utilization", "of the time the event loop was busy"},
    {"not-running", "stalled", "not running"},
    {"never-called", "neverCalled", "functions never called, such as"},
    {"most-called", "calls", "calls of"},
};

void sonde_results_top_place(struct sonde_str function, struct sonde_str file, int32_t line,
                             struct sonde_buf *buf)
{
    const char *slash = file.length ? memrchr(file.data, '/', file.length) : NULL;
    size_t directory = slash ? (size_t)(slash - file.data) + 1 : 0;
    file = (struct sonde_str){file.data + directory, file.length - directory};
    sonde_buf_str(buf, function.length ? function : SONDE_STR("(anonymous)"));
    sonde_buf_char(buf, ' ');
    sonde_report_place("", file, line, buf);
}

int sonde_results_top_offer(struct sonde_results_top *top, int severity,
                            const struct sonde_buf *text, struct sonde_err *err)
{
    SONDE_BUF_AUTO clean = SONDE_BUF(4 * text->maximum);
    int r = sonde_buf_check(text, "a summary", err);
    sonde_cell_clean(&clean, sonde_buf_view(text));
    r = r < 0 ? r : sonde_buf_check(&clean, "a summary", err);
    if (r < 0 || severity <= top->severity || clean.length == 0) {
        return r;
    }
    struct sonde_str cut = sonde_buf_view(&clean);
    cut.length = cut.length < sizeof(top->text) - 1 ? cut.length : sizeof(top->text) - 1;
    while (cut.length && !sonde_utf8_valid(cut)) {
        cut.length--;
    }
    top->severity = severity;
    (void)snprintf(top->text, sizeof(top->text), "%.*s", SONDE_STR_ARG(cut));
    return 0;
}

static void put_number(const struct sonde_evidence *evidence, struct sonde_buf *buf)
{
    double value = evidence->value;
    if (strcmp(evidence->unit, "share") == 0) {
        sonde_buf_printf(buf, "%.0f%%", 100 * value);
    } else if (strcmp(evidence->unit, "ms") == 0) {
        sonde_buf_printf(buf, value < 1000 ? "%.0f ms" : "%.1f s",
                         value < 1000 ? value : value / 1000);
    } else {
        sonde_buf_printf(buf, "%.0f", value);
    }
}

int sonde_results_top_offer_finding(struct sonde_results_top *top,
                                    const struct sonde_finding *finding, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(3 * SONDE_PROFILE_NAME_MAX);
    for (size_t i = 0; i < SONDE_LENGTH(sayings); i++) {
        if (strcmp(finding->kind, sayings[i].kind) != 0) {
            continue;
        }
        for (size_t e = 0; e < finding->evidence_count; e++) {
            if (strcmp(finding->evidence[e].name, sayings[i].evidence) == 0) {
                put_number(&finding->evidence[e], &text);
            }
        }
        sonde_buf_printf(&text, " %s", sayings[i].words);
        if (finding->file.length || finding->function.length) {
            sonde_buf_char(&text, ' ');
            sonde_results_top_place(finding->function, finding->file, finding->line, &text);
        }
    }
    return sonde_results_top_offer(top, finding->severity, &text, err);
}
