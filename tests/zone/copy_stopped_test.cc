/* SPDX-License-Identifier: Apache-2.0 */
/* A copy next to a copier that is stopped, a holder that keeps the lock, a file that takes its name.
 */
#include <functional>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/zone/fixture.h"
#include <slabmill/zone_copy.h>

extern "C" {
#include "allocator/base/yield.h"
#include "allocator/lock/identity.h"
#include "allocator/lock/system.h"
}

namespace {

using namespace slm_test;

constexpr size_t kBytes = size_t{2} << 20;

std::function<void(unsigned)> meanwhile;
unsigned n_points;

void run_meanwhile(const char *)
{
    slm_yield_hook = nullptr;
    meanwhile(++n_points);
    slm_yield_hook = run_meanwhile;
}

/* Each look at the clock is a tenth of a second after the last one, and no wait takes any time. */
class FastClock {
  public:
    FastClock() : before_(slm_lock_system)
    {
        passed_ms_ = before_.now_ms();
        slm_lock_system.now_ms = [] { return passed_ms_ += 100; };
        slm_lock_system.wait = [](uint32_t *, uint32_t, unsigned) {};
    }
    FastClock(const FastClock &) = delete;
    FastClock &operator=(const FastClock &) = delete;
    ~FastClock()
    {
        slm_lock_system = before_;
    }

  private:
    static inline uint64_t passed_ms_;
    struct slm_lock_system before_;
};

/* A child that stops itself, or ends, before the parent goes on; it is killed afterwards. */
class Stopped {
  public:
    explicit Stopped(const std::function<bool()> &act) : pid_(fork())
    {
        if (pid_ == 0) {
            slm_lock_set_self(0);
            _exit(act() ? 0 : 1);
        }
        EXPECT_EQ(waitpid(pid_, &status_, WUNTRACED), pid_);
        EXPECT_TRUE(WIFSTOPPED(status_) || (WIFEXITED(status_) && WEXITSTATUS(status_) == 0));
    }
    Stopped(const Stopped &) = delete;
    Stopped &operator=(const Stopped &) = delete;
    ~Stopped()
    {
        if (!has_ended()) {
            EXPECT_EQ(kill(pid_, SIGKILL), 0);
            EXPECT_EQ(waitpid(pid_, nullptr, 0), pid_);
        }
    }
    void go_on()
    {
        EXPECT_EQ(kill(pid_, SIGCONT), 0);
        EXPECT_EQ(waitpid(pid_, &status_, 0), pid_);
        EXPECT_EQ(status_, 0);
    }
    bool has_ended() const
    {
        return !WIFSTOPPED(status_);
    }
    std::string thread() const
    {
        return "thread " + std::to_string(pid_);
    }

  private:
    pid_t pid_;
    int status_ = 0;
};

class CopyStopped : public testing::TestWithParam<slm_lock_kind> {
  protected:
    CopyStopped()
    {
        EXPECT_EQ(zone.create(all.of(SLM_SEGMENT_FILE, GetParam())), SLM_OK) << zone.error.text;
        EXPECT_EQ(other.attach(all.to_attach(zone)), SLM_OK) << other.error.text;
        n_points = 0;
    }
    ~CopyStopped() override
    {
        slm_yield_hook = nullptr;
    }
    slm_status copy()
    {
        slm_segment_options to = first.of(SLM_SEGMENT_POSIX);
        slm_yield_hook = run_meanwhile;
        slm_status status = slm_zone_copy(zone, &to, nullptr, &error);
        slm_yield_hook = nullptr;
        return status;
    }
    /* A second one; its file does not stay. */
    slm_status copy_other()
    {
        slm_segment_options to = second.of(SLM_SEGMENT_POSIX);
        slm_status status = slm_zone_copy(other, &to, nullptr, &error);
        EXPECT_EQ(slm_segment_remove(&to, nullptr) == SLM_OK, status == SLM_OK);
        return status;
    }
    uint64_t state() const
    {
        return zone.header()->state;
    }

    ZoneOptions all{kBytes, kBytes};
    Options first{kBytes, kBytes}, second{kBytes, kBytes};
    Zone zone, other;
    slm_error error{};
};

INSTANTIATE_TEST_SUITE_P(Each, CopyStopped, testing::ValuesIn(kEveryLock));

/* A copier that is stopped under the lock is its holder; else it makes a copy. */
TEST_P(CopyStopped, ACopyNextToAStoppedCopierEndsAndNamesItsThread)
{
    unsigned n_held = 0, n_refused = 0;
    bool is_whole = false;
    for (unsigned stop_at = 1; !is_whole && !HasFailure(); stop_at += 1 + stop_at / 64) {
        SCOPED_TRACE(stop_at);
        Stopped copier([&] {
            meanwhile = [&](unsigned at) {
                if (at == stop_at) {
                    (void)raise(SIGSTOP);
                }
            };
            return copy() == SLM_OK;
        });
        is_whole = copier.has_ended();
        FastClock fast;
        slm_status status = copy_other();
        if (status != SLM_OK) {
            bool is_named = strstr(error.text, copier.thread().c_str()) != nullptr;
            EXPECT_TRUE(status == SLM_E_TIMEOUT || status == SLM_E_LOCKED) << error.text;
            EXPECT_TRUE(is_named || strstr(error.text, "which it does not record")) << error.text;
        }
        n_held += status == SLM_E_TIMEOUT;
        n_refused += status == SLM_E_LOCKED;
        slm_segment_options to = first.of(SLM_SEGMENT_POSIX);
        (void)slm_segment_remove(&to, nullptr);
    }
    EXPECT_GT(n_held, 10u);
    EXPECT_GT(n_refused, 3u);
    EXPECT_EQ(copy_other(), SLM_OK) << error.text;
    EXPECT_EQ(check_alone(zone), 0u);
}

/* So the call that fails cannot end the copy under the lock. */
TEST_P(CopyStopped, ACopyThatAHolderOutlastsIsEndedByTheNextLocker)
{
    std::unique_ptr<Stopped> holder;
    std::unique_ptr<FastClock> fast;
    meanwhile = [&](unsigned) {
        if (state() == ZONE_COPIED && !fast && !slm_lock_is_mine(zone.zone->lock)) {
            holder = std::make_unique<Stopped>([&] {
                bool has_it = slm_zone_trylock(other) == SLM_OK;
                return !has_it || (raise(SIGSTOP) == 0 && slm_zone_unlock(other) == SLM_OK);
            });
            fast = holder->has_ended() ? nullptr : std::make_unique<FastClock>();
        }
    };
    EXPECT_EQ(copy(), SLM_E_TIMEOUT);
    fast.reset();
    ASSERT_NE(holder, nullptr);
    EXPECT_NE(strstr(error.text, (holder->thread() + " held its lock").c_str()), nullptr)
        << error.text;
    EXPECT_EQ(state(), static_cast<uint64_t>(ZONE_COPIED));
    holder->go_on();
    EXPECT_EQ(push_alone(other, 1), SLM_OK);
    EXPECT_EQ(state(), static_cast<uint64_t>(ZONE_READY));
    EXPECT_EQ(copy_other(), SLM_OK) << error.text;
}

TEST_P(CopyStopped, ANameThatIsTakenMeanwhileIsNotTakenOver)
{
    slm_segment *file = nullptr;
    slm_segment_options to = first.of(SLM_SEGMENT_POSIX);
    meanwhile = [&](unsigned) {
        if (state() == ZONE_COPIED && file == nullptr) {
            ASSERT_EQ(slm_segment_create(&file, &to, nullptr), SLM_OK);
        }
    };
    EXPECT_EQ(copy(), SLM_E_EXISTS);
    EXPECT_NE(strstr(error.text, to.name), nullptr) << error.text;
    EXPECT_EQ(slm_segment_verify(file, nullptr), SLM_OK);
    EXPECT_EQ(state(), static_cast<uint64_t>(ZONE_READY));
    slm_segment_detach(file);
}

} // namespace
