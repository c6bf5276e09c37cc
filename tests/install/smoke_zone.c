/* SPDX-License-Identifier: Apache-2.0 */
/* Zones in a program outside the project, in C and in C++. */
#include "smoke.h"

#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static struct slm_zone_options options_of(enum slm_segment_kind kind, const char *name)
{
    struct slm_zone_options options;
    memset(&options, 0, sizeof options);
    options.name = name;
    options.tag = "smoke 1";
    options.bytes = 256 * 1024;
    options.max_bytes = 1024 * 1024;
    options.segment.kind = kind;
    return options;
}

/* Increments a counter at the root, and commits it. */
static uint64_t *make_counter(struct slm_zone *zone, uint64_t value)
{
    struct slm_journal *journal = slm_zone_journal(zone);
    EXPECT(slm_zone_lock(zone) == SLM_OK);
    uint64_t *counter = SMOKE_TO(uint64_t *, slm_journal_calloc(journal, 64));
    EXPECT(counter != NULL && slm_zone_set_root_locked(zone, counter) == SLM_OK);
    slm_journal_write(journal, counter, value);
    EXPECT(slm_zone_unlock(zone) == SLM_OK);
    return counter;
}

/* A child takes the lock, writes and dies. The parent's next lock undoes the write. */
static void die_in_a_turn(struct slm_zone *zone)
{
    pid_t child = fork();
    if (child == 0) {
        if (slm_zone_lock(zone) == SLM_OK) {
            slm_journal_write(slm_zone_journal(zone),
                              SMOKE_TO(uint64_t *, slm_zone_root_locked(zone)), 9);
        }
        _exit(*SMOKE_TO(uint64_t *, slm_zone_root_locked(zone)) == 9 ? 0 : 1);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

void smoke_zone(void)
{
    struct slm_zone_attach_options attach;
    struct slm_zone_options options;
    struct slm_zone *zone;
    struct slm_zone *second;
    struct slm_error error;
    char name[32];
    (void)snprintf(name, sizeof name, "smoke.%d", SMOKE_TO(int, getpid()));
    options = options_of(SLM_SEGMENT_POSIX, name);
    memset(&attach, 0, sizeof attach);
    attach.segment.kind = SLM_SEGMENT_POSIX;
    attach.segment.name = name;
    attach.name = name;

    EXPECT(slm_zone_create(&zone, &options, &error) == SLM_OK);
    uint64_t *counter = make_counter(zone, 5);
    die_in_a_turn(zone);
    EXPECT(*counter == 9);
    EXPECT(slm_zone_lock(zone) == SLM_OK);
    EXPECT(*counter == 5 && slm_zone_check_locked(zone) == 0);
    EXPECT(slm_zone_unlock(zone) == SLM_OK);

    EXPECT(slm_zone_attach(&second, &attach, &error) == SLM_OK);
    EXPECT(*SMOKE_TO(uint64_t *, slm_zone_root_locked(second)) == 5);
    EXPECT(slm_zone_grow(second, 512 * 1024, &error) == SLM_OK);
    EXPECT(slm_zone_lock(zone) == SLM_OK && slm_zone_unlock(zone) == SLM_OK);
    EXPECT(slm_segment_bytes(slm_zone_segment(zone)) == 512 * 1024);
    EXPECT(slm_journal_n_undone(slm_zone_journal(zone)) == 1);
    slm_zone_detach(second);
    EXPECT(slm_zone_remove(zone, &error) == SLM_OK);
    slm_zone_detach(zone);
    EXPECT(slm_zone_attach(&zone, &attach, &error) == SLM_E_MISSING);
}

void smoke_zone_copy(void)
{
    struct slm_zone_options options = options_of(SLM_SEGMENT_ANONYMOUS, "copied");
    struct slm_zone_attach_options attach;
    struct slm_segment_options to;
    struct slm_zone_copy_report report;
    struct slm_zone *zone;
    struct slm_zone *copy;
    struct slm_error error;
    char name[32];
    (void)snprintf(name, sizeof name, "smoke_copy.%d", SMOKE_TO(int, getpid()));
    memset(&to, 0, sizeof to);
    to.kind = SLM_SEGMENT_POSIX;
    to.name = name;
    memset(&attach, 0, sizeof attach);
    attach.segment = to;
    attach.name = "copied";

    EXPECT(slm_zone_create(&zone, &options, &error) == SLM_OK);
    (void)make_counter(zone, 78);
    EXPECT(slm_zone_copy(zone, &to, &report, &error) == SLM_OK);
    EXPECT(report.bytes == 256 * 1024 && report.most_held_bytes <= SLM_ZONE_COPY_HOLD_BYTES);
    EXPECT(slm_zone_copy(zone, &to, NULL, &error) == SLM_E_EXISTS);
    slm_zone_detach(zone);

    EXPECT(slm_zone_attach(&copy, &attach, &error) == SLM_OK);
    EXPECT(*SMOKE_TO(uint64_t *, slm_zone_root_locked(copy)) == 78);
    EXPECT(slm_zone_remove(copy, &error) == SLM_OK);
    slm_zone_detach(copy);
}

void smoke_zone_image(void)
{
    struct slm_zone_options options = options_of(SLM_SEGMENT_ANONYMOUS, "image");
    struct slm_zone *zone;
    struct slm_error error;
    EXPECT(slm_zone_create(&zone, &options, &error) == SLM_OK);
    (void)make_counter(zone, 77);
    const struct slm_segment *segment = slm_zone_segment(zone);
    void *copy = aligned_alloc(4096, slm_segment_bytes(segment));
    EXPECT(copy != NULL);
    memcpy(copy, slm_segment_base(segment), slm_segment_bytes(segment));
    slm_zone_detach(zone);

    struct slm_zone_image image;
    struct slm_slab *slab;
    struct slm_journal journal;
    EXPECT(slm_zone_image_read(&image, copy, SLM_ZONE_IMAGE_HEAD_BYTES, "copy", &error) == SLM_OK);
    EXPECT(strcmp(image.name, "image") == 0 && image.version == SLM_ZONE_VERSION);
    EXPECT(slm_zone_image_open(&image, copy, &slab, &journal) == SLM_OK);
    EXPECT(slm_zone_image_check(&image, slab, &journal) == 0);
    EXPECT(*SMOKE_TO(uint64_t *, slm_journal_root(&journal)) == 77);
    slm_journal_detach(&journal);
    slm_slab_detach(slab);
    free(copy);
}

struct hits {
    struct slm_table_entry entry;
    struct slm_lease_count users;
    uint64_t n;
};

/* A table, and a book with room for 4 workers after it. */
struct top {
    struct slm_table table;
    struct slm_lease_book book;
};

/* A zone with them at its root, and the lock held. */
static struct top *lock_top(struct slm_zone **zone)
{
    struct slm_zone_options options = options_of(SLM_SEGMENT_ANONYMOUS, "table");
    struct slm_error error;
    EXPECT(slm_zone_create(zone, &options, &error) == SLM_OK && slm_zone_lock(*zone) == SLM_OK);
    struct top *top =
        SMOKE_TO(struct top *, slm_journal_calloc(slm_zone_journal(*zone),
                                                  sizeof(struct top) + SLM_LEASE_SLOTS_BYTES(4)));
    EXPECT(top != NULL && slm_zone_set_root_locked(*zone, top) == SLM_OK);
    EXPECT(slm_lease_init_locked(*zone, &top->book, 4) == SLM_OK);
    EXPECT(slm_zone_commit_locked(*zone) == SLM_OK);
    return top;
}

/* The entry with that number as its key; n is how often it was asked for. */
static struct hits *hit(struct slm_zone *zone, struct top *top, unsigned number)
{
    struct slm_table_shape shape;
    struct slm_table_key key;
    enum slm_status status;
    memset(&shape, 0, sizeof shape);
    shape.entry_bytes = sizeof(struct hits);
    EXPECT(slm_table_key_init(&key, &number, sizeof number) == SLM_OK);
    struct slm_table_entry *entry =
        slm_table_get_locked(zone, &top->table, &key, &shape, NULL, &status);
    EXPECT(entry != NULL && status == SLM_OK);
    struct hits *hits = SLM_OBJECT(entry, struct hits, entry);
    EXPECT(slm_journal_add(slm_zone_journal(zone), &hits->n, 1) == SLM_OK);
    EXPECT(slm_zone_commit_locked(zone) == SLM_OK);
    return hits;
}

void smoke_table(void)
{
    struct slm_zone *zone;
    struct top *top = lock_top(&zone);
    EXPECT(hit(zone, top, 0)->n == 1 && hit(zone, top, 0)->n == 2);
    for (unsigned i = 1; top->table.n_evicted == 0; i++) {
        EXPECT(hit(zone, top, i)->n == 1);
    }
    EXPECT(hit(zone, top, 0)->n == 1 && top->table.by_key.n_nodes > 500);
    EXPECT(slm_table_drop_locked(zone, &top->table, slm_table_oldest_locked(zone, &top->table)) ==
           SLM_OK);
    EXPECT(slm_table_check_locked(zone, &top->table) == 0);
    EXPECT(slm_zone_unlock(zone) == SLM_OK);
    slm_zone_detach(zone);
}

void smoke_lease(void)
{
    struct slm_zone *zone;
    struct top *top = lock_top(&zone);
    struct slm_lease_worker worker;
    struct slm_lease lease;
    struct hits *hits = hit(zone, top, 5);
    EXPECT(slm_lease_join_locked(zone, &top->book, NULL, NULL, &worker) == SLM_OK);
    EXPECT(slm_lease_take_locked(zone, &top->book, &worker, &hits->users, &lease) == SLM_OK);
    EXPECT(slm_lease_n(&hits->users) == 1);
    EXPECT(slm_lease_check_count_locked(zone, &top->book, &hits->users) == 0);
    EXPECT(slm_lease_check_locked(zone, &top->book, 1) == 0);
    EXPECT(slm_lease_give_locked(zone, &top->book, &worker, &lease, NULL) == SLM_OK);
    EXPECT(slm_lease_give_locked(zone, &top->book, &worker, &lease, NULL) == SLM_E_NOT_MEMBER);
    EXPECT(slm_lease_n(&hits->users) == 0);
    EXPECT(slm_zone_unlock(zone) == SLM_OK);
    slm_zone_detach(zone);
}

static enum slm_status start_counter(struct slm_zone *zone, bool is_reused, void *data)
{
    struct slm_journal *journal = slm_zone_journal(zone);
    ++*SMOKE_TO(int *, data);
    if (is_reused) {
        return slm_zone_root_locked(zone) != NULL ? SLM_OK : SLM_E_STATE;
    }
    void *counter = slm_journal_calloc(journal, 64);
    return counter == NULL ? SLM_E_NOMEM : slm_zone_set_root_locked(zone, counter);
}

void smoke_zone_set(void)
{
    struct slm_zone_declaration declaration;
    struct slm_zone_set *set;
    struct slm_error error;
    int n_calls = 0;
    memset(&declaration, 0, sizeof declaration);
    declaration.options = options_of(SLM_SEGMENT_MEMFD, "set");
    declaration.init = start_counter;
    declaration.data = &n_calls;
    EXPECT(slm_zone_set_create(&set) == SLM_OK);
    EXPECT(slm_zone_set_apply(set, &declaration, 1, &error) == SLM_OK);
    struct slm_zone *zone = slm_zone_set_find(set, "set");
    EXPECT(zone != NULL && slm_zone_set_at(set, 0) == zone && slm_zone_set_at(set, 1) == NULL);
    EXPECT(slm_zone_set_apply(set, &declaration, 1, &error) == SLM_OK);
    EXPECT(slm_zone_set_find(set, "set") == zone && n_calls == 2);
    slm_zone_set_destroy(set);
}
