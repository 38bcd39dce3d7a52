/* SPDX-License-Identifier: Apache-2.0 */
#include "load/template.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char id_place[] = "[<id>]";

struct parsing {
    const struct sonde_load_places *places;
    struct sonde_load_part parts[SONDE_LOAD_PARTS_MAX];
    size_t count;
};

static int add(struct parsing *p, struct sonde_load_part part, struct sonde_err *err)
{
    if (part.kind == SONDE_LOAD_TEXT && part.text.length == 0) {
        return 0;
    }
    if (p->count == SONDE_LOAD_PARTS_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a text with more than %d places to fill",
                          SONDE_LOAD_PARTS_MAX / 2);
    }
    p->parts[p->count++] = part;
    return 0;
}

/* Of the name at the beginning of `rest`, behind "{{"; what is behind "}}" stays. */
static int add_variable(struct parsing *p, struct sonde_str *rest, struct sonde_err *err)
{
    const char *end = rest->length ? memmem(rest->data, rest->length, "}}", 2) : NULL;
    if (!end) {
        return sonde_fail(err, SONDE_EINVALID, 0, "{{ without }}");
    }
    struct sonde_str name =
        sonde_str_trim((struct sonde_str){rest->data, (size_t)(end - rest->data)});
    *rest = (struct sonde_str){end + 2, (size_t)(rest->data + rest->length - end) - 2};
    for (size_t i = 0; i < p->places->count; i++) {
        if (p->places->names[i] && sonde_str_is(name, p->places->names[i])) {
            enum sonde_load_part_kind kind =
                p->places->encoded ? SONDE_LOAD_ENCODED : SONDE_LOAD_VARIABLE;
            return add(p, (struct sonde_load_part){kind, {0}, (unsigned)i}, err);
        }
    }
    return sonde_fail(err, SONDE_EINVALID, 0, "there is no variable %.*s", SONDE_STR_ARG(name));
}

/* Where the next place begins; the end of the text: there is none. */
static size_t find_place(const struct sonde_load_places *places, struct sonde_str text)
{
    for (size_t i = 0; i < text.length; i++) {
        struct sonde_str rest = {text.data + i, text.length - i};
        if ((places->count && sonde_str_starts(rest, "{{")) ||
            (places->ids && sonde_str_starts(rest, id_place))) {
            return i;
        }
    }
    return text.length;
}

static int parse(struct parsing *p, struct sonde_str text, struct sonde_err *err)
{
    int r = 0;
    while (text.length && r == 0) {
        size_t at = find_place(p->places, text);
        r = add(p, (struct sonde_load_part){SONDE_LOAD_TEXT, {text.data, at}, 0}, err);
        text = (struct sonde_str){text.data + at, text.length - at};
        if (r < 0 || text.length == 0) {
            break;
        }
        bool is_id = text.data[0] == id_place[0];
        size_t length = is_id ? sizeof(id_place) - 1 : 2;
        text = (struct sonde_str){text.data + length, text.length - length};
        r = is_id ? add(p, (struct sonde_load_part){SONDE_LOAD_ID, {0}, 0}, err)
                  : add_variable(p, &text, err);
    }
    return r;
}

int sonde_load_template_parse(struct sonde_str text, const struct sonde_load_places *places,
                              struct sonde_arena *arena, struct sonde_load_template *ret,
                              struct sonde_err *err)
{
    struct parsing p = {.places = places};
    *ret = (struct sonde_load_template){0};
    int r = parse(&p, text, err);
    if (r < 0 || p.count == 0) {
        return r;
    }
    ret->parts = sonde_arena_alloc(arena, p.count * sizeof(*ret->parts));
    if (!ret->parts) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for the places of a text");
    }
    memcpy(ret->parts, p.parts, p.count * sizeof(*ret->parts));
    ret->count = p.count;
    return 0;
}

bool sonde_load_template_is_constant(const struct sonde_load_template *template)
{
    return template->count == 0 ||
           (template->count == 1 && template->parts[0].kind == SONDE_LOAD_TEXT);
}

void sonde_load_percent_encode(struct sonde_str text, struct sonde_buf *buf)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool unreserved = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                          c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved) {
            sonde_buf_char(buf, (char)c);
        } else {
            const char encoded[] = {'%', digits[c >> 4], digits[c & 15]};
            sonde_buf_append(buf, encoded, sizeof(encoded));
        }
    }
}

void sonde_load_template_fill(const struct sonde_load_template *template,
                              const struct sonde_str *values, const char *id, struct sonde_buf *buf)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct sonde_load_part *part = &template->parts[i];
        switch (part->kind) {
        case SONDE_LOAD_TEXT:
            sonde_buf_str(buf, part->text);
            break;
        case SONDE_LOAD_VARIABLE:
            sonde_buf_str(buf, values[part->variable]);
            break;
        case SONDE_LOAD_ENCODED:
            sonde_load_percent_encode(values[part->variable], buf);
            break;
        case SONDE_LOAD_ID:
            sonde_buf_text(buf, id);
            break;
        }
    }
}

void sonde_load_id(uint32_t run, uint32_t thread, uint64_t number, char ret[SONDE_LOAD_ID_SIZE])
{
    (void)snprintf(ret, SONDE_LOAD_ID_SIZE, "%08" PRIx32 "%04" PRIx32 "%012" PRIx64, run,
                   thread & 0xffff, number & 0xffffffffffff);
}
