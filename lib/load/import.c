/* SPDX-License-Identifier: Apache-2.0 */
#include "load/import.h"

#include <stdlib.h>

void sonde_load_import_init(struct sonde_load_import *import)
{
    *import = (struct sonde_load_import){.arena = SONDE_ARENA(SONDE_LOAD_IMPORT_MAX)};
}

void sonde_load_import_fini(struct sonde_load_import *import)
{
    if (import) {
        free(SONDE_TAKE(import->drafts));
        sonde_arena_fini(&import->arena);
        import->count = import->capacity = import->skip_count = 0;
    }
}

int sonde_load_import_add(struct sonde_load_import *import, const char *name,
                          const struct sonde_load_ask *ask, struct sonde_err *err)
{
    if (import->count == SONDE_LOAD_DRAFTS_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "more than %d requests", SONDE_LOAD_DRAFTS_MAX);
    }
    if (sonde_array_grow(&import->drafts, &import->capacity, import->count + 1,
                         sizeof(*import->drafts), SONDE_LOAD_DRAFTS_MAX) < 0) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for requests");
    }
    import->drafts[import->count++] = (struct sonde_load_draft){name, *ask};
    return 0;
}

int sonde_load_import_skip(struct sonde_load_import *import, const char *what, const char *why,
                           struct sonde_err *err)
{
    import->skip_total++;
    if (import->skip_count == SONDE_LOAD_SKIPS_MAX) {
        return 0;
    }
    struct sonde_load_skip *skip = &import->skips[import->skip_count];
    skip->what = sonde_arena_copy(&import->arena, sonde_str(what)).data;
    skip->why = sonde_arena_copy(&import->arena, sonde_str(why)).data;
    if (!skip->what || !skip->why) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for requests");
    }
    import->skip_count++;
    return 0;
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Appends what a name can have, with one - for all else, and not at its beginning. */
static size_t add_words(char *name, size_t length, struct sonde_str text, bool lower)
{
    bool gap = length > 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool kept = is_alphanumeric(c) || (!gap && (c == '_' || c == '.'));
        gap = gap || !kept;
        if (kept && length + gap < SONDE_LOAD_NAME_MAX) {
            name[length] = '-';
            length += gap && length;
            name[length++] = (char)(lower && c >= 'A' && c <= 'Z' ? c | 0x20 : c);
            gap = false;
        }
    }
    while (length && !is_alphanumeric(name[length - 1])) {
        length--;
    }
    return length;
}

const char *sonde_load_import_name(struct sonde_load_import *import, const char *method,
                                   struct sonde_str path)
{
    char name[SONDE_LOAD_NAME_MAX + 2];
    struct sonde_str rest = path;
    size_t length = add_words(name, 0, sonde_str(method), true);
    length = add_words(name, length, sonde_str_split(&rest, '?'), false);
    struct sonde_str all = length ? (struct sonde_str){name, length} : SONDE_STR("request");
    return sonde_arena_copy(&import->arena, all).data;
}
