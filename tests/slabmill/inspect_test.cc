/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill inspect, run by its command line on zones that other processes use and leave. */
#include "tests/slabmill/inspect_fixture.h"

namespace {

using namespace inspecttest;

/* --- Zones that do not change --- */

TEST_F(Inspect, ShowsThatAZoneIsSound)
{
    std::string path = Make();
    Done done = Run({path});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "\"keys\", tag \"test\", in " + path)) << done.out;
    EXPECT_TRUE(Has(done.out, "size      1 MiB; layout version 1\n"));
    EXPECT_TRUE(Has(done.out, "robust: not held; no waiters"));
    EXPECT_TRUE(Has(done.out, "journal   0 of 1024 entries noted\n"));
    EXPECT_TRUE(Has(done.out, "every invariant holds"));
}

TEST_F(Inspect, ShowsTheZonesOwnFigures)
{
    std::string path = Make();
    EXPECT_EQ(slm_zone_alloc(zone_, kBytes, nullptr), nullptr);
    struct slm_slab_stats stats;
    slm_slab_get_stats(slm_zone_slab(zone_), &stats);
    std::string out = Run({"--json", path}).out;
    std::ostringstream expected;
    for (unsigned i = 0; i < stats.n_classes; i++) {
        struct slm_slab_class_stats own;
        ASSERT_EQ(slm_slab_get_class_stats(slm_zone_slab(zone_), i, &own), SLM_OK);
        expected << own.chunk_bytes << ' ' << own.n_spans << ' ' << own.n_chunks << ' '
                 << own.n_used << ' ' << own.n_requests << ' ' << own.n_failures << ' ';
    }
    expected << stats.n_pages << ' ' << stats.n_free_pages << ' ' << stats.n_runs << ' '
             << stats.run_failures << ' ' << stats.longest_free_run_pages;
    EXPECT_EQ(stats.run_failures, 1u);
    EXPECT_EQ(Python(out, "*[of[key] for of in look['classes'] for key in ('chunk_bytes', 'spans', "
                          "'chunks', 'used', 'requests', 'failures')], look['pages']['all'], "
                          "look['pages']['free'], look['runs']['live'], look['runs']['failures'], "
                          "look['free_runs']['longest']"),
              expected.str());
    EXPECT_EQ(Python(out, "sum(run['runs'] for run in look['free_runs']['lengths']) == "
                          "look['free_runs']['count'] and "
                          "abs(look['free_runs']['fragmentation'] - (1 - look['free_runs']"
                          "['longest'] / look['pages']['free'])) < 0.001"),
              "True");
    EXPECT_EQ(Python(out, "look['sound'], look['moment'], look['broken'], look['repair_due']"),
              "True settled 0 False");
}

TEST_F(Inspect, ShowsTheWordsOfTheRoot)
{
    std::string path = Make();
    std::string none = Run({"--json", path}).out;
    bool has_root = slm_zone_root_locked(zone_) != nullptr;
    EXPECT_EQ(Python(none, "look['root'] is None"), has_root ? "False" : "True");

    ASSERT_EQ(slm_zone_lock(zone_), SLM_OK);
    auto *root = static_cast<uint64_t *>(slm_journal_calloc(slm_zone_journal(zone_), 1000));
    ASSERT_NE(root, nullptr);
    root[0] = 5;
    root[63] = UINT64_MAX;
    root[64] = 7; /* one past those that are shown */
    ASSERT_EQ(slm_zone_end(zone_, slm_zone_set_root_locked(zone_, root)), SLM_OK);
    size_t bytes = slm_slab_usable_bytes(slm_zone_slab(zone_), root);
    std::string out = Run({"--json", path}).out;
    EXPECT_EQ(Python(out, "look['root']['bytes'], len(look['root']['words']), "
                          "look['root']['words'][0], look['root']['words'][1], "
                          "look['root']['words'][63]"),
              std::to_string(bytes) + " 64 5 0 18446744073709551615");
    EXPECT_TRUE(Has(Run({path}).out, "root      an object of "));

    ASSERT_EQ(slm_zone_lock(zone_), SLM_OK);
    EXPECT_EQ(Python(Run({"--json", path}).out, "look['root']"), "None") << "unsettled";
    ASSERT_EQ(slm_zone_unlock(zone_), SLM_OK);
}

TEST_F(Inspect, ChangesNothingNotEvenTheTime)
{
    std::string path = Make();
    ExpectUnchanged(path, [&] {
        for (const char *option : {"--json", "--svg=/dev/null"}) {
            EXPECT_EQ(Run({option, path}).status, 0);
        }
    });
}

TEST_F(Inspect, OpensZonesOfEveryKindByTheirExportedNames)
{
    for (enum slm_segment_kind kind :
         {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_SYSV, SLM_SEGMENT_FILE}) {
        std::string name = "inspect-" + std::to_string(getpid());
        std::string segment = kind == SLM_SEGMENT_FILE ? Path("exported") : name;
        slm_zone_options options = Options(name.c_str());
        options.segment.kind = kind;
        options.segment.name = segment.c_str();
        slm_zone *zone;
        slm_error error;
        ASSERT_EQ(slm_zone_create(&zone, &options, &error), SLM_OK) << error.text;
        char text[SLM_ZONE_EXPORT_BYTES];
        ASSERT_EQ(slm_zone_export(zone, text, &error), SLM_OK) << error.text;
        std::vector<std::string> ways = {text};
        if (kind == SLM_SEGMENT_MEMFD) {
            ways.push_back("memfd:" + std::to_string(getpid()) + ":" +
                           std::to_string(slm_segment_id(slm_zone_segment(zone))));
        } else if (kind == SLM_SEGMENT_POSIX) {
            ways.insert(ways.end(), {"posix:" + name, "posix:/" + name, "/dev/shm/" + name});
        }
        for (const std::string &way : ways) {
            Done done = Run({way});
            EXPECT_EQ(done.status, 0) << way << done.err;
            EXPECT_TRUE(Has(done.out, "\"" + name + "\"")) << way << done.out;
        }
        slm_zone_detach(zone);
        if (kind == SLM_SEGMENT_POSIX) {
            EXPECT_EQ(slm_segment_remove(&options.segment, &error), SLM_OK) << error.text;
        }
    }
}

TEST_F(Inspect, NeedsNoLockFileForAFileLock)
{
    slm_zone_options options = Options();
    std::string lock_path = Path("lock");
    options.lock_kind = SLM_LOCK_FILE;
    options.lock_path = lock_path.c_str();
    std::string path = Make(options);
    std::filesystem::remove(lock_path);
    Done done = Run({path});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "file: not held")) << done.out;
    EXPECT_FALSE(std::filesystem::exists(lock_path));
}

/* A name of any bytes, and how each output shows it. */
const char kBytesOfAName[] =
    "a\"b\\c<d>&\x01\x1b\xff\xc3\xa9\xed\xa0\x80\xc0\xaf\xef\xbf\xbf\xc2\x9b";
const char kNameShown[] = R"(a"b\\c<d>&\x01\x1b\xff)"
                          "\xc3\xa9"
                          R"(\xed\xa0\x80\xc0\xaf\xef\xbf\xbf\xc2\x9b)";

TEST_F(Inspect, ZoneIsNotReplacedByItsMap)
{
    std::string path = Make();
    std::string before = ReadFile(path);
    std::string link = Path("link");
    ASSERT_EQ(symlink("zone", link.c_str()), 0);
    for (const std::string &map : {path, link}) {
        ExpectWrong({"--svg", map, path},
                    map + ": it is the file to read, " + path + ", and would be lost");
    }
    EXPECT_EQ(ReadFile(path), before);
    std::string other = Path("earlier");
    std::ofstream(other) << "earlier";
    ASSERT_EQ(Run({"--svg", other, path}).status, 0);
    EXPECT_EQ(ReadFile(other).substr(0, 4), "<svg");
}

TEST_F(Inspect, NamesOfAnyBytesAreEscapedAlikeInJsonAndMaps)
{
    std::string path = Make(Options(kBytesOfAName), "a\x1b[2J\n");
    std::string svg = Path("map.svg");
    Done done = Run({"--json", "--svg", svg, path});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(Python(done.out, "look['name']"), kNameShown);
    EXPECT_EQ(Python(done.out, "look['zone']"), Path(R"(a\x1b[2J\x0a)"));
    Done title = RunCommand({"python3", "-c",
                             "import sys, xml.dom.minidom as dom\n"
                             "print(dom.parse(sys.argv[1]).getElementsByTagName('title')[0]"
                             ".firstChild.data)",
                             svg});
    EXPECT_EQ(title.out, std::string("Zone ") + kNameShown + "\n") << title.err;
}

TEST_F(Inspect, NamesOfAnyBytesHaveNoEffectOnATerminal)
{
    slm_zone_options options = Options(kBytesOfAName);
    options.tag = "\x1b]0;owned\a\", in /etc/passwd";
    std::string path = Make(options, "a\x1b[2J\n");
    std::string shown = std::regex_replace(kNameShown, std::regex("\""), R"(\")");
    Done done = Run({path});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.out.substr(0, done.out.find('\n')),
              "zone      \"" + shown + R"(", tag "\x1b]0;owned\x07\", in /etc/passwd", in )" +
                  Path(R"(a\x1b[2J\x0a)"));
    done = Run({path + "\x1b[2J"});
    EXPECT_EQ(done.err, "slabmill: " + Path(R"(a\x1b[2J\x0a\x1b[2J)") +
                            ": cannot be inspected: No such file or directory\n");
}

/* --- Zones in use --- */

/* Does the same work each time, so that two zones have the same bytes after it. */
void Work(slm_zone *zone, unsigned seed, unsigned n_rounds)
{
    std::mt19937 random(seed);
    std::vector<void *> objects(300);
    for (unsigned i = 0; i < n_rounds; i++) {
        void *&object = objects[random() % objects.size()];
        if (object == nullptr) {
            object = slm_zone_alloc(zone, 1 + random() % 6000, nullptr);
        } else {
            (void)slm_zone_free(zone, object);
            object = nullptr;
        }
        if (i % 2000 == 0) {
            usleep(500); /* like a server that is idle for a moment */
        }
    }
}

TEST_F(Inspect, WorksHundredsOfTimesWhileAZoneKeepsChanging)
{
    std::string path = Make();
    Child writer([&](const Child &self) {
        self.Begun();
        for (unsigned seed = 0;; seed++) {
            Work(zone_, seed, 20000);
            EXPECT_EQ(slm_zone_lock(zone_), SLM_OK);
            EXPECT_EQ(slm_zone_reset_locked(zone_), SLM_OK);
            slm_zone_unlock(zone_);
        }
    });
    std::string printed;
    for (int i = 0; i < 200; i++) {
        Done done = Run({"--json", path});
        ASSERT_EQ(done.status, 0) << done.err << done.out;
        printed += done.out;
    }
    EXPECT_EQ(Python(printed, "len(looks)"), "200");
    EXPECT_EQ(Python(printed, "[look for look in looks if look['name'] != 'keys' or "
                              "look['repair_due'] or not look['is_open']]"),
              "[]");
    /* It checks only settled zones, and finds them sound. */
    EXPECT_EQ(Python(printed, "[look for look in looks if look['sound'] != "
                              "(look['moment'] == 'settled') or "
                              "(look['broken'] == 0) != (look['moment'] == 'settled')]"),
              "[]");
    EXPECT_EQ(Python(printed, "[look for look in looks if look['moment'] == 'settled' and "
                              "(look['pages']['free'] + look['pages']['spans'] + "
                              "look['pages']['runs'] != look['pages']['all'] or "
                              "look['journal']['noted'] != 0 or look['lock']['owner'])]"),
              "[]");
    EXPECT_GT(std::stoi(Python(printed, "sum(look['moment'] == 'settled' for look in looks)")), 0);
    EXPECT_EQ(Python(printed, "all(a['classes'][5]['requests'] <= b['classes'][5]['requests'] "
                              "for a, b in zip(looks, looks[1:]))"),
              "True");
}

TEST_F(Inspect, LeavesEveryByteAsTheWriterWritesIt)
{
    std::string alone = Make(Options(), "alone");
    Work(zone_, 1, 100000);
    std::string watched = Make(Options(), "watched");
    int n_looks = 0;
    Child writer([&](const Child &self) {
        self.Begun();
        Work(zone_, 1, 100000);
    });
    siginfo_t ended = {};
    while (ended.si_pid == 0) {
        EXPECT_EQ(Run({watched}).status, 0);
        n_looks++;
        Must(waitid(P_PID, static_cast<id_t>(writer.pid()), &ended, WEXITED | WNOHANG | WNOWAIT) ==
                 0,
             "waitid");
    }
    EXPECT_EQ(writer.Wait(), 0);
    EXPECT_GT(n_looks, 0);
    /* All bytes but the numbers of the zone's own file. */
    auto read_zone = [](const std::string &path) {
        std::string bytes = ReadFile(path);
        for (size_t at : {offsetof(zone_header, whole_file), offsetof(zone_header, vouched)}) {
            bytes.replace(at, sizeof(slm_word), sizeof(slm_word), '\0');
        }
        return bytes;
    };
    EXPECT_TRUE(read_zone(alone) == read_zone(watched));
}

TEST_F(Inspect, NamesTheLocksHolderAndThatFiguresAreUnsettled)
{
    std::string path = Make();
    Child holder([&](const Child &self) {
        EXPECT_EQ(slm_zone_lock(zone_), SLM_OK);
        (void)slm_journal_alloc(slm_zone_journal(zone_), 100);
        self.Stay();
    });
    Done done = Run({path});
    EXPECT_EQ(done.status, 0);
    EXPECT_TRUE(Has(done.out, "process " + std::to_string(holder.pid()) + " (inspect_test) " +
                                  "has it, and lives: it has run for "))
        << done.out;
    EXPECT_TRUE(Has(done.out, "UNSETTLED: the lock was held all the time")) << done.out;
    EXPECT_TRUE(Has(done.out, "journal   1 of 1024 entries noted, not committed")) << done.out;
    EXPECT_EQ(Python(Run({"--json", path}).out,
                     "look['moment'], look['broken'], look['sound'], look['lock']['owner']"
                     "['process'], look['lock']['owner']['alive'], look['repair_due']"),
              "held None False " + std::to_string(holder.pid()) + " True False");
}

TEST_F(Inspect, ShowsThatTheOwnerDiedAndWhatTheRepairWillDo)
{
    std::string path = Make();
    pid_t dead;
    {
        Child owner([&](const Child &self) {
            EXPECT_EQ(slm_zone_lock(zone_), SLM_OK);
            (void)slm_journal_alloc(slm_zone_journal(zone_), 100);
            (void)slm_journal_alloc(slm_zone_journal(zone_), 5000);
            self.Die();
        });
        dead = owner.pid();
        owner.Wait();
    }
    std::string before = ReadFile(path);
    Done done = Run({path});
    EXPECT_EQ(done.status, 1);
    EXPECT_TRUE(Has(done.out, "thread " + std::to_string(dead) + " has it, and is dead"));
    EXPECT_TRUE(Has(done.out, "journal   2 of 1024 entries noted, not committed")) << done.out;
    EXPECT_TRUE(Has(done.out, "tried on a copy it succeeds: every invariant holds then"));
    EXPECT_EQ(Python(Run({"--json", path}).out,
                     "look['moment'], look['repair_due'], look['repairable'], look['sound'], "
                     "look['lock']['owner']['alive']"),
              "left True True False False");
    EXPECT_TRUE(ReadFile(path) == before);
    /* The prediction was right. */
    ASSERT_EQ(slm_zone_lock(zone_), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone_), SLM_OK);
    done = Run({path});
    EXPECT_EQ(done.status, 0) << done.out;
    EXPECT_TRUE(Has(done.out, "repairs   1 so far: 1 undid a transaction, 0 finished a commit"));
}

TEST_F(Inspect, TreatsOwnersOfAnEarlierBootAsDead)
{
    std::string path = Make();
    zone_->header->lock.word = slm_lock_self();
    EXPECT_TRUE(Has(Run({path}).out, " has it, and lives"));
    zone_->header->lock.boot ^= 2;
    Done done = Run({path});
    EXPECT_EQ(done.status, 1);
    EXPECT_TRUE(Has(done.out, "repair    due")) << done.out;
}

TEST_F(Inspect, DoesNotGuessWhetherAnOwnerOfAnotherNamespaceLives)
{
    std::string path = Make();
    zone_->header->lock.word = UINT64_C(1) << 32 | 0x3fffff00; /* no thread here has that id */
    EXPECT_EQ(Run({path}).status, 1);
    zone_->header->lock.namespaces ^= 1;
    Done done = Run({path});
    EXPECT_EQ(done.status, 0);
    EXPECT_TRUE(
        Has(done.out, "has it, and may be dead: its thread id is of another pid namespace"));
    EXPECT_EQ(Python(Run({"--json", path}).out,
                     "look['lock']['owner']['alive'], look['lock']['owner']['doubt']"),
              "None its thread id is of another pid namespace");
}

/* --- Maps --- */

class InspectMap : public Inspect {
  protected:
    /* Evaluates a Python expression of the map `svg`; `groups` are its cells. */
    std::string Ask(const std::string &path, const std::string &expression) const
    {
        Done done = RunCommand({"python3", "-c",
                                "import sys, xml.dom.minidom as dom\n"
                                "svg = dom.parse(sys.argv[1]).documentElement\n"
                                "groups = svg.getElementsByTagName('g')\n"
                                "titles = [group.getElementsByTagName('title')[0].firstChild.data "
                                "for group in groups]\n"
                                "desc = svg.getElementsByTagName('desc')[0].firstChild.data\n"
                                "texts = [text.firstChild.data for text in "
                                "svg.getElementsByTagName('text')]\n"
                                "print(" +
                                    expression + ")",
                                path});
        EXPECT_EQ(done.status, 0) << done.err;
        return done.out.substr(0, done.out.find_last_not_of('\n') + 1);
    }
};

TEST_F(InspectMap, ShowsEveryPageOnceWithItsContent)
{
    std::string path = Make();
    std::string svg = Path("map.svg");
    ASSERT_EQ(Run({"--svg", svg, path}).status, 0);
    size_t n_pages = slm_zone_slab(zone_)->n_pages;
    size_t n_rows = (n_pages + 63) / 64;
    EXPECT_EQ(Ask(svg, "sum(1 + (int(group.firstChild.getAttribute('width')) - 11) // 14 "
                       "for group in groups)"),
              std::to_string(n_pages));
    EXPECT_EQ(Ask(svg, "sum(text.isdigit() for text in texts)"), std::to_string(n_rows));
    EXPECT_EQ(Ask(svg, "svg.getAttribute('role'), svg.getAttribute('aria-labelledby')"), "img t d");
    EXPECT_EQ(Ask(svg, "'Every invariant holds' in desc and 'One cell is 1 page.' in desc"), "True")
        << Ask(svg, "desc");
    EXPECT_EQ(Ask(svg, "titles[0]"), "page 0: chunks of 8 bytes, 1 of 512 used");
    EXPECT_EQ(Ask(svg, "any(title.endswith(': one object of whole pages') for title in titles) "
                       "and any(title.endswith(': free') for title in titles)"),
              "True");
}

TEST_F(InspectMap, StaysSmallForManyPagesAndNamesTheScale)
{
    slm_zone_options options = Options();
    options.bytes = size_t{64} << 20;
    std::string path = Make(options);
    std::string svg = Path("map.svg");
    ASSERT_EQ(Run({"--svg", svg, path}).status, 0);
    size_t n_pages = slm_zone_slab(zone_)->n_pages;
    EXPECT_EQ(Ask(svg, "len(groups)"), std::to_string((n_pages + 7) / 8));
    EXPECT_EQ(Ask(svg, "'One cell is 8 pages' in desc"), "True") << Ask(svg, "desc");
    EXPECT_EQ(Ask(svg, "titles[-1].split(':')[0]"), "pages " +
                                                        std::to_string((n_pages - 1) / 8 * 8) +
                                                        " to " + std::to_string(n_pages - 1));
}

/* --- Watching --- */

TEST_F(Inspect, WatchesUntilItIsInterrupted)
{
    std::string path = Make();
    int pipe_fds[2];
    Must(pipe(pipe_fds) == 0, "pipe");
    pid_t watcher = fork();
    if (watcher == 0) {
        dup2(pipe_fds[1], STDOUT_FILENO);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        Become({kCommand, "inspect", "--json", path, "--watch", "1"});
    }
    close(pipe_fds[1]);
    FILE *lines = fdopen(pipe_fds[0], "r");
    std::string printed;
    for (int i = 0; i < 2; i++) {
        char line[32768];
        ASSERT_NE(fgets(line, sizeof line, lines), nullptr);
        printed += line;
        for (int k = 0; k < 500; k++) {
            (void)slm_zone_free(zone_, slm_zone_alloc(zone_, 100, nullptr));
        }
    }
    kill(watcher, SIGINT);
    int status = -1;
    EXPECT_EQ(waitpid(watcher, &status, 0), watcher);
    fclose(lines);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_EQ(Python(printed, "['requests_per_second' in look['runs'] for look in looks]"),
              "[False, True]");
    EXPECT_EQ(Python(printed, "sum(a['requests'] - b['requests'] for a, b in "
                              "zip(looks[1]['classes'], looks[0]['classes']))"),
              "500");
    EXPECT_EQ(Python(printed, "400 < sum(c['requests_per_second'] for c in look['classes']) < 501"),
              "True");
}

class InspectWatch : public Inspect {
  protected:
    /* Runs --watch until it ends by itself, and changes the name after its first line. */
    Done WatchWhile(const std::string &zone, const std::function<void()> &change)
    {
        int out[2];
        int err[2];
        Must(pipe(out) == 0 && pipe(err) == 0, "pipe");
        pid_t watcher = fork();
        if (watcher == 0) {
            dup2(out[1], STDOUT_FILENO);
            dup2(err[1], STDERR_FILENO);
            for (int fd : {out[0], out[1], err[0], err[1]}) {
                close(fd);
            }
            Become({kCommand, "inspect", "--json", zone, "--watch", "1"});
        }
        close(out[1]);
        close(err[1]);
        FILE *lines = fdopen(out[0], "r");
        char line[32768];
        EXPECT_NE(fgets(line, sizeof line, lines), nullptr);
        change();
        Done done{};
        while (fgets(line, sizeof line, lines) != nullptr) {
            done.out += line;
        }
        ssize_t n = read(err[0], line, sizeof line);
        done.err.assign(line, n > 0 ? static_cast<size_t>(n) : 0);
        int how = -1;
        EXPECT_EQ(waitpid(watcher, &how, 0), watcher);
        done.status = WIFEXITED(how) ? WEXITSTATUS(how) : -1;
        fclose(lines);
        close(err[0]);
        return done;
    }
};

TEST_F(InspectWatch, EndsWhenTheNameIsRemoved)
{
    std::string path = Make();
    Done done = WatchWhile(path, [&] { EXPECT_EQ(unlink(path.c_str()), 0); });
    EXPECT_EQ(done.status, 2);
    EXPECT_TRUE(Has(done.err, path + ": its name was removed")) << done.err;
}

TEST_F(InspectWatch, EndsWhenTheNameLeadsToAnotherFile)
{
    std::string path = Make();
    std::string other = Make(Options(), "other");
    Done done =
        WatchWhile("file:" + path, [&] { EXPECT_EQ(rename(other.c_str(), path.c_str()), 0); });
    EXPECT_EQ(done.status, 2);
    EXPECT_TRUE(Has(done.err, path + ": the name leads to another file now")) << done.err;
}

} /* namespace */
