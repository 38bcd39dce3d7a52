/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "cli/document.h"
#include "cli/load_run.h"
#include "load/document.h"
#include "spec/reason.h"

enum { URL_MAX = 4096 };

/* ---- one ---- */

/* What only a cluster has, or what is not to be begun. */
static int check(const struct cli_load_settings *settings, const struct sonde_load_test *test,
                 struct sonde_err *err)
{
    const struct sonde_load_tls *tls = test->http->tls;
    if (test->paused || test->cancel) {
        return sonde_fail(err, SONDE_EINVALID, 0, "spec.%s: it is true: the test is not begun",
                          test->cancel ? "cancel" : "paused");
    }
    if (tls && tls->authority && !settings->authorities.count) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "spec.http.tls.caSecretKeyRef: is in a Secret, which only a cluster has: "
                          "give its certificates with --ca FILE");
    }
    if (tls && tls->client_certificate && !settings->certificate) {
        return sonde_fail(
            err, SONDE_EINVALID, 0,
            "spec.http.tls.clientCertificateSecretName: is in a Secret, which only a cluster "
            "has: give it with --cert FILE and --key FILE");
    }
    return 0;
}

static int run_one(const struct cli_call *call, const char *file,
                   const struct sonde_spec_document *document, struct sonde_err *err)
{
    const struct sonde_load_test *test = document->load_test;
    const struct sonde_load_tls *tls = test->http->tls;
    const struct sonde_service_target *service = test->target->service;
    SONDE_BUF_AUTO url = SONDE_BUF(URL_MAX);
    sonde_load_document_url(document, &url);
    int r = check(&call->settings.load, test, err);
    r = r < 0 ? r : sonde_buf_check(&url, "the URL", err);
    if (r < 0) {
        return sonde_err_wrap(err, r, "%s:%d", file, document->line);
    }
    struct cli_call own = *call;
    const char *urls[] = {url.data, NULL};
    own.arguments.positional = urls;
    own.arguments.count = 1;
    own.settings.name = document->metadata.name;
    own.settings.load.insecure = tls && tls->skip_verify;
    own.settings.load.server_name = tls ? tls->server_name : NULL;
    own.settings.load.per_address = service && service->endpoints == SONDE_ENDPOINTS_PODS;
    const struct load_order order = {test, document, file};
    return load_run(&own, &order);
}

/* ---- all of them ---- */

static int check_kinds(const char *file, const struct sonde_spec_documents *documents,
                       struct sonde_err *err)
{
    for (size_t i = 0; i < documents->count; i++) {
        const struct sonde_spec_document *document = &documents->items[i];
        if (document->kind != &sonde_kind_load_test) {
            return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_UNSUPPORTED,
                                     "%s:%d: kind: a %s beside a LoadTest: give each kind a file "
                                     "of its own",
                                     file, document->line, document->kind->name);
        }
    }
    return 0;
}

int load_documents_run(struct cli_call *call, const char *file,
                       const struct sonde_spec_documents *documents)
{
    struct sonde_err err;
    int code = SONDE_EXIT_DONE;
    if (check_kinds(file, documents, &err) < 0) {
        return cli_say_error(&err);
    }
    size_t done = 0;
    for (; done < documents->count && !load_was_interrupted(); done++) {
        int r = run_one(call, file, &documents->items[done], &err);
        r = r < 0 ? cli_say_error(&err) : r;
        code = code ? code : r;
    }
    return document_say_left(documents, done, code);
}
