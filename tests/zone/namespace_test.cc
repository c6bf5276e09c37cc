/* SPDX-License-Identifier: Apache-2.0 */
/* Zone: a process that cannot see whether a lock's owner lives may not attach the zone. */
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sched.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include "allocator/zone/header.h"
#include <slabmill/zone.h>
}

namespace {

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

constexpr int kNotAllowed = 250;
constexpr int kOtherText = 251;

/* Returns what a child gets that attaches the zone from a new namespace of that kind.
 * zone_bad_input_test has the pid namespace. */
int attach_from(int new_namespace, int fd)
{
    pid_t outer = fork();
    if (outer != 0) {
        int status = 0;
        EXPECT_EQ(waitpid(outer, &status, 0), outer);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    if (unshare(new_namespace) != 0 && unshare(new_namespace | CLONE_NEWUSER) != 0) {
        _exit(kNotAllowed);
    }
    /* The namespace applies to children created from now on. */
    pid_t inner = fork();
    if (inner == 0) {
        struct slm_zone_attach_options options = {};
        options.segment.kind = SLM_SEGMENT_MEMFD;
        options.segment.id = fd;
        struct slm_error error;
        struct slm_zone *zone = nullptr;
        int answer = slm_zone_attach(&zone, &options, &error);
        bool is_expected =
            answer != SLM_E_STATE || std::strstr(error.text, "another pid or time namespace");
        _exit(is_expected ? answer : kOtherText);
    }
    int status = 0;
    waitpid(inner, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : kOtherText);
}

class ZoneNamespace : public testing::Test {
  protected:
    ZoneNamespace()
    {
        struct slm_zone_options options = {};
        options.name = "namespaces";
        options.bytes = 1u << 20;
        options.segment.kind = SLM_SEGMENT_MEMFD;
        EXPECT_EQ(slm_zone_create(&zone, &options, nullptr), SLM_OK);
    }
    ~ZoneNamespace() override
    {
        slm_zone_detach(zone);
    }
    void expect_refused(int new_namespace, const char *what)
    {
        int answer = attach_from(new_namespace, slm_segment_id(slm_zone_segment(zone)));
        if (answer == kNotAllowed) {
            GTEST_SKIP() << "no right to make a " << what << " namespace here";
        }
        EXPECT_EQ(answer, SLM_E_STATE) << what;
    }

    struct slm_zone *zone = nullptr;
};

/* A time namespace shifts the start times of threads: a living owner would look dead. */
TEST_F(ZoneNamespace, AnotherTimeNamespaceIsRefused)
{
    expect_refused(CLONE_NEWTIME, "time");
}

TEST_F(ZoneNamespace, TheSameNamespacesAreAccepted)
{
    EXPECT_EQ(attach_from(0, slm_segment_id(slm_zone_segment(zone))), SLM_OK);
}

} // namespace
