# SPDX-License-Identifier: Apache-2.0
"""written_test: a test that a tool of the project wrote for a bug."""

load("@rules_cc//cc:defs.bzl", "cc_binary")
load("@rules_shell//shell:sh_test.bzl", "sh_test")
load("//bazel:copts.bzl", "SLM_CXXOPTS")
load("//bazel:gtest.bzl", "cc_gtest")

def written_test(name, cmd, tool, sound, status, expected_lines, deps):
    """Writes a test of a bug, and checks that it fails with the bug and passes without it.

    Declares <name>_test, which runs the written test and expects it to fail, and <name>_sound_test,
    the same test with the allocator without the bug, which must pass.

    Args:
      name: of the binary that is the written test.
      cmd: the command that writes its source, as in a genrule.
      tool: the program that cmd calls.
      sound: a sed script that replaces the broken allocator by the sound one.
      status: the exit status of the written test.
      expected_lines: lines that the written test must print.
      deps: of the written test.
    """
    native.genrule(
        name = name + "_source",
        testonly = True,
        outs = [name + "_test.cc"],
        cmd = cmd,
        tools = [tool],
    )
    native.genrule(
        name = name + "_sound_source",
        testonly = True,
        srcs = [name + "_source"],
        outs = [name + "_sound_test.cc"],
        cmd = "sed '%s' $< > $@; ! cmp -s $< $@" % sound,
    )
    cc_binary(
        name = name,
        testonly = True,
        srcs = [name + "_source"],
        copts = SLM_CXXOPTS,
        tags = ["nomsan"],
        deps = deps + ["@com_google_googletest//:gtest_main"],
    )
    sh_test(
        name = name + "_test",
        size = "small",
        srcs = ["//tests/harness:emitted_test.sh"],
        args = ["$(location :%s)" % name, str(status)] + ["'%s'" % line for line in expected_lines],
        data = [name],
        tags = ["nomsan"],
    )
    cc_gtest(
        name = name + "_sound_test",
        srcs = [name + "_sound_source"],
        deps = deps,
    )
