/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the parts of zone_edge_fuzz: the model, the configuration, the laws. */
#ifndef HRN_FUZZ_ZONE_EDGE_WORLD_H
#define HRN_FUZZ_ZONE_EDGE_WORLD_H

#include "fuzz/zone/edge.h"
#include "fuzz/zone/world.h"
#include "harness/laws/laws.h"
#include <slabmill/zone_set.h>

enum {
    EDGE_N_SERVERS = 2,
    EDGE_N_VIEWS = 4, /* views 0 and 1 are of actor 2, the others of actor 3 */
    EDGE_N_PATHS = 3,
    EDGE_N_SPELLINGS = 6, /* of paths: number n and n + 3 lead to one file */
    EDGE_N_ZONES = 3,     /* of a configuration, and of a set */
    EDGE_N_BODIES = 20,
    EDGE_N_ENTRIES = 128, /* of the journals that declarations ask for */
    EDGE_MAX_BYTES = 196608,
    EDGE_N_LOCKS = 3,
    EDGE_NONE = -1,
};

struct edge_op {
    enum hrn_edge_op kind;
    unsigned who;
    unsigned what;
    uint8_t extra;
    uint32_t value;
};

/* --- Configuration (edge_config.c) --- */

enum edge_field {
    EDGE_ON, /* choice 0: it is declared; each field's choice 0 is the usual one */
    EDGE_NAME,
    EDGE_PATH,
    EDGE_KIND,
    EDGE_TAG,
    EDGE_BYTES,
    EDGE_MAX,
    EDGE_CLASSES,
    EDGE_JOURNAL,
    EDGE_LOCK,
    EDGE_LOCK_PATH,
    EDGE_NO_REUSE,
    EDGE_VERSION,
    EDGE_UPGRADE,
    EDGE_INIT,
    EDGE_MOVE,
    EDGE_N_FIELDS,
};

enum { EDGE_LOCK_A, EDGE_LOCK_B, EDGE_LOCK_IS_SEGMENT, EDGE_N_LOCK_PATHS };
enum { EDGE_UPGRADE_NONE, EDGE_UPGRADE_WORKS, EDGE_UPGRADE_FAILS };
enum { EDGE_MOVE_NONE, EDGE_MOVE_WORKS, EDGE_MOVE_FAILS };
enum { EDGE_INIT_LOOKS, EDGE_INIT_ADDS, EDGE_INIT_FAILS };

/* What failing callbacks return: no call returns it for another reason. */
#define EDGE_UPGRADE_STATUS SLM_E_INTERIOR
#define EDGE_INIT_STATUS    SLM_E_FREED
#define EDGE_MOVE_STATUS    SLM_E_NOT_MEMBER

/* A declaration in numbers that the model compares, and as the library gets it. */
struct edge_decl {
    bool is_on;
    unsigned spelling;
    int lock_path; /* EDGE_NONE: not a FILE lock */
    unsigned upgrade;
    unsigned init;
    unsigned move;
    struct slm_zone_declaration d;
};

/* All declarations are usual again, with locks of that kind. */
void hrn_edge_reset_config(unsigned lock);
void hrn_edge_configure(const struct edge_op *op);
void hrn_edge_read_decl(unsigned idx, struct edge_decl *decl);

/* --- The model (edge_model.c) --- */

/* A zone, under any name or none. */
struct edge_body {
    bool is_used;
    enum slm_segment_kind kind;
    const char *name;
    const char *tag;
    enum slm_lock_kind lock;
    int lock_path;
    unsigned journal;
    unsigned classes;
    uint64_t bytes;
    uint64_t asked_bytes; /* of its maker */
    uint64_t max_bytes;
    bool is_moved; /* its content is in another one */
    uint32_t version;
    uint64_t server; /* identity; 0: none */
    int holder;      /* a view, of a process that lives; or EDGE_NONE */
    uint64_t former; /* identity of the holder of the file that this one is a copy of; 0: none */
    struct zone_account committed;
    struct zone_account working; /* the holder's */
};

struct edge_view {
    struct slm_zone *zone; /* NULL: none */
    int body;
    unsigned spelling;
    uint32_t version; /* 0: any */
    bool is_read_only;
};

struct edge_server {
    struct slm_zone_set *set;
    bool is_shared;
    uint64_t identity; /* when it last applied; 0: never */
    unsigned n;
    struct edge_view zones[EDGE_N_ZONES];
};

struct edge_world {
    struct edge_body bodies[EDGE_N_BODIES];
    int names[EDGE_N_PATHS]; /* bodies, or EDGE_NONE */
    struct edge_view views[EDGE_N_VIEWS];
    struct edge_server servers[EDGE_N_SERVERS];
    uint64_t next_stamp;
};
extern struct edge_world hrn_edge_world;
extern struct hrn_edge_counts hrn_edge_counted;

/* What a call is expected to do with one declared zone. */
enum edge_way { EDGE_KEEPS, EDGE_FINDS, EDGE_MAKES, EDGE_MOVES };
struct edge_plan {
    struct edge_decl decl;
    enum edge_way way;
    int body;         /* of EDGE_MAKES and EDGE_MOVES: filled in from the declaration */
    int from;         /* of EDGE_MOVES */
    bool has_no_room; /* the callback move found no memory */
    unsigned n_inits;
    struct zone_account after; /* content, if the call succeeds */
};

/* A set of statuses. */
typedef uint64_t edge_reasons;
#define EDGE_REASON(status) (UINT64_C(1) << (status))

/* Marks bodies that nothing leads to as unused. */
void hrn_edge_collect(void);
/* An unused body; its content is empty. */
int hrn_edge_new_body(void);
/* Plans what opening (server NULL) or applying the declaration does. Returns why it may be refused;
 * 0: it must succeed. */
edge_reasons hrn_edge_plan(struct edge_plan *plan, const struct edge_server *server);
/* Fills in an unused body for a zone that is made as declared; returns its index. */
int hrn_edge_fill_body(const struct edge_decl *decl);
/* Whether opening or applying the declaration moves the content of that body. */
bool hrn_edge_moves(const struct edge_body *body, const struct edge_decl *decl);
/* The plan found that its body is moved: it is EDGE_MOVES afterwards. Returns why that may be refused,
 * besides what is said of the options, the names and the server. */
edge_reasons hrn_edge_plan_move(struct edge_plan *plan);
/* The callback of the options; data: the plan. */
enum slm_status hrn_edge_move(struct slm_zone *to, struct slm_zone *from, void *data);
/* Why these cannot be in one configuration. */
edge_reasons hrn_edge_compare(const struct edge_decl *a, const struct edge_decl *b);
/* Why an attach that gives this path to the lock file is refused. */
edge_reasons hrn_edge_compare_lock(const struct edge_body *body, int lock_path);
/* The plan was carried out. */
void hrn_edge_carry_out(const struct edge_plan *plan);
bool hrn_edge_is_open(const struct edge_body *body);
/* Whether a process that lives keeps others out of the zone. */
bool hrn_edge_is_held(const struct edge_body *body);
/* Why the calling actor does not get the lock in time: it has it, or another one. */
edge_reasons hrn_edge_expect_lock(const struct edge_body *body);
/* Aborts unless the status fits: SLM_OK if there are no reasons, else one of them; and refusals
 * have a text, which names the zone if it has a name. */
void hrn_edge_judge(const char *call, enum slm_status status, edge_reasons reasons,
                    const struct slm_error *error, const char *name);
/* Adds an object to the content, through the open journal; false: there is no memory. */
bool hrn_edge_add_object(struct slm_zone *zone, struct zone_account *account, uint32_t n_bytes);
/* Aborts if the zone is not what the model says. Locks it, unless it is held or cannot be. */
void hrn_edge_verify(const struct edge_view *view);

/* --- Files (edge_files.c) --- */

/* The folder exists and is empty of segments; no name leads anywhere. */
void hrn_edge_clean_folder(void);
const char *hrn_edge_path(unsigned spelling);
const char *hrn_edge_lock_path(unsigned idx);
/* The length of a name's file; 0: there is none. */
uint64_t hrn_edge_file_bytes(unsigned path);
/* Writes the server's word of a zone, as a dead server leaves it. */
void hrn_edge_put_server(int body, uint64_t word);
void hrn_edge_remove(const struct edge_op *op);
void hrn_edge_rename(const struct edge_op *op);
void hrn_edge_copy(const struct edge_op *op);
void hrn_edge_list(const struct edge_op *op);

/* --- Servers (edge_sets.c) --- */

void hrn_edge_apply(const struct edge_op *op);
void hrn_edge_share(const struct edge_op *op);
void hrn_edge_server_dies(const struct edge_op *op);
void hrn_edge_adopt(const struct edge_op *op);
void hrn_edge_open(const struct edge_op *op);

/* --- Views (edge_views.c) --- */

/* The process that has the view, as an actor of harness/sched/system.h. */
unsigned hrn_edge_actor_of(unsigned view);
/* Identity of the process that holds the body; where none does, the former one. */
uint64_t hrn_edge_holder_of(const struct edge_body *body);
void hrn_edge_attach(const struct edge_op *op);
void hrn_edge_import(const struct edge_op *op);
void hrn_edge_detach(const struct edge_op *op);
void hrn_edge_hold(const struct edge_op *op);
void hrn_edge_change(const struct edge_op *op);
void hrn_edge_release(const struct edge_op *op);
void hrn_edge_die(const struct edge_op *op);
void hrn_edge_grow(const struct edge_op *op);
void hrn_edge_verify_name(const struct edge_op *op);
void hrn_edge_image(const struct edge_op *op);
/* What taking the lock returns. An owner that is dead is freed first where no locker does that. */
edge_reasons hrn_edge_expect_turn(const struct edge_view *view);

/* --- The disk (edge_disk.c) --- */

/* slm_zone_sync. */
void hrn_edge_sync(const struct edge_op *op);
/* slm_zone_copy, to one of the names. */
void hrn_edge_take(const struct edge_op *op);
/* slm_zone_trim. */
void hrn_edge_trim(const struct edge_op *op);
/* Aborts unless the zone is clean, or is not. */
void hrn_edge_expect_clean(const struct edge_view *view, bool is_clean);

/* --- Laws: a function each --- */

#define EDGE_LAW_LIST(X)                                                                           \
    X(folder, "there is a folder to work in")                                                      \
    X(grant, "what is possible is not refused")                                                    \
    X(refusal, "what is impossible is refused, for one of the reasons")                            \
    X(words, "a refusal says in words which zone it is about")                                     \
    X(declared, "a zone is what was declared")                                                     \
    X(reuse, "a zone that exists is reused, and any other is new")                                 \
    X(unchanged, "a refused reload changes nothing")                                               \
    X(lock, "a lock is taken if and only if no living process has it")                             \
    X(sound, "a zone breaks no invariant")                                                         \
    X(listing, "a listing has the segments of the folder and no others")                           \
    X(passed_on, "an exported zone is imported, and no other")                                     \
    X(copy, "a copy of a zone is opened, checked and repaired as the zone is")                     \
    X(clean, "a zone is clean if it was written to the disk, and not locked since")                \
    X(taken, "a copy that is taken is whole, clean, and has what was committed")

#define EDGE_LAW_DECLARE(name, sentence) HRN_LAW_FUNCTION(hrn_edge_law_##name)
EDGE_LAW_LIST(EDGE_LAW_DECLARE)
#undef EDGE_LAW_DECLARE

#endif
