/* SPDX-License-Identifier: Apache-2.0 */
/* A sidecar's last word. It runs where strangers are, and what it says is handed on: to the
 * controller, and to people. Pure. */
#ifndef SONDE_STORE_RESULT_H
#define SONDE_STORE_RESULT_H

#include <cjson/cJSON.h>

#include "base/memory.h"

enum { RESULT_PROCESSES_MAX = 64 };

/* As much of a result as anybody reads, as JSON; long texts are cut, and of processes the first
 * RESULT_PROCESSES_MAX count. The caller frees it with cJSON_free. NULL without memory. */
char *result_keep(const cJSON *result) SONDE_MUST_CHECK;

#endif
