# SPDX-License-Identifier: Apache-2.0
"""The same for Bazel 7 and later, which declares repositories in MODULE.bazel."""

load(":repository.bzl", "afl_repository")

def _afl_impl(_ctx):
    afl_repository(name = "slabmill_afl")

afl = module_extension(implementation = _afl_impl)
