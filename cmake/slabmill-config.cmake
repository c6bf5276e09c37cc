# SPDX-License-Identifier: Apache-2.0
# What find_package(slabmill) reads. Targets: slabmill::slabmill, and, where they are installed,
# slabmill::shared and slabmill::static.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/slabmill-targets.cmake)
