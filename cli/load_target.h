/* SPDX-License-Identifier: Apache-2.0 */
/* What a person typed in place of a URL, made whole, and the addresses behind it. */
#ifndef SONDE_CLI_LOAD_TARGET_H
#define SONDE_CLI_LOAD_TARGET_H

#include "cli/load_server.h"
#include "load/site.h"

/* A path alone is of the server that we have started, else of $PORT (`variable`, or NULL) on this
 * machine, as autocannon has it; so is a name of this machine without a port, if we have started a
 * server. The arena keeps the text. SONDE_EINVALID, SONDE_ENOMEM. */
int load_target_find(const char *typed, const char *variable, const struct load_server *server,
                     struct sonde_arena *arena, struct sonde_load_site *ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;
/* Its addresses; of a name of this machine those alone that accept connections, if any does.
 * Blocks. SONDE_ENETWORK. */
int load_target_resolve(const struct sonde_load_site *site, const struct load_server *server,
                        struct sonde_load_addresses *ret, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
