/* SPDX-License-Identifier: Apache-2.0 */
/* Which server has a zone in its set: at most one, unless they share on purpose. */
#include "allocator/base/hash.h"
#include "allocator/segment/for_zone.h"
#include "allocator/zone/handle.h"

/*
 * The header names the server as a lock's word names its owner: by a thread's identity, which dies
 * with the thread. That is true of this file, this boot and these namespaces only. So a second word
 * is the hash of all three: in a copy of the file, and after a restart of machine or container, the
 * server that the header names is none. Both words change under the zone's lock, the place first.
 * The file is known as it was opened: a server that has lost its descriptor keeps its zones.
 */
uint64_t slm_zone_find_place(const struct slm_zone *zone)
{
    struct slm_segment_place file = slm_segment_file_place(zone->segment);
    const struct slm_lock_state *lock = &zone->header->lock;
    uint64_t words[] = {file.device, file.inode, file.birth, lock->boot, lock->namespaces};
    return slm_hash(words, sizeof words) | 1;
}

enum slm_status slm_zone_check_server(const struct slm_zone *zone, struct slm_error *error)
{
    uint64_t server = __atomic_load_n(&zone->header->server, __ATOMIC_ACQUIRE);
    uint64_t place = __atomic_load_n(&zone->header->server_place, __ATOMIC_RELAXED);
    if (server == 0 || server == slm_lock_self() || place != slm_zone_find_place(zone) ||
        !slm_lock_is_alive(server)) {
        return SLM_OK;
    }
    return slm_error_set(error, SLM_E_LOCKED, 0,
                         "zone %s: another server has it in its set: thread %u", zone->fixed.name,
                         (unsigned)(server & UINT32_MAX));
}

bool slm_zone_are_one(const struct slm_zone *a, const struct slm_zone *b)
{
    return slm_zone_find_place(a) == slm_zone_find_place(b);
}

void slm_zone_set_server_locked(struct slm_zone *zone)
{
    slm_word *server = &zone->header->server;
    __atomic_store_n(server, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&zone->header->server_place, slm_zone_find_place(zone), __ATOMIC_RELEASE);
    __atomic_store_n(server, slm_lock_self(), __ATOMIC_RELEASE);
}

void slm_zone_clear_server(struct slm_zone *zone, uint64_t server)
{
    (void)__atomic_compare_exchange_n(&zone->header->server, &server, 0, false, __ATOMIC_RELEASE,
                                      __ATOMIC_RELAXED);
}
