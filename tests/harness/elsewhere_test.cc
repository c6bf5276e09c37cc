/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that are handed to a second thread, which frees them. */
#include <pthread.h>

#include <set>
#include <string>

#include "harness/adapters/adapters.h"
#include "harness/run/run.h"
#include "gtest/gtest.h"

namespace {

pthread_t first;
int n_here;
int n_elsewhere;
const slm_adapter_env *env_now;

std::set<void *> live; /* a law that is broken leaves objects */

void *NoteObject(void *self, size_t size_bytes)
{
    return *live.insert(hrn_adapter_malloc.alloc(self, size_bytes)).first;
}

void *Create(const slm_adapter_env *env)
{
    env_now = env;
    return hrn_adapter_malloc.create(env);
}

slm_adapter_answer NoteThread(void *self, void *p, size_t size_bytes)
{
    bool is_first = pthread_equal(pthread_self(), first) != 0;
    (is_first ? n_here : n_elsewhere)++;
    live.erase(p);
    return hrn_adapter_malloc.free(self, p, size_bytes);
}

slm_adapter_answer FailElsewhere(void *self, void *p, size_t size_bytes)
{
    if (pthread_equal(pthread_self(), first) == 0) {
        env_now->fail(env_now, "statistics: freed by a stranger");
    }
    live.erase(p);
    return hrn_adapter_malloc.free(self, p, size_bytes);
}

class FreedElsewhere : public testing::Test {
  protected:
    FreedElsewhere()
    {
        hrn_program_init(&program_);
        for (uint32_t id = 0; id < 3; id++) {
            Add(HRN_ALLOC, id, 0);
        }
        Add(HRN_FREE, 0, HRN_FREE_ELSEWHERE);
        Add(HRN_FREE, 1, HRN_FREE_HERE);
        Add(HRN_FREE, 2, HRN_FREE_ELSEWHERE);
        adapter_ = hrn_adapter_malloc;
        adapter_.create = Create;
        adapter_.alloc = NoteObject;
        first = pthread_self();
        n_here = 0;
        n_elsewhere = 0;
    }
    ~FreedElsewhere() override
    {
        hrn_program_fini(&program_);
        for (void *p : live) {
            free(p);
        }
        live.clear();
    }
    void Add(hrn_kind kind, uint32_t id, uint8_t aux)
    {
        hrn_op op{};
        op.kind = static_cast<uint8_t>(kind);
        op.id = id;
        op.aux = aux;
        op.size_bytes = kind == HRN_ALLOC ? 100 : 0;
        hrn_program_push(&program_, op);
    }

    hrn_program program_;
    slm_adapter adapter_;
    hrn_result result_{};
};

TEST_F(FreedElsewhere, ObjectsAreFreedByASecondThread)
{
    adapter_.free = NoteThread;
    for (int run = 1; run <= 2; run++) {
        EXPECT_EQ(hrn_run_catch(&adapter_, &program_, &result_), HRN_LAW_NONE) << result_.text;
        EXPECT_EQ(n_elsewhere, 2 * run);
        EXPECT_EQ(n_here, run);
    }
}

TEST_F(FreedElsewhere, WithoutTheDeclarationAllAreFreedHere)
{
    adapter_.free = NoteThread;
    adapter_.any_thread = false;
    EXPECT_EQ(hrn_run_catch(&adapter_, &program_, &result_), HRN_LAW_NONE) << result_.text;
    EXPECT_EQ(n_elsewhere, 0);
    EXPECT_EQ(n_here, 3);
}

TEST_F(FreedElsewhere, LawThatTheSecondThreadBreaksEndsTheRun)
{
    adapter_.free = FailElsewhere;
    for (int run = 0; run < 2; run++) {
        EXPECT_EQ(hrn_run_catch(&adapter_, &program_, &result_), HRN_LAW_statistics);
        EXPECT_STREQ(result_.text, "freed by a stranger");
        EXPECT_EQ(result_.op_idx, 3u);
    }
}

} // namespace
