/* SPDX-License-Identifier: Apache-2.0 */
/* An answer of the store: what is to be done next, addresses of pods, or the whole work. */
#include <stdlib.h>

#include "base/clock.h"
#include "runner/runner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void read_order(const cJSON *json)
{
    struct order order;
    struct sonde_load_plan plan = {0};
    const struct store_clock clock = {.offset_ns = INT64_C(1700000000) * SONDE_SECOND};
    if (order_read(json, &order, NULL) == 0 && order.kind == ORDER_BEGIN) {
        order_apply(&order, &clock, SONDE_SECOND, &plan);
        must(plan.from_ns >= 0);
    }
}

static void read_addresses(const cJSON *json)
{
    static struct sonde_load_addresses addresses;
    if (work_addresses(json, &addresses, NULL) == 0) {
        must(addresses.count > 0 && addresses.count <= SONDE_LOAD_ADDRESSES_MAX);
    }
}

static void read_work(const cJSON *json)
{
    static struct work work;
    const struct settings settings = {
        .target = "runner-0", .pod = "", .node = "", .files = "/nowhere"};
    if (work_make(&settings, json, &work, NULL) == 0) {
        must(work.plan.runners >= 1 && work.plan.runners <= RUNNER_COUNT_MAX);
    }
    work_fini(&work);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SONDE_JSON_AUTO *json = NULL;
    const struct sonde_str text = {(const char *)data, size};
    if (sonde_json_parse(text, &json, NULL) == 0) {
        read_order(json);
        read_addresses(json);
        read_work(json);
    }
    return 0;
}
