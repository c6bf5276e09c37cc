/* SPDX-License-Identifier: Apache-2.0 */
/* Usage: smoke [UNIT...]. Without a name it runs every unit. Exit status 1: an expectation
 * failed. */
#include "smoke.h"

#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_ITEMS = 100 };

/* Page-aligned, for slabs and locks. */
static unsigned char region[256 * 1024] __attribute__((aligned(4096)));

static void smoke_version(void)
{
    EXPECT(strcmp(slm_version(), SLM_VERSION_STRING) == 0);
    char text[32];
    (void)snprintf(text, sizeof text, "%d.%d.%d", SLM_VERSION_MAJOR, SLM_VERSION_MINOR,
                   SLM_VERSION_PATCH);
    EXPECT(strcmp(slm_version(), text) == 0);
}

static void smoke_word(void)
{
    struct {
        char first;
        slm_word word;
    } pair = {1, 2};
    EXPECT(sizeof pair == 16 && pair.first == 1 && pair.word == 2);
}

static void smoke_status(void)
{
    EXPECT(strcmp(slm_status_name(SLM_E_NOMEM), "SLM_E_NOMEM") == 0);
    EXPECT(strcmp(slm_status_text(SLM_E_NOMEM), "out of memory") == 0);
}

static void smoke_event(void)
{
    struct slm_event event;
    char text[SLM_EVENT_TEXT_BYTES];
    memset(&event, 0, sizeof event);
    event.kind = SLM_EVENT_REPAIRED;
    EXPECT(slm_event_text(&event, text, sizeof text) > 0);
}

static void smoke_error(void)
{
    struct slm_error error;
    EXPECT(slm_error_set(&error, SLM_E_SPACE, 28, "%s: %d", "keys", 7) == SLM_E_SPACE);
    EXPECT(error.status == SLM_E_SPACE && error.os_errno == 28);
    EXPECT(strcmp(error.text, "keys: 7") == 0);
    EXPECT(slm_error_clear(&error) == SLM_OK && error.text[0] == '\0');
}

static void smoke_source(void)
{
    struct slm_source_counting counting;
    slm_source_counting_init(&counting, slm_source_heap());
    void *block = counting.source.alloc(counting.source.data, 100, 64);
    EXPECT(block != NULL && counting.live_bytes == 100);
    counting.source.free(counting.source.data, block, 100, 64);
    EXPECT(counting.live_blocks == 0 && counting.peak_bytes == 100);

    struct slm_source_failing failing;
    slm_source_failing_init(&failing, slm_source_heap());
    failing.fail_at = 1;
    failing.fail_count = 1;
    EXPECT(failing.source.alloc(failing.source.data, 8, 8) == NULL);

    const struct slm_source *guard = slm_source_guard();
    block = guard->alloc(guard->data, 24, 8);
    EXPECT(block != NULL);
    memset(block, 1, 24);
    guard->free(guard->data, block, 24, 8);
}

static void count_one(void *data)
{
    ++*SMOKE_TO(int *, data);
}

static void smoke_pool(void)
{
    struct slm_pool *pool;
    int n_cleanups = 0;
    unsigned char *objects[N_ITEMS];
    EXPECT(slm_pool_create(&pool, 1024, NULL, 0) == SLM_OK);
    EXPECT(slm_pool_cleanup_add(pool, count_one, &n_cleanups, 0, NULL) == SLM_OK);
    for (unsigned i = 0; i < N_ITEMS; i++) {
        size_t n_bytes = 1 + i;
        objects[i] = SMOKE_TO(unsigned char *, i % 2 == 0 ? slm_pool_alloc(pool, n_bytes)
                                                          : slm_pool_alloc_packed(pool, n_bytes));
        EXPECT(objects[i] != NULL);
        memset(objects[i], SMOKE_TO(int, i), n_bytes);
    }
    for (unsigned i = 0; i < N_ITEMS; i++) {
        EXPECT(objects[i][0] == i && objects[i][i] == i);
    }
    unsigned char *zeros = SMOKE_TO(unsigned char *, slm_pool_calloc(pool, 64));
    EXPECT(zeros != NULL && zeros[0] == 0 && zeros[63] == 0);
    void *large = slm_pool_alloc(pool, 100000);
    EXPECT(large != NULL && slm_pool_owns(pool, large) == 1);
    EXPECT(slm_pool_free(pool, large) == SLM_OK && slm_pool_free(pool, large) == SLM_E_FREED);
    EXPECT(slm_pool_free(pool, objects[0]) == SLM_UNCHANGED);
    EXPECT(slm_pool_check(pool) == 0);
    EXPECT(slm_pool_reset(pool) == SLM_OK && n_cleanups == 1);
    EXPECT(slm_pool_owns(pool, objects[0]) == 0 && slm_pool_check(pool) == 0);
    EXPECT(slm_pool_destroy(pool) == SLM_OK);
}

static void smoke_slab(void)
{
    struct slm_slab *slab;
    void *objects[N_ITEMS];
    EXPECT(slm_slab_init(region, sizeof region, NULL) == SLM_OK);
    EXPECT(slm_slab_attach(&slab, region, sizeof region, NULL) == SLM_OK);
    for (unsigned i = 0; i < N_ITEMS; i++) {
        objects[i] = slm_slab_alloc(slab, 8 + i * 10);
        EXPECT(objects[i] != NULL);
        EXPECT(slm_slab_usable_bytes(slab, objects[i]) >= 8 + i * 10);
        memset(objects[i], SMOKE_TO(int, i), 8 + i * 10);
    }
    EXPECT(slm_slab_free(slab, SMOKE_TO(unsigned char *, objects[2]) + 1) == SLM_E_INTERIOR);
    for (unsigned i = 0; i < N_ITEMS; i++) {
        EXPECT(*SMOKE_TO(unsigned char *, objects[i]) == i);
        EXPECT(slm_slab_free(slab, objects[i]) == SLM_OK);
    }
    EXPECT(slm_slab_alloc(slab, sizeof region) == NULL);
    (void)slm_slab_trim(slab);
    size_t metadata_bytes = sizeof region / 8;
    EXPECT(slm_slab_alloc(slab, sizeof region - metadata_bytes) != NULL);
    EXPECT(slm_slab_check(slab) == 0);
    slm_slab_detach(slab);
}

static void smoke_segment(void)
{
    struct slm_segment_options options;
    struct slm_segment *segment;
    struct slm_error error;
    memset(&options, 0, sizeof options);
    options.kind = SLM_SEGMENT_MEMFD;
    options.name = "smoke";
    options.bytes = 4096;
    options.max_bytes = 65536;
    options.guard = true;
    EXPECT(slm_segment_create(&segment, &options, &error) == SLM_OK);
    EXPECT(slm_segment_grow(segment, 65536, &error) == SLM_OK);
    volatile int *word = SMOKE_TO(volatile int *, slm_segment_base(segment));
    pid_t child = fork();
    if (child == 0) {
        *word = 42;
        _exit(0);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    EXPECT(*word == 42 && slm_segment_bytes(segment) == 65536);
    slm_segment_detach(segment);
}

static void smoke_lock(void)
{
    struct slm_lock_state *state = SMOKE_TO(struct slm_lock_state *, SMOKE_TO(void *, region));
    struct slm_lock_options options;
    struct slm_lock *lock;
    struct slm_error error;
    memset(&options, 0, sizeof options);
    options.kind = SLM_LOCK_ROBUST;
    EXPECT(slm_lock_init(state, SLM_LOCK_ROBUST) == SLM_OK);
    EXPECT(slm_lock_attach(&lock, state, &options, &error) == SLM_OK);
    EXPECT(slm_lock_unlock(lock) == SLM_E_OWNER);
    EXPECT(slm_lock_lock(lock) == SLM_OK && slm_lock_is_mine(lock));
    EXPECT(slm_lock_lock(lock) == SLM_E_HELD);
    EXPECT(slm_lock_unlock(lock) == SLM_OK && !slm_lock_is_mine(lock));
    EXPECT(slm_lock_is_alive(slm_lock_self()));
    slm_lock_detach(lock);
}

/* A journal and a slab in the region, the log first. */
static struct slm_slab *open_journal(struct slm_journal *journal)
{
    enum { LOG_BYTES = 16384 };
    struct slm_slab *slab;
    unsigned char *slab_region = region + LOG_BYTES;
    EXPECT(slm_journal_log_bytes(500) != 0 && slm_journal_log_bytes(500) <= LOG_BYTES);
    EXPECT(slm_journal_init(region, 500) == SLM_OK);
    EXPECT(slm_slab_init(slab_region, sizeof region - LOG_BYTES, NULL) == SLM_OK);
    EXPECT(slm_slab_attach(&slab, slab_region, sizeof region - LOG_BYTES, NULL) == SLM_OK);
    EXPECT(slm_journal_attach(journal, region, LOG_BYTES, region, slab) == SLM_OK);
    return slab;
}

static void smoke_journal(void)
{
    struct slm_journal journal;
    struct slm_slab *slab = open_journal(&journal);
    uint64_t *word = SMOKE_TO(uint64_t *, slm_journal_calloc(&journal, 64));
    EXPECT(word != NULL && slm_journal_set_root(&journal, word) == SLM_OK);
    slm_journal_write(&journal, word, 1);
    EXPECT(slm_journal_commit(&journal) == SLM_OK);
    slm_journal_write(&journal, word, 2);
    EXPECT(slm_journal_is_dirty(&journal) && *word == 2);
    slm_journal_abort(&journal);
    EXPECT(*word == 1 && slm_journal_root(&journal) == word);
    EXPECT(slm_journal_pointer(&journal, slm_journal_offset(&journal, word)) == word);
    EXPECT(slm_journal_check(&journal) == 0 && slm_slab_check(slab) == 0);
    slm_journal_detach(&journal);
    slm_slab_detach(slab);
}

struct item {
    struct slm_rbtree_node node;
    struct slm_lru_node used;
    unsigned key;
};

static const struct item *item_of(const struct slm_rbtree_node *node)
{
    return SLM_OBJECT(node, struct item, node);
}

static int compare_key(const void *key, const struct slm_rbtree_node *node)
{
    return SMOKE_TO(int, *SMOKE_TO(const unsigned *, key)) - SMOKE_TO(int, item_of(node)->key);
}

static const void *key_of(const struct slm_rbtree_node *node)
{
    return &item_of(node)->key;
}

SLM_RBTREE_ORDER(order_items, key_of, compare_key)

static struct item *new_item(struct slm_journal *journal, unsigned key)
{
    struct item *item = SMOKE_TO(struct item *, slm_journal_calloc(journal, sizeof(struct item)));
    EXPECT(item != NULL);
    item->key = key;
    return item;
}

static void smoke_object(void)
{
    struct item item;
    struct slm_lru_node *none = NULL;
    const struct slm_rbtree_node *node = &item.node;
    EXPECT(SLM_OBJECT(&item.used, struct item, used) == &item);
    EXPECT(SLM_OBJECT(node, struct item, node) == &item);
    EXPECT(SLM_OBJECT(none, struct item, used) == NULL);
}

static void smoke_rbtree(void)
{
    struct slm_journal journal;
    struct slm_slab *slab = open_journal(&journal);
    struct slm_rbtree *tree =
        SMOKE_TO(struct slm_rbtree *, slm_journal_calloc(&journal, sizeof(struct slm_rbtree)));
    for (unsigned i = 0; i < N_ITEMS; i++) {
        struct item *item = new_item(&journal, i * 37 % N_ITEMS);
        EXPECT(slm_rbtree_insert(&journal, tree, &item->node, order_items) == SLM_OK);
        EXPECT(slm_rbtree_insert(&journal, tree, &item->node, order_items) == SLM_E_DUPLICATE);
        EXPECT(slm_journal_commit(&journal) == SLM_OK);
    }
    EXPECT(slm_rbtree_check(&journal, tree, order_items, 0, sizeof region) == 0);
    unsigned key = 7;
    struct slm_rbtree_node *found = slm_rbtree_find(&journal, tree, &key, compare_key);
    EXPECT(found != NULL && item_of(found)->key == key);
    EXPECT(item_of(slm_rbtree_next(&journal, found))->key == 8);
    EXPECT(slm_rbtree_remove(&journal, tree, found) == SLM_OK);
    EXPECT(slm_rbtree_find(&journal, tree, &key, compare_key) == NULL);
    EXPECT(item_of(slm_rbtree_last(&journal, tree))->key == N_ITEMS - 1);
    slm_journal_detach(&journal);
    slm_slab_detach(slab);
}

static void smoke_lru(void)
{
    struct slm_journal journal;
    struct slm_slab *slab = open_journal(&journal);
    struct slm_lru *lru =
        SMOKE_TO(struct slm_lru *, slm_journal_calloc(&journal, sizeof(struct slm_lru)));
    struct item *items[3];
    for (unsigned i = 0; i < 3; i++) {
        items[i] = new_item(&journal, i);
        EXPECT(slm_lru_insert(&journal, lru, &items[i]->used) == SLM_OK);
    }
    EXPECT(slm_lru_oldest(&journal, lru) == &items[0]->used);
    EXPECT(slm_lru_touch(&journal, lru, &items[0]->used) == SLM_OK);
    EXPECT(slm_lru_newest(&journal, lru) == &items[0]->used);
    EXPECT(slm_lru_oldest(&journal, lru) == &items[1]->used);
    EXPECT(slm_lru_remove(&journal, lru, &items[1]->used) == SLM_OK);
    EXPECT(slm_lru_remove(&journal, lru, &items[1]->used) == SLM_E_NOT_MEMBER);
    EXPECT(lru->n_nodes == 2 && slm_lru_check(&journal, lru, 0, sizeof region) == 0);
    slm_journal_detach(&journal);
    slm_slab_detach(slab);
}

static struct slm_adapter smoke_adapted;
SLM_ADAPTER_ADD(smoke, smoke_adapted);

static void smoke_adapter(void)
{
    const struct slm_adapter_entry *const *end;
    const struct slm_adapter_entry *const *at = slm_adapter_range(&end);
    EXPECT(end - at == 1 && (*at)->adapter == &smoke_adapted);
    EXPECT(strcmp((*at)->name, "smoke") == 0 && (*at)->version == SLM_ADAPTER_VERSION);
    EXPECT((*at)->adapter_bytes == sizeof smoke_adapted);
}

/* A unit for each header of include/slabmill. */
static const struct unit {
    const char *name;
    void (*run)(void);
} units[] = {
    {"adapter", smoke_adapter},
    {"error", smoke_error},
    {"event", smoke_event},
    {"journal", smoke_journal},
    {"lease", smoke_lease},
    {"lock", smoke_lock},
    {"lru", smoke_lru},
    {"object", smoke_object},
    {"pool", smoke_pool},
    {"rbtree", smoke_rbtree},
    {"slab", smoke_slab},
    {"segment", smoke_segment},
    {"source", smoke_source},
    {"status", smoke_status},
    {"table", smoke_table},
    {"version", smoke_version},
    {"word", smoke_word},
    {"zone", smoke_zone},
    {"zone_copy", smoke_zone_copy},
    {"zone_image", smoke_zone_image},
    {"zone_set", smoke_zone_set},
};

static unsigned run_units(const char *name)
{
    unsigned n_run = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (name == NULL || strcmp(name, units[i].name) == 0) {
            units[i].run();
            printf("%s: ok\n", units[i].name);
            (void)fflush(stdout); /* output must not be printed again by forked children */
            n_run++;
        }
    }
    return n_run;
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        (void)run_units(NULL);
    }
    for (int i = 1; i < argc; i++) {
        if (run_units(argv[i]) == 0) {
            fprintf(stderr, "%s: there is no such unit in tests/install/smoke.c\n", argv[i]);
            return 1;
        }
    }
    return 0;
}
