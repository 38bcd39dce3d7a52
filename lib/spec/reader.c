/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/reader.h"

#include <stdarg.h>

#include "base/options.h"
#include "spec/lists.h"

enum {
    QUOTE_MAX = 60,   /* bytes of a value shown in a message */
    MEMBERS_MAX = 32, /* fields of an object */
};

static void print_path(const struct sonde_path *path, struct sonde_buf *buf)
{
    if (!path) {
        return;
    }
    print_path(path->up, buf); /* as deep as the tables are */
    if (!path->name.data) {
        sonde_buf_printf(buf, "[%zu]", path->index);
    } else if (path->key) {
        sonde_buf_char(buf, '[');
        sonde_reader_quote(buf, path->name);
        sonde_buf_char(buf, ']');
    } else {
        sonde_buf_printf(buf, "%s%.*s", path->up ? "." : "", SONDE_STR_ARG(path->name));
    }
}

void sonde_reader_quote(struct sonde_buf *buf, struct sonde_str text)
{
    size_t length = text.length;
    if (length > QUOTE_MAX) {
        length = QUOTE_MAX;
        while (length > 0 && ((unsigned char)text.data[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    sonde_buf_json_string(buf, (struct sonde_str){text.data, length});
    if (length < text.length) {
        sonde_buf_text(buf, "…");
    }
}

/* Why the arena gave nothing. */
static int no_room(const struct sonde_reader *reader, size_t size)
{
    const struct sonde_arena *arena = &reader->documents->arena;
    return size > arena->maximum - arena->used ? SONDE_ELIMIT : SONDE_ENOMEM;
}

int sonde_reader_problem(struct sonde_reader *reader, int line, int column,
                         const struct sonde_path *path, const char *format, ...)
{
    struct sonde_spec_documents *documents = reader->documents;
    documents->problem_total++;
    if (documents->problem_count == SONDE_SPEC_PROBLEMS_MAX) {
        return 0;
    }
    char text[SONDE_SPEC_PROBLEM_MAX / 2];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    SONDE_BUF_AUTO buf = SONDE_BUF(4 * SONDE_SPEC_PROBLEM_MAX);
    sonde_buf_printf(&buf, "%s:%d:%d: ", reader->name, line, column);
    print_path(path, &buf);
    sonde_buf_printf(&buf, "%s%s", path ? ": " : "", text);
    if (buf.code == SONDE_ENOMEM) {
        return SONDE_ENOMEM;
    }
    struct sonde_str view = sonde_buf_view(&buf);
    if (view.length >= SONDE_SPEC_PROBLEM_MAX) {
        view.length = SONDE_SPEC_PROBLEM_MAX - 1;
        while (((unsigned char)view.data[view.length] & 0xc0) == 0x80) {
            view.length--;
        }
    }
    struct sonde_str copy = sonde_arena_copy(&documents->arena, view);
    if (!copy.data) {
        return no_room(reader, view.length + 1);
    }
    documents->problems[documents->problem_count++] = copy.data;
    return 0;
}

#define PROBLEM(reader, node, path, ...)                                                           \
    sonde_reader_problem((reader), (node)->line, (node)->column, (path), __VA_ARGS__)

static int wrong_type(struct sonde_reader *reader, const struct sonde_node *node,
                      const struct sonde_path *path, const char *wanted)
{
    bool quotes = strcmp(wanted, "text") == 0 &&
                  (node->type == SONDE_NODE_INTEGER || node->type == SONDE_NODE_NUMBER ||
                   node->type == SONDE_NODE_BOOLEAN);
    return PROBLEM(reader, node, path, "must be %s, is %s%s", wanted,
                   sonde_node_type_name(node->type), quotes ? ": put it in quotes" : "");
}

static size_t characters(struct sonde_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) {
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    }
    return count;
}

static int refuse_text(struct sonde_reader *reader, const struct sonde_format *format,
                       const struct sonde_node *place, struct sonde_str text,
                       const struct sonde_path *path)
{
    SONDE_BUF_AUTO quoted = SONDE_BUF(16 * QUOTE_MAX);
    sonde_reader_quote(&quoted, text);
    if (quoted.code == SONDE_ENOMEM) {
        return SONDE_ENOMEM;
    }
    if (format->explain) {
        struct sonde_err err = {0};
        (void)format->explain(text, &err);
        return PROBLEM(reader, place, path, "%s: %s", quoted.data, err.message);
    }
    return PROBLEM(reader, place, path, "must be %s, is %s", format->words, quoted.data);
}

/* Length, syntax and NUL bytes. */
static int check_text(struct sonde_reader *reader, const struct sonde_format *format,
                      size_t length_min, size_t length_max, const struct sonde_node *place,
                      struct sonde_str text, const struct sonde_path *path)
{
    size_t length = characters(text);
    if (text.length && memchr(text.data, '\0', text.length)) {
        return PROBLEM(reader, place, path, "must not have a NUL character in it");
    }
    if (length < length_min && length == 0) {
        return PROBLEM(reader, place, path, "must not be empty");
    }
    if (length > length_max || length < length_min) {
        return PROBLEM(reader, place, path, "must have %zu to %zu characters, has %zu", length_min,
                       length_max, length);
    }
    if (format && !format->check(text)) {
        return refuse_text(reader, format, place, text, path);
    }
    return 0;
}

static int keep_text(struct sonde_reader *reader, struct sonde_str text, const char **ret)
{
    *ret = sonde_arena_copy(&reader->documents->arena, text).data;
    return *ret ? 0 : no_room(reader, text.length + 1);
}

static int read_text(struct sonde_reader *reader, const struct sonde_field *field,
                     const struct sonde_node *node, const struct sonde_path *path, const char **ret)
{
    bool number = field->type == SONDE_FIELD_QUANTITY && node->type == SONDE_NODE_INTEGER;
    if (node->type != SONDE_NODE_STRING && !number) {
        return wrong_type(reader, node, path, "text");
    }
    int code = check_text(reader, field->format, field->length_min, field->length_max, node,
                          node->text, path);
    return code ? code : keep_text(reader, node->text, ret);
}

static int read_integer(struct sonde_reader *reader, const struct sonde_field *field,
                        const struct sonde_node *node, const struct sonde_path *path, int64_t *ret)
{
    if (node->type != SONDE_NODE_INTEGER) {
        return wrong_type(reader, node, path, "a whole number");
    }
    if (node->integer < field->minimum || node->integer > field->maximum) {
        return PROBLEM(reader, node, path, "must be between %lld and %lld, is %lld",
                       (long long)field->minimum, (long long)field->maximum,
                       (long long)node->integer);
    }
    *ret = node->integer;
    return 0;
}

static int find_choice(const struct sonde_field *field, struct sonde_str text)
{
    for (int i = 0; field->choices[i]; i++) {
        if (sonde_str_is(text, field->choices[i])) {
            return i;
        }
    }
    return SONDE_SPEC_NO_CHOICE;
}

static int read_choice(struct sonde_reader *reader, const struct sonde_field *field,
                       const struct sonde_node *node, const struct sonde_path *path, int *ret)
{
    if (node->type != SONDE_NODE_STRING) {
        return wrong_type(reader, node, path, "text");
    }
    int choice = find_choice(field, node->text);
    if (choice != SONDE_SPEC_NO_CHOICE) {
        *ret = choice;
        return 0;
    }
    SONDE_BUF_AUTO list = SONDE_BUF(SONDE_SPEC_PROBLEM_MAX);
    size_t count = 0;
    for (; field->choices[count]; count++) {
        sonde_buf_printf(&list, "%s%s", count ? ", " : "", field->choices[count]);
    }
    sonde_buf_text(&list, ", is ");
    sonde_reader_quote(&list, node->text);
    const char *near = sonde_suggest(node->text, field->choices, count);
    if (near) {
        sonde_buf_printf(&list, ": did you mean %s?", near);
    }
    if (list.code == SONDE_ENOMEM) {
        return SONDE_ENOMEM;
    }
    return PROBLEM(reader, node, path, "must be one of %s", list.data);
}

/* Makes room for the entries of a list or map, when their number is allowed. */
static int open_list(struct sonde_reader *reader, const struct sonde_field *field,
                     const struct sonde_node *node, const struct sonde_path *path, size_t size,
                     struct sonde_any_list *ret, bool *ret_open)
{
    *ret_open = false;
    if (node->count < field->count_min || node->count > field->count_max) {
        if (field->count_min == field->count_max) {
            return PROBLEM(reader, node, path, "must have %zu entries, has %zu", field->count_min,
                           node->count);
        }
        return PROBLEM(reader, node, path, "must have %zu to %zu entries, has %zu",
                       field->count_min, field->count_max, node->count);
    }
    if (node->count == 0) {
        return 0;
    }
    ret->items = sonde_arena_alloc(&reader->documents->arena, node->count * size);
    if (!ret->items) {
        return no_room(reader, node->count * size);
    }
    ret->count = node->count;
    *ret_open = true;
    return 0;
}

static int check_set(struct sonde_reader *reader, const struct sonde_node *entry, size_t index,
                     const char *const *texts, const struct sonde_path *path)
{
    for (size_t i = 0; i < index; i++) {
        if (texts[i] && texts[index] && strcmp(texts[i], texts[index]) == 0) {
            return PROBLEM(reader, entry, path, "stands twice in the list");
        }
    }
    return 0;
}

static int read_scalars(struct sonde_reader *reader, const struct sonde_field *field,
                        const struct sonde_node *node, const struct sonde_path *path,
                        struct sonde_any_list *list)
{
    bool text = field->type == SONDE_FIELD_STRINGS;
    bool open;
    if (node->type != SONDE_NODE_LIST) {
        return wrong_type(reader, node, path, "a list");
    }
    int code = open_list(reader, field, node, path, text ? sizeof(const char *) : sizeof(int64_t),
                         list, &open);
    size_t i = 0;
    for (const struct sonde_node *entry = node->first; code == 0 && open && entry;
         entry = entry->next, i++) {
        struct sonde_path at = {.up = path, .index = i};
        if (text) {
            const char **texts = list->items;
            code = read_text(reader, field, entry, &at, &texts[i]);
            if (code == 0 && field->set) {
                code = check_set(reader, entry, i, texts, &at);
            }
        } else {
            code = read_integer(reader, field, entry, &at, &((int64_t *)list->items)[i]);
        }
    }
    return code;
}

static int check_key(struct sonde_reader *reader, const struct sonde_field *field,
                     const struct sonde_node *entry, const struct sonde_path *path)
{
    struct sonde_node place = *entry;
    place.line = entry->key_line;
    place.column = entry->key_column;
    return check_text(reader, field->key_format, 1, SONDE_SPEC_KEY_MAX, &place, entry->key, path);
}

static int read_pairs(struct sonde_reader *reader, const struct sonde_field *field,
                      const struct sonde_node *node, const struct sonde_path *path,
                      struct sonde_any_list *list)
{
    bool open;
    if (node->type != SONDE_NODE_MAP) {
        return wrong_type(reader, node, path, "a map of fields");
    }
    int code = open_list(reader, field, node, path, sizeof(struct sonde_pair), list, &open);
    struct sonde_pair *pair = list->items;
    for (const struct sonde_node *entry = node->first; code == 0 && open && entry;
         entry = entry->next, pair++) {
        struct sonde_path at = {.up = path, .name = entry->key, .key = true};
        code = check_key(reader, field, entry, &at);
        code = code ? code : keep_text(reader, entry->key, &pair->key);
        code = code ? code : read_text(reader, field, entry, &at, &pair->value);
    }
    return code;
}

static int read_map(struct sonde_reader *reader, const struct sonde_field *field,
                    const struct sonde_node *node, const struct sonde_path *path,
                    struct sonde_any_list *list)
{
    bool open;
    if (node->type != SONDE_NODE_MAP) {
        return wrong_type(reader, node, path, "a map of fields");
    }
    int code = open_list(reader, field, node, path, field->object->size, list, &open);
    char *item = list->items;
    for (const struct sonde_node *entry = node->first; code == 0 && open && entry;
         entry = entry->next, item += field->object->size) {
        struct sonde_path at = {.up = path, .name = entry->key, .key = true};
        code = check_key(reader, field, entry, &at);
        code = code ? code : keep_text(reader, entry->key, (const char **)(void *)item);
        code = code ? code : sonde_reader_object(reader, field->object, entry, entry, &at, item);
    }
    return code;
}

/* No two entries may have the same list key. */
static int check_list_key(struct sonde_reader *reader, const struct sonde_field *field,
                          const struct sonde_node *list, const struct sonde_path *path)
{
    size_t index = 0;
    for (const struct sonde_node *entry = list->first; entry; entry = entry->next, index++) {
        const struct sonde_node *key = sonde_node_find(entry, field->list_key);
        for (const struct sonde_node *before = list->first; key && before != entry;
             before = before->next) {
            const struct sonde_node *other = sonde_node_find(before, field->list_key);
            if (!other || !sonde_str_equal(other->text, key->text)) {
                continue;
            }
            struct sonde_path at = {.up = path, .index = index};
            struct sonde_path member = {.up = &at, .name = sonde_str(field->list_key)};
            int code = PROBLEM(reader, key, &member, "stands twice in the list, first at line %d",
                               other->line);
            if (code < 0) {
                return code;
            }
            break;
        }
    }
    return 0;
}

static int read_objects(struct sonde_reader *reader, const struct sonde_field *field,
                        const struct sonde_node *node, const struct sonde_path *path,
                        struct sonde_any_list *list)
{
    bool open;
    if (node->type != SONDE_NODE_LIST) {
        return wrong_type(reader, node, path, "a list");
    }
    int code = open_list(reader, field, node, path, field->object->size, list, &open);
    char *item = list->items;
    size_t index = 0;
    for (const struct sonde_node *entry = node->first; code == 0 && open && entry;
         entry = entry->next, item += field->object->size) {
        struct sonde_path at = {.up = path, .index = index++};
        code = sonde_reader_object(reader, field->object, entry, entry, &at, item);
    }
    if (code == 0 && open && field->list_key) {
        code = check_list_key(reader, field, node, path);
    }
    return code;
}

static int read_value(struct sonde_reader *reader, const struct sonde_field *field,
                      const struct sonde_node *node, const struct sonde_path *path, void *at)
{
    switch (field->type) {
    case SONDE_FIELD_STRING:
    case SONDE_FIELD_QUANTITY:
    case SONDE_FIELD_TIME:
        return read_text(reader, field, node, path, at);
    case SONDE_FIELD_INTEGER:
        return read_integer(reader, field, node, path, at);
    case SONDE_FIELD_BOOLEAN:
        *(bool *)at = node->boolean;
        return node->type == SONDE_NODE_BOOLEAN ? 0
                                                : wrong_type(reader, node, path, "true or false");
    case SONDE_FIELD_ENUM:
        return read_choice(reader, field, node, path, at);
    case SONDE_FIELD_OBJECT: {
        void *data = sonde_arena_alloc(&reader->documents->arena, field->object->size);
        *(void **)at = data;
        return data ? sonde_reader_object(reader, field->object, node, node, path, data)
                    : no_room(reader, field->object->size);
    }
    case SONDE_FIELD_OBJECTS:
        return read_objects(reader, field, node, path, at);
    case SONDE_FIELD_STRINGS:
    case SONDE_FIELD_INTEGERS:
        return read_scalars(reader, field, node, path, at);
    case SONDE_FIELD_PAIRS:
        return read_pairs(reader, field, node, path, at);
    case SONDE_FIELD_MAP:
        return read_map(reader, field, node, path, at);
    }
    return SONDE_EINTERNAL;
}

static void set_absent(const struct sonde_field *field, void *at)
{
    if (field->type == SONDE_FIELD_INTEGER) {
        *(int64_t *)at = SONDE_SPEC_ABSENT;
    } else if (field->type == SONDE_FIELD_ENUM) {
        *(int *)at = SONDE_SPEC_NO_CHOICE;
    }
}

static int set_default(struct sonde_reader *reader, const struct sonde_field *field,
                       const struct sonde_node *place, const struct sonde_path *path, void *at)
{
    if (field->present) {
        void *data = sonde_arena_alloc(&reader->documents->arena, field->object->size);
        *(void **)at = data;
        return data ? sonde_reader_object(reader, field->object, NULL, place, path, data)
                    : no_room(reader, field->object->size);
    }
    struct sonde_str fallback = sonde_str(field->fallback);
    if (!fallback.data) {
        return 0;
    }
    switch (field->type) {
    case SONDE_FIELD_INTEGER:
        return sonde_parse_i64(fallback, field->minimum, field->maximum, at);
    case SONDE_FIELD_BOOLEAN:
        *(bool *)at = sonde_str_is(fallback, "true");
        return 0;
    case SONDE_FIELD_ENUM:
        *(int *)at = find_choice(field, fallback);
        return 0;
    default:
        return keep_text(reader, fallback, at);
    }
}

int sonde_reader_field(struct sonde_reader *reader, const struct sonde_field *field,
                       const struct sonde_node *node, const struct sonde_node *place,
                       const struct sonde_path *path, void *data)
{
    void *at = (char *)data + field->offset;
    set_absent(field, at);
    if (node && node->type != SONDE_NODE_NULL) {
        return read_value(reader, field, node, path, at);
    }
    if (field->required) {
        return PROBLEM(reader, place, path, "is required");
    }
    return set_default(reader, field, place, path, at);
}

/* Two words of the enum's choices that the field is for: "CPUProfile and Coverage". */
static void print_choices(struct sonde_buf *buf, const struct sonde_field *discriminator,
                          uint32_t choices)
{
    for (int i = 0; discriminator->choices[i]; i++) {
        if (choices >> i & 1) {
            choices &= ~(UINT32_C(1) << i);
            sonde_buf_printf(buf, "%s%s", discriminator->choices[i],
                             !choices ? "" : ((choices & (choices - 1)) ? ", " : " and "));
        }
    }
}

static int not_for_choice(struct sonde_reader *reader, const struct sonde_object *object,
                          const struct sonde_field *field, const struct sonde_node *node,
                          const struct sonde_path *path, int choice)
{
    const struct sonde_field *discriminator = sonde_object_find(object, object->discriminator);
    SONDE_BUF_AUTO list = SONDE_BUF(SONDE_SPEC_PROBLEM_MAX);
    print_choices(&list, discriminator, field->only_for);
    if (list.code == SONDE_ENOMEM) {
        return SONDE_ENOMEM;
    }
    return sonde_reader_problem(reader, node->key_line, node->key_column, path,
                                "is only for %s %s, not for %s", discriminator->name, list.data,
                                discriminator->choices[choice]);
}

static int read_member(struct sonde_reader *reader, const struct sonde_object *object,
                       const struct sonde_field *field, const struct sonde_node *node,
                       const struct sonde_node *place, const struct sonde_path *path, void *data)
{
    struct sonde_path at = {.up = path, .name = sonde_str(field->name)};
    const struct sonde_node *member = sonde_node_find(node, field->name);
    if (sonde_field_applies(object, field, data)) {
        return sonde_reader_field(reader, field, member, place, &at, data);
    }
    set_absent(field, (char *)data + field->offset);
    const struct sonde_field *discriminator = sonde_object_find(object, object->discriminator);
    int choice = *(const int *)(const void *)((const char *)data + discriminator->offset);
    if (member && member->type != SONDE_NODE_NULL && choice != SONDE_SPEC_NO_CHOICE) {
        return not_for_choice(reader, object, field, member, &at, choice);
    }
    return 0;
}

static int unknown_member(struct sonde_reader *reader, const struct sonde_object *object,
                          const struct sonde_node *member, const struct sonde_path *path)
{
    const char *names[MEMBERS_MAX];
    size_t count = 0;
    for (const struct sonde_field *f = object->fields; f->name && count < MEMBERS_MAX; f++) {
        names[count++] = f->name;
    }
    struct sonde_path at = {.up = path, .name = member->key};
    const char *near = sonde_suggest(member->key, names, count);
    return sonde_reader_problem(reader, member->key_line, member->key_column, &at,
                                "there is no such field%s%s%s", near ? ": did you mean " : "",
                                near ? near : "", near ? "?" : "");
}

static int refuse_unknown(struct sonde_reader *reader, const struct sonde_object *object,
                          const struct sonde_node *node, const struct sonde_path *path)
{
    for (const struct sonde_node *member = node->first; member; member = member->next) {
        bool known = false;
        for (const struct sonde_field *f = object->fields; !known && f->name; f++) {
            known = sonde_str_is(member->key, f->name);
        }
        int code = known ? 0 : unknown_member(reader, object, member, path);
        if (code < 0) {
            return code;
        }
    }
    return 0;
}

static int check_group(struct sonde_reader *reader, const struct sonde_object *object,
                       const char *const *names, const struct sonde_node *place,
                       const struct sonde_path *path, const void *data)
{
    SONDE_BUF_AUTO list = SONDE_BUF(SONDE_SPEC_PROBLEM_MAX);
    SONDE_BUF_AUTO given = SONDE_BUF(SONDE_SPEC_PROBLEM_MAX);
    size_t count = 0;
    for (size_t i = 0; i < SONDE_GROUP_SIZE_MAX && names[i]; i++) {
        bool last = i + 1 == SONDE_GROUP_SIZE_MAX || !names[i + 1];
        sonde_buf_printf(&list, "%s%s", i == 0 ? "" : (last ? " and " : ", "), names[i]);
        if (sonde_field_is_set(sonde_object_find(object, names[i]), data)) {
            sonde_buf_printf(&given, "%s%s", count++ ? " and " : "", names[i]);
        }
    }
    if (list.code == SONDE_ENOMEM || given.code == SONDE_ENOMEM) {
        return SONDE_ENOMEM;
    }
    if (count == 1) {
        return 0;
    }
    return PROBLEM(reader, place, path, "must have exactly one of %s, has %s", list.data,
                   count ? given.data : "none");
}

static int check_rule(struct sonde_reader *reader, const struct sonde_rule *rule,
                      const struct sonde_node *node, const struct sonde_node *place,
                      const struct sonde_path *path, const void *data)
{
    if (rule->holds(data)) {
        return 0;
    }
    if (!rule->field) {
        return PROBLEM(reader, place, path, "%s", rule->message);
    }
    struct sonde_path at = {.up = path, .name = sonde_str(rule->field)};
    const struct sonde_node *member = sonde_node_find(node, rule->field);
    return PROBLEM(reader, member ? member : place, &at, "%s", rule->message);
}

/* What goes over several fields; only asked when each of them is right. */
static int check_whole(struct sonde_reader *reader, const struct sonde_object *object,
                       const struct sonde_node *node, const struct sonde_node *place,
                       const struct sonde_path *path, void *data)
{
    size_t before = reader->documents->problem_total;
    int code = 0;
    for (size_t i = 0; code == 0 && i < SONDE_GROUPS_MAX && object->groups[i][0]; i++) {
        code = check_group(reader, object, object->groups[i], place, path, data);
    }
    if (code < 0 || reader->documents->problem_total > before) {
        return code;
    }
    if (object->derive) {
        object->derive(data);
    }
    for (size_t i = 0; code == 0 && i < SONDE_RULES_MAX && object->rules[i]; i++) {
        code = check_rule(reader, object->rules[i], node, place, path, data);
    }
    return code;
}

int sonde_reader_object(struct sonde_reader *reader, const struct sonde_object *object,
                        const struct sonde_node *node, const struct sonde_node *place,
                        const struct sonde_path *path, void *data)
{
    size_t before = reader->documents->problem_total;
    if (node && node->type != SONDE_NODE_MAP) {
        return wrong_type(reader, node, path, "a map of fields");
    }
    int code = node ? refuse_unknown(reader, object, node, path) : 0;
    for (const struct sonde_field *f = object->fields; code == 0 && f->name; f++) {
        code = read_member(reader, object, f, node, place, path, data);
    }
    if (code < 0 || reader->documents->problem_total > before) {
        return code;
    }
    return check_whole(reader, object, node, place, path, data);
}
