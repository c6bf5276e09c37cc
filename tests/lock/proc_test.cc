/* SPDX-License-Identifier: Apache-2.0 */
/* What the system says about threads, namespaces and mappings: each failure, each strange answer,
 * and calls that an older system does not have. Each test runs in a child of its own. */
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

/* What replaces files: by path, an errno or a text. */
std::map<std::string, int> errno_of;
std::map<std::string, std::string> text_of;
int signal_errno; /* of signal 0; 0: the system's answer */
struct slm_lock_proc_calls real_calls;

int open_fake(const char *path)
{
    if (errno_of.count(path) != 0) {
        errno = errno_of[path];
        return -1;
    }
    if (text_of.count(path) == 0) {
        return real_calls.open(path);
    }
    int fd = memfd_create("fake", MFD_CLOEXEC);
    const std::string &text = text_of[path];
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

int stat_fake(const char *path, struct stat *about)
{
    if (errno_of.count(path) != 0) {
        errno = errno_of[path];
        return -1;
    }
    return real_calls.stat(path, about);
}

int signal_fake(pid_t thread)
{
    if (signal_errno != 0) {
        errno = signal_errno;
        return -1;
    }
    return real_calls.signal(thread);
}

/* Runs body with the replaced calls. */
int run_faked(const std::function<int()> &body)
{
    return run_child([&] {
        real_calls = slm_lock_proc_calls;
        slm_lock_proc_calls = {open_fake, stat_fake, signal_fake};
        return body();
    });
}

std::string proc(pid_t thread, const char *name)
{
    return "/proc/" + std::to_string(thread) + name;
}

slm_status attach(slm_lock **out, slm_lock_state *state, bool is_unused = false)
{
    slm_lock_options options = {SLM_LOCK_ROBUST, nullptr, 0, is_unused};
    *out = nullptr;
    return slm_lock_attach(out, state, &options, nullptr);
}

/* --- Namespaces --- */

TEST(LockProcNamespaces, ThatCannotBeReadRefuseAttachAndKeepInheritedHandles)
{
    Lock lock;
    for (const char *path : {"/proc/self/ns/pid", "/proc/self/ns/time"}) {
        EXPECT_EQ(run_faked([&] {
                      slm_lock *mine;
                      errno_of[path] = EACCES;
                      if (attach(&mine, lock.state()) != SLM_E_STATE) {
                          return 1;
                      }
                      if (!slm_lock_is_elsewhere(lock.state())) {
                          return 2;
                      }
                      int child = run_child([&] {
                          slm_status status = slm_lock_lock(lock);
                          return slm_lock_unlock(lock) == SLM_OK ? status : SLM_STATUS_COUNT;
                      });
                      return child == SLM_OK && attach(&mine, lock.state(), true) == SLM_OK ? 0 : 3;
                  }),
                  0)
            << path;
    }
}

/* Linux has had time namespaces since 5.6, and a kernel may be built without either. */
TEST(LockProcNamespaces, OfAKernelWithoutThemAreOneForAll)
{
    for (const char *path : {"/proc/self/ns/pid", "/proc/self/ns/time"}) {
        EXPECT_EQ(run_faked([&] {
                      errno_of[path] = ENOENT;
                      /* As a program that starts there: nothing is remembered. */
                      return run_child([&] {
                          SharedPage page;
                          slm_lock *mine;
                          if (slm_lock_init(page.state(), SLM_LOCK_ROBUST) != SLM_OK ||
                              attach(&mine, page.state()) != SLM_OK) {
                              return 1;
                          }
                          return slm_lock_lock(mine) == SLM_OK ? 0 : 2;
                      });
                  }),
                  0)
            << path;
    }
}

TEST(LockProcNamespaces, ThatAreMissingWithAllOfProcAreUnknown)
{
    EXPECT_EQ(run_faked([&] {
                  errno_of["/proc/self/ns/pid"] = ENOENT;
                  errno_of["/proc/self/ns/time"] = ENOENT;
                  errno_of["/proc/self/ns"] = ENOENT;
                  return slm_lock_find_namespaces() == SLM_LOCK_NAMESPACES_UNKNOWN ? 0 : 1;
              }),
              0);
}

/* A lock that was made without /proc belongs to no namespace that another process could be in. */
TEST(LockProcNamespaces, AStateMadeWithoutThemIsRefusedLater)
{
    SharedPage page;
    slm_lock *mine;
    ASSERT_EQ(slm_lock_init(page.state(), SLM_LOCK_ROBUST), SLM_OK);
    page.state()->namespaces = SLM_LOCK_NAMESPACES_UNKNOWN ^ page.state()->boot;
    EXPECT_EQ(attach(&mine, page.state()), SLM_E_STATE);
}

/* A child asks for its identity within fork. */
TEST(LockProcIdentity, ThatCannotBeReadLeavesErrnoInAChildOfFork)
{
    Lock lock;
    EXPECT_EQ(run_faked([&] {
                  int how = 0;
                  errno_of["/proc/thread-self/stat"] = EACCES;
                  errno = EXDEV;
                  pid_t child = fork();
                  if (child == 0) {
                      _exit(errno);
                  }
                  return waitpid(child, &how, 0) == child && WIFEXITED(how) ? WEXITSTATUS(how) : 0;
              }),
              EXDEV);
}

/* --- Whose /proc it is --- */

constexpr int kDead = 100;
constexpr int kDoubtProc = SLM_LOCK_DOUBT_PROC;
constexpr int kDoubtHidden = SLM_LOCK_DOUBT_HIDDEN;

class LockProcOfAnother : public testing::Test {
  protected:
    LockProcOfAnother()
    {
        await_zombie(zombie);
        lock.state()->word = static_cast<uint64_t>(zombie);
    }
    ~LockProcOfAnother() override
    {
        EXPECT_EQ(reap(zombie), 0);
    }

    /* What a child makes of the zombie, an owner that is dead without doubt. */
    int doubt(const std::function<void()> &fake)
    {
        return run_faked([&] {
            fake();
            slm_lock_owner owner;
            slm_lock_get_owner(lock, &owner);
            return owner.is_alive ? static_cast<int>(owner.doubt) : kDead;
        });
    }

    pid_t zombie = start_child([] { return 0; });
    Lock lock;
};

TEST_F(LockProcOfAnother, AZombieOfThisNamespacesProcIsDead)
{
    EXPECT_EQ(doubt([] {}), kDead);
}

TEST_F(LockProcOfAnother, AStatusThatCannotBeReadIsBelievedNothing)
{
    for (int os_errno : {ENOENT, EACCES, EMFILE}) {
        EXPECT_EQ(doubt([&] { errno_of["/proc/self/status"] = os_errno; }), kDoubtProc);
    }
}

/* Linux writes NSpid since 4.1. */
TEST_F(LockProcOfAnother, AStatusMustNameThisProcessInOneNamespaceOnly)
{
    auto with = [&](const std::string &line) {
        return doubt([&] { text_of["/proc/self/status"] = "Name:\tx\n" + line + "\nx:\t1\n"; });
    };
    auto with_own = [&](const std::string &before, const std::string &after) {
        return doubt([&] {
            text_of["/proc/self/status"] =
                "Name:\tx\n" + before + std::to_string(getpid()) + after + "\n";
        });
    };
    EXPECT_EQ(with("Pid:\t1"), kDoubtProc);
    EXPECT_EQ(with("NSpid:\t1"), kDoubtProc);
    EXPECT_EQ(with("NSpid:\t"), kDoubtProc);
    EXPECT_EQ(with_own("NSpid:\t", ""), kDead);
    EXPECT_EQ(with_own("NSpid:\t", "\t1"), kDoubtProc);
    EXPECT_EQ(with_own("NSpid:\t77\t", ""), kDoubtProc);
}

/* A user may be in 65,536 groups. */
TEST_F(LockProcOfAnother, ALineOfAnyLengthMayComeBefore)
{
    EXPECT_EQ(doubt([] {
                  text_of["/proc/self/status"] = "Groups:\t" + std::string(700000, '7') +
                                                 "\nNSpid:\t" + std::to_string(getpid()) + "\n";
              }),
              kDead);
}

TEST_F(LockProcOfAnother, AStatThatCannotBeReadLeavesADoubtUnlessTheThreadIsMissing)
{
    EXPECT_EQ(doubt([&] { errno_of[proc(zombie, "/stat")] = EACCES; }), kDoubtHidden);
    EXPECT_EQ(doubt([&] { text_of[proc(zombie, "/stat")] = "no such text"; }), kDoubtHidden);
    EXPECT_EQ(doubt([&] {
                  errno_of[proc(zombie, "/stat")] = ENOENT;
                  signal_errno = ESRCH;
              }),
              kDead);
}

TEST_F(LockProcOfAnother, AThreadThatMayNotBeSignalledExists)
{
    EXPECT_EQ(doubt([&] {
                  signal_errno = EPERM;
                  errno_of["/proc/self/status"] = ENOENT;
              }),
              kDoubtProc);
}

/* --- Core files --- */

class LockProcCore : public testing::Test {
  protected:
    LockProcCore()
    {
        lock.state()->word = static_cast<uint64_t>(child);
    }
    ~LockProcCore() override
    {
        lock.number(0) = 1;
        EXPECT_EQ(reap(child), 0);
    }

    /* Whether a living child that a signal ends, so its stat says, is dead with that status. */
    bool is_dead(const std::string &status, int status_errno = 0, int own_errno = 0)
    {
        return run_faked([&] {
                   text_of[proc(child, "/stat")] =
                       "7 (x) R 1 1 1 0 -1 1024 0 0 0 0 0 0 0 0 20 0 1 0 99 0\n";
                   text_of[proc(child, "/status")] = status;
                   if (status_errno != 0) {
                       errno_of[proc(child, "/status")] = status_errno;
                   }
                   if (own_errno != 0) {
                       errno_of["/proc/self/status"] = own_errno;
                   }
                   return slm_lock_is_alive(UINT64_C(99) << 32 | static_cast<uint64_t>(child)) ? 0
                                                                                               : 1;
               }) == 1;
    }

    Lock lock;
    pid_t child = start_child([this] {
        await([this] { return lock.number(0) == 1; });
        return 0;
    });
};

TEST_F(LockProcCore, MakesItsProcessDeadOnceItsThreadHasStopped)
{
    EXPECT_TRUE(is_dead("Name:\tx\nCoreDumping:\t1\nSigPnd:\t0000000000000000\nx:\t1\n"));
    EXPECT_TRUE(is_dead("CoreDumping:\t1\nx:\t1\nSigPnd:\tfffffffffffffeff\n"));
    EXPECT_TRUE(is_dead("x:\t" + std::string(5000, '1') +
                        "\nCoreDumping:\t1\nSigPnd:\t0000000000000000\n"));
}

TEST_F(LockProcCore, OfAThreadThatMayStillRunLeavesItAlive)
{
    EXPECT_FALSE(is_dead("CoreDumping:\t1\nSigPnd:\t0000000000000100\n"));
    EXPECT_FALSE(is_dead("CoreDumping:\t1\nSigPnd:\tffffffffffffffff\n"));
    EXPECT_FALSE(is_dead("CoreDumping:\t0\nSigPnd:\t0000000000000000\n"));
}

/* Linux writes CoreDumping since 4.15. */
TEST_F(LockProcCore, ThatNothingShowsLeavesTheOwnerAlive)
{
    EXPECT_FALSE(is_dead("SigPnd:\t0000000000000000\n"));
    EXPECT_FALSE(is_dead("CoreDumping:\t1\n"));
    EXPECT_FALSE(is_dead("CoreDumping:\t1\nSigPnd:\t\n"));
    EXPECT_FALSE(is_dead("CoreDumping:\t1\nSigPnd:\t0000000000000000 x\n"));
    EXPECT_FALSE(is_dead("CoreDumping:\t10\nSigPnd:\t0000000000000000\n"));
    EXPECT_FALSE(is_dead("SigPnd:\t0000000000000000\nCoreDumping:\t1\n"));
    EXPECT_FALSE(is_dead(""));
    for (int os_errno : {ENOENT, EACCES, EMFILE, ESRCH}) {
        EXPECT_FALSE(is_dead("CoreDumping:\t1\nSigPnd:\t0\n", os_errno));
    }
}

TEST_F(LockProcCore, InTheProcOfAnotherNamespaceProvesNothing)
{
    const char *status = "CoreDumping:\t1\nSigPnd:\t0000000000000000\n";
    EXPECT_TRUE(is_dead(status));
    EXPECT_FALSE(is_dead(status, 0, ENOENT));
}

/* --- Mappings --- */

class LockProcMaps : public testing::Test {
  protected:
    ~LockProcMaps() override
    {
        page.number(0) = 1;
        EXPECT_EQ(reap(child), 0);
    }
    /* What this process makes of a child's mappings, which have the page. */
    slm_lock_maps answer(const std::function<void()> &fake)
    {
        return static_cast<slm_lock_maps>(run_faked([&] {
            fake();
            return static_cast<int>(slm_lock_find_maps(child, page.state()));
        }));
    }
    void expect_hidden(const std::string &text)
    {
        EXPECT_EQ(answer([&] { text_of[proc(child, "/maps")] = text; }), SLM_LOCK_MAPS_HIDDEN)
            << text;
    }

    SharedPage page;
    pid_t child = start_child([this] {
        await([this] { return page.number(0) == 1; });
        return 0;
    });
};

constexpr const char *kOther = "400000-401000 r--s 00000000 fe:01 77 /x\n";

TEST_F(LockProcMaps, AreFoundAndMissed)
{
    EXPECT_EQ(answer([] {}), SLM_LOCK_MAPS);
    EXPECT_EQ(answer([&] { text_of[proc(child, "/maps")] = kOther; }), SLM_LOCK_MAPS_NOT);
    EXPECT_EQ(answer([&] {
                  text_of[proc(child, "/maps")] =
                      kOther + std::string("500000-501000 rw-p 00000000 00:00 0 " +
                                           std::string(5000, 'x') + "\n");
              }),
              SLM_LOCK_MAPS_NOT);
}

TEST_F(LockProcMaps, AreReadWithEveryDigit)
{
    const char *text = "123456789abcdef0-123456789abcf000 r--s 9abcdef0 af:cdef 9876543210 /x\n";
    EXPECT_EQ(answer([&] { text_of[proc(child, "/maps")] = text; }), SLM_LOCK_MAPS_NOT);
}

TEST_F(LockProcMaps, ThatWereNotReadToTheEndProveNothing)
{
    expect_hidden("");
    expect_hidden("400000-401000 r--s 00000000 fe:01 77 /x");
    expect_hidden(std::string(kOther) + "40");
    expect_hidden(std::string(kOther) + "no mapping\n");
    expect_hidden(std::string(kOther) + "400000-401000 r--s 00000000 fe:01\n");
    expect_hidden(std::string(kOther) + "\n");
}

TEST_F(LockProcMaps, ThatMayNotBeReadProveNothing)
{
    for (int os_errno : {EACCES, ENOENT, ESRCH, EMFILE}) {
        EXPECT_EQ(answer([&] { errno_of[proc(child, "/maps")] = os_errno; }), SLM_LOCK_MAPS_HIDDEN);
        EXPECT_EQ(answer([&] { errno_of["/proc/self/maps"] = os_errno; }), SLM_LOCK_MAPS_HIDDEN);
        EXPECT_EQ(answer([&] { errno_of["/proc/self/status"] = os_errno; }), SLM_LOCK_MAPS_HIDDEN);
    }
}

TEST_F(LockProcMaps, ADescriptorIsClosedAgain)
{
    EXPECT_EQ(run_child([&] {
                  int before = dup(0);
                  close(before);
                  (void)slm_lock_find_maps(child, page.state());
                  (void)slm_lock_is_mapped_once(page.state());
                  (void)slm_lock_is_own_proc();
                  int after = dup(0);
                  return before == after ? 0 : 1;
              }),
              0);
}

/* --- One mapping, or more --- */

TEST(LockProcMappedOnce, IsOneAlsoInPartsOfDifferentRights)
{
    auto *pages = static_cast<unsigned char *>(
        mmap(nullptr, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(pages, MAP_FAILED);
    EXPECT_TRUE(slm_lock_is_mapped_once(pages + 64));
    ASSERT_EQ(mprotect(pages + 4096, 4096, PROT_READ), 0);
    EXPECT_TRUE(slm_lock_is_mapped_once(pages));
    EXPECT_TRUE(slm_lock_is_mapped_once(pages + 3 * 4096));
    void *again = mremap(pages, 0, 4096, MREMAP_MAYMOVE);
    ASSERT_NE(again, MAP_FAILED);
    EXPECT_FALSE(slm_lock_is_mapped_once(pages));
    EXPECT_FALSE(slm_lock_is_mapped_once(again));
    munmap(again, 4096);
    munmap(pages, 4 * 4096);
}

TEST(LockProcMappedOnce, IsUnknownForPrivateMemory)
{
    static int here;
    EXPECT_FALSE(slm_lock_is_mapped_once(&here));
}

} // namespace
