/* SPDX-License-Identifier: Apache-2.0 */
#include "load/board.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "codec/json.h"
#include "load/duration.h"

/* ---- what is taken ---- */

/* Numbers of the store, none of which is negative: what is not one is 0. */
static double number_of(const cJSON *json, const char *name)
{
    double value = sonde_json_number_or(json, name, 0);
    return isfinite(value) && value > 0 ? value : 0;
}

static int64_t count_of(const cJSON *json, const char *name)
{
    int64_t value = sonde_json_integer_or(json, name, 0);
    return value > 0 ? value : 0;
}

/* Control characters are not passed on: of ASCII, and those of U+0080 to U+009F in UTF-8. */
static void put_safe(const char *text, struct sonde_buf *buf)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        bool control = *at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0);
        at += control && *at == 0xc2;
        sonde_buf_char(buf, control ? '?' : (char)*at);
    }
}

static bool is_after(const struct sonde_load_board_second *a,
                     const struct sonde_load_board_second *b)
{
    return a->round > b->round || (a->round == b->round && a->second > b->second);
}

static void take_seconds(struct sonde_load_board *board, const cJSON *seconds)
{
    const cJSON *second;
    cJSON_ArrayForEach(second, seconds)
    {
        const struct sonde_load_board_second own = {
            .round = count_of(second, "round"),
            .second = count_of(second, "second"),
            .sent = (uint64_t)count_of(second, "sent"),
            .answered = (uint64_t)count_of(second, "answered"),
            .failed = (uint64_t)count_of(second, "failed"),
            .p50_us = count_of(second, "p50"),
            .p99_us = count_of(second, "p99"),
            .rate = number_of(second, "rate"),
        };
        bool known = board->count && !is_after(&own, sonde_load_board_at(board, board->count - 1));
        if (own.second > 0 && !known) {
            board->seconds[board->count++ % SONDE_LOAD_BOARD_SECONDS] = own;
        }
    }
}

static void take_threshold(struct sonde_load_board_threshold *ret, const cJSON *threshold)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(threshold, "value");
    (void)snprintf(ret->text, sizeof(ret->text), "%s",
                   sonde_json_string_or(threshold, "threshold", ""));
    if (cJSON_IsNumber(value)) {
        (void)snprintf(ret->value, sizeof(ret->value), "%.6g", value->valuedouble);
    } else {
        (void)snprintf(ret->value, sizeof(ret->value), "%s",
                       sonde_json_string_or(threshold, "value", "-"));
    }
    ret->measured = cJSON_IsNumber(value) || cJSON_IsString(value);
    ret->holds = sonde_json_true(threshold, "holds");
}

static void take_thresholds(struct sonde_load_board *board, const cJSON *thresholds)
{
    const cJSON *threshold;
    board->threshold_count = 0;
    cJSON_ArrayForEach(threshold, thresholds)
    {
        if (board->threshold_count < SONDE_LOAD_BOARD_THRESHOLDS) {
            take_threshold(&board->thresholds[board->threshold_count++], threshold);
        }
    }
}

static void take_figures(struct sonde_load_board *board, const cJSON *json)
{
    const char *reason = sonde_json_string_or(json, "reason", "");
    const char *message = sonde_json_string_or(json, "message", "");
    board->round = count_of(json, "round");
    board->requests = (uint64_t)count_of(json, "requests");
    board->error_rate = number_of(json, "errorRate");
    board->ready = count_of(json, "ready");
    board->active = count_of(json, "active");
    board->lost = count_of(json, "lost");
    (void)snprintf(board->reason, sizeof(board->reason), "%s%s%s", reason, message[0] ? ": " : "",
                   message);
    take_thresholds(board, cJSON_GetObjectItemCaseSensitive(json, "thresholds"));
}

int sonde_load_board_take(struct sonde_load_board *board, struct sonde_str answer,
                          struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    int r = sonde_json_parse_up_to(answer, SONDE_LOAD_BOARD_ANSWER_MAX, &json, err);
    if (r < 0) {
        return r;
    }
    if (!cJSON_IsObject(json)) {
        return sonde_fail(err, SONDE_EPARSE, 0, "what the store says of the test is no object");
    }
    (void)snprintf(board->phase, sizeof(board->phase), "%s",
                   sonde_json_string_or(json, "phase", ""));
    board->next = count_of(json, "next");
    take_seconds(board, cJSON_GetObjectItemCaseSensitive(json, "seconds"));
    if (cJSON_HasObjectItem(json, "requests")) {
        take_figures(board, json);
    }
    return 0;
}

const struct sonde_load_board_second *sonde_load_board_at(const struct sonde_load_board *board,
                                                          uint64_t index)
{
    return &board->seconds[index % SONDE_LOAD_BOARD_SECONDS];
}

/* ---- what is drawn ---- */

enum { LABEL_COLUMNS = 10, PLOT_ROWS = 3, ROOMY_LINES = 18, LEVELS = 8 };

struct drawing {
    const struct sonde_load_board *board;
    unsigned columns, rows; /* of a plot */
    unsigned lines, lines_max;
    struct sonde_buf *buf;
};

/* Ends a line that stands in `line`, cut to the terminal's columns: one that wraps would be two. */
static void put_line(struct drawing *d, struct sonde_buf *line)
{
    unsigned columns = 0;
    size_t length = 0;
    for (; length < line->length; length++) {
        bool begins = ((unsigned char)line->data[length] & 0xc0) != 0x80;
        if (begins && columns++ == d->columns) {
            break;
        }
    }
    d->buf->code = d->buf->code ? d->buf->code : line->code;
    sonde_buf_append(d->buf, line->data, length);
    sonde_buf_char(d->buf, '\n');
    sonde_buf_clear(line);
    d->lines++;
}

typedef double value_function(const struct sonde_load_board_second *second);

static double rate_of(const struct sonde_load_board_second *second)
{
    return second->rate;
}

static double p50_of(const struct sonde_load_board_second *second)
{
    return (double)second->p50_us;
}

static double p99_of(const struct sonde_load_board_second *second)
{
    return (double)second->p99_us;
}

/* A cell of a plot: so many eighths of its row, of all eighths that the value has. */
static void put_cell(double value, double most, unsigned rows, unsigned row, struct sonde_buf *buf)
{
    static const char *const levels[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    unsigned eighths = most > 0 ? (unsigned)(value / most * (double)(rows * LEVELS) + 0.5) : 0;
    unsigned below = row * LEVELS;
    unsigned own = eighths > below ? eighths - below : 0;
    /* What is not nothing is seen. */
    own = row == 0 && own == 0 && value > 0 ? 1 : own;
    sonde_buf_text(buf, levels[own < LEVELS ? own : LEVELS]);
}

/* The last seconds, newest on the right, from 0 to the most of them, which stands in the first
 * line; in the last one what it is now. */
static void put_plot(struct drawing *d, const char *label, value_function *value, bool is_time)
{
    const struct sonde_load_board *board = d->board;
    char text[SONDE_LOAD_DURATION_SIZE];
    SONDE_BUF_AUTO line = SONDE_BUF(16384);
    unsigned room = d->columns > 2 * LABEL_COLUMNS + 4 ? d->columns - 2 * LABEL_COLUMNS - 4 : 1;
    uint64_t count = board->count < room ? board->count : room;
    count = count < SONDE_LOAD_BOARD_SECONDS ? count : SONDE_LOAD_BOARD_SECONDS;
    double most = 0;
    for (uint64_t i = board->count - count; i < board->count; i++) {
        most = fmax(most, value(sonde_load_board_at(board, i)));
    }
    for (unsigned row = d->rows; row-- > 0;) {
        sonde_buf_printf(&line, "%-*s", LABEL_COLUMNS, row == d->rows - 1 ? label : "");
        for (uint64_t i = board->count - count; i < board->count; i++) {
            put_cell(value(sonde_load_board_at(board, i)), most, d->rows, row, &line);
        }
        double shown =
            row == 0 && count ? value(sonde_load_board_at(board, board->count - 1)) : most;
        if (count && (row == 0 || row == d->rows - 1)) {
            sonde_buf_text(&line, row == 0 ? "  " : "  ≤ ");
            if (is_time) {
                sonde_buf_text(&line, sonde_load_duration((int64_t)shown, text));
            } else {
                sonde_buf_printf(&line, "%.0f/s", shown);
            }
        }
        put_line(d, &line);
    }
}

static void put_head(struct drawing *d, const char *name)
{
    const struct sonde_load_board *board = d->board;
    SONDE_BUF_AUTO line = SONDE_BUF(4096);
    put_safe(name, &line);
    sonde_buf_text(&line, "  ");
    put_safe(board->phase, &line);
    if (board->count) {
        sonde_buf_printf(&line, "  %lld s",
                         (long long)sonde_load_board_at(board, board->count - 1)->second);
    }
    if (board->round) {
        sonde_buf_printf(&line, "  trial %lld", (long long)board->round + 1);
    }
    put_line(d, &line);
    sonde_buf_printf(&line, "%-*s%lld ready  %lld active  %lld lost", LABEL_COLUMNS, "runners",
                     (long long)board->ready, (long long)board->active, (long long)board->lost);
    put_line(d, &line);
}

static void put_errors(struct drawing *d)
{
    const struct sonde_load_board *board = d->board;
    SONDE_BUF_AUTO line = SONDE_BUF(4096);
    sonde_buf_printf(&line, "%-*s%.3g %% of %llu requests", LABEL_COLUMNS, "errors",
                     board->error_rate * 100, (unsigned long long)board->requests);
    put_line(d, &line);
}

static void put_reason(struct drawing *d)
{
    SONDE_BUF_AUTO line = SONDE_BUF(4096);
    if (d->board->reason[0] && d->lines < d->lines_max) {
        sonde_buf_printf(&line, "%-*s", LABEL_COLUMNS, "reason");
        put_safe(d->board->reason, &line);
        put_line(d, &line);
    }
}

static bool is_broken(const struct sonde_load_board_threshold *threshold)
{
    return threshold->measured && !threshold->holds;
}

static void put_threshold(struct drawing *d, const struct sonde_load_board_threshold *threshold)
{
    SONDE_BUF_AUTO line = SONDE_BUF(4096);
    const char *label = !threshold->measured ? "open" : threshold->holds ? "held" : "broken";
    sonde_buf_printf(&line, "%-*s", LABEL_COLUMNS, label);
    put_safe(threshold->text, &line);
    sonde_buf_text(&line, "  ");
    put_safe(threshold->value, &line);
    put_line(d, &line);
}

/* The broken ones first; those for which there is no line are counted. */
static void put_thresholds(struct drawing *d)
{
    const struct sonde_load_board *board = d->board;
    SONDE_BUF_AUTO line = SONDE_BUF(4096);
    size_t left = board->threshold_count;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < board->threshold_count; i++) {
            const struct sonde_load_board_threshold *threshold = &board->thresholds[i];
            bool room = d->lines + 1 < d->lines_max || (left == 1 && d->lines < d->lines_max);
            if (is_broken(threshold) == (pass == 0) && room) {
                put_threshold(d, threshold);
                left--;
            }
        }
    }
    if (left && d->lines < d->lines_max) {
        sonde_buf_printf(&line, "%-*sand %zu thresholds more", LABEL_COLUMNS, "", left);
        put_line(d, &line);
    }
}

void sonde_load_board_draw(const struct sonde_load_board *board, const char *name, unsigned columns,
                           unsigned lines, struct sonde_buf *buf, unsigned *ret_lines)
{
    struct drawing d = {.board = board,
                        .columns = columns,
                        .rows = lines >= ROOMY_LINES ? PLOT_ROWS : 1,
                        /* The cursor stands on a line of its own below. */
                        .lines_max = lines > 1 ? lines - 1 : 1,
                        .buf = buf};
    put_head(&d, name);
    put_plot(&d, "rate", rate_of, false);
    put_plot(&d, "p50", p50_of, true);
    put_plot(&d, "p99", p99_of, true);
    put_errors(&d);
    put_reason(&d);
    put_thresholds(&d);
    *ret_lines = d.lines;
}

void sonde_load_board_line(const struct sonde_load_board *board,
                           const struct sonde_load_board_second *second, struct sonde_buf *buf)
{
    char p50[SONDE_LOAD_DURATION_SIZE];
    char p99[SONDE_LOAD_DURATION_SIZE];
    size_t broken = 0;
    for (size_t i = 0; i < board->threshold_count; i++) {
        broken += is_broken(&board->thresholds[i]);
    }
    if (second->round) {
        sonde_buf_printf(buf, "trial %lld  ", (long long)second->round + 1);
    }
    sonde_buf_printf(buf, "%lld s  %.0f/s  p50 %s  p99 %s  %llu failed  %lld active",
                     (long long)second->second, second->rate,
                     sonde_load_duration(second->p50_us, p50),
                     sonde_load_duration(second->p99_us, p99), (unsigned long long)second->failed,
                     (long long)board->active);
    if (board->lost) {
        sonde_buf_printf(buf, "  %lld lost", (long long)board->lost);
    }
    if (broken) {
        sonde_buf_printf(buf, "  %zu of %zu thresholds broken", broken, board->threshold_count);
    }
    sonde_buf_char(buf, '\n');
}
