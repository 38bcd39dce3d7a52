/* SPDX-License-Identifier: Apache-2.0 */
#include "load/duration.h"

#include <stdio.h>

const char *sonde_load_duration(int64_t us, char ret[SONDE_LOAD_DURATION_SIZE])
{
    enum { MS = 1000, S = 1000 * 1000, TEN = 10, HUNDRED = 100 };
    if (us < MS) {
        (void)snprintf(ret, SONDE_LOAD_DURATION_SIZE, "%lld µs", (long long)us);
        return ret;
    }
    int64_t unit = us < S ? MS : S;
    int places = us < TEN * unit ? 2 : us < HUNDRED * unit ? 1 : 0;
    (void)snprintf(ret, SONDE_LOAD_DURATION_SIZE, "%.*f %s", places, (double)us / (double)unit,
                   us < S ? "ms" : "s");
    return ret;
}
