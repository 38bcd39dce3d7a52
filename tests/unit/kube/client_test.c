/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "codec/json.h"
#include "kube/credentials.h"
#include "server.h"

#define CA ", certificate-authority: ca.pem"
#define POD "/api/v1/namespaces/shop/pods/a"

static struct server server;

static int count(const char *text, const char *part)
{
    int found = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) {
        found++;
    }
    return found;
}

static void a_token_lets_in_over_http2(void **state)
{
    (void)state;
    struct session s;
    server_put(&server, "valid", "secret-1", 0600);
    session_begin(&s, &server, "{token: secret-1}", CA, NULL);
    session_control(&s, "{\"do\":\"put\",\"name\":\"a\"}");
    (void)session_asked(&s);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0);
    assert_int_equal(s.status, 200);
    assert_true(s.had_object);
    assert_int_equal(session_ask(&s, NULL, "/api/v1/namespaces/shop/pods/b", NULL),
                     SONDE_ENOTFOUND);
    assert_string_equal(s.failure.reason, "NotFound");
    const char *asked = session_asked(&s);
    assert_int_equal(count(asked, "\"2.0\""), 2);
    session_end(&s);
}

static void a_certificate_lets_in(void **state)
{
    (void)state;
    struct session s;
    session_begin(&s, &server, "{client-certificate: client.pem, client-key: client.key}", CA,
                  NULL);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0);
    session_end(&s);
    session_begin(&s, &server, "{client-certificate: absent.pem, client-key: client.key}", CA,
                  NULL);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_ENOTFOUND);
    assert_non_null(strstr(s.err.message, "the client certificate"));
    session_end(&s);
}

static void only_the_named_authority_is_trusted(void **state)
{
    (void)state;
    struct session s;
    session_begin(&s, &server, "{token: secret-1}", ", certificate-authority: other.pem", NULL);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_EDENIED);
    session_end(&s);
    session_begin(&s, &server, "{token: secret-1}", "", NULL); /* the machine's */
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_EDENIED);
    session_end(&s);
    session_begin(&s, &server, "{token: secret-1}", ", insecure-skip-tls-verify: true", NULL);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0);
    session_end(&s);
}

static void a_server_may_have_another_name(void **state)
{
    (void)state;
    struct server named;
    struct session s;
    char host[64];
    server_begin(&named, "named");
    server_put(&named, "valid", "t", 0600);
    session_begin(&s, &named, "{token: t}", CA, NULL);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_EDENIED);
    session_end(&s);
    session_begin(&s, &named, "{token: t}", CA ", tls-server-name: api.internal", NULL);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_ENOTFOUND);
    (void)snprintf(host, sizeof(host), "\"hosts\":[\"127.0.0.1:%u\"]", named.port);
    assert_non_null(strstr(session_asked(&s), host));
    session_end(&s);
    server_end(&named);
}

static void a_changed_token_is_read_after_a_401(void **state)
{
    (void)state;
    struct session s;
    server_put(&server, "valid", "one", 0600);
    server_put(&server, "token", "one\n", 0600);
    session_begin(&s, &server, "{tokenFile: token}", CA, NULL);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0);
    server_put(&server, "valid", "two", 0600);
    server_put(&server, "token", "two\n", 0600);
    (void)session_asked(&s);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0);
    assert_int_equal(count(session_asked(&s), POD), 2);
    server_put(&server, "valid", "three", 0600); /* which nobody tells us */
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_EDENIED);
    assert_int_equal(s.status, 401);
    assert_int_equal(count(session_asked(&s), POD), 2);
    session_end(&s);
}

static void copy_file(const char *from, const char *to)
{
    char path[160];
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    (void)snprintf(path, sizeof(path), "%s/%s", server.directory, from);
    assert_int_equal(sonde_read_file(AT_FDCWD, path, &text, NULL), 0);
    server_put(&server, to, text.data, 0600);
}

static void a_changed_authority_is_read_when_the_server_is_not_trusted(void **state)
{
    (void)state;
    struct session s;
    server_put(&server, "valid", "secret-1", 0600);
    copy_file("ca.pem", "trusted.pem");
    session_begin(&s, &server, "{token: secret-1}", ", certificate-authority: trusted.pem", NULL);
    session_control(&s, "{\"do\":\"put\",\"name\":\"a\"}");
    session_control(&s, "{\"do\":\"present\",\"name\":\"renewed\"}");
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_EDENIED);
    assert_int_equal(s.status, 0);
    copy_file("other.pem", "trusted.pem");
    int64_t start = sonde_clock_monotonic();
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0);
    assert_int_equal(session_ask(&s, "POST", "/api/v1/namespaces/shop/pods", "{}"), 0);
    assert_true(sonde_clock_monotonic() - start < SONDE_KUBE_REREAD_SECONDS * SONDE_SECOND / 4);
    session_control(&s, "{\"do\":\"present\",\"name\":\"server\"}");
    copy_file("ca.pem", "trusted.pem");
    assert_int_equal(session_ask(&s, "POST", "/api/v1/namespaces/shop/pods", "{}"), 0);
    session_end(&s);
}

static void requests_go_through_a_proxy(void **state)
{
    (void)state;
    struct session s;
    char path[160];
    char cluster[160];
    char target[64];
    SONDE_BUF_AUTO port = SONDE_BUF(16);
    server_put(&server, "valid", "secret-1", 0600);
    (void)snprintf(path, sizeof(path), "%s/proxy", server.directory);
    assert_int_equal(sonde_read_file(AT_FDCWD, path, &port, NULL), 0);
    (void)snprintf(cluster, sizeof(cluster), CA ", proxy-url: 'http://127.0.0.1:%s'", port.data);
    (void)snprintf(target, sizeof(target), "\"proxied\":[\"127.0.0.1:%u\"]", server.port);
    session_begin(&s, &server, "{token: secret-1}", cluster, NULL);
    assert_int_equal(session_ask(&s, "POST", "/api/v1/namespaces/shop/pods", "{}"), 0);
    assert_non_null(strstr(session_asked(&s), target));
    session_end(&s);
}

static void comes_again_when_it_is_told(void **state)
{
    (void)state;
    struct session s;
    server_put(&server, "valid", "t", 0600);
    session_begin(&s, &server, "{token: t}", CA, NULL);
    (void)session_asked(&s);
    session_control(&s, "{\"do\":\"fault\",\"match\":\"GET .*/a$\",\"status\":429,\"headers\":"
                        "{\"Retry-After\":\"1\"}}");
    int64_t start = sonde_clock_monotonic();
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0);
    assert_true(sonde_clock_monotonic() - start >= SONDE_SECOND);
    assert_int_equal(count(session_asked(&s), POD), 2);
    session_control(&s, "{\"do\":\"fault\",\"match\":\"GET .*/a$\",\"status\":503,\"body\":"
                        "\"no\"}"); /* without a word when: the caller decides */
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_EBUSY);
    assert_int_equal(count(session_asked(&s), POD), 1);
    session_control(&s, "{\"do\":\"fault\",\"match\":\"GET .*/a$\",\"status\":429,\"headers\":"
                        "{\"Retry-After\":\"100\"}}");
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_EBUSY);
    assert_int_equal(s.failure.retry_after_ns, 100 * SONDE_SECOND);
    session_control(&s, "{\"do\":\"fault\",\"match\":\"GET .*/a$\",\"status\":200,\"body\":"
                        "\"{nonsense\"}");
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_EPARSE);
    session_end(&s);
}

/* The peer's ports of the last requests. */
static size_t sockets_of(struct session *s, int ports[4])
{
    SONDE_JSON_AUTO *json = cJSON_Parse(session_asked(s));
    const cJSON *list = cJSON_GetObjectItem(json, "sockets");
    const cJSON *port;
    size_t count_of_all = 0;
    cJSON_ArrayForEach(port, list)
    {
        assert_true(count_of_all < 4);
        ports[count_of_all++] = port->valueint;
    }
    return count_of_all;
}

static void a_connection_without_answers_is_left(void **state)
{
    (void)state;
    struct session s;
    int ports[4];
    session_begin(&s, &server, "{token: t}", CA, NULL);
    (void)session_asked(&s);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0);
    session_control(&s, "{\"do\":\"fault\",\"match\":\"GET .*/a$\",\"status\":0}");
    struct sonde_kube_request_options options = session_options(&s, NULL, POD, NULL);
    options.timeout_ns = SONDE_SECOND / 5;
    assert_int_equal(sonde_kube_send(s.kube, &options, NULL, NULL), 0);
    assert_int_equal(session_wait(&s), SONDE_ETIMEOUT);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0);
    assert_int_equal(sockets_of(&s, ports), 4);
    assert_int_equal(ports[0], ports[1]); /* shared as long as it answers */
    assert_int_equal(ports[1], ports[2]);
    assert_int_not_equal(ports[2], ports[3]);
    session_end(&s);
}

static void applies_and_only_what_changed(void **state)
{
    (void)state;
    static const struct sonde_kube_resource runs = {"sonde.dev", "v1alpha1", "profileruns",
                                                    "ProfileRun"};
    const struct sonde_kube_target target = {&runs, "shop", "slow", NULL, NULL};
    struct session s;
    session_begin(&s, &server, "{token: t}", CA, NULL);
    SONDE_JSON_AUTO *current = cJSON_Parse("{\"a\":1,\"b\":[{\"c\":\"x\"}],\"other\":true}");
    SONDE_JSON_AUTO *same = cJSON_Parse("{\"b\":[{\"c\":\"x\"}],\"a\":1}");
    SONDE_JSON_AUTO *other = cJSON_Parse("{\"b\":[{\"c\":\"y\"}]}");
    struct sonde_kube_request_options options = session_options(&s, NULL, NULL, NULL);
    (void)session_asked(&s);
    const struct sonde_kube_precondition any = {0};
    const struct sonde_kube_precondition exact = {"u-1", "7"};
    assert_int_equal(sonde_kube_apply_status(s.kube, &target, &any, "sonde", current, same,
                                             &options, NULL, NULL),
                     1);
    assert_string_equal(strstr(session_asked(&s), "\"asked\":[]") ? "none" : "", "none");
    options = session_options(&s, NULL, NULL, NULL);
    assert_int_equal(sonde_kube_apply_status(s.kube, &target, &exact, "sonde", current, other,
                                             &options, NULL, NULL),
                     0);
    assert_int_equal(session_wait(&s), 0);
    const char *asked = session_asked(&s);
    assert_non_null(strstr(asked, "PATCH /apis/sonde.dev/v1alpha1/namespaces/shop/profileruns/slow/"
                                  "status?fieldManager=sonde&force=true "
                                  "application/apply-patch+yaml "));
    assert_non_null(strstr(asked, "{\\\"apiVersion\\\":\\\"sonde.dev/v1alpha1\\\",\\\"kind\\\":"
                                  "\\\"ProfileRun\\\",\\\"metadata\\\":{\\\"name\\\":\\\"slow\\\","
                                  "\\\"namespace\\\":\\\"shop\\\",\\\"uid\\\":\\\"u-1\\\","
                                  "\\\"resourceVersion\\\":\\\"7\\\"},\\\"status\\\":{\\\"b\\\":[{"
                                  "\\\"c\\\":\\\"y\\\"}]}}"));
    session_end(&s);
}

static void covers_is_a_part_with_equal_lists(void **state)
{
    (void)state;
    static const struct {
        const char *current, *wanted;
        bool covers;
    } cases[] = {
        {"{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1}}", true},
        {"{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1,\"c\":2}}", false},
        {"{\"a\":[1,2]}", "{\"a\":[1]}", false},
        {"{\"a\":1}", "{\"A\":1}", false},
        {"{\"a\":null}", "{\"a\":null}", true},
        {"{}", "{\"a\":null}", false},
        {"{}", "{}", true},
        {"[]", "{}", false},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        SONDE_JSON_AUTO *current = cJSON_Parse(cases[i].current);
        SONDE_JSON_AUTO *wanted = cJSON_Parse(cases[i].wanted);
        assert_int_equal(sonde_kube_covers(current, wanted), cases[i].covers);
        assert_false(sonde_kube_covers(NULL, wanted));
    }
}

/* ---- rates ---- */

struct order {
    char text[16];
    size_t length;
};

static void note_bulk(void *context, const struct sonde_kube_response *response,
                      const struct sonde_err *err)
{
    (void)response;
    (void)err;
    struct order *order = context;
    order->text[order->length++] = 'b';
}

static void note_lease(void *context, const struct sonde_kube_response *response,
                       const struct sonde_err *err)
{
    (void)response;
    (void)err;
    struct order *order = context;
    order->text[order->length++] = 'l';
}

static bool three_came(void *context)
{
    const struct order *order = context;
    return order->length == 3;
}

static void observe(void *context, const char *verb, int status, int64_t duration_ns)
{
    int *tries = context;
    assert_string_equal(verb, "get");
    assert_true(status > 0 && duration_ns > 0);
    ++*tries;
}

static void leases_do_not_wait_behind_the_rest(void **state)
{
    (void)state;
    struct session s;
    struct order order = {{0}, 0};
    int tries = 0;
    const struct sonde_kube_options slow = {
        .requests_per_second = 2, .burst = 1, .context = &tries, .observed = observe};
    session_begin(&s, &server, "{token: t}", CA, &slow);
    struct sonde_kube_request_options options = {
        .path = sonde_str(POD), .context = &order, .done = note_bulk};
    struct sonde_kube_request *last = NULL;
    int64_t start = sonde_clock_monotonic();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sonde_kube_send(s.kube, &options, &last, NULL), 0);
    }
    options.lane = SONDE_KUBE_LEASES;
    options.done = note_lease;
    assert_int_equal(sonde_kube_send(s.kube, &options, NULL, NULL), 0);
    session_run(&s, three_came, &order);
    assert_true(sonde_clock_monotonic() - start >= 400 * SONDE_MILLISECOND);
    assert_int_equal(order.text[2], 'b'); /* the lease's came before the second of the others */
    assert_int_equal(tries, 3);
    sonde_kube_cancel(last); /* still waiting: no callback */
    session_end(&s);
    assert_int_equal(order.length, 3);
}

/* ---- plugins ---- */

#define EXEC(command, rest)                                                                        \
    "{exec: {apiVersion: client.authentication.k8s.io/v1, command: " command ", " rest "}}"
#define CREDENTIAL                                                                                 \
    "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":"

static void a_plugin_gives_tokens(void **state)
{
    (void)state;
    struct session s;
    server_put(&server, "valid", "from-plugin", 0600);
    server_put(&server, "answer", CREDENTIAL "{\"token\":\"from-plugin\"}}", 0600);
    server_put(&server, "plugin",
               "#!/bin/sh\n"
               "cd \"$(dirname \"$0\")\"\n"
               "printf '%s|' \"$@\" \"$EXTRA\" >>runs\n"
               "printf '%s\\n' \"$KUBERNETES_EXEC_INFO\" >>runs\n"
               "cat answer\n",
               0700);
    session_begin(&s, &server,
                  EXEC("./plugin", "args: ['a b', '$(id); \"x\"'], env: [{name: EXTRA, value: e}], "
                                   "provideClusterInfo: true"),
                  CA, NULL);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0); /* from memory */
    SONDE_BUF_AUTO runs = SONDE_BUF(1 << 16);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/runs", server.directory);
    SONDE_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(sonde_read_all(fd, &runs, "runs", NULL), 0);
    assert_int_equal(count(runs.data, "\n"), 1);
    assert_non_null(strstr(runs.data, "a b|$(id); \"x\"|e|{\"kind\":\"ExecCredential\""));
    assert_non_null(strstr(runs.data, "\"cluster\":{\"server\":\"https://127.0.0.1:"));
    assert_non_null(strstr(runs.data, "\"certificate-authority-data\":\"LS0tLS1CRUdJTiB"));
    server_put(&server, "valid", "newer", 0600);
    server_put(&server, "answer", CREDENTIAL "{\"token\":\"newer\"}}", 0600);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), 0); /* after a 401 */
    /* What ends soon is not kept. */
    server_put(&server, "answer",
               CREDENTIAL "{\"token\":\"newer\",\"expirationTimestamp\":"
                          "\"2020-01-01T00:00:00Z\"}}",
               0600);
    server_put(&server, "valid", "newest", 0600);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_EDENIED);
    session_end(&s);
}

static void a_plugin_that_fails_says_so(void **state)
{
    (void)state;
    struct session s;
    server_put(&server, "plugin", "#!/bin/sh\necho 'log in first' >&2\nexit 3\n", 0700);
    session_begin(&s, &server, EXEC("./plugin", "args: []"), CA, NULL);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_EDENIED);
    assert_non_null(strstr(s.err.message, "log in first"));
    session_end(&s);
    session_begin(&s, &server, EXEC("sonde-no-such-program", "installHint: get it there"), CA,
                  NULL);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_ENOTFOUND);
    assert_non_null(strstr(s.err.message, "get it there"));
    session_end(&s);
    server_put(&server, "plugin", "#!/bin/sh\necho '{}'\n", 0700);
    session_begin(&s, &server, EXEC("./plugin", "args: []"), CA, NULL);
    assert_int_equal(session_ask(&s, NULL, POD, NULL), SONDE_EPROTOCOL);
    session_end(&s);
}

static bool plugin_has_begun(void *context)
{
    char path[128];
    (void)context;
    (void)snprintf(path, sizeof(path), "%s/began", server.directory);
    return access(path, F_OK) == 0;
}

static void a_client_goes_while_its_plugin_runs(void **state)
{
    (void)state;
    struct session s;
    server_put(&server, "plugin",
               "#!/bin/sh\ncd \"${0%/*}\" || exit 1\n: > began\n"
               "while [ ! -e go ]; do sleep 0.01; done\necho '{}'\n",
               0700);
    session_begin(&s, &server, EXEC("./plugin", "args: []"), CA, NULL);
    struct sonde_kube_request_options options = session_options(&s, NULL, POD, NULL);
    assert_int_equal(sonde_kube_send(s.kube, &options, NULL, NULL), 0);
    session_run(&s, plugin_has_begun, NULL);
    sonde_kube_free(SONDE_TAKE(s.kube));
    server_put(&server, "go", "", 0600);
    session_end(&s);
    assert_int_equal(s.done, 0);
}

static int run_plugin(const char *text, int64_t timeout_ns, struct sonde_err *err)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "%s/plugin", server.directory);
    server_put(&server, "plugin", text, 0700);
    const char *const arguments[] = {command, NULL};
    const char *const environment[] = {NULL};
    const struct sonde_kube_exec exec = {"client.authentication.k8s.io/v1", arguments, environment,
                                         NULL, false};
    const struct sonde_kube_config config = {.server = "https://h", .exec = &exec};
    struct sonde_kube_credentials credentials;
    sonde_kube_credentials_init(&credentials);
    int code = sonde_kube_exec_run(&config, timeout_ns, &credentials, err);
    sonde_kube_credentials_fini(&credentials);
    return code;
}

static void a_plugin_has_bounds(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    int64_t start = sonde_clock_monotonic();
    assert_int_equal(run_plugin("#!/bin/sh\nsleep 60\n", SONDE_SECOND / 5, &err), SONDE_ETIMEOUT);
    assert_int_equal(run_plugin("#!/bin/sh\nwhile :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; "
                                "done\n",
                                60 * SONDE_SECOND, &err),
                     SONDE_ELIMIT);
    /* A child that keeps its output open is not waited for; it ends with the pipe it reads. */
    char hold[128];
    (void)snprintf(hold, sizeof(hold), "%s/hold", server.directory);
    assert_int_equal(mkfifo(hold, 0600), 0);
    assert_int_equal(run_plugin("#!/bin/sh\ncat \"${0%/*}/hold\" & echo '" CREDENTIAL
                                "{\"token\":\"t\"}}'\n",
                                30 * SONDE_SECOND, &err),
                     0);
    assert_true(sonde_clock_monotonic() - start < 30 * SONDE_SECOND);
    int fd = open(hold, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

static void only_whole_credentials_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {CREDENTIAL "{\"token\":\"a\"}}", 0},
        {CREDENTIAL "{\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\"}}", 0},
        {CREDENTIAL "{\"token\":\"a\",\"expirationTimestamp\":\"2030-01-01T00:00:00Z\"}}", 0},
        {CREDENTIAL "{}}", SONDE_EPROTOCOL},
        {CREDENTIAL "{\"clientCertificateData\":\"c\"}}", SONDE_EPROTOCOL},
        {CREDENTIAL "{\"token\":\"a\",\"clientKeyData\":\"k\"}}", SONDE_EPROTOCOL},
        {CREDENTIAL "{\"token\":\"a\",\"expirationTimestamp\":\"soon\"}}", SONDE_EPROTOCOL},
        {CREDENTIAL "{\"token\":\"a\\r\\nX: y\"}}", SONDE_EINVALID},
        {"{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\","
         "\"status\":{\"token\":\"a\"}}",
         SONDE_EPROTOCOL},
        {"", SONDE_EPARSE},
        {"token", SONDE_EPARSE},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_kube_credentials credentials;
        sonde_kube_credentials_init(&credentials);
        int code = sonde_kube_exec_answer(sonde_str(cases[i].text),
                                          "client.authentication.k8s.io/v1", &credentials, NULL);
        assert_int_equal(code, cases[i].code);
        assert_true(code || credentials.token.length + credentials.key.length > 0);
        sonde_kube_credentials_fini(&credentials);
    }
}

static int begin_all(void **state)
{
    (void)state;
    server_begin(&server, "server");
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    server_end(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_lets_in_over_http2),
        cmocka_unit_test(a_certificate_lets_in),
        cmocka_unit_test(only_the_named_authority_is_trusted),
        cmocka_unit_test(a_server_may_have_another_name),
        cmocka_unit_test(a_changed_token_is_read_after_a_401),
        cmocka_unit_test(a_changed_authority_is_read_when_the_server_is_not_trusted),
        cmocka_unit_test(requests_go_through_a_proxy),
        cmocka_unit_test(comes_again_when_it_is_told),
        cmocka_unit_test(a_connection_without_answers_is_left),
        cmocka_unit_test(applies_and_only_what_changed),
        cmocka_unit_test(covers_is_a_part_with_equal_lists),
        cmocka_unit_test(leases_do_not_wait_behind_the_rest),
        cmocka_unit_test(a_plugin_gives_tokens),
        cmocka_unit_test(a_plugin_that_fails_says_so),
        cmocka_unit_test(a_client_goes_while_its_plugin_runs),
        cmocka_unit_test(a_plugin_has_bounds),
        cmocka_unit_test(only_whole_credentials_are_taken),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
