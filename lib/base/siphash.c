/* SPDX-License-Identifier: Apache-2.0 */
#include "base/siphash.h"

void sonde_siphash_init(struct sonde_siphash *hash, const uint64_t key[2])
{
    *hash = (struct sonde_siphash){
        .v = {key[0] ^ 0x736f6d6570736575U, key[1] ^ 0x646f72616e646f6dU,
              key[0] ^ 0x6c7967656e657261U, key[1] ^ 0x7465646279746573U},
    };
}

static void take_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sonde_siphash_round(v);
    sonde_siphash_round(v);
    v[0] ^= word;
}

void sonde_siphash_add(struct sonde_siphash *hash, const char *data, size_t length)
{
    unsigned held = hash->length % 8;
    hash->length += length;
    while (held && length) {
        hash->tail |= (uint64_t)(unsigned char)*data << (8 * held);
        data++;
        length--;
        held = (held + 1) % 8;
        if (held == 0) {
            take_word(hash->v, hash->tail);
            hash->tail = 0;
        }
    }
    for (; length >= 8; data += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        take_word(hash->v, word);
    }
    for (; length; data++, length--, held++) {
        hash->tail |= (uint64_t)(unsigned char)*data << (8 * held);
    }
}

uint64_t sonde_siphash_end(const struct sonde_siphash *hash)
{
    uint64_t v[4] = {hash->v[0], hash->v[1], hash->v[2], hash->v[3]};
    take_word(v, hash->tail | hash->length << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sonde_siphash_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
