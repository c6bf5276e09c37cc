/* SPDX-License-Identifier: Apache-2.0 */
/* Zone set: the zones of a server over its reloads, and their way into a new binary. */
#ifndef SLM_ZONE_SET_H
#define SLM_ZONE_SET_H

#include <slabmill/zone.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A master declares its zones each time it reads its configuration; slm_zone_set_apply
 *          makes the set what was declared, all of it or nothing. A zone of the same name, tag,
 *          kind, segment name, lock, journal, slab options and length keeps its content, also when
 *          it grew since; an option that is 0 (of the slab, journal_entries, max_bytes) means what
 *          is stored; one that is declared longer, up to its max, grows and keeps it; any other
 *          change, or no_reuse, makes a new zone. A max_bytes, mode, huge or guard that changes
 *          counts from the next new zone on. What is declared no more is detached: processes that
 *          have it keep it.
 * Init     Each zone's callback runs under its lock within a transaction. Nothing that any of them
 *          did stands before all of them succeeded: when one fails, changes to reused zones are
 *          undone, new zones removed, growth is taken back, and the set is what it was.
 * Safety   One thread at a time, in the master. While apply runs it holds the locks of all zones
 *          that it reuses, taken in the order of declaration.
 * Failure  NULL: as status.h says.
 * Limits   The last step of an apply is atomic for each zone, not over all of them: a master that
 *          is killed between two of its commits leaves some zones as before and some as after.
 * Source   The life cycle of nginx's ngx_shared_memory_add and ngx_init_cycle.
 */
struct slm_zone_set;

struct slm_zone_declaration {
    struct slm_zone_options options;
    /* Anything but SLM_OK fails the apply. is_reused: it has the content of before, and grows only
     * behind the last callback. The journal of the zone is open; the callback neither commits,
     * resets nor unlocks, and its words fit into the journal. NULL: nothing to do. */
    enum slm_status (*init)(struct slm_zone *zone, bool is_reused, void *data);
    void *data;
    bool no_reuse;
};

/* An empty set. SLM_E_NOMEM. */
enum slm_status slm_zone_set_create(struct slm_zone_set **out);

/*
 * Makes the set what is declared. Fails, changing nothing: SLM_E_DUPLICATE (two of the same
 * name); SLM_E_EXISTS (a POSIX or FILE zone of that name is there and cannot be reused: the new one
 * needs a segment name of its own); SLM_E_SPACE and as slm_zone_create and slm_zone_lock; what an
 * init callback answered. error names the zone.
 */
enum slm_status slm_zone_set_apply(struct slm_zone_set *set,
                                   const struct slm_zone_declaration *declarations, size_t n,
                                   struct slm_error *error);

/* Puts a zone that was attached (after an upgrade of the binary, say) into the set, which owns it
 * from then on and reuses it at the next apply. SLM_E_DUPLICATE, SLM_E_NOMEM. */
enum slm_status slm_zone_set_adopt(struct slm_zone_set *set, struct slm_zone *zone);

/* The zone of that name, or NULL. */
struct slm_zone *slm_zone_set_find(const struct slm_zone_set *set, const char *name);

/* The idx-th zone, NULL behind the last: in the order of declaration. */
struct slm_zone *slm_zone_set_at(const struct slm_zone_set *set, size_t idx);

/* Detaches all of them; POSIX and FILE segments keep their names. */
void slm_zone_set_destroy(struct slm_zone_set *set);

/* --- Into a new binary --- */

#define SLM_ZONE_EXPORT_BYTES 320u

/*
 * Writes down how a program that this process becomes by exec attaches the zone, for its
 * environment: "memfd:5", "posix:name", "file:path", "sysv:12". A MEMFD segment's descriptor stays
 * open over exec from then on. A SYSV segment lives only while another process has it.
 * SLM_E_OPTION: an ANONYMOUS segment cannot be handed over. SLM_E_SIZE: the path is too long.
 */
enum slm_status slm_zone_export(struct slm_zone *zone, char text[SLM_ZONE_EXPORT_BYTES],
                                struct slm_error *error);

/* Attaches what slm_zone_export wrote. SLM_E_OPTION: no such text; else as slm_zone_attach. options (NULL: any zone)
 * say what the zone must be; of their segment only mode is looked at, as slm_segment_attach does.
 * On success an inherited descriptor is closed. */
enum slm_status slm_zone_import(struct slm_zone **out, const char *text,
                                const struct slm_zone_attach_options *options,
                                struct slm_error *error);

#ifdef __cplusplus
}
#endif
#endif
