# SPDX-License-Identifier: Apache-2.0
# One interface target carries the language, the warnings, the hardening and the
# sanitizers of every target of ours; nothing sets flags elsewhere.
include(CheckCCompilerFlag)

set(SONDE_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize= (address,undefined or thread)")
option(SONDE_WERROR "Treat warnings as errors" OFF)
option(SONDE_FUZZ "Build the fuzz targets with libFuzzer (needs clang)" OFF)
option(SONDE_COVERAGE "Instrument for gcov" OFF)
option(SONDE_TESTS "Build the tests" ON)

add_library(sonde_options INTERFACE)
target_compile_features(sonde_options INTERFACE c_std_17)
target_compile_definitions(sonde_options INTERFACE _GNU_SOURCE SONDE_VERSION="${PROJECT_VERSION}")
target_include_directories(sonde_options INTERFACE ${PROJECT_SOURCE_DIR}/lib)
target_compile_options(sonde_options INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Wvla -Wformat=2 -Wundef -Wstrict-prototypes
    -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wimplicit-fallthrough
    -include ${PROJECT_SOURCE_DIR}/lib/base/banned.h
    -fno-strict-aliasing -fno-common -fvisibility=hidden -g)
if(SONDE_WERROR)
    target_compile_options(sonde_options INTERFACE -Werror)
endif()

function(sonde_flag_if_supported flag)
    string(MAKE_C_IDENTIFIER "have${flag}" variable)
    check_c_compiler_flag(${flag} ${variable})
    if(${variable})
        target_compile_options(sonde_options INTERFACE ${flag})
    endif()
endfunction()

foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection
        -ftrivial-auto-var-init=zero)
    sonde_flag_if_supported(${flag})
endforeach()
target_compile_options(sonde_options INTERFACE -fPIE)
target_link_options(sonde_options INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed)

if(SONDE_SANITIZE)
    target_compile_options(sonde_options INTERFACE
        -fsanitize=${SONDE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(sonde_options INTERFACE -fsanitize=${SONDE_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    target_compile_options(sonde_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    # The same sources give the same bytes, wherever they are built: assertions name their file,
    # and the linker's id is made of the debugging information too.
    target_compile_options(sonde_options INTERFACE -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
endif()
if(SONDE_FUZZ)
    target_compile_options(sonde_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(SONDE_COVERAGE)
    target_compile_options(sonde_options INTERFACE --coverage)
    target_link_options(sonde_options INTERFACE --coverage)
endif()

# Assertions stay in every build: a broken invariant stops here, not in a target.
foreach(type RELEASE RELWITHDEBINFO MINSIZEREL)
    string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}")
endforeach()
