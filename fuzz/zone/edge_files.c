/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of zone_edge_fuzz: names that are removed, renamed, copied and listed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* F_SETLEASE */
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "allocator/zone/header.h"
#include "fuzz/common/folder.h"
#include "fuzz/zone/edge_world.h"

enum { PATH_BYTES = HRN_FUZZ_FOLDER_BYTES + 8 };

static const char *folder;
static pid_t maker; /* of the folder; 0: there is none yet */
static char paths[EDGE_N_SPELLINGS][PATH_BYTES];
static char lock_paths[EDGE_LOCK_IS_SEGMENT][PATH_BYTES];
static bool has_leases; /* without them a copy's owner cannot be judged: see slm_zone_attach */

/* --- The folder --- */

static void remove_files(void)
{
    for (unsigned i = 0; i < EDGE_N_PATHS; i++) {
        (void)unlink(paths[i]);
    }
    for (unsigned i = 0; i < EDGE_LOCK_IS_SEGMENT; i++) {
        (void)unlink(lock_paths[i]);
    }
}

static void write_paths(void)
{
    for (unsigned i = 0; i < EDGE_N_PATHS; i++) {
        char letter = (char)('a' + i);
        (void)snprintf(paths[i], sizeof paths[i], "%s/%c", folder, letter);
        (void)snprintf(paths[i + EDGE_N_PATHS], sizeof paths[i], "%s/./%c", folder, letter);
    }
    for (unsigned i = 0; i < EDGE_LOCK_IS_SEGMENT; i++) {
        (void)snprintf(lock_paths[i], sizeof lock_paths[i], "%s/l%u", folder, i);
    }
}

static bool find_leases(void)
{
    int fd = open(paths[0], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bool has = fd >= 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    (void)unlink(paths[0]);
    return has;
}

static void make_folder(void)
{
    folder = hrn_fuzz_folder();
    if (folder == NULL) {
        hrn_edge_law_folder("%s", strerror(errno));
    }
    write_paths();
    has_leases = find_leases();
    maker = getpid();
}

void hrn_edge_clean_folder(void)
{
    if (maker != getpid()) { /* an engine may fork after the first input */
        make_folder();
    }
    remove_files();
    for (unsigned i = 0; i < EDGE_N_PATHS; i++) {
        hrn_edge_world.names[i] = EDGE_NONE;
    }
}

const char *hrn_edge_path(unsigned spelling)
{
    return paths[spelling];
}

const char *hrn_edge_lock_path(unsigned idx)
{
    return lock_paths[idx];
}

uint64_t hrn_edge_file_bytes(unsigned path)
{
    struct stat about;
    return stat(paths[path], &about) == 0 ? (uint64_t)about.st_size : 0;
}

void hrn_edge_put_server(int body, uint64_t word)
{
    const struct edge_world *world = &hrn_edge_world;
    off_t offset = offsetof(struct zone_header, server);
    for (unsigned i = 0; i < EDGE_N_PATHS; i++) {
        int fd = world->names[i] == body ? open(paths[i], O_RDWR | O_CLOEXEC) : -1;
        if (fd >= 0) {
            (void)!pwrite(fd, &word, sizeof word, offset);
            (void)close(fd);
        }
    }
    for (unsigned i = 0; i < EDGE_N_VIEWS; i++) {
        if (world->views[i].zone != NULL && world->views[i].body == body) {
            int fd = slm_segment_id(slm_zone_segment(world->views[i].zone));
            (void)!pwrite(fd, &word, sizeof word, offset);
        }
    }
}

/* --- Operations --- */

void hrn_edge_remove(const struct edge_op *op)
{
    struct edge_world *world = &hrn_edge_world;
    const struct edge_view *view = &world->views[op->who % EDGE_N_VIEWS];
    unsigned path = op->what % EDGE_N_PATHS;
    bool through_view = (op->extra & 1u) != 0;
    struct slm_error error;
    if (through_view && view->zone == NULL) {
        return;
    }
    bool is_named = world->names[path] != EDGE_NONE;
    enum slm_status status;
    if (through_view) {
        path = view->spelling % EDGE_N_PATHS;
        bool has_name = world->bodies[view->body].kind == SLM_SEGMENT_FILE;
        is_named = has_name && world->names[path] == view->body;
        status = slm_zone_remove(view->zone, &error);
        hrn_edge_judge("remove, through a handle", status,
                       !has_name || is_named ? 0 : EDGE_REASON(SLM_E_MISSING), &error, NULL);
    } else {
        struct slm_segment_options options = {.kind = SLM_SEGMENT_FILE, .name = paths[path]};
        status = slm_segment_remove(&options, &error);
        hrn_edge_judge("remove", status, is_named ? 0 : EDGE_REASON(SLM_E_MISSING), &error, NULL);
    }
    if (is_named) {
        world->names[path] = EDGE_NONE;
    }
}

/* Another program gives one file the name of another. */
void hrn_edge_rename(const struct edge_op *op)
{
    int *names = hrn_edge_world.names;
    unsigned from = op->who % EDGE_N_PATHS;
    unsigned to = op->what % EDGE_N_PATHS;
    if (from != to && names[from] != EDGE_NONE && rename(paths[from], paths[to]) == 0) {
        names[to] = names[from];
        names[from] = EDGE_NONE;
    }
}

/* Pages of zeros become holes, as most programs that copy files do. */
static bool copy_bytes(const char *from, const char *to)
{
    static unsigned char page[4096];
    static const unsigned char zeros[sizeof page];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    off_t at = 0;
    while (read(in, page, sizeof page) == (ssize_t)sizeof page) {
        if (memcmp(page, zeros, sizeof page) != 0) {
            (void)!pwrite(out, page, sizeof page, at);
        }
        at += (off_t)sizeof page;
    }
    bool is_whole = ftruncate(out, at) == 0;
    (void)close(in);
    (void)close(out);
    return is_whole;
}

void hrn_edge_copy(const struct edge_op *op)
{
    struct edge_world *world = &hrn_edge_world;
    unsigned from = op->who % EDGE_N_PATHS;
    unsigned to = op->what % EDGE_N_PATHS;
    int body = world->names[from];
    if (from == to || body == EDGE_NONE ||
        (world->bodies[body].holder != EDGE_NONE && !has_leases)) {
        return;
    }
    (void)unlink(paths[to]);
    world->names[to] = EDGE_NONE;
    hrn_edge_collect();
    int copy = hrn_edge_new_body();
    if (!copy_bytes(paths[from], paths[to])) {
        hrn_edge_law_folder("a file cannot be copied: %s", strerror(errno));
    }
    world->bodies[copy] = world->bodies[body];
    world->bodies[copy].former = hrn_edge_holder_of(&world->bodies[body]);
    world->bodies[copy].holder = EDGE_NONE;
    world->bodies[copy].server = 0;
    world->names[to] = copy;
}

static bool see_entry(void *data, const struct slm_segment_entry *entry)
{
    unsigned *seen = data;
    for (unsigned i = 0; i < EDGE_N_PATHS; i++) {
        if (strcmp(entry->name, paths[i]) == 0) {
            int body = hrn_edge_world.names[i];
            if (body == EDGE_NONE || entry->bytes < hrn_edge_world.bodies[body].bytes ||
                entry->bytes > hrn_edge_world.bodies[body].max_bytes || entry->mode != 0600 ||
                entry->owner != geteuid()) {
                hrn_edge_law_listing("%c: %zu bytes, mode %o", 'a' + (int)i, entry->bytes,
                                     (unsigned)entry->mode);
            }
            *seen |= 1u << i;
            return true;
        }
    }
    if (strcmp(entry->name, lock_paths[0]) != 0 && strcmp(entry->name, lock_paths[1]) != 0) {
        hrn_edge_law_listing("%.100s is left over", entry->name);
    }
    return true;
}

void hrn_edge_list(const struct edge_op *op)
{
    struct slm_segment_options options = {.kind = SLM_SEGMENT_FILE, .name = folder};
    struct slm_error error;
    unsigned seen = 0;
    (void)op;
    if (slm_segment_list(&options, see_entry, &seen, &error) != SLM_OK) {
        hrn_edge_law_listing("%.150s", error.text);
    }
    for (unsigned i = 0; i < EDGE_N_PATHS; i++) {
        if (hrn_edge_world.names[i] != EDGE_NONE && (seen >> i & 1u) == 0) {
            hrn_edge_law_listing("%c is not in it", 'a' + (int)i);
        }
    }
}
