/* SPDX-License-Identifier: Apache-2.0 */
/* Free pages whose memory was given back: noted, and backed again before they are handed out. */
#include "allocator/base/hash.h"
#include "allocator/base/yield.h"
#include "allocator/lock/origin.h"
#include "allocator/segment/for_zone.h"
#include "allocator/slab/view.h"
#include "allocator/zone/handle.h"

/*
 * All of a zone's file has backing, so no touch of a page can fail. A trim punches holes where the
 * free pages are. Before the first hole it notes the file in the zone's header, and from then on
 * each process has pages backed again before its slab hands them out: if the system has no memory,
 * the slab has none either. The note stays for good. It is about every free page: which of them are
 * holes is the file system's to know, so no death leaves a wrong account, and backing twice changes
 * nothing.
 *
 * A process that attaches the zone does not fill the holes of the file that is noted. It does so
 * in another file, a copy by cp say, and in another boot: a disk may have lost what was backed
 * last. So do libraries that do not know the note. But then they hand out pages as they are, so a
 * zone that was trimmed must not be shared with them.
 *
 * If pages cannot be backed for another reason (this process lost the descriptor, the disk fails), no
 * memory that an eviction frees can be backed either. So the handle remembers that reason for the
 * calls that evict or return a status: they ask for it when an allocation found no memory.
 *
 * If the system has no memory for them, other free pages may still have some: those that were freed
 * after the last trim. It is given back, and the pages are backed with it. Otherwise an allocation
 * whose best free run begins with a hole would find none, and a caller that evicts until it fits
 * would evict all.
 *
 * Nothing but the slab's users touches free pages, except a copier. It has all pages backed first,
 * and no page is given back while it works.
 */
static uint64_t note_of(const struct slm_zone *zone)
{
    struct slm_segment_place place = slm_segment_file_place(zone->segment);
    uint64_t words[] = {place.device, place.inode, place.birth};
    return slm_hash(words, sizeof words) | 1;
}

bool slm_zone_is_trimmed(const struct slm_zone *zone, const struct zone_header *header,
                         const struct zone_copying *copying)
{
    return copying->trimmed != 0 && copying->trimmed == note_of(zone) &&
           !slm_lock_is_of_another_boot(&header->lock);
}

enum slm_status slm_zone_give_pages_back(struct slm_zone *zone, size_t first_page, size_t n_pages,
                                         uint64_t *n_bytes, struct slm_error *error)
{
    const struct slm_slab *slab = zone->slab;
    size_t from = (size_t)(slab_page_memory(slab, (uint32_t)first_page) -
                           (const unsigned char *)zone->header);
    SLM_YIELD("zone: give free pages back");
    return slm_segment_give_back(zone->segment, from, from + n_pages * slab->page_bytes, n_bytes,
                                 error);
}

/* Memory that free pages are to give. */
struct claim {
    struct slm_zone *zone;
    uint64_t n_left; /* bytes */
};

static bool take_from_free(void *data, const struct slm_slab_extent *extent)
{
    struct claim *claim = data;
    uint64_t n_bytes = 0;
    if (extent->kind == SLM_SLAB_EXTENT_FREE) {
        (void)slm_zone_give_pages_back(claim->zone, extent->first_page, extent->n_pages, &n_bytes,
                                       NULL);
    }
    claim->n_left -= n_bytes < claim->n_left ? n_bytes : claim->n_left;
    return claim->n_left > 0;
}

/* Whether some free page had memory. */
static bool take_from_other_pages(struct slm_zone *zone, size_t n_bytes)
{
    struct claim claim = {zone, n_bytes};
    if (zone->header->state == ZONE_COPIED) {
        return false;
    }
    slm_slab_walk_locked(zone->slab, take_from_free, &claim);
    return claim.n_left < n_bytes;
}

static bool is_lack_of_space(enum slm_status status)
{
    return status == SLM_E_SPACE || status == SLM_E_NOMEM;
}

/* `back` of the slab, before it changes anything. */
static bool back_pages(void *data, const void *p, size_t n_bytes)
{
    struct slm_zone *zone = data;
    size_t from = (size_t)((const unsigned char *)p - (const unsigned char *)zone->header);
    size_t to = from + n_bytes;
    SLM_YIELD("zone: back pages that were given back");
    enum slm_status status = slm_segment_back(zone->segment, from, to, NULL);
    if (is_lack_of_space(status) && take_from_other_pages(zone, n_bytes)) {
        status = slm_segment_back(zone->segment, from, to, NULL);
    }
    zone->unbacked = is_lack_of_space(status) ? SLM_OK : status;
    return status == SLM_OK;
}

void *slm_zone_alloc_again(struct slm_zone *zone, size_t size_bytes, enum slm_status *why)
{
    void *p = zone_forget_unbacked(zone) ? slm_journal_alloc(&zone->journal, size_bytes) : NULL;
    *why = zone->unbacked;
    return p;
}

void slm_zone_watch_holes(struct slm_zone *zone)
{
    struct zone_header *header = slm_segment_base(zone->segment);
    enum slm_segment_kind kind = slm_segment_get_kind(zone->segment);
    if (slm_zone_has_name(kind) || kind == SLM_SEGMENT_MEMFD) {
        zone->slab->may_have_holes = &zone_copying_of(header)->trimmed;
        zone->slab->back = back_pages;
        zone->slab->back_data = zone;
    }
}

void slm_zone_note_holes(struct slm_zone *zone)
{
    SLM_YIELD("zone: note that it is trimmed");
    __atomic_store_n(&zone_copying_of(zone->header)->trimmed, note_of(zone), __ATOMIC_RELEASE);
}
