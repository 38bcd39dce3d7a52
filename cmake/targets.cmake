# SPDX-License-Identifier: Apache-2.0

# sonde_library(NAME SOURCES a.c … [LINK target …]): the static library lib/NAME,
# as target sonde_NAME.
function(sonde_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
    add_library(sonde_${name} STATIC ${arg_SOURCES})
    target_link_libraries(sonde_${name} PUBLIC sonde_options ${arg_LINK})
endfunction()

# sonde_unit_test(NAME SOURCES a.c … [LINK target …]): a cmocka program, label "unit".
function(sonde_unit_test name)
    cmake_parse_arguments(arg "" "LABEL" "SOURCES;LINK" ${ARGN})
    if(NOT arg_LABEL)
        set(arg_LABEL unit)
    endif()
    add_executable(${arg_LABEL}_${name} ${arg_SOURCES})
    target_link_libraries(${arg_LABEL}_${name} PRIVATE ${arg_LINK} PkgConfig::CMOCKA)
    add_test(NAME ${arg_LABEL}/${name} COMMAND ${arg_LABEL}_${name}
        WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${arg_LABEL}/${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT 300)
endfunction()

# sonde_fault_test(NAME SOURCES … LINK …): a cmocka program in which
# tests/fault/fail.h can make any allocation, read or write fail; label "fault".
function(sonde_fault_test name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
    sonde_unit_test(${name} LABEL fault SOURCES ${arg_SOURCES} LINK ${arg_LINK} sonde_fault)
endfunction()

# sonde_fuzz_target(NAME SOURCES … LINK …): LLVMFuzzerTestOneInput over outside bytes.
# Always built with a main that replays tests/fuzz/corpus/NAME (label "fuzz"); with
# SONDE_FUZZ also the libFuzzer program fuzz_NAME_live.
function(sonde_fuzz_target name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
    add_executable(fuzz_${name} ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
    target_link_libraries(fuzz_${name} PRIVATE ${arg_LINK})
    add_test(NAME fuzz/${name} COMMAND fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz TIMEOUT 300)
    if(SONDE_FUZZ)
        add_executable(fuzz_${name}_live ${arg_SOURCES})
        target_link_libraries(fuzz_${name}_live PRIVATE ${arg_LINK})
        target_link_options(fuzz_${name}_live PRIVATE -fsanitize=fuzzer)
    endif()
endfunction()
