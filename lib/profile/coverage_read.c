/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "codec/json_scan.h"
#include "profile/coverage_internal.h"
#include "profile/reading.h"

enum { DEPTH_MAX = 64 };
enum section { ELSEWHERE, RESULT, CACHE };
enum field {
    UNKNOWN,
    URL,
    FUNCTIONS,
    FUNCTION_NAME,
    RANGES,
    START,
    END,
    COUNT,
    LINE_LENGTHS,
};

static const struct {
    const char *name;
    unsigned depth;
    enum section section;
    enum field field;
} keys[] = {
    {"url", 3, RESULT, URL},
    {"functions", 3, RESULT, FUNCTIONS},
    {"functionName", 5, RESULT, FUNCTION_NAME},
    {"ranges", 5, RESULT, RANGES},
    {"startOffset", 7, RESULT, START},
    {"endOffset", 7, RESULT, END},
    {"count", 7, RESULT, COUNT},
    {"lineLengths", 3, CACHE, LINE_LENGTHS},
};

/* A function whose script's URL may still come. */
struct pending {
    struct sonde_str name;
    size_t first, count; /* of ranges */
};

struct sonde_coverage_reader {
    struct sonde_coverage *coverage;
    struct sonde_json_scanner scanner;
    enum section section;
    enum field of_script, of_function, of_range;
    struct sonde_buf url;
    struct pending *functions; /* of the script at hand */
    size_t function_count, function_capacity;
    struct sonde_coverage_segment *ranges;
    size_t range_count, range_capacity;
    struct sonde_str name;
    struct sonde_coverage_segment range;
    bool has_result;
    bool in_lines;        /* the lengths of lines are being read */
    uint32_t line_script; /* whose they are … */
    uint64_t line_start;  /* … and where the next line begins */
    bool lines_known;     /* of a file before this one */
};

static const char format[] = "coverage";

static void on_key(struct sonde_coverage_reader *r, const struct sonde_json_token *token)
{
    enum field field = UNKNOWN;
    if (token->depth == 1) {
        r->section = sonde_str_is(token->text, "result")             ? RESULT
                     : sonde_str_is(token->text, "source-map-cache") ? CACHE
                                                                     : ELSEWHERE;
        r->has_result = r->has_result || r->section == RESULT;
    }
    for (size_t i = 0; i < SONDE_LENGTH(keys); i++) {
        if (keys[i].section == r->section && keys[i].depth == token->depth &&
            sonde_str_is(token->text, keys[i].name)) {
            field = keys[i].field;
        }
    }
    if (token->depth == 3) {
        r->of_script = field;
    } else if (token->depth == 5) {
        r->of_function = field;
    } else if (token->depth == 7) {
        r->of_range = field;
    }
}

/* The inside of a member that is not known has the same depths as what is. */
static bool in_functions(const struct sonde_coverage_reader *r)
{
    return r->section == RESULT && r->of_script == FUNCTIONS;
}

static uint64_t whole(const struct sonde_json_token *token, uint64_t maximum)
{
    if (!token->is_integer || token->integer < 0) {
        return token->is_integer || token->text.data[0] == '-' ? 0 : maximum;
    }
    return (uint64_t)token->integer < maximum ? (uint64_t)token->integer : maximum;
}

static int on_number(struct sonde_coverage_reader *r, const struct sonde_json_token *token,
                     struct sonde_err *err)
{
    if (r->in_lines && token->depth == 4) {
        if (r->lines_known) {
            return 0;
        }
        uint32_t start = r->line_start < INT32_MAX ? (uint32_t)r->line_start : INT32_MAX;
        r->line_start = start + whole(token, INT32_MAX) + 1;
        return sonde_coverage_add_line(r->coverage, r->line_script, start, err);
    }
    if (in_functions(r) && r->of_function == RANGES && token->depth == 7) {
        if (r->of_range == START) {
            r->range.start = (uint32_t)whole(token, INT32_MAX);
        } else if (r->of_range == END) {
            r->range.end = (uint32_t)whole(token, INT32_MAX);
        } else if (r->of_range == COUNT) {
            r->range.count = whole(token, SONDE_COVERAGE_COUNT_MAX);
        }
    }
    return 0;
}

static int on_string(struct sonde_coverage_reader *r, const struct sonde_json_token *token,
                     struct sonde_err *err)
{
    if (r->section == RESULT && token->depth == 3 && r->of_script == URL) {
        sonde_buf_clear(&r->url);
        sonde_buf_str(&r->url, sonde_profile_cut(token->text));
        return sonde_buf_check(&r->url, "a URL", err);
    }
    if (in_functions(r) && token->depth == 5 && r->of_function == FUNCTION_NAME) {
        return sonde_coverage_intern(r->coverage, token->text, &r->name, err);
    }
    return 0;
}

static int begin_object(struct sonde_coverage_reader *r, unsigned depth, struct sonde_err *err)
{
    if (r->section == RESULT && depth == 2) {
        sonde_buf_clear(&r->url);
        r->function_count = r->range_count = 0;
        r->of_script = UNKNOWN;
    } else if (in_functions(r) && depth == 4) {
        int code = sonde_array_grow(&r->functions, &r->function_capacity, r->function_count + 1,
                                    sizeof(*r->functions), SONDE_COVERAGE_FUNCTIONS_MAX);
        if (code < 0) {
            return sonde_read_no_room(format, code, "functions", err);
        }
        r->name = SONDE_STR("");
        r->of_function = UNKNOWN;
        r->functions[r->function_count] = (struct pending){.first = r->range_count};
    } else if (in_functions(r) && depth == 6) {
        r->range = (struct sonde_coverage_segment){0};
        r->of_range = UNKNOWN;
    }
    return 0;
}

static int end_range(struct sonde_coverage_reader *r, struct sonde_err *err)
{
    if (r->range.end < r->range.start) {
        return sonde_fail(err, SONDE_EPARSE, 0, "coverage: a range from %u to %u", r->range.start,
                          r->range.end);
    }
    int code = sonde_array_grow(&r->ranges, &r->range_capacity, r->range_count + 1,
                                sizeof(*r->ranges), SONDE_COVERAGE_SEGMENTS_MAX);
    if (code < 0) {
        return sonde_read_no_room(format, code, "blocks", err);
    }
    r->ranges[r->range_count++] = r->range;
    return 0;
}

/* Its URL is known by now. */
static int end_script(struct sonde_coverage_reader *r, struct sonde_err *err)
{
    uint32_t script;
    int code = sonde_coverage_script(r->coverage, sonde_buf_view(&r->url), &script, err);
    for (size_t i = 0; i < r->function_count && code == 0; i++) {
        const struct pending *function = &r->functions[i];
        struct sonde_str name;
        code = sonde_coverage_intern(r->coverage, function->name, &name, err);
        code = code ? code
                    : sonde_coverage_function(r->coverage, script, name,
                                              &r->ranges[function->first], function->count, err);
    }
    return code;
}

static int end_object(struct sonde_coverage_reader *r, unsigned depth, struct sonde_err *err)
{
    if (in_functions(r) && depth == 6 && r->of_function == RANGES) {
        return end_range(r, err);
    }
    if (in_functions(r) && depth == 4) {
        struct pending *function = &r->functions[r->function_count];
        function->name = r->name;
        function->count = r->range_count - function->first;
        r->function_count += function->count > 0;
        return 0;
    }
    return r->section == RESULT && depth == 2 ? end_script(r, err) : 0;
}

/* Lines are told of a script by its URL, before or behind what ran of it. */
static int begin_lines(struct sonde_coverage_reader *r, struct sonde_err *err)
{
    int code = sonde_coverage_script(r->coverage, sonde_buf_view(&r->url), &r->line_script, err);
    if (code == 0) {
        r->in_lines = true;
        r->lines_known = r->coverage->scripts[r->line_script].line_count > 0;
        r->line_start = 0;
    }
    return code;
}

static int on_token(void *context, struct sonde_json_scanner *scanner,
                    const struct sonde_json_token *token, struct sonde_err *err)
{
    (void)scanner;
    struct sonde_coverage_reader *r = context;
    switch (token->event) {
    case SONDE_JSON_KEY:
        on_key(r, token);
        if (r->section == CACHE && token->depth == 2) {
            sonde_buf_clear(&r->url);
            sonde_buf_str(&r->url, sonde_profile_cut(token->text));
            return sonde_buf_check(&r->url, "a URL", err);
        }
        return 0;
    case SONDE_JSON_NUMBER:
        return on_number(r, token, err);
    case SONDE_JSON_STRING:
        return on_string(r, token, err);
    case SONDE_JSON_OBJECT_BEGIN:
        return begin_object(r, token->depth, err);
    case SONDE_JSON_OBJECT_END:
        return end_object(r, token->depth, err);
    case SONDE_JSON_ARRAY_END:
        r->in_lines = r->in_lines && token->depth > 3;
        return 0;
    case SONDE_JSON_ARRAY_BEGIN:
        return r->section == CACHE && token->depth == 3 && r->of_script == LINE_LENGTHS
                   ? begin_lines(r, err)
                   : 0;
    default:
        return 0;
    }
}

int sonde_coverage_reader_new(struct sonde_coverage *coverage, struct sonde_coverage_reader **ret,
                              struct sonde_err *err)
{
    struct sonde_coverage_reader *r = calloc(1, sizeof(*r));
    if (!r) {
        return sonde_read_no_room(format, SONDE_ENOMEM, "", err);
    }
    struct sonde_json_limits limits = {.depth = DEPTH_MAX, .string = SONDE_COVERAGE_STRING_MAX};
    r->coverage = coverage;
    r->url = SONDE_BUF(SONDE_PROFILE_NAME_MAX);
    sonde_json_scanner_init(&r->scanner, limits, on_token, r);
    *ret = r;
    return 0;
}

void sonde_coverage_reader_free(struct sonde_coverage_reader *r)
{
    if (r) {
        sonde_json_scanner_fini(&r->scanner);
        sonde_buf_fini(&r->url);
        free(r->functions);
        free(r->ranges);
        free(r);
    }
}

int sonde_coverage_feed(struct sonde_coverage_reader *reader, const char *data, size_t length,
                        struct sonde_err *err)
{
    return sonde_json_scan(&reader->scanner, data, length, err);
}

int sonde_coverage_finish(struct sonde_coverage_reader *r, struct sonde_err *err)
{
    int code = sonde_json_scan_finish(&r->scanner, err);
    if (code == 0 && !r->has_result) {
        code = sonde_fail(err, SONDE_EPARSE, 0, "coverage: it has no result");
    }
    code = code < 0 ? code : sonde_coverage_compact(r->coverage, err);
    r->coverage->files += code == 0;
    return code;
}
