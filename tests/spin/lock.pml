/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol of allocator/lock/ (word.h describes the word). Any actor may die between any two
 * accesses to shared memory. A phase is a place between two accesses; each d_step is one access
 * and the decision that follows from it. All that an actor knows is global, so that a kill can
 * clear it.
 *
 * Options   N actors, TURNS times that each locks in a life, LIVES of an id (a later life has the
 *           same id and another start), at most DEATHS deaths.
 *           TIMED     sleeps end by themselves, but only when nothing else can move: a sleep is
 *                     long. Without TIMED they last until a wake.
 *           EARLY     sleeps may end at any time, without a reason.
 *           GIVE_UP   actor 1 locks with a time limit.
 *           REAPER    after each death a reaper calls slm_lock_force_unlock.
 *           SPIN_SEM  waiters do not check whether the owner lives.
 *           ASKS      an actor that has slept may set TURN: a free lock is then left to sleepers.
 *           EXEC      an actor may call exec while it holds the lock: it lives on under its identity
 *                     and knows nothing of the lock, until it attaches again. A waiter that reads
 *                     its mappings takes the lock in the same step; with SLOW_SEARCH in a later
 *                     one, which is the case that allocator/lock/owner.c leaves open.
 *           WATCHED   one more claim, for when nothing can move: no actor sleeps while the lock is
 *                     free.
 * Claims    Asserted: at most one living actor is inside. An actor that takes the lock learns of a
 *           death exactly if an owner died in it and no owner has repaired since. No actor waits
 *           for itself. No actor takes a free lock that has TURN before it has slept.
 *           Invalid end states: no actor sleeps for ever, in any state of the lock.
 *           Non-progress cycles (pan -l): actors do not wake for ever without progress.
 * Mutants   BUG_*: each breaks the protocol in one place, and a claim with it.
 */
#ifndef N
#define N 3
#endif
#ifndef TURNS
#define TURNS 2
#endif
#ifndef LIVES
#define LIVES 2
#endif
#ifndef DEATHS
#define DEATHS 2
#endif

/* The word: owner's id (0: free) and start, and the bits WAITERS, REPAIR and TURN. */
typedef word_copy {
    byte tid;
    byte start;
    bit waiters;
    bit repair;
    bit turn;
}
word_copy word;

mtype = {
    begin, look, take, check, take_over, give_up, mark, ask, futex, sleep, in_it, out_look, out_swap,
    wake, wake_late, gone, dead, over
};

typedef knowledge {
    mtype phase;
    word_copy seen;
    byte n_turns;
    bit slept; /* the WAITERS bit is kept when this actor takes the lock */
    bit asks;
    bit saw_death;
    bit is_late;
}
knowledge a[N + 1];

/* The system. */
byte start[N + 1];
bit asleep[N + 1];
byte n_deaths;
#ifdef REAPER
byte n_to_reap;
#endif

/* State for the claims, outside the protocol. */
byte n_inside;
bit dirty;

#define LIVES_ON(t) (a[t].phase != dead && a[t].phase != over)

#ifdef BUG_TID_ALONE
#define IS_ALIVE(w) (LIVES_ON(w.tid))
#else
#define IS_ALIVE(w) (LIVES_ON(w.tid) && start[w.tid] == w.start)
#endif

#define SET(w, t, s, wait, rep, trn) w.tid = t; w.start = s; w.waiters = wait; w.repair = rep; \
                                     w.turn = trn
#define SEE(w) SET(w, word.tid, word.start, word.waiters, word.repair, word.turn)
#define IS_SEEN(w) (w.tid == word.tid && w.start == word.start && w.waiters == word.waiters && \
                    w.repair == word.repair && w.turn == word.turn)
#define IS_ZERO(w) (w.tid == 0 && w.start == 0 && !w.waiters && !w.repair && !w.turn)
#define IS_MINE(w) (w.tid == me && w.start == start[me])

#ifdef BUG_TAKE_BY_STORE
#define TAKER_SEES(w) true
#else
#define TAKER_SEES(w) IS_SEEN(w)
#endif

#ifdef BUG_UNLOCK_BY_STORE
#define UNLOCKER_SEES(w) true
#else
#define UNLOCKER_SEES(w) IS_SEEN(w)
#endif

#ifdef BUG_REPAIR_DROPPED
#define KEPT_REPAIR 0
#else
#define KEPT_REPAIR a[me].seen.repair
#endif

#ifdef BUG_TAKE_OVER_UNREPORTED
#define TAKE_OVER_REPAIR a[me].seen.repair
#else
#define TAKE_OVER_REPAIR 1
#endif

#ifdef BUG_WAITERS_DROPPED
#define KEPT_WAITERS a[me].seen.waiters
#else
#define KEPT_WAITERS (a[me].seen.waiters | a[me].slept)
#endif

#ifdef BUG_NEWCOMER_TAKES
#define MAY_TAKE(a) true
#else
#define MAY_TAKE(a) (!a.seen.turn || a.slept)
#endif

/* Runs in the step that makes me the owner. */
#define ENTER(w, r) \
    SET(word, me, start[me], w, r, (a[me].seen.turn && !a[me].slept)); \
    assert(n_inside == 0); \
    n_inside++; \
    a[me].saw_death = r; \
    assert(a[me].saw_death == dirty); \
    a[me].phase = in_it

#define LEAVE(r, t) \
    SET(word, 0, 0, 0, r, t); \
    n_inside--

/* Clears all that the actor knows. States that differ only in values that no step reads become
 * one. */
#define FORGET(actor_id, next) \
    SET(a[actor_id].seen, 0, 0, 0, 0, 0); \
    a[actor_id].slept = 0; \
    a[actor_id].asks = 0; \
    a[actor_id].saw_death = 0; \
    a[actor_id].is_late = 0; \
    a[actor_id].phase = next

#define NEXT_TURN \
    a[me].n_turns++; \
    FORGET(me, begin)

proctype actor(byte me)
{
    do
    /* --- Lock --- */
    :: d_step {
        a[me].phase == begin && a[me].n_turns == TURNS ->
        a[me].n_turns = 0;
        FORGET(me, over)
    }
    :: d_step {
        a[me].phase == begin && a[me].n_turns < TURNS ->
        if
        :: IS_ZERO(word) -> ENTER(0, 0)
        :: else -> a[me].phase = look
        fi
    }
    :: d_step {
        a[me].phase == look ->
        SEE(a[me].seen);
        assert(!IS_MINE(a[me].seen));
        if
        :: a[me].seen.tid == 0 && MAY_TAKE(a[me]) -> a[me].phase = take
        :: else -> a[me].phase = check
        fi
    }
    :: d_step {
        a[me].phase == take ->
        if
        :: TAKER_SEES(a[me].seen) ->
            assert(!a[me].seen.turn || a[me].slept);
            ENTER(KEPT_WAITERS, a[me].seen.repair)
        :: else -> a[me].phase = look
        fi
    }
    :: d_step {
        a[me].phase == check ->
        if
#ifndef SPIN_SEM
        :: a[me].seen.tid != 0 && !IS_ALIVE(a[me].seen) -> a[me].phase = take_over
#endif
#ifdef EXEC
        :: a[me].seen.tid != 0 && IS_ALIVE(a[me].seen) && a[a[me].seen.tid].phase == gone ->
#ifdef SLOW_SEARCH
            a[me].phase = take_over
#else
            if
            :: TAKER_SEES(a[me].seen) -> ENTER(KEPT_WAITERS, TAKE_OVER_REPAIR)
            :: else -> a[me].phase = look
            fi
#endif
#endif
        :: else ->
            if
            :: a[me].is_late -> a[me].phase = wake_late
#ifdef ASKS
            :: !a[me].is_late && a[me].slept && !a[me].seen.turn -> a[me].phase = ask
#endif
            :: !a[me].is_late && a[me].seen.waiters -> a[me].phase = futex
            :: else -> a[me].phase = mark
            fi
        fi
    }
    :: d_step {
        a[me].phase == take_over ->
        if
        :: TAKER_SEES(a[me].seen) -> ENTER(KEPT_WAITERS, TAKE_OVER_REPAIR)
        :: else -> a[me].phase = look
        fi
    }

    /* --- Sleep --- */
    :: d_step {
        a[me].phase == mark ->
        if
        :: IS_SEEN(a[me].seen) ->
            word.waiters = 1;
            a[me].seen.waiters = 1;
            a[me].phase = futex
        :: else -> a[me].phase = look
        fi
    }
    :: d_step {
        a[me].phase == ask ->
        if
        :: IS_SEEN(a[me].seen) ->
            word.waiters = 1;
            word.turn = 1;
            SEE(a[me].seen);
            a[me].asks = 1;
            a[me].phase = futex
        :: else -> a[me].phase = look
        fi
    }
    /* futex(2) compares and falls asleep in one step. It compares only the half without the
     * start. */
    :: d_step {
        a[me].phase == futex ->
        if
        :: word.tid == a[me].seen.tid && word.waiters && word.repair == a[me].seen.repair &&
           word.turn == a[me].seen.turn ->
            asleep[me] = 1
        :: else -> skip
        fi
        a[me].slept = 1;
        SET(a[me].seen, 0, 0, 0, 0, 0);
        a[me].phase = sleep
    }
    :: d_step { a[me].phase == sleep && !asleep[me] -> a[me].phase = look }
#ifdef TIMED
    :: atomic { a[me].phase == sleep && asleep[me] && timeout -> asleep[me] = 0 }
#endif
#ifdef EARLY
    :: d_step { a[me].phase == sleep && asleep[me] -> asleep[me] = 0 }
#endif
#ifdef GIVE_UP
    :: d_step {
        a[me].phase == sleep && me == 1 && !a[me].is_late ->
        asleep[me] = 0;
        a[me].is_late = 1
    }
#endif

    /* --- Inside: repairs, or leaves it to the next owner; then leaves by the fast or the slow path
     * --- */
    :: d_step {
        a[me].phase == in_it && a[me].saw_death ->
        word.repair = 0;
        dirty = 0;
        a[me].saw_death = 0
    }
    :: atomic {
        a[me].phase == in_it ->
progress:
        d_step {
            if
            :: IS_MINE(word) && !word.waiters && !word.repair && !word.turn ->
                LEAVE(0, 0);
                NEXT_TURN
            :: else -> FORGET(me, out_look)
            fi
        }
    }
    :: d_step { a[me].phase == out_look -> SEE(a[me].seen); a[me].phase = out_swap }
    :: d_step {
        a[me].phase == out_swap ->
        if
        :: UNLOCKER_SEES(a[me].seen) ->
            LEAVE(KEPT_REPAIR, a[me].seen.turn);
            if
#ifdef BUG_NO_WAKE
            :: true -> NEXT_TURN
#else
            :: a[me].seen.waiters -> a[me].phase = wake
            :: else -> NEXT_TURN
#endif
            fi
        :: else -> a[me].phase = out_look
        fi
    }

#ifdef EXEC
    /* --- exec in the middle, and perhaps a new attach, which frees the lock if it is still the
     * actor's --- */
    :: d_step {
        a[me].phase == in_it && n_deaths < DEATHS ->
        n_deaths++;
        n_inside--;
        dirty = 1;
        a[me].n_turns++;
        FORGET(me, gone)
    }
    :: d_step {
        a[me].phase == gone ->
        if
#ifndef BUG_LEFT_OVER_KEPT
        :: IS_MINE(word) -> SET(word, 0, 0, 0, 1, 0)
#endif
        :: else -> skip
        fi
        a[me].phase = begin
    }
    :: a[me].phase == gone -> break
#endif

    /* --- Wake one: the system chooses --- */
#ifdef BUG_WAKE_KEPT
    :: d_step { a[me].phase == wake_late -> NEXT_TURN }
#else
    :: d_step {
        a[me].phase == wake_late ->
        if
#ifndef BUG_LATE_STILL_ASKS
        :: a[me].asks -> word.turn = 0
#endif
        :: else -> skip
        fi;
        a[me].phase = wake
    }
#endif
    :: d_step { a[me].phase == wake && asleep[1] -> asleep[1] = 0; NEXT_TURN }
    :: d_step { a[me].phase == wake && asleep[2] -> asleep[2] = 0; NEXT_TURN }
#if N > 2
    :: d_step { a[me].phase == wake && asleep[3] -> asleep[3] = 0; NEXT_TURN }
#endif
    :: d_step {
        a[me].phase == wake && !asleep[1] && !asleep[2] && (N < 3 || !asleep[N]) ->
        NEXT_TURN
    }

    /* --- Another life: the same id, started later --- */
    :: d_step {
        a[me].phase == dead && start[me] < LIVES ->
        start[me]++;
        a[me].phase = begin
    }
    :: a[me].phase == dead || a[me].phase == over -> break
    od
}

/* SIGKILL of any actor at any place. The system forgets that the actor slept. */
inline kill(victim)
{
    d_step {
        n_deaths < DEATHS && LIVES_ON(victim) ->
        if
        :: word.tid == victim && word.start == start[victim] && a[victim].phase != gone ->
            dirty = 1;
            n_inside--
        :: else -> skip
        fi
        asleep[victim] = 0;
        a[victim].n_turns = 0;
        n_deaths++;
#ifdef REAPER
        n_to_reap++;
#endif
        FORGET(victim, dead)
    }
}

/* May stop at any time, so that a `timeout` does not have to wait for all possible deaths. */
proctype killer()
{
    do
    :: kill(1)
    :: kill(2)
#if N > 2
    :: kill(3)
#endif
    :: break
    od
}

#ifdef REAPER
/* slm_lock_force_unlock(lock, 0), once for each death. */
proctype reaper()
{
    word_copy seen;
    bit is_done, freed;
end:
    do
    :: d_step { n_to_reap > 0 && !is_done -> SEE(seen); freed = 0 }
        if
        :: d_step {
            seen.tid != 0 && !IS_ALIVE(seen) ->
            if
            :: IS_SEEN(seen) ->
                SET(word, 0, 0, 0, 1, 0);
                is_done = 1;
                freed = 1
            :: else -> skip /* reads the word again */
            fi
        }
        :: d_step { seen.tid == 0 || IS_ALIVE(seen) -> is_done = 1 }
        fi
    :: d_step {
        is_done ->
        is_done = 0;
        n_to_reap--;
        SET(seen, 0, 0, 0, 0, 0);
        if
#ifdef BUG_FORCE_WAKES_ONLY_IF_FREED
        :: !freed -> skip
#endif
        :: else ->
            asleep[1] = 0;
            asleep[2] = 0;
            asleep[N] = 0
        fi
        freed = 0
    }
    od
}
#endif

#ifdef WATCHED
proctype watcher()
{
    timeout -> assert(word.tid != 0 || (!asleep[1] && !asleep[2] && !asleep[N]))
}
#endif

init
{
    atomic {
        byte i;
        for (i : 1 .. N) {
            a[i].phase = begin;
            start[i] = 1
        }
        for (i : 1 .. N) {
            run actor(i)
        }
        run killer();
#ifdef REAPER
        run reaper();
#endif
#ifdef WATCHED
        run watcher();
#endif
    }
}
