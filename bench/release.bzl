# SPDX-License-Identifier: Apache-2.0
"""release: a program that is built in one way in every configuration."""

_COPT = "//command_line_option:copt"
_CONLYOPT = "//command_line_option:conlyopt"
_CXXOPT = "//command_line_option:cxxopt"
_LINKOPT = "//command_line_option:linkopt"
_MODE = "//command_line_option:compilation_mode"

def _plain_impl(settings, attr):
    return {
        _COPT: [],
        _CONLYOPT: [],
        _CXXOPT: [],
        _LINKOPT: ["-fuse-ld=bfd"],
        _MODE: "opt",
    }

_plain = transition(
    implementation = _plain_impl,
    inputs = [],
    outputs = [_COPT, _CONLYOPT, _CXXOPT, _LINKOPT, _MODE],
)

def _release_impl(ctx):
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

# As with -c opt, without sanitizers and without other flags of the command line: figures of one
# machine can be compared, and instruments would be measured too.
release = rule(
    implementation = _release_impl,
    attrs = {
        "binary": attr.label(
            cfg = _plain,
            executable = True,
            mandatory = True,
        ),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
    executable = True,
)
