/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "analysis/cell.h"
#include "load/duration.h"
#include "load/regression.h"

/* How a change of a unit is said. */
struct words {
    const char *name;        /* in JSON */
    const char *more, *less; /* behind the amount */
    const char *points;      /* behind the number; of a ratio it is a percentage */
    bool ratio;
};

static const struct words all_words[SONDE_REGRESSION_UNITS] = {
    [SONDE_REGRESSION_TIME] = {"microseconds", "slower", "faster", " %", true},
    [SONDE_REGRESSION_RATE] = {"per second", "higher", "lower", " %", true},
    [SONDE_REGRESSION_FAILED] = {"share", "more", "fewer", " points", false},
    [SONDE_REGRESSION_BUSY] = {"share of busy time", "more", "less", " points", false},
};

const char *sonde_regression_unit_name(enum sonde_regression_unit unit)
{
    return all_words[unit].name;
}

/* In percent, with two digits that count. */
static void put_percent(double share, struct sonde_buf *buf)
{
    double percent = 100 * share;
    bool small = fabs(percent) < 9.95;
    double step = small ? 10 : 1;
    double rounded = round(percent * step) / step;
    sonde_buf_printf(buf, small ? "%.1f" : "%.0f", rounded == 0 ? 0 : rounded);
}

static void put_value(enum sonde_regression_unit unit, double value, struct sonde_buf *buf)
{
    char text[SONDE_LOAD_DURATION_SIZE];
    switch (unit) {
    case SONDE_REGRESSION_TIME:
        sonde_buf_text(buf, sonde_load_duration(llround(value), text));
        break;
    case SONDE_REGRESSION_RATE:
        sonde_buf_printf(buf, "%.1f/s", value);
        break;
    default:
        put_percent(value, buf);
        sonde_buf_text(buf, " %");
        break;
    }
}

/* A change that points downwards is said by its size, and so are its ends. */
static void put_change(const struct sonde_regression_measure *m, struct sonde_buf *buf)
{
    const struct words *words = &all_words[m->unit];
    double sign = m->change < 0 ? -1 : 1;
    put_percent(sign * m->change, buf);
    sonde_buf_printf(buf, "%s [", words->points);
    put_percent(sign < 0 ? -m->high : m->low, buf);
    sonde_buf_text(buf, ", ");
    put_percent(sign < 0 ? -m->low : m->high, buf);
    sonde_buf_printf(buf, "] %s", sign < 0 ? words->less : words->more);
}

void sonde_regression_say(const struct sonde_regression_measure *m, const char *with,
                          struct sonde_buf *buf)
{
    sonde_cell_clean(buf, sonde_str(m->name));
    sonde_buf_text(buf, m->unit == SONDE_REGRESSION_BUSY ? " takes " : " is ");
    put_change(m, buf);
    sonde_buf_text(buf, m->unit == SONDE_REGRESSION_BUSY ? " of the busy time" : "");
    if (with) {
        sonde_buf_text(buf, " than ");
        sonde_cell_clean(buf, sonde_str(with));
    }
    sonde_buf_text(buf, ": ");
    put_value(m->unit, m->before, buf);
    sonde_buf_text(buf, " → ");
    put_value(m->unit, m->now.value, buf);
}

static const char *verdict_of(const struct sonde_regression_measure *m)
{
    return m->worse                    ? "worse"
           : m->better                 ? "better"
           : m->low > 0 || m->high < 0 ? "too little to matter, or chance among so many"
                                       : "may be chance";
}

void sonde_regression_text(const struct sonde_regression *r, struct sonde_buf *buf)
{
    sonde_buf_text(buf, r->worse ? "REGRESSION: " : "baseline: ");
    sonde_cell_clean(buf, sonde_str(r->message));
    sonde_buf_char(buf, '\n');
    for (size_t i = 0; i < r->count && r->compared; i++) {
        if (r->measures[i].told) {
            sonde_buf_text(buf, "  ");
            sonde_regression_say(&r->measures[i], NULL, buf);
            sonde_buf_printf(buf, ": %s\n", verdict_of(&r->measures[i]));
        }
    }
}

static void put_member(const char *name, const char *text, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "\"%s\":", name);
    sonde_buf_json_string(buf, sonde_str(text));
    sonde_buf_char(buf, ',');
}

static void put_measure(const struct sonde_regression_measure *m, struct sonde_buf *buf)
{
    SONDE_BUF_AUTO text = SONDE_BUF(2 * SONDE_REGRESSION_MESSAGE_MAX);
    sonde_regression_say(m, NULL, &text);
    buf->code = buf->code ? buf->code : text.code;
    sonde_buf_char(buf, '{');
    put_member("name", m->name, buf);
    put_member("unit", all_words[m->unit].name, buf);
    put_member("text", text.data ? text.data : "", buf);
    put_member("verdict", verdict_of(m), buf);
    sonde_buf_printf(buf,
                     "\"before\":%.9g,\"after\":%.9g,\"%s\":%.6g,\"low\":%.6g,\"high\":%.6g,"
                     "\"chance\":%.3g,\"worse\":%s,\"better\":%s}",
                     m->before, m->now.value,
                     all_words[m->unit].ratio ? "relativeChange" : "change", m->change, m->low,
                     m->high, m->chance, m->worse ? "true" : "false", m->better ? "true" : "false");
}

void sonde_regression_json(const struct sonde_regression *r, struct sonde_buf *buf)
{
    bool any = false;
    sonde_buf_printf(buf, "{\"compared\":%s,\"worse\":%s,", r->compared ? "true" : "false",
                     r->worse ? "true" : "false");
    put_member("message", r->message, buf);
    put_member("with", r->with, buf);
    sonde_buf_printf(buf, "\"runs\":%zu,\"reference\":%zu,\"measures\":[", r->runs, r->reference);
    for (size_t i = 0; i < r->count && r->compared; i++) {
        if (r->measures[i].told) {
            sonde_buf_text(buf, any ? "," : "");
            put_measure(&r->measures[i], buf);
            any = true;
        }
    }
    sonde_buf_text(buf, "]}");
}
