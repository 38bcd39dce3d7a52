/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_BASE_RANDOM_H
#define SONDE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { SONDE_UUID_SIZE = 37 }; /* 36 characters and the NUL */

/* Bytes of the kernel's generator, fit for secrets. Cannot fail on Linux ≥ 3.17. */
void sonde_random_bytes(void *data, size_t length);

/* A random UUID (version 4, RFC 9562 §5.4) in lower-case text. */
void sonde_random_uuid(char ret[SONDE_UUID_SIZE]);

/* A repeatable generator for tests and jitter: SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t sonde_random_next(uint64_t *state);

#endif
