/* SPDX-License-Identifier: Apache-2.0 */
/* The pool's oracle: an allocator that breaks one promise of the pool breaks a law. */
#include "harness/adapters/pool_oracle.h"

#include <unistd.h>

#include <initializer_list>
#include <string>

#include "harness/run/run.h"
#include "gtest/gtest.h"

namespace {

constexpr size_t kBlock = 4096;

/* Bytes that are hidden from the oracle before each calloc, so that their room is gone. */
std::initializer_list<size_t> hidden;

void *CallocAfterHiddenObjects(void *self, size_t n, size_t size_bytes)
{
    for (size_t bytes : hidden) {
        (void)slm_pool_alloc(hrn_pool_of(self), bytes);
    }
    return hrn_adapter_pool.alloc_zeroed(self, n, size_bytes);
}

class RoomLaw : public testing::Test {
  protected:
    RoomLaw()
    {
        hrn_program_init(&program_);
        program_.head.block_bytes = kBlock;
        program_.head.check_every = 0;
    }
    ~RoomLaw() override
    {
        hrn_program_fini(&program_);
    }
    void Add(hrn_kind kind, size_t size_bytes)
    {
        hrn_op op{};
        op.kind = static_cast<uint8_t>(kind);
        op.id = n_ids_++;
        op.size_bytes = size_bytes;
        hrn_program_push(&program_, op);
    }
    hrn_result RunWithHidden(std::initializer_list<size_t> bytes)
    {
        hrn_result result;
        slm_adapter other = hrn_adapter_pool;
        other.alloc_zeroed = CallocAfterHiddenObjects;
        hidden = bytes;
        hrn_run_catch(&other, &program_, &result);
        return result;
    }

    hrn_program program_;
    uint32_t n_ids_ = 0;
};

TEST_F(RoomLaw, IsKeptByThePool)
{
    Add(HRN_ALLOC, 2500);
    Add(HRN_ALLOC, 2500);
    Add(HRN_CALLOC, 500);
    Add(HRN_CALLOC, 500);
    Add(HRN_CALLOC, 500);
    hrn_result result = RunWithHidden({});
    EXPECT_EQ(result.law, HRN_LAW_NONE) << result.text;
}

TEST_F(RoomLaw, IsBrokenByANewBlockWhereTheCurrentOneHasRoom)
{
    Add(HRN_ALLOC, 1000);
    Add(HRN_CALLOC, 1000);
    hrn_result result = RunWithHidden({2600});
    EXPECT_EQ(result.law, HRN_LAW_growth);
    EXPECT_EQ(result.op_idx, 1u);
    EXPECT_NE(std::string(result.text).find("though the current one has"), std::string::npos)
        << result.text;
}

TEST_F(RoomLaw, IsBrokenByANewBlockWhereAUsedOneHasRoom)
{
    Add(HRN_ALLOC, 2000);
    for (size_t bytes : {3400u, 3400u, 704u}) {
        Add(HRN_ALLOC, bytes); /* of the second block, which is twice as large */
    }
    Add(HRN_CALLOC, 660); /* more than the second block has, less than half of the first one's */
    hrn_result result = RunWithHidden({1300});
    EXPECT_EQ(result.law, HRN_LAW_growth);
    EXPECT_EQ(result.op_idx, 4u);
    EXPECT_NE(std::string(result.text).find("though a used one has"), std::string::npos)
        << result.text;
}

/* --- Trims --- */

/* As a pool that forgot its bound. */
void ResetThatKeepsAll(void *self)
{
    (void)slm_pool_set_keep(hrn_pool_of(self), 0);
    hrn_adapter_pool.reset(self);
}

/* A peak, two trims, another peak, and a reset, which keeps a quarter of the first peak. */
hrn_law RunAPeak(void (*reset)(void *self), std::string *text)
{
    slm_adapter adapter = hrn_adapter_pool;
    adapter.reset = reset;
    hrn_program program;
    hrn_program_init(&program);
    hrn_op burst{};
    burst.kind = HRN_BURST;
    burst.count = 200;
    burst.size_bytes = 900;
    hrn_op plain{};
    plain.id = HRN_NO_ID;
    for (hrn_kind kind : {HRN_BURST, HRN_TRIM, HRN_TRIM, HRN_BURST, HRN_RESET, HRN_TRIM}) {
        hrn_op op = kind == HRN_BURST ? burst : plain;
        op.kind = static_cast<uint8_t>(kind);
        hrn_program_push(&program, op);
        burst.id += kind == HRN_BURST ? burst.count : 0u;
    }
    hrn_result result;
    hrn_law law = hrn_run_catch(&adapter, &program, &result);
    *text = result.text;
    hrn_program_fini(&program);
    return law;
}

TEST(TrimLaw, IsKeptByThePool)
{
    std::string text;
    EXPECT_EQ(RunAPeak(hrn_adapter_pool.reset, &text), HRN_LAW_NONE) << text;
}

TEST(TrimLaw, IsBrokenByAResetThatKeepsMoreThanTheBound)
{
    std::string text;
    EXPECT_EQ(RunAPeak(ResetThatKeepsAll, &text), HRN_LAW_growth);
    EXPECT_NE(text.find("a reset keeps"), std::string::npos) << text;
}

/* --- Files --- */

std::string made; /* for each file cleanup with a path: + there is a file, - there is none */

slm_adapter_answer NoteFile(void *self, int fd, const char *path)
{
    if (path != nullptr) {
        made += access(path, F_OK) == 0 ? '+' : '-';
    }
    return hrn_adapter_pool.pool->file(self, fd, path);
}

TEST(FileCleanups, OneInEightMakesAFileAndTheFirstOfEachProgramDoes)
{
    slm_adapter adapter = hrn_adapter_pool;
    slm_adapter_pool extension = *hrn_adapter_pool.pool;
    extension.file = NoteFile;
    adapter.pool = &extension;
    hrn_program program;
    hrn_program_init(&program);
    for (int aux : {+HRN_FILE_GONE, +HRN_FILE_DELETE, +HRN_FILE_CLOSE, +HRN_FILE_DELETE}) {
        hrn_op op{};
        op.kind = HRN_FILE;
        op.id = HRN_NO_ID;
        op.aux = static_cast<uint8_t>(aux);
        hrn_program_push(&program, op);
    }
    for (int i = 0; i < 8; i++) {
        hrn_program_push(&program, program.ops[1]);
    }
    for (int run = 0; run < 2; run++) {
        hrn_result result;
        made.clear();
        EXPECT_EQ(hrn_run_catch(&adapter, &program, &result), HRN_LAW_NONE) << result.text;
        EXPECT_EQ(made, "-+-------+-");
    }
    hrn_program_fini(&program);
}

} // namespace
