/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "runner/runner.h"
#include "spec/reason.h"

void queue_init(struct queue *queue)
{
    *queue = (struct queue){.last = &queue->first};
    (void)pthread_mutex_init(&queue->lock, NULL);
}

static void free_first(struct queue *queue)
{
    struct second *first = queue->first;
    queue->first = first->next;
    queue->last = queue->first ? queue->last : &queue->first;
    queue->bytes -= first->body.length;
    sonde_buf_fini(&first->body);
    free(first);
}

void queue_fini(struct queue *queue)
{
    while (queue->first) {
        free_first(queue);
    }
    (void)pthread_mutex_destroy(&queue->lock);
}

int queue_put(struct queue *queue, struct sonde_buf *body, struct sonde_err *err)
{
    struct second *second = calloc(1, sizeof(*second));
    if (!second) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    (void)pthread_mutex_lock(&queue->lock);
    size_t bytes = queue->bytes;
    bool full = bytes + body->length > RUNNER_WAITING_BYTES_MAX;
    if (!full) {
        second->body = *body;
        *body = SONDE_BUF(body->maximum);
        queue->bytes += second->body.length;
        *queue->last = second;
        queue->last = &second->next;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    if (full) {
        free(second);
        return sonde_fail_reason(err, SONDE_ELIMIT, SONDE_REASON_STORE_UNREACHABLE,
                                 "the store takes what is measured too slowly, or not at all: "
                                 "%zu bytes wait",
                                 bytes);
    }
    return 0;
}

const struct second *queue_first(struct queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    const struct second *first = queue->first;
    (void)pthread_mutex_unlock(&queue->lock);
    return first;
}

void queue_drop(struct queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    if (queue->first) {
        free_first(queue);
    }
    (void)pthread_mutex_unlock(&queue->lock);
}
