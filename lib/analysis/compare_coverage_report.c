/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "analysis/cell.h"
#include "analysis/compare_coverage.h"
#include "analysis/report.h"

enum { NAME_WIDTH = 28, PLACE_WIDTH = 44, NUMBER_SIZE = 24 };

static const char *const side_names[SONDE_SIDES] = {"before", "after"};

static bool is_executed_only(const struct sonde_coverage_change *change, int side)
{
    return change->calls[side] > 0 && change->calls[1 - side] == 0;
}

static int later_side(const struct sonde_coverage_change *change)
{
    return change->there[SONDE_AFTER] ? SONDE_AFTER : SONDE_BEFORE;
}

static double executed_share(const struct sonde_coverage_comparison *c, int side)
{
    const struct sonde_coverage_analysis *a = c->sides[side].analysis;
    return sonde_coverage_share(a->executed, a->characters);
}

static size_t count_differences(const struct sonde_coverage_comparison *c, int executed)
{
    size_t count = 0;
    for (size_t i = 0; i < c->difference_count; i++) {
        count += c->differences[i].executed == executed;
    }
    return count;
}

/* ---- text ---- */

static void put_side(const struct sonde_coverage_comparison *c, int side, struct sonde_buf *buf)
{
    const struct sonde_coverage_side *of = &c->sides[side];
    sonde_buf_printf(buf, "%-6s  %.8s  ", side_names[side], of->uid);
    sonde_cell_clean(buf, sonde_str(of->name));
    sonde_buf_text(buf, "  ");
    sonde_cell_clean(buf, sonde_str(of->capture));
    sonde_buf_printf(buf, ": %u of %u functions called, %.1f %% of the known code executed\n",
                     of->analysis->called, of->analysis->functions, 100 * executed_share(c, side));
}

/* The function and where it is, to the end of the line. */
static void put_place(const struct sonde_coverage_change *change, int32_t line, int32_t last_line,
                      struct sonde_buf *buf)
{
    SONDE_BUF_AUTO place = SONDE_BUF(4 * SONDE_PROFILE_NAME_MAX);
    sonde_buf_text(buf, "  ");
    sonde_cell_put(buf, change->name, NAME_WIDTH, false);
    sonde_buf_text(buf, "  ");
    sonde_report_place("", change->file, line, &place);
    if (last_line > line) {
        sonde_buf_printf(&place, "-%d", last_line);
    }
    sonde_cell_put(buf, sonde_buf_view(&place), PLACE_WIDTH, true);
    sonde_cell_end_line(buf);
    buf->code = buf->code ? buf->code : place.code;
}

static void put_only(const struct sonde_coverage_comparison *c, int side, struct sonde_buf *buf)
{
    size_t rows = 0;
    for (size_t i = 0; i < c->count && rows < SONDE_COMPARE_ROWS; i++) {
        const struct sonde_coverage_change *change = &c->changes[i];
        if (!is_executed_only(change, side)) {
            continue;
        }
        if (rows++ == 0) {
            sonde_buf_printf(buf, "\nfunctions executed only %s\ncharacters     calls  function\n",
                             side_names[side]);
        }
        sonde_buf_printf(buf, "%10u  %8llu", change->characters,
                         (unsigned long long)change->calls[side]);
        put_place(change, change->lines[side], 0, buf);
    }
}

static void put_stretches(const struct sonde_coverage_comparison *c, int side,
                          struct sonde_buf *buf)
{
    size_t rows = 0;
    for (size_t i = 0; i < c->difference_count && rows < SONDE_COMPARE_ROWS; i++) {
        const struct sonde_coverage_difference *difference = &c->differences[i];
        if (difference->executed != side) {
            continue;
        }
        if (rows++ == 0) {
            sonde_buf_printf(buf, "\nstretches executed only %s\ncharacters  function\n",
                             side_names[side]);
        }
        sonde_buf_printf(buf, "%10u", difference->end - difference->start);
        put_place(&c->changes[difference->change], difference->lines.line,
                  difference->lines.last_line, buf);
    }
}

static void put_calls(const struct sonde_coverage_comparison *c, struct sonde_buf *buf)
{
    size_t rows = 0;
    for (size_t i = 0; i < c->count && rows < SONDE_COMPARE_ROWS; i++) {
        const struct sonde_coverage_change *change = &c->changes[i];
        uint64_t before = change->calls[SONDE_BEFORE];
        uint64_t after = change->calls[SONDE_AFTER];
        if (before == 0 || after == 0 || before == after) {
            continue;
        }
        if (rows++ == 0) {
            sonde_buf_text(buf, "\ncalls that changed most\n"
                                "    before     after     change  function\n");
        }
        sonde_buf_printf(buf, "%10llu  %8llu  %+9lld", (unsigned long long)before,
                         (unsigned long long)after, (long long)after - (long long)before);
        put_place(change, change->lines[SONDE_AFTER], 0, buf);
    }
}

void sonde_coverage_comparison_text(const struct sonde_coverage_comparison *comparison,
                                    struct sonde_buf *buf)
{
    const struct sonde_coverage_comparison *c = comparison;
    bool same = true;
    put_side(c, SONDE_BEFORE, buf);
    put_side(c, SONDE_AFTER, buf);
    for (int side = SONDE_SIDES - 1; side >= 0; side--) {
        size_t stretches = count_differences(c, side);
        if (c->executed_only[side] || stretches) {
            sonde_buf_printf(buf, "executed only %s: %zu function%s, %zu stretch%s in others\n",
                             side_names[side], c->executed_only[side],
                             c->executed_only[side] == 1 ? "" : "s", stretches,
                             stretches == 1 ? "" : "es");
            same = false;
        }
    }
    sonde_buf_text(buf, same ? "the same functions and stretches were executed in both\n" : "");
    for (int side = SONDE_SIDES - 1; side >= 0; side--) {
        put_only(c, side, buf);
        put_stretches(c, side, buf);
    }
    put_calls(c, buf);
}

/* ---- JSON ---- */

static void put_text(const char *name, struct sonde_str value, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, ",\"%s\":", name);
    sonde_buf_json_string(buf, value);
}

static void put_object(const struct sonde_coverage_comparison *c, int side, struct sonde_buf *buf)
{
    const struct sonde_coverage_side *of = &c->sides[side];
    sonde_buf_printf(buf,
                     ",\"%s\":{\"functionCount\":%u,\"calledCount\":%u,\"characters\":%llu,"
                     "\"executedCharacters\":%llu,\"executedOnlyHere\":%zu",
                     side_names[side], of->analysis->functions, of->analysis->called,
                     (unsigned long long)of->analysis->characters,
                     (unsigned long long)of->analysis->executed, c->executed_only[side]);
    put_text("uid", sonde_str(of->uid), buf);
    put_text("name", sonde_str(of->name), buf);
    put_text("capture", sonde_str(of->capture), buf);
    sonde_buf_char(buf, '}');
}

static void put_change(const struct sonde_coverage_change *change, bool first,
                       struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "%s{\"callsBefore\":%llu,\"callsAfter\":%llu,\"characters\":%u",
                     first ? "" : ",", (unsigned long long)change->calls[SONDE_BEFORE],
                     (unsigned long long)change->calls[SONDE_AFTER], change->characters);
    put_text("function", change->name, buf);
    put_text("file", change->file, buf);
    sonde_buf_printf(buf, ",\"lineBefore\":%d,\"lineAfter\":%d", change->lines[SONDE_BEFORE],
                     change->lines[SONDE_AFTER]);
    if (!change->there[SONDE_BEFORE] || !change->there[SONDE_AFTER]) {
        put_text("knownOnly", sonde_str(side_names[later_side(change)]), buf);
    }
    sonde_buf_char(buf, '}');
}

static void put_difference(const struct sonde_coverage_comparison *c,
                           const struct sonde_coverage_difference *difference, bool first,
                           struct sonde_buf *buf)
{
    const struct sonde_coverage_change *change = &c->changes[difference->change];
    sonde_buf_printf(buf, "%s{\"executed\":\"%s\",\"characters\":%u", first ? "" : ",",
                     side_names[difference->executed], difference->end - difference->start);
    put_text("function", change->name, buf);
    put_text("file", change->file, buf);
    sonde_buf_printf(buf, ",\"start\":%u,\"end\":%u,\"line\":%d,\"lastLine\":%d}",
                     difference->start, difference->end, difference->lines.line,
                     difference->lines.last_line);
}

void sonde_coverage_comparison_json(const struct sonde_coverage_comparison *comparison,
                                    struct sonde_buf *buf)
{
    const struct sonde_coverage_comparison *c = comparison;
    size_t rows = 0;
    sonde_buf_text(buf, "{\"unit\":\"calls\"");
    put_object(c, SONDE_BEFORE, buf);
    put_object(c, SONDE_AFTER, buf);
    sonde_buf_text(buf, ",\"functions\":[");
    for (size_t i = 0; i < c->count && rows < SONDE_COVERAGE_CHANGES_LISTED_MAX; i++) {
        if (c->changes[i].calls[SONDE_BEFORE] != c->changes[i].calls[SONDE_AFTER]) {
            put_change(&c->changes[i], rows++ == 0, buf);
        }
    }
    sonde_buf_text(buf, "],\"stretches\":[");
    for (size_t i = 0; i < c->difference_count && i < SONDE_COVERAGE_CHANGES_LISTED_MAX; i++) {
        put_difference(c, &c->differences[i], i == 0, buf);
    }
    sonde_buf_text(buf, "]}\n");
}
