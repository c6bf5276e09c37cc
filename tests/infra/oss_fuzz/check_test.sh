#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh makes artefacts of every target that OSS-Fuzz would take.
set -eu
exec bash fuzz/oss-fuzz/check.sh --quick
