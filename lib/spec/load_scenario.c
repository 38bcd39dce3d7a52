/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/formats.h"
#include "spec/tables.h"

enum {
    REQUESTS_MAX = 64,
    VALUES_MAX = 256,
    BODY_MAX = 65536,
    REGEX_MAX = 1024,
    URL_MAX = 2048,
};

static const char *const schemes[] = {"HTTP", "HTTPS", NULL};
static const char *const endpoints[] = {"Service", "Pods", NULL};
static const char *const methods[] = {"GET",   "HEAD",   "POST",    "PUT",
                                      "PATCH", "DELETE", "OPTIONS", NULL};
static const char *const data_orders[] = {"Random", "Sequential", NULL};
static const char *const request_orders[] = {"Weighted", "Sequence", NULL};
static const char *const scenario_formats[] = {"HAR", "OpenAPI", NULL};
static const char *const http_versions[] = {"HTTP1", "HTTP2", "Negotiate", NULL};

static const struct sonde_object service = {
    .size = sizeof(struct sonde_service_target),
    .fields =
        (const struct sonde_field[]){
            {.name = "name",
             .description = "The Service's name, in the namespace of the test.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_service_target, name),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_LABEL_MAX,
             .format = &sonde_format_dns_label},
            {.name = "port",
             .description = "The Service's port.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_service_target, port),
             .fallback = "80",
             .minimum = 1,
             .maximum = 65535},
            {.name = "scheme",
             .description = "HTTP, or HTTP over TLS.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_service_target, scheme),
             .fallback = "HTTP",
             .choices = schemes},
            {.name = "endpoints",
             .description = "Service: the Service's address is loaded. Pods: the pods behind it "
                            "are, with figures for each.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_service_target, endpoints),
             .fallback = "Service",
             .choices = endpoints},
            {0},
        },
};

const struct sonde_object sonde_object_load_target = {
    .size = sizeof(struct sonde_load_target),
    .groups = {{"service", "url"}},
    .fields =
        (const struct sonde_field[]){
            {.name = "service",
             .description = "A Service of the cluster.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_target, service),
             .object = &service},
            {.name = "url",
             .description = "A URL; the paths of the requests are put behind it.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_load_target, url),
             .length_min = 1,
             .length_max = URL_MAX,
             .format = &sonde_format_url},
            {0},
        },
};

static const struct sonde_object data_source = {
    .size = sizeof(struct sonde_data_source),
    .fields =
        (const struct sonde_field[]){
            {.name = "name",
             .description = "The ConfigMap's name.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_data_source, name),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX,
             .format = &sonde_format_dns_subdomain},
            {.name = "key",
             .description = "The key in it: a CSV file with a header line, or JSON lines.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_data_source, key),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX,
             .format = &sonde_format_data_key},
            {.name = "column",
             .description = "The column or member. Without it, the one of the variable's name.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_data_source, column),
             .length_min = 1,
             .length_max = 128,
             .format = &sonde_format_one_line},
            {0},
        },
};

static bool range_ascends(const void *object)
{
    const struct sonde_variable *variable = object;
    return variable->range.count != 2 || variable->range.items[0] <= variable->range.items[1];
}

static const struct sonde_rule rule_range = {
    .name = "RangeAscends",
    .message = "must be the first and the last number, the lower first",
    .field = "range",
    .cel = "!has(self.range) || self.range[0] <= self.range[1]",
    .holds = range_ascends,
};

static const struct sonde_object variable = {
    .size = sizeof(struct sonde_variable),
    .groups = {{"range", "values", "configMapRef"}},
    .rules = {&rule_range},
    .fields =
        (const struct sonde_field[]){
            {.name = "range",
             .description = "The first and the last of the whole numbers it may be.",
             .type = SONDE_FIELD_INTEGERS,
             SONDE_AT(sonde_variable, range),
             .count_min = 2,
             .count_max = 2,
             .minimum = -INT64_C(1000000000000),
             .maximum = INT64_C(1000000000000)},
            {.name = "values",
             .description = "The texts it may be.",
             .type = SONDE_FIELD_STRINGS,
             SONDE_AT(sonde_variable, values),
             .count_min = 1,
             .count_max = VALUES_MAX,
             .length_max = 1024},
            {.name = "configMapRef",
             .description = "A file of values in a ConfigMap.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_variable, from),
             .object = &data_source},
            {.name = "order",
             .description = "Whether the values are drawn, or used one after the other.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_variable, order),
             .fallback = "Random",
             .choices = data_orders},
            {0},
        },
};

static const struct sonde_object expectation = {
    .size = sizeof(struct sonde_expectation),
    .fields =
        (const struct sonde_field[]){
            {.name = "status",
             .description = "The status code. Without it, any from 200 to 399.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_expectation, status),
             .minimum = 100,
             .maximum = 599},
            {.name = "headers",
             .description = "Headers that the answer has, with these values.",
             .type = SONDE_FIELD_PAIRS,
             SONDE_AT(sonde_expectation, headers),
             .count_min = 1,
             .count_max = 16,
             .length_max = SONDE_PAIR_VALUE_MAX,
             .format = &sonde_format_header_value,
             .key_format = &sonde_format_header_name},
            {.name = "bodyEquals",
             .description = "The whole body.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_expectation, body_equals),
             .length_max = BODY_MAX},
            {.name = "bodyContains",
             .description = "A part of the body.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_expectation, body_contains),
             .length_min = 1,
             .length_max = BODY_MAX},
            {.name = "bodyMatches",
             .description = "A regular expression (PCRE2) that a part of the body matches.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_expectation, body_matches),
             .length_min = 1,
             .length_max = REGEX_MAX},
            {0},
        },
};

static const struct sonde_object extraction = {
    .size = sizeof(struct sonde_extraction),
    .groups = {{"pointer", "regex", "header", "cookie"}},
    .fields =
        (const struct sonde_field[]){
            {.name = "name",
             .description = "The variable that is set, for the requests after this one.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_extraction, name),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_LABEL_MAX,
             .format = &sonde_format_identifier},
            {.name = "pointer",
             .description = "Where it stands in the JSON body (RFC 6901).",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_extraction, pointer),
             .length_min = 1,
             .length_max = 256,
             .format = &sonde_format_pointer},
            {.name = "regex",
             .description = "A regular expression (PCRE2) that the body matches: its first group, "
                            "or all of the match.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_extraction, regex),
             .length_min = 1,
             .length_max = REGEX_MAX},
            {.name = "header",
             .description = "The header whose value it is.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_extraction, header),
             .length_min = 1,
             .length_max = 128,
             .format = &sonde_format_header_name},
            {.name = "cookie",
             .description = "The cookie that the answer sets, whose value it is.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_extraction, cookie),
             .length_min = 1,
             .length_max = 128,
             .format = &sonde_format_header_name},
            {0},
        },
};

static const struct sonde_object request = {
    .size = sizeof(struct sonde_request),
    .fields =
        (const struct sonde_field[]){
            {.name = "name",
             .description = "The request's name in results, and in thresholds: {name:NAME}.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_request, name),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_LABEL_MAX,
             .format = &sonde_format_name},
            {.name = "method",
             .description = "The method.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_request, method),
             .fallback = "GET",
             .choices = methods},
            {.name = "path",
             .description = "The path with its query; {{NAME}} stands for a variable's value.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_request, path),
             .fallback = "/",
             .length_min = 1,
             .length_max = URL_MAX,
             .format = &sonde_format_path},
            {.name = "headers",
             .description = "Headers; {{NAME}} stands for a variable's value.",
             .type = SONDE_FIELD_PAIRS,
             SONDE_AT(sonde_request, headers),
             .count_min = 1,
             .count_max = SONDE_PAIRS_MAX,
             .length_max = SONDE_PAIR_VALUE_MAX,
             .format = &sonde_format_header_value,
             .key_format = &sonde_format_header_name},
            {.name = "body",
             .description = "The body; {{NAME}} stands for a variable's value.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_request, body),
             .length_max = BODY_MAX},
            {.name = "weight",
             .description = "How often it is sent, compared with the others, in order Weighted.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_request, weight),
             .fallback = "1",
             .minimum = 1,
             .maximum = 10000},
            {.name = "expect",
             .description = "What the answer must be; anything else counts as failed.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_request, expect),
             .object = &expectation},
            {.name = "data",
             .description = "Variables of this request, by name.",
             .type = SONDE_FIELD_MAP,
             SONDE_AT(sonde_request, data),
             .count_min = 1,
             .count_max = 16,
             .key_format = &sonde_format_identifier,
             .object = &variable},
            {.name = "extract",
             .description = "Variables that are set from the answer.",
             .type = SONDE_FIELD_OBJECTS,
             SONDE_AT(sonde_request, extract),
             .count_min = 1,
             .count_max = 16,
             .object = &extraction,
             .list_key = "name"},
            {.name = "thinkMilliseconds",
             .description = "The pause after the answer, in a closed loop or a Sequence.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_request, think_ms),
             .fallback = "0",
             .minimum = 0,
             .maximum = 3600000},
            {0},
        },
};

static const struct sonde_object scenario_source = {
    .size = sizeof(struct sonde_scenario_source),
    .fields =
        (const struct sonde_field[]){
            {.name = "name",
             .description = "The ConfigMap's name.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_scenario_source, name),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX,
             .format = &sonde_format_dns_subdomain},
            {.name = "key",
             .description = "The key in it.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_scenario_source, key),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX,
             .format = &sonde_format_data_key},
            {.name = "format",
             .description = "A browser's recording, or a description of the service's API: one "
                            "request for each operation that has examples.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_scenario_source, format),
             .required = true,
             .choices = scenario_formats},
            {0},
        },
};

static const struct sonde_object secret_key = {
    .size = sizeof(struct sonde_secret_key),
    .fields =
        (const struct sonde_field[]){
            {.name = "name",
             .description = "The Secret's name.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_secret_key, name),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX,
             .format = &sonde_format_dns_subdomain},
            {.name = "key",
             .description = "The key in it.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_secret_key, key),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX,
             .format = &sonde_format_data_key},
            {0},
        },
};

static const struct sonde_object secret_header = {
    .size = sizeof(struct sonde_secret_header),
    .fields =
        (const struct sonde_field[]){
            {.name = "name",
             .description = "The header's name.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_secret_header, name),
             .required = true,
             .length_min = 1,
             .length_max = 128,
             .format = &sonde_format_header_name},
            {.name = "secretKeyRef",
             .description = "Where its value stands; it is never logged, stored or shown.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_secret_header, secret_key_ref),
             .required = true,
             .object = &secret_key},
            {0},
        },
};

static bool has_variable(const struct sonde_variable *items, size_t count, struct sonde_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (sonde_str_is(name, items[i].key)) {
            return true;
        }
    }
    return false;
}

/* In data of the scenario or the request, or extracted by any request. */
static bool is_known(const struct sonde_scenario *scenario, const struct sonde_request *asker,
                     struct sonde_str name)
{
    if (has_variable(scenario->data.items, scenario->data.count, name) ||
        has_variable(asker->data.items, asker->data.count, name)) {
        return true;
    }
    for (size_t i = 0; i < scenario->requests.count; i++) {
        const struct sonde_request *one = &scenario->requests.items[i];
        for (size_t j = 0; j < one->extract.count; j++) {
            if (sonde_str_is(name, one->extract.items[j].name)) {
                return true;
            }
        }
    }
    return false;
}

/* Whether every {{NAME}} of the text is known. */
static bool names_are_known(const struct sonde_scenario *scenario,
                            const struct sonde_request *asker, const char *text)
{
    while (text && (text = strstr(text, "{{"))) {
        text += 2;
        const char *end = strstr(text, "}}");
        if (!end) {
            return false;
        }
        struct sonde_str name = {text, (size_t)(end - text)};
        if (sonde_format_identifier.check(name) && !is_known(scenario, asker, name)) {
            return false;
        }
        text = end;
    }
    return true;
}

static bool variables_are_known(const void *object)
{
    const struct sonde_scenario *scenario = object;
    for (size_t i = 0; i < scenario->requests.count; i++) {
        const struct sonde_request *one = &scenario->requests.items[i];
        bool known =
            names_are_known(scenario, one, one->path) && names_are_known(scenario, one, one->body);
        for (size_t j = 0; known && j < one->headers.count; j++) {
            known = names_are_known(scenario, one, one->headers.items[j].value);
        }
        if (!known) {
            return false;
        }
    }
    return true;
}

static const struct sonde_rule rule_variables = {
    .name = "VariablesAreKnown",
    .message = "must define each {{NAME}} that its path, headers and body use, in data of the "
               "request or the scenario, or by extract",
    .field = "requests",
    .holds = variables_are_known,
};

const struct sonde_object sonde_object_scenario = {
    .size = sizeof(struct sonde_scenario),
    .groups = {{"requests", "configMapRef"}},
    .rules = {&rule_variables},
    .fields =
        (const struct sonde_field[]){
            {.name = "requests",
             .description = "The requests.",
             .type = SONDE_FIELD_OBJECTS,
             SONDE_AT(sonde_scenario, requests),
             .count_min = 1,
             .count_max = REQUESTS_MAX,
             .object = &request,
             .list_key = "name"},
            {.name = "configMapRef",
             .description = "A file in a ConfigMap that the requests are made from.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_scenario, config_map_ref),
             .object = &scenario_source},
            {.name = "order",
             .description = "Weighted: each request is drawn by its weight. Sequence: they are "
                            "sent one after the other, over and over.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_scenario, order),
             .fallback = "Weighted",
             .choices = request_orders},
            {.name = "cookies",
             .description = "Whether each connection keeps the cookies that answers set, and sends "
                            "them; a Sequence begins each time without.",
             .type = SONDE_FIELD_BOOLEAN,
             SONDE_AT(sonde_scenario, cookies),
             .fallback = "false"},
            {.name = "headers",
             .description = "Headers of every request.",
             .type = SONDE_FIELD_PAIRS,
             SONDE_AT(sonde_scenario, headers),
             .count_min = 1,
             .count_max = SONDE_PAIRS_MAX,
             .length_max = SONDE_PAIR_VALUE_MAX,
             .format = &sonde_format_header_value,
             .key_format = &sonde_format_header_name},
            {.name = "headersFrom",
             .description = "Headers of every request whose values are secrets.",
             .type = SONDE_FIELD_OBJECTS,
             SONDE_AT(sonde_scenario, headers_from),
             .count_min = 1,
             .count_max = 16,
             .object = &secret_header,
             .list_key = "name"},
            {.name = "data",
             .description = "Variables of every request, by name.",
             .type = SONDE_FIELD_MAP,
             SONDE_AT(sonde_scenario, data),
             .count_min = 1,
             .count_max = 16,
             .key_format = &sonde_format_identifier,
             .object = &variable},
            {0},
        },
};

static const struct sonde_object tls = {
    .size = sizeof(struct sonde_load_tls),
    .fields =
        (const struct sonde_field[]){
            {.name = "insecureSkipVerify",
             .description = "Whether the server's certificate is not checked.",
             .type = SONDE_FIELD_BOOLEAN,
             SONDE_AT(sonde_load_tls, skip_verify),
             .fallback = "false"},
            {.name = "serverName",
             .description = "The name asked for and checked, when it is not that of the URL.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_load_tls, server_name),
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX,
             .format = &sonde_format_dns_subdomain},
            {.name = "caSecretKeyRef",
             .description = "Certificates of the authorities that are trusted (PEM).",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_tls, authority),
             .object = &secret_key},
            {.name = "clientCertificateSecretName",
             .description = "A Secret of type kubernetes.io/tls that we identify ourselves with.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_load_tls, client_certificate),
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX,
             .format = &sonde_format_dns_subdomain},
            {0},
        },
};

const struct sonde_object sonde_object_load_http = {
    .size = sizeof(struct sonde_load_http),
    .fields =
        (const struct sonde_field[]){
            {.name = "version",
             .description = "The protocol; Negotiate asks the server by ALPN.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_load_http, version),
             .fallback = "HTTP1",
             .choices = http_versions},
            {.name = "timeoutMilliseconds",
             .description = "A request without an answer by then has failed; it counts with this "
                            "latency.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_load_http, timeout_ms),
             .fallback = "10000",
             .minimum = 1,
             .maximum = 3600000},
            {.name = "pipelining",
             .description =
                 "The requests in flight on one connection; with HTTP/2 its open streams.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_load_http, pipelining),
             .fallback = "1",
             .minimum = 1,
             .maximum = 1024},
            {.name = "requestsPerConnection",
             .description =
                 "A connection is closed after so many requests. Without it, it is kept.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_load_http, requests_per_connection),
             .minimum = 1,
             .maximum = INT32_MAX},
            {.name = "tls",
             .description = "Trust and identity with HTTPS.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_http, tls),
             .object = &tls},
            {0},
        },
};
