/* SPDX-License-Identifier: Apache-2.0 */
/* What samples of the documents use without showing it. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <slabmill/event.h>
#include <slabmill/pool.h>
#include <slabmill/slab.h>
#include <slabmill/zone.h>
#include <slabmill/zone_copy.h>
#include <slabmill/zone_set.h>

#ifdef __cplusplus
extern "C" {
#endif

struct entry {
    uint64_t key;
};
struct key {
    uint64_t next;
};
struct request {
    int fd;
};
struct table {
    uint64_t first;
};

extern const char *text;
extern const unsigned char *key;
extern enum slm_status status;
extern int fd;
extern size_t key_bytes;
extern size_t length;
extern size_t region_bytes;
extern struct entry *entry;
extern struct key *old;
extern struct slm_error error;
extern struct slm_limit_req_verdict verdict;
extern struct slm_lock *lock;
extern struct slm_pool *pool;
extern struct slm_slab *slab;
extern struct slm_zone *zone;
extern struct slm_zone_options options;
extern struct table *table;
extern uint64_t now_ms;
extern void *p;
extern void *region;

enum slm_status add_copy(struct slm_zone *to, const struct key *key);
enum slm_status add_entry(struct slm_zone *zone, struct table *table, struct entry *entry);
enum slm_status bring_forward(struct slm_zone *zone, uint32_t from_version, void *data);
enum slm_status make_table(struct slm_zone *zone);
enum slm_status start_table(struct slm_zone *zone, bool is_reused, void *data);
slm_zone_evict drop_oldest;
struct key *first_of(struct slm_zone *zone, struct table *table);
struct key *next_of(struct slm_zone *zone, struct key *key);
void write_to_log(const char *text);

#ifdef __cplusplus
}
#endif
