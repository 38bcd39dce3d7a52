/* SPDX-License-Identifier: Apache-2.0 */
#include "load/live.h"

#include "base/clock.h"
#include "load/duration.h"

enum { LINE_MAX_BYTES = 512 };

void sonde_load_live_add(struct sonde_load_live *live, int64_t end_ns,
                         const struct sonde_load_tally *interval)
{
    /* Threads that end together have an interval between them that has no end. */
    end_ns = end_ns > live->end_ns ? end_ns : live->end_ns;
    int64_t length_ns = end_ns - live->end_ns;
    live->end_ns = end_ns;
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        live->errors += interval->errors[i];
    }
    live->wrong += interval->wrong;
    live->done += interval->answered + interval->failed;
    if (length_ns == 0) {
        return;
    }
    live->rates[live->count++ % SONDE_LOAD_LIVE_SECONDS] =
        (double)interval->answered * (double)SONDE_SECOND / (double)length_ns;
    live->p50_us = sonde_histogram_quantile(&interval->response, 0.5);
    live->p99_us = sonde_histogram_quantile(&interval->response, 0.99);
}

/* Seconds until the end, by the length that is planned, or by how fast it was; -1: not known. */
static double seconds_left(const struct sonde_load_live *live)
{
    if (live->amount == 0) {
        return live->length_ns ? (double)(live->length_ns - live->end_ns) / 1e9 : -1;
    }
    double left = live->amount > live->done ? (double)(live->amount - live->done) : 0;
    double by_rate = live->done ? left * (double)live->end_ns / 1e9 / (double)live->done : -1;
    double by_time = (double)(live->length_ns - live->end_ns) / 1e9;
    return live->length_ns && (by_rate < 0 || by_time < by_rate) ? by_time : by_rate;
}

static void put_numbers(const struct sonde_load_live *live, struct sonde_buf *buf)
{
    char p50[SONDE_LOAD_DURATION_SIZE];
    char p99[SONDE_LOAD_DURATION_SIZE];
    unsigned last = (live->count + SONDE_LOAD_LIVE_SECONDS - 1) % SONDE_LOAD_LIVE_SECONDS;
    sonde_buf_printf(buf, "%.0f/s  p50 %s  p99 %s  %llu errors", live->rates[last],
                     sonde_load_duration(live->p50_us, p50), sonde_load_duration(live->p99_us, p99),
                     (unsigned long long)live->errors);
    if (live->wrong) {
        sonde_buf_printf(buf, "  %llu wrong", (unsigned long long)live->wrong);
    }
    double left = seconds_left(live);
    if (left >= 0) {
        sonde_buf_printf(buf, "  %.0f s left", left);
    }
}

/* A cell for each of the last seconds: eighths of the highest rate of them. */
static void put_plot(const struct sonde_load_live *live, unsigned cells, struct sonde_buf *buf)
{
    static const char *const levels[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const unsigned highest = SONDE_LENGTH(levels) - 1;
    unsigned count = live->count < cells ? live->count : cells;
    double most = 0;
    for (unsigned i = live->count - count; i < live->count; i++) {
        double rate = live->rates[i % SONDE_LOAD_LIVE_SECONDS];
        most = rate > most ? rate : most;
    }
    for (unsigned i = live->count - count; i < live->count; i++) {
        double share = most > 0 ? live->rates[i % SONDE_LOAD_LIVE_SECONDS] / most : 0;
        sonde_buf_text(buf, levels[(unsigned)(share * highest + 0.5)]);
    }
    sonde_buf_text(buf, count ? "  " : "");
}

static unsigned columns_of(const struct sonde_buf *text)
{
    unsigned columns = 0;
    for (size_t i = 0; i < text->length; i++) {
        columns += ((unsigned char)text->data[i] & 0xc0) != 0x80; /* UTF-8: not what follows */
    }
    return columns;
}

void sonde_load_live_line(const struct sonde_load_live *live, unsigned columns,
                          struct sonde_buf *buf)
{
    enum { SPACES = 5 }; /* behind the time and the plot, and one at the line's end */
    SONDE_BUF_AUTO time = SONDE_BUF(LINE_MAX_BYTES);
    SONDE_BUF_AUTO numbers = SONDE_BUF(LINE_MAX_BYTES);
    sonde_buf_printf(&time, "%.0f s", (double)live->end_ns / 1e9);
    put_numbers(live, &numbers);
    unsigned taken = columns_of(&time) + columns_of(&numbers) + SPACES;
    unsigned cells = columns > taken ? columns - taken : 0;
    sonde_buf_append(buf, time.data, time.length);
    sonde_buf_text(buf, "  ");
    put_plot(live, cells < SONDE_LOAD_LIVE_SECONDS ? cells : SONDE_LOAD_LIVE_SECONDS, buf);
    sonde_buf_append(buf, numbers.data, numbers.length);
}
