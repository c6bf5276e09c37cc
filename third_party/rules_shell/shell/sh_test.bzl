# SPDX-License-Identifier: Apache-2.0
"""The label of rules_shell, served by the rule that Bazel 4 has built in."""

sh_test = native.sh_test
