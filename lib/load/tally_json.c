/* SPDX-License-Identifier: Apache-2.0 */
#include "load/tally_json.h"

#include <string.h>

#include "codec/json.h"
#include "histogram/wire.h"
#include "load/archive.h"
#include "load/result_fields.h"

#define TALLY(name_, member_) {name_, offsetof(struct sonde_load_tally, member_)}

const struct sonde_load_result_histogram sonde_load_tally_histograms[] = {
    TALLY("response", response), TALLY("service", service), TALLY("sendLag", send_lag), {0}};

const struct sonde_load_interval_field sonde_load_tally_fields[] = {
    TALLY("sent", sent),
    TALLY("answered", answered),
    TALLY("failed", failed),
    TALLY("censored", censored),
    TALLY("unsent", unsent),
    TALLY("late", late),
    TALLY("received", received),
    TALLY("wrong", wrong),
    TALLY("mismatches", mismatches),
    TALLY("restarts", restarts),
    TALLY("connects", connects),
    TALLY("connectFailures", connect_failures),
    TALLY("bytesRead", bytes_read),
    TALLY("bytesWritten", bytes_written),
    {0},
};

int sonde_load_out_of_bounds(const char *name, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "JSON: \"%s\" is out of bounds", name);
}

int sonde_load_read_number(const cJSON *object, const char *name, int64_t least, int64_t most,
                           int64_t *ret, struct sonde_err *err)
{
    int64_t value;
    int r = sonde_json_integer(object, name, &value, err);
    if (r < 0 || value < least || value > most) {
        return r < 0 ? r : sonde_load_out_of_bounds(name, err);
    }
    *ret = value;
    return 0;
}

int sonde_load_read_count(const cJSON *object, const char *name, uint64_t *ret,
                          struct sonde_err *err)
{
    int64_t value = 0;
    int r = sonde_load_read_number(object, name, 0, INT64_MAX, &value, err);
    *ret = (uint64_t)value;
    return r;
}

int sonde_load_read_fields(const cJSON *object, const struct sonde_load_interval_field *fields,
                           void *ret, struct sonde_err *err)
{
    int r = 0;
    for (const struct sonde_load_interval_field *f = fields; f->name && r == 0; f++) {
        uint64_t value;
        r = sonde_load_read_count(object, f->name, &value, err);
        memcpy((char *)ret + f->offset, &value, sizeof(value));
    }
    return r;
}

/* ---- histograms ---- */

/* What the text does not tell must fit what it tells. */
static int read_extremes(const cJSON *from, const char *name, struct sonde_histogram *ret,
                         struct sonde_err *err)
{
    int64_t least = 0;
    int64_t most = 0;
    uint64_t clipped = 0;
    const struct sonde_histogram_layout *layout = &ret->layout;
    int r = sonde_load_read_number(from, "minimum", 0, INT64_MAX, &least, err);
    r = r < 0 ? r : sonde_load_read_number(from, "maximum", 0, INT64_MAX, &most, err);
    r = r < 0 ? r : sonde_load_read_count(from, "clipped", &clipped, err);
    if (r < 0 || ret->total == 0) {
        return r < 0 || (least == 0 && most == 0 && clipped == 0)
                   ? r
                   : sonde_load_out_of_bounds(name, err);
    }
    int64_t least_kept = least < layout->highest ? least : layout->highest;
    int64_t most_kept = most < layout->highest ? most : layout->highest;
    if (sonde_histogram_index(layout, least_kept) != sonde_histogram_index(layout, ret->minimum) ||
        sonde_histogram_highest_of(layout, sonde_histogram_index(layout, most_kept)) !=
            ret->maximum ||
        clipped > ret->total || (clipped > 0) != (most > layout->highest)) {
        return sonde_load_out_of_bounds(name, err);
    }
    ret->minimum = least;
    ret->maximum = most;
    ret->clipped = clipped;
    return 0;
}

int sonde_load_read_histogram(const cJSON *from, const char *name, struct sonde_histogram *ret,
                              struct sonde_err *err)
{
    const char *text;
    int r = sonde_json_string(from, "histogram", &text, err);
    r = r < 0 ? r : sonde_histogram_decode_into(sonde_str(text), ret, err);
    if (r < 0) {
        return sonde_err_wrap(err, r, "\"%s\"", name);
    }
    return read_extremes(from, name, ret, err);
}

int sonde_load_read_histograms(const struct sonde_load_result_histogram *table, void *ret,
                               const cJSON *from, struct sonde_err *err)
{
    int r = 0;
    for (const struct sonde_load_result_histogram *h = table; h->name && r == 0; h++) {
        const cJSON *own;
        r = sonde_json_object(from, h->name, &own, err);
        r = r < 0 ? r
                  : sonde_load_read_histogram(
                        own, h->name, (struct sonde_histogram *)((char *)ret + h->offset), err);
    }
    return r;
}

/* ---- counts ---- */

int sonde_load_read_counts(struct sonde_load_tally *t, const cJSON *document, struct sonde_err *err)
{
    const cJSON *counts;
    const cJSON *errors;
    const cJSON *statuses;
    int r = sonde_json_object(document, "counts", &counts, err);
    r = r < 0 ? r : sonde_load_read_fields(counts, sonde_load_tally_fields, t, err);
    r = r < 0 ? r : sonde_json_object(document, "errors", &errors, err);
    for (int i = 0; i < SONDE_LOAD_ERRORS && r == 0; i++) {
        const char *name = sonde_load_error_name((enum sonde_load_error)i);
        /* An older version knows fewer kinds. */
        if (cJSON_GetObjectItemCaseSensitive(errors, name)) {
            r = sonde_load_read_count(errors, name, &t->errors[i], err);
        }
    }
    r = r < 0 ? r : sonde_json_object(document, "statuses", &statuses, err);
    for (const cJSON *item = r < 0 ? NULL : statuses->child; item && r == 0; item = item->next) {
        uint64_t status;
        if (sonde_parse_u64(sonde_str(item->string), 0, SONDE_LOAD_STATUS_MAX, &status) < 0) {
            return sonde_load_out_of_bounds("statuses", err);
        }
        r = sonde_load_read_count(statuses, item->string, &t->statuses[status], err);
    }
    return r;
}

/* ---- writing ---- */

static const char *separator(size_t at)
{
    return at ? "," : "";
}

int sonde_load_put_histogram(const struct sonde_histogram *h, struct sonde_buf *buf,
                             struct sonde_err *err)
{
    sonde_buf_printf(buf, "\"minimum\":%lld,\"maximum\":%lld,\"clipped\":%llu,\"histogram\":\"",
                     h->total ? (long long)h->minimum : 0, (long long)h->maximum,
                     (unsigned long long)h->clipped);
    int r = sonde_histogram_encode(h, buf, err);
    sonde_buf_char(buf, '"');
    return r;
}

int sonde_load_put_histograms(const struct sonde_load_result_histogram *table, const void *from,
                              struct sonde_buf *buf, struct sonde_err *err)
{
    int r = 0;
    for (const struct sonde_load_result_histogram *h = table; h->name && r == 0; h++) {
        sonde_buf_printf(buf, ",\n\"%s\":{", h->name);
        r = sonde_load_put_histogram(
            (const struct sonde_histogram *)((const char *)from + h->offset), buf, err);
        sonde_buf_char(buf, '}');
    }
    return r;
}

uint64_t sonde_load_number_at(const void *object, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const char *)object + offset, sizeof(value));
    return value;
}

void sonde_load_put_counts(const struct sonde_load_tally *t, struct sonde_buf *buf)
{
    size_t printed = 0;
    sonde_buf_text(buf, ",\n\"counts\":{");
    for (const struct sonde_load_interval_field *f = sonde_load_tally_fields; f->name; f++) {
        sonde_buf_printf(buf, "%s\"%s\":%llu", separator(printed++), f->name,
                         (unsigned long long)sonde_load_number_at(t, f->offset));
    }
    sonde_buf_text(buf, "},\n\"errors\":{");
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        sonde_buf_printf(buf, "%s\"%s\":%llu", separator((size_t)i),
                         sonde_load_error_name((enum sonde_load_error)i),
                         (unsigned long long)t->errors[i]);
    }
    sonde_buf_text(buf, "},\n\"statuses\":{");
    printed = 0;
    for (int i = 0; i <= SONDE_LOAD_STATUS_MAX; i++) {
        if (t->statuses[i]) {
            sonde_buf_printf(buf, "%s\"%d\":%llu", separator(printed++), i,
                             (unsigned long long)t->statuses[i]);
        }
    }
    sonde_buf_char(buf, '}');
}

/* ---- on the wire ---- */

static const struct sonde_histogram *histogram_at(const struct sonde_load_tally *tally,
                                                  size_t offset)
{
    return (const struct sonde_histogram *)((const char *)tally + offset);
}

static int put_wire_histograms(const struct sonde_load_tally *tally, struct sonde_buf *buf,
                               struct sonde_err *err)
{
    int r = 0;
    for (const struct sonde_load_result_histogram *h = sonde_load_tally_histograms;
         h->name && r == 0; h++) {
        const struct sonde_histogram *own = histogram_at(tally, h->offset);
        if (own->total) {
            sonde_buf_printf(buf, ",\"%s\":{", h->name);
            r = sonde_load_put_histogram(own, buf, err);
            sonde_buf_char(buf, '}');
        }
    }
    return r;
}

static bool is_empty(const struct sonde_load_tally *tally)
{
    bool any = false;
    for (const struct sonde_load_interval_field *f = sonde_load_tally_fields; f->name; f++) {
        any = any || sonde_load_number_at(tally, f->offset);
    }
    for (const struct sonde_load_result_histogram *h = sonde_load_tally_histograms; h->name; h++) {
        any = any || histogram_at(tally, h->offset)->total;
    }
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        any = any || tally->errors[i];
    }
    return !any;
}

int sonde_load_tally_write(const struct sonde_load_tally *tally, struct sonde_buf *buf,
                           struct sonde_err *err)
{
    size_t printed = 0;
    sonde_buf_printf(buf, "{\"labels\":%zu", tally->part_count);
    sonde_load_put_counts(tally, buf);
    int r = put_wire_histograms(tally, buf, err);
    sonde_buf_text(buf, ",\"parts\":[");
    for (size_t i = 0; i < tally->part_count && r == 0; i++) {
        if (!is_empty(&tally->parts[i])) {
            sonde_buf_printf(buf, "%s{\"label\":%zu", separator(printed++), i);
            sonde_load_put_counts(&tally->parts[i], buf);
            r = put_wire_histograms(&tally->parts[i], buf, err);
            sonde_buf_char(buf, '}');
        }
    }
    sonde_buf_text(buf, "]}");
    return r < 0 ? r : sonde_buf_check(buf, "the tally of an interval", err);
}

/* What sums of it may come to. */
static int check_counts(const struct sonde_load_tally *tally, struct sonde_err *err)
{
    const char *beyond = NULL;
    for (const struct sonde_load_interval_field *f = sonde_load_tally_fields; f->name; f++) {
        bool much = sonde_load_number_at(tally, f->offset) > SONDE_LOAD_TALLY_COUNT_MAX;
        beyond = much ? f->name : beyond;
    }
    for (const struct sonde_load_result_histogram *h = sonde_load_tally_histograms; h->name; h++) {
        bool much = histogram_at(tally, h->offset)->total > SONDE_LOAD_TALLY_COUNT_MAX;
        beyond = much ? h->name : beyond;
    }
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        beyond = tally->errors[i] > SONDE_LOAD_TALLY_COUNT_MAX ? "errors" : beyond;
    }
    for (int i = 0; i <= SONDE_LOAD_STATUS_MAX; i++) {
        beyond = tally->statuses[i] > SONDE_LOAD_TALLY_COUNT_MAX ? "statuses" : beyond;
    }
    return beyond ? sonde_load_out_of_bounds(beyond, err) : 0;
}

/* Without its parts. */
static int read_own(const cJSON *object, struct sonde_load_tally *ret, struct sonde_err *err)
{
    int r = sonde_load_read_counts(ret, object, err);
    for (const struct sonde_load_result_histogram *h = sonde_load_tally_histograms;
         h->name && r == 0; h++) {
        const cJSON *own = cJSON_GetObjectItemCaseSensitive(object, h->name);
        struct sonde_histogram *to = (struct sonde_histogram *)((char *)ret + h->offset);
        r = own ? sonde_load_read_histogram(own, h->name, to, err) : 0;
    }
    return r < 0 ? r : check_counts(ret, err);
}

int sonde_load_tally_read(const cJSON *object, struct sonde_load_tally *ret, struct sonde_err *err)
{
    const cJSON *parts = NULL;
    int64_t next = 0;
    int64_t count = (int64_t)ret->part_count;
    int r = sonde_load_read_number(object, "labels", count, count, &(int64_t){0}, err);
    r = r < 0 ? r : read_own(object, ret, err);
    r = r < 0 ? r : sonde_json_array(object, "parts", &parts, err);
    for (const cJSON *part = r < 0 ? NULL : parts->child; part && r == 0; part = part->next) {
        int64_t label = 0;
        r = sonde_load_read_number(part, "label", next, count - 1, &label, err);
        r = r < 0 ? r : read_own(part, &ret->parts[label], err);
        next = label + 1; /* each once */
    }
    return r;
}

int sonde_load_tally_pack(const cJSON *object, size_t labels, struct sonde_load_tally *scratch,
                          struct sonde_buf *ret, struct sonde_err *err)
{
    struct sonde_load_archive archive = {.to = ret};
    const cJSON *parts = NULL;
    int64_t next = 0;
    int64_t count = (int64_t)labels;
    sonde_load_tally_clear(scratch);
    int r = sonde_load_read_number(object, "labels", count, count, &(int64_t){0}, err);
    r = r < 0 ? r : read_own(object, scratch, err);
    r = r < 0 ? r : sonde_json_array(object, "parts", &parts, err);
    uint64_t part_count = r < 0 ? 0 : (uint64_t)cJSON_GetArraySize(parts);
    sonde_load_archive_own(&archive, scratch);
    sonde_load_archive_number(&archive, &part_count);
    for (const cJSON *part = r < 0 ? NULL : parts->child; part && r == 0; part = part->next) {
        int64_t label = 0;
        sonde_load_tally_clear(scratch);
        r = sonde_load_read_number(part, "label", next, count - 1, &label, err);
        r = r < 0 ? r : read_own(part, scratch, err);
        sonde_load_archive_part(&archive, scratch, (size_t)label);
        next = label + 1; /* each once */
    }
    return r < 0 ? r : sonde_load_archive_check(&archive, err);
}
