/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that are cancelled: no call of a zone, a set, a lock or a segment is a cancellation point. */
#include <pthread.h>

#include "allocator/base/check.h"
#include "tests/zone/set_fixture.h"
#include <slabmill/event.h>
#include <slabmill/zone_copy.h>
#include <slabmill/zone_image.h>

extern "C" {
#include "allocator/lock/handle.h"
}

namespace {

using namespace slm_test;

/* Callbacks of programs that log or sleep. */
slm_status init(slm_zone *, bool, void *)
{
    pthread_testcancel();
    return SLM_OK;
}

slm_status check_content(slm_zone *, void *)
{
    pthread_testcancel();
    return SLM_OK;
}

slm_status upgrade(slm_zone *, uint32_t, void *)
{
    pthread_testcancel();
    return SLM_OK;
}

slm_status move(slm_zone *, slm_zone *, void *)
{
    pthread_testcancel();
    return SLM_OK;
}

bool visit(void *, const slm_segment_entry *)
{
    pthread_testcancel();
    return true;
}

void listen(const slm_event *, void *data)
{
    pthread_testcancel();
    ++*static_cast<unsigned *>(data);
}

/* What the calls work on. */
struct Bench {
    Bench()
    {
        EXPECT_EQ(zone.create(all.of(SLM_SEGMENT_FILE)), SLM_OK) << zone.error.text;
        EXPECT_EQ(memory.create(all.of(SLM_SEGMENT_MEMFD, SLM_LOCK_FILE)), SLM_OK);
        EXPECT_EQ(named.create(all.of(SLM_SEGMENT_POSIX)), SLM_OK) << named.error.text;
        setvbuf(file, nullptr, _IONBF, 0);
    }
    ~Bench()
    {
        slm_event_listen(nullptr, nullptr);
        (void)fclose(file);
    }
    Bench(const Bench &) = delete;
    Bench &operator=(const Bench &) = delete;

    slm_zone_options fresh() const
    {
        return other.of(SLM_SEGMENT_FILE, SLM_LOCK_FILE);
    }
    slm_status open(const slm_zone_options &options)
    {
        return slm_zone_open(&made.zone, &options, nullptr, &made.error);
    }
    slm_status attach(Zone &to)
    {
        slm_zone_attach_options options = all.to_attach(to);
        options.check = true;
        return made.attach(options);
    }
    slm_status list(Kind kind) const
    {
        slm_segment_options options{};
        options.kind = kind;
        options.name = kind == SLM_SEGMENT_FILE ? all.folder().path().c_str() : nullptr;
        return slm_segment_list(&options, visit, nullptr, nullptr);
    }
    /* A member of another namespace has the zone: attach waits whether it goes. */
    void use_elsewhere()
    {
        named.header()->lock.namespaces ^= 1;
    }
    void die_in_turn()
    {
        expect_death_in_turn(zone);
        slm_event_listen(listen, &n_events);
    }
    void export_memory()
    {
        EXPECT_EQ(slm_zone_export(memory, text, nullptr), SLM_OK);
        int fd = dup(slm_segment_id(slm_zone_segment(memory)));
        snprintf(text, sizeof text, "memfd:%d", fd);
    }

    ZoneOptions all, other;
    Zone zone, memory, named, made;
    Set set;
    FILE *file = fopen("/dev/null", "w");
    char text[SLM_ZONE_EXPORT_BYTES] = "";
    unsigned n_events = 0;
};

struct Call {
    const char *name;
    slm_status (*run)(Bench &bench);         /* in the thread that is cancelled */
    void (*prepare)(Bench &bench) = nullptr; /* before that */
    slm_status expected = SLM_OK;
};

void PrintTo(const Call &call, std::ostream *out)
{
    *out << call.name;
}

slm_status lock_and_end(slm_zone *zone)
{
    slm_status status = slm_zone_lock(zone);
    return status == SLM_OK ? slm_zone_end(zone, SLM_OK) : status;
}

const Call kCalls[] = {
    {"Create", [](Bench &b) { return b.made.create(b.fresh()); }},
    {"Detach",
     [](Bench &b) {
         slm_status status = b.made.create(b.fresh());
         b.made.detach();
         return status;
     }},
    {"Attach", [](Bench &b) { return b.attach(b.zone); }},
    {"AttachThatPauses", [](Bench &b) { return b.attach(b.named); },
     [](Bench &b) { b.use_elsewhere(); }, SLM_E_STATE},
    {"OpenANewOne", [](Bench &b) { return b.open(b.fresh()); }},
    {"OpenThatUpgrades",
     [](Bench &b) {
         slm_zone_options options = b.all.of(SLM_SEGMENT_FILE);
         options.content_version = 1;
         options.upgrade = upgrade;
         return b.open(options);
     }},
    {"OpenThatMoves",
     [](Bench &b) {
         slm_zone_options options = b.all.of(SLM_SEGMENT_FILE);
         options.bytes = kZoneBytes / 2;
         options.move = move;
         return b.open(options);
     }},
    {"Lock", [](Bench &b) { return lock_and_end(b.zone); }},
    {"LockOfAFile", [](Bench &b) { return lock_and_end(b.memory); }},
    {"LockOfAFileThatIsOpenedAgain", [](Bench &b) { return lock_and_end(b.memory); },
     [](Bench &b) { (void)close(slm_zone_lock_handle(b.memory)->file->fd); }},
    {"LockThatChecks", [](Bench &b) { return lock_and_end(b.zone); },
     [](Bench &b) {
         b.zone.zone->check_content = check_content;
         b.zone.zone->seen_bytes = 0;
         b.zone.header()->vouched++;
     }},
    {"LockThatRepairs",
     [](Bench &b) {
         slm_status status = lock_and_end(b.zone);
         return b.n_events == 2 ? status : SLM_E_STATE;
     },
     [](Bench &b) { b.die_in_turn(); }},
    {"Grow", [](Bench &b) { return slm_zone_grow(b.zone, kZoneMaxBytes, nullptr); }},
    {"Trim", [](Bench &b) { return slm_zone_trim(b.memory, nullptr, nullptr); }},
    {"Sync", [](Bench &b) { return slm_zone_sync(b.zone, nullptr); }},
    {"Copy",
     [](Bench &b) {
         slm_segment_options to{};
         std::string path = b.other.path(SLM_SEGMENT_FILE);
         to.kind = SLM_SEGMENT_FILE;
         to.name = path.c_str();
         return slm_zone_copy(b.zone, &to, nullptr, nullptr);
     }},
    {"Print", [](Bench &b) { return slm_zone_print(b.zone, b.file); }},
    {"Remove", [](Bench &b) { return slm_zone_remove(b.zone, nullptr); }},
    {"Export", [](Bench &b) { return slm_zone_export(b.memory, b.text, nullptr); }},
    {"ExportOfAPath", [](Bench &b) { return slm_zone_export(b.zone, b.text, nullptr); }},
    {"Import",
     [](Bench &b) {
         slm_zone_attach_options options = b.all.to_attach(b.memory);
         return slm_zone_import(&b.made.zone, b.text, &options, nullptr);
     },
     [](Bench &b) { b.export_memory(); }},
    {"Apply",
     [](Bench &b) {
         slm_zone_options fresh = b.fresh();
         fresh.name = "fresh";
         return b.set.apply(
             {{b.all.of(SLM_SEGMENT_FILE), init, nullptr, false}, {fresh, init, nullptr, false}});
     }},
    {"ApplyThatPauses",
     [](Bench &b) {
         return b.set.apply({{b.all.of(SLM_SEGMENT_POSIX), init, nullptr, false}});
     },
     [](Bench &b) { b.use_elsewhere(); }, SLM_E_STATE},
    {"SetDestroy",
     [](Bench &b) {
         slm_zone_set *set = nullptr;
         slm_status status = slm_zone_set_create(&set);
         slm_zone_declaration declared = {b.fresh(), init, nullptr, false};
         if (status == SLM_OK) {
             status = slm_zone_set_apply(set, &declared, 1, nullptr);
         }
         slm_zone_set_destroy(set);
         return status;
     }},
    {"ListPosix", [](Bench &b) { return b.list(SLM_SEGMENT_POSIX); }},
    {"ListFiles", [](Bench &b) { return b.list(SLM_SEGMENT_FILE); }},
    {"ListSysv", [](Bench &b) { return b.list(SLM_SEGMENT_SYSV); }},
    {"CheckUnused",
     [](Bench &b) {
         (void)slm_segment_check_unused(slm_zone_segment(b.named), nullptr);
         return SLM_OK;
     }},
    {"Owner",
     [](Bench &b) {
         slm_lock_owner owner;
         slm_zone_image image{};
         image.lock = b.zone.header()->lock;
         slm_lock_get_owner(slm_zone_lock_handle(b.zone), &owner);
         bool lives = slm_lock_is_alive(slm_lock_self());
         slm_status status = slm_zone_image_owner(&image, &owner, nullptr);
         return lives ? status : SLM_E_STATE;
     }},
    {"ForceUnlock",
     [](Bench &b) { return slm_lock_force_unlock(slm_zone_lock_handle(b.zone), 0); }},
};

/* A thread that is cancelled before the call, and ends only after it has returned. */
struct Cancelled {
    const Call *call;
    Bench *bench;
    slm_status status;
    int state;
    bool has_returned;
};

void *run_cancelled(void *data)
{
    auto *self = static_cast<Cancelled *>(data);
    int before;
    (void)pthread_cancel(pthread_self());
    self->status = self->call->run(*self->bench);
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &self->state);
    self->has_returned = true;
    (void)pthread_setcancelstate(self->state, &before);
    pthread_testcancel();
    return nullptr;
}

class ZoneCancelled : public testing::TestWithParam<Call> {};

INSTANTIATE_TEST_SUITE_P(In, ZoneCancelled, testing::ValuesIn(kCalls),
                         [](const auto &call) { return std::string(call.param.name); });

TEST_P(ZoneCancelled, ReturnsFromTheCallAndEndsAfterIt)
{
    Holdings before;
    {
        Bench bench;
        Cancelled cancelled = {&GetParam(), &bench, SLM_OK, PTHREAD_CANCEL_DISABLE, false};
        if (GetParam().prepare != nullptr) {
            GetParam().prepare(bench);
        }
        pthread_t thread;
        void *result = nullptr;
        ASSERT_EQ(pthread_create(&thread, nullptr, run_cancelled, &cancelled), 0);
        ASSERT_EQ(pthread_join(thread, &result), 0);
        EXPECT_TRUE(cancelled.has_returned);
        EXPECT_EQ(result, PTHREAD_CANCELED);
        EXPECT_EQ(cancelled.state, PTHREAD_CANCEL_ENABLE);
        EXPECT_EQ(cancelled.status, GetParam().expected);
        EXPECT_EQ(bench.set.apply({}), SLM_OK) << bench.set.error.text;
    }
    EXPECT_EQ(Holdings(), before);
}

/* It would end while it writes the message, and the others would go on. */
TEST(CancelledThread, ThatFindsABrokenStateStopsTheProcess)
{
    EXPECT_EQ(in_child([] {
                  pthread_t thread;
                  (void)pthread_create(
                      &thread, nullptr,
                      [](void *) -> void * {
                          (void)pthread_cancel(pthread_self());
                          slm_broken_page("a test");
                          return nullptr;
                      },
                      nullptr);
                  (void)pthread_join(thread, nullptr);
                  return 1;
              }),
              128 + SIGABRT);
}

} // namespace
