/* SPDX-License-Identifier: Apache-2.0 */
/* slm_journal_set and slm_journal_add: numbers of every width at every place of a word. */
#include <limits>

#include "tests/journal/fixture.h"

namespace {

using namespace slm_test;

class JournalNumber : public testing::Test {
  protected:
    Arena arena;
    slm_journal *const journal = &arena.journal;
    uint64_t *const object = make(arena, 64, 0x5a);

    /* All places of 16 bytes where a number of that type may be. */
    template <class T> std::vector<T *> places() const
    {
        std::vector<T *> all;
        for (size_t i = 0; i < 16 / sizeof(T); i++) {
            all.push_back(reinterpret_cast<T *>(object) + i);
        }
        return all;
    }

    /* The object's bytes, of which those of one number have another value. */
    template <class T> std::string expected(const T *p, T value) const
    {
        std::string bytes(64, 0x5a);
        auto at = static_cast<size_t>(reinterpret_cast<const char *>(p) -
                                      reinterpret_cast<const char *>(object));
        memcpy(&bytes[at], &value, sizeof value);
        return bytes;
    }
    std::string stored() const
    {
        return std::string(reinterpret_cast<const char *>(object), 64);
    }

    /* The change is there; an abort and the repair of a death take it back. */
    template <class T> void expect_change(slm_status status, const T *p, T value)
    {
        EXPECT_EQ(status, SLM_OK);
        EXPECT_EQ(stored(), expected(p, value));
        EXPECT_EQ(journal_n_entries(journal->log), 1u);
        Arena heir(arena.bytes());
        EXPECT_EQ(slm_journal_recover(&heir.journal), SLM_OK);
        slm_journal_abort(journal);
        EXPECT_EQ(stored(), std::string(64, 0x5a));
        EXPECT_TRUE(take_picture(heir.journal) == take_picture(*journal));
    }

    template <class T> void set_everywhere()
    {
        const T values[] = {0, 1, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(),
                            static_cast<T>(-1)};
        for (T *p : places<T>()) {
            for (T value : values) {
                expect_change(slm_journal_set(journal, p, value), p, value);
            }
        }
    }

    template <class T> void add_everywhere()
    {
        const T most = std::numeric_limits<T>::max();
        for (T *p : places<T>()) {
            const auto old = static_cast<uint64_t>(*p);
            for (int summand : {1, -1, 0, 127}) {
                auto sum = static_cast<T>(old + static_cast<uint64_t>(int64_t{summand}));
                expect_change(slm_journal_add(journal, p, summand), p, sum);
            }
            auto wrapped = static_cast<T>(old + static_cast<uint64_t>(most));
            expect_change(slm_journal_add(journal, p, most), p, wrapped);
        }
    }
};

TEST_F(JournalNumber, SetChangesThatNumberOnlyAndIsUndone)
{
    set_everywhere<uint8_t>();
    set_everywhere<int8_t>();
    set_everywhere<char>();
    set_everywhere<uint16_t>();
    set_everywhere<int16_t>();
    set_everywhere<uint32_t>();
    set_everywhere<int32_t>();
    set_everywhere<uint64_t>();
    set_everywhere<int64_t>();
    set_everywhere<unsigned long long>();
}

TEST_F(JournalNumber, AddChangesThatNumberOnlyAndWraps)
{
    add_everywhere<uint8_t>();
    add_everywhere<int8_t>();
    add_everywhere<char>();
    add_everywhere<uint16_t>();
    add_everywhere<int16_t>();
    add_everywhere<uint32_t>();
    add_everywhere<int32_t>();
    add_everywhere<uint64_t>();
    add_everywhere<int64_t>();
    add_everywhere<unsigned long long>();
}

TEST_F(JournalNumber, AValueIsConvertedAsByAnAssignment)
{
    auto *byte = reinterpret_cast<uint8_t *>(object);
    EXPECT_EQ(slm_journal_set(journal, byte, 0x1234), SLM_OK);
    EXPECT_EQ(*byte, 0x34);
    auto *flag = reinterpret_cast<bool *>(byte + 1);
    EXPECT_EQ(slm_journal_set(journal, flag, false), SLM_OK);
    EXPECT_FALSE(*flag);
}

TEST_F(JournalNumber, ACommitKeepsNumbersOfOneWordThatChangedOneAfterAnother)
{
    auto *bytes = reinterpret_cast<uint8_t *>(object);
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(slm_journal_set(journal, bytes + i, i), SLM_OK);
    }
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(slm_journal_add(journal, bytes + i, 10), SLM_OK);
    }
    slm_journal_abort(journal);
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(bytes[i], i);
    }
}

TEST_F(JournalNumber, ThePointerIsEvaluatedOnce)
{
    int n_calls = 0;
    auto next = [&] { return object + n_calls++; };
    EXPECT_EQ(slm_journal_set(journal, next(), 1), SLM_OK);
    EXPECT_EQ(slm_journal_add(journal, next(), 1), SLM_OK);
    EXPECT_EQ(n_calls, 2);
    EXPECT_EQ(object[0], 1u);
    EXPECT_EQ(object[1], UINT64_C(0x5a5a5a5a5a5a5a5b));
}

TEST_F(JournalNumber, ANewObjectTakesNoEntriesForItsNumbers)
{
    auto *fresh = static_cast<uint16_t *>(slm_journal_alloc(journal, 30));
    unsigned n = journal_n_entries(journal->log);
    EXPECT_EQ(slm_journal_set(journal, fresh + 14, 1), SLM_OK);
    EXPECT_EQ(journal_n_entries(journal->log), n);
}

TEST_F(JournalNumber, ALogWithoutRoomRefusesTheTransaction)
{
    auto *byte = reinterpret_cast<uint8_t *>(object);
    for (unsigned i = 0; i < kEntries; i++) {
        ASSERT_EQ(slm_journal_add(journal, byte, 1), SLM_OK);
    }
    EXPECT_EQ(slm_journal_add(journal, byte, 1), SLM_E_FULL);
    EXPECT_EQ(slm_journal_set(journal, byte, 1), SLM_E_FULL);
    EXPECT_EQ(slm_journal_commit(journal), SLM_E_FULL);
    EXPECT_EQ(stored(), std::string(64, 0x5a));
}

TEST(JournalNumberOff, AJournalThatIsOffStoresAndRefusesWrongNumbers)
{
    slm_journal off{};
    uint32_t words[2] = {5, 6};
    EXPECT_EQ(slm_journal_set(&off, &words[1], 7), SLM_OK);
    EXPECT_EQ(slm_journal_add(&off, &words[1], 1), SLM_OK);
    EXPECT_EQ(words[1], 8u);
    EXPECT_EQ(slm_journal_set_number(&off, reinterpret_cast<char *>(words) + 1, 4, 9), SLM_E_ALIGN);
    EXPECT_EQ(slm_journal_set_number(&off, words, 3, 9), SLM_E_SIZE);
    EXPECT_EQ(words[0], 5u);
    EXPECT_EQ(words[1], 8u);
}

} // namespace
