/* SPDX-License-Identifier: Apache-2.0 */
/* What every row of every table must have, so that what is printed from it is whole: a structural
 * schema, bounded rules, and pages without gaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spec/kinds.h"
#include "spec/reason.h"

/* All fields of all kinds are visited once per place they stand in. */
struct visit {
    const struct sonde_object *object;
    const struct sonde_field *field;
    bool status;
    bool in_present; /* below an object that is filled with its defaults */
};

typedef void check_function(const struct visit *visit);

static void visit_object(const struct sonde_object *object, bool status, bool in_present,
                         check_function *check)
{
    for (const struct sonde_field *f = object->fields; f->name; f++) {
        const struct visit visit = {object, f, status, in_present};
        check(&visit);
        if (f->object) {
            visit_object(f->object, status, f->present, check);
        }
    }
}

static void visit_all(check_function *check)
{
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    for (size_t i = 0; i < count; i++) {
        visit_object(kinds[i]->spec, false, false, check);
        visit_object(kinds[i]->status, true, false, check);
    }
}

static bool is_list(enum sonde_field_type type)
{
    return type == SONDE_FIELD_OBJECTS || type == SONDE_FIELD_STRINGS ||
           type == SONDE_FIELD_INTEGERS || type == SONDE_FIELD_PAIRS || type == SONDE_FIELD_MAP;
}

static bool has_object(enum sonde_field_type type)
{
    return type == SONDE_FIELD_OBJECT || type == SONDE_FIELD_OBJECTS || type == SONDE_FIELD_MAP;
}

static bool is_text(enum sonde_field_type type)
{
    return type == SONDE_FIELD_STRING || type == SONDE_FIELD_QUANTITY ||
           type == SONDE_FIELD_STRINGS || type == SONDE_FIELD_PAIRS;
}

#define EXPECT(visit, condition)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail_msg("field %s: %s", (visit)->field->name, #condition);                            \
        }                                                                                          \
    } while (0)

static void is_described(const struct visit *visit)
{
    const char *text = visit->field->description;
    EXPECT(visit, text && strlen(text) > 4);
    EXPECT(visit, text[strlen(text) - 1] == '.');
    EXPECT(visit, text[0] >= 'A' && text[0] <= 'Z');
    EXPECT(visit, strlen(visit->field->name) < 40);
}

static void is_bounded(const struct visit *visit)
{
    const struct sonde_field *f = visit->field;
    /* The API server would read a larger bound as another one. */
    EXPECT(visit, f->maximum <= (INT64_C(1) << 53) && f->minimum >= -(INT64_C(1) << 53));
    bool integer = f->type == SONDE_FIELD_INTEGER || f->type == SONDE_FIELD_INTEGERS;
    EXPECT(visit, !is_text(f->type) || f->length_max > 0);
    EXPECT(visit, f->length_min <= f->length_max);
    EXPECT(visit, !is_list(f->type) || f->count_max > 0);
    EXPECT(visit, f->count_min <= f->count_max);
    EXPECT(visit, !integer || f->minimum < f->maximum);
    EXPECT(visit, (f->type == SONDE_FIELD_ENUM) == (f->choices != NULL));
    EXPECT(visit, has_object(f->type) == (f->object != NULL));
    bool keys = f->type == SONDE_FIELD_PAIRS || f->type == SONDE_FIELD_MAP;
    EXPECT(visit, keys == (f->key_format != NULL));
}

/* As long as what is put there can be: system:serviceaccount:NAMESPACE:NAME has 339 characters,
 * and Deployment/NAME with a name of a pod has 264. */
static void has_room(const struct visit *visit)
{
    static const char *const names[] = {"target", "requester", "sidecarImage"};
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        if (visit->status && strcmp(visit->field->name, names[i]) == 0) {
            EXPECT(visit, visit->field->length_max >= 1024);
        }
    }
}

static void defaults_are_valid(const struct visit *visit)
{
    const struct sonde_field *f = visit->field;
    EXPECT(visit, !f->present || f->type == SONDE_FIELD_OBJECT);
    EXPECT(visit, !f->required || (!f->fallback && !f->derived && !f->present));
    EXPECT(visit, !(f->required && visit->in_present) || f->only_for);
    if (!f->fallback) {
        EXPECT(visit, f->type != SONDE_FIELD_BOOLEAN || visit->status);
        return;
    }
    struct sonde_str text = sonde_str(f->fallback);
    int64_t number;
    bool found = false;
    switch (f->type) {
    case SONDE_FIELD_INTEGER:
        EXPECT(visit, sonde_parse_i64(text, f->minimum, f->maximum, &number) == 0);
        break;
    case SONDE_FIELD_BOOLEAN:
        EXPECT(visit, sonde_str_is(text, "true") || sonde_str_is(text, "false"));
        break;
    case SONDE_FIELD_ENUM:
        for (size_t i = 0; f->choices[i]; i++) {
            found = found || sonde_str_is(text, f->choices[i]);
        }
        EXPECT(visit, found);
        break;
    default:
        EXPECT(visit, f->type == SONDE_FIELD_STRING);
        EXPECT(visit, text.length >= f->length_min && text.length <= f->length_max);
        EXPECT(visit, !f->format || f->format->check(text));
    }
}

static void references_are_right(const struct visit *visit)
{
    const struct sonde_field *f = visit->field;
    const struct sonde_object *o = visit->object;
    if (f->list_key) {
        const struct sonde_field *key = sonde_object_find(f->object, f->list_key);
        EXPECT(visit, key && key->required && key->type == SONDE_FIELD_STRING);
    }
    if (f->only_for) {
        const struct sonde_field *discriminator = sonde_object_find(o, o->discriminator);
        EXPECT(visit, discriminator && discriminator->type == SONDE_FIELD_ENUM);
        EXPECT(visit, discriminator < f); /* it is read first */
        EXPECT(visit, discriminator->required || discriminator->fallback);
        size_t choices = 0;
        while (discriminator->choices[choices]) {
            choices++;
        }
        EXPECT(visit, f->only_for >> choices == 0);
    }
    for (const struct sonde_field *other = o->fields; other->name; other++) {
        EXPECT(visit, other == f || strcmp(other->name, f->name) != 0);
        EXPECT(visit, other == f || visit->status || other->offset != f->offset);
    }
}

static void objects_are_right(const struct visit *visit)
{
    enum { READER_MEMBERS_MAX = 32 };
    const struct sonde_object *o = visit->object;
    size_t count = 0;
    for (const struct sonde_field *f = o->fields; f->name; f++) {
        count++;
    }
    EXPECT(visit, count <= READER_MEMBERS_MAX);
    EXPECT(visit, visit->status == (o->size == 0));
    EXPECT(visit, visit->status || visit->field->offset < o->size);
    for (size_t i = 0; i < SONDE_GROUPS_MAX; i++) {
        for (size_t j = 0; j < SONDE_GROUP_SIZE_MAX && o->groups[i][j]; j++) {
            const struct sonde_field *member = sonde_object_find(o, o->groups[i][j]);
            EXPECT(visit, member && !member->required && !member->fallback && !member->present);
        }
    }
    for (size_t i = 0; i < SONDE_RULES_MAX && o->rules[i]; i++) {
        const struct sonde_rule *rule = o->rules[i];
        EXPECT(visit, rule->name && rule->holds);
        EXPECT(visit, strncmp(rule->message, "must ", 5) == 0);
        EXPECT(visit, !rule->field || sonde_object_find(o, rule->field));
    }
}

static void fields_are_described(void **state)
{
    (void)state;
    visit_all(is_described);
}

static void fields_are_bounded(void **state)
{
    (void)state;
    visit_all(is_bounded);
    visit_all(has_room);
}

static void defaults_are_of_their_type_and_in_their_bounds(void **state)
{
    (void)state;
    visit_all(defaults_are_valid);
}

static void names_in_tables_exist(void **state)
{
    (void)state;
    visit_all(references_are_right);
    visit_all(objects_are_right);
}

static void kinds_are_whole(void **state)
{
    (void)state;
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    for (size_t i = 0; i < count; i++) {
        const struct sonde_kind *kind = kinds[i];
        assert_true(kind->name[0] >= 'A' && kind->name[0] <= 'Z');
        assert_non_null(kind->columns[0].name);
        assert_non_null(kind->conditions[0].type);
        const struct sonde_field *conditions = sonde_object_find(kind->status, "conditions");
        assert_non_null(conditions);
        assert_string_equal(conditions->list_key, "type");
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(kind->plural, kinds[j]->plural);
            assert_string_not_equal(kind->short_name, kinds[j]->short_name);
        }
        for (const struct sonde_column *c = kind->columns; c->name; c++) {
            assert_int_equal(c->path[0], '.');
        }
    }
}

static void reasons_are_words_with_remedies(void **state)
{
    (void)state;
    size_t count;
    const struct sonde_reason *reasons = sonde_reasons(&count);
    assert_true(count > 15);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(sonde_reason_find(reasons[i].word), &reasons[i]);
        assert_int_equal(reasons[i].meaning[strlen(reasons[i].meaning) - 1], '.');
        assert_int_equal(reasons[i].remedy[strlen(reasons[i].remedy) - 1], '.');
        for (const char *c = reasons[i].word; *c; c++) {
            assert_true((*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z'));
        }
    }
    assert_null(sonde_reason_find("NoSuchReason"));
    assert_null(sonde_reason_find(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_described),
        cmocka_unit_test(fields_are_bounded),
        cmocka_unit_test(defaults_are_of_their_type_and_in_their_bounds),
        cmocka_unit_test(names_in_tables_exist),
        cmocka_unit_test(kinds_are_whole),
        cmocka_unit_test(reasons_are_words_with_remedies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
