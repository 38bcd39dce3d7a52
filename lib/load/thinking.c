/* SPDX-License-Identifier: Apache-2.0 */
#include "load/thinking.h"

#include <stdlib.h>

int thinking_init(struct thinking *thinking, uint32_t most, struct sonde_err *err)
{
    *thinking = (struct thinking){.items = calloc(most, sizeof(*thinking->items)), .most = most};
    return thinking->items ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "no memory for pauses");
}

void thinking_fini(struct thinking *thinking)
{
    free(thinking->items);
    *thinking = (struct thinking){0};
}

int64_t thinking_next(const struct thinking *thinking)
{
    return thinking->count ? thinking->items[0].ready_ns : INT64_MAX;
}

void thinking_add(struct thinking *thinking, uint32_t index, int64_t ready_ns)
{
    if (thinking->count == thinking->most) {
        return;
    }
    struct thinker *items = thinking->items;
    uint32_t at = thinking->count++;
    for (; at && items[(at - 1) / 2].ready_ns > ready_ns; at = (at - 1) / 2) {
        items[at] = items[(at - 1) / 2];
    }
    items[at] = (struct thinker){ready_ns, index};
}

bool thinking_take(struct thinking *thinking, int64_t now_ns, uint32_t *ret_index)
{
    struct thinker *items = thinking->items;
    if (thinking_next(thinking) > now_ns) {
        return false;
    }
    *ret_index = items[0].index;
    const struct thinker last = items[--thinking->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= thinking->count) {
            break;
        }
        child += child + 1 < thinking->count && items[child + 1].ready_ns < items[child].ready_ns;
        if (items[child].ready_ns >= last.ready_ns) {
            break;
        }
        items[at] = items[child];
        at = child;
    }
    items[at] = last;
    return true;
}
