/* SPDX-License-Identifier: Apache-2.0 */
/* Documents that are wrong, and every word that is said about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spec/reason.h"
#include "spec/spec.h"

#define RUN                                                                                        \
    "apiVersion: sonde.dev/v1alpha1\n"                                                             \
    "kind: ProfileRun\n"                                                                           \
    "metadata: {name: a}\n"
#define RUN_SPEC RUN "spec:\n  target: {podName: p}\n"
#define CPU "  captures: [{name: cpu, type: CPUProfile}]\n"
#define CAPTURE(fields) RUN_SPEC "  captures: [{" fields "}]\n"

#define TEST                                                                                       \
    "apiVersion: sonde.dev/v1alpha1\n"                                                             \
    "kind: LoadTest\n"                                                                             \
    "metadata: {name: a}\n"                                                                        \
    "spec:\n"
#define URL "  target: {url: \"http://a\"}\n"
#define GET "  scenario: {requests: [{name: r}]}\n"
#define TEN "  arrival: {durationSeconds: 10}\n"

#define SCHEDULE                                                                                   \
    "apiVersion: sonde.dev/v1alpha1\n"                                                             \
    "kind: ProfileSchedule\n"                                                                      \
    "metadata: {name: a}\n"                                                                        \
    "spec:\n"                                                                                      \
    "  runTemplate: {spec: {target: {podName: p}, captures: [{name: cpu, type: CPUProfile}]}}\n"

#define TEN_LETTERS "abcdefghij"
#define SIXTY_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS

static const struct {
    const char *text;
    const char *problems; /* one a line */
} cases[] = {
    /* The document */
    {"", "t: there is no document in it"},
    {"# nothing\n---\n", "t: there is no document in it"},
    {"hello", "t:1:1: a document must be a map of fields, is text"},
    {"{a: [\n", "t:2:1: did not find expected node content"},
    {"a: &x [1]\nb: *y\n", "t:2:4: an alias without its anchor before it"},
    {"a: 1\na: 2\n", "t:2:1: the key \"a\" stands twice, first at line 1"},
    {"kind: ProfileRun\n",
     "t:1:1: apiVersion: is required: begin with apiVersion: sonde.dev/v1alpha1 and kind: "
     "ProfileRun"},
    {"apiVersion: sonde.dev/v1alpha1\n",
     "t:1:1: kind: is required: begin with apiVersion: sonde.dev/v1alpha1 and kind: ProfileRun"},
    {"apiVersion: v1\nkind: Pod\n", "t:1:13: apiVersion: must be sonde.dev/v1alpha1, is \"v1\""},
    {"apiVersion: sonde.dev/v1alpha1\nkind: ProfilRun\n",
     "t:2:7: kind: there is no kind \"ProfilRun\": did you mean ProfileRun?"},
    {"apiVersion: sonde.dev/v1alpha1\nkind: Pod\n",
     "t:2:7: kind: there is no kind \"Pod\"; there are ProfileRun, ProfileSchedule, LoadTest, "
     "LoadTestSchedule"},
    {RUN, "t:1:1: spec: is required"},
    {RUN "spec:\n", "t:1:1: spec: is required"},
    {RUN "spec: 3\n", "t:4:7: spec: must be a map of fields, is a whole number"},
    {RUN_SPEC CPU "stats: {}\n", "t:7:1: stats: there is no such field: did you mean status?"},
    {RUN_SPEC CPU "---\n" RUN_SPEC CPU, "t:8:1: ProfileRun a stands twice, first at line 1"},
    {"apiVersion: v1\nkind: List\nitems: [1]\n",
     "t:3:9: a document must be a map of fields, is a whole number"},

    /* metadata */
    {"apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nspec:\n  target: {podName: p}\n" CPU,
     "t:1:1: metadata.name: is required"},
    {"apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: [a]\nspec:\n  target: {podName: "
     "p}\n" CPU,
     "t:3:11: metadata: must be a map of fields, is a list"},
    {"apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: A_b}\nspec:\n  target: "
     "{podName: p}\n" CPU,
     "t:3:18: metadata.name: must be a name of lower-case letters, digits, - and ., with a letter "
     "or digit at both ends, is \"A_b\""},
    {"apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: 12}\nspec:\n  target: "
     "{podName: p}\n" CPU,
     "t:3:18: metadata.name: must be text, is a whole number: put it in quotes"},
    {"apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: " SIXTY_LETTERS
     "defg}\nspec:\n  target: {podName: p}\n" CPU,
     "t:3:18: metadata.name: must have at most 63 characters for a ProfileRun, has 64"},
    {"apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: a, namespace: a.b}\n"
     "spec:\n  target: {podName: p}\n" CPU,
     "t:3:32: metadata.namespace: must be a name of lower-case letters, digits and -, with a "
     "letter or digit at both ends, is \"a.b\""},
    {"apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: a, label: {}}\nspec:\n"
     "  target: {podName: p}\n" CPU,
     "t:3:21: metadata.label: there is no such field: did you mean labels?"},
    {"apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: a, labels: {-x: b, y: 1}}"
     "\nspec:\n  target: {podName: p}\n" CPU,
     "t:3:30: metadata.labels[\"-x\"]: must be a label's key: [prefix/]name, such as "
     "app.kubernetes.io/name, is \"-x\"\n"
     "t:3:40: metadata.labels[\"y\"]: must be text, is a whole number: put it in quotes"},

    /* Fields */
    {RUN_SPEC CPU "  cancle: true\n", "t:7:3: spec.cancle: there is no such field: did you mean "
                                      "cancel?"},
    {RUN_SPEC CPU "  xyz: true\n", "t:7:3: spec.xyz: there is no such field"},
    {RUN_SPEC, "t:5:3: spec.captures: is required"},
    {RUN_SPEC "  captures:\n", "t:5:3: spec.captures: is required"},
    {RUN_SPEC "  captures: []\n", "t:6:13: spec.captures: must have 1 to 16 entries, has 0"},
    {RUN_SPEC "  captures: {a: b}\n", "t:6:13: spec.captures: must be a list, is a map of fields"},
    {RUN_SPEC "  captures: [cpu]\n", "t:6:14: spec.captures[0]: must be a map of fields, is text"},
    {RUN_SPEC "  captures: [null]\n",
     "t:6:14: spec.captures[0]: must be a map of fields, is nothing"},
    {CAPTURE("name: cpu, type: CPUProfile, durationSeconds: 0"),
     "t:6:61: spec.captures[0].durationSeconds: must be between 1 and 3600, is 0"},
    {CAPTURE("name: cpu, type: CPUProfile, durationSeconds: 3601"),
     "t:6:61: spec.captures[0].durationSeconds: must be between 1 and 3600, is 3601"},
    {CAPTURE("name: cpu, type: CPUProfile, durationSeconds: 30s"),
     "t:6:61: spec.captures[0].durationSeconds: must be a whole number, is text"},
    {CAPTURE("name: cpu, type: CPUProfile, durationSeconds: 1.5"),
     "t:6:61: spec.captures[0].durationSeconds: must be a whole number, is a number"},
    {CAPTURE("name: cpu, type: CPUProfil"),
     "t:6:32: spec.captures[0].type: must be one of CPUProfile, HeapSnapshot, AllocationSampling, "
     "AllocationTimeline, Coverage, EventLoop, Report, is \"CPUProfil\": did you mean CPUProfile?"},
    {CAPTURE("name: cpu, type: 3"),
     "t:6:32: spec.captures[0].type: must be text, is a whole number: put it in quotes"},
    {CAPTURE("name: \"\", type: Report"), "t:6:21: spec.captures[0].name: must not be empty"},
    {CAPTURE("name: " SIXTY_LETTERS "abcd, type: Report"),
     "t:6:21: spec.captures[0].name: must have 1 to 63 characters, has 64"},
    {RUN_SPEC "  captures:\n  - {name: a, type: Report}\n  - {name: b, type: Report}\n"
              "  - {name: a, type: Report}\n",
     "t:9:12: spec.captures[2].name: stands twice in the list, first at line 7"},
    {CAPTURE("name: h, type: HeapSnapshot, durationSeconds: 5"),
     "t:6:44: spec.captures[0].durationSeconds: is only for type CPUProfile, AllocationSampling, "
     "AllocationTimeline, Coverage and EventLoop, not for HeapSnapshot"},
    {CAPTURE("name: c, type: CPUProfile, redaction: None"),
     "t:6:42: spec.captures[0].redaction: is only for type HeapSnapshot and AllocationTimeline, "
     "not for CPUProfile"},
    {CAPTURE("name: a, type: AllocationSampling, includeCollected: \"yes\""),
     "t:6:68: spec.captures[0].includeCollected: must be true or false, is text"},
    {CAPTURE("name: a, type: AllocationSampling, includeCollected: true, durationSeconds: 301"),
     "t:6:91: spec.captures[0].durationSeconds: must be at most 300 with includeCollected, which "
     "keeps a record of every sampled object in the target"},
    {RUN_SPEC CPU "  attach: {runAsUser: -1}\n",
     "t:7:23: spec.attach.runAsUser: must be between 0 and 2147483647, is -1"},

    /* The target of a ProfileRun */
    {RUN "spec:\n" CPU, "t:5:3: spec.target: is required"},
    {RUN "spec:\n  target: {}\n" CPU,
     "t:5:11: spec.target: must have exactly one of podName, selector and workloadRef, has none"},
    {RUN "spec:\n  target: {podName: a, workloadRef: {name: b}}\n" CPU,
     "t:5:11: spec.target: must have exactly one of podName, selector and workloadRef, has podName "
     "and workloadRef"},
    {RUN "spec:\n  target: {selector: {}}\n" CPU,
     "t:5:22: spec.target.selector: must have matchLabels or matchExpressions: an empty selector "
     "would be every pod"},
    {RUN
     "spec:\n  target: {selector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}"
     "\n" CPU,
     "t:5:77: spec.target.selector.matchExpressions[0].values: must be given for In and NotIn, and "
     "only for those"},
    {RUN "spec:\n  target: {selector: {matchExpressions: [{key: a, operator: In, values: [b, b]}]}}"
         "\n" CPU,
     "t:5:77: spec.target.selector.matchExpressions[0].values[1]: stands twice in the list"},
    {RUN "spec:\n  target: {podName: a, process: {match: \"a\\0b\"}}\n" CPU,
     "t:5:41: spec.target.process.match: must not have a NUL character in it"},
    {RUN "spec:\n  target: {podName: a, process: {match: \"a\\nb\"}}\n" CPU,
     "t:5:41: spec.target.process.match: must be one line without control characters, is "
     "\"a\\nb\""},

    /* podSelection, deadline */
    {RUN_SPEC CPU "  podSelection: {policy: Count}\n",
     "t:7:17: spec.podSelection.count: is required"},
    {RUN_SPEC CPU "  podSelection: {count: 3}\n",
     "t:7:18: spec.podSelection.count: is only for policy Count, not for One"},
    {RUN_SPEC CPU "  podSelection: {policy: Percent, percent: 101}\n",
     "t:7:44: spec.podSelection.percent: must be between 1 and 100, is 101"},
    {RUN_SPEC "  captures: [{name: h, type: HeapSnapshot}]\n  podSelection: {policy: All}\n",
     "t:7:17: spec.podSelection: must not be All with a HeapSnapshot, which stops each pod for "
     "seconds: choose One, Count or Percent"},
    {RUN_SPEC CPU "  activeDeadlineSeconds: 30\n",
     "t:7:26: spec.activeDeadlineSeconds: must be more than the captures' durations together"},

    /* LoadTest */
    {TEST GET TEN, "t:5:3: spec.target: is required"},
    {TEST "  target: {url: \"ftp://a\"}\n" GET TEN,
     "t:5:17: spec.target.url: must be a URL that begins with http:// or https:// and names no "
     "user, is \"ftp://a\""},
    {TEST "  target: {url: \"http://a\", service: {name: a}}\n" GET TEN,
     "t:5:11: spec.target: must have exactly one of service and url, has service and url"},
    {TEST URL "  scenario: {}\n" TEN,
     "t:6:13: spec.scenario: must have exactly one of requests and configMapRef, has none"},
    {TEST URL "  scenario: {requests: [{name: r, path: \"a b\"}]}\n" TEN,
     "t:6:41: spec.scenario.requests[0].path: must be a path that begins with / and has no spaces, "
     "is \"a b\""},
    {TEST URL "  scenario: {requests: [{name: r, headers: {\"a b\": c}}]}\n" TEN,
     "t:6:45: spec.scenario.requests[0].headers[\"a b\"]: must be a header's name, is \"a b\""},
    {TEST URL "  scenario: {requests: [{name: r, path: \"/{{id}}\"}]}\n" TEN,
     "t:6:24: spec.scenario.requests: must define each {{NAME}} that its path, headers and body "
     "use, in data of the request or the scenario, or by extract"},
    {TEST URL "  scenario: {requests: [{name: r, body: \"{{id\"}]}\n" TEN,
     "t:6:24: spec.scenario.requests: must define each {{NAME}} that its path, headers and body "
     "use, in data of the request or the scenario, or by extract"},
    {TEST URL "  scenario: {requests: [{name: r, data: {id: {range: [5, 1]}}}]}\n" TEN,
     "t:6:54: spec.scenario.requests[0].data[\"id\"].range: must be the first and the last number, "
     "the lower first"},
    {TEST URL "  scenario: {requests: [{name: r, data: {id: {range: [5]}}}]}\n" TEN,
     "t:6:54: spec.scenario.requests[0].data[\"id\"].range: must have 2 entries, has 1"},
    {TEST URL "  scenario: {requests: [{name: r, data: {id: {range: [a, 1]}}}]}\n" TEN,
     "t:6:55: spec.scenario.requests[0].data[\"id\"].range[0]: must be a whole number, is text"},
    {TEST URL "  scenario: {requests: [{name: r, data: {1d: {range: [1, 2]}}}]}\n" TEN,
     "t:6:42: spec.scenario.requests[0].data[\"1d\"]: must be a name of letters, digits and _ that "
     "does not begin with a digit, is \"1d\""},
    {TEST URL "  scenario: {requests: [{name: r, extract: [{name: t, pointer: a}]}]}\n" TEN,
     "t:6:64: spec.scenario.requests[0].extract[0].pointer: must be a JSON pointer, such as "
     "/items/0/id, is \"a\""},
    {TEST URL "  scenario: {requests: [{name: r, expect: {status: 99}}]}\n" TEN,
     "t:6:52: spec.scenario.requests[0].expect.status: must be between 100 and 599, is 99"},
    {TEST URL GET, "t:5:3: spec: must have exactly one of arrival and search, has none"},
    {TEST URL GET "  arrival: {rate: 5}\n",
     "t:7:12: spec.arrival: must have exactly one of stages, durationSeconds and amount, has none"},
    {TEST URL GET "  arrival: {rate: 5, stages: [{durationSeconds: 1, rate: 2}]}\n",
     "t:7:19: spec.arrival.rate: must not stand beside stages, which have rates of their own"},
    {TEST URL GET "  arrival: {stages: [{durationSeconds: 1, rate: 0}]}\n",
     "t:7:21: spec.arrival.stages: must have a stage whose rate is above 0"},
    {TEST URL GET "  arrival: {stages: [{rate: 1}]}\n",
     "t:7:22: spec.arrival.stages[0].durationSeconds: is required"},
    {TEST URL GET TEN "  activeDeadlineSeconds: 10\n",
     "t:8:26: spec.activeDeadlineSeconds: must be more than the warm-up and the arrival's length "
     "together, at most 7 days"},
    {TEST URL GET "  arrival: {rate: 1, amount: 1000000}\n  activeDeadlineSeconds: 30\n",
     "t:8:26: spec.activeDeadlineSeconds: must be more than the warm-up and the arrival's length "
     "together, at most 7 days"},
    {TEST URL GET "  arrival: {rate: 10, amount: 1000}\n  warmUpSeconds: 5\n"
                  "  activeDeadlineSeconds: 106\n", /* 5 s, 100 s and one begun */
     "t:9:26: spec.activeDeadlineSeconds: must be more than the warm-up and the arrival's length "
     "together, at most 7 days"},
    {TEST URL GET TEN "  connections: 2000\n",
     "t:5:3: spec.maxConnections: must be at least connections and at least parallelism"},
    {TEST URL GET "  search: {maxRate: 100}\n",
     "t:5:3: spec.thresholds: must be given with search: they are what the rate has to keep"},
    {TEST URL GET "  search: {maxRate: 10, startRate: 10}\n",
     "t:7:21: spec.search.maxRate: must be above startRate"},
    {TEST URL GET "  search: {maxRate: 100}\n  thresholds: [\"http_reqs: count>1\"]\n"
                  "  profile: {captures: [{name: c, type: CPUProfile}]}\n",
     "t:9:12: spec.profile: must not stand beside search: profile a test at the rate that it "
     "finds"},
    {TEST URL GET TEN "  profile: {delaySeconds: 10, captures: [{name: c, type: CPUProfile}]}\n",
     "t:8:12: spec.profile: must have delaySeconds below the arrival's length"},
    {TEST URL GET "  arrival: {rate: 10, amount: 95}\n"
                  "  profile: {delaySeconds: 10, captures: [{name: c, type: CPUProfile}]}\n",
     "t:8:12: spec.profile: must have delaySeconds below the arrival's length"},
    {TEST URL GET TEN "  thresholds: [\"http_req_duration{name:x}: p(99)<1\"]\n",
     "t:8:15: spec.thresholds: must name in {name:…} a request of the scenario; there are no other "
     "tags"},
    {TEST URL GET TEN "  thresholds: [\"http_req_time: p(99)<1\"]\n",
     "t:8:16: spec.thresholds[0]: \"http_req_time: p(99)<1\": there is no metric "
     "\"http_req_time\": did you mean http_req_failed?"},
    {TEST URL GET TEN "  runner: {resources: {limits: {memory: 1x}}}\n",
     "t:8:41: spec.runner.resources.limits.memory: must be a quantity, such as 500m or 256Mi, is "
     "\"1x\""},
    {TEST URL GET TEN "  runner: {resources: {limits: {cpu: 1.5}}}\n",
     "t:8:38: spec.runner.resources.limits.cpu: must be text, is a number: put it in quotes"},
    {TEST URL GET TEN "  runner: {resources: {requests: {cpu: -1}}}\n",
     "t:8:40: spec.runner.resources.requests.cpu: must be a quantity, such as 500m or 256Mi, is "
     "\"-1\""},
    {TEST URL GET TEN "  runner: {tolerations: [{value: a}]}\n",
     "t:8:26: spec.runner.tolerations[0].operator: must be Exists without a key"},
    {TEST URL GET TEN "  runner: {tolerations: [{key: a, operator: Exists, value: a}]}\n",
     "t:8:60: spec.runner.tolerations[0].value: must not stand beside operator Exists, which "
     "compares none"},
    {TEST URL GET TEN "  runner: {tolerations: [{key: a, effect: NoSchedule, tolerationSeconds: "
                      "5}]}\n",
     "t:8:74: spec.runner.tolerations[0].tolerationSeconds: must stand beside effect NoExecute"},
    {TEST URL GET TEN "  profile: {podSelection: {policy: All}, captures: [{name: h, type: "
                      "HeapSnapshot}]}\n",
     "t:8:27: spec.profile.podSelection: must not be All with a HeapSnapshot, which stops each pod "
     "for seconds: choose One, Count or Percent"},

    /* Schedules */
    {SCHEDULE, "t:5:3: spec.schedule: is required"},
    {SCHEDULE "  schedule: \"61 * * * *\"\n",
     "t:6:13: spec.schedule: \"61 * * * *\": the minute must be 0 to 59, is \"61\""},
    {SCHEDULE "  schedule: \"@daily\"\n  timeZone: Local\n",
     "t:7:13: spec.timeZone: must be a time zone's name, such as Europe/London or UTC, is "
     "\"Local\""},
    {SCHEDULE "  schedule: \"@daily\"\n  baseline: {strategy: Pinned}\n",
     "t:7:13: spec.baseline.runName: is required"},
    {SCHEDULE "  schedule: \"@daily\"\n  baseline: {runs: 3}\n",
     "t:7:14: spec.baseline.runs: is only for strategy RollingMedian, not for LastGood"},
    {"apiVersion: sonde.dev/v1alpha1\nkind: ProfileSchedule\nmetadata: {name: a}\nspec:\n"
     "  schedule: \"@daily\"\n  runTemplate: {spec: {target: {podName: p}, captures: "
     "[{name: c, type: CPU}]}}\n",
     "t:6:73: spec.runTemplate.spec.captures[0].type: must be one of CPUProfile, HeapSnapshot, "
     "AllocationSampling, AllocationTimeline, Coverage, EventLoop, Report, is \"CPU\""},
    {"apiVersion: sonde.dev/v1alpha1\nkind: LoadTestSchedule\nmetadata: {name: " TEN_LETTERS
     "abcdefghijabcdefghijabcdefghijabcdefghijabc}\nspec:\n  schedule: \"@daily\"\n"
     "  testTemplate: {spec: {target: {url: \"http://a\"}, scenario: {requests: [{name: r}]}, "
     "arrival: {amount: 5}}}\n",
     "t:3:18: metadata.name: must have at most 52 characters for a LoadTestSchedule, has 53"},

    /* Several at once */
    {RUN "spec:\n  target: {podName: A}\n  captures: [{name: cpu, type: X}]\n  cancel: 1\n",
     "t:5:21: spec.target.podName: must be a name of lower-case letters, digits, - and ., with a "
     "letter or digit at both ends, is \"A\"\n"
     "t:6:32: spec.captures[0].type: must be one of CPUProfile, HeapSnapshot, AllocationSampling, "
     "AllocationTimeline, Coverage, EventLoop, Report, is \"X\"\n"
     "t:7:11: spec.cancel: must be true or false, is a whole number"},
    {RUN "spec: {}\n---\n" TEST TEN, "t:4:7: spec.target: is required\n"
                                     "t:4:7: spec.captures: is required\n"
                                     "t:10:3: spec.target: is required\n"
                                     "t:10:3: spec.scenario: is required"},
};

/* All problems, or when there are none, the error's message. */
static void print_problems(const struct sonde_spec_documents *documents,
                           const struct sonde_err *err, struct sonde_buf *buf)
{
    for (size_t i = 0; i < documents->problem_count; i++) {
        sonde_buf_printf(buf, "%s%s", i ? "\n" : "", documents->problems[i]);
    }
    if (documents->problem_count == 0) {
        sonde_buf_text(buf, err->message);
    }
}

static void each_is_refused_in_these_words(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_spec_documents documents;
        struct sonde_err err = {0};
        int code = sonde_spec_parse("t", sonde_str(cases[i].text), &documents, &err);
        SONDE_BUF_AUTO said = SONDE_BUF(1 << 16);
        print_problems(&documents, &err, &said);
        if (code != SONDE_EINVALID || !sonde_str_is(sonde_buf_view(&said), cases[i].problems)) {
            print_error("case %zu (code %d):\n%s\nsays: %s\nnot:  %s\n", i, code, cases[i].text,
                        said.data ? said.data : "", cases[i].problems);
            wrong++;
        }
        if (code < 0) {
            assert_string_equal(err.reason, SONDE_REASON_INVALID_SPEC);
        }
        sonde_spec_documents_fini(&documents);
    }
    assert_int_equal(wrong, 0);
}

static void the_error_has_the_first_and_the_number(void **state)
{
    (void)state;
    struct sonde_spec_documents documents;
    struct sonde_err err;
    assert_int_equal(sonde_spec_parse("run.yaml", SONDE_STR(RUN "spec: {}\n"), &documents, &err),
                     SONDE_EINVALID);
    assert_string_equal(err.message, "run.yaml:4:7: spec.target: is required (and 1 more)");
    sonde_spec_documents_fini(&documents);
}

static void at_most_twenty_are_said(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_buf_text(&text, RUN_SPEC CPU);
    for (int i = 0; i < 30; i++) {
        sonde_buf_printf(&text, "  unknown%d: 1\n", i);
    }
    struct sonde_spec_documents documents;
    struct sonde_err err;
    assert_int_equal(sonde_spec_parse("t", sonde_buf_view(&text), &documents, &err),
                     SONDE_EINVALID);
    assert_int_equal(documents.problem_count, SONDE_SPEC_PROBLEMS_MAX);
    assert_int_equal(documents.problem_total, 30);
    assert_true(sonde_str_ends(sonde_str(err.message), "there is no such field (and 29 more)"));
    sonde_spec_documents_fini(&documents);
}

static void long_values_are_cut_in_messages(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_buf_text(&text, RUN "spec:\n  target: {podName: \"");
    for (int i = 0; i < 100; i++) {
        sonde_buf_text(&text, "\xc3\xa4"); /* ä: two bytes, so that a cut could halve one */
    }
    sonde_buf_text(&text, "\", ");
    sonde_buf_repeat(&text, 'k', 1000);
    sonde_buf_text(&text, ": 1}\n" CPU);
    struct sonde_spec_documents documents;
    struct sonde_err err;
    assert_int_equal(sonde_spec_parse("t", sonde_buf_view(&text), &documents, &err),
                     SONDE_EINVALID);
    assert_int_equal(documents.problem_count, 2);
    for (size_t i = 0; i < documents.problem_count; i++) {
        assert_true(strlen(documents.problems[i]) < SONDE_SPEC_PROBLEM_MAX);
        assert_true(sonde_utf8_valid(sonde_str(documents.problems[i])));
    }
    assert_non_null(strstr(documents.problems[1], "\xc3\xa4\"…"));
    sonde_spec_documents_fini(&documents);
}

static void too_many_documents_are_refused(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_buf_text(&text, "apiVersion: v1\nkind: List\nitems:\n");
    for (int i = 0; i <= SONDE_SPEC_DOCUMENTS_MAX; i++) {
        sonde_buf_printf(&text,
                         "- {apiVersion: sonde.dev/v1alpha1, kind: ProfileRun, metadata: {name: "
                         "a%d}, spec: {target: {podName: p}, captures: [{name: c, type: "
                         "Report}]}}\n",
                         i);
    }
    struct sonde_spec_documents documents;
    struct sonde_err err;
    assert_int_equal(sonde_spec_parse("t", sonde_buf_view(&text), &documents, &err), SONDE_ELIMIT);
    assert_string_equal(err.message, "t: too large: at most 64 documents and 32 MiB of values");
    sonde_spec_documents_fini(&documents);
}

/* Aliases of one large text, counted in full by the arena's maximum. */
static void texts_cannot_be_multiplied_without_bound(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_buf_text(&text, TEST URL TEN "  scenario:\n    requests:\n");
    for (int i = 0; i < 60; i++) {
        sonde_buf_printf(&text, "    - {name: r%d, body: %s", i, i ? "*b, expect: {" : "&b \"");
        if (i == 0) {
            sonde_buf_repeat(&text, 'x', 65000);
            sonde_buf_text(&text, "\", expect: {");
        }
        sonde_buf_text(&text, "bodyEquals: *b}}\n");
    }
    struct sonde_spec_documents documents;
    struct sonde_err err;
    assert_int_equal(sonde_spec_parse("t", sonde_buf_view(&text), &documents, &err), 0);
    sonde_spec_documents_fini(&documents);

    SONDE_BUF_AUTO many = SONDE_BUF(1 << 20);
    for (int i = 0; i < 6; i++) {
        SONDE_BUF_AUTO one = SONDE_BUF(1 << 20);
        sonde_buf_printf(&one, "%s", "---\n");
        sonde_buf_str(&one, sonde_buf_view(&text));
        char *name = strstr(one.data, "metadata: {name: a}");
        assert_non_null(name);
        name[strlen("metadata: {name: ")] = (char)('a' + i);
        sonde_buf_str(&many, sonde_buf_view(&one));
    }
    assert_int_equal(many.code, 0);
    assert_int_equal(sonde_spec_parse("t", sonde_buf_view(&many), &documents, &err), SONDE_ELIMIT);
    sonde_spec_documents_fini(&documents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_refused_in_these_words),
        cmocka_unit_test(the_error_has_the_first_and_the_number),
        cmocka_unit_test(at_most_twenty_are_said),
        cmocka_unit_test(long_values_are_cut_in_messages),
        cmocka_unit_test(too_many_documents_are_refused),
        cmocka_unit_test(texts_cannot_be_multiplied_without_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
