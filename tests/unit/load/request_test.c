/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/request.h"

static const char *const names[] = {"id", "patient_name"};
static const struct sonde_load_places all_places = {
    .names = names, .count = SONDE_LENGTH(names), .ids = true};
static const struct sonde_load_places no_places = {0};

/* The parts of a text: "a|{0}|b|<id>". */
static void assert_parts(const char *text, const struct sonde_load_places *places,
                         const char *expected)
{
    struct sonde_arena arena = SONDE_ARENA(1 << 16);
    struct sonde_load_template template;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO parts = SONDE_BUF(4096);
    sonde_buf_text(&parts, "");
    if (sonde_load_template_parse(sonde_str(text), places, &arena, &template, &err) < 0) {
        sonde_buf_text(&parts, err.message);
    }
    for (size_t i = 0; i < template.count; i++) {
        const struct sonde_load_part *part = &template.parts[i];
        sonde_buf_text(&parts, i ? "|" : "");
        if (part->kind == SONDE_LOAD_TEXT) {
            sonde_buf_str(&parts, part->text);
        } else if (part->kind == SONDE_LOAD_VARIABLE || part->kind == SONDE_LOAD_ENCODED) {
            sonde_buf_printf(&parts, "{%u}", part->variable);
        } else {
            sonde_buf_text(&parts, "<id>");
        }
    }
    assert_string_equal(parts.data, expected);
    sonde_arena_fini(&arena);
}

static void texts_are_taken_apart(void **state)
{
    (void)state;
    assert_parts("", &all_places, "");
    assert_parts("plain", &all_places, "plain");
    assert_parts("{{id}}", &all_places, "{0}");
    assert_parts("/a/{{ id }}/{{patient_name}}?x=[<id>]", &all_places, "/a/|{0}|/|{1}|?x=|<id>");
    assert_parts("[<id>][<id>]}}", &all_places, "<id>|<id>|}}");
    assert_parts("[<id>]{{id}}", &no_places, "[<id>]{{id}}");
    assert_parts("{ {id}} [<i>]", &all_places, "{ {id}} [<i>]");
    assert_parts("{{other}}", &all_places, "there is no variable other");
    assert_parts("{{}}", &all_places, "there is no variable ");
    assert_parts("a{{id", &all_places, "{{ without }}");
    assert_parts("a{{", &all_places, "{{ without }}");
}

static void too_many_places_are_refused(void **state)
{
    (void)state;
    struct sonde_arena arena = SONDE_ARENA(1 << 20);
    struct sonde_load_template template;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    for (int i = 0; i < SONDE_LOAD_PARTS_MAX; i++) {
        sonde_buf_text(&text, "[<id>]x");
    }
    assert_int_equal(
        sonde_load_template_parse(sonde_buf_view(&text), &all_places, &arena, &template, &err),
        SONDE_ELIMIT);
    assert_true(err.message[0]);
    sonde_arena_fini(&arena);
}

static void ids_tell_requests_apart(void **state)
{
    (void)state;
    char first[SONDE_LOAD_ID_SIZE];
    char second[SONDE_LOAD_ID_SIZE];
    sonde_load_id(0xdeadbeef, 3, 0, first);
    assert_string_equal(first, "deadbeef0003000000000000");
    sonde_load_id(0xdeadbeef, 3, 1, second);
    assert_string_not_equal(first, second);
    sonde_load_id(UINT32_MAX, UINT32_MAX, UINT64_MAX, second);
    assert_int_equal(strlen(second), SONDE_LOAD_ID_SIZE - 1);
}

static void assert_request(const struct sonde_load_ask *ask, const char *url_text, bool constant,
                           const char *expected)
{
    struct sonde_arena arena = SONDE_ARENA(1 << 20);
    struct sonde_load_request request;
    struct sonde_load_url url;
    struct sonde_err err = {0};
    const struct sonde_str values[] = {SONDE_STR("7"), SONDE_STR("Ada")};
    SONDE_BUF_AUTO body = SONDE_BUF(1 << 16);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    assert_int_equal(sonde_load_url_parse(sonde_str(url_text), &url, &err), 0);
    if (sonde_load_request_make(ask, &url, &all_places, &arena, &request, &err) < 0) {
        sonde_buf_text(&text, err.message);
    } else if (request.bytes.data) {
        assert_true(constant);
        sonde_buf_str(&text, request.bytes);
    } else {
        assert_false(constant);
        sonde_load_request_fill(&request, values, "ID", &body, &text);
    }
    assert_string_equal(text.data, expected);
    sonde_arena_fini(&arena);
}

static void requests_are_written_as_asked(void **state)
{
    (void)state;
    assert_request(&(struct sonde_load_ask){.method = "GET", .path = SONDE_STR("/a?b=c")},
                   "http://example:3000", true,
                   "GET /a?b=c HTTP/1.1\r\nHost: example:3000\r\nConnection: keep-alive\r\n\r\n");
    const struct sonde_pair own[] = {{"host", "other"}, {"Accept", "*/*"}};
    assert_request(
        &(struct sonde_load_ask){"POST", SONDE_STR("/"), own, 2, SONDE_STR("caf\xc3\xa9")},
        "https://[::1]", true,
        "POST / HTTP/1.1\r\nConnection: keep-alive\r\nhost: other\r\nAccept: */*\r\n"
        "Content-Length: 5\r\n\r\ncaf\xc3\xa9");
    const struct sonde_pair length[] = {{"content-length", "0"}, {"Connection", "close"}};
    assert_request(&(struct sonde_load_ask){"PUT", SONDE_STR("/"), length, 2, SONDE_STR("")},
                   "http://h", true,
                   "PUT / HTTP/1.1\r\nHost: h\r\ncontent-length: 0\r\nConnection: close\r\n\r\n");
    const struct sonde_pair filled[] = {{"X-Id", "[<id>]"}};
    assert_request(&(struct sonde_load_ask){"POST", SONDE_STR("/p/{{id}}"), filled, 1,
                                            SONDE_STR("{\"name\":\"{{patient_name}}\"}")},
                   "http://h", false,
                   "POST /p/7 HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nX-Id: ID\r\n"
                   "Content-Length: 14\r\n\r\n{\"name\":\"Ada\"}");
}

/* A value never ends its part of a path, or the line. */
static void values_in_paths_are_encoded(void **state)
{
    (void)state;
    struct sonde_arena arena = SONDE_ARENA(1 << 20);
    struct sonde_load_request request;
    struct sonde_load_url url;
    const struct sonde_str values[] = {SONDE_STR("a/b?c=d&e\r\nX: \xc3\xa9~-._"), SONDE_STR("")};
    const struct sonde_pair fields[] = {{"X-Id", "{{id}}"}, {"X-Name", "{{patient_name}}"}};
    SONDE_BUF_AUTO body = SONDE_BUF(1 << 16);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    assert_int_equal(sonde_load_url_parse(SONDE_STR("http://h"), &url, NULL), 0);
    const struct sonde_load_ask ask = {
        "GET", SONDE_STR("/p/{{id}}?q={{patient_name}}"), fields, 2, {0}};
    assert_int_equal(sonde_load_request_make(&ask, &url, &all_places, &arena, &request, NULL), 0);
    request.fields[2].optional = request.fields[3].optional = true;
    const struct sonde_str plain[] = {SONDE_STR("7"), SONDE_STR("")};
    sonde_load_request_fill(&request, plain, "", &body, &text);
    assert_string_equal(text.data, "GET /p/7?q= HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n"
                                   "X-Id: 7\r\n\r\n");
    sonde_buf_clear(&text);
    sonde_load_template_fill(&request.path, values, "", &text);
    assert_string_equal(text.data, "/p/a%2Fb%3Fc%3Dd%26e%0D%0AX%3A%20%C3%A9~-._?q=");
    sonde_arena_fini(&arena);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    const struct sonde_pair broken[] = {{"A", "b\r\nC: d"}};
    const struct sonde_pair nameless[] = {{"", "b"}};
    const struct sonde_pair spaced[] = {{"A b", "c"}};
    assert_request(&(struct sonde_load_ask){"G T", SONDE_STR("/"), NULL, 0, {0}}, "http://h", true,
                   "G T is no method");
    assert_request(&(struct sonde_load_ask){"GET", SONDE_STR("/a b"), NULL, 0, {0}}, "http://h",
                   true, "/a b is no path to ask for");
    assert_request(&(struct sonde_load_ask){"GET", SONDE_STR("/a\n"), NULL, 0, {0}}, "http://h",
                   true, "/a\n is no path to ask for");
    assert_request(&(struct sonde_load_ask){"GET", SONDE_STR("/a\tb"), NULL, 0, {0}}, "http://h",
                   true, "/a\tb is no path to ask for");
    assert_request(&(struct sonde_load_ask){"GET", SONDE_STR("/\x7f"), NULL, 0, {0}}, "http://h",
                   true, "/\x7f is no path to ask for");
    assert_request(&(struct sonde_load_ask){"GET", SONDE_STR("/"), broken, 1, {0}}, "http://h",
                   true, "A: b\r\nC: d is no header field");
    assert_request(&(struct sonde_load_ask){"GET", SONDE_STR("/"), nameless, 1, {0}}, "http://h",
                   true, ": b is no header field");
    assert_request(&(struct sonde_load_ask){"GET", SONDE_STR("/"), spaced, 1, {0}}, "http://h",
                   true, "A b: c is no header field");
    assert_request(&(struct sonde_load_ask){"GET", SONDE_STR("/{{x}}"), NULL, 0, {0}}, "http://h",
                   true, "there is no variable x");
}

static void assert_url(const char *text, const char *expected)
{
    struct sonde_load_url url;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO said = SONDE_BUF(4096);
    if (sonde_load_url_parse(sonde_str(text), &url, &err) < 0) {
        sonde_buf_text(&said, err.message);
    } else {
        SONDE_BUF_AUTO authority = SONDE_BUF(4096);
        sonde_load_url_authority(&url, &authority);
        sonde_buf_printf(&said, "%s %s %u %.*s %s", url.tls ? "tls" : "plain", url.host, url.port,
                         SONDE_STR_ARG(url.path), authority.data);
    }
    assert_string_equal(said.data, expected);
}

static void urls_are_taken_apart(void **state)
{
    (void)state;
    assert_url("http://example", "plain example 80 / example");
    assert_url("HTTPS://Example.com:8443/a/b?c=d#e",
               "tls Example.com 8443 /a/b?c=d Example.com:8443");
    assert_url("https://h:443/", "tls h 443 / h");
    assert_url("http://[::1]:3000/x", "plain ::1 3000 /x [::1]:3000");
    assert_url("http://[fe80::1%eth0]/", "plain fe80::1%eth0 80 / [fe80::1%eth0]");
    assert_url("localhost:3000", "plain localhost 3000 / localhost:3000");
    assert_url(":3000/a", "plain localhost 3000 /a localhost:3000");
    assert_url("ftp://h", "ftp://h is no URL to load: only http, https, ws and wss are known");
    assert_url("http://", "http:// is no URL to load: it names no host");
    assert_url("http://h:0", "http://h:0 is no URL to load: its port is no number from 1 to 65535");
    assert_url("http://h:65536",
               "http://h:65536 is no URL to load: its port is no number from 1 to 65535");
    assert_url("http://u:p@h/", "http://u:p@h/ is no URL to load: a user belongs into a header");
    assert_url("http://[::1", "http://[::1 is no URL to load: the bracket of its address is not "
                              "closed");
    assert_url("http://h/a b", "http://h/a b is no URL to load: spaces and control characters must "
                               "be percent-encoded");
    assert_url("http://h?a", "http://h?a is no URL to load: a / must stand before its query");
    assert_url("http://h\r\n", "http://h\r\n is no URL to load: it names no host");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_taken_apart),
        cmocka_unit_test(too_many_places_are_refused),
        cmocka_unit_test(ids_tell_requests_apart),
        cmocka_unit_test(requests_are_written_as_asked),
        cmocka_unit_test(values_in_paths_are_encoded),
        cmocka_unit_test(what_cannot_be_sent_is_refused),
        cmocka_unit_test(urls_are_taken_apart),
    };
    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
