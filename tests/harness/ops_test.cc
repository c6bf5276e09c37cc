/* SPDX-License-Identifier: Apache-2.0 */
/* Programs: bytes to operations and back, size codes, normal form. */
#include "harness/program/program.h"

#include <cstring>
#include <string>
#include <vector>

#include "harness/adapters/adapters.h"
#include "harness/inputs/mutate.h"
#include "harness/inputs/random.h"
#include "harness/run/run.h"
#include "gtest/gtest.h"

namespace {

using Bytes = std::vector<uint8_t>;

class Program {
  public:
    Program()
    {
        hrn_program_init(&program_);
    }
    explicit Program(const Bytes &bytes) : Program()
    {
        hrn_program_decode(&program_, bytes.data(), bytes.size());
    }
    ~Program()
    {
        hrn_program_fini(&program_);
    }
    Program(const Program &) = delete;
    Program &operator=(const Program &) = delete;

    hrn_program *operator->()
    {
        return &program_;
    }
    hrn_program *get()
    {
        return &program_;
    }
    bool operator==(Program &other)
    {
        return hrn_program_equal(&program_, other.get());
    }

    void Push(hrn_kind kind, uint32_t id = HRN_NO_ID, size_t size_bytes = 0, uint16_t count = 0)
    {
        hrn_op op{};
        op.kind = static_cast<uint8_t>(kind);
        op.id = id;
        op.size_bytes = size_bytes;
        op.count = count;
        hrn_program_push(&program_, op);
    }

    bool Encode(Bytes *bytes)
    {
        bytes->assign(hrn_program_encoded_bytes(&program_), 0);
        return hrn_program_encode(&program_, bytes->data());
    }

  private:
    hrn_program program_;
};

Bytes RandomBytes(hrn_rng *rng, size_t n)
{
    Bytes bytes(n);
    for (uint8_t &byte : bytes) {
        byte = static_cast<uint8_t>(hrn_rng_next(rng));
    }
    return bytes;
}

TEST(ProgramDecode, NoBytesAreAProgramWithUsefulSettings)
{
    Program program;
    EXPECT_EQ(program->n_ops, 0u);
    EXPECT_EQ(program->head.page_bytes, 4096u);
    EXPECT_EQ(program->head.per_doubling, 1u);
    EXPECT_EQ(program->head.min_object_bytes, 8u);
    EXPECT_EQ(program->head.gap_bytes, 0u);
    EXPECT_EQ(program->head.block_bytes, 4096u);
    EXPECT_EQ(program->head.check_every, 64u);
    EXPECT_GE(program->head.region_bytes, 4 * program->head.page_bytes);
}

TEST(ProgramDecode, AcceptsAnyBytesAndKeepsHeadsInRange)
{
    hrn_rng rng;
    hrn_rng_seed(&rng, 1);
    for (size_t i = 0; i < 2000; i++) {
        Program program(RandomBytes(&rng, i % 300));
        const hrn_head &head = program->head;
        EXPECT_TRUE(head.page_bytes == 4096 || head.page_bytes == 16384 ||
                    head.page_bytes == 65536);
        EXPECT_GE(head.region_bytes, 4 * head.page_bytes);
        EXPECT_LE(head.region_bytes, HRN_REGION_MAX_BYTES + 4 * head.page_bytes);
        EXPECT_GE(head.block_bytes, 1u);
        EXPECT_LE(head.gap_bytes, 64u);
        EXPECT_LE(program->n_arenas, 2u);
    }
}

TEST(ProgramDecode, FillsUpAPartialRecordWithZeros)
{
    Bytes whole(HRN_HEAD_BYTES + HRN_RECORD_BYTES, 0);
    whole[HRN_HEAD_BYTES + 4] = 77;
    Bytes part(whole.begin(), whole.begin() + HRN_HEAD_BYTES + 5);
    Program a(whole);
    Program b(part);
    EXPECT_TRUE(a == b);
    ASSERT_EQ(b->n_ops, 1u);
    EXPECT_EQ(b->ops[0].kind, HRN_ALLOC);
    EXPECT_EQ(b->ops[0].size_bytes, 77u);
}

TEST(ProgramDecode, NamesOnlyObjectsThatAreLiveInItsArena)
{
    hrn_rng rng;
    hrn_rng_seed(&rng, 2);
    for (int i = 0; i < 500; i++) {
        Program program(RandomBytes(&rng, 1500));
        size_t n_before = program->n_ops;
        EXPECT_EQ(hrn_program_normalize(program.get()), 0u);
        EXPECT_EQ(program->n_ops, n_before);
    }
}

/* A head of that version, and one record. */
Bytes OneRecord(uint8_t version, uint8_t code, uint8_t aux, uint16_t selector)
{
    Bytes bytes(HRN_HEAD_BYTES + HRN_RECORD_BYTES, 0);
    bytes[0] = version;
    bytes[HRN_HEAD_BYTES] = code;
    bytes[HRN_HEAD_BYTES + 1] = aux;
    bytes[HRN_HEAD_BYTES + 2] = static_cast<uint8_t>(selector);
    bytes[HRN_HEAD_BYTES + 3] = static_cast<uint8_t>(selector >> 8);
    return bytes;
}

TEST(ProgramDecode, BytesOfOlderVersionsHaveNoneOfTheNewOperations)
{
    const uint8_t more[] = {HRN_FREE, HRN_ALLOC, HRN_FREE,     HRN_ALLOC, HRN_FREE, HRN_CALLOC,
                            HRN_FREE, HRN_ALLOC, HRN_MEMALIGN, HRN_FREE,  HRN_FREE};
    const uint8_t versions[] = {0, 1, 4, 255};
    for (uint8_t version : versions) {
        for (uint8_t code = HRN_GROW; code < 32; code++) {
            Program program(OneRecord(version, code, 0, 0));
            bool has_object = more[code - HRN_GROW] != HRN_FREE;
            ASSERT_EQ(program->n_ops, has_object ? 1u : 0u) << unsigned{code};
            if (has_object) {
                EXPECT_EQ(program->ops[0].kind, more[code - HRN_GROW]) << unsigned{code};
            }
        }
        for (uint8_t kind : {HRN_ALLOC, HRN_CHECK, HRN_CREATE, HRN_DESTROY}) {
            EXPECT_EQ(Program(OneRecord(version, kind, 1, 0))->ops[0].aux, 0u);
        }
        EXPECT_EQ(Program(OneRecord(version, HRN_MEMALIGN, 31, 7))->ops[0].align_bytes, 1u << 31);
        EXPECT_EQ(Program(OneRecord(version, HRN_MEMALIGN, 40, 48))->ops[0].align_bytes, 48u);
    }
}

TEST(ProgramDecode, BytesOfVersion2HaveNoLockedSlabs)
{
    for (uint8_t version : {uint8_t{1}, uint8_t{2}, uint8_t{HRN_VERSION}}) {
        Bytes bytes = OneRecord(version, HRN_CHECK, 0, 0);
        bytes[1] = 0xff;
        uint32_t expected =
            version == HRN_VERSION ? uint32_t{HRN_HEAD_FLAGS} : HRN_HEAD_LOCKED - 1u;
        EXPECT_EQ(Program(bytes)->head.flags, expected) << unsigned{version};
    }
}

TEST(ProgramDecode, BytesOfVersion2CancelNothingAndHaveNoChildPools)
{
    EXPECT_EQ(Program(OneRecord(2, HRN_CANCEL, 0, 7))->ops[0].kind, HRN_ALLOC);
    EXPECT_EQ(Program(OneRecord(2, HRN_CLEANUP, HRN_HANDLER_ARMED, 0))->ops[0].aux, 0u);
    EXPECT_EQ(Program(OneRecord(HRN_VERSION, HRN_CANCEL, 0, 7))->ops[0].count, 7u);
    for (uint8_t version : {uint8_t{2}, uint8_t{HRN_VERSION}}) {
        Bytes bytes = OneRecord(version, HRN_ALLOC, 0, 0);
        Bytes free = OneRecord(version, HRN_FREE, HRN_FREE_ELSEWHERE, 0);
        bytes.insert(bytes.end(), free.begin() + HRN_HEAD_BYTES, free.end());
        EXPECT_EQ(Program(bytes)->ops[1].aux, version == 2 ? HRN_FREE_HERE : HRN_FREE_ELSEWHERE);
    }
    for (uint8_t aux = 0; aux < HRN_HANDLER_COUNT; aux++) {
        EXPECT_EQ(Program(OneRecord(HRN_VERSION, HRN_CLEANUP, aux, 0))->ops[0].aux, aux);
    }
}

TEST(ProgramDecode, BytesOfThisVersionHaveThem)
{
    for (uint8_t kind : {HRN_GROW, HRN_SHRINK, HRN_ADD_REGION}) {
        EXPECT_EQ(Program(OneRecord(HRN_VERSION, kind, 0, 0))->ops[0].kind, kind);
    }
    for (uint8_t kind : {HRN_ALLOC, HRN_CHECK, HRN_CREATE, HRN_DESTROY}) {
        EXPECT_EQ(Program(OneRecord(HRN_VERSION, kind, 1, 0))->ops[0].aux, 1u);
    }
    const size_t high = static_cast<size_t>(1) << 40;
    EXPECT_EQ(Program(OneRecord(HRN_VERSION, HRN_MEMALIGN, 40, 48))->ops[0].align_bytes, high);
    EXPECT_EQ(Program(OneRecord(HRN_VERSION, HRN_MEMALIGN, 104, 48))->ops[0].align_bytes, high - 1);
    EXPECT_EQ(Program(OneRecord(HRN_VERSION, HRN_MEMALIGN, 168, 48))->ops[0].align_bytes, high + 1);
    EXPECT_EQ(Program(OneRecord(HRN_VERSION, HRN_MEMALIGN, 200, 48))->ops[0].align_bytes, 48u);
}

TEST(ProgramEncode, IsExactForEachWayAndEachAlignmentNextToAPower)
{
    Program first;
    first.Push(HRN_ALLOC, 0, 8);
    for (unsigned shift = 0; shift < 64; shift++) {
        for (size_t move : {size_t{0}, SIZE_MAX, size_t{1}}) {
            hrn_op op{};
            op.kind = HRN_MEMALIGN;
            op.id = first->n_ids;
            op.align_bytes = (static_cast<size_t>(1) << shift) + move;
            hrn_program_push(first.get(), op);
        }
        hrn_op op{};
        op.kind = HRN_RESIZE;
        op.aux = HRN_WAY_ALIGNED;
        op.align_bytes = static_cast<size_t>(1) << shift;
        hrn_program_push(first.get(), op);
    }
    for (uint8_t way : {HRN_WAY_ANY, HRN_WAY_PLAIN, HRN_WAY_IN_PLACE}) {
        hrn_op op{};
        op.kind = HRN_RESIZE;
        op.aux = way;
        hrn_program_push(first.get(), op);
    }
    Bytes bytes;
    ASSERT_TRUE(first.Encode(&bytes));
    Program second(bytes);
    EXPECT_TRUE(first == second);
}

TEST(ProgramEncode, OfADecodedProgramDecodesToTheSame)
{
    hrn_rng rng;
    hrn_rng_seed(&rng, 3);
    for (size_t i = 0; i < 3000; i++) {
        Program first(RandomBytes(&rng, i % 1000));
        Bytes bytes;
        ASSERT_TRUE(first.Encode(&bytes)) << "input " << i;
        Program second(bytes);
        ASSERT_TRUE(first == second) << "input " << i;
    }
}

TEST(ProgramEncode, OfAGeneratedProgramIsExact)
{
    hrn_gen gen;
    hrn_gen_init(&gen, UINT32_MAX);
    for (uint64_t seed = 0; seed < 1000; seed++) {
        hrn_rng rng;
        hrn_rng_seed(&rng, seed);
        Program first;
        hrn_gen_head(&rng, &first->head);
        hrn_gen_program(&gen, &rng, 400, first.get());
        EXPECT_EQ(hrn_program_normalize(first.get()), 0u);
        Bytes bytes;
        ASSERT_TRUE(first.Encode(&bytes)) << "seed " << seed;
        Program second(bytes);
        ASSERT_TRUE(first == second) << "seed " << seed;
    }
}

TEST(ProgramEncode, IsExactForEverySizeBelowTheBoundAndNearTheLimits)
{
    Program first;
    uint32_t id = 0;
    for (unsigned shift = 0; shift < 30; shift++) {
        size_t power = static_cast<size_t>(1) << shift;
        first.Push(HRN_ALLOC, id++, power - 1);
        first.Push(HRN_CALLOC, id++, power);
        first.Push(HRN_NALLOC, id++, power + 1);
    }
    for (size_t size : {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX / 4}) {
        first.Push(HRN_ALLOC, id++, size);
    }
    Bytes bytes;
    ASSERT_TRUE(first.Encode(&bytes));
    Program second(bytes);
    EXPECT_TRUE(first == second);
}

TEST(ProgramEncode, ReportsAProgramThatCannotBeWritten)
{
    Bytes bytes;
    Program third_arena;
    third_arena.Push(HRN_ALLOC, 0, 8);
    third_arena->ops[0].arena = 2;
    third_arena->n_arenas = 3;
    EXPECT_FALSE(third_arena.Encode(&bytes));

    Program odd_size;
    odd_size.Push(HRN_ALLOC, 0, static_cast<size_t>(3) << 40);
    EXPECT_FALSE(odd_size.Encode(&bytes));

    Program odd_head;
    odd_head->head.check_every = 65;
    EXPECT_FALSE(odd_head.Encode(&bytes));

    Program lives;
    for (uint32_t i = 0; i <= HRN_BYTES_LIVES_MAX; i++) {
        lives.Push(HRN_CREATE);
    }
    EXPECT_FALSE(lives.Encode(&bytes));

    Program many;
    for (uint32_t id = 0; id <= HRN_BYTES_OPS_MAX; id++) {
        many.Push(HRN_ALLOC, id, 8);
    }
    EXPECT_FALSE(many.Encode(&bytes));
}

TEST(ProgramEncode, ReachesAnyOf65536LiveObjects)
{
    Program first;
    for (uint32_t i = 0; i < 128; i++) {
        first.Push(HRN_BURST, i * HRN_BURST_MAX, 8, HRN_BURST_MAX);
    }
    for (uint32_t id : {0u, 65535u, 32768u, 1u, 65534u}) {
        first.Push(HRN_FREE, id);
    }
    Bytes bytes;
    ASSERT_TRUE(first.Encode(&bytes));
    Program second(bytes);
    EXPECT_TRUE(first == second);
}

TEST(ProgramEncode, ReportsTheOneOf65537LiveObjectsThatNoRecordReaches)
{
    std::vector<uint32_t> missed;
    for (uint32_t id : {0u, 1u, 65535u, 65536u}) {
        Program program;
        for (uint32_t i = 0; i < 128; i++) {
            program.Push(HRN_BURST, i * HRN_BURST_MAX, 8, HRN_BURST_MAX);
        }
        program.Push(HRN_ALLOC, 65536, 8);
        program.Push(HRN_FREE, id);
        Bytes bytes;
        if (!program.Encode(&bytes)) {
            missed.push_back(id);
        }
    }
    EXPECT_EQ(missed, std::vector<uint32_t>{0u});
}

TEST(ProgramNormalize, DropsUsesOfMissingObjectsAndRenumbers)
{
    Program program;
    program.Push(HRN_FREE, 4);        /* not made yet */
    program.Push(HRN_ALLOC, 4, 10);   /* becomes 0 */
    program.Push(HRN_BURST, 9, 5, 3); /* becomes 1 to 3 */
    program.Push(HRN_FREE, 10);       /* 2 */
    program.Push(HRN_FREE, 10);       /* gone */
    program.Push(HRN_RESET);
    program.Push(HRN_RESIZE, 4, 8);   /* gone with the reset */
    program.Push(HRN_CLEANUP, 20, 7); /* becomes 4 */
    program.Push(HRN_FREE, 20);       /* no object of free's */
    EXPECT_EQ(hrn_program_normalize(program.get()), 4u);
    ASSERT_EQ(program->n_ops, 5u);
    EXPECT_EQ(program->ops[0].id, 0u);
    EXPECT_EQ(program->ops[1].id, 1u);
    EXPECT_EQ(program->ops[2].id, 2u);
    EXPECT_EQ(program->ops[4].id, 4u);
    EXPECT_EQ(program->n_ids, 5u);
}

TEST(ProgramNormalize, KeepsTheFieldsOfFiles)
{
    Program program;
    hrn_op op{};
    op.kind = HRN_FILE;
    op.aux = HRN_FILE_GONE;
    op.size_bytes = 300;
    hrn_program_push(program.get(), op);
    op = {};
    op.kind = HRN_RUN_FILE;
    op.count = 7;
    hrn_program_push(program.get(), op);
    EXPECT_EQ(hrn_program_normalize(program.get()), 0u);
    EXPECT_EQ(program->ops[0].aux, HRN_FILE_GONE);
    EXPECT_EQ(program->ops[0].size_bytes, 300u);
    EXPECT_EQ(program->ops[1].count, 7u);
}

TEST(ProgramNormalize, IsIdempotentOnProgramsWithCuts)
{
    hrn_gen gen;
    hrn_gen_init(&gen, UINT32_MAX);
    for (uint64_t seed = 0; seed < 300; seed++) {
        hrn_rng rng;
        hrn_rng_seed(&rng, seed);
        Program program;
        hrn_gen_program(&gen, &rng, 200, program.get());
        size_t n = 0;
        for (size_t i = 0; i < program->n_ops; i++) {
            if (hrn_rng_below(&rng, 3) != 0) {
                program->ops[n++] = program->ops[i];
            }
        }
        program->n_ops = n;
        hrn_program_normalize(program.get());
        Bytes bytes;
        EXPECT_TRUE(program.Encode(&bytes));
        EXPECT_EQ(hrn_program_normalize(program.get()), 0u);
    }
}

TEST(SizeCode, EdgesMeetPagesBlocksAndRegionsOfTheHead)
{
    Program program;
    hrn_head head = program->head;
    head.page_bytes = 16384;
    head.block_bytes = 777;
    head.region_bytes = 100003;
    bool page = false;
    bool half = false;
    bool block = false;
    bool region = false;
    for (uint32_t random = 0; random < 4096; random++) {
        size_t size = hrn_size_decode(&head, hrn_size_code_edge(random));
        page |= size == 16384;
        half |= size == 8192;
        block |= size == 777;
        region |= size == 100003;
    }
    EXPECT_TRUE(page && half && block && region);
}

TEST(SizeCode, EdgesAllowForTheGap)
{
    Program program;
    hrn_head head = program->head;
    head.gap_bytes = 48;
    bool found = false;
    for (uint32_t random = 0; random < 4096; random++) {
        found |= hrn_size_decode(&head, hrn_size_code_edge(random)) == 64 - 48;
    }
    EXPECT_TRUE(found);
}

TEST(SizeCode, HugeSizesExceedAnyMemory)
{
    Program program;
    bool wraps = false;
    for (uint32_t random = 0; random < 100000; random += 7) {
        size_t size = hrn_size_decode(&program->head, hrn_size_code_huge(random));
        wraps |= size < 4096;
        EXPECT_TRUE(size < 4096 || size > (static_cast<size_t>(1) << 29)) << size;
    }
    EXPECT_TRUE(wraps) << "nothing just above SIZE_MAX";
}

TEST(Generator, MakesTheSameProgramFromTheSameSeed)
{
    hrn_gen gen;
    hrn_gen_init(&gen, hrn_can(&hrn_adapter_slab));
    Program a;
    Program b;
    for (hrn_program *program : {a.get(), b.get()}) {
        hrn_rng rng;
        hrn_rng_seed(&rng, 42);
        hrn_gen_head(&rng, &program->head);
        hrn_gen_program(&gen, &rng, 500, program);
    }
    EXPECT_TRUE(a == b);
}

TEST(Mutator, IsDeterministicAndStaysWithinItsBounds)
{
    hrn_rng rng;
    hrn_rng_seed(&rng, 5);
    for (unsigned seed = 0; seed < 3000; seed++) {
        size_t max_bytes = 8 + hrn_rng_below(&rng, 600);
        size_t n_bytes = hrn_rng_below(&rng, static_cast<uint32_t>(max_bytes) + 1);
        Bytes a = RandomBytes(&rng, n_bytes);
        a.resize(max_bytes);
        Bytes b = a;
        size_t n_a = LLVMFuzzerCustomMutator(a.data(), n_bytes, max_bytes, seed);
        size_t n_b = LLVMFuzzerCustomMutator(b.data(), n_bytes, max_bytes, seed);
        ASSERT_EQ(n_a, n_b);
        ASSERT_LE(n_a, max_bytes);
        ASSERT_EQ(std::memcmp(a.data(), b.data(), n_a), 0);
    }
}

TEST(Mutator, CrossesTwoProgramsWithinItsBounds)
{
    hrn_rng rng;
    hrn_rng_seed(&rng, 6);
    size_t n_children = 0;
    for (unsigned seed = 0; seed < 1000; seed++) {
        Bytes a = RandomBytes(&rng, hrn_rng_below(&rng, 500));
        Bytes b = RandomBytes(&rng, hrn_rng_below(&rng, 500));
        Bytes out(hrn_rng_below(&rng, 600) + 1);
        size_t n = LLVMFuzzerCustomCrossOver(a.data(), a.size(), b.data(), b.size(), out.data(),
                                             out.size(), seed);
        ASSERT_LE(n, out.size());
        n_children += n > 0;
    }
    EXPECT_GT(n_children, 500u);
}

TEST(OperationText, NamesArenaKindObjectAndNumbers)
{
    char text[HRN_OP_TEXT_BYTES];
    hrn_op op{};
    op.kind = HRN_MEMALIGN;
    op.id = 17;
    op.size_bytes = 100;
    op.align_bytes = 64;
    hrn_op_text(&op, text, sizeof text);
    EXPECT_EQ(std::string(text), "0 memalign #17 size 100 align 64");
}

} // namespace
