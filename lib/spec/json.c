/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/lists.h"
#include "spec/spec.h"

static void print_object(const struct sonde_object *object, const void *data,
                         struct sonde_buf *buf);

static void print_text(const char *text, struct sonde_buf *buf)
{
    sonde_buf_json_string(buf, sonde_str(text));
}

static void print_pairs(const struct sonde_any_list *list, struct sonde_buf *buf)
{
    const struct sonde_pair *pairs = list->items;
    sonde_buf_char(buf, '{');
    for (size_t i = 0; i < list->count; i++) {
        sonde_buf_text(buf, i ? "," : "");
        print_text(pairs[i].key, buf);
        sonde_buf_char(buf, ':');
        print_text(pairs[i].value, buf);
    }
    sonde_buf_char(buf, '}');
}

/* A list of objects, or a map of those that begin with their key. */
static void print_objects(const struct sonde_field *field, const struct sonde_any_list *list,
                          struct sonde_buf *buf)
{
    bool map = field->type == SONDE_FIELD_MAP;
    const char *item = list->items;
    sonde_buf_char(buf, map ? '{' : '[');
    for (size_t i = 0; i < list->count; i++, item += field->object->size) {
        sonde_buf_text(buf, i ? "," : "");
        if (map) {
            print_text(*(const char *const *)(const void *)item, buf);
            sonde_buf_char(buf, ':');
        }
        print_object(field->object, item, buf);
    }
    sonde_buf_char(buf, map ? '}' : ']');
}

static void print_scalars(const struct sonde_field *field, const struct sonde_any_list *list,
                          struct sonde_buf *buf)
{
    sonde_buf_char(buf, '[');
    for (size_t i = 0; i < list->count; i++) {
        sonde_buf_text(buf, i ? "," : "");
        if (field->type == SONDE_FIELD_STRINGS) {
            print_text(((const char *const *)list->items)[i], buf);
        } else {
            sonde_buf_printf(buf, "%lld", (long long)((const int64_t *)list->items)[i]);
        }
    }
    sonde_buf_char(buf, ']');
}

static void print_value(const struct sonde_field *field, const void *at, struct sonde_buf *buf)
{
    switch (field->type) {
    case SONDE_FIELD_STRING:
    case SONDE_FIELD_QUANTITY:
    case SONDE_FIELD_TIME:
        print_text(*(const char *const *)at, buf);
        break;
    case SONDE_FIELD_INTEGER:
        sonde_buf_printf(buf, "%lld", (long long)*(const int64_t *)at);
        break;
    case SONDE_FIELD_BOOLEAN:
        sonde_buf_text(buf, *(const bool *)at ? "true" : "false");
        break;
    case SONDE_FIELD_ENUM:
        print_text(field->choices[*(const int *)at], buf);
        break;
    case SONDE_FIELD_OBJECT:
        print_object(field->object, *(const void *const *)at, buf);
        break;
    case SONDE_FIELD_OBJECTS:
    case SONDE_FIELD_MAP:
        print_objects(field, at, buf);
        break;
    case SONDE_FIELD_STRINGS:
    case SONDE_FIELD_INTEGERS:
        print_scalars(field, at, buf);
        break;
    case SONDE_FIELD_PAIRS:
        print_pairs(at, buf);
        break;
    }
}

/* As deep as the tables are. */
static void print_object(const struct sonde_object *object, const void *data, struct sonde_buf *buf)
{
    bool first = true;
    sonde_buf_char(buf, '{');
    for (const struct sonde_field *f = object->fields; f->name; f++) {
        if (!sonde_field_applies(object, f, data) || !sonde_field_is_set(f, data)) {
            continue;
        }
        sonde_buf_printf(buf, "%s\"%s\":", first ? "" : ",", f->name);
        print_value(f, (const char *)data + f->offset, buf);
        first = false;
    }
    sonde_buf_char(buf, '}');
}

void sonde_spec_print_json(const struct sonde_spec_document *document, struct sonde_buf *buf)
{
    const struct sonde_metadata *metadata = &document->metadata;
    sonde_buf_printf(buf, "{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":{\"name\":",
                     SONDE_SPEC_API_VERSION, document->kind->name);
    print_text(metadata->name, buf);
    sonde_buf_text(buf, ",\"namespace\":");
    print_text(metadata->namespace, buf);
    if (metadata->labels.count) {
        sonde_buf_text(buf, ",\"labels\":");
        print_pairs((const struct sonde_any_list *)(const void *)&metadata->labels, buf);
    }
    if (metadata->annotations.count) {
        sonde_buf_text(buf, ",\"annotations\":");
        print_pairs((const struct sonde_any_list *)(const void *)&metadata->annotations, buf);
    }
    sonde_buf_text(buf, "},\"spec\":");
    print_object(document->kind->spec, document->spec, buf);
    sonde_buf_char(buf, '}');
}
