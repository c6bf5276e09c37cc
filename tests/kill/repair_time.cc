/* SPDX-License-Identifier: Apache-2.0 */
/* repair_time: how long the next locker waits until a dead holder's zone is repaired. */
#include <chrono>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern "C" {
#include "allocator/slab/view.h"
#include <slabmill/zone_image.h>
}

namespace {

constexpr unsigned kEntries = 20000; /* of a transaction */

double seconds_since(std::chrono::steady_clock::time_point start)
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

[[noreturn]] void stop(const char *what, const char *why)
{
    fprintf(stderr, "repair_time: %s: %s\n", what, why);
    exit(2);
}

void must(slm_status status, const char *what)
{
    if (status != SLM_OK) {
        stop(what, slm_status_text(status));
    }
}

slm_zone *create(size_t bytes)
{
    slm_zone *zone = nullptr;
    slm_error error;
    slm_zone_options options = {};
    options.name = "repair_time";
    options.bytes = bytes;
    options.journal_entries = kEntries;
    options.slab.min_object_bytes = 16;
    options.slab.per_doubling = 8;
    options.segment.kind = SLM_SEGMENT_ANONYMOUS;
    if (slm_zone_create(&zone, &options, &error) != SLM_OK) {
        stop("create", error.text);
    }
    return zone;
}

/* Allocates objects of 16 to 4096 bytes, small and large ones equally often, and runs, until only a
 * tenth of the pages is free. It writes nothing into them: backing is reserved but not touched, so
 * that a zone larger than the free memory can be measured. Then frees every third object, so that
 * spans and runs are filled to all degrees. */
size_t fill_with_many(slm_zone *zone)
{
    std::mt19937 random(1);
    std::vector<void *> objects;
    slm_journal *journal = slm_zone_journal(zone);
    struct slm_slab_stats stats;
    must(slm_zone_lock(zone), "lock");
    do {
        for (int i = 0; i < 256; i++) {
            size_t least = size_t{16} << random() % 8;
            size_t bytes = random() % 64 == 0 ? 5000 + random() % 60000 : least + random() % least;
            void *p = slm_journal_alloc(journal, bytes);
            if (p != nullptr) {
                objects.push_back(p);
            }
        }
        must(slm_zone_commit_locked(zone), "commit");
        slm_slab_get_stats(slm_zone_slab(zone), &stats);
    } while (stats.n_free_pages > stats.n_pages / 10);
    for (size_t i = 0; i < objects.size(); i += 3) {
        must(slm_journal_free(journal, objects[i]), "free");
        must(slm_zone_commit_locked(zone), "commit");
    }
    must(slm_zone_unlock(zone), "unlock");
    return objects.size() - (objects.size() + 2) / 3;
}

/* What is in a zone, and what its dead holder was doing. */
struct Shape {
    const char *name;
    size_t (*fill)(slm_zone *zone); /* returns the number of objects */
    void (*work)(slm_zone *zone);   /* under the lock, in a child that dies then */
};

size_t fill_with_a_run(slm_zone *zone)
{
    struct slm_slab_stats stats;
    must(slm_zone_lock(zone), "lock");
    slm_slab_get_stats(slm_zone_slab(zone), &stats);
    void *run = slm_journal_alloc(slm_zone_journal(zone), stats.n_pages / 10 * 9 * 4096);
    must(slm_zone_set_root_locked(zone, run), "root");
    must(slm_zone_unlock(zone), "unlock");
    return 1;
}

void note_words_at_the_end(slm_zone *zone)
{
    void *run = slm_zone_root_locked(zone);
    size_t bytes = slm_slab_usable_bytes(slm_zone_slab(zone), run);
    auto *end = reinterpret_cast<uint64_t *>(static_cast<unsigned char *>(run) + bytes);
    for (unsigned i = 0; i < kEntries && i < bytes / 8; i++) {
        must(slm_journal_write(slm_zone_journal(zone), end - 1 - i, i), "write");
    }
}

void allocate(slm_zone *zone, unsigned n, size_t bytes)
{
    while (n-- > 0 && slm_journal_alloc(slm_zone_journal(zone), bytes) != nullptr) {
    }
}

void allocate_a_few(slm_zone *zone)
{
    allocate(zone, 100, 100);
}

void allocate_pages(slm_zone *zone)
{
    allocate(zone, kEntries, 4096);
}

/* No death leaves that: an empty span after each free page. */
void forge_words(slm_zone *zone)
{
    slm_slab *slab = slm_zone_slab(zone);
    memset(slab->bitmaps, 0, size_t{slab->n_pages} * slab->words_per_page * sizeof(uint64_t));
    for (uint32_t i = 0; i < slab->n_pages; i++) {
        slab->pages[i].word = slab_word(i % 2 == 0 ? SLAB_FREE : SLAB_SPAN, 0, 1);
    }
}

size_t fill_with_nothing(slm_zone *)
{
    return 0;
}

const Shape kShapes[] = {
    {"objects of all sizes", fill_with_many, allocate_a_few},
    {"words of one run", fill_with_a_run, note_words_at_the_end},
    {"objects of a page", fill_with_nothing, allocate_pages},
    {"forged page words", fill_with_nothing, forge_words},
};

/* A child locks, works and dies. Returns the number of entries that it noted. */
uint64_t die_at_work(slm_zone *zone, const Shape &shape)
{
    pid_t child = fork();
    if (child == 0) {
        if (slm_zone_lock(zone) == SLM_OK) {
            shape.work(zone);
        }
        (void)kill(getpid(), SIGKILL);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        stop("fork", "no child");
    }
    slm_zone_image_notes notes;
    slm_zone_image_get_notes(slm_zone_journal(zone), &notes);
    return notes.n_noted;
}

struct Repair {
    uint64_t n_entries = 0;
    double seconds = 0;
};

/* Returns the longest of several times. */
Repair measure(slm_zone *zone, const Shape &shape)
{
    Repair longest;
    for (size_t i = 0; i < 5; i++) {
        struct slm_zone_stats before;
        struct slm_zone_stats after;
        slm_zone_get_stats(zone, &before);
        longest.n_entries = die_at_work(zone, shape);
        auto start = std::chrono::steady_clock::now();
        must(slm_zone_trylock(zone), "recovery");
        double seconds = seconds_since(start);
        must(slm_zone_unlock(zone), "unlock");
        slm_zone_get_stats(zone, &after);
        if (after.n_recoveries != before.n_recoveries + 1) {
            stop("recovery", "nothing was repaired");
        }
        longest.seconds = seconds > longest.seconds ? seconds : longest.seconds;
    }
    return longest;
}

void print_row(size_t bytes, const Shape &shape)
{
    slm_zone *zone = create(bytes);
    size_t n_objects = shape.fill(zone);
    Repair longest = measure(zone, shape);
    struct slm_slab_stats stats;
    slm_slab_get_stats(slm_zone_slab(zone), &stats);
    must(slm_zone_lock(zone), "lock");
    unsigned broken = slm_zone_check_locked(zone);
    must(slm_zone_unlock(zone), "unlock");
    if (broken != 0) {
        stop("recovery", "the zone breaks an invariant");
    }
    printf("%6zu %9zu %9zu %8" PRIu64 "  %-22s %9.3f %9.1f\n", bytes >> 20, stats.n_pages,
           n_objects, longest.n_entries, shape.name, longest.seconds * 1e3,
           longest.seconds * 1e9 / static_cast<double>(stats.n_pages));
    fflush(stdout);
    slm_zone_detach(zone);
}

size_t parse_mebibytes(const char *text)
{
    char *end = nullptr;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || value == 0 || value > (1u << 20)) {
        stop("usage: repair_time [MOST_MIB]", text);
    }
    return value;
}

} // namespace

int main(int n, char **words)
{
    size_t most = n > 1 ? parse_mebibytes(words[1]) : 4096;
    printf("%6s %9s %9s %8s  %-22s %9s %9s\n", "MiB", "pages", "objects", "entries", "shape",
           "most, ms", "ns/page");
    for (size_t mebibytes = 4; mebibytes <= most; mebibytes *= 4) {
        for (const Shape &shape : kShapes) {
            print_row(mebibytes << 20, shape);
        }
    }
    return 0;
}
