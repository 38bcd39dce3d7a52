/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/queue.h"

#include <stdlib.h>

#include "base/clock.h"
#include "kube/table.h"

/* A key that waits, is worked on, or has failed. */
struct item {
    struct sonde_kube_link link;
    struct item *next; /* in the list of the ready ones */
    int64_t ready_since;
    int64_t due;       /* while delayed */
    size_t heap_index; /* from 1; 0: not delayed */
    unsigned failures;
    bool ready, working;
    bool again; /* added while it was worked on */
    size_t length;
    char key[];
};

struct sonde_kube_queue {
    struct sonde_kube_queue_options options;
    struct sonde_kube_table items;
    struct item *first, **last; /* ready, oldest first */
    struct item **heap;         /* delayed, earliest first; [0] is not used */
    size_t heap_count, heap_capacity;
    size_t ready, working;
    struct sonde_kube_bucket bucket;
    uint64_t random;
    uint64_t adds, retries;
};

struct sonde_kube_queue_options sonde_kube_queue_defaults(uint64_t seed)
{
    return (struct sonde_kube_queue_options){
        .first_retry_ns = 5 * SONDE_MILLISECOND,
        .maximum_retry_ns = 1000 * SONDE_SECOND,
        .jitter = 0.1,
        .retries_per_second = 10,
        .retry_burst = 100,
        .maximum = 100000,
        .seed = seed,
    };
}

static int no_memory(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ENOMEM, 0, "work queue: out of memory");
}

int sonde_kube_queue_new(const struct sonde_kube_queue_options *options, int64_t now,
                         struct sonde_kube_queue **ret, struct sonde_err *err)
{
    struct sonde_kube_queue *queue = calloc(1, sizeof(*queue));
    if (!queue) {
        return no_memory(err);
    }
    queue->options = *options;
    queue->last = &queue->first;
    queue->random = options->seed;
    sonde_kube_bucket_init(&queue->bucket, options->retries_per_second, options->retry_burst, now);
    *ret = queue;
    return 0;
}

void sonde_kube_queue_free(struct sonde_kube_queue *queue)
{
    if (!queue) {
        return;
    }
    for (size_t i = 0; i < queue->items.capacity; i++) {
        for (struct sonde_kube_link *link = queue->items.buckets[i], *next; link; link = next) {
            next = link->next;
            free(SONDE_KUBE_OWNER(link, struct item, link));
        }
    }
    sonde_kube_table_fini(&queue->items);
    free(queue->heap);
    free(queue);
}

static struct item *find(const struct sonde_kube_queue *queue, struct sonde_str key)
{
    struct sonde_kube_link *link = sonde_kube_table_first(&queue->items, key);
    for (; link; link = sonde_kube_table_next(link)) {
        struct item *item = SONDE_KUBE_OWNER(link, struct item, link);
        if (sonde_str_equal(key, (struct sonde_str){item->key, item->length})) {
            return item;
        }
    }
    return NULL;
}

/* Finds or makes the item; room in the heap is there for every item, so that only this fails. */
static int intern(struct sonde_kube_queue *queue, struct sonde_str key, struct item **ret,
                  struct sonde_err *err)
{
    *ret = find(queue, key);
    if (*ret) {
        return 0;
    }
    if (key.length > SONDE_KUBE_QUEUE_KEY_MAX || queue->items.count >= queue->options.maximum) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "work queue: %s",
                          key.length > SONDE_KUBE_QUEUE_KEY_MAX ? "a key is too long"
                                                                : "too many keys");
    }
    if (sonde_kube_table_reserve(&queue->items) < 0 ||
        sonde_array_grow(&queue->heap, &queue->heap_capacity, queue->items.count + 2,
                         sizeof(*queue->heap), queue->options.maximum + 2) < 0) {
        return no_memory(err);
    }
    struct item *item = calloc(1, sizeof(*item) + key.length + 1);
    if (!item) {
        return no_memory(err);
    }
    if (key.length) {
        memcpy(item->key, key.data, key.length);
    }
    item->length = key.length;
    sonde_kube_table_insert(&queue->items, &item->link, key);
    *ret = item;
    return 0;
}

/* An item that nothing is known of any more is let go. */
static void let_go(struct sonde_kube_queue *queue, struct item *item)
{
    if (!item->ready && !item->working && !item->heap_index && item->failures == 0) {
        sonde_kube_table_remove(&queue->items, &item->link);
        free(item);
    }
}

/* ---- the delayed ones: a binary heap ---- */

static void heap_place(struct sonde_kube_queue *queue, size_t index, struct item *item)
{
    queue->heap[index] = item;
    item->heap_index = index;
}

static void heap_rise(struct sonde_kube_queue *queue, size_t index)
{
    struct item *item = queue->heap[index];
    while (index > 1 && queue->heap[index / 2]->due > item->due) {
        heap_place(queue, index, queue->heap[index / 2]);
        index /= 2;
    }
    heap_place(queue, index, item);
}

static void heap_sink(struct sonde_kube_queue *queue, size_t index)
{
    struct item *item = queue->heap[index];
    for (size_t child = index * 2; child <= queue->heap_count; child = index * 2) {
        if (child < queue->heap_count && queue->heap[child + 1]->due < queue->heap[child]->due) {
            child++;
        }
        if (queue->heap[child]->due >= item->due) {
            break;
        }
        heap_place(queue, index, queue->heap[child]);
        index = child;
    }
    heap_place(queue, index, item);
}

static struct item *heap_pop(struct sonde_kube_queue *queue)
{
    struct item *top = queue->heap[1];
    struct item *last = queue->heap[queue->heap_count--];
    top->heap_index = 0;
    if (top != last) {
        queue->heap[1] = last;
        heap_sink(queue, 1);
    }
    return top;
}

/* ---- the ready ones ---- */

static void make_ready(struct sonde_kube_queue *queue, struct item *item, int64_t now)
{
    if (item->ready || item->again) {
        return;
    }
    queue->adds++;
    if (item->working) {
        item->again = true;
        return;
    }
    item->ready = true;
    item->ready_since = now;
    item->next = NULL;
    *queue->last = item;
    queue->last = &item->next;
    queue->ready++;
}

static void collect_due(struct sonde_kube_queue *queue, int64_t now)
{
    while (queue->heap_count && queue->heap[1]->due <= now) {
        struct item *item = heap_pop(queue);
        make_ready(queue, item, item->due);
    }
}

int sonde_kube_queue_add(struct sonde_kube_queue *queue, struct sonde_str key, int64_t now,
                         struct sonde_err *err)
{
    struct item *item;
    int code = intern(queue, key, &item, err);
    if (code == 0) {
        make_ready(queue, item, now);
    }
    return code;
}

int sonde_kube_queue_add_after(struct sonde_kube_queue *queue, struct sonde_str key,
                               int64_t delay_ns, int64_t now, struct sonde_err *err)
{
    if (delay_ns <= 0) {
        return sonde_kube_queue_add(queue, key, now, err);
    }
    struct item *item;
    int code = intern(queue, key, &item, err);
    if (code < 0) {
        return code;
    }
    int64_t due = delay_ns > INT64_MAX - 1 - now ? INT64_MAX - 1 : now + delay_ns;
    if (item->heap_index == 0) {
        item->due = due;
        heap_place(queue, ++queue->heap_count, item);
        heap_rise(queue, queue->heap_count);
    } else if (due < item->due) {
        item->due = due;
        heap_rise(queue, item->heap_index);
    }
    return 0;
}

int sonde_kube_queue_retry(struct sonde_kube_queue *queue, struct sonde_str key, int64_t now,
                           struct sonde_err *err)
{
    struct item *item;
    int code = intern(queue, key, &item, err);
    if (code < 0) {
        return code;
    }
    struct sonde_kube_backoff backoff = {.first_ns = queue->options.first_retry_ns,
                                         .maximum_ns = queue->options.maximum_retry_ns,
                                         .jitter = queue->options.jitter,
                                         .failures = item->failures};
    int64_t own = sonde_kube_backoff_next(&backoff, now, &queue->random);
    int64_t common = sonde_kube_bucket_take(&queue->bucket, now);
    item->failures = backoff.failures;
    queue->retries++;
    return sonde_kube_queue_add_after(queue, key, own > common ? own : common, now, err);
}

void sonde_kube_queue_forget(struct sonde_kube_queue *queue, struct sonde_str key)
{
    struct item *item = find(queue, key);
    if (item) {
        item->failures = 0;
        let_go(queue, item);
    }
}

bool sonde_kube_queue_take(struct sonde_kube_queue *queue, int64_t now, struct sonde_str *ret)
{
    collect_due(queue, now);
    struct item *item = queue->first;
    if (!item) {
        return false;
    }
    queue->first = item->next;
    if (!queue->first) {
        queue->last = &queue->first;
    }
    queue->ready--;
    queue->working++;
    item->ready = false;
    item->working = true;
    *ret = (struct sonde_str){item->key, item->length};
    return true;
}

void sonde_kube_queue_done(struct sonde_kube_queue *queue, struct sonde_str key, int64_t now)
{
    struct item *item = find(queue, key);
    if (!item || !item->working) {
        return;
    }
    item->working = false;
    queue->working--;
    if (item->again) {
        item->again = false;
        queue->adds--; /* it was counted when it was added */
        make_ready(queue, item, now);
    }
    let_go(queue, item);
}

int64_t sonde_kube_queue_next(const struct sonde_kube_queue *queue, int64_t now)
{
    if (queue->first) {
        return now;
    }
    return queue->heap_count ? queue->heap[1]->due : INT64_MAX;
}

struct sonde_kube_queue_numbers sonde_kube_queue_numbers(const struct sonde_kube_queue *queue,
                                                         int64_t now)
{
    return (struct sonde_kube_queue_numbers){
        .ready = queue->ready,
        .delayed = queue->heap_count,
        .working = queue->working,
        .adds = queue->adds,
        .retries = queue->retries,
        .oldest_ns = queue->first ? now - queue->first->ready_since : 0,
    };
}
