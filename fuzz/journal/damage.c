/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged logs, handles that cannot be made, calls without arguments. */
#include <inttypes.h>
#include <string.h>

#include "allocator/journal/log.h"
#include "fuzz/journal/world.h"

static unsigned char before[JOURNAL_AREA_BYTES];

/* --- A plain check of a log --- */

static bool is_page(uint64_t offset)
{
    struct slm_slab_stats stats;
    slm_slab_get_stats_locked(hrn_journal_slab, &stats);
    uint64_t first = JOURNAL_LOG_BYTES + stats.metadata_bytes;
    return offset >= first && offset - first < (uint64_t)stats.n_pages * stats.page_bytes;
}

static bool is_entry(const struct journal_entry *entry, uint64_t n_entries)
{
    uint64_t offset = entry->what & ((UINT64_C(1) << 48) - 1);
    bool has_offset = offset != 0;
    if ((entry->what >> 48 & 255) != 0) {
        return false;
    }
    switch (entry->what >> 56) {
    case 1:
        return is_page(offset) && offset % 8 == 0;
    case 2:
        return !has_offset && (entry->value == 0 || is_page(entry->value));
    case 3:
    case 4:
        return is_page(offset);
    case 5:
        return !has_offset && n_entries == 1;
    case 6:
        return !has_offset && entry->value >> 32 == 0;
    default:
        return false;
    }
}

static bool is_root(uint64_t root)
{
    return root == 0 ||
           (root < JOURNAL_AREA_BYTES &&
            slm_slab_check_pointer_locked(hrn_journal_slab, hrn_journal_at(root)) == SLM_OK);
}

/* The first invariant that is broken; 0: none. */
static unsigned find_broken(const struct slm_journal_log *log)
{
    uint64_t n_entries = log->state & UINT32_MAX;
    if (log->magic != JOURNAL_MAGIC || log->n_max != JOURNAL_N_ENTRIES) {
        return 1;
    }
    if (log->state >> 33 != 0 || n_entries > JOURNAL_N_ENTRIES) {
        return 2;
    }
    for (uint64_t i = 0; i < n_entries; i++) {
        if (!is_entry(&log->entries[i], n_entries)) {
            return 3;
        }
    }
    return is_root(log->root) ? 0 : 4;
}

/* A word of the log becomes another one. */
static void change_word(const struct op *op)
{
    static const uint64_t values[] = {0,         1, 2, 64, 65, UINT64_C(1) << 32, UINT64_C(1) << 33,
                                      UINT64_MAX};
    uint64_t word;
    unsigned char *at = hrn_journal_at(op->value % 40 * 8);
    memcpy(&word, at, sizeof word);
    switch (op->extra % 4) {
    case 0:
        word = values[op->extra / 4 % 8];
        break;
    case 1:
        word ^= UINT64_C(1) << op->extra / 4;
        break;
    case 2:
        word = (uint64_t)(op->extra / 4 % 8) << 56 | op->value >> 8;
        break;
    default:
        word += op->value >> 8 & 255;
        break;
    }
    memcpy(at, &word, sizeof word);
}

/* A repair succeeds if the head makes sense, and leaves a sound slab and an empty log. */
static void repair_damaged(unsigned broken)
{
    struct slm_journal other;
    bool has_number = (hrn_journal.log->state >> 33) == 0 &&
                      (hrn_journal.log->state & UINT32_MAX) <= JOURNAL_N_ENTRIES;
    enum slm_status status = slm_journal_attach(&other, hrn_journal_area, JOURNAL_LOG_BYTES,
                                                hrn_journal_area, hrn_journal_slab);
    if (broken == 1) {
        if (status == SLM_OK && hrn_journal.log->magic != JOURNAL_MAGIC) {
            hrn_journal_law_answer("attach accepts a damaged head");
        }
        slm_journal_detach(&other);
        return;
    }
    if (status != SLM_OK) {
        hrn_journal_law_answer("attach: %s", slm_status_name(status));
    }
    status = slm_journal_recover(&other);
    if (status != (has_number ? SLM_OK : SLM_E_IMAGE)) {
        hrn_journal_law_answer("recover: %s", slm_status_name(status));
    }
    unsigned slab_broken = slm_slab_check_locked(hrn_journal_slab);
    if (status == SLM_OK && (slab_broken != 0 || slm_journal_is_dirty(&other))) {
        hrn_journal_law_sound("a repaired log: I%u of the slab", slab_broken);
    }
    slm_journal_detach(&other);
}

void hrn_journal_hurt(const struct op *op)
{
    if (!hrn_journal_is_on) {
        return;
    }
    memcpy(before, hrn_journal_area, sizeof before);
    change_word(op);
    unsigned expected = find_broken(hrn_journal.log);
    unsigned broken = slm_journal_check(&hrn_journal);
    if (broken != expected) {
        hrn_journal_law_number("I%u, expected I%u", broken, expected);
    }
    repair_damaged(broken);
    memcpy(hrn_journal_area, before, sizeof before);
}

/* --- Misuse --- */

static void expect_attach(void *log, size_t log_bytes, void *base, struct slm_slab *slab,
                          enum slm_status expected)
{
    static const struct slm_journal none;
    struct slm_journal other;
    memset(&other, 0x5a, sizeof other);
    enum slm_status status = slm_journal_attach(&other, log, log_bytes, base, slab);
    if (status != expected || memcmp(&other, &none, sizeof none) != 0) {
        hrn_journal_law_answer("attach: %s, expected %s", slm_status_name(status),
                               slm_status_name(expected));
    }
}

static void expect_status(const char *call, enum slm_status status, enum slm_status expected)
{
    if (status != expected) {
        hrn_journal_law_answer("%s: %s, expected %s", call, slm_status_name(status),
                               slm_status_name(expected));
    }
}

static void try_to_make(void)
{
    unsigned char *area = hrn_journal_area;
    size_t n_bytes = slm_journal_log_bytes(JOURNAL_N_ENTRIES);
    expect_attach(NULL, n_bytes, area, hrn_journal_slab, SLM_E_NULL);
    expect_attach(area, n_bytes, NULL, hrn_journal_slab, SLM_E_NULL);
    expect_attach(area, n_bytes, area, NULL, SLM_E_NULL);
    expect_attach(area + 4, n_bytes, area, hrn_journal_slab, SLM_E_ALIGN);
    expect_attach(area, n_bytes, area + 4, hrn_journal_slab, SLM_E_ALIGN);
    expect_attach(area, n_bytes - 1, area, hrn_journal_slab, SLM_E_IMAGE);
    expect_attach(area, 47, area, hrn_journal_slab, SLM_E_IMAGE);
    expect_status("attach", slm_journal_attach(NULL, area, n_bytes, area, hrn_journal_slab),
                  SLM_E_NULL);
    expect_status("init", slm_journal_init(NULL, 64), SLM_E_NULL);
    expect_status("init", slm_journal_init(area + 4, 64), SLM_E_ALIGN);
    expect_status("init", slm_journal_init(area, 63), SLM_E_SIZE);
    expect_status("init", slm_journal_init(area, (1u << 20) + 1), SLM_E_SIZE);
    if (slm_journal_log_bytes(63) != 0 || slm_journal_log_bytes(64) != 48 + 64 * 16 ||
        slm_journal_log_bytes(1u << 20) != 48 + ((size_t)16 << 20) ||
        slm_journal_log_bytes((1u << 20) + 1) != 0) {
        hrn_journal_law_answer("the bytes of a log");
    }
}

void hrn_journal_try_nulls(const struct op *op)
{
    struct slm_journal *journal = &hrn_journal;
    uint64_t word = 7;
    (void)op;
    memcpy(before, hrn_journal_area, sizeof before);
    try_to_make();
    expect_status("write", slm_journal_write(NULL, &word, 1), SLM_E_NULL);
    expect_status("write", slm_journal_write(journal, NULL, 1), SLM_E_NULL);
    expect_status("range", slm_journal_note_range(NULL, &word, 8), SLM_E_NULL);
    expect_status("range", slm_journal_note_range(journal, NULL, 8), SLM_E_NULL);
    expect_status("set", slm_journal_set_number(NULL, &word, 8, 1), SLM_E_NULL);
    expect_status("set", slm_journal_set_number(journal, NULL, 8, 1), SLM_E_NULL);
    expect_status("add", slm_journal_add_number(NULL, &word, 8, 1), SLM_E_NULL);
    expect_status("add", slm_journal_add_number(journal, NULL, 8, 1), SLM_E_NULL);
    expect_status("free", slm_journal_free(NULL, &word), SLM_E_NULL);
    expect_status("root", slm_journal_set_root(NULL, &word), SLM_E_NULL);
    expect_status("reset", slm_journal_reset(NULL), SLM_E_NULL);
    expect_status("commit", slm_journal_commit(NULL), SLM_E_NULL);
    expect_status("recover", slm_journal_recover(NULL), SLM_E_NULL);
    slm_journal_abort(NULL);
    slm_journal_detach(NULL);
    bool any = slm_journal_alloc(NULL, 8) != NULL || slm_journal_calloc(NULL, 8) != NULL ||
               slm_journal_memalign(NULL, 8, 8) != NULL || slm_journal_root(NULL) != NULL ||
               slm_journal_has_room(NULL, 0) || slm_journal_is_dirty(NULL) ||
               slm_journal_check(NULL) != 0 || slm_journal_n_undone(NULL) != 0 ||
               slm_journal_n_finished(NULL) != 0 || word != 7;
    if (!hrn_journal_is_on) {
        any = any || slm_journal_root(journal) != NULL || !slm_journal_has_room(journal, 99999) ||
              slm_journal_is_dirty(journal) || slm_journal_check(journal) != 0 ||
              slm_journal_n_undone(journal) != 0 || slm_journal_n_finished(journal) != 0 ||
              slm_journal_recover(journal) != SLM_OK;
    }
    if (any || memcmp(before, hrn_journal_area, sizeof before) != 0) {
        hrn_journal_law_answer("a call without a journal");
    }
}
