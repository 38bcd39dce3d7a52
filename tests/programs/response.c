/* SPDX-License-Identifier: Apache-2.0 */
/* What lib/load makes of bytes: for each line "KIND BASE64" of standard input (KIND: 0 to 2, enum
 * sonde_request_kind) a line of JSON {"responses":[{status,keepAlive,upgraded,body,fields}],
 * "end":"idle"|"cut"|"refused"}. The connection is closed behind the bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/base64.h"
#include "load/response.h"

enum { LINE_MAX_BYTES = 1 << 20 };

struct seen {
    size_t fields;
    uint64_t body;
};

static int see_field(void *context, struct sonde_str name, struct sonde_str value,
                     struct sonde_err *err)
{
    (void)name;
    (void)value;
    (void)err;
    ((struct seen *)context)->fields++;
    return 0;
}

static const char *print_responses(struct sonde_str bytes, enum sonde_request_kind kind)
{
    const char *separator = "";
    for (;;) {
        struct seen seen = {0};
        const struct sonde_response_observer observer = {&seen, see_field, NULL};
        struct sonde_response r;
        size_t used;
        sonde_response_begin(&r, kind, &observer);
        if (sonde_response_feed(&r, bytes.data, bytes.length, &used, NULL) < 0) {
            return "refused";
        }
        if (!sonde_response_begun(&r)) {
            return "idle";
        }
        bool line_ends = r.state == SONDE_RESPONSE_HEAD && r.scanned == 0 && used == bytes.length &&
                         r.interim == 0;
        if (line_ends) {
            return "idle";
        }
        if (r.state != SONDE_RESPONSE_COMPLETE && sonde_response_closed(&r, NULL) < 0) {
            return "cut";
        }
        printf("%s{\"status\":%d,\"keepAlive\":%s,\"upgraded\":%s,\"body\":%llu,\"fields\":%zu}",
               separator, r.status, r.keep_alive ? "true" : "false", r.upgraded ? "true" : "false",
               (unsigned long long)r.body, seen.fields);
        separator = ",";
        bytes = (struct sonde_str){bytes.data + used, bytes.length - used};
        if (r.upgraded || bytes.length == 0) {
            return "idle";
        }
        if (!r.keep_alive && strspn(bytes.data, "\r\n") < bytes.length) {
            return "refused"; /* nothing may follow */
        }
    }
}

int main(void)
{
    static char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof(line), stdin)) {
        SONDE_BUF_AUTO bytes = SONDE_BUF(LINE_MAX_BYTES);
        line[strcspn(line, "\n")] = '\0';
        if (line[0] < '0' || line[0] > '2' || line[1] != ' ' ||
            sonde_base64_decode(sonde_str(line + 2), &bytes, NULL) < 0) {
            (void)fputs("not KIND BASE64\n", stderr);
            return EXIT_FAILURE;
        }
        printf("{\"responses\":[");
        const char *end =
            print_responses(sonde_buf_view(&bytes), (enum sonde_request_kind)(line[0] - '0'));
        printf("],\"end\":\"%s\"}\n", end);
    }
    return EXIT_SUCCESS;
}
