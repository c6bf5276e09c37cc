/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for the files of a fuzz target. */
#ifndef HRN_FUZZ_FOLDER_H
#define HRN_FUZZ_FOLDER_H

#ifdef __cplusplus
extern "C" {
#endif

enum { HRN_FUZZ_FOLDER_BYTES = 512 }; /* its path and the final zero */

/*
 * The path of this process's folder, which the first call makes: in TEST_TMPDIR, else in memory if
 * there is such a folder (some machines have none), else in TMPDIR or /tmp. A child of fork, whose
 * first call makes another one, keeps its parent's as it is. The folder and its files go when the
 * process ends by exit or by a broken law; after a crash or a kill, when a later process makes its
 * own. One thread makes the first call. NULL: there is no folder; errno.
 */
const char *hrn_fuzz_folder(void);

#ifdef __cplusplus
}
#endif
#endif
