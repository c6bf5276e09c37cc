# SPDX-License-Identifier: Apache-2.0
"""<name>_run: starts the engine on the instrumented binary."""

load(":engine.bzl", "CcFuzzingEngineInfo")

_HEAD = """#!/bin/sh
FUZZ_TARGET_NAME={name}
FUZZER_BINARY="$PWD/{binary}"
FUZZER_SEED_CORPUS_DIR="$PWD/{corpus}"
FUZZER_DICTIONARY_PATH="$PWD/{dictionary}"
FUZZ_ENGINE_LAUNCHER="$PWD/{engine}"
. "$PWD/{body}"
"""

def _fuzzing_launcher_impl(ctx):
    engine = ctx.attr.engine[CcFuzzingEngineInfo].launcher
    script = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(
        output = script,
        content = _HEAD.format(
            name = ctx.attr.target_name,
            binary = ctx.executable.binary.short_path,
            corpus = ctx.file.corpus.short_path,
            dictionary = ctx.file.dictionary.short_path,
            engine = engine.short_path,
            body = ctx.file._body.short_path,
        ),
        is_executable = True,
    )
    files = [ctx.file.corpus, ctx.file.dictionary, engine, ctx.file._body]
    runfiles = ctx.runfiles(files = files)
    runfiles = runfiles.merge(ctx.attr.binary[DefaultInfo].default_runfiles)
    return [DefaultInfo(executable = script, runfiles = runfiles)]

fuzzing_launcher = rule(
    implementation = _fuzzing_launcher_impl,
    attrs = {
        "binary": attr.label(executable = True, cfg = "target", mandatory = True),
        "corpus": attr.label(allow_single_file = True, mandatory = True),
        "dictionary": attr.label(allow_single_file = True, mandatory = True),
        "engine": attr.label(providers = [CcFuzzingEngineInfo], mandatory = True),
        "target_name": attr.string(mandatory = True),
        "_body": attr.label(
            allow_single_file = True,
            default = "//fuzzing/tools:launcher.sh",
        ),
    },
    executable = True,
)
