/* SPDX-License-Identifier: Apache-2.0 */
#include "results/event_loop.h"

#include "results/maps.h"

struct mapping {
    struct sonde_db *db;
    const struct sonde_artifact *artifact;
};

static int map(void *context, struct sonde_profile *frames, struct sonde_err *err)
{
    const struct mapping *mapping = context;
    return sonde_results_map_frames(mapping->db, mapping->artifact->run_uid,
                                    mapping->artifact->capture, frames, err);
}

int sonde_results_event_loop(struct sonde_db *db, const struct sonde_artifact *artifact,
                             struct sonde_str text, struct sonde_event_loop *ret,
                             struct sonde_err *err)
{
    struct mapping mapping = {db, artifact};
    const struct sonde_event_loop_mapper mapper = {&mapping, map};
    return sonde_event_loop_analyze(text, &mapper, ret, err);
}
