# SPDX-License-Identifier: Apache-2.0
"""Passes the environment of OSS-Fuzz's base-builder image to the build."""

_BUILD = """
load("@rules_cc//cc:defs.bzl", "cc_library")
load("@rules_fuzzing//fuzzing:cc_defs.bzl", "cc_fuzzing_engine")

cc_library(
    name = "oss_fuzz_engine_lib",
    linkopts = {linkopts},
)

cc_fuzzing_engine(
    name = "oss_fuzz_engine",
    display_name = "OSS-Fuzz",
    launcher = "@rules_fuzzing//fuzzing/engines:libfuzzer_launcher.sh",
    library = ":oss_fuzz_engine_lib",
    visibility = ["//visibility:public"],
)

cc_library(
    name = "oss_fuzz_java_engine",
    visibility = ["//visibility:public"],
)
"""

_INSTRUM = """
OSS_FUZZ_CFLAGS = {cflags}
OSS_FUZZ_CXXFLAGS = {cxxflags}
"""

def _words(text):
    return [word for word in text.split(" ") if word]

def _oss_fuzz_repository_impl(repository_ctx):
    env = repository_ctx.os.environ
    repository_ctx.file("BUILD", _BUILD.format(
        linkopts = _words(env.get("LIB_FUZZING_ENGINE", "-fsanitize=fuzzer")),
    ))
    repository_ctx.file("instrum.bzl", _INSTRUM.format(
        cflags = _words(env.get("CFLAGS", "")),
        cxxflags = _words(env.get("CXXFLAGS", "")),
    ))

oss_fuzz_repository = repository_rule(
    implementation = _oss_fuzz_repository_impl,
    environ = ["CFLAGS", "CXXFLAGS", "LIB_FUZZING_ENGINE"],
    local = True,
)
