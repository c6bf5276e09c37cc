/* SPDX-License-Identifier: Apache-2.0 */
/* File cleanups: descriptors to be closed and files to be deleted, each once and in order. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* mkstemp */
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "harness/base/array.h"
#include "harness/laws/laws.h"
#include "harness/run/state.h"

/*
 * Slashes pad paths to the length that the operation gives. Otherwise path lengths, and so pool
 * blocks, would depend on TMPDIR.
 */
#define PATH_MIN_BYTES 128u
#define PATH_MAX_BYTES 4096u /* the kernel's limit, including the final zero */
#define NAME           "/slabmill-XXXXXX"

/* --- What the program registers --- */

static char *make_path(size_t size_bytes)
{
    const char *folder = getenv("TMPDIR");
    size_t n = PATH_MIN_BYTES + size_bytes % (PATH_MAX_BYTES - PATH_MIN_BYTES + 1);
    if (folder == NULL || strlen(folder) + sizeof NAME > PATH_MIN_BYTES) {
        folder = "/tmp";
    }
    size_t cap = 0;
    char *path = hrn_array_grow(NULL, &cap, n, 1);
    memset(path, '/', n);
    /* The final zero comes with NAME. */
    memcpy(path, folder, strlen(folder)); /* NOLINT(bugprone-not-null-terminated-result) */
    memcpy(path + n - sizeof NAME, NAME, sizeof NAME);
    return path;
}

/* The descriptor that decoys duplicate. It is opened before any file is registered; later it could
 * get a number that was just closed. */
static int spare_fd(void)
{
    static int spare = -1;
    if (spare < 0) {
        spare = eventfd(0, EFD_CLOEXEC);
    }
    return spare;
}

/* The kernel takes longer for a file than the harness for all else of an operation. So one in
 * FILES_EVERY is made, of a program's the first one too. At the path of another there is no file. */
#define FILES_EVERY 8u
#define NOT_MADE    "......" /* no name that mkstemp makes */

static int open_fd(struct hrn_run *run, const struct hrn_op *op, struct hrn_file *file)
{
    if (op->aux == HRN_FILE_DELETE && run->n_deletes++ % FILES_EVERY == 0) {
        return mkstemp(file->path);
    }
    if (file->path != NULL) {
        memcpy(strrchr(file->path, '-') + 1, NOT_MADE, sizeof NOT_MADE);
        file->was_gone = true;
    }
    return eventfd(0, EFD_CLOEXEC);
}

/* A descriptor and, except for HRN_FILE_CLOSE, a path. False, with one message per process: none
 * can be made.
 */
static bool open_file(struct hrn_run *run, const struct hrn_op *op, struct hrn_file *file)
{
    static bool said;
    (void)spare_fd();
    file->path = op->aux == HRN_FILE_CLOSE ? NULL : make_path(op->size_bytes);
    file->fd = open_fd(run, op, file);
    if (file->fd >= 0) {
        return true;
    }
    if (!said) {
        fprintf(stderr, "slabmill: no file for a program (%s, %s): such operations are left out\n",
                file->path == NULL ? "a descriptor" : file->path, strerror(errno));
        said = true;
    }
    free(file->path);
    return false;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* Releases what the allocator left open or undeleted. */
static void release_file(struct hrn_file *file)
{
    if (is_open(file->fd)) {
        (void)close(file->fd);
    }
    if (file->path != NULL && !file->was_gone) {
        (void)unlink(file->path);
    }
    free(file->path);
}

/* --- What the allocator did --- */

static void check_kept(const struct hrn_file *file, const char *when)
{
    if (!is_open(file->fd)) {
        hrn_law_cleanup_order("descriptor %d was closed too early: %s", file->fd, when);
    }
    if (file->path != NULL && !file->was_gone && access(file->path, F_OK) != 0) {
        hrn_law_cleanup_order("the file of descriptor %d was deleted too early: %s", file->fd,
                              when);
    }
}

/* Occupies the number, so that a second close of it is noticed. */
static void put_decoy(struct hrn_files *files, int fd)
{
    if (dup2(spare_fd(), fd) == fd) {
        files->decoys = hrn_array_grow(files->decoys, &files->cap_decoys, files->n_decoys + 1,
                                       sizeof *files->decoys);
        files->decoys[files->n_decoys++] = fd;
    }
}

/* Removes the file from the list after its handler has run. */
static void finish(struct hrn_files *files, size_t idx)
{
    struct hrn_file file = files->list[idx];
    if (is_open(file.fd)) {
        hrn_law_cleanup_once("the handler ran, and descriptor %d is still open", file.fd);
    }
    if (file.path != NULL && !file.was_gone && access(file.path, F_OK) == 0) {
        hrn_law_cleanup_once("the handler ran, and the file of descriptor %d still exists",
                             file.fd);
    }
    files->n--;
    memmove(files->list + idx, files->list + idx + 1, (files->n - idx) * sizeof *files->list);
    put_decoy(files, file.fd);
    free(file.path);
}

void hrn_file_settle(struct hrn_files *files, size_t n_handlers)
{
    while (files->n > 0 && files->list[files->n - 1].n_older >= n_handlers) {
        finish(files, files->n - 1);
    }
    if (files->n > 0) {
        check_kept(&files->list[files->n - 1], "a newer handler is running");
    }
}

void hrn_file_forget_older(struct hrn_files *files, size_t idx)
{
    for (size_t i = 0; i < files->n; i++) {
        files->list[i].n_older -= files->list[i].n_older > idx;
    }
}

void hrn_file_end(struct hrn_files *files)
{
    while (files->n_decoys > 0) {
        int fd = files->decoys[--files->n_decoys];
        if (!is_open(fd)) {
            hrn_law_cleanup_once("descriptor %d was closed twice", fd);
        }
        (void)close(fd);
    }
}

void hrn_file_abandon(struct hrn_files *files)
{
    while (files->n > 0) {
        release_file(&files->list[--files->n]);
    }
    while (files->n_decoys > 0) {
        (void)close(files->decoys[--files->n_decoys]);
    }
}

/* --- Operations --- */

static void add_bad(const struct hrn_run *run, const struct hrn_arena *arena)
{
    enum slm_adapter_answer got = run->adapter->pool->file(arena->self, -1, NULL);
    if (got != SLM_ADAPTER_BAD) {
        hrn_law_refusal("a file cleanup of descriptor -1 returns %s", hrn_answer_name(got));
    }
}

static void register_file(struct hrn_run *run, struct hrn_arena *arena, struct hrn_file file)
{
    size_t path_bytes = file.path == NULL ? 0 : strlen(file.path) + 1;
    const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_CLEANUP, path_bytes, 0};
    struct hrn_files *files = &arena->files;
    uint64_t n_before = arena->source.n_refused;
    enum slm_adapter_answer got = run->adapter->pool->file(arena->self, file.fd, file.path);
    if (got != SLM_ADAPTER_OK && got != SLM_ADAPTER_REFUSED) {
        hrn_law_refusal("a file cleanup returns %s", hrn_answer_name(got));
    }
    file.n_older = arena->n_handlers;
    files->list = hrn_array_grow(files->list, &files->cap, files->n + 1, sizeof *files->list);
    files->list[files->n++] = file;
    check_kept(&file, "when it was registered");
    if (got == SLM_ADAPTER_REFUSED) {
        hrn_object_refused(run, arena, &rq, arena->source.n_refused - n_before);
        release_file(&files->list[--files->n]);
    }
}

bool hrn_file_add(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op)
{
    struct hrn_file file = {0};
    if (op->aux == HRN_FILE_BAD) {
        add_bad(run, arena);
        return true;
    }
    if (arena->files.n + arena->files.n_decoys >= HRN_FILES_MAX || !open_file(run, op, &file)) {
        return false;
    }
    register_file(run, arena, file);
    return true;
}

void hrn_file_run(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op)
{
    struct hrn_files *files = &arena->files;
    size_t choice = op->count % (files->n + files->n_decoys + 1);
    bool registered = choice < files->n;
    size_t idx = registered ? files->n - 1 - choice : choice - files->n;
    int fd = registered ? files->list[idx].fd : idx < files->n_decoys ? files->decoys[idx] : -1;
    if (!registered && !run->adapter->pool->run_file_refuses) {
        return;
    }
    enum slm_adapter_answer want = registered ? SLM_ADAPTER_OK : SLM_ADAPTER_BAD_FOREIGN;
    enum slm_adapter_answer got = run->adapter->pool->run_file(arena->self, fd);
    if (got != want) {
        hrn_law_cleanup_once("running the file cleanup of descriptor %d returns %s, should be %s",
                             fd, hrn_answer_name(got), hrn_answer_name(want));
    }
    if (registered) {
        finish(files, idx);
    }
    for (size_t i = 0; i < files->n; i++) {
        check_kept(&files->list[i], "another was run");
    }
}
