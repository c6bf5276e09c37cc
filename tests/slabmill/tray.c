/* SPDX-License-Identifier: Apache-2.0 */
/* A heap of the tests' own: slots of one size, and the bugs that TRAY_BUGS asks for. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sigaction */
#endif
#undef NDEBUG
#include <assert.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <slabmill/adapter.h>

#ifdef TRAY_VERSION
#undef SLM_ADAPTER_VERSION
#define SLM_ADAPTER_VERSION TRAY_VERSION
#endif

#define SLOT_BYTES 1024u
#define SLOTS_MAX  4096u

enum bugs {
    BUG_ALIGNMENT = 1, /* objects of 100 to 199 bytes start 4 bytes too late */
    BUG_CONTENTS = 2,  /* free of 300 to 399 bytes writes into the next slot */
    BUG_ASSERTION = 4, /* resize to 500 to 599 bytes */
    BUG_CRASH = 8,     /* free of 600 to 699 bytes */
    BUG_HANG = 16,     /* reset */
    BUG_NOISE = 32,    /* create prints a report, and goes on */
    BUG_STATE = 64,    /* the third arena of a process breaks its check */
    BUG_HISTORY = 128, /* the 100th does */
    BUG_STUCK = 256,   /* objects of 100 to 199 bytes: the first of all processes starts 4 bytes too
                          late, and in later processes alloc does not return */
    BUG_MUTE = 512,    /* a handler of SIGSEGV, such as a sanitizer's, waits for ever */
    BUG_FILES = 1024,  /* create leaves the process no descriptor that it could open */
    BUG_NESTED = 2048  /* a handler of SIGSEGV ends the process, such as a sanitizer's that fails */
};
#ifndef TRAY_BUGS
#define TRAY_BUGS 0
#endif
#ifndef TRAY_NAME
#define TRAY_NAME tray
#endif
#ifndef TRAY_FRESH
#define TRAY_FRESH false
#endif

struct tray {
    size_t n_slots;
    unsigned char used[SLOTS_MAX];
    unsigned char *slots;
    int number;
};

static int n_trays;

static bool has_bug(enum bugs bug)
{
    return ((unsigned)TRAY_BUGS & (unsigned)bug) != 0;
}

static volatile int forever = 1;

static bool is_between(size_t size_bytes, size_t least)
{
    return size_bytes >= least && size_bytes < least + 100;
}

static void never_return(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    (void)context;
    while (!has_bug(BUG_NESTED) && forever != 0) {
        (void)pause();
    }
    _exit(66);
}

__attribute__((constructor)) static void handle_faults(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = never_return;
    if (has_bug(BUG_MUTE) || has_bug(BUG_NESTED)) {
        (void)sigaction(SIGSEGV, &action, NULL);
    }
}

static void *create(const struct slm_adapter_env *env)
{
    struct tray *tray = env->region;
    if (env->region_bytes < sizeof *tray + SLOT_BYTES) {
        return NULL;
    }
    memset(tray, 0, sizeof *tray);
    size_t n = (env->region_bytes - sizeof *tray) / SLOT_BYTES;
    tray->n_slots = n < SLOTS_MAX ? n : SLOTS_MAX;
    tray->slots = (unsigned char *)(tray + 1);
    tray->number = ++n_trays;
    if (has_bug(BUG_FILES)) {
        (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0});
    }
    if (has_bug(BUG_NOISE)) {
        fprintf(stderr, "tray.c:7:3: runtime error: shift exponent %d is too large\n", n_trays);
    }
    return tray;
}

/* True in the process that makes the file TRAY_STUCK; in others it does not return. */
static bool is_first_process(void)
{
    static bool is_first;
    FILE *file = is_first ? NULL : fopen(getenv("TRAY_STUCK"), "wx");
    while (file == NULL && !is_first && forever != 0) {
    }
    is_first = is_first || fclose(file) == 0;
    return is_first;
}

static void *allocate(void *self, size_t size_bytes)
{
    struct tray *tray = self;
    size_t i = 0;
    while (i < tray->n_slots && tray->used[i] != 0) {
        i++;
    }
    if (i == tray->n_slots || size_bytes > SLOT_BYTES - 8) {
        return NULL;
    }
    tray->used[i] = 1;
    bool late = is_between(size_bytes, 100) &&
                (has_bug(BUG_ALIGNMENT) || (has_bug(BUG_STUCK) && is_first_process()));
    return tray->slots + i * SLOT_BYTES + (late ? 4 : 0);
}

static unsigned char *volatile nowhere = (unsigned char *)(uintptr_t)16;

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    struct tray *tray = self;
    size_t i = (size_t)((unsigned char *)p - tray->slots) / SLOT_BYTES;
    tray->used[i] = 0;
    if (has_bug(BUG_CONTENTS) && is_between(size_bytes, 300) && i + 1 < tray->n_slots) {
        tray->slots[(i + 1) * SLOT_BYTES] ^= 1;
    }
    if (has_bug(BUG_CRASH) && is_between(size_bytes, 600)) {
        *nowhere = 1;
    }
    return SLM_ADAPTER_OK;
}

static void *resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    (void)self;
    (void)old_bytes;
    assert(!(has_bug(BUG_ASSERTION) && is_between(new_bytes, 500)));
    return new_bytes > SLOT_BYTES - 8 ? NULL : p;
}

static void reset(void *self)
{
    struct tray *tray = self;
    memset(tray->used, 0, sizeof tray->used);
    while (has_bug(BUG_HANG) && forever != 0) {
    }
}

static const char *check(void *self)
{
    const struct tray *tray = self;
    bool is_late =
        (has_bug(BUG_STATE) && tray->number > 2) || (has_bug(BUG_HISTORY) && tray->number >= 100);
    return is_late ? "tray 3 is one too many" : NULL;
}

/* The macro needs the name itself. */
#define REGISTER(name) SLM_ADAPTER(name)
REGISTER(TRAY_NAME) = {.create = create,
                       .alloc = allocate,
                       .free = release,
                       .resize = resize,
                       .reset = reset,
                       .check = check,
                       .align_bytes = 8,
                       .region_align_bytes = 8,
                       .region_min_bytes = sizeof(struct tray) + SLOT_BYTES,
                       .zero = SLM_ADAPTER_ZERO_UNIQUE,
                       .fresh_process = TRAY_FRESH};
