/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "analysis/cell.h"
#include "analysis/coverage.h"
#include "analysis/report.h"

enum { NAME_WIDTH = 30, PLACE_WIDTH = 54 };

static struct sonde_str name_of(const struct sonde_coverage_function *function)
{
    return function->name.length ? function->name : SONDE_STR("(anonymous)");
}

/* "routes/visits.js:41", or where lines are not known "routes/visits.js, offset 554". */
static void put_place(const struct sonde_coverage *c, const char *directory, uint32_t script,
                      uint32_t offset, struct sonde_buf *buf)
{
    int32_t line = sonde_coverage_line(c, script, offset);
    sonde_report_place(directory, c->scripts[script].url, line, buf);
    if (line == 0) {
        sonde_buf_printf(buf, ", offset %u", offset);
    }
}

static void put_row(const struct sonde_coverage *c, const char *directory, uint64_t number,
                    uint32_t function, uint32_t offset, struct sonde_buf *buf)
{
    const struct sonde_coverage_function *of = &c->functions[function];
    SONDE_BUF_AUTO place = SONDE_BUF(4 * SONDE_PROFILE_NAME_MAX);
    put_place(c, directory, of->script, offset, &place);
    sonde_buf_printf(buf, "%10llu  ", (unsigned long long)number);
    sonde_cell_put(buf, name_of(of), NAME_WIDTH, false);
    sonde_buf_text(buf, "  ");
    sonde_cell_put(buf, sonde_buf_view(&place), PLACE_WIDTH, true);
    while (buf->length && buf->data[buf->length - 1] == ' ') {
        buf->data[--buf->length] = '\0';
    }
    sonde_buf_char(buf, '\n');
    buf->code = buf->code ? buf->code : place.code;
}

void sonde_coverage_text(const struct sonde_coverage_analysis *analysis, const char *directory,
                         size_t rows, struct sonde_buf *buf)
{
    const struct sonde_coverage_analysis *a = analysis;
    const struct sonde_coverage *c = a->coverage;
    sonde_buf_text(
        buf, a->hottest_count ? "\nwhat was called most, your code\n     calls  function\n" : "");
    for (size_t i = 0; i < a->hottest_count && i < rows; i++) {
        const struct sonde_coverage_function *function = &c->functions[a->hottest[i]];
        put_row(c, directory, function->count, a->hottest[i], function->start, buf);
    }
    sonde_buf_text(buf, a->never_count ? "\nnever called, your code, the longest first\n"
                                         "characters  function\n"
                                       : "");
    for (size_t i = 0; i < a->never_count && i < rows; i++) {
        const struct sonde_coverage_function *function = &c->functions[a->never[i]];
        put_row(c, directory, function->end - function->start, a->never[i], function->start, buf);
    }
    sonde_buf_text(buf, a->block_count ? "\nnever reached inside of functions that were called\n"
                                         "characters  function\n"
                                       : "");
    for (size_t i = 0; i < a->block_count && i < rows; i++) {
        const struct sonde_coverage_block *block = &a->blocks[i];
        put_row(c, directory, block->end - block->start, block->function, block->start, buf);
    }
}

/* ---- JSON ---- */

static void put_function(const struct sonde_coverage *c, uint32_t function, bool first,
                         struct sonde_buf *buf)
{
    const struct sonde_coverage_function *of = &c->functions[function];
    sonde_buf_text(buf, first ? "{\"function\":" : ",{\"function\":");
    sonde_buf_json_string(buf, name_of(of));
    sonde_buf_text(buf, ",\"url\":");
    sonde_buf_json_string(buf, c->scripts[of->script].url);
    sonde_buf_printf(buf, ",\"start\":%u,\"end\":%u,\"line\":%d,\"count\":%llu}", of->start,
                     of->end, sonde_coverage_line(c, of->script, of->start),
                     (unsigned long long)of->count);
}

static void put_functions(const struct sonde_coverage *c, const char *name, const uint32_t *list,
                          size_t count, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, ",\"%s\":[", name);
    for (size_t i = 0; i < count && i < SONDE_COVERAGE_LISTED_MAX; i++) {
        put_function(c, list[i], i == 0, buf);
    }
    sonde_buf_char(buf, ']');
}

void sonde_coverage_json(const struct sonde_coverage_analysis *analysis, struct sonde_buf *buf)
{
    const struct sonde_coverage_analysis *a = analysis;
    const struct sonde_coverage *c = a->coverage;
    sonde_buf_printf(buf, ",\"scripts\":%u,\"functionCount\":%u,\"calledCount\":%u", a->scripts,
                     a->functions, a->called);
    put_functions(c, "mostCalled", a->hottest, a->hottest_count, buf);
    put_functions(c, "neverCalled", a->never, a->never_count, buf);
    sonde_buf_text(buf, ",\"neverReached\":[");
    for (size_t i = 0; i < a->block_count && i < SONDE_COVERAGE_LISTED_MAX; i++) {
        const struct sonde_coverage_block *block = &a->blocks[i];
        const struct sonde_coverage_function *of = &c->functions[block->function];
        sonde_buf_text(buf, i ? ",{\"function\":" : "{\"function\":");
        sonde_buf_json_string(buf, name_of(of));
        sonde_buf_text(buf, ",\"url\":");
        sonde_buf_json_string(buf, c->scripts[of->script].url);
        sonde_buf_printf(buf, ",\"start\":%u,\"end\":%u,\"line\":%d,\"lastLine\":%d}", block->start,
                         block->end, sonde_coverage_line(c, of->script, block->start),
                         sonde_coverage_line(c, of->script, block->end - 1));
    }
    sonde_buf_char(buf, ']');
}
