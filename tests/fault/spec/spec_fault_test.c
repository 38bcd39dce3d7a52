/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fail.h"
#include "spec/spec.h"

static int read_and_print(void *context)
{
    struct sonde_spec_documents documents;
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 20);
    int r = sonde_spec_parse("f", sonde_str(context), &documents, NULL);
    for (size_t i = 0; i < documents.count && r == 0; i++) {
        sonde_spec_print_json(&documents.items[i], &json);
    }
    sonde_spec_documents_fini(&documents);
    return r < 0 ? r : sonde_buf_check(&json, "json", NULL);
}

static int refuse(void *context)
{
    int r = read_and_print(context);
    return r == SONDE_EINVALID ? 0 : r;
}

static int ignore_file(void *context, const char *name, struct sonde_str text,
                       struct sonde_err *err)
{
    (void)context;
    (void)name;
    (void)text;
    (void)err;
    return 0;
}

static int print_definitions(void *context)
{
    (void)context;
    return sonde_spec_files(SONDE_SPEC_CRDS, ignore_file, NULL, NULL);
}

static int print_pages(void *context)
{
    (void)context;
    return sonde_spec_files(SONDE_SPEC_REFERENCE, ignore_file, NULL, NULL);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static char good[] = "apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: a}\n"
                         "spec: {target: {podName: p}, captures: [{name: c, type: CPUProfile}]}\n";
    static char bad[] = "apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: a}\n"
                        "spec: {targe: {podName: p}, captures: [{name: c, type: CPU}]}\n";
    static char schedule[] =
        "apiVersion: sonde.dev/v1alpha1\nkind: LoadTestSchedule\nmetadata: {name: a}\n"
        "spec:\n  schedule: 0 9 * * 1/2\n  testTemplate:\n    metadata: {labels: {a: b}}\n"
        "    spec:\n      target: {url: \"http://a\"}\n"
        "      scenario: {requests: [{name: r, data: {id: {range: [1, 2]}}}]}\n"
        "      arrival: {stages: [{durationSeconds: 1, rate: 1}]}\n"
        "      thresholds: [\"http_reqs{name:r}: count>1\"]\n"
        "      runner: {tolerations: [{operator: Exists}], resources: {limits: {cpu: 1}}}\n";
    fail_each_allocation(read_and_print, good);
    fail_each_allocation(read_and_print, schedule);
    fail_each_allocation(refuse, bad);
    fail_each_allocation(print_definitions, NULL);
    fail_each_allocation(print_pages, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
