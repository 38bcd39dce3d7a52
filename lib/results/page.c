/* SPDX-License-Identifier: Apache-2.0 */
#include "results/page.h"

#include <string.h>

#include "codec/base64.h"
#include "codec/compress.h"
#include "codec/digest.h"
#include "results/report_css.h"
#include "results/report_html.h"
#include "results/report_js.h"

/* What stands in the template for something else. */
static const char template_mark = '@';

static int compress(void *context, const void *data, size_t length, struct sonde_err *err)
{
    return sonde_stream_feed(context, data, length, err);
}

static int gather(void *context, const void *data, size_t length, struct sonde_err *err)
{
    struct sonde_buf *buf = context;
    sonde_buf_append(buf, data, length);
    return sonde_buf_check(buf, "the page", err);
}

/* gzip as base64: nothing in it can end the element that it stands in. */
static int put_data(const struct sonde_page *page, struct sonde_buf *buf, struct sonde_err *err)
{
    SONDE_BUF_AUTO packed = SONDE_BUF(buf->maximum);
    struct sonde_stream *stream = NULL;
    int r = sonde_compressor_new(SONDE_GZIP, gather, &packed, &stream, err);
    if (r < 0) {
        return r;
    }
    struct sonde_output output = SONDE_OUTPUT(compress, stream);
    r = sonde_page_data(page, &output, err);
    r = r < 0 ? r : sonde_stream_finish(stream, err);
    sonde_output_fini(&output);
    sonde_stream_free(stream);
    if (r == 0) {
        sonde_base64_encode(sonde_buf_view(&packed), buf);
        r = sonde_buf_check(buf, "the page", err);
    }
    return r;
}

/* As a policy names an inline script or style that may run. */
static void put_hash(const char *text, struct sonde_buf *buf)
{
    unsigned char digest[SONDE_DIGEST_BYTES];
    if (sonde_sha256_bytes(sonde_str(text), digest)) {
        sonde_base64_encode((struct sonde_str){(const char *)digest, sizeof(digest)}, buf);
    } else {
        buf->code = buf->code ? buf->code : SONDE_ENOMEM;
    }
}

int sonde_page_write(const struct sonde_page *page, struct sonde_buf *buf, struct sonde_err *err)
{
    struct sonde_str rest = sonde_str(report_html);
    int r = 0;
    /* Text and names in turn: "text @NAME@ text …". */
    for (bool name = false; rest.length && r == 0; name = !name) {
        struct sonde_str part = sonde_str_split(&rest, template_mark);
        if (!name) {
            sonde_buf_str(buf, part);
        } else if (sonde_str_is(part, "SCRIPT_HASH")) {
            put_hash(report_js, buf);
        } else if (sonde_str_is(part, "STYLE_HASH")) {
            put_hash(report_css, buf);
        } else if (sonde_str_is(part, "SCRIPT")) {
            sonde_buf_text(buf, report_js);
        } else if (sonde_str_is(part, "STYLE")) {
            sonde_buf_text(buf, report_css);
        } else {
            r = put_data(page, buf, err);
        }
    }
    return r < 0 ? r : sonde_buf_check(buf, "the page", err);
}
