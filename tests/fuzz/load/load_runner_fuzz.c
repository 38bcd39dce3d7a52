/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as what a runner of a load test says, line by line: "r", "i" or "d", the number of the
 * runner, and the body of `ready`, `interval` or `done`. What was taken is saved and read back, and
 * the test comes to an end. */
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "load/coordination_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RUNNERS = 2, SAVED_MAX = 64 << 20, LINES_MAX = 64 };

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

struct fuzz {
    struct sonde_spec_documents documents;
    struct sonde_load_coordination *c;
    struct sonde_load_tally scratch;
    struct sonde_load_label labels[SONDE_LOAD_LABELS_MAX];
    int64_t now_us;
};

static void make(struct fuzz *f)
{
    const struct sonde_load_coordination_options options = {
        .test = f->documents.items[0].load_test, .title = "t", .url = "u", .seed = 1};
    must(sonde_load_coordination_new(&options, &f->c, NULL) == 0);
}

static void say_ready(struct fuzz *f, unsigned runner, const cJSON *body)
{
    struct sonde_load_ready ready;
    struct sonde_load_answer_ready answer;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    bool changed;
    int r = sonde_load_ready_read(body, f->labels, &ready, &err);
    ready.runner = runner;
    r = r < 0 ? r : sonde_load_coordination_ready(f->c, &ready, f->now_us, &answer, &changed, &err);
    must(r == 0 || err.message[0]);
    if (r == 0) {
        sonde_load_answer_write(&answer, &text);
        must(text.code == 0);
    }
}

static void say_interval(struct fuzz *f, unsigned runner, const cJSON *body)
{
    struct sonde_load_sent sent;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO tally = SONDE_BUF(2 << 20);
    uint64_t expected;
    bool changed;
    bool stop;
    int r = sonde_load_sent_read(body, sonde_load_coordination_labels(f->c), &f->scratch, &tally,
                                 &sent, &err);
    sent.runner = runner;
    r = r < 0 ? r
              : sonde_load_coordination_interval(f->c, &sent, f->now_us, &stop, &expected, &changed,
                                                 &err);
    must(r == 0 || err.message[0]);
}

static void say_done(struct fuzz *f, unsigned runner, const cJSON *body)
{
    struct sonde_load_done done;
    struct sonde_err err = {0};
    bool changed;
    bool next;
    int r = sonde_load_done_read(body, &done, &err);
    done.runner = runner;
    r = r < 0 ? r : sonde_load_coordination_done(f->c, &done, f->now_us, &next, &changed, &err);
    must(r == 0 || err.message[0]);
}

static void say(struct fuzz *f, struct sonde_str line)
{
    SONDE_JSON_AUTO *body = NULL;
    struct sonde_str text = {line.data + 2, line.length - 2};
    unsigned runner = (unsigned char)line.data[1] - (unsigned)'0';
    f->now_us += 1000;
    if (sonde_json_parse(text, &body, NULL) < 0) {
        return;
    }
    switch (line.data[0]) {
    case 'r':
        say_ready(f, runner, body);
        break;
    case 'i':
        say_interval(f, runner, body);
        break;
    default:
        say_done(f, runner, body);
        break;
    }
}

/* A new one goes on with what was saved. */
static void restart(struct fuzz *f)
{
    SONDE_BUF_AUTO first = SONDE_BUF(SAVED_MAX);
    SONDE_BUF_AUTO second = SONDE_BUF(SAVED_MAX);
    must(sonde_load_coordination_save(f->c, &first, NULL) == 0);
    sonde_load_coordination_free(f->c);
    make(f);
    must(sonde_load_coordination_restore(f->c, sonde_buf_view(&first), NULL) == 0);
    must(sonde_load_coordination_save(f->c, &second, NULL) == 0);
    must(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
}

static void end(struct fuzz *f)
{
    struct sonde_load_conclusion conclusion;
    SONDE_BUF_AUTO live = SONDE_BUF(1 << 20);
    sonde_load_live_write(f->c, 0, &live);
    must(live.code == 0);
    must(sonde_load_coordination_conclude(f->c, f->now_us, &conclusion, NULL) == 0);
    must(conclusion.reason[0]);
    if (conclusion.result) {
        SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_RESULT_MAX);
        struct sonde_load_result again;
        must(sonde_load_result_write(conclusion.result, &text, NULL) == 0);
        must(sonde_load_result_read(sonde_buf_view(&text), &again, NULL) == 0);
        sonde_load_result_fini(&again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char document[] =
        "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"LoadTest\",\"metadata\":{\"name\":"
        "\"t\"},\"spec\":{\"target\":{\"url\":\"http://t/\"},\"scenario\":{\"requests\":[{"
        "\"name\":\"one\",\"path\":\"/\"}]},\"arrival\":{\"rate\":10,\"durationSeconds\":60},"
        "\"parallelism\":2,\"warmUpSeconds\":1,\"onRunnerLoss\":\"Replace\","
        "\"abortOnFail\":[\"http_req_failed: rate<0.5\"],\"delayAbortSeconds\":0}}";
    struct fuzz *f = calloc(1, sizeof(*f));
    struct sonde_str rest = {(const char *)data, size};
    must(f != NULL);
    must(sonde_spec_parse("d", sonde_str(document), &f->documents, NULL) == 0);
    must(sonde_load_tally_init(&f->scratch, NULL) == 0);
    make(f);
    for (int i = 0; rest.length && i < LINES_MAX; i++) {
        struct sonde_str line = sonde_str_split(&rest, '\n');
        if (line.length > 2) {
            say(f, line);
        }
    }
    restart(f);
    end(f);
    sonde_load_coordination_free(f->c);
    sonde_load_tally_fini(&f->scratch);
    sonde_spec_documents_fini(&f->documents);
    free(f);
    return 0;
}
