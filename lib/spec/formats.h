/* SPDX-License-Identifier: Apache-2.0 */
/* The syntaxes of texts in documents: each as a function and as a pattern for the API server. */
#ifndef SONDE_SPEC_FORMATS_H
#define SONDE_SPEC_FORMATS_H

#include "spec/table.h"

extern const struct sonde_format sonde_format_dns_label;     /* RFC 1123 label */
extern const struct sonde_format sonde_format_dns_subdomain; /* RFC 1123 subdomain */
extern const struct sonde_format sonde_format_label_key;     /* [prefix/]name */
extern const struct sonde_format sonde_format_label_value;
extern const struct sonde_format sonde_format_name;       /* of requests: as a label's value */
extern const struct sonde_format sonde_format_identifier; /* of variables: "patient_id" */
extern const struct sonde_format sonde_format_data_key;   /* of a ConfigMap or Secret */
extern const struct sonde_format sonde_format_url;        /* http or https */
extern const struct sonde_format sonde_format_path;       /* of a request: from the slash on */
extern const struct sonde_format sonde_format_header_name;
extern const struct sonde_format sonde_format_header_value;
extern const struct sonde_format sonde_format_host;     /* a name or an address */
extern const struct sonde_format sonde_format_pointer;  /* RFC 6901 */
extern const struct sonde_format sonde_format_quantity; /* of Kubernetes, ≥ 0 */
extern const struct sonde_format sonde_format_schedule;
extern const struct sonde_format sonde_format_time_zone; /* shape only */
extern const struct sonde_format sonde_format_time;      /* RFC 3339, in UTC and whole seconds */
extern const struct sonde_format sonde_format_threshold;
extern const struct sonde_format sonde_format_one_line; /* no control characters */

/* All of them, for the tests. */
const struct sonde_format *const *sonde_formats(size_t *ret_count);

#endif
