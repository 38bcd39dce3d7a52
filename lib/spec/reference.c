/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of docs/reference/, in Markdown. */
#include "base/memory.h"
#include "spec/reason.h"
#include "spec/spec.h"

enum { PATH_MAX_LENGTH = 256 };

#define HEADING                                                                                    \
    "<!-- SPDX-License-Identifier: Apache-2.0. Printed by `sonde spec reference` from the tables " \
    "in lib/spec: change those. -->\n"

static const char *type_words(enum sonde_field_type type)
{
    static const char *const words[] = {
        [SONDE_FIELD_STRING] = "text",
        [SONDE_FIELD_INTEGER] = "whole number",
        [SONDE_FIELD_BOOLEAN] = "`true` or `false`",
        [SONDE_FIELD_ENUM] = "choice",
        [SONDE_FIELD_QUANTITY] = "quantity",
        [SONDE_FIELD_TIME] = "time",
        [SONDE_FIELD_OBJECT] = "object",
        [SONDE_FIELD_OBJECTS] = "list of objects",
        [SONDE_FIELD_STRINGS] = "list of texts",
        [SONDE_FIELD_INTEGERS] = "list of whole numbers",
        [SONDE_FIELD_PAIRS] = "map of texts",
        [SONDE_FIELD_MAP] = "map of objects",
    };
    return words[type];
}

/* Text in a cell of a table. */
static void cell(struct sonde_buf *buf, const char *text)
{
    for (; *text; text++) {
        sonde_buf_text(buf, *text == '|' ? "\\" : "");
        sonde_buf_char(buf, *text);
    }
}

static void print_range(struct sonde_buf *buf, int64_t minimum, int64_t maximum, const char *unit)
{
    if (minimum == maximum) {
        sonde_buf_printf(buf, "%lld%s", (long long)minimum, unit);
    } else if (minimum == 0 && *unit) {
        sonde_buf_printf(buf, "at most %lld%s", (long long)maximum, unit);
    } else {
        sonde_buf_printf(buf, "%lld to %lld%s", (long long)minimum, (long long)maximum, unit);
    }
}

static void print_bounds(struct sonde_buf *buf, const struct sonde_field *field)
{
    const char *before = "";
    if (field->count_max) {
        print_range(buf, (int64_t)field->count_min, (int64_t)field->count_max, " entries");
        before = "; ";
    }
    if (field->type == SONDE_FIELD_INTEGER || field->type == SONDE_FIELD_INTEGERS) {
        sonde_buf_text(buf, before);
        print_range(buf, field->minimum, field->maximum, "");
        before = "; ";
    }
    for (size_t i = 0; field->choices && field->choices[i]; i++) {
        sonde_buf_printf(buf, "%s`%s`", i ? ", " : before, field->choices[i]);
    }
    if (field->length_max) {
        sonde_buf_text(buf, before);
        print_range(buf, (int64_t)field->length_min, (int64_t)field->length_max, " characters");
        before = "; ";
    }
    if (field->format) {
        sonde_buf_text(buf, before);
        cell(buf, field->format->words);
        before = "; ";
    }
    if (field->key_format) {
        sonde_buf_printf(buf, "%seach key ", before);
        cell(buf, field->key_format->words);
    }
}

static void print_only_for(struct sonde_buf *buf, const struct sonde_object *object,
                           const struct sonde_field *field)
{
    const struct sonde_field *discriminator = sonde_object_find(object, object->discriminator);
    const char *separator = " Only for ";
    for (int i = 0; discriminator->choices[i]; i++) {
        if (field->only_for >> i & 1) {
            sonde_buf_printf(buf, "%s`%s`", separator, discriminator->choices[i]);
            separator = ", ";
        }
    }
    sonde_buf_char(buf, '.');
}

static const struct sonde_kind *kind_of_spec(const struct sonde_object *object)
{
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    for (size_t i = 0; i < count; i++) {
        if (kinds[i]->spec == object) {
            return kinds[i];
        }
    }
    return NULL;
}

static void print_row(struct sonde_buf *buf, const struct sonde_object *object,
                      const struct sonde_field *field, const char *path, bool status)
{
    sonde_buf_printf(buf, "| `%s` | %s | ", path, type_words(field->type));
    if (!status) {
        if (field->required) {
            sonde_buf_text(buf, "**required**");
        } else if (field->fallback) {
            sonde_buf_printf(buf, "`%s`", field->fallback);
        } else if (field->derived) {
            cell(buf, field->derived);
        }
        sonde_buf_text(buf, " | ");
        print_bounds(buf, field);
        sonde_buf_text(buf, " | ");
    }
    cell(buf, field->description);
    if (field->only_for) {
        print_only_for(buf, object, field);
    }
    if (field->mutable) {
        sonde_buf_text(buf, " May be changed later.");
    }
    const struct sonde_kind *other = field->object ? kind_of_spec(field->object) : NULL;
    if (other) {
        sonde_buf_printf(buf, " Its fields: [%s](%s.md#fields).", other->name, other->singular);
    }
    sonde_buf_text(buf, " |\n");
}

/* As deep as the tables are. */
static void print_rows(struct sonde_buf *buf, const struct sonde_object *object, const char *prefix,
                       bool status)
{
    for (const struct sonde_field *f = object->fields; f->name; f++) {
        char path[PATH_MAX_LENGTH];
        const char *suffix = f->type == SONDE_FIELD_MAP ? ".NAME"
                             : f->type == SONDE_FIELD_OBJECTS || f->type == SONDE_FIELD_STRINGS ||
                                     f->type == SONDE_FIELD_INTEGERS
                                 ? "[]"
                                 : "";
        (void)snprintf(path, sizeof(path), "%s.%s%s", prefix, f->name, suffix);
        print_row(buf, object, f, path, status);
        if (f->object && !kind_of_spec(f->object)) {
            print_rows(buf, f->object, path, status);
        }
    }
}

static void print_groups(struct sonde_buf *buf, const struct sonde_object *object,
                         const char *prefix)
{
    for (size_t i = 0; i < SONDE_GROUPS_MAX && object->groups[i][0]; i++) {
        sonde_buf_printf(buf, "- `%s` must have exactly one of", prefix);
        for (size_t j = 0; j < SONDE_GROUP_SIZE_MAX && object->groups[i][j]; j++) {
            bool last = j + 1 == SONDE_GROUP_SIZE_MAX || !object->groups[i][j + 1];
            sonde_buf_printf(buf, "%s `%s`", j == 0 ? "" : (last ? " and" : ","),
                             object->groups[i][j]);
        }
        sonde_buf_text(buf, ".\n");
    }
}

static void print_rules(struct sonde_buf *buf, const struct sonde_object *object,
                        const char *prefix)
{
    print_groups(buf, object, prefix);
    for (size_t i = 0; i < SONDE_RULES_MAX && object->rules[i]; i++) {
        const struct sonde_rule *rule = object->rules[i];
        sonde_buf_printf(buf, "- `%s%s%s` %s. (%s%s)\n", prefix, rule->field ? "." : "",
                         rule->field ? rule->field : "", rule->message, rule->name,
                         rule->cel ? "" : "; checked by `sonde` and the controller");
    }
    for (const struct sonde_field *f = object->fields; f->name; f++) {
        char path[PATH_MAX_LENGTH];
        const char *suffix = f->type == SONDE_FIELD_MAP       ? ".NAME"
                             : f->type == SONDE_FIELD_OBJECTS ? "[]"
                                                              : "";
        (void)snprintf(path, sizeof(path), "%s.%s%s", prefix, f->name, suffix);
        if (f->object && !kind_of_spec(f->object)) {
            print_rules(buf, f->object, path);
        }
    }
}

static void print_conditions(struct sonde_buf *buf, const struct sonde_kind *kind)
{
    sonde_buf_text(buf, "\n## Conditions\n\n| Type | True means |\n|---|---|\n");
    for (const struct sonde_condition *c = kind->conditions; c->type; c++) {
        sonde_buf_printf(buf, "| `%s` | %s |\n", c->type, c->meaning);
    }
    const char *last = NULL;
    for (const struct sonde_condition *c = kind->conditions; c->type; c++) {
        last = c->type;
    }
    sonde_buf_printf(
        buf,
        "\n`kubectl wait --for=condition=%s %s/NAME` waits until it is true, and until "
        "its timeout when it never will be. The words in `reason` are explained under "
        "[reasons](reasons.md).\n",
        last, kind->singular);
}

static void print_kind(struct sonde_buf *buf, const struct sonde_kind *kind)
{
    sonde_buf_printf(buf,
                     HEADING
                     "# %s: %s\n\n%s\n\nGroup and version: `" SONDE_SPEC_API_VERSION
                     "`. Names for kubectl: `%s`, `%s`, `%s`; `metadata.name` has at most "
                     "%zu characters.\n\n## Example\n\n```yaml\n%s```\n\n## Fields\n\n"
                     "| Field | Type | Default | Bounds | Meaning |\n|---|---|---|---|---|\n",
                     kind->name, kind->title, kind->meaning, kind->plural, kind->singular,
                     kind->short_name, kind->name_max, kind->example);
    print_rows(buf, kind->spec, "spec", false);
    sonde_buf_text(buf, "\n## Rules\n\n");
    if (kind->immutable) {
        sonde_buf_text(buf, "- `spec` cannot be changed, except the fields that say so.\n");
    }
    print_rules(buf, kind->spec, "spec");
    if (kind->notes) {
        sonde_buf_printf(buf, "\n%s", kind->notes);
    }
    sonde_buf_text(buf, "\n## Status\n\n| Field | Type | Meaning |\n|---|---|---|\n");
    print_rows(buf, kind->status, "status", true);
    print_conditions(buf, kind);
}

static void print_index(struct sonde_buf *buf)
{
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    sonde_buf_text(buf, HEADING "# Reference\n\nThe kinds of `" SONDE_SPEC_API_VERSION
                                "`. The same documents work with `sonde run` and with "
                                "`kubectl apply`.\n\n");
    for (size_t i = 0; i < count; i++) {
        sonde_buf_printf(buf, "- [%s](%s.md): %s\n", kinds[i]->name, kinds[i]->singular,
                         kinds[i]->title);
    }
    sonde_buf_text(buf, "- [Reasons](reasons.md): why a run ended as it did, and what to do\n");
}

static void print_reasons(struct sonde_buf *buf)
{
    size_t count;
    const struct sonde_reason *reasons = sonde_reasons(&count);
    sonde_buf_text(buf, HEADING
                   "# Reasons\n\nWhy a run ended as it did: the `reason` of its conditions, and "
                   "the word before the message of `sonde`.\n\n| Reason | What it means | What to "
                   "do |\n|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        sonde_buf_printf(buf, "| `%s` | ", reasons[i].word);
        cell(buf, reasons[i].meaning);
        sonde_buf_text(buf, " | ");
        cell(buf, reasons[i].remedy);
        sonde_buf_text(buf, " |\n");
    }
}

void sonde_spec_print_reference(struct sonde_buf *buf)
{
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    print_index(buf);
    for (size_t i = 0; i < count; i++) {
        sonde_buf_char(buf, '\n');
        print_kind(buf, kinds[i]);
    }
    sonde_buf_char(buf, '\n');
    print_reasons(buf);
}

/* Prints one file: the kind's, or without a kind that of `print`. */
static int hand_out(const struct sonde_kind *kind, enum sonde_spec_output output,
                    void (*print)(struct sonde_buf *), const char *name,
                    sonde_spec_file_function *each, void *context, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_SPEC_FILE_MAX);
    if (!kind) {
        print(&text);
    } else if (output == SONDE_SPEC_CRDS) {
        sonde_spec_print_crd(kind, &text);
    } else {
        print_kind(&text, kind);
    }
    int code = sonde_buf_check(&text, name, err);
    return code ? code : each(context, name, sonde_buf_view(&text), err);
}

int sonde_spec_files(enum sonde_spec_output output, sonde_spec_file_function *each, void *context,
                     struct sonde_err *err)
{
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    bool pages = output == SONDE_SPEC_REFERENCE;
    int code = pages ? hand_out(NULL, output, print_index, "README.md", each, context, err) : 0;
    for (size_t i = 0; code == 0 && i < count; i++) {
        char name[PATH_MAX_LENGTH];
        (void)snprintf(name, sizeof(name), pages ? "%s.md" : SONDE_SPEC_GROUP "_%s.yaml",
                       pages ? kinds[i]->singular : kinds[i]->plural);
        code = hand_out(kinds[i], output, NULL, name, each, context, err);
    }
    if (code == 0 && pages) {
        code = hand_out(NULL, output, print_reasons, "reasons.md", each, context, err);
    }
    return code;
}
