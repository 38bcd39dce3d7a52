/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "fail.h"
#include "load/bootstrap.h"
#include "load/tally.h"

/* ---- allocations ---- */

static const double shares[] = {0.5, 0.99};

static int compare_with_itself(void *context)
{
    (void)context;
    struct sonde_load_tally second = {0};
    struct sonde_load_series series = {0};
    struct sonde_bootstrap_interval ends[2];
    struct sonde_bootstrap_change change[2];
    const struct sonde_bootstrap_options options = {shares, 2, 0.95, 20, 1};
    int r = sonde_load_tally_init(&second, NULL);
    r = r < 0 ? r : sonde_load_series_init(&series, &second.response.layout, NULL);
    for (int i = 0; i < 20 && r == 0; i++) {
        sonde_histogram_record(&second.response, 100 + i);
        sonde_load_series_add(&series, &second.response);
    }
    r = r < 0 ? r : sonde_bootstrap_quantiles(&series, &options, ends, NULL);
    r = r < 0 ? r : sonde_bootstrap_compare(&series, &series, &options, change, NULL);
    sonde_load_series_fini(&series);
    sonde_load_tally_fini(&second);
    return r;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fail_each_allocation(compare_with_itself, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests_name("load_fault", tests, NULL, NULL);
}
