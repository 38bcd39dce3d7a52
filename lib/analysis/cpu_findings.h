/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_ANALYSIS_CPU_FINDINGS_H
#define SONDE_ANALYSIS_CPU_FINDINGS_H

#include "analysis/cpu.h"

/* Fills analysis->findings from its numbers, most severe first; there is always at least one: a
 * healthy run says so, and so does one without samples. For cpu.c. */
void sonde_cpu_find(const struct sonde_profile *profile, struct sonde_cpu_analysis *analysis);

#endif
