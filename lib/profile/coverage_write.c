/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "profile/coverage.h"

static void put_range(struct sonde_buf *buf, uint32_t start, uint32_t end, uint64_t count)
{
    sonde_buf_printf(buf, "{\"startOffset\":%u,\"endOffset\":%u,\"count\":%llu}", start, end,
                     (unsigned long long)count);
}

static int put_function(const struct sonde_coverage *c,
                        const struct sonde_coverage_function *function, bool first,
                        struct sonde_output *output, struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    int r = 0;
    bool blocks = false;
    sonde_buf_text(buf, first ? "{\"functionName\":" : ",{\"functionName\":");
    sonde_buf_json_string(buf, function->name);
    sonde_buf_text(buf, ",\"ranges\":[");
    put_range(buf, function->start, function->end, function->count);
    for (uint32_t i = 0; i < function->segment_count && r == 0; i++) {
        const struct sonde_coverage_segment *segment = &c->segments[function->first_segment + i];
        if (segment->count != function->count) {
            sonde_buf_char(buf, ',');
            put_range(buf, segment->start, segment->end, segment->count);
            blocks = true;
            r = sonde_output_flush(output, false, err);
        }
    }
    sonde_buf_printf(buf, "],\"isBlockCoverage\":%s}", blocks ? "true" : "false");
    return r < 0 ? r : sonde_output_flush(output, false, err);
}

/* Functions stand by script: `next` links those of one, from 1; 0 ends. */
static int put_scripts(const struct sonde_coverage *c, const uint32_t *first, const uint32_t *next,
                       struct sonde_output *output, struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    int r = 0;
    for (size_t i = 0; i < c->script_count && r == 0; i++) {
        sonde_buf_printf(buf, "%s{\"scriptId\":\"%zu\",\"url\":", i ? "," : "", i + 1);
        sonde_buf_json_string(buf, c->scripts[i].url);
        sonde_buf_text(buf, ",\"functions\":[");
        for (uint32_t k = first[i]; k && r == 0; k = next[k - 1]) {
            r = put_function(c, &c->functions[k - 1], k == first[i], output, err);
        }
        sonde_buf_text(buf, "]}");
    }
    return r;
}

static int put_lines(const struct sonde_coverage *c, struct sonde_output *output,
                     struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    bool any = false;
    int r = 0;
    for (size_t i = 0; i < c->script_count && r == 0; i++) {
        const struct sonde_coverage_script *script = &c->scripts[i];
        if (script->line_count == 0) {
            continue;
        }
        sonde_buf_text(buf, any ? "," : ",\"source-map-cache\":{");
        any = true;
        sonde_buf_json_string(buf, script->url);
        sonde_buf_text(buf, ":{\"lineLengths\":[");
        for (uint32_t k = 0; k < script->line_count && r == 0; k++) {
            const uint32_t *start = &c->lines[script->first_line + k];
            bool last = k + 1 == script->line_count;
            /* The last line's length is not needed to know where lines begin. */
            sonde_buf_printf(buf, "%s%u", k ? "," : "",
                             last || start[1] == start[0] ? 0 : start[1] - start[0] - 1);
            r = sonde_output_flush(output, false, err);
        }
        sonde_buf_text(buf, "],\"data\":null,\"url\":null}");
    }
    sonde_buf_text(buf, any ? "}" : "");
    return r;
}

int sonde_coverage_write(const struct sonde_coverage *coverage, struct sonde_output *output,
                         struct sonde_err *err)
{
    const struct sonde_coverage *c = coverage;
    SONDE_FREE uint32_t *first = calloc(c->script_count + 1, sizeof(*first));
    SONDE_FREE uint32_t *next = calloc(c->function_count + 1, sizeof(*next));
    if (!first || !next) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "coverage: out of memory");
    }
    sonde_coverage_link(c, first, next);
    sonde_buf_text(&output->piece, "{\"result\":[");
    int r = put_scripts(c, first, next, output, err);
    sonde_buf_char(&output->piece, ']');
    r = r < 0 ? r : put_lines(c, output, err);
    sonde_buf_text(&output->piece, "}\n");
    return r < 0 ? r : sonde_output_flush(output, true, err);
}
