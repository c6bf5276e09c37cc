/* SPDX-License-Identifier: Apache-2.0 */
/* The last step of a reload that moves zones: all their files get their names, or none. */
#include "allocator/zone/set.h"

static bool is_named_move(const struct candidate *candidate)
{
    return candidate->from != NULL && slm_zone_is_named(candidate->zone);
}

static size_t count_named_moves(const struct candidate *candidates, size_t n)
{
    size_t n_moves = 0;
    for (size_t i = 0; i < n; i++) {
        n_moves += is_named_move(&candidates[i]);
    }
    return n_moves;
}

static enum slm_status keep_files(const struct candidate *candidates, size_t n,
                                  struct slm_error *error)
{
    for (size_t i = 0; i < n; i++) {
        if (is_named_move(&candidates[i])) {
            enum slm_status status = slm_zone_keep_file(candidates[i].from, error);
            if (status != SLM_OK && status != SLM_UNCHANGED) {
                return status;
            }
        }
    }
    return SLM_OK;
}

static void let_files_go(const struct candidate *candidates, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is_named_move(&candidates[i])) {
            slm_zone_let_file_go(candidates[i].from);
        }
    }
}

static enum slm_status switch_each(struct candidate *candidates, size_t n, struct slm_error *error)
{
    enum slm_status status = SLM_OK;
    for (size_t i = 0; i < n && status == SLM_OK; i++) {
        struct candidate *each = &candidates[i];
        if (is_named_move(each)) {
            status = slm_zone_switch(each->from, each->zone, error);
            each->is_published = status == SLM_OK;
        }
    }
    return status;
}

static void switch_back(struct candidate *candidates, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        struct candidate *each = &candidates[i];
        if (is_named_move(each) && each->is_published) {
            each->is_published = slm_zone_switch_back(each->from, each->zone, NULL) != SLM_OK;
        }
    }
}

enum slm_status slm_zone_set_switch(struct candidate *candidates, size_t n, struct slm_error *error)
{
    bool are_several = count_named_moves(candidates, n) > 1;
    enum slm_status status = are_several ? keep_files(candidates, n, error) : SLM_OK;
    if (status == SLM_OK) {
        status = switch_each(candidates, n, error);
    }
    if (status != SLM_OK) {
        switch_back(candidates, n);
    }
    let_files_go(candidates, n);
    return status;
}
