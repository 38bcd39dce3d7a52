/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sidecar/sidecar.h"

static int read_document(struct settings *settings, struct sonde_err *err)
{
    const char *text = NULL;
    int r = sonde_uplink_variable("SONDE_DOCUMENT", &text, err);
    r = r < 0 ? r : sonde_spec_parse("SONDE_DOCUMENT", sonde_str(text), &settings->documents, err);
    if (r < 0) {
        return r;
    }
    if (settings->documents.items[0].kind != &sonde_kind_profile_run) {
        return sonde_fail(err, SONDE_EINVALID, 0, "SONDE_DOCUMENT is no ProfileRun");
    }
    settings->spec = settings->documents.items[0].profile_run;
    return 0;
}

static int read_patience(struct settings *settings, struct sonde_err *err)
{
    const char *text = getenv("SONDE_STORE_PATIENCE");
    int64_t seconds = SIDECAR_PATIENCE_DEFAULT;
    if (text && sonde_parse_i64(sonde_str(text), 1, SIDECAR_PATIENCE_MAX, &seconds) < 0) {
        return sonde_fail(err, SONDE_EINVALID, 0, "SONDE_STORE_PATIENCE: give 1 to %d seconds",
                          SIDECAR_PATIENCE_MAX);
    }
    settings->patience_ns = seconds * SONDE_SECOND;
    return 0;
}

/* Set by controllers that know of it. */
static int read_liveness(struct settings *settings, struct sonde_err *err)
{
    const char *text = getenv("SONDE_LIVENESS_SECONDS");
    int64_t seconds = 0;
    if (text && sonde_parse_i64(sonde_str(text), 0, INT64_MAX / SONDE_SECOND, &seconds) < 0) {
        return sonde_fail(err, SONDE_EINVALID, 0, "SONDE_LIVENESS_SECONDS is no number of seconds");
    }
    settings->liveness_ns = seconds * SONDE_SECOND;
    return 0;
}

int settings_read(struct settings *ret, bool look, struct sonde_err *err)
{
    struct sonde_uplink *uplink = &ret->uplink;
    *ret = (struct settings){.uplink.message_path = sonde_uplink_message_path()};
    if (look) {
        return read_document(ret, err);
    }
    int r = sonde_uplink_read(uplink, err);
    r = r < 0 ? r : sonde_uplink_variable("SONDE_TARGET", &uplink->target, err);
    r = r < 0 ? r : sonde_uplink_secret("SONDE_TOKEN", uplink->token, sizeof(uplink->token), err);
    r = r < 0 ? r : read_patience(ret, err);
    r = r < 0 ? r : read_liveness(ret, err);
    return r < 0 ? r : read_document(ret, err);
}

void settings_fini(struct settings *settings)
{
    sonde_uplink_fini(&settings->uplink);
    sonde_spec_documents_fini(&settings->documents);
}
