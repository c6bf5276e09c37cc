# SPDX-License-Identifier: Apache-2.0
"""with_every_check: a library and all that it links, built with SLM_CHECKS=3 under any flags."""

load("@rules_cc//cc/common:cc_info.bzl", "CcInfo")

_COPT = "//command_line_option:copt"
_LEVEL = "-DSLM_CHECKS="

# For sources that include the library's headers.
CHECKED_COPTS = ["-USLM_CHECKS", _LEVEL + "3"]

def _level_3_impl(settings, attr):
    flags = settings[_COPT]
    if _LEVEL + "3" not in flags:
        flags = [flag for flag in flags if not flag.startswith(_LEVEL)] + [_LEVEL + "3"]
    return {_COPT: flags}

_level_3 = transition(
    implementation = _level_3_impl,
    inputs = [_COPT],
    outputs = [_COPT],
)

def _with_every_check_impl(ctx):
    # A transition on an attribute makes the attribute a list.
    return [ctx.attr.library[0][CcInfo]]

with_every_check = rule(
    implementation = _with_every_check_impl,
    attrs = {
        "library": attr.label(
            cfg = _level_3,
            mandatory = True,
            providers = [CcInfo],
        ),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)
