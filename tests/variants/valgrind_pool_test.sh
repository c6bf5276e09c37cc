#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs each deed of valgrind_pool under memcheck and expects exactly the report that belongs to it.
set -u
. "$(dirname "$0")/valgrind_expect.sh"

expect live_well 0
expect use_after_reset 1 'Invalid read of size 1'
expect read_past_object 1 'Invalid read of size 1'
expect use_after_put 1 'Invalid read of size 1'
expect use_undefined 1 'depends on uninitialised value'
exit $failed
