/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a snapshot: its counts, and what the fields of its records are. */
#include <stdlib.h>

#include "codec/json.h"
#include "heap/redact_internal.h"

struct kind {
    const char *name;
    enum use use;
};

static const struct kind node_kinds[] = {
    {"string", USE_VALUE},     {"regexp", USE_VALUE},         {"object", USE_NAME},
    {"closure", USE_NAME},     {"hidden", USE_ENGINE},        {"array", USE_ENGINE},
    {"code", USE_CODE},        {"number", USE_ENGINE},        {"native", USE_ENGINE},
    {"synthetic", USE_ENGINE}, {"symbol", USE_ENGINE},        {"concatenated string", USE_ENGINE},
    {"bigint", USE_ENGINE},    {"sliced string", USE_ENGINE}, {"object shape", USE_ENGINE},
    {NULL, USE_VALUE},
};

static const struct kind edge_kinds[] = {
    {"context", USE_NAME},    {"property", USE_NAME},   {"element", USE_ELEMENT},
    {"hidden", USE_PLAIN},    {"internal", USE_ENGINE}, {"weak", USE_ENGINE},
    {"shortcut", USE_ENGINE}, {NULL, USE_PLAIN},
};

static const char *text_at(const cJSON *array, int index)
{
    const cJSON *item = cJSON_GetArrayItem(array, index);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static const cJSON *array_of(const cJSON *meta, const char *name)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(meta, name);
    return cJSON_IsArray(array) ? array : NULL;
}

/* Whether the fields of a record begin so. */
static bool begins(const cJSON *fields, const char *const *names)
{
    for (int i = 0; names[i]; i++) {
        if (strcmp(text_at(fields, i), names[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* What the second field of a record of each type is; a type that has no row ends the redaction
 * where it cannot be told what that is. */
static int read_types(const cJSON *meta, const char *name, const struct kind *kinds, bool must_know,
                      uint8_t *uses, unsigned *ret_count, struct sonde_err *err)
{
    const cJSON *types = cJSON_GetArrayItem(array_of(meta, name), 0);
    int count = cJSON_IsArray(types) ? cJSON_GetArraySize(types) : 0;
    if (count < 1 || count > SONDE_HEAP_TYPES_MAX) {
        return redact_malformed("its types are none", err);
    }
    for (int i = 0; i < count; i++) {
        const struct kind *kind = kinds;
        while (kind->name && strcmp(kind->name, text_at(types, i)) != 0) {
            kind++;
        }
        if (!kind->name && must_know) {
            return redact_malformed("it has edges of a type that is not known", err);
        }
        uses[i] = (uint8_t)kind->use;
    }
    *ret_count = (unsigned)count;
    return 0;
}

static int read_functions(struct sonde_heap_redactor *r, const cJSON *meta, struct sonde_err *err)
{
    const cJSON *fields = array_of(meta, "trace_function_info_fields");
    int count = cJSON_GetArraySize(fields);
    if (count > SONDE_HEAP_FIELDS_MAX) {
        return redact_malformed("its functions have too many fields", err);
    }
    r->function_fields = count ? (unsigned)count : 1;
    for (int i = 0; i < count; i++) {
        bool named = strcmp(text_at(fields, i), "name") == 0 ||
                     strcmp(text_at(fields, i), "script_name") == 0;
        r->function_use[i] = named ? USE_NAME : USE_PLAIN;
    }
    return 0;
}

static int read_meta(struct sonde_heap_redactor *r, const cJSON *meta, struct sonde_err *err)
{
    static const char *const node_begin[] = {"type", "name", "id", "self_size", "edge_count", NULL};
    static const char *const edge_begin[] = {"type", "name_or_index", "to_node", NULL};
    const cJSON *nodes = array_of(meta, "node_fields");
    const cJSON *edges = array_of(meta, "edge_fields");
    int node_fields = cJSON_GetArraySize(nodes);
    if (!begins(nodes, node_begin) || node_fields > SONDE_HEAP_FIELDS_MAX ||
        !begins(edges, edge_begin) || cJSON_GetArraySize(edges) != 3) {
        return redact_malformed("its records have fields that are not known", err);
    }
    r->node_fields = (unsigned)node_fields;
    int code = read_types(meta, "node_types", node_kinds, false, r->node_use, &r->node_types, err);
    code = code < 0
               ? code
               : read_types(meta, "edge_types", edge_kinds, true, r->edge_use, &r->edge_types, err);
    for (unsigned i = 0; i < r->edge_types && r->options.numbers; i++) {
        r->edge_use[i] = r->edge_use[i] == USE_ELEMENT ? USE_PLAIN : r->edge_use[i];
    }
    return code < 0 ? code : read_functions(r, meta, err);
}

/* Nothing but counts stands beside the shape: no text that nobody knows. */
static bool only_counts(const cJSON *snapshot)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, snapshot)
    {
        if (!cJSON_IsNumber(item) && strcmp(item->string, "meta") != 0) {
            return false;
        }
    }
    return true;
}

int redact_read_head(struct sonde_heap_redactor *r, struct sonde_err *err)
{
    SONDE_JSON_AUTO *head = NULL;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_HEAP_HEAD_MAX + 8);
    struct sonde_str all = sonde_str_trim(sonde_buf_view(&r->head));
    if (!sonde_str_ends(all, ",")) {
        return redact_malformed("it has no head", err);
    }
    sonde_buf_append(&text, all.data, all.length - 1);
    sonde_buf_char(&text, '}');
    int code = sonde_buf_check(&text, "the snapshot's head", err);
    code = code < 0 ? code : sonde_json_parse(sonde_buf_view(&text), &head, err);
    if (code < 0) {
        return code == SONDE_ENOMEM ? code : redact_malformed("its head is malformed", err);
    }
    const cJSON *snapshot = cJSON_GetObjectItemCaseSensitive(head, "snapshot");
    int64_t nodes = sonde_json_integer_or(snapshot, "node_count", -1);
    int64_t edges = sonde_json_integer_or(snapshot, "edge_count", -1);
    if (cJSON_GetArraySize(head) != 1 || !only_counts(snapshot) || nodes < 0 || edges < 0) {
        return redact_malformed("its head has more or less than its shape and counts", err);
    }
    r->node_count = (uint64_t)nodes;
    r->edge_count = (uint64_t)edges;
    return read_meta(r, cJSON_GetObjectItemCaseSensitive(snapshot, "meta"), err);
}
