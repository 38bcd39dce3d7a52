/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kube/path.h"
#include "kube/status.h"
#include "kube/time.h"

static const struct sonde_kube_resource pods = {"", "v1", "pods", "Pod"};
static const struct sonde_kube_resource services = {NULL, "v1", "services", "Service"};
static const struct sonde_kube_resource runs = {"sonde.dev", "v1alpha1", "profileruns",
                                                "ProfileRun"};

static void builds_paths(void **state)
{
    (void)state;
    static const struct {
        struct sonde_kube_target target;
        const char *path;
    } cases[] = {
        {{.resource = &pods}, "/api/v1/pods"},
        {{.resource = &pods, .namespace = "shop"}, "/api/v1/namespaces/shop/pods"},
        {{&pods, "shop", "web-0", "ephemeralcontainers", NULL},
         "/api/v1/namespaces/shop/pods/web-0/ephemeralcontainers"},
        {{&runs, "a", "x.y-z", "status", NULL},
         "/apis/sonde.dev/v1alpha1/namespaces/a/profileruns/x.y-z/status"},
        {{&runs, "", "", "", ""}, "/apis/sonde.dev/v1alpha1/profileruns"},
        {{&services, "s", "https:store:8443", "proxy", "api/v1/runs/ä b"},
         "/api/v1/namespaces/s/services/https:store:8443/proxy/api/v1/runs/%C3%A4%20b"},
        {{&services, "s", "store:http", "proxy", "a//b/"},
         "/api/v1/namespaces/s/services/store:http/proxy/a//b/"},
        {{&services, "s", "https:store:", "proxy", NULL},
         "/api/v1/namespaces/s/services/https:store:/proxy"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
        assert_int_equal(sonde_kube_path(&cases[i].target, &path, NULL), 0);
        assert_string_equal(path.data, cases[i].path);
    }
}

static void refuses_names_that_lead_elsewhere(void **state)
{
    (void)state;
    static const struct sonde_kube_resource bad[] = {
        {"a/b", "v1", "pods", ""}, {"", "v1/x", "pods", ""},    {"", "", "pods", ""},
        {"", "v1", "po ds", ""},   {"Upper", "v1", "pods", ""}, {"", "v1", NULL, ""},
    };
    static const struct sonde_kube_target targets[] = {
        {.resource = &pods, .namespace = "../x"},
        {.resource = &pods, .namespace = "a.b"},
        {.resource = &pods, .namespace = "-a"},
        {&pods, "a", "..", NULL, NULL},
        {&pods, "a", "x/../../secrets/y", NULL, NULL},
        {&pods, "a", "x%2f", NULL, NULL},
        {&pods, "a", "x?watch=1", NULL, NULL},
        {&pods, "a", "x:1", NULL, NULL},
        {&pods, "a", "x..y", NULL, NULL},
        {&pods, "a", "x.-y", NULL, NULL},
        {&pods, "a", "x-.y", NULL, NULL},
        {&pods, "a", NULL, "status", NULL},
        {&pods, "a", "x", "sta/tus", NULL},
        {&pods, "a", "x", "log", "tail"},
        {&services, "a", "ftp:x:1", "proxy", NULL},
        {&services, "a", "http:x:1:2", "proxy", NULL},
        {&services, "a", "http:x:1", "proxy", "a/../b"},
        {&services, "a", "http:x:1", "proxy", "./b"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(bad); i++) {
        SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
        struct sonde_kube_target target = {.resource = &bad[i]};
        assert_int_equal(sonde_kube_path(&target, &path, NULL), SONDE_EINVALID);
    }
    for (size_t i = 0; i < SONDE_LENGTH(targets); i++) {
        SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
        struct sonde_err err = {0};
        assert_int_equal(sonde_kube_path(&targets[i], &path, &err), SONDE_EINVALID);
        assert_true(err.message[0]);
    }
}

static void names_have_a_length(void **state)
{
    (void)state;
    char text[SONDE_KUBE_NAME_MAX + 2];
    memset(text, 'a', sizeof(text));
    assert_true(sonde_kube_is_label((struct sonde_str){text, 63}));
    assert_false(sonde_kube_is_label((struct sonde_str){text, 64}));
    assert_true(sonde_kube_is_name((struct sonde_str){text, 253}));
    assert_false(sonde_kube_is_name((struct sonde_str){text, 254}));
    assert_false(sonde_kube_is_name(SONDE_STR("")));
    assert_false(sonde_kube_is_label(SONDE_STR("a\0b")));
    assert_true(sonde_kube_is_name(SONDE_STR("a--b")));
    SONDE_BUF_AUTO small = SONDE_BUF(10);
    struct sonde_kube_target target = {&pods, "shop", "web-0", NULL, NULL};
    assert_int_equal(sonde_kube_path(&target, &small, NULL), SONDE_ELIMIT);
}

static void escapes_queries(void **state)
{
    (void)state;
    SONDE_BUF_AUTO path = SONDE_BUF(1000);
    sonde_buf_text(&path, "/api/v1/pods");
    sonde_kube_query(&path, "labelSelector", SONDE_STR("app=a,b in (c, d)&x"));
    sonde_kube_query(&path, "left-out", (struct sonde_str){0});
    sonde_kube_query_number(&path, "limit", 500);
    assert_string_equal(path.data, "/api/v1/pods?labelSelector=app%3Da%2Cb%20in%20%28c%2C%20d%29"
                                   "%26x&limit=500");
}

/* ---- Status ---- */

static void statuses_are_errors(void **state)
{
    (void)state;
    static const struct {
        int http;
        const char *body;
        int code;
        const char *reason, *cause;
        int retry_s;
    } cases[] = {
        {404,
         "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"pods \\\"x\\\" not found\"}",
         SONDE_ENOTFOUND, "NotFound", "", 0},
        {404, "404 page not found\n", SONDE_ENOTFOUND, "", "", 0},
        {409, "{\"reason\":\"AlreadyExists\"}", SONDE_EEXISTS, "AlreadyExists", "", 0},
        {409, "{\"reason\":\"Conflict\"}", SONDE_ECONFLICT, "Conflict", "", 0},
        {409, "", SONDE_ECONFLICT, "", "", 0},
        {410, "{\"reason\":\"Expired\"}", SONDE_EGONE, "Expired", "", 0},
        {410, "{}", SONDE_EGONE, "", "", 0},
        {0, "{\"reason\":\"Gone\",\"code\":410}", SONDE_EGONE, "Gone", "", 0},
        {403,
         "{\"reason\":\"Forbidden\",\"details\":{\"causes\":[{\"reason\":"
         "\"NamespaceTerminating\"}]}}",
         SONDE_EDENIED, "Forbidden", "NamespaceTerminating", 0},
        {401, "{}", SONDE_EDENIED, "", "", 0},
        {422, "{\"reason\":\"Invalid\"}", SONDE_EINVALID, "Invalid", "", 0},
        {429, "{\"details\":{\"retryAfterSeconds\":7}}", SONDE_EBUSY, "", "", 7},
        {429, "{\"details\":{\"retryAfterSeconds\":70000}}", SONDE_EBUSY, "", "", 300},
        {429, "{\"details\":{\"retryAfterSeconds\":-1}}", SONDE_EBUSY, "", "", 0},
        {500, "[1]", SONDE_EBUSY, "", "", 0},
        {503, "\"text\"", SONDE_EBUSY, "", "", 0},
        {504,
         "{\"reason\":\"Timeout\",\"details\":{\"causes\":[{\"reason\":"
         "\"ResourceVersionTooLarge\"}]}}",
         SONDE_ETIMEOUT, "Timeout", "ResourceVersionTooLarge", 0},
        {413, "", SONDE_ELIMIT, "", "", 0},
        {302, "", SONDE_EPROTOCOL, "", "", 0},
        {200, "{\"reason\":5,\"details\":[],\"code\":\"x\"}", SONDE_EPROTOCOL, "", "", 0},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_kube_status status;
        struct sonde_err err = {0};
        int code = sonde_kube_status_fail_text(cases[i].http, sonde_str(cases[i].body),
                                               (struct sonde_str){0}, &status, &err);
        assert_int_equal(code, cases[i].code);
        assert_int_equal(err.code, code);
        assert_string_equal(status.reason, cases[i].reason);
        assert_string_equal(status.cause, cases[i].cause);
        assert_int_equal(status.retry_after_ns, cases[i].retry_s * SONDE_SECOND);
        assert_int_equal(status.http, cases[i].http ? cases[i].http : 410);
    }
}

static void a_header_says_when_to_come_again(void **state)
{
    (void)state;
    struct sonde_kube_status status;
    assert_int_equal(sonde_kube_status_fail(429, NULL, SONDE_STR(" 3 "), &status, NULL),
                     SONDE_EBUSY);
    assert_int_equal(status.retry_after_ns, 3 * SONDE_SECOND);
    assert_int_equal(sonde_kube_retry_after(SONDE_STR("99999999999999999999")), 300 * SONDE_SECOND);
    assert_int_equal(sonde_kube_retry_after(SONDE_STR("Wed, 21 Oct 2015 07:28:00 GMT")), 0);
    assert_int_equal(sonde_kube_retry_after(SONDE_STR("-1")), 0);
}

static void a_message_is_one_safe_line(void **state)
{
    (void)state;
    struct sonde_kube_status status;
    struct sonde_err err;
    (void)sonde_kube_status_fail_text(500, SONDE_STR("bad\ngateway \x1b[31m"),
                                      (struct sonde_str){0}, &status, &err);
    assert_non_null(strstr(err.message, "500: bad gateway  [31m"));
    (void)sonde_kube_status_fail_text(
        404, SONDE_STR("{\"message\":\"a\\nb\",\"details\":{\"name\":\"x\"}}"),
        (struct sonde_str){0}, &status, &err);
    assert_non_null(strstr(err.message, "404: a b"));
    assert_true(status.names_object);
}

/* ---- times ---- */

static void reads_and_writes_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-23T22:25:10Z", 1795472710 * SONDE_SECOND},
        {"2026-11-23T22:25:10.123456Z", 1795472710 * SONDE_SECOND + 123456000},
        {"2026-11-23T23:25:10.5+01:00", 1795472710 * SONDE_SECOND + 500000000},
        {"2000-02-29T12:00:00-00:30", 951827400 * SONDE_SECOND},
        {"2100-03-01T00:00:00.000000001Z", INT64_C(4107542400) * SONDE_SECOND + 1},
    };
    static const char *const bad[] = {
        "",
        "2026-11-23",
        "2026-11-23 22:25:10Z",
        "2026-11-23T22:25:10",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00Zx",
        "2026-01-01T00:00:00+1:00",
        "1969-12-31T23:59:59Z",
        "9999-01-01T00:00:00Z",
        "+026-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < SONDE_LENGTH(good); i++) {
        int64_t ns = -1;
        assert_int_equal(sonde_kube_time_parse(sonde_str(good[i].text), &ns), 0);
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < SONDE_LENGTH(bad); i++) {
        int64_t ns = -1;
        if (sonde_kube_time_parse(sonde_str(bad[i]), &ns) != SONDE_EPARSE) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
    char text[SONDE_KUBE_TIME_SIZE];
    sonde_kube_time_format(1795472710 * SONDE_SECOND + 7009, text);
    assert_string_equal(text, "2026-11-23T22:25:10.000007Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_paths),
        cmocka_unit_test(refuses_names_that_lead_elsewhere),
        cmocka_unit_test(names_have_a_length),
        cmocka_unit_test(escapes_queries),
        cmocka_unit_test(statuses_are_errors),
        cmocka_unit_test(a_header_says_when_to_come_again),
        cmocka_unit_test(a_message_is_one_safe_line),
        cmocka_unit_test(reads_and_writes_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
