/* SPDX-License-Identifier: Apache-2.0 */
/* How a load test in a cluster gets on, in several lines for a terminal: what the store says of it
 * each second. Pure. */
#ifndef SONDE_LOAD_BOARD_H
#define SONDE_LOAD_BOARD_H

#include <stdbool.h>

#include "base/buf.h"

enum {
    SONDE_LOAD_BOARD_SECONDS = 512,        /* that are kept; more than a terminal has columns */
    SONDE_LOAD_BOARD_THRESHOLDS = 64,      /* that are kept; others are left out */
    SONDE_LOAD_BOARD_ANSWER_MAX = 4 << 20, /* bytes of what the store says at once */
    SONDE_LOAD_BOARD_TEXT = 256,           /* bytes of a text, which is cut */
    SONDE_LOAD_BOARD_MAX = 256 << 10,      /* bytes of a board */
};

/* A second of all runners together. */
struct sonde_load_board_second {
    int64_t round;  /* of a search, from 0 */
    int64_t second; /* of the measured time, from 1: it ended then */
    uint64_t sent, answered, failed;
    int64_t p50_us, p99_us;
    double rate; /* answers a second */
};

struct sonde_load_board_threshold {
    char text[SONDE_LOAD_BOARD_TEXT], value[SONDE_LOAD_BOARD_TEXT];
    bool measured; /* else nothing is known of it yet */
    bool holds;
};

/* Zeroed at first. */
struct sonde_load_board {
    char phase[32];    /* "Waiting", "Running", "Over" */
    int64_t round;     /* of a search, from 0 */
    uint64_t requests; /* answered so far */
    double error_rate; /* share of the requests that failed */
    int64_t ready, active, lost;
    char reason[SONDE_LOAD_BOARD_TEXT]; /* what has gone wrong; "": nothing */
    int64_t next;                       /* what the store is to be asked for: seconds from there */
    struct sonde_load_board_second seconds[SONDE_LOAD_BOARD_SECONDS]; /* a ring */
    uint64_t count;                                                   /* taken so far */
    struct sonde_load_board_threshold thresholds[SONDE_LOAD_BOARD_THRESHOLDS];
    size_t threshold_count;
};

/* Takes what the store says of a test (GET runs/RUN/live: docs/design.md). Seconds that are not
 * after the last one are left out. Of a test that is over the last figures stay. SONDE_EPARSE,
 * SONDE_ELIMIT, SONDE_ENOMEM: nothing is taken then. */
int sonde_load_board_take(struct sonde_load_board *board, struct sonde_str answer,
                          struct sonde_err *err) SONDE_MUST_CHECK;

/* The second that was taken as number `index`, from 0; of the last SONDE_LOAD_BOARD_SECONDS. */
const struct sonde_load_board_second *sonde_load_board_at(const struct sonde_load_board *board,
                                                          uint64_t index);

/* Appends the board of the test `name` for a terminal of so many columns and lines (at least 20 and
 * 8), each line with its line feed: what it is at, runners, plots of rate and quantiles, errors,
 * thresholds. No line is longer, and control characters are not passed on. *ret_lines: how many.
 * The buffer's errors. */
void sonde_load_board_draw(const struct sonde_load_board *board, const char *name, unsigned columns,
                           unsigned lines, struct sonde_buf *buf, unsigned *ret_lines);

/* Appends a second in one line, with its line feed: where there is no terminal. */
void sonde_load_board_line(const struct sonde_load_board *board,
                           const struct sonde_load_board_second *second, struct sonde_buf *buf);

#endif
