/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the tally that a runner sends: what is read is written, and reads back as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "load/tally_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sonde_load_label labels[] = {{SONDE_LOAD_OF_NAME, "one"},
                                                 {SONDE_LOAD_OF_ADDRESS, "10.1.2.3:80"}};

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

/* False: it was refused. */
static bool read_text(struct sonde_str text, struct sonde_load_tally *ret)
{
    SONDE_JSON_AUTO *json = NULL;
    struct sonde_err err = {0};
    must(sonde_load_tally_init(ret, NULL) == 0);
    must(sonde_load_tally_divide(ret, labels, SONDE_LENGTH(labels), NULL) == 0);
    int r = sonde_json_parse(text, &json, &err);
    r = r < 0 ? r : sonde_load_tally_read(json, ret, &err);
    must(r == 0 || err.message[0] != '\0');
    return r == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_load_tally first;
    struct sonde_load_tally second;
    SONDE_BUF_AUTO once = SONDE_BUF(SONDE_LOAD_TALLY_MAX);
    SONDE_BUF_AUTO twice = SONDE_BUF(SONDE_LOAD_TALLY_MAX);
    if (read_text((struct sonde_str){(const char *)data, size}, &first)) {
        must(sonde_load_tally_write(&first, &once, NULL) == 0);
        must(read_text(sonde_buf_view(&once), &second));
        must(sonde_load_tally_write(&second, &twice, NULL) == 0);
        must(once.length == twice.length && memcmp(once.data, twice.data, once.length) == 0);
        sonde_load_tally_fini(&second);
    }
    sonde_load_tally_fini(&first);
    return 0;
}
