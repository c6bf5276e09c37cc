/* SPDX-License-Identifier: Apache-2.0 */
/* Shared dictionary: values whole, counters exact, times to live; eviction; walks; deaths. */
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "examples/common/fixture.h"

extern "C" {
#include "examples/shared_dict/shared_dict.h"
}

namespace {

using namespace example_test;

constexpr uint64_t kForever = SLM_SHARED_DICT_FOREVER;

class SharedDict : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(slm_shared_dict_init(zone), SLM_OK);
    }
    enum slm_status put(const std::string &key, const std::string &data, uint64_t now_ms,
                        uint64_t ttl_ms = 1000)
    {
        slm_shared_dict_value value = {data.data(), data.size(), ttl_ms};
        return slm_shared_dict_put(zone, key.data(), key.size(), &value, now_ms);
    }
    enum slm_status add(const std::string &key, const std::string &data, uint64_t now_ms,
                        uint64_t ttl_ms = 1000)
    {
        slm_shared_dict_value value = {data.data(), data.size(), ttl_ms};
        return slm_shared_dict_add(zone, key.data(), key.size(), &value, now_ms);
    }
    /* The value, or the status' name. */
    std::string get(const std::string &key, uint64_t now_ms)
    {
        std::vector<char> buffer(64 * 1024);
        enum slm_status status = slm_shared_dict_get(zone, key.data(), key.size(), now_ms,
                                                     buffer.data(), buffer.size(), &found);
        return status == SLM_OK ? std::string(buffer.data(), found.n_bytes)
                                : slm_status_name(status);
    }
    /* The sum, or the status' name. */
    std::string increment(const std::string &key, int64_t by, uint64_t now_ms,
                          bool makes_key = false, int64_t initial = 0, uint64_t ttl_ms = 1000)
    {
        slm_shared_dict_step step = {by, makes_key, initial, ttl_ms};
        int64_t sum = 0;
        enum slm_status status =
            slm_shared_dict_increment(zone, key.data(), key.size(), &step, now_ms, &sum);
        return status == SLM_OK ? std::to_string(sum) : slm_status_name(status);
    }
    enum slm_status set_ttl(const std::string &key, uint64_t ttl_ms, uint64_t now_ms)
    {
        return slm_shared_dict_set_ttl(zone, key.data(), key.size(), ttl_ms, now_ms);
    }
    enum slm_status remove(const std::string &key)
    {
        return slm_shared_dict_remove(zone, key.data(), key.size());
    }
    struct slm_keyed_stats stats()
    {
        struct slm_keyed_stats all = {};
        EXPECT_EQ(slm_shared_dict_get_stats(zone, &all), SLM_OK);
        return all;
    }
    unsigned check()
    {
        return zone.check(slm_shared_dict_check_locked);
    }
    /* All keys, by a walk that calls between before each step. */
    std::multiset<std::string> keys(
        uint64_t now_ms, const std::function<void()> &between = [] {})
    {
        std::multiset<std::string> all;
        char key[SLM_TABLE_KEY_BYTES_MAX];
        size_t n = 0;
        while (slm_shared_dict_next_key(zone, key, n, now_ms, key, &n) == SLM_OK) {
            all.emplace(key, n);
            between();
        }
        return all;
    }

    Zone zone{128 * 1024};
    slm_shared_dict_found found = {};
};

/* --- Values --- */

TEST_F(SharedDict, GetReturnsTheValueThatWasPut)
{
    EXPECT_EQ(put("a", "value of a", 0), SLM_OK);
    EXPECT_EQ(put("b", std::string("\0\n\r", 3), 0), SLM_OK);
    EXPECT_EQ(put("c", "", 0), SLM_OK);
    EXPECT_EQ(put("d", "8 bytes.", 0), SLM_OK);
    EXPECT_EQ(get("a", 1), "value of a");
    EXPECT_EQ(get("b", 1), std::string("\0\n\r", 3));
    EXPECT_EQ(get("c", 1), "");
    EXPECT_EQ(get("d", 1), "8 bytes.");
    EXPECT_EQ(get("e", 1), "SLM_E_NOT_MEMBER");
    EXPECT_EQ(check(), 0u);
}

TEST_F(SharedDict, PutReplacesValueAndTime)
{
    EXPECT_EQ(put("a", "short", 0, 500), SLM_OK);
    EXPECT_EQ(put("a", std::string(9000, 'x'), 100, 1000), SLM_OK);
    EXPECT_EQ(get("a", 1099), std::string(9000, 'x'));
    EXPECT_EQ(found.ttl_ms, 1u);
    EXPECT_EQ(stats().n_entries, 1u);
    EXPECT_EQ(get("a", 1100), "SLM_E_NOT_MEMBER");
    EXPECT_EQ(stats().n_entries, 0u) << "a get drops the expired item";
    EXPECT_EQ(check(), 0u);
}

TEST_F(SharedDict, AddKeepsAValueThatHasNotExpired)
{
    EXPECT_EQ(add("a", "first", 0, 500), SLM_OK);
    EXPECT_EQ(add("a", "second", 499), SLM_E_EXISTS);
    EXPECT_EQ(get("a", 499), "first");
    EXPECT_EQ(add("a", "third", 500), SLM_OK);
    EXPECT_EQ(get("a", 500), "third");
    EXPECT_EQ(stats().n_expired, 1u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(SharedDict, TooSmallBufferGetsTheSizeThatIsNeeded)
{
    char buffer[8] = "1234567";
    EXPECT_EQ(put("a", "123456789", 0), SLM_OK);
    EXPECT_EQ(slm_shared_dict_get(zone, "a", 1, 0, buffer, 8, &found), SLM_E_SPACE);
    EXPECT_EQ(found.n_bytes, 9u);
    EXPECT_STREQ(buffer, "1234567");
    EXPECT_EQ(slm_shared_dict_get(zone, "a", 1, 0, nullptr, 0, &found), SLM_E_SPACE);
}

TEST_F(SharedDict, RemovedKeyIsNotFound)
{
    EXPECT_EQ(put("a", "x", 0), SLM_OK);
    EXPECT_EQ(put("b", "x", 0, kForever), SLM_OK);
    EXPECT_EQ(remove("a"), SLM_OK);
    EXPECT_EQ(remove("a"), SLM_E_NOT_MEMBER);
    EXPECT_EQ(remove("b"), SLM_OK);
    EXPECT_EQ(get("b", 0), "SLM_E_NOT_MEMBER");
    EXPECT_EQ(check(), 0u);
}

/* --- Numbers --- */

TEST_F(SharedDict, IncrementAddsToANumber)
{
    int64_t n = -5;
    EXPECT_EQ(put("a", std::string(reinterpret_cast<char *>(&n), sizeof n), 0, 100), SLM_OK);
    EXPECT_EQ(increment("a", 7, 50), "2");
    EXPECT_EQ(increment("a", -3, 50), "-1");
    std::string bytes = get("a", 50);
    ASSERT_EQ(bytes.size(), sizeof n);
    memcpy(&n, bytes.data(), sizeof n);
    EXPECT_EQ(n, -1);
    EXPECT_EQ(found.ttl_ms, 50u) << "an increment keeps the time to live";
    EXPECT_EQ(check(), 0u);
}

TEST_F(SharedDict, IncrementMakesAKeyOnlyIfItIsAskedTo)
{
    EXPECT_EQ(increment("a", 1, 0), "SLM_E_NOT_MEMBER");
    EXPECT_EQ(increment("a", 1, 0, true, 10, 500), "11");
    EXPECT_EQ(increment("a", 1, 499, true, 10, 500), "12");
    EXPECT_EQ(increment("a", 1, 500, true, 10, 500), "11") << "the first one has expired";
    EXPECT_EQ(increment("b", 1, 0, true, 10, 0), "SLM_E_OPTION");
    EXPECT_EQ(stats().n_entries, 1u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(SharedDict, IncrementRefusesWhatIsNoNumberOrDoesNotFit)
{
    EXPECT_EQ(put("text", "seven b", 0), SLM_OK);
    EXPECT_EQ(increment("text", 1, 0), "SLM_E_OPTION");
    EXPECT_EQ(get("text", 0), "seven b");
    EXPECT_EQ(increment("n", INT64_MAX, 0, true, 0), std::to_string(INT64_MAX));
    EXPECT_EQ(increment("n", 1, 0), "SLM_E_SIZE");
    EXPECT_EQ(increment("n", 0, 0), std::to_string(INT64_MAX));
    EXPECT_EQ(increment("m", INT64_MIN, 0, true, -1), "SLM_E_SIZE");
    EXPECT_EQ(get("m", 0), "SLM_E_NOT_MEMBER");
}

/* --- Time to live --- */

TEST_F(SharedDict, AValueWithoutAnEndDoesNotExpire)
{
    EXPECT_EQ(put("a", "x", 0, kForever), SLM_OK);
    EXPECT_EQ(put("b", "x", UINT64_MAX - 5, 100), SLM_OK) << "a time that would wrap is no end";
    EXPECT_EQ(get("a", UINT64_MAX - 1), "x");
    EXPECT_EQ(found.ttl_ms, kForever);
    EXPECT_EQ(get("b", UINT64_MAX - 1), "x");
    EXPECT_EQ(slm_shared_dict_expire(zone, UINT64_MAX - 1, SIZE_MAX, nullptr), SLM_OK);
    EXPECT_EQ(stats().n_entries, 2u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(SharedDict, ANewTimeToLiveReplacesTheOldOne)
{
    EXPECT_EQ(put("a", "x", 0, 100), SLM_OK);
    EXPECT_EQ(set_ttl("a", 500, 50), SLM_OK);
    EXPECT_EQ(get("a", 549), "x");
    EXPECT_EQ(set_ttl("a", kForever, 60), SLM_OK);
    EXPECT_EQ(check(), 0u);
    EXPECT_EQ(set_ttl("a", 10, 70), SLM_OK);
    EXPECT_EQ(check(), 0u);
    EXPECT_EQ(set_ttl("a", 10, 80), SLM_E_NOT_MEMBER);
    EXPECT_EQ(set_ttl("never", 10, 0), SLM_E_NOT_MEMBER);
    EXPECT_EQ(set_ttl("a", 0, 0), SLM_E_OPTION);
}

TEST_F(SharedDict, EachPutDropsTwoExpiredItems)
{
    for (uint64_t i = 0; i < 6; i++) {
        EXPECT_EQ(put(key_name(i), "x", 0, 600 - i * 100), SLM_OK);
    }
    EXPECT_EQ(put("new", "x", 350), SLM_OK);
    EXPECT_EQ(stats().n_entries, 5u);
    EXPECT_EQ(get(key_name(5), 99), "SLM_E_NOT_MEMBER") << "the first to expire goes first";
    size_t n = 0;
    EXPECT_EQ(slm_shared_dict_expire(zone, 1000, SIZE_MAX, &n), SLM_OK);
    EXPECT_EQ(n, 4u);
    EXPECT_EQ(stats().n_expired, 6u);
    EXPECT_EQ(check(), 0u);
}

/* --- Eviction --- */

TEST_F(SharedDict, EvictsWhatWasUsedLeastRecently)
{
    EXPECT_EQ(put("put", "x", 0, kForever), SLM_OK);
    EXPECT_EQ(put("got", "x", 0, kForever), SLM_OK);
    EXPECT_EQ(increment("counted", 1, 0, true, 0, kForever), "1");
    uint64_t n = 0;
    while (stats().n_evicted == 0) {
        EXPECT_EQ(get("got", 0), "x");
        EXPECT_NE(increment("counted", 1, 0), "SLM_E_NOT_MEMBER");
        ASSERT_EQ(put(key_name(n++), std::string(700, 'v'), 0, kForever), SLM_OK);
    }
    EXPECT_EQ(get("put", 0), "SLM_E_NOT_MEMBER");
    EXPECT_EQ(get("got", 0), "x");
    EXPECT_EQ(increment("counted", 0, 0), std::to_string(n + 1));
    EXPECT_EQ(get(key_name(n - 1), 0), std::string(700, 'v'));
    EXPECT_EQ(check(), 0u);
}

TEST_F(SharedDict, DropsExpiredItemsBeforeItEvicts)
{
    EXPECT_EQ(put("oldest", "x", 0, kForever), SLM_OK);
    uint64_t n = 0;
    while (stats().n_evicted == 0) {
        ASSERT_EQ(put(key_name(n++), std::string(700, 'v'), 0, 10), SLM_OK);
    }
    EXPECT_EQ(get("oldest", 0), "SLM_E_NOT_MEMBER") << "nothing had expired";
    EXPECT_EQ(put("next", "x", 0, kForever), SLM_OK);
    uint64_t n_evicted = stats().n_evicted;
    for (unsigned i = 0; i < 100; i++) {
        ASSERT_EQ(put("big", std::string(16000, 'b'), 10, kForever), SLM_OK);
    }
    EXPECT_EQ(stats().n_evicted, n_evicted);
    EXPECT_EQ(get("next", 10), "x");
    EXPECT_EQ(check(), 0u);
}

TEST_F(SharedDict, PutOfAnySizeMakesRoom)
{
    std::mt19937_64 random(3);
    for (uint64_t i = 0; i < 500; i++) {
        std::string value(random() % 16384, static_cast<char>('a' + i % 26));
        std::string key = key_name(i) + std::string(random() % 900, 'k');
        ASSERT_EQ(put(key, value, i, kForever), SLM_OK);
        ASSERT_EQ(get(key, i), value);
    }
    EXPECT_GT(stats().n_evicted, 100u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(SharedDict, ValueAboveAnEighthOfTheZoneIsRefusedAndNothingDropped)
{
    EXPECT_EQ(put("a", "x", 0), SLM_OK);
    EXPECT_EQ(put("a", std::string(16 * 1024 + 1, 'x'), 0), SLM_E_SIZE);
    EXPECT_EQ(get("a", 1), "x");
    EXPECT_EQ(stats().n_evicted, 0u);
}

/* --- Keys --- */

TEST_F(SharedDict, AWalkGetsEachKeyOnce)
{
    std::multiset<std::string> expected;
    EXPECT_TRUE(keys(0).empty());
    for (uint64_t i = 0; i < 300; i++) {
        ASSERT_EQ(put(key_name(i), "x", 0, i % 3 == 0 ? 10 : kForever), SLM_OK);
        if (i % 3 != 0) {
            expected.insert(key_name(i));
        }
    }
    EXPECT_EQ(keys(10), expected) << "without those that have expired";
}

TEST_F(SharedDict, AWalkGetsWhatStaysWhileOtherKeysComeAndGo)
{
    std::multiset<std::string> stays;
    for (uint64_t i = 0; i < 100; i++) {
        ASSERT_EQ(put("stays-" + key_name(i), "x", 0), SLM_OK);
        ASSERT_EQ(put("goes-" + key_name(i), "x", 0), SLM_OK);
        stays.insert("stays-" + key_name(i));
    }
    uint64_t n = 0;
    std::multiset<std::string> walked = keys(0, [&] {
        (void)remove("goes-" + key_name(n));
        EXPECT_EQ(put("comes-" + key_name(n++), "x", 0), SLM_OK);
    });
    std::multiset<std::string> seen;
    for (const std::string &key : walked) {
        if (key.compare(0, 6, "stays-") == 0) {
            seen.insert(key);
        }
    }
    EXPECT_EQ(seen, stays);
    EXPECT_EQ(check(), 0u);
}

/* --- Misuse, accounts, deaths --- */

TEST_F(SharedDict, RefusesMisuseAndChangesNothing)
{
    char buffer[SLM_TABLE_KEY_BYTES_MAX];
    size_t n = 0;
    int64_t sum = 0;
    slm_shared_dict_value value = {"x", 1, 1};
    slm_shared_dict_value wild = {nullptr, 1, 1};
    slm_shared_dict_step step = {1, true, 0, 1};
    EXPECT_EQ(put("", "x", 0), SLM_E_SIZE);
    EXPECT_EQ(put(std::string(SLM_TABLE_KEY_BYTES_MAX + 1, 'k'), "x", 0), SLM_E_SIZE);
    EXPECT_EQ(put("a", "x", 0, 0), SLM_E_OPTION);
    EXPECT_EQ(add("a", "x", 0, 0), SLM_E_OPTION);
    EXPECT_EQ(slm_shared_dict_put(zone, "a", 1, nullptr, 0), SLM_E_NULL);
    EXPECT_EQ(slm_shared_dict_put(zone, "a", 1, &wild, 0), SLM_E_NULL);
    EXPECT_EQ(slm_shared_dict_put(nullptr, "a", 1, &value, 0), SLM_E_NULL);
    EXPECT_EQ(slm_shared_dict_add(zone, nullptr, 1, &value, 0), SLM_E_NULL);
    EXPECT_EQ(slm_shared_dict_get(zone, "a", 1, 0, nullptr, 1, &found), SLM_E_NULL);
    EXPECT_EQ(slm_shared_dict_get(zone, "a", 1, 0, nullptr, 0, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_shared_dict_increment(zone, "a", 1, nullptr, 0, &sum), SLM_E_NULL);
    EXPECT_EQ(slm_shared_dict_increment(zone, "a", 1, &step, 0, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_shared_dict_next_key(zone, nullptr, 0, 0, nullptr, &n), SLM_E_NULL);
    EXPECT_EQ(slm_shared_dict_next_key(zone, nullptr, 0, 0, buffer, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_shared_dict_next_key(zone, nullptr, 1, 0, buffer, &n), SLM_E_NULL);
    EXPECT_EQ(stats().n_entries, 0u);
    Zone other;
    EXPECT_EQ(slm_shared_dict_put(other, "a", 1, &value, 0), SLM_E_STATE) << "not initialised";
}

TEST_F(SharedDict, AgreesWithAPlainAccountOverTwoMappings)
{
    Zone second(&zone);
    std::mt19937_64 random(5);
    std::map<std::string, std::pair<std::string, uint64_t>> account;
    auto is_there = [&](const std::string &key, uint64_t now) {
        auto known = account.find(key);
        return known != account.end() && known->second.second > now;
    };
    for (uint64_t now = 0; now < 5000; now++) {
        std::string key = key_name(random() % 40);
        std::string data(random() % 100, static_cast<char>('a' + now % 26));
        uint64_t ttl = 1 + random() % 200;
        slm_zone *either = now % 2 == 0 ? zone : second;
        slm_shared_dict_value value = {data.data(), data.size(), ttl};
        bool adds = random() % 2 == 0;
        bool is_kept = adds && is_there(key, now);
        enum slm_status status =
            adds ? slm_shared_dict_add(either, key.data(), key.size(), &value, now)
                 : slm_shared_dict_put(either, key.data(), key.size(), &value, now);
        ASSERT_EQ(status, is_kept ? SLM_E_EXISTS : SLM_OK);
        if (!is_kept) {
            account[key] = {data, now + ttl};
        }
        key = key_name(random() % 40);
        ASSERT_EQ(get(key, now), is_there(key, now) ? account[key].first : "SLM_E_NOT_MEMBER");
    }
    EXPECT_EQ(stats().n_evicted, 0u);
    EXPECT_EQ(second.check(slm_shared_dict_check_locked), 0u);
}

/* Each child counts its own increments after they happened: at most the last one may be missing. */
TEST_F(SharedDict, NoIncrementIsLostOrDoubledWhereverAWorkerIsKilled)
{
    uint64_t n_least = 0;
    uint64_t n_rounds = 30;
    ASSERT_EQ(increment("n", 0, 0, true, 0, kForever), "0");
    for (uint64_t round = 0; round < n_rounds; round++) {
        Progress progress;
        {
            Child child([&] {
                for (uint64_t i = 0;; i++) {
                    (void)increment("n", 1, 0);
                    progress.step();
                    (void)put(key_name(i % 10), std::string(i * 7919 % 9000, 'v'), 0);
                }
            });
            progress.await(30 + round * 11);
        }
        n_least += progress.now();
        ASSERT_EQ(check(), 0u);
    }
    uint64_t n = std::stoull(increment("n", 0, 0));
    EXPECT_GE(n, n_least);
    EXPECT_LE(n, n_least + n_rounds);
}

/* Breaks each by writing one word without the journal. */
TEST_F(SharedDict, CheckReturnsTheNumberOfTheBrokenInvariant)
{
    EXPECT_EQ(put("a", "x", 0, 10), SLM_OK);
    EXPECT_EQ(put("b", "x", 0, 20), SLM_OK);
    EXPECT_EQ(put("c", "x", 0, kForever), SLM_OK);
    slm_journal *journal = slm_zone_journal(zone);
    auto *head = static_cast<slm_keyed *>(slm_zone_root_locked(zone));
    auto *due = reinterpret_cast<slm_rbtree *>(head + 1);
    auto *node =
        slm_rbtree_first(journal, due); /* followed by the time and the length of the value */
    auto *words = reinterpret_cast<uint64_t *>(node + 1);
    auto broken_by = [&](uint64_t *word, uint64_t value) {
        uint64_t kept = *word;
        *word = value;
        unsigned broken = check();
        *word = kept;
        return broken;
    };
    EXPECT_EQ(words[0], 10u);
    EXPECT_EQ(words[1], 1u);
    EXPECT_EQ(broken_by(&due->n_nodes, 7), 251u);
    EXPECT_EQ(broken_by(&words[0], 30), 252u);
    EXPECT_EQ(broken_by(&words[1], 5000), 254u);
    EXPECT_EQ(broken_by(&words[1], UINT64_MAX), 254u);
    EXPECT_EQ(check(), 0u);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_EQ(slm_rbtree_remove(journal, due, node), SLM_OK);
    EXPECT_EQ(slm_shared_dict_check_locked(zone), 253u);
    slm_zone_abort_locked(zone);
    EXPECT_EQ(slm_shared_dict_check_locked(zone), 0u);
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
}

} // namespace
