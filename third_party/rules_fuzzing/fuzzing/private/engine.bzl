# SPDX-License-Identifier: Apache-2.0
"""A fuzzing engine: a library with main(), and a script that starts a binary linked with it."""

load("@rules_cc//cc/common:cc_info.bzl", "CcInfo")

CcFuzzingEngineInfo = provider(
    doc = "How to start a fuzz binary that was linked with the engine.",
    fields = {
        "display_name": "name for messages",
        "launcher": "script that reads the FUZZER_* variables",
    },
)

def _cc_fuzzing_engine_impl(ctx):
    return [
        ctx.attr.library[CcInfo],
        CcFuzzingEngineInfo(
            display_name = ctx.attr.display_name,
            launcher = ctx.file.launcher,
        ),
    ]

cc_fuzzing_engine = rule(
    implementation = _cc_fuzzing_engine_impl,
    attrs = {
        "display_name": attr.string(mandatory = True),
        "launcher": attr.label(allow_single_file = True, mandatory = True),
        "library": attr.label(providers = [CcInfo], mandatory = True),
    },
    provides = [CcInfo, CcFuzzingEngineInfo],
)
