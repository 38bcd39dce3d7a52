/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram/wire.h"

#include <string.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "codec/compress.h"

enum {
    COOKIE = 0x1c849313,            /* V2, counts as LEB128 (its size of words: 1) */
    COMPRESSED_COOKIE = 0x1c849314, /* … around which zlib is */
    HEAD_SIZE = 40,
    COMPRESSED_HEAD_SIZE = 8,
    NUMBER_MAX = 9, /* bytes of a count */
};

/* ---- numbers ---- */

static void put_u32(struct sonde_buf *buf, uint32_t value)
{
    uint32_t big = __builtin_bswap32(value);
    sonde_buf_append(buf, &big, sizeof(big));
}

static void put_u64(struct sonde_buf *buf, uint64_t value)
{
    put_u32(buf, (uint32_t)(value >> 32));
    put_u32(buf, (uint32_t)value);
}

static uint64_t take_number(struct sonde_str *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | (unsigned char)at->data[i];
    }
    *at = (struct sonde_str){at->data + bytes, at->length - bytes};
    return value;
}

/* Seven bits a byte, the lowest first; the ninth has eight (ZigZagEncoding.java). */
static void put_count(struct sonde_buf *buf, int64_t count)
{
    uint64_t rest = ((uint64_t)count << 1) ^ (uint64_t)(count >> 63);
    for (int i = 1; i < NUMBER_MAX && rest >> 7; i++) {
        sonde_buf_char(buf, (char)(rest | 0x80));
        rest >>= 7;
    }
    sonde_buf_char(buf, (char)rest);
}

static int take_count(struct sonde_str *at, int64_t *ret)
{
    uint64_t value = 0;
    for (int i = 0; at->length; i++) {
        uint64_t byte = take_number(at, 1);
        bool last = i == NUMBER_MAX - 1;
        value |= (last ? byte : byte & 0x7f) << (7 * i);
        if (last || !(byte & 0x80)) {
            *ret = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
            return 0;
        }
    }
    return SONDE_EPARSE;
}

/* ---- writing ---- */

/* A run of empty counters is the negative of its length; a single one is 0. */
static void put_counts(const struct sonde_histogram *histogram, struct sonde_buf *buf)
{
    const struct sonde_histogram_layout *layout = &histogram->layout;
    uint64_t left = histogram->total;
    int64_t least = histogram->minimum < layout->highest ? histogram->minimum : layout->highest;
    uint32_t first = left ? sonde_histogram_index(layout, least) : 0;
    int64_t empty = first;
    for (uint32_t i = first; left; i++) {
        uint64_t count = histogram->counts[i];
        if (count == 0) {
            empty++;
            continue;
        }
        if (empty) {
            put_count(buf, empty > 1 ? -empty : 0);
        }
        empty = 0;
        put_count(buf, (int64_t)count);
        left -= count;
    }
}

static void put_histogram(const struct sonde_histogram *histogram, struct sonde_buf *buf)
{
    static const double ratio = 1;
    const struct sonde_histogram_layout *layout = &histogram->layout;
    SONDE_BUF_AUTO counts = SONDE_BUF(SONDE_HISTOGRAM_WIRE_MAX);
    uint64_t bits;
    memcpy(&bits, &ratio, sizeof(bits));
    put_counts(histogram, &counts);
    put_u32(buf, COOKIE);
    put_u32(buf, (uint32_t)counts.length);
    put_u32(buf, 0); /* the offset of indexes: not shifted */
    put_u32(buf, (uint32_t)layout->digits);
    put_u64(buf, (uint64_t)layout->lowest);
    put_u64(buf, (uint64_t)layout->highest);
    put_u64(buf, bits);
    sonde_buf_str(buf, sonde_buf_view(&counts));
    buf->code = buf->code ? buf->code : counts.code;
}

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "a histogram", err);
}

static int deflate_into(struct sonde_str bytes, struct sonde_buf *ret, struct sonde_err *err)
{
    struct sonde_stream *stream = NULL;
    int r = sonde_compressor_new(SONDE_ZLIB, append, ret, &stream, err);
    r = r < 0 ? r : sonde_stream_feed(stream, bytes.data, bytes.length, err);
    r = r < 0 ? r : sonde_stream_finish(stream, err);
    sonde_stream_free(stream);
    return r;
}

int sonde_histogram_encode(const struct sonde_histogram *histogram, struct sonde_buf *ret,
                           struct sonde_err *err)
{
    SONDE_BUF_AUTO plain = SONDE_BUF(SONDE_HISTOGRAM_WIRE_MAX);
    SONDE_BUF_AUTO packed = SONDE_BUF(SONDE_HISTOGRAM_WIRE_MAX);
    SONDE_BUF_AUTO framed = SONDE_BUF(SONDE_HISTOGRAM_WIRE_MAX);
    put_histogram(histogram, &plain);
    int r = sonde_buf_check(&plain, "a histogram", err);
    r = r < 0 ? r : deflate_into(sonde_buf_view(&plain), &packed, err);
    put_u32(&framed, COMPRESSED_COOKIE);
    put_u32(&framed, (uint32_t)packed.length);
    sonde_buf_str(&framed, sonde_buf_view(&packed));
    r = r < 0 ? r : sonde_buf_check(&framed, "a histogram", err);
    if (r == 0) {
        sonde_base64_encode(sonde_buf_view(&framed), ret);
        r = sonde_buf_check(ret, "a histogram", err);
    }
    return r;
}

/* ---- reading ---- */

static int malformed(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "not a histogram of HdrHistogram's V2 encoding");
}

/* The counters that something was added to. */
struct added {
    uint32_t first, last;
};

static int add_counts(struct sonde_str at, struct sonde_histogram *histogram, struct added *ret,
                      struct sonde_err *err)
{
    const struct sonde_histogram_layout *layout = &histogram->layout;
    uint64_t index = 0;
    while (at.length) {
        int64_t count;
        if (take_count(&at, &count) < 0 || count == INT64_MIN) {
            return malformed(err);
        }
        uint64_t left = layout->count - index;
        if (count < 0 ? (uint64_t)-count > left
                      : left == 0 || (uint64_t)count > INT64_MAX - histogram->total) {
            return malformed(err);
        }
        if (count < 0) {
            index += (uint64_t)-count;
            continue;
        }
        if (count > 0) {
            ret->first = ret->first < index ? ret->first : (uint32_t)index;
            ret->last = (uint32_t)index;
        }
        histogram->counts[index++] += (uint64_t)count;
        histogram->total += (uint64_t)count;
    }
    return 0;
}

/* Adds them. After an error, too, the histogram knows where something may be in it. */
static int take_counts(struct sonde_str at, struct sonde_histogram *histogram,
                       struct sonde_err *err)
{
    const struct sonde_histogram_layout *layout = &histogram->layout;
    struct added added = {.first = layout->count};
    int r = add_counts(at, histogram, &added, err);
    if (added.first < layout->count) {
        int64_t least = sonde_histogram_lowest_of(layout, added.first);
        int64_t most = sonde_histogram_highest_of(layout, added.last);
        histogram->minimum = least < histogram->minimum ? least : histogram->minimum;
        histogram->maximum = most > histogram->maximum ? most : histogram->maximum;
    }
    return r;
}

/* What stands before the counts, which are left in *at. */
static int take_head(struct sonde_str *at, struct sonde_histogram_layout *ret,
                     struct sonde_err *err)
{
    if (at->length < HEAD_SIZE) {
        return malformed(err);
    }
    uint64_t cookie = take_number(at, 4);
    uint64_t length = take_number(at, 4);
    uint64_t offset = take_number(at, 4);
    uint64_t digits = take_number(at, 4);
    int64_t lowest = (int64_t)take_number(at, 8);
    int64_t highest = (int64_t)take_number(at, 8);
    (void)take_number(at, 8); /* the ratio of whole numbers to values: ours are whole */
    /* hdr-histogram-js writes 1, and does not shift by it. */
    if (cookie != COOKIE || length != at->length || offset > 1 ||
        digits > SONDE_HISTOGRAM_DIGITS_MAX) {
        return malformed(err);
    }
    int r = sonde_histogram_layout(lowest, highest, (int)digits, ret, NULL);
    if (r < 0) {
        return r == SONDE_EINVALID
                   ? malformed(err)
                   : sonde_fail(err, r, 0, "the histogram has more than %d counters",
                                SONDE_HISTOGRAM_COUNTS_MAX);
    }
    return 0;
}

static int take_histogram(struct sonde_str at, struct sonde_histogram *ret, struct sonde_err *err)
{
    struct sonde_histogram_layout layout;
    int r = take_head(&at, &layout, err);
    r = r < 0 ? r : sonde_histogram_init(ret, &layout, err);
    r = r < 0 ? r : take_counts(at, ret, err);
    if (r < 0) {
        sonde_histogram_fini(ret);
    }
    return r;
}

static int inflate_into(struct sonde_str bytes, struct sonde_buf *ret, struct sonde_err *err)
{
    struct sonde_stream *stream = NULL;
    int r = sonde_decompressor_new(SONDE_ZLIB, ret->maximum, append, ret, &stream, err);
    r = r < 0 ? r : sonde_stream_feed(stream, bytes.data, bytes.length, err);
    r = r < 0 ? r : sonde_stream_finish(stream, err);
    sonde_stream_free(stream);
    return r;
}

/* The histogram without compression, as far as `ret` has room. */
static int unwrap(struct sonde_str text, struct sonde_buf *ret, struct sonde_err *err)
{
    SONDE_BUF_AUTO framed = SONDE_BUF(SONDE_HISTOGRAM_TEXT_MAX);
    int r = sonde_base64_decode(text, &framed, err);
    if (r < 0) {
        return r;
    }
    struct sonde_str at = sonde_buf_view(&framed);
    if (at.length < COMPRESSED_HEAD_SIZE || take_number(&at, 4) != COMPRESSED_COOKIE ||
        take_number(&at, 4) != at.length) {
        return malformed(err);
    }
    return inflate_into(at, ret, err);
}

int sonde_histogram_decode(struct sonde_str text, struct sonde_histogram *ret,
                           struct sonde_err *err)
{
    SONDE_BUF_AUTO plain = SONDE_BUF(SONDE_HISTOGRAM_WIRE_MAX);
    *ret = (struct sonde_histogram){0};
    int r = unwrap(text, &plain, err);
    return r < 0 ? r : take_histogram(sonde_buf_view(&plain), ret, err);
}

int sonde_histogram_decode_into(struct sonde_str text, struct sonde_histogram *histogram,
                                struct sonde_err *err)
{
    const struct sonde_histogram_layout *own = &histogram->layout;
    struct sonde_histogram_layout layout;
    SONDE_BUF_AUTO plain = SONDE_BUF(HEAD_SIZE + (size_t)NUMBER_MAX * own->count);
    int r = unwrap(text, &plain, err);
    struct sonde_str at = sonde_buf_view(&plain);
    r = r < 0 ? r : take_head(&at, &layout, err);
    if (r < 0) {
        return r;
    }
    if (layout.lowest != own->lowest || layout.highest != own->highest ||
        layout.digits != own->digits) {
        return sonde_fail(err, SONDE_EPARSE, 0,
                          "a histogram from %lld to %lld with %d digits, not from %lld to %lld "
                          "with %d",
                          (long long)layout.lowest, (long long)layout.highest, layout.digits,
                          (long long)own->lowest, (long long)own->highest, own->digits);
    }
    return take_counts(at, histogram, err);
}

/* ---- in memory ---- */

void sonde_histogram_pack(const struct sonde_histogram *histogram, struct sonde_buf *ret)
{
    put_counts(histogram, ret);
}

int sonde_histogram_unpack(struct sonde_str packed, struct sonde_histogram *histogram,
                           struct sonde_err *err)
{
    return take_counts(packed, histogram, err);
}

/* ---- logs ---- */

static double seconds(int64_t nanoseconds)
{
    return (double)nanoseconds / (double)SONDE_SECOND;
}

void sonde_histogram_log_begin(int64_t start_ns, struct sonde_buf *ret)
{
    sonde_buf_printf(ret,
                     "#[Histogram log format version 1.3]\n"
                     "#[StartTime: %.3f (seconds since epoch)]\n"
                     "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
                     "\"Interval_Compressed_Histogram\"\n",
                     seconds(start_ns));
}

int sonde_histogram_log_add(const struct sonde_histogram *histogram, const char *tag,
                            int64_t begin_ns, int64_t length_ns, struct sonde_buf *ret,
                            struct sonde_err *err)
{
    sonde_buf_text(ret, tag ? "Tag=" : "");
    sonde_buf_text(ret, tag ? tag : "");
    sonde_buf_printf(ret, "%s%.3f,%.3f,%.3f,", tag ? "," : "", seconds(begin_ns),
                     seconds(length_ns), (double)histogram->maximum / 1e6);
    int r = sonde_histogram_encode(histogram, ret, err);
    sonde_buf_char(ret, '\n');
    return r < 0 ? r : sonde_buf_check(ret, "a log of histograms", err);
}
