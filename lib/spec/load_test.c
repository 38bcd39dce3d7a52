/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/formats.h"
#include "spec/tables.h"
#include "spec/threshold.h"

enum {
    STAGES_MAX = 64,
    THRESHOLDS_MAX = 32,
    CONNECTIONS_MAX = 100000,
    RATE_MAX = 1000000,
    RUNNERS_MAX = 100,
    DEADLINE_MIN = 10,
    DEADLINE_DEFAULT = 600,
    DEADLINE_MAX = 7 * SONDE_DAY_SECONDS,
    TRIALS_MAX = 40, /* of a search: doubling and bisection from 1 to RATE_MAX */
};

static const char *const distributions[] = {"Constant", "Poisson", NULL};
static const char *const toleration_operators[] = {"Equal", "Exists", NULL};
static const char *const taint_effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};
static const char *const runner_losses[] = {"Fail", "Continue", "Replace", NULL};

static const struct sonde_object stage = {
    .size = sizeof(struct sonde_stage),
    .fields =
        (const struct sonde_field[]){
            {.name = "durationSeconds",
             .description = "How long it lasts.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_stage, duration_seconds),
             .required = true,
             .minimum = 1,
             .maximum = SONDE_DAY_SECONDS},
            {.name = "rate",
             .description = "Requests per second, of all runners together.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_stage, rate),
             .required = true,
             .minimum = 0,
             .maximum = RATE_MAX},
            {.name = "ramp",
             .description = "Whether the rate is reached at the end, in a straight line from the "
                            "rate before (at first from 0), instead of held.",
             .type = SONDE_FIELD_BOOLEAN,
             SONDE_AT(sonde_stage, ramp),
             .fallback = "false"},
            {0},
        },
};

static bool stages_have_rates(const void *object)
{
    const struct sonde_arrival *arrival = object;
    return arrival->stages.count == 0 || arrival->rate == SONDE_SPEC_ABSENT;
}

static const struct sonde_rule rule_stage_rates = {
    .name = "StagesHaveRates",
    .message = "must not stand beside stages, which have rates of their own",
    .field = "rate",
    .cel = "!(has(self.rate) && has(self.stages))",
    .holds = stages_have_rates,
};

static bool stages_send(const void *object)
{
    const struct sonde_arrival *arrival = object;
    bool sends = arrival->stages.count == 0;
    for (size_t i = 0; !sends && i < arrival->stages.count; i++) {
        sends = arrival->stages.items[i].rate > 0;
    }
    return sends;
}

static const struct sonde_rule rule_stages_send = {
    .name = "StagesSend",
    .message = "must have a stage whose rate is above 0",
    .field = "stages",
    .cel = "!has(self.stages) || self.stages.exists(s, s.rate > 0)",
    .holds = stages_send,
};

static const struct sonde_object arrival = {
    .size = sizeof(struct sonde_arrival),
    .groups = {{"stages", "durationSeconds", "amount"}},
    .rules = {&rule_stage_rates, &rule_stages_send},
    .fields =
        (const struct sonde_field[]){
            {.name = "distribution",
             .description = "Whether requests come at equal distances, or as independent people "
                            "send them.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_arrival, distribution),
             .fallback = "Constant",
             .choices = distributions},
            {.name = "stages",
             .description = "Rates, one after the other.",
             .type = SONDE_FIELD_OBJECTS,
             SONDE_AT(sonde_arrival, stages),
             .count_min = 1,
             .count_max = STAGES_MAX,
             .object = &stage},
            {.name = "rate",
             .description = "Requests per second, of all runners together. Without a rate the "
                            "test is a closed loop: each connection sends when it has its answer.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_arrival, rate),
             .minimum = 1,
             .maximum = RATE_MAX},
            {.name = "durationSeconds",
             .description = "How long requests are sent.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_arrival, duration_seconds),
             .minimum = 1,
             .maximum = SONDE_DAY_SECONDS},
            {.name = "amount",
             .description = "How many requests are sent.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_arrival, amount),
             .minimum = 1,
             .maximum = INT64_C(1000000000000)},
            {0},
        },
};

static bool search_ascends(const void *object)
{
    const struct sonde_rate_search *search = object;
    return search->start_rate < search->max_rate;
}

static const struct sonde_rule rule_search = {
    .name = "SearchAscends",
    .message = "must be above startRate",
    .field = "maxRate",
    .cel = "self.startRate < self.maxRate",
    .holds = search_ascends,
};

static const struct sonde_object rate_search = {
    .size = sizeof(struct sonde_rate_search),
    .rules = {&rule_search},
    .fields =
        (const struct sonde_field[]){
            {.name = "startRate",
             .description = "The rate of the first trial; it is doubled until a threshold breaks.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_rate_search, start_rate),
             .fallback = "10",
             .minimum = 1,
             .maximum = RATE_MAX},
            {.name = "maxRate",
             .description = "No trial is faster.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_rate_search, max_rate),
             .required = true,
             .minimum = 2,
             .maximum = RATE_MAX},
            {.name = "trialSeconds",
             .description = "The length of a trial.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_rate_search, trial_seconds),
             .fallback = "30",
             .minimum = 5,
             .maximum = 3600},
            {.name = "precisionPercent",
             .description = "The search ends when the rate is known so well.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_rate_search, precision_percent),
             .fallback = "5",
             .minimum = 1,
             .maximum = 50},
            {.name = "distribution",
             .description = "As in arrival.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_rate_search, distribution),
             .fallback = "Constant",
             .choices = distributions},
            {0},
        },
};

static bool profile_not_all_for_snapshot(const void *object)
{
    const struct sonde_load_profile *profile = object;
    return profile->pod_selection->policy != SONDE_PODS_ALL ||
           !sonde_captures_snapshot(profile->captures.items, profile->captures.count);
}

static const struct sonde_rule rule_snapshot = {
    .name = "NoSnapshotOfAllPods",
    .message = "must not be All with a HeapSnapshot, which stops each pod for seconds: choose "
               "One, Count or Percent",
    .field = "podSelection",
    .cel = "self.podSelection.policy != 'All' || self.captures.all(c, c.type != 'HeapSnapshot')",
    .holds = profile_not_all_for_snapshot,
};

static const struct sonde_object profile = {
    .size = sizeof(struct sonde_load_profile),
    .rules = {&rule_snapshot},
    .fields =
        (const struct sonde_field[]){
            {.name = "target",
             .description = "What is captured. Without it, the pods behind the Service under load.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_profile, target),
             .object = &sonde_object_profile_target},
            {.name = "podSelection",
             .description = "How many of the pods are captured.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_profile, pod_selection),
             .present = true,
             .object = &sonde_object_pod_selection},
            {.name = "captures",
             .description = "What is taken from each process, in this order.",
             .type = SONDE_FIELD_OBJECTS,
             SONDE_AT(sonde_load_profile, captures),
             .required = true,
             .count_min = 1,
             .count_max = SONDE_CAPTURES_MAX,
             .object = &sonde_object_capture,
             .list_key = "name"},
            {.name = "delaySeconds",
             .description = "When the captures begin, after the warm-up. Without it, as soon as "
                            "the latency is steady.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_load_profile, delay_seconds),
             .minimum = 0,
             .maximum = SONDE_DAY_SECONDS},
            {0},
        },
};

static const struct sonde_object resource_amounts = {
    .size = sizeof(struct sonde_resource_amounts),
    .fields =
        (const struct sonde_field[]){
            {.name = "cpu",
             .description = "Cores.",
             .type = SONDE_FIELD_QUANTITY,
             SONDE_AT(sonde_resource_amounts, cpu),
             .length_min = 1,
             .length_max = 32,
             .format = &sonde_format_quantity},
            {.name = "memory",
             .description = "Bytes.",
             .type = SONDE_FIELD_QUANTITY,
             SONDE_AT(sonde_resource_amounts, memory),
             .length_min = 1,
             .length_max = 32,
             .format = &sonde_format_quantity},
            {0},
        },
};

static const struct sonde_object resources = {
    .size = sizeof(struct sonde_resources),
    .fields =
        (const struct sonde_field[]){
            {.name = "requests",
             .description = "What a runner is given at least.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_resources, requests),
             .object = &resource_amounts},
            {.name = "limits",
             .description = "What it may use at most. A runner that is throttled makes the test "
                            "Invalid.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_resources, limits),
             .object = &resource_amounts},
            {0},
        },
};

/* The three rules are those of a pod: its tolerations are not judged before the Job is made. */
static bool toleration_has_key(const void *object)
{
    const struct sonde_toleration *tolerated = object;
    return tolerated->key || tolerated->comparison == SONDE_TOLERATE_EXISTS;
}

static const struct sonde_rule rule_toleration_key = {
    .name = "EveryTaintExists",
    .message = "must be Exists without a key",
    .field = "operator",
    .cel = "has(self.key) || self.operator == 'Exists'",
    .holds = toleration_has_key,
};

static bool toleration_value_is_compared(const void *object)
{
    const struct sonde_toleration *tolerated = object;
    return tolerated->comparison == SONDE_TOLERATE_EQUAL || !tolerated->value ||
           tolerated->value[0] == '\0';
}

static const struct sonde_rule rule_toleration_value = {
    .name = "ExistsHasNoValue",
    .message = "must not stand beside operator Exists, which compares none",
    .field = "value",
    .cel = "self.operator == 'Equal' || !has(self.value) || self.value == ''",
    .holds = toleration_value_is_compared,
};

static bool toleration_ends(const void *object)
{
    const struct sonde_toleration *tolerated = object;
    return tolerated->toleration_seconds == SONDE_SPEC_ABSENT ||
           tolerated->effect == SONDE_TAINT_NO_EXECUTE;
}

static const struct sonde_rule rule_toleration_seconds = {
    .name = "SecondsNeedNoExecute",
    .message = "must stand beside effect NoExecute",
    .field = "tolerationSeconds",
    .cel = "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
    .holds = toleration_ends,
};

static const struct sonde_object toleration = {
    .size = sizeof(struct sonde_toleration),
    .rules = {&rule_toleration_key, &rule_toleration_value, &rule_toleration_seconds},
    .fields =
        (const struct sonde_field[]){
            {.name = "key",
             .description = "The taint's key. Without it, and with operator Exists, every taint.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_toleration, key),
             .length_min = 1,
             .length_max = SONDE_LABEL_KEY_MAX,
             .format = &sonde_format_label_key},
            {.name = "operator",
             .description = "How the taint's value is compared.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_toleration, comparison),
             .fallback = "Equal",
             .choices = toleration_operators},
            {.name = "value",
             .description = "The taint's value.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_toleration, value),
             .length_max = SONDE_LABEL_VALUE_MAX,
             .format = &sonde_format_label_value},
            {.name = "effect",
             .description = "The taint's effect. Without it, every effect.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_toleration, effect),
             .choices = taint_effects},
            {.name = "tolerationSeconds",
             .description = "How long a NoExecute taint is tolerated.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_toleration, toleration_seconds),
             .minimum = 0,
             .maximum = SONDE_DAY_SECONDS},
            {0},
        },
};

static const struct sonde_object runner = {
    .size = sizeof(struct sonde_runner),
    .fields =
        (const struct sonde_field[]){
            {.name = "resources",
             .description = "CPU and memory of a runner.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_runner, resources),
             .present = true,
             .object = &resources},
            {.name = "nodeSelector",
             .description = "Labels of the nodes that runners may use.",
             .type = SONDE_FIELD_PAIRS,
             SONDE_AT(sonde_runner, node_selector),
             .count_min = 1,
             .count_max = 16,
             .length_max = SONDE_LABEL_VALUE_MAX,
             .format = &sonde_format_label_value,
             .key_format = &sonde_format_label_key},
            {.name = "tolerations",
             .description = "Taints of nodes that runners bear.",
             .type = SONDE_FIELD_OBJECTS,
             SONDE_AT(sonde_runner, tolerations),
             .count_min = 1,
             .count_max = 16,
             .object = &toleration},
            {.name = "priorityClassName",
             .description = "The priority class of the runners.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_runner, priority_class_name),
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX,
             .format = &sonde_format_dns_subdomain},
            {.name = "startTimeoutSeconds",
             .description = "The test fails, with the scheduler's reason, when the runners are "
                            "not ready by then.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_runner, start_timeout_seconds),
             .fallback = "300",
             .minimum = 10,
             .maximum = 3600},
            {0},
        },
};

static const struct sonde_object safety = {
    .size = sizeof(struct sonde_load_safety),
    .fields =
        (const struct sonde_field[]){
            {.name = "allowedHosts",
             .description = "Hosts that may be loaded without the ceiling of maxRate; * stands for "
                            "one label at the beginning.",
             .type = SONDE_FIELD_STRINGS,
             SONDE_AT(sonde_load_safety, allowed_hosts),
             .count_min = 1,
             .count_max = 32,
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX,
             .format = &sonde_format_host,
             .set = true},
            {.name = "maxRate",
             .description = "The ceiling of the rate for every other host outside the cluster.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_load_safety, max_rate),
             .fallback = "1000",
             .minimum = 1,
             .maximum = RATE_MAX},
            {0},
        },
};

/* How long requests are sent; 0 for a closed loop over an amount, whose length nobody knows. */
static int64_t arrival_seconds(const struct sonde_arrival *planned)
{
    int64_t sum = planned->duration_seconds > 0 ? planned->duration_seconds : 0;
    for (size_t i = 0; i < planned->stages.count; i++) {
        sum += planned->stages.items[i].duration_seconds;
    }
    if (planned->amount > 0 && planned->rate > 0) {
        sum += planned->amount / planned->rate + 1;
    }
    return sum;
}

static int64_t duration_of(const struct sonde_load_test *test)
{
    return test->search ? TRIALS_MAX * test->search->trial_seconds : arrival_seconds(test->arrival);
}

static void derive(void *object)
{
    struct sonde_load_test *test = object;
    if (test->active_deadline_seconds == SONDE_SPEC_ABSENT) {
        int64_t deadline = duration_of(test) + test->warm_up_seconds +
                           test->runner->start_timeout_seconds + DEADLINE_DEFAULT;
        test->active_deadline_seconds = deadline < DEADLINE_MAX ? deadline : DEADLINE_MAX;
    }
}

static bool arrival_fits_deadline(const void *object)
{
    const struct sonde_load_test *test = object;
    int64_t sum = test->warm_up_seconds + (test->arrival ? arrival_seconds(test->arrival) : 0);
    return sum < test->active_deadline_seconds;
}

static const struct sonde_rule rule_deadline = {
    .name = "ArrivalFitsDeadline",
    .message = "must be more than the warm-up and the arrival's length together, at most 7 days",
    .field = "activeDeadlineSeconds",
    .cel = "self.warmUpSeconds + (has(self.arrival) ? "
           "(has(self.arrival.stages) ? self.arrival.stages.map(s, s.durationSeconds).sum() : "
           "(has(self.arrival.durationSeconds) ? self.arrival.durationSeconds : "
           "(has(self.arrival.amount) && has(self.arrival.rate) ? "
           "self.arrival.amount / self.arrival.rate + 1 : 0))) : 0) < "
           "(has(self.activeDeadlineSeconds) ? self.activeDeadlineSeconds : 604800)",
    .holds = arrival_fits_deadline,
};

static bool connections_fit(const void *object)
{
    const struct sonde_load_test *test = object;
    return test->connections <= test->max_connections && test->parallelism <= test->max_connections;
}

static const struct sonde_rule rule_connections = {
    .name = "ConnectionsFit",
    .message = "must be at least connections and at least parallelism",
    .field = "maxConnections",
    .cel = "self.maxConnections >= self.connections && self.maxConnections >= self.parallelism",
    .holds = connections_fit,
};

static bool search_has_thresholds(const void *object)
{
    const struct sonde_load_test *test = object;
    return !test->search || test->thresholds.count > 0;
}

static const struct sonde_rule rule_search_thresholds = {
    .name = "SearchNeedsThresholds",
    .message = "must be given with search: they are what the rate has to keep",
    .field = "thresholds",
    .cel = "!has(self.search) || has(self.thresholds)",
    .holds = search_has_thresholds,
};

static bool search_has_no_profile(const void *object)
{
    const struct sonde_load_test *test = object;
    return !test->search || !test->profile;
}

static const struct sonde_rule rule_search_profile = {
    .name = "SearchHasNoProfile",
    .message = "must not stand beside search: profile a test at the rate that it finds",
    .field = "profile",
    .cel = "!(has(self.search) && has(self.profile))",
    .holds = search_has_no_profile,
};

static bool profile_begins_in_time(const void *object)
{
    const struct sonde_load_test *test = object;
    int64_t seconds = test->arrival ? arrival_seconds(test->arrival) : 0;
    return !test->profile || seconds == 0 || test->profile->delay_seconds < seconds;
}

static const struct sonde_rule rule_profile_delay = {
    .name = "ProfileBeginsInTime",
    .message = "must have delaySeconds below the arrival's length",
    .field = "profile",
    .cel = "!has(self.profile) || !has(self.profile.delaySeconds) || !has(self.arrival) || "
           "self.profile.delaySeconds < "
           "(has(self.arrival.stages) ? self.arrival.stages.map(s, s.durationSeconds).sum() : "
           "(has(self.arrival.durationSeconds) ? self.arrival.durationSeconds : "
           "(has(self.arrival.rate) ? self.arrival.amount / self.arrival.rate + 1 : 86401)))",
    .holds = profile_begins_in_time,
};

/* Requests that thresholds name by {name:…} exist, where the requests are known here. */
static bool threshold_is_known(const struct sonde_scenario *scenario, const char *text)
{
    struct sonde_threshold threshold;
    if (sonde_threshold_parse(sonde_str(text), &threshold, NULL) < 0 || !threshold.tag.data) {
        return true;
    }
    if (!sonde_str_is(threshold.tag, "name")) {
        return false;
    }
    for (size_t i = 0; i < scenario->requests.count; i++) {
        if (sonde_str_is(threshold.tag_value, scenario->requests.items[i].name)) {
            return true;
        }
    }
    return scenario->requests.count == 0;
}

static bool thresholds_are_known(const void *object)
{
    const struct sonde_load_test *test = object;
    bool known = true;
    for (size_t i = 0; known && i < test->thresholds.count; i++) {
        known = threshold_is_known(test->scenario, test->thresholds.items[i]);
    }
    for (size_t i = 0; known && i < test->abort_on_fail.count; i++) {
        known = threshold_is_known(test->scenario, test->abort_on_fail.items[i]);
    }
    return known;
}

static const struct sonde_rule rule_thresholds = {
    .name = "ThresholdsNameRequests",
    .message = "must name in {name:…} a request of the scenario; there are no other tags",
    .field = "thresholds",
    .holds = thresholds_are_known,
};

const struct sonde_object sonde_object_load_test = {
    .size = sizeof(struct sonde_load_test),
    .groups = {{"arrival", "search"}},
    .rules = {&rule_deadline, &rule_connections, &rule_search_thresholds, &rule_search_profile,
              &rule_profile_delay, &rule_thresholds},
    .derive = derive,
    .fields =
        (const struct sonde_field[]){
            {.name = "target",
             .description = "What is loaded.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_test, target),
             .required = true,
             .object = &sonde_object_load_target},
            {.name = "scenario",
             .description = "What is sent.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_test, scenario),
             .required = true,
             .object = &sonde_object_scenario},
            {.name = "http",
             .description = "How it is sent.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_test, http),
             .present = true,
             .object = &sonde_object_load_http},
            {.name = "arrival",
             .description = "When it is sent.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_test, arrival),
             .object = &arrival},
            {.name = "search",
             .description = "Look for the highest rate that keeps the thresholds, by doubling and "
                            "then bisection.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_test, search),
             .object = &rate_search},
            {.name = "connections",
             .description = "Connections, of all runners together.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_load_test, connections),
             .fallback = "10",
             .minimum = 1,
             .maximum = CONNECTIONS_MAX},
            {.name = "maxConnections",
             .description = "With a rate, connections are added up to here while all are busy; "
                            "what still cannot be sent is counted as dropped.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_load_test, max_connections),
             .fallback = "1000",
             .minimum = 1,
             .maximum = CONNECTIONS_MAX},
            {.name = "warmUpSeconds",
             .description = "Time before the test, at its first rate; not in the results.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_load_test, warm_up_seconds),
             .fallback = "0",
             .minimum = 0,
             .maximum = 3600},
            {.name = "parallelism",
             .description = "The number of runner pods, which share rate and connections exactly.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_load_test, parallelism),
             .fallback = "1",
             .minimum = 1,
             .maximum = RUNNERS_MAX},
            {.name = "thresholds",
             .description = "What must hold for the test to succeed: METRIC: STATISTIC OPERATOR "
                            "NUMBER. Latencies are in milliseconds, shares from 0 to 1.",
             .type = SONDE_FIELD_STRINGS,
             SONDE_AT(sonde_load_test, thresholds),
             .count_min = 1,
             .count_max = THRESHOLDS_MAX,
             .length_min = 1,
             .length_max = SONDE_THRESHOLD_LENGTH_MAX,
             .format = &sonde_format_threshold,
             .set = true},
            {.name = "abortOnFail",
             .description = "Thresholds that end the test at once when they break.",
             .type = SONDE_FIELD_STRINGS,
             SONDE_AT(sonde_load_test, abort_on_fail),
             .count_min = 1,
             .count_max = THRESHOLDS_MAX,
             .length_min = 1,
             .length_max = SONDE_THRESHOLD_LENGTH_MAX,
             .format = &sonde_format_threshold,
             .set = true},
            {.name = "delayAbortSeconds",
             .description = "From when on abortOnFail is judged: so much of the test has passed.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_load_test, delay_abort_seconds),
             .fallback = "10",
             .minimum = 0,
             .maximum = 3600},
            {.name = "profile",
             .description = "Captures of the target's processes while it is under load. One that "
                            "takes longer than what is left of the test shows a service without "
                            "load from then on.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_test, profile),
             .object = &profile},
            {.name = "runner",
             .description = "The pods that send.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_test, runner),
             .present = true,
             .object = &runner},
            {.name = "onRunnerLoss",
             .description = "What happens when a runner ends early: the test fails, goes on with "
                            "the others, or another takes its place.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_load_test, on_runner_loss),
             .fallback = "Fail",
             .choices = runner_losses},
            {.name = "safety",
             .description = "What may be loaded, and how much.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_test, safety),
             .present = true,
             .object = &safety},
            {.name = "activeDeadlineSeconds",
             .description = "The test ends when it takes longer. A closed loop over an amount "
                            "needs one of its own: nobody knows its length before.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_load_test, active_deadline_seconds),
             .derived = "the test's length, runner.startTimeoutSeconds and 600 more",
             .minimum = DEADLINE_MIN,
             .maximum = DEADLINE_MAX},
            {.name = "ttlSecondsAfterFinished",
             .description = "The object is deleted so long after the end of the test.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_load_test, ttl_seconds_after_finished),
             .fallback = "604800",
             .minimum = 0,
             .maximum = SONDE_YEAR_SECONDS},
            {.name = "paused",
             .description = "Whether the test waits before it starts.",
             .type = SONDE_FIELD_BOOLEAN,
             SONDE_AT(sonde_load_test, paused),
             .fallback = "false",
             .mutable = true},
            {.name = "cancel",
             .description = "Set to true to stop the test.",
             .type = SONDE_FIELD_BOOLEAN,
             SONDE_AT(sonde_load_test, cancel),
             .fallback = "false",
             .mutable = true},
            {0},
        },
};
