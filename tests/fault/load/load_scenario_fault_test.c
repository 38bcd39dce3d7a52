/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fail.h"
#include "load/session.h"
#include "spec/spec.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}
enum { NOW = 1700000000 };

static const struct sonde_load_file files[] = {{"f", "f.csv", TEXT("a,b\n1,x\n2,y\n")}};

static const char document[] =
    "order: Sequence\n"
    "cookies: true\n"
    "data: {user: {configMapRef: {name: f, key: f.csv, column: a}}}\n"
    "requests:\n"
    "- {name: in, path: \"/{{user}}\", extract: [{name: t, pointer: /t}, {name: u, regex: u(.)}]}\n"
    "- {name: use, path: \"/{{t}}/{{u}}\", expect: {bodyMatches: t, headers: {A: b}}}\n";

/* What has no memory is as if the answer did not have it: no error. */
static int play(struct sonde_load_scenario *scenario)
{
    struct sonde_load_player player;
    struct sonde_load_session session;
    struct sonde_load_answer answer;
    int r = sonde_load_player_init(&player, scenario, 0, 1, 1, NULL);
    int s = sonde_load_session_init(&session, scenario, NULL);
    r = r < 0 ? r : s;
    sonde_load_answer_init(&answer);
    for (int i = 0; i < 4 && r == 0; i++) {
        SONDE_BUF_AUTO body = SONDE_BUF(1 << 16);
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
        size_t step = sonde_load_session_next(&session, &player, NOW);
        sonde_load_request_fill(&scenario->requests[step], session.values, "", &body, &text);
        sonde_load_answer_begin(&answer, &scenario->steps[step].look);
        sonde_load_session_field(&session, SONDE_STR("Set-Cookie"), SONDE_STR("a=b; Path=/"), NOW);
        sonde_load_answer_field(&answer, SONDE_STR("A"), SONDE_STR("b"));
        sonde_load_answer_body(&answer, SONDE_STR("{\"t\": \"u7\"}"));
        (void)sonde_load_session_take(&session, &player, step, &answer, 200);
        r = text.code;
    }
    sonde_load_answer_fini(&answer);
    sonde_load_session_fini(&session);
    sonde_load_player_fini(&player);
    return r;
}

static int make_and_play(void *context)
{
    struct sonde_spec_documents documents;
    struct sonde_load_scenario scenario;
    const struct sonde_scenario *spec = NULL;
    struct sonde_load_url url;
    (void)context;
    assert_int_equal(sonde_load_url_parse(SONDE_STR("http://h"), &url, NULL), 0);
    const struct sonde_load_surroundings around = {.url = &url, .files = files, .file_count = 1};
    int r = sonde_spec_parse_scenario("s", sonde_str(document), &documents, &spec, NULL);
    if (r == 0) {
        r = sonde_load_scenario_from_spec(spec, &around, &scenario, NULL);
        r = r < 0 ? r : play(&scenario);
        sonde_load_scenario_fini(&scenario);
    }
    sonde_spec_documents_fini(&documents);
    return r;
}

static int import(enum sonde_scenario_format format, struct sonde_str text)
{
    struct sonde_load_scenario scenario;
    struct sonde_load_url url;
    assert_int_equal(sonde_load_url_parse(SONDE_STR("http://h"), &url, NULL), 0);
    const struct sonde_load_surroundings around = {.url = &url};
    int r = sonde_load_scenario_from_file(format, "f", text, &around, &scenario, NULL);
    sonde_load_scenario_fini(&scenario);
    return r;
}

static int import_har(void *context)
{
    (void)context;
    return import(SONDE_SCENARIO_HAR,
                  SONDE_STR("{\"log\":{\"entries\":[{\"request\":{\"method\":\"POST\",\"url\":"
                            "\"http://h/a\",\"headers\":[{\"name\":\"a\",\"value\":\"b\"}],"
                            "\"postData\":{\"mimeType\":\"text/plain\",\"text\":\"x\"}}}]}}"));
}

static int import_openapi(void *context)
{
    (void)context;
    return import(
        SONDE_SCENARIO_OPENAPI,
        SONDE_STR("openapi: 3.1.0\npaths:\n  /a/{i}:\n    post:\n      parameters: [{name: "
                  "i, in: path, example: 7}]\n      requestBody: {content: "
                  "{application/json: {example: {a: [1]}}}}\n"));
}

static void playing_survives_each_failure(void **state)
{
    (void)state;
    fail_each_allocation(make_and_play, NULL);
}

static void har_survives_each_failure(void **state)
{
    (void)state;
    fail_each_allocation(import_har, NULL);
}

static void openapi_survives_each_failure(void **state)
{
    (void)state;
    fail_each_allocation(import_openapi, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(playing_survives_each_failure),
                                       cmocka_unit_test(har_survives_each_failure),
                                       cmocka_unit_test(openapi_survives_each_failure)};
    return cmocka_run_group_tests_name("load_scenario_fault", tests, NULL, NULL);
}
