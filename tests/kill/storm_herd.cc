/* SPDX-License-Identifier: Apache-2.0 */
/* Starts, kills and watches workers. */
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
constexpr uint64_t LIFE_NS = 8000000; /* of processor time, at most; two of the kernel's ticks */

/* The kernel kills the process after it has used so much processor time. On a busy machine the
 * supervisor meets few processes in the middle of their work; this clock counts only their work. */
static void limit_life(uint64_t run_ns)
{
    struct sigevent event = {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGKILL;
    struct itimerspec when = {};
    when.it_value.tv_nsec = static_cast<long>(run_ns);
    timer_t timer;
    expect(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0 &&
               timer_settime(timer, 0, &when, nullptr) == 0,
           "no timer");
}

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

/* With an old size of 0 mremap adds a mapping to shared memory. */
void *share_again(void *memory, size_t bytes)
{
    void *p = mremap(memory, 0, bytes, MREMAP_MAYMOVE);
    expect(p != MAP_FAILED && p != memory, "no second mapping");
    return p;
}

/* The first problem is kept: later ones may follow from it. */
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

/* The supervisor has one thread, so its children may do anything after fork. */
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
        /* The supervisor must get a processor, or few workers are killed. */
        (void)setpriority(PRIO_PROCESS, 0, 5);
        if (idx < options_.n_processes) {
            limit_life(1 + Random(seed).below(LIFE_NS));
        }
        unsigned first = idx * options_.n_threads;
        std::vector<std::thread> threads;
        for (unsigned i = 1; i < options_.n_threads; i++) {
            threads.emplace_back([this, first, i, seed] { run(first + i, seed * 64 + i); });
        }
        run(first, seed * 64);
        abort();
    }
    members_[idx] = Member{pid, now_s(), operations_of(idx), false};
}

void Herd::run(unsigned slot, uint64_t seed)
{
    auto tid = static_cast<uint64_t>(syscall(SYS_gettid));
    __atomic_store_n(&shared_->slots[slot].thread_id, tid, __ATOMIC_RELAXED);
    work_(slot, seed);
}

/* A worker never ends by itself: a failed assertion or a fault counts as a loss. Returns false if
 * the worker lives. */
bool Herd::reap(unsigned idx, int flags)
{
    int status = 0;
    pid_t pid;
    do {
        pid = waitpid(members_[idx].pid, &status, flags);
    } while (pid < 0 && errno == EINTR);
    if (pid == 0) {
        return false;
    }
    members_[idx].pid = 0;
    n_kills_++;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        count_wrong(shared_, "a worker ended without a kill", false);
    }
    return true;
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
    for (unsigned i = 0; i < options_.n_processes; i++) {
        bool is_victim = std::find(victims.begin(), victims.end(), i) != victims.end();
        if (reap(i, is_victim ? 0 : WNOHANG)) {
            start(i);
        }
    }
}

bool Herd::goes_on(uint64_t n_recoveries) const
{
    return now_s() - began_at_ < options_.seconds || n_kills_ < options_.n_kills ||
           n_recoveries == 0;
}

unsigned Herd::await_witnesses()
{
    const struct timespec pause = {0, 1000000};
    for (unsigned slot : witnesses()) {
        const uint64_t *n_operations = &shared_->slots[slot].n_operations;
        uint64_t n_before = __atomic_load_n(n_operations, __ATOMIC_RELAXED);
        while (__atomic_load_n(n_operations, __ATOMIC_RELAXED) == n_before) {
            unsigned n_hangs = count_hangs();
            if (n_hangs != 0) {
                return n_hangs;
            }
            nanosleep(&pause, nullptr);
        }
    }
    return 0;
}

void Herd::end()
{
    for (unsigned i = 0; i < members_.size(); i++) {
        if (members_[i].pid != 0) {
            (void)kill(members_[i].pid, SIGKILL);
            (void)reap(i, 0);
        }
    }
}

uint64_t Herd::operations_of(unsigned idx) const
{
    uint64_t n = 0;
    for (unsigned i = 0; i < options_.n_threads; i++) {
        const Slot &slot = shared_->slots[idx * options_.n_threads + i];
        n += __atomic_load_n(&slot.n_operations, __ATOMIC_RELAXED);
    }
    return n;
}

uint64_t Herd::n_operations() const
{
    uint64_t n = 0;
    for (unsigned i = 0; i < members_.size(); i++) {
        n += operations_of(i);
    }
    return n;
}

/* A process that is killed again and again could hide a hang. The witnesses cannot. */
unsigned Herd::count_hangs()
{
    unsigned n_new = 0;
    double now = now_s();
    for (unsigned i = 0; i < members_.size(); i++) {
        Member &member = members_[i];
        uint64_t n_operations = operations_of(i);
        if (n_operations != member.n_operations) {
            member.n_operations = n_operations;
            member.moved_at = now;
        } else if (now - member.moved_at > options_.hang_s && !member.is_hanging) {
            member.is_hanging = true;
            n_new++;
        }
    }
    return n_new;
}

bool Herd::is_asleep(unsigned slot) const
{
    uint64_t tid = __atomic_load_n(&shared_->slots[slot].thread_id, __ATOMIC_RELAXED);
    char path[64];
    char text[512] = "";
    snprintf(path, sizeof path, "/proc/%llu/stat", static_cast<unsigned long long>(tid));
    FILE *file = fopen(path, "r");
    if (file == nullptr) {
        return false;
    }
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    /* The state follows the name, which is in brackets and may itself have brackets. */
    const char *end_of_name = strrchr(text, ')');
    return end_of_name != nullptr && strncmp(end_of_name, ") S", 3) == 0;
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
