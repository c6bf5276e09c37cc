/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill_record.so: in a command that slabmill record runs, writes each call of malloc and free. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT, MAP_ANONYMOUS, reallocarray */
#endif

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/slabmill/record/record.h"

/*
 * Model    Each function of malloc's family calls the next library's, and appends a line to the
 *          trace. A lock is held from before the call until the line is complete, so that the lines
 *          have the order in which objects came to life and died, over all threads.
 * File     A window of the file is mapped, shared: lines survive any death of the process, and
 *          need no descriptor, which the process might close.
 * Fork     Only the process that SLABMILL_RECORD_PROCESS names writes. fork holds the lock, so that
 *          it is free in the child. An exec starts the trace again.
 * Failure  The command goes on after any failure, and recording ends.
 */
#define EXPORT       __attribute__((visibility("default")))
#define WINDOW_BYTES ((size_t)1 << 20)
#define FILE_MAX     ((size_t)250 << 20) /* slabmill reads no longer traces */
#define IDS_MAX      ((1u << 21) - 1)    /* objects of a trace */
#define LINE_MAX     96u
#define EARLY_BYTES  65536u

static struct {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    size_t (*usable)(void *);
} next;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* --- Memory before the next library is known: dlsym may ask for some --- */

static _Alignas(16) unsigned char early[EARLY_BYTES];
static size_t early_used;

static void *early_alloc(size_t size_bytes)
{
    size_t need = (size_bytes + 31) / 16 * 16;
    if (size_bytes > EARLY_BYTES || early_used + need > EARLY_BYTES) {
        return NULL;
    }
    unsigned char *p = early + early_used;
    early_used += need;
    return p;
}

static bool is_early(const void *p)
{
    return (uintptr_t)p - (uintptr_t)early < EARLY_BYTES;
}

/* --- The trace --- */

static _Atomic bool is_on;
static const char *path;
static char *window;
static size_t window_at; /* its offset in the file */
static size_t used;      /* bytes of the window */

static void move_window(size_t offset)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *map = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)(offset + WINDOW_BYTES)) == 0) {
        map = mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (window != NULL) {
        (void)munmap(window, WINDOW_BYTES);
    }
    window = map != MAP_FAILED ? map : NULL;
    window_at = offset;
    used = 0;
    is_on = window != NULL;
}

/* A line may cross the end of the window: then the next window begins a page before it. */
static void write_text(const char *text, size_t n)
{
    if (used + n > WINDOW_BYTES) {
        const size_t page = 4096;
        size_t at = window_at + used;
        move_window(at / page * page);
        used = at % page;
    }
    if (is_on && window_at + used + n <= FILE_MAX) {
        memcpy(window + used, text, n);
        used += n;
    } else {
        is_on = false;
    }
}

static size_t put_text(char *line, const char *text)
{
    size_t n = strlen(text);
    memcpy(line, text, n);
    return n;
}

static size_t put_number(char *line, size_t number)
{
    char digits[24];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < n; i++) {
        line[i] = digits[n - 1 - i];
    }
    return n;
}

#define NO_NUMBER SIZE_MAX

/* "arena 0 WORD [ID|-] [A] [B]"; printf may ask for memory. */
static void write_line(const char *word, uint32_t id, size_t a, size_t b)
{
    char line[LINE_MAX];
    size_t n = put_text(line, "arena 0 ");
    n += put_text(line + n, word);
    line[n++] = ' ';
    n += id == UINT32_MAX ? put_text(line + n, "-") : put_number(line + n, id);
    const size_t numbers[] = {a, b};
    for (size_t i = 0; i < 2 && numbers[i] != NO_NUMBER; i++) {
        line[n++] = ' ';
        n += put_number(line + n, numbers[i]);
    }
    line[n++] = '\n';
    write_text(line, n);
}

/* --- Objects by address: a hash table of open addresses --- */

struct slot {
    uintptr_t p; /* 0: empty */
    uint32_t id;
};
static struct slot *slots;
static size_t n_slots; /* a power of two */
static size_t n_objects;
static uint32_t next_id;

static size_t slot_of(uintptr_t p)
{
    return (size_t)((p >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (n_slots - 1);
}

static struct slot *find(uintptr_t p)
{
    size_t i = slot_of(p);
    while (slots[i].p != 0 && slots[i].p != p) {
        i = (i + 1) & (n_slots - 1);
    }
    return &slots[i];
}

static bool grow_table(void)
{
    struct slot *old = slots;
    size_t n_old = n_slots;
    size_t n_new = n_old == 0 ? 65536 : 2 * n_old;
    void *map = mmap(NULL, n_new * sizeof *slots, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        return false;
    }
    slots = map;
    n_slots = n_new;
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].p != 0) {
            *find(old[i].p) = old[i];
        }
    }
    if (old != NULL) {
        (void)munmap(old, n_old * sizeof *old);
    }
    return true;
}

/* A new object at p. False: recording has ended. */
static bool add(void *p, uint32_t *id)
{
    bool full = next_id >= IDS_MAX || (2 * n_objects >= n_slots && !grow_table());
    if (full) {
        is_on = false;
        return false;
    }
    struct slot *slot = find((uintptr_t)p);
    n_objects += slot->p == 0;
    *id = next_id++;
    *slot = (struct slot){(uintptr_t)p, *id};
    return true;
}

/* Takes the object at p away. False: it is not in the trace. */
static bool take(void *p, uint32_t *id)
{
    struct slot *hole = n_slots == 0 ? NULL : find((uintptr_t)p);
    if (hole == NULL || hole->p == 0) {
        return false;
    }
    *id = hole->id;
    n_objects--;
    size_t at = (size_t)(hole - slots);
    slots[at].p = 0;
    /* Those after the hole move up if they would no longer be found. */
    for (size_t i = (at + 1) & (n_slots - 1); slots[i].p != 0; i = (i + 1) & (n_slots - 1)) {
        size_t home = slot_of(slots[i].p);
        if (((i - home) & (n_slots - 1)) >= ((i - at) & (n_slots - 1))) {
            slots[at] = slots[i];
            slots[i].p = 0;
            at = i;
        }
    }
    return true;
}

/* --- Calls, with the lock held --- */

/* The call is one of the library itself, or none that is recorded. */
static __thread bool is_inside __attribute__((tls_model("initial-exec")));

static bool enter(void)
{
    if (!is_on || is_inside) {
        return false;
    }
    (void)pthread_mutex_lock(&lock);
    is_inside = true;
    return true;
}

static void leave(void)
{
    is_inside = false;
    (void)pthread_mutex_unlock(&lock);
}

static void note_made(const char *word, void *p, size_t size_bytes, size_t align_bytes)
{
    uint32_t id = UINT32_MAX;
    if (is_on && (p == NULL || add(p, &id))) {
        write_line(word, id, size_bytes, align_bytes);
    }
}

static void note_freed(void *p)
{
    uint32_t id;
    if (is_on && take(p, &id)) {
        write_line("free", id, NO_NUMBER, NO_NUMBER);
    }
}

static void note_resized(void *old, void *p, size_t size_bytes)
{
    uint32_t id;
    if (!is_on || !take(old, &id)) {
        note_made("alloc", p, size_bytes, NO_NUMBER);
        return;
    }
    write_line("resize", id, size_bytes, NO_NUMBER);
    struct slot *slot = find((uintptr_t)p);
    *slot = (struct slot){(uintptr_t)p, id};
    n_objects++;
}

/* --- Start --- */

static void lock_for_fork(void)
{
    (void)pthread_mutex_lock(&lock);
}

static void unlock_after_fork(void)
{
    (void)pthread_mutex_unlock(&lock);
}

static void end_in_child(void)
{
    is_on = false;
    (void)pthread_mutex_unlock(&lock);
}

static void find_next(void)
{
    static bool is_finding;
    if (next.malloc != NULL || is_finding) {
        return;
    }
    is_finding = true;
    *(void **)&next.free = dlsym(RTLD_NEXT, "free");
    *(void **)&next.calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next.realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next.memalign = dlsym(RTLD_NEXT, "memalign");
    *(void **)&next.usable = dlsym(RTLD_NEXT, "malloc_usable_size");
    *(void **)&next.malloc = dlsym(RTLD_NEXT, "malloc");
    is_finding = false;
}

__attribute__((constructor)) static void start(void)
{
    const char *process = getenv(MILL_RECORD_PROCESS);
    path = getenv(MILL_RECORD_FILE);
    find_next();
    is_on = path != NULL && process != NULL && strtol(process, NULL, 10) == (long)getpid();
    if (is_on) {
        int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
        is_on = fd >= 0;
        (void)close(fd);
        (void)pthread_atfork(lock_for_fork, unlock_after_fork, end_in_child);
        move_window(0);
    }
}

/* --- The family of malloc --- */

EXPORT void *malloc(size_t size_bytes)
{
    find_next();
    if (next.malloc == NULL) {
        return early_alloc(size_bytes);
    }
    if (!enter()) {
        return next.malloc(size_bytes);
    }
    void *p = next.malloc(size_bytes);
    note_made("alloc", p, size_bytes, NO_NUMBER);
    leave();
    return p;
}

EXPORT void free(void *p)
{
    if (p == NULL || is_early(p)) {
        return;
    }
    find_next();
    if (!enter()) {
        next.free(p);
        return;
    }
    note_freed(p);
    next.free(p);
    leave();
}

EXPORT void *calloc(size_t n, size_t size_bytes)
{
    size_t bytes;
    bool fits = !__builtin_mul_overflow(n, size_bytes, &bytes);
    find_next();
    if (next.malloc == NULL) {
        return fits ? early_alloc(bytes) : NULL; /* zero, and used once */
    }
    if (!enter()) {
        return next.calloc(n, size_bytes);
    }
    void *p = next.calloc(n, size_bytes);
    if (fits) {
        note_made("calloc", p, bytes, NO_NUMBER);
    }
    leave();
    return p;
}

/* An early object moves to the next library. */
static void *move_early(void *old, size_t size_bytes)
{
    size_t room = (size_t)(early + EARLY_BYTES - (unsigned char *)old);
    void *p = malloc(size_bytes);
    if (p != NULL) {
        memcpy(p, old, size_bytes < room ? size_bytes : room);
    }
    return p;
}

EXPORT void *realloc(void *old, size_t size_bytes)
{
    find_next();
    if (old == NULL || is_early(old)) {
        return old == NULL ? malloc(size_bytes) : move_early(old, size_bytes);
    }
    if (!enter()) {
        return next.realloc(old, size_bytes);
    }
    void *p = next.realloc(old, size_bytes);
    if (p != NULL) {
        note_resized(old, p, size_bytes);
    } else if (size_bytes == 0) {
        note_freed(old);
    }
    leave();
    return p;
}

EXPORT void *reallocarray(void *old, size_t n, size_t size_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size_bytes, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

EXPORT void *memalign(size_t align_bytes, size_t size_bytes)
{
    find_next();
    if (next.memalign == NULL) {
        return NULL;
    }
    if (!enter()) {
        return next.memalign(align_bytes, size_bytes);
    }
    void *p = next.memalign(align_bytes, size_bytes);
    if (align_bytes <= UINT32_MAX) {
        note_made("memalign", p, size_bytes, align_bytes);
    }
    leave();
    return p;
}

EXPORT void *aligned_alloc(size_t align_bytes, size_t size_bytes)
{
    return memalign(align_bytes, size_bytes);
}

EXPORT int posix_memalign(void **p_out, size_t align_bytes, size_t size_bytes)
{
    bool power = align_bytes != 0 && (align_bytes & (align_bytes - 1)) == 0;
    if (!power || align_bytes % sizeof(void *) != 0) {
        return EINVAL;
    }
    int old_errno = errno;
    void *p = memalign(align_bytes, size_bytes);
    errno = old_errno;
    if (p == NULL) {
        return ENOMEM;
    }
    *p_out = p;
    return 0;
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

EXPORT void *valloc(size_t size_bytes)
{
    return memalign(page_bytes(), size_bytes);
}

EXPORT void *pvalloc(size_t size_bytes)
{
    size_t page = page_bytes();
    return memalign(page, (size_bytes + page - 1) / page * page);
}

EXPORT size_t malloc_usable_size(void *p)
{
    find_next();
    return p == NULL || is_early(p) || next.usable == NULL ? 0 : next.usable(p);
}
