# SPDX-License-Identifier: Apache-2.0
"""Compiler options of the project's own targets: SLM_COPTS for C, SLM_CXXOPTS for C++."""

_WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wshadow",
    "-Wundef",
    "-Wvla",
    "-Werror",
]

# A program of 32 bits sees the whole length of a file (allocator/base/large_files.h).
_LARGE_FILES = ["-D_FILE_OFFSET_BITS=64"]

def _warnings(flags):
    """Other workspaces have compilers of their own: there, no warning of ours may end a build."""
    return select({
        str(Label("//bazel:own_workspace")): flags,
        "//conditions:default": [],
    })

# A target's copts go to all of its sources, so C and C++ need separate targets.
SLM_COPTS = ["-std=c11"] + _LARGE_FILES + _warnings(_WARNINGS + ["-Wstrict-prototypes"])

SLM_CXXOPTS = ["-std=c++17"] + _LARGE_FILES + _warnings(_WARNINGS)
