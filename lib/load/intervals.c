/* SPDX-License-Identifier: Apache-2.0 */
#include "load/intervals.h"

#include <stdlib.h>
#include <string.h>

#include "histogram/wire.h"

enum {
    COUNT_BYTES_MAX = 9,     /* of one counter, packed */
    COUNTERS_MAX = 24 << 10, /* of a tally's layout */
    ROOM = COUNT_BYTES_MAX * COUNTERS_MAX,
};

#define FIELD(name_, member_) {name_, offsetof(struct sonde_load_interval, member_)}

const struct sonde_load_interval_field sonde_load_interval_fields[] = {
    FIELD("sent", sent),
    FIELD("answered", answered),
    FIELD("failed", failed),
    FIELD("censored", censored),
    FIELD("unsent", unsent),
    FIELD("late", late),
    FIELD("badAnswers", bad),
    FIELD("connects", connects),
    FIELD("connectFailures", connect_failures),
    FIELD("bytesRead", bytes_read),
    FIELD("bytesWritten", bytes_written),
    {0},
};

int sonde_load_intervals_init(struct sonde_load_intervals *intervals, struct sonde_err *err)
{
    struct sonde_histogram_layout layout;
    *intervals = (struct sonde_load_intervals){
        .factor = 1,
        .packed = SONDE_BUF(SONDE_LOAD_INTERVALS_BYTES_MAX + ROOM),
        .one = SONDE_BUF(ROOM),
    };
    int r = sonde_load_layout(&layout, err);
    return r < 0 ? r : sonde_histogram_init(&intervals->scratch, &layout, err);
}

void sonde_load_intervals_fini(struct sonde_load_intervals *intervals)
{
    free(intervals->items);
    intervals->items = NULL;
    intervals->count = intervals->capacity = 0;
    sonde_buf_fini(&intervals->packed);
    sonde_buf_fini(&intervals->one);
    sonde_histogram_fini(&intervals->scratch);
}

static struct sonde_str packed_of(const struct sonde_load_intervals *all,
                                  const struct sonde_load_interval *one)
{
    const char *data = all->packed.data ? all->packed.data : "";
    return (struct sonde_str){data + one->offset, one->length};
}

static void add_numbers(struct sonde_load_interval *to, const struct sonde_load_interval *from)
{
    for (const struct sonde_load_interval_field *f = sonde_load_interval_fields; f->name; f++) {
        uint64_t sum;
        uint64_t more;
        memcpy(&sum, (const char *)to + f->offset, sizeof(sum));
        memcpy(&more, (const char *)from + f->offset, sizeof(more));
        sum += more;
        memcpy((char *)to + f->offset, &sum, sizeof(sum));
    }
    to->end_ns = from->end_ns;
    to->clipped += from->clipped;
    to->minimum_us = from->minimum_us < to->minimum_us ? from->minimum_us : to->minimum_us;
    to->maximum_us = from->maximum_us > to->maximum_us ? from->maximum_us : to->maximum_us;
}

/* Puts what the scratch holds behind the first `at` bytes; what stood there is not needed. */
static int put_scratch(struct sonde_load_intervals *all, size_t at, struct sonde_load_interval *one,
                       struct sonde_err *err)
{
    sonde_buf_clear(&all->one);
    sonde_histogram_pack(&all->scratch, &all->one);
    one->offset = at;
    one->length = all->one.length;
    return sonde_buf_check(&all->one, "a second of a load test", err);
}

/* Two become one, in place: a sum is packed no longer than its parts. */
static int halve(struct sonde_load_intervals *all, struct sonde_err *err)
{
    size_t kept = 0;
    size_t written = 0;
    int r = 0;
    for (size_t i = 0; i < all->count && r == 0; i += 2) {
        struct sonde_load_interval merged = all->items[i];
        bool pair = i + 1 < all->count;
        sonde_histogram_clear(&all->scratch);
        r = sonde_histogram_unpack(packed_of(all, &merged), &all->scratch, err);
        if (r == 0 && pair) {
            r = sonde_histogram_unpack(packed_of(all, &all->items[i + 1]), &all->scratch, err);
            add_numbers(&merged, &all->items[i + 1]);
        }
        r = r < 0 ? r : put_scratch(all, written, &merged, err);
        if (r == 0 && merged.length) {
            memcpy(all->packed.data + written, all->one.data, merged.length);
        }
        written += r == 0 ? merged.length : 0;
        all->items[kept] = merged;
        kept += r == 0;
    }
    all->in_last += all->count % 2 == 0 ? all->factor : 0;
    all->factor *= 2;
    all->count = kept;
    all->packed.length = written;
    return r;
}

/* Behind the others, or into the last one while that is not full. */
static int append(struct sonde_load_intervals *all, const struct sonde_load_interval *numbers,
                  const struct sonde_histogram *response, struct sonde_err *err)
{
    bool joins = all->count && all->in_last < all->factor;
    struct sonde_load_interval next = joins ? all->items[all->count - 1] : *numbers;
    size_t at = joins ? next.offset : all->packed.length;
    sonde_histogram_clear(&all->scratch);
    int r = sonde_histogram_add(&all->scratch, response, err);
    if (r == 0 && joins) {
        r = sonde_histogram_unpack(packed_of(all, &next), &all->scratch, err);
        add_numbers(&next, numbers);
    }
    r = r < 0 ? r : put_scratch(all, at, &next, err);
    if (r == 0 && !joins) {
        r = sonde_array_grow(&all->items, &all->capacity, all->count + 1, sizeof(*all->items),
                             SONDE_LOAD_INTERVALS_MAX);
        r = r < 0 ? sonde_fail(err, r, 0, "out of memory") : 0;
    }
    if (r < 0) {
        return r;
    }
    size_t before = all->packed.length;
    all->packed.length = at;
    sonde_buf_str(&all->packed, sonde_buf_view(&all->one));
    r = sonde_buf_check(&all->packed, "the seconds of a load test", err);
    if (r < 0) {
        all->packed.length = before;
        all->packed.code = 0;
        return r;
    }
    all->items[joins ? all->count - 1 : all->count] = next;
    all->count += !joins;
    all->in_last = joins ? all->in_last + 1 : 1;
    return 0;
}

int sonde_load_intervals_push(struct sonde_load_intervals *intervals,
                              const struct sonde_load_interval *interval,
                              const struct sonde_histogram *response, struct sonde_err *err)
{
    struct sonde_load_intervals *all = intervals;
    if (interval->end_ns < (all->count ? all->items[all->count - 1].end_ns : 0)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "an interval that ends before the one before it");
    }
    int r = 0;
    if (all->count == SONDE_LOAD_INTERVALS_MAX && all->in_last == all->factor) {
        r = halve(all, err);
    }
    r = r < 0 ? r : append(all, interval, response, err);
    while (r == 0 && all->packed.length > SONDE_LOAD_INTERVALS_BYTES_MAX && all->count > 1) {
        r = halve(all, err);
    }
    return r;
}

int sonde_load_intervals_add(struct sonde_load_intervals *intervals, int64_t end_ns,
                             const struct sonde_load_tally *tally, struct sonde_err *err)
{
    const struct sonde_load_interval numbers = {
        .end_ns = end_ns,
        .sent = tally->sent,
        .answered = tally->answered,
        .failed = tally->failed,
        .censored = tally->censored,
        .unsent = tally->unsent,
        .late = tally->late,
        .bad = tally->wrong,
        .connects = tally->connects,
        .connect_failures = tally->connect_failures,
        .bytes_read = tally->bytes_read,
        .bytes_written = tally->bytes_written,
        .minimum_us = tally->response.minimum,
        .maximum_us = tally->response.maximum,
        .clipped = tally->response.clipped,
    };
    return sonde_load_intervals_push(intervals, &numbers, &tally->response, err);
}

int64_t sonde_load_intervals_begin(const struct sonde_load_intervals *intervals, size_t at)
{
    return at ? intervals->items[at - 1].end_ns : 0;
}

int sonde_load_intervals_response(const struct sonde_load_intervals *intervals, size_t at,
                                  struct sonde_histogram *ret, struct sonde_err *err)
{
    const struct sonde_load_interval *one = &intervals->items[at];
    sonde_histogram_clear(ret);
    if (sonde_histogram_unpack(packed_of(intervals, one), ret, err) < 0) {
        return sonde_fail(err, SONDE_EINTERNAL, 0, "a second of a load test cannot be unpacked");
    }
    ret->minimum = one->minimum_us;
    ret->maximum = one->maximum_us;
    ret->clipped = one->clipped;
    return 0;
}
