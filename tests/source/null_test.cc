/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of status.h for NULL, kept by every function of source.h that takes a pointer. */
#include <slabmill/source.h>

#include <gtest/gtest.h>

namespace {

TEST(SourceNull, VoidCallsReturn)
{
    slm_source_held held[2];
    slm_source_counting_init(nullptr, slm_source_heap());
    slm_source_failing_init(nullptr, slm_source_heap());
    slm_source_quarantine_init(nullptr, slm_source_heap(), held, 2, 100);
    slm_source_quarantine_release(nullptr);
}

void expect_heap_block(const slm_source *source)
{
    void *block = source->alloc(source->data, 100, 16);
    EXPECT_NE(block, nullptr);
    source->free(source->data, block, 100, 16);
}

TEST(SourceNull, NullUnderADecoratorMeansTheHeap)
{
    slm_source_counting counting;
    slm_source_failing failing;
    slm_source_quarantine quarantine;
    slm_source_held held[2];
    slm_source_counting_init(&counting, nullptr);
    slm_source_failing_init(&failing, nullptr);
    slm_source_quarantine_init(&quarantine, nullptr, held, 2, 1000);
    EXPECT_EQ(counting.under, slm_source_heap());
    EXPECT_EQ(failing.under, slm_source_heap());
    EXPECT_EQ(quarantine.under, slm_source_heap());
    expect_heap_block(&counting.source);
    expect_heap_block(&failing.source);
    expect_heap_block(&quarantine.source);
    EXPECT_EQ(quarantine.n_held, 1u);
    slm_source_quarantine_release(&quarantine);
}

TEST(SourceNull, AQuarantineWithoutARingHoldsNothing)
{
    slm_source_quarantine quarantine;
    slm_source_quarantine_init(&quarantine, slm_source_heap(), nullptr, 2, 1000);
    expect_heap_block(&quarantine.source);
    EXPECT_EQ(quarantine.n_held, 0u);
}

} // namespace
