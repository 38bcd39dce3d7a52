/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "inspector/cdp.h"

/* Writes down what comes, so that two ways of feeding can be compared. */
struct session {
    struct sonde_cdp cdp;
    struct sonde_buf log;
    struct sonde_buf command;
    int fail_with; /* what the next callback returns */
};

static int said(struct session *s, struct sonde_err *err)
{
    return s->fail_with ? sonde_fail(err, s->fail_with, 0, "the callback refused") : 0;
}

static int begin(void *context, enum sonde_cdp_stream stream, struct sonde_err *err)
{
    struct session *s = context;
    static const char *const names[] = {"profile<", "answer<", "chunk<", "worker<"};
    sonde_buf_text(&s->log, names[stream]);
    return said(s, err);
}

static int data(void *context, const char *bytes, size_t length, struct sonde_err *err)
{
    struct session *s = context;
    sonde_buf_append(&s->log, bytes, length);
    return said(s, err);
}

static int end(void *context, const char *title, struct sonde_err *err)
{
    struct session *s = context;
    sonde_buf_printf(&s->log, ">%s;", title);
    return said(s, err);
}

static int event(void *context, const char *method, const cJSON *params, struct sonde_err *err)
{
    struct session *s = context;
    sonde_buf_printf(&s->log, "event %s %d;", method, cJSON_GetArraySize(params));
    return said(s, err);
}

static int answer(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct session *s = context;
    sonde_buf_printf(&s->log, "answer %d %s;", result ? cJSON_GetArraySize(result) : -1,
                     failure ? failure : "");
    return said(s, err);
}

static void begin_session(struct session *s)
{
    *s = (struct session){.log = SONDE_BUF(1 << 20), .command = SONDE_BUF(SONDE_CDP_COMMAND_MAX)};
    struct sonde_cdp_callbacks callbacks = {s, begin, data, end, event};
    sonde_cdp_init(&s->cdp, &callbacks);
}

static void end_session(struct session *s)
{
    sonde_cdp_fini(&s->cdp);
    sonde_buf_fini(&s->log);
    sonde_buf_fini(&s->command);
}

static void command(struct session *s, int64_t now_ns)
{
    assert_int_equal(
        sonde_cdp_command(&s->cdp, "Runtime.x", "{\"a\":1}", now_ns, answer, &s->command, NULL), 0);
}

/* Feeds one message, cut in pieces of `piece` bytes (0: of random length). */
static int feed(struct session *s, struct sonde_str text, size_t piece, uint64_t *seed,
                struct sonde_err *err)
{
    size_t at = 0;
    int r = 0;
    do {
        size_t length = piece ? piece : (size_t)(sonde_random_next(seed) % 9);
        length = length < text.length - at ? length : text.length - at;
        bool last = at + length == text.length;
        r = sonde_cdp_feed(&s->cdp, text.data + at, length, at == 0 && !s->cdp.in_message, last,
                           err);
        at += length;
    } while (r == 0 && at < text.length);
    return r;
}

#define PROFILE                                                                                    \
    "{\"nodes\":[{\"id\":1,\"callFrame\":{\"functionName\":\"}\\\"{\",\"x\":[[]]}}],\"endTime\":"  \
    "5}"

/* As Node.js sends them. */
static const char *const recorded[] = {
    "{\"id\":1,\"result\":{}}",
    "{\"method\":\"Runtime.executionContextCreated\",\"params\":{\"context\":{\"id\":1,\"origin\":"
    "\"\",\"name\":\"node[4711]\",\"uniqueId\":\"1.2\"}}}",
    "{\"method\":\"Profiler.consoleProfileStarted\",\"params\":{\"id\":\"1\",\"location\":{"
    "\"scriptId\":\"9\",\"lineNumber\":1},\"title\":\"w-0\"}}",
    "{\"id\":2,\"result\":{\"result\":{\"type\":\"object\",\"value\":{\"ms\":1.5}}}}",
    "{\"method\":\"Profiler.consoleProfileFinished\",\"params\":{\"id\":\"1\",\"location\":{"
    "\"scriptId\":\"9\",\"lineNumber\":1},\"profile\":" PROFILE ",\"title\":\"w-0\"}}",
    "{\"error\":{\"code\":-32000,\"message\":\"not started\"},\"id\":3}",
    " {\"method\" : \"NodeRuntime.waitingForDisconnect\"} ",
};
static const char expected[] = "answer 0 ;event Runtime.executionContextCreated 1;"
                               "event Profiler.consoleProfileStarted 3;answer 1 ;"
                               "profile<" PROFILE ">w-0;"
                               "answer -1 not started;event NodeRuntime.waitingForDisconnect 0;";

static void replay(size_t piece, uint64_t *seed)
{
    struct session s;
    begin_session(&s);
    for (int i = 0; i < 3; i++) {
        command(&s, 10 + i);
    }
    for (size_t i = 0; i < SONDE_LENGTH(recorded); i++) {
        struct sonde_err err = {0};
        int r = feed(&s, sonde_str(recorded[i]), piece, seed, &err);
        assert_string_equal(err.message, "");
        assert_int_equal(r, 0);
    }
    assert_string_equal(s.log.data, expected);
    assert_int_equal(sonde_cdp_waiting_since(&s.cdp), 0);
    end_session(&s);
}

static void reads_a_recorded_session_in_any_split(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 200; piece++) {
        replay(piece, NULL);
    }
    uint64_t seed;
    sonde_random_bytes(&seed, sizeof(seed));
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 200; i++) {
        replay(0, &seed);
    }
}

static void writes_commands(void **state)
{
    (void)state;
    struct session s;
    begin_session(&s);
    command(&s, 7);
    assert_string_equal(s.command.data, "{\"id\":1,\"method\":\"Runtime.x\",\"params\":{\"a\":1}}");
    command(&s, 8);
    assert_non_null(strstr(s.command.data, "\"id\":2,"));
    assert_int_equal(sonde_cdp_waiting_since(&s.cdp), 7);
    assert_int_equal(feed(&s, SONDE_STR("{\"id\":1,\"result\":{}}"), 99, NULL, NULL), 0);
    assert_int_equal(sonde_cdp_waiting_since(&s.cdp), 8);
    for (int i = 1; i < SONDE_CDP_PENDING_MAX; i++) {
        command(&s, 9);
    }
    assert_int_equal(sonde_cdp_command(&s.cdp, "x", "{}", 9, answer, &s.command, NULL),
                     SONDE_EBUSY);
    end_session(&s);
}

static void a_command_has_a_bound(void **state)
{
    (void)state;
    struct session s;
    begin_session(&s);
    SONDE_BUF_AUTO params = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    sonde_buf_repeat(&params, ' ', SONDE_CDP_COMMAND_MAX);
    assert_int_equal(sonde_cdp_command(&s.cdp, "x", params.data, 9, answer, &s.command, NULL),
                     SONDE_ELIMIT);
    assert_int_equal(sonde_cdp_waiting_since(&s.cdp), 0); /* nobody waits for it */
    end_session(&s);
}

static void refuse(struct sonde_str text)
{
    for (size_t piece = 1; piece <= text.length; piece += piece < 20 ? 1 : text.length) {
        struct session s;
        struct sonde_err err = {0};
        begin_session(&s);
        command(&s, 1);
        assert_int_equal(feed(&s, text, piece, NULL, &err), SONDE_EPROTOCOL);
        assert_string_equal(err.reason, "ProtocolViolated");
        assert_true(err.message[0]);
        end_session(&s);
    }
}

static void refuses_what_no_inspector_sends(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[]",
        "1",
        "\"id\"",
        "null",
        "{}",
        "{\"id\":2,\"result\":{}}",
        "{\"id\":0,\"result\":{}}",
        "{\"id\":-1,\"result\":{}}",
        "{\"id\":1.5,\"result\":{}}",
        "{\"id\":\"1\",\"result\":{}}",
        "{\"id\":null,\"method\":\"x\"}",
        "{\"id\":1}",
        "{\"id\":1,\"result\":1}",
        "{\"id\":1,\"result\":{},\"error\":{}}",
        "{\"id\":1,\"result\":{}} {}",
        "{\"id\":1,\"result\":{}",
        "{\"method\":1}",
        "{\"method\":\"x\",}",
        "{\"method\":\"\xff\"}",
        "{\"method\":\"\xed\xa0\x80\"}",
        "{\"method\":\"\xc0\xaf\"}",
        "{\"method\":\"a\nb\"}",
        ("{\"method\":\"Profiler.consoleProfileFinished\",\"params\":{\"profile\":{},\"profile\":{}"
         "}"
         "}"),
        "{\"id\":1,\"method\":\"Profiler.consoleProfileFinished\",\"params\":{\"profile\":{}}}",
        "{\"method\":\"Profiler.consoleProfileFinished\",\"params\":{\"profile\":{]}}",
    };
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        refuse(sonde_str(texts[i]));
    }
}

static void refuses_deep_nesting(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_buf_text(&text, "{\"method\":\"x\",\"params\":");
    sonde_buf_repeat(&text, '[', 100000);
    refuse(sonde_buf_view(&text));
    sonde_buf_clear(&text);
    sonde_buf_text(
        &text, "{\"method\":\"Profiler.consoleProfileFinished\",\"params\":{\"profile\":{\"a\":");
    sonde_buf_repeat(&text, '[', 100000);
    refuse(sonde_buf_view(&text));
}

static void a_cut_message_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SONDE_LENGTH(recorded); i++) {
        struct sonde_str text = sonde_str_trim(sonde_str(recorded[i]));
        for (size_t length = 0; length < text.length; length++) {
            struct session s;
            begin_session(&s);
            for (int n = 0; n < 3; n++) {
                command(&s, 1);
            }
            assert_int_equal(feed(&s, (struct sonde_str){text.data, length}, 7, NULL, NULL),
                             SONDE_EPROTOCOL);
            end_session(&s);
        }
    }
}

static void an_answer_comes_once(void **state)
{
    (void)state;
    struct session s;
    begin_session(&s);
    command(&s, 1);
    assert_int_equal(feed(&s, sonde_str(recorded[0]), 5, NULL, NULL), 0);
    assert_int_equal(feed(&s, sonde_str(recorded[0]), 5, NULL, NULL), SONDE_EPROTOCOL);
    end_session(&s);
}

/* Streams `bytes` bytes of a message in pieces of 4 KiB, between head and tail. */
static int feed_large(struct session *s, const char *head, const char *tail, size_t bytes)
{
    char piece[4096];
    memset(piece, 'x', sizeof(piece));
    int r = sonde_cdp_feed(&s->cdp, head, strlen(head), true, false, NULL);
    for (size_t i = 0; i < bytes && r == 0; i += sizeof(piece)) {
        r = sonde_cdp_feed(&s->cdp, piece, sizeof(piece), false, false, NULL);
    }
    return r < 0 ? r : sonde_cdp_feed(&s->cdp, tail, strlen(tail), false, true, NULL);
}

static void a_large_event_is_passed_over(void **state)
{
    (void)state;
    struct session s;
    begin_session(&s);
    SONDE_BUF_AUTO head = SONDE_BUF(1 << 20);
    sonde_buf_text(&head, "{\"method\":\"x\",\"params\":{\"a\":[\"\"");
    for (int i = 0; i < 30000; i++) {
        sonde_buf_text(&head, ",\"12345678\"");
    }
    sonde_buf_text(&head, ",\"");
    assert_true(head.length > SONDE_CDP_HELD_MAX);
    assert_int_equal(feed_large(&s, head.data, "\"]}}", 8192), 0);
    assert_int_equal(s.log.length, 0);
    assert_true(s.cdp.held.capacity <= SONDE_CDP_HELD_MAX + 1);
    /* and what follows is read again */
    assert_int_equal(feed(&s, sonde_str(recorded[6]), 9, NULL, NULL), 0);
    assert_string_equal(s.log.data, "event NodeRuntime.waitingForDisconnect 0;");
    end_session(&s);
}

static void a_large_answer_is_refused(void **state)
{
    (void)state;
    struct session s;
    begin_session(&s);
    command(&s, 1);
    SONDE_BUF_AUTO head = SONDE_BUF(1 << 20);
    sonde_buf_text(&head, "{\"id\":1,\"result\":{\"a\":[\"\"");
    for (int i = 0; i < 30000; i++) {
        sonde_buf_text(&head, ",\"12345678\"");
    }
    sonde_buf_text(&head, ",\"");
    assert_int_equal(feed_large(&s, head.data, "\"]}}", 4096), SONDE_EPROTOCOL);
    assert_int_equal(s.log.length, 0);
    end_session(&s);
}

static void one_huge_string_is_refused(void **state)
{
    (void)state;
    struct session s;
    begin_session(&s);
    assert_int_equal(feed_large(&s, "{\"method\":\"", "\"}", 1 << 20), SONDE_EPROTOCOL);
    end_session(&s);
}

static void a_large_profile_is_streamed(void **state)
{
    (void)state;
    struct session s;
    begin_session(&s);
    const size_t bytes = 512 << 10;
    assert_int_equal(feed_large(&s,
                                "{\"method\":\"Profiler.consoleProfileFinished\",\"params\":{"
                                "\"profile\":{\"a\":\"",
                                "\"},\"title\":\"t\"}}", bytes),
                     0);
    assert_int_equal(s.log.length, strlen("profile<{\"a\":\"") + bytes + strlen("\"}>t;"));
    assert_true(s.cdp.held.capacity < 8192); /* nothing of it is held */
    end_session(&s);
}

static void an_answer_is_streamed(void **state)
{
    (void)state;
    static sonde_cdp_path profile = {"result", "profile"};
    static sonde_cdp_path value = {"result", "result", "value"};
    static sonde_cdp_path source = {"result", "scriptSource"};
    static const struct {
        sonde_cdp_path *path;
        const char *text, *log; /* log NULL: refused */
    } cases[] = {
        {&profile, "{\"id\":1,\"result\":{\"profile\":{\"a\":[1]}}}",
         "answer<{\"a\":[1]}>;answer 0 ;"},
        {&profile, "{\"id\":1,\"result\":{\"x\":[{\"profile\":[]}],\"profile\":[2]}}",
         "answer<[2]>;answer 0 ;"},
        {&value, "{\"id\":1,\"result\":{\"result\":{\"type\":\"object\",\"value\":{\"b\":{}}}}}",
         "answer<{\"b\":{}}>;answer 0 ;"},
        {&source,
         "{\"id\":1,\"result\":{\"scriptSource\":\"a\\n\\u00e9\\\"\xc3\xa9\\ud83d\\ude00"
         "0123456789\\\\ 0123456789\",\"other\":1}}",
         "answer<a\n\xc3\xa9\"\xc3\xa9\xf0\x9f\x98\x80"
         "0123456789\\ 0123456789>;answer 0 ;"},
        {&source, "{\"id\":1,\"result\":{\"scriptSource\":\"\"}}", "answer<>;answer 0 ;"},
        {&source, "{\"id\":1,\"result\":{\"scriptSource\":[\"a\"]}}", "answer<[\"a\"]>;answer 0 ;"},
        {&source, "{\"id\":1,\"result\":{\"scriptSource\":7,\"x\":\"y\"}}", "answer 2 ;"},
        {&source, "{\"id\":1,\"result\":{\"scriptSource\":\"a\\x\"}}", NULL},
        {&source, "{\"id\":1,\"result\":{\"scriptSource\":\"a\x01 0123456789\"}}", NULL},
        {&source, "{\"id\":1,\"result\":{\"scriptSource\":\"\xc3 0123456789\"}}", NULL},
        {&source, "{\"id\":1,\"result\":{\"scriptSource\":\"a\",\"scriptSource\":\"b\"}}", NULL},
        /* refused, or elsewhere: held as any other answer */
        {&profile, "{\"id\":1,\"error\":{\"code\":1,\"message\":\"no\"}}", "answer -1 no;"},
        {&profile, "{\"id\":1,\"result\":{\"result\":{\"profile\":{}}}}", "answer 1 ;"},
        {&profile, "{\"id\":1,\"result\":[{\"profile\":{}}]}", NULL},
        {&profile, "{\"id\":1,\"result\":{\"profile\":1}}", "answer 1 ;"},
        {&profile, "{\"result\":{\"profile\":{}},\"id\":1}", "answer 1 ;"},
        {&profile, "{\"id\":1,\"result\":{\"profile\":{},\"profile\":{}}}", NULL},
        {&profile, "{\"id\":1,\"result\":{\"profile\":{}},\"id\":2}", NULL},
        {&profile, "{\"id\":2,\"result\":{\"profile\":{}}}", NULL},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        for (size_t piece = 1; piece < 40; piece++) {
            struct session s;
            begin_session(&s);
            command(&s, 1);
            sonde_cdp_stream_answer(&s.cdp, cases[i].path);
            int r = feed(&s, sonde_str(cases[i].text), piece, NULL, NULL);
            assert_int_equal(r, cases[i].log ? 0 : SONDE_EPROTOCOL);
            if (cases[i].log) {
                assert_string_equal(s.log.data, cases[i].log);
                assert_int_equal(sonde_cdp_waiting_since(&s.cdp), 0);
            }
            end_session(&s);
        }
    }
}

static void messages_of_workers_are_streamed(void **state)
{
    (void)state;
    static const char text[] = "{\"method\":\"NodeWorker.receivedMessageFromWorker\",\"params\":{"
                               "\"sessionId\":\"7\",\"message\":\"{\\\"id\\\":1}\"}}";
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        struct session s;
        begin_session(&s);
        assert_int_equal(feed(&s, sonde_str(text), piece, NULL, NULL), 0);
        assert_string_equal(s.log.data, "worker<{\"id\":1}>;");
        assert_string_equal(s.cdp.worker, "7");
        end_session(&s);
    }
}

static void chunks_of_a_heap_snapshot_are_streamed(void **state)
{
    (void)state;
    static const char message[] =
        "{\"method\":\"HeapProfiler.addHeapSnapshotChunk\",\"params\":{\"chunk\":"
        "\"{\\\"nodes\\\":[9,1,1,0,13,0\\n,9,2,3,0,18,0\\n\\n12345678\"}}";
    for (size_t piece = 1; piece < sizeof(message); piece++) {
        struct session s;
        begin_session(&s);
        assert_int_equal(
            feed(&s, (struct sonde_str){message, sizeof(message) - 1}, piece, NULL, NULL), 0);
        assert_int_equal(
            feed(&s, (struct sonde_str){message, sizeof(message) - 1}, piece, NULL, NULL), 0);
        assert_string_equal(s.log.data,
                            "chunk<{\"nodes\":[9,1,1,0,13,0\n,9,2,3,0,18,0\n\n12345678>;"
                            "chunk<{\"nodes\":[9,1,1,0,13,0\n,9,2,3,0,18,0\n\n12345678>;");
        end_session(&s);
    }
}

static void a_long_string_is_streamed(void **state)
{
    (void)state;
    struct session s;
    begin_session(&s);
    const size_t bytes = 900 << 10;
    assert_int_equal(feed_large(&s,
                                "{\"method\":\"HeapProfiler.addHeapSnapshotChunk\",\"params\":{"
                                "\"chunk\":\"",
                                "\"}}", bytes),
                     0);
    assert_int_equal(s.log.length, strlen("chunk<") + bytes + strlen(">;"));
    assert_true(s.cdp.held.capacity <= 2 * SONDE_CDP_TEXT_PIECE);
    end_session(&s);
}

static void pieces_must_be_in_order(void **state)
{
    (void)state;
    struct session s;
    begin_session(&s);
    assert_int_equal(sonde_cdp_feed(&s.cdp, "{", 1, false, false, NULL), SONDE_EPROTOCOL);
    end_session(&s);
    begin_session(&s);
    assert_int_equal(sonde_cdp_feed(&s.cdp, "{", 1, true, false, NULL), 0);
    assert_int_equal(sonde_cdp_feed(&s.cdp, "{", 1, true, false, NULL), SONDE_EPROTOCOL);
    end_session(&s); /* in the middle of a message: nothing is kept */
}

static void a_callback_ends_the_session(void **state)
{
    (void)state;
    static const size_t messages[] = {0, 1, 4, 5};
    for (size_t i = 0; i < SONDE_LENGTH(messages); i++) {
        struct session s;
        struct sonde_err err = {0};
        begin_session(&s);
        for (int n = 0; n < 3; n++) {
            command(&s, 1);
        }
        s.fail_with = SONDE_ENOSPACE;
        assert_int_equal(feed(&s, sonde_str(recorded[messages[i]]), 3, NULL, &err), SONDE_ENOSPACE);
        assert_string_equal(err.message, "the callback refused");
        end_session(&s);
    }
}

static void names_are_cut(void **state)
{
    (void)state;
    struct session s;
    begin_session(&s);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_buf_text(&text, "{\"");
    sonde_buf_repeat(&text, 'k', 1000);
    sonde_buf_text(&text, "\":1,\"method\":\"Profiler.consoleProfileFinished\",\"params\":{"
                          "\"profile\":{},\"title\":\"");
    sonde_buf_repeat(&text, 't', 1000);
    sonde_buf_text(&text, "\"}}");
    assert_int_equal(feed(&s, sonde_buf_view(&text), 17, NULL, NULL), 0);
    assert_int_equal(s.log.length, strlen("profile<{}>;") + SONDE_CDP_NAME_MAX - 1);
    end_session(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_recorded_session_in_any_split),
        cmocka_unit_test(writes_commands),
        cmocka_unit_test(a_command_has_a_bound),
        cmocka_unit_test(refuses_what_no_inspector_sends),
        cmocka_unit_test(refuses_deep_nesting),
        cmocka_unit_test(a_cut_message_is_refused),
        cmocka_unit_test(an_answer_comes_once),
        cmocka_unit_test(a_large_event_is_passed_over),
        cmocka_unit_test(a_large_answer_is_refused),
        cmocka_unit_test(one_huge_string_is_refused),
        cmocka_unit_test(a_large_profile_is_streamed),
        cmocka_unit_test(an_answer_is_streamed),
        cmocka_unit_test(messages_of_workers_are_streamed),
        cmocka_unit_test(chunks_of_a_heap_snapshot_are_streamed),
        cmocka_unit_test(a_long_string_is_streamed),
        cmocka_unit_test(pieces_must_be_in_order),
        cmocka_unit_test(a_callback_ends_the_session),
        cmocka_unit_test(names_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
