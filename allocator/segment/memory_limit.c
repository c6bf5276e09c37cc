/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory a segment can ever have: beyond that, the system would kill processes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* struct sigaction, in sys.h */
#endif
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocator/segment/fail.h"
#include "allocator/segment/handle.h"
#include "allocator/segment/sys.h"

/*
 * Reserving memory that there is not ends in the kernel's choice of a process to kill, if need be
 * of all processes of the machine. So what can never fit is refused before anything is taken: more
 * than all memory and swap space, or more than a control group above this process allows. What is
 * free at the moment is not compared: others give back what they have, and the page cache does.
 * A limit that cannot be read is none.
 */
#define TEXT_BYTES 4096u
#define NO_LIMIT   UINT64_MAX

/* No group in which a program can run allows less, so nothing has to be read. */
#define ALWAYS_FITS_BYTES ((size_t)1 << 20)

struct limit {
    uint64_t bytes;
    uint64_t swap_bytes; /* of the machine */
    char where[PATH_MAX];
};

/* Versions of control groups. */
struct version {
    const char *controller; /* in /proc/self/cgroup, between colons */
    const char *folder;
    const char *memory;
    const char *swap; /* NULL: the limit is not known */
};

static const struct version versions[] = {
    {"", "/sys/fs/cgroup", "memory.max", "memory.swap.max"},
    {"memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", NULL},
};

static bool read_text(const char *path, char text[TEXT_BYTES])
{
    ssize_t n = slm_segment_sys.read_file(path, text, TEXT_BYTES - 1);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static uint64_t add_bytes(uint64_t a, uint64_t b)
{
    return a < NO_LIMIT - b ? a + b : NO_LIMIT;
}

/* "max", or any text that is no number: NO_LIMIT. */
static uint64_t parse_number(const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    return end == text ? NO_LIMIT : number;
}

/* Of /proc/meminfo; NO_LIMIT: it has no such line. */
static uint64_t find_bytes(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    uint64_t kilobytes = line == NULL ? NO_LIMIT : parse_number(line + strlen(name));
    return kilobytes < NO_LIMIT / 1024 ? kilobytes * 1024 : NO_LIMIT;
}

static void read_machine(struct limit *limit)
{
    char text[TEXT_BYTES];
    limit->bytes = NO_LIMIT;
    limit->swap_bytes = NO_LIMIT;
    if (read_text("/proc/meminfo", text)) {
        limit->bytes = find_bytes(text, "MemTotal:");
        limit->swap_bytes = find_bytes(text, "SwapTotal:");
        limit->bytes = add_bytes(limit->bytes, limit->swap_bytes);
    }
    (void)snprintf(limit->where, sizeof limit->where, "MemTotal and SwapTotal of /proc/meminfo");
}

static uint64_t read_number(const char *path)
{
    char text[TEXT_BYTES];
    return read_text(path, text) ? parse_number(text) : NO_LIMIT;
}

/* Compares with one group, whose folder has n bytes of path. */
static void read_group(struct limit *limit, const struct version *version, const char *path, int n)
{
    char file[PATH_MAX];
    (void)snprintf(file, sizeof file, "%s%.*s/%s", version->folder, n, path, version->memory);
    uint64_t bytes = read_number(file);
    if (bytes == NO_LIMIT) {
        return;
    }
    uint64_t swap_bytes = limit->swap_bytes;
    if (version->swap != NULL) {
        char swap[PATH_MAX];
        (void)snprintf(swap, sizeof swap, "%s%.*s/%s", version->folder, n, path, version->swap);
        uint64_t most_bytes = read_number(swap);
        swap_bytes = most_bytes < swap_bytes ? most_bytes : swap_bytes;
    }
    bytes = add_bytes(bytes, swap_bytes);
    if (bytes < limit->bytes) {
        limit->bytes = bytes;
        memcpy(limit->where, file, sizeof file);
    }
}

/* Bytes of the path of the group above. */
static int parent_bytes(const char *path, int n)
{
    while (n > 0 && path[n - 1] != '/') {
        n--;
    }
    return n > 0 ? n - 1 : 0;
}

/* Whether it begins with a folder "..", which the name of a group cannot be. */
static bool leads_above(const char *path)
{
    return strncmp(path, "/..", 3) == 0 && (path[3] == '/' || path[3] == '\0');
}

/* The group of this process and all above it. In a container, the path may be one that is seen from
 * outside, for which there is no folder, or lead above what the container sees. */
static void read_groups(struct limit *limit, const struct version *version, const char *path)
{
    int n = leads_above(path) || strcmp(path, "/") == 0 ? 0 : (int)strlen(path);
    for (; n > 0; n = parent_bytes(path, n)) {
        read_group(limit, version, path, n);
    }
    read_group(limit, version, path, 0);
}

/* Whether the controller is in a list with commas, before a colon. Of version 2 the list is empty. */
static bool has_controller(const char *list, const char *controller)
{
    size_t n = strlen(controller);
    size_t n_item = strcspn(list, ",:");
    while (list[n_item] == ',' && (n_item != n || strncmp(list, controller, n) != 0)) {
        list += n_item + 1;
        n_item = strcspn(list, ",:");
    }
    return n_item == n && strncmp(list, controller, n) == 0;
}

/* A line is ID:CONTROLLERS:PATH. */
static void read_line(struct limit *limit, const char *line)
{
    const char *controllers = strchr(line, ':');
    const char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        if (has_controller(controllers + 1, versions[i].controller)) {
            read_groups(limit, &versions[i], path + 1);
        }
    }
}

static void read_all_groups(struct limit *limit)
{
    char text[TEXT_BYTES];
    if (!read_text("/proc/self/cgroup", text)) {
        return;
    }
    for (char *line = text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end++ = '\0';
        }
        read_line(limit, line);
        line = end;
    }
}

/* Huge pages are taken from a store of their own. */
static enum slm_status find_memory(const struct slm_segment *segment, bool *is_memory,
                                   struct slm_error *error)
{
    uint32_t file_system = 0;
    *is_memory = segment->page_bytes == slm_segment_system_page_bytes();
    if (segment->kind == SLM_SEGMENT_FILE) {
        if (slm_segment_sys.file_system(segment->fd, &file_system) != 0) {
            return slm_segment_fail(error, segment->label, "cannot look at its file system");
        }
        *is_memory = file_system == TMPFS_MAGIC || file_system == RAMFS_MAGIC;
    }
    return SLM_OK;
}

enum slm_status slm_segment_check_memory(const struct slm_segment *segment, size_t bytes,
                                         struct slm_error *error)
{
    bool is_memory;
    struct limit limit;
    if (bytes <= ALWAYS_FITS_BYTES) {
        return SLM_OK;
    }
    enum slm_status status = find_memory(segment, &is_memory, error);
    if (status != SLM_OK || !is_memory) {
        return status;
    }
    read_machine(&limit);
    read_all_groups(&limit);
    return bytes <= limit.bytes
               ? SLM_OK
               : slm_error_set(error, SLM_E_SPACE, 0,
                               "%.100s: %zu bytes, more memory than %" PRIu64 " (%.80s)",
                               segment->label, bytes, limit.bytes, limit.where);
}
