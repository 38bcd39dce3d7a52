/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/table.h"

#include "spec/lists.h"

const struct sonde_field *sonde_object_find(const struct sonde_object *object, const char *name)
{
    for (const struct sonde_field *f = object->fields; f->name; f++) {
        if (strcmp(f->name, name) == 0) {
            return f;
        }
    }
    return NULL;
}

bool sonde_field_is_set(const struct sonde_field *field, const void *object)
{
    const void *at = (const char *)object + field->offset;
    switch (field->type) {
    case SONDE_FIELD_STRING:
    case SONDE_FIELD_QUANTITY:
    case SONDE_FIELD_TIME:
        return *(const char *const *)at != NULL;
    case SONDE_FIELD_INTEGER:
        return *(const int64_t *)at != SONDE_SPEC_ABSENT;
    case SONDE_FIELD_BOOLEAN:
        return true;
    case SONDE_FIELD_ENUM:
        return *(const int *)at != SONDE_SPEC_NO_CHOICE;
    case SONDE_FIELD_OBJECT:
        return *(const void *const *)at != NULL;
    default:
        return ((const struct sonde_any_list *)at)->count > 0;
    }
}

bool sonde_field_applies(const struct sonde_object *object, const struct sonde_field *field,
                         const void *data)
{
    if (!field->only_for) {
        return true;
    }
    const struct sonde_field *discriminator = sonde_object_find(object, object->discriminator);
    int choice = *(const int *)(const void *)((const char *)data + discriminator->offset);
    return choice != SONDE_SPEC_NO_CHOICE && (field->only_for >> choice & 1);
}
