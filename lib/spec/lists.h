/* SPDX-License-Identifier: Apache-2.0 */
/* The shape that every SONDE_LIST has, for the code that goes by tables. */
#ifndef SONDE_SPEC_LISTS_H
#define SONDE_SPEC_LISTS_H

#include <stddef.h>

struct sonde_any_list {
    void *items;
    size_t count;
};

#endif
