/* SPDX-License-Identifier: Apache-2.0 */
/* repair_time: how long the next locker waits until a dead holder's zone is repaired. */
#include <chrono>
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
#include <slabmill/zone.h>
}

namespace {

/* Allocates objects of 16 to 4096 bytes, small and large ones equally often, and runs. It writes
 * nothing into them: backing is reserved but not touched, so that a zone larger than the free
 * memory can be measured. */
struct Filled {
    size_t n_objects = 0;
    double seconds = 0;
};

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
    options.slab.min_object_bytes = 16;
    options.slab.per_doubling = 8;
    options.segment.kind = SLM_SEGMENT_ANONYMOUS;
    if (slm_zone_create(&zone, &options, &error) != SLM_OK) {
        stop("create", error.text);
    }
    return zone;
}

/* Allocates until only a tenth of the pages is free. Then frees every third object, so that spans
 * and runs are filled to all degrees. */
Filled fill(slm_zone *zone)
{
    auto start = std::chrono::steady_clock::now();
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
    return {objects.size() - (objects.size() + 2) / 3, seconds_since(start)};
}

/* A child dies in a transaction that has some entries. */
void die_in_transaction(slm_zone *zone)
{
    pid_t child = fork();
    if (child == 0) {
        if (slm_zone_lock(zone) == SLM_OK) {
            for (int i = 0; i < 100; i++) {
                (void)slm_journal_alloc(slm_zone_journal(zone), 100);
            }
        }
        (void)kill(getpid(), SIGKILL);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        stop("fork", "no child");
    }
}

/* Returns the shortest of several times: the rest is other work of the machine. */
double measure(slm_zone *zone, size_t bytes)
{
    double best = 1e9;
    size_t n_times = bytes <= (size_t{64} << 20) ? 9 : 3;
    for (size_t i = 0; i < n_times; i++) {
        struct slm_zone_stats before;
        struct slm_zone_stats after;
        slm_zone_get_stats(zone, &before);
        die_in_transaction(zone);
        auto start = std::chrono::steady_clock::now();
        must(slm_zone_trylock(zone), "recovery");
        double seconds = seconds_since(start);
        must(slm_zone_unlock(zone), "unlock");
        slm_zone_get_stats(zone, &after);
        if (after.n_undone != before.n_undone + 1) {
            stop("recovery", "no transaction was undone");
        }
        best = seconds < best ? seconds : best;
    }
    return best;
}

void print_row(size_t bytes)
{
    slm_zone *zone = create(bytes);
    Filled filled = fill(zone);
    double seconds = measure(zone, bytes);
    struct slm_slab_stats stats;
    slm_slab_get_stats(slm_zone_slab(zone), &stats);
    must(slm_zone_lock(zone), "lock");
    unsigned broken = slm_zone_check_locked(zone);
    must(slm_zone_unlock(zone), "unlock");
    if (broken != 0) {
        stop("recovery", "the zone breaks an invariant");
    }
    printf("%6zu %9zu %9zu %12.3f %9.1f\n", bytes >> 20, stats.n_pages, filled.n_objects,
           seconds * 1e3, seconds * 1e9 / static_cast<double>(stats.n_pages));
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
    printf("%6s %9s %9s %12s %9s\n", "MiB", "pages", "objects", "repair, ms", "ns/page");
    for (size_t mebibytes = 1; mebibytes <= most; mebibytes *= 4) {
        print_row(mebibytes << 20);
    }
    return 0;
}
