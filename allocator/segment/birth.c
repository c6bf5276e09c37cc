/* SPDX-License-Identifier: Apache-2.0 */
/* When a file was made. In a unit of its own: musl 1.2.3 and glibc before 2.28 have no statx, and
 * the system's header with its struct does not go with every <sys/stat.h>. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "allocator/segment/birth.h"

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000 /* <fcntl.h>, which brings <sys/stat.h> along */
#endif

uint64_t slm_segment_birth(int fd)
{
    struct statx file = {0};
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BTIME, &file) != 0 ||
        (file.stx_mask & STATX_BTIME) == 0) {
        return 0;
    }
    return (uint64_t)file.stx_btime.tv_sec * 1000000000u + file.stx_btime.tv_nsec;
}
