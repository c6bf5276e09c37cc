/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/common/fuzz.h"
#include "fuzz/planted/faults.h"

PLANTED(uninitialised);
