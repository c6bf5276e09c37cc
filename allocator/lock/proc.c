/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says about threads, namespaces and mappings. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memrchr, syscall, O_CLOEXEC */
#endif
#include "allocator/lock/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "allocator/base/cancel.h"
#include "allocator/base/hash.h"

/*
 * Nothing here allocates or prints: waiters call it, and signal handlers may. Paths are put
 * together and numbers are parsed by hand for the same reason. A thread that is cancelled would
 * leave its descriptor, so cancellation is off from open to close.
 */
#define STAT_BYTES  1024u /* a stat line has 52 numbers and a name of at most 64 bytes */
#define PATH_BYTES  64u
#define CHUNK_BYTES 1024u
#define LINE_BYTES  128u /* of a line; no part that is needed comes later */

#define FLAG_SIGNALED UINT32_C(0x400)                /* PF_SIGNALED of the kernel */
#define SIGKILL_BIT   (UINT64_C(1) << (SIGKILL - 1)) /* of a set of signals in /proc */

static int open_to_read(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int signal_thread(pid_t thread)
{
    return (int)syscall(SYS_tkill, thread, 0);
}

#if !SLM_SCHED
const
#endif
    struct slm_lock_proc_calls slm_lock_proc_calls = {
        .open = open_to_read,
        .stat = stat,
        .signal = signal_thread,
};

/* --- Text --- */

static char *append(char *at, const char *text)
{
    size_t length = strlen(text);
    memcpy(at, text, length + 1);
    return at + length;
}

static char *append_number(char *at, uint32_t number)
{
    char digits[11];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return append(at, first);
}

/* Returns where the digits end. */
static const char *parse_number(const char *at, unsigned base, uint64_t *number)
{
    *number = 0;
    for (;; at++) {
        unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                                                    : base;
        if (digit >= base) {
            return at;
        }
        *number = *number * base + digit;
    }
}

/* Returns where the digits end, or the text does. */
static const char *parse_digits(const char *at, const char *end, uint32_t *number)
{
    uint64_t all = 0;
    while (at < end && *at >= '0' && *at <= '9') {
        all = all * 10 + (uint64_t)(*at++ - '0');
    }
    *number = (uint32_t)all;
    return at;
}

/*
 * "tid (name) S ppid ...": the state is field 3, the kernel's flags are field 9, the start is field
 * 22. The name may hold any bytes, so the last ')' ends it.
 */
bool slm_lock_parse_stat(const char *text, size_t length, struct slm_lock_stat *stat)
{
    const char *end = text + length;
    const char *at = memrchr(text, ')', length);
    if (at == NULL || end - at < 3) {
        return false;
    }
    uint32_t flags = 0;
    stat->state = at[2];
    for (unsigned field = 2; field < 22; field++) {
        at = memchr(at, ' ', (size_t)(end - at));
        if (at == NULL || ++at == end) {
            return false;
        }
        if (field + 1 == 9) {
            (void)parse_digits(at, end, &flags);
        }
    }
    stat->has_signal = (flags & FLAG_SIGNALED) != 0;
    return parse_digits(at, end, &stat->start) > at;
}

/* --- Files --- */

/* Reads the start of a file of /proc. Returns the length; 0: it cannot be read. */
static size_t read_file(const char *path, char *text, size_t n_bytes)
{
    ssize_t length = -1;
    int cancel = slm_cancel_off();
    int fd = slm_lock_proc_calls.open(path);
    if (fd >= 0) {
        length = read(fd, text, n_bytes);
        (void)close(fd);
    }
    slm_cancel_restore(cancel);
    return length < 0 ? 0 : (size_t)length;
}

/* "/proc/THREAD/name", or of the calling thread. */
static void make_path(char *path, pid_t thread, const char *name)
{
    char *at = append(path, "/proc/");
    at = thread == 0 ? append(at, "thread-self") : append_number(at, (uint32_t)thread);
    (void)append(at, name);
}

bool slm_lock_read_stat(pid_t thread, struct slm_lock_stat *stat)
{
    char path[PATH_BYTES];
    char text[STAT_BYTES];
    make_path(path, thread, "/stat");
    size_t length = read_file(path, text, sizeof text);
    return length != 0 && slm_lock_parse_stat(text, length, stat);
}

/* A file that is read line by line. */
struct lines {
    int fd;
    int cancel;
    bool has_failed; /* it was not read to its end */
    size_t at;
    size_t end;
    char chunk[CHUNK_BYTES];
};

static bool open_lines(struct lines *lines, const char *path)
{
    lines->cancel = slm_cancel_off();
    lines->at = lines->end = 0;
    lines->has_failed = false;
    lines->fd = slm_lock_proc_calls.open(path);
    if (lines->fd < 0) {
        slm_cancel_restore(lines->cancel);
    }
    return lines->fd >= 0;
}

static void close_lines(struct lines *lines)
{
    (void)close(lines->fd);
    slm_cancel_restore(lines->cancel);
}

static bool read_chunk(struct lines *lines)
{
    ssize_t length;
    do {
        length = read(lines->fd, lines->chunk, sizeof lines->chunk);
    } while (length < 0 && errno == EINTR);
    lines->has_failed = lines->has_failed || length < 0;
    lines->at = 0;
    lines->end = length < 0 ? 0 : (size_t)length;
    return length > 0;
}

/* Reads the start of the next line, without its end. False: there is none. */
static bool next_line(struct lines *lines, char line[LINE_BYTES])
{
    size_t n = 0;
    while (lines->at < lines->end || read_chunk(lines)) {
        char next = lines->chunk[lines->at++];
        if (next == '\n') {
            line[n] = '\0';
            return true;
        }
        line[n] = next;
        n += n < LINE_BYTES - 1 ? 1 : 0;
    }
    lines->has_failed = lines->has_failed || n > 0;
    return false;
}

/* "NSpid:" and the process's id in each pid namespace from that of /proc down to its own. */
bool slm_lock_is_own_proc(void)
{
    struct lines lines;
    char line[LINE_BYTES];
    bool is_own = false;
    if (!open_lines(&lines, "/proc/self/status")) {
        return false;
    }
    while (next_line(&lines, line)) {
        if (strncmp(line, "NSpid:\t", 7) == 0) {
            uint64_t pid;
            is_own = *parse_number(line + 7, 10, &pid) == '\0' && pid == (uint64_t)getpid();
            break;
        }
    }
    close_lines(&lines);
    return is_own;
}

/*
 * The system sends SIGKILL to all other threads in the step that makes CoreDumping 1. A thread that
 * has taken the signal only ends; until then, the signal is pending, and the thread may still run.
 * The thread that writes the core gets no signal, and leaves the kernel no more. The system reads
 * the two lines in their order.
 */
bool slm_lock_is_dumped(pid_t thread)
{
    struct lines lines;
    char path[PATH_BYTES];
    char line[LINE_BYTES];
    bool is_dumping = false;
    bool is_stopped = false;
    make_path(path, thread, "/status");
    if (!open_lines(&lines, path)) {
        return false;
    }
    while (next_line(&lines, line)) {
        uint64_t pending = 0;
        is_dumping = is_dumping || strcmp(line, "CoreDumping:\t1") == 0;
        if (strncmp(line, "SigPnd:\t", 8) == 0) {
            bool is_set = *parse_number(line + 8, 16, &pending) == '\0' && line[8] != '\0';
            is_stopped = is_dumping && is_set && (pending & SIGKILL_BIT) == 0;
            break;
        }
    }
    close_lines(&lines);
    return is_stopped;
}

/* The hash of the boot's UUID. */
uint64_t slm_lock_boot(void)
{
    char text[PATH_BYTES];
    int kept_errno = errno;
    size_t length = read_file("/proc/sys/kernel/random/boot_id", text, sizeof text);
    errno = kept_errno;
    return length == 0 ? 0 : slm_hash(text, length) | 1;
}

/* 0: unknown. A kernel without such namespaces has one for all. */
static uint32_t namespace_number(const char *path)
{
    struct stat about;
    if (slm_lock_proc_calls.stat(path, &about) == 0) {
        return (uint32_t)about.st_ino;
    }
    return errno == ENOENT && slm_lock_proc_calls.stat("/proc/self/ns", &about) == 0 ? 1 : 0;
}

uint64_t slm_lock_find_namespaces(void)
{
    int kept_errno = errno;
    uint32_t pid = namespace_number("/proc/self/ns/pid");
    uint32_t time = namespace_number("/proc/self/ns/time");
    errno = kept_errno;
    return pid == 0 || time == 0 ? SLM_LOCK_NAMESPACES_UNKNOWN : (uint64_t)time << 32 | pid;
}

/* --- Mappings --- */

struct mapping {
    uint64_t start;
    uint64_t end;
    uint64_t offset;
    uint64_t device; /* as /proc shows it, which may differ from stat(2) */
    uint64_t inode;
    bool is_shared;
};

/* "start-end rw-s offset major:minor inode   path" */
static bool parse_mapping(const char *line, struct mapping *mapping)
{
    uint64_t major;
    uint64_t minor;
    const char *at = parse_number(line, 16, &mapping->start);
    at = parse_number(at + (*at == '-'), 16, &mapping->end);
    if (*at != ' ' || strnlen(at, 6) < 6 || at[5] != ' ') {
        return false;
    }
    mapping->is_shared = at[4] == 's';
    at = parse_number(at + 6, 16, &mapping->offset);
    at = parse_number(at + (*at == ' '), 16, &major);
    at = parse_number(at + (*at == ':'), 16, &minor);
    mapping->device = major << 32 | minor;
    if (*at != ' ') {
        return false;
    }
    at = parse_number(at + 1, 10, &mapping->inode);
    return *at == ' ' || *at == '\0';
}

/* False: no more, or has_failed is set. */
static bool next_mapping(struct lines *lines, struct mapping *mapping)
{
    char line[LINE_BYTES] = "";
    if (!next_line(lines, line)) {
        return false;
    }
    bool is_one = parse_mapping(line, mapping);
    lines->has_failed = lines->has_failed || !is_one;
    return is_one;
}

static bool is_same_object(const struct mapping *a, const struct mapping *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* False: there is none that is shared, or it cannot be read. */
static bool find_own_mapping(const void *address, struct mapping *mine)
{
    struct lines lines;
    bool is_found = false;
    if (!open_lines(&lines, "/proc/self/maps")) {
        return false;
    }
    while (!is_found && next_mapping(&lines, mine)) {
        is_found = mine->start <= (uintptr_t)address && (uintptr_t)address < mine->end;
    }
    close_lines(&lines);
    return is_found && mine->is_shared && mine->inode != 0;
}

enum slm_lock_maps slm_lock_find_maps(pid_t thread, const void *address)
{
    struct lines lines;
    char path[PATH_BYTES];
    struct mapping mine;
    struct mapping mapping;
    bool is_found = false;
    size_t n_read = 0;
    make_path(path, thread, "/maps");
    if (!find_own_mapping(address, &mine) || !slm_lock_is_own_proc() || !open_lines(&lines, path)) {
        return SLM_LOCK_MAPS_HIDDEN;
    }
    while (!is_found && next_mapping(&lines, &mapping)) {
        is_found = is_same_object(&mapping, &mine);
        n_read++;
    }
    close_lines(&lines);
    if (is_found) {
        return SLM_LOCK_MAPS;
    }
    /* A process that is just ending has no mappings left. */
    return lines.has_failed || n_read == 0 ? SLM_LOCK_MAPS_HIDDEN : SLM_LOCK_MAPS_NOT;
}

/* Parts of one mapping that differ in their rights or advice are lines that continue each other. */
bool slm_lock_is_mapped_once(const void *address)
{
    struct lines lines;
    struct mapping mine;
    struct mapping mapping;
    bool is_once = find_own_mapping(address, &mine) && open_lines(&lines, "/proc/self/maps");
    if (!is_once) {
        return false;
    }
    struct mapping before = {0};
    while (next_mapping(&lines, &mapping)) {
        if (is_same_object(&mapping, &mine)) {
            is_once = is_once && (before.end == 0 ||
                                  (mapping.start == before.end &&
                                   mapping.offset == before.offset + before.end - before.start));
            before = mapping;
        }
    }
    close_lines(&lines);
    return is_once && before.end != 0 && !lines.has_failed;
}
