/* SPDX-License-Identifier: Apache-2.0 */
#include "load/duration.h"

#include <stdio.h>
#include <string.h>

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

void sonde_load_put_duration(int64_t us, const char *mark, size_t width, struct sonde_buf *buf)
{
    char text[SONDE_LOAD_DURATION_SIZE];
    size_t columns = sonde_utf16_length(sonde_str(sonde_load_duration(us, text))) + strlen(mark);
    sonde_buf_repeat(buf, ' ', columns < width ? width - columns : 1);
    sonde_buf_text(buf, text);
    sonde_buf_text(buf, mark);
}

void sonde_load_put_quantile(const struct sonde_histogram *histogram, double share, size_t width,
                             struct sonde_buf *buf)
{
    if (histogram->total == 0) {
        sonde_buf_printf(buf, "%*s", (int)width, "-");
    } else if (share < 1) {
        const char *mark = sonde_histogram_is_scarce(histogram, share) ? "*" : "";
        sonde_load_put_duration(sonde_histogram_quantile(histogram, share), mark, width, buf);
    } else {
        sonde_load_put_duration(histogram->maximum, "", width, buf);
    }
}
