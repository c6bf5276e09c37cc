# SPDX-License-Identifier: Apache-2.0
"""A file cannot define a name that it reads from Bazel, so cc_info.bzl reads it here."""

NATIVE_CC_INFO = CcInfo
