/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kill/picture.h"

#include <algorithm>
#include <cstring>

namespace kill_test {
namespace {

class Walk {
  public:
    Walk(slm_slab *slab, Picture *picture) : slab_(slab), picture_(picture)
    {
        slm_slab_get_stats(slab_, &stats_);
        picture_->classes.resize(stats_.n_classes);
        picture_->peak_used_pages = stats_.peak_used_pages;
    }

    void run()
    {
        for (size_t page = 0; page < stats_.n_pages;) {
            slm_slab_place place;
            slm_slab_locate(slab_, page_at(page), &place);
            page += take(place, page);
        }
    }

  private:
    unsigned char *page_at(size_t page)
    {
        return static_cast<unsigned char *>(slm_slab_pointer(slab_, stats_.metadata_bytes)) +
               page * stats_.page_bytes;
    }

    /* Returns how many pages the run takes, at least 1, so that the walk of a damaged slab ends
     * too. */
    size_t take(const slm_slab_place &place, size_t page)
    {
        size_t n_pages = std::max<size_t>(place.span_pages, 1);
        switch (place.kind) {
        case SLM_SLAB_FREE_PAGE:
            n_pages = std::max<size_t>(place.object_bytes / stats_.page_bytes, 1);
            picture_->n_free_pages += n_pages;
            picture_->longest_free_run_pages = std::max(picture_->longest_free_run_pages, n_pages);
            break;
        case SLM_SLAB_RUN:
            add_object(place);
            picture_->n_runs++;
            picture_->n_run_pages += n_pages;
            break;
        case SLM_SLAB_CHUNK_USED:
        case SLM_SLAB_CHUNK_FREE:
            take_span(place, page, n_pages);
            break;
        default:
            break;
        }
        return n_pages;
    }

    void take_span(const slm_slab_place &span, size_t page, size_t n_pages)
    {
        ClassCount &counts = picture_->classes[span.class_idx];
        const unsigned char *at = page_at(page);
        const unsigned char *end = at + n_pages * stats_.page_bytes;
        size_t n_used = 0;
        for (; at + span.object_bytes <= end; at += span.object_bytes) {
            slm_slab_place chunk;
            slm_slab_locate(slab_, at, &chunk);
            counts.n_chunks++;
            if (chunk.kind == SLM_SLAB_CHUNK_USED) {
                add_object(chunk);
                n_used++;
            }
        }
        counts.n_spans++;
        counts.n_used += n_used;
        picture_->n_kept_pages += n_used == 0 ? n_pages : 0;
    }

    void add_object(const slm_slab_place &place)
    {
        picture_->objects.push_back(
            {slm_slab_offset(slab_, place.object), place.object_bytes,
             std::string(static_cast<const char *>(place.object), place.object_bytes)});
    }

    slm_slab *slab_;
    Picture *picture_;
    struct slm_slab_stats stats_;
};

std::string differs(const std::string &what, size_t said, size_t counted)
{
    return said == counted ? ""
                           : what + ": the slab reports " + std::to_string(said) + ", there are " +
                                 std::to_string(counted);
}

std::string compare_class(slm_slab *slab, unsigned idx, const ClassCount &counted)
{
    struct slm_slab_class_stats said;
    if (slm_slab_get_class_stats(slab, idx, &said) != SLM_OK) {
        return "class " + std::to_string(idx) + " has no statistics";
    }
    std::string name = " of class " + std::to_string(idx);
    std::string wrong = differs("spans" + name, said.n_spans, counted.n_spans);
    wrong = wrong.empty() ? differs("chunks" + name, said.n_chunks, counted.n_chunks) : wrong;
    return wrong.empty() ? differs("used chunks" + name, said.n_used, counted.n_used) : wrong;
}

} // namespace

Picture take_picture(slm_zone *zone)
{
    Picture picture;
    struct slm_zone_stats stats;
    slm_slab *slab = slm_zone_slab(zone);
    Walk(slab, &picture).run();
    slm_zone_get_stats(zone, &stats);
    picture.zone_bytes = stats.bytes;
    picture.root = slm_slab_offset(slab, slm_zone_root_locked(zone));
    return picture;
}

std::string compare_statistics(slm_zone *zone, const Picture &picture)
{
    slm_slab *slab = slm_zone_slab(zone);
    struct slm_slab_stats said;
    slm_slab_get_stats(slab, &said);
    const struct {
        const char *what;
        size_t said;
        size_t counted;
    } rows[] = {
        {"free pages", said.n_free_pages, picture.n_free_pages},
        {"kept pages", said.n_kept_pages, picture.n_kept_pages},
        {"runs", said.n_runs, picture.n_runs},
        {"pages of runs", said.n_run_pages, picture.n_run_pages},
        {"longest free run", said.longest_free_run_pages, picture.longest_free_run_pages},
    };
    std::string wrong;
    for (const auto &row : rows) {
        wrong = wrong.empty() ? differs(row.what, row.said, row.counted) : wrong;
    }
    for (unsigned i = 0; wrong.empty() && i < said.n_classes; i++) {
        wrong = compare_class(slab, i, picture.classes[i]);
    }
    return wrong;
}

std::string describe_difference(const Picture &wanted, const Picture &found)
{
    if (wanted.zone_bytes != found.zone_bytes) {
        return differs("bytes", found.zone_bytes, wanted.zone_bytes);
    }
    if (wanted.root != found.root) {
        return differs("root", found.root, wanted.root);
    }
    if (wanted.objects.size() != found.objects.size()) {
        return differs("objects", found.objects.size(), wanted.objects.size());
    }
    for (size_t i = 0; i < wanted.objects.size(); i++) {
        if (!(wanted.objects[i] == found.objects[i])) {
            return "object " + std::to_string(i) + " at offset " +
                   std::to_string(wanted.objects[i].offset) + " differs";
        }
    }
    return "nothing differs";
}

} // namespace kill_test
