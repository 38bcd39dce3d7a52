/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of group sonde.dev as typed structs. What each field means, its default and its
 * bounds stand in the tables (profile_run.c, load_test.c, schedules.c) and on the pages of
 * docs/reference/ that are printed from them.
 *
 * Texts are NUL-terminated and NULL when absent, integers without a default are
 * SONDE_SPEC_ABSENT, choices SONDE_SPEC_NO_CHOICE, objects NULL. Objects that are described as
 * "always there" are never NULL. */
#ifndef SONDE_SPEC_KINDS_H
#define SONDE_SPEC_KINDS_H

#include "spec/table.h"

#define SONDE_SPEC_GROUP "sonde.dev"
#define SONDE_SPEC_VERSION "v1alpha1"
#define SONDE_SPEC_API_VERSION SONDE_SPEC_GROUP "/" SONDE_SPEC_VERSION

struct sonde_label_expression {
    const char *key;
    int comparison; /* enum sonde_label_operator */
    SONDE_LIST(char *const) values;
};

enum sonde_label_operator {
    SONDE_LABEL_IN,
    SONDE_LABEL_NOT_IN,
    SONDE_LABEL_EXISTS,
    SONDE_LABEL_DOES_NOT_EXIST,
};

struct sonde_label_selector {
    SONDE_LIST(struct sonde_pair) match_labels;
    SONDE_LIST(struct sonde_label_expression) match_expressions;
};

enum sonde_workload_kind {
    SONDE_WORKLOAD_DEPLOYMENT,
    SONDE_WORKLOAD_STATEFUL_SET,
    SONDE_WORKLOAD_DAEMON_SET,
    SONDE_WORKLOAD_REPLICA_SET,
    SONDE_WORKLOAD_JOB,
};

struct sonde_workload_ref {
    int kind; /* enum sonde_workload_kind */
    const char *name;
};

struct sonde_process_choice {
    const char *match;
    int64_t index;
};

enum sonde_worker_threads { SONDE_WORKERS_MAIN_ONLY, SONDE_WORKERS_ALL };
enum sonde_child_processes { SONDE_CHILDREN_IGNORE, SONDE_CHILDREN_INCLUDE };

struct sonde_profile_target {
    const char *pod_name;
    const struct sonde_label_selector *selector;
    const struct sonde_workload_ref *workload_ref; /* exactly one of the three is given */
    const char *container_name;
    const struct sonde_process_choice *process;
    int worker_threads;  /* enum sonde_worker_threads */
    int child_processes; /* enum sonde_child_processes */
};

enum sonde_pod_policy { SONDE_PODS_ONE, SONDE_PODS_COUNT, SONDE_PODS_PERCENT, SONDE_PODS_ALL };
enum sonde_pod_spread { SONDE_SPREAD_NODE, SONDE_SPREAD_NONE };

struct sonde_pod_selection {
    int policy; /* enum sonde_pod_policy */
    int64_t count;
    int64_t percent;
    int64_t max_concurrent;
    int spread; /* enum sonde_pod_spread */
};

enum sonde_capture_type {
    SONDE_CAPTURE_CPU_PROFILE,
    SONDE_CAPTURE_HEAP_SNAPSHOT,
    SONDE_CAPTURE_ALLOCATION_SAMPLING,
    SONDE_CAPTURE_ALLOCATION_TIMELINE,
    SONDE_CAPTURE_COVERAGE,
    SONDE_CAPTURE_EVENT_LOOP,
    SONDE_CAPTURE_REPORT,
};

enum sonde_redaction { SONDE_REDACTION_STRINGS, SONDE_REDACTION_NONE };
enum sonde_coverage_detail { SONDE_COVERAGE_BLOCK, SONDE_COVERAGE_FUNCTION };

enum { SONDE_CAPTURES_MAX = 16 }; /* of one run */

struct sonde_capture {
    const char *name;
    int type; /* enum sonde_capture_type */
    int64_t duration_seconds;
    int64_t sampling_interval_us;
    int64_t window_seconds;
    int64_t sampling_interval_bytes;
    bool include_collected;
    int redaction; /* enum sonde_redaction */
    bool expose_numeric_values;
    int coverage_detail; /* enum sonde_coverage_detail */
    int64_t resolution_ms;
    int64_t stall_threshold_ms;
};

struct sonde_attach {
    int64_t run_as_user;
};

struct sonde_profile_safety {
    int64_t min_ready_replicas;
    bool skip_if_rolling_out;
    int64_t cool_down_seconds;
    int64_t max_pause_seconds;
    int64_t heap_headroom_percent;
};

struct sonde_profile_run {
    const struct sonde_profile_target *target;
    const struct sonde_pod_selection *pod_selection; /* always there */
    SONDE_LIST(struct sonde_capture) captures;       /* ≥ 1 */
    const struct sonde_attach *attach;               /* always there */
    const struct sonde_profile_safety *safety;       /* always there */
    int64_t max_bytes;
    int64_t active_deadline_seconds;
    int64_t ttl_seconds_after_finished;
    bool cancel;
};

enum sonde_scheme { SONDE_SCHEME_HTTP, SONDE_SCHEME_HTTPS };
enum sonde_endpoints { SONDE_ENDPOINTS_SERVICE, SONDE_ENDPOINTS_PODS };

struct sonde_service_target {
    const char *name;
    int64_t port;
    int scheme;    /* enum sonde_scheme */
    int endpoints; /* enum sonde_endpoints */
};

struct sonde_load_target {
    const struct sonde_service_target *service;
    const char *url; /* exactly one of the two */
};

enum sonde_method {
    SONDE_METHOD_GET,
    SONDE_METHOD_HEAD,
    SONDE_METHOD_POST,
    SONDE_METHOD_PUT,
    SONDE_METHOD_PATCH,
    SONDE_METHOD_DELETE,
    SONDE_METHOD_OPTIONS,
};

/* Where a variable's values come from: exactly one of range, values and from. */
struct sonde_variable {
    const char *key;
    SONDE_LIST(int64_t) range; /* first and last */
    SONDE_LIST(char *const) values;
    const struct sonde_data_source *from;
    int order; /* enum sonde_data_order */
};

enum sonde_data_order { SONDE_DATA_RANDOM, SONDE_DATA_SEQUENTIAL };

struct sonde_data_source {
    const char *name; /* of the ConfigMap */
    const char *key;
    const char *column;
};

struct sonde_expectation {
    int64_t status;
    SONDE_LIST(struct sonde_pair) headers;
    const char *body_equals;
    const char *body_contains;
    const char *body_matches;
};

/* Exactly one of pointer, regex, header and cookie. */
struct sonde_extraction {
    const char *name;
    const char *pointer;
    const char *regex;
    const char *header;
    const char *cookie;
};

struct sonde_request {
    const char *name;
    int method; /* enum sonde_method */
    const char *path;
    SONDE_LIST(struct sonde_pair) headers;
    const char *body;
    int64_t weight;
    const struct sonde_expectation *expect;
    SONDE_LIST(struct sonde_variable) data;
    SONDE_LIST(struct sonde_extraction) extract;
    int64_t think_ms;
};

enum sonde_request_order { SONDE_ORDER_WEIGHTED, SONDE_ORDER_SEQUENCE };
enum sonde_scenario_format { SONDE_SCENARIO_HAR, SONDE_SCENARIO_OPENAPI };

struct sonde_scenario_source {
    const char *name;
    const char *key;
    int format; /* enum sonde_scenario_format */
};

struct sonde_secret_key {
    const char *name;
    const char *key;
};

struct sonde_secret_header {
    const char *name;
    const struct sonde_secret_key *secret_key_ref;
};

struct sonde_scenario {
    SONDE_LIST(struct sonde_request) requests;
    const struct sonde_scenario_source *config_map_ref; /* exactly one of the two */
    int order;                                          /* enum sonde_request_order */
    bool cookies;
    SONDE_LIST(struct sonde_pair) headers;
    SONDE_LIST(struct sonde_secret_header) headers_from;
    SONDE_LIST(struct sonde_variable) data;
};

enum sonde_http_version { SONDE_HTTP_1_1, SONDE_HTTP_2, SONDE_HTTP_NEGOTIATE };

struct sonde_load_tls {
    bool skip_verify;
    const char *server_name;
    const struct sonde_secret_key *authority;
    const char *client_certificate; /* Secret of type kubernetes.io/tls */
};

struct sonde_load_http {
    int version; /* enum sonde_http_version */
    int64_t timeout_ms;
    int64_t pipelining;
    int64_t requests_per_connection;
    const struct sonde_load_tls *tls;
};

enum sonde_distribution { SONDE_ARRIVAL_CONSTANT, SONDE_ARRIVAL_POISSON };

struct sonde_stage {
    int64_t duration_seconds;
    int64_t rate; /* requests per second of the whole test */
    bool ramp;
};

/* Exactly one of stages, duration_seconds and amount. */
struct sonde_arrival {
    int distribution; /* enum sonde_distribution */
    SONDE_LIST(struct sonde_stage) stages;
    int64_t rate; /* absent with stages, and for a closed loop */
    int64_t duration_seconds;
    int64_t amount;
};

struct sonde_rate_search {
    int64_t start_rate;
    int64_t max_rate;
    int64_t trial_seconds;
    int64_t precision_percent;
    int distribution; /* enum sonde_distribution */
};

struct sonde_load_profile {
    const struct sonde_profile_target *target;
    const struct sonde_pod_selection *pod_selection; /* always there */
    SONDE_LIST(struct sonde_capture) captures;
    int64_t delay_seconds;
};

struct sonde_resource_amounts {
    const char *cpu;
    const char *memory;
};

struct sonde_resources {
    const struct sonde_resource_amounts *requests;
    const struct sonde_resource_amounts *limits;
};

enum sonde_toleration_operator { SONDE_TOLERATE_EQUAL, SONDE_TOLERATE_EXISTS };
enum sonde_taint_effect {
    SONDE_TAINT_NO_SCHEDULE,
    SONDE_TAINT_PREFER_NO_SCHEDULE,
    SONDE_TAINT_NO_EXECUTE,
};

struct sonde_toleration {
    const char *key;
    int comparison; /* enum sonde_toleration_operator */
    const char *value;
    int effect; /* enum sonde_taint_effect, SONDE_SPEC_NO_CHOICE: all */
    int64_t toleration_seconds;
};

struct sonde_runner {
    const struct sonde_resources *resources; /* always there */
    SONDE_LIST(struct sonde_pair) node_selector;
    SONDE_LIST(struct sonde_toleration) tolerations;
    const char *priority_class_name;
    int64_t start_timeout_seconds;
};

struct sonde_load_safety {
    SONDE_LIST(char *const) allowed_hosts;
    int64_t max_rate;
};

enum sonde_runner_loss { SONDE_LOSS_FAIL, SONDE_LOSS_CONTINUE, SONDE_LOSS_REPLACE };

struct sonde_load_test {
    const struct sonde_load_target *target;
    const struct sonde_scenario *scenario;
    const struct sonde_load_http *http; /* always there */
    const struct sonde_arrival *arrival;
    const struct sonde_rate_search *search; /* exactly one of the two */
    int64_t connections;
    int64_t max_connections;
    int64_t warm_up_seconds;
    int64_t parallelism;
    SONDE_LIST(char *const) thresholds; /* sonde_threshold_parse accepts each */
    SONDE_LIST(char *const) abort_on_fail;
    int64_t delay_abort_seconds;
    const struct sonde_load_profile *profile;
    const struct sonde_runner *runner; /* always there */
    int on_runner_loss;                /* enum sonde_runner_loss */
    const struct sonde_load_safety *safety;
    int64_t active_deadline_seconds;
    int64_t ttl_seconds_after_finished;
    bool paused;
    bool cancel;
};

enum sonde_concurrency_policy {
    SONDE_CONCURRENCY_ALLOW,
    SONDE_CONCURRENCY_FORBID,
    SONDE_CONCURRENCY_REPLACE,
};

enum sonde_baseline_strategy {
    SONDE_BASELINE_LAST_GOOD,
    SONDE_BASELINE_ROLLING_MEDIAN,
    SONDE_BASELINE_PINNED,
};

struct sonde_baseline {
    int strategy; /* enum sonde_baseline_strategy */
    int64_t runs;
    const char *since; /* "2026-12-01T00:00:00Z", or NULL */
    const char *run_name;
};

/* What both schedules have in common. */
struct sonde_schedule {
    const char *schedule; /* sonde_cron_parse accepts it */
    const char *time_zone;
    int64_t jitter_seconds;
    int64_t starting_deadline_seconds;
    int concurrency_policy; /* enum sonde_concurrency_policy */
    bool suspend;
    int64_t successful_runs_history_limit;
    int64_t failed_runs_history_limit;
    const struct sonde_baseline *baseline;
};

struct sonde_template_metadata {
    SONDE_LIST(struct sonde_pair) labels;
    SONDE_LIST(struct sonde_pair) annotations;
};

struct sonde_run_template {
    const struct sonde_template_metadata *metadata;
    const struct sonde_profile_run *spec;
};

struct sonde_profile_schedule {
    struct sonde_schedule common;
    const struct sonde_run_template *run_template;
};

struct sonde_test_template {
    const struct sonde_template_metadata *metadata;
    const struct sonde_load_test *spec;
};

struct sonde_load_test_schedule {
    struct sonde_schedule common;
    const struct sonde_test_template *test_template;
};

extern const struct sonde_kind sonde_kind_profile_run;        /* struct sonde_profile_run */
extern const struct sonde_kind sonde_kind_profile_schedule;   /* struct sonde_profile_schedule */
extern const struct sonde_kind sonde_kind_load_test;          /* struct sonde_load_test */
extern const struct sonde_kind sonde_kind_load_test_schedule; /* … _load_test_schedule */

/* The four of them, in the order of the pages. */
const struct sonde_kind *const *sonde_kinds(size_t *ret_count);

/* The words of enum sonde_capture_type ("CPUProfile"), NULL at the end. */
extern const char *const sonde_capture_types[];
extern const char *const sonde_workload_kinds[]; /* by enum sonde_workload_kind */

#endif
