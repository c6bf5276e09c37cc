/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator with a planted bug that this process fuzzes. */
#ifndef PLANTED_CHOICE_H
#define PLANTED_CHOICE_H

#include <slabmill/adapter.h>

/* HRN_PLANTED names it: a bug of the zoo or of harness/broken. Without HRN_PLANTED: our slab. An
 * unknown name is reported, and ends the process with status 2. "list" prints name, class and
 * sentence of each bug, separated by tabs, and ends the process. If HRN_PLANTED_SILENT is set, the
 * adapter promises nothing. */
const struct slm_adapter *hrn_planted_choice(void);

#endif
