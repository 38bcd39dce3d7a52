/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/yaml.h"

#include <yaml.h>

#include "base/buf.h"
#include "base/map.h"
#include "codec/json_scan.h"

enum {
    ARENA_LEAST = 32 << 20,
    NODE_BYTES = 512,
    KEYS_SCANNED = 16, /* of a map; more of them are looked up */
};

/* A list or map that is being filled. */
struct level {
    struct sonde_node *node;
    struct sonde_node *last;
    struct sonde_str key; /* read, its value is due */
    int key_line, key_column;
    bool has_key;
    struct sonde_str anchor;
    struct sonde_map keys; /* address of each node, once there are KEYS_SCANNED */
};

struct anchor {
    struct sonde_str name;
    const struct sonde_node *node;
};

struct reader {
    yaml_parser_t parser;
    const char *name;
    struct sonde_yaml_limits limits;
    struct sonde_documents *documents;
    struct level levels[SONDE_YAML_DEPTH_MAX];
    size_t depth;
    struct sonde_node *root;
    size_t nodes;
    struct anchor anchors[SONDE_YAML_ANCHORS_MAX];
    size_t anchor_count;
    struct sonde_err *err;
};

static int refuse(struct reader *r, int code, yaml_mark_t mark, const char *what)
{
    return sonde_fail(r->err, code, 0, "%s:%zu:%zu: %s", r->name, mark.line + 1, mark.column + 1,
                      what);
}

static int no_memory(struct reader *r)
{
    return sonde_fail(r->err, SONDE_ENOMEM, 0, "%s: out of memory", r->name);
}

static int count_nodes(struct reader *r, size_t count, yaml_mark_t mark)
{
    r->nodes += count;
    if (r->nodes > r->limits.nodes) {
        char text[96];
        (void)snprintf(text, sizeof(text),
                       "too many values (aliases count in full): at most %zu are read",
                       r->limits.nodes);
        return refuse(r, SONDE_ELIMIT, mark, text);
    }
    return 0;
}

static int refuse_twice(struct reader *r, const struct level *level, const struct sonde_node *first,
                        yaml_mark_t mark)
{
    char text[160];
    (void)snprintf(text, sizeof(text), "the key \"%.*s\" stands twice, first at line %d",
                   level->key.length < 60 ? (int)level->key.length : 60, level->key.data,
                   first->key_line);
    mark.line = (size_t)level->key_line - 1;
    mark.column = (size_t)level->key_column - 1;
    return refuse(r, SONDE_EINVALID, mark, text);
}

/* Finds a key, or notes whose it is: *ret_first is that node. */
static int note_key(struct reader *r, struct level *level, struct sonde_str key,
                    const struct sonde_node *node, const struct sonde_node **ret_first)
{
    struct sonde_map_slot *slot = NULL;
    bool is_new = false;
    if (sonde_map_insert(&level->keys, key, &slot, &is_new) < 0) {
        return no_memory(r);
    }
    slot->value = is_new ? (uint64_t)(uintptr_t)node : slot->value;
    *ret_first = (const struct sonde_node *)(uintptr_t)slot->value;
    return 0;
}

static int check_duplicate(struct reader *r, struct level *level, const struct sonde_node *node,
                           yaml_mark_t mark)
{
    const struct sonde_node *first = node;
    int code = 0;
    if (level->node->count < KEYS_SCANNED) {
        for (const struct sonde_node *n = level->node->first; n; n = n->next) {
            if (sonde_str_equal(n->key, level->key)) {
                return refuse_twice(r, level, n, mark);
            }
        }
        return 0;
    }
    if (level->keys.count == 0) {
        level->keys = SONDE_MAP(r->limits.nodes + 1);
        for (const struct sonde_node *n = level->node->first; n && code == 0; n = n->next) {
            code = note_key(r, level, n->key, n, &first);
        }
    }
    code = code < 0 ? code : note_key(r, level, level->key, node, &first);
    return code < 0 || first == node ? code : refuse_twice(r, level, first, mark);
}

/* An alias or a finished value belongs to the level it stands in, or is the root. */
static int place(struct reader *r, struct sonde_node *node, yaml_mark_t mark)
{
    if (r->depth == 0) {
        r->root = node;
        return 0;
    }
    struct level *level = &r->levels[r->depth - 1];
    if (level->node->type == SONDE_NODE_MAP) {
        int code = check_duplicate(r, level, node, mark);
        if (code < 0) {
            return code;
        }
        node->key = level->key;
        node->key_line = level->key_line;
        node->key_column = level->key_column;
        level->has_key = false;
    }
    if (level->last) {
        level->last->next = node;
    } else {
        level->node->first = node;
    }
    level->last = node;
    level->node->count++;
    return 0;
}

static void add_size(struct reader *r, size_t size)
{
    for (size_t i = 0; i < r->depth; i++) {
        r->levels[i].node->size += size;
    }
}

/* Something of this height stands below the open levels from here on. */
static void add_height(struct reader *r, unsigned height)
{
    for (size_t i = 0; i < r->depth; i++) {
        unsigned with_it = (unsigned)(r->depth - i) + height;
        if (r->levels[i].node->height < with_it) {
            r->levels[i].node->height = with_it;
        }
    }
}

static int refuse_depth(struct reader *r, yaml_mark_t mark)
{
    return refuse(r, SONDE_ELIMIT, mark, "nested too deep: at most 32 levels are read");
}

static int keep_anchor(struct reader *r, struct sonde_str name, const struct sonde_node *node,
                       yaml_mark_t mark)
{
    if (!name.data) {
        return 0;
    }
    if (r->anchor_count == SONDE_YAML_ANCHORS_MAX) {
        return refuse(r, SONDE_ELIMIT, mark, "too many anchors: at most 64 are read");
    }
    r->anchors[r->anchor_count++] = (struct anchor){name, node};
    return 0;
}

static int new_node(struct reader *r, enum sonde_node_type type, yaml_mark_t mark,
                    struct sonde_node **ret)
{
    struct sonde_node *node = sonde_arena_alloc(&r->documents->arena, sizeof(*node));
    if (!node) {
        return no_memory(r);
    }
    node->type = type;
    node->line = (int)mark.line + 1;
    node->column = (int)mark.column + 1;
    node->size = 1;
    *ret = node;
    return count_nodes(r, 1, mark);
}

static int copy_text(struct reader *r, const yaml_char_t *data, size_t length,
                     struct sonde_str *ret)
{
    *ret = sonde_arena_copy(&r->documents->arena, (struct sonde_str){(const char *)data, length});
    return ret->data ? 0 : no_memory(r);
}

static int copy_anchor(struct reader *r, const yaml_char_t *anchor, struct sonde_str *ret)
{
    *ret = (struct sonde_str){0};
    return anchor ? copy_text(r, anchor, strlen((const char *)anchor), ret) : 0;
}

static bool is_one_of(struct sonde_str text, const char *const *words)
{
    for (; *words; words++) {
        if (sonde_str_is(text, *words)) {
            return true;
        }
    }
    return false;
}

static bool octal(struct sonde_str text, int64_t *ret)
{
    int64_t value = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '7' || value > INT64_MAX / 8) {
            return false;
        }
        value = value * 8 + (text.data[i] - '0');
    }
    *ret = value;
    return text.length > 0;
}

static bool integer(struct sonde_str text, int64_t *ret)
{
    struct sonde_str digits = {text.data + 2, text.length > 2 ? text.length - 2 : 0};
    if (sonde_str_starts(text, "0o")) {
        return octal(digits, ret);
    }
    if (sonde_str_starts(text, "0x")) {
        uint64_t value;
        if (sonde_parse_hex64(digits, &value) < 0 || value > INT64_MAX) {
            return false;
        }
        *ret = (int64_t)value;
        return true;
    }
    if (text.length && text.data[0] == '+') {
        text.data++;
        text.length--;
    }
    return sonde_parse_i64(text, INT64_MIN, INT64_MAX, ret) == 0;
}

/* The core schema, YAML 1.2.2 §10.3.2. */
static void resolve(struct sonde_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    if (is_one_of(node->text, nulls)) {
        node->type = SONDE_NODE_NULL;
    } else if (is_one_of(node->text, trues) || is_one_of(node->text, falses)) {
        node->type = SONDE_NODE_BOOLEAN;
        node->boolean = is_one_of(node->text, trues);
    } else if (integer(node->text, &node->integer)) {
        node->type = SONDE_NODE_INTEGER;
        node->number = (double)node->integer;
    } else if (sonde_parse_double(node->text, &node->number) == 0) {
        node->type = SONDE_NODE_NUMBER;
    }
}

static int read_key(struct reader *r, struct level *level, const yaml_event_t *event)
{
    level->has_key = true;
    level->key_line = (int)event->start_mark.line + 1;
    level->key_column = (int)event->start_mark.column + 1;
    return copy_text(r, event->data.scalar.value, event->data.scalar.length, &level->key);
}

static bool key_is_due(const struct reader *r)
{
    const struct level *level = r->depth ? &r->levels[r->depth - 1] : NULL;
    return level && level->node->type == SONDE_NODE_MAP && !level->has_key;
}

static int check_tag(struct reader *r, const yaml_char_t *tag, yaml_mark_t mark)
{
    static const char *const core[] = {"!", YAML_STR_TAG, YAML_MAP_TAG, YAML_SEQ_TAG, NULL};
    if (tag && !is_one_of(sonde_str((const char *)tag), core)) {
        return refuse(r, SONDE_EINVALID, mark, "tags are not read: write the value plainly");
    }
    return 0;
}

static int read_scalar(struct reader *r, const yaml_event_t *event)
{
    if (key_is_due(r)) {
        return read_key(r, &r->levels[r->depth - 1], event);
    }
    struct sonde_node *node = NULL;
    struct sonde_str anchor;
    int code = check_tag(r, event->data.scalar.tag, event->start_mark);
    code = code ? code : new_node(r, SONDE_NODE_STRING, event->start_mark, &node);
    code = code ? code
                : copy_text(r, event->data.scalar.value, event->data.scalar.length, &node->text);
    code = code ? code : copy_anchor(r, event->data.scalar.anchor, &anchor);
    if (code) {
        return code;
    }
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag) {
        resolve(node);
    }
    add_size(r, 1);
    code = place(r, node, event->start_mark);
    return code ? code : keep_anchor(r, anchor, node, event->start_mark);
}

static int open_level(struct reader *r, enum sonde_node_type type, const yaml_char_t *anchor,
                      const yaml_char_t *tag, yaml_mark_t mark)
{
    if (key_is_due(r)) {
        return refuse(r, SONDE_EINVALID, mark, "a key must be plain text");
    }
    if (r->depth == SONDE_YAML_DEPTH_MAX) {
        return refuse_depth(r, mark);
    }
    struct sonde_node *node = NULL;
    struct level level = {0};
    int code = check_tag(r, tag, mark);
    code = code ? code : new_node(r, type, mark, &node);
    code = code ? code : copy_anchor(r, anchor, &level.anchor);
    if (code) {
        return code;
    }
    add_size(r, 1);
    code = place(r, node, mark);
    level.node = node;
    node->height = 1;
    add_height(r, 1);
    r->levels[r->depth++] = level;
    return code;
}

static int close_level(struct reader *r, yaml_mark_t mark)
{
    struct level *level = &r->levels[--r->depth];
    sonde_map_fini(&level->keys);
    return keep_anchor(r, level->anchor, level->node, mark);
}

static int read_alias(struct reader *r, const yaml_event_t *event)
{
    if (key_is_due(r)) {
        return refuse(r, SONDE_EINVALID, event->start_mark, "a key must be plain text");
    }
    const char *name = (const char *)event->data.alias.anchor;
    const struct sonde_node *target = NULL;
    for (size_t i = 0; i < r->anchor_count; i++) {
        if (sonde_str_is(r->anchors[i].name, name)) {
            target = r->anchors[i].node; /* the latest of that name counts */
        }
    }
    if (!target) {
        return refuse(r, SONDE_EINVALID, event->start_mark,
                      "an alias without its anchor before it");
    }
    if (r->depth + target->height > SONDE_YAML_DEPTH_MAX) {
        return refuse_depth(r, event->start_mark);
    }
    struct sonde_node *node = NULL;
    int code = new_node(r, target->type, event->start_mark, &node);
    code = code ? code : count_nodes(r, target->size, event->start_mark);
    if (code) {
        return code;
    }
    /* The entries are shared: only the place is its own. */
    *node = *target;
    node->next = NULL;
    node->key = (struct sonde_str){0};
    add_size(r, target->size);
    add_height(r, target->height);
    return place(r, node, event->start_mark);
}

static int end_document(struct reader *r, yaml_mark_t mark)
{
    struct sonde_node *root = SONDE_TAKE(r->root);
    r->anchor_count = 0;
    if (!root || root->type == SONDE_NODE_NULL) {
        return 0;
    }
    if (r->documents->count == SONDE_YAML_DOCUMENTS_MAX) {
        return refuse(r, SONDE_ELIMIT, mark, "too many documents: at most 64 are read");
    }
    r->documents->items[r->documents->count++] = root;
    return 0;
}

static int handle(struct reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_level(r, SONDE_NODE_LIST, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag, event->start_mark);
    case YAML_MAPPING_START_EVENT:
        return open_level(r, SONDE_NODE_MAP, event->data.mapping_start.anchor,
                          event->data.mapping_start.tag, event->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_level(r, event->start_mark);
    case YAML_ALIAS_EVENT:
        return read_alias(r, event);
    case YAML_DOCUMENT_END_EVENT:
        return end_document(r, event->start_mark);
    default:
        return 0;
    }
}

static int not_yaml(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        return no_memory(r);
    }
    yaml_mark_t mark = p->error == YAML_READER_ERROR ? p->mark : p->problem_mark;
    return refuse(r, SONDE_EINVALID, mark, p->problem ? p->problem : "not YAML");
}

static int read_events(struct reader *r)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) {
            return not_yaml(r);
        }
        yaml_event_type_t type = event.type;
        int code = handle(r, &event);
        yaml_event_delete(&event);
        if (code < 0 || type == YAML_STREAM_END_EVENT) {
            return code;
        }
    }
}

/* ---- JSON ---- */

enum { ESCAPE_LENGTH = 6 }; /* of \uXXXX */

/* The number of the escape \uXXXX that the text begins with. */
static bool take_escape(struct sonde_str text, uint64_t *ret)
{
    return sonde_str_starts(text, "\\u") && text.length >= ESCAPE_LENGTH &&
           sonde_parse_hex64((struct sonde_str){text.data + 2, ESCAPE_LENGTH - 2}, ret) == 0;
}

/* The character beyond U+FFFF whose two escapes the text begins with (RFC 8259, 7). */
static bool take_pair(struct sonde_str text, uint64_t *ret)
{
    uint64_t high = 0;
    uint64_t low = 0;
    struct sonde_str second = {text.data + ESCAPE_LENGTH,
                               text.length < ESCAPE_LENGTH ? 0 : text.length - ESCAPE_LENGTH};
    bool pair = take_escape(text, &high) && high >= 0xd800 && high <= 0xdbff &&
                take_escape(second, &low) && low >= 0xdc00 && low <= 0xdfff;
    *ret = pair ? 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00) : 0;
    return pair;
}

static bool has_pair(struct sonde_str text)
{
    const char *at = text.data;
    const char *end = text.data + text.length;
    uint64_t character;
    while (at && (at = memchr(at, '\\', (size_t)(end - at)))) {
        if (take_pair((struct sonde_str){at, (size_t)(end - at)}, &character)) {
            return true;
        }
        at++;
    }
    return false;
}

static int check_json(struct sonde_str text)
{
    const struct sonde_json_limits limits = {SONDE_YAML_DEPTH_MAX, text.length, 0};
    struct sonde_json_scanner scanner;
    sonde_json_scanner_init(&scanner, limits, NULL, NULL);
    int code = sonde_json_scan(&scanner, text.data, text.length, NULL);
    code = code < 0 ? code : sonde_json_scan_finish(&scanner, NULL);
    sonde_json_scanner_fini(&scanner);
    return code;
}

/* libyaml takes no pairs of escapes, so those of JSON become the one escape that YAML has. In other
 * texts a backslash may be none of an escape: they stay as they are. */
static int join_pairs(const char *name, struct sonde_str *text, struct sonde_buf *joined,
                      struct sonde_err *err)
{
    if (!has_pair(*text)) {
        return 0;
    }
    int code = check_json(*text);
    if (code < 0) {
        return code == SONDE_ENOMEM ? sonde_fail(err, code, 0, "%s: out of memory", name) : 0;
    }
    struct sonde_str rest = *text;
    while (rest.length) {
        uint64_t character;
        bool pair = take_pair(rest, &character);
        size_t used = pair ? 2 * ESCAPE_LENGTH : rest.data[0] == '\\' ? 2 : 1;
        if (pair) {
            sonde_buf_printf(joined, "\\U%08llX", (unsigned long long)character);
        } else {
            sonde_buf_append(joined, rest.data, used);
        }
        rest = (struct sonde_str){rest.data + used, rest.length - used};
    }
    *text = sonde_buf_view(joined);
    return sonde_buf_check(joined, name, err);
}

/* ---- all of it ---- */

int sonde_yaml_parse(const char *name, struct sonde_str text, struct sonde_documents *ret,
                     struct sonde_err *err)
{
    static const struct sonde_yaml_limits limits = {SONDE_YAML_BYTES_MAX, SONDE_YAML_NODES_MAX};
    return sonde_yaml_parse_within(name, text, &limits, ret, err);
}

int sonde_yaml_parse_within(const char *name, struct sonde_str text,
                            const struct sonde_yaml_limits *limits, struct sonde_documents *ret,
                            struct sonde_err *err)
{
    size_t most = limits->nodes * NODE_BYTES;
    *ret = (struct sonde_documents){.arena = SONDE_ARENA(most > ARENA_LEAST ? most : ARENA_LEAST)};
    struct reader reader = {.name = name, .limits = *limits, .documents = ret, .err = err};
    if (text.length > limits->bytes) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "%s: %zu bytes; at most %zu are read", name,
                          text.length, limits->bytes);
    }
    if (!sonde_utf8_valid(text)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s: not UTF-8", name);
    }
    SONDE_BUF_AUTO joined = SONDE_BUF(text.length + 1);
    int code = join_pairs(name, &text, &joined, err);
    if (code < 0) {
        return code;
    }
    if (!yaml_parser_initialize(&reader.parser)) {
        return no_memory(&reader);
    }
    yaml_parser_set_input_string(&reader.parser,
                                 (const unsigned char *)(text.data ? text.data : ""), text.length);
    code = read_events(&reader);
    while (reader.depth) {
        sonde_map_fini(&reader.levels[--reader.depth].keys);
    }
    yaml_parser_delete(&reader.parser);
    return code;
}

void sonde_documents_fini(struct sonde_documents *documents)
{
    if (documents) {
        sonde_arena_fini(&documents->arena);
        documents->count = 0;
    }
}
