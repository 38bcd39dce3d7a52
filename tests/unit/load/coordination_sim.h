/* SPDX-License-Identifier: Apache-2.0 */
/* Load tests on runners that are played, by a clock that is played too. */
#ifndef SONDE_TESTS_LOAD_COORDINATION_SIM_H
#define SONDE_TESTS_LOAD_COORDINATION_SIM_H

#include "load/coordination.h"

enum { SIM_SECOND = 1000000 };

struct sim_runner {
    uint64_t sequence;
    struct sonde_load_done totals; /* of the process */
};

struct sim {
    struct sonde_spec_documents documents;
    struct sonde_load_coordination *c;
    struct sim_runner runners[SONDE_LOAD_RUNNERS_MAX];
    int64_t now_us;
    int64_t start_us; /* of the round, once it was told */
    uint64_t random;
    const struct sonde_load_label *labels;
    size_t label_count;
    const char *pod;             /* that is ready next; NULL: "pod" */
    struct sonde_load_tally all; /* what was sent and taken, of the measured time of the round */
};

/* A test with so many runners; `spec`: YAML of further fields, each on a line of its own that is
 * indented by two. All functions fail the test when something is refused that should not be. */
void sim_begin(struct sim *sim, unsigned runners, const char *spec);
void sim_end(struct sim *sim);

/* Calls of runner n. */
struct sonde_load_answer_ready sim_ready(struct sim *sim, unsigned runner, unsigned round);
/* All are ready; what the last was told. */
struct sonde_load_answer_ready sim_start(struct sim *sim, unsigned runners, unsigned round);

struct sim_second {
    unsigned round;
    int64_t end_us; /* 0: by its sequence */
    bool warm_up;
    uint64_t requests, failed, unsent;
    int64_t latency_us;
    int64_t started_us;
};
/* Sends the next second of a runner: 0, or what it was refused with. */
int sim_send(struct sim *sim, unsigned runner, const struct sim_second *second, bool *ret_stop);
/* … and must be taken. */
bool sim_second(struct sim *sim, unsigned runner, const struct sim_second *second);
/* True: there may be another round. */
bool sim_done(struct sim *sim, unsigned runner, unsigned round);
/* True: another may take its place. */
bool sim_lost(struct sim *sim, unsigned runner, bool final);
/* As another process takes a runner's place. */
void sim_renew(struct sim *sim, unsigned runner);
/* Each of the first runners sends so many seconds. */
void sim_send_all(struct sim *sim, unsigned runners, unsigned seconds);
/* … is done with round 0. */
void sim_all_done(struct sim *sim, unsigned runners);
/* The result is exactly what was sent. */
void sim_must_be_sum(const struct sim *sim, const struct sonde_load_result *result);
struct sonde_load_state sim_state(const struct sim *sim);
struct sonde_load_conclusion sim_conclude(struct sim *sim);
/* What was saved is read by a new one, which takes its place. */
void sim_restart(struct sim *sim);

#endif
