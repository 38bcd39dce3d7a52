/* SPDX-License-Identifier: Apache-2.0 */
/* Ownership said in types: cleanup attributes for locals, TAKE to hand on. */
#ifndef SONDE_BASE_MEMORY_H
#define SONDE_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#define SONDE_MUST_CHECK __attribute__((warn_unused_result))
#define SONDE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define SONDE_CLEANUP(function) __attribute__((cleanup(function)))
/* A local of a hot path that is written before it is read: it is not cleared first, as all others
 * are (-ftrivial-auto-var-init). */
#if defined(__has_attribute) && __has_attribute(uninitialized)
#define SONDE_UNCLEARED __attribute__((uninitialized))
#else
#define SONDE_UNCLEARED
#endif
#define SONDE_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* A char * or other heap pointer freed when the scope ends. */
#define SONDE_FREE SONDE_CLEANUP(sonde_freep)
/* A file descriptor closed when the scope ends, when it is ≥ 0. */
#define SONDE_CLOSE SONDE_CLEANUP(sonde_closep)

/* Hands the pointer on to a new owner; the variable is NULL from here on. */
#define SONDE_TAKE(pointer)                                                                        \
    __extension__({                                                                                \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

void sonde_freep(void *pointer);
void sonde_closep(const int *fd);

/* Makes an array of `element` bytes each hold at least `wanted` elements: doubles
 * *capacity, never beyond `maximum` elements. `array` is the address of the
 * pointer. Returns 0, SONDE_ENOMEM, or SONDE_ELIMIT when wanted > maximum; the
 * array is unchanged on failure. */
int sonde_array_grow(void *array, size_t *capacity, size_t wanted, size_t element,
                     size_t maximum) SONDE_MUST_CHECK;

/* Bytes that several arrays share. What is freed is given back by who frees it. */
struct sonde_budget {
    size_t used, maximum;
};

/* The same out of a budget: SONDE_ELIMIT also when too little of it is left. */
int sonde_array_grow_within(struct sonde_budget *budget, void *array, size_t *capacity,
                            size_t wanted, size_t element, size_t maximum) SONDE_MUST_CHECK;
/* Takes bytes of it for something else; false when so many are not left. */
bool sonde_budget_take(struct sonde_budget *budget, size_t bytes) SONDE_MUST_CHECK;

#endif
