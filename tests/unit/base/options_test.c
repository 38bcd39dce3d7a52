/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/options.h"

struct settings {
    const char *store;
    int64_t duration;
    int64_t pid;
    bool verbose, quiet;
    int output;
    struct sonde_option_strings files;
    struct sonde_option_words part;
};

static const char *const outputs[] = {"text", "json", NULL};

static const struct sonde_option table[] = {
    {"store", SONDE_OPTION_STRING, offsetof(struct settings, store), .argument = "DIR",
     .help = "where"},
    {"duration", SONDE_OPTION_DURATION, offsetof(struct settings, duration), SONDE_SECOND,
     60 * SONDE_SECOND, .argument = "TIME", .help = "how long"},
    {"pid", SONDE_OPTION_NUMBER, offsetof(struct settings, pid), 1, 1 << 22, .argument = "N",
     .help = "which", .letter = 'p'},
    {"verbose", SONDE_OPTION_FLAG, offsetof(struct settings, verbose), .help = "more",
     .letter = 'v'},
    {"quiet", SONDE_OPTION_FLAG, offsetof(struct settings, quiet), .help = "less", .letter = 'q'},
    {"silent", SONDE_OPTION_FLAG, offsetof(struct settings, quiet), .help = NULL},
    {"file", SONDE_OPTION_STRINGS, offsetof(struct settings, files), .argument = "FILE",
     .help = "a file"},
    {"part", SONDE_OPTION_WORDS, offsetof(struct settings, part), .argument = "[ -p N ]",
     .help = "a part", .letter = 'P'},
    {"output", SONDE_OPTION_CHOICE, offsetof(struct settings, output), .choices = outputs,
     .argument = "text|json", .help = "how"},
    {0},
};

static int parse(int count, const char *const words[], struct settings *settings,
                 struct sonde_arguments *arguments, struct sonde_err *err)
{
    const struct sonde_option *const tables[] = {table, NULL};
    static char *kept[16];
    static char texts[16][64];
    for (int i = 0; i < count; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%s", words[i]);
        kept[i] = texts[i];
    }
    return sonde_options_parse(tables, 2, count, kept, settings, arguments, err);
}

static void values_positionals_and_a_command(void **state)
{
    (void)state;
    const char *const words[] = {"file.yaml", "--store=/s", "--duration", "1m",   "--verbose",
                                 "--output",  "json",       "--",         "node", "--pid"};
    struct settings settings = {0};
    struct sonde_arguments arguments;
    struct sonde_err err;
    assert_int_equal(parse(10, words, &settings, &arguments, &err), 0);
    assert_string_equal(settings.store, "/s");
    assert_true(settings.duration == 60 * SONDE_SECOND);
    assert_true(settings.verbose);
    assert_int_equal(settings.output, 1);
    assert_int_equal(arguments.count, 1);
    assert_string_equal(arguments.positional[0], "file.yaml");
    assert_int_equal(arguments.command_count, 2);
    assert_string_equal(arguments.command[0], "node");
    free(arguments.positional);
}

static void letters_need_no_space(void **state)
{
    (void)state;
    const char *const words[] = {"-p12", "-vq"};
    const char *const others[] = {"-vp=13", "--silent", "-"};
    struct settings settings = {0};
    struct sonde_arguments arguments;
    struct sonde_err err;
    assert_int_equal(parse(2, words, &settings, &arguments, &err), 0);
    assert_int_equal(settings.pid, 12);
    assert_true(settings.verbose && settings.quiet);
    free(arguments.positional);
    settings = (struct settings){0};
    assert_int_equal(parse(3, others, &settings, &arguments, &err), 0);
    assert_int_equal(settings.pid, 13);
    assert_true(settings.verbose && settings.quiet);
    assert_int_equal(arguments.count, 1);
    free(arguments.positional);
}

static void brackets_hold_words(void **state)
{
    (void)state;
    static const struct {
        const char *words[8];
        int count;
    } cases[] = {
        {{"-P", "[", "-p", "3", "]", "last"}, 6},
        {{"--part", "[-p", "3]", "last"}, 4},
        {{"-P", "[", "-p", "3]", "last"}, 5},
    };
    struct settings settings;
    struct sonde_arguments arguments;
    struct sonde_err err;
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        settings = (struct settings){0};
        assert_int_equal(parse(cases[i].count, cases[i].words, &settings, &arguments, &err), 0);
        assert_true(settings.part.given);
        assert_int_equal(settings.part.count, 2);
        assert_string_equal(settings.part.items[0], "-p");
        assert_string_equal(settings.part.items[1], "3");
        assert_int_equal(arguments.count, 1);
        assert_string_equal(arguments.positional[0], "last");
        free(arguments.positional);
    }
    const char *const nested[] = {"--part", "[", "--part", "[x]", "]", "last"};
    settings = (struct settings){0};
    assert_int_equal(parse(6, nested, &settings, &arguments, &err), 0);
    assert_int_equal(settings.part.count, 2);
    free(arguments.positional);
    const char *const nothing[] = {"-P", "last", "--file", "[", "a", "b", "]", "--file", "c"};
    settings = (struct settings){0};
    assert_int_equal(parse(9, nothing, &settings, &arguments, &err), 0);
    assert_true(settings.part.given);
    assert_int_equal(settings.part.count, 0);
    assert_int_equal(settings.files.count, 3);
    assert_string_equal(settings.files.items[1], "b");
    assert_string_equal(settings.files.items[2], "c");
    free(arguments.positional);
    const char *const empty[] = {"-P", "[]", "-P", "[", "]"};
    assert_int_equal(parse(5, empty, &settings, &arguments, &err), 0);
    assert_int_equal(settings.part.count, 0);
    assert_int_equal(arguments.count, 0);
    free(arguments.positional);
}

static void mistakes_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *words[2];
        int count;
        const char *message;
    } cases[] = {
        {{"--durration", "1s"}, 2, "unknown option --durration: did you mean --duration?"},
        {{"--xyz"}, 1, "unknown option --xyz"},
        {{"--pid"}, 1, "--pid needs a value: --pid N"},
        {{"--pid", "12x"}, 2, "--pid 12x: give a whole number from 1 to 4194304"},
        {{"--pid", "0"}, 2, "--pid 0: give a whole number from 1 to 4194304"},
        {{"--duration", "2h"},
         2,
         "--duration 2h: give a duration from 1s to 60s, such as 10s, 1m30s or 1500ms"},
        {{"--duration", "10ms"},
         2,
         "--duration 10ms: give a duration from 1s to 60s, such as 10s, 1m30s or 1500ms"},
        {{"--output", "xml"}, 2, "--output xml: give one of text, json"},
        {{"--verbose=1"}, 1, "--verbose takes no value"},
        {{"-vx"}, 1, "unknown option -vx"},
        {{"-p", "x"}, 2, "--pid x: give a whole number from 1 to 4194304"},
        {{"-px"}, 1, "--pid x: give a whole number from 1 to 4194304"},
        {{"--part", "["}, 2, "--part [: there is no ] behind it"},
        {{"--part=3"}, 1, "--part 3: give [ WORDS ], or nothing"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct settings settings = {0};
        struct sonde_arguments arguments;
        struct sonde_err err;
        assert_int_equal(parse(cases[i].count, cases[i].words, &settings, &arguments, &err),
                         SONDE_EINVALID);
        assert_string_equal(err.message, cases[i].message);
        assert_null(arguments.positional);
    }
}

static void help_lists_every_option(void **state)
{
    (void)state;
    SONDE_BUF_AUTO help = SONDE_BUF(4096);
    sonde_options_help(table, &help);
    for (const struct sonde_option *o = table; o->name; o++) {
        assert_int_equal(strstr(help.data, o->name) != NULL, o->help != NULL);
    }
    assert_non_null(strstr(help.data, "--output text|json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_positionals_and_a_command),
        cmocka_unit_test(letters_need_no_space),
        cmocka_unit_test(brackets_hold_words),
        cmocka_unit_test(mistakes_are_explained),
        cmocka_unit_test(help_lists_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
