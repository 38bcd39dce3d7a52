/* SPDX-License-Identifier: Apache-2.0 */
/* What a search for the highest rate found, for a person and for programs. Pure. Both append; the
 * buffer's errors. */
#ifndef SONDE_LOAD_SEARCH_REPORT_H
#define SONDE_LOAD_SEARCH_REPORT_H

#include "base/buf.h"
#include "load/search.h"

/* Some lines, of each trial one; nothing for NULL. */
void sonde_load_search_text(const struct sonde_load_search *search, struct sonde_buf *buf);
/* {"startRate":…,"end":"found","lower":…,"trials":[…]}; null for NULL. */
void sonde_load_search_json(const struct sonde_load_search *search, struct sonde_buf *buf);

#endif
