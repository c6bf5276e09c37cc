/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill inspect: the order of the classes, and which are shown. */
#include <algorithm>

#include "tests/slabmill/inspect_fixture.h"

namespace {

using namespace inspecttest;

class InspectTable : public Inspect {
  protected:
    struct Row {
        size_t chunk_bytes;
        size_t waste_bytes;
        bool is_empty;
    };

    /* What the table should have, of the zone itself. */
    std::vector<Row> Sorted() const
    {
        std::vector<Row> rows;
        slm_slab_stats stats = {};
        slm_slab_get_stats(slm_zone_slab(zone_), &stats);
        for (unsigned i = 0; i < stats.n_classes; i++) {
            slm_slab_class_stats own = {};
            EXPECT_EQ(slm_slab_get_class_stats(slm_zone_slab(zone_), i, &own), SLM_OK);
            rows.push_back({own.chunk_bytes, 0, own.n_spans == 0 && own.n_failures == 0});
        }
        slm_slab_walk_locked(
            slm_zone_slab(zone_),
            [](void *data, const slm_slab_extent *extent) {
                if (extent->kind == SLM_SLAB_EXTENT_SPAN) {
                    Row &row = (*static_cast<std::vector<Row> *>(data))[extent->class_idx];
                    row.waste_bytes += extent->n_pages * 4096 - extent->n_used * row.chunk_bytes;
                }
                return true;
            },
            &rows);
        std::sort(rows.begin(), rows.end(), [](const Row &a, const Row &b) {
            return a.waste_bytes != b.waste_bytes ? a.waste_bytes > b.waste_bytes
                                                  : a.chunk_bytes < b.chunk_bytes;
        });
        return rows;
    }

    /* The columns "chunk" and "waste" of each class that is printed. */
    static std::string Printed(const std::string &out)
    {
        const std::string caption =
            "classes   by waste, most first: bytes of their pages that no object has\n";
        size_t at = out.find(caption);
        EXPECT_NE(at, std::string::npos) << out;
        std::istringstream lines(out.substr(at == std::string::npos ? 0 : at + caption.size()));
        std::string line;
        std::string printed;
        std::getline(lines, line); /* the names of the columns */
        while (std::getline(lines, line) && !Has(line, "whole pages")) {
            std::istringstream words(line);
            std::string word[6];
            for (std::string &one : word) {
                words >> one;
            }
            printed += word[0] + " " + word[5] + "\n";
        }
        return printed;
    }
};

TEST_F(InspectTable, SortsByWasteAndHidesEmptyClassesUnlessAllAreAskedFor)
{
    std::string path = Make();
    void *gone = slm_zone_alloc(zone_, 3000, nullptr);
    EXPECT_EQ(slm_zone_free(zone_, gone), SLM_OK);
    while (slm_zone_alloc(zone_, 4096, nullptr) != nullptr) {
    }
    while (slm_zone_alloc(zone_, 560, nullptr) != nullptr) {
    }
    slm_slab_class_stats refused = {};
    int refused_idx = slm_slab_class_of(slm_zone_slab(zone_), 560);
    ASSERT_EQ(slm_slab_get_class_stats(slm_zone_slab(zone_), static_cast<unsigned>(refused_idx),
                                       &refused),
              SLM_OK);
    EXPECT_EQ(refused.n_spans, 0u) << "a class with a refusal and no page";
    EXPECT_EQ(refused.n_failures, 1u);
    std::string all;
    std::string shown;
    unsigned n_empty = 0;
    for (const Row &row : Sorted()) {
        std::string line =
            std::to_string(row.chunk_bytes) + " " + std::to_string(row.waste_bytes) + "\n";
        all += line;
        shown += row.is_empty ? "" : line;
        n_empty += row.is_empty;
    }
    std::string hidden = std::to_string(n_empty) + " empty classes not shown (--all shows them)\n";
    EXPECT_GT(n_empty, 1u);
    EXPECT_TRUE(Has(shown, std::to_string(refused.chunk_bytes) + " 0\n")) << shown;
    std::string out = Run({path}).out;
    EXPECT_EQ(Printed(out), shown);
    EXPECT_TRUE(Has(out, "\n" + hidden)) << out;
    std::string out_all = Run({"--all", path}).out;
    EXPECT_EQ(Printed(out_all), all);
    EXPECT_FALSE(Has(out_all, "not shown")) << out_all;
    EXPECT_EQ(Python(Run({"--json", path}).out,
                     "sorted((of['waste_bytes'], of['chunk_bytes']) for of in look['classes'] "
                     "if of['waste_bytes'])[-1]"),
              "(" + std::to_string(Sorted()[0].waste_bytes) + ", " +
                  std::to_string(Sorted()[0].chunk_bytes) + ")");
}

} /* namespace */
