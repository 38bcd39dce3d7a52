/* SPDX-License-Identifier: Apache-2.0 */
#include "load/archive.h"

#include <string.h>

#include "histogram/wire.h"
#include "load/result_fields.h"

enum { BITS = 7, MORE = 1 << BITS, NUMBER_BITS = 64 };

static void fail(struct sonde_load_archive *a, int code)
{
    a->code = a->code ? a->code : code;
    a->from.length = 0;
}

/* ---- numbers and texts ---- */

static uint64_t take(struct sonde_load_archive *a)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < NUMBER_BITS && a->from.length; shift += BITS) {
        uint64_t byte = (unsigned char)a->from.data[0];
        a->from = (struct sonde_str){a->from.data + 1, a->from.length - 1};
        value |= (byte & (MORE - 1)) << shift;
        if (byte < MORE) {
            return value;
        }
    }
    fail(a, SONDE_EPARSE);
    return 0;
}

static void put(struct sonde_load_archive *a, uint64_t value)
{
    while (value >= MORE) {
        sonde_buf_char(a->to, (char)(value | MORE));
        value >>= BITS;
    }
    sonde_buf_char(a->to, (char)value);
}

void sonde_load_archive_number(struct sonde_load_archive *archive, uint64_t *number)
{
    if (archive->to) {
        put(archive, *number);
    } else {
        *number = take(archive);
    }
}

/* The sign is the lowest bit. */
void sonde_load_archive_signed(struct sonde_load_archive *archive, int64_t *number)
{
    uint64_t folded = ((uint64_t)*number << 1) ^ (uint64_t)(*number >> 63);
    sonde_load_archive_number(archive, &folded);
    *number = (int64_t)(folded >> 1) ^ -(int64_t)(folded & 1);
}

void sonde_load_archive_below(struct sonde_load_archive *archive, uint64_t *number, uint64_t end)
{
    sonde_load_archive_number(archive, number);
    if (*number >= end) {
        fail(archive, SONDE_EPARSE);
        *number = 0;
    }
}

void sonde_load_archive_unsigned(struct sonde_load_archive *archive, unsigned *number)
{
    uint64_t wide = *number;
    sonde_load_archive_below(archive, &wide, UINT64_C(1) << 32);
    *number = (unsigned)wide;
}

void sonde_load_archive_flag(struct sonde_load_archive *archive, bool *flag)
{
    uint64_t wide = *flag;
    sonde_load_archive_below(archive, &wide, 2);
    *flag = wide == 1;
}

/* Takes so many bytes from what is left. */
static struct sonde_str cut(struct sonde_load_archive *a, uint64_t length)
{
    if (length > a->from.length) {
        fail(a, SONDE_EPARSE);
        return SONDE_STR("");
    }
    struct sonde_str bytes = {a->from.data, (size_t)length};
    a->from = (struct sonde_str){a->from.data + length, a->from.length - (size_t)length};
    return bytes;
}

void sonde_load_archive_text(struct sonde_load_archive *archive, char *text, size_t size)
{
    uint64_t length = archive->to ? strnlen(text, size - 1) : 0;
    sonde_load_archive_below(archive, &length, size);
    if (archive->to) {
        sonde_buf_append(archive->to, text, (size_t)length);
        return;
    }
    struct sonde_str bytes = cut(archive, length);
    memcpy(text, bytes.data, bytes.length);
    text[bytes.length] = '\0';
}

/* ---- histograms and tallies ---- */

static void add_histogram(struct sonde_load_archive *a, struct sonde_histogram *h, bool wanted)
{
    int64_t least = 0;
    int64_t most = 0;
    uint64_t clipped = 0;
    uint64_t length = 0;
    const int64_t minimum = h->minimum;
    const int64_t maximum = h->maximum;
    sonde_load_archive_signed(a, &least);
    sonde_load_archive_signed(a, &most);
    sonde_load_archive_number(a, &clipped);
    sonde_load_archive_number(a, &length);
    struct sonde_str packed = cut(a, length);
    if (!wanted) {
        return;
    }
    if (a->code == 0 && sonde_histogram_unpack(packed, h, NULL) < 0) {
        fail(a, SONDE_EPARSE);
    }
    if (least < 0 || most < least) {
        fail(a, SONDE_EPARSE);
    }
    if (a->code == 0) { /* it says better than the counts */
        h->minimum = least < minimum ? least : minimum;
        h->maximum = most > maximum ? most : maximum;
        h->clipped += clipped;
    }
}

static void carry_histogram(struct sonde_load_archive *a, struct sonde_histogram *histogram,
                            bool wanted)
{
    bool any = histogram->total > 0;
    if (!a->to) {
        sonde_load_archive_flag(a, &any);
        if (any) {
            add_histogram(a, histogram, wanted);
        }
        return;
    }
    sonde_load_archive_flag(a, &any);
    if (!any) {
        return;
    }
    SONDE_BUF_AUTO packed = SONDE_BUF(SONDE_HISTOGRAM_WIRE_MAX);
    sonde_histogram_pack(histogram, &packed);
    sonde_load_archive_signed(a, &histogram->minimum);
    sonde_load_archive_signed(a, &histogram->maximum);
    put(a, histogram->clipped);
    put(a, packed.length);
    sonde_buf_str(a->to, sonde_buf_view(&packed));
    a->code = a->code ? a->code : packed.code;
}

void sonde_load_archive_histogram(struct sonde_load_archive *archive,
                                  struct sonde_histogram *histogram)
{
    carry_histogram(archive, histogram, true);
}

/* Adds what is read to the number; else writes it. */
static void sum(struct sonde_load_archive *a, uint64_t *number)
{
    uint64_t own = *number;
    sonde_load_archive_number(a, &own);
    *number = a->to ? *number : *number + own;
}

static void carry_statuses(struct sonde_load_archive *a, struct sonde_load_tally *t)
{
    uint64_t count = 0;
    for (int i = 0; a->to && i <= SONDE_LOAD_STATUS_MAX; i++) {
        count += t->statuses[i] > 0;
    }
    sonde_load_archive_number(a, &count);
    uint64_t at = 0;
    for (uint64_t i = 0; i < count && a->code == 0; i++, at++) {
        while (a->to && t->statuses[at] == 0) {
            at++;
        }
        sonde_load_archive_below(a, &at, SONDE_LOAD_STATUS_MAX + 1);
        sum(a, &t->statuses[at]);
    }
}

void sonde_load_archive_counts(struct sonde_load_archive *archive, struct sonde_load_tally *tally)
{
    struct sonde_load_archive *a = archive;
    for (const struct sonde_load_interval_field *f = sonde_load_tally_fields; f->name; f++) {
        sum(a, (uint64_t *)((char *)tally + f->offset));
    }
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        sum(a, &tally->errors[i]);
    }
    carry_statuses(a, tally);
}

void sonde_load_archive_own(struct sonde_load_archive *archive, struct sonde_load_tally *tally)
{
    sonde_load_archive_counts(archive, tally);
    for (const struct sonde_load_result_histogram *h = sonde_load_tally_histograms; h->name; h++) {
        struct sonde_histogram *own = (struct sonde_histogram *)((char *)tally + h->offset);
        carry_histogram(archive, own, !archive->brief || own == &tally->response);
    }
}

/* Behind its number and its length, so that it can be passed over. */
void sonde_load_archive_part(struct sonde_load_archive *archive, struct sonde_load_tally *part,
                             size_t label)
{
    struct sonde_load_archive *a = archive;
    SONDE_BUF_AUTO bytes = SONDE_BUF(3 * SONDE_HISTOGRAM_WIRE_MAX);
    struct sonde_load_archive own = {.to = &bytes};
    sonde_load_archive_own(&own, part);
    put(a, label);
    put(a, bytes.length);
    sonde_buf_str(a->to, sonde_buf_view(&bytes));
    a->code = a->code ? a->code : own.code ? own.code : bytes.code;
}

static void add_part(struct sonde_load_archive *a, struct sonde_load_tally *tally)
{
    uint64_t label = 0;
    uint64_t length = 0;
    sonde_load_archive_below(a, &label, tally->part_count ? tally->part_count : UINT64_MAX);
    sonde_load_archive_number(a, &length);
    struct sonde_load_archive own = {.from = cut(a, length)};
    if (a->code == 0 && tally->part_count) {
        sonde_load_archive_own(&own, &tally->parts[label]);
        a->code = own.code;
    }
}

void sonde_load_archive_tally(struct sonde_load_archive *archive, struct sonde_load_tally *tally)
{
    struct sonde_load_archive *a = archive;
    uint64_t count = tally->part_count;
    sonde_load_archive_own(a, tally);
    sonde_load_archive_number(a, &count);
    for (uint64_t i = 0; i < count && a->code == 0; i++) {
        if (a->to) {
            sonde_load_archive_part(a, &tally->parts[i], (size_t)i);
        } else {
            add_part(a, tally);
        }
    }
}

/* ---- intervals ---- */

static void carry_numbers(struct sonde_load_archive *a, struct sonde_load_interval *one)
{
    sonde_load_archive_signed(a, &one->end_ns);
    for (const struct sonde_load_interval_field *f = sonde_load_interval_fields; f->name; f++) {
        sonde_load_archive_number(a, (uint64_t *)((char *)one + f->offset));
    }
}

void sonde_load_archive_intervals(struct sonde_load_archive *archive,
                                  struct sonde_load_intervals *intervals)
{
    struct sonde_load_archive *a = archive;
    struct sonde_histogram response = {0};
    unsigned factor = intervals->factor;
    unsigned in_last = intervals->in_last;
    uint64_t count = intervals->count;
    int r = sonde_histogram_init(&response, &intervals->scratch.layout, NULL);
    sonde_load_archive_unsigned(a, &factor);
    sonde_load_archive_unsigned(a, &in_last);
    sonde_load_archive_below(a, &count, SONDE_LOAD_INTERVALS_MAX + 1);
    for (uint64_t i = 0; i < count && r == 0 && a->code == 0; i++) {
        struct sonde_load_interval one = {0};
        sonde_histogram_clear(&response);
        if (a->to) {
            one = intervals->items[i];
            r = sonde_load_intervals_response(intervals, (size_t)i, &response, NULL);
        }
        carry_numbers(a, &one);
        sonde_load_archive_histogram(a, &response);
        if (!a->to && a->code == 0) {
            one.minimum_us = response.minimum;
            one.maximum_us = response.maximum;
            one.clipped = response.clipped;
            r = sonde_load_intervals_push(intervals, &one, &response, NULL);
        }
    }
    if (!a->to && intervals->factor == 1) {
        intervals->factor = factor;
        intervals->in_last = in_last;
    }
    if (r < 0) {
        fail(a, r == SONDE_ENOMEM ? r : SONDE_EPARSE);
    }
    sonde_histogram_fini(&response);
}

int sonde_load_archive_check(const struct sonde_load_archive *archive, struct sonde_err *err)
{
    int r = archive->to ? sonde_buf_check(archive->to, "what is kept of a load test", err) : 0;
    return r < 0 ? r
           : archive->code
               ? sonde_fail(err, archive->code, 0, "what is kept of a load test cannot be read")
               : 0;
}
