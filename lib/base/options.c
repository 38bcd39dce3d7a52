/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include <stdbool.h>
#include <stdlib.h>

enum { TABLES_MAX = 4, OPTIONS_MAX = 128 };

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
            if (o->help) {
                names[count++] = o->name;
            }
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
    case SONDE_OPTION_WORDS:
        return sonde_fail(err, SONDE_EINVALID, 0, "--%s %s: give [ WORDS ], or nothing",
                          option->name, value);
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
            return sonde_fail(
                err, SONDE_EINVALID, 0,
                "--%s %s: give a duration from %.15gs to %.15gs, such as 10s, 1m30s or 1500ms",
                option->name, value, (double)option->min / 1e9, (double)option->max / 1e9);
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

/* What is read, and how far that is. */
struct reading {
    const struct sonde_option *const *tables;
    size_t table_count;
    int count, at;
    char **argv;
    void *target;
};

/* The words from the "[" at argv[at + 1] to its "]". */
static int take_bracket(struct reading *r, const struct sonde_option *option,
                        struct sonde_option_words *ret, struct sonde_err *err)
{
    int first = r->at + 1;
    int last = first;
    int depth = 0;
    for (;; last++) {
        if (last == r->count) {
            return sonde_fail(err, SONDE_EINVALID, 0, "--%s [: there is no ] behind it",
                              option->name);
        }
        size_t length = strlen(r->argv[last]);
        depth += r->argv[last][0] == '[';
        depth -= length && r->argv[last][length - 1] == ']';
        if (depth <= 0) {
            break;
        }
    }
    r->at = last;
    r->argv[last][strlen(r->argv[last]) - 1] = '\0';
    r->argv[first]++;
    first += r->argv[first][0] == '\0';
    last -= last >= first && r->argv[last][0] == '\0';
    *ret = (struct sonde_option_words){r->argv + first, last - first + 1, true};
    return 0;
}

static bool bracket_follows(const struct reading *r)
{
    return r->at + 1 < r->count && r->argv[r->at + 1][0] == '[';
}

static int take_strings(struct reading *r, const struct sonde_option *option, struct sonde_err *err)
{
    struct sonde_option_words words = {0};
    int code = take_bracket(r, option, &words, err);
    for (int i = 0; i < words.count && code == 0; i++) {
        code = assign(option, words.items[i], r->target, err);
    }
    return code;
}

/* With its value, which may be the next argument. */
static int take_value(struct reading *r, const struct sonde_option *option, const char *value,
                      struct sonde_err *err)
{
    if (option->type == SONDE_OPTION_FLAG && value) {
        return sonde_fail(err, SONDE_EINVALID, 0, "--%s takes no value", option->name);
    }
    if (option->type == SONDE_OPTION_WORDS && !value) {
        struct sonde_option_words *words = (void *)((char *)r->target + option->offset);
        *words = (struct sonde_option_words){.given = true};
        return bracket_follows(r) ? take_bracket(r, option, words, err) : 0;
    }
    if (option->type == SONDE_OPTION_STRINGS && !value && r->at + 1 < r->count &&
        strcmp(r->argv[r->at + 1], "[") == 0) {
        return take_strings(r, option, err);
    }
    if (option->type != SONDE_OPTION_FLAG && !value) {
        if (r->at + 1 >= r->count) {
            return sonde_fail(err, SONDE_EINVALID, 0, "--%s needs a value: --%s %s", option->name,
                              option->name, option->argument);
        }
        value = r->argv[++r->at];
    }
    return assign(option, value, r->target, err);
}

/* "-l", "-lVALUE", "-l=VALUE", or flags in one word. */
static int take_letters(struct reading *r, const char *word, struct sonde_err *err)
{
    for (const char *at = word + 1; *at; at++) {
        const struct sonde_option *option = find_letter(r->tables, r->table_count, *at);
        if (!option) {
            return sonde_fail(err, SONDE_EINVALID, 0, "unknown option %.100s", word);
        }
        if (option->type != SONDE_OPTION_FLAG) {
            const char *value = at[1] == '=' ? at + 2 : at[1] ? at + 1 : NULL;
            return take_value(r, option, value, err);
        }
        (void)!assign(option, NULL, r->target, NULL);
    }
    return 0;
}

/* The option at argv[at]. */
static int take_option(struct reading *r, struct sonde_err *err)
{
    const char *word = r->argv[r->at];
    if (word[1] != '-') {
        return take_letters(r, word, err);
    }
    struct sonde_str rest = sonde_str(word + 2);
    struct sonde_str name = sonde_str_split(&rest, '=');
    const struct sonde_option *option = find(r->tables, r->table_count, name);
    return option ? take_value(r, option, rest.data, err)
                  : unknown(r->tables, r->table_count, name, err);
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
    struct reading reading = {tables, table_count, count, 0, argv, target};
    for (; reading.at < count; reading.at++) {
        char *word = argv[reading.at];
        if (strcmp(word, "--") == 0) {
            arguments.command = argv + reading.at + 1;
            arguments.command_count = count - reading.at - 1;
            break;
        }
        if (word[0] != '-' || !word[1]) {
            positional[arguments.count++] = word;
            continue;
        }
        int r = take_option(&reading, err);
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
        if (!o->help) {
            continue;
        }
        char left[40];
        char letter[] = {'-', o->letter, ',', ' ', '\0'};
        (void)snprintf(left, sizeof(left), "%s--%s%s%s", o->letter ? letter : "", o->name,
                       o->argument ? " " : "", o->argument ? o->argument : "");
        sonde_buf_printf(buf, "  %-24s %s\n", left, o->help);
    }
}
