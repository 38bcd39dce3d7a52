/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "analysis/cell.h"
#include "base/clock.h"
#include "load/compare.h"
#include "load/duration.h"
#include "load/report.h"
#include "load/result_fields.h"

static const char *const words[] = {[SONDE_BEFORE] = "before", [SONDE_AFTER] = "after"};

/* ---- text ---- */

/* "+1.20 ms" */
static const char *say_change(double us, char ret[SONDE_LOAD_DURATION_SIZE])
{
    char size[SONDE_LOAD_DURATION_SIZE];
    int64_t whole = llround(us);
    (void)snprintf(ret, SONDE_LOAD_DURATION_SIZE, "%s%.30s",
                   whole > 0   ? "+"
                   : whole < 0 ? "-"
                               : "",
                   sonde_load_duration(whole < 0 ? -whole : whole, size));
    return ret;
}

static void put_side(const struct sonde_load_side *side, const char *word, struct sonde_buf *buf)
{
    char asked[SONDE_LOAD_COMPARE_ASKED_MAX];
    sonde_buf_printf(buf, "%-6s  %.8s  ", word, side->uid);
    sonde_cell_clean(buf, sonde_str(side->name));
    sonde_buf_text(buf, "  ");
    sonde_cell_clean(buf, sonde_str(side->capture));
    sonde_buf_printf(buf, ": %s, for %.1f s\n", sonde_load_asked_said(&side->result->asked, asked),
                     (double)side->result->duration_ns / (double)SONDE_SECOND);
}

static void put_cautions(const struct sonde_load_comparison *c, struct sonde_buf *buf)
{
    for (int i = 0; i < SONDE_SIDES; i++) {
        const struct sonde_load_validity *validity = &c->sides[i].result->validity;
        if (!validity->valid) {
            sonde_buf_printf(buf, "%s CANNOT BE BELIEVED: ", words[i]);
            sonde_cell_clean(buf, sonde_str(validity->reason));
            sonde_buf_char(buf, '\n');
        }
    }
    sonde_buf_text(buf, c->differs ? "they were asked for different loads: what differs need not "
                                     "be the service\n"
                                   : "");
}

/* Text to the right of a column; it counts characters, not bytes. */
static void put_cell(const char *text, size_t width, struct sonde_buf *buf)
{
    size_t columns = sonde_utf16_length(sonde_str(text));
    sonde_buf_repeat(buf, ' ', columns < width ? width - columns : 1);
    sonde_buf_text(buf, text);
}

static const char *verdict_of(const struct sonde_load_change *change, const char *more,
                              const char *less)
{
    return !change->told                        ? "  how sure is not known"
           : !sonde_load_change_is_sure(change) ? "  may be chance"
           : change->low > 0                    ? more
                                                : less;
}

enum { VALUE_WIDTH = 11, CHANGE_WIDTH = 12 };

static void put_times(const char *name, const struct sonde_load_change *change,
                      struct sonde_buf *buf)
{
    char text[SONDE_LOAD_DURATION_SIZE];
    char low[SONDE_LOAD_DURATION_SIZE];
    char high[SONDE_LOAD_DURATION_SIZE];
    sonde_buf_printf(buf, "%-11s", name);
    for (int i = 0; i < SONDE_SIDES; i++) {
        put_cell(sonde_load_duration((int64_t)change->values[i], text), VALUE_WIDTH, buf);
    }
    double more = change->values[SONDE_AFTER] - change->values[SONDE_BEFORE];
    put_cell(say_change(more, text), CHANGE_WIDTH, buf);
    if (change->told) {
        sonde_buf_printf(buf, "  (%s to %s)", say_change(change->low, low),
                         say_change(change->high, high));
    }
    sonde_buf_text(buf, verdict_of(change, "  slower", "  faster"));
    sonde_buf_char(buf, '\n');
}

static void put_rates(const struct sonde_load_change *rate, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "%-11s%11.1f%11.1f%+12.1f", "answers/s", rate->values[SONDE_BEFORE],
                     rate->values[SONDE_AFTER],
                     rate->values[SONDE_AFTER] - rate->values[SONDE_BEFORE]);
    if (rate->told) {
        sonde_buf_printf(buf, "  (%+.1f to %+.1f)", rate->low, rate->high);
    }
    sonde_buf_text(buf, verdict_of(rate, "  more", "  fewer"));
    sonde_buf_char(buf, '\n');
}

static void put_failed(const struct sonde_load_change *failed, struct sonde_buf *buf)
{
    double before = failed->values[SONDE_BEFORE];
    double after = failed->values[SONDE_AFTER];
    if (!isnan(before) && !isnan(after)) {
        sonde_buf_printf(buf, "%-11s%9.2f %%%9.2f %%%+9.2f pp\n", "failed", 100 * before,
                         100 * after, 100 * (after - before));
    }
}

void sonde_load_comparison_text(const struct sonde_load_comparison *c, struct sonde_buf *buf)
{
    for (int i = 0; i < SONDE_SIDES; i++) {
        put_side(&c->sides[i], words[i], buf);
    }
    put_cautions(c, buf);
    sonde_buf_printf(buf, "\n%-11s%11s%11s%12s  (in 95 of 100 such comparisons within)\n",
                     "response", "before", "after", "change");
    for (size_t k = 0; k < SONDE_LOAD_CONFIDENCE_QUANTILES; k++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "%g %%", 100 * sonde_load_confidence_quantiles[k].share);
        put_times(name, &c->quantiles[k], buf);
    }
    put_rates(&c->rate, buf);
    put_failed(&c->failed, buf);
}

/* ---- JSON ---- */

static void json_text(const char *name, const char *value, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "\"%s\":", name);
    sonde_buf_json_string(buf, sonde_str(value));
    sonde_buf_char(buf, ',');
}

static void json_side(const struct sonde_load_side *side, struct sonde_buf *buf)
{
    const struct sonde_load_validity *validity = &side->result->validity;
    sonde_buf_char(buf, '{');
    json_text("uid", side->uid, buf);
    json_text("name", side->name, buf);
    json_text("capture", side->capture, buf);
    json_text("url", side->result->asked.url, buf);
    json_text("invalidReason", validity->reason, buf);
    sonde_buf_printf(buf, "\"valid\":%s,\"durationSeconds\":%.9g",
                     validity->valid ? "true" : "false",
                     (double)side->result->duration_ns / (double)SONDE_SECOND);
    sonde_load_result_asked(&side->result->asked, buf);
    sonde_load_report_percentiles(&side->result->tally, buf);
    sonde_buf_char(buf, '}');
}

static void json_number(const char *name, double value, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, isfinite(value) ? ",\"%s\":%.9g" : ",\"%s\":null", name, value);
}

/* Behind a member. */
static void json_change(const struct sonde_load_change *change, struct sonde_buf *buf)
{
    json_number("before", change->values[SONDE_BEFORE], buf);
    json_number("after", change->values[SONDE_AFTER], buf);
    if (change->told) {
        json_number("low", change->low, buf);
        json_number("high", change->high, buf);
        json_number("ratioLow", change->ratio_low, buf);
        json_number("ratioHigh", change->ratio_high, buf);
    }
    sonde_buf_printf(buf, ",\"sure\":%s}", sonde_load_change_is_sure(change) ? "true" : "false");
}

void sonde_load_comparison_json(const struct sonde_load_comparison *c, struct sonde_buf *buf)
{
    sonde_buf_text(buf, "{\"type\":\"" SONDE_LOAD_RESULT_TYPE "\"");
    for (int i = 0; i < SONDE_SIDES; i++) {
        sonde_buf_printf(buf, ",\"%s\":", words[i]);
        json_side(&c->sides[i], buf);
    }
    sonde_buf_printf(buf, ",\"differentLoads\":%s,\"quantiles\":[", c->differs ? "true" : "false");
    for (size_t k = 0; k < SONDE_LOAD_CONFIDENCE_QUANTILES; k++) {
        sonde_buf_printf(buf, "%s{\"share\":%g", k ? "," : "",
                         sonde_load_confidence_quantiles[k].share);
        json_change(&c->quantiles[k], buf);
    }
    sonde_buf_text(buf, "],\"rate\":{\"unit\":\"1/s\"");
    json_change(&c->rate, buf);
    sonde_buf_text(buf, ",\"failed\":{\"unit\":\"share\"");
    json_change(&c->failed, buf);
    sonde_buf_text(buf, "}\n");
}
