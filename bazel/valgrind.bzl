# SPDX-License-Identifier: Apache-2.0
"""For tests that run a program under Valgrind."""

# Valgrind cannot run a program that has one of these sanitizers inside.
RUNS_UNDER_VALGRIND = select({
    "//bazel:linked_with_address": ["@platforms//:incompatible"],
    "//bazel:linked_with_memory": ["@platforms//:incompatible"],
    "//bazel:linked_with_thread": ["@platforms//:incompatible"],
    "//conditions:default": [],
})
