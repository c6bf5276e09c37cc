/* SPDX-License-Identifier: Apache-2.0 */
/* Every call of lock.h with NULL in each of its pointers: the rule of status.h. */
#include "tests/lock/fixture.h"
#include <slabmill/event.h>

using slm_test::Lock;

namespace {

TEST(LockNull, CallsWithoutAHandleReturnTheStatusForNullOrFalse)
{
    EXPECT_EQ(slm_lock_lock(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_lock_trylock(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_lock_timedlock(nullptr, 1), SLM_E_NULL);
    EXPECT_EQ(slm_lock_unlock(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_lock_mark_repaired(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_lock_force_unlock(nullptr, 0), SLM_E_NULL);
    EXPECT_FALSE(slm_lock_is_mine(nullptr));
    slm_lock_detach(nullptr);
}

TEST(LockNull, InitAndAttachNeedTheirPointers)
{
    Lock lock;
    slm_lock_options options{};
    slm_error error{};
    auto *handle = reinterpret_cast<slm_lock *>(&options);
    EXPECT_EQ(slm_lock_init(nullptr, SLM_LOCK_ROBUST), SLM_E_NULL);
    EXPECT_EQ(slm_lock_attach(nullptr, lock.state(), &options, &error), SLM_E_NULL);
    EXPECT_EQ(slm_lock_attach(&handle, nullptr, &options, &error), SLM_E_NULL);
    EXPECT_EQ(slm_lock_attach(&handle, lock.state(), nullptr, &error), SLM_E_NULL);
    EXPECT_EQ(handle, nullptr);
    EXPECT_EQ(error.status, SLM_E_NULL);
    EXPECT_EQ(slm_lock_attach(&handle, nullptr, nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST(LockNull, AFileLockWithoutAPathIsAWrongOption)
{
    alignas(SLM_LOCK_BYTES) slm_lock_state state;
    slm_lock_options options{};
    slm_lock *handle = nullptr;
    options.kind = SLM_LOCK_FILE;
    ASSERT_EQ(slm_lock_init(&state, SLM_LOCK_FILE), SLM_OK);
    EXPECT_EQ(slm_lock_attach(&handle, &state, &options, nullptr), SLM_E_OPTION);
}

TEST(LockNull, WithoutALockOrAPlaceTheOwnerIsNotReported)
{
    Lock lock;
    slm_lock_owner owner{};
    owner.identity = 77;
    slm_lock_get_owner(nullptr, &owner);
    slm_lock_get_state_owner(nullptr, &owner);
    EXPECT_EQ(owner.identity, 77u);
    slm_lock_get_owner(lock, nullptr);
    slm_lock_get_state_owner(lock.state(), nullptr);
    slm_lock_get_owner(lock, &owner);
    EXPECT_EQ(owner.identity, 0u);
}

TEST(LockNull, AnEventNeedsNoListenerAndItsTextAPlace)
{
    slm_event event{};
    char text[8] = "kept";
    slm_event_listen(nullptr, nullptr);
    EXPECT_EQ(slm_event_text(nullptr, text, sizeof text), 0u);
    EXPECT_EQ(slm_event_text(&event, nullptr, 5), 0u);
    EXPECT_STREQ(text, "kept");
}

} // namespace
