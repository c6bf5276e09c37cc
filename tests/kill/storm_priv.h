/* SPDX-License-Identifier: Apache-2.0 */
/* Storm internals: what supervisor and workers share besides the zone, and the herd of workers. */
#ifndef SLM_TESTS_KILL_STORM_PRIV_H
#define SLM_TESTS_KILL_STORM_PRIV_H

#include <functional>
#include <sys/types.h>
#include <vector>

#include "tests/kill/storm.h"
#include "tests/kill/world.h"

namespace kill_test {

constexpr unsigned N_SLOTS = 64;
constexpr unsigned N_ENTRIES = 48; /* the most objects that one worker owns */

/*
 * A worker records what it owns twice: in the zone's directory, within the transaction, and here,
 * outside of it. Under the zone's lock an entry is true at any time, after any kill:
 *
 *   NONE      the directory has no object there
 *   LIVE      the directory has this object, which is live and has its owner's stamp
 *   UNSURE    either of the two: the owner was about to commit a change between them
 *
 * An object is known by its sequence: a move of the zone's content changes its offset.
 */
enum EntryState : uint64_t { NONE, LIVE, UNSURE };

struct Entry {
    uint64_t state;
    uint64_t sequence;
};

/* Belongs to a thread, in any process: a thread that replaces a dead one goes on with its slot. */
struct Slot {
    uint64_t thread_id;
    uint64_t n_operations;
    uint64_t sequence;      /* of stamps */
    uint64_t waiting_since; /* for the lock alone, ns; 0: it does not wait */
    Entry entries[N_ENTRIES];
};

struct Repairs {
    uint64_t n_recoveries;
    uint64_t n_undone;
    uint64_t n_finished;
};

struct Shared {
    uint64_t n_lost;
    uint64_t n_double;
    uint64_t n_copies;
    uint64_t n_moves;
    uint64_t n_syncs;
    uint64_t n_trims;
    Repairs repairs; /* at the last check */
    uint64_t inside; /* for the lock alone: the holder */
    char first_wrong[160];
    Slot slots[N_SLOTS];
};

constexpr size_t FIRST_BYTES = size_t{1} << 20;
constexpr size_t MOST_BYTES = size_t{4} << 20;

/* In the zone. The root leads to it. */
struct Board {
    Repairs earlier; /* of the zones whose content was moved here */
    slm_rbtree tree;
    slm_lru lru;
    uint64_t directory[N_SLOTS][N_ENTRIES]; /* offsets as the journal counts them */
};

/* A worker's object. The bytes after it are FILL bytes of its stamp. */
struct Thing {
    uint64_t owner; /* slot + 1 */
    uint64_t sequence;
    uint64_t bytes;
    uint64_t is_linked; /* in tree and list */
    Item item;
};

unsigned char fill_of(const Thing &thing);
uint64_t key_of_thing(uint64_t owner, uint64_t sequence);

/* Returns the sequence of the object at that entry of the directory. 0: it has none. */
uint64_t sequence_at(slm_zone *zone, const uint64_t *entry);
void link_thing(slm_zone *zone, Thing *thing, Shared *shared);
/* Returns the repairs of the zone and of those before it. The caller holds the lock. */
Repairs repairs_of(slm_zone *zone);

/* Returns "", or what is wrong with the object at that entry. *is_double: the object has another
 * owner's stamp. The caller holds the lock. */
const char *judge_thing(slm_zone *zone, uint64_t offset, unsigned slot, bool *is_double);

void count_wrong(Shared *shared, const char *what, bool is_double);

/* xorshift64*: cheap, and each worker has its own. */
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u | 1u)
    {
    }
    uint64_t below(uint64_t n)
    {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return (state_ * 0x2545f4914f6cdd1du >> 33) % n;
    }

  private:
    uint64_t state_;
};

double now_s();
uint64_t now_ns();

/* Returns zeroed memory that all processes share. */
void *share_memory(size_t bytes);
/* Maps the same memory at another address. */
void *share_again(void *memory, size_t bytes);

/* What a thread does until it is killed. */
using Work = std::function<void(unsigned slot, uint64_t seed)>;
/* Returns the id of the thread that holds the lock now. 0: none. */
using Holder = std::function<uint64_t()>;

/* The worker processes. The first ones are killed at random, two never are. */
class Herd {
  public:
    Herd(const StormOptions &options, const Work &work, const Holder &holder, Shared *shared);
    ~Herd();
    Herd(const Herd &) = delete;
    Herd &operator=(const Herd &) = delete;

    /* Waits a little, kills one or more processes at once, and starts successors for them and for
     * processes whose life has ended. Every second victim is the holder of the lock at that moment:
     * of many waiters few would die holding it. */
    void kill_some();
    /* Returns false as soon as the options are satisfied. n_recoveries: the count so far. */
    bool goes_on(uint64_t n_recoveries) const;
    /* Waits until every witness completes one more operation: after so many deaths survivors still
     * get the lock. Returns the number of members that hang instead. */
    unsigned await_witnesses();
    /* Ends all processes for good. */
    void end();
    /* Returns the number of members that made no progress for hang_s. Each is counted once. */
    unsigned count_hangs();
    /* Returns false for a thread that runs, or would run if a processor were free. */
    bool is_asleep(unsigned slot) const;
    /* Returns the slots of the two processes that are never killed. */
    std::vector<unsigned> witnesses() const;
    uint64_t n_operations() const;
    uint64_t n_kills() const
    {
        return n_kills_;
    }

  private:
    struct Member {
        pid_t pid = 0;
        double moved_at = 0;
        uint64_t n_operations = 0;
        bool is_hanging = false;
    };
    unsigned choose();
    void start(unsigned idx);
    bool reap(unsigned idx, int flags);
    void run(unsigned slot, uint64_t seed);
    uint64_t operations_of(unsigned idx) const;

    const StormOptions &options_;
    const Work &work_;
    const Holder &holder_;
    Shared *shared_;
    Random random_;
    std::vector<Member> members_;
    uint64_t n_kills_ = 0;
    uint64_t n_started_ = 0;
    double began_at_ = now_s();
};

/* A thread's handle of the zone. Another zone may take that one's place at any time. */
class Handle {
  public:
    Handle(const World &world, slm_zone *inherited, Shared *shared)
        : world_(world), zone_(inherited), shared_(shared)
    {
    }
    slm_zone *zone()
    {
        return zone_;
    }
    /* Locks the zone that has the name now. Returns false, and counts the problem, if it cannot. */
    bool lock();
    /* Goes on with that handle, and detaches the one before if it is this thread's own. */
    void go_over_to(slm_zone *zone);

  private:
    void expect_replaced();

    const World &world_;
    slm_zone *zone_;
    Shared *shared_;
    bool is_own_ = false;
};

/* Moves the zone's content to another zone, as a server's master does. Returns a handle of that
 * one, or NULL if others were in the way. */
slm_zone *move_zone(const World &world, slm_zone *zone, Shared *shared, Random *random);
void sync_zone(slm_zone *zone, Shared *shared);
void trim_zone(slm_zone *zone, Shared *shared);

/* Checks everything. The caller holds the lock. */
void check_locked(slm_zone *zone, Shared *shared);

/* Checks a copy of the zone, which no other process has: it is of one moment. */
void check_copy(slm_zone *copy, Shared *shared);

/* Copies the zone while others work, and checks the copy: see storm_copy.cc. */
void copy_zone(slm_zone *zone, Shared *shared, unsigned slot);
/* Removes the copies that killed processes of this one left. */
void remove_copies();

/* The operations of a worker: see storm_work.cc. */
void work_in_zone(const World &world, slm_zone *inherited, Shared *shared, unsigned slot,
                  uint64_t seed);

} // namespace kill_test

#endif
