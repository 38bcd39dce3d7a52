/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the parser (config.c) and the loader (config_load.c) of configurations. */
#ifndef SONDE_KUBE_CONFIG_INTERNAL_H
#define SONDE_KUBE_CONFIG_INTERNAL_H

#include "kube/config.h"

/* A copy in the arena with its NUL; NULL when there is no memory. */
const char *kube_config_copy(struct sonde_arena *arena, struct sonde_str text) SONDE_MUST_CHECK;

/* "http(s)://host[:port][/path]" without user, query, spaces or control bytes; a proxy may be
 * socks5:// too. SONDE_EINVALID. */
int kube_config_check_url(struct sonde_str url, bool is_proxy,
                          struct sonde_err *err) SONDE_MUST_CHECK;

#endif
