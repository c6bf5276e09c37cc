// SPDX-License-Identifier: Apache-2.0
// What clang reads once for all suites (precompiled.bzl).
#include <gtest/gtest.h>
