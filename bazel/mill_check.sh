#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slabmill check as a test. Usage: mill_check.sh COMMAND ADAPTER OPS
command=$PWD/$1
cd "${TEST_UNDECLARED_OUTPUTS_DIR:-${TEST_TMPDIR:-.}}" || exit 2
exec "$command" check --adapter "$2" --ops "$3"
