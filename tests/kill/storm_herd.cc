/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, killing and watching workers. */
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "tests/kill/storm_priv.h"

namespace kill_test {

constexpr unsigned N_WITNESSES = 2;

uint64_t now_ns()
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

double now_s()
{
    return static_cast<double>(now_ns()) * 1e-9;
}

void *share_memory(size_t bytes)
{
    void *p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(p != MAP_FAILED, "no shared memory");
    return p;
}

/* Of 0 bytes of shared memory the system makes one more mapping. */
void *share_again(void *memory, size_t bytes)
{
    void *p = mremap(memory, 0, bytes, MREMAP_MAYMOVE);
    expect(p != MAP_FAILED && p != memory, "no second mapping");
    return p;
}

/* The first one is kept: what follows may follow from it. */
void count_wrong(Shared *shared, const char *what, bool is_double)
{
    uint64_t *count = is_double ? &shared->n_double : &shared->n_lost;
    if (shared->first_wrong[0] == '\0') {
        snprintf(shared->first_wrong, sizeof shared->first_wrong, "%s", what);
    }
    __atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}

Herd::Herd(const StormOptions &options, const Work &work, const Holder &holder, Shared *shared)
    : options_(options), work_(work), holder_(holder), shared_(shared), random_(options.seed),
      members_(options.n_processes + N_WITNESSES)
{
    expect(members_.size() * options.n_threads <= N_SLOTS, "more workers than slots");
    for (unsigned i = 0; i < members_.size(); i++) {
        start(i);
    }
}

Herd::~Herd()
{
    end();
}

/* The supervisor has one thread: its children may do anything after fork. */
void Herd::start(unsigned idx)
{
    uint64_t seed = options_.seed * 1000003u + ++n_started_;
    pid_t supervisor = getpid();
    fflush(nullptr);
    pid_t pid = fork();
    expect(pid >= 0, "no more processes");
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != supervisor) {
            _exit(1);
        }
        /* The supervisor must get at a processor, or few are killed. */
        (void)setpriority(PRIO_PROCESS, 0, 5);
        unsigned first = idx * options_.n_threads;
        std::vector<std::thread> threads;
        for (unsigned i = 1; i < options_.n_threads; i++) {
            threads.emplace_back([this, first, i, seed] { run(first + i, seed * 64 + i); });
        }
        run(first, seed * 64);
        abort();
    }
    members_[idx] = Member{pid, now_s(), turns_of(idx), false};
}

void Herd::run(unsigned slot, uint64_t seed)
{
    auto tid = static_cast<uint64_t>(syscall(SYS_gettid));
    __atomic_store_n(&shared_->slots[slot].thread_id, tid, __ATOMIC_RELAXED);
    work_(slot, seed);
}

/* A worker never ends by itself: an assertion or a fault is something lost. */
void Herd::reap(unsigned idx)
{
    int status = 0;
    while (waitpid(members_[idx].pid, &status, 0) < 0 && errno == EINTR) {
    }
    members_[idx].pid = 0;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        count_wrong(shared_, "a worker ended by itself", false);
    }
}

unsigned Herd::choose()
{
    uint64_t holder = random_.below(2) == 0 ? holder_() : 0;
    for (unsigned i = 0; holder != 0 && i < options_.n_processes * options_.n_threads; i++) {
        if (__atomic_load_n(&shared_->slots[i].thread_id, __ATOMIC_RELAXED) == holder) {
            return i / options_.n_threads;
        }
    }
    return static_cast<unsigned>(random_.below(options_.n_processes));
}

void Herd::kill_some()
{
    uint64_t pause_ns = random_.below(2000u * options_.pause_us + 1);
    struct timespec pause = {static_cast<time_t>(pause_ns / 1000000000u),
                             static_cast<long>(pause_ns % 1000000000u)};
    nanosleep(&pause, nullptr);
    std::vector<unsigned> victims(1 + random_.below(options_.n_processes));
    for (unsigned &idx : victims) {
        idx = choose();
        (void)kill(members_[idx].pid, SIGKILL);
    }
    std::sort(victims.begin(), victims.end());
    victims.erase(std::unique(victims.begin(), victims.end()), victims.end());
    for (unsigned idx : victims) {
        reap(idx);
        n_kills_++;
        start(idx);
    }
}

void Herd::end()
{
    for (unsigned i = 0; i < members_.size(); i++) {
        if (members_[i].pid != 0) {
            (void)kill(members_[i].pid, SIGKILL);
            reap(i);
            n_kills_++;
        }
    }
}

uint64_t Herd::turns_of(unsigned idx) const
{
    uint64_t n = 0;
    for (unsigned i = 0; i < options_.n_threads; i++) {
        const Slot &slot = shared_->slots[idx * options_.n_threads + i];
        n += __atomic_load_n(&slot.n_turns, __ATOMIC_RELAXED);
    }
    return n;
}

uint64_t Herd::n_turns() const
{
    uint64_t n = 0;
    for (unsigned i = 0; i < members_.size(); i++) {
        n += turns_of(i);
    }
    return n;
}

/* Who is killed again and again could hide that it hangs; the witnesses could not. */
unsigned Herd::count_hangs()
{
    unsigned n_new = 0;
    double now = now_s();
    for (unsigned i = 0; i < members_.size(); i++) {
        Member &member = members_[i];
        uint64_t n_turns = turns_of(i);
        if (n_turns != member.n_turns) {
            member.n_turns = n_turns;
            member.moved_at = now;
        } else if (now - member.moved_at > options_.hang_s && !member.is_hanging) {
            member.is_hanging = true;
            n_new++;
        }
    }
    return n_new;
}

std::vector<unsigned> Herd::witnesses() const
{
    std::vector<unsigned> slots;
    unsigned n_slots = static_cast<unsigned>(members_.size()) * options_.n_threads;
    for (unsigned i = options_.n_processes * options_.n_threads; i < n_slots; i++) {
        slots.push_back(i);
    }
    return slots;
}

} // namespace kill_test
