# SPDX-License-Identifier: Apache-2.0
"""The label by which newer BUILD files load cc_test."""

load(":defs.bzl", _cc_test = "cc_test")

cc_test = _cc_test
