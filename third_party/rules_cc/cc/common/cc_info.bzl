# SPDX-License-Identifier: Apache-2.0
"""The label of rules_cc, served by the provider that Bazel 4 has built in."""

load(":native_info.bzl", "NATIVE_CC_INFO")

CcInfo = NATIVE_CC_INFO
