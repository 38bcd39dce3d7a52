/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/import.h"

enum format { HAR, OPENAPI };

/* What was made of a file: "NAME METHOD PATH [Field: value]… BODY" and "- WHAT: WHY" lines, or what
 * was said. */
static void assert_import(enum format format, const char *url_text, const char *text,
                          const char *expected)
{
    struct sonde_load_import import;
    struct sonde_load_url url;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO said = SONDE_BUF(1 << 16);
    assert_int_equal(sonde_load_url_parse(sonde_str(url_text), &url, NULL), 0);
    sonde_load_import_init(&import);
    int r = format == HAR ? sonde_load_har_read("f", sonde_str(text), &url, &import, &err)
                          : sonde_load_openapi_read("f", sonde_str(text), &url, &import, &err);
    if (r < 0) {
        sonde_buf_text(&said, err.message);
    }
    for (size_t i = 0; r == 0 && i < import.count; i++) {
        const struct sonde_load_draft *d = &import.drafts[i];
        sonde_buf_printf(&said, "%s %s %.*s", d->name, d->ask.method, SONDE_STR_ARG(d->ask.path));
        for (size_t j = 0; j < d->ask.field_count; j++) {
            sonde_buf_printf(&said, " [%s: %s]", d->ask.fields[j].key, d->ask.fields[j].value);
        }
        if (d->ask.body.data) {
            sonde_buf_printf(&said, " %.*s", SONDE_STR_ARG(d->ask.body));
        }
        sonde_buf_char(&said, '\n');
    }
    for (size_t i = 0; r == 0 && i < import.skip_count; i++) {
        sonde_buf_printf(&said, "- %s: %s\n", import.skips[i].what, import.skips[i].why);
    }
    assert_string_equal(said.data, expected);
    sonde_load_import_fini(&import);
}

#define ENTRIES(entries) "{\"log\":{\"version\":\"1.2\",\"entries\":[" entries "]}}"
#define ENTRY(request) "{\"request\":{" request "},\"response\":{\"status\":200}}"

static void har_becomes_requests(void **state)
{
    (void)state;
    assert_import(
        HAR, "http://h:3000/ignored",
        ENTRIES(ENTRY(
            "\"method\":\"GET\",\"url\":\"http://H:3000/a/b?c=d#e\",\"headers\":["
            "{\"name\":\":method\",\"value\":\"GET\"},{\"name\":\"Host\",\"value\":\"h\"},"
            "{\"name\":\"accept\",\"value\":\" */* \"},"
            "{\"name\":\"Connection\",\"value\":\"keep-alive\"},"
            "{\"name\":\"Cookie\",\"value\":\"a=b\"}]") "," ENTRY("\"method\":\"POST\",\"url\":"
                                                                  "\"http://h:3000/"
                                                                  "a\",\"headers\":["
                                                                  "{\"name\":\"Content-Length\","
                                                                  "\"value\":\"99\"}],"
                                                                  "\"postData\":{\"mimeType\":"
                                                                  "\"application/"
                                                                  "json\",\"text\":\"{\\\"a\\\":1}"
                                                                  "\"}")),
        "get-a-b GET /a/b?c=d [accept: */*] [Cookie: a=b]\n"
        "post-a POST /a [Content-Type: application/json] {\"a\":1}\n");
}

static void har_forms_are_made(void **state)
{
    (void)state;
    assert_import(
        HAR, "http://h",
        ENTRIES(
            ENTRY("\"method\":\"POST\",\"url\":\"http://h/\",\"headers\":[],\"postData\":{"
                  "\"mimeType\":\"application/x-www-form-urlencoded\",\"text\":\"\","
                  "\"params\":[{\"name\":\"a\",\"value\":\"x "
                  "y\"},{\"name\":\"b\",\"value\":\"\"}]}") "," ENTRY("\"method\":\"POST\",\"url\":"
                                                                      "\"http://h/\",\"headers\":["
                                                                      "{\"name\":\"content-type\","
                                                                      "\"value\":\"multipart/"
                                                                      "form-data; boundary=old\"},"
                                                                      "{\"name\":\"x\",\"value\":"
                                                                      "\"y\"}],\"postData\":{"
                                                                      "\"mimeType\":\"multipart/"
                                                                      "form-data; boundary=old\","
                                                                      "\"params\":[{\"name\":\"a\","
                                                                      "\"value\":\"1\","
                                                                      "\"fileName\":\"f.txt\","
                                                                      "\"contentType\":\"text/"
                                                                      "plain\"}]}") "," ENTRY("\"me"
                                                                                              "thod"
                                                                                              "\":"
                                                                                              "\"PO"
                                                                                              "ST\""
                                                                                              ",\"u"
                                                                                              "rl\""
                                                                                              ":\"h"
                                                                                              "ttp:"
                                                                                              "//h/"
                                                                                              "\","
                                                                                              "\"po"
                                                                                              "stDa"
                                                                                              "ta\""
                                                                                              ":{"
                                                                                              "\"mi"
                                                                                              "meTy"
                                                                                              "pe\""
                                                                                              ":\"m"
                                                                                              "ulti"
                                                                                              "part"
                                                                                              "/for"
                                                                                              "m-"
                                                                                              "data"
                                                                                              "\","
                                                                                              "\"pa"
                                                                                              "rams"
                                                                                              "\":["
                                                                                              "{\"n"
                                                                                              "ame"
                                                                                              "\":"
                                                                                              "\"a"
                                                                                              "\","
                                                                                              "\"fi"
                                                                                              "leNa"
                                                                                              "me\""
                                                                                              ":\"f"
                                                                                              ".txt"
                                                                                              "\"}]"
                                                                                              "}")),
        "post POST / [Content-Type: application/x-www-form-urlencoded] a=x+y&b=\n"
        "post POST / [x: y] [Content-Type: multipart/form-data; boundary=sonde-form-boundary-1] "
        "--sonde-form-boundary-1\r\nContent-Disposition: form-data; name=\"a\"; "
        "filename=\"f.txt\"\r\nContent-Type: text/plain\r\n\r\n1\r\n--sonde-form-boundary-1--\r\n\n"
        "- http://h/: its form has a file whose content was not recorded\n");
}

#define FORM "multipart/form-data; boundary=-7"

/* Firefox writes the header lines of a form that it uploads before the body, and again as fields.
 */
static void har_of_firefox_is_understood(void **state)
{
    (void)state;
    assert_import(HAR, "http://h",
                  ENTRIES(ENTRY("\"method\":\"POST\",\"url\":\"http://h/a\",\"headers\":["
                                "{\"name\":\"Content-Type\",\"value\":\"" FORM "\"},"
                                "{\"name\":\"Content-Type\",\"value\":\"" FORM "\"}],"
                                "\"postData\":{\"mimeType\":\"" FORM "\",\"params\":[],\"text\":"
                                "\"Content-Type: " FORM
                                "\\r\\nContent-Length: 9\\r\\n\\r\\n---7--\\r\\n\"}")),
                  "post-a POST /a [Content-Type: " FORM "] ---7--\r\n\n");
    /* A body that is a message itself stays whole. */
    assert_import(
        HAR, "http://h",
        ENTRIES(ENTRY("\"method\":\"POST\",\"url\":\"http://h/b\",\"headers\":[],"
                      "\"postData\":{\"mimeType\":\"message/http\",\"text\":"
                      "\"Content-Type: text/plain\\r\\n\\r\\nx\"}")),
        "post-b POST /b [Content-Type: message/http] Content-Type: text/plain\r\n\r\nx\n");
}

static void har_of_other_origins_is_skipped(void **state)
{
    (void)state;
    assert_import(
        HAR, "http://h",
        ENTRIES(ENTRY("\"url\":\"http://h/a\"") "," ENTRY("\"url\":\"https://h/b\"") "," ENTRY(
            "\"url\""
            ":\"http"
            "://"
            "h:81/"
            "\"") "," ENTRY("\"url\":\"http://g/\"") "," ENTRY("\"url\":\"ws://h/\"") "," ENTRY("\""
                                                                                                "ur"
                                                                                                "l"
                                                                                                "\""
                                                                                                ":"
                                                                                                "\""
                                                                                                "ht"
                                                                                                "tp"
                                                                                                ":/"
                                                                                                "/h"
                                                                                                "/"
                                                                                                "c"
                                                                                                "\""
                                                                                                ","
                                                                                                "\""
                                                                                                "me"
                                                                                                "th"
                                                                                                "od"
                                                                                                "\""
                                                                                                ":"
                                                                                                "\""
                                                                                                "B "
                                                                                                "D"
                                                                                                "\"") ",{}"
                                                                                                      ","
                                                                                                      "7"),
        "get-a GET /a\n"
        "- https://h/b: it goes to another origin\n"
        "- http://h:81/: it goes to another origin\n"
        "- http://g/: it goes to another origin\n"
        "- ws://h/: a WebSocket is not played again\n"
        "- http://h/c: B D is no method\n"
        "- :  is no URL to load: it names no host\n"
        "- :  is no URL to load: it names no host\n");
    assert_import(HAR, "http://h", ENTRIES(ENTRY("\"url\":\"http://g/a\"")),
                  "f: none of its 1 requests goes to http://h:80; the first goes to http://g/a");
    assert_import(HAR, "http://h", "{\"log\":{\"entries\":[]}}",
                  "f: no request was recorded: log.entries is empty");
    assert_import(HAR, "http://h", "[]", "f: no HAR: it has no log.entries");
}

#define API "openapi: 3.1.0\n"

static void openapi_becomes_requests(void **state)
{
    (void)state;
    assert_import(
        OPENAPI, "http://h",
        API "servers: [{url: 'https://x.example/{v}/', variables: {v: {default: v1}}}]\n"
            "paths:\n"
            "  /patients/{id}:\n"
            "    parameters:\n"
            "    - {name: id, in: path, required: true, schema: {type: integer, example: 7}}\n"
            "    get:\n"
            "      operationId: onePatient\n"
            "      parameters:\n"
            "      - {name: q, in: query, example: 'a b&c'}\n"
            "      - {name: tags, in: query, schema: {type: array}, example: [x, y]}\n"
            "      - {name: few, in: query, explode: false, example: [1, 2]}\n"
            "      - {name: page, in: query, schema: {default: 1}}\n"
            "      - {name: size, in: query, required: true, schema: {enum: [10, 20]}}\n"
            "      - {name: X-Trace, in: header, examples: {one: {value: t1}}}\n"
            "      - {name: Accept, in: header, example: never}\n"
            "      - {name: sid, in: cookie, example: c1}\n"
            "    delete:\n"
            "      parameters:\n"
            "      - {name: id, in: path, required: true, example: a/b}\n",
        "onePatient GET /v1/patients/7?q=a%20b%26c&tags=x&tags=y&few=1,2&size=10 "
        "[X-Trace: t1] [Cookie: sid=c1]\n"
        "delete-patients-id DELETE /v1/patients/a%2Fb\n");
    assert_import(OPENAPI, "http://h/base/?q", API "servers: [{url: /v1}]\npaths: {/a: {get: {}}}",
                  "get-a GET /base/a\n");
}

static void openapi_bodies_are_made(void **state)
{
    (void)state;
    assert_import(
        OPENAPI, "http://h",
        "{\"openapi\":\"3.0.3\",\"paths\":{\"/a\":{"
        "\"post\":{\"requestBody\":{\"content\":{\"text/plain\":{\"example\":\"no\"},"
        "\"application/json\":{\"example\":{\"a\":[1,true,null,\"x\"]}}}}},"
        "\"put\":{\"requestBody\":{\"$ref\":\"#/components/requestBodies/P\"}},"
        "\"patch\":{\"requestBody\":{\"content\":{\"application/"
        "x-www-form-urlencoded\":{\"schema\":{"
        "\"properties\":{\"a\":{\"example\":\"x y\"},\"n\":{\"default\":1.5},\"o\":{}}}}}}}}},"
        "\"components\":{\"requestBodies\":{\"P\":{\"required\":true,\"content\":{"
        "\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/Patient\"}}}}},"
        "\"schemas\":{\"Patient\":{\"allOf\":[{\"$ref\":\"#/components/schemas/Named\"},"
        "{\"properties\":{\"id\":{\"readOnly\":true,\"example\":3},"
        "\"visits\":{\"type\":\"array\",\"items\":{\"oneOf\":[{\"const\":\"v\"}]}},"
        "\"kin\":{\"$ref\":\"#/components/schemas/Patient\"}}}]},"
        "\"Named\":{\"required\":[\"name\"],\"properties\":{\"name\":{\"example\":\"Ada\"},"
        "\"other\":{\"type\":\"string\"}}}}}}",
        "post-a POST /a [Content-Type: application/json] {\"a\":[1,true,null,\"x\"]}\n"
        "put-a PUT /a [Content-Type: application/json] {\"name\":\"Ada\",\"visits\":[\"v\"]}\n"
        "patch-a PATCH /a [Content-Type: application/x-www-form-urlencoded] a=x+y&n=1.5\n");
    assert_import(
        OPENAPI, "http://h",
        API "paths:\n"
            "  /f:\n"
            "    post: {requestBody: {content: {multipart/form-data: {example: {a: 1}}}}}\n"
            "    put: {requestBody: {content: {application/json: {example: '{\"a\":1}'}}}}\n"
            "    patch: {requestBody: {content: {application/json: {schema: {}}}}}\n",
        "post-f POST /f [Content-Type: multipart/form-data; boundary=sonde-form-boundary-1]"
        " --sonde-form-boundary-1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
        "--sonde-form-boundary-1--\r\n\n"
        "put-f PUT /f [Content-Type: application/json] {\"a\":1}\n"
        "patch-f PATCH /f\n");
}

static void openapi_without_examples_is_skipped(void **state)
{
    (void)state;
    assert_import(
        OPENAPI, "http://h",
        API "paths:\n"
            "  /ok: {get: {}}\n"
            "  /{id}/{x}:\n"
            "    get: {parameters: [{name: id, in: path, schema: {type: string}}]}\n"
            "    put: {parameters: [{name: id, in: path, example: 1}]}\n"
            "    head: {parameters: [{$ref: '#/components/parameters/none'}]}\n"
            "    patch: {parameters: [{name: id, in: path, example: {a: b}}]}\n"
            "  /b:\n"
            "    post: {requestBody: {required: true, content: {application/json: {schema: {\n"
            "      required: [a], properties: {a: {type: string}, b: {example: 1}}}}}}}\n"
            "    put: {requestBody: {$ref: 'other.yaml#/x'}}\n"
            "  /loop: {$ref: '#/paths/~1loop'}\n"
            "  /nl: {get: {parameters: [{name: h, in: header, example: \"a\\nb\"}]}}\n",
        "get-ok GET /ok\n"
        "- GET /{id}/{x}: its parameter id has no example, default or enum\n"
        "- PUT /{id}/{x}: its path has {x} without a parameter for it\n"
        "- HEAD /{id}/{x}: its parameter #/components/parameters/none is not in this file\n"
        "- PATCH /{id}/{x}: its parameter id is an object: only texts, numbers and lists are "
        "written\n"
        "- POST /b: its body of type application/json has no example\n"
        "- PUT /b: its body has no content in this file\n"
        "- GET /nl: h: a\nb is no header field\n");
    assert_import(OPENAPI, "http://h", "swagger: '2.0'",
                  "f: no OpenAPI 3: it is Swagger 2, which is to be converted first");
    assert_import(OPENAPI, "http://h", "a: b", "f: no OpenAPI 3: it has no \"openapi: 3…\"");
    assert_import(OPENAPI, "http://h", "a: [", "f:2:1: did not find expected node content");
    assert_import(OPENAPI, "http://h", API "paths: {}", "f: it has no operations");
    assert_import(OPENAPI, "http://h", API "paths: {'/{a}': {get: {}}}",
                  "f: none of its 1 operations has examples: GET /{a}: its path has {a} without a "
                  "parameter for it");
}

/* As NestJS, FastAPI and tools that put several files into one write them. */
static void openapi_of_tools_is_understood(void **state)
{
    (void)state;
    assert_import(
        OPENAPI, "http://h",
        API "servers: [{url: 'https://{h}/{base}', variables: {h: {default: h.example}, base: "
            "{default: api/v2}}}]\n"
            "paths:\n"
            "  /a:\n"
            "    get: {parameters: [{name: n, in: query, required: true, example: 5}]}\n"
            "    post:\n"
            "      requestBody: {required: true, content: {application/json: {schema: {required: "
            "[role], properties: {role: {allOf: [{$ref: '#/components/schemas/Role'}]}, maybe: "
            "{anyOf: [{type: string}, {$ref: '#/components/schemas/Role'}, {type: 'null'}]}}}}}}\n"
            "  /b:\n"
            "    get: {parameters: [{$ref: '#/paths/~1a/get/parameters/0'}]}\n"
            "    head: {parameters: [{$ref: '#/paths/~1a/get/parameters/1'}]}\n"
            "    put: {parameters: [{$ref: '#/paths/~1a/get/parameters/x'}]}\n"
            "components: {schemas: {Role: {enum: [nurse, doctor]}}}\n",
        "get-a GET /api/v2/a?n=5\n"
        "post-a POST /api/v2/a [Content-Type: application/json] "
        "{\"role\":\"nurse\",\"maybe\":\"nurse\"}\n"
        "get-b GET /api/v2/b?n=5\n"
        "- HEAD /b: its parameter #/paths/~1a/get/parameters/1 is not in this file\n"
        "- PUT /b: its parameter #/paths/~1a/get/parameters/x is not in this file\n");
}

static void names_can_stand_in_results(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *name;
    } cases[] = {
        {"GET", "/", "get"},
        {"GET", "/patients/7/visits?q=/x", "get-patients-7-visits"},
        {"GET", "/v1.0/a_b//c-/", "get-v1.0-a_b-c"},
        {"POST", "/%C3%A9/", "post-C3-A9"},
        {"", "/", "request"},
        {"GET",
         "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "get-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    };
    struct sonde_load_import import;
    sonde_load_import_init(&import);
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        assert_string_equal(
            sonde_load_import_name(&import, cases[i].method, sonde_str(cases[i].path)),
            cases[i].name);
    }
    sonde_load_import_fini(&import);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(har_becomes_requests),
        cmocka_unit_test(har_forms_are_made),
        cmocka_unit_test(har_of_firefox_is_understood),
        cmocka_unit_test(har_of_other_origins_is_skipped),
        cmocka_unit_test(openapi_becomes_requests),
        cmocka_unit_test(openapi_bodies_are_made),
        cmocka_unit_test(openapi_without_examples_is_skipped),
        cmocka_unit_test(openapi_of_tools_is_understood),
        cmocka_unit_test(names_can_stand_in_results),
    };
    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
