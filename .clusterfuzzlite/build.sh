#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
# The environment is that of OSS-Fuzz, and so is the build.
exec bash -eu fuzz/oss-fuzz/build.sh
