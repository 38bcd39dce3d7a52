/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "analysis/cell.h"
#include "analysis/coverage.h"
#include "analysis/report.h"

enum { NAME_WIDTH = 30, PLACE_WIDTH = 54, FILE_WIDTH = 68 };

/* "routes/visits.js:41", or where lines are not known "routes/visits.js, offset 554". */
static void put_place(const char *directory, struct sonde_str file, int32_t line, uint32_t offset,
                      struct sonde_buf *buf)
{
    sonde_report_place(directory, file, line, buf);
    if (line == 0) {
        sonde_buf_printf(buf, ", offset %u", offset);
    }
}

/* `line`: of the stretch from `offset` on. */
static void put_row(const struct sonde_coverage *c, const char *directory, uint64_t number,
                    uint32_t function, int32_t line, uint32_t offset, struct sonde_buf *buf)
{
    SONDE_BUF_AUTO place = SONDE_BUF(4 * SONDE_PROFILE_NAME_MAX);
    put_place(directory, sonde_coverage_position(c, function).file, line, offset, &place);
    sonde_buf_printf(buf, "%10llu  ", (unsigned long long)number);
    sonde_cell_put(buf, sonde_coverage_name(c, function), NAME_WIDTH, false);
    sonde_buf_text(buf, "  ");
    sonde_cell_put(buf, sonde_buf_view(&place), PLACE_WIDTH, true);
    sonde_cell_end_line(buf);
    buf->code = buf->code ? buf->code : place.code;
}

static void put_function_row(const struct sonde_coverage *c, const char *directory, uint64_t number,
                             uint32_t function, struct sonde_buf *buf)
{
    put_row(c, directory, number, function, sonde_coverage_position(c, function).line,
            c->functions[function].start, buf);
}

static void put_files(const struct sonde_coverage_analysis *a, const char *directory, size_t rows,
                      struct sonde_buf *buf)
{
    sonde_buf_text(buf, a->file_count ? "\nyour files, the most code that never ran first\n"
                                        "  executed  functions called  file\n"
                                      : "");
    for (size_t i = 0; i < a->file_count && i < rows; i++) {
        const struct sonde_coverage_file *file = &a->files[i];
        SONDE_BUF_AUTO place = SONDE_BUF(4 * SONDE_PROFILE_NAME_MAX);
        char called[32];
        (void)snprintf(called, sizeof(called), "%u of %u", file->called, file->functions);
        sonde_report_place(directory, file->file, 0, &place);
        sonde_buf_printf(buf, "   %5.1f %%  %16s  ",
                         100 * sonde_coverage_share(file->executed, file->characters), called);
        sonde_cell_put(buf, sonde_buf_view(&place), FILE_WIDTH, true);
        sonde_cell_end_line(buf);
        buf->code = buf->code ? buf->code : place.code;
    }
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
        put_function_row(c, directory, function->count, a->hottest[i], buf);
    }
    sonde_buf_text(buf, a->never_count ? "\nnever called, your code, the longest first\n"
                                         "characters  function\n"
                                       : "");
    for (size_t i = 0; i < a->never_count && i < rows; i++) {
        const struct sonde_coverage_function *function = &c->functions[a->never[i]];
        put_function_row(c, directory, function->end - function->start, a->never[i], buf);
    }
    sonde_buf_text(buf, a->block_count ? "\nnever reached inside of functions that were called\n"
                                         "characters  function\n"
                                       : "");
    for (size_t i = 0; i < a->block_count && i < rows; i++) {
        const struct sonde_coverage_block *block = &a->blocks[i];
        put_row(c, directory, block->end - block->start, block->function, block->lines.line,
                block->start, buf);
    }
    put_files(a, directory, rows, buf);
}

/* ---- JSON ---- */

/* {"function":…,"url":… and where a source map was applied "sourceFile":…,"sourceLine":… */
static void put_head(const struct sonde_coverage *c, uint32_t function, bool first,
                     struct sonde_buf *buf)
{
    const struct sonde_coverage_function *of = &c->functions[function];
    struct sonde_position at = sonde_coverage_position(c, function);
    sonde_buf_text(buf, first ? "{\"function\":" : ",{\"function\":");
    sonde_buf_json_string(buf, sonde_coverage_name(c, function));
    sonde_buf_text(buf, ",\"url\":");
    sonde_buf_json_string(buf, c->scripts[of->script].url);
    if (!sonde_str_equal(at.file, c->scripts[of->script].url)) {
        sonde_buf_text(buf, ",\"sourceFile\":");
        sonde_buf_json_string(buf, at.file);
        sonde_buf_printf(buf, ",\"sourceLine\":%d", at.line);
    }
}

static void put_function(const struct sonde_coverage *c, uint32_t function, bool first,
                         struct sonde_buf *buf)
{
    const struct sonde_coverage_function *of = &c->functions[function];
    put_head(c, function, first, buf);
    sonde_buf_printf(buf, ",\"start\":%u,\"end\":%u,\"line\":%d,\"count\":%llu}", of->start,
                     of->end, sonde_coverage_line(c, of->script, of->start),
                     (unsigned long long)of->count);
}

static void put_block(const struct sonde_coverage *c, const struct sonde_coverage_block *block,
                      bool first, struct sonde_buf *buf)
{
    uint32_t script = c->functions[block->function].script;
    put_head(c, block->function, first, buf);
    sonde_buf_printf(buf, ",\"start\":%u,\"end\":%u,\"line\":%d,\"lastLine\":%d", block->start,
                     block->end, sonde_coverage_line(c, script, block->start),
                     sonde_coverage_line(c, script, block->end - 1));
    if (block->lines.line != sonde_coverage_line(c, script, block->start)) {
        sonde_buf_printf(buf, ",\"firstSourceLine\":%d,\"lastSourceLine\":%d", block->lines.line,
                         block->lines.last_line);
    }
    sonde_buf_char(buf, '}');
}

static void put_file_objects(const struct sonde_coverage_analysis *a, struct sonde_buf *buf)
{
    sonde_buf_text(buf, ",\"files\":[");
    for (size_t i = 0; i < a->file_count && i < SONDE_COVERAGE_LISTED_MAX; i++) {
        const struct sonde_coverage_file *file = &a->files[i];
        sonde_buf_text(buf, i ? ",{\"file\":" : "{\"file\":");
        sonde_buf_json_string(buf, file->file);
        sonde_buf_printf(buf,
                         ",\"functionCount\":%u,\"calledCount\":%u,\"characters\":%llu,"
                         "\"executedCharacters\":%llu}",
                         file->functions, file->called, (unsigned long long)file->characters,
                         (unsigned long long)file->executed);
    }
    sonde_buf_char(buf, ']');
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
    sonde_buf_printf(buf,
                     ",\"scripts\":%u,\"functionCount\":%u,\"calledCount\":%u,"
                     "\"characters\":%llu,\"executedCharacters\":%llu",
                     a->scripts, a->functions, a->called, (unsigned long long)a->characters,
                     (unsigned long long)a->executed);
    put_functions(c, "mostCalled", a->hottest, a->hottest_count, buf);
    put_functions(c, "neverCalled", a->never, a->never_count, buf);
    sonde_buf_text(buf, ",\"neverReached\":[");
    for (size_t i = 0; i < a->block_count && i < SONDE_COVERAGE_LISTED_MAX; i++) {
        put_block(c, &a->blocks[i], i == 0, buf);
    }
    sonde_buf_char(buf, ']');
    put_file_objects(a, buf);
}
