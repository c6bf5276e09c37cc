# SPDX-License-Identifier: Apache-2.0
"""The label by which newer BUILD files load cc_binary."""

load(":defs.bzl", _cc_binary = "cc_binary")

cc_binary = _cc_binary
