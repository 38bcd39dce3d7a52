/* SPDX-License-Identifier: Apache-2.0 */
/* lib/histogram for other implementations. Lines of standard input, a line of output for each:
 * "encode LOWEST HIGHEST DIGITS VALUE…": the histogram's text
 * "log LOWEST HIGHEST DIGITS VALUE…": the same as a log of one interval, with a blank line behind
 * it "decode TEXT": JSON */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "histogram/wire.h"

enum { LINE_BYTES = 16 << 20 };

static int64_t next_number(struct sonde_str *rest)
{
    int64_t number = 0;
    struct sonde_str word = sonde_str_split(rest, ' ');
    if (sonde_parse_i64(word, INT64_MIN, INT64_MAX, &number) < 0) {
        (void)fprintf(stderr, "%.*s is no number\n", SONDE_STR_ARG(word));
        exit(EXIT_FAILURE);
    }
    return number;
}

static void must(int code, const struct sonde_err *err)
{
    if (code < 0) {
        (void)fprintf(stderr, "%s\n", err->message);
        exit(EXIT_FAILURE);
    }
}

static void record_all(struct sonde_str rest, struct sonde_histogram *ret)
{
    struct sonde_histogram_layout layout;
    struct sonde_err err;
    int64_t lowest = next_number(&rest);
    int64_t highest = next_number(&rest);
    must(sonde_histogram_layout(lowest, highest, (int)next_number(&rest), &layout, &err), &err);
    must(sonde_histogram_init(ret, &layout, &err), &err);
    while (rest.data) {
        sonde_histogram_record(ret, next_number(&rest));
    }
}

static void print_text(struct sonde_str rest, bool log)
{
    struct sonde_histogram histogram;
    struct sonde_err err;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_HISTOGRAM_TEXT_MAX);
    record_all(rest, &histogram);
    if (log) {
        sonde_histogram_log_begin(SONDE_SECOND, &text);
        must(sonde_histogram_log_add(&histogram, "response", 0, SONDE_SECOND, &text, &err), &err);
    } else {
        must(sonde_histogram_encode(&histogram, &text, &err), &err);
    }
    printf("%s\n", text.data);
    sonde_histogram_fini(&histogram);
}

static void print_read(struct sonde_str text)
{
    static const double shares[] = {0, 0.001, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.99999, 1};
    struct sonde_histogram histogram;
    struct sonde_err err;
    must(sonde_histogram_decode(text, &histogram, &err), &err);
    printf("{\"lowest\":%lld,\"highest\":%lld,\"digits\":%d,\"total\":%llu,\"mean\":%.17g,"
           "\"deviation\":%.17g,\"quantiles\":[",
           (long long)histogram.layout.lowest, (long long)histogram.layout.highest,
           histogram.layout.digits, (unsigned long long)histogram.total,
           sonde_histogram_mean(&histogram), sonde_histogram_deviation(&histogram));
    for (size_t i = 0; i < SONDE_LENGTH(shares); i++) {
        printf("%s[%g,%lld]", i ? "," : "", 100 * shares[i],
               (long long)sonde_histogram_quantile(&histogram, shares[i]));
    }
    printf("]}\n");
    sonde_histogram_fini(&histogram);
}

int main(void)
{
    static char line[LINE_BYTES];
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        struct sonde_str rest = sonde_str(line);
        struct sonde_str command = sonde_str_split(&rest, ' ');
        if (sonde_str_is(command, "decode")) {
            print_read(rest);
        } else {
            print_text(rest, sonde_str_is(command, "log"));
        }
    }
    return EXIT_SUCCESS;
}
