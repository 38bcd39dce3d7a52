/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a recording of a browser: what is made of it can be sent. */
#include "load_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return import_any(SONDE_SCENARIO_HAR, data, size);
}
