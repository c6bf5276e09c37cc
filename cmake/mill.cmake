# SPDX-License-Identifier: Apache-2.0
# The mill without Bazel: the slabmill command, and libraries for a command and a fuzz target with
# an allocator of the user's own (slabmill_add_mill in slabmill-mill.cmake).
file(GLOB mill_sources CONFIGURE_DEPENDS harness/*/*.c tools/slabmill/*.c tools/slabmill/inspect/*.c)
# The scheduler sees the library's insides; the zoo is for tests; afl.c is a plugin of AFL++; the demo
# is a program.
list(FILTER mill_sources EXCLUDE REGEX
    "harness/sched/|harness/zoo/|inputs/afl\\.c|inspect/demo_zone\\.c")
file(GLOB fuzz_sources CONFIGURE_DEPENDS fuzz/common/*.c fuzz/any/any.c)

function(slabmill_mill_options target)
    set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
        POSITION_INDEPENDENT_CODE ON)
    target_include_directories(${target} PRIVATE include .)
    target_compile_definitions(${target} PRIVATE _FILE_OFFSET_BITS=64)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wvla -Wstrict-prototypes)
endfunction()

add_library(slabmill_mill_objects OBJECT ${mill_sources})
slabmill_mill_options(slabmill_mill_objects)

# With main: a program that has none of its own, and an adapter, is the command.
add_library(slabmill_mill STATIC $<TARGET_OBJECTS:slabmill_mill_objects>)
set_target_properties(slabmill_mill PROPERTIES EXPORT_NAME mill LINKER_LANGUAGE C)
target_link_libraries(slabmill_mill INTERFACE slabmill_either ${CMAKE_DL_LIBS})
add_library(slabmill::mill ALIAS slabmill_mill)

# LLVMFuzzerTestOneInput.
add_library(slabmill_mill_fuzz STATIC ${fuzz_sources})
slabmill_mill_options(slabmill_mill_fuzz)
set_target_properties(slabmill_mill_fuzz PROPERTIES EXPORT_NAME mill_fuzz)
target_link_libraries(slabmill_mill_fuzz INTERFACE slabmill_mill)
# libFuzzer only asks whether they are there, and so loads no member of an archive.
target_link_options(slabmill_mill_fuzz INTERFACE
    LINKER:-u,LLVMFuzzerCustomMutator LINKER:-u,LLVMFuzzerCustomCrossOver)
add_library(slabmill::mill_fuzz ALIAS slabmill_mill_fuzz)

add_executable(slabmill_command $<TARGET_OBJECTS:slabmill_mill_objects>)
set_target_properties(slabmill_command PROPERTIES OUTPUT_NAME slabmill LINKER_LANGUAGE C)
# The command works where no ldconfig has run yet.
list(GET targets -1 mill_library)
target_link_libraries(slabmill_command PRIVATE ${mill_library} ${CMAKE_DL_LIBS})

# What `slabmill record` preloads, where the command looks for it.
add_library(slabmill_record MODULE tools/slabmill/record/preload.c)
slabmill_mill_options(slabmill_record)
set_target_properties(slabmill_record PROPERTIES PREFIX "" LINKER_LANGUAGE C)
target_link_libraries(slabmill_record PRIVATE Threads::Threads ${CMAKE_DL_LIBS})

if(PROJECT_IS_TOP_LEVEL)
    install(TARGETS slabmill_mill slabmill_mill_fuzz slabmill_command EXPORT slabmill)
    install(TARGETS slabmill_record LIBRARY DESTINATION lib/slabmill)
    foreach(page IN ITEMS man completion)
        add_custom_command(OUTPUT slabmill.${page} DEPENDS slabmill_command
            COMMAND slabmill_command --${page} > slabmill.${page})
    endforeach()
    add_custom_target(slabmill_pages ALL DEPENDS slabmill.man slabmill.completion)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/slabmill.man RENAME slabmill.1
        DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/slabmill.completion RENAME slabmill
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    set(mill_dir ${CMAKE_INSTALL_LIBDIR}/cmake/slabmill)
    # For commands that slabmill_add_mill makes.
    install(FILES $<TARGET_FILE:slabmill_record> DESTINATION ${mill_dir}/mill)
    install(FILES cmake/slabmill-mill.cmake DESTINATION ${mill_dir})
    install(FILES harness/conformance/gtest/suite.cc DESTINATION
        ${mill_dir}/mill/harness/conformance/gtest)
    foreach(room IN ITEMS conformance laws program registry run)
        file(GLOB room_headers CONFIGURE_DEPENDS harness/${room}/*.h)
        install(FILES ${room_headers} DESTINATION ${mill_dir}/mill/harness/${room})
    endforeach()
endif()
include(cmake/slabmill-mill.cmake)
