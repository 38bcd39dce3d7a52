/* SPDX-License-Identifier: Apache-2.0 */
/* manifests/crds/ and docs/reference/ are what the tables print. With SONDE_REWRITE=1 in the
 * environment the files are written anew instead. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "spec/spec.h"

struct folder {
    const char *path; /* from the root of the checkout, where the tests run */
    size_t files;
};

static bool rewriting(void)
{
    const char *value = getenv("SONDE_REWRITE");
    return value && strcmp(value, "1") == 0;
}

static void rewrite(const char *path, struct sonde_str text)
{
    struct sonde_err err;
    SONDE_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(sonde_write_all(fd, text.data, text.length, path, &err), 0);
}

static int compare(void *context, const char *name, struct sonde_str text, struct sonde_err *err)
{
    struct folder *folder = context;
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    folder->files++;
    if (rewriting()) {
        rewrite(path, text);
        return 0;
    }
    SONDE_BUF_AUTO kept = SONDE_BUF(SONDE_SPEC_FILE_MAX);
    int code = sonde_read_file(AT_FDCWD, path, &kept, err);
    if (code < 0) {
        return code;
    }
    if (!sonde_str_equal(sonde_buf_view(&kept), text)) {
        fail_msg("%s is not what the tables print: run this test with SONDE_REWRITE=1", path);
    }
    return 0;
}

static void check_folder(enum sonde_spec_output output, const char *path, size_t files)
{
    struct folder folder = {.path = path};
    struct sonde_err err = {0};
    if (sonde_spec_files(output, compare, &folder, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(folder.files, files);

    DIR *directory = opendir(path);
    assert_non_null(directory);
    size_t found = 0;
    for (const struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        found += entry->d_name[0] != '.' && strcmp(entry->d_name, "kustomization.yaml") != 0;
    }
    (void)closedir(directory);
    assert_int_equal(found, files); /* and nothing that is no longer printed */
}

static void definitions_are_as_committed(void **state)
{
    (void)state;
    check_folder(SONDE_SPEC_CRDS, "manifests/crds", 4);
}

static void pages_are_as_committed(void **state)
{
    (void)state;
    check_folder(SONDE_SPEC_REFERENCE, "docs/reference", 6);
}

/* The API server holds a schema's numbers as doubles: 2^63 - 1 became negative there, and no status
 * with an integer in it was accepted. */
static int check_numbers(void *context, const char *name, struct sonde_str text,
                         struct sonde_err *err)
{
    (void)err;
    size_t *count = context;
    struct sonde_str rest = text;
    while (rest.length > 0) {
        struct sonde_str line = sonde_str_trim(sonde_str_split(&rest, '\n'));
        struct sonde_str number = line;
        (void)sonde_str_split(&number, ':');
        number = sonde_str_trim(number);
        int64_t value;
        if (number.length == 0 || strspn(number.data, "-0123456789") == 0) {
            continue; /* a key of a map, or a text */
        }
        if (sonde_parse_i64(number, -(INT64_C(1) << 53), INT64_C(1) << 53, &value) < 0) {
            fail_msg("%s: %.*s", name, SONDE_STR_ARG(line));
        }
        (*count)++;
    }
    return 0;
}

static void numbers_of_a_schema_are_exact_as_doubles(void **state)
{
    (void)state;
    size_t count = 0;
    assert_int_equal(sonde_spec_files(SONDE_SPEC_CRDS, check_numbers, &count, NULL), 0);
    assert_true(count > 500);
}

/* Each place where a quantity may be a whole number. */
static int check_quantities(void *context, const char *name, struct sonde_str text,
                            struct sonde_err *err)
{
    (void)err;
    size_t *count = context;
    struct sonde_str rest = text;
    while (rest.length > 0) {
        struct sonde_str line = sonde_str_trim(sonde_str_split(&rest, '\n'));
        if (!sonde_str_is(line, "x-kubernetes-int-or-string: true")) {
            continue;
        }
        for (size_t i = 0; i < 3; i++) {
            (void)sonde_str_split(&rest, '\n'); /* anyOf: an integer, or a text */
        }
        line = sonde_str_trim(sonde_str_split(&rest, '\n'));
        if (!sonde_str_is(line, "minimum: 0")) {
            fail_msg("%s: a quantity may be below 0: %.*s", name, SONDE_STR_ARG(line));
        }
        (*count)++;
    }
    return 0;
}

static void quantities_are_not_negative(void **state)
{
    (void)state;
    size_t count = 0;
    assert_int_equal(sonde_spec_files(SONDE_SPEC_CRDS, check_quantities, &count, NULL), 0);
    assert_int_equal(count, 2 * 2 * 2); /* requests and limits, cpu and memory, in two kinds */
}

static int stop(void *context, const char *name, struct sonde_str text, struct sonde_err *err)
{
    (void)text;
    (*(size_t *)context)++;
    return sonde_fail(err, SONDE_EIO, 0, "no room for %s", name);
}

static void the_first_failure_ends_it(void **state)
{
    (void)state;
    size_t calls = 0;
    struct sonde_err err = {0};
    assert_int_equal(sonde_spec_files(SONDE_SPEC_CRDS, stop, &calls, &err), SONDE_EIO);
    assert_int_equal(calls, 1);
    assert_string_equal(err.message, "no room for sonde.dev_profileruns.yaml");
}

static void a_full_buffer_is_noticed(void **state)
{
    (void)state;
    struct sonde_err err;
    SONDE_BUF_AUTO small = SONDE_BUF(1000);
    sonde_spec_print_crds(&small);
    assert_int_equal(sonde_buf_check(&small, "the definitions", &err), SONDE_ELIMIT);
}

static void all_is_the_files_together(void **state)
{
    (void)state;
    SONDE_BUF_AUTO all = SONDE_BUF(4 * SONDE_SPEC_FILE_MAX);
    SONDE_BUF_AUTO pages = SONDE_BUF(4 * SONDE_SPEC_FILE_MAX);
    SONDE_BUF_AUTO one = SONDE_BUF(SONDE_SPEC_FILE_MAX);
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    sonde_spec_print_crds(&all);
    sonde_spec_print_reference(&pages);
    assert_int_equal(all.code, 0);
    assert_int_equal(pages.code, 0);
    for (size_t i = 0; i < count; i++) {
        sonde_buf_clear(&one);
        sonde_spec_print_crd(kinds[i], &one);
        assert_true(sonde_str_contains(sonde_buf_view(&all), sonde_buf_view(&one)));
        assert_true(sonde_str_contains(sonde_buf_view(&pages), sonde_str(kinds[i]->example)));
    }
    assert_true(sonde_str_contains(sonde_buf_view(&pages), SONDE_STR("`InspectorDidNotOpen`")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_are_as_committed),
        cmocka_unit_test(pages_are_as_committed),
        cmocka_unit_test(numbers_of_a_schema_are_exact_as_doubles),
        cmocka_unit_test(quantities_are_not_negative),
        cmocka_unit_test(the_first_failure_ends_it),
        cmocka_unit_test(a_full_buffer_is_noticed),
        cmocka_unit_test(all_is_the_files_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
