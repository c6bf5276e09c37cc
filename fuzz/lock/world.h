/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the parts of lock_fuzz: the simulated system, the laws, one operation. */
#ifndef HRN_FUZZ_LOCK_WORLD_H
#define HRN_FUZZ_LOCK_WORLD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "allocator/lock/handle.h"
#include "allocator/lock/life.h"
#include "allocator/lock/proc.h"
#include "allocator/lock/system.h"
#include "fuzz/lock/lock.h"
#include "harness/laws/laws.h"

enum {
    LOCK_N_ACTORS = 4,
    LOCK_MAPS_MAX = 6, /* of a process */
    LOCK_FIRST_TID = 200001,
};

struct op {
    enum hrn_lock_op kind;
    unsigned actor;
    unsigned extra;
    uint32_t value;
};

/* --- The simulated system (proc.c) --- */

/* What a line of a maps file says. */
struct fake_map {
    uint64_t start;
    uint64_t end;
    uint64_t offset;
    unsigned device; /* minor; its major is 8 */
    uint64_t inode;
    bool is_shared;
    bool is_broken; /* the line ends before the inode */
};

enum fake_read { FAKE_READABLE, FAKE_HIDDEN, FAKE_VANISHES /* hidden, and then gone */ };

struct fake_thread {
    bool is_gone;
    bool may_not_signal; /* EPERM */
    enum fake_read read;
    uint32_t start;
    char state;
    bool is_signalled;
    bool is_dumping;
    uint64_t pending; /* signals */
    bool maps_hidden;
    bool maps_end_early; /* the last line has no end */
    unsigned n_maps;
    struct fake_map maps[LOCK_MAPS_MAX];
};

enum fake_status { FAKE_OWN, FAKE_OTHERS, FAKE_TWO_IDS, FAKE_NO_LINE, FAKE_NO_FILE, FAKE_N_STATUS };
enum fake_ns { FAKE_NS, FAKE_NS_MISSING, FAKE_NS_REFUSED };

struct fake_system {
    struct fake_thread threads[LOCK_N_ACTORS];
    struct fake_thread self; /* /proc/thread-self, /proc/self */
    enum fake_status status;
    enum fake_ns pid_read;
    enum fake_ns time_read;
    bool has_ns_folder;
    uint32_t pid_ns;
    uint32_t time_ns;
    unsigned boot;      /* 0: cannot be read */
    unsigned n_padding; /* long lines before those that are looked for */
};

extern struct fake_system hrn_lock_system;

/* The library's own calls of the system, most of which are replaced. */
extern struct slm_lock_system hrn_lock_real;

/* The namespaces and boot of all programs' begin; a thread's identity. */
#define LOCK_HOME_PID  UINT32_C(0xf0000ffd)
#define LOCK_HOME_TIME UINT32_C(0xf0000ffa)
#define LOCK_HOME      ((uint64_t)LOCK_HOME_TIME << 32 | LOCK_HOME_PID)

#define KILL_BIT (UINT64_C(1) << (SIGKILL - 1)) /* of a set of signals in /proc */

extern uintptr_t hrn_lock_object; /* the address of what is mapped */

/* Puts the simulated files in place of /proc, with the object at `address` mapped once by each. */
void hrn_lock_begin_proc(const void *address);

uint64_t hrn_lock_identity(unsigned actor);

/* What the model says. */
uint64_t hrn_lock_namespaces_now(void);
uint64_t hrn_lock_boot_now(void);
struct slm_lock_life hrn_lock_life_of(uint64_t identity, uint32_t time_namespace);
enum slm_lock_maps hrn_lock_maps_of(pid_t thread);
bool hrn_lock_is_mapped_once(void);

/* Operations. */
void hrn_lock_simulate(const struct op *op);
void hrn_lock_map(const struct op *op);
void hrn_lock_set_proc(const struct op *op);

/* --- What the library reads of it (ask.c) --- */

void hrn_lock_look(const struct op *op);
void hrn_lock_parse(const struct op *op);

/* After any call: cancellation is on, and no signal is blocked (lock.c). */
void hrn_lock_expect_calm(void);

/* --- Forks (fork.c) --- */

/* Forks a child, and checks what it has. Once in a program: it takes a millisecond or more. */
void hrn_lock_fork(const struct op *op);
void hrn_lock_begin_forks(void);

/* --- Events (event.c) --- */

/* Checks the texts of an event of any kind. */
void hrn_lock_write_event(const struct op *op);

/* --- Laws: a function each --- */

#define LOCK_LAW_LIST(X)                                                                           \
    X(answer, "a call returns what it did, or why it did nothing")                                 \
    X(text, "an error and an event have their texts")                                              \
    X(word, "a call leaves the word that its transition says")                                     \
    X(counters, "deaths and waits are counted")                                                    \
    X(origin, "a lock belongs to one boot, two namespaces and one file")                           \
    X(owner, "an owner is reported as the word and the system show it")                            \
    X(life, "a thread is dead if that is proved, and alive if not")                                \
    X(mappings, "a process has an object mapped if its maps file says so")                         \
    X(identity, "an identity is the thread's id and start")                                        \
    X(parsed, "a line of /proc is read field by field")                                            \
    X(wakes, "a call that frees the lock wakes its waiters, and no other call does")               \
    X(events, "each event is delivered once, when the lock is free")                               \
    X(calm, "no call leaves cancellation off or signals blocked")                                  \
    X(time, "a wait ends at its bound")                                                            \
    X(fork, "a child of fork has an identity of its own, and its parent's handles")                \
    X(made, "what the fuzzer needs of the system is there")

#define LOCK_LAW_DECLARE(name, sentence) HRN_LAW_FUNCTION(hrn_lock_law_##name)
LOCK_LAW_LIST(LOCK_LAW_DECLARE)
#undef LOCK_LAW_DECLARE

#endif
