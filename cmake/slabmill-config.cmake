# SPDX-License-Identifier: Apache-2.0
# What find_package(slabmill) reads. Targets: slabmill::slabmill, and, where they are installed,
# slabmill::shared and slabmill::static; slabmill::mill, slabmill::mill_fuzz and the function
# slabmill_add_mill.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/slabmill-targets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/slabmill-mill.cmake OPTIONAL)
