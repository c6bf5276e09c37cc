# SPDX-License-Identifier: Apache-2.0
"""Every fuzz target of a package, in each build that a night needs.

    overnight_variants(name = "night")   # last in the BUILD file: it sees the targets above it

makes <name>/<variant>/<target> in the runfiles, also <name>/seeds/<target>, and
<name>/dict/<target> if the target has a dictionary. Targets are found by the tag fuzz-test, so none
can be forgotten. All that is declared here is testonly, because fuzz binaries are.
"""

load("@slabmill_afl//:found.bzl", "AFL_FOUND")

_ENGINE = "@rules_fuzzing//fuzzing:cc_engine"
_INSTRUMENTATION = "@rules_fuzzing//fuzzing:cc_engine_instrumentation"
_SANITIZER = "@rules_fuzzing//fuzzing:cc_engine_sanitizer"
_COPT = "//command_line_option:copt"
_LINKOPT = "//command_line_option:linkopt"

# Full names: Bazel may read a transition's values in the workspace that uses this one, where our
# names of repositories mean nothing.
_AFL = str(Label("@slabmill_afl//:engine"))
_LIBFUZZER = str(Label("@rules_fuzzing//fuzzing/engines:libfuzzer"))
_REPLAY = str(Label("@rules_fuzzing//fuzzing/engines:replay"))

# engine, its instrumentation, sanitizer, further flags for compiler and linker.
_VARIANTS = {
    "afl": struct(
        engine = _AFL,
        instrumentation = "none",
        sanitizer = "asan-ubsan",
        # AFL++'s run-time library counts edges by this. The linker must not add libFuzzer's.
        copt = ["-fsanitize-coverage=trace-pc-guard"],
        linkopt = [],
    ),
    "asan-ubsan": struct(
        engine = _LIBFUZZER,
        instrumentation = "libfuzzer",
        sanitizer = "asan-ubsan",
        copt = [],
        linkopt = [],
    ),
    "coverage": struct(
        engine = _REPLAY,
        instrumentation = "none",
        sanitizer = "none",
        copt = ["-fprofile-instr-generate", "-fcoverage-mapping"],
        linkopt = ["-fprofile-instr-generate"],
    ),
    "msan": struct(
        engine = _LIBFUZZER,
        instrumentation = "libfuzzer",
        sanitizer = "msan",
        copt = [],
        linkopt = [],
    ),
    "tsan": struct(
        engine = _LIBFUZZER,
        instrumentation = "libfuzzer",
        sanitizer = "none",
        copt = ["-fsanitize=thread"],
        linkopt = ["-fsanitize=thread"],
    ),
}

def _build_as_impl(settings, attr):
    variant = _VARIANTS[attr.variant]
    return {
        _ENGINE: variant.engine,
        _INSTRUMENTATION: variant.instrumentation,
        _SANITIZER: variant.sanitizer,
        _COPT: settings[_COPT] + variant.copt,
        _LINKOPT: settings[_LINKOPT] + variant.linkopt,
    }

_build_as = transition(
    implementation = _build_as_impl,
    inputs = [_COPT, _LINKOPT],
    outputs = [_ENGINE, _INSTRUMENTATION, _SANITIZER, _COPT, _LINKOPT],
)

def _link(ctx, file, path):
    link = ctx.actions.declare_file(path)
    ctx.actions.symlink(output = link, target_file = file)
    return link

def _variant_impl(ctx):
    links = []
    runfiles = ctx.runfiles()
    for binary in ctx.attr.binaries:
        target = binary.label.name[:-len("_bin")]
        executable = binary[DefaultInfo].files_to_run.executable
        links.append(_link(ctx, executable, ctx.label.name + "/" + target))
        runfiles = runfiles.merge(binary[DefaultInfo].default_runfiles)
    runfiles = runfiles.merge(ctx.runfiles(files = links))
    return [DefaultInfo(files = depset(links), runfiles = runfiles)]

_variant = rule(
    implementation = _variant_impl,
    attrs = {
        "binaries": attr.label_list(cfg = _build_as, mandatory = True),
        "variant": attr.string(mandatory = True, values = _VARIANTS.keys()),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)

def _named_impl(ctx):
    links = [
        _link(ctx, label[DefaultInfo].files.to_list()[0], ctx.label.name + "/" + name)
        for label, name in ctx.attr.files_by_name.items()
    ]
    return [DefaultInfo(files = depset(links), runfiles = ctx.runfiles(files = links))]

_named = rule(
    implementation = _named_impl,
    attrs = {"files_by_name": attr.label_keyed_string_dict(allow_files = True)},
)

def _find_targets():
    """Returns {name: tags} of this package's fuzz tests so far; fails if there are none."""

    # By the tag: versions of rules_fuzzing differ in the kind of rule that a fuzz test is.
    targets = {
        name: rule["tags"]
        for name, rule in native.existing_rules().items()
        if rule["kind"] != "test_suite" and "fuzz-test" in rule["tags"]
    }
    if not targets:
        fail("//%s: no target above has the tag fuzz-test" % native.package_name())
    return targets

def _inputs_of(names):
    """Returns {folder: {label: target}} of all seeds, and of all dictionaries."""
    rules = native.existing_rules()
    return {
        folder: {":" + n + suffix: n for n in names if n + suffix in rules}
        for folder, suffix in (("seeds", "_corpus"), ("dict", "_dict"))
    }

def fuzz_target_files():
    """Declares :binaries, every <target>_bin, and :inputs, their seeds and dictionaries."""
    names = _find_targets().keys()
    native.filegroup(
        name = "binaries",
        testonly = True,
        srcs = [":" + n + "_bin" for n in names],
        tags = ["manual"],
    )
    native.filegroup(
        name = "inputs",
        testonly = True,
        srcs = [label for labels in _inputs_of(names).values() for label in labels],
        tags = ["manual"],
    )

def overnight_variants(name, targets = None):
    """Declares <name>, and <name>/asan-ubsan and so on.

    Args:
      name: of the filegroup of everything, and of the folder in the runfiles.
      targets: {name: tags} of the fuzz tests; None: all above in this package.
    """
    targets = targets or _find_targets()
    parts = []
    for variant in _VARIANTS:
        if variant == "afl" and not AFL_FOUND:
            continue
        # ThreadSanitizer is of use only to targets with threads.
        names = [n for n, tags in targets.items() if variant != "tsan" or "threads" in tags]
        if not names:
            continue
        part = name + "/" + variant
        _variant(
            name = part,
            testonly = True,
            binaries = [":" + n + "_bin" for n in names],
            tags = ["manual"],
            variant = variant,
        )
        parts.append(":" + part)
    for part, labels in _inputs_of(targets).items():
        _named(
            name = name + "/" + part,
            testonly = True,
            files_by_name = labels,
            tags = ["manual"],
        )
        parts.append(":" + name + "/" + part)
    native.filegroup(
        name = name,
        testonly = True,
        srcs = parts,
        tags = ["manual"],
        visibility = ["//visibility:public"],
    )
