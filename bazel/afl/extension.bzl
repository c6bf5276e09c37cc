# SPDX-License-Identifier: Apache-2.0
"""@slabmill_afl for Bazel 7 and later, where MODULE.bazel declares repositories."""

load(":repository.bzl", "afl_repository")

def _afl_impl(_ctx):
    afl_repository(name = "slabmill_afl")

afl = module_extension(implementation = _afl_impl)
