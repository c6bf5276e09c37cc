# SPDX-License-Identifier: Apache-2.0
"""GoogleTest suites of the project: cc_gtest."""

load("@rules_cc//cc:defs.bzl", "cc_test")
load("//bazel:copts.bzl", "SLM_CXXOPTS")
load("//bazel:precompiled.bzl", "using_precompiled")

_PRECOMPILED = "//bazel:gtest"

def cc_gtest(name, srcs = None, copts = [], deps = [], size = "small", tags = [], **kwargs):
    """Declares a suite in <name>.cc, or in srcs, without a main of its own.

    Not for MSan: GoogleTest needs libstdc++, which is not instrumented.
    """
    if not [flag for flag in copts if "sanitize" in flag]:
        # clang takes no header that it read under other sanitizers.
        copts = copts + select({
            "//bazel:clang": using_precompiled(_PRECOMPILED),
            "//conditions:default": [],
        })
        deps = deps + select({
            "//bazel:clang": [_PRECOMPILED],
            "//conditions:default": [],
        })
    cc_test(
        name = name,
        size = size,
        srcs = srcs or [name + ".cc"],
        copts = SLM_CXXOPTS + copts,
        tags = tags + ["nomsan"],
        deps = deps + ["@com_google_googletest//:gtest_main"],
        **kwargs
    )
