/* SPDX-License-Identifier: Apache-2.0 */
/* The Job whose pods send a LoadTest's requests: from the test to what the API server is given.
 * Pure. */
#ifndef SONDE_CONTROLLER_LOAD_JOB_H
#define SONDE_CONTROLLER_LOAD_JOB_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "spec/kinds.h"

#define LOAD_JOB_LABEL "sonde.dev/load-test" /* on the Job and its pods: the LoadTest's uid */
#define LOAD_JOB_CONTAINER "runner"          /* others may be put beside it */
#define LOAD_JOB_FILES "/run/sonde"
#define LOAD_JOB_USER 65532

enum {
    LOAD_PROFILE_NAME_SIZE = 64, /* as long as a ProfileRun's name may be */
    LOAD_JOB_NAME_SIZE = 52,     /* its pods' host names are this, '-' and a number, of a label */
    LOAD_JOB_MAX = 1 << 20,      /* bytes of the JSON */
    LOAD_JOB_MAPS_MAX = 32,      /* ConfigMaps of one test */
};

struct load_job {
    const char *name;              /* of load_job_name */
    const char *namespace;         /* of the test */
    const char *test, *uid;        /* the LoadTest */
    const char *requester, *image; /* the runners' image */
    const struct sonde_load_test *spec;
    const cJSON *selector;    /* the labels of the pods under load; NULL: not known */
    int64_t deadline_seconds; /* from now on; the pods are ended then */
    const struct sonde_pair *environment;
    size_t environment_count;
};

/* The beginning of the test's name, and eight digits of its uid: the same each time, and another
 * for the next test of that name. */
void load_job_name(const char *test, const char *uid, char ret[LOAD_JOB_NAME_SIZE]);
/* "NAME-profile", or where that is too long the beginning of the name and the digits. */
void load_profile_name(const char *test, const char *uid, char ret[LOAD_PROFILE_NAME_SIZE]);

/* The names of all ConfigMaps that the scenario reads, each once; borrowed from the spec. Returns
 * how many, at most LOAD_JOB_MAPS_MAX; SONDE_EINVALID when there are more. */
int load_job_maps(const struct sonde_load_test *spec, const char *ret[LOAD_JOB_MAPS_MAX],
                  struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends what pods wait for silently when it is not there: "ConfigMap ids, Secret me"; nothing
 * when they need none. (A Secret of a header the kubelet names itself.) */
void load_job_needs(const struct sonde_load_test *spec, struct sonde_buf *ret);

/* Appends the Job (kubernetes.io, "Indexed Job for Parallel Processing"), legal under Pod Security
 * restricted. Secrets and ConfigMaps are referred to, never read. SONDE_EINVALID, or the buffer's.
 */
int load_job_print(const struct load_job *job, struct sonde_buf *ret,
                   struct sonde_err *err) SONDE_MUST_CHECK;

#endif
