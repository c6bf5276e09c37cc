# SPDX-License-Identifier: Apache-2.0
"""@slabmill_afl: AFL++ as a fuzzing engine, if it is installed (Debian: afl++)."""

_FOLDERS = ["/usr/lib/afl", "/usr/local/lib/afl"]
_DRIVER = "libAFLDriver.a"
_RUNTIME = "afl-compiler-rt.o"

_BUILD = """
load("@rules_cc//cc:defs.bzl", "cc_library")
load("@rules_fuzzing//fuzzing:cc_defs.bzl", "cc_fuzzing_engine")

cc_library(
    name = "engine_lib",
    # The driver's classes are C++.
    linkopts = {linkopts},
)

cc_fuzzing_engine(
    name = "engine",
    display_name = "AFL++",
    launcher = "launcher.sh",
    library = ":engine_lib",
    visibility = ["//visibility:public"],
)
"""

# For <name>_run alone: a night starts <name>_bin itself.
_LAUNCHER = """#!/bin/sh
echo "a night (//fuzz:overnight) runs AFL++; by hand: afl-fuzz -i IN -o OUT -- $FUZZER_BINARY" >&2
exit 1
"""

def _find(repository_ctx):
    for folder in _FOLDERS:
        path = repository_ctx.path(folder)
        if path.get_child(_DRIVER).exists and path.get_child(_RUNTIME).exists:
            return folder
    return None

def _afl_repository_impl(repository_ctx):
    folder = _find(repository_ctx)
    found = [folder + "/" + _DRIVER, folder + "/" + _RUNTIME, "-lstdc++"] if folder else []
    repository_ctx.file("BUILD", _BUILD.format(linkopts = found))
    repository_ctx.file("launcher.sh", _LAUNCHER)
    repository_ctx.file("found.bzl", "AFL_FOUND = %s\n" % bool(folder))

# Local: each start of a Bazel server searches again, so a new installation is found.
afl_repository = repository_rule(
    implementation = _afl_repository_impl,
    local = True,
)
