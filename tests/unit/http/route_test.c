/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/route.h"

static const struct sonde_route routes[] = {
    {.method = "GET", .path = "/"},
    {.method = "GET", .path = "/runs"},
    {.method = "POST", .path = "/runs"},
    {.method = "GET", .path = "/runs/{uid}"},
    {.method = "PUT", .path = "/runs/{uid}/artifacts/{name}"},
    {0},
};

static void a_path_finds_its_row(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        int code;
        size_t row;
        const char *values[2];
    } cases[] = {
        {"GET", "/", 0, 0, {0}},
        {"HEAD", "/runs", 0, 1, {0}},
        {"POST", "/runs", 0, 2, {0}},
        {"GET", "/runs/a%2Fb", 0, 3, {"a/b"}},
        {"PUT", "/runs/u/artifacts/pod.7.cpu.0", 0, 4, {"u", "pod.7.cpu.0"}},
        {"GET", "/runs/", SONDE_ENOTFOUND, 0, {0}},
        {"GET", "/runs/a/", SONDE_ENOTFOUND, 0, {0}},
        {"GET", "//runs", SONDE_ENOTFOUND, 0, {0}},
        {"GET", "", SONDE_ENOTFOUND, 0, {0}},
        {"DELETE", "/runs", SONDE_EDENIED, 0, {0}},
        {"GET", "/runs/%", SONDE_EINVALID, 0, {0}},
        {"GET", "/runs/%0", SONDE_EINVALID, 0, {0}},
        {"GET", "/runs/%zz", SONDE_EINVALID, 0, {0}},
        {"GET", "/runs/a%00b", SONDE_EINVALID, 0, {0}},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_route_match match = {0};
        assert_int_equal(sonde_route_find(routes, cases[i].method, cases[i].path, &match),
                         cases[i].code);
        if (cases[i].code == 0) {
            assert_ptr_equal(match.route, &routes[cases[i].row]);
            for (size_t value = 0; value < match.count; value++) {
                assert_string_equal(match.values[value], cases[i].values[value]);
            }
        }
    }
}

static void a_long_segment_is_refused(void **state)
{
    (void)state;
    char path[SONDE_ROUTE_SEGMENT_MAX + 16] = "/runs/";
    struct sonde_route_match match;
    memset(path + 6, 'a', SONDE_ROUTE_SEGMENT_MAX);
    assert_int_equal(sonde_route_find(routes, "GET", path, &match), 0);
    path[6 + SONDE_ROUTE_SEGMENT_MAX] = 'a';
    assert_int_equal(sonde_route_find(routes, "GET", path, &match), SONDE_EINVALID);
}

static void a_route_is_checked(void **state)
{
    (void)state;
    assert_true(sonde_route_valid("/a/{b}/{c}/{d}"));
    assert_false(sonde_route_valid("a"));
    assert_false(sonde_route_valid("/{a}/{b}/{c}/{d}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_finds_its_row),
        cmocka_unit_test(a_long_segment_is_refused),
        cmocka_unit_test(a_route_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
