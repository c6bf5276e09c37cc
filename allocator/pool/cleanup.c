/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: handlers that run on reset and on destroy. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include "allocator/base/cancel.h"
#include "allocator/pool/layout.h"

#include <unistd.h>

/* Argument of the handler of files. */
struct file {
    int fd;
    char path[]; /* "": only close */
};

/* What an allocation changes, apart from sums. */
struct before {
    struct slm_pool_block *current;
    bool has_table;
    unsigned char *newest; /* which object give_back of a pass-through pool would release */
};

static struct before note_before(const struct slm_pool *pool)
{
    const struct slm_pool_large *large = pool->rest->large;
    return (struct before){
        .current = pool->rest->current,
        .has_table = large != NULL,
        .newest = large == NULL ? NULL : large->newest,
    };
}

/* Releases the newest object, which the caller never saw. So a large one is not remembered as
 * freed, the previous newest is the newest again, also where another block served the object, and a
 * table of records that came with it goes. */
static void undo_alloc(struct slm_pool *pool, void *p, size_t size_bytes, struct before before)
{
    struct slm_pool_record *record = slm_pool_record_find(pool, p);
    if (record != NULL && record->kind == SLM_POOL_LARGE) {
        slm_pool_object_release(pool, record);
    } else {
        (void)slm_pool_give_back(pool, p, size_bytes);
    }
    struct slm_pool_large *table = pool->rest->large;
    if (before.has_table) {
        table->newest = before.newest;
    } else if (table != NULL) {
        slm_pool_table_drop(pool);
        (void)slm_pool_give_back(pool, table, SLM_POOL_LARGE_BYTES);
    }
    slm_pool_block_return_to(pool, before.current);
}

static void set_next(struct slm_pool_cleanup **link, struct slm_pool_cleanup *next)
{
    *link = next;
    if (next != NULL) {
        next->link = link;
    }
}

static void link_first(struct slm_pool *pool, struct slm_pool_cleanup *cleanup,
                       slm_pool_handler handler, void *data)
{
    cleanup->handler = handler;
    cleanup->data = data;
    set_next(&cleanup->next, pool->rest->cleanups);
    set_next(&pool->rest->cleanups, cleanup);
    pool->rest->n_cleanups++;
    SLM_CHECK_ALL(slm_pool_check(pool));
}

void slm_pool_cleanup_unlink(struct slm_pool *pool, struct slm_pool_cleanup *cleanup)
{
    set_next(cleanup->link, cleanup->next);
    cleanup->handler = NULL;
    pool->rest->n_cleanups--;
}

enum slm_status slm_pool_cleanup_reserve(struct slm_pool *pool, struct slm_pool_cleanup **out)
{
    if (out != NULL) {
        *out = NULL;
    }
    if (pool == NULL || out == NULL) {
        return SLM_E_NULL;
    }
    struct slm_pool_cleanup *cleanup = slm_pool_alloc(pool, sizeof *cleanup);
    if (cleanup == NULL) {
        return SLM_E_NOMEM;
    }
    *cleanup = (struct slm_pool_cleanup){.handler = NULL};
    *out = cleanup;
    return SLM_OK;
}

enum slm_status slm_pool_cleanup_arm(struct slm_pool *pool, struct slm_pool_cleanup *cleanup,
                                     slm_pool_handler handler, void *data)
{
    if (pool == NULL || cleanup == NULL || handler == NULL) {
        return SLM_E_NULL;
    }
    if (cleanup->handler != NULL) {
        return SLM_E_DUPLICATE;
    }
    link_first(pool, cleanup, handler, data);
    return SLM_OK;
}

enum slm_status slm_pool_cleanup_cancel(struct slm_pool *pool, struct slm_pool_cleanup *cleanup)
{
    if (pool == NULL || cleanup == NULL) {
        return SLM_E_NULL;
    }
    if (cleanup->handler == NULL) {
        return SLM_UNCHANGED;
    }
    slm_pool_cleanup_unlink(pool, cleanup);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return SLM_OK;
}

static enum slm_status push_cleanup(struct slm_pool *pool, slm_pool_handler handler, void *data)
{
    struct slm_pool_cleanup *cleanup = NULL;
    enum slm_status status = slm_pool_cleanup_reserve(pool, &cleanup);
    if (status == SLM_OK) {
        link_first(pool, cleanup, handler, data);
    }
    return status;
}

static struct slm_pool *parent_of(const struct slm_pool *pool)
{
    return pool->rest->as_child == NULL ? NULL : pool->rest->as_child->parent;
}

/* A handler may not end its own pool, nor one that would end it. If a pool is busy, so are all above
 * it. The first of them that was so before, or NULL: there the call ended. */
static struct slm_pool *make_busy(struct slm_pool *pool)
{
    while (pool != NULL && !pool->rest->busy) {
        pool->rest->busy = true;
        pool = parent_of(pool);
    }
    return pool;
}

static void end_busy(struct slm_pool *pool, const struct slm_pool *end)
{
    for (; pool != end; pool = parent_of(pool)) {
        pool->rest->busy = false;
    }
}

/* It may close a file: a thread that was cancelled there would leave the pool busy. */
static void run_handler(slm_pool_handler handler, void *data)
{
    int cancel = slm_cancel_off();
    handler(data);
    slm_cancel_restore(cancel);
}

void slm_pool_cleanup_run_all(struct slm_pool *pool)
{
    struct slm_pool_rest *rest = pool->rest;
    struct slm_pool *end = make_busy(pool);
    while (rest->cleanups != NULL) {
        struct slm_pool_cleanup *cleanup = rest->cleanups;
        slm_pool_handler handler = cleanup->handler;
        slm_pool_cleanup_unlink(pool, cleanup);
        run_handler(handler, cleanup->data);
    }
    end_busy(pool, end);
}

enum slm_status slm_pool_cleanup_add(struct slm_pool *pool, slm_pool_handler handler, void *data,
                                     size_t data_bytes, void **data_out)
{
    if (data_bytes > 0 && data_out != NULL) {
        *data_out = NULL;
    }
    if (pool == NULL || handler == NULL || (data_bytes > 0 && data_out == NULL)) {
        return SLM_E_NULL;
    }
    if (data_bytes == 0) {
        return push_cleanup(pool, handler, data);
    }
    struct before before = note_before(pool);
    void *own = slm_pool_calloc(pool, data_bytes);
    if (own == NULL) {
        return SLM_E_NOMEM;
    }
    enum slm_status status = push_cleanup(pool, handler, own);
    if (status == SLM_OK) {
        slm_pool_record_argument(pool, own);
        *data_out = own;
    } else {
        undo_alloc(pool, own, data_bytes, before);
    }
    return status;
}

/* --- Files --- */

static void finish_file(void *data)
{
    const struct file *file = data;
    /* A handler cannot report a failure; and a file that does not exist is what it wants. */
    if (file->path[0] != '\0') {
        (void)unlink(file->path);
    }
    (void)close(file->fd);
}

/* One object for all of it: if the handler is refused, only the newest object can be released. */
static enum slm_status add_file(struct slm_pool *pool, int fd, const char *path)
{
    size_t path_bytes = strlen(path) + 1;
    void *data = NULL;
    if (fd < 0) {
        return SLM_E_OPTION;
    }
    enum slm_status status =
        slm_pool_cleanup_add(pool, finish_file, NULL, sizeof(struct file) + path_bytes, &data);
    if (status == SLM_OK) {
        struct file *file = data;
        file->fd = fd;
        memcpy(file->path, path, path_bytes);
    }
    return status;
}

enum slm_status slm_pool_cleanup_close(struct slm_pool *pool, int fd)
{
    return pool == NULL ? SLM_E_NULL : add_file(pool, fd, "");
}

enum slm_status slm_pool_cleanup_delete(struct slm_pool *pool, int fd, const char *path)
{
    return pool == NULL || path == NULL ? SLM_E_NULL : add_file(pool, fd, path);
}

enum slm_status slm_pool_cleanup_run_file(struct slm_pool *pool, int fd)
{
    if (pool == NULL) {
        return SLM_E_NULL;
    }
    struct slm_pool_cleanup *cleanup = pool->rest->cleanups;
    for (; cleanup != NULL; cleanup = cleanup->next) {
        if (cleanup->handler == finish_file && ((struct file *)cleanup->data)->fd == fd) {
            slm_pool_cleanup_unlink(pool, cleanup);
            run_handler(finish_file, cleanup->data);
            SLM_CHECK_ALL(slm_pool_check(pool));
            return SLM_OK;
        }
    }
    return SLM_E_FOREIGN;
}

/* --- Child pools --- */

void slm_pool_child_leave(struct slm_pool *child)
{
    struct slm_pool_child *record = child->rest->as_child;
    slm_pool_cleanup_unlink(record->parent, &record->cleanup);
    slm_pool_child_give(record);
}
