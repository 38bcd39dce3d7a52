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

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static char good[] = "apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: a}\n"
                         "spec: {target: {podName: p}, captures: [{name: c, type: CPUProfile}]}\n";
    static char bad[] = "apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: a}\n"
                        "spec: {targe: {podName: p}, captures: [{name: c, type: CPU}]}\n";
    fail_each_allocation(read_and_print, good);
    fail_each_allocation(refuse, bad);
    fail_each_allocation(print_definitions, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
