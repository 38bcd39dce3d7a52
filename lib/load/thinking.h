/* SPDX-License-Identifier: Apache-2.0 */
/* Who thinks until when: a heap, of which the first is the one that is ready first. Pure. */
#ifndef SONDE_LOAD_THINKING_H
#define SONDE_LOAD_THINKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct thinker {
    int64_t ready_ns;
    uint32_t index; /* of a connection */
};

struct thinking {
    struct thinker *items;
    uint32_t count, most;
};

/* For so many. SONDE_ENOMEM. The caller calls thinking_fini in any case. */
int thinking_init(struct thinking *thinking, uint32_t most, struct sonde_err *err) SONDE_MUST_CHECK;
void thinking_fini(struct thinking *thinking);

/* INT64_MAX: nobody thinks. */
int64_t thinking_next(const struct thinking *thinking);
/* What is more than `most` is left out. */
void thinking_add(struct thinking *thinking, uint32_t index, int64_t ready_ns);
/* Takes the first out, if he is ready now. */
bool thinking_take(struct thinking *thinking, int64_t now_ns, uint32_t *ret_index);

#endif
