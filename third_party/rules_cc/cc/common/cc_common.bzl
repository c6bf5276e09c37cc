# SPDX-License-Identifier: Apache-2.0
"""The label of rules_cc, served by what Bazel 4 has built in."""

load(":native_info.bzl", "NATIVE_CC_COMMON")

cc_common = NATIVE_CC_COMMON
