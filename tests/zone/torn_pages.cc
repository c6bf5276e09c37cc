/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loss of power, many times: a session cache in a file, of which each page is the old or the new
 * one. A child opens each such image as a program does in the next boot, and works with it.
 * Usage: torn_pages [IMAGES [SEED]]. Prints how many were refused and how many of the others were
 * right: every blob is the one of its id. Exit status: 0; 1 if a child crashed or used a minute of
 * processor time; 2 if the zone could not be made.
 */
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <random>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "examples/session_cache/session_cache.h"
#include <slabmill/zone.h>

namespace {

constexpr size_t kBytes = 1 << 20;
constexpr size_t kPage = 4096;
constexpr unsigned kIds = 3000;
constexpr uint64_t kTtlMs = 1000000;
constexpr unsigned kMovesMost = 400;

using Bytes = std::vector<unsigned char>;

[[noreturn]] void fail(const char *what)
{
    perror(what);
    exit(2);
}

unsigned below(std::mt19937 *random, unsigned n)
{
    return static_cast<unsigned>((*random)() % n);
}

Bytes blob_of(unsigned id)
{
    Bytes blob(100 + id % 200);
    for (size_t i = 0; i < blob.size(); i++) {
        blob[i] = static_cast<unsigned char>(id * 31 + 7 + i / 16);
    }
    return blob;
}

/* Puts, removes and looks up at random. False: a blob is not the one of its id. */
bool work(slm_zone *zone, std::mt19937 *random, unsigned n_moves, uint64_t now_ms)
{
    Bytes found(1000);
    for (unsigned i = 0; i < n_moves; i++) {
        unsigned id = below(random, kIds);
        Bytes blob = blob_of(id);
        slm_session session;
        switch (below(random, 4)) {
        case 0:
        case 1:
            (void)slm_session_cache_put(zone, &id, sizeof id, blob.data(), blob.size(), kTtlMs,
                                        now_ms + i);
            break;
        case 2:
            (void)slm_session_cache_remove(zone, &id, sizeof id);
            break;
        default:
            if (slm_session_cache_get(zone, &id, sizeof id, now_ms, found.data(), found.size(),
                                      &session) == SLM_OK &&
                (session.n_bytes != blob.size() ||
                 memcmp(found.data(), blob.data(), blob.size()) != 0)) {
                return false;
            }
        }
    }
    return true;
}

bool all_right(slm_zone *zone)
{
    Bytes found(1000);
    for (unsigned id = 0; id < kIds; id++) {
        slm_session session;
        Bytes blob = blob_of(id);
        if (slm_session_cache_get(zone, &id, sizeof id, 1, found.data(), found.size(), &session) ==
                SLM_OK &&
            (session.n_bytes != blob.size() ||
             memcmp(found.data(), blob.data(), blob.size()) != 0)) {
            return false;
        }
    }
    return true;
}

enum slm_status check_sessions(slm_zone *zone, void *)
{
    return slm_session_cache_check_locked(zone) == 0 ? SLM_OK : SLM_E_IMAGE;
}

enum Outcome { RIGHT, REFUSED, WRONG };

/* In a child: a program of the next boot. */
Outcome use(const char *path, unsigned seed)
{
    slm_zone *zone = nullptr;
    slm_zone_attach_options options{};
    options.segment.kind = SLM_SEGMENT_FILE;
    options.segment.name = path;
    options.is_unused = true;
    options.check_content = check_sessions;
    if (slm_zone_attach(&zone, &options, nullptr) != SLM_OK) {
        return REFUSED;
    }
    slm_status status = slm_zone_lock(zone);
    if (status != SLM_OK) {
        return REFUSED;
    }
    (void)slm_zone_unlock(zone);
    std::mt19937 random(seed);
    return all_right(zone) && work(zone, &random, 2000, 100000) ? RIGHT : WRONG;
}

struct Counts {
    unsigned n[3] = {0, 0, 0};
    unsigned n_crashed = 0;
    unsigned n_hung = 0;
};

void try_image(const char *path, unsigned seed, Counts *counts)
{
    pid_t child = fork();
    if (child < 0) {
        fail("fork");
    }
    if (child == 0) {
        struct rlimit minute = {60, 60};
        (void)setrlimit(RLIMIT_CPU, &minute);
        _exit(use(path, seed));
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) {
        fail("waitpid");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) <= WRONG) {
        counts->n[WEXITSTATUS(status)]++;
    } else if (WIFSIGNALED(status) &&
               (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL)) {
        counts->n_hung++;
        printf("seed %u: used a minute of processor time\n", seed);
    } else {
        counts->n_crashed++;
        printf("seed %u: crashed, wait status %d\n", seed, status);
    }
}

Bytes read_file(const char *path)
{
    Bytes bytes(kBytes);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, bytes.data(), kBytes) != static_cast<ssize_t>(kBytes)) {
        fail(path);
    }
    close(fd);
    return bytes;
}

void write_file(const char *path, const Bytes &bytes)
{
    (void)unlink(path);
    int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);
    if (fd < 0 || write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
        fail(path);
    }
    close(fd);
}

/* Between two times at which all was on the disk a cache lives on for a random number of moves. */
class Cache {
  public:
    explicit Cache(const std::string &folder, unsigned seed)
        : path_(folder + "/zone"), random_(seed)
    {
        slm_zone_options options{};
        options.name = "sessions";
        options.bytes = kBytes;
        options.segment.kind = SLM_SEGMENT_FILE;
        options.segment.name = path_.c_str();
        slm_error error;
        if (slm_zone_create(&zone_, &options, &error) != SLM_OK) {
            fprintf(stderr, "%s\n", error.text);
            exit(2);
        }
        (void)slm_session_cache_init(zone_);
        (void)work(zone_, &random_, 4000, 1);
        before_ = read_file(path_.c_str());
    }
    ~Cache()
    {
        slm_zone_detach(zone_);
        (void)unlink(path_.c_str());
    }
    Cache(const Cache &) = delete;
    Cache &operator=(const Cache &) = delete;

    void live_on()
    {
        if (!after_.empty()) {
            before_ = after_;
        }
        (void)work(zone_, &random_, 1 + below(&random_, kMovesMost), 1);
        after_ = read_file(path_.c_str());
    }
    /* Each page old or new. */
    Bytes torn()
    {
        Bytes image = before_;
        unsigned per_hundred = 1 + below(&random_, 99);
        for (size_t at = 0; at < kBytes; at += kPage) {
            if (below(&random_, 100) < per_hundred) {
                std::copy_n(after_.begin() + static_cast<long>(at), kPage,
                            image.begin() + static_cast<long>(at));
            }
        }
        return image;
    }

  private:
    std::string path_;
    std::mt19937 random_;
    slm_zone *zone_ = nullptr;
    Bytes before_, after_;
};

} // namespace

int main(int argc, char **argv)
{
    unsigned n_images = argc > 1 ? static_cast<unsigned>(strtoul(argv[1], nullptr, 10)) : 200;
    unsigned seed = argc > 2 ? static_cast<unsigned>(strtoul(argv[2], nullptr, 10)) : 1;
    const char *base = getenv("TEST_TMPDIR");
    std::string folder = std::string(base == nullptr ? "/tmp" : base) + "/torn_pages.XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) {
        fail("mkdtemp");
    }
    std::string image = folder + "/image";
    Counts counts;
    {
        Cache cache(folder, seed);
        for (unsigned i = 0; i < n_images; i++) {
            if (i % 20 == 0) {
                cache.live_on();
            }
            write_file(image.c_str(), cache.torn());
            try_image(image.c_str(), seed + i, &counts);
        }
    }
    (void)unlink(image.c_str());
    (void)rmdir(folder.c_str());
    printf("%u images: refused %u, accepted %u, of these right %u; crashed %u, hung %u\n", n_images,
           counts.n[REFUSED], n_images - counts.n[REFUSED], counts.n[RIGHT], counts.n_crashed,
           counts.n_hung);
    return counts.n_crashed + counts.n_hung == 0 ? 0 : 1;
}
