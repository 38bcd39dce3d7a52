/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/ids.h"

#include <stdlib.h>

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = ((const struct sonde_id *)a)->id;
    uint64_t right = ((const struct sonde_id *)b)->id;
    return (left > right) - (left < right);
}

int sonde_ids_sort(struct sonde_id *ids, size_t count, const char *format, const char *items,
                   struct sonde_err *err)
{
    if (count) {
        qsort(ids, count, sizeof(*ids), compare_ids);
    }
    for (size_t i = 1; i < count; i++) {
        if (ids[i].id == ids[i - 1].id) {
            return sonde_fail(err, SONDE_EPARSE, 0, "%s: two %s have the id %llu", format, items,
                              (unsigned long long)ids[i].id);
        }
    }
    return 0;
}

uint32_t sonde_ids_find(const struct sonde_id *ids, size_t count, uint64_t id)
{
    /* Nearly always the ids are 1, 2, 3 … */
    if (id >= 1 && id <= count && ids[id - 1].id == id) {
        return ids[id - 1].item;
    }
    struct sonde_id key = {id, 0};
    const struct sonde_id *found =
        count ? bsearch(&key, ids, count, sizeof(key), compare_ids) : NULL;
    return found ? found->item : SONDE_ID_NONE;
}
