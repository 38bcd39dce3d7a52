/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets of the formats without an order of time share. */
#ifndef SONDE_FUZZ_AMOUNTS_H
#define SONDE_FUZZ_AMOUNTS_H

#include <stdlib.h>

#include "analysis/functions.h"
#include "profile/folded.h"
#include "profile/formats.h"
#include "profile/heapprofile.h"
#include "profile/pprof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static inline int collect(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "what was written", err);
}

/* The sums hold, the function table has all of it, and each writer writes it. */
static inline void check(const struct sonde_profile *profile, struct sonde_buf *heap)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < profile->node_count; i++) {
        must(i == 0 || profile->nodes[i].parent < i);
        must(profile->nodes[i].self >= 0);
        sum += profile->nodes[i].self;
    }
    must(sum == profile->total);
    for (size_t i = 0; i < profile->allocation_count; i++) {
        must(profile->allocations[i].node < profile->node_count);
    }
    struct sonde_function_table table;
    must(sonde_function_table_init(profile, &table, NULL) == 0);
    must(table.whole == sum);
    sonde_function_table_fini(&table);
    struct sonde_output output = SONDE_OUTPUT(collect, heap);
    must(sonde_folded_write(profile, &output, NULL) == 0);
    must(sonde_speedscope_write(profile, "x", &output, NULL) == 0);
    must(sonde_pprof_write(profile, 1, &output, NULL) == 0);
    sonde_buf_clear(heap);
    must(sonde_heapprofile_write(profile, &output, NULL) == 0);
    sonde_output_fini(&output);
}

/* Any bytes, in pieces of a size that they choose, by a reader of one format. */
static inline int read_amounts(const uint8_t *data, size_t size,
                               int (*read_file)(struct sonde_profile *profile,
                                                struct sonde_str text, size_t step))
{
    struct sonde_profile profile;
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 20);
    must(sonde_profile_init(&profile, NULL) == 0);
    size_t step = size ? 1 + data[size / 2] : 1;
    if (read_file(&profile, (struct sonde_str){(const char *)data, size}, step) == 0) {
        check(&profile, &text);
    }
    sonde_profile_fini(&profile);
    return 0;
}

#endif
