/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_stream FILE: what it costs to receive a heap snapshot, without its connection. The file
 * is made the frames that Node.js would send; then the CPU time of reading them is taken once for
 * each step of the way: frames and messages, redaction, SHA-256, compression. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "codec/compress.h"
#include "codec/digest.h"
#include "heap/redact.h"
#include "http/websocket.h"
#include "http/websocket_frames.h"
#include "inspector/cdp.h"

enum { CHUNK = 100 << 10, TIMES = 5 }; /* V8's chunks */

static const size_t file_max = (size_t)1 << 31;

enum step { MESSAGES, REDACTION, DIGEST, COMPRESSION, STEPS };

struct receiver {
    enum step last; /* the last step that is taken */
    struct sonde_heap_redactor *redactor;
    struct sonde_sha256 *digest;
    struct sonde_stream *zstd;
    uint64_t plain, redacted, compressed; /* bytes */
};

static void must(int code, const struct sonde_err *err)
{
    if (code < 0) {
        (void)fprintf(stderr, "snapshot_stream: %s\n", err->message);
        exit(1);
    }
}

static int count(void *context, const void *data, size_t length, struct sonde_err *err)
{
    (void)data;
    (void)err;
    ((struct receiver *)context)->compressed += length;
    return 0;
}

static int take_redacted(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct receiver *receiver = context;
    receiver->redacted += length;
    if (receiver->last >= DIGEST) {
        sonde_sha256_add(receiver->digest, data, length);
    }
    return receiver->last >= COMPRESSION ? sonde_stream_feed(receiver->zstd, data, length, err) : 0;
}

static int stream_begin(void *context, enum sonde_cdp_stream stream, struct sonde_err *err)
{
    (void)context;
    (void)stream;
    (void)err;
    return 0;
}

static int stream_data(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct receiver *receiver = context;
    receiver->plain += length;
    return receiver->last >= REDACTION ? sonde_heap_redact(receiver->redactor, data, length, err)
                                       : 0;
}

static int stream_end(void *context, const char *title, struct sonde_err *err)
{
    (void)context;
    (void)title;
    (void)err;
    return 0;
}

static int event(void *context, const char *method, const cJSON *params, struct sonde_err *err)
{
    (void)context;
    (void)method;
    (void)params;
    (void)err;
    return 0;
}

static void frame(struct sonde_buf *buf, struct sonde_str payload)
{
    const unsigned char head[] = {0x80 | SONDE_FRAME_TEXT,
                                  127,
                                  0,
                                  0,
                                  0,
                                  0,
                                  (unsigned char)(payload.length >> 24),
                                  (unsigned char)(payload.length >> 16),
                                  (unsigned char)(payload.length >> 8),
                                  (unsigned char)payload.length};
    sonde_buf_append(buf, head, sizeof(head));
    sonde_buf_str(buf, payload);
}

static void make_frames(struct sonde_str snapshot, struct sonde_buf *ret)
{
    struct sonde_err err;
    SONDE_BUF_AUTO message = SONDE_BUF(8 * CHUNK);
    while (snapshot.length) {
        size_t length = snapshot.length < CHUNK ? snapshot.length : CHUNK;
        while (length < snapshot.length && (snapshot.data[length] & 0xc0) == 0x80) {
            length--; /* not within a character */
        }
        sonde_buf_clear(&message);
        sonde_buf_text(&message,
                       "{\"method\":\"HeapProfiler.addHeapSnapshotChunk\",\"params\":{\"chunk\":");
        sonde_buf_json_string(&message, (struct sonde_str){snapshot.data, length});
        sonde_buf_text(&message, "}}");
        must(sonde_buf_check(&message, "a message", &err), &err);
        frame(ret, sonde_buf_view(&message));
        snapshot.data += length;
        snapshot.length -= length;
    }
    must(sonde_buf_check(ret, "the frames", &err), &err);
}

static void receive(struct receiver *receiver, struct sonde_str bytes)
{
    static struct sonde_cdp cdp;
    struct sonde_cdp_callbacks callbacks = {receiver, stream_begin, stream_data, stream_end, event};
    struct sonde_frames frames;
    struct sonde_frame_piece piece;
    struct sonde_err err;
    sonde_cdp_init(&cdp, &callbacks);
    sonde_frames_init(&frames, SONDE_CDP_MESSAGE_MAX);
    while (bytes.length) {
        size_t length =
            bytes.length < SONDE_WEBSOCKET_PIECE_MAX ? bytes.length : SONDE_WEBSOCKET_PIECE_MAX;
        struct sonde_str input = {bytes.data, length};
        int r;
        while ((r = sonde_frames_read(&frames, &input, &piece, &err)) == 1) {
            must(sonde_cdp_feed(&cdp, piece.data.data, piece.data.length, piece.first, piece.last,
                                &err),
                 &err);
        }
        must(r, &err);
        bytes.data += length;
        bytes.length -= length;
    }
    sonde_cdp_fini(&cdp);
}

static double cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* CPU seconds. */
static double run(struct receiver *receiver, const struct sonde_words *words,
                  struct sonde_str frames)
{
    struct sonde_err err;
    struct sonde_heap_redact_options options = {words, false, take_redacted, receiver};
    char sha256[SONDE_DIGEST_SIZE];
    receiver->plain = receiver->redacted = receiver->compressed = 0;
    must(sonde_heap_redactor_new(&options, &receiver->redactor, &err), &err);
    must(sonde_sha256_new(&receiver->digest, &err), &err);
    must(sonde_compressor_new(SONDE_ZSTD, count, receiver, &receiver->zstd, &err), &err);
    double begin = cpu_seconds();
    receive(receiver, frames);
    if (receiver->last >= REDACTION) {
        must(sonde_heap_redact_finish(receiver->redactor, NULL, &err), &err);
    }
    sonde_sha256_end(receiver->digest, sha256);
    must(sonde_stream_finish(receiver->zstd, &err), &err);
    double seconds = cpu_seconds() - begin;
    sonde_heap_redactor_free(receiver->redactor);
    sonde_sha256_free(receiver->digest);
    sonde_stream_free(receiver->zstd);
    return seconds;
}

int main(int argc, char **argv)
{
    static const char *const names[STEPS] = {"frames and messages", "redaction", "SHA-256", "zstd"};
    struct sonde_err err;
    struct sonde_buf snapshot = SONDE_BUF(file_max);
    struct sonde_buf frames = SONDE_BUF(file_max);
    struct sonde_words words;
    if (argc != 2) {
        (void)fprintf(stderr, "usage: snapshot_stream FILE\n");
        return 2;
    }
    sonde_words_init(&words, SONDE_WORDS_MAX);
    must(sonde_words_add_builtins(&words, &err), &err);
    must(sonde_read_file(AT_FDCWD, argv[1], &snapshot, &err), &err);
    make_frames(sonde_buf_view(&snapshot), &frames);
    double before = 0;
    struct receiver receiver = {0};
    for (enum step step = MESSAGES; step < STEPS; step++) {
        double best = 0;
        receiver.last = step;
        for (int i = 0; i < TIMES; i++) {
            double seconds = run(&receiver, &words, sonde_buf_view(&frames));
            best = i == 0 || seconds < best ? seconds : best;
        }
        (void)printf("%-20s %7.3f s/GB\n", names[step],
                     (best - before) / (double)receiver.plain * 1e9);
        before = best;
    }
    (void)printf("%-20s %7.3f s/GB\n", "all", before / (double)receiver.plain * 1e9);
    (void)printf("%.1f MB received, %.1f MB redacted, %.1f MB compressed\n",
                 (double)receiver.plain / 1e6, (double)receiver.redacted / 1e6,
                 (double)receiver.compressed / 1e6);
    sonde_words_fini(&words);
    sonde_buf_fini(&snapshot);
    sonde_buf_fini(&frames);
    return 0;
}
