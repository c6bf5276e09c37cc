/* SPDX-License-Identifier: Apache-2.0 */
/* Zones that programs of different machines share: crossing.sh compiles this for each. It prints the
 * first broken promise, and ends with status 1.
 * Usage: crossing make FILE MIB MAX_MIB | work FILE TURNS | die FILE | check FILE COUNT REPAIRS |
 *        refuse FILE | strange FILE | grow FOLDER */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* kill */
#endif
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <slabmill/word.h>
#include <slabmill/zone.h>

struct table {
    slm_word count; /* turns */
    slm_word first; /* the newest node's offset */
    slm_word n_nodes;
};

struct node {
    slm_word next;
    uint32_t n_bytes;
    uint32_t stamp;
    unsigned char data[];
};

#define MOST_NODES 500u

static void require(int good, const char *claim, const char *why)
{
    if (!good) {
        printf("%zu bits: not so: %s: %s\n", sizeof(void *) * CHAR_BIT, claim, why);
        exit(1);
    }
}

static struct slm_zone *open_zone(const char *path, bool check)
{
    struct slm_zone *zone;
    struct slm_error error;
    struct slm_zone_attach_options options = {
        .segment = {.kind = SLM_SEGMENT_FILE, .name = path}, .name = "mixed", .check = check};
    require(slm_zone_attach(&zone, &options, &error) == SLM_OK, "the zone can be attached",
            error.text);
    return zone;
}

static struct node *node_at(struct slm_zone *zone, uint64_t offset)
{
    return slm_journal_pointer(slm_zone_journal(zone), offset);
}

static void require_content(const struct node *node)
{
    for (uint32_t i = 0; i < node->n_bytes; i++) {
        require(node->data[i] == (unsigned char)(node->stamp + i), "content is kept", "a node");
    }
}

/* --- One turn --- */

static enum slm_status add_node(struct slm_zone *zone, struct table *table)
{
    struct slm_journal *journal = slm_zone_journal(zone);
    uint32_t stamp = (uint32_t)table->count;
    uint32_t n_bytes = 1 + stamp * 37 % 3000;
    struct node *node = slm_journal_alloc(journal, sizeof *node + n_bytes);
    if (node == NULL) {
        return SLM_E_NOMEM;
    }
    node->next = table->first;
    node->n_bytes = n_bytes;
    node->stamp = stamp;
    for (uint32_t i = 0; i < n_bytes; i++) {
        node->data[i] = (unsigned char)(stamp + i);
    }
    (void)slm_journal_write(journal, &table->first, slm_journal_offset(journal, node));
    return slm_journal_write(journal, &table->n_nodes, table->n_nodes + 1);
}

static enum slm_status remove_node(struct slm_zone *zone, struct table *table)
{
    struct slm_journal *journal = slm_zone_journal(zone);
    struct node *node = node_at(zone, table->first);
    require_content(node);
    (void)slm_journal_write(journal, &table->first, node->next);
    (void)slm_journal_write(journal, &table->n_nodes, table->n_nodes - 1);
    return slm_journal_free(journal, node);
}

static enum slm_status turn_locked(struct slm_zone *zone)
{
    struct table *table = slm_zone_root_locked(zone);
    bool is_full = table->n_nodes >= MOST_NODES || (table->n_nodes != 0 && table->count % 3 == 0);
    (void)slm_journal_write(slm_zone_journal(zone), &table->count, table->count + 1);
    return is_full ? remove_node(zone, table) : add_node(zone, table);
}

/* --- Commands --- */

static void make(const char *path, uint64_t mib, uint64_t max_mib)
{
    struct slm_zone *zone;
    struct slm_error error;
    struct slm_zone_options options = {.name = "mixed",
                                       .bytes = (size_t)(mib << 20),
                                       .max_bytes = (size_t)(max_mib << 20),
                                       .slab = {.min_object_bytes = 64},
                                       .segment = {.kind = SLM_SEGMENT_FILE, .name = path}};
    require(slm_zone_create(&zone, &options, &error) == SLM_OK, "the zone can be made", error.text);
    enum slm_status status = slm_zone_lock(zone);
    if (status == SLM_OK) {
        void *table = slm_journal_calloc(slm_zone_journal(zone), sizeof(struct table));
        status = slm_zone_end(zone, slm_zone_set_root_locked(zone, table));
    }
    require(status == SLM_OK, "the zone gets its table", slm_status_name(status));
    slm_zone_detach(zone);
}

/* Takes turns, and grows the zone by a page at every 500th of them. */
static void work(const char *path, unsigned n_turns)
{
    struct slm_zone *zone = open_zone(path, false);
    for (unsigned i = 0; i < n_turns; i++) {
        enum slm_status status = slm_zone_lock(zone);
        if (status == SLM_OK) {
            status = slm_zone_end(zone, turn_locked(zone));
        }
        require(status == SLM_OK, "a turn succeeds", slm_status_name(status));
        struct slm_error error = {0};
        struct slm_zone_stats stats;
        slm_zone_get_stats(zone, &stats);
        require(i % 500 != 0 || slm_zone_grow(zone, stats.bytes + 4096, &error) == SLM_OK,
                "the zone grows", error.text);
    }
    slm_zone_detach(zone);
}

static void die(const char *path)
{
    struct slm_zone *zone = open_zone(path, false);
    require(slm_zone_lock(zone) == SLM_OK, "the lock is free", "before a death");
    (void)turn_locked(zone);
    (void)kill(getpid(), SIGKILL);
}

static void check(const char *path, uint64_t count, uint64_t n_repairs)
{
    struct slm_zone *zone = open_zone(path, true);
    struct slm_zone_stats stats;
    char text[100];
    require(slm_zone_lock(zone) == SLM_OK, "the lock is free", "at a check");
    struct table *table = slm_zone_root_locked(zone);
    slm_zone_get_stats(zone, &stats);
    (void)snprintf(text, sizeof text, "%" PRIu64 " turns, %" PRIu64 " repairs, invariant %u",
                   table->count, stats.n_recoveries, slm_zone_check_locked(zone));
    require(table->count == count && stats.n_recoveries == n_repairs &&
                slm_zone_check_locked(zone) == 0,
            "each turn counts once, and each death is repaired", text);
    uint64_t n_nodes = 0;
    for (uint64_t at = table->first; at != 0; at = node_at(zone, at)->next) {
        require_content(node_at(zone, at));
        n_nodes++;
    }
    require(n_nodes == table->n_nodes, "each node is in the list", "count");
    require(slm_zone_end(zone, SLM_OK) == SLM_OK, "the turn ends", "check");
    slm_zone_detach(zone);
}

static void refuse(const char *path)
{
    struct slm_zone *zone;
    struct slm_error error;
    struct slm_zone_attach_options options = {
        .segment = {.kind = SLM_SEGMENT_FILE, .name = path, .read_only = true}};
    enum slm_status status = slm_zone_attach(&zone, &options, &error);
    require(status == SLM_E_SIZE && strstr(error.text, "32-bit") != NULL,
            "a file beyond all addresses is refused", error.text);
    printf("%s\n", error.text);
}

/* The zone is of a machine of the other byte order. */
static void meet_strange_zone(const char *path)
{
    struct slm_zone *zone;
    struct slm_error error;
    struct slm_zone_attach_options options = {.segment = {.kind = SLM_SEGMENT_FILE, .name = path}};
    enum slm_status status = slm_zone_attach(&zone, &options, &error);
    require(status == SLM_E_MAGIC && strstr(error.text, "the other byte order") != NULL,
            "a zone of the other byte order is refused", error.text);
}

static void grow(const char *folder)
{
    char path[4096];
    for (unsigned kind = SLM_SEGMENT_ANONYMOUS; kind <= SLM_SEGMENT_FILE; kind++) {
        (void)snprintf(path, sizeof path, "%s/grown", folder);
        struct slm_zone *zone;
        struct slm_error error;
        struct slm_zone_options options = {
            .name = "slm_crossing_test",
            .bytes = 1 << 20,
            .max_bytes = 4 << 20,
            .segment = {.kind = (enum slm_segment_kind)kind,
                        .name = kind == SLM_SEGMENT_FILE ? path : NULL}};
        require(slm_zone_create(&zone, &options, &error) == SLM_OK, "each kind can be made",
                error.text);
        require(slm_zone_grow(zone, 2 << 20, &error) == SLM_OK, "each kind grows", error.text);
        (void)slm_zone_remove(zone, NULL);
        slm_zone_detach(zone);
    }
}

int main(int argc, char **argv)
{
    require(argc >= 3, "there are a command and a path", "usage");
    const char *command = argv[1];
    uint64_t number = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    uint64_t more = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    if (strcmp(command, "make") == 0) {
        make(argv[2], number, more);
    } else if (strcmp(command, "work") == 0) {
        work(argv[2], (unsigned)number);
    } else if (strcmp(command, "die") == 0) {
        die(argv[2]);
    } else if (strcmp(command, "check") == 0) {
        check(argv[2], number, more);
    } else if (strcmp(command, "refuse") == 0) {
        refuse(argv[2]);
    } else if (strcmp(command, "strange") == 0) {
        meet_strange_zone(argv[2]);
    } else {
        require(strcmp(command, "grow") == 0, "the command is known", command);
        grow(argv[2]);
    }
    return 0;
}
