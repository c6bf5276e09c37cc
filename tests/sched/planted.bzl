# SPDX-License-Identifier: Apache-2.0
"""planted_fault: a test that a fault in a copy of one source file is found by the schedules."""

load("@rules_cc//cc:defs.bzl", "cc_library", "cc_test")
load("//bazel:copts.bzl", "SLM_COPTS", "SLM_CXXOPTS")

def planted_fault(name, source, edit, args):
    """The fault is a text edit, so that the library has no place for faults in it.

    Args:
      name: of the test.
      source: the allocator's file.
      edit: a sed script; the build fails if it changes nothing.
      args: of planted_main.cc: what to run, and the law that must be broken.
    """
    native.genrule(
        name = name + "_source",
        testonly = True,
        srcs = ["//allocator:" + source],
        outs = [name + "_fault_" + source],
        cmd = "sed '%s' $< > $@; ! cmp -s $< $@" % edit.replace("$", "$$"),
    )

    # Whole, and before the library: its members of the same file are not needed then.
    cc_library(
        name = name + "_fault",
        testonly = True,
        srcs = [name + "_source"],
        copts = SLM_COPTS + ["-O2"],
        alwayslink = True,
        deps = ["//allocator:sched"],
    )
    cc_test(
        name = name,
        size = "small",
        srcs = ["planted_main.cc"],
        args = ["'%s'" % arg for arg in args],
        copts = SLM_CXXOPTS,
        linkstatic = True,
        tags = ["nomsan"],
        deps = [
            ":" + name + "_fault",
            ":lock_world",
            ":zone_world",
        ],
    )
