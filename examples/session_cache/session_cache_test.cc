/* SPDX-License-Identifier: Apache-2.0 */
/* Session cache: blobs whole, replaced, expired; eviction when memory is out; deaths. */
#include <map>
#include <random>
#include <vector>

#include "examples/common/fixture.h"

extern "C" {
#include "examples/session_cache/session_cache.h"
}

namespace {

using namespace example_test;

/* What a blob must hold, by id and generation. */
std::string blob_of(const std::string &id, uint64_t generation, size_t n_bytes)
{
    std::string blob = id + ":" + std::to_string(generation) + ":";
    while (blob.size() < n_bytes) {
        blob += static_cast<char>('a' + (blob.size() * 7 + generation) % 26);
    }
    return blob.substr(0, n_bytes);
}

class SessionCache : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(slm_session_cache_init(zone), SLM_OK);
    }
    enum slm_status put(const std::string &id, const std::string &blob, uint64_t now_ms,
                        uint64_t ttl_ms = 1000)
    {
        return slm_session_cache_put(zone, id.data(), id.size(), blob.data(), blob.size(), ttl_ms,
                                     now_ms);
    }
    /* The blob, or the status' name. */
    std::string get(const std::string &id, uint64_t now_ms)
    {
        std::vector<char> buffer(64 * 1024);
        enum slm_status status = slm_session_cache_get(zone, id.data(), id.size(), now_ms,
                                                       buffer.data(), buffer.size(), &session);
        return status == SLM_OK ? std::string(buffer.data(), session.n_bytes)
                                : slm_status_name(status);
    }
    struct slm_keyed_stats stats()
    {
        struct slm_keyed_stats found = {};
        EXPECT_EQ(slm_session_cache_get_stats(zone, &found), SLM_OK);
        return found;
    }
    unsigned check()
    {
        return zone.check(slm_session_cache_check_locked);
    }
    Zone zone{128 * 1024};
    slm_session session = {};
};

TEST_F(SessionCache, GetReturnsTheBlobThatWasPut)
{
    EXPECT_EQ(put("a", "blob of a", 0), SLM_OK);
    EXPECT_EQ(put("b", std::string("\0\n\r", 3), 0), SLM_OK);
    EXPECT_EQ(put("c", "", 0), SLM_OK);
    EXPECT_EQ(get("a", 1), "blob of a");
    EXPECT_EQ(session.expires_ms, 1000u);
    EXPECT_EQ(get("b", 1), std::string("\0\n\r", 3));
    EXPECT_EQ(get("c", 1), "");
    EXPECT_EQ(get("d", 1), "SLM_E_NOT_MEMBER");
    EXPECT_EQ(check(), 0u);
}

TEST_F(SessionCache, PutReplacesBlobAndTime)
{
    EXPECT_EQ(put("a", blob_of("a", 1, 100), 0, 500), SLM_OK);
    EXPECT_EQ(put("a", blob_of("a", 2, 9000), 100, 1000), SLM_OK);
    EXPECT_EQ(get("a", 1099), blob_of("a", 2, 9000));
    EXPECT_EQ(stats().n_entries, 1u);
    EXPECT_EQ(get("a", 1100), "SLM_E_NOT_MEMBER");
    EXPECT_EQ(stats().n_entries, 0u) << "a get drops the expired session";
    EXPECT_EQ(check(), 0u);
}

TEST_F(SessionCache, EachPutDropsTwoExpiredSessions)
{
    for (uint64_t i = 0; i < 6; i++) {
        EXPECT_EQ(put(key_name(i), "x", 0, 600 - i * 100), SLM_OK);
    }
    EXPECT_EQ(put("new", "x", 350), SLM_OK);
    EXPECT_EQ(stats().n_entries, 5u);
    EXPECT_EQ(get(key_name(5), 99), "SLM_E_NOT_MEMBER")
        << "the session that expired first was dropped first";
    EXPECT_EQ(get(key_name(3), 99), "x");
    size_t n = 0;
    EXPECT_EQ(slm_session_cache_expire(zone, 1000, SIZE_MAX, &n), SLM_OK);
    EXPECT_EQ(n, 4u);
    EXPECT_EQ(stats().n_expired, 6u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(SessionCache, OldestSessionIsEvictedWhenMemoryIsOut)
{
    uint64_t n = 0;
    while (stats().n_evicted == 0) {
        ASSERT_EQ(put(key_name(n), blob_of(key_name(n), 0, 700), 0), SLM_OK);
        n++;
    }
    uint64_t n_gone = stats().n_evicted;
    EXPECT_EQ(get(key_name(n_gone - 1), 1), "SLM_E_NOT_MEMBER");
    for (uint64_t i = n_gone; i < n; i++) {
        EXPECT_EQ(get(key_name(i), 1), blob_of(key_name(i), 0, 700));
    }
    EXPECT_EQ(check(), 0u);
}

TEST_F(SessionCache, ExpiredSessionIsDroppedBeforeTheOldest)
{
    EXPECT_EQ(put("oldest", "x", 0, 1000000), SLM_OK);
    uint64_t n = 0;
    while (stats().n_evicted + stats().n_expired == 0) {
        ASSERT_EQ(put(key_name(n++), blob_of("k", 0, 700), 0, 10), SLM_OK);
    }
    EXPECT_EQ(stats().n_evicted, 1u); /* no session had expired, so the oldest was evicted */
    EXPECT_EQ(get("oldest", 1), "SLM_E_NOT_MEMBER");
    EXPECT_EQ(put("next", "x", 0, 1000000), SLM_OK);
    for (unsigned i = 0; i < 200; i++) {
        ASSERT_EQ(put("big", blob_of("big", i, 16000), 10, 1000000), SLM_OK);
    }
    EXPECT_EQ(get("next", 10), "x");
    EXPECT_GT(stats().n_expired, 0u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(SessionCache, PutOfAnySizeMakesRoom)
{
    std::mt19937_64 random(3);
    for (uint64_t i = 0; i < 500; i++) {
        std::string blob = blob_of(key_name(i), i, random() % 16384);
        ASSERT_EQ(put(key_name(i), blob, i), SLM_OK);
        ASSERT_EQ(get(key_name(i), i), blob);
    }
    EXPECT_GT(stats().n_evicted, 100u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(SessionCache, BlobAboveAnEighthOfTheZoneIsRefusedAndNothingDropped)
{
    EXPECT_EQ(put("a", "x", 0), SLM_OK);
    EXPECT_EQ(put("a", std::string(16 * 1024 + 1, 'x'), 0), SLM_E_SIZE);
    EXPECT_EQ(get("a", 1), "x");
    EXPECT_EQ(stats().n_evicted, 0u);
}

TEST_F(SessionCache, TooSmallBufferGetsTheSizeThatIsNeeded)
{
    char buffer[8] = "1234567";
    EXPECT_EQ(put("a", "123456789", 0), SLM_OK);
    EXPECT_EQ(slm_session_cache_get(zone, "a", 1, 0, buffer, 8, &session), SLM_E_SPACE);
    EXPECT_EQ(session.n_bytes, 9u);
    EXPECT_STREQ(buffer, "1234567");
    EXPECT_EQ(slm_session_cache_get(zone, "a", 1, 0, nullptr, 0, &session), SLM_E_SPACE);
}

TEST_F(SessionCache, RemovedSessionIsNotFound)
{
    EXPECT_EQ(put("a", "x", 0), SLM_OK);
    EXPECT_EQ(slm_session_cache_remove(zone, "a", 1), SLM_OK);
    EXPECT_EQ(slm_session_cache_remove(zone, "a", 1), SLM_E_NOT_MEMBER);
    EXPECT_EQ(get("a", 0), "SLM_E_NOT_MEMBER");
    EXPECT_EQ(check(), 0u);
}

TEST_F(SessionCache, RefusesMisuseAndChangesNothing)
{
    EXPECT_EQ(put("", "x", 0), SLM_E_SIZE);
    EXPECT_EQ(put("a", "x", 0, 0), SLM_E_OPTION);
    EXPECT_EQ(slm_session_cache_put(zone, "a", 1, nullptr, 1, 1, 0), SLM_E_NULL);
    EXPECT_EQ(slm_session_cache_put(nullptr, "a", 1, "x", 1, 1, 0), SLM_E_NULL);
    EXPECT_EQ(slm_session_cache_get(zone, "a", 1, 0, nullptr, 1, &session), SLM_E_NULL);
    EXPECT_EQ(slm_session_cache_get(zone, "a", 1, 0, nullptr, 0, nullptr), SLM_E_NULL);
    EXPECT_EQ(stats().n_entries, 0u);
    EXPECT_EQ(put("a", "x", UINT64_MAX - 5, 100), SLM_OK);
    EXPECT_EQ(get("a", UINT64_MAX - 1), "x") << "a time that would wrap does not end early";
}

TEST_F(SessionCache, AgreesWithAPlainAccountOverTwoMappings)
{
    Zone second(&zone);
    std::mt19937_64 random(5);
    std::map<std::string, std::pair<std::string, uint64_t>> account;
    for (uint64_t now = 0; now < 5000; now++) {
        std::string id = key_name(random() % 40);
        std::string blob = blob_of(id, now, random() % 500);
        uint64_t ttl = 1 + random() % 200;
        slm_zone *either = now % 2 == 0 ? zone : second;
        ASSERT_EQ(
            slm_session_cache_put(either, id.data(), id.size(), blob.data(), blob.size(), ttl, now),
            SLM_OK);
        account[id] = {blob, now + ttl};
        id = key_name(random() % 40);
        auto known = account.find(id);
        bool is_there = known != account.end() && known->second.second > now;
        ASSERT_EQ(get(id, now), is_there ? known->second.first : "SLM_E_NOT_MEMBER");
    }
    EXPECT_EQ(stats().n_evicted, 0u);
    EXPECT_EQ(second.check(slm_session_cache_check_locked), 0u);
}

TEST_F(SessionCache, BlobIsWholeWhereverAWorkerIsKilled)
{
    for (unsigned round = 0; round < 30; round++) {
        Progress progress;
        {
            Child child([&] {
                for (uint64_t i = 0;; i++) {
                    std::string id = key_name(i % 10);
                    (void)put(id, blob_of(id, i, i * 7919 % 9000), 0);
                    progress.step();
                }
            });
            progress.await(30 + round * 11);
        }
        ASSERT_EQ(check(), 0u);
        for (uint64_t i = 0; i < 10; i++) {
            std::string id = key_name(i);
            std::string blob = get(id, 0);
            if (blob.size() > 20) {
                uint64_t generation = std::stoull(blob.substr(id.size() + 1));
                ASSERT_EQ(blob, blob_of(id, generation, blob.size()));
            }
        }
    }
}

TEST_F(SessionCache, ZoneThatGrowsKeepsItsSessions)
{
    uint64_t n = 0;
    while (stats().n_evicted == 0) {
        ASSERT_EQ(put(key_name(n++), blob_of("k", 0, 700), 0), SLM_OK);
    }
    uint64_t n_gone = stats().n_evicted;
    ASSERT_EQ(slm_zone_grow(zone, 512 * 1024, nullptr), SLM_OK);
    for (uint64_t i = 0; i < n; i++) {
        ASSERT_EQ(put("more" + key_name(i), blob_of("k", 0, 700), 0), SLM_OK);
    }
    EXPECT_EQ(stats().n_evicted, n_gone);
    EXPECT_EQ(stats().n_entries, 2 * n - n_gone);
    EXPECT_EQ(check(), 0u);
}

/* Breaks each by writing one word without the journal. */
TEST_F(SessionCache, CheckReturnsTheNumberOfTheBrokenInvariant)
{
    EXPECT_EQ(put("a", "x", 0, 10), SLM_OK);
    EXPECT_EQ(put("b", "x", 0, 20), SLM_OK);
    slm_journal *journal = slm_zone_journal(zone);
    auto *head = static_cast<slm_keyed *>(slm_zone_root_locked(zone));
    auto *due = reinterpret_cast<slm_rbtree *>(head + 1);
    auto *node =
        slm_rbtree_first(journal, due); /* followed by the time and the length of the blob */
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
    EXPECT_EQ(broken_by(&due->n_nodes, 7), 241u);
    EXPECT_EQ(broken_by(&words[0], 30), 242u);
    EXPECT_EQ(broken_by(&words[1], 5000), 244u);
    EXPECT_EQ(broken_by(&words[1], UINT64_MAX), 244u);
    EXPECT_EQ(check(), 0u);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_EQ(slm_rbtree_remove(journal, due, node), SLM_OK);
    EXPECT_EQ(slm_session_cache_check_locked(zone), 243u);
    slm_zone_abort_locked(zone);
    EXPECT_EQ(slm_session_cache_check_locked(zone), 0u);
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
}

} // namespace
