/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_ANALYSIS_CPU_FINDINGS_H
#define SONDE_ANALYSIS_CPU_FINDINGS_H

#include "analysis/cpu.h"

/* Fills analysis->findings from its numbers, most severe first; there is always at least one: a
 * healthy run says so, and so does one without samples. For cpu.c. */
void sonde_cpu_find(const struct sonde_profile *profile, struct sonde_cpu_analysis *analysis);

enum { SONDE_CPU_PART_SIZE = 16 };
/* "most" for more than half of the whole, else "37 %": goes before "of it in". Returns `ret`. */
const char *sonde_cpu_part(int64_t part, int64_t whole, char ret[SONDE_CPU_PART_SIZE]);

#endif
