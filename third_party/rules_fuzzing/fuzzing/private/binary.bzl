# SPDX-License-Identifier: Apache-2.0
"""<name>_bin: a binary and everything that it links, rebuilt with instrumentation."""

load(":instrumentation.bzl", "instrumentation_flags")

_ENGINE = "@rules_fuzzing//fuzzing:cc_engine_instrumentation"
_SANITIZER = "@rules_fuzzing//fuzzing:cc_engine_sanitizer"
_BUILD_MODE = "@rules_fuzzing//fuzzing:cc_fuzzing_build_mode"
_COPT = "//command_line_option:copt"
_CONLYOPT = "//command_line_option:conlyopt"
_CXXOPT = "//command_line_option:cxxopt"
_LINKOPT = "//command_line_option:linkopt"
_STRIP = "//command_line_option:strip"

def _instrument_impl(settings, attr):
    flags = instrumentation_flags(
        settings[_ENGINE],
        settings[_SANITIZER],
        settings[_BUILD_MODE],
    )
    return {
        _COPT: settings[_COPT] + flags.copt,
        _CONLYOPT: settings[_CONLYOPT] + flags.conlyopt,
        _CXXOPT: settings[_CXXOPT] + flags.cxxopt,
        _LINKOPT: settings[_LINKOPT] + flags.linkopt,
        # The causes of findings are read from stack traces with line numbers.
        _STRIP: "never",
    }

_instrument = transition(
    implementation = _instrument_impl,
    inputs = [_ENGINE, _SANITIZER, _BUILD_MODE, _COPT, _CONLYOPT, _CXXOPT, _LINKOPT],
    outputs = [_COPT, _CONLYOPT, _CXXOPT, _LINKOPT, _STRIP],
)

def _cc_fuzzing_binary_impl(ctx):
    # A transition on an attribute makes the attribute a list.
    default = ctx.attr.binary[0][DefaultInfo]
    output = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(
        output = output,
        target_file = default.files_to_run.executable,
        is_executable = True,
    )
    return [DefaultInfo(
        executable = output,
        files = depset([output]),
        runfiles = ctx.runfiles(files = [output]).merge(default.default_runfiles),
    )]

cc_fuzzing_binary = rule(
    implementation = _cc_fuzzing_binary_impl,
    attrs = {
        "binary": attr.label(
            cfg = _instrument,
            executable = True,
            mandatory = True,
        ),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
    executable = True,
)
