/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "analysis/allocations.h"
#include "analysis/cell.h"
#include "analysis/compare.h"
#include "analysis/report.h"

enum { NAME_WIDTH = 26, PLACE_WIDTH = 30 };

/* A thousandth of a second per second, or of the bytes, is worth a row. */
#define WORTH 0.001

static bool is_code(const struct sonde_compare_function *function)
{
    return function->category != SONDE_CATEGORY_IDLE && function->category != SONDE_CATEGORY_ROOT;
}

static bool is_new(const struct sonde_compare_function *function)
{
    return !function->there[SONDE_BEFORE];
}

static bool has_vanished(const struct sonde_compare_function *function)
{
    return !function->there[SONDE_AFTER];
}

/* ---- text ---- */

static void put_side(const struct sonde_comparison *c, int side, struct sonde_buf *buf)
{
    const struct sonde_compare_side *of = &c->sides[side];
    const struct sonde_compare_whole *whole = &c->wholes[side];
    sonde_buf_printf(buf, "%s  %.8s  ", side == SONDE_BEFORE ? "before" : "after ", of->uid);
    sonde_cell_clean(buf, sonde_str(of->name));
    sonde_buf_text(buf, "  ");
    sonde_cell_clean(buf, sonde_str(of->capture));
    if (c->unit == SONDE_PROFILE_BYTES) {
        char bytes[SONDE_BYTES_SIZE];
        sonde_buf_printf(buf, ": %s %s\n", sonde_bytes_say(whole->amount, bytes),
                         of->profile->collected ? "allocated" : "allocated and still in use");
        return;
    }
    sonde_buf_printf(buf, ": %.1f s in %u window%s", whole->duration_s, of->profile->windows,
                     of->profile->windows == 1 ? "" : "s");
    if (c->busy_known) {
        sonde_buf_printf(buf, ", busy %.1f %% of the time", 100 * c->busy.shares[side]);
    }
    sonde_buf_char(buf, '\n');
}

/* Which of the two was slower, as far as that can be said. */
static void put_verdict(const struct sonde_comparison *c, struct sonde_buf *buf)
{
    double change = 100 * sonde_compare_change(&c->busy);
    if (c->unit == SONDE_PROFILE_BYTES) {
        int64_t more = c->wholes[SONDE_AFTER].amount - c->wholes[SONDE_BEFORE].amount;
        char bytes[SONDE_BYTES_SIZE];
        sonde_buf_printf(buf, "%s %s\n", sonde_bytes_say(more < 0 ? -more : more, bytes),
                         more < 0 ? "less" : "more");
        return;
    }
    if (!c->busy_known) {
        sonde_buf_text(buf, "how long both idled is not known: shares are of the busy time\n");
        return;
    }
    sonde_buf_printf(buf, "busy %+.1f %% of the time", change);
    if (c->busy.margin < 0) {
        sonde_buf_text(buf, "; how sure that is, only captures of several windows can say\n");
        return;
    }
    sonde_buf_printf(buf, " ± %.1f: %s\n", 100 * c->busy.margin,
                     sonde_compare_sure(&c->busy) > 0
                         ? (change > 0 ? "the second one works more" : "the second one works less")
                         : "no difference that its windows could tell");
}

/* "     123.4", or in bytes "   1.23 MB". */
static void put_amount(const struct sonde_comparison *c, double amount, bool sign,
                       struct sonde_buf *buf)
{
    if (c->unit == SONDE_PROFILE_NANOSECONDS) {
        sonde_buf_printf(buf, sign ? "  %+8.1f" : "  %8.1f", amount);
        return;
    }
    char bytes[SONDE_BYTES_SIZE];
    char text[SONDE_BYTES_SIZE + 1];
    (void)snprintf(text, sizeof(text), "%s%s",
                   !sign        ? ""
                   : amount < 0 ? "-"
                                : "+",
                   sonde_bytes_say((int64_t)fabs(amount), bytes));
    sonde_buf_printf(buf, "  %8s", text);
}

static void put_row(const struct sonde_comparison *c, const struct sonde_compare_function *function,
                    const struct sonde_compare_value *value, struct sonde_buf *buf)
{
    SONDE_BUF_AUTO place = SONDE_BUF(4 * SONDE_PROFILE_NAME_MAX);
    int32_t line = function->lines[has_vanished(function) ? SONDE_BEFORE : SONDE_AFTER];
    if (is_new(function)) {
        sonde_buf_printf(buf, "  %8s", "new");
    } else {
        put_amount(c, value->amounts[SONDE_BEFORE], false, buf);
    }
    if (has_vanished(function)) {
        sonde_buf_printf(buf, "  %8s", "gone");
    } else {
        put_amount(c, value->amounts[SONDE_AFTER], false, buf);
    }
    put_amount(c, sonde_compare_change(value), true, buf);
    if (value->margin >= 0) {
        sonde_buf_printf(buf, " ± %-5.1f", value->margin);
    }
    sonde_buf_text(buf, "  ");
    sonde_cell_put(buf, function->name, NAME_WIDTH, false);
    sonde_buf_text(buf, "  ");
    sonde_report_place("", function->file, line, &place);
    if (function->file.length == 0) {
        sonde_buf_text(&place, sonde_category_name(function->category));
    }
    sonde_cell_put(buf, sonde_buf_view(&place), PLACE_WIDTH, true);
    sonde_cell_end_line(buf);
    buf->code = buf->code ? buf->code : place.code;
}

/* What is too little to be seen is no row. */
static bool is_row(const struct sonde_comparison *c, const struct sonde_compare_value *value)
{
    double change = fabs(sonde_compare_change(value));
    return c->unit == SONDE_PROFILE_NANOSECONDS ? change >= 0.05 : change >= 1;
}

static void put_table(const struct sonde_comparison *c, const char *title, const uint32_t *order,
                      struct sonde_buf *buf)
{
    size_t rows = 0;
    sonde_buf_printf(buf, "\n%s\n    before     after    change%s  function\n", title,
                     c->busy.margin >= 0 ? "        " : "");
    for (size_t i = 0; i < c->count && rows < SONDE_COMPARE_ROWS; i++) {
        const struct sonde_compare_function *function = &c->functions[order ? order[i] : i];
        const struct sonde_compare_value *value = order ? &function->blamed : &function->self;
        if (is_code(function) && is_row(c, value)) {
            put_row(c, function, value, buf);
            rows++;
        }
    }
    sonde_buf_text(buf, rows ? "" : "  no difference\n");
}

void sonde_comparison_text(const struct sonde_comparison *comparison, struct sonde_buf *buf)
{
    const struct sonde_comparison *c = comparison;
    bool time = c->unit == SONDE_PROFILE_NANOSECONDS;
    put_side(c, SONDE_BEFORE, buf);
    put_side(c, SONDE_AFTER, buf);
    put_verdict(c, buf);
    put_table(c,
              time ? "your code, with what it answers for: milliseconds for each second captured"
                   : "your code, with what it answers for: bytes",
              c->by_blame, buf);
    put_table(c,
              time ? "all code, itself alone: milliseconds for each second captured"
                   : "all code, itself alone: bytes",
              NULL, buf);
}

/* ---- JSON ---- */

static void number(struct sonde_buf *buf, const char *name, double value)
{
    sonde_buf_printf(buf, ",\"%s\":%.6g", name, value);
}

static void text(struct sonde_buf *buf, const char *name, struct sonde_str value)
{
    sonde_buf_printf(buf, ",\"%s\":", name);
    sonde_buf_json_string(buf, value);
}

static void put_object(const struct sonde_comparison *c, int side, struct sonde_buf *buf)
{
    const struct sonde_compare_side *of = &c->sides[side];
    sonde_buf_printf(buf, ",\"%s\":{\"windows\":%u", side == SONDE_BEFORE ? "before" : "after",
                     of->profile->windows);
    text(buf, "uid", sonde_str(of->uid));
    text(buf, "name", sonde_str(of->name));
    text(buf, "capture", sonde_str(of->capture));
    if (c->unit == SONDE_PROFILE_BYTES) {
        sonde_buf_printf(buf, ",\"bytes\":%lld,\"collected\":%s", (long long)c->wholes[side].amount,
                         of->profile->collected ? "true" : "false");
    } else {
        number(buf, "durationSeconds", c->wholes[side].duration_s);
        if (c->busy_known) {
            number(buf, "busyShare", c->busy.shares[side]);
        }
    }
    sonde_buf_char(buf, '}');
}

static void put_value(const char *name, const struct sonde_compare_value *value,
                      struct sonde_buf *buf)
{
    double share_change = value->shares[SONDE_AFTER] - value->shares[SONDE_BEFORE];
    sonde_buf_printf(buf, ",\"%s\":{\"before\":%.6g", name, value->amounts[SONDE_BEFORE]);
    number(buf, "after", value->amounts[SONDE_AFTER]);
    number(buf, "change", sonde_compare_change(value));
    if (value->margin >= 0) {
        number(buf, "margin", value->margin);
    }
    number(buf, "shareBefore", value->shares[SONDE_BEFORE]);
    number(buf, "shareAfter", value->shares[SONDE_AFTER]);
    number(buf, "shareChange", share_change);
    if (value->share_margin >= 0) {
        number(buf, "shareMargin", value->share_margin);
    }
    sonde_buf_char(buf, '}');
}

static bool is_worth(const struct sonde_compare_function *function)
{
    bool worth = false;
    for (int side = 0; side < SONDE_SIDES; side++) {
        worth =
            worth || function->self.shares[side] >= WORTH || function->total.shares[side] >= WORTH;
    }
    return worth && is_code(function);
}

static void put_function(const struct sonde_compare_function *function, struct sonde_buf *buf)
{
    sonde_buf_text(buf, "{\"function\":");
    sonde_buf_json_string(buf, function->name);
    text(buf, "file", function->file);
    sonde_buf_printf(buf, ",\"lineBefore\":%d,\"lineAfter\":%d", function->lines[SONDE_BEFORE],
                     function->lines[SONDE_AFTER]);
    text(buf, "category", sonde_str(sonde_category_name(function->category)));
    if (function->package.length) {
        text(buf, "package", function->package);
    }
    sonde_buf_text(buf, is_new(function) ? ",\"new\":true" : "");
    sonde_buf_text(buf, has_vanished(function) ? ",\"vanished\":true" : "");
    put_value("self", &function->self, buf);
    put_value("total", &function->total, buf);
    put_value("blamed", &function->blamed, buf);
    sonde_buf_char(buf, '}');
}

void sonde_comparison_json(const struct sonde_comparison *comparison, struct sonde_buf *buf)
{
    const struct sonde_comparison *c = comparison;
    bool time = c->unit == SONDE_PROFILE_NANOSECONDS;
    bool first = true;
    sonde_buf_printf(buf, "{\"unit\":\"%s\"", time ? "milliseconds per second" : "bytes");
    put_object(c, SONDE_BEFORE, buf);
    put_object(c, SONDE_AFTER, buf);
    if (time && c->busy_known) {
        number(buf, "busyShareChange", sonde_compare_change(&c->busy));
        if (c->busy.margin >= 0) {
            number(buf, "busyShareMargin", c->busy.margin);
        }
    }
    sonde_buf_text(buf, ",\"functions\":[");
    for (size_t i = 0; i < c->count; i++) {
        if (is_worth(&c->functions[i])) {
            sonde_buf_text(buf, first ? "" : ",");
            first = false;
            put_function(&c->functions[i], buf);
        }
    }
    sonde_buf_text(buf, "]}\n");
}
