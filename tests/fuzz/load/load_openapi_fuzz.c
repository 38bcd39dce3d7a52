/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a description of a service: what is made of it can be sent. */
#include "load_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return import_any(SONDE_SCENARIO_OPENAPI, data, size);
}
