/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kill/world.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <unistd.h>

#include "tests/kill/peek.h"

namespace kill_test {

void expect(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "a scenario cannot be set up: %s\n", what);
        abort();
    }
}

Item *item_of(slm_rbtree_node *node)
{
    return reinterpret_cast<Item *>(reinterpret_cast<char *>(node) - offsetof(Item, node));
}

static uint64_t key_of(const slm_rbtree_node *node)
{
    return item_of(const_cast<slm_rbtree_node *>(node))->key;
}

static int compare_keys(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

extern "C" int order_items(const slm_rbtree_node *a, const slm_rbtree_node *b)
{
    return compare_keys(key_of(a), key_of(b));
}

extern "C" int compare_item(const void *key, const slm_rbtree_node *node)
{
    return compare_keys(*static_cast<const uint64_t *>(key), key_of(node));
}

/* Makes a unique file for each world. */
static std::string new_lock_path()
{
    const char *folder = getenv("TEST_TMPDIR");
    std::string path = std::string(folder == nullptr ? "/tmp" : folder) + "/kill_lock_XXXXXX";
    int fd = mkstemp(path.data());
    expect(fd >= 0, path.c_str());
    close(fd);
    return path;
}

/* In memory, so that no disk holds up who has the lock. */
static std::string new_folder()
{
    std::string path = "/dev/shm/kill_XXXXXX";
    expect(mkdtemp(path.data()) != nullptr, path.c_str());
    return path;
}

World::World(const Shape &shape) : kind_(shape.kind)
{
    slm_error error;
    slm_zone_options options = {};
    options.name = "kill";
    options.bytes = shape.bytes;
    options.max_bytes = shape.max_bytes;
    options.slab.per_doubling = shape.per_doubling;
    options.journal_entries = shape.journal_entries;
    options.lock_kind = shape.lock;
    if (shape.lock == SLM_LOCK_FILE) {
        lock_path_ = new_lock_path();
    }
    options.lock_path = lock_path_.c_str();
    if (kind_ == SLM_SEGMENT_POSIX) {
        name_ = "kill_" + std::to_string(getpid());
    } else if (kind_ == SLM_SEGMENT_FILE) {
        folder_ = new_folder();
        name_ = folder_ + "/zone";
    }
    options.segment = place();
    expect(slm_zone_create(&theirs_, &options, &error) == SLM_OK, error.text);
    ours_ = attach(&error);
    expect(ours_ != nullptr, error.text);
    expect(slm_zone_root_locked(ours_) == nullptr, "a new zone has a root");
    expect(kill_peek_base(ours_) != kill_peek_base(theirs_),
           "both mappings are at the same address");
}

slm_segment_options World::place() const
{
    slm_segment_options place = {};
    place.kind = kind_;
    place.name = name_.empty() ? nullptr : name_.c_str();
    return place;
}

slm_zone *World::attach(slm_error *error) const
{
    slm_zone *zone = nullptr;
    slm_zone_attach_options options = {};
    options.segment = place();
    options.segment.id = slm_segment_id(slm_zone_segment(theirs_));
    options.lock_path = lock_path_.c_str();
    (void)slm_zone_attach(&zone, &options, error);
    return zone;
}

unsigned World::count_files() const
{
    unsigned n = 0;
    for (const auto &entry : std::filesystem::directory_iterator(folder_)) {
        n += entry.is_regular_file();
    }
    return n;
}

std::string World::follow()
{
    slm_error error;
    if (name_.empty() || slm_segment_verify(slm_zone_segment(ours_), nullptr) == SLM_OK) {
        return "";
    }
    if (slm_zone_timedlock(ours_, 10000) != SLM_E_REPLACED) {
        return "the earlier zone can be locked";
    }
    slm_zone_detach(ours_);
    ours_ = attach(&error);
    return ours_ != nullptr ? "" : error.text;
}

World::~World()
{
    if (!name_.empty()) {
        slm_segment_options named = place();
        kill_peek_remove_leftovers(ours_);
        (void)slm_segment_remove(&named, nullptr);
    }
    slm_zone_detach(ours_);
    slm_zone_detach(theirs_);
    if (!lock_path_.empty()) {
        unlink(lock_path_.c_str());
    }
    if (!folder_.empty()) {
        rmdir(folder_.c_str());
    }
}

void World::force_dead_owner()
{
    if (kill_peek_lock_kind(ours_) == SLM_LOCK_SPIN_SEM) {
        (void)slm_lock_force_unlock(slm_zone_lock_handle(ours_), 0);
    }
}

void World::save()
{
    const auto *from = static_cast<const unsigned char *>(kill_peek_base(ours_));
    saved_.assign(from, from + slm_segment_bytes(slm_zone_segment(ours_)));
}

void World::restore()
{
    memcpy(kill_peek_base(ours_), saved_.data(), saved_.size());
}

void World::commit()
{
    expect(slm_zone_commit_locked(ours_) == SLM_OK, "the journal is full");
}

size_t World::get(size_t bytes)
{
    void *p = slm_journal_alloc(slm_zone_journal(ours_), bytes);
    expect(p != nullptr, "there is no room for an object");
    memset(p, static_cast<int>(objects_.size() % 250 + 1), bytes);
    commit();
    objects_.push_back(slm_journal_offset(slm_zone_journal(ours_), p));
    return objects_.size() - 1;
}

void World::put(size_t idx)
{
    expect(slm_journal_free(slm_zone_journal(ours_), at(ours_, idx)) == SLM_OK,
           "an object could not be freed");
    commit();
}

void World::fill(size_t n_left)
{
    struct slm_slab_stats stats;
    slm_slab_get_stats(slm_zone_slab(ours_), &stats);
    while (stats.n_free_pages > n_left) {
        size_t n_over = stats.n_free_pages - n_left;
        size_t n_pages = stats.longest_free_run_pages;
        get((n_over < n_pages ? n_over : n_pages) * stats.page_bytes);
        slm_slab_get_stats(slm_zone_slab(ours_), &stats);
    }
    expect(stats.n_free_pages == n_left, "not exactly so many pages can be left free");
}

void World::make_top()
{
    void *p = slm_journal_calloc(slm_zone_journal(ours_), sizeof(Top));
    expect(p != nullptr && slm_zone_set_root_locked(ours_, p) == SLM_OK, "no root");
    commit();
}

size_t World::make_item(uint64_t key)
{
    auto *made = static_cast<Item *>(slm_journal_calloc(slm_zone_journal(ours_), sizeof(Item)));
    expect(made != nullptr, "there is no room for an item");
    made->key = key;
    has_items_ = true;
    commit();
    objects_.push_back(slm_journal_offset(slm_zone_journal(ours_), made));
    return objects_.size() - 1;
}

void World::link_item(size_t idx)
{
    Top *head = top(ours_);
    Item *made = item(ours_, idx);
    expect(slm_rbtree_insert(slm_zone_journal(ours_), &head->tree, &made->node, order_items) ==
                   SLM_OK &&
               slm_lru_insert(slm_zone_journal(ours_), &head->lru, &made->used) == SLM_OK,
           "an item cannot be linked");
    commit();
}

void *World::at(slm_zone *zone, size_t idx) const
{
    return slm_journal_pointer(slm_zone_journal(zone), objects_[idx]);
}

Item *World::item(slm_zone *zone, size_t idx) const
{
    return static_cast<Item *>(at(zone, idx));
}

Top *World::top(slm_zone *zone) const
{
    return static_cast<Top *>(slm_zone_root_locked(zone));
}

} // namespace kill_test
