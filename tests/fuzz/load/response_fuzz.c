/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what a server answers: the first says what was asked and how large the pieces are.
 * In pieces they say the same as in one, where heads are remembered too. */
#include <stdlib.h>

#include "load/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

struct read {
    unsigned responses;
    int code;
    uint64_t wire, body;
    int status;
    bool keep_alive;
};

static struct read read_all(struct sonde_str text, enum sonde_request_kind kind, size_t piece,
                            struct sonde_response_memo *memo)
{
    struct read ret = {0};
    struct sonde_response r;
    struct sonde_err err = {0};
    size_t begin = 0;
    size_t end = 0;
    sonde_response_begin(&r, kind, NULL);
    r.memo = memo;
    while (ret.code == 0 && end < text.length) {
        end = text.length - end < piece ? text.length : end + piece;
        for (;;) {
            size_t used;
            ret.code = sonde_response_feed(&r, text.data + begin, end - begin, &used, &err);
            must(ret.code == 0 || err.message[0]);
            must(used <= end - begin);
            if (ret.code < 0) {
                return ret;
            }
            begin += used;
            ret.wire += used;
            if (r.state != SONDE_RESPONSE_COMPLETE) {
                must(end - begin <= SONDE_RESPONSE_HEAD_MAX);
                break;
            }
            must(r.status >= 100 && r.status <= 999 && r.body <= r.wire);
            ret.responses++;
            ret.body += r.body;
            ret.status = r.status;
            ret.keep_alive = r.keep_alive;
            sonde_response_begin(&r, kind, NULL);
            r.memo = memo;
        }
    }
    return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    enum sonde_request_kind kind = (enum sonde_request_kind)(data[0] % 3);
    struct sonde_str text = {(const char *)data + 1, size - 1};
    static struct sonde_response_memo memo; /* also of earlier inputs */
    struct read whole = read_all(text, kind, SIZE_MAX, NULL);
    struct read pieces = read_all(text, kind, 1 + data[0] / 3, &memo);
    must(whole.code == pieces.code && whole.responses == pieces.responses);
    must(whole.code || (whole.wire == pieces.wire && whole.body == pieces.body));
    must(whole.status == pieces.status && whole.keep_alive == pieces.keep_alive);
    return 0;
}
