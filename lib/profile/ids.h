/* SPDX-License-Identifier: Apache-2.0 */
/* The ids that a file gives to its items → their indexes. */
#ifndef SONDE_PROFILE_IDS_H
#define SONDE_PROFILE_IDS_H

#include <stdint.h>

#include "base/err.h"

enum { SONDE_ID_NONE = 0xffffffff };

struct sonde_id {
    uint64_t id;
    uint32_t item;
};

/* Sorts them for sonde_ids_find. SONDE_EPARSE when two are equal: "FORMAT: two nodes have the id
 * 7". */
int sonde_ids_sort(struct sonde_id *ids, size_t count, const char *format, const char *items,
                   struct sonde_err *err) SONDE_MUST_CHECK;
/* The item of an id, or SONDE_ID_NONE. */
uint32_t sonde_ids_find(const struct sonde_id *ids, size_t count, uint64_t id);

#endif
