# SPDX-License-Identifier: Apache-2.0
"""faulty_copy: a source file with a fault; planted_fault: a test that the schedules find it."""

load("@rules_cc//cc:defs.bzl", "cc_library", "cc_test")
load("//bazel:copts.bzl", "SLM_COPTS", "SLM_CXXOPTS")

def faulty_copy(name, source, edit, deps):
    """A library of the edited file alone, which is linked in place of the right one.

    The fault is a text edit, so that the library has no place for faults in it.

    Args:
      name: of the library.
      source: the file, from allocator/ on.
      edit: a sed script; the build fails if it changes nothing.
      deps: the allocator's library that has the file, and others with headers that it includes.
    """
    room, file = source.split("/")
    native.genrule(
        name = name + "_source",
        testonly = True,
        srcs = ["//allocator/%s:%s" % (room, file)],
        outs = [name + "_" + file],
        cmd = "sed '%s' $< > $@; ! cmp -s $< $@" % edit.replace("$", "$$"),
    )

    # Link the whole library, and before the real one: the linker then takes no member of that file
    # from the real library.
    cc_library(
        name = name,
        testonly = True,
        srcs = [name + "_source"],
        copts = SLM_COPTS + ["-O2"],
        alwayslink = True,
        deps = deps,
    )

def planted_fault(name, source, edit, args):
    """A test that the schedules find a fault.

    Args:
      name: of the test.
      source: the file, from allocator/ on.
      edit: as for faulty_copy.
      args: of planted_main.cc: what to run, and the law that must be broken.
    """
    faulty_copy(
        name = name + "_fault",
        source = source,
        edit = edit,
        deps = ["//harness/sched:library"],
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
            "//harness/sched",
        ],
    )
