/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "codec/compress.h"
#include "codec/protobuf.h"
#include "profile/ids.h"
#include "profile/pprof.h"
#include "profile/pprof_fields.h"
#include "profile/reading.h"

enum { NONE = SONDE_ID_NONE, GZIP_FIRST = 0x1f, GZIP_SECOND = 0x8b };

struct value_type {
    uint64_t type, unit; /* strings */
};

struct function {
    uint64_t name, file;      /* strings */
    int32_t start, first_hit; /* lines; 0: unknown */
    uint32_t frame;           /* in the profile, or NONE */
};

struct line {
    uint64_t function; /* an id, then an index */
    int32_t line;
};

struct location {
    uint32_t first, count; /* of lines, innermost first */
};

struct sonde_pprof_reader {
    struct sonde_profile *profile;
    struct sonde_stream *stream; /* NULL: not gzipped */
    struct sonde_buf text;
    bool begun;
    unsigned char first; /* the first byte, until the second one is there */
    size_t seen;
    struct value_type types[SONDE_PPROF_TYPES_MAX];
    size_t type_count;
    struct value_type period_type;
    int64_t period, duration_ns;
    uint64_t default_type;
    struct sonde_str *strings;
    size_t string_count, string_capacity;
    struct function *functions;
    struct sonde_id *function_ids;
    size_t function_count, function_capacity, function_id_capacity;
    struct location *locations;
    struct sonde_id *location_ids;
    size_t location_count, location_capacity, location_id_capacity;
    struct line *lines;
    size_t line_count, line_capacity;
    uint64_t *stack; /* ids of locations of the sample at hand */
    size_t stack_count, stack_capacity;
    struct sonde_budget budget; /* of the text and all these */
    /* What a sample's amount is. */
    size_t value, count; /* indexes of types; count NONE: none */
    int64_t scale;
    bool cpu;
};

static const char format[] = "pprof";

static int malformed(struct sonde_err *err, const char *what)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "pprof: %s", what);
}

/* ---- bytes ---- */

static int keep(void *context, const void *data, size_t length, struct sonde_err *err)
{
    struct sonde_pprof_reader *r = context;
    sonde_buf_append(&r->text, data, length);
    return sonde_buf_check(&r->text, "a pprof file", err);
}

int sonde_pprof_reader_new(struct sonde_profile *profile, struct sonde_pprof_reader **ret,
                           struct sonde_err *err)
{
    struct sonde_pprof_reader *r = calloc(1, sizeof(*r));
    if (!r) {
        return sonde_read_no_room(format, SONDE_ENOMEM, "", err);
    }
    r->profile = profile;
    r->text = SONDE_BUF(SONDE_PPROF_BYTES_MAX);
    r->budget.maximum = SONDE_PROFILE_FILE_MAX;
    *ret = r;
    return 0;
}

void sonde_pprof_reader_free(struct sonde_pprof_reader *r)
{
    if (!r) {
        return;
    }
    sonde_stream_free(r->stream);
    sonde_buf_fini(&r->text);
    free(r->strings);
    free(r->functions);
    free(r->function_ids);
    free(r->locations);
    free(r->location_ids);
    free(r->lines);
    free(r->stack);
    free(r);
}

static int pass_on(struct sonde_pprof_reader *r, const void *data, size_t length,
                   struct sonde_err *err)
{
    return r->stream ? sonde_stream_feed(r->stream, data, length, err) : keep(r, data, length, err);
}

int sonde_pprof_feed(struct sonde_pprof_reader *r, const char *data, size_t length,
                     struct sonde_err *err)
{
    size_t taken = 0;
    while (!r->begun && taken < length) {
        unsigned char byte = (unsigned char)data[taken++];
        if (r->seen++ == 0) {
            r->first = byte;
            continue;
        }
        r->begun = true;
        unsigned char head[2] = {r->first, byte};
        int code = 0;
        if (head[0] == GZIP_FIRST && head[1] == GZIP_SECOND) {
            code =
                sonde_decompressor_new(SONDE_GZIP, SONDE_PPROF_BYTES_MAX, keep, r, &r->stream, err);
        }
        code = code ? code : pass_on(r, head, sizeof(head), err);
        if (code < 0) {
            return code;
        }
    }
    return taken < length ? pass_on(r, data + taken, length - taken, err) : 0;
}

/* ---- messages ---- */

static int32_t line_of(uint64_t value)
{
    return value < INT32_MAX ? (int32_t)value : 0;
}

static int take_type(struct sonde_str text, struct value_type *ret, struct sonde_err *err)
{
    struct sonde_protobuf_field field;
    int more;
    *ret = (struct value_type){0};
    while ((more = sonde_protobuf_next(&text, &field, err)) > 0) {
        if (field.type == SONDE_PROTOBUF_VARINT && field.number == TYPE_TYPE) {
            ret->type = field.value;
        } else if (field.type == SONDE_PROTOBUF_VARINT && field.number == TYPE_UNIT) {
            ret->unit = field.value;
        }
    }
    return more;
}

static int take_function(struct sonde_pprof_reader *r, struct sonde_str text, struct sonde_err *err)
{
    struct sonde_protobuf_field field;
    struct function function = {.frame = NONE};
    uint64_t id = 0;
    int more;
    while ((more = sonde_protobuf_next(&text, &field, err)) > 0) {
        if (field.type != SONDE_PROTOBUF_VARINT) {
            continue;
        }
        switch (field.number) {
        case FUNCTION_ID:
            id = field.value;
            break;
        case FUNCTION_NAME:
            function.name = field.value;
            break;
        case FUNCTION_FILE:
            function.file = field.value;
            break;
        case FUNCTION_START_LINE:
            function.start = line_of(field.value);
            break;
        default:
            break;
        }
    }
    size_t wanted = r->function_count + 1;
    int code = sonde_array_grow_within(&r->budget, &r->functions, &r->function_capacity, wanted,
                                       sizeof(*r->functions), SONDE_PPROF_ITEMS_MAX);
    code = code ? code
                : sonde_array_grow_within(&r->budget, &r->function_ids, &r->function_id_capacity,
                                          wanted, sizeof(*r->function_ids), SONDE_PPROF_ITEMS_MAX);
    if (more < 0 || code < 0) {
        return more < 0 ? more : sonde_read_no_room(format, code, "functions", err);
    }
    r->function_ids[r->function_count] = (struct sonde_id){id, (uint32_t)r->function_count};
    r->functions[r->function_count++] = function;
    return 0;
}

static int take_line(struct sonde_pprof_reader *r, struct sonde_str text, struct sonde_err *err)
{
    struct sonde_protobuf_field field;
    struct line line = {0};
    int more;
    while ((more = sonde_protobuf_next(&text, &field, err)) > 0) {
        if (field.type == SONDE_PROTOBUF_VARINT && field.number == LINE_FUNCTION) {
            line.function = field.value;
        } else if (field.type == SONDE_PROTOBUF_VARINT && field.number == LINE_LINE) {
            line.line = line_of(field.value);
        }
    }
    int code = sonde_array_grow_within(&r->budget, &r->lines, &r->line_capacity, r->line_count + 1,
                                       sizeof(*r->lines), SONDE_PPROF_ITEMS_MAX);
    if (more < 0 || code < 0) {
        return more < 0 ? more : sonde_read_no_room(format, code, "lines", err);
    }
    r->lines[r->line_count++] = line;
    return 0;
}

static int take_location(struct sonde_pprof_reader *r, struct sonde_str text, struct sonde_err *err)
{
    struct sonde_protobuf_field field;
    struct location location = {.first = (uint32_t)r->line_count};
    uint64_t id = 0;
    int more;
    while ((more = sonde_protobuf_next(&text, &field, err)) > 0) {
        if (field.type == SONDE_PROTOBUF_VARINT && field.number == LOCATION_ID) {
            id = field.value;
        } else if (field.type == SONDE_PROTOBUF_BYTES && field.number == LOCATION_LINE) {
            int code = take_line(r, field.bytes, err);
            if (code < 0) {
                return code;
            }
            location.count++;
        }
    }
    size_t wanted = r->location_count + 1;
    int code = sonde_array_grow_within(&r->budget, &r->locations, &r->location_capacity, wanted,
                                       sizeof(*r->locations), SONDE_PPROF_ITEMS_MAX);
    code = code ? code
                : sonde_array_grow_within(&r->budget, &r->location_ids, &r->location_id_capacity,
                                          wanted, sizeof(*r->location_ids), SONDE_PPROF_ITEMS_MAX);
    if (more < 0 || code < 0) {
        return more < 0 ? more : sonde_read_no_room(format, code, "locations", err);
    }
    r->location_ids[r->location_count] = (struct sonde_id){id, (uint32_t)r->location_count};
    r->locations[r->location_count++] = location;
    return 0;
}

static int take_string(struct sonde_pprof_reader *r, struct sonde_str text, struct sonde_err *err)
{
    int code =
        sonde_array_grow_within(&r->budget, &r->strings, &r->string_capacity, r->string_count + 1,
                                sizeof(*r->strings), SONDE_PPROF_STRINGS_MAX);
    if (code < 0) {
        return sonde_read_no_room(format, code, "strings", err);
    }
    r->strings[r->string_count++] = text;
    return 0;
}

static int take_message(struct sonde_pprof_reader *r, const struct sonde_protobuf_field *field,
                        struct sonde_err *err)
{
    switch (field->number) {
    case PROFILE_SAMPLE_TYPE:
        if (r->type_count == SONDE_PPROF_TYPES_MAX) {
            return sonde_read_no_room(format, SONDE_ELIMIT, "types of values", err);
        }
        return take_type(field->bytes, &r->types[r->type_count++], err);
    case PROFILE_PERIOD_TYPE:
        return take_type(field->bytes, &r->period_type, err);
    case PROFILE_FUNCTION:
        return take_function(r, field->bytes, err);
    case PROFILE_LOCATION:
        return take_location(r, field->bytes, err);
    case PROFILE_STRING:
        return take_string(r, field->bytes, err);
    default:
        return 0;
    }
}

static void take_number(struct sonde_pprof_reader *r, const struct sonde_protobuf_field *field)
{
    if (field->number == PROFILE_DURATION) {
        r->duration_ns = (int64_t)field->value;
    } else if (field->number == PROFILE_PERIOD) {
        r->period = (int64_t)field->value;
    } else if (field->number == PROFILE_DEFAULT_TYPE) {
        r->default_type = field->value;
    }
}

/* Everything but the samples: their names may come after them. */
static int take_tables(struct sonde_pprof_reader *r, struct sonde_err *err)
{
    struct sonde_protobuf_field field;
    struct sonde_str rest = sonde_buf_view(&r->text);
    int more;
    while ((more = sonde_protobuf_next(&rest, &field, err)) > 0) {
        int code = 0;
        if (field.type == SONDE_PROTOBUF_BYTES) {
            code = take_message(r, &field, err);
        } else if (field.type == SONDE_PROTOBUF_VARINT) {
            take_number(r, &field);
        }
        if (code < 0) {
            return code;
        }
    }
    return more;
}

/* ---- what the values are ---- */

static struct sonde_str string(const struct sonde_pprof_reader *r, uint64_t index)
{
    return index < r->string_count ? r->strings[index] : SONDE_STR("");
}

static const struct {
    const char *name;
    enum sonde_profile_unit unit;
    int64_t scale;
} units[] = {
    {"nanoseconds", SONDE_PROFILE_NANOSECONDS, 1},
    {"microseconds", SONDE_PROFILE_NANOSECONDS, 1000},
    {"milliseconds", SONDE_PROFILE_NANOSECONDS, 1000000},
    {"seconds", SONDE_PROFILE_NANOSECONDS, 1000000000},
    {"bytes", SONDE_PROFILE_BYTES, 1},
    {"kilobytes", SONDE_PROFILE_BYTES, 1 << 10},
    {"megabytes", SONDE_PROFILE_BYTES, 1 << 20},
};

static const struct {
    const char *name;
    const char *count; /* its counterpart */
} preferred[] = {
    {"cpu", "samples"},
    {"wall", "sample"},
    {"inuse_space", "inuse_objects"},
    {"space", "objects"},
    {"alloc_space", "alloc_objects"},
};

/* The index of a type of that name (NULL: any) whose unit is time or bytes, or NONE. */
static size_t find_amount(const struct sonde_pprof_reader *r, struct sonde_str name, bool any)
{
    for (size_t i = 0; i < r->type_count; i++) {
        bool named = any || sonde_str_equal(string(r, r->types[i].type), name);
        for (size_t u = 0; u < SONDE_LENGTH(units) && named; u++) {
            if (sonde_str_is(string(r, r->types[i].unit), units[u].name)) {
                return i;
            }
        }
    }
    return NONE;
}

static size_t find_count(const struct sonde_pprof_reader *r, const char *name)
{
    size_t any = NONE;
    for (size_t i = 0; i < r->type_count; i++) {
        if (sonde_str_is(string(r, r->types[i].unit), "count")) {
            if (name && sonde_str_is(string(r, r->types[i].type), name)) {
                return i;
            }
            any = any == NONE ? i : any;
        }
    }
    return any;
}

static struct sonde_str cut(struct sonde_str text)
{
    text.length = text.length < 40 ? text.length : 40;
    return text;
}

static int set_unit(struct sonde_pprof_reader *r, struct sonde_str unit, int64_t times,
                    struct sonde_err *err)
{
    for (size_t u = 0; u < SONDE_LENGTH(units); u++) {
        if (sonde_str_is(unit, units[u].name) &&
            !__builtin_mul_overflow(units[u].scale, times, &r->scale)) {
            return sonde_profile_set_unit(r->profile, units[u].unit, err);
        }
    }
    return sonde_fail(err, SONDE_EINVALID, 0,
                      "the pprof file has neither time nor bytes, but %.*s in %.*s",
                      SONDE_STR_ARG(cut(string(r, r->types[0].type))),
                      SONDE_STR_ARG(cut(string(r, r->types[0].unit))));
}

static int choose_values(struct sonde_pprof_reader *r, struct sonde_err *err)
{
    if (r->type_count == 0) {
        return malformed(err, "it does not say what its values are");
    }
    struct sonde_str wanted = string(r, r->default_type);
    size_t chosen = wanted.length ? find_amount(r, wanted, false) : NONE;
    for (size_t i = 0; i < SONDE_LENGTH(preferred) && chosen == NONE; i++) {
        chosen = find_amount(r, sonde_str(preferred[i].name), false);
    }
    chosen = chosen == NONE ? find_amount(r, SONDE_STR(""), true) : chosen;
    const char *counterpart = NULL;
    struct sonde_str name = chosen == NONE ? SONDE_STR("") : string(r, r->types[chosen].type);
    for (size_t i = 0; i < SONDE_LENGTH(preferred); i++) {
        counterpart = sonde_str_is(name, preferred[i].name) ? preferred[i].count : counterpart;
    }
    r->count = find_count(r, counterpart);
    int code;
    if (chosen == NONE && r->count != NONE && r->period > 0) {
        chosen = r->count;
        name = string(r, r->period_type.type);
        code = set_unit(r, string(r, r->period_type.unit), r->period, err);
    } else {
        code = set_unit(r, string(r, r->types[chosen == NONE ? 0 : chosen].unit), 1, err);
    }
    r->value = chosen;
    r->cpu = sonde_str_is(name, "cpu");
    if (code == 0 && r->profile->unit == SONDE_PROFILE_BYTES) {
        r->profile->collected = sonde_str_starts(name, "alloc");
        r->profile->counts_objects =
            r->count != NONE && sonde_str_ends(string(r, r->types[r->count].type), "objects");
    }
    return code;
}

/* ---- samples ---- */

/* Ids of functions become indexes, and a function without a line of its own begins at the first
 * one that was hit. */
static int resolve_lines(struct sonde_pprof_reader *r, struct sonde_err *err)
{
    int code = sonde_ids_sort(r->function_ids, r->function_count, "pprof", "functions", err);
    code =
        code ? code : sonde_ids_sort(r->location_ids, r->location_count, "pprof", "locations", err);
    for (size_t i = 0; i < r->line_count && code == 0; i++) {
        struct line *line = &r->lines[i];
        uint32_t function = sonde_ids_find(r->function_ids, r->function_count, line->function);
        if (function == NONE) {
            return malformed(err, "a line of an unknown function");
        }
        line->function = function;
        int32_t *first = &r->functions[function].first_hit;
        if (line->line && (*first == 0 || line->line < *first)) {
            *first = line->line;
        }
    }
    return code;
}

/* What @datadog/pprof, and with it Pyroscope, calls the collector. */
static struct sonde_str name_of(const struct sonde_pprof_reader *r, const struct function *function)
{
    struct sonde_str name = string(r, function->name);
    bool collector =
        sonde_str_is(name, "Garbage Collection") && string(r, function->file).length == 0;
    return collector ? SONDE_STR("(garbage collector)") : name;
}

static int frame_of(struct sonde_pprof_reader *r, struct function *function, uint32_t *ret,
                    struct sonde_err *err)
{
    int code = 0;
    if (function->frame == NONE) {
        int32_t line = function->start ? function->start : function->first_hit;
        struct sonde_str file = string(r, function->file);
        code = sonde_profile_frame(r->profile, name_of(r, function), file, file.length ? line : 0,
                                   0, &function->frame, err);
    }
    *ret = function->frame;
    return code;
}

static int push_location(struct sonde_pprof_reader *r, uint64_t id, struct sonde_err *err)
{
    int code =
        sonde_array_grow_within(&r->budget, &r->stack, &r->stack_capacity, r->stack_count + 1,
                                sizeof(*r->stack), SONDE_PPROF_STACK_MAX);
    if (code < 0) {
        return sonde_read_no_room(format, code, "locations in one sample", err);
    }
    r->stack[r->stack_count++] = id;
    return 0;
}

/* A repeated number is packed, or stands alone. */
static int take_numbers(struct sonde_pprof_reader *r, const struct sonde_protobuf_field *field,
                        uint64_t *values, size_t *count, struct sonde_err *err)
{
    struct sonde_str rest = field->bytes;
    uint64_t number = field->value;
    bool packed = field->type == SONDE_PROTOBUF_BYTES;
    while (!packed || rest.length) {
        int code = packed ? sonde_protobuf_take_varint(&rest, &number, err) : 0;
        if (code == 0 && !values) {
            code = push_location(r, number, err);
        }
        if (code < 0) {
            return code;
        }
        if (values && *count < SONDE_PPROF_TYPES_MAX) {
            values[(*count)++] = number;
        }
        if (!packed) {
            break;
        }
    }
    return 0;
}

/* From the outermost frame down to the innermost, whose line may be a tick. */
static int place_stack(struct sonde_pprof_reader *r, uint64_t samples, uint32_t *ret,
                       struct sonde_err *err)
{
    struct sonde_profile *profile = r->profile;
    uint32_t node = 0;
    int code = 0;
    for (size_t i = r->stack_count; i-- > 0;) {
        uint32_t item = sonde_ids_find(r->location_ids, r->location_count, r->stack[i]);
        if (item == NONE) {
            return malformed(err, "a sample at an unknown location");
        }
        const struct location *location = &r->locations[item];
        for (uint32_t k = location->count; k-- > 0 && code == 0;) {
            const struct line *line = &r->lines[location->first + k];
            struct function *function = &r->functions[line->function];
            uint32_t frame;
            code = frame_of(r, function, &frame, err);
            if (code == 0 && profile->frames[frame].category != SONDE_CATEGORY_ROOT) {
                code = sonde_profile_node(profile, node, frame, &node, err);
            }
            bool leaf = i == 0 && k == 0;
            if (code == 0 && leaf && function->start && line->line != function->start &&
                line->line > 0) {
                uint32_t ticks = samples < UINT32_MAX ? (uint32_t)samples : UINT32_MAX;
                code = sonde_profile_add_ticks(profile, frame, line->line, ticks, err);
            }
        }
        if (code < 0) {
            return code;
        }
    }
    *ret = node;
    return 0;
}

static int add_sample(struct sonde_pprof_reader *r, struct sonde_str text, struct sonde_err *err)
{
    struct sonde_protobuf_field field;
    uint64_t values[SONDE_PPROF_TYPES_MAX];
    size_t count = 0;
    int more;
    r->stack_count = 0;
    while ((more = sonde_protobuf_next(&text, &field, err)) > 0) {
        bool number = field.type == SONDE_PROTOBUF_VARINT || field.type == SONDE_PROTOBUF_BYTES;
        int code = 0;
        if (number && field.number == SAMPLE_LOCATION) {
            code = take_numbers(r, &field, NULL, NULL, err);
        } else if (number && field.number == SAMPLE_VALUE) {
            code = take_numbers(r, &field, values, &count, err);
        }
        if (code < 0) {
            return code;
        }
    }
    if (more < 0 || count != r->type_count) {
        return more < 0 ? more : malformed(err, "a sample with more or fewer values than it says");
    }
    int64_t amount = (int64_t)values[r->value];
    uint64_t samples = r->count == NONE ? 1 : values[r->count];
    if (amount < 0 || (int64_t)samples < 0) {
        return malformed(err, "a negative value: it is the difference of two profiles");
    }
    uint32_t node;
    int code = place_stack(r, samples, &node, err);
    if (code == 0 && __builtin_mul_overflow(amount, r->scale, &amount)) {
        return sonde_read_no_room(format, SONDE_ELIMIT, "nanoseconds or bytes", err);
    }
    return code ? code : sonde_profile_add_amount(r->profile, node, amount, samples, err);
}

static int add_samples(struct sonde_pprof_reader *r, struct sonde_err *err)
{
    struct sonde_protobuf_field field;
    struct sonde_str rest = sonde_buf_view(&r->text);
    int more;
    while ((more = sonde_protobuf_next(&rest, &field, err)) > 0) {
        if (field.type == SONDE_PROTOBUF_BYTES && field.number == PROFILE_SAMPLE) {
            int code = add_sample(r, field.bytes, err);
            if (code < 0) {
                return code;
            }
        }
    }
    return more;
}

/* A process that used the CPU for a part of the time idled for the rest. */
static int set_duration(struct sonde_pprof_reader *r, int64_t before, struct sonde_err *err)
{
    struct sonde_profile *profile = r->profile;
    int64_t duration_us = r->duration_ns > 0 ? r->duration_ns / 1000 : 0;
    int64_t end = profile->start_us + duration_us;
    int64_t idle = r->duration_ns - (profile->total - before);
    profile->end_us = end > profile->end_us ? end : profile->end_us;
    profile->windows++;
    if (profile->unit != SONDE_PROFILE_NANOSECONDS || sonde_profile_idles(profile)) {
        return 0;
    }
    if (!r->cpu || idle <= 0 || r->duration_ns <= 0) {
        profile->busy_only = true;
        return 0;
    }
    uint32_t frame;
    uint32_t node;
    int code = sonde_profile_frame(profile, SONDE_STR("(idle)"), SONDE_STR(""), 0, 0, &frame, err);
    code = code ? code : sonde_profile_node(profile, 0, frame, &node, err);
    return code ? code : sonde_profile_add_amount(profile, node, idle, 0, err);
}

int sonde_pprof_finish(struct sonde_pprof_reader *r, struct sonde_err *err)
{
    int code = r->stream ? sonde_stream_finish(r->stream, err) : 0;
    if (code == 0 && r->text.length == 0) {
        return malformed(err, "the file is empty");
    }
    if (code == 0 && !sonde_budget_take(&r->budget, r->text.capacity)) {
        return sonde_read_no_room(format, SONDE_ELIMIT, "bytes", err);
    }
    int64_t before = r->profile->total;
    code = code ? code : take_tables(r, err);
    code = code ? code : choose_values(r, err);
    code = code ? code : resolve_lines(r, err);
    code = code ? code : add_samples(r, err);
    return code ? code : set_duration(r, before, err);
}
