/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of segments: reserved, shown, hidden. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_NORESERVE */
#endif
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "allocator/base/bits.h"
#include "allocator/segment/fail.h"
#include "allocator/segment/handle.h"
#include "allocator/segment/sys.h"

/* Reserves addresses without access rights, which the system does not count as memory. */
#define RESERVED_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

const struct slm_segment_sigbus *slm_segment_sigbus;

size_t slm_segment_system_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

enum slm_status slm_segment_set_sizes(struct slm_segment *segment, size_t bytes, size_t max_bytes,
                                      struct slm_error *error)
{
    if (max_bytes < bytes) {
        max_bytes = bytes;
    }
    /* Room for rounding, for alignment and for two guard pages. */
    size_t most_bytes = (size_t)PTRDIFF_MAX - 4 * segment->page_bytes;
    if (bytes == 0 || max_bytes > most_bytes) {
        bool is_bytes = bytes == 0 || bytes > most_bytes;
        return slm_error_set(error, SLM_E_SIZE, 0, "%s: %s %zu is not within 1 to %zu",
                             segment->label, is_bytes ? "bytes" : "max_bytes",
                             is_bytes ? bytes : max_bytes, most_bytes);
    }
    segment->bytes = slm_align_up(bytes, segment->page_bytes);
    segment->max_bytes = slm_align_up(max_bytes, segment->page_bytes);
    return SLM_OK;
}

enum slm_status slm_segment_check_size(const struct slm_segment *segment, size_t size_bytes,
                                       size_t max_bytes, struct slm_error *error)
{
    if (size_bytes > PTRDIFF_MAX) {
        return slm_error_set(error, SLM_E_SIZE, 0,
                             "%s: longer than the addresses of %zu-bit programs", segment->label,
                             sizeof(void *) * CHAR_BIT);
    }
    if (size_bytes == 0 || size_bytes % segment->page_bytes != 0) {
        return slm_error_set(error, SLM_E_TRUNCATED, 0, "%s: %zu bytes, not whole pages of %zu",
                             segment->label, size_bytes, segment->page_bytes);
    }
    /* Compared in whole pages, so that the options that created a segment also attach it. */
    if (max_bytes != 0 &&
        (size_bytes - 1) / segment->page_bytes > (max_bytes - 1) / segment->page_bytes) {
        return slm_error_set(error, SLM_E_SIZE, 0, "%s: %zu bytes, more than %zu", segment->label,
                             size_bytes, max_bytes);
    }
    return SLM_OK;
}

/* A length of 0 is fine. */
static void unmap(unsigned char *first, size_t n_bytes)
{
    if (n_bytes != 0) {
        (void)slm_segment_sys.munmap(first, n_bytes);
    }
}

static const struct slm_segment_sigbus *installed_guard(void)
{
    return __atomic_load_n(&slm_segment_sigbus, __ATOMIC_ACQUIRE);
}

bool slm_segment_was_mended(const struct slm_segment *segment)
{
    return segment->slot != NULL && installed_guard()->is_cut(segment->slot);
}

static enum slm_status report_range(struct slm_segment *segment, struct slm_error *error)
{
    const struct slm_segment_sigbus *guard = installed_guard();
    if (guard == NULL) {
        return SLM_OK;
    }
    segment->slot = guard->add_slot(segment);
    return segment->slot != NULL
               ? SLM_OK
               : slm_error_set(error, SLM_E_NOMEM, 0, "%s: out of memory", segment->label);
}

/*   raw                                      raw + asked
 *   |  spare  |guard| range            |guard|  spare  |     the spare goes back
 */
enum slm_status slm_segment_reserve(struct slm_segment *segment, size_t align_bytes,
                                    struct slm_error *error)
{
    size_t guard = segment->guard_bytes;
    size_t spare = align_bytes > slm_segment_system_page_bytes() ? align_bytes : 0;
    size_t asked = segment->max_bytes + 2 * guard + spare;
    unsigned char *raw = slm_segment_sys.mmap(NULL, asked, PROT_NONE, RESERVED_FLAGS, -1, 0);
    if (raw == MAP_FAILED) {
        return slm_segment_fail(error, segment->label, "no addresses");
    }
    size_t before = slm_align_up((uintptr_t)raw + guard, align_bytes) - guard - (uintptr_t)raw;
    unmap(raw, before);
    unmap(raw + asked - (spare - before), spare - before);
    segment->base = raw + before + guard;
    return report_range(segment, error);
}

void slm_segment_release(struct slm_segment *segment)
{
    if (segment->base == NULL) {
        return;
    }
    if (segment->slot != NULL) {
        installed_guard()->remove_slot(segment->slot);
    }
    unmap(segment->base - segment->guard_bytes, segment->max_bytes + 2 * segment->guard_bytes);
    segment->slot = NULL;
    segment->base = NULL;
}

/* EINVAL: the system is older than this advice. */
enum slm_status slm_segment_leave_out_of_cores(const struct slm_segment *segment, size_t from,
                                               size_t to, struct slm_error *error)
{
    if (segment->dump_core ||
        slm_segment_sys.madvise(segment->base + from, to - from, MADV_DONTDUMP) == 0 ||
        errno == EINVAL) {
        return SLM_OK;
    }
    return slm_segment_fail(error, segment->label, "cannot leave it out of core files");
}

enum slm_status slm_segment_show(struct slm_segment *segment, size_t from, size_t to,
                                 struct slm_error *error)
{
    unsigned char *first = segment->base + from;
    int prot = slm_segment_prot(segment);
    if (from == to) {
        return SLM_OK;
    }
    if (segment->fd < 0) {
        return slm_segment_sys.mprotect(first, to - from, prot) == 0
                   ? SLM_OK
                   : slm_segment_fail(error, segment->label, "cannot show more");
    }
    void *mapped = slm_segment_sys.mmap(first, to - from, prot, MAP_SHARED | MAP_FIXED, segment->fd,
                                        (off_t)from);
    enum slm_status status = mapped != MAP_FAILED
                                 ? slm_segment_leave_out_of_cores(segment, from, to, error)
                                 : slm_segment_fail(error, segment->label, "cannot map");
    if (status != SLM_OK) {
        /* The system may have unmapped the reserved pages before it failed. */
        slm_segment_hide(segment, from, to);
    }
    return status;
}

void slm_segment_hide(struct slm_segment *segment, size_t from, size_t to)
{
    if (from < to) {
        (void)slm_segment_sys.mmap(segment->base + from, to - from, PROT_NONE,
                                   RESERVED_FLAGS | MAP_FIXED, -1, 0);
    }
}
