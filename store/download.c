/* SPDX-License-Identifier: Apache-2.0 */
/* Artifacts as they are kept, compressed, to whom can unfold them: of any size, without memory and
 * nearly without work. What comes from the disk is checked there: each frame has a checksum, and
 * headers say what it unfolds to, since not all who unfold a frame notice that its end is missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/service.h"

struct download {
    struct sonde_results_kept kept;
    char bytes[24]; /* as text, for a header */
};

bool download_wanted(const struct call *call)
{
    const char *accepted = sonde_exchange_header(call->exchange, "Accept-Encoding");
    struct sonde_str rest = sonde_str(accepted ? accepted : "");
    while (rest.length) {
        struct sonde_str coding = sonde_str_split(&rest, ',');
        struct sonde_str name = sonde_str_trim(sonde_str_split(&coding, ';'));
        struct sonde_str weight = sonde_str_trim(coding);
        if (sonde_str_is(name, "zstd")) {
            double q = 1;
            struct sonde_str value = weight;
            (void)sonde_str_split(&value, '=');
            return weight.length == 0 || (sonde_parse_double(value, &q) == 0 && q > 0);
        }
    }
    return false;
}

static int64_t next(void *context, char *data, size_t length)
{
    const struct download *download = context;
    ssize_t count;
    do {
        count = read(download->kept.fd, data, length);
    } while (count < 0 && errno == EINTR);
    return count;
}

void download_begin(struct call *call, const struct sonde_results_kept *kept,
                    const char *media_type)
{
    struct download *download = calloc(1, sizeof(*download));
    if (!download) {
        sonde_closep(&kept->fd);
        call_fail(call, 503, "OutOfMemory", "the store is out of memory");
        return;
    }
    download->kept = *kept;
    (void)snprintf(download->bytes, sizeof(download->bytes), "%lld", (long long)kept->bytes);
    call->download = download;
    sonde_exchange_add_header(call->exchange, "Content-Encoding", "zstd");
    sonde_exchange_add_header(call->exchange, "Sonde-Bytes", download->bytes);
    sonde_exchange_add_header(call->exchange, "Sonde-Sha256", download->kept.sha256);
    call_answer_stream(call, 200, media_type, next, download);
}

void download_closed(struct call *call)
{
    struct download *download = call->download;
    if (download) {
        sonde_closep(&download->kept.fd);
        free(download);
        call->download = NULL;
    }
}
