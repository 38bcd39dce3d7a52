/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "results/asked.h"

static const char load[] = "{\"metadata\":{\"name\":\"nightly-1\"},\"spec\":{\"target\":{\"url\":"
                           "\"http://a\"},\"scenario\":{"
                           "\"requests\":[{\"name\":\"one\",\"path\":\"/"
                           "\"}]},\"arrival\":{\"rate\":9},\"thresholds\":[\"x\"]"
                           ",\"paused\":false}}";

struct row {
    const char *before, *after, *differs;
};

static void check(const struct row *row)
{
    SONDE_JSON_AUTO *before = cJSON_Parse(row->before);
    SONDE_JSON_AUTO *after = cJSON_Parse(row->after);
    assert_true(before && after);
    const char *differs = sonde_results_asked_differs(before, after);
    if (!row->differs) {
        assert_null(differs);
    } else {
        assert_non_null(differs);
        assert_string_equal(differs, row->differs);
    }
}

static void what_is_asked_for_otherwise_is_named(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {load, load, NULL},
        {load,
         "{\"metadata\":{\"name\":\"nightly-2\"},\"spec\":{\"arrival\":{\"rate\":9},\"scenario\":{"
         "\"requests\":[{\"path\":\"/\",\"name\":\"one\"}]},\"target\":{\"url\":\"http://a\"},"
         "\"thresholds\":[\"y\"],\"paused\":true}}",
         NULL},
        {load,
         "{\"spec\":{\"target\":{\"url\":\"http://"
         "a\"},\"scenario\":{\"requests\":[{\"name\":\"one\","
         "\"path\":\"/x\"}]},\"arrival\":{\"rate\":9}}}",
         "spec.scenario"},
        {"{\"spec\":{\"http\":{\"version\":\"HTTP1\"}}}", "{\"spec\":{}}", "spec.http"},
        {"{\"spec\":{}}", "{\"spec\":{\"warmUpSeconds\":5}}", "spec.warmUpSeconds"},
        {"{\"spec\":{\"search\":{},\"thresholds\":[1]}}",
         "{\"spec\":{\"search\":{},\"thresholds\":[2]}}", "spec.thresholds"},
        {"{\"spec\":{\"search\":{\"maxRate\":1}}}", "{\"spec\":{\"search\":{\"maxRate\":2}}}",
         "spec.search"},
        /* Without a document nothing is known. */
        {"{\"load\":{\"url\":\"http://a\"}}", load, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        check(&rows[i]);
    }
}

#define CAPTURE(name, more) "{\"name\":\"" name "\",\"type\":\"CPUProfile\"," more "}"

static void captures_of_one_name_count(void **state)
{
    (void)state;
    static const char before[] =
        "{\"spec\":{\"captures\":[" CAPTURE("a", "\"durationSeconds\":5") "]}}";
    static const struct row rows[] = {
        {before, "{\"spec\":{\"captures\":[" CAPTURE("a", "\"durationSeconds\":50") "]}}", NULL},
        {before,
         "{\"spec\":{\"captures\":[" CAPTURE("a", "\"samplingIntervalMicroseconds\":1") "]}}",
         "spec.captures"},
        {before,
         "{\"spec\":{\"captures\":[" CAPTURE("b", "\"samplingIntervalMicroseconds\":1") "]}}",
         NULL},
        {"{\"spec\":{\"target\":{\"podName\":\"a\"}}}",
         "{\"spec\":{\"target\":{\"podName\":\"b\"}}}", "spec.target"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        check(&rows[i]);
    }
}

#define DOCUMENT(http)                                                                             \
    "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"LoadTest\",\"metadata\":{\"name\":\"a\"},"  \
    "\"spec\":{\"target\":{\"url\":\"http://a\"},\"scenario\":{\"requests\":[{\"name\":\"one\"}]}" \
    ",\"arrival\":{\"rate\":9,\"durationSeconds\":9}" http "}}"

/* As an older version wrote it, which did not know of a field. */
static void a_default_is_the_same_written_or_not(void **state)
{
    (void)state;
    static const char *const texts[] = {
        DOCUMENT(",\"http\":{\"timeoutMilliseconds\":500}"),
        DOCUMENT(",\"http\":{\"timeoutMilliseconds\":500,\"pipelining\":1},\"warmUpSeconds\":0"),
        DOCUMENT(",\"http\":{\"timeoutMilliseconds\":500,\"pipelining\":2}"),
    };
    SONDE_JSON_AUTO *older = NULL;
    SONDE_JSON_AUTO *newer = NULL;
    SONDE_JSON_AUTO *other = NULL;
    SONDE_JSON_AUTO *plain = NULL;
    assert_int_equal(sonde_results_asked_read(texts[0], &older, NULL), 0);
    assert_int_equal(sonde_results_asked_read(texts[1], &newer, NULL), 0);
    assert_int_equal(sonde_results_asked_read(texts[2], &other, NULL), 0);
    assert_null(sonde_results_asked_differs(older, newer));
    assert_string_equal(sonde_results_asked_differs(older, other), "spec.http");
    assert_int_equal(sonde_results_asked_read("{\"load\":{}}", &plain, NULL), 0);
    assert_non_null(cJSON_GetObjectItemCaseSensitive(plain, "load"));
    cJSON *none = NULL;
    assert_int_equal(sonde_results_asked_read("{", &none, NULL), SONDE_EPARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_for_otherwise_is_named),
        cmocka_unit_test(captures_of_one_name_count),
        cmocka_unit_test(a_default_is_the_same_written_or_not),
    };
    return cmocka_run_group_tests_name("asked", tests, NULL, NULL);
}
