/* SPDX-License-Identifier: Apache-2.0 */
#include "load/openapi_schema.h"

#include <stdio.h>
#include <string.h>

#include "load/import.h"

struct sonde_str openapi_text_of(const struct sonde_node *node, const char *name)
{
    const struct sonde_node *found = sonde_node_find(node, name);
    bool scalar = found && found->type != SONDE_NODE_LIST && found->type != SONDE_NODE_MAP &&
                  found->type != SONDE_NODE_NULL;
    return scalar ? found->text : (struct sonde_str){0};
}

bool openapi_is_true(const struct sonde_node *node, const char *name)
{
    const struct sonde_node *found = sonde_node_find(node, name);
    return found && found->type == SONDE_NODE_BOOLEAN && found->boolean;
}

/* ---- references ---- */

/* The element of a list that a part of a pointer names: tools that put several files into one refer
 * to "#/paths/~1a/get/parameters/0". */
static const struct sonde_node *element(const struct sonde_node *list, struct sonde_str part)
{
    uint64_t index;
    if (sonde_parse_u64(part, 0, list->count, &index) < 0) {
        return NULL;
    }
    const struct sonde_node *one = list->first;
    while (one && index--) {
        one = one->next;
    }
    return one;
}

/* The entry that a part of a pointer names: with ~0, ~1 and percent-encoding. */
static const struct sonde_node *step(const struct sonde_node *node, struct sonde_str part)
{
    char name[256];
    if (node->type == SONDE_NODE_LIST) {
        return element(node, part);
    }
    size_t length = 0;
    for (size_t i = 0; i < part.length; i++) {
        char c = part.data[i];
        struct sonde_str hex = {part.data + i + 1, 2};
        uint64_t byte;
        if (length == sizeof(name) - 1) {
            return NULL;
        }
        if (c == '~' && i + 1 < part.length) {
            c = part.data[++i] == '1' ? '/' : '~';
        } else if (c == '%' && i + 2 < part.length && sonde_parse_hex64(hex, &byte) == 0) {
            c = (char)byte;
            i += 2;
        }
        name[length++] = c;
    }
    name[length] = '\0';
    return sonde_node_find(node, name);
}

/* What a reference leads to; NULL: nothing. Kept, for a file may say the same one over and over. */
static const struct sonde_node *follow(const struct openapi_schemas *o, struct sonde_str ref)
{
    const uint64_t *known = sonde_map_find(o->refs, ref);
    if (known) {
        return (const struct sonde_node *)(uintptr_t)*known;
    }
    struct sonde_str rest = {ref.data + 2, ref.length - 2};
    const struct sonde_node *node = o->root;
    do {
        node = step(node, sonde_str_split(&rest, '/'));
    } while (node && rest.data);
    struct sonde_map_slot *slot;
    bool is_new;
    if (sonde_map_insert(o->refs, ref, &slot, &is_new) == 0) { /* else it is looked for again */
        slot->value = (uint64_t)(uintptr_t)node;
    }
    return node;
}

const struct sonde_node *openapi_resolve(const struct openapi_schemas *o,
                                         const struct sonde_node *node)
{
    for (int hops = 0; node && hops <= SONDE_LOAD_REFS_MAX; hops++) {
        struct sonde_str ref = openapi_text_of(node, "$ref");
        if (!ref.data) {
            return node;
        }
        if (!sonde_str_starts(ref, "#/")) {
            return NULL;
        }
        node = follow(o, ref);
    }
    return NULL;
}

const struct sonde_node *openapi_find(const struct openapi_schemas *o,
                                      const struct sonde_node *node, const char *name)
{
    return openapi_resolve(o, sonde_node_find(node, name));
}

/* ---- examples ---- */

/* The first of named examples that has its value in this file. */
static const struct sonde_node *first_example(const struct openapi_schemas *o,
                                              const struct sonde_node *node)
{
    const struct sonde_node *examples = sonde_node_find(node, "examples");
    const struct sonde_node *one = examples ? examples->first : NULL;
    if (examples && examples->type == SONDE_NODE_LIST) {
        return one; /* of a schema */
    }
    for (; one; one = one->next) {
        const struct sonde_node *value = sonde_node_find(openapi_resolve(o, one), "value");
        if (value) {
            return value;
        }
    }
    return NULL;
}

const struct sonde_node *openapi_example_of(const struct openapi_schemas *o,
                                            const struct sonde_node *node)
{
    const struct sonde_node *example = sonde_node_find(node, "example");
    return example ? example : first_example(o, node);
}

const struct sonde_node *openapi_stand_in(const struct sonde_node *schema)
{
    static const char *const names[] = {"const", "default"};
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        const struct sonde_node *found = sonde_node_find(schema, names[i]);
        if (found && found->type != SONDE_NODE_NULL) {
            return found;
        }
    }
    const struct sonde_node *choices = sonde_node_find(schema, "enum");
    return choices && choices->type == SONDE_NODE_LIST ? choices->first : NULL;
}

static void cut(struct sonde_buf *buf, size_t length)
{
    if (buf->data && buf->length > length) {
        buf->length = length;
        buf->data[length] = '\0';
    }
}

/* Goes into a schema. False: too deep, too much, or it is in it already: a patient whose kin are
 * patients has none, then. */
static bool open_schema(struct openapi_schemas *o, const struct sonde_node *schema, unsigned depth)
{
    if (!schema || depth > SONDE_LOAD_SCHEMA_DEPTH_MAX ||
        ++o->work > SONDE_LOAD_SCHEMA_VALUES_MAX) {
        return false;
    }
    for (unsigned i = 0; i < depth; i++) {
        if (o->open[i] == schema) {
            return false;
        }
    }
    o->open[depth] = schema;
    return true;
}

static bool print_schema(struct openapi_schemas *o, const struct sonde_node *schema, unsigned depth,
                         struct sonde_buf *buf);

static bool is_required(const struct sonde_node *schema, struct sonde_str name)
{
    const struct sonde_node *list = sonde_node_find(schema, "required");
    for (const struct sonde_node *one = list && list->type == SONDE_NODE_LIST ? list->first : NULL;
         one; one = one->next) {
        if (sonde_str_equal(one->text, name)) {
            return true;
        }
    }
    return false;
}

static void print_member(const struct sonde_node *member, struct sonde_buf *buf, size_t begin)
{
    if (buf->length > begin) {
        sonde_buf_char(buf, ',');
    }
    sonde_buf_json_string(buf, member->key);
    sonde_buf_char(buf, ':');
}

/* Members of an object that is built from the properties of a schema and of those that it is made
 * of. False: one that must be there has no example. `begin`: where the first one stands. */
static bool print_members(struct openapi_schemas *o, const struct sonde_node *schema,
                          unsigned depth, size_t begin, struct sonde_buf *buf)
{
    const struct sonde_node *all = sonde_node_find(schema, "allOf");
    const struct sonde_node *properties = openapi_find(o, schema, "properties");
    const struct sonde_node *example = openapi_example_of(o, schema);
    if (example && example->type == SONDE_NODE_MAP) {
        for (const struct sonde_node *one = example->first; one; one = one->next) {
            print_member(one, buf, begin);
            sonde_node_print_json(one, buf);
        }
        return true;
    }
    for (const struct sonde_node *one = all ? all->first : NULL; one; one = one->next) {
        const struct sonde_node *part = openapi_resolve(o, one);
        if (!open_schema(o, part, depth + 1) || !print_members(o, part, depth + 1, begin, buf)) {
            return false;
        }
    }
    for (const struct sonde_node *one = properties ? properties->first : NULL; one;
         one = one->next) {
        size_t before = buf->length;
        print_member(one, buf, begin);
        if (openapi_is_true(openapi_resolve(o, one), "readOnly") ||
            !print_schema(o, one, depth + 1, buf)) {
            cut(buf, before);
            if (is_required(schema, one->key) &&
                !openapi_is_true(openapi_resolve(o, one), "readOnly")) {
                return false;
            }
        }
    }
    return true;
}

static bool print_object(struct openapi_schemas *o, const struct sonde_node *schema, unsigned depth,
                         struct sonde_buf *buf)
{
    sonde_buf_char(buf, '{');
    size_t begin = buf->length;
    bool whole = print_members(o, schema, depth, begin, buf) && buf->length > begin;
    sonde_buf_char(buf, '}');
    return whole;
}

/* The first of the schemas that has an example. */
static bool print_first(struct openapi_schemas *o, const struct sonde_node *list, unsigned depth,
                        struct sonde_buf *buf)
{
    size_t before = buf->length;
    for (const struct sonde_node *one = list ? list->first : NULL; one; one = one->next) {
        if (print_schema(o, one, depth, buf)) {
            return true;
        }
        cut(buf, before);
    }
    return false;
}

/* Appends an example of a schema as JSON. False: there is none, and a part may be appended. */
static bool print_schema(struct openapi_schemas *o, const struct sonde_node *schema, unsigned depth,
                         struct sonde_buf *buf)
{
    static const char *const choices[] = {"oneOf", "anyOf"};
    const struct sonde_node *own = openapi_resolve(o, schema);
    if (!open_schema(o, own, depth)) {
        return false;
    }
    const struct sonde_node *value = openapi_example_of(o, own);
    value = value ? value : openapi_stand_in(own);
    if (value) {
        sonde_node_print_json(value, buf);
        return true;
    }
    const struct sonde_node *all = sonde_node_find(own, "allOf");
    bool has_members = sonde_node_find(own, "properties");
    if (all && all->count == 1 && !has_members) {
        return print_schema(o, all->first, depth + 1, buf); /* it may be no object */
    }
    if (has_members || all) {
        return print_object(o, own, depth, buf);
    }
    for (size_t i = 0; i < SONDE_LENGTH(choices); i++) {
        if (print_first(o, sonde_node_find(own, choices[i]), depth + 1, buf)) {
            return true;
        }
    }
    const struct sonde_node *items = sonde_node_find(own, "items");
    if (!items) {
        return false;
    }
    sonde_buf_char(buf, '[');
    bool whole = print_schema(o, items, depth + 1, buf);
    sonde_buf_char(buf, ']');
    return whole;
}

bool openapi_print_example(struct openapi_schemas *schemas, const struct sonde_node *schema,
                           struct sonde_buf *buf)
{
    return print_schema(schemas, schema, 0, buf);
}
