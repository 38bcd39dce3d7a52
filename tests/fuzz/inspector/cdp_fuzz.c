/* SPDX-License-Identifier: Apache-2.0 */
/* Messages from an inspector that may be anything. The first byte chooses the size of the pieces; a
 * NUL byte parts two messages. Three commands wait for an answer, two of them for one that is
 * streamed. */
#include <stdlib.h>

#include "inspector/cdp.h"
#include "spec/reason.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sink {
    bool open;
    size_t bytes;
};

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static int begin(void *context, enum sonde_cdp_stream stream, struct sonde_err *err)
{
    (void)stream;
    (void)err;
    struct sink *sink = context;
    must(!sink->open);
    sink->open = true;
    return 0;
}

static int piece(void *context, const char *data, size_t length, struct sonde_err *err)
{
    (void)data;
    (void)err;
    struct sink *sink = context;
    must(sink->open);
    sink->bytes += length;
    return 0;
}

static int end(void *context, const char *title, struct sonde_err *err)
{
    (void)err;
    struct sink *sink = context;
    must(sink->open && strlen(title) < SONDE_CDP_NAME_MAX);
    sink->open = false;
    return 0;
}

static int event(void *context, const char *method, const cJSON *params, struct sonde_err *err)
{
    (void)context;
    (void)params;
    (void)err;
    must(method != NULL);
    return 0;
}

static int answer(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    (void)context;
    (void)err;
    must((result == NULL) != (failure == NULL));
    return 0;
}

static int feed_message(struct sonde_cdp *cdp, struct sonde_str text, size_t step,
                        struct sonde_err *err)
{
    bool first = true;
    int r = 0;
    do {
        size_t length = text.length < step ? text.length : step;
        r = sonde_cdp_feed(cdp, text.data, length, first, length == text.length, err);
        first = false;
        text.data += length;
        text.length -= length;
    } while (text.length && r == 0);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    static sonde_cdp_path paths[] = {{"result", "profile"}, {"result", "result", "value"}};
    struct sink sink = {0};
    struct sonde_cdp_callbacks callbacks = {&sink, begin, piece, end, event};
    struct sonde_cdp cdp;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO command = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    sonde_cdp_init(&cdp, &callbacks);
    for (int64_t i = 1; i <= 3; i++) {
        must(sonde_cdp_command(&cdp, "Runtime.evaluate", "{}", i, answer, &command, &err) == 0);
        if (i > 1) {
            sonde_cdp_stream_answer(&cdp, &paths[i - 2]);
        }
    }
    struct sonde_str rest = {(const char *)data + 1, size - 1};
    int r = 0;
    while (rest.length && r == 0) {
        r = feed_message(&cdp, sonde_str_split(&rest, '\0'), (size_t)data[0] + 1, &err);
    }
    must(r == 0 || (err.reason && strcmp(err.reason, SONDE_REASON_PROTOCOL_VIOLATED) == 0));
    sonde_cdp_fini(&cdp);
    return 0;
}
