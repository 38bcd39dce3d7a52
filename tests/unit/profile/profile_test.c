/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "profile/profile.h"
#include "profile_helpers.h"

static void equal_frames_and_nodes_are_one(void **state)
{
    (void)state;
    struct sonde_profile profile;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    uint32_t a;
    uint32_t b;
    uint32_t c;
    assert_int_equal(
        sonde_profile_frame(&profile, SONDE_STR("f"), SONDE_STR("/a.js"), 1, 2, &a, NULL), 0);
    char name[] = "f";
    assert_int_equal(
        sonde_profile_frame(&profile, sonde_str(name), SONDE_STR("/a.js"), 1, 2, &b, NULL), 0);
    assert_int_equal(a, b);
    assert_int_equal(
        sonde_profile_frame(&profile, SONDE_STR("f"), SONDE_STR("/a.js"), 1, 3, &c, NULL), 0);
    assert_int_not_equal(a, c);
    name[0] = 'g'; /* the model keeps its own copy */
    assert_true(sonde_str_is(profile.frames[b].function, "f"));

    uint32_t outer;
    uint32_t inner;
    uint32_t same;
    assert_int_equal(sonde_profile_node(&profile, 0, a, &outer, NULL), 0);
    assert_int_equal(sonde_profile_node(&profile, outer, a, &inner, NULL), 0);
    assert_int_equal(sonde_profile_node(&profile, 0, a, &same, NULL), 0);
    assert_int_equal(outer, same);
    assert_int_not_equal(outer, inner);
    assert_int_equal(sonde_profile_add_sample(&profile, inner, 7, NULL), 0);
    assert_int_equal(sonde_profile_add_sample(&profile, inner, 5, NULL), 0);
    assert_int_equal(profile.nodes[inner].self, 12000);
    assert_int_equal(profile.nodes[inner].samples, 2);
    assert_int_equal(sonde_profile_add_ticks(&profile, a, 12, 3, NULL), 0);
    assert_int_equal(sonde_profile_add_ticks(&profile, a, 12, 4, NULL), 0);
    assert_int_equal(sonde_profile_add_ticks(&profile, c, 12, 1, NULL), 0);
    assert_int_equal(profile.line_count, 2);
    assert_int_equal(profile.lines[0].ticks, 7);
    assert_consistent(&profile);
    sonde_profile_fini(&profile);
}

/* Too many names are a limit, which a person can do something about, and not a lack of memory. */
static void too_many_names_are_a_limit(void **state)
{
    (void)state;
    struct sonde_profile profile;
    struct sonde_str text;
    struct sonde_err err = {0};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    profile.text.maximum = profile.text.used + 8;
    assert_int_equal(sonde_profile_text(&profile, SONDE_STR("12345678"), &text, &err),
                     SONDE_ELIMIT);
    assert_non_null(strstr(err.message, "bytes of names"));
    assert_int_equal(sonde_profile_text(&profile, SONDE_STR("1234567"), &text, &err), 0);
    assert_true(sonde_str_is(text, "1234567"));
    sonde_profile_fini(&profile);
}

/* What is counted comes before the order of the samples, and both end at the budget. */
static void samples_give_way_and_the_rest_is_a_limit(void **state)
{
    (void)state;
    enum { SAMPLES = 1000 };
    struct sonde_profile profile;
    struct sonde_err err = {0};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    profile.budget.maximum = 64 << 10;
    for (int i = 0; i < SAMPLES; i++) {
        assert_int_equal(sonde_profile_add_sample(&profile, 0, 1000, &err), 0);
    }
    assert_int_equal(profile.sample_count, SAMPLES);
    assert_false(profile.unordered);
    int r = 0;
    uint32_t node = 0;
    size_t nodes = 0;
    for (int32_t i = 0; r == 0; i++) {
        uint32_t frame = 0;
        r = sonde_profile_frame(&profile, SONDE_STR("f"), SONDE_STR("/a.js"), i, 0, &frame, &err);
        r = r < 0 ? r : sonde_profile_node(&profile, node, frame, &node, &err);
        nodes += r == 0;
        assert_true(profile.budget.used <= profile.budget.maximum);
    }
    assert_int_equal(r, SONDE_ELIMIT);
    assert_non_null(strstr(err.message, "64 KiB of memory"));
    assert_true(nodes > 100);
    assert_int_equal(profile.sample_count, 0);
    assert_true(profile.unordered);
    assert_int_equal(sonde_profile_add_sample(&profile, node, 1000, &err), 0);
    assert_int_equal(profile.sample_count, 0);
    assert_int_equal(profile.total_samples, SAMPLES + 1);
    assert_int_equal(profile.total, INT64_C(1000000) * (SAMPLES + 1));
    /* What a report still shows is less. */
    size_t before = profile.budget.used;
    sonde_profile_settle(&profile);
    assert_true(profile.budget.used < before / 4 * 3);
    assert_true(sonde_str_is(profile.frames[1].function, "f"));
    sonde_profile_fini(&profile);
}

static void a_person_sees_the_source_first(void **state)
{
    (void)state;
    struct sonde_frame frame = {.generated = {SONDE_STR("/dist/a.js"), 1, 900}};
    assert_true(sonde_str_is(sonde_frame_name(&frame), "(anonymous)"));
    frame.function = SONDE_STR("e");
    assert_true(sonde_str_is(sonde_frame_name(&frame), "e"));
    assert_true(sonde_str_is(sonde_frame_position(&frame)->file, "/dist/a.js"));
    frame.source = (struct sonde_position){SONDE_STR("/src/a.ts"), 12, 3};
    frame.source_function = SONDE_STR("loadVisits");
    assert_true(sonde_str_is(sonde_frame_name(&frame), "loadVisits"));
    assert_int_equal(sonde_frame_position(&frame)->line, 12);
}

static void frames_belong_to_somebody(void **state)
{
    (void)state;
    static const struct {
        const char *function, *url;
        enum sonde_category category;
        const char *package;
    } rows[] = {
        {"(root)", "", SONDE_CATEGORY_ROOT, ""},
        {"(idle)", "", SONDE_CATEGORY_IDLE, ""},
        {"(program)", "", SONDE_CATEGORY_V8, ""},
        {"(garbage collector)", "", SONDE_CATEGORY_V8, ""},
        {"RegExp: (a+)+b", "", SONDE_CATEGORY_NATIVE, ""},
        {"parse", "", SONDE_CATEGORY_NATIVE, ""},
        {"", "", SONDE_CATEGORY_NATIVE, ""},
        {"(idle)", "file:///app/a.js", SONDE_CATEGORY_APP, ""},
        {"f", "file:///app/a.js", SONDE_CATEGORY_APP, ""},
        {"f", "/app/a.js", SONDE_CATEGORY_APP, ""},
        {"f", "evalmachine.<anonymous>", SONDE_CATEGORY_APP, ""},
        {"f", "file:///home/node_modules_backup/a.js", SONDE_CATEGORY_APP, ""},
        {"f", "node:internal/timers", SONDE_CATEGORY_NODE, ""},
        {"f", "node:fs", SONDE_CATEGORY_NODE, ""},
        {"beat", "sonde:deadman", SONDE_CATEGORY_SONDE, ""},
        {"wasm-function[12]", "wasm://wasm/2bd4ab9a", SONDE_CATEGORY_WASM, ""},
        {"f", "file:///app/node_modules/express/lib/router/index.js", SONDE_CATEGORY_DEPENDENCY,
         "express"},
        {"f", "/app/node_modules/@nestjs/core/router.js", SONDE_CATEGORY_DEPENDENCY,
         "@nestjs/core"},
        {"f", "/app/node_modules/a/node_modules/b/i.js", SONDE_CATEGORY_DEPENDENCY, "b"},
        {"f", "/app/node_modules/.pnpm/x@1.2.3_y@4/node_modules/x/i.js", SONDE_CATEGORY_DEPENDENCY,
         "x"},
        {"f", "/app/node_modules/.pnpm/@s+x@1.2.3/node_modules/@s/x/i.js",
         SONDE_CATEGORY_DEPENDENCY, "@s/x"},
        {"f", "/app/.yarn/cache/x-npm-1.2.3-9a812371c9-10c0.zip/node_modules/x/i.js",
         SONDE_CATEGORY_DEPENDENCY, "x"},
        {"f", "/app/.yarn/__virtual__/s-virtual-12/0/cache/s-npm-6.0.0-1.zip/node_modules/s/i.js",
         SONDE_CATEGORY_DEPENDENCY, "s"},
        {"f", "node_modules/express/lib/router.js", SONDE_CATEGORY_DEPENDENCY, "express"},
        {"f", "webpack://app/./node_modules/@s/x/i.js", SONDE_CATEGORY_DEPENDENCY, "@s/x"},
        {"f", "webpack:///./src/i.js", SONDE_CATEGORY_APP, ""},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sonde_str package;
        enum sonde_category category =
            sonde_category_of(sonde_str(rows[i].function), sonde_str(rows[i].url), &package);
        if (category != rows[i].category || !sonde_str_is(package, rows[i].package)) {
            fail_msg("'%s' '%s' is of %s, package '%.*s'", rows[i].function, rows[i].url,
                     sonde_category_name(category), SONDE_STR_ARG(package));
        }
    }
}

static void packages_have_a_directory(void **state)
{
    (void)state;
    static const struct {
        const char *url, *directory;
    } rows[] = {
        {"file:///app/node_modules/express/lib/a.js", "file:///app/node_modules/express"},
        {"/app/node_modules/a/node_modules/@s/b/i.js", "/app/node_modules/a/node_modules/@s/b"},
        {"/app/src/a.js", ""},
        {"/app/node_modules/", ""},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sonde_frame frame = {.generated = {sonde_str(rows[i].url), 1, 1}};
        assert_true(sonde_str_is(sonde_package_directory(&frame), rows[i].directory));
    }
}

static void urls_become_paths(void **state)
{
    (void)state;
    static const struct {
        const char *url, *path; /* path NULL: refused */
    } rows[] = {
        {"file:///app/a.js", "/app/a.js"},
        {"file:///app/with%20space/%C3%A9.js", "/app/with space/\xc3\xa9.js"},
        {"file:///app/100%", "/app/100%"},
        {"file:///app/%zz", "/app/%zz"},
        {"file:///app/nul%00byte", "/app/nul%00byte"},
        {"/app/a.js", "/app/a.js"},
        {"https://host/a.js", NULL},
        {"a.js", NULL},
        {"file://host/a.js", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        SONDE_BUF_AUTO path = SONDE_BUF(100);
        int r = sonde_url_path(sonde_str(rows[i].url), &path, NULL);
        assert_int_equal(r, rows[i].path ? 0 : SONDE_EINVALID);
        if (rows[i].path) {
            assert_string_equal(path.data, rows[i].path);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_frames_and_nodes_are_one),
        cmocka_unit_test(too_many_names_are_a_limit),
        cmocka_unit_test(samples_give_way_and_the_rest_is_a_limit),
        cmocka_unit_test(a_person_sees_the_source_first),
        cmocka_unit_test(frames_belong_to_somebody),
        cmocka_unit_test(packages_have_a_directory),
        cmocka_unit_test(urls_become_paths),
    };
    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
