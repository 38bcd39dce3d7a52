/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "kube/config.h"

#define FIRST                                                                                      \
    "apiVersion: v1\nkind: Config\ncurrent-context: red\n"                                         \
    "clusters:\n- name: a\n  cluster: {server: 'https://10.0.0.1:6443/', "                         \
    "certificate-authority: pki/ca.pem, tls-server-name: api.internal}\n"                          \
    "contexts:\n- name: red\n  context: {cluster: a, user: ann, namespace: shop}\n"                \
    "- name: blue\n  context: {cluster: b, user: bob}\n"                                           \
    "- name: torn\n  context: {cluster: missing, user: bob}\n"                                     \
    "users:\n- name: ann\n  user: {client-certificate: /abs/ann.crt, client-key: ann.key}\n"

#define SECOND                                                                                     \
    "current-context: blue\n"                                                                      \
    "clusters:\n- name: a\n  cluster: {server: 'https://elsewhere', proxy-url: 'http://p:3128'}\n" \
    "- name: b\n  cluster:\n    server: https://[fd00::1]:6443\n"                                  \
    "    certificate-authority-data: |\n      LS0tLS1C\n      RUdJTg==\n"                          \
    "    certificate-authority: ignored.pem\n    proxy-url: socks5://u:p@proxy:1080\n"             \
    "users:\n- name: ann\n  user: {token: other}\n"                                                \
    "- name: bob\n  user: {tokenFile: tokens/bob, token: abc.def}\n"

static const struct sonde_kube_source both[] = {
    {"/k/one/config", "/k/one", {FIRST, sizeof(FIRST) - 1}},
    {"/k/two/config", "/k/two", {SECOND, sizeof(SECOND) - 1}},
};

static void the_first_of_a_name_counts(void **state)
{
    (void)state;
    struct sonde_kube_config c;
    assert_int_equal(sonde_kube_config_parse(both, 2, NULL, &c, NULL), 0);
    assert_string_equal(c.context, "red");
    assert_string_equal(c.server, "https://10.0.0.1:6443");
    assert_string_equal(c.tls_server_name, "api.internal");
    assert_string_equal(c.namespace, "shop");
    assert_string_equal(c.ca.file, "/k/one/pki/ca.pem");
    assert_string_equal(c.certificate.file, "/abs/ann.crt");
    assert_string_equal(c.key.file, "/k/one/ann.key");
    assert_null(c.proxy_url); /* nothing of the second "a" */
    assert_null(c.token);
    assert_false(c.insecure);
    sonde_kube_config_fini(&c);
    const struct sonde_kube_source turned[] = {both[1], both[0]};
    assert_int_equal(sonde_kube_config_parse(turned, 2, NULL, &c, NULL), 0);
    assert_string_equal(c.context, "blue");
    sonde_kube_config_fini(&c);
}

static void parts_come_from_several_files(void **state)
{
    (void)state;
    struct sonde_kube_config c;
    assert_int_equal(sonde_kube_config_parse(both, 2, "blue", &c, NULL), 0);
    assert_string_equal(c.server, "https://[fd00::1]:6443");
    assert_string_equal(c.proxy_url, "socks5://u:p@proxy:1080");
    assert_string_equal(c.namespace, "default");
    assert_null(c.ca.file); /* data counts more */
    assert_int_equal(c.ca.data.length, 10);
    assert_memory_equal(c.ca.data.data, "-----BEGIN", 10);
    assert_string_equal(c.token, "abc.def");
    assert_string_equal(c.token_file, "/k/two/tokens/bob");
    sonde_kube_config_fini(&c);
}

static int parse(const char *text, struct sonde_kube_config *ret, struct sonde_err *err)
{
    const struct sonde_kube_source source = {"file", "/dir", sonde_str(text)};
    return sonde_kube_config_parse(&source, 1, NULL, ret, err);
}

#define HEAD "current-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n"
#define CLUSTER "clusters: [{name: x, cluster: {server: https://h}}]\n"

static void reads_exec_plugins(void **state)
{
    (void)state;
    struct sonde_kube_config c;
    assert_int_equal(parse(HEAD CLUSTER
                           "users:\n- name: x\n  user:\n    exec:\n"
                           "      apiVersion: client.authentication.k8s.io/v1\n"
                           "      command: bin/login\n      args: [--region, eu 1, '', 7]\n"
                           "      env: [{name: A, value: 'b=c'}, {name: EMPTY, value: ''}]\n"
                           "      provideClusterInfo: true\n      installHint: get it\n",
                           &c, NULL),
                     0);
    const char *const arguments[] = {"/dir/bin/login", "--region", "eu 1", "", "7"};
    for (size_t i = 0; i < SONDE_LENGTH(arguments); i++) {
        assert_string_equal(c.exec->arguments[i], arguments[i]);
    }
    assert_null(c.exec->arguments[5]);
    assert_string_equal(c.exec->environment[0], "A=b=c");
    assert_string_equal(c.exec->environment[1], "EMPTY=");
    assert_null(c.exec->environment[2]);
    assert_true(c.exec->provide_cluster_info);
    assert_string_equal(c.exec->install_hint, "get it");
    sonde_kube_config_fini(&c);
    assert_int_equal(parse(HEAD CLUSTER "users: [{name: x, user: {exec: {apiVersion: "
                                        "client.authentication.k8s.io/v1beta1, command: aws}}}]\n",
                           &c, NULL),
                     0);
    assert_string_equal(c.exec->arguments[0], "aws"); /* looked up in PATH */
    assert_null(c.exec->arguments[1]);
    assert_null(c.exec->environment[0]);
    sonde_kube_config_fini(&c);
}

static void refuses_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *message;
    } cases[] = {
        {"", SONDE_ENOTFOUND, "current-context"},
        {"a: [", SONDE_EINVALID, "file:"},
        {"- list", SONDE_EINVALID, "file:1:1"},
        {"kind: Pod", SONDE_EINVALID, "Config"},
        {"a: 1\n---\nb: 2", SONDE_EINVALID, "one document"},
        {"current-context: y", SONDE_ENOTFOUND, "\"y\""},
        {HEAD, SONDE_ENOTFOUND, "no cluster"},
        {HEAD CLUSTER, SONDE_ENOTFOUND, "no user"},
        {HEAD "clusters: [{name: x, cluster: {}}]", SONDE_EINVALID, "without a server"},
        {HEAD "clusters: [{name: x, cluster: {server: [a]}}]", SONDE_EINVALID, "file:3:"},
        {HEAD "clusters: [{name: x, cluster: {server: 'ftp://h'}}]", SONDE_EINVALID, "address"},
        {HEAD "clusters: [{name: x, cluster: {server: 'https://u@h'}}]", SONDE_EINVALID, "address"},
        {HEAD "clusters: [{name: x, cluster: {server: 'https://h?x'}}]", SONDE_EINVALID, "address"},
        {HEAD "clusters: [{name: x, cluster: {server: 'https:///x'}}]", SONDE_EINVALID, "address"},
        {HEAD "clusters: [{name: x, cluster: {server: \"https://h\\r\\nX: y\"}}]", SONDE_EINVALID,
         "address"},
        {HEAD "clusters: [{name: x, cluster: {server: \"https://h\\0\"}}]", SONDE_EINVALID,
         "control"},
        {HEAD "clusters: [{name: x, cluster: {server: 'https://h', tls-server-name: 'a b'}}]",
         SONDE_EINVALID, "tls-server-name"},
        {HEAD "clusters: [{name: x, cluster: {server: 'https://h', certificate-authority: f, "
              "insecure-skip-tls-verify: true}}]",
         SONDE_EINVALID, "exclude"},
        {HEAD "clusters: [{name: x, cluster: {server: 'https://h', insecure-skip-tls-verify: 1}}]",
         SONDE_EINVALID, "true or false"},
        {HEAD "clusters: [{name: x, cluster: {server: 'https://h', certificate-authority-data: "
              "'%%'}}]",
         SONDE_EINVALID, "base64"},
        {HEAD CLUSTER "users: [{name: x, user: {client-key: k}}]", SONDE_EINVALID, "each other"},
        {HEAD CLUSTER "users: [{name: x, user: {token: \"a\\nb\"}}]", SONDE_EINVALID, "token"},
        {HEAD CLUSTER "users: [{name: x, user: {username: u}}]", SONDE_EINVALID, "username"},
        {HEAD CLUSTER "users: [{name: x, user: {as: root}}]", SONDE_EINVALID, "as is not"},
        {HEAD CLUSTER "users: [{name: x, user: {as-groups: [g]}}]", SONDE_EINVALID, "as-groups"},
        {HEAD CLUSTER "users: [{name: x, user: {auth-provider: {name: gcp}}}]", SONDE_EINVALID,
         "exec plugin"},
        {HEAD CLUSTER "users: [{name: x, user: {exec: {command: c}}}]", SONDE_EINVALID,
         "apiVersion"},
        {HEAD CLUSTER "users: [{name: x, user: {exec: {apiVersion: "
                      "client.authentication.k8s.io/v1}}}]",
         SONDE_EINVALID, "without a command"},
        {HEAD CLUSTER "users: [{name: x, user: {exec: {command: c, args: x}}}]", SONDE_EINVALID,
         "a list"},
        {HEAD CLUSTER "users: [{name: x, user: {exec: {command: c, env: [{name: 'a=b'}]}}}]",
         SONDE_EINVALID, "variable"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_kube_config c = {0};
        struct sonde_err err = {0};
        int code = parse(cases[i].text, &c, &err);
        if (code != cases[i].code || !strstr(err.message, cases[i].message)) {
            fail_msg("case %zu: %d %s", i, code, err.message);
        }
        assert_null(c.server);
    }
}

static void too_many_files(void **state)
{
    (void)state;
    struct sonde_kube_source many[SONDE_KUBE_CONFIG_FILES_MAX + 1];
    struct sonde_kube_config c;
    for (size_t i = 0; i < SONDE_LENGTH(many); i++) {
        many[i] = both[0];
    }
    assert_int_equal(sonde_kube_config_parse(many, SONDE_LENGTH(many), NULL, &c, NULL),
                     SONDE_ELIMIT);
}

/* ---- files ---- */

struct scratch {
    char directory[64];
    char path[128];
};

static void put(struct scratch *s, const char *name, const char *text)
{
    (void)snprintf(s->path, sizeof(s->path), "%s/%s", s->directory, name);
    SONDE_CLOSE int fd = open(s->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(sonde_write_all(fd, text, strlen(text), "file", NULL), 0);
}

static void begin(struct scratch *s)
{
    (void)snprintf(s->directory, sizeof(s->directory), "/tmp/sonde-kube-XXXXXX");
    assert_non_null(mkdtemp(s->directory));
}

static void end(struct scratch *s, const char *const *names)
{
    for (; *names; names++) {
        (void)snprintf(s->path, sizeof(s->path), "%s/%s", s->directory, *names);
        (void)unlink(s->path);
    }
    assert_int_equal(rmdir(s->directory), 0);
}

static void loads_the_list_of_the_environment(void **state)
{
    (void)state;
    static const char *const names[] = {"one", "two", NULL};
    struct scratch s;
    struct sonde_kube_config c;
    char list[512];
    begin(&s);
    put(&s, "one", FIRST);
    put(&s, "two", SECOND);
    (void)snprintf(list, sizeof(list), "%s/absent::%s/one:%s/two", s.directory, s.directory,
                   s.directory);
    assert_int_equal(setenv("KUBECONFIG", list, 1), 0);
    assert_int_equal(sonde_kube_config_load(NULL, NULL, &c, NULL), 0);
    assert_string_equal(c.context, "red");
    (void)snprintf(list, sizeof(list), "%s/pki/ca.pem", s.directory);
    assert_string_equal(c.ca.file, list);
    sonde_kube_config_fini(&c);
    (void)snprintf(list, sizeof(list), "%s/two", s.directory);
    assert_int_equal(sonde_kube_config_load(list, "blue", &c, NULL), SONDE_ENOTFOUND);
    (void)snprintf(list, sizeof(list), "%s/absent", s.directory);
    assert_int_equal(sonde_kube_config_load(list, NULL, &c, NULL), SONDE_ENOTFOUND);
    end(&s, names);
}

static void falls_back_to_home_and_cluster(void **state)
{
    (void)state;
    static const char *const names[] = {"token", "ca.crt", "namespace", NULL};
    struct scratch s;
    struct sonde_kube_config c;
    struct sonde_err err;
    begin(&s);
    assert_int_equal(unsetenv("KUBECONFIG"), 0);
    assert_int_equal(unsetenv("KUBERNETES_SERVICE_HOST"), 0);
    assert_int_equal(setenv("HOME", s.directory, 1), 0);
    assert_int_equal(sonde_kube_config_load(NULL, NULL, &c, &err), SONDE_ENOTFOUND);
    assert_non_null(strstr(err.message, "KUBECONFIG"));
    assert_int_equal(sonde_kube_config_in_cluster("10.96.0.1", "443", s.directory, &c, &err),
                     SONDE_ENOTFOUND);
    put(&s, "token", "abc\n");
    put(&s, "ca.crt", "pem");
    assert_int_equal(sonde_kube_config_in_cluster("10.96.0.1", "443", s.directory, &c, &err), 0);
    assert_string_equal(c.server, "https://10.96.0.1:443");
    assert_string_equal(c.namespace, "default");
    sonde_kube_config_fini(&c);
    put(&s, "namespace", "sonde-system\n");
    assert_int_equal(sonde_kube_config_in_cluster("fd00::1", "6443", s.directory, &c, &err), 0);
    assert_string_equal(c.server, "https://[fd00::1]:6443");
    assert_string_equal(c.namespace, "sonde-system");
    assert_true(sonde_str_ends(sonde_str(c.token_file), "/token"));
    assert_true(sonde_str_ends(sonde_str(c.ca.file), "/ca.crt"));
    sonde_kube_config_fini(&c);
    static const char *const ports[] = {"0", "65536", "443x", "-1"};
    for (size_t i = 0; i < SONDE_LENGTH(ports); i++) {
        assert_int_equal(sonde_kube_config_in_cluster("h", ports[i], s.directory, &c, &err),
                         SONDE_EINVALID);
    }
    assert_int_equal(sonde_kube_config_in_cluster("a b", "1", s.directory, &c, &err),
                     SONDE_EINVALID);
    end(&s, names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_a_name_counts),
        cmocka_unit_test(parts_come_from_several_files),
        cmocka_unit_test(reads_exec_plugins),
        cmocka_unit_test(refuses_what_is_wrong),
        cmocka_unit_test(too_many_files),
        cmocka_unit_test(loads_the_list_of_the_environment),
        cmocka_unit_test(falls_back_to_home_and_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
