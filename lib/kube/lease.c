/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/lease.h"

#include "base/clock.h"
#include "base/random.h"
#include "codec/json.h"
#include "kube/time.h"

enum { DURATION_MAX_S = 3600 };

/* Tries come 1 to 1.2 retry times apart, so that replicas do not go in step. */
#define JITTER 1.2

void sonde_kube_lease_init(struct sonde_kube_lease *lease,
                           const struct sonde_kube_lease_options *options)
{
    *lease = (struct sonde_kube_lease){.options = *options, .random = options->seed};
    struct sonde_kube_lease_options *o = &lease->options;
    o->duration_ns = o->duration_ns ? o->duration_ns : 15 * SONDE_SECOND;
    o->renew_deadline_ns = o->renew_deadline_ns ? o->renew_deadline_ns : 10 * SONDE_SECOND;
    o->retry_ns = o->retry_ns ? o->retry_ns : 2 * SONDE_SECOND;
}

bool sonde_kube_lease_leads(const struct sonde_kube_lease *lease, int64_t now)
{
    return lease->leads && lease->state != SONDE_KUBE_LEASE_OVER &&
           now - lease->renewed_at < lease->options.renew_deadline_ns;
}

static bool is_ours(const struct sonde_kube_lease *lease)
{
    return strcmp(lease->holder, lease->options.identity) == 0;
}

/* Nobody holds it, or its holder did not renew it for as long as it said. */
static bool is_free(const struct sonde_kube_lease *lease, int64_t now)
{
    return !lease->exists || lease->holder[0] == '\0' || is_ours(lease) ||
           now - lease->observed >= lease->holder_duration_ns;
}

static void try_later(struct sonde_kube_lease *lease, int64_t now)
{
    double share = (double)(sonde_random_next(&lease->random) >> 11) * 0x1p-53;
    double factor = lease->leads ? 1.0 : 1.0 + (JITTER - 1.0) * share;
    lease->next_try = now + (int64_t)((double)lease->options.retry_ns * factor);
    lease->state = SONDE_KUBE_LEASE_IDLE;
}

static struct sonde_kube_lease_step say(enum sonde_kube_lease_action action, int64_t at)
{
    return (struct sonde_kube_lease_step){action, at};
}

static struct sonde_kube_lease_step write_step(struct sonde_kube_lease *lease, int64_t now)
{
    lease->state = SONDE_KUBE_LEASE_WRITING;
    lease->began = now;
    lease->to_write = false;
    lease->release_sent = lease->releasing;
    return say(lease->exists ? SONDE_KUBE_LEASE_UPDATE : SONDE_KUBE_LEASE_CREATE, 0);
}

static struct sonde_kube_lease_step read_step(struct sonde_kube_lease *lease)
{
    lease->state = SONDE_KUBE_LEASE_READING;
    return say(SONDE_KUBE_LEASE_GET, 0);
}

struct sonde_kube_lease_step sonde_kube_lease_step(struct sonde_kube_lease *lease, int64_t now)
{
    int64_t deadline = lease->renewed_at + lease->options.renew_deadline_ns;
    if (lease->state == SONDE_KUBE_LEASE_OVER) {
        return say(lease->releasing ? SONDE_KUBE_LEASE_ENDED : SONDE_KUBE_LEASE_LOST, 0);
    }
    if (lease->leads && now >= deadline) {
        lease->leads = false;
        lease->state = SONDE_KUBE_LEASE_OVER;
        return say(lease->releasing ? SONDE_KUBE_LEASE_ENDED : SONDE_KUBE_LEASE_LOST, 0);
    }
    if (lease->state != SONDE_KUBE_LEASE_IDLE) {
        return say(SONDE_KUBE_LEASE_WAIT, lease->leads ? deadline : INT64_MAX);
    }
    if (lease->releasing) {
        if (!lease->leads) {
            lease->state = SONDE_KUBE_LEASE_OVER;
            return say(SONDE_KUBE_LEASE_ENDED, 0);
        }
        return write_step(lease, now);
    }
    if (lease->to_write) {
        return write_step(lease, now);
    }
    if (now < lease->next_try) {
        int64_t at = lease->leads && deadline < lease->next_try ? deadline : lease->next_try;
        return say(SONDE_KUBE_LEASE_WAIT, at);
    }
    /* A leader knows the version it wrote, and needs no look before it writes again. */
    return lease->leads && lease->known ? write_step(lease, now) : read_step(lease);
}

static void print_time(struct sonde_buf *buf, const char *name, const char *text)
{
    sonde_buf_printf(buf, ",\"%s\":", name);
    sonde_buf_json_string(buf, sonde_str(text));
}

void sonde_kube_lease_print(const struct sonde_kube_lease *lease, int64_t realtime,
                            struct sonde_buf *buf)
{
    char now[SONDE_KUBE_TIME_SIZE];
    sonde_kube_time_format(realtime, now);
    bool ours = lease->exists && is_ours(lease);
    int64_t seconds = lease->releasing ? 1 : lease->options.duration_ns / SONDE_SECOND;
    int64_t transitions = lease->transitions + (lease->exists && !ours ? 1 : 0);
    sonde_buf_text(buf, "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
                        "\"metadata\":{\"name\":");
    sonde_buf_json_string(buf, sonde_str(lease->options.name));
    sonde_buf_text(buf, ",\"namespace\":");
    sonde_buf_json_string(buf, sonde_str(lease->options.namespace));
    if (lease->exists) {
        sonde_buf_text(buf, ",\"resourceVersion\":");
        sonde_buf_json_string(buf, sonde_str(lease->version));
    }
    sonde_buf_text(buf, "},\"spec\":{\"holderIdentity\":");
    sonde_buf_json_string(buf, sonde_str(lease->releasing ? "" : lease->options.identity));
    sonde_buf_printf(buf, ",\"leaseDurationSeconds\":%lld,\"leaseTransitions\":%lld",
                     (long long)(seconds < 1 ? 1 : seconds), (long long)transitions);
    print_time(buf, "renewTime", now);
    print_time(buf, "acquireTime", ours && lease->acquired[0] ? lease->acquired : now);
    sonde_buf_text(buf, "}}");
}

/* Copies a text of the spec; true when it differs from what was there. */
static bool copy_field(const cJSON *spec, const char *name, char *to, size_t size)
{
    const char *text = sonde_json_string_or(spec, name, "");
    bool differs = strncmp(text, to, size - 1) != 0;
    (void)snprintf(to, size, "%s", text);
    return differs;
}

static int read_lease(struct sonde_kube_lease *lease, const cJSON *object, bool *ret_changed,
                      struct sonde_err *err)
{
    const cJSON *spec = cJSON_GetObjectItemCaseSensitive(object, "spec");
    char version[SONDE_KUBE_VERSION_SIZE];
    int code = sonde_kube_version_of(object, version, err);
    if (code < 0) {
        return code;
    }
    if (!cJSON_IsObject(spec) ||
        strlen(sonde_json_string_or(spec, "holderIdentity", "")) >= sizeof(lease->holder)) {
        return sonde_fail(err, SONDE_EPROTOCOL, 0, "Kubernetes: the answer is no Lease");
    }
    int64_t seconds = sonde_json_integer_or(spec, "leaseDurationSeconds", 0);
    seconds = seconds < 0 ? 0 : seconds > DURATION_MAX_S ? DURATION_MAX_S : seconds;
    bool changed = !lease->known;
    changed |= copy_field(spec, "holderIdentity", lease->holder, sizeof(lease->holder));
    changed |= copy_field(spec, "renewTime", lease->renewed, sizeof(lease->renewed));
    (void)copy_field(spec, "acquireTime", lease->acquired, sizeof(lease->acquired));
    memcpy(lease->version, version, sizeof(version));
    lease->holder_duration_ns = seconds * SONDE_SECOND;
    lease->transitions = sonde_json_integer_or(spec, "leaseTransitions", 0);
    lease->known = true;
    lease->exists = true;
    *ret_changed = changed;
    return 0;
}

int sonde_kube_lease_answered(struct sonde_kube_lease *lease, int64_t now, const cJSON *object,
                              struct sonde_err *err)
{
    bool wrote = lease->state == SONDE_KUBE_LEASE_WRITING;
    bool changed;
    if (lease->state == SONDE_KUBE_LEASE_OVER) {
        return 0; /* too late */
    }
    int code = read_lease(lease, object, &changed, err);
    if (code < 0) {
        return code;
    }
    if (changed) {
        lease->observed = now;
    }
    if (wrote && lease->release_sent) {
        lease->leads = false;
        lease->state = SONDE_KUBE_LEASE_OVER;
        return 0;
    }
    if (wrote) {
        /* It counts from when it was sent: nobody may take it over before we have given up. */
        lease->leads = is_ours(lease);
        lease->renewed_at = lease->began;
        try_later(lease, lease->began);
        return 0;
    }
    if (is_free(lease, now)) {
        lease->to_write = true;
        lease->state = SONDE_KUBE_LEASE_IDLE;
        return 0;
    }
    if (lease->leads) {
        lease->leads = false; /* somebody took it while we were away */
        lease->state = SONDE_KUBE_LEASE_OVER;
        return 0;
    }
    try_later(lease, now);
    return 0;
}

void sonde_kube_lease_failed(struct sonde_kube_lease *lease, int64_t now, int code)
{
    bool read = lease->state == SONDE_KUBE_LEASE_READING;
    if (lease->state == SONDE_KUBE_LEASE_OVER) {
        return;
    }
    if (read && code == SONDE_ENOTFOUND) {
        lease->exists = false;
        lease->to_write = true;
        lease->state = SONDE_KUBE_LEASE_IDLE;
        return;
    }
    if (!read) {
        lease->known = false; /* what stands there now is not known: look before writing again */
        if (lease->release_sent) {
            lease->leads = false;
            lease->state = SONDE_KUBE_LEASE_OVER;
            return;
        }
    }
    bool lost_race = code == SONDE_ECONFLICT || code == SONDE_EEXISTS || code == SONDE_ENOTFOUND;
    if (!read && lease->leads && lost_race) {
        lease->state = SONDE_KUBE_LEASE_IDLE; /* look at once who it was */
        lease->next_try = now;
        return;
    }
    try_later(lease, now);
}

void sonde_kube_lease_release(struct sonde_kube_lease *lease)
{
    lease->releasing = true;
}
