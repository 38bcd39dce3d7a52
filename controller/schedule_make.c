/* SPDX-License-Identifier: Apache-2.0 */
/* What a schedule makes at a firing, and what its requester must be allowed for that. */
#include <string.h>

#include "controller/schedule.h"
#include "kube/time.h"

#define OURS "sonde.dev/"

static bool is_of_load(const struct schedule_view *view)
{
    return view->document->kind == &sonde_kind_load_test_schedule;
}

/* ---- the right ---- */

static void add_secret(struct schedule_right *rights, size_t *count, const char *name)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(rights[i].resource, "secrets") == 0 && strcmp(rights[i].name, name) == 0) {
            return;
        }
    }
    if (*count < SCHEDULE_RIGHTS_MAX) {
        rights[(*count)++] = (struct schedule_right){"get", "", "secrets", "", name};
    }
}

static void add_secrets(struct schedule_right *rights, size_t *count,
                        const struct sonde_load_test *test)
{
    const struct sonde_load_tls *tls = test->http->tls;
    for (size_t i = 0; test->scenario && i < test->scenario->headers_from.count; i++) {
        add_secret(rights, count, test->scenario->headers_from.items[i].secret_key_ref->name);
    }
    if (tls && tls->authority) {
        add_secret(rights, count, tls->authority->name);
    }
    if (tls && tls->client_certificate) {
        add_secret(rights, count, tls->client_certificate);
    }
}

size_t schedule_rights(const struct schedule_view *view,
                       struct schedule_right ret[SCHEDULE_RIGHTS_MAX])
{
    static const struct schedule_right attach = {"patch", "", "pods", "ephemeralcontainers", ""};
    size_t count = 0;
    if (!is_of_load(view)) {
        ret[count++] = (struct schedule_right){"create", SONDE_SPEC_GROUP, "profileruns", "", ""};
        ret[count++] = attach;
        return count;
    }
    const struct sonde_load_test *test = view->document->load_test_schedule->test_template->spec;
    ret[count++] = (struct schedule_right){"create", SONDE_SPEC_GROUP, "loadtests", "", ""};
    if (test->profile) {
        ret[count++] = attach;
    }
    add_secrets(ret, &count, test);
    return count;
}

static void put_attribute(struct sonde_buf *ret, const char *name, const char *value)
{
    if (value[0]) {
        sonde_buf_printf(ret, ",\"%s\":", name);
        sonde_buf_json_string(ret, sonde_str(value));
    }
}

static void put_groups(struct sonde_buf *ret, const char *lines)
{
    struct sonde_str rest = sonde_str(lines);
    int count = 0;
    while (rest.length && count < SCHEDULE_GROUPS_MAX) {
        struct sonde_str group = sonde_str_split(&rest, '\n');
        if (group.length) {
            sonde_buf_text(ret, count++ ? "," : ",\"groups\":[");
            sonde_buf_json_string(ret, group);
        }
    }
    sonde_buf_text(ret, count ? "]" : "");
}

void schedule_put_review(const struct schedule_view *view, const char *namespace,
                         const struct schedule_right *right, struct sonde_buf *ret)
{
    sonde_buf_text(ret, "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":"
                        "\"LocalSubjectAccessReview\",\"metadata\":{\"namespace\":");
    sonde_buf_json_string(ret, sonde_str(namespace));
    sonde_buf_text(ret, "},\"spec\":{\"user\":");
    sonde_buf_json_string(ret, sonde_str(view->requester));
    put_groups(ret, view->groups);
    sonde_buf_printf(ret, ",\"resourceAttributes\":{\"verb\":\"%s\"", right->verb);
    put_attribute(ret, "namespace", namespace);
    put_attribute(ret, "group", right->group);
    put_attribute(ret, "resource", right->resource);
    put_attribute(ret, "subresource", right->subresource);
    put_attribute(ret, "name", right->name);
    sonde_buf_text(ret, "}}}");
}

void schedule_put_denial(const struct schedule_view *view, const char *namespace,
                         const struct schedule_right *right, char ret[SCHEDULE_MESSAGE_SIZE])
{
    (void)snprintf(ret, SCHEDULE_MESSAGE_SIZE,
                   "user \"%.300s\", who last changed the spec, may not %s %s%s%s%s%.253s in "
                   "namespace \"%s\"",
                   view->requester, right->verb, right->resource, right->subresource[0] ? "/" : "",
                   right->subresource, right->name[0] ? " " : "", right->name, namespace);
}

/* ---- what is made ---- */

void schedule_name(const char *schedule, int64_t firing_s, char ret[SCHEDULE_NAME_SIZE])
{
    (void)snprintf(ret, SCHEDULE_NAME_SIZE, "%.52s-%lld", schedule, (long long)(firing_s / 60));
}

static void put_pair(struct sonde_buf *ret, bool first, const char *key, const char *value)
{
    sonde_buf_text(ret, first ? "" : ",");
    sonde_buf_json_string(ret, sonde_str(key));
    sonde_buf_char(ret, ':');
    sonde_buf_json_string(ret, sonde_str(value));
}

/* What is ours to say, a template cannot: whose run it is, and of which schedule. */
static void put_pairs(struct sonde_buf *ret, const struct sonde_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strncmp(pairs[i].key, OURS, strlen(OURS)) != 0) {
            put_pair(ret, false, pairs[i].key, pairs[i].value);
        }
    }
}

static const struct sonde_template_metadata *template_metadata(const struct schedule_view *view)
{
    return is_of_load(view) ? view->document->load_test_schedule->test_template->metadata
                            : view->document->profile_schedule->run_template->metadata;
}

void schedule_put_made(const struct schedule_view *view, const char *uid, int64_t firing_s,
                       struct sonde_buf *ret)
{
    char name[SCHEDULE_NAME_SIZE];
    char time[SONDE_KUBE_TIME_SIZE];
    const struct sonde_template_metadata *metadata = template_metadata(view);
    const char *schedule = view->document->metadata.name;
    char *spec = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(view->template, "spec"));
    schedule_name(schedule, firing_s, name);
    sonde_kube_time_format(firing_s * SONDE_SECOND, time);
    sonde_buf_printf(ret,
                     "{\"apiVersion\":\"" SONDE_SPEC_API_VERSION "\",\"kind\":\"%s\",\"metadata\":{"
                     "\"name\":\"%s\",\"labels\":{",
                     is_of_load(view) ? "LoadTest" : "ProfileRun", name);
    put_pair(ret, true, "sonde.dev/schedule", schedule);
    if (metadata) {
        put_pairs(ret, metadata->labels.items, metadata->labels.count);
    }
    sonde_buf_text(ret, "},\"annotations\":{");
    put_pair(ret, true, "sonde.dev/scheduled-for", time);
    put_pair(ret, false, SCHEDULE_REQUESTER, view->requester);
    if (metadata) {
        put_pairs(ret, metadata->annotations.items, metadata->annotations.count);
    }
    /* Without blockOwnerDeletion, which takes the right to change the schedule's finalizers. */
    sonde_buf_printf(ret,
                     "},\"ownerReferences\":[{\"apiVersion\":\"" SONDE_SPEC_API_VERSION
                     "\",\"kind\":\"%s\",\"controller\":true,\"name\":",
                     view->document->kind->name);
    sonde_buf_json_string(ret, sonde_str(schedule));
    sonde_buf_text(ret, ",\"uid\":");
    sonde_buf_json_string(ret, sonde_str(uid));
    sonde_buf_text(ret, "}]},\"spec\":");
    sonde_buf_text(ret, spec ? spec : "");
    sonde_buf_char(ret, '}');
    ret->code = spec ? ret->code : SONDE_ENOMEM;
    cJSON_free(spec);
}

void schedule_put_baseline(const struct sonde_schedule *spec, struct sonde_buf *ret)
{
    static const char *const words[] = {[SONDE_BASELINE_LAST_GOOD] = "LastGood",
                                        [SONDE_BASELINE_ROLLING_MEDIAN] = "RollingMedian",
                                        [SONDE_BASELINE_PINNED] = "Pinned"};
    const struct sonde_baseline *baseline = spec->baseline;
    if (!baseline) {
        return;
    }
    sonde_buf_printf(ret, ",\"baseline\":{\"strategy\":\"%s\"", words[baseline->strategy]);
    if (baseline->strategy == SONDE_BASELINE_ROLLING_MEDIAN) {
        sonde_buf_printf(ret, ",\"runs\":%lld", (long long)baseline->runs);
    } else if (baseline->strategy == SONDE_BASELINE_PINNED) {
        put_attribute(ret, "runName", baseline->run_name);
    }
    int64_t since_ns = 0;
    if (baseline->since && sonde_kube_time_parse(sonde_str(baseline->since), &since_ns) == 0) {
        sonde_buf_printf(ret, ",\"since\":%lld", (long long)(since_ns / SONDE_SECOND));
    }
    sonde_buf_char(ret, '}');
}
