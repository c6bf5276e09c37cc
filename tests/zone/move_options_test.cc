/* SPDX-License-Identifier: Apache-2.0 */
/* Each option that a zone cannot change in place, changed by a move. */
#include "tests/zone/move_fixture.h"

namespace {

using namespace slm_test;

constexpr unsigned kLinks = 300;

/* A worker of the earlier configuration: a child that has the zone from its parent. */
class Worker {
  public:
    explicit Worker(slm_zone *zone)
    {
        EXPECT_EQ(pipe(to_), 0);
        process_ = fork();
        if (process_ == 0) {
            char byte;
            bool may_go_on = read(to_[0], &byte, 1) == 1;
            end_child(may_go_on ? push_alone(zone, 77) : SLM_E_IO);
        }
    }
    ~Worker()
    {
        close(to_[0]);
        close(to_[1]);
    }
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;

    /* What it gets when it pushes a number now. */
    slm_status push_now()
    {
        int how = 0;
        EXPECT_EQ(write(to_[1], "x", 1), 1);
        EXPECT_EQ(waitpid(process_, &how, 0), process_);
        return static_cast<slm_status>(WEXITSTATUS(how));
    }

  private:
    int to_[2] = {-1, -1};
    pid_t process_;
};

class ZoneMove : public testing::TestWithParam<std::tuple<Kind, Change>> {
  protected:
    Kind kind() const
    {
        return std::get<0>(GetParam());
    }
    slm_zone_options next() const
    {
        return changed(all.of(kind()), std::get<1>(GetParam()));
    }

    ZoneOptions all;
    Moves moves;
    Set set;
};

INSTANTIATE_TEST_SUITE_P(Each, ZoneMove,
                         testing::Combine(testing::ValuesIn(kEveryKind),
                                          testing::ValuesIn(kChanges)));

TEST_P(ZoneMove, MakesTheZoneWhatIsDeclaredWithItsContent)
{
    ASSERT_EQ(set.apply({moves.declare(all.of(kind()))}), SLM_OK) << set.error.text;
    Numbers content = push_many(set["keys"], kLinks);
    Worker worker(set["keys"]);
    Holdings before;
    ASSERT_EQ(set.apply({moves.declare(next())}), SLM_OK) << set.error.text;
    EXPECT_EQ(moves.n_calls, 1u);
    EXPECT_EQ(Holdings(), before);
    expect_is_as_declared(set["keys"], next());
    EXPECT_EQ(numbers_alone(set["keys"]), content);
    EXPECT_EQ(check_alone(set["keys"]), 0u);
    EXPECT_EQ(count_objects(slm_zone_slab(set["keys"])), kLinks);
    EXPECT_EQ(slm_segment_verify(slm_zone_segment(set["keys"]), nullptr), SLM_OK);
    EXPECT_EQ(worker.push_now(), SLM_E_REPLACED);
    EXPECT_EQ(numbers_alone(set["keys"]), content);
    EXPECT_EQ(count_leftovers(all, SLM_SEGMENT_FILE), 0u);
}

TEST_P(ZoneMove, IsNotRepeatedByTheSameDeclaration)
{
    ASSERT_EQ(set.apply({moves.declare(all.of(kind()))}), SLM_OK) << set.error.text;
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(set.apply({moves.declare(next())}), SLM_OK) << set.error.text;
        EXPECT_EQ(moves.n_calls, 1u);
    }
}

TEST_P(ZoneMove, WithoutACallbackIsRefusedOrNotNeeded)
{
    ASSERT_EQ(set.apply({{all.of(kind()), nullptr, nullptr, false}}), SLM_OK);
    Numbers content = push_many(set["keys"], 20);
    slm_zone *zone = set["keys"];
    slm_status status = set.apply({{next(), nullptr, nullptr, false}});
    EXPECT_TRUE(status == SLM_OK || status == SLM_E_SIZE || status == SLM_E_OPTION)
        << set.error.text;
    EXPECT_EQ(set["keys"], zone);
    EXPECT_EQ(numbers_alone(zone), content);
}

class ZoneOpenMove : public ZoneMove {};

INSTANTIATE_TEST_SUITE_P(Each, ZoneOpenMove,
                         testing::Combine(testing::ValuesIn(kNamedKinds),
                                          testing::ValuesIn(kChanges)));

TEST_P(ZoneOpenMove, KeepsTheContent)
{
    Zone zone, moved;
    bool is_new = true;
    slm_zone_options options = moves.with(all.of(kind()));
    ASSERT_EQ(slm_zone_open(&zone.zone, &options, nullptr, &zone.error), SLM_OK);
    Numbers content = push_many(zone, kLinks);
    options = moves.with(next());
    ASSERT_EQ(slm_zone_open(&moved.zone, &options, &is_new, &moved.error), SLM_OK)
        << moved.error.text;
    EXPECT_FALSE(is_new);
    EXPECT_EQ(moves.n_calls, 1u);
    expect_is_as_declared(moved, next());
    EXPECT_EQ(numbers_alone(moved), content);
    EXPECT_EQ(push_alone(zone, 5), SLM_E_REPLACED);
    EXPECT_EQ(count_leftovers(all, kind()), 0u);
}

} // namespace
