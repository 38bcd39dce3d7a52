/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a sidecar's last word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "codec/json.h"
#include "store/result.h"

static void assert_kept(const char *result, const char *expected)
{
    SONDE_JSON_AUTO *json = NULL;
    assert_int_equal(sonde_json_parse(sonde_str(result), &json, NULL), 0);
    char *kept = result_keep(json);
    assert_non_null(kept);
    assert_string_equal(kept, expected);
    cJSON_free(kept);
}

static void what_somebody_reads_is_kept(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"processes\":[{\"pid\":7,\"nodeVersion\":\"v22.1.1\",\"directory\":\"/app\","
        "\"inspectorWasOpen\":false,\"inspectorClosed\":true,"
        "\"cost\":{\"attachMilliseconds\":20.5,\"inspectorOpenSeconds\":1.5,"
        "\"startStallMilliseconds\":1,\"stopStallMilliseconds\":2,\"rotations\":3,"
        "\"rotationStallP50Milliseconds\":4,\"rotationStallP99Milliseconds\":5,"
        "\"rotationStallMaxMilliseconds\":6,\"bytes\":7,\"workerThreadsLost\":8},"
        "\"eventLoop\":{\"utilization\":0.5,\"delayMeanMilliseconds\":1,"
        "\"delayP50Milliseconds\":2,\"delayP99Milliseconds\":3,\"delayMaxMilliseconds\":4}}],"
        "\"state\":\"Succeeded\",\"reason\":\"Completed\",\"message\":\"\",\"artifacts\":2,"
        "\"bytes\":99}";
    assert_kept(whole, whole);
}

static void the_rest_is_not(void **state)
{
    (void)state;
    assert_kept("{\"x\":[0,0,0],\"state\":[1],\"reason\":7,\"bytes\":\"many\",\"message\":null}",
                "{\"processes\":[]}");
    assert_kept("{\"processes\":[1,{\"pid\":{\"a\":1},\"cost\":[0,0],\"eventLoop\":{\"x\":1}}]}",
                "{\"processes\":[{},{\"eventLoop\":{}}]}");
    assert_kept("{\"processes\":{\"pid\":1},\"bytes\":1e999}", "{\"processes\":[{}]}");
}

static void much_is_cut(void **state)
{
    (void)state;
    SONDE_JSON_AUTO *json = NULL;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_buf_text(&text, "{\"state\":\"");
    sonde_buf_repeat(&text, 'x', 31);
    sonde_buf_text(&text, "\u00e9\",\"processes\":[{\"pid\":1}");
    for (int i = 0; i < RESULT_PROCESSES_MAX; i++) {
        sonde_buf_text(&text, ",{\"pid\":2}");
    }
    sonde_buf_text(&text, "]}");
    assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &json, NULL), 0);
    char *kept = result_keep(json);
    SONDE_JSON_AUTO *again = NULL;
    assert_int_equal(sonde_json_parse(sonde_str(kept), &again, NULL), 0);
    assert_int_equal(strlen(sonde_json_string_or(again, "state", "")), 31);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(again, "processes")),
                     RESULT_PROCESSES_MAX);
    cJSON_free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_somebody_reads_is_kept),
        cmocka_unit_test(the_rest_is_not),
        cmocka_unit_test(much_is_cut),
    };
    return cmocka_run_group_tests_name("store_result", tests, NULL, NULL);
}
