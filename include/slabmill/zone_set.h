/* SPDX-License-Identifier: Apache-2.0 */
/* Zone set: the zones of a server, kept over its reloads and passed on to a new binary. */
#ifndef SLM_ZONE_SET_H
#define SLM_ZONE_SET_H

#include <slabmill/zone.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A master declares its zones each time it reads its configuration; slm_zone_set_apply
 *          makes the set what was declared, as a whole or not at all. A zone of the set whose name
 *          and segment name are declared again is reused, with its content. If it is declared
 *          longer, it grows. If it is declared shorter, it keeps its length. A declaration that it
 *          cannot match is refused, with a text that names the option and both values: another tag,
 *          kind, lock kind, lock file, journal_entries or slab option, or more bytes than its
 *          max_bytes. If its options have the callback move, all of this but another tag, kind or
 *          lock file moves its content to a new zone (see Moving in zone.h), and so do another
 *          max_bytes and fewer bytes than it was made with. The set then has another handle:
 *          slm_zone_set_find returns it, and the earlier one is detached. Options of the slab,
 *          journal_entries and max_bytes that are 0 mean what is stored. So content is lost only
 *          where no_reuse says so: then the zone is a new one. Another segment name is another
 *          zone; the earlier one stays under its name. Without the callback move a changed
 *          max_bytes, and always a changed mode, huge or guard takes effect when a new zone is
 *          made. Zones no longer declared are detached; other processes keep their mapping.
 * Start    A POSIX or FILE zone that is not in the set yet is opened if its name exists: as
 *          slm_zone_open does. So a server that was killed finds its zones again. For its callback
 *          the zone is reused.
 * Servers  A POSIX or FILE zone is in the set of one server. If a second server with the same
 *          configuration starts, its apply is refused: SLM_E_LOCKED. A server is known by the
 *          thread that applied last; it counts until slm_zone_set_destroy, or until the thread
 *          ends, however it ends. Its workers do not count: after the death of their master a new
 *          one starts. Servers that all call slm_zone_set_share have their zones together.
 *          slm_zone_set_adopt is a handover on purpose: the server that adopts is the zone's server
 *          from its next apply on. A server that becomes a daemon by fork applies again in the
 *          child: until then a second server is accepted. Zones that are in a set already are not
 *          compared: the server that applies last has them. Sets that one thread applies do not
 *          exclude each other, and the first one that is destroyed leaves the zone to others.
 * Order    First everything new is made: new zones, and the backing of growth. Then the callbacks
 *          of new zones run. Until then no other process waits. Then apply takes the locks of the
 *          reused and moved zones, in the order of their names, and runs their callbacks. So two
 *          masters that share zones do not wait for each other in a circle. For these locks apply
 *          waits no longer than slm_zone_set_limit_wait says.
 * Content  A reused zone whose content has an earlier version is brought forward by the upgrade
 *          callback of its options, before init, in the same transaction. A zone that is moved gets
 *          its content from the callback move, and then init, for which it is reused.
 * Init     Each zone's callback runs under the zone's lock, inside a transaction. Nothing is
 *          committed before all callbacks succeeded: when one fails, changes to reused zones are
 *          undone, new zones removed, and growth is taken back. While the callback of a reused zone
 *          runs, every process that uses a reused zone of the set waits. So such a callback is
 *          short: it waits for no other process, locks no other zone, and neither sleeps nor does
 *          I/O that may take long. No callback forks, ends its thread, or leaves by longjmp. If
 *          another process makes a zone of that name while apply makes its own, apply begins again
 *          with the other one, and the callbacks run again.
 * Safety   One thread at a time, in the master. Cancellation: no call is a cancellation point. Apply
 *          disables it while callbacks run, so a thread that is cancelled meanwhile ends at its next
 *          cancellation point after the call. Signals: no call is for handlers.
 * Failure  NULL: as status.h says. A growth that fails after its backing was taken gives the
 *          backing back. If another process holds the zone's lock then, the backing stays, and the
 *          next growth takes it.
 * Limits   The last step of an apply is atomic for each zone, not for all zones together: a master
 *          that is killed between two of its commits leaves some zones as before and some as after.
 *          The last step of a move that can fail is a rename. If the file system refuses it for a
 *          later zone, apply fails and the zones before it are renamed back; a process that opened
 *          one of the new zones meanwhile gets SLM_E_REPLACED from its lock. Only if the file system
 *          refuses that too, or has no second names (link), do those zones stay moved. A callback
 *          move takes time in proportion to the content, and all zones of the set wait.
 * Source   The life cycle of nginx's ngx_shared_memory_add and ngx_init_cycle.
 */
#define SLM_ZONE_SET_LOCK_MS 5000u /* see slm_zone_set_limit_wait */

struct slm_zone_set; /* a server's zones */

/* A zone that a server wants to have. */
struct slm_zone_declaration {
    struct slm_zone_options options;
    /* Any result but SLM_OK fails the apply. is_reused: the zone has its earlier content; it grows
     * after the last callback. The zone's journal is open. The callback neither commits, resets nor
     * unlocks, and what it notes fits in the journal. It neither applies the set (SLM_E_STATE) nor
     * destroys it. NULL: nothing to do. */
    enum slm_status (*init)(struct slm_zone *zone, bool is_reused, void *data);
    void *data;
    bool no_reuse; /* make a new zone: the content of the earlier one is lost, or stays with the
                      processes that have it */
};

/* Makes an empty set. Fails, *out NULL: SLM_E_NOMEM. */
enum slm_status slm_zone_set_create(struct slm_zone_set **out);

/* How long one apply waits for the locks of reused zones, all together. 0: it only tries. Without
 * this call: SLM_ZONE_SET_LOCK_MS. */
enum slm_status slm_zone_set_limit_wait(struct slm_zone_set *set, unsigned timeout_ms);

/* Whether other servers may have zones of the set in their sets too: see Servers. Without this
 * call: they may not. */
enum slm_status slm_zone_set_share(struct slm_zone_set *set, bool is_shared);

/*
 * Makes the set what is declared. Fails, changing nothing, but perhaps leaving a lock file (see
 * slm_lock_options): SLM_E_DUPLICATE (two zones have one name, one segment or one lock file, or one
 * has the other's, however the paths are written), SLM_E_NAME, SLM_E_OPTION, SLM_E_SIZE and
 * SLM_E_VERSION (the zone exists and cannot become what is declared), SLM_E_MISSING and
 * SLM_E_REPLACED (the name of a POSIX or FILE zone of the set was removed, or leads to another file.
 * If its path leads to another folder than when the handle was made, only a move is refused, and a
 * zone whose file has no name at all), SLM_E_EXISTS (no_reuse, and a POSIX or FILE segment of that
 * name exists: the new zone needs another segment name), SLM_E_FULL (a callback's transaction),
 * SLM_E_OWNER (a callback unlocked a zone), SLM_E_STATE (a callback of the set calls it),
 * SLM_E_LOCKED (another server has the zone), SLM_E_TIMEOUT (a lock was held for too long), as
 * slm_zone_create, slm_zone_grow and slm_zone_lock, and with the result of a callback. The error text
 * names the zone.
 */
enum slm_status slm_zone_set_apply(struct slm_zone_set *set,
                                   const struct slm_zone_declaration *declarations, size_t n,
                                   struct slm_error *error);

/* Puts an attached zone, for example after an upgrade of the binary, into the set. The set owns the
 * handle from then on, and the next apply can reuse the zone. Fails, changing nothing:
 * SLM_E_DUPLICATE, SLM_E_NOMEM. */
enum slm_status slm_zone_set_adopt(struct slm_zone_set *set, struct slm_zone *zone);

/* The zone of that name, or NULL. */
struct slm_zone *slm_zone_set_find(const struct slm_zone_set *set, const char *name);

/* The idx-th zone in the order of declaration; NULL past the last. */
struct slm_zone *slm_zone_set_at(const struct slm_zone_set *set, size_t idx);

/* Detaches all zones and frees the set; POSIX and FILE segments keep their names. */
void slm_zone_set_destroy(struct slm_zone_set *set);

/* --- Into a new binary --- */

#define SLM_ZONE_EXPORT_BYTES 320u /* of a text with its final zero */

/*
 * Writes a text, for the environment, from which the program that exec starts in this process
 * attaches the zone: "memfd:5", "posix:name", "file:path", "sysv:12". From then on the descriptor
 * of a MEMFD segment stays open over exec. A SYSV segment lives only while another process has it.
 * A path is written as the zone was opened by it, so the program that attaches has the same root, and
 * for a relative path the same working folder.
 * Fails, with an empty text: SLM_E_OPTION (an ANONYMOUS segment cannot be passed on), SLM_E_SIZE
 * (the path is too long), SLM_E_MISSING and SLM_E_REPLACED (the name of a POSIX or FILE segment, as
 * this process sees it now, leads to no file or to another one), SLM_E_ACCESS (the folder),
 * SLM_E_STATE (the descriptor of a MEMFD segment was closed, or is another file now),
 * SLM_E_TRUNCATED (a MEMFD segment was cut), SLM_E_IO. Cost O(1): up to three system calls.
 */
enum slm_status slm_zone_export(struct slm_zone *zone, char text[SLM_ZONE_EXPORT_BYTES],
                                struct slm_error *error);

/* Attaches the zone of a text that slm_zone_export wrote. options (NULL: any zone) say what the
 * zone must be; of their segment only mode is used, as by slm_segment_attach. On success the
 * inherited descriptor is closed. Fails, *out NULL: SLM_E_OPTION (no such text), and as
 * slm_zone_attach. */
enum slm_status slm_zone_import(struct slm_zone **out, const char *text,
                                const struct slm_zone_attach_options *options,
                                struct slm_error *error);

#ifdef __cplusplus
}
#endif
#endif
