# SPDX-License-Identifier: Apache-2.0
# slabmill_add_mill(NAME ADAPTER name SOURCES file... [LIBRARIES target...] [OPS number])
#
# The mill for an allocator. NAME is the slabmill command with the adapter in it, and NAME.check is
# its check as a test, with a soak of OPS operations (200000). Where GoogleTest is found,
# NAME_conformance is a suite of the directed programs, and a test. With clang, NAME_fuzz is a
# libFuzzer target, which `all` does not build.
#   ADAPTER    the name given to SLM_ADAPTER
#   SOURCES    of adapter and allocator
#   LIBRARIES  that they need
# The suite and the headers that it needs: installed, or in the source tree.
get_filename_component(SLABMILL_MILL_DIR ${CMAKE_CURRENT_LIST_DIR}/mill ABSOLUTE)
if(NOT EXISTS ${SLABMILL_MILL_DIR})
    get_filename_component(SLABMILL_MILL_DIR ${CMAKE_CURRENT_LIST_DIR}/.. ABSOLUTE)
endif()

function(slabmill_add_mill name)
    cmake_parse_arguments(PARSE_ARGV 1 mill "" "ADAPTER;OPS" "SOURCES;LIBRARIES")
    if(NOT mill_ADAPTER OR NOT mill_SOURCES OR mill_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "slabmill_add_mill: expected NAME ADAPTER name SOURCES file...")
    endif()
    if(NOT mill_OPS)
        set(mill_OPS 200000)
    endif()
    add_executable(${name} ${mill_SOURCES})
    target_link_libraries(${name} PRIVATE ${mill_LIBRARIES} slabmill::mill)
    # What `record` preloads: it looks for a file of this name next to the command.
    if(TARGET slabmill_record)
        set(record $<TARGET_FILE:slabmill_record>)
        add_dependencies(${name} slabmill_record)
    else()
        set(record ${SLABMILL_MILL_DIR}/slabmill_record.so)
    endif()
    add_custom_command(TARGET ${name} POST_BUILD
        COMMAND ${CMAKE_COMMAND} -E copy ${record} $<TARGET_FILE:${name}>_record.so)
    add_test(NAME ${name}.check
        COMMAND ${name} check --adapter ${mill_ADAPTER} --ops ${mill_OPS})
    find_package(GTest QUIET)
    if(GTest_FOUND AND CMAKE_CXX_COMPILER)
        add_executable(${name}_conformance ${mill_SOURCES} 
            ${SLABMILL_MILL_DIR}/harness/conformance/gtest/suite.cc)
        target_compile_features(${name}_conformance PRIVATE cxx_std_17)
        target_include_directories(${name}_conformance PRIVATE ${SLABMILL_MILL_DIR})
        target_link_libraries(${name}_conformance PRIVATE
            ${mill_LIBRARIES} GTest::gtest_main slabmill::mill)
        add_test(NAME ${name}.conformance COMMAND ${name}_conformance)
    endif()
    if(CMAKE_C_COMPILER_ID MATCHES "Clang")
        set(adapter_name ${CMAKE_CURRENT_BINARY_DIR}/${name}_adapter_name.c)
        file(CONFIGURE OUTPUT ${adapter_name} CONTENT
            "extern const char hrn_fuzz_adapter_name[];\nconst char hrn_fuzz_adapter_name[] = \"${mill_ADAPTER}\";\n")
        add_executable(${name}_fuzz EXCLUDE_FROM_ALL ${mill_SOURCES} ${adapter_name})
        target_compile_options(${name}_fuzz PRIVATE -g -fsanitize=fuzzer,address,undefined)
        target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer,address,undefined)
        target_link_libraries(${name}_fuzz PRIVATE ${mill_LIBRARIES} slabmill::mill_fuzz)
    endif()
endfunction()
