/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged zones: inputs are changes to a segment. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "allocator/journal/log.h"
#include "allocator/lock/word.h"
#include "allocator/zone/handle.h"
#include "fuzz/common/fuzz.h"
#include "fuzz/zone/world.h"
#include "harness/failure/say.h"
#include "harness/sched/system.h"
#include <slabmill/zone_image.h>

enum {
    N_SHAPES = 2,
    HEAD_BYTES = 2,
    PATCH_BYTES = 16,
    BYTES = 96 * 1024,
    MAX_BYTES = 160 * 1024,
    N_ENTRIES = 64,
    N_OBJECTS = 60,
    N_AFTER = 16,
    SLAB_PART_BYTES = 6144, /* the slab's metadata, and a little more */
};

/* The states of the log in which a zone may be found. */
enum log { LOG_OVER, LOG_NOTED, LOG_COMMITTED, LOG_OF_A_DEAD_ONE, N_LOGS };

static unsigned char pristine[N_SHAPES][N_LOGS][BYTES];
static int memory = -1;           /* the segment that is attached again and again */
static unsigned char *bytes_here; /* the same segment, mapped by this file; at first all of it */
static unsigned char before[BYTES];
static size_t n_now; /* bytes of the segment in this input */
static uint64_t n_ops;
static uint64_t n_patches; /* of all inputs */

/* --- Sound images --- */

static void expect_ok(enum slm_status status, const char *what)
{
    if (status != SLM_OK) {
        hrn_zone_law_made("%s: %s", what, slm_status_text(status));
    }
}

static void populate(struct slm_zone *zone)
{
    void *objects[N_OBJECTS];
    for (size_t i = 0; i < N_OBJECTS; i++) {
        objects[i] = slm_zone_alloc(zone, i % 20 == 19 ? 5000 : (size_t)8 << i % 8, NULL);
    }
    for (size_t i = 0; i < N_OBJECTS; i += 3) {
        (void)slm_zone_free(zone, objects[i]);
    }
    expect_ok(slm_zone_lock(zone), "lock");
    expect_ok(slm_zone_set_root_locked(zone, objects[1]), "root");
    (void)slm_zone_unlock(zone);
}

/* An unfinished turn: changed words, a new object, a release, the root. */
static void note_some(struct slm_zone *zone)
{
    struct slm_journal *journal = slm_zone_journal(zone);
    uint64_t *root = slm_zone_root_locked(zone);
    slm_journal_write(journal, root, 7);
    uint64_t *fresh = slm_journal_alloc(journal, 200);
    expect_ok(slm_zone_set_root_locked(zone, fresh), "root");
    (void)slm_journal_free(journal, root);
}

static void keep(struct slm_zone *zone, unsigned shape, enum log log)
{
    memcpy(pristine[shape][log], slm_segment_base(slm_zone_segment(zone)), BYTES);
}

static void build(unsigned shape)
{
    struct slm_zone_options options = {
        .name = "image",
        .bytes = BYTES,
        .max_bytes = MAX_BYTES,
        .journal_entries = N_ENTRIES,
        .slab = {.per_doubling = shape == 0 ? 1 : 8},
        .segment = {.kind = SLM_SEGMENT_MEMFD},
    };
    struct slm_zone *zone;
    struct slm_error error;
    hrn_system_play(NULL);
    hrn_system_be(0);
    if (slm_zone_create(&zone, &options, &error) != SLM_OK) {
        hrn_zone_law_made("%s", error.text);
    }
    populate(zone);
    keep(zone, shape, LOG_OVER);
    expect_ok(slm_zone_lock(zone), "lock");
    note_some(zone);
    keep(zone, shape, LOG_OF_A_DEAD_ONE);
    uint64_t word = zone->header->lock.word;
    zone->header->lock.word = 0;
    keep(zone, shape, LOG_NOTED);
    zone->journal.log->state |= JOURNAL_COMMITTED;
    keep(zone, shape, LOG_COMMITTED);
    zone->header->lock.word = word;
    slm_zone_detach(zone);
}

static void prepare(void)
{
    for (unsigned i = 0; i < N_SHAPES; i++) {
        build(i);
    }
    memory = memfd_create("images", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, BYTES) != 0 || fchmod(memory, 0600) != 0) {
        abort();
    }
    bytes_here = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (bytes_here == MAP_FAILED) {
        abort();
    }
}

/* --- Damage --- */

static uint64_t load(const uint8_t *p, unsigned n)
{
    uint64_t x = 0;
    for (unsigned i = 0; i < n; i++) {
        x |= (uint64_t)p[i] << 8 * i;
    }
    return x;
}

static size_t place_of(uint32_t where, unsigned part)
{
    size_t slab = (size_t)slm_zone_slab_offset(N_ENTRIES);
    switch (part) {
    case 0:
        return where % sizeof(struct zone_header);
    case 1:
        return ZONE_JOURNAL_OFFSET + where % slm_journal_log_bytes(N_ENTRIES);
    case 2:
        return slab + where % SLAB_PART_BYTES;
    default:
        return where % BYTES;
    }
}

static void apply_patch(const uint8_t *patch)
{
    size_t offset = place_of((uint32_t)load(patch, 4), patch[5] >> 1 & 3u);
    size_t n = 1 + patch[4] % 8u;
    HRN_SAY_OP("%s %zu bytes at offset %zu: %#" PRIx64, (patch[5] & 1u) != 0 ? "set" : "turn", n,
               offset, load(patch + 8, 8));
    n_patches++;
    for (size_t i = 0; i < n && offset + i < BYTES; i++) {
        unsigned char old = (patch[5] & 1u) != 0 ? 0 : bytes_here[offset + i];
        bytes_here[offset + i] = old ^ patch[8 + i];
    }
}

static void seal(void)
{
    struct zone_header *header = (struct zone_header *)(void *)bytes_here;
    header->checksum = slm_zone_checksum(&header->fixed);
}

/* Restores the whole segment, then applies the input's changes. */
static void make_image(const uint8_t *bytes, size_t n_bytes)
{
    uint8_t settings = n_bytes > 0 ? bytes[0] : 0;
    size_t n_cut = n_bytes > 1 ? bytes[1] : 0;
    if (ftruncate(memory, BYTES) != 0) {
        abort();
    }
    memcpy(bytes_here, pristine[settings & 1u][settings >> 2 & 3u], BYTES);
    for (size_t at = HEAD_BYTES; at + PATCH_BYTES <= n_bytes; at += PATCH_BYTES) {
        apply_patch(bytes + at);
    }
    if ((settings & 2u) != 0) {
        seal();
    }
    n_now = n_cut * 4096 < BYTES ? BYTES - n_cut * 4096 : BYTES;
    if (ftruncate(memory, (off_t)n_now) != 0) {
        abort();
    }
    memcpy(before, bytes_here, n_now);
}

/* --- What must hold --- */

static void expect_unchanged(const char *call)
{
    if (memcmp(before, bytes_here, n_now) != 0) {
        hrn_zone_law_silence("%s", call);
    }
}

/* Attaching may clear a lock owner of an earlier boot, and notes that all of the file has
 * backing. */
static void forgive_attach(void)
{
    size_t at = offsetof(struct zone_header, lock);
    memcpy(before + at, bytes_here + at, sizeof(struct slm_lock_state));
    at = offsetof(struct zone_header, whole_file);
    memcpy(before + at, bytes_here + at, sizeof(slm_word));
}

static unsigned check(struct slm_zone *zone)
{
    unsigned broken = slm_zone_check_locked(zone);
    expect_unchanged("check");
    if (broken > 114 || (broken > 12 && broken < 101) || (broken > 103 && broken < 111)) {
        hrn_zone_law_number("%u", broken);
    }
    return broken;
}

/* Damage may make counters of requests so high that use would make them wrap. No check can find
 * that. */
#define REQUESTS_MAX (UINT64_MAX - 1000)

static bool has_room_to_count(struct slm_slab *slab)
{
    struct slm_slab_stats stats;
    struct slm_slab_class_stats class;
    slm_slab_get_stats(slab, &stats);
    bool has = stats.run_requests < REQUESTS_MAX;
    for (unsigned i = 0; i < stats.n_classes; i++) {
        (void)slm_slab_get_class_stats(slab, i, &class);
        has &= class.n_requests < REQUESTS_MAX;
    }
    return has;
}

/* Under the lock: objects can be allocated, do not overlap, can be freed, and an abort works. */
static void use(struct slm_zone *zone)
{
    struct slm_journal *journal = slm_zone_journal(zone);
    const unsigned char *base = journal->base;
    unsigned char *objects[N_AFTER];
    size_t n = 0;
    for (size_t i = 0; i < N_AFTER; i++) {
        size_t size = (size_t)8 << i % 10;
        unsigned char *p = slm_journal_alloc(journal, size);
        if (p == NULL) {
            continue;
        }
        if (p < base + zone->fixed.slab_offset || p + size > base + zone_bytes(zone)) {
            hrn_zone_law_outside("%zu bytes at offset %td", size, p - base);
        }
        memset(p, (int)i, size);
        objects[n++] = p;
    }
    if (slm_zone_commit_locked(zone) != SLM_OK) {
        hrn_zone_law_sound_image("objects cannot be committed");
    }
    for (size_t i = 0; i < n; i++) {
        if (slm_journal_free(journal, objects[i]) != SLM_OK) {
            hrn_zone_law_sound_image("object %zu cannot be freed", i);
        }
    }
    slm_zone_abort_locked(zone);
    n_ops += 2 * n;
}

/* The root belongs to the user; no repair rebuilds it and it may point anywhere. Sets it again
 * before the check. */
static void use_and_check(struct slm_zone *zone)
{
    if (slm_zone_set_root_locked(zone, NULL) != SLM_OK || slm_zone_commit_locked(zone) != SLM_OK) {
        hrn_zone_law_sound_image("the root cannot be set");
    }
    unsigned broken = slm_zone_check_locked(zone);
    if (broken != 0) {
        hrn_zone_law_sound_image("found sound or repaired, it breaks invariant %u", broken);
    }
    if (has_room_to_count(slm_zone_slab(zone))) {
        use(zone);
        broken = slm_zone_check_locked(zone);
    }
    if (broken != 0) {
        hrn_zone_law_sound_image("use broke invariant %u", broken);
    }
}

/* --- A copy, next to the zone --- */

static struct {
    unsigned char bytes[BYTES] __attribute__((aligned(4096)));
    struct slm_zone_image image;
    struct slm_slab *slab;
    struct slm_journal journal;
} copy;

/* The caller closes it. */
static enum slm_status open_copy(void)
{
    memcpy(copy.bytes, bytes_here, n_now);
    copy.slab = NULL;
    copy.journal = (struct slm_journal){0};
    enum slm_status status = slm_zone_image_read(&copy.image, copy.bytes, n_now, "copy", NULL);
    if (status == SLM_OK && copy.image.bytes > n_now) {
        status = SLM_E_TRUNCATED; /* what its caller finds */
    }
    return status == SLM_OK
               ? slm_zone_image_open(&copy.image, copy.bytes, &copy.slab, &copy.journal)
               : status;
}

static void close_copy(void)
{
    slm_journal_detach(&copy.journal);
    slm_slab_detach(copy.slab);
}

static enum slm_status attach_status; /* of the last attach */

/* An image of another namespace opens where attach refuses, and one that claims more addresses than
 * the process has. */
static bool may_only_open(void)
{
    bool lacks_addresses =
        attach_status == SLM_E_NOMEM ||
        (attach_status == SLM_E_SIZE && copy.image.max_bytes > SIZE_MAX); /* 32 bits */
    return copy.image.is_elsewhere ||
           (lacks_addresses && copy.image.max_bytes > HRN_SURE_ADDRESSES_BYTES);
}

/* reader: what attach returned for the same bytes. */
static void compare_copy(const struct slm_zone *reader, unsigned broken)
{
    enum slm_status status = open_copy();
    if ((status == SLM_OK) != (reader != NULL) && !(status == SLM_OK && may_only_open())) {
        hrn_zone_law_copy_accepted("%s, and attach %s", slm_status_name(status),
                                   reader != NULL ? "accepts" : "refuses");
    }
    if (status == SLM_OK && reader != NULL) {
        hrn_zone_counted.n_copies_opened++;
        unsigned seen = slm_zone_image_check(&copy.image, copy.slab, &copy.journal);
        if (seen != broken) {
            hrn_zone_law_copy_checked("invariant %u, and %u of the zone", seen, broken);
        }
    }
    close_copy();
}

/* Locks a zone, which may repair it, next to a repair of a copy. */
static enum slm_status lock_and_compare(struct slm_zone *zone)
{
    enum slm_status opened = open_copy();
    bool was_given_up = zone->header->state != ZONE_READY;
    uint64_t n_before = zone->header->n_recoveries;
    enum slm_status status = slm_zone_trylock(zone);
    bool was_repaired = zone->header->n_recoveries != n_before;
    if (opened == SLM_OK && !was_given_up && (was_repaired || status == SLM_E_BROKEN)) {
        hrn_zone_counted.n_copies_repaired += was_repaired;
        enum slm_status repaired = slm_zone_image_repair(&copy.image, copy.slab, &copy.journal);
        if ((repaired == SLM_OK) != was_repaired) {
            hrn_zone_law_copy_repaired("%s, and the lock %s", slm_status_name(repaired),
                                       slm_status_name(status));
        }
        if (was_repaired &&
            memcmp(copy.bytes + ZONE_JOURNAL_OFFSET, bytes_here + ZONE_JOURNAL_OFFSET,
                   (size_t)copy.image.bytes - ZONE_JOURNAL_OFFSET) != 0) {
            hrn_zone_law_copy_repaired("the bytes differ");
        }
    }
    close_copy();
    return status;
}

/* A zone that the check found unsound is locked as after a death: every locker repairs first. */
static void enter_and_use(struct slm_zone *zone, bool is_sound)
{
    if (!is_sound) {
        zone->header->lock.word = SLM_LOCK_REPAIR;
    }
    enum slm_status status = lock_and_compare(zone);
    if (status == SLM_OK) {
        hrn_zone_counted.n_images_sound += is_sound;
        hrn_zone_counted.n_images_repaired += !is_sound;
        use_and_check(zone);
        (void)slm_zone_unlock(zone);
        hrn_zone_copy_image(zone);
        n_ops++;
        (void)slm_zone_grow(zone, MAX_BYTES, NULL);
        return;
    }
    if (status == SLM_E_BROKEN && slm_zone_trylock(zone) != SLM_E_BROKEN) {
        hrn_zone_law_given_up("by the first locker, and not by the second");
    }
    bool is_moved = zone_state_is_moved(zone->header->state) && status == SLM_E_REPLACED;
    if (is_sound && status != SLM_E_LOCKED && status != SLM_E_HELD && !is_moved) {
        hrn_zone_law_sound_image("found sound, but cannot be locked: %s", slm_status_name(status));
    }
    hrn_zone_counted.n_images_given_up++;
}

static struct slm_zone *attach(bool read_only)
{
    struct slm_zone_attach_options options = {
        .segment = {.kind = SLM_SEGMENT_MEMFD, .read_only = read_only, .id = memory},
    };
    struct slm_error error;
    struct slm_zone *zone;
    n_ops++;
    attach_status = slm_zone_attach(&zone, &options, &error);
    if (attach_status != SLM_OK) {
        hrn_zone_counted.n_images_refused++;
        if (error.text[0] == '\0') {
            hrn_zone_law_answer("%s without a text", slm_status_name(error.status));
        }
        return NULL;
    }
    return zone;
}

/* A target that refuses every image would look healthy, so checks that undamaged images work. */
static void expect_pristine_is_sound(void)
{
    for (unsigned i = 0; i < N_SHAPES * N_LOGS; i++) {
        uint8_t settings = (uint8_t)((i % N_SHAPES) | (i / N_SHAPES) << 2);
        make_image(&settings, 1);
        struct slm_zone *zone = attach(false);
        forgive_attach();
        if (zone == NULL || check(zone) != 0 || slm_zone_trylock(zone) != SLM_OK) {
            hrn_zone_law_made("the undamaged image %u is not sound", i);
        }
        (void)slm_zone_unlock(zone);
        slm_zone_detach(zone);
    }
}

static void say_image(const uint8_t *bytes, size_t n_bytes)
{
    unsigned settings = n_bytes > 0 ? bytes[0] : 0;
    HRN_SAY_OP("classes a doubling %d, log %u, %s, %d pages cut off", (settings & 1u) != 0 ? 8 : 1,
               settings >> 2 & 3u, (settings & 2u) != 0 ? "sealed" : "not sealed",
               n_bytes > 1 ? bytes[1] : 0);
}

static void judge(void)
{
    HRN_SAY_OP("attach, check, lock, use");
    struct slm_zone *reader = attach(true);
    expect_unchanged("attach to read");
    struct slm_zone *zone = attach(false);
    forgive_attach();
    expect_unchanged("attach");
    unsigned broken = reader == NULL ? 0 : check(reader);
    compare_copy(reader, broken);
    if (zone != NULL) {
        unsigned seen = check(zone);
        if (reader != NULL && seen != broken) {
            hrn_zone_law_answer("invariant %u for one handle, %u for the other", seen, broken);
        }
        enter_and_use(zone, seen == 0);
    }
    slm_zone_detach(reader);
    slm_zone_detach(zone);
}

/* The images contain the identity of no living actor. */
static void be_somebody(void)
{
    hrn_system_play(NULL);
    hrn_system_renew(0);
    hrn_system_be(0);
}

bool hrn_zone_image_kind(unsigned idx, struct hrn_fuzz_kind *kind)
{
    const struct hrn_fuzz_kind kinds[] = {
        {"patch", n_patches},
        {"attach_refused", hrn_zone_counted.n_images_refused},
        {"sound", hrn_zone_counted.n_images_sound},
        {"repaired", hrn_zone_counted.n_images_repaired},
        {"given_up", hrn_zone_counted.n_images_given_up},
        {"copy_opened", hrn_zone_counted.n_copies_opened},
        {"copy_repaired", hrn_zone_counted.n_copies_repaired},
        {"copy_taken", hrn_zone_counted.n_copies_taken},
    };
    return hrn_fuzz_kind_of(kinds, sizeof kinds / sizeof kinds[0], idx, kind);
}

int hrn_fuzz_zone_image(const uint8_t *bytes, size_t n_bytes)
{
    if (memory < 0) {
        prepare();
        be_somebody();
        expect_pristine_is_sound();
    }
    be_somebody();
    say_image(bytes, n_bytes);
    make_image(bytes, n_bytes);
    n_ops = 1;
    judge();
    hrn_fuzz_count(n_ops);
    return 0;
}
