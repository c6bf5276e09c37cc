# SPDX-License-Identifier: Apache-2.0
"""precompiled_header: a C++ header that clang has read once, for all sources that include it."""

load("@rules_cc//cc/common:cc_common.bzl", "cc_common")
load("@rules_cc//cc/common:cc_info.bzl", "CcInfo")

# For a source that uses it. Its paths are relative to the folder of the build, its "sysroot":
# Bazel compares the files that a source reads with its inputs, and knows no absolute path.
def using_precompiled(label):
    return ["-include-pch", "$(execpath %s)" % label, "-Xclang", "-isysroot", "-Xclang", "."]

_MAKING = [
    "-x",
    "c++-header",
    "-fpch-instantiate-templates",
    "-relocatable-pch",
    "-Xclang",
    "-isysroot",
    "-Xclang",
    "/proc/self/cwd/",
    # Bazel may take it from its cache, for sources that were checked out later.
    "-Xclang",
    "-fno-pch-timestamp",
]

def _precompiled_header_impl(ctx):
    toolchain = ctx.attr._cc_toolchain[cc_common.CcToolchainInfo]
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    _, outputs = cc_common.compile(
        name = ctx.label.name,
        actions = ctx.actions,
        cc_toolchain = toolchain,
        compilation_contexts = [ctx.attr.dep[CcInfo].compilation_context],
        feature_configuration = features,
        srcs = [ctx.file.src],
        user_compile_flags = ctx.attr.copts + _MAKING,
    )

    # Bazel compiles the source of a program alike: in opt without -fPIC.
    objects = outputs.objects if ctx.var["COMPILATION_MODE"] == "opt" else outputs.pic_objects
    files = depset(objects)
    headers = depset([ctx.file.src], transitive = [files])
    return [
        DefaultInfo(files = files),
        CcInfo(compilation_context = cc_common.create_compilation_context(headers = headers)),
    ]

precompiled_header = rule(
    doc = "For clang only. A source has it in deps and using_precompiled() in copts.",
    implementation = _precompiled_header_impl,
    attrs = {
        "copts": attr.string_list(),
        "dep": attr.label(mandatory = True, providers = [CcInfo]),
        "src": attr.label(mandatory = True, allow_single_file = [".cc"]),
        "_cc_toolchain": attr.label(default = "@rules_cc//cc:current_cc_toolchain"),
    },
    fragments = ["cpp"],
)
