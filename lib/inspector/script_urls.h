/* SPDX-License-Identifier: Apache-2.0 */
/* Which scripts an artifact names, while it passes by in pieces. No I/O. */
#ifndef SONDE_INSPECTOR_SCRIPT_URLS_H
#define SONDE_INSPECTOR_SCRIPT_URLS_H

#include "codec/json_scan.h"
#include "profile/profile.h"

enum { SONDE_SCRIPT_URLS_BYTES_MAX = 4 << 20 }; /* of memory; scripts beyond are left out */

struct sonde_script_urls {
    struct sonde_profile scripts; /* frames that have nothing but a file */
    struct sonde_json_scanner scanner;
    bool reading;   /* an artifact */
    bool is_script; /* the next string */
};

/* Whether artifacts of that type name scripts: profiles, coverage and records of event loops. */
bool sonde_script_urls_wanted(const char *type);

/* SONDE_ENOMEM. The caller calls sonde_script_urls_fini in any case. */
int sonde_script_urls_init(struct sonde_script_urls *urls, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_script_urls_fini(struct sonde_script_urls *urls);

/* Begins with the next artifact, whether or not the last one came to its end. */
void sonde_script_urls_begin(struct sonde_script_urls *urls);
/* Keeps the values of all members "url". From the first byte on that is no JSON, or when there is
 * no memory left, the rest of the artifact is passed over. */
void sonde_script_urls_feed(struct sonde_script_urls *urls, const char *data, size_t length);

#endif
