/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/table.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/map.h"

enum { CAPACITY_MIN = 16 };

void sonde_kube_table_fini(struct sonde_kube_table *table)
{
    free(table->buckets);
    *table = (struct sonde_kube_table){0};
}

static void place(struct sonde_kube_table *table, struct sonde_kube_link *link)
{
    struct sonde_kube_link **bucket = &table->buckets[link->hash & (table->capacity - 1)];
    link->next = *bucket;
    link->at = bucket;
    if (link->next) {
        link->next->at = &link->next;
    }
    *bucket = link;
}

int sonde_kube_table_reserve(struct sonde_kube_table *table)
{
    if (table->count < table->capacity) {
        return 0;
    }
    struct sonde_kube_table larger = {.capacity =
                                          table->capacity ? table->capacity * 2 : CAPACITY_MIN};
    larger.buckets = calloc(larger.capacity, sizeof(struct sonde_kube_link *));
    if (!larger.buckets) {
        return SONDE_ENOMEM;
    }
    for (size_t i = 0; i < table->capacity; i++) {
        for (struct sonde_kube_link *link = table->buckets[i], *next; link; link = next) {
            next = link->next;
            place(&larger, link);
        }
    }
    larger.count = table->count;
    free(table->buckets);
    *table = larger;
    return 0;
}

void sonde_kube_table_insert(struct sonde_kube_table *table, struct sonde_kube_link *link,
                             struct sonde_str key)
{
    link->hash = sonde_hash(key);
    place(table, link);
    table->count++;
}

void sonde_kube_table_remove(struct sonde_kube_table *table, struct sonde_kube_link *link)
{
    if (!link->at) {
        return;
    }
    *link->at = link->next;
    if (link->next) {
        link->next->at = link->at;
    }
    *link = (struct sonde_kube_link){0};
    table->count--;
}

static struct sonde_kube_link *same_hash(struct sonde_kube_link *link, uint64_t hash)
{
    while (link && link->hash != hash) {
        link = link->next;
    }
    return link;
}

struct sonde_kube_link *sonde_kube_table_first(const struct sonde_kube_table *table,
                                               struct sonde_str key)
{
    if (table->count == 0) {
        return NULL;
    }
    uint64_t hash = sonde_hash(key);
    return same_hash(table->buckets[hash & (table->capacity - 1)], hash);
}

struct sonde_kube_link *sonde_kube_table_next(const struct sonde_kube_link *link)
{
    return same_hash(link->next, link->hash);
}
