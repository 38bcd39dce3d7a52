/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"
#include "codec/yaml.h"
#include "spec/budget.h"
#include "spec/formats.h"
#include "spec/reader.h"
#include "spec/reason.h"
#include "spec/spec.h"
#include "spec/tables.h"

/* metadata, as far as a person writes it. The members are those of struct sonde_metadata. */
static const struct sonde_field metadata_fields[] = {
    {.name = "name",
     .type = SONDE_FIELD_STRING,
     SONDE_AT(sonde_metadata, name),
     .required = true,
     .length_min = 1,
     .length_max = SONDE_DNS_SUBDOMAIN_MAX,
     .format = &sonde_format_dns_subdomain},
    {.name = "namespace",
     .type = SONDE_FIELD_STRING,
     SONDE_AT(sonde_metadata, namespace),
     .fallback = "default",
     .length_min = 1,
     .length_max = SONDE_DNS_LABEL_MAX,
     .format = &sonde_format_dns_label},
    {.name = "labels",
     .type = SONDE_FIELD_PAIRS,
     SONDE_AT(sonde_metadata, labels),
     .count_max = SONDE_PAIRS_MAX,
     .length_max = SONDE_LABEL_VALUE_MAX,
     .format = &sonde_format_label_value,
     .key_format = &sonde_format_label_key},
    {.name = "annotations",
     .type = SONDE_FIELD_PAIRS,
     SONDE_AT(sonde_metadata, annotations),
     .count_max = SONDE_PAIRS_MAX,
     .length_max = SONDE_SPEC_ANNOTATION_MAX,
     .key_format = &sonde_format_label_key},
};

#define GENERATE_NAME "generateName"

/* What the API server adds to metadata; not read. */
static const char *const server_metadata[] = {
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    GENERATE_NAME,
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
};

static const char *const document_members[] = {"apiVersion", "kind", "metadata", "spec", "status"};

static bool is_among(struct sonde_str word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sonde_str_is(word, words[i])) {
            return true;
        }
    }
    return false;
}

static int unknown_member(struct sonde_reader *reader, const struct sonde_node *member,
                          const struct sonde_path *up, const char *const *names, size_t count)
{
    struct sonde_path path = {.up = up, .name = member->key};
    const char *near = sonde_suggest(member->key, names, count);
    return sonde_reader_problem(reader, member->key_line, member->key_column, &path,
                                "there is no such field%s%s%s", near ? ": did you mean " : "",
                                near ? near : "", near ? "?" : "");
}

/* What a name begins with, as Kubernetes has it: whoever makes an object of the document adds
 * letters. */
static int read_generated(struct sonde_reader *reader, const struct sonde_kind *kind,
                          const struct sonde_node *node, const struct sonde_path *up,
                          struct sonde_metadata *metadata)
{
    const struct sonde_path path = {.up = up, .name = SONDE_STR(GENERATE_NAME)};
    struct sonde_str text = node->type == SONDE_NODE_STRING ? node->text : (struct sonde_str){0};
    while (text.length && strchr("-.", text.data[text.length - 1])) {
        text.length--;
    }
    if (!text.length || text.length > kind->name_max || !sonde_format_dns_subdomain.check(text)) {
        return sonde_reader_problem(reader, node->line, node->column, &path,
                                    "must be what a name of at most %zu characters begins with, "
                                    "such as nightly-",
                                    kind->name_max);
    }
    metadata->name = sonde_arena_copy(&reader->documents->arena, text).data;
    return metadata->name ? 0 : SONDE_ENOMEM;
}

static int read_metadata(struct sonde_reader *reader, const struct sonde_kind *kind,
                         const struct sonde_node *document, struct sonde_metadata *metadata)
{
    const char *names[SONDE_LENGTH(metadata_fields)];
    const struct sonde_path path = {.name = SONDE_STR("metadata")};
    const struct sonde_node *node = sonde_node_find(document, "metadata");
    const struct sonde_node *place = node ? node : document;
    int code = 0;
    if (node && node->type != SONDE_NODE_MAP) {
        return sonde_reader_problem(reader, node->line, node->column, &path,
                                    "must be a map of fields, is %s",
                                    sonde_node_type_name(node->type));
    }
    metadata->generated = sonde_node_find(node, GENERATE_NAME) && !sonde_node_find(node, "name");
    if (metadata->generated) {
        code = read_generated(reader, kind, sonde_node_find(node, GENERATE_NAME), &path, metadata);
    }
    for (size_t i = 0; code == 0 && i < SONDE_LENGTH(metadata_fields); i++) {
        const struct sonde_field *field = &metadata_fields[i];
        struct sonde_path at = {.up = &path, .name = sonde_str(field->name)};
        names[i] = field->name;
        if (metadata->generated && strcmp(field->name, "name") == 0) {
            continue;
        }
        code = sonde_reader_field(reader, field, sonde_node_find(node, field->name), place, &at,
                                  metadata);
    }
    for (const struct sonde_node *m = node ? node->first : NULL; code == 0 && m; m = m->next) {
        if (!is_among(m->key, names, SONDE_LENGTH(names)) &&
            !is_among(m->key, server_metadata, SONDE_LENGTH(server_metadata))) {
            code = unknown_member(reader, m, &path, names, SONDE_LENGTH(names));
        }
    }
    if (code == 0 && !metadata->generated && metadata->name &&
        strlen(metadata->name) > kind->name_max) {
        const struct sonde_path at = {.up = &path, .name = SONDE_STR("name")};
        const struct sonde_node *name = sonde_node_find(node, "name");
        code = sonde_reader_problem(reader, name->line, name->column, &at,
                                    "must have at most %zu characters for a %s, has %zu",
                                    kind->name_max, kind->name, strlen(metadata->name));
    }
    return code;
}

static int read_spec(struct sonde_reader *reader, const struct sonde_kind *kind,
                     const struct sonde_node *document, void *spec)
{
    const struct sonde_path path = {.name = SONDE_STR("spec")};
    const struct sonde_node *node = sonde_node_find(document, "spec");
    if (!node || node->type == SONDE_NODE_NULL) {
        return sonde_reader_problem(reader, document->line, document->column, &path, "is required");
    }
    return sonde_reader_object(reader, kind->spec, node, node, &path, spec);
}

/* A document of the same kind and name before it. */
static int check_twice(struct sonde_reader *reader, const struct sonde_spec_document *document)
{
    const struct sonde_spec_documents *all = reader->documents;
    for (size_t i = 0; i < all->count; i++) {
        const struct sonde_spec_document *other = &all->items[i];
        if (other->kind == document->kind && other->metadata.name && document->metadata.name &&
            !document->metadata.generated && !other->metadata.generated &&
            strcmp(other->metadata.name, document->metadata.name) == 0 &&
            strcmp(other->metadata.namespace, document->metadata.namespace) == 0) {
            return sonde_reader_problem(reader, document->line, 1, NULL,
                                        "%s %s stands twice, first at line %d",
                                        document->kind->name, document->metadata.name, other->line);
        }
    }
    return 0;
}

static int read_document(struct sonde_reader *reader, const struct sonde_kind *kind,
                         const struct sonde_node *node)
{
    struct sonde_spec_documents *documents = reader->documents;
    if (documents->count == SONDE_SPEC_DOCUMENTS_MAX) {
        return SONDE_ELIMIT;
    }
    void *spec = sonde_arena_alloc(&documents->arena, kind->spec->size);
    if (!spec) {
        return documents->arena.maximum - documents->arena.used < kind->spec->size ? SONDE_ELIMIT
                                                                                   : SONDE_ENOMEM;
    }
    struct sonde_spec_document document = {.kind = kind, .line = node->line, .spec = spec};
    size_t before = documents->problem_total;
    int code = 0;
    for (const struct sonde_node *m = node->first; code == 0 && m; m = m->next) {
        if (!is_among(m->key, document_members, SONDE_LENGTH(document_members))) {
            code =
                unknown_member(reader, m, NULL, document_members, SONDE_LENGTH(document_members));
        }
    }
    code = code ? code : read_metadata(reader, kind, node, &document.metadata);
    code = code ? code : read_spec(reader, kind, node, spec);
    if (code == 0 && documents->problem_total == before) {
        code = check_twice(reader, &document);
    }
    if (code == 0) {
        documents->items[documents->count++] = document;
    }
    return code;
}

static bool is_text(const struct sonde_node *node)
{
    return node && node->type == SONDE_NODE_STRING;
}

static int wrong_kind(struct sonde_reader *reader, const struct sonde_node *kind)
{
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    const char *names[16];
    SONDE_BUF_AUTO list = SONDE_BUF(SONDE_SPEC_PROBLEM_MAX);
    sonde_reader_quote(&list, kind->text);
    for (size_t i = 0; i < count; i++) {
        names[i] = kinds[i]->name;
    }
    const char *near = sonde_suggest(kind->text, names, count);
    if (near) {
        sonde_buf_printf(&list, ": did you mean %s?", near);
    } else {
        sonde_buf_text(&list, "; there are");
        for (size_t i = 0; i < count; i++) {
            sonde_buf_printf(&list, "%s %s", i ? "," : "", names[i]);
        }
    }
    const struct sonde_path path = {.name = SONDE_STR("kind")};
    return list.code == SONDE_ENOMEM ? SONDE_ENOMEM
                                     : sonde_reader_problem(reader, kind->line, kind->column, &path,
                                                            "there is no kind %s", list.data);
}

/* NULL, with a problem, when apiVersion and kind name none of ours. */
static int find_kind(struct sonde_reader *reader, const struct sonde_node *document,
                     const struct sonde_kind **ret)
{
    const struct sonde_node *version = sonde_node_find(document, "apiVersion");
    const struct sonde_node *kind = sonde_node_find(document, "kind");
    *ret = NULL;
    if (!is_text(version) || !is_text(kind)) {
        const struct sonde_path path = {.name = is_text(version) ? SONDE_STR("kind")
                                                                 : SONDE_STR("apiVersion")};
        return sonde_reader_problem(reader, document->line, document->column, &path,
                                    "is required: begin with apiVersion: " SONDE_SPEC_API_VERSION
                                    " and kind: ProfileRun");
    }
    if (!sonde_str_is(version->text, SONDE_SPEC_API_VERSION)) {
        SONDE_BUF_AUTO quoted = SONDE_BUF(SONDE_SPEC_PROBLEM_MAX);
        const struct sonde_path path = {.name = SONDE_STR("apiVersion")};
        sonde_reader_quote(&quoted, version->text);
        return quoted.code == SONDE_ENOMEM
                   ? SONDE_ENOMEM
                   : sonde_reader_problem(reader, version->line, version->column, &path,
                                          "must be " SONDE_SPEC_API_VERSION ", is %s", quoted.data);
    }
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    for (size_t i = 0; i < count; i++) {
        if (sonde_str_is(kind->text, kinds[i]->name)) {
            *ret = kinds[i];
            return 0;
        }
    }
    return wrong_kind(reader, kind);
}

/* What `kubectl get -o yaml` prints for several: kind List, or ProfileRunList and the like. */
static const struct sonde_node *list_items(const struct sonde_node *document)
{
    const struct sonde_node *kind = sonde_node_find(document, "kind");
    const struct sonde_node *items = sonde_node_find(document, "items");
    bool list = is_text(kind) && sonde_str_ends(kind->text, "List");
    return list && items && items->type == SONDE_NODE_LIST ? items : NULL;
}

static int read_one(struct sonde_reader *reader, const struct sonde_node *node)
{
    const struct sonde_kind *kind;
    if (node->type != SONDE_NODE_MAP) {
        return sonde_reader_problem(reader, node->line, node->column, NULL,
                                    "a document must be a map of fields, is %s",
                                    sonde_node_type_name(node->type));
    }
    int code = find_kind(reader, node, &kind);
    return code == 0 && kind ? read_document(reader, kind, node) : code;
}

static int read_all(struct sonde_reader *reader, const struct sonde_documents *trees)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < trees->count; i++) {
        const struct sonde_node *items = list_items(trees->items[i]);
        if (!items) {
            code = read_one(reader, trees->items[i]);
        }
        for (const struct sonde_node *n = items ? items->first : NULL; code == 0 && n;
             n = n->next) {
            code = read_one(reader, n);
        }
    }
    return code;
}

static int judge(const struct sonde_spec_documents *documents, const char *name, int code,
                 struct sonde_err *err)
{
    if (code == SONDE_ELIMIT) {
        return sonde_fail_reason(err, code, SONDE_REASON_INVALID_SPEC,
                                 "%s: too large: at most %d documents and %d MiB of values", name,
                                 SONDE_SPEC_DOCUMENTS_MAX, SONDE_SPEC_ARENA_MAX >> 20);
    }
    if (code < 0) {
        return sonde_fail(err, code, 0, "%s: out of memory", name);
    }
    if (documents->problem_total > 1) {
        return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_INVALID_SPEC,
                                 "%s (and %zu more)", documents->problems[0],
                                 documents->problem_total - 1);
    }
    if (documents->problem_total == 1) {
        return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_INVALID_SPEC, "%s",
                                 documents->problems[0]);
    }
    if (documents->count == 0) {
        return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_INVALID_SPEC,
                                 "%s: there is no document in it", name);
    }
    return 0;
}

int sonde_spec_parse(const char *name, struct sonde_str text, struct sonde_spec_documents *ret,
                     struct sonde_err *err)
{
    *ret = (struct sonde_spec_documents){.arena = SONDE_ARENA(SONDE_SPEC_ARENA_MAX)};
    struct sonde_reader reader = {.name = name, .documents = ret};
    struct sonde_documents trees;
    int code = sonde_yaml_parse(name, text, &trees, err);
    if (code == 0) {
        code = judge(ret, name, read_all(&reader, &trees), err);
    } else if (err && code != SONDE_ENOMEM) {
        err->reason = SONDE_REASON_INVALID_SPEC;
    }
    sonde_documents_fini(&trees);
    return code;
}

static int read_scenario(struct sonde_reader *reader, const struct sonde_node *node,
                         const struct sonde_scenario **ret)
{
    const struct sonde_object *object = &sonde_object_scenario;
    const struct sonde_path path = {.name = SONDE_STR("scenario")};
    void *scenario = sonde_arena_alloc(&reader->documents->arena, object->size);
    *ret = scenario;
    return scenario ? sonde_reader_object(reader, object, node, node, &path, scenario)
                    : SONDE_ENOMEM;
}

static int find_load_test(const struct sonde_spec_documents *documents, const char *name,
                          const struct sonde_scenario **ret, struct sonde_err *err)
{
    if (documents->count != 1 || documents->items[0].kind->spec != &sonde_object_load_test) {
        return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_INVALID_SPEC,
                                 "%s: give one LoadTest, or the fields of its scenario", name);
    }
    *ret = documents->items[0].load_test->scenario;
    return 0;
}

int sonde_spec_parse_scenario(const char *name, struct sonde_str text,
                              struct sonde_spec_documents *documents,
                              const struct sonde_scenario **ret, struct sonde_err *err)
{
    *documents = (struct sonde_spec_documents){.arena = SONDE_ARENA(SONDE_SPEC_ARENA_MAX)};
    struct sonde_reader reader = {.name = name, .documents = documents};
    struct sonde_documents trees;
    int code = sonde_yaml_parse(name, text, &trees, err);
    if (code < 0 && err && code != SONDE_ENOMEM) {
        err->reason = SONDE_REASON_INVALID_SPEC;
    }
    bool alone = code == 0 && trees.count == 1 && trees.items[0]->type == SONDE_NODE_MAP &&
                 !sonde_node_find(trees.items[0], "kind");
    if (code == 0) {
        int read = alone ? read_scenario(&reader, trees.items[0], ret) : read_all(&reader, &trees);
        bool right = read == 0 && documents->problem_total == 0;
        code = alone && right ? 0 : judge(documents, name, read, err);
    }
    sonde_documents_fini(&trees);
    return code < 0 || alone ? code : find_load_test(documents, name, ret, err);
}

void sonde_spec_documents_fini(struct sonde_spec_documents *documents)
{
    if (documents) {
        sonde_arena_fini(&documents->arena);
        documents->count = 0;
        documents->problem_count = 0;
        documents->problem_total = 0;
    }
}

static int read_budget(struct sonde_reader *reader, const struct sonde_documents *trees,
                       const struct sonde_run_budget **ret)
{
    const struct sonde_object *object = &sonde_object_run_budget;
    const struct sonde_node *node = trees->count ? trees->items[0] : NULL;
    void *budget = sonde_arena_alloc(&reader->documents->arena, object->size);
    *ret = budget;
    if (!budget) {
        return SONDE_ENOMEM;
    }
    if (trees->count > 1) {
        const struct sonde_node *second = trees->items[1];
        return sonde_reader_problem(reader, second->line, second->column, NULL,
                                    "a budget is one document");
    }
    if (!node || node->type != SONDE_NODE_MAP || node->count == 0) {
        return sonde_reader_problem(reader, node ? node->line : 1, node ? node->column : 1, NULL,
                                    "a budget must be a map of fields, such as thresholds");
    }
    return sonde_reader_object(reader, object, node, node, NULL, budget);
}

int sonde_spec_parse_budget(const char *name, struct sonde_str text,
                            struct sonde_spec_documents *documents,
                            const struct sonde_run_budget **ret, struct sonde_err *err)
{
    *documents = (struct sonde_spec_documents){.arena = SONDE_ARENA(SONDE_SPEC_ARENA_MAX)};
    struct sonde_reader reader = {.name = name, .documents = documents};
    struct sonde_documents trees;
    int code = sonde_yaml_parse(name, text, &trees, err);
    if (code == 0) {
        code = read_budget(&reader, &trees, ret);
        documents->count = 1; /* a text without a document is a problem of its own */
        code = judge(documents, name, code, err);
        documents->count = 0;
    } else if (err && code != SONDE_ENOMEM) {
        err->reason = SONDE_REASON_INVALID_SPEC;
    }
    sonde_documents_fini(&trees);
    return code;
}
