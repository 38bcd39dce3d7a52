/* SPDX-License-Identifier: Apache-2.0 */
/* A LoadTest's document made ready to be carried out: where it goes to, and what is sent there. */
#ifndef SONDE_LOAD_DOCUMENT_H
#define SONDE_LOAD_DOCUMENT_H

#include "load/scenario.h"
#include "load/target.h"
#include "spec/spec.h"

enum {
    SONDE_LOAD_FILES_MAX = 64, /* of a scenario */
    SONDE_LOAD_FILE_BYTES_MAX = 64 << 20,
};

/* Appends the URL of its target: of a Service the name that the cluster's DNS has for it. */
void sonde_load_document_url(const struct sonde_spec_document *document, struct sonde_buf *url);

/* Where the keys of ConfigMaps stand as files. */
struct sonde_load_maps {
    struct sonde_str directory; /* with a slash at its end; empty: the current one */
    bool by_name;               /* each map has a directory of its own name there */
};

/* Makes the scenario of a document, with the files that it refers to, which `around` has none of
 * yet. SONDE_EINVALID with what is wrong, SONDE_EIO of files, SONDE_ELIMIT, SONDE_ENOMEM. The
 * caller calls sonde_load_scenario_fini in any case. */
int sonde_load_scenario_of(const struct sonde_scenario *spec, const struct sonde_load_maps *maps,
                           const struct sonde_load_surroundings *around,
                           struct sonde_load_scenario *ret, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
