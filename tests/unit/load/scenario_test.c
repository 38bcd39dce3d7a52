/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "load/session.h"
#include "seed.h"
#include "spec/spec.h"

enum { NOW = 1700000000 };

/* A scenario of a document, and one session of it. */
struct fixture {
    struct sonde_spec_documents documents;
    struct sonde_load_scenario scenario;
    struct sonde_load_player player;
    struct sonde_load_session session;
    struct sonde_load_answer answer;
    struct sonde_err err;
};

#define TEXT(literal) {literal, sizeof(literal) - 1}
static const struct sonde_load_file files[] = {
    {"users", "users.csv", TEXT("name,password\nada,a1\nbo,b2\ncy,c3\n")},
    {"users", "lines.csv", TEXT("name\n\"a\nb\"\n")},
    {"api", "api.yaml", TEXT("openapi: 3.1.0\npaths: {/a: {get: {}}, /b: {get: {}}}")},
};

/* The scenario's fields, in YAML's flow style. */
static int make(struct fixture *f, const char *url_text, const char *fields)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    struct sonde_load_url url;
    *f = (struct fixture){0};
    sonde_buf_printf(&text,
                     "apiVersion: sonde.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: a}\nspec:\n"
                     "  target: {url: \"http://h\"}\n  arrival: {durationSeconds: 10}\n"
                     "  scenario: {%s}\n",
                     fields);
    assert_int_equal(sonde_load_url_parse(sonde_str(url_text), &url, NULL), 0);
    if (sonde_spec_parse("t", sonde_buf_view(&text), &f->documents, &f->err) < 0) {
        fail_msg("%s", f->err.message);
    }
    static const struct sonde_pair headers[] = {{"X-Flag", "f"}, {"Accept", "flag"}};
    const struct sonde_load_surroundings around = {
        .url = &url,
        .headers = headers,
        .header_count = strstr(fields, "Accept") ? 2 : 0,
        .files = files,
        .file_count = SONDE_LENGTH(files),
    };
    return sonde_load_scenario_from_spec(f->documents.items[0].load_test->scenario, &around,
                                         &f->scenario, &f->err);
}

static void begin(struct fixture *f, const char *url, const char *fields, uint64_t seed)
{
    if (make(f, url, fields) < 0) {
        fail_msg("%s", f->err.message);
    }
    assert_int_equal(sonde_load_player_init(&f->player, &f->scenario, 0, 1, seed, NULL), 0);
    assert_int_equal(sonde_load_session_init(&f->session, &f->scenario, NULL), 0);
    sonde_load_answer_init(&f->answer);
}

static void end(struct fixture *f)
{
    sonde_load_answer_fini(&f->answer);
    sonde_load_session_fini(&f->session);
    sonde_load_player_fini(&f->player);
    sonde_load_scenario_fini(&f->scenario);
    sonde_spec_documents_fini(&f->documents);
}

static void assert_refused(const char *fields, const char *message)
{
    struct fixture f;
    assert_true(make(&f, "http://h", fields) < 0);
    assert_string_equal(f.err.message, message);
    end(&f);
}

/* The next request, without what every one has: "GET /path|Field: value|body". */
static size_t assert_next(struct fixture *f, const char *expected)
{
    SONDE_BUF_AUTO body = SONDE_BUF(1 << 16);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    SONDE_BUF_AUTO said = SONDE_BUF(1 << 16);
    size_t step = sonde_load_session_next(&f->session, &f->player, NOW);
    const struct sonde_load_request *request = &f->scenario.requests[step];
    if (request->bytes.data) {
        sonde_buf_str(&text, request->bytes);
    } else {
        sonde_load_request_fill(request, f->session.values, "", &body, &text);
    }
    struct sonde_str rest = sonde_buf_view(&text);
    for (bool first = true; rest.length; first = false) {
        struct sonde_str line = sonde_str_trim(sonde_str_split(&rest, '\n'));
        if (first) {
            sonde_buf_append(&said, line.data, line.length - strlen(" HTTP/1.1"));
        } else if (line.length && !sonde_str_starts(line, "Host:") &&
                   !sonde_str_starts(line, "Connection:") &&
                   !sonde_str_starts(line, "Content-Length:")) {
            sonde_buf_char(&said, '|');
            sonde_buf_str(&said, line);
        }
    }
    assert_string_equal(said.data, expected);
    return step;
}

/* The step is answered; fields as "Name", "value" pairs. */
static unsigned take(struct fixture *f, size_t step, int status, const char *const *fields,
                     const char *body)
{
    const struct sonde_load_look *look = &f->scenario.steps[step].look;
    sonde_load_answer_begin(&f->answer, look);
    for (; *fields; fields += 2) {
        sonde_load_session_field(&f->session, sonde_str(fields[0]), sonde_str(fields[1]), NOW);
        sonde_load_answer_field(&f->answer, sonde_str(fields[0]), sonde_str(fields[1]));
    }
    sonde_load_answer_body(&f->answer, sonde_str(body));
    bool looks = look->fields || look->body;
    return sonde_load_session_take(&f->session, &f->player, step, looks ? &f->answer : NULL,
                                   status);
}

static const char *const none[] = {NULL};

static void weights_are_kept(void **state)
{
    (void)state;
    enum { TIMES = 100000 };
    struct fixture f;
    begin(&f, "http://h",
          "requests: [{name: a, path: /a, weight: 7}, {name: b, path: /b, weight: 2}, {name: c, "
          "path: /c}]",
          test_seed());
    assert_false(f.scenario.sessions || f.scenario.looks || f.scenario.thinks);
    unsigned counts[3] = {0};
    for (int i = 0; i < TIMES; i++) {
        counts[sonde_load_session_next(&f.session, &f.player, NOW)]++;
    }
    static const double expected[] = {70000, 20000, 10000};
    double chi = 0;
    for (size_t i = 0; i < 3; i++) {
        chi += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i];
    }
    assert_true(chi < 25); /* two degrees of freedom: beyond it once in 100,000 times */
    end(&f);
}

/* Every weight is there exactly: columns and cuts are whole numbers. */
static void alias_tables_are_exact(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int round = 0; round < 50; round++) {
        SONDE_BUF_AUTO fields = SONDE_BUF(1 << 16);
        size_t count = 1 + sonde_random_next(&seed) % 30;
        uint64_t weights[30];
        uint64_t all = 0;
        sonde_buf_text(&fields, "requests: [");
        for (size_t i = 0; i < count; i++) {
            weights[i] = 1 + sonde_random_next(&seed) % (round % 2 ? 10000 : 5);
            all += weights[i];
            sonde_buf_printf(&fields, "%s{name: r%zu, weight: %llu}", i ? ", " : "", i,
                             (unsigned long long)weights[i]);
        }
        sonde_buf_char(&fields, ']');
        struct fixture f;
        begin(&f, "http://h", fields.data, 1);
        uint64_t shares[30] = {0};
        for (size_t i = 0; i < count; i++) {
            shares[i] += f.scenario.cut[i];
            shares[f.scenario.alias[i]] += all - f.scenario.cut[i];
        }
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(shares[i], weights[i] * count);
        }
        end(&f);
    }
}

static void values_are_used_in_turn(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "http://h/base/",
          "data: {id: {range: [-1, 1], order: Sequential}, name: {configMapRef: {name: users, key: "
          "users.csv}, order: Sequential}, secret: {configMapRef: {name: users, key: users.csv, "
          "column: password}, order: Sequential}}, headers: {Accept: '*/*', X-Id: '{{id}}'}, "
          "requests: [{name: a, path: '/{{id}}/{{name}}', headers: {accept: own}, method: POST, "
          "body: '{\"p\":\"{{secret}}\"}'}]",
          1);
    assert_false(f.scenario.sessions);
    assert_next(&f, "POST /base/-1/ada|accept: own|X-Id: -1|X-Flag: f|{\"p\":\"a1\"}");
    assert_next(&f, "POST /base/0/bo|accept: own|X-Id: 0|X-Flag: f|{\"p\":\"b2\"}");
    assert_next(&f, "POST /base/1/cy|accept: own|X-Id: 1|X-Flag: f|{\"p\":\"c3\"}");
    assert_next(&f, "POST /base/-1/ada|accept: own|X-Id: -1|X-Flag: f|{\"p\":\"a1\"}");
    end(&f);
}

static void requests_have_variables_of_their_own(void **state)
{
    (void)state;
    struct fixture f;
    begin(
        &f, "http://h",
        "order: Sequence, data: {v: {values: [all]}, w: {values: ['1', '2'], order: Sequential}}, "
        "requests: [{name: a, path: '/a/{{v}}/{{w}}', data: {v: {values: ['x/y', z], order: "
        "Sequential}}}, {name: b, path: '/b/{{v}}/{{w}}'}]",
        1);
    assert_true(f.scenario.sessions);
    /* Those of the scenario stay for a pass. */
    assert_int_equal(take(&f, assert_next(&f, "GET /a/x%2Fy/1"), 200, none, ""), 0);
    assert_int_equal(take(&f, assert_next(&f, "GET /b/all/1"), 200, none, ""), 0);
    assert_int_equal(take(&f, assert_next(&f, "GET /a/z/2"), 200, none, ""), 0);
    assert_int_equal(take(&f, assert_next(&f, "GET /b/all/2"), 200, none, ""), 0);
    assert_next(&f, "GET /a/x%2Fy/1");
    end(&f);
}

#define LOGIN                                                                                      \
    "order: Sequence, cookies: true, requests: [{name: login, method: POST, path: /login, "        \
    "extract: [{name: token, pointer: /token}, {name: etag, header: ETag}]}, "                     \
    "{name: use, path: '/use/{{token}}', headers: {X-E: '{{etag}}'}, expect: {status: 201}, "      \
    "thinkMilliseconds: 5}]"

static void sequences_carry_on(void **state)
{
    (void)state;
    static const char *const fields[] = {"Set-Cookie", "sid=1; Path=/", "etag", "e1", NULL};
    struct fixture f;
    begin(&f, "http://h", LOGIN, 1);
    assert_true(f.scenario.sessions && f.scenario.looks && f.scenario.thinks);
    size_t step = assert_next(&f, "POST /login");
    assert_int_equal(take(&f, step, 200, fields, "{\"token\":\"t/1\"}"), 0);
    step = assert_next(&f, "GET /use/t%2F1|X-E: e1|Cookie: sid=1");
    assert_int_equal(take(&f, step, 200, none, ""), SONDE_LOAD_WRONG | SONDE_LOAD_MISMATCH);
    /* A wrong answer alone ends no pass, and each pass is a new person. */
    step = assert_next(&f, "POST /login");
    assert_int_equal(take(&f, step, 500, fields, "{\"token\":\"t2\"}"),
                     SONDE_LOAD_WRONG | SONDE_LOAD_MISMATCH);
    step = assert_next(&f, "GET /use/t2|X-E: e1|Cookie: sid=1");
    assert_int_equal(take(&f, step, 201, none, ""), 0);
    end(&f);
}

static void sequences_begin_anew(void **state)
{
    (void)state;
    static const char *const fields[] = {"etag", "e1", NULL};
    static const char *const cookie[] = {"etag", "e1\nX: y", "Set-Cookie", "sid=1", NULL};
    const unsigned lost = SONDE_LOAD_WRONG | SONDE_LOAD_MISMATCH | SONDE_LOAD_AGAIN;
    struct fixture f;
    begin(&f, "http://h", LOGIN, 1);
    assert_int_equal(take(&f, assert_next(&f, "POST /login"), 200, fields, "{}"), lost);
    /* A value that would break the line of a header is none. */
    assert_int_equal(take(&f, assert_next(&f, "POST /login"), 200, cookie, "{\"token\":\"a\"}"),
                     lost);
    assert_int_equal(take(&f, assert_next(&f, "POST /login"), 200, fields, "{\"token\":\"a\"}"), 0);
    assert_next(&f, "GET /use/a|X-E: e1");
    assert_int_equal(sonde_load_session_fail(&f.session), SONDE_LOAD_AGAIN);
    assert_next(&f, "POST /login");
    assert_int_equal(sonde_load_session_fail(&f.session), 0);
    end(&f);
}

static void what_is_not_set_is_not_sent(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "http://h",
          "requests: [{name: use, path: '/{{id}}', weight: 10000}, {name: list, extract: [{name: "
          "id, regex: 'id=(.)'}]}]",
          test_seed());
    for (int i = 0; i < 100; i++) {
        assert_int_equal(sonde_load_session_next(&f.session, &f.player, NOW), 1);
    }
    assert_int_equal(take(&f, 1, 200, none, "id=7"), 0);
    assert_int_equal(f.session.values[0].length, 1);
    bool used = false;
    for (int i = 0; i < 100; i++) {
        used = used || sonde_load_session_next(&f.session, &f.player, NOW) == 0;
    }
    assert_true(used);
    end(&f);
}

/* Whatever their order: the last gives what the second needs, and that what the first does. */
static void what_is_needed_may_stand_behind(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "http://h",
          "requests: [{name: a, path: '/{{y}}'}, {name: b, path: '/{{x}}', extract: [{name: y, "
          "header: c}]}, {name: c, extract: [{name: x, header: c}]}]",
          1);
    end(&f);
}

static void files_become_scenarios(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "http://h",
          "order: Sequence, configMapRef: {name: api, key: api.yaml, format: OpenAPI}", 1);
    assert_int_equal(take(&f, assert_next(&f, "GET /a"), 200, none, ""), 0);
    assert_int_equal(take(&f, assert_next(&f, "GET /b"), 404, none, ""), SONDE_LOAD_WRONG);
    assert_next(&f, "GET /a");
    end(&f);
    struct sonde_load_url url;
    assert_int_equal(sonde_load_url_parse(SONDE_STR("http://h"), &url, NULL), 0);
    const struct sonde_load_surroundings around = {.url = &url};
    f = (struct fixture){0};
    assert_int_equal(sonde_load_scenario_from_file(SONDE_SCENARIO_OPENAPI, "api", files[2].text,
                                                   &around, &f.scenario, &f.err),
                     0);
    assert_int_equal(f.scenario.order, SONDE_LOAD_IN_TURN);
    assert_int_equal(sonde_load_player_init(&f.player, &f.scenario, 0, 1, 1, NULL), 0);
    assert_int_equal(sonde_load_session_init(&f.session, &f.scenario, NULL), 0);
    assert_next(&f, "GET /a");
    assert_next(&f, "GET /b");
    assert_next(&f, "GET /a");
    end(&f);
}

static void one_request_is_a_scenario(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct sonde_load_url url;
    assert_int_equal(sonde_load_url_parse(SONDE_STR("http://h"), &url, NULL), 0);
    const struct sonde_load_surroundings around = {.url = &url, .ids = true};
    const struct sonde_load_ask ask = {.method = "GET", .path = SONDE_STR("/{{a}}?[<id>]")};
    const struct sonde_load_look look = {.equals = SONDE_STR("yes")};
    assert_int_equal(sonde_load_scenario_from_ask(&ask, &look, &around, &f.scenario, &f.err), 0);
    assert_int_equal(sonde_load_player_init(&f.player, &f.scenario, 0, 1, 1, NULL), 0);
    assert_int_equal(sonde_load_session_init(&f.session, &f.scenario, NULL), 0);
    sonde_load_answer_init(&f.answer);
    size_t step = assert_next(&f, "GET /{{a}}?");
    assert_int_equal(take(&f, step, 200, none, "yes"), 0);
    assert_int_equal(take(&f, step, 200, none, "no"), SONDE_LOAD_WRONG | SONDE_LOAD_MISMATCH);
    end(&f);
}

static void what_cannot_be_played_is_refused(void **state)
{
    (void)state;
    assert_refused("requests: [{name: a, extract: [{name: t, regex: '('}]}]",
                   "the request a: \"(\" is no regular expression: missing closing parenthesis, at "
                   "character 2");
    assert_refused("requests: [{name: a, expect: {bodyMatches: 'a*+'}}, {name: b, expect: "
                   "{bodyMatches: '['}}]",
                   "the request b: \"[\" is no regular expression: missing terminating ] for "
                   "character class, at character 2");
    assert_refused(
        "order: Sequence, requests: [{name: a, path: '/{{t}}'}, {name: b, extract: [{name: "
        "t, cookie: c}]}]",
        "the request a needs {{t}}, which no request before it extracts: put the one "
        "that does first");
    assert_refused(
        "requests: [{name: a, path: '/{{t}}', extract: [{name: t, header: c}]}]",
        "each request needs a variable that another one extracts: none can be the first");
    assert_refused("requests: [{name: a}, {name: b, path: '/{{x}}', extract: [{name: y, header: "
                   "c}]}, {name: c, path: '/{{y}}', extract: [{name: x, header: c}]}]",
                   "the request b would never be sent: it needs {{x}}, which no request extracts "
                   "that can be sent before it");
    assert_refused(
        "data: {t: {values: [a]}}, requests: [{name: a, extract: [{name: t, header: c}]}]",
        "extract sets t, which data of the scenario sets already: take another name");
    assert_refused(
        "data: {t: {configMapRef: {name: users, key: other.csv}}}, requests: [{name: a}]",
        "the variable t: there is no file other.csv of users");
    assert_refused(
        "data: {t: {configMapRef: {name: users, key: users.csv}}}, requests: [{name: a}]",
        "users.csv:1: there is no column \"t\" in it");
    assert_refused("configMapRef: {name: users, key: har.json, format: HAR}",
                   "the scenario: there is no file har.json of users");
    assert_refused(
        "data: {n: {configMapRef: {name: users, key: lines.csv, column: name}}}, requests: "
        "[{name: a, headers: {X: '{{n}}'}}]",
        "the variable n stands in a header, and its value 1 has several lines");
    assert_refused(
        "data: {n: {values: [\"a\\r\\nX: y\"]}}, headers: {X: '{{n}}'}, requests: [{name: "
        "a}]",
        "the variable n stands in a header, and its value 1 has several lines");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_kept),
        cmocka_unit_test(alias_tables_are_exact),
        cmocka_unit_test(values_are_used_in_turn),
        cmocka_unit_test(requests_have_variables_of_their_own),
        cmocka_unit_test(sequences_carry_on),
        cmocka_unit_test(sequences_begin_anew),
        cmocka_unit_test(what_is_not_set_is_not_sent),
        cmocka_unit_test(what_is_needed_may_stand_behind),
        cmocka_unit_test(files_become_scenarios),
        cmocka_unit_test(one_request_is_a_scenario),
        cmocka_unit_test(what_cannot_be_played_is_refused),
    };
    return cmocka_run_group_tests_name("scenario", tests, NULL, NULL);
}
