/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kill/stepper.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/sanitizers.h"
#include "harness/sched/fibre.h"
#include "tests/kill/child.h"

#if !defined(__x86_64__)
#error "the stepper reads the program counter of x86-64 only"
#endif

namespace kill_test {
namespace {

/* The kills are spread over all of the operation. This is a prime, so that they meet each place of
 * a loop. Under ASan an operation has three times as many instructions. ASan builds are never
 * shipped: there the usual test kills less often, and checks recovery under ASan. */
constexpr size_t EVERY = HRN_ASAN ? 1009 : 101;

constexpr int NOT_TRACED_STATUS = 99;

enum Phase : uint64_t { BEFORE, RUNNING, OVER };

/* Shared with the children. */
uint64_t *phase_word()
{
    static uint64_t *word = [] {
        void *p = mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) {
            perror("mmap");
            abort();
        }
        return static_cast<uint64_t *>(p);
    }();
    return word;
}

void set_phase(Phase phase)
{
    __atomic_store_n(phase_word(), phase, __ATOMIC_SEQ_CST);
}

bool is_over()
{
    return __atomic_load_n(phase_word(), __ATOMIC_SEQ_CST) == OVER;
}

/* Finds the vDSO: the system's code that reads the clock. */
struct Range {
    uintptr_t from = 0;
    uintptr_t to = 0;
    bool has(uintptr_t place) const
    {
        return place >= from && place < to;
    }
};

Range find_vdso()
{
    Range range;
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    while (maps != nullptr && range.to == 0 && fgets(line, sizeof line, maps) != nullptr) {
        if (strstr(line, "[vdso]") == nullptr ||
            sscanf(line, "%lx-%lx", &range.from, &range.to) != 2) {
            range = Range{};
        }
    }
    if (maps != nullptr) {
        (void)fclose(maps);
    }
    return range;
}

bool is_in_vdso(uintptr_t place)
{
    static const Range vdso = find_vdso();
    return vdso.has(place);
}

const Operation *given;

[[noreturn]] void carry_out(void *)
{
    given->enter();
    set_phase(RUNNING);
    __asm__ volatile("int3" ::: "memory"); /* stops here, and the count begins */
    given->act();
    set_phase(OVER);
    _exit(0);
}

/* Made once and run in children only, so that each child begins with the same stack. On its
 * parent's stack a child's depth would be its parent's, and the number of rounds of memset depends
 * on the alignment of its argument. */
hrn_fibre *child_fibre()
{
    auto never_ended = [](void *) {};
    static hrn_fibre *fibre = hrn_fibre_make(carry_out, never_ended, nullptr);
    return fibre;
}

[[noreturn]] void run_child(const Operation &operation)
{
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
        _exit(NOT_TRACED_STATUS);
    }
    given = &operation;
    hrn_fibre_switch(hrn_fibre_main(), child_fibre());
    abort(); /* no other fibre switches back to this one */
}

/* One child, from its first stop to its death. */
class Victim {
  public:
    explicit Victim(const Operation &operation)
    {
        set_phase(BEFORE);
        (void)child_fibre();
        child_ = start_child([&] { run_child(operation); });
        (void)await_trap();
        (void)ptrace(PTRACE_SETOPTIONS, child_, nullptr, PTRACE_O_EXITKILL);
    }

    ~Victim()
    {
        end_child(child_, is_reaped_);
    }

    Victim(const Victim &) = delete;
    Victim &operator=(const Victim &) = delete;

    pid_t pid() const
    {
        return child_;
    }

    /* Returns KILLED while the child is stopped at its place. Otherwise returns what happened to
     * it. */
    End end() const
    {
        return end_;
    }

    uintptr_t place() const
    {
        return register_at(offsetof(struct user, regs.rip));
    }

    /* Executes one instruction. A call into the vDSO counts as one. */
    bool step()
    {
        if (!resume(PTRACE_SINGLESTEP)) {
            return false;
        }
        return !is_in_vdso(place()) || run_to(return_address());
    }

    /* Continues until the next instruction is the one at place. */
    bool run_to(uintptr_t place)
    {
        auto *at = reinterpret_cast<void *>(place & ~uintptr_t{7});
        unsigned shift = static_cast<unsigned>(place & 7u) * 8;
        uint64_t text;
        memcpy(&text, at, sizeof text); /* the same program, so the text is equal */
        uint64_t planted = (text & ~(uint64_t{0xff} << shift)) | uint64_t{0xcc} << shift;
        if (ptrace(PTRACE_POKETEXT, child_, at, planted) != 0) {
            return fail(End::STRAYED);
        }
        if (!resume(PTRACE_CONT)) {
            return false;
        }
        if (this->place() != place + 1) {
            return fail(End::STRAYED);
        }
        (void)ptrace(PTRACE_POKETEXT, child_, at, text);
        (void)ptrace(PTRACE_POKEUSER, child_, offsetof(struct user, regs.rip), place);
        return true;
    }

    bool fail(End end)
    {
        end_ = end;
        return false;
    }

  private:
    uintptr_t register_at(size_t offset) const
    {
        return static_cast<uintptr_t>(ptrace(PTRACE_PEEKUSER, child_, offset, nullptr));
    }

    /* Of a function that is about to execute its first instruction. */
    uintptr_t return_address() const
    {
        uintptr_t top = register_at(offsetof(struct user, regs.rsp));
        return static_cast<uintptr_t>(ptrace(PTRACE_PEEKDATA, child_, top, nullptr));
    }

    bool resume(enum __ptrace_request how)
    {
        if (ptrace(how, child_, nullptr, nullptr) != 0) {
            return fail(End::BROKEN);
        }
        return await_trap();
    }

    bool await_trap()
    {
        int status = 0;
        if (!wait_for_child(child_, &status, __WALL)) {
            return fail(End::HUNG);
        }
        if (WIFSTOPPED(status)) {
            return WSTOPSIG(status) == SIGTRAP || fail(End::BROKEN);
        }
        is_reaped_ = true;
        bool not_traced = WIFEXITED(status) && WEXITSTATUS(status) == NOT_TRACED_STATUS;
        return fail(not_traced ? End::NOT_TRACED : is_over() ? End::FINISHED : End::BROKEN);
    }

    pid_t child_;
    End end_ = End::KILLED;
    bool is_reaped_ = false;
};

} // namespace

size_t Way::farthest(size_t from, size_t to) const
{
    size_t at = to;
    while (at > from + 1 && before[at] >= static_cast<int64_t>(from)) {
        at--;
    }
    return at;
}

static void index_way(Way *way)
{
    std::map<uintptr_t, int64_t> last;
    way->before.clear();
    for (uintptr_t place : way->places) {
        auto found = last.find(place);
        int64_t here = static_cast<int64_t>(way->before.size());
        way->before.push_back(found == last.end() ? -1 : found->second);
        last[place] = here;
    }
}

size_t usual_stride()
{
    return EVERY;
}

size_t steps_in(size_t n_instructions)
{
    return n_instructions;
}

End record(const Operation &operation, const Visit &visit, Way *way)
{
    Victim victim(operation);
    size_t n = 0;
    bool go_on = victim.end() == End::KILLED;
    if (go_on) {
        way->places.assign(1, victim.place());
        go_on = !visit(0, victim.pid());
    }
    while (go_on && victim.step()) {
        way->places.push_back(victim.place());
        n++;
        go_on = !is_over() && !visit(n, victim.pid());
    }
    index_way(way);
    return victim.end() == End::KILLED && is_over() ? End::FINISHED : victim.end();
}

End kill_after(const Operation &operation, const Way &way, size_t k)
{
    Victim victim(operation);
    size_t at = 0;
    while (at < k && victim.end() == End::KILLED) {
        size_t next = way.farthest(at, k);
        bool there = next == at + 1 ? victim.step() : victim.run_to(way.places[next]);
        at = there ? next : at;
    }
    if (victim.end() == End::KILLED && victim.place() != way.places[k]) {
        victim.fail(End::STRAYED);
    }
    return victim.end();
}

End kill_after_steps(const Operation &operation, size_t k)
{
    Victim victim(operation);
    for (size_t i = 0; i < k && victim.end() == End::KILLED; i++) {
        (void)victim.step();
        if (is_over()) {
            return End::FINISHED;
        }
    }
    return victim.end();
}

} // namespace kill_test
