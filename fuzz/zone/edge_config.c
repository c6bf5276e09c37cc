/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration that servers read: three declarations, each option one of a few values. */
#include <string.h>

#include "fuzz/zone/edge_world.h"
#include "harness/failure/say.h"

static uint8_t choices[EDGE_N_ZONES][EDGE_N_FIELDS];

static const char *const names[] = {"zone-a", "zone-ab", "zone-b"};
static const char *const tags[] = {"app", "app2", "", NULL};
static const enum slm_segment_kind kinds[] = {SLM_SEGMENT_FILE, SLM_SEGMENT_MEMFD,
                                              SLM_SEGMENT_ANONYMOUS};
static const size_t sizes[] = {65536, 98304, 131072, EDGE_MAX_BYTES, 65000, 69632};
static const size_t limits[] = {EDGE_MAX_BYTES, 0, 131072, 65536};
static const unsigned classes[] = {1, 0, 8, 3};
static const unsigned journals[] = {EDGE_N_ENTRIES, 0, 64, 7};
static const enum slm_lock_kind locks[EDGE_N_LOCKS] = {SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM,
                                                       SLM_LOCK_FILE};

#define N_OF(array) (sizeof(array) / sizeof *(array))

static const struct {
    const char *name;
    unsigned n; /* choices */
} fields[EDGE_N_FIELDS] = {
    [EDGE_ON] = {"on", 2},
    [EDGE_NAME] = {"name", N_OF(names)},
    [EDGE_PATH] = {"path", EDGE_N_SPELLINGS},
    [EDGE_KIND] = {"kind", N_OF(kinds)},
    [EDGE_TAG] = {"tag", N_OF(tags)},
    [EDGE_BYTES] = {"bytes", N_OF(sizes)},
    [EDGE_MAX] = {"max_bytes", N_OF(limits)},
    [EDGE_CLASSES] = {"per_doubling", N_OF(classes)},
    [EDGE_JOURNAL] = {"journal_entries", N_OF(journals)},
    [EDGE_LOCK] = {"lock_kind", N_OF(locks)},
    [EDGE_LOCK_PATH] = {"lock_path", EDGE_N_LOCK_PATHS},
    [EDGE_NO_REUSE] = {"no_reuse", 2},
    [EDGE_VERSION] = {"content_version", 3},
    [EDGE_UPGRADE] = {"upgrade", 3},
    [EDGE_INIT] = {"init", 3},
    [EDGE_MOVE] = {"move", 3},
};

void hrn_edge_reset_config(unsigned lock)
{
    memset(choices, 0, sizeof choices);
    for (unsigned i = 0; i < EDGE_N_ZONES; i++) {
        bool has_file = locks[lock] != SLM_LOCK_FILE || i < EDGE_LOCK_IS_SEGMENT;
        choices[i][EDGE_LOCK] = (uint8_t)(has_file ? lock : SLM_LOCK_SPIN_SEM);
        choices[i][EDGE_LOCK_PATH] = (uint8_t)(i % EDGE_LOCK_IS_SEGMENT);
    }
}

void hrn_edge_configure(const struct edge_op *op)
{
    unsigned zone = op->what % EDGE_N_ZONES;
    unsigned field = op->extra % EDGE_N_FIELDS;
    choices[zone][field] = (uint8_t)(op->value % fields[field].n);
    HRN_SAY_OP("declaration %u: %s becomes choice %u", zone, fields[field].name,
               choices[zone][field]);
}

static const char *path_of_lock(const struct edge_decl *decl)
{
    return decl->lock_path == EDGE_LOCK_IS_SEGMENT ? hrn_edge_path(decl->spelling)
                                                   : hrn_edge_lock_path((unsigned)decl->lock_path);
}

void hrn_edge_read_decl(unsigned idx, struct edge_decl *decl)
{
    const uint8_t *choice = choices[idx];
    memset(decl, 0, sizeof *decl);
    struct slm_zone_options *options = &decl->d.options;
    decl->is_on = choice[EDGE_ON] == 0;
    decl->spelling = (choice[EDGE_PATH] + idx) % EDGE_N_SPELLINGS;
    decl->upgrade = choice[EDGE_UPGRADE];
    decl->init = choice[EDGE_INIT];
    decl->move = choice[EDGE_MOVE];
    decl->d.no_reuse = choice[EDGE_NO_REUSE] != 0;
    options->name = names[(choice[EDGE_NAME] + idx) % N_OF(names)];
    options->tag = tags[choice[EDGE_TAG]];
    options->bytes = sizes[choice[EDGE_BYTES]];
    options->max_bytes = limits[choice[EDGE_MAX]];
    options->slab.per_doubling = classes[choice[EDGE_CLASSES]];
    options->journal_entries = journals[choice[EDGE_JOURNAL]];
    options->lock_kind = locks[choice[EDGE_LOCK]];
    options->content_version = 1u + choice[EDGE_VERSION];
    options->segment.kind = kinds[choice[EDGE_KIND]];
    options->segment.name =
        options->segment.kind == SLM_SEGMENT_FILE ? hrn_edge_path(decl->spelling) : NULL;
    decl->lock_path = EDGE_NONE;
    if (options->lock_kind == SLM_LOCK_FILE) {
        bool is_file = options->segment.kind == SLM_SEGMENT_FILE;
        decl->lock_path = choice[EDGE_LOCK_PATH] == EDGE_LOCK_IS_SEGMENT && !is_file
                              ? EDGE_LOCK_A
                              : choice[EDGE_LOCK_PATH];
        options->lock_path = path_of_lock(decl);
    }
}
