/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/folded.h"

#include <stdlib.h>

struct sonde_folded_reader {
    struct sonde_profile *profile;
    struct sonde_buf line; /* the part of a line that has come so far */
    int64_t scale;
    uint64_t number; /* of the line, for messages */
    bool any;
};

int sonde_folded_reader_new(struct sonde_profile *profile, enum sonde_profile_unit unit,
                            struct sonde_folded_reader **ret, struct sonde_err *err)
{
    int code = sonde_profile_set_unit(profile, unit, err);
    if (code < 0) {
        return code;
    }
    struct sonde_folded_reader *r = calloc(1, sizeof(*r));
    if (!r) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "folded stacks: out of memory");
    }
    r->profile = profile;
    r->line = SONDE_BUF(SONDE_FOLDED_LINE_MAX);
    r->scale = unit == SONDE_PROFILE_BYTES ? 1 : 1000;
    *ret = r;
    return 0;
}

void sonde_folded_reader_free(struct sonde_folded_reader *r)
{
    if (r) {
        sonde_buf_fini(&r->line);
        free(r);
    }
}

static int malformed(const struct sonde_folded_reader *r, const char *what, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "folded stacks, line %llu: %s",
                      (unsigned long long)r->number, what);
}

/* Cuts the text at its last `separator`; false, and nothing changed, when it has none. */
static bool cut_last(struct sonde_str *text, char separator, struct sonde_str *ret_behind)
{
    const char *at = text->length ? memrchr(text->data, separator, text->length) : NULL;
    if (!at) {
        return false;
    }
    size_t before = (size_t)(at - text->data);
    *ret_behind = (struct sonde_str){at + 1, text->length - before - 1};
    text->length = before;
    return true;
}

static bool take_number(struct sonde_str *text, int32_t *ret)
{
    struct sonde_str rest = *text;
    struct sonde_str behind;
    int64_t value;
    if (!cut_last(&rest, ':', &behind) || rest.length == 0 ||
        sonde_parse_i64(behind, 0, INT32_MAX - 1, &value) < 0) {
        return false;
    }
    *text = rest;
    *ret = (int32_t)value;
    return true;
}

/* "name file:line" and "name (file:line:column)"; a file's path may hold spaces. */
static void take_place(struct sonde_str *name, struct sonde_str *file, int32_t *line,
                       int32_t *column)
{
    struct sonde_str rest = *name;
    bool bracket = sonde_str_ends(rest, ")");
    int32_t last = 0;
    int32_t before = 0;
    rest.length -= bracket;
    if (!take_number(&rest, &last)) {
        return;
    }
    bool two = take_number(&rest, &before);
    for (size_t i = 0; i + 1 < rest.length; i++) {
        bool begins = rest.data[i] == ' ' && (!bracket || rest.data[i + 1] == '(');
        size_t from = i + 1 + bracket;
        struct sonde_str place = {rest.data + from, from < rest.length ? rest.length - from : 0};
        if (begins && place.length &&
            (place.data[0] == '/' || sonde_str_starts(place, "file:") ||
             sonde_str_starts(place, "node:") || sonde_str_starts(place, "wasm:") ||
             sonde_str_starts(place, "webpack:") || sonde_str_starts(place, "./") ||
             sonde_str_starts(place, "../") || bracket)) {
            *file = place;
            *line = two ? before : last;
            *column = two ? last : 0;
            name->length = i;
            return;
        }
    }
}

static int add_stack(struct sonde_folded_reader *r, struct sonde_str stack, int64_t amount,
                     struct sonde_err *err)
{
    uint32_t node = 0;
    while (stack.data) {
        struct sonde_str name = sonde_str_split(&stack, ';');
        struct sonde_str file = {0};
        int32_t line = 0;
        int32_t column = 0;
        uint32_t frame;
        take_place(&name, &file, &line, &column);
        if (!sonde_utf8_valid(name) || !sonde_utf8_valid(file)) {
            return malformed(r, "a name that is no UTF-8", err);
        }
        int code = sonde_profile_frame(r->profile, name, file, line, column, &frame, err);
        if (code == 0 && r->profile->frames[frame].category != SONDE_CATEGORY_ROOT) {
            code = sonde_profile_node(r->profile, node, frame, &node, err);
        }
        if (code < 0) {
            return code;
        }
    }
    r->any = true;
    return sonde_profile_add_amount(r->profile, node, amount, 1, err);
}

static int on_line(struct sonde_folded_reader *r, struct sonde_str line, struct sonde_err *err)
{
    struct sonde_str number;
    int64_t amount = 0;
    r->number++;
    line = sonde_str_trim(line);
    if (line.length == 0 || line.data[0] == '#') {
        return 0;
    }
    if (!cut_last(&line, ' ', &number)) {
        return malformed(r, "no number at its end", err);
    }
    double value = 0;
    if (sonde_parse_i64(number, 0, INT64_MAX / 1000, &amount) < 0) {
        if (sonde_parse_double(number, &value) < 0 || value < 0 || value > 9e15) {
            return malformed(r, "no number at its end", err);
        }
        return add_stack(r, sonde_str_trim(line), (int64_t)(value * (double)r->scale), err);
    }
    return add_stack(r, sonde_str_trim(line), amount * r->scale, err);
}

int sonde_folded_feed(struct sonde_folded_reader *r, const char *data, size_t length,
                      struct sonde_err *err)
{
    while (length) {
        const char *end = memchr(data, '\n', length);
        size_t part = end ? (size_t)(end - data) : length;
        struct sonde_str line = {data, part};
        if (r->line.length || !end) {
            sonde_buf_str(&r->line, line);
            line = sonde_buf_view(&r->line);
        }
        int code = sonde_buf_check(&r->line, "a folded stack", err);
        code = code < 0 || !end ? code : on_line(r, line, err);
        if (code < 0) {
            return code;
        }
        if (end) {
            sonde_buf_clear(&r->line);
        }
        data += part + (end != NULL);
        length -= part + (end != NULL);
    }
    return 0;
}

int sonde_folded_finish(struct sonde_folded_reader *r, struct sonde_err *err)
{
    struct sonde_profile *profile = r->profile;
    int code = r->line.length ? on_line(r, sonde_buf_view(&r->line), err) : 0;
    if (code == 0 && !r->any) {
        code = sonde_fail(err, SONDE_EPARSE, 0, "folded stacks: the file has none");
    }
    if (code == 0) {
        profile->windows++;
        profile->busy_only =
            profile->unit == SONDE_PROFILE_NANOSECONDS && !sonde_profile_idles(profile);
    }
    return code;
}
