/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"
#include "fail.h"
#include "store/result.h"

static const char result_text[] =
    "{\"processes\":[{\"pid\":7,\"nodeVersion\":\"v22.1.1\",\"inspectorClosed\":true,"
    "\"cost\":{\"bytes\":7},\"eventLoop\":{\"utilization\":0.5}}],\"state\":\"Succeeded\"}";

/* What is kept is whole, or nothing. */
static int keep(void *context)
{
    char *kept = result_keep(context);
    if (!kept) {
        return SONDE_ENOMEM;
    }
    assert_string_equal(kept, result_text);
    cJSON_free(kept);
    return 0;
}

static void no_allocation_is_taken_for_granted(void **state)
{
    (void)state;
    SONDE_JSON_AUTO *json = NULL;
    cJSON_InitHooks(&(cJSON_Hooks){malloc, free});
    assert_int_equal(sonde_json_parse(sonde_str(result_text), &json, NULL), 0);
    fail_each_allocation(keep, json);
    cJSON_Delete(SONDE_TAKE(json));
    cJSON_InitHooks(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_allocation_is_taken_for_granted)};
    return cmocka_run_group_tests_name("store_fault", tests, NULL, NULL);
}
