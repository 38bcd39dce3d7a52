/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "runner/runner.h"
#include "spec/reason.h"

static char directory[] = "/tmp/sonde-work-XXXXXX";
static struct settings settings = {.target = "runner-1", .number = 1, .pod = "", .node = ""};

static void write_file(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(sonde_make_directories(path, NULL), 0);
    *slash = '/';
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int make_files(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    write_file("maps/users/users.csv", "name\nada\nbo\n");
    write_file("client/tls.crt", "CERTIFICATE");
    write_file("client/tls.key", "KEY");
    settings.files = directory;
    return 0;
}

static int remove_files(void **state)
{
    static const char *const names[] = {"maps/users/users.csv", "maps/users",     "maps",
                                        "client/tls.crt",       "client/tls.key", "client"};
    (void)state;
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        (void)remove(path);
    }
    return rmdir(directory);
}

/* The spec's fields are JSON. */
static int make(const char *fields, int runners, struct work *ret, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    SONDE_JSON_AUTO *json = NULL;
    sonde_buf_printf(&text,
                     "{\"runners\":%d,\"document\":{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":"
                     "\"LoadTest\",\"metadata\":{\"name\":\"t\",\"namespace\":\"clinic\"},"
                     "\"spec\":{%s}}}",
                     runners, fields);
    assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &json, NULL), 0);
    return work_make(&settings, json, ret, err);
}

#define SCENARIO "\"scenario\":{\"requests\":[{\"name\":\"a\",\"path\":\"/\"}]}"
#define ARRIVAL "\"arrival\":{\"rate\":60,\"durationSeconds\":5},"
#define SERVICE "\"target\":{\"service\":{\"name\":\"patients\",\"port\":80}},"

static void a_service_is_a_name_of_the_cluster(void **state)
{
    (void)state;
    struct work work;
    struct sonde_err err = {0};
    if (make(SERVICE ARRIVAL SCENARIO, 3, &work, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(work.site.text, "http://patients.clinic.svc:80/");
    assert_string_equal(work.site.url.host, "patients.clinic.svc");
    assert_int_equal(work.plan.runner, 1);
    assert_int_equal(work.plan.runners, 3);
    assert_int_equal(work.plan.arrival.rate, 60);
    assert_in_range(work.plan.threads, 1, RUNNER_THREADS_MAX);
    assert_false(work.origin.tls.enabled);
    work_fini(&work);
}

static void secrets_become_headers_and_leave_the_environment(void **state)
{
    (void)state;
    struct work work;
    struct sonde_err err = {0};
    assert_int_equal(setenv("SONDE_HEADER_0", "Bearer hush\n", 1), 0);
    assert_int_equal(setenv("SONDE_AUTHORITY", "PEM-hush", 1), 0);
    if (make("\"target\":{\"url\":\"https://patients/\"}," ARRIVAL
             "\"http\":{\"tls\":{\"serverName\":\"p.example.com\",\"caSecretKeyRef\":{\"name\":"
             "\"c\","
             "\"key\":\"k\"},\"clientCertificateSecretName\":\"s\"}},"
             "\"scenario\":{\"requests\":[{\"name\":\"a\",\"path\":\"/\"}],\"headersFrom\":["
             "{\"name\":\"Authorization\",\"secretKeyRef\":{\"name\":\"s\",\"key\":\"k\"}}]}",
             3, &work, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(getenv("SONDE_HEADER_0"), "");
    assert_string_equal(getenv("SONDE_AUTHORITY"), "");
    const struct sonde_load_request *request = &work.scenario.requests[0];
    SONDE_BUF_AUTO whole = SONDE_BUF(1 << 16);
    sonde_buf_str(&whole, request->bytes);
    assert_non_null(strstr(whole.data, "Authorization: Bearer hush\r\n"));
    assert_string_equal(work.origin.tls.authorities.data, "PEM-hush");
    assert_string_equal(work.origin.tls.server_name, "p.example.com");
    assert_true(sonde_str_is(work.origin.tls.certificate, "CERTIFICATE"));
    assert_true(sonde_str_is(work.origin.tls.key, "KEY"));
    work_fini(&work);
}

static void no_message_tells_a_secret(void **state)
{
    (void)state;
    static const char with_header[] =
        SERVICE ARRIVAL "\"scenario\":{\"requests\":[{\"name\":\"a\",\"path\":\"/\"}],"
                        "\"headersFrom\":[{\"name\":\"X-Key\",\"secretKeyRef\":{\"name\":\"s\","
                        "\"key\":\"k\"}}]}";
    static const char *const values[] = {"hush\nX-Other: b", "hush\x01", "hush\x7f!", "a{{hush}}",
                                         ""};
    for (size_t i = 0; i < SONDE_LENGTH(values); i++) {
        struct work work;
        struct sonde_err err = {0};
        assert_int_equal(setenv("SONDE_HEADER_0", values[i], 1), 0);
        assert_int_equal(make(with_header, 3, &work, &err), SONDE_EINVALID);
        assert_null(strstr(err.message, "hush"));
        assert_non_null(strstr(err.message, values[i][0] ? "X-Key" : "SONDE_HEADER_0"));
        work_fini(&work);
    }
}

static void config_maps_are_files_by_their_names(void **state)
{
    (void)state;
    struct work work;
    struct sonde_err err = {0};
    static const char good[] = SERVICE ARRIVAL
        "\"scenario\":{\"requests\":[{\"name\":\"a\",\"path\":\"/{{u}}\",\"data\":"
        "{\"u\":{\"configMapRef\":{\"name\":\"users\",\"key\":\"users.csv\",\"column\":"
        "\"name\"}}}}]}";
    if (make(good, 3, &work, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(work.scenario.tables[0].rows, 2);
    work_fini(&work);
    static const char missing[] = SERVICE ARRIVAL
        "\"scenario\":{\"requests\":[{\"name\":\"a\",\"path\":\"/{{u}}\",\"data\":"
        "{\"u\":{\"configMapRef\":{\"name\":\"users\",\"key\":\"others.csv\",\"column\":"
        "\"name\"}}}}]}";
    assert_int_equal(make(missing, 3, &work, &err), SONDE_ENOTFOUND);
    assert_non_null(strstr(err.message, "others.csv"));
    work_fini(&work);
}

/* What the document asks for is checked here, too, not only where it was admitted. */
static void safety_is_enforced(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        bool allowed;
    } cases[] = {
        {"\"target\":{\"url\":\"http://shop.example.com/\"},"
         "\"arrival\":{\"rate\":1000,\"durationSeconds\":5}," SCENARIO,
         true},
        {"\"target\":{\"url\":\"http://shop.example.com/\"},"
         "\"arrival\":{\"rate\":1001,\"durationSeconds\":5}," SCENARIO,
         false},
        {"\"target\":{\"url\":\"http://shop.example.com/\"},"
         "\"arrival\":{\"durationSeconds\":5}," SCENARIO,
         false},
        {"\"target\":{\"url\":\"http://shop.example.com/\"},"
         "\"safety\":{\"allowedHosts\":[\"*.example.com\"]},"
         "\"arrival\":{\"rate\":1001,\"durationSeconds\":5}," SCENARIO,
         true},
        {"\"target\":{\"url\":\"http://shop.example.com/\"},\"thresholds\":[\"http_req_failed: "
         "rate<0.1\"],\"search\":{\"maxRate\":5000}," SCENARIO,
         false},
        {SERVICE "\"arrival\":{\"rate\":90000,\"durationSeconds\":5}," SCENARIO, true},
        {SERVICE "\"arrival\":{\"durationSeconds\":5}," SCENARIO, true},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct work work;
        struct sonde_err err = {0};
        assert_int_equal(make(cases[i].fields, 3, &work, &err),
                         cases[i].allowed ? 0 : SONDE_EDENIED);
        assert_true(cases[i].allowed || strcmp(err.reason, SONDE_REASON_HOST_NOT_ALLOWED) == 0);
        work_fini(&work);
    }
}

static void what_the_store_says_is_checked(void **state)
{
    (void)state;
    struct work work;
    struct sonde_err err;
    const int runners[] = {0, 101, 1};
    for (size_t i = 0; i < SONDE_LENGTH(runners); i++) {
        assert_int_equal(make(SERVICE ARRIVAL SCENARIO, runners[i], &work, &err), SONDE_EINVALID);
        work_fini(&work);
    }
    static const char *const texts[] = {
        "{}",
        "{\"runners\":3}",
        "{\"document\":{},\"runners\":3}",
        "{\"document\":{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"ProfileRun\",\"metadata\":"
        "{\"name\":\"r\"},\"spec\":{\"target\":{\"podName\":\"a\"},\"captures\":[{\"name\":\"c\","
        "\"type\":\"CPUProfile\"}]}},\"runners\":3}",
    };
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        SONDE_JSON_AUTO *json = NULL;
        assert_int_equal(sonde_json_parse(sonde_str(texts[i]), &json, NULL), 0);
        assert_true(work_make(&settings, json, &work, &err) < 0);
        work_fini(&work);
    }
}

/* Each pod is told apart by its name. */
static void pods_are_addresses_with_names(void **state)
{
    (void)state;
    static const char text[] =
        "[{\"address\":\"10.1.2.3:8080\",\"name\":\"patients-x\"},{\"address\":\"[fd00::7]:80\","
        "\"name\":\"a-name-that-is-longer-than-a-label-of-the-result-may-be-patients-"
        "7d9f8c6b5d-abcde\"},{\"address\":\"10.1.2.4:1\"}]";
    struct sonde_load_addresses addresses;
    SONDE_JSON_AUTO *json = NULL;
    assert_int_equal(sonde_json_parse(sonde_str(text), &json, NULL), 0);
    assert_int_equal(work_addresses(json, &addresses, NULL), 0);
    assert_int_equal(addresses.count, 3);
    const struct sockaddr_in *four = (const struct sockaddr_in *)&addresses.items[0].at;
    assert_int_equal(four->sin_family, AF_INET);
    assert_int_equal(ntohl(four->sin_addr.s_addr), 0x0a010203);
    assert_int_equal(ntohs(four->sin_port), 8080);
    assert_int_equal(addresses.items[1].at.ss_family, AF_INET6);
    struct sonde_load_origin origin = {.addresses = &addresses};
    struct sonde_load_label labels[SONDE_LOAD_LABELS_MAX];
    size_t count = 0;
    assert_int_equal(sonde_load_label(&origin, true, labels, &count, NULL), 0);
    assert_string_equal(labels[0].text, "patients-x");
    assert_int_equal(strlen(labels[1].text), SONDE_LOAD_LABEL_SIZE - 1);
    assert_non_null(strstr(labels[1].text, "-7d9f8c6b5d-abcde"));
    assert_string_equal(labels[2].text, "10.1.2.4:1");
}

static void other_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[]",
        "[{}]",
        "[7]",
        "[{\"address\":\"10.1.2.3\"}]",
        "[{\"address\":\"10.1.2.3:0\"}]",
        "[{\"address\":\"10.1.2.3:65536\"}]",
        "[{\"address\":\"patients:80\"}]",
        "[{\"address\":\"fd00::7:80\"}]",
        "[{\"address\":\"[fd00::7]\"}]",
        "[{\"address\":\"[10.1.2.3]:80\"}]",
        "[{\"address\":\"[]:80\"}]",
        "[{\"address\":\"[:80\"}]",
        "[{\"address\":\":80\"}]",
        "[{\"address\":\"1111111111111111111111111111111111111111111111111111111111:80\"}]",
    };
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        struct sonde_load_addresses addresses;
        SONDE_JSON_AUTO *json = NULL;
        assert_int_equal(sonde_json_parse(sonde_str(texts[i]), &json, NULL), 0);
        assert_int_equal(work_addresses(json, &addresses, NULL), SONDE_EINVALID);
    }
    SONDE_BUF_AUTO many = SONDE_BUF(1 << 16);
    sonde_buf_char(&many, '[');
    for (int i = 0; i <= SONDE_LOAD_ADDRESSES_MAX; i++) {
        sonde_buf_printf(&many, "%s{\"address\":\"10.0.0.1:80\"}", i ? "," : "");
    }
    sonde_buf_char(&many, ']');
    struct sonde_load_addresses addresses;
    SONDE_JSON_AUTO *json = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&many), &json, NULL), 0);
    assert_int_equal(work_addresses(json, &addresses, NULL), SONDE_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_is_a_name_of_the_cluster),
        cmocka_unit_test(secrets_become_headers_and_leave_the_environment),
        cmocka_unit_test(no_message_tells_a_secret),
        cmocka_unit_test(config_maps_are_files_by_their_names),
        cmocka_unit_test(safety_is_enforced),
        cmocka_unit_test(what_the_store_says_is_checked),
        cmocka_unit_test(pods_are_addresses_with_names),
        cmocka_unit_test(other_addresses_are_refused),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
