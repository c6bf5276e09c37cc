/* SPDX-License-Identifier: Apache-2.0 */
/* What a journal stores in its log, and what a handle remembers of its transaction. */
#ifndef SLM_JOURNAL_PRIV_H
#define SLM_JOURNAL_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allocator/base/bits.h"
#include "allocator/base/check.h"
#include "allocator/base/pin.h"
#include "allocator/base/yield.h"
#include "allocator/slab/object.h"
#include <slabmill/journal.h>

#define JOURNAL_MAGIC      UINT64_C(0x6c6e6a6d6c730001)
#define JOURNAL_KIND_SHIFT 56u
#define JOURNAL_OFFSET     ((UINT64_C(1) << 48) - 1)

/* Kinds of entries; offsets count from the handle's base. */
enum journal_kind {
    JOURNAL_WORD = 1,    /* the word there was `value` */
    JOURNAL_ROOT = 2,    /* the root was `value`; no offset */
    JOURNAL_ALLOC = 3,   /* the object there is new */
    JOURNAL_FREE = 4,    /* the object there is to be freed */
    JOURNAL_RESET = 5,   /* all objects are to be freed; no offset */
    JOURNAL_VERSION = 6, /* the content's version was `value`; no offset */
};

struct journal_entry {
    uint64_t what; /* kind and offset */
    uint64_t value;
};

/*
 * state: bits 0-31 the number of entries; bit 32: committed, entries are to be carried out. An
 * entry counts once state includes it, and a word changes only after its entry counts. So at any
 * moment the entries lead back to the last commit, or, when committed, forward to this one.
 */
#define JOURNAL_COMMITTED (UINT64_C(1) << 32)

struct slm_journal_log {
    uint64_t magic;
    uint32_t n_max;
    uint32_t content_version; /* of the structs in the objects, as their user counts; undone too */
    slm_word state;
    slm_word root;     /* offset of the user's anchor; 0: none */
    uint64_t n_undone; /* these two are read without the lock too */
    uint64_t n_finished;
    struct journal_entry entries[];
};

SLM_PIN_SIZE(journal_entry, 16);
SLM_PIN_FIELD(journal_entry, what, 0, 8);
SLM_PIN_FIELD(journal_entry, value, 8, 8);

SLM_PIN_SIZE(slm_journal_log, 48);
SLM_PIN_FIELD(slm_journal_log, magic, 0, 8);
SLM_PIN_FIELD(slm_journal_log, n_max, 8, 4);
SLM_PIN_FIELD(slm_journal_log, content_version, 12, 4);
SLM_PIN_FIELD(slm_journal_log, state, 16, 8);
SLM_PIN_FIELD(slm_journal_log, root, 24, 8);
SLM_PIN_FIELD(slm_journal_log, n_undone, 32, 8);
SLM_PIN_FIELD(slm_journal_log, n_finished, 40, 8);
SLM_PIN(offsetof(struct slm_journal_log, entries) == 48);

static inline uint32_t journal_n_entries(const struct slm_journal_log *log)
{
    return (uint32_t)log->state;
}

static inline unsigned journal_kind_of(const struct journal_entry *entry)
{
    return (unsigned)(entry->what >> JOURNAL_KIND_SHIFT);
}

/* A slot of the hash table below: the entry that notes a release. */
struct journal_slot {
    uint32_t generation; /* a slot counts only in the transaction that filled it */
    uint32_t idx;
};

/*
 * The object that the last head of a tree or list was found in, and the words that showed it. Heads
 * stay where they are, so it is kept over transactions: while both words say the same, the object
 * is live and as long as it was.
 */
struct journal_anchor {
    struct slab_object object; /* 0 bytes: none */
    const slm_word *page_word;
    uint64_t page_value;
    const uint64_t *bits;
    uint64_t bit;
};

/*
 * What a handle remembers of its transaction. It is a hint for one process: a death loses it, and
 * recovery reads the log alone. The counts may be of an earlier transaction until the next one
 * begins, when an entry is noted in an empty log. So a child of fork, which inherits what its
 * parent remembered, begins with 0 too.
 */
struct slm_journal_notes {
    uint32_t n_frees;        /* entries that note a release */
    uint32_t n_allocs;       /* entries that note an allocation */
    uint32_t first_free;     /* the first entry that notes a release, if there is one */
    uint32_t generation;     /* of the slots that these fill */
    uint32_t mask;           /* number of slots - 1; there are at least two a log entry */
    enum slm_status refusal; /* not SLM_OK: of a call; the transaction can only be undone */
    /* The two objects that were found last: live, and not freed by this transaction. Most words
     * lie in one of them. 0 bytes: none. */
    struct slab_object live[2];
    /* As it was asked for, the object that this transaction allocated last, unless it released it:
     * its words need no entries, since undoing frees it. Or one of which all words are noted. 0
     * bytes: none. */
    struct slab_object fresh;
    struct journal_anchor anchor;
    /* Whether the calling thread holds the lock that guards the data; NULL: not known. */
    bool (*is_held)(const void *lock);
    const void *lock;
    struct journal_slot slots[];
};

/* Stores a word after all stores before it in the program, and before all stores after it: against
 * a death only the compiler's order counts. */
static inline void journal_commit_word(slm_word *word, uint64_t value)
{
    SLM_YIELD("journal: store");
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    SLM_STORED("journal: stored");
}

static inline void journal_commit_version(struct slm_journal_log *log, uint32_t version)
{
    SLM_YIELD("journal: store the version");
    __atomic_store_n(&log->content_version, version, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    SLM_STORED("journal: stored the version");
}

/* The version of the content. Callable without the lock, but then a transaction may change it. */
static inline uint32_t journal_content_version(const struct slm_journal *journal)
{
    return __atomic_load_n(&journal->log->content_version, __ATOMIC_RELAXED);
}

/* Sets it, as a part of the transaction. Takes one entry. SLM_E_FULL. journal.c. */
enum slm_status slm_journal_set_version(struct slm_journal *journal, uint32_t version);

/* SLM_OK if so many entries are left; otherwise SLM_E_FULL, and the transaction is refused. Each
 * call that notes makes it before it changes anything. After a refusal it returns that. object.c.
 */
enum slm_status slm_journal_need(struct slm_journal *journal, size_t n_entries);

/* The transaction can only be undone: a store or a release is missing from it. Returns why: the
 * first refusal. object.c. */
SLM_NOINLINE enum slm_status slm_journal_refuse(struct slm_journal *journal,
                                                enum slm_status status);

/* SLM_OK if [p, p + n_bytes) lies in a live object that this transaction does not free. Otherwise
 * the transaction is refused: SLM_E_FREED, and as slm_slab_find_object. The log is on. object.c. */
enum slm_status slm_journal_find_range(struct slm_journal *journal, const void *p, size_t n_bytes);
/* The same of words, and whether the caller holds the lock: also SLM_E_OWNER, SLM_E_ALIGN.
 * object.c. */
enum slm_status slm_journal_find_words(struct slm_journal *journal, const void *p, size_t n_bytes);
/* Before a tree or list changes. SLM_OK: head lies as slm_journal_find_words says, and n_entries
 * are left. The head's object becomes the anchor. object.c. */
enum slm_status slm_journal_check_head(struct slm_journal *journal, const void *head,
                                       size_t head_bytes, size_t n_entries);
/* The same, after the same of a node. object.c. */
enum slm_status slm_journal_check_node(struct slm_journal *journal, const void *head,
                                       size_t head_bytes, size_t n_entries, const void *node,
                                       size_t node_bytes);
/* Whether this transaction frees the object that starts there. object.c. */
bool slm_journal_is_released(const struct slm_journal *journal, const void *object);
/* After the entry of that index noted the release of an object: it is not live any more to this
 * transaction. object.c. */
void slm_journal_remember_release(struct slm_journal *journal, const void *p, uint32_t idx);

/* Whether so many entries are left. The log is on. */
static inline bool journal_has_entries(const struct slm_journal *journal, size_t n_entries)
{
    uint64_t n = journal->log->state;
    return SLM_LIKELY(n <= journal->n_max) && SLM_LIKELY(n_entries <= journal->n_max - n);
}

/* The same, and no call was refused. */
static inline bool journal_has_room(const struct slm_journal *journal, size_t n_entries)
{
    return journal_has_entries(journal, n_entries) && journal->notes->refusal == SLM_OK;
}

static inline bool journal_is_within(const struct slab_object *object, const void *p,
                                     size_t n_bytes)
{
    size_t at = (size_t)((uintptr_t)p - (uintptr_t)object->start);
    /* The first compare nearly always decides, so a compiler should not merge the two. */
    return SLM_UNLIKELY(at < object->n_bytes) && n_bytes <= object->n_bytes - at;
}

/* Whether the range lies in one of the two objects that were found last. After a refusal no range
 * does. */
static inline bool journal_is_live(const struct slm_journal *journal, const void *p, size_t n_bytes)
{
    const struct slab_object *live = journal->notes->live;
    return journal_is_within(&live[0], p, n_bytes) || journal_is_within(&live[1], p, n_bytes);
}

/* Whether the range lies in the anchor, which is still live. The caller asks for the refusal. */
static inline bool journal_is_anchored(const struct slm_journal *journal, const void *p,
                                       size_t n_bytes)
{
    const struct journal_anchor *anchor = &journal->notes->anchor;
    return journal_is_within(&anchor->object, p, n_bytes) &&
           *anchor->page_word == anchor->page_value && (*anchor->bits & anchor->bit) != 0;
}

/* After the object was found live, and not freed by this transaction. */
static inline void journal_remember_live(struct slm_journal_notes *notes,
                                         const struct slab_object *object)
{
    notes->live[1] = notes->live[0];
    notes->live[0] = *object;
}

static inline void journal_forget_live(struct slm_journal *journal)
{
    struct slm_journal_notes *notes = journal->notes;
    notes->live[0].n_bytes = 0;
    notes->live[1].n_bytes = 0;
    notes->fresh.n_bytes = 0;
}

/* To this transaction the object is not live any more. */
static inline void journal_forget_object(struct slm_journal_notes *notes, const void *p)
{
    struct slab_object *const known[] = {&notes->live[0], &notes->live[1], &notes->fresh,
                                         &notes->anchor.object};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (SLM_UNLIKELY(known[i]->start == p)) {
            known[i]->n_bytes = 0;
        }
    }
}

/* After the entry of that index noted the transaction's first release. */
static inline void journal_remember_first_release(struct slm_journal_notes *notes, const void *p,
                                                  uint32_t idx)
{
    journal_forget_object(notes, p);
    notes->n_frees = 1;
    notes->first_free = idx;
}

/* All n_bytes of the object at p were noted: like the words of a new one, none takes another entry. */
static inline void journal_note_whole(struct slm_journal *journal, const void *p, size_t n_bytes)
{
    journal->notes->fresh = (struct slab_object){(const unsigned char *)p, n_bytes};
}

/* Reports what the transaction changed to the slab's `mark`, which is not NULL, before it is
 * committed. mark.c. */
SLM_NOINLINE void slm_journal_mark_changes(const struct slm_journal *journal);

/* Commits a transaction that released nothing and that no call refused, while no copy of the zone
 * is made; the caller holds the lock.
 * False: slm_journal_commit does it. */
static inline bool journal_commit_plainly(struct slm_journal *journal)
{
    const struct slm_journal_notes *notes = journal->notes;
    if (SLM_UNLIKELY(notes->n_frees != 0) || SLM_UNLIKELY(notes->refusal != SLM_OK) ||
        SLM_UNLIKELY(journal->slab->mark != NULL)) {
        return false;
    }
    /* Logged allocations no longer need it, and a later recovery must not mistake an unlogged one
     * for new. */
    slab_commit(&journal->slab->header->pending, 0);
    journal_commit_word(&journal->log->state, 0);
    journal_forget_live(journal);
    return true;
}

/* The same of a transaction that released one object. From the first store of the log's state on the
 * entries lead forward: see recover.c. The release was judged when it was noted. */
static inline bool journal_commit_one_release(struct slm_journal *journal)
{
    struct slm_journal_log *log = journal->log;
    struct slm_journal_notes *notes = journal->notes;
    uint64_t first = notes->first_free;
    if (SLM_UNLIKELY(notes->n_frees != 1) || SLM_UNLIKELY(notes->refusal != SLM_OK) ||
        SLM_UNLIKELY(journal->slab->mark != NULL) || SLM_UNLIKELY(first >= log->state) ||
        SLM_UNLIKELY(journal_kind_of(&log->entries[first]) != JOURNAL_FREE)) {
        return false;
    }
    notes->n_frees = 0;
    journal_forget_live(journal);
    slab_commit(&journal->slab->header->pending, 0);
    journal_commit_word(&log->state, log->state | JOURNAL_COMMITTED);
    (void)slm_slab_free_locked(journal->slab,
                               journal->base + (log->entries[first].what & JOURNAL_OFFSET));
    journal_commit_word(&log->state, 0);
    return true;
}

/* Before an entry is noted: in an empty log a transaction begins. */
static inline void journal_begin_counts(const struct slm_journal *journal)
{
    if (journal->log->state == 0) {
        journal->notes->n_frees = 0;
        journal->notes->n_allocs = 0;
    }
}

/* Whether a commit would change nothing and refuse nothing. Callable without the lock. */
static inline bool journal_is_clean(const struct slm_journal *journal)
{
    return __atomic_load_n(&journal->log->state, __ATOMIC_RELAXED) == 0 &&
           __atomic_load_n(&journal->notes->refusal, __ATOMIC_RELAXED) == SLM_OK;
}

/* Call it when the lock was just taken: a refusal that the handle remembers belongs to a
 * transaction that has ended, perhaps in the process that this one was forked from. */
static inline void journal_begin(struct slm_journal *journal)
{
    journal_forget_live(journal);
    __atomic_store_n(&journal->notes->refusal, SLM_OK, __ATOMIC_RELAXED);
}

static inline void journal_set_lock(struct slm_journal *journal, bool (*is_held)(const void *),
                                    const void *lock)
{
    journal->notes->is_held = is_held;
    journal->notes->lock = lock;
}

/* From SLM_CHECKS 2 on: whether the calling thread may use the journal. */
static inline bool journal_is_mine(const struct slm_journal *journal)
{
    return SLM_CHECKS < 2 || journal->log == NULL || journal->notes->is_held == NULL ||
           journal->notes->is_held(journal->notes->lock);
}

/* Why the transaction can only be undone; SLM_OK: it can be committed. */
static inline enum slm_status journal_refusal(const struct slm_journal *journal)
{
    return journal->log == NULL ? SLM_OK : journal->notes->refusal;
}

/* Carries out the entries of a committed log that slm_journal_entry_is_valid accepts; skips those
 * that are done already. recover.c. */
void slm_journal_carry_out(struct slm_journal *journal);

/* Whether the log's state is one that a transaction has. check.c. */
bool slm_journal_state_is_valid(const struct slm_journal *journal);
/* Whether the entry is one that append writes. check.c. */
bool slm_journal_entry_is_valid(const struct slm_journal *journal,
                                const struct journal_entry *entry);

#endif
