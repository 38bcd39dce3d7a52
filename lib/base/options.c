/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include <stdbool.h>
#include <stdlib.h>

enum { TABLES_MAX = 4, OPTIONS_MAX = 64 };

const char *sonde_suggest(struct sonde_str word, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t distance = sonde_str_distance(word, sonde_str(names[i]));
        if (distance < least) {
            least = distance;
            best = names[i];
        }
    }
    return best && least <= (strlen(best) + 2) / 3 ? best : NULL;
}

static const struct sonde_option *find(const struct sonde_option *const tables[],
                                       size_t table_count, struct sonde_str name)
{
    for (size_t t = 0; t < table_count; t++) {
        for (const struct sonde_option *o = tables[t]; o && o->name; o++) {
            if (sonde_str_is(name, o->name)) {
                return o;
            }
        }
    }
    return NULL;
}

static int unknown(const struct sonde_option *const tables[], size_t table_count,
                   struct sonde_str name, struct sonde_err *err)
{
    const char *names[OPTIONS_MAX];
    size_t count = 0;
    for (size_t t = 0; t < table_count; t++) {
        for (const struct sonde_option *o = tables[t]; o && o->name && count < OPTIONS_MAX; o++) {
            names[count++] = o->name;
        }
    }
    const char *near = sonde_suggest(name, names, count);
    if (near) {
        return sonde_fail(err, SONDE_EINVALID, 0, "unknown option --%.*s: did you mean --%s?",
                          SONDE_STR_ARG(name), near);
    }
    return sonde_fail(err, SONDE_EINVALID, 0, "unknown option --%.*s", SONDE_STR_ARG(name));
}

static int choose(const struct sonde_option *option, const char *value, int *ret,
                  struct sonde_err *err)
{
    SONDE_BUF_AUTO list = SONDE_BUF(SONDE_ERR_MESSAGE_MAX / 2);
    for (int i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], value) == 0) {
            *ret = i;
            return 0;
        }
        sonde_buf_printf(&list, "%s%s", i ? ", " : "", option->choices[i]);
    }
    return sonde_fail(err, SONDE_EINVALID, 0, "--%s %s: give one of %s", option->name, value,
                      list.data ? list.data : "");
}

static int add_string(const struct sonde_option *option, const char *value,
                      struct sonde_option_strings *list, struct sonde_err *err)
{
    if (list->count == SONDE_OPTION_STRINGS_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0, "--%s: more than %d of them", option->name,
                          SONDE_OPTION_STRINGS_MAX);
    }
    list->items[list->count++] = value;
    return 0;
}

static int assign(const struct sonde_option *option, const char *value, void *target,
                  struct sonde_err *err)
{
    void *field = (char *)target + option->offset;
    struct sonde_str text = sonde_str(value);
    int r;
    switch (option->type) {
    case SONDE_OPTION_FLAG:
        *(bool *)field = true;
        return 0;
    case SONDE_OPTION_STRING:
        *(const char **)field = value;
        return 0;
    case SONDE_OPTION_CHOICE:
        return choose(option, value, field, err);
    case SONDE_OPTION_STRINGS:
        return add_string(option, value, field, err);
    case SONDE_OPTION_NUMBER:
        r = sonde_parse_i64(text, option->min, option->max, field);
        if (r < 0) {
            return sonde_fail(err, SONDE_EINVALID, 0,
                              "--%s %s: give a whole number from %lld to %lld", option->name, value,
                              (long long)option->min, (long long)option->max);
        }
        return 0;
    case SONDE_OPTION_DURATION:
        r = sonde_parse_duration(text, option->max, field);
        if (r < 0 || *(int64_t *)field < option->min) {
            return sonde_fail(err, SONDE_EINVALID, 0,
                              "--%s %s: give a duration from %gs to %gs, such as 10s or 1m30s",
                              option->name, value, (double)option->min / 1e9,
                              (double)option->max / 1e9);
        }
        return 0;
    }
    return SONDE_EINTERNAL;
}

static const struct sonde_option *find_letter(const struct sonde_option *const tables[],
                                              size_t table_count, char letter)
{
    for (size_t t = 0; t < table_count; t++) {
        for (const struct sonde_option *o = tables[t]; o && o->name; o++) {
            if (o->letter == letter) {
                return o;
            }
        }
    }
    return NULL;
}

/* "--name", "--name=value" or "-l". */
static int find_word(const struct sonde_option *const tables[], size_t table_count,
                     const char *word, const struct sonde_option **ret, const char **ret_value,
                     struct sonde_err *err)
{
    *ret_value = NULL;
    if (word[1] != '-') {
        *ret = word[2] ? NULL : find_letter(tables, table_count, word[1]);
        return *ret ? 0 : sonde_fail(err, SONDE_EINVALID, 0, "unknown option %.100s", word);
    }
    struct sonde_str rest = sonde_str(word + 2);
    struct sonde_str name = sonde_str_split(&rest, '=');
    *ret_value = rest.data;
    *ret = find(tables, table_count, name);
    return *ret ? 0 : unknown(tables, table_count, name, err);
}

/* Reads the option at argv[*at], and its value, which may be the next argument. */
static int take_option(const struct sonde_option *const tables[], size_t table_count, int count,
                       char **argv, int *at, void *target, struct sonde_err *err)
{
    const struct sonde_option *option;
    const char *value;
    int r = find_word(tables, table_count, argv[*at], &option, &value, err);
    if (r < 0) {
        return r;
    }
    if (option->type == SONDE_OPTION_FLAG && value) {
        return sonde_fail(err, SONDE_EINVALID, 0, "--%s takes no value", option->name);
    }
    if (option->type != SONDE_OPTION_FLAG && !value) {
        if (*at + 1 >= count) {
            return sonde_fail(err, SONDE_EINVALID, 0, "--%s needs a value: --%s %s", option->name,
                              option->name, option->argument);
        }
        value = argv[++*at];
    }
    return assign(option, value, target, err);
}

int sonde_options_parse(const struct sonde_option *const tables[], size_t table_count, int count,
                        char **argv, void *target, struct sonde_arguments *ret,
                        struct sonde_err *err)
{
    *ret = (struct sonde_arguments){0};
    SONDE_FREE const char **positional = calloc((size_t)count + 1, sizeof(*positional));
    if (!positional) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    struct sonde_arguments arguments = {0};
    for (int i = 0; i < count; i++) {
        if (strcmp(argv[i], "--") == 0) {
            arguments.command = argv + i + 1;
            arguments.command_count = count - i - 1;
            break;
        }
        if (argv[i][0] != '-' || !argv[i][1]) {
            positional[arguments.count++] = argv[i];
            continue;
        }
        int r = take_option(tables, table_count, count, argv, &i, target, err);
        if (r < 0) {
            return r;
        }
    }
    arguments.positional = SONDE_TAKE(positional);
    *ret = arguments;
    return 0;
}

void sonde_options_help(const struct sonde_option *table, struct sonde_buf *buf)
{
    for (const struct sonde_option *o = table; o && o->name; o++) {
        char left[40];
        char letter[] = {'-', o->letter, ',', ' ', '\0'};
        (void)snprintf(left, sizeof(left), "%s--%s%s%s", o->letter ? letter : "", o->name,
                       o->argument ? " " : "", o->argument ? o->argument : "");
        sonde_buf_printf(buf, "  %-24s %s\n", left, o->help);
    }
}
