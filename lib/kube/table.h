/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of links that stand in the caller's structs: entries can be removed at once, and
 * one struct can be in several tables. */
#ifndef SONDE_KUBE_TABLE_H
#define SONDE_KUBE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct sonde_kube_link {
    struct sonde_kube_link *next;
    struct sonde_kube_link **at; /* what points here; NULL: in no table */
    uint64_t hash;
};

struct sonde_kube_table {
    struct sonde_kube_link **buckets;
    size_t capacity; /* 0 or a power of two */
    size_t count;
};

/* The struct that holds a link as its member. */
#define SONDE_KUBE_OWNER(link, type, member)                                                       \
    ((type *)(void *)((char *)(link) - offsetof(type, member)))

/* Frees the table, not what is linked. */
void sonde_kube_table_fini(struct sonde_kube_table *table);
/* Makes room for one more link: the insertion after that cannot fail. SONDE_ENOMEM. */
int sonde_kube_table_reserve(struct sonde_kube_table *table) SONDE_MUST_CHECK;
/* Links an entry; several may have the same key. Only after sonde_kube_table_reserve. */
void sonde_kube_table_insert(struct sonde_kube_table *table, struct sonde_kube_link *link,
                             struct sonde_str key);
/* Takes a link out; one that is in no table is left alone. */
void sonde_kube_table_remove(struct sonde_kube_table *table, struct sonde_kube_link *link);
/* The first of the links whose keys hash as `key` does, and the one after a link; NULL: none.
 * The caller compares the keys themselves. */
struct sonde_kube_link *sonde_kube_table_first(const struct sonde_kube_table *table,
                                               struct sonde_str key);
struct sonde_kube_link *sonde_kube_table_next(const struct sonde_kube_link *link);

#endif
