# SPDX-License-Identifier: Apache-2.0
# cmake -DSCRIPT=a.js -DHEADER=a_js.h -DNAME=a_js -P embed.cmake: a file as a C string, without
# its comment lines.
file(READ ${SCRIPT} text)
string(REGEX REPLACE "(^|\n) *//[^\n]*" "\\1" text "${text}")
string(REGEX REPLACE "\n+" "\n" text "${text}")
string(REGEX REPLACE "[ \n]+$" "" text "${text}")
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "??" "?\\?" text "${text}") # no trigraph
string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
file(WRITE ${HEADER} "/* SPDX-License-Identifier: Apache-2.0 */\n"
    "/* Made from a script by cmake/embed.cmake. */\n"
    "static const char ${NAME}[] =\n    \"${text}\";\n")
