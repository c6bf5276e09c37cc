#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
# Same environment as OSS-Fuzz, same build.
exec bash -eu fuzz/oss-fuzz/build.sh
