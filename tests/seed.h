/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_TESTS_SEED_H
#define SONDE_TESTS_SEED_H

#include <stdint.h>

/* For sonde_random_next: SONDE_TEST_SEED of the environment, or a new one; printed. */
uint64_t test_seed(void);

#endif
