/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a scenario, played against a server whose answers are that text: each request is
 * whole, and one alone. */
#include "load/session.h"
#include "load_import.h"
#include "spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT(literal) {literal, sizeof(literal) - 1}
enum { TIMES = 40, NOW = 1700000000 };

struct play {
    struct sonde_str text;
    struct sonde_load_scenario scenario;
    struct sonde_load_player player;
    struct sonde_load_session session;
    struct sonde_load_answer answer;
};

static void send_one(const struct play *p, size_t step)
{
    SONDE_BUF_AUTO body = SONDE_BUF(SONDE_LOAD_MESSAGE_MAX);
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_MESSAGE_MAX);
    const struct sonde_load_request *request = &p->scenario.requests[step];
    struct sonde_load_http2_request split;
    nghttp2_nv fields[SONDE_LOAD_HTTP2_FIELDS_MAX];
    if (request->bytes.data) {
        sonde_buf_str(&text, request->bytes);
    } else {
        sonde_load_request_fill(request, p->session.values, "0-0", &body, &text);
    }
    if (text.code == 0) {
        must(sonde_load_http2_request_split(text.data, text.length, false, fields, &split, NULL) ==
             0);
    }
}

static void answer_one(struct play *p, size_t step, int status)
{
    const struct sonde_load_look *look = &p->scenario.steps[step].look;
    struct sonde_str rest = p->text;
    sonde_load_answer_begin(&p->answer, look);
    for (int i = 0; i < 8 && rest.length; i++) {
        struct sonde_str value = sonde_str_split(&rest, '\n');
        struct sonde_str name = sonde_str_split(&value, ':');
        sonde_load_session_field(&p->session, i % 2 ? name : SONDE_STR("Set-Cookie"), value, NOW);
        sonde_load_answer_field(&p->answer, name, value);
    }
    sonde_load_answer_body(&p->answer, p->text);
    bool looked = look->fields || look->body;
    unsigned said =
        sonde_load_session_take(&p->session, &p->player, step, looked ? &p->answer : NULL, status);
    must(!(said & SONDE_LOAD_MISMATCH) || said & SONDE_LOAD_WRONG);
}

static void play(struct play *p)
{
    bool made = sonde_load_player_init(&p->player, &p->scenario, 0, 1, 1, NULL) == 0;
    made = sonde_load_session_init(&p->session, &p->scenario, NULL) == 0 && made;
    sonde_load_answer_init(&p->answer);
    for (int i = 0; i < TIMES && made; i++) {
        size_t step = sonde_load_session_next(&p->session, &p->player, NOW);
        must(step < p->scenario.step_count);
        send_one(p, step);
        if (i % 7 == 3) {
            (void)sonde_load_session_fail(&p->session);
        } else {
            answer_one(p, step, i % 3 ? 200 : 404);
        }
    }
    sonde_load_answer_fini(&p->answer);
    sonde_load_session_fini(&p->session);
    sonde_load_player_fini(&p->player);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sonde_load_file files[] = {
        {"f", "f.csv", TEXT("a,b\n1,\"x\"\"y\"\n2,{}\n")},
        {"f", "f.yaml", TEXT("openapi: 3.1.0\npaths: {/a: {get: {}}}")},
    };
    struct sonde_spec_documents documents;
    const struct sonde_scenario *spec = NULL;
    struct sonde_load_url url;
    struct sonde_err err = {0};
    struct play p = {.text = {(const char *)data, size}};
    must(sonde_load_url_parse(SONDE_STR("http://h/base"), &url, NULL) == 0);
    const struct sonde_load_surroundings around = {.url = &url, .files = files, .file_count = 2};
    int r = sonde_spec_parse_scenario("s", p.text, &documents, &spec, &err);
    if (r == 0) {
        r = sonde_load_scenario_from_spec(spec, &around, &p.scenario, &err);
        if (r == 0) {
            play(&p);
        }
        sonde_load_scenario_fini(&p.scenario);
    }
    must(r == 0 || err.message[0] != '\0');
    sonde_spec_documents_fini(&documents);
    return 0;
}
