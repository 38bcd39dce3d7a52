/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/source_map.h"

#include <stdlib.h>

#include "codec/base64.h"
#include "codec/json.h"

enum { SECTIONS_MAX = 10000, NONE = -1 };

struct segment {
    int32_t line, column; /* generated, 0-based */
    int32_t source;       /* index in sources, or NONE */
    int32_t source_line, source_column;
    int32_t name;
};

struct sonde_source_map {
    struct sonde_arena text;
    struct sonde_str *sources;
    size_t source_count, source_capacity;
    struct sonde_str *names;
    size_t name_count, name_capacity;
    struct segment *segments;
    size_t segment_count, segment_capacity;
};

static int wrong(struct sonde_err *err, const char *what)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "source map: %s", what);
}

static int no_room(int code, struct sonde_err *err)
{
    return sonde_fail(err, code, 0,
                      code == SONDE_ELIMIT ? "source map: too large" : "source map: out of memory");
}

void sonde_source_map_free(struct sonde_source_map *map)
{
    if (map) {
        sonde_arena_fini(&map->text);
        free(map->sources);
        free(map->names);
        free(map->segments);
        free(map);
    }
}

static int compare_segments(const void *a, const void *b)
{
    const struct segment *left = a;
    const struct segment *right = b;
    if (left->line != right->line) {
        return left->line < right->line ? -1 : 1;
    }
    return (left->column > right->column) - (left->column < right->column);
}

/* One base64 VLQ number (five bits a digit, the lowest is the sign). */
static int take_number(const char **at, int64_t *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 5) {
        const char *found = **at ? strchr(digits, **at) : NULL;
        if (!found) {
            return SONDE_EPARSE;
        }
        ++*at;
        uint64_t digit = (uint64_t)(found - digits);
        value |= (digit & 31) << shift;
        if (!(digit & 32)) {
            *ret = value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
            return 0;
        }
    }
    return SONDE_EPARSE;
}

struct decoder {
    int64_t column, source, line, source_column, name; /* running sums */
    int64_t line_offset, column_offset;                /* of an index map's section */
    int64_t generated_line;
    size_t first_source, first_name; /* of this section */
};

static int add_segment(struct sonde_source_map *map, const struct decoder *d, int fields,
                       struct sonde_err *err)
{
    int64_t column = d->column + (d->generated_line == 0 ? d->column_offset : 0);
    int64_t line = d->generated_line + d->line_offset;
    int64_t sources = (int64_t)(map->source_count - d->first_source);
    int64_t names = (int64_t)(map->name_count - d->first_name);
    if (column < 0 || column > INT32_MAX - 1 || line > INT32_MAX - 1 ||
        (fields > 1 &&
         (d->source < 0 || d->source >= sources || d->line < 0 || d->line > INT32_MAX - 1 ||
          d->source_column < 0 || d->source_column > INT32_MAX - 1)) ||
        (fields > 4 && (d->name < 0 || d->name >= names))) {
        return wrong(err, "a mapping out of range");
    }
    int r = sonde_array_grow(&map->segments, &map->segment_capacity, map->segment_count + 1,
                             sizeof(*map->segments), SONDE_SOURCE_MAP_SEGMENTS_MAX);
    if (r < 0) {
        return no_room(r, err);
    }
    map->segments[map->segment_count++] = (struct segment){
        .line = (int32_t)line,
        .column = (int32_t)column,
        .source = fields > 1 ? (int32_t)d->source + (int32_t)d->first_source : NONE,
        .source_line = fields > 1 ? (int32_t)d->line : 0,
        .source_column = fields > 1 ? (int32_t)d->source_column : 0,
        .name = fields > 4 ? (int32_t)d->name + (int32_t)d->first_name : NONE,
    };
    return 0;
}

static int decode_mappings(struct sonde_source_map *map, const char *at, struct decoder *d,
                           struct sonde_err *err)
{
    while (*at) {
        if (*at == ';' || *at == ',') {
            if (*at++ == ';') {
                d->generated_line++;
                d->column = 0;
            }
            continue;
        }
        int64_t *const sums[] = {&d->column, &d->source, &d->line, &d->source_column, &d->name};
        int fields = 0;
        while (*at && *at != ',' && *at != ';') {
            int64_t delta;
            if (fields == 5 || take_number(&at, &delta) < 0) {
                return wrong(err, "malformed mappings");
            }
            *sums[fields++] += delta;
        }
        if (fields == 2 || fields == 3) {
            return wrong(err, "malformed mappings");
        }
        int r = add_segment(map, d, fields, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* A source's name behind its map's sourceRoot. */
static void join_root(const char *root, const cJSON *source, struct sonde_buf *ret)
{
    const char *text = cJSON_IsString(source) ? source->valuestring : "";
    bool absolute = text[0] == '/' || strstr(text, "://");
    sonde_buf_text(ret, absolute ? "" : root);
    sonde_buf_text(ret, !absolute && root[0] && root[strlen(root) - 1] != '/' ? "/" : "");
    sonde_buf_text(ret, text);
}

static int read_texts(struct sonde_source_map *map, const cJSON *list, const char *root,
                      struct sonde_str **texts, size_t *count, size_t *capacity,
                      struct sonde_err *err)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        int r = sonde_array_grow(texts, capacity, *count + 1, sizeof(**texts),
                                 SONDE_SOURCE_MAP_NAMES_MAX);
        if (r < 0) {
            return no_room(r, err);
        }
        SONDE_BUF_AUTO whole = SONDE_BUF(SONDE_SOURCE_MAP_BYTES_MAX);
        join_root(root, item, &whole);
        struct sonde_str copy = sonde_arena_copy(&map->text, sonde_buf_view(&whole));
        if (whole.code || !copy.data) {
            return no_room(SONDE_ENOMEM, err);
        }
        (*texts)[(*count)++] = copy;
    }
    return 0;
}

static int read_map(struct sonde_source_map *map, const cJSON *json, int64_t line_offset,
                    int64_t column_offset, struct sonde_err *err)
{
    struct decoder d = {
        .line_offset = line_offset,
        .column_offset = column_offset,
        .first_source = map->source_count,
        .first_name = map->name_count,
    };
    const char *mappings = sonde_json_string_or(json, "mappings", NULL);
    if (!mappings || sonde_json_integer_or(json, "version", 0) != 3) {
        return wrong(err, "it has no mappings, or is not version 3");
    }
    int r = read_texts(map, cJSON_GetObjectItemCaseSensitive(json, "sources"),
                       sonde_json_string_or(json, "sourceRoot", ""), &map->sources,
                       &map->source_count, &map->source_capacity, err);
    r = r < 0 ? r
              : read_texts(map, cJSON_GetObjectItemCaseSensitive(json, "names"), "", &map->names,
                           &map->name_count, &map->name_capacity, err);
    return r < 0 ? r : decode_mappings(map, mappings, &d, err);
}

static int read_sections(struct sonde_source_map *map, const cJSON *sections, struct sonde_err *err)
{
    int count = 0;
    const cJSON *section;
    cJSON_ArrayForEach(section, sections)
    {
        const cJSON *offset = cJSON_GetObjectItemCaseSensitive(section, "offset");
        int64_t line = sonde_json_integer_or(offset, "line", -1);
        int64_t column = sonde_json_integer_or(offset, "column", -1);
        if (++count > SECTIONS_MAX || line < 0 || line > INT32_MAX || column < 0 ||
            column > INT32_MAX) {
            return wrong(err, "a section without its offset, or too many");
        }
        int r = read_map(map, cJSON_GetObjectItemCaseSensitive(section, "map"), line, column, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int parse_json(struct sonde_str text, cJSON **ret, struct sonde_err *err)
{
    /* Servers may put )]}' before a map, so that it is no script. */
    if (sonde_str_starts(text, ")]}'")) {
        (void)sonde_str_split(&text, '\n');
    }
    int r = sonde_json_parse_up_to(text, SONDE_SOURCE_MAP_BYTES_MAX, ret, err);
    return r < 0 ? sonde_err_wrap(err, r, "source map") : 0;
}

int sonde_source_map_parse(struct sonde_str text, struct sonde_source_map **ret,
                           struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    int r = parse_json(text, &json, err);
    if (r < 0) {
        return r;
    }
    struct sonde_source_map *map = calloc(1, sizeof(*map));
    if (!map) {
        return no_room(SONDE_ENOMEM, err);
    }
    map->text = SONDE_ARENA(SONDE_SOURCE_MAP_BYTES_MAX);
    const cJSON *sections = cJSON_GetObjectItemCaseSensitive(json, "sections");
    r = cJSON_IsArray(sections) ? read_sections(map, sections, err)
                                : read_map(map, json, 0, 0, err);
    if (r < 0) {
        sonde_source_map_free(map);
        return r;
    }
    if (map->segment_count) {
        qsort(map->segments, map->segment_count, sizeof(*map->segments), compare_segments);
    }
    *ret = map;
    return 0;
}

static struct sonde_mapping mapping_of(const struct sonde_source_map *map,
                                       const struct segment *segment)
{
    return (struct sonde_mapping){
        .source = map->sources[segment->source],
        .line = segment->source_line + 1,
        .column = segment->source_column + 1,
        .name = segment->name == NONE ? (struct sonde_str){0} : map->names[segment->name],
        .segment_line = segment->line + 1,
        .segment_column = segment->column + 1,
        .source_number = (uint32_t)segment->source,
    };
}

size_t sonde_source_map_sources(const struct sonde_source_map *map)
{
    return map->source_count;
}

bool sonde_source_map_next(const struct sonde_source_map *map, size_t *at,
                           struct sonde_mapping *ret)
{
    while (*at < map->segment_count) {
        const struct segment *segment = &map->segments[(*at)++];
        if (segment->source != NONE) {
            *ret = mapping_of(map, segment);
            return true;
        }
    }
    return false;
}

bool sonde_source_map_find(const struct sonde_source_map *map, int32_t line, int32_t column,
                           struct sonde_mapping *ret)
{
    size_t low = 0;
    size_t high = map->segment_count;
    struct segment key = {.line = line - 1, .column = column > 0 ? column - 1 : 0};
    while (low < high) { /* the first segment behind the position */
        size_t middle = low + (high - low) / 2;
        if (compare_segments(&map->segments[middle], &key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct segment *found = low ? &map->segments[low - 1] : NULL;
    if (!found || found->line != key.line) {
        if (column != 0 || low == map->segment_count || map->segments[low].line != key.line) {
            return false;
        }
        found = &map->segments[low];
    }
    if (found->source == NONE) {
        return false;
    }
    *ret = mapping_of(map, found);
    return true;
}

struct sonde_str sonde_source_map_url(struct sonde_str script)
{
    static const char mark[] = " sourceMappingURL=";
    struct sonde_str url = {0};
    const char *at = script.data;
    size_t left = script.length;
    while (left && (at = memmem(at, left, mark, sizeof(mark) - 1))) {
        const char *begin = at + sizeof(mark) - 1;
        const char *end = begin;
        const char *limit = script.data + script.length;
        while (end < limit && !strchr(" \t\r\n*'\"", *end)) {
            end++;
        }
        bool comment = at - script.data >= 3 && (at[-1] == '#' || at[-1] == '@') &&
                       (at[-2] == '/' || at[-2] == '*') && at[-3] == '/';
        if (comment) {
            url = (struct sonde_str){begin, (size_t)(end - begin)};
        }
        at = end;
        left = (size_t)(limit - end);
    }
    return url;
}

int sonde_source_map_inline(struct sonde_str url, struct sonde_buf *ret, struct sonde_err *err)
{
    struct sonde_str rest = url;
    struct sonde_str head = sonde_str_split(&rest, ',');
    if (!sonde_str_starts(head, "data:") || !sonde_str_ends(head, ";base64")) {
        return sonde_fail(err, SONDE_EINVALID, 0, "not an inline source map");
    }
    return sonde_base64_decode(rest, ret, err);
}

static struct sonde_str without_scheme(struct sonde_str path)
{
    while (path.length && (path.data[0] == '/' || sonde_str_starts(path, "./"))) {
        size_t step = path.data[0] == '/' ? 1 : 2;
        path = (struct sonde_str){path.data + step, path.length - step};
    }
    return path;
}

static struct sonde_str parent_directory(struct sonde_str path)
{
    const char *slash = path.length ? memrchr(path.data, '/', path.length) : NULL;
    return (struct sonde_str){path.data, slash ? (size_t)(slash - path.data) : 0};
}

static void resolve_relative(struct sonde_str file, struct sonde_str source, struct sonde_buf *ret)
{
    struct sonde_str base = parent_directory(file);
    while (source.length) {
        struct sonde_str rest = source;
        struct sonde_str part = sonde_str_split(&rest, '/');
        if (sonde_str_is(part, "..")) {
            base = parent_directory(base);
        } else if (!sonde_str_is(part, ".")) {
            break;
        }
        source = rest;
    }
    sonde_buf_str(ret, base);
    sonde_buf_char(ret, '/');
    sonde_buf_str(ret, source);
}

/* "../src/a.ts" beside "file:///app/dist/a.js" is "file:///app/src/a.ts"; bundlers' own schemes
 * ("webpack:///./src/a.ts") lose the scheme. */
void sonde_source_map_file(struct sonde_str file, struct sonde_str source, struct sonde_buf *ret)
{
    static const char scheme[] = "://";
    const char *found = source.length ? memmem(source.data, source.length, scheme, 3) : NULL;
    if (found && !sonde_str_starts(source, "file://")) {
        size_t skip = (size_t)(found + 3 - source.data);
        source = (struct sonde_str){source.data + skip, source.length - skip};
        sonde_buf_str(ret, without_scheme(source));
    } else if (found || (source.length && source.data[0] == '/')) {
        sonde_buf_str(ret, source);
    } else {
        resolve_relative(file, source, ret);
    }
}

static int pass_text(const cJSON *source, const char *root, struct sonde_str url, size_t number,
                     const cJSON *content, sonde_source_text_callback callback, void *context,
                     struct sonde_err *err)
{
    SONDE_BUF_AUTO joined = SONDE_BUF(2 * SONDE_PROFILE_NAME_MAX);
    SONDE_BUF_AUTO file = SONDE_BUF(2 * SONDE_PROFILE_NAME_MAX);
    const char *text = content && cJSON_IsString(content) ? content->valuestring : NULL;
    join_root(root, source, &joined);
    if (joined.code == 0) {
        sonde_source_map_file(url, sonde_buf_view(&joined), &file);
    }
    if (joined.code == SONDE_ENOMEM || file.code == SONDE_ENOMEM) {
        return no_room(SONDE_ENOMEM, err);
    }
    /* What has a longer name is no file of a frame. */
    return joined.code || file.code
               ? 0
               : callback(context, number, sonde_buf_view(&file), sonde_str(text), err);
}

/* The first of its sources has the number *number, which goes on behind its last. */
static int pass_texts(const cJSON *json, struct sonde_str url, size_t *number,
                      sonde_source_text_callback callback, void *context, struct sonde_err *err)
{
    const char *root = sonde_json_string_or(json, "sourceRoot", "");
    const cJSON *source = cJSON_GetObjectItemCaseSensitive(json, "sources");
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(json, "sourcesContent");
    size_t own = *number;
    int r = 0;
    *number += (size_t)cJSON_GetArraySize(source);
    source = cJSON_IsArray(source) ? source->child : NULL;
    content = cJSON_IsArray(content) ? content->child : NULL;
    for (; source && r >= 0; source = source->next, own++) {
        r = pass_text(source, root, url, own, content, callback, context, err);
        content = content ? content->next : NULL;
    }
    return r < 0 ? r : 0;
}

int sonde_source_map_texts(struct sonde_str text, struct sonde_str url,
                           sonde_source_text_callback callback, void *context,
                           struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    int r = parse_json(text, &json, err);
    const cJSON *sections = cJSON_GetObjectItemCaseSensitive(json, "sections");
    const cJSON *section;
    size_t number = 0;
    if (!cJSON_IsArray(sections)) {
        return r < 0 ? r : pass_texts(json, url, &number, callback, context, err);
    }
    cJSON_ArrayForEach(section, sections)
    {
        const cJSON *map = cJSON_GetObjectItemCaseSensitive(section, "map");
        r = r < 0 ? r : pass_texts(map, url, &number, callback, context, err);
    }
    return r;
}

/* The original of the identifier that stands just before the parameters ("function e(t)"), or
 * before them and a sign ("e=t=>", "e=(t)=>"). */
static struct sonde_str own_name(const struct sonde_source_map *map,
                                 const struct sonde_frame *frame)
{
    int32_t begin = frame->generated.column - (int32_t)frame->function.length;
    for (int gap = 0; gap < 2 && frame->function.length; gap++, begin--) {
        struct sonde_mapping mapping;
        if (begin > 0 && sonde_source_map_find(map, frame->generated.line, begin, &mapping) &&
            mapping.segment_column == begin && mapping.name.length) {
            return mapping.name;
        }
    }
    return SONDE_STR("");
}

static int map_frame(struct sonde_profile *profile, struct sonde_frame *frame,
                     const struct sonde_source_map *map, struct sonde_err *err)
{
    struct sonde_mapping mapping;
    if (!sonde_source_map_find(map, frame->generated.line, frame->generated.column, &mapping)) {
        return 0;
    }
    SONDE_BUF_AUTO file = SONDE_BUF(2 * SONDE_PROFILE_NAME_MAX);
    sonde_source_map_file(frame->generated.file, mapping.source, &file);
    int r = sonde_buf_check(&file, "a source's name", err);
    r = r < 0 ? r : sonde_profile_text(profile, sonde_buf_view(&file), &frame->source.file, err);
    r = r < 0 ? r : sonde_profile_text(profile, own_name(map, frame), &frame->source_function, err);
    if (r < 0) {
        return r;
    }
    frame->source.line = mapping.line;
    frame->source.column = mapping.column;
    frame->category = sonde_category_of(frame->function, frame->source.file, &frame->package);
    return 0;
}

int sonde_profile_apply_source_map(struct sonde_profile *profile, struct sonde_str url,
                                   const struct sonde_source_map *map, struct sonde_err *err)
{
    for (size_t i = 0; i < profile->frame_count; i++) {
        if (sonde_str_equal(profile->frames[i].generated.file, url)) {
            int r = map_frame(profile, &profile->frames[i], map, err);
            if (r < 0) {
                return r;
            }
        }
    }
    for (size_t i = 0; i < profile->line_count; i++) {
        struct sonde_profile_line *line = &profile->lines[i];
        const struct sonde_frame *frame = &profile->frames[line->frame];
        struct sonde_mapping mapping;
        /* Ticks know no column: on the function's first line its own, else the line's first. */
        int32_t column = line->line == frame->generated.line ? frame->generated.column : 0;
        if (sonde_str_equal(frame->generated.file, url) &&
            sonde_source_map_find(map, line->line, column, &mapping)) {
            line->source_line = mapping.line;
        }
    }
    return 0;
}
