/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the facts from a copied zone. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/slabmill/inspect/inspect.h"

/* --- Names --- */

const char *mill_moment_name(enum mill_moment moment)
{
    static const char *const names[] = {"settled", "left", "held", "changing"};
    return names[moment];
}

const char *mill_lock_name(uint32_t kind)
{
    switch (kind) {
    case SLM_LOCK_ROBUST:
        return "robust";
    case SLM_LOCK_SPIN_SEM:
        return "spin";
    case SLM_LOCK_FILE:
        return "file";
    default:
        return "damaged";
    }
}

/* --- The owner's process --- */

/* Reads a small file of /proc. The text is empty if that fails. */
static size_t read_proc(pid_t pid, const char *what, char *text, size_t text_bytes)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    FILE *file = fopen(path, "r");
    size_t n = file == NULL ? 0 : fread(text, 1, text_bytes - 1, file);
    if (file != NULL) {
        fclose(file);
    }
    text[n] = '\0';
    return n;
}

static void read_command(pid_t pid, char *to, size_t to_bytes)
{
    char comm[MILL_COMM_BYTES];
    size_t n = read_proc(pid, "comm", comm, sizeof comm);
    mill_escape(to, to_bytes, comm, n > 0 && comm[n - 1] == '\n' ? n - 1 : n);
}

/* The start time of the process, in ticks since the system's start: field 22 of a stat file,
 * counted from the end of the name, which may contain anything. */
static uint64_t runs_seconds(pid_t pid)
{
    char stat[1024];
    char uptime[64];
    (void)read_proc(pid, "stat", stat, sizeof stat);
    FILE *file = fopen("/proc/uptime", "r");
    bool is_known = file != NULL && fgets(uptime, sizeof uptime, file) != NULL;
    if (file != NULL) {
        fclose(file);
    }
    const char *at = strrchr(stat, ')');
    for (unsigned field = 2; at != NULL && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL || !is_known) {
        return 0;
    }
    uint64_t up = strtoull(uptime, NULL, 10);
    uint64_t started = strtoull(at, NULL, 10) / (uint64_t)sysconf(_SC_CLK_TCK);
    return up > started ? up - started : 0;
}

static void look_at_process(struct mill_process *process, pid_t thread_id)
{
    char status[4096];
    (void)read_proc(thread_id, "status", status, sizeof status);
    const char *tgid = strstr(status, "\nTgid:");
    process->thread_id = thread_id;
    process->process_id = tgid == NULL ? thread_id : (pid_t)strtol(tgid + 6, NULL, 10);
    process->runs_seconds = runs_seconds(process->process_id);
    read_command(process->process_id, process->command, sizeof process->command);
    read_command(thread_id, process->thread_name, sizeof process->thread_name);
}

static void look_at_owner(struct mill_look *look)
{
    const struct slm_lock_owner *owner = &look->copy->owner;
    look->is_owner_known = owner->doubt == SLM_LOCK_NO_DOUBT;
    if (look->is_owner_known && owner->is_alive) {
        look_at_process(&look->process, owner->thread_id);
    }
    look->is_repair_due = owner->needs_repair || look->copy->moment == MILL_MOMENT_LEFT;
}

static unsigned log2_of(uint64_t n)
{
    return 63u - (unsigned)__builtin_clzll(n);
}

/* --- Pages --- */

/* A damaged span may count more chunks than it has room for. */
static void add_span(struct mill_look *look, const struct slm_slab_extent *extent)
{
    uint64_t n_bytes = (uint64_t)extent->n_pages * look->stats.page_bytes;
    uint64_t n_used = extent->n_used * look->classes[extent->class_idx].chunk_bytes;
    look->n_span_pages += extent->n_pages;
    look->used_bytes += n_used;
    look->waste_bytes[extent->class_idx] += n_bytes > n_used ? n_bytes - n_used : 0;
}

static bool add_extent(void *data, const struct slm_slab_extent *extent)
{
    struct mill_look *look = data;
    uint64_t page_bytes = look->stats.page_bytes;
    switch (extent->kind) {
    case SLM_SLAB_EXTENT_FREE:
        look->n_free_runs++;
        look->n_free_pages += extent->n_pages;
        look->free_lengths[log2_of(extent->n_pages)]++;
        if (extent->n_pages > look->longest_pages) {
            look->longest_pages = extent->n_pages;
        }
        break;
    case SLM_SLAB_EXTENT_SPAN:
        add_span(look, extent);
        break;
    case SLM_SLAB_EXTENT_RUN:
        look->used_bytes += extent->n_pages * page_bytes;
        break;
    default:
        look->n_damaged_pages += extent->n_pages;
    }
    return true;
}

static void look_at_slab(struct mill_look *look, const struct mill_copy *copy)
{
    slm_slab_get_stats(copy->slab, &look->stats);
    for (unsigned i = 0; i < look->stats.n_classes; i++) {
        (void)slm_slab_get_class_stats(copy->slab, i, &look->classes[i]);
    }
    slm_slab_walk_locked(copy->slab, add_extent, look);
    slm_zone_image_get_notes(&copy->journal, &look->notes);
    look->n_undone = slm_journal_n_undone(&copy->journal);
    look->n_finished = slm_journal_n_finished(&copy->journal);
}

void mill_look_at(struct mill_look *look, const struct mill_copy *copy, const char *label)
{
    memset(look, 0, sizeof *look);
    look->copy = copy;
    look->label = label;
    (void)clock_gettime(CLOCK_REALTIME, &look->when);
    mill_escape(look->place, sizeof look->place, label, MILL_PATH_BYTES);
    mill_escape(look->name, sizeof look->name, copy->image.name, sizeof copy->image.name);
    mill_escape(look->tag, sizeof look->tag, copy->image.tag, sizeof copy->image.tag);
    look_at_owner(look);
    look->is_checked = copy->moment == MILL_MOMENT_SETTLED || copy->moment == MILL_MOMENT_LEFT;
    if (copy->slab != NULL) {
        look_at_slab(look, copy);
        look->broken =
            look->is_checked ? slm_zone_image_check(&copy->image, copy->slab, &copy->journal) : 0;
    }
}

/* The zone may have changed since the copy was made: each word is one that the root had. */
void mill_look_at_root(struct mill_look *look, const struct mill_source *source)
{
    const struct mill_copy *copy = look->copy;
    bool is_sound = copy->moment == MILL_MOMENT_SETTLED && copy->slab != NULL && look->broken == 0;
    unsigned char *root = is_sound ? slm_journal_root(&copy->journal) : NULL;
    size_t n_bytes = root == NULL ? 0 : slm_slab_usable_bytes(copy->slab, root);
    size_t n_read = n_bytes < sizeof look->root_words ? n_bytes : sizeof look->root_words;
    struct slm_error error;
    if (n_bytes != 0 && mill_source_read(source, (size_t)(root - copy->base), look->root_words,
                                         n_read, &error) == SLM_OK) {
        look->root_bytes = n_bytes;
        look->n_root_words = (unsigned)(n_read / sizeof *look->root_words);
    }
}

void mill_look_rehearse(struct mill_look *look, struct mill_copy *copy)
{
    bool is_possible = copy->slab != NULL && !copy->image.is_given_up;
    if (copy->moment == MILL_MOMENT_LEFT && is_possible) {
        look->is_rehearsed = true;
        look->is_repairable =
            slm_zone_image_repair(&copy->image, copy->slab, &copy->journal) == SLM_OK &&
            slm_zone_image_check(&copy->image, copy->slab, &copy->journal) == 0;
    }
}

int mill_look_status(const struct mill_look *look)
{
    const struct mill_copy *copy = look->copy;
    bool is_open = copy->slab_status == SLM_OK || copy->moment == MILL_MOMENT_CHANGING;
    bool is_sound =
        is_open && look->broken == 0 && !look->is_repair_due && !copy->image.is_given_up;
    return is_sound ? MILL_GOOD : MILL_BROKEN;
}

/* --- Sums --- */

double mill_share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part / (double)whole;
}

double mill_look_fragmentation(const struct mill_look *look)
{
    return look->n_free_pages == 0 ? 0 : 1 - mill_share(look->longest_pages, look->n_free_pages);
}

uint64_t mill_look_requests(const struct mill_look *look)
{
    uint64_t n = look->stats.run_requests;
    for (unsigned i = 0; i < look->stats.n_classes; i++) {
        n += look->classes[i].n_requests;
    }
    return n;
}

uint64_t mill_look_failures(const struct mill_look *look)
{
    uint64_t n = look->stats.run_failures;
    for (unsigned i = 0; i < look->stats.n_classes; i++) {
        n += look->classes[i].n_failures;
    }
    return n;
}
