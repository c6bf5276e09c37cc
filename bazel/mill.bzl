# SPDX-License-Identifier: Apache-2.0
"""allocator_mill: the mill for an allocator of any workspace."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_test")
load("@rules_fuzzing//fuzzing:cc_defs.bzl", "cc_fuzz_test")
load("@rules_shell//shell:sh_binary.bzl", "sh_binary")
load("@rules_shell//shell:sh_test.bzl", "sh_test")
load("//fuzz/overnight:variants.bzl", "overnight_variants")

def allocator_mill(name, adapter, deps, ops = 200000, tags = []):
    """Declares what the mill does with an allocator.

    <name> is the slabmill command with the adapter in it; <name>_check, a test, is its check;
    <name>_conformance is a GoogleTest suite of the directed programs alone; <name>_fuzz is a fuzz
    test, as cc_fuzz_test declares them, and begins with generated programs; <name>_night is a
    program that fuzzes for a night (docs/fuzzing.md): bazel run :<name>_night -- --hours 8.

    Args:
      name: of the command.
      adapter: the name given to SLM_ADAPTER.
      deps: cc_libraries with the adapter and the allocator. The adapter's needs alwayslink and
        linkstatic, since only the linker's list names it.
      ops: operations of the test's soak.
      tags: of the tests.
    """
    cc_binary(
        name = name,
        testonly = True,
        data = [name + "_record.so"],
        deps = deps + [Label("//tools/slabmill:command")],
    )

    # What `record` preloads: it looks for a file of this name next to the command.
    native.genrule(
        name = name + "_record",
        srcs = [Label("//tools/slabmill:slabmill_record.so")],
        outs = [name + "_record.so"],
        cmd = "cp $< $@",
    )
    sh_test(
        name = name + "_check",
        size = "medium",
        srcs = [Label("//bazel:mill_check.sh")],
        args = ["$(location :%s)" % name, adapter, str(ops)],
        data = [":" + name],
        tags = tags,
    )
    cc_test(
        name = name + "_conformance",
        size = "small",
        tags = tags + ["nomsan"],
        deps = deps + [Label("//harness/conformance/gtest")],
    )
    native.genrule(
        name = name + "_seeds",
        testonly = True,
        outs = ["%s_seeds/soak-%s-1-0000%d" % (name, adapter, round) for round in range(10)],
        # A soak that finds a bug ends there: the target is for finding more.
        cmd = ("$(location :{name}) soak --adapter {adapter} --seed 1 --rounds 10" +
               " --save-seeds $(@D)/{name}_seeds -o $(@D)/found.trace || [ $$? -eq 1 ];" +
               " for seed in $(OUTS); do [ -e $$seed ] || : > $$seed; done").format(
            adapter = adapter,
            name = name,
        ),
        tags = tags,
        tools = [":" + name],
    )
    native.genrule(
        name = name + "_fuzz_name",
        outs = [name + "_fuzz_name.c"],
        cmd = "echo 'extern const char hrn_fuzz_adapter_name[];" +
              " const char hrn_fuzz_adapter_name[] = \"%s\";' > $@" % adapter,
    )
    cc_fuzz_test(
        name = name + "_fuzz",
        testonly = True,
        srcs = [name + "_fuzz_name.c"],
        corpus = [":%s_seeds" % name],
        tags = tags,
        deps = deps + [Label("//fuzz/any")],
    )
    _night(name)

def _night(name):
    """Manual: it needs the fuzz target in every build."""
    folder = name + "_night_files"

    # external/NAME, next to which runfiles have ../NAME; empty in slabmill's own workspace.
    root = Label("//fuzz/overnight").workspace_root
    mill = ["--mill-folder=" + root.replace("external", "..", 1)] if root else []
    package = native.package_name() + "/" if native.package_name() else ""
    overnight_variants(
        name = folder,
        targets = {name + "_fuzz": []},
    )
    sh_binary(
        name = name + "_night",
        testonly = True,
        srcs = [Label("//fuzz/overnight:overnight.sh")],
        args = mill + ["--night-folder=" + package + folder],
        data = [
            ":" + folder,
            Label("//fuzz/overnight:runner"),
        ],
        tags = ["manual"],
    )
