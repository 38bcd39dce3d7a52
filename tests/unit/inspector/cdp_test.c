/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inspector/cdp.h"
#include "spec/reason.h"

/* What a session said, as text. */
struct log {
    struct sonde_buf text;
    int answer_code; /* what the answer callback returns */
};

static int begin(void *context, struct sonde_err *err)
{
    (void)err;
    sonde_buf_text(&((struct log *)context)->text, "begin;");
    return 0;
}

static int piece(void *context, const char *data, size_t length, struct sonde_err *err)
{
    (void)err;
    sonde_buf_append(&((struct log *)context)->text, data, length);
    return 0;
}

static int end(void *context, const char *title, struct sonde_err *err)
{
    (void)err;
    sonde_buf_printf(&((struct log *)context)->text, ";end(%s)", title);
    return 0;
}

static int event(void *context, const char *method, const cJSON *params, struct sonde_err *err)
{
    (void)params;
    (void)err;
    sonde_buf_printf(&((struct log *)context)->text, "event(%s)", method);
    return 0;
}

static int answer(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct log *log = context;
    sonde_buf_printf(&log->text, result ? "result" : "failure(%s)", failure);
    return log->answer_code ? sonde_fail(err, log->answer_code, 0, "refused by the test") : 0;
}

static void open_session(struct sonde_cdp *cdp, struct log *log, int commands)
{
    struct sonde_cdp_callbacks callbacks = {log, begin, piece, end, event};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    *log = (struct log){.text = SONDE_BUF(1 << 20)};
    sonde_cdp_init(cdp, &callbacks);
    for (int i = 1; i <= commands; i++) {
        assert_int_equal(
            sonde_cdp_command(cdp, "Runtime.evaluate", "{\"a\":1}", i, answer, &text, NULL), 0);
    }
    if (commands == 1) {
        assert_string_equal(text.data,
                            "{\"id\":1,\"method\":\"Runtime.evaluate\",\"params\":{\"a\":1}}");
    }
}

static int feed(struct sonde_cdp *cdp, struct sonde_str message, size_t step, struct sonde_err *err)
{
    bool first = true;
    int r = 0;
    do {
        size_t length = message.length < step ? message.length : step;
        r = sonde_cdp_feed(cdp, message.data, length, first, length == message.length, err);
        first = false;
        message.data += length;
        message.length -= length;
    } while (message.length && r == 0);
    return r;
}

static void messages_may_be_cut_anywhere(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        const char *said;
    } cases[] = {
        {"{\"id\":1,\"result\":{\"x\":{\"id\":5}}}", "result"},
        {"{\"id\":1,\"error\":{\"code\":-32000,\"message\":\"no \\\"such\\\" thing\"}}",
         "failure(no \"such\" thing)"},
        {"{\"method\":\"Profiler.consoleProfileStarted\",\"params\":{\"id\":\"1\"}}",
         "event(Profiler.consoleProfileStarted)"},
        {"{\"method\":\"Profiler.consoleProfileFinished\",\"params\":{\"id\":\"1\",\"location\":{},"
         "\"profile\":{\"nodes\":[{\"a\":\"}\"}]},\"title\":\"w1\"}}",
         "begin;{\"nodes\":[{\"a\":\"}\"}]};end(w1)"},
        /* "profile" elsewhere is not one. */
        {"{\"method\":\"X.y\",\"params\":{\"profile\":{\"a\":1}}}", "event(X.y)"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        for (size_t step = 1; step <= strlen(cases[i].message); step++) {
            struct sonde_cdp cdp;
            struct log log;
            open_session(&cdp, &log, 1);
            assert_int_equal(feed(&cdp, sonde_str(cases[i].message), step, NULL), 0);
            assert_string_equal(log.text.data, cases[i].said);
            sonde_buf_fini(&log.text);
            sonde_cdp_fini(&cdp);
        }
    }
}

static void hostile_messages_end_the_session(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "{\"id\":2,\"result\":{}}",
        "{\"id\":-1,\"result\":{}}",
        "{\"id\":1.5,\"result\":{}}",
        "{\"id\":\"1\",\"result\":{}}",
        "{\"id\":1}",
        "{\"id\":1,\"result\":{},\"error\":{}}",
        "{\"id\":1,\"result\":7}",
        "[1]",
        "7",
        "{}",
        "",
        "{\"id\":1,\"result\":{}",
        "{\"id\":1,\"result\":{}}}",
        "{\"method\":7}",
        "{\"method\":\"Profiler.consoleProfileFinished\",\"params\":{\"profile\":{},\"profile\":{}}"
        "}",
        "{\"id\":1,\"method\":\"Profiler.consoleProfileFinished\",\"params\":{\"profile\":{}}}",
        "{\"method\":\"Profiler.consoleProfileFinished\",\"params\":{\"profile\":{\"nodes\":[}}}",
        "{\"method\":\"a\xff\"}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    };
    for (size_t i = 0; i < SONDE_LENGTH(messages); i++) {
        struct sonde_cdp cdp;
        struct log log;
        struct sonde_err err = {0};
        open_session(&cdp, &log, 1);
        assert_int_equal(feed(&cdp, sonde_str(messages[i]), 5, &err), SONDE_EPROTOCOL);
        assert_string_equal(err.reason, SONDE_REASON_PROTOCOL_VIOLATED);
        sonde_buf_fini(&log.text);
        sonde_cdp_fini(&cdp);
    }
}

static void large_events_pass_by_and_large_answers_do_not(void **state)
{
    (void)state;
    SONDE_BUF_AUTO filler = SONDE_BUF(1 << 20);
    sonde_buf_repeat(&filler, 'x', 200000);
    for (int kind = 0; kind < 2; kind++) {
        SONDE_BUF_AUTO message = SONDE_BUF(1 << 20);
        sonde_buf_printf(&message,
                         kind ? "{\"id\":1,\"result\":{" : "{\"method\":\"a.b\",\"params\":{");
        for (int part = 0; part < 3; part++) {
            sonde_buf_printf(&message, "%s\"k%d\":\"", part ? "," : "", part);
            sonde_buf_str(&message, sonde_buf_view(&filler));
            sonde_buf_char(&message, '"');
        }
        sonde_buf_text(&message, "}}");
        struct sonde_cdp cdp;
        struct log log;
        open_session(&cdp, &log, 1);
        assert_int_equal(feed(&cdp, sonde_buf_view(&message), 65536, NULL),
                         kind ? SONDE_EPROTOCOL : 0);
        sonde_buf_fini(&log.text);
        sonde_cdp_fini(&cdp);
    }
}

static void pieces_out_of_order_are_refused(void **state)
{
    (void)state;
    struct sonde_cdp cdp;
    struct log log;
    open_session(&cdp, &log, 1);
    assert_int_equal(sonde_cdp_feed(&cdp, "{", 1, false, false, NULL), SONDE_EPROTOCOL);
    assert_int_equal(sonde_cdp_feed(&cdp, "{", 1, true, false, NULL), 0);
    assert_int_equal(sonde_cdp_feed(&cdp, "{", 1, true, false, NULL), SONDE_EPROTOCOL);
    sonde_buf_fini(&log.text);
    sonde_cdp_fini(&cdp);
}

static void commands_are_bounded_and_waited_for(void **state)
{
    (void)state;
    struct sonde_cdp cdp;
    struct log log;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    open_session(&cdp, &log, SONDE_CDP_PENDING_MAX);
    assert_int_equal(sonde_cdp_command(&cdp, "A.b", "{}", 99, answer, &text, NULL), SONDE_EBUSY);
    assert_int_equal(sonde_cdp_waiting_since(&cdp), 1);
    assert_int_equal(feed(&cdp, SONDE_STR("{\"id\":1,\"result\":{}}"), 9, NULL), 0);
    assert_int_equal(sonde_cdp_waiting_since(&cdp), 2);
    /* An answer counts once. */
    assert_int_equal(feed(&cdp, SONDE_STR("{\"id\":1,\"result\":{}}"), 9, NULL), SONDE_EPROTOCOL);
    sonde_buf_fini(&log.text);
    sonde_cdp_fini(&cdp);

    struct sonde_err err = {0};
    open_session(&cdp, &log, 1);
    log.answer_code = SONDE_ENOSPACE;
    assert_int_equal(feed(&cdp, SONDE_STR("{\"id\":1,\"result\":{}}"), 9, &err), SONDE_ENOSPACE);
    assert_string_equal(err.message, "refused by the test");
    sonde_buf_fini(&log.text);
    sonde_cdp_fini(&cdp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_may_be_cut_anywhere),
        cmocka_unit_test(hostile_messages_end_the_session),
        cmocka_unit_test(large_events_pass_by_and_large_answers_do_not),
        cmocka_unit_test(pieces_out_of_order_are_refused),
        cmocka_unit_test(commands_are_bounded_and_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
