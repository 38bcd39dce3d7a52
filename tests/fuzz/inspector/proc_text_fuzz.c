/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as each of the texts of /proc. */
#include <stdlib.h>

#include "inspector/proc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static bool inside(struct sonde_str part, struct sonde_str whole)
{
    return part.length == 0 ||
           (part.data >= whole.data && part.data + part.length <= whole.data + whole.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_str text = {(const char *)data, size};
    struct sonde_proc_status status;
    struct sonde_proc_socket socket;
    struct sonde_err err = {0};
    struct sonde_proc_stat stat;
    uint64_t number;
    must(sonde_proc_status_parse(text, &status, &err) == 0 || err.message[0]);
    must(sonde_proc_stat_parse(text, &stat, &err) == 0 || err.message[0]);
    int64_t ran_ns = 0;
    int64_t wait_ns = 0;
    must(sonde_proc_schedstat_parse(text, &ran_ns, &wait_ns, NULL) < 0 ||
         (ran_ns >= 0 && wait_ns >= 0));
    struct sonde_str rest = text;
    size_t left = rest.length + 1;
    while (sonde_proc_socket_next(&rest, &socket)) {
        must(rest.length < left);
        left = rest.length;
    }
    (void)sonde_proc_socket_inode(text, &number);
    must(inside(sonde_proc_node_script(text), text));
    must(inside(sonde_proc_variable(text, "NODE_OPTIONS"), text));
    struct sonde_inspect_options options = {0};
    sonde_proc_inspect_options(text, '\0', &options);
    must(inside(options.host, text));
    sonde_proc_inspect_options(text, ' ', &options);
    must(inside(options.host, text));
    return 0;
}
