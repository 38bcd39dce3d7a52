/* SPDX-License-Identifier: Apache-2.0 */
/* Makes allocations, reads and writes of the code under test fail. One thread only. */
#ifndef SONDE_TESTS_FAIL_H
#define SONDE_TESTS_FAIL_H

#include <stdbool.h>
#include <stdint.h>

enum fail_kind { FAIL_ALLOCATION, FAIL_READ, FAIL_WRITE, FAIL_KINDS };

/* The nth call of that kind from now on (1: the next) fails, `persistent`: and all after it. Reads
 * and writes fail with `error` as errno. nth 0: none fails; the count begins anew. */
void fail_arm(enum fail_kind kind, uint64_t nth, bool persistent, int error);
/* Calls of that kind since it was armed. */
uint64_t fail_calls(enum fail_kind kind);
/* Whether one failed since then. */
bool fail_happened(enum fail_kind kind);
/* Reads and writes move one byte at most, and every second call ends with EINTR. */
void fail_short_transfers(bool on);
/* Blocks that our code holds now. */
int64_t fail_blocks(void);
/* The most bytes that they had together since this was asked for last, or ever. */
int64_t fail_peak(void);

/* Runs the scenario once without a failure (it must return 0), then with each of its allocations
 * failing, once and for good. Each run returns SONDE_ENOMEM, or 0 when it could do without; none
 * may crash or keep a block. */
void fail_each_allocation(int (*scenario)(void *context), void *context);

#endif
