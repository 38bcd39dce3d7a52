/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 (Aumasson and Bernstein, 2012) under a key of the caller's, in pieces: as long as the
 * key is secret, nothing can be told of a text from its hash. */
#ifndef SONDE_BASE_SIPHASH_H
#define SONDE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct sonde_siphash {
    uint64_t v[4];
    uint64_t tail;   /* bytes of a word that is not complete */
    uint64_t length; /* bytes so far */
};

/* One round, for other variants. */
static inline void sonde_siphash_round(uint64_t v[4])
{
#define SONDE_ROTATE(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))
    v[0] += v[1];
    v[1] = SONDE_ROTATE(v[1], 13) ^ v[0];
    v[0] = SONDE_ROTATE(v[0], 32);
    v[2] += v[3];
    v[3] = SONDE_ROTATE(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = SONDE_ROTATE(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = SONDE_ROTATE(v[1], 17) ^ v[2];
    v[2] = SONDE_ROTATE(v[2], 32);
#undef SONDE_ROTATE
}

void sonde_siphash_init(struct sonde_siphash *hash, const uint64_t key[2]);
void sonde_siphash_add(struct sonde_siphash *hash, const char *data, size_t length);
/* The hash of all that was added. */
uint64_t sonde_siphash_end(const struct sonde_siphash *hash);

#endif
