/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

void sonde_freep(void *pointer)
{
    void *block;
    memcpy(&block, pointer, sizeof(block));
    free(block);
}

void sonde_closep(const int *fd)
{
    if (*fd >= 0) {
        /* Linux closes the descriptor even when it says EINTR: never again. */
        (void)close(*fd);
    }
}

int sonde_array_grow(void *array, size_t *capacity, size_t wanted, size_t element, size_t maximum)
{
    if (wanted <= *capacity) {
        return 0;
    }
    if (wanted > maximum || wanted > SIZE_MAX / element) {
        return SONDE_ELIMIT;
    }
    size_t larger = *capacity > maximum / 2 ? maximum : *capacity * 2;
    if (larger < 8) {
        larger = maximum < 8 ? maximum : 8;
    }
    if (larger < wanted) {
        larger = wanted;
    }
    if (larger > SIZE_MAX / element) {
        larger = wanted;
    }
    void *old;
    memcpy(&old, array, sizeof(old));
    void *block = realloc(old, larger * element);
    if (!block) {
        return SONDE_ENOMEM;
    }
    memcpy(array, &block, sizeof(block));
    *capacity = larger;
    return 0;
}

int sonde_array_grow_within(struct sonde_budget *budget, void *array, size_t *capacity,
                            size_t wanted, size_t element, size_t maximum)
{
    size_t before = *capacity;
    size_t affordable = before + (budget->maximum - budget->used) / element;
    int r = sonde_array_grow(array, capacity, wanted, element,
                             maximum < affordable ? maximum : affordable);
    if (r == 0) {
        budget->used += (*capacity - before) * element;
    }
    return r;
}

bool sonde_budget_take(struct sonde_budget *budget, size_t bytes)
{
    if (bytes > budget->maximum - budget->used) {
        return false;
    }
    budget->used += bytes;
    return true;
}
