/* SPDX-License-Identifier: Apache-2.0 */
/* Tables that several kinds share. */
#ifndef SONDE_SPEC_TABLES_H
#define SONDE_SPEC_TABLES_H

#include "spec/kinds.h"

/* Where a field lives in its struct. */
#define SONDE_AT(type, member) .offset = offsetof(struct type, member)
#define SONDE_BIT(choice) (UINT32_C(1) << (choice))

extern const struct sonde_object sonde_object_profile_run;
extern const struct sonde_object sonde_object_load_test;
extern const struct sonde_object sonde_object_load_target;
extern const struct sonde_object sonde_object_scenario;
extern const struct sonde_object sonde_object_load_http;
extern const struct sonde_object sonde_object_profile_target;
extern const struct sonde_object sonde_object_pod_selection;
extern const struct sonde_object sonde_object_capture;

/* Status: only described. */
extern const struct sonde_object sonde_object_profile_run_status;
extern const struct sonde_object sonde_object_load_test_status;
extern const struct sonde_object sonde_object_schedule_status;

extern const struct sonde_object sonde_object_profile_schedule;
extern const struct sonde_object sonde_object_load_test_schedule;

/* metadata.labels and metadata.annotations of documents and of templates. */
extern const struct sonde_object sonde_object_template_metadata;

/* The API server holds bounds as doubles, which know no larger integer exactly (2^53 - 1). */
#define SONDE_INTEGER_MAX INT64_C(9007199254740991)

enum {
    SONDE_PAIRS_MAX = 64,        /* entries of a map of texts */
    SONDE_PAIR_VALUE_MAX = 2048, /* characters */
    SONDE_DNS_LABEL_MAX = 63,
    SONDE_DNS_SUBDOMAIN_MAX = 253,
    SONDE_LABEL_KEY_MAX = 317,
    SONDE_LABEL_VALUE_MAX = 63,
    SONDE_DAY_SECONDS = 86400,
    SONDE_YEAR_SECONDS = 31536000,
};

/* The seconds that the captures last together. */
int64_t sonde_captures_duration(const struct sonde_capture *captures, size_t count);
/* Whether there is a HeapSnapshot among them. */
bool sonde_captures_snapshot(const struct sonde_capture *captures, size_t count);

#endif
