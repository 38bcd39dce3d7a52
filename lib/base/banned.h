/* SPDX-License-Identifier: Apache-2.0 */
/* Included before every file of ours: functions without a bound, without an
 * error or with hidden state become compile errors (idea: git, banned.h). */
#ifndef SONDE_BASE_BANNED_H
#define SONDE_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok
#pragma GCC poison atoi atol atoll atof strtol strtoul strtoll strtoull
#pragma GCC poison sscanf localtime gmtime ctime asctime tmpnam mktemp

#endif
