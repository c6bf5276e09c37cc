/* SPDX-License-Identifier: Apache-2.0 */
/* The list of the zoo's bugs. */
#include "harness/zoo/kind.h"

#define CLASS_NAME(name, sentence)     #name,
#define CLASS_SENTENCE(name, sentence) sentence,
static const char *const class_names[] = {HRN_ZOO_CLASS_LIST(CLASS_NAME)};
static const char *const class_sentences[] = {HRN_ZOO_CLASS_LIST(CLASS_SENTENCE)};

struct row {
    const char *name;
    enum hrn_zoo_class kind;
    const char *sentence;
};

#define ROW(name, kind, sentence) {#name, HRN_ZOO_##kind, sentence},
static const struct row tags_rows[] = {HRN_ZOO_TAGS_LIST(ROW)};
static const struct row buddy_rows[] = {HRN_ZOO_BUDDY_LIST(ROW)};
static const struct row levels_rows[] = {HRN_ZOO_LEVELS_LIST(ROW)};
static const struct row bump_rows[] = {HRN_ZOO_BUMP_LIST(ROW)};

static const struct {
    const char *name;
    const struct slm_adapter *adapters; /* the right one, then one for each row */
    const struct row *rows;
    size_t n_rows;
} allocators[] = {
    {"tags", hrn_zoo_tags, tags_rows, sizeof tags_rows / sizeof tags_rows[0]},
    {"buddy", hrn_zoo_buddy, buddy_rows, sizeof buddy_rows / sizeof buddy_rows[0]},
    {"levels", hrn_zoo_levels, levels_rows, sizeof levels_rows / sizeof levels_rows[0]},
    {"bump", hrn_zoo_bump, bump_rows, sizeof bump_rows / sizeof bump_rows[0]},
};
#define N_ALLOCATORS (sizeof allocators / sizeof allocators[0])

bool hrn_zoo_at(size_t idx, struct hrn_zoo_bug *bug)
{
    for (size_t i = 0; i < N_ALLOCATORS; i++) {
        if (idx < allocators[i].n_rows) {
            const struct row *row = &allocators[i].rows[idx];
            bug->allocator = allocators[i].name;
            bug->name = row->name;
            bug->kind = row->kind;
            bug->sentence = row->sentence;
            bug->adapter = &allocators[i].adapters[idx + 1];
            bug->right = &allocators[i].adapters[0];
            return true;
        }
        idx -= allocators[i].n_rows;
    }
    return false;
}

const struct slm_adapter *hrn_zoo_right(size_t idx)
{
    return idx < N_ALLOCATORS ? &allocators[idx].adapters[0] : NULL;
}

const char *hrn_zoo_class_name(enum hrn_zoo_class kind)
{
    return class_names[kind];
}

const char *hrn_zoo_class_sentence(enum hrn_zoo_class kind)
{
    return class_sentences[kind];
}
