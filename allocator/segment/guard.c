/* SPDX-License-Identifier: Apache-2.0 */
/* SIGBUS guard: maps zeros in place of what was cut off a segment. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "allocator/segment/fail.h"
#include "allocator/segment/handle.h"
#include "allocator/segment/sys.h"

/*
 * The handler may find another thread in the middle of a change to a slot. So every field is read
 * and written as an atomic, and counted only if `round` was odd (filled) and the same before and
 * after. The handler skips slots being changed: their segment is not in use yet, or no longer.
 * Blocks of slots are never freed.
 */
struct slm_segment_slot {
    uint32_t is_taken;
    uint32_t is_cut;
    uint32_t round;
    int prot;
    uintptr_t first;
    uintptr_t end;
    size_t page_bytes;
};

#define SLOTS_IN_BLOCK 32u

struct block {
    struct slm_segment_slot slots[SLOTS_IN_BLOCK];
    struct block *next;
};

static struct block first_block;

static bool claim_slot(struct slm_segment_slot *slot)
{
    uint32_t is_free = 0;
    return __atomic_compare_exchange_n(&slot->is_taken, &is_free, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static struct slm_segment_slot *claim_in(struct block *block)
{
    for (unsigned i = 0; i < SLOTS_IN_BLOCK; i++) {
        if (claim_slot(&block->slots[i])) {
            return &block->slots[i];
        }
    }
    return NULL;
}

/* The next block, made if there is none. If two threads make one, the later uses the first. */
static struct block *next_of(struct block *block)
{
    struct block *next = __atomic_load_n(&block->next, __ATOMIC_ACQUIRE);
    if (next != NULL) {
        return next;
    }
    struct block *made = slm_segment_sys.malloc(sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    *made = (struct block){.next = NULL};
    if (__atomic_compare_exchange_n(&block->next, &next, made, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        return made;
    }
    free(made);
    return next;
}

static struct slm_segment_slot *add_slot(const struct slm_segment *segment)
{
    struct slm_segment_slot *slot = NULL;
    for (struct block *block = &first_block; block != NULL && slot == NULL;) {
        slot = claim_in(block);
        block = slot == NULL ? next_of(block) : block;
    }
    if (slot == NULL) {
        return NULL;
    }
    uintptr_t base = (uintptr_t)segment->base;
    __atomic_store_n(&slot->is_cut, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->prot, slm_segment_prot(segment), __ATOMIC_RELAXED);
    __atomic_store_n(&slot->first, base, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->end, base + segment->max_bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->page_bytes, segment->page_bytes, __ATOMIC_RELAXED);
    (void)__atomic_fetch_add(&slot->round, 1, __ATOMIC_RELEASE);
    return slot;
}

static void remove_slot(struct slm_segment_slot *slot)
{
    (void)__atomic_fetch_add(&slot->round, 1, __ATOMIC_ACQ_REL);
    __atomic_store_n(&slot->is_taken, 0, __ATOMIC_RELEASE);
}

static bool is_slot_cut(const struct slm_segment_slot *slot)
{
    return __atomic_load_n(&slot->is_cut, __ATOMIC_ACQUIRE) != 0;
}

/* --- From here to `install` everything runs in a signal handler --- */

struct page {
    uintptr_t first;
    size_t n_bytes;
    int prot;
};

/* Whether the address lies in the slot's range, and in which page. */
static bool look_in_slot(const struct slm_segment_slot *slot, uintptr_t address, struct page *page)
{
    uint32_t round = __atomic_load_n(&slot->round, __ATOMIC_ACQUIRE);
    uintptr_t first = __atomic_load_n(&slot->first, __ATOMIC_ACQUIRE);
    uintptr_t end = __atomic_load_n(&slot->end, __ATOMIC_ACQUIRE);
    page->n_bytes = __atomic_load_n(&slot->page_bytes, __ATOMIC_ACQUIRE);
    page->prot = __atomic_load_n(&slot->prot, __ATOMIC_ACQUIRE);
    bool is_steady = round % 2 == 1 && __atomic_load_n(&slot->round, __ATOMIC_RELAXED) == round;
    if (!is_steady || address < first || address >= end) {
        return false;
    }
    page->first = address - address % page->n_bytes;
    return true;
}

static struct slm_segment_slot *find(uintptr_t address, struct page *page)
{
    for (struct block *block = &first_block; block != NULL;
         block = __atomic_load_n(&block->next, __ATOMIC_ACQUIRE)) {
        for (unsigned i = 0; i < SLOTS_IN_BLOCK; i++) {
            if (look_in_slot(&block->slots[i], address, page)) {
                return &block->slots[i];
            }
        }
    }
    return NULL;
}

/* Only a fault at an address past the end of its file. A signal that a process sent is none, nor is
 * memory that the hardware reports as broken (BUS_MCEERR_AR), which zeros must not hide. */
static bool is_mended(const siginfo_t *info)
{
    struct page page;
    if (info->si_code != BUS_ADRERR) {
        return false;
    }
    struct slm_segment_slot *slot = find((uintptr_t)info->si_addr, &page);
    if (slot == NULL) {
        return false;
    }
    __atomic_store_n(&slot->is_cut, 1, __ATOMIC_RELEASE);
    return slm_segment_sys.mmap((void *)page.first, page.n_bytes, page.prot,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

static struct sigaction before; /* written before the handler can run */

/* A real fault recurs when the handler returns; a signal sent by kill() must be raised again. */
static void die(int signal, const siginfo_t *info)
{
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    (void)sigaction(signal, &by_default, NULL);
    if (info->si_code <= 0) {
        (void)raise(signal);
    }
}

static void chain(int signal, siginfo_t *info, void *context)
{
    if ((before.sa_flags & SA_SIGINFO) != 0) {
        before.sa_sigaction(signal, info, context);
    } else if (before.sa_handler == SIG_DFL ||
               (before.sa_handler == SIG_IGN && info->si_code > 0)) {
        die(signal, info);
    } else if (before.sa_handler != SIG_IGN) {
        before.sa_handler(signal);
    }
}

static void handle(int signal, siginfo_t *info, void *context)
{
    int kept_errno = errno;
    if (!is_mended(info)) {
        chain(signal, info, context);
    }
    errno = kept_errno;
}

/* --- Installing --- */

static const struct slm_segment_sigbus guard = {
    .add_slot = add_slot,
    .remove_slot = remove_slot,
    .is_cut = is_slot_cut,
};

static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;

static enum slm_status install(struct slm_error *error)
{
    struct sigaction action;
    if (slm_segment_sys.sigaction(SIGBUS, NULL, &before) != 0) {
        return slm_segment_fail(error, "SIGBUS", "cannot ask for the handler");
    }
    action = before;
    action.sa_sigaction = handle;
    action.sa_flags = (before.sa_flags & SA_RESTART) | SA_SIGINFO | SA_ONSTACK;
    if (slm_segment_sys.sigaction(SIGBUS, &action, NULL) != 0) {
        return slm_segment_fail(error, "SIGBUS", "cannot set the handler");
    }
    __atomic_store_n(&slm_segment_sigbus, &guard, __ATOMIC_RELEASE);
    return SLM_OK;
}

enum slm_status slm_segment_guard_install(struct slm_error *error)
{
    (void)slm_error_clear(error);
    (void)pthread_mutex_lock(&install_lock);
    enum slm_status status = slm_segment_sigbus != NULL ? SLM_OK : install(error);
    (void)pthread_mutex_unlock(&install_lock);
    return status;
}
