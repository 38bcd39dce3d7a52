/* SPDX-License-Identifier: Apache-2.0 */
#include "results/recognize.h"

#include "profile/heapprofile.h"
#include "spec/artifact.h"

enum { CPUPROFILE, HEAPPROFILE, HEAPSNAPSHOT, COVERAGE, PPROF, FOLDED };
enum { DEPTH_MAX = 2 * SONDE_HEAPPROFILE_STACK_MAX + 16, STRING_MAX = 1 << 20, DECIDED = 1 };

static const struct sonde_import_format formats[] = {
    [CPUPROFILE] = {"cpuprofile", SONDE_ARTIFACT_CPU_PROFILE, "cpu", "application/json", "nodes"},
    [HEAPPROFILE] = {"heapprofile", SONDE_ARTIFACT_HEAP_PROFILE, "heap", "application/json",
                     "head"},
    [HEAPSNAPSHOT] = {"heapsnapshot", SONDE_ARTIFACT_HEAP_SNAPSHOT, "snapshot", "application/json",
                      "snapshot"},
    [COVERAGE] = {"V8 coverage", SONDE_ARTIFACT_COVERAGE, "coverage", "application/json", "result"},
    [PPROF] = {"pprof", SONDE_ARTIFACT_PPROF, "cpu", "application/octet-stream", NULL},
    [FOLDED] = {"folded stacks", SONDE_ARTIFACT_FOLDED_TIME, "cpu", "text/plain", NULL},
};

/* A key of the outermost object decides: the first that a format has for itself. */
static int on_token(void *context, struct sonde_json_scanner *scanner,
                    const struct sonde_json_token *token, struct sonde_err *err)
{
    (void)scanner;
    (void)err;
    struct sonde_recognizer *r = context;
    if (token->event != SONDE_JSON_KEY || token->depth != 1 || r->found) {
        return 0;
    }
    for (size_t i = 0; i < SONDE_LENGTH(formats); i++) {
        if (formats[i].json_key && sonde_str_is(token->text, formats[i].json_key)) {
            r->found = &formats[i];
        }
    }
    return 0;
}

void sonde_recognizer_init(struct sonde_recognizer *recognizer)
{
    *recognizer = (struct sonde_recognizer){.head = SONDE_BUF(SONDE_RECOGNIZE_HEAD_MAX)};
    sonde_json_scanner_init(&recognizer->scanner,
                            (struct sonde_json_limits){.depth = DEPTH_MAX, .string = STRING_MAX},
                            on_token, recognizer);
}

void sonde_recognizer_fini(struct sonde_recognizer *recognizer)
{
    sonde_buf_fini(&recognizer->head);
    sonde_json_scanner_fini(&recognizer->scanner);
}

static bool is_text(struct sonde_str head)
{
    for (size_t i = 0; i < head.length; i++) {
        unsigned char c = (unsigned char)head.data[i];
        if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Lines of text, the first of which ends in a number. */
static bool is_folded(struct sonde_str head)
{
    bool cut = head.length == SONDE_RECOGNIZE_HEAD_MAX;
    while (head.data) {
        struct sonde_str line = sonde_str_trim(sonde_str_split(&head, '\n'));
        if (line.length && line.data[0] != '#') {
            const char *space = memrchr(line.data, ' ', line.length);
            char last = line.data[line.length - 1];
            /* A first line that is longer than the head has no end to look at. */
            return (cut && !head.data) || (space && last >= '0' && last <= '9');
        }
    }
    return false;
}

/* By its first bytes: 1 when they say what it is. */
static int look_at_head(struct sonde_recognizer *r, struct sonde_err *err)
{
    struct sonde_str head = sonde_str_trim(sonde_buf_view(&r->head));
    bool gzip = sonde_str_starts(sonde_buf_view(&r->head), "\x1f\x8b");
    if (head.length && head.data[0] == '{' && !gzip) {
        r->is_json = true;
        int code = sonde_json_scan(&r->scanner, r->head.data, r->head.length, err);
        return code < 0 ? code : r->found != NULL;
    }
    bool text = is_text(sonde_buf_view(&r->head));
    if (text && is_folded(sonde_buf_view(&r->head))) {
        r->found = &formats[FOLDED];
    } else if (gzip || (!text && (r->head.data[0] & 7) == 2)) {
        r->found = &formats[PPROF]; /* a message begins with a field of bytes */
    }
    return r->found != NULL;
}

int sonde_recognizer_feed(struct sonde_recognizer *r, const char *data, size_t length,
                          struct sonde_err *err)
{
    if (r->found) {
        return DECIDED;
    }
    if (!r->is_json && r->head.length < SONDE_RECOGNIZE_HEAD_MAX) {
        size_t room = SONDE_RECOGNIZE_HEAD_MAX - r->head.length;
        size_t taken = length < room ? length : room;
        sonde_buf_append(&r->head, data, taken);
        data += taken;
        length -= taken;
        int code = sonde_buf_check(&r->head, "the file's beginning", err);
        if (code == 0 && r->head.length == SONDE_RECOGNIZE_HEAD_MAX) {
            code = look_at_head(r, err);
        }
        if (code != 0) {
            return code;
        }
    }
    if (!r->is_json) {
        return 0;
    }
    int code = sonde_json_scan(&r->scanner, data, length, err);
    return code < 0 ? code : r->found != NULL;
}

int sonde_recognizer_finish(struct sonde_recognizer *r, struct sonde_err *err)
{
    if (!r->found && !r->is_json) {
        int code = look_at_head(r, err);
        if (code < 0) {
            return code;
        }
    }
    if (!r->found) {
        return sonde_fail(
            err, SONDE_EINVALID, 0,
            "it is no cpuprofile, heapprofile, heapsnapshot, pprof, folded stacks or V8 "
            "coverage");
    }
    return 0;
}
