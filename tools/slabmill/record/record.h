/* SPDX-License-Identifier: Apache-2.0 */
/* What the slabmill command and the library that it preloads agree on. */
#ifndef MILL_RECORD_H
#define MILL_RECORD_H

/* Environment variables: the absolute path of the trace, and the process that writes it. */
#define MILL_RECORD_FILE    "SLABMILL_RECORD_FILE"
#define MILL_RECORD_PROCESS "SLABMILL_RECORD_PROCESS"

#endif
