/* SPDX-License-Identifier: Apache-2.0 */
/* Two servers with one configuration: the second is refused, or they share on purpose. */
#include <iterator>

#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};

slm_zone_declaration declare(const slm_zone_options &options)
{
    return {options, nullptr, nullptr, false};
}

/* A server in a process of its own. It serves what it is given to serve, says that it is ready, and
 * waits for its end. */
class Other {
  public:
    explicit Other(const std::function<bool()> &serve)
    {
        int ready[2];
        EXPECT_EQ(pipe(ready), 0);
        EXPECT_EQ(pipe(stays_), 0);
        process_ = fork();
        if (process_ == 0) {
            char byte = serve() ? 'y' : 'n';
            close(ready[0]);
            close(stays_[1]);
            (void)!write(ready[1], &byte, 1);
            (void)!read(stays_[0], &byte, 1);
            end_child(0);
        }
        char byte = '?';
        close(ready[1]);
        close(stays_[0]);
        EXPECT_EQ(read(ready[0], &byte, 1), 1);
        EXPECT_EQ(byte, 'y');
        close(ready[0]);
    }
    ~Other()
    {
        close(stays_[1]);
        if (process_ > 0) {
            EXPECT_EQ(waitpid(process_, nullptr, 0), process_);
        }
    }
    Other(const Other &) = delete;
    Other &operator=(const Other &) = delete;

    /* Kills it, and leaves it to be reaped: nothing of it but its number is left. */
    void kill_only()
    {
        siginfo_t info;
        EXPECT_EQ(kill(process_, SIGKILL), 0);
        EXPECT_EQ(waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOWAIT), 0);
    }
    pid_t process() const
    {
        return process_;
    }

  private:
    pid_t process_;
    int stays_[2];
};

/* Serves a set until the process ends. */
bool serve(const std::vector<slm_zone_declaration> &declarations, bool is_shared = false)
{
    slm_zone_set *set = nullptr;
    return slm_zone_set_create(&set) == SLM_OK && slm_zone_set_share(set, is_shared) == SLM_OK &&
           slm_zone_set_apply(set, declarations.data(), declarations.size(), nullptr) == SLM_OK;
}

TEST(ZoneServer, OfTheSameZonesIsRefusedWhileTheFirstOneRuns)
{
    for (Kind kind : kNamedKinds) {
        ZoneOptions all, more;
        Inits inits;
        Set second;
        slm_zone_options keys = all.of(kind);
        slm_zone_options another = more.of(kind);
        another.name = "another";
        Other first([&] { return serve({declare(keys)}); });
        Holdings before;
        keys.bytes = 2 * kZoneBytes;
        EXPECT_EQ(second.apply({inits.declare(another), inits.declare(keys)}), SLM_E_LOCKED);
        std::string text = "zone keys: another server has it in its set: thread " +
                           std::to_string(first.process());
        EXPECT_EQ(second.error.text, text);
        EXPECT_EQ(inits.n_calls, 0u);
        EXPECT_EQ(Holdings(), before);
        EXPECT_NE(access(more.path(kind).c_str(), F_OK), 0);
        struct stat about;
        ASSERT_EQ(stat(all.path(kind).c_str(), &about), 0);
        EXPECT_EQ(static_cast<size_t>(about.st_size), kZoneBytes);
        first.kill_only();
        EXPECT_EQ(second.apply({inits.declare(another), inits.declare(keys)}), SLM_OK)
            << second.error.text;
        EXPECT_EQ(inits.reused, (std::vector<bool>{false, true}));
    }
}

TEST(ZoneServer, SharesAZoneIfBothSaySo)
{
    for (Kind kind : kNamedKinds) {
        ZoneOptions all;
        Set second;
        Other first([&] { return serve({declare(all.of(kind))}, true); });
        ASSERT_EQ(slm_zone_set_share(second, true), SLM_OK);
        EXPECT_EQ(second.apply({declare(all.of(kind))}), SLM_OK) << second.error.text;
        EXPECT_EQ(push_alone(second["keys"], 1), SLM_OK);
    }
}

/* The reload attaches the zone by the other path, and drops the handle of the first one. It makes no
 * difference whether the server shares by then: it has had the zone for itself. */
void expect_kept_by_another_path(bool is_shared)
{
    ZoneOptions all;
    Set second;
    std::string path = all.path(SLM_SEGMENT_FILE);
    size_t end_of_folder = path.rfind('/');
    std::string other_path = path.substr(0, end_of_folder) + "/." + path.substr(end_of_folder);
    slm_zone_options keys = all.of(SLM_SEGMENT_FILE);
    slm_zone_options again = keys;
    again.segment.name = other_path.c_str();
    Other first([&] {
        slm_zone_set *set = nullptr;
        slm_zone_declaration declared = declare(keys);
        slm_zone_declaration reloaded = declare(again);
        return slm_zone_set_create(&set) == SLM_OK &&
               slm_zone_set_apply(set, &declared, 1, nullptr) == SLM_OK &&
               slm_zone_set_share(set, is_shared) == SLM_OK &&
               slm_zone_set_apply(set, &reloaded, 1, nullptr) == SLM_OK;
    });
    EXPECT_EQ(second.apply({declare(keys)}), SLM_E_LOCKED);
}

TEST(ZoneServer, KeepsAZoneWhosePathIsWrittenInAnotherWay)
{
    expect_kept_by_another_path(false);
    expect_kept_by_another_path(true);
}

/* A server that shares is let in, and the first one keeps the zone from those that do not share. */
TEST(ZoneServer, ThatSharesDoesNotOpenTheZoneForOthers)
{
    ZoneOptions all;
    Set second, third;
    Other first([&] { return serve({declare(all.of(SLM_SEGMENT_FILE))}); });
    ASSERT_EQ(slm_zone_set_share(second, true), SLM_OK);
    EXPECT_EQ(second.apply({declare(all.of(SLM_SEGMENT_FILE))}), SLM_OK) << second.error.text;
    EXPECT_EQ(third.apply({declare(all.of(SLM_SEGMENT_FILE))}), SLM_E_LOCKED);
}

/* Its workers go on, and have the zone. */
TEST(ZoneServer, WithWorkersLeftIsFollowedByANewMaster)
{
    for (Kind kind : kNamedKinds) {
        ZoneOptions all;
        Set next;
        int workers[2];
        ASSERT_EQ(pipe(workers), 0);
        Other first([&] {
            bool is_served = serve({declare(all.of(kind))});
            if (fork() == 0) {
                char byte;
                close(workers[1]);
                (void)!read(workers[0], &byte, 1);
                end_child(0);
            }
            return is_served;
        });
        first.kill_only();
        EXPECT_EQ(next.apply({declare(all.of(kind))}), SLM_OK) << next.error.text;
        close(workers[0]);
        close(workers[1]);
    }
}

TEST(ZoneServer, ThatGaveAZoneUpLeavesItToAnother)
{
    for (bool by_reload : {false, true}) {
        ZoneOptions all;
        Set next;
        Other first([&] {
            slm_zone_declaration keys = declare(all.of(SLM_SEGMENT_FILE));
            slm_zone_set *set = nullptr;
            bool is_served = slm_zone_set_create(&set) == SLM_OK &&
                             slm_zone_set_apply(set, &keys, 1, nullptr) == SLM_OK;
            if (by_reload) {
                return is_served && slm_zone_set_apply(set, nullptr, 0, nullptr) == SLM_OK;
            }
            slm_zone_set_destroy(set);
            return is_served;
        });
        EXPECT_EQ(next.apply({declare(all.of(SLM_SEGMENT_FILE))}), SLM_OK) << next.error.text;
    }
}

/* A worker frees what it inherited. */
TEST(ZoneServer, KeepsItsZonesWhenAChildDestroysItsCopyOfTheSet)
{
    ZoneOptions all;
    Set next;
    Other first([&] {
        slm_zone_declaration keys = declare(all.of(SLM_SEGMENT_FILE));
        slm_zone_set *set = nullptr;
        bool is_served = slm_zone_set_create(&set) == SLM_OK &&
                         slm_zone_set_apply(set, &keys, 1, nullptr) == SLM_OK;
        return in_child([&] {
                   slm_zone_set_destroy(set);
                   return 0;
               }) == 0 &&
               is_served;
    });
    EXPECT_EQ(next.apply({declare(all.of(SLM_SEGMENT_FILE))}), SLM_E_LOCKED);
}

TEST(ZoneServer, OfTheOriginalDoesNotKeepACopyFromOthers)
{
    ZoneOptions all, copies;
    Set next;
    Other first([&] { return serve({declare(all.of(SLM_SEGMENT_FILE))}); });
    {
        std::ifstream from(all.path(SLM_SEGMENT_FILE), std::ios::binary);
        std::ofstream to(copies.path(SLM_SEGMENT_FILE), std::ios::binary);
        to << from.rdbuf();
    }
    ASSERT_EQ(chmod(copies.path(SLM_SEGMENT_FILE).c_str(), 0600), 0);
    EXPECT_EQ(next.apply({declare(copies.of(SLM_SEGMENT_FILE))}), SLM_OK) << next.error.text;
}

/* Closes the zone's descriptor, or puts another file in its place. */
bool lose_descriptor(const slm_zone *zone, bool is_taken)
{
    int fd = slm_segment_id(slm_zone_segment(zone));
    return is_taken ? dup2(STDERR_FILENO, fd) == fd : close(fd) == 0;
}

/* A daemon that closes descriptors it does not know, and then reads its configuration again. */
TEST(ZoneServer, ThatLostItsDescriptorKeepsItsZone)
{
    for (Kind kind : kNamedKinds) {
        for (bool is_taken : {false, true}) {
            ZoneOptions all;
            Set second;
            Other first([&] {
                slm_zone_declaration keys = declare(all.of(kind));
                slm_zone_set *set = nullptr;
                return slm_zone_set_create(&set) == SLM_OK &&
                       slm_zone_set_apply(set, &keys, 1, nullptr) == SLM_OK &&
                       lose_descriptor(slm_zone_set_at(set, 0), is_taken) &&
                       slm_zone_set_apply(set, &keys, 1, nullptr) == SLM_OK;
            });
            EXPECT_EQ(second.apply({declare(all.of(kind))}), SLM_E_LOCKED) << kind << is_taken;
        }
    }
}

/* An upgrade: the new program gets the zones from the old one, which runs on for a while. */
TEST(ZoneServer, ThatIsHandedAZoneTakesItOver)
{
    ZoneOptions all;
    Set next, third;
    slm_zone_options keys = all.of(SLM_SEGMENT_POSIX);
    Other first([&] { return serve({declare(keys)}); });
    Zone handed;
    std::string text = std::string("posix:") + keys.segment.name;
    ASSERT_EQ(slm_zone_import(&handed.zone, text.c_str(), nullptr, &handed.error), SLM_OK)
        << handed.error.text;
    ASSERT_EQ(slm_zone_set_adopt(next, handed), SLM_OK);
    handed.zone = nullptr;
    EXPECT_EQ(next.apply({declare(keys)}), SLM_OK) << next.error.text;
    EXPECT_EQ(in_child([&] {
                  Set another;
                  return another.apply({declare(keys)}) == SLM_E_LOCKED ? 0 : 1;
              }),
              0);
}

TEST(ZoneServer, IsNoMatterOfZonesWithoutAName)
{
    ZoneOptions all;
    Set second;
    Other first([&] { return serve({declare(all.of(SLM_SEGMENT_MEMFD))}); });
    EXPECT_EQ(second.apply({declare(all.of(SLM_SEGMENT_MEMFD))}), SLM_OK) << second.error.text;
}

} // namespace
