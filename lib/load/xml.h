/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in XML. Pure. */
#ifndef SONDE_LOAD_XML_H
#define SONDE_LOAD_XML_H

#include "base/buf.h"

/* Append a text, without what XML 1.0 §2.2 has no place for (line feeds stay); and ` NAME="TEXT"`.
 * The buffer's errors. */
void sonde_xml_text(const char *text, struct sonde_buf *buf);
void sonde_xml_attribute(const char *name, const char *text, struct sonde_buf *buf);

#endif
