/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "analysis/cpu_findings.h"
#include "base/random.h"
#include "tree.h"

#define APP "file:///app/visits.js"

struct analyzed {
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
};

/* Each row's time is cut into samples of 1 ms, so that there are enough of them; between two
 * milliseconds of work the loop idles as told. */
static void analyze(struct analyzed *ret, const struct row *rows, size_t count, int64_t idle_us)
{
    uint32_t nodes[ROWS_MAX];
    static const struct row idle = {"(idle)", "", 0, -1, 0};
    uint32_t idle_node;
    struct row bare[ROWS_MAX];
    assert_int_equal(sonde_profile_init(&ret->profile, NULL), 0);
    add_rows(&ret->profile, &idle, 1, &idle_node);
    for (size_t i = 0; i < count; i++) {
        bare[i] = rows[i];
        bare[i].self_us = 0;
    }
    add_rows(&ret->profile, bare, count, nodes);
    for (size_t i = 0; i < count; i++) {
        for (int64_t at = 0; at < rows[i].self_us; at += 1000) {
            add_time(&ret->profile, nodes[i], 1000);
            if (idle_us) {
                add_time(&ret->profile, idle_node, idle_us);
            }
        }
    }
    assert_int_equal(sonde_cpu_analyze(&ret->profile, &ret->analysis, NULL), 0);
    assert_true(ret->analysis.finding_count > 0);
    for (size_t i = 0; i < ret->analysis.finding_count; i++) {
        const struct sonde_finding *finding = &ret->analysis.findings[i];
        assert_string_equal(finding->tool, "cpu");
        assert_true(finding->severity >= 0 && finding->severity <= 100);
        assert_true(finding->confidence > 0 && finding->confidence <= 1);
        assert_true(finding->title[0] && finding->advice[0]);
        assert_true(finding->evidence_count > 0);
        assert_true(i == 0 || ret->analysis.findings[i - 1].severity >= finding->severity);
    }
}

static void done(struct analyzed *a)
{
    sonde_cpu_analysis_fini(&a->analysis);
    sonde_profile_fini(&a->profile);
}

static const struct sonde_finding *finding_of(const struct analyzed *a, const char *kind)
{
    for (size_t i = 0; i < a->analysis.finding_count; i++) {
        if (strcmp(a->analysis.findings[i].kind, kind) == 0) {
            return &a->analysis.findings[i];
        }
    }
    return NULL;
}

static double evidence_of(const struct sonde_finding *finding, const char *name)
{
    for (size_t i = 0; i < finding->evidence_count; i++) {
        if (strcmp(finding->evidence[i].name, name) == 0) {
            return finding->evidence[i].value;
        }
    }
    fail_msg("no evidence %s", name);
    return 0;
}

static void a_hot_function_is_named_with_its_line(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"loadVisits", APP, 41, -1, 600000},
        {"other", APP, 90, -1, 50000},
        {"next", "node:internal/process/task_queues", 5, -1, 350000},
    };
    struct analyzed a;
    analyze(&a, rows, SONDE_LENGTH(rows), 1000);
    const struct sonde_finding *finding = &a.analysis.findings[0];
    assert_string_equal(finding->kind, "hot-function");
    assert_true(sonde_str_is(finding->function, "loadVisits"));
    assert_true(sonde_str_is(finding->file, APP));
    assert_int_equal(finding->line, 41);
    assert_non_null(strstr(finding->title, "60 %"));
    assert_non_null(strstr(finding->title, "loadVisits"));
    assert_true(evidence_of(finding, "busyShare") == 0.6);
    assert_true(evidence_of(finding, "wallShare") == 0.3);
    assert_true(evidence_of(finding, "time") == 600);
    /* the small one is worth a word, and node's own code is nobody's function */
    assert_int_equal(a.analysis.finding_count, 3);
    assert_string_equal(a.analysis.findings[1].kind, "hot-runtime");
    assert_true(sonde_str_is(a.analysis.findings[2].function, "other"));
    done(&a);
}

static void the_line_that_burns_is_named(void **state)
{
    (void)state;
    static const struct row rows[] = {{"loadVisits", APP, 41, -1, 600000}};
    struct analyzed a;
    analyze(&a, rows, 1, 1000);
    sonde_cpu_analysis_fini(&a.analysis);
    uint32_t frame = (uint32_t)a.profile.frame_count - 1;
    assert_int_equal(sonde_profile_add_ticks(&a.profile, frame, 47, 9, NULL), 0);
    assert_int_equal(sonde_profile_add_ticks(&a.profile, frame, 44, 1, NULL), 0);
    assert_int_equal(sonde_cpu_analyze(&a.profile, &a.analysis, NULL), 0);
    assert_int_equal(a.analysis.findings[0].line, 47);
    done(&a);
}

static void synchronous_work_is_blamed_on_the_caller(void **state)
{
    (void)state;
    static const struct {
        const char *function, *url, *title, *advice;
    } cases[] = {
        {"pbkdf2Sync", "node:internal/crypto/pbkdf2", "pbkdf2Sync", "asynchronous crypto.pbkdf2"},
        {"scryptSync", "node:internal/crypto/scrypt", "scryptSync", "crypto.scrypt"},
        {"RegExp: (a+)+b", "", "RegExp: (a+)+b", "may backtrack"},
        {"stringify", "", "stringify", "Send less"},
        {"parse", "", "parse", "Parse less"},
        {"hashSync", "file:///app/node_modules/bcryptjs/i.js", "hashSync", "asynchronous"},
        {"findAll", "file:///app/node_modules/sequelize/m.js", "findAll", "package sequelize"},
        /* named alike, but another thing */
        {"parseRow", "file:///app/node_modules/mysql2/p.js", "parseRow", "package mysql2"},
        {"parserOnMessageComplete", "node:_http_common", "parserOnMessageComplete", "less often"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        const struct row rows[] = {
            {"login", APP, 12, -1, 10000},
            {cases[i].function, cases[i].url, cases[i].url[0] ? 3 : 0, 0, 500000},
        };
        struct analyzed a;
        analyze(&a, rows, SONDE_LENGTH(rows), 500);
        const struct sonde_finding *finding = &a.analysis.findings[0];
        assert_string_equal(finding->kind, "hot-function");
        assert_true(sonde_str_is(finding->function, "login"));
        assert_int_equal(finding->line, 12);
        if (!strstr(finding->title, cases[i].title) || !strstr(finding->advice, cases[i].advice)) {
            fail_msg("%s: %s / %s", cases[i].function, finding->title, finding->advice);
        }
        done(&a);
    }
}

/* A driver's work on what the database sent: nothing of the app is on the stack. */
static void a_package_in_callbacks_is_hot(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"onStreamRead", "node:internal/stream_base_commons", 170, -1, 100000},
        {"parseRow", "file:///app/node_modules/mysql2/lib/row.js", 88, 0, 300000},
        {"handlePacket", "file:///app/node_modules/mysql2/lib/packet.js", 12, 0, 100000},
        {"findAll", "file:///app/node_modules/sequelize/lib/model.js", 9, -1, 40000},
        {"next", "node:internal/process/task_queues", 5, -1, 440000},
        {"handler", APP, 20, -1, 20000},
    };
    struct analyzed a;
    analyze(&a, rows, SONDE_LENGTH(rows), 1000);
    assert_null(finding_of(&a, "healthy"));
    assert_null(finding_of(&a, "hot-function"));
    const struct sonde_finding *finding = finding_of(&a, "hot-package");
    assert_non_null(finding);
    assert_true(sonde_str_is(finding->function, "parseRow"));
    assert_int_equal(finding->line, 88);
    assert_true(evidence_of(finding, "busyShare") == 0.4);
    assert_non_null(strstr(finding->title, "40 %"));
    assert_non_null(strstr(finding->title, "mysql2"));
    /* what Node.js does by itself is no work of the package */
    assert_int_equal(a.analysis.finding_count, 2);
    assert_true(evidence_of(finding_of(&a, "hot-runtime"), "busyShare") == 0.54);
    done(&a);

    /* below a function of the app it is that function's */
    static const struct row called[] = {
        {"handler", APP, 20, -1, 20000},
        {"parseRow", "file:///app/node_modules/mysql2/lib/row.js", 88, 0, 300000},
    };
    analyze(&a, called, SONDE_LENGTH(called), 1000);
    assert_null(finding_of(&a, "hot-package"));
    assert_non_null(finding_of(&a, "hot-function"));
    done(&a);
}

/* The largest part of a function's time is not yet most of it, and the advice for a part is none
 * for the whole. */
static void most_is_more_than_half(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"login", APP, 12, -1, 0},
        {"pbkdf2Sync", "node:internal/crypto/pbkdf2", 3, 0, 200000},
        {"parse", "", 0, 0, 150000},
        {"stringify", "", 0, 0, 150000},
    };
    struct analyzed a;
    analyze(&a, rows, SONDE_LENGTH(rows), 500);
    const struct sonde_finding *finding = finding_of(&a, "hot-function");
    assert_non_null(strstr(finding->title, "login, 40 % of it in pbkdf2Sync"));
    assert_null(strstr(finding->advice, "pbkdf2"));
    done(&a);

    static const struct row package[] = {
        {"login", APP, 12, -1, 300000},
        {"hash", "file:///app/node_modules/argon/i.js", 3, 0, 400000},
        {"toJSON", "file:///app/node_modules/moment/i.js", 3, 0, 300000},
    };
    analyze(&a, package, SONDE_LENGTH(package), 500);
    assert_non_null(strstr(finding_of(&a, "hot-function")->title, "40 % of it in hash"));
    assert_null(strstr(finding_of(&a, "hot-function")->advice, "argon"));
    done(&a);

    char part[SONDE_PART_SIZE];
    assert_string_equal(sonde_part_say(501, 1000, part), "most");
    assert_string_equal(sonde_part_say(500, 1000, part), "50 %");
    assert_string_equal(sonde_part_say(0, 0, part), "0 %");
}

/* Time in the engine, in native code or in Node.js itself that no function of the app answers for
 * is named all the same. */
static void the_runtimes_own_time_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *function, *url, *says, *evidence;
    } cases[] = {
        {"(program)", "", "(program)", "programShare"},
        {"writeUtf8String", "", "native code", "nativeShare"},
        {"processTicksAndRejections", "node:internal/process/task_queues", "Node.js's own",
         "nodeShare"},
        {"wasm-function[12]", "wasm://wasm/2bd4ab9a", "WebAssembly", "wasmShare"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        const struct row rows[] = {
            {cases[i].function, cases[i].url, cases[i].url[0] ? 5 : 0, -1, 600000},
            {"small", APP, 9, -1, 16000},
        };
        struct analyzed a;
        analyze(&a, rows, SONDE_LENGTH(rows), 600);
        assert_null(finding_of(&a, "healthy"));
        const struct sonde_finding *finding = finding_of(&a, "hot-runtime");
        assert_non_null(finding);
        assert_true(sonde_str_is(finding->function, cases[i].function));
        assert_true(evidence_of(finding, "busyShare") == 600.0 / 616);
        assert_true(evidence_of(finding, cases[i].evidence) == 600.0 / 616);
        if (!strstr(finding->title, cases[i].says)) {
            fail_msg("%s: %s", cases[i].function, finding->title);
        }
        done(&a);

        /* below a function of the app it is that function's */
        const struct row called[] = {
            {"handler", APP, 20, -1, 1000},
            {cases[i].function, cases[i].url, cases[i].url[0] ? 5 : 0, 0, 600000},
        };
        analyze(&a, called, SONDE_LENGTH(called), 600);
        assert_null(finding_of(&a, "hot-runtime"));
        done(&a);
    }
    /* the parts together, in the order of size; the collector has a finding of its own */
    static const struct row parts[] = {
        {"(program)", "", 0, -1, 60000},       {"write", "", 0, -1, 50000},
        {"next", "node:timers", 5, -1, 60000}, {"again", "node:timers", 9, -1, 30000},
        {"handler", APP, 20, -1, 700000},      {"(garbage collector)", "", 0, -1, 100000},
    };
    struct analyzed a;
    analyze(&a, parts, SONDE_LENGTH(parts), 1000);
    const struct sonde_finding *finding = finding_of(&a, "hot-runtime");
    assert_non_null(strstr(finding->title, "20 %"));
    assert_non_null(strstr(finding->title, "45 % of it in Node.js's own JavaScript"));
    assert_true(sonde_str_is(finding->function, "next"));
    assert_true(evidence_of(finding, "nativeShare") == 0.05);
    done(&a);
}

static void much_collecting_is_pressure(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"(garbage collector)", "", 0, -1, 300000},
        {"next", "node:timers", 5, -1, 700000},
    };
    struct analyzed a;
    analyze(&a, rows, SONDE_LENGTH(rows), 1000);
    const struct sonde_finding *finding = finding_of(&a, "gc-pressure");
    assert_non_null(finding);
    assert_true(evidence_of(finding, "busyShare") == 0.3);
    assert_non_null(strstr(finding->title, "30 %"));
    done(&a);
}

static void a_long_stretch_is_a_blocked_loop(void **state)
{
    (void)state;
    static const struct row rows[] = {{"tick", APP, 1, -1, 400000}};
    static const struct row slow = {"report", APP, 77, -1, 0};
    struct analyzed a;
    analyze(&a, rows, 1, 9000);
    assert_null(finding_of(&a, "blocked-event-loop"));
    sonde_cpu_analysis_fini(&a.analysis);
    uint32_t node;
    add_rows(&a.profile, &slow, 1, &node);
    for (int i = 0; i < 250; i++) {
        add_time(&a.profile, node, 1000);
    }
    assert_int_equal(sonde_cpu_analyze(&a.profile, &a.analysis, NULL), 0);
    const struct sonde_finding *finding = finding_of(&a, "blocked-event-loop");
    assert_non_null(finding);
    assert_true(sonde_str_is(finding->function, "report"));
    assert_int_equal(finding->line, 77);
    assert_true(evidence_of(finding, "longestStall") == 250);
    assert_true(evidence_of(finding, "samples") == 250);
    assert_non_null(strstr(finding->title, "most of it in report"));
    done(&a);
}

static void what_the_capture_does_is_no_fault_of_the_service(void **state)
{
    (void)state;
    static const struct row rows[] = {{"(idle)", "", 0, -1, 400000}};
    static const struct row ours = {"rotate", "sonde:probe.js", 7, -1, 0};
    struct analyzed a;
    analyze(&a, rows, 1, 9000);
    sonde_cpu_analysis_fini(&a.analysis);
    uint32_t node;
    add_rows(&a.profile, &ours, 1, &node);
    for (int i = 0; i < 250; i++) {
        add_time(&a.profile, node, 1000);
    }
    assert_int_equal(sonde_cpu_analyze(&a.profile, &a.analysis, NULL), 0);
    assert_int_equal(a.analysis.stalls[0].samples, 250);
    assert_null(finding_of(&a, "blocked-event-loop"));
    done(&a);
}

/* Samples of a process in which each is busy by chance; then a stretch of `block` busy ones. */
static void analyze_chance(struct analyzed *ret, int64_t interval_us, int samples, double busy,
                           int block)
{
    static const struct row rows[] = {
        {"(idle)", "", 0, -1, 0}, {"one", APP, 1, -1, 0}, {"two", APP, 9, -1, 0}};
    uint64_t seed = 20260131; /* always the same: by chance alone one in a thousand is longer */
    uint32_t nodes[ROWS_MAX];
    assert_int_equal(sonde_profile_init(&ret->profile, NULL), 0);
    add_rows(&ret->profile, rows, SONDE_LENGTH(rows), nodes);
    for (int i = 0; i < samples; i++) {
        bool works = (double)(sonde_random_next(&seed) % 1000000) < busy * 1e6;
        add_time(&ret->profile, nodes[works ? 1 + i % 2 : 0], interval_us);
    }
    add_time(&ret->profile, nodes[0], interval_us);
    for (int i = 0; i < block; i++) {
        add_time(&ret->profile, nodes[i % 3 ? 1 : 2], interval_us);
    }
    assert_int_equal(sonde_cpu_analyze(&ret->profile, &ret->analysis, NULL), 0);
}

/* A sample stands for its whole interval, and busy ones follow one another by chance too. */
static void chance_is_not_called_a_stall(void **state)
{
    (void)state;
    static const struct {
        int64_t interval_us;
        int samples;
        double busy;
        int block;
        bool blocked;
    } cases[] = {
        {10000, 3000, 0.6, 0, false},    /* about 15 busy in a row: 150 ms */
        {10000, 3000, 0.6, 40, true},    /* 400 ms */
        {1000, 30000, 0.94, 0, false},   /* about 120 in a row */
        {1000, 30000, 0.94, 150, false}, /* no longer than what chance may do */
        {1000, 30000, 0.94, 500, true},  {1000, 30000, 0.6, 150, true},
        {1000000, 60, 0.1, 3, false},   /* 3 s, but of three samples */
        {10000, 1000, 0.05, 19, false}, /* 190 ms, to within 10 ms at either end */
        {10000, 1000, 0.05, 20, true},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct analyzed a;
        analyze_chance(&a, cases[i].interval_us, cases[i].samples, cases[i].busy, cases[i].block);
        const struct sonde_finding *finding = finding_of(&a, "blocked-event-loop");
        if ((finding != NULL) != cases[i].blocked) {
            fail_msg("case %zu: %s", i, finding ? finding->title : "no stall");
        }
        if (finding) {
            assert_true(evidence_of(finding, "samples") == cases[i].block);
            assert_true(evidence_of(finding, "samplesByChance") * 2 <= cases[i].block);
        }
        done(&a);
    }
}

/* A long stretch of few samples must not hide a shorter one that is known. */
static void a_gap_in_sampling_hides_no_stall(void **state)
{
    (void)state;
    struct analyzed a;
    analyze_chance(&a, 1000, 2000, 0.3, 200);
    sonde_cpu_analysis_fini(&a.analysis);
    add_time(&a.profile, 1, 1000);
    add_time(&a.profile, 2, 400000);
    assert_int_equal(sonde_cpu_analyze(&a.profile, &a.analysis, NULL), 0);
    assert_int_equal(a.analysis.stalls[0].length_us, 400000);
    assert_true(evidence_of(finding_of(&a, "blocked-event-loop"), "longestStall") == 200);
    done(&a);
}

static void a_stall_of_many_names_the_largest_part(void **state)
{
    (void)state;
    static const struct row rows[] = {{"tick", APP, 1, -1, 400000}};
    static const struct row slow[] = {
        {"a", APP, 77, -1, 0}, {"b", APP, 78, -1, 0}, {"c", APP, 79, -1, 0}};
    struct analyzed a;
    analyze(&a, rows, 1, 9000);
    sonde_cpu_analysis_fini(&a.analysis);
    uint32_t nodes[ROWS_MAX];
    add_rows(&a.profile, slow, SONDE_LENGTH(slow), nodes);
    for (int i = 0; i < 200; i++) {
        add_time(&a.profile, nodes[i < 80 ? 0 : i < 140 ? 1 : 2], 1000);
    }
    assert_int_equal(sonde_cpu_analyze(&a.profile, &a.analysis, NULL), 0);
    assert_non_null(
        strstr(finding_of(&a, "blocked-event-loop")->title, "without a pause, 40 % of it in a"));
    done(&a);
}

/* With no idling at all, stretches say nothing: it may be one callback or a thousand. */
static void saturation_is_not_called_a_stall(void **state)
{
    (void)state;
    static const struct row rows[] = {{"a", APP, 1, -1, 5000000}};
    struct analyzed a;
    analyze(&a, rows, 1, 0);
    assert_null(finding_of(&a, "blocked-event-loop"));
    assert_string_equal(a.analysis.findings[0].kind, "hot-function");
    assert_non_null(finding_of(&a, "saturated-event-loop"));
    done(&a);
}

static void health_is_said_with_numbers(void **state)
{
    (void)state;
    /* one hot function, but in a process that idles 95 % of the time: its share is said */
    static const struct row idle[] = {{"f", APP, 7, -1, 240000}, {"g", APP, 9, -1, 60000}};
    struct analyzed a;
    analyze(&a, idle, SONDE_LENGTH(idle), 19000);
    const struct sonde_finding *finding = &a.analysis.findings[0];
    assert_int_equal(a.analysis.finding_count, 1);
    assert_string_equal(finding->kind, "healthy");
    assert_int_equal(finding->severity, 0);
    assert_string_equal(finding->title,
                        "the CPU was idle for 95 % of the time; of the rest, 80 % was spent in f");
    assert_true(evidence_of(finding, "busyShareOfWall") == 0.05);
    assert_true(evidence_of(finding, "largestBusyShare") == 0.8);
    assert_true(evidence_of(finding, "largestTime") == 240);
    assert_true(sonde_str_is(finding->function, "f"));
    assert_int_equal(finding->line, 7);
    double confident = finding->confidence;
    done(&a);

    static const struct row few[] = {{"f", APP, 1, -1, 3000}};
    analyze(&a, few, 1, 60000);
    assert_string_equal(a.analysis.findings[0].kind, "healthy");
    assert_true(a.analysis.findings[0].confidence < confident);
    done(&a);

    static const struct row nobody[] = {{"(program)", "", 0, -1, 30000}};
    analyze(&a, nobody, 1, 60000);
    assert_int_equal(a.analysis.finding_count, 1);
    assert_null(strstr(a.analysis.findings[0].title, "of the rest"));
    done(&a);
}

static void many_small_ones_are_healthy(void **state)
{
    (void)state;
    struct row rows[30];
    char names[30][8];
    for (int i = 0; i < 30; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "f%d", i);
        rows[i] = (struct row){names[i], APP, i + 1, -1, 10000};
    }
    struct analyzed a;
    analyze(&a, rows, 30, 1000);
    assert_int_equal(a.analysis.finding_count, 1);
    assert_string_equal(a.analysis.findings[0].kind, "healthy");
    assert_non_null(strstr(a.analysis.findings[0].title, "nothing stands out"));
    assert_non_null(strstr(a.analysis.findings[0].title, "50 %"));
    done(&a);
}

/* Without a sample nobody knows whether the process is well. */
static void nothing_measured_is_not_health(void **state)
{
    (void)state;
    struct analyzed a;
    analyze(&a, NULL, 0, 0);
    assert_int_equal(a.analysis.finding_count, 1);
    assert_string_equal(a.analysis.findings[0].kind, "nothing-measured");
    assert_non_null(strstr(a.analysis.findings[0].title, "no samples"));
    sonde_cpu_analysis_fini(&a.analysis);
    add_time(&a.profile, 1, 0);
    assert_int_equal(sonde_cpu_analyze(&a.profile, &a.analysis, NULL), 0);
    assert_string_equal(a.analysis.findings[0].kind, "nothing-measured");
    assert_non_null(strstr(a.analysis.findings[0].title, "covers no time"));
    done(&a);
}

static void long_names_are_cut(void **state)
{
    (void)state;
    char name[3000];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    const struct row rows[] = {
        {name, APP, 1, -1, 300000}, {name, "node:fs", 2, 0, 900000}, {"z", "node:z", 1, 0, 0}};
    struct analyzed a;
    analyze(&a, rows, SONDE_LENGTH(rows), 100);
    assert_true(strlen(a.analysis.findings[0].title) < SONDE_FINDING_TEXT_MAX);
    done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hot_function_is_named_with_its_line),
        cmocka_unit_test(the_line_that_burns_is_named),
        cmocka_unit_test(synchronous_work_is_blamed_on_the_caller),
        cmocka_unit_test(a_package_in_callbacks_is_hot),
        cmocka_unit_test(most_is_more_than_half),
        cmocka_unit_test(the_runtimes_own_time_is_named),
        cmocka_unit_test(much_collecting_is_pressure),
        cmocka_unit_test(a_long_stretch_is_a_blocked_loop),
        cmocka_unit_test(chance_is_not_called_a_stall),
        cmocka_unit_test(what_the_capture_does_is_no_fault_of_the_service),
        cmocka_unit_test(a_gap_in_sampling_hides_no_stall),
        cmocka_unit_test(a_stall_of_many_names_the_largest_part),
        cmocka_unit_test(saturation_is_not_called_a_stall),
        cmocka_unit_test(health_is_said_with_numbers),
        cmocka_unit_test(many_small_ones_are_healthy),
        cmocka_unit_test(nothing_measured_is_not_health),
        cmocka_unit_test(long_names_are_cut),
    };
    return cmocka_run_group_tests_name("cpu_findings", tests, NULL, NULL);
}
