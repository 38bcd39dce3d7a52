/* SPDX-License-Identifier: Apache-2.0 */
#include "seed.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/str.h"

uint64_t test_seed(void)
{
    uint64_t seed;
    const char *given = getenv("SONDE_TEST_SEED");
    if (!given || sonde_parse_u64(sonde_str(given), 0, UINT64_MAX, &seed) < 0) {
        sonde_random_bytes(&seed, sizeof(seed));
    }
    print_message("SONDE_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}
