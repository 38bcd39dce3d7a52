/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of HAR and OpenAPI have in common. */
#ifndef SONDE_TESTS_FUZZ_LOAD_IMPORT_H
#define SONDE_TESTS_FUZZ_LOAD_IMPORT_H

#include <stdlib.h>

#include "load/http2_request.h"
#include "load/scenario.h"

static inline void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

/* What was made of it can be sent: each request is whole, and one alone. */
static inline void must_be_sendable(const struct sonde_load_scenario *scenario)
{
    must(scenario->step_count > 0 && scenario->step_count <= SONDE_LOAD_STEPS_MAX);
    for (size_t i = 0; i < scenario->step_count; i++) {
        struct sonde_str bytes = scenario->requests[i].bytes;
        struct sonde_arena arena = SONDE_ARENA(SONDE_LOAD_MESSAGE_MAX);
        const struct sonde_load_http2_request *split;
        must(bytes.data);
        must(sonde_load_http2_request_make(bytes, false, &arena, &split, NULL) == 0);
        sonde_arena_fini(&arena);
        must(scenario->steps[i].name[0] != '\0');
        must(scenario->steps[i].tally < scenario->name_count);
    }
}

static inline int import_any(enum sonde_scenario_format format, const uint8_t *data, size_t size)
{
    struct sonde_load_scenario scenario;
    struct sonde_load_url url;
    struct sonde_err err = {0};
    must(sonde_load_url_parse(SONDE_STR("http://h:3000/base"), &url, NULL) == 0);
    const struct sonde_load_surroundings around = {.url = &url};
    int r = sonde_load_scenario_from_file(format, "f", (struct sonde_str){(const char *)data, size},
                                          &around, &scenario, &err);
    if (r < 0) {
        must(err.message[0] != '\0');
    } else {
        must_be_sendable(&scenario);
    }
    sonde_load_scenario_fini(&scenario);
    return 0;
}

#endif
