/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "codec/digest.h"
#include "sidecar/sidecar.h"

static int take(const char *name, const char **ret, struct sonde_err *err)
{
    *ret = getenv(name);
    if (!*ret || !**ret) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "%s is not set: the sidecar is started by the controller", name);
    }
    return 0;
}

/* /proc/PID/environ shows the bytes that a process was started with: they are overwritten. */
static int take_token(struct settings *settings, struct sonde_err *err)
{
    char *token = getenv("SONDE_TOKEN");
    size_t length = token ? strlen(token) : 0;
    if (length == 0 || length >= sizeof(settings->token)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "SONDE_TOKEN is no token");
    }
    memcpy(settings->token, token, length + 1);
    explicit_bzero(token, length);
    return 0;
}

static int read_document(struct settings *settings, struct sonde_err *err)
{
    const char *text = NULL;
    int r = take("SONDE_DOCUMENT", &text, err);
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
    const char *deadline = NULL;
    unsigned char random[16];
    const char *path = getenv("SONDE_TERMINATION_MESSAGE");
    *ret = (struct settings){.message_path = path ? path : "/dev/termination-log"};
    if (look) {
        return read_document(ret, err);
    }
    int r = take("SONDE_STORE", &ret->store, err);
    r = r < 0 ? r : take("SONDE_STORE_CA", &ret->authority, err);
    r = r < 0 ? r : take("SONDE_RUN_UID", &ret->run_uid, err);
    r = r < 0 ? r : take("SONDE_TARGET", &ret->target, err);
    r = r < 0 ? r : take("SONDE_DEADLINE", &deadline, err);
    r = r < 0 ? r : take_token(ret, err);
    r = r < 0 ? r : read_patience(ret, err);
    r = r < 0 ? r : read_liveness(ret, err);
    r = r < 0 ? r : read_document(ret, err);
    if (r == 0 &&
        sonde_parse_i64(sonde_str(deadline), 0, INT64_MAX / SONDE_SECOND, &ret->deadline) < 0) {
        r = sonde_fail(err, SONDE_EINVALID, 0, "SONDE_DEADLINE is no time");
    }
    sonde_random_bytes(random, sizeof(random));
    sonde_hexadecimal(random, sizeof(random), ret->instance);
    return r;
}

void settings_fini(struct settings *settings)
{
    explicit_bzero(settings->token, sizeof(settings->token));
    sonde_spec_documents_fini(&settings->documents);
}
