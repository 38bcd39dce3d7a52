/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/base64.h"
#include "codec/compress.h"
#include "codec/json.h"
#include "codec/json_scan.h"
#include "codec/protobuf.h"
#include "codec/yaml.h"
#include "fail.h"

static int scan_in_pieces(void *context)
{
    (void)context;
    static const char text[] =
        "{\"a\\n\":[1,2.5,\"\\u00e9 and a longer text than one piece\"],\"b\":null}";
    struct sonde_json_scanner scanner;
    struct sonde_json_limits limits = {8, 1000, 0};
    sonde_json_scanner_init(&scanner, limits, NULL, NULL);
    int r = 0;
    for (size_t i = 0; i + 1 < sizeof(text) && r == 0; i++) {
        r = sonde_json_scan(&scanner, text + i, 1, NULL);
    }
    r = r < 0 ? r : sonde_json_scan_finish(&scanner, NULL);
    sonde_json_scanner_fini(&scanner);
    return r;
}

static int read_yaml(void *context)
{
    (void)context;
    struct sonde_documents documents;
    SONDE_BUF_AUTO json = SONDE_BUF(10000);
    int r = sonde_yaml_parse("f", SONDE_STR("a: &x [1, two]\nb: *x\n---\nc: {d: 0x1f}\n"),
                             &documents, NULL);
    for (size_t i = 0; i < documents.count && r == 0; i++) {
        sonde_node_print_json(documents.items[i], &json);
    }
    sonde_documents_fini(&documents);
    return r < 0 ? r : sonde_buf_check(&json, "json", NULL);
}

static int read_json_as_yaml(void *context)
{
    (void)context;
    struct sonde_documents documents;
    int r = sonde_yaml_parse(
        "f",
        SONDE_STR(
            "{\"a\":\"\\ud83d\\ude00\",\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,"
            "\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1,\"r\":1}"),
        &documents, NULL);
    sonde_documents_fini(&documents);
    return r;
}

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "output", err);
}

static int compress(void *context)
{
    SONDE_BUF_AUTO packed = SONDE_BUF(100000);
    struct sonde_stream *stream = NULL;
    int r = sonde_compressor_new(*(const enum sonde_compression *)context, append, &packed, &stream,
                                 NULL);
    r = r < 0 ? r : sonde_stream_feed(stream, "some text, some text", 20, NULL);
    r = r < 0 ? r : sonde_stream_finish(stream, NULL);
    sonde_stream_free(stream);
    return r;
}

static int encode(void *context)
{
    (void)context;
    SONDE_BUF_AUTO buf = SONDE_BUF(10000);
    SONDE_BUF_AUTO decoded = SONDE_BUF(10000);
    const uint64_t values[] = {1, 1000, UINT64_MAX};
    for (uint32_t i = 1; i < 50; i++) {
        sonde_protobuf_packed(&buf, i, values, 3);
    }
    int r = sonde_base64_decode(SONDE_STR("Zm9vYmFyZm9vYmFy"), &decoded, NULL);
    return r < 0 ? r : sonde_buf_check(&buf, "protobuf", NULL);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    enum sonde_compression kinds[] = {SONDE_GZIP, SONDE_ZSTD};
    fail_each_allocation(scan_in_pieces, NULL);
    fail_each_allocation(read_yaml, NULL);
    fail_each_allocation(read_json_as_yaml, NULL);
    fail_each_allocation(compress, &kinds[0]);
    fail_each_allocation(compress, &kinds[1]);
    fail_each_allocation(encode, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
