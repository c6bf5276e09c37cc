# SPDX-License-Identifier: Apache-2.0
"""The label by which newer BUILD files load cc_library."""

load(":defs.bzl", _cc_library = "cc_library")

cc_library = _cc_library
