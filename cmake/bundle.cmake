# SPDX-License-Identifier: Apache-2.0
# cmake -DDIRECTORY=web -DSCRIPTS=a.js,b.js -DBUNDLE=bundle.js -P bundle.cmake: CommonJS modules as one
# script for a browser. The last one is run; the others are run when they are required.
string(REPLACE "," ";" scripts "${SCRIPTS}")
set(bundle "'use strict';\n(() => {\nconst parts = {};\nconst loaded = {};\nfunction require(name) {\n  if (!loaded[name]) {\n    const module = { exports: {} };\n    loaded[name] = module;\n    parts[name](module, require);\n  }\n  return loaded[name].exports;\n}\n")
foreach(script IN LISTS scripts)
    file(READ ${DIRECTORY}/${script} text)
    string(REPLACE "'use strict';\n" "" text "${text}")
    string(FIND "${text}" "</scr" ends)
    string(FIND "${text}" "<!--" hides)
    if(NOT ends EQUAL -1 OR NOT hides EQUAL -1)
        message(FATAL_ERROR "${script} holds what ends or hides a script element")
    endif()
    string(APPEND bundle "parts['./${script}'] = (module, require) => {\n${text}};\n")
endforeach()
list(GET scripts -1 last)
string(APPEND bundle "require('./${last}');\n})();\n")
file(WRITE ${BUNDLE} "${bundle}")
