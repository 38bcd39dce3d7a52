/* SPDX-License-Identifier: Apache-2.0 */
/* apiextensions.k8s.io/v1: structural schemas, so every value has a type and nothing else is kept
 * (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/). The rules' costs are
 * bounded by maxItems, maxProperties and maxLength, which every list, map and text has. */
#include "spec/spec.h"

/* Where the next line goes. */
struct out {
    struct sonde_buf *buf;
    size_t indent;
};

static struct out deeper(struct out out)
{
    out.indent += 2;
    return out;
}

static void line(struct out out, const char *name, const char *value)
{
    sonde_buf_repeat(out.buf, ' ', out.indent);
    sonde_buf_printf(out.buf, "%s:%s%s\n", name, value ? " " : "", value ? value : "");
}

/* As a JSON string, which YAML reads as it is. */
static void quoted(struct out out, const char *name, const char *text)
{
    sonde_buf_repeat(out.buf, ' ', out.indent);
    sonde_buf_printf(out.buf, "%s: ", name);
    sonde_buf_json_string(out.buf, sonde_str(text));
    sonde_buf_char(out.buf, '\n');
}

/* Whether a text that was put together is whole; the output fails with it otherwise. */
static bool is_whole(struct out out, const struct sonde_buf *text)
{
    if (text->code && !out.buf->code) {
        out.buf->code = text->code;
    }
    return text->code == 0;
}

static void number(struct out out, const char *name, int64_t value)
{
    sonde_buf_repeat(out.buf, ' ', out.indent);
    sonde_buf_printf(out.buf, "%s: %lld\n", name, (long long)value);
}

/* What only_for says, in words and in CEL: "['A', 'B']". */
static void print_choices(struct sonde_buf *buf, const struct sonde_object *object,
                          const struct sonde_field *field, const char *quote, const char *separator)
{
    const struct sonde_field *discriminator = sonde_object_find(object, object->discriminator);
    bool first = true;
    for (int i = 0; discriminator->choices[i]; i++) {
        if (field->only_for >> i & 1) {
            sonde_buf_printf(buf, "%s%s%s%s", first ? "" : separator, quote,
                             discriminator->choices[i], quote);
            first = false;
        }
    }
}

static void print_description(struct out out, const struct sonde_object *object,
                              const struct sonde_field *field)
{
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    sonde_buf_text(&text, field->description);
    if (field->only_for) {
        sonde_buf_printf(&text, " Only for %s ", object->discriminator);
        print_choices(&text, object, field, "", ", ");
        sonde_buf_char(&text, '.');
        if (field->fallback) {
            sonde_buf_printf(&text, " Default: %s.", field->fallback);
        }
    }
    if (field->derived) {
        sonde_buf_printf(&text, " Default: %s.", field->derived);
    }
    if (is_whole(out, &text)) {
        quoted(out, "description", text.data);
    }
}

static bool has_default(const struct sonde_field *field)
{
    /* One for some choices only cannot be said in a schema. */
    return field->present || (field->fallback && !field->only_for);
}

/* With all that is in it: the API server judges the rules on a default as it is written. */
static void print_object_default(struct sonde_buf *buf, const struct sonde_object *object)
{
    bool first = true;
    sonde_buf_char(buf, '{');
    for (const struct sonde_field *f = object->fields; f->name; f++) {
        if (!has_default(f)) {
            continue;
        }
        sonde_buf_printf(buf, "%s\"%s\": ", first ? "" : ", ", f->name);
        first = false;
        if (f->present) {
            print_object_default(buf, f->object); /* as deep as the tables are */
        } else if (f->type == SONDE_FIELD_INTEGER || f->type == SONDE_FIELD_BOOLEAN) {
            sonde_buf_text(buf, f->fallback);
        } else {
            sonde_buf_json_string(buf, sonde_str(f->fallback));
        }
    }
    sonde_buf_char(buf, '}');
}

static void print_default(struct out out, const struct sonde_field *field)
{
    if (!has_default(field)) {
        return;
    }
    if (field->present) {
        sonde_buf_repeat(out.buf, ' ', out.indent);
        sonde_buf_text(out.buf, "default: ");
        print_object_default(out.buf, field->object);
        sonde_buf_char(out.buf, '\n');
    } else if (field->type == SONDE_FIELD_INTEGER || field->type == SONDE_FIELD_BOOLEAN) {
        line(out, "default", field->fallback);
    } else {
        quoted(out, "default", field->fallback);
    }
}

static void print_text_schema(struct out out, const struct sonde_field *field)
{
    if (field->type == SONDE_FIELD_QUANTITY) {
        line(out, "x-kubernetes-int-or-string", "true");
        line(out, "anyOf", NULL);
        line(out, "- type", "integer");
        line(out, "- type", "string");
        number(out, "minimum", 0); /* of an integer; a text is bound by its pattern */
    } else {
        line(out, "type", "string");
    }
    if (field->type == SONDE_FIELD_TIME) {
        line(out, "format", "date-time");
        return;
    }
    if (field->length_min) {
        number(out, "minLength", (int64_t)field->length_min);
    }
    number(out, "maxLength", (int64_t)field->length_max);
    if (field->format) {
        quoted(out, "pattern", field->format->pattern);
    }
}

static void print_scalar_schema(struct out out, const struct sonde_field *field)
{
    switch (field->type) {
    case SONDE_FIELD_INTEGER:
    case SONDE_FIELD_INTEGERS:
        line(out, "type", "integer");
        line(out, "format", "int64");
        number(out, "minimum", field->minimum);
        number(out, "maximum", field->maximum);
        break;
    case SONDE_FIELD_BOOLEAN:
        line(out, "type", "boolean");
        break;
    case SONDE_FIELD_ENUM:
        line(out, "type", "string");
        line(out, "enum", NULL);
        for (size_t i = 0; field->choices[i]; i++) {
            sonde_buf_repeat(out.buf, ' ', out.indent);
            sonde_buf_printf(out.buf, "- \"%s\"\n", field->choices[i]);
        }
        break;
    default:
        print_text_schema(out, field);
    }
}

struct validation {
    const char *rule;
    const char *message;
    const char *field; /* a member, or NULL */
};

/* The heading is printed before the first one. */
static void print_validation(struct out out, bool *begun, const struct validation *validation)
{
    if (!*begun) {
        line(out, "x-kubernetes-validations", NULL);
        *begun = true;
    }
    quoted(out, "- rule", validation->rule);
    quoted(out, "  message", validation->message);
    if (validation->field) {
        sonde_buf_repeat(out.buf, ' ', out.indent);
        sonde_buf_printf(out.buf, "  fieldPath: .%s\n", validation->field);
    }
}

/* Keys cannot be bounded in a schema. Their syntax is left to the parser: the API server takes
 * keys for endless when it reckons what matching a pattern costs, and would refuse the rule. */
static void print_keys_validation(struct out out)
{
    char rule[64];
    char message[64];
    bool begun = false;
    (void)snprintf(rule, sizeof(rule), "self.all(k, size(k) <= %d)", SONDE_SPEC_KEY_MAX);
    (void)snprintf(message, sizeof(message), "each key must have at most %d characters",
                   SONDE_SPEC_KEY_MAX);
    print_validation(out, &begun, &(struct validation){.rule = rule, .message = message});
}

static void print_object_schema(struct out out, const struct sonde_object *object, bool immutable);

static void print_list_schema(struct out out, const struct sonde_field *field)
{
    line(out, "type", "array");
    if (field->count_min) {
        number(out, "minItems", (int64_t)field->count_min);
    }
    number(out, "maxItems", (int64_t)field->count_max);
    if (field->list_key) {
        line(out, "x-kubernetes-list-type", "map");
        line(out, "x-kubernetes-list-map-keys", NULL);
        sonde_buf_repeat(out.buf, ' ', out.indent);
        sonde_buf_printf(out.buf, "- %s\n", field->list_key);
    } else {
        line(out, "x-kubernetes-list-type", field->set ? "set" : "atomic");
    }
    line(out, "items", NULL);
    if (field->type == SONDE_FIELD_OBJECTS) {
        print_object_schema(deeper(out), field->object, false);
    } else {
        print_scalar_schema(deeper(out), field);
    }
}

static void print_map_schema(struct out out, const struct sonde_field *field)
{
    line(out, "type", "object");
    if (field->count_min) {
        number(out, "minProperties", (int64_t)field->count_min);
    }
    number(out, "maxProperties", (int64_t)field->count_max);
    line(out, "additionalProperties", NULL);
    if (field->type == SONDE_FIELD_MAP) {
        print_object_schema(deeper(out), field->object, false);
    } else {
        print_scalar_schema(deeper(out), field);
    }
    print_keys_validation(out);
}

static void print_field(struct out out, const struct sonde_object *object,
                        const struct sonde_field *field)
{
    line(out, field->name, NULL);
    out = deeper(out);
    print_description(out, object, field);
    print_default(out, field);
    switch (field->type) {
    case SONDE_FIELD_OBJECT:
        print_object_schema(out, field->object, false);
        break;
    case SONDE_FIELD_OBJECTS:
    case SONDE_FIELD_STRINGS:
    case SONDE_FIELD_INTEGERS:
        print_list_schema(out, field);
        break;
    case SONDE_FIELD_PAIRS:
    case SONDE_FIELD_MAP:
        print_map_schema(out, field);
        break;
    default:
        print_scalar_schema(out, field);
    }
}

static void print_group(struct out out, bool *begun, const char *const *names)
{
    SONDE_BUF_AUTO rule = SONDE_BUF(1024);
    SONDE_BUF_AUTO message = SONDE_BUF(1024);
    sonde_buf_text(&rule, "[");
    sonde_buf_text(&message, "must have exactly one of ");
    for (size_t i = 0; i < SONDE_GROUP_SIZE_MAX && names[i]; i++) {
        bool last = i + 1 == SONDE_GROUP_SIZE_MAX || !names[i + 1];
        sonde_buf_printf(&rule, "%shas(self.%s)", i ? ", " : "", names[i]);
        sonde_buf_printf(&message, "%s%s", i == 0 ? "" : (last ? " and " : ", "), names[i]);
    }
    sonde_buf_text(&rule, "].filter(given, given).size() == 1");
    if (!is_whole(out, &rule) || !is_whole(out, &message)) {
        return;
    }
    print_validation(out, begun, &(struct validation){.rule = rule.data, .message = message.data});
}

/* A field that is only for some choices: it must not stand beside another, and must stand beside
 * these when it is required. */
static void print_only_for(struct out out, bool *begun, const struct sonde_object *object,
                           const struct sonde_field *field)
{
    SONDE_BUF_AUTO rule = SONDE_BUF(1024);
    SONDE_BUF_AUTO message = SONDE_BUF(1024);
    if (field->required) {
        sonde_buf_printf(&rule, "has(self.%s) == (self.%s in [", field->name,
                         object->discriminator);
    } else {
        sonde_buf_printf(&rule, "!has(self.%s) || (self.%s in [", field->name,
                         object->discriminator);
    }
    print_choices(&rule, object, field, "'", ", ");
    sonde_buf_text(&rule, "])");
    sonde_buf_printf(&message, "%s only for %s ", field->required ? "must be given for, and" : "is",
                     object->discriminator);
    print_choices(&message, object, field, "", ", ");
    if (!is_whole(out, &rule) || !is_whole(out, &message)) {
        return;
    }
    print_validation(
        out, begun,
        &(struct validation){.rule = rule.data, .message = message.data, .field = field->name});
}

/* One transition rule for each member, so that a member that is added or removed counts too. */
static void print_immutable(struct out out, bool *begun, const struct sonde_field *field)
{
    SONDE_BUF_AUTO rule = SONDE_BUF(1024);
    bool always = field->required || field->present || field->fallback;
    const char *name = field->name;
    if (always) {
        sonde_buf_printf(&rule, "self.%s == oldSelf.%s", name, name);
    } else {
        sonde_buf_printf(&rule,
                         "has(self.%s) == has(oldSelf.%s) && (!has(self.%s) || self.%s == "
                         "oldSelf.%s)",
                         name, name, name, name, name);
    }
    if (!is_whole(out, &rule)) {
        return;
    }
    print_validation(out, begun,
                     &(struct validation){.rule = rule.data,
                                          .message = "cannot be changed: delete it and make "
                                                     "another, or make one of another name",
                                          .field = name});
}

static void print_validations(struct out out, const struct sonde_object *object, bool immutable)
{
    bool begun = false;
    for (size_t i = 0; i < SONDE_GROUPS_MAX && object->groups[i][0]; i++) {
        print_group(out, &begun, object->groups[i]);
    }
    for (const struct sonde_field *f = object->fields; f->name; f++) {
        if (f->only_for) {
            print_only_for(out, &begun, object, f);
        }
    }
    for (size_t i = 0; i < SONDE_RULES_MAX && object->rules[i]; i++) {
        const struct sonde_rule *rule = object->rules[i];
        if (rule->cel) {
            print_validation(out, &begun,
                             &(struct validation){.rule = rule->cel,
                                                  .message = rule->message,
                                                  .field = rule->field});
        }
    }
    for (const struct sonde_field *f = object->fields; immutable && f->name; f++) {
        if (!f->mutable) {
            print_immutable(out, &begun, f);
        }
    }
}

static void print_object_schema(struct out out, const struct sonde_object *object, bool immutable)
{
    bool begun = false;
    line(out, "type", "object");
    for (const struct sonde_field *f = object->fields; f->name; f++) {
        if (!f->required || f->only_for) {
            continue;
        }
        if (!begun) {
            line(out, "required", NULL);
            begun = true;
        }
        sonde_buf_repeat(out.buf, ' ', out.indent);
        sonde_buf_printf(out.buf, "- %s\n", f->name);
    }
    line(out, "properties", NULL);
    for (const struct sonde_field *f = object->fields; f->name; f++) {
        print_field(deeper(out), object, f);
    }
    print_validations(out, object, immutable);
}

static void print_schema(struct out out, const struct sonde_kind *kind)
{
    char rule[64];
    char message[64];
    bool begun = false;
    quoted(out, "description", kind->meaning);
    line(out, "type", "object");
    line(out, "required", NULL);
    sonde_buf_repeat(out.buf, ' ', out.indent);
    sonde_buf_text(out.buf, "- spec\n");
    line(out, "properties", NULL);
    static const char *const given[] = {"apiVersion", "kind"};
    for (size_t i = 0; i < SONDE_LENGTH(given); i++) {
        line(deeper(out), given[i], NULL);
        line(deeper(deeper(out)), "type", "string");
    }
    line(deeper(out), "metadata", NULL);
    line(deeper(deeper(out)), "type", "object");
    line(deeper(out), "spec", NULL);
    quoted(deeper(deeper(out)), "description", "What is wanted.");
    print_object_schema(deeper(deeper(out)), kind->spec, kind->immutable);
    line(deeper(out), "status", NULL);
    quoted(deeper(deeper(out)), "description", "What is; written by the controller.");
    print_object_schema(deeper(deeper(out)), kind->status, false);
    (void)snprintf(rule, sizeof(rule), "size(self.metadata.name) <= %zu", kind->name_max);
    (void)snprintf(message, sizeof(message), "metadata.name must have at most %zu characters",
                   kind->name_max);
    print_validation(out, &begun, &(struct validation){.rule = rule, .message = message});
}

static void print_columns(struct out out, const struct sonde_column *columns)
{
    line(out, "additionalPrinterColumns", NULL);
    for (const struct sonde_column *c = columns; c->name; c++) {
        line(out, "- name", c->name);
        line(out, "  type", c->type);
        quoted(out, "  jsonPath", c->path);
        if (c->priority) {
            number(out, "  priority", c->priority);
        }
    }
}

void sonde_spec_print_crd(const struct sonde_kind *kind, struct sonde_buf *buf)
{
    const struct out out = {.buf = buf};
    sonde_buf_printf(buf,
                     "# SPDX-License-Identifier: Apache-2.0\n"
                     "# Printed by `sonde spec crds` from the tables in lib/spec: change those.\n"
                     "apiVersion: apiextensions.k8s.io/v1\n"
                     "kind: CustomResourceDefinition\n"
                     "metadata:\n"
                     "  name: %s." SONDE_SPEC_GROUP "\n"
                     "spec:\n"
                     "  group: " SONDE_SPEC_GROUP "\n"
                     "  scope: Namespaced\n"
                     "  names:\n"
                     "    kind: %s\n"
                     "    listKind: %sList\n"
                     "    plural: %s\n"
                     "    singular: %s\n"
                     "    shortNames:\n"
                     "    - %s\n"
                     "    categories:\n"
                     "    - sonde\n"
                     "  versions:\n"
                     "  - name: " SONDE_SPEC_VERSION "\n"
                     "    served: true\n"
                     "    storage: true\n"
                     "    subresources:\n"
                     "      status: {}\n",
                     kind->plural, kind->name, kind->name, kind->plural, kind->singular,
                     kind->short_name);
    struct out version = deeper(deeper(out));
    print_columns(version, kind->columns);
    line(version, "schema", NULL);
    line(deeper(version), "openAPIV3Schema", NULL);
    print_schema(deeper(deeper(version)), kind);
}

void sonde_spec_print_crds(struct sonde_buf *buf)
{
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    for (size_t i = 0; i < count; i++) {
        sonde_buf_text(buf, i ? "---\n" : "");
        sonde_spec_print_crd(kinds[i], buf);
    }
}
