/* SPDX-License-Identifier: Apache-2.0 */
/* Which of 64 bytes are of some kind, as the bits of a word, the first byte's the lowest: scanners
 * then go from one to the next without looking at those between. The vectors are the compiler's,
 * of any processor; only how their truth becomes bits is told apart. */
#ifndef SONDE_BASE_WINDOW_H
#define SONDE_BASE_WINDOW_H

#include <stdint.h>
#include <string.h>

enum { SONDE_WINDOW = 64 }; /* bytes */

typedef uint8_t sonde_window_part __attribute__((vector_size(16)));

enum { SONDE_WINDOW_PART = sizeof(sonde_window_part) };

static inline sonde_window_part sonde_window_load(const char *data)
{
    sonde_window_part part;
    memcpy(&part, data, sizeof(part));
    return part;
}

/* Bits of a comparison, each of whose bytes is 0 or 0xff. */
static inline uint64_t sonde_window_bits(sonde_window_part truth)
{
#ifdef __SSE2__
    typedef char characters __attribute__((vector_size(16)));
    return (unsigned)__builtin_ia32_pmovmskb128((characters)truth);
#else
    uint64_t bits = 0;
    for (unsigned i = 0; i < SONDE_WINDOW_PART; i++) {
        bits |= (uint64_t)(truth[i] & 1) << i;
    }
    return bits;
#endif
}

/* Those for which `condition` of the vector `part` is true; both are names or expressions of the
 * caller's. */
#define SONDE_WINDOW_WHERE(data, part, condition)                                                  \
    __extension__({                                                                                \
        uint64_t bits_ = 0;                                                                        \
        for (unsigned i_ = 0; i_ < SONDE_WINDOW / SONDE_WINDOW_PART; i_++) {                       \
            sonde_window_part part = sonde_window_load((data) + (size_t)i_ * SONDE_WINDOW_PART);   \
            bits_ |= sonde_window_bits((sonde_window_part)(condition))                             \
                     << (i_ * SONDE_WINDOW_PART);                                                  \
        }                                                                                          \
        bits_;                                                                                     \
    })

/* The bits below `count` < 64. Of a word that has one: the place of the first bit, and the one
 * behind the last. */
static inline uint64_t sonde_window_below(unsigned count)
{
    return (UINT64_C(1) << count) - 1;
}

static inline unsigned sonde_window_first(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

static inline unsigned sonde_window_behind(uint64_t bits)
{
    return SONDE_WINDOW - (unsigned)__builtin_clzll(bits);
}

#endif
