# SPDX-License-Identifier: Apache-2.0
"""A file cannot define a name that it reads from Bazel, so cc_info.bzl and cc_common.bzl read it
here."""

NATIVE_CC_INFO = CcInfo
NATIVE_CC_COMMON = cc_common
