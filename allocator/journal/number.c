/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of 1, 2, 4 and 8 bytes, noted as the words that they are in. */
#include <string.h>

#include "allocator/base/bits.h"
#include "allocator/journal/log.h"

/* The copies have constant sizes, so that each is one load or one store. */
static uint64_t load_number(const void *p, size_t n_bytes)
{
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (n_bytes) {
    case 1:
        memcpy(&one, p, sizeof one);
        return one;
    case 2:
        memcpy(&two, p, sizeof two);
        return two;
    case 4:
        memcpy(&four, p, sizeof four);
        return four;
    default:
        memcpy(&eight, p, sizeof eight);
        return eight;
    }
}

static void store_number(void *p, size_t n_bytes, uint64_t value)
{
    uint8_t one = (uint8_t)value;
    uint16_t two = (uint16_t)value;
    uint32_t four = (uint32_t)value;
    switch (n_bytes) {
    case 1:
        memcpy(p, &one, sizeof one);
        break;
    case 2:
        memcpy(p, &two, sizeof two);
        break;
    case 4:
        memcpy(p, &four, sizeof four);
        break;
    default:
        memcpy(p, &value, sizeof value);
        break;
    }
}

/* A number that is aligned lies in one word, so it takes one entry. */
static enum slm_status note_number(struct slm_journal *journal, void *p, size_t n_bytes)
{
    if (journal == NULL || p == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = SLM_OK;
    if (!slm_is_pow2(n_bytes) || n_bytes > sizeof(uint64_t)) {
        status = SLM_E_SIZE;
    } else if ((uintptr_t)p % n_bytes != 0) {
        status = SLM_E_ALIGN;
    }
    if (SLM_LIKELY(status == SLM_OK)) {
        return slm_journal_note_range(journal, p, n_bytes);
    }
    if (journal->log == NULL) {
        return status;
    }
    return journal_is_mine(journal) ? slm_journal_refuse(journal, status) : SLM_E_OWNER;
}

enum slm_status slm_journal_set_number(struct slm_journal *journal, void *p, size_t n_bytes,
                                       uint64_t value)
{
    enum slm_status status = note_number(journal, p, n_bytes);
    if (status == SLM_OK) {
        store_number(p, n_bytes, value);
    }
    return status;
}

enum slm_status slm_journal_add_number(struct slm_journal *journal, void *p, size_t n_bytes,
                                       uint64_t summand)
{
    enum slm_status status = note_number(journal, p, n_bytes);
    if (status == SLM_OK) {
        store_number(p, n_bytes, load_number(p, n_bytes) + summand);
    }
    return status;
}
