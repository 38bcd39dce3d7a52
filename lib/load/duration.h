/* SPDX-License-Identifier: Apache-2.0 */
/* A duration as a person reads it. Pure. */
#ifndef SONDE_LOAD_DURATION_H
#define SONDE_LOAD_DURATION_H

#include <stdint.h>

/* "836 µs", "3.54 ms", "1.20 s". Returns ret. */
enum { SONDE_LOAD_DURATION_SIZE = 40 };
const char *sonde_load_duration(int64_t us, char ret[SONDE_LOAD_DURATION_SIZE]);

#endif
