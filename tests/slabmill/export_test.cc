/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill export, run by its command line on zones that other processes use, leave and damage. */
#include <grp.h>

#include "tests/slabmill/inspect_fixture.h"

namespace {

using namespace inspecttest;

class Export : public Inspect {
  protected:
    Done Run(std::vector<std::string> args) const
    {
        args.insert(args.begin(), {kCommand, "export", "--prometheus"});
        return RunCommand(args);
    }

    static std::string Up(const std::string &label, int value)
    {
        return "slabmill_zone_up{zone=\"" + label + "\"} " + std::to_string(value) + "\n";
    }

    /* The value of the first sample of a metric; "" if it has none. */
    static std::string Value(const Done &done, const std::string &metric)
    {
        size_t at = done.out.find("\nslabmill_zone_" + metric + "{");
        if (at == std::string::npos) {
            return "";
        }
        std::string line = done.out.substr(at + 1, done.out.find('\n', at + 1) - at - 1);
        return line.substr(line.rfind("} ") + 2);
    }

    static std::string Verdict(const Done &done)
    {
        return "status " + std::to_string(done.status) + " broken " + Value(done, "broken") +
               " due " + Value(done, "repair_due") + " checked " + Value(done, "checked") +
               " invariant " + Value(done, "broken_invariant");
    }

    /* Debian's package is for Debian's Python, and another one may be first on PATH. */
    static bool HasClient()
    {
        return std::system("/usr/bin/python3 -c 'import prometheus_client' 2> /dev/null") == 0;
    }

    /* Evaluates a Python expression of `families`, as the client of Prometheus reads them. */
    std::string Client(const std::string &printed, const std::string &expression) const
    {
        std::ofstream(Path("printed"), std::ios::binary) << printed;
        Done done = RunCommand({"/usr/bin/python3", "-c",
                                "import sys\n"
                                "from prometheus_client.parser import "
                                "text_string_to_metric_families\n"
                                "text = open(sys.argv[1], encoding='utf-8', newline='').read()\n"
                                "families = {f.name: f for f in "
                                "text_string_to_metric_families(text)}\n"
                                "samples = [s for f in families.values() for s in f.samples]\n"
                                "print(" +
                                    expression + ")",
                                Path("printed")});
        EXPECT_EQ(done.status, 0) << done.err << printed;
        return done.out.substr(0, done.out.find_last_not_of('\n') + 1);
    }
};

const char kNoClient[] = "Debian's package python3-prometheus-client is not installed";

/* --- Figures --- */

TEST_F(Export, FiguresAreTheZonesOwn)
{
    std::string path = Make();
    EXPECT_EQ(slm_zone_alloc(zone_, kBytes, nullptr), nullptr);
    slm_slab_stats stats = {};
    slm_slab_get_stats(slm_zone_slab(zone_), &stats);
    uint64_t n_objects = stats.n_runs;
    uint64_t n_requests = stats.run_requests;
    for (unsigned i = 0; i < stats.n_classes; i++) {
        slm_slab_class_stats own = {};
        ASSERT_EQ(slm_slab_get_class_stats(slm_zone_slab(zone_), i, &own), SLM_OK);
        n_objects += own.n_used;
        n_requests += own.n_requests;
    }
    Done done = Run({path});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.err, "");
    EXPECT_TRUE(Has(done.out, Up(path, 1))) << done.out;
    EXPECT_TRUE(Has(done.out, "slabmill_zone_info{zone=\"" + path +
                                  "\",name=\"keys\",tag=\"test\",lock=\"robust\"} 1\n"));
    const std::pair<const char *, uint64_t> expected[] = {
        {"size_bytes", kBytes},
        {"max_size_bytes", kBytes},
        {"metadata_bytes", stats.metadata_bytes},
        {"pages_bytes", stats.n_pages * stats.page_bytes},
        {"free_pages_bytes", stats.n_free_pages * stats.page_bytes},
        {"longest_free_run_bytes", stats.longest_free_run_pages * stats.page_bytes},
        {"peak_pages_bytes", stats.peak_used_pages * stats.page_bytes},
        {"objects", n_objects},
        {"requests_total", n_requests},
        {"failures_total", 1},
        {"lock_held", 0},
        {"lock_deaths_total", 0},
        {"recoveries_total", 0},
    };
    for (const auto &[metric, value] : expected) {
        EXPECT_EQ(Value(done, metric), std::to_string(value)) << metric;
    }
    EXPECT_GT(n_objects, 10u);
    EXPECT_EQ(Verdict(done), "status 0 broken 0 due 0 checked 1 invariant 0");
    EXPECT_FALSE(Has(done.out, "slabmill_zone_class_"));
    EXPECT_TRUE(Has(done.out, "\n# TYPE slabmill_zone_failures_total counter\n"));
    EXPECT_TRUE(Has(done.out, "\n# TYPE slabmill_zone_objects gauge\n"));
}

TEST_F(Export, WithAllEachClassHasItsFiguresEvenAnEmptyOne)
{
    std::string path = Make();
    slm_slab_stats stats = {};
    slm_slab_get_stats(slm_zone_slab(zone_), &stats);
    std::string out = Run({"--all", path}).out;
    std::string zone = "{zone=\"" + path + "\",class=\"";
    for (unsigned i = 0; i < stats.n_classes; i++) {
        slm_slab_class_stats own = {};
        ASSERT_EQ(slm_slab_get_class_stats(slm_zone_slab(zone_), i, &own), SLM_OK);
        std::string labels = zone + std::to_string(own.chunk_bytes) + "\"} ";
        for (const auto &[metric, value] :
             {std::pair<const char *, uint64_t>{"chunks", own.n_chunks},
              {"objects", own.n_used},
              {"requests_total", own.n_requests},
              {"failures_total", own.n_failures}}) {
            EXPECT_TRUE(Has(out, std::string("\nslabmill_zone_class_") + metric + labels +
                                     std::to_string(value) + "\n"))
                << metric << labels << value;
        }
    }
    EXPECT_TRUE(Has(out, "\nslabmill_zone_class_objects" + zone + "pages\"} " +
                             std::to_string(stats.n_runs) + "\n"))
        << out;
}

TEST_F(Export, ChangesNothingNotEvenTheTime)
{
    std::string path = Make();
    ExpectUnchanged(path, [&] { EXPECT_EQ(Run({"--all", path}).status, 0); });
}

/* The monitor's user may read the zone and nothing else. */
TEST_F(Export, RunsAsAnotherUserWhoMayOnlyRead)
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "needs root, to become another user";
    }
    std::string path = Make();
    std::filesystem::copy_file(kCommand, Path("slabmill"));
    for (const char *name : {"", "slabmill"}) {
        ASSERT_EQ(chmod(Path(name).c_str(), 0755), 0);
    }
    for (mode_t mode : {mode_t{0444}, mode_t{0400}}) {
        ASSERT_EQ(chmod(path.c_str(), mode), 0);
        pid_t child = fork();
        if (child == 0) {
            dup2(open(Path("out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
            dup2(open(Path("err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
            /* Folders above may be closed to that user. */
            Must(chdir(Path("").c_str()) == 0 && setgroups(0, nullptr) == 0 && setgid(65534) == 0 &&
                     setuid(65534) == 0,
                 "become another user");
            Become({"./slabmill", "export", "--prometheus", "zone"});
        }
        int status = -1;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        bool may_read = mode == 0444;
        EXPECT_EQ(WEXITSTATUS(status), may_read ? 0 : 2) << ReadFile(Path("err"));
        EXPECT_TRUE(Has(ReadFile(Path("out")), Up("zone", may_read ? 1 : 0)));
        EXPECT_EQ(ReadFile(Path("err")),
                  may_read ? "" : "slabmill: zone: cannot open: Permission denied\n");
    }
}

/* --- The format --- */

const char kBytesOfAName[] = "a\"b\\c<d>&\x01\n\xff\xc3\xa9\xc0\xaf{},";
const char kNameInLabels[] = R"(a\"b\\\\c<d>&\\x01\\x0a\\xff)"
                             "\xc3\xa9"
                             R"(\\xc0\\xaf{},)";
const char kNameShown[] = R"(a"b\\c<d>&\x01\x0a\xff)"
                          "\xc3\xa9"
                          R"(\xc0\xaf{},)";

TEST_F(Export, NamesOfAnyBytesStayInTheirLabels)
{
    slm_zone_options options = Options(kBytesOfAName);
    options.tag = "x\"} 1\nslabmill_zone_up{zone=\"forged\"} 1\n";
    std::string path = Make(options, "f\"\n\\\x1b");
    Done done = Run({path});
    EXPECT_EQ(done.status, 0) << done.err;
    std::string label = Path(R"(f\"\\x0a\\\\\\x1b)");
    EXPECT_TRUE(Has(done.out, "\nslabmill_zone_info{zone=\"" + label + "\",name=\"" +
                                  kNameInLabels +
                                  R"(",tag="x\"} 1\\x0aslabmill_zone_up{zone=\"forged\"} 1\\x0a",)"
                                  "lock=\"robust\"} 1\n"))
        << done.out;
    EXPECT_TRUE(Has(done.out, Up(label, 1)));
    for (char c : done.out) {
        EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= ' ') << int{c};
    }
}

TEST_F(Export, PrometheusClientReadsIt)
{
    if (!HasClient()) {
        GTEST_SKIP() << kNoClient;
    }
    std::string strange = Make(Options(kBytesOfAName), "f\"\n\\");
    std::string second = Make(Options("second"), "second");
    Done done = Run({"--all", strange, Path("none"), second});
    EXPECT_EQ(done.status, 2);
    EXPECT_EQ(
        Client(
            done.out,
            "sorted({f.type for f in families.values()}), "
            "len(families), all(f.documentation and f.samples for f in families.values()), "
            "{s.name.endswith('_total') == (f.type == 'counter') for f in families.values() "
            "for s in f.samples}, "
            "{s.timestamp for s in samples}, "
            "len(samples) == len({(s.name, *sorted(s.labels.items())) for s in samples}), "
            "*[int(s.value) for s in families['slabmill_zone_up'].samples], "
            "*families['slabmill_zone_info'].samples[0].labels.values(), "
            "families['slabmill_zone_size_bytes'].samples[1].labels['zone'], "
            "families['slabmill_zone_size_bytes'].samples[1].value, "
            /* The classes of each zone are together its totals. */
            "{sum(s.value for s in families['slabmill_zone_class_' + m].samples if "
            "s.labels['zone'] == z) - sum(s.value for s in families['slabmill_zone_' + m].samples "
            "if s.labels['zone'] == z) for m in ('objects', 'requests', 'failures') "
            "for z in {s.labels['zone'] for s in samples}} == {0}, sep='\\n'"),
        "['counter', 'gauge']\n26\nTrue\n{True}\n{None}\nTrue\n1\n0\n1\n" + Path(R"(f"\x0a\\)") +
            "\n" + kNameShown + "\ntest\nrobust\n" + second + "\n1048576.0\nTrue");
}

/* --- Zones in trouble --- */

TEST_F(Export, ZonesThatCannotBeReadAreDownAndTheOthersAreExported)
{
    std::string good = Make();
    std::string whole = ReadFile(good);
    std::string cut = Path("cut");
    std::string empty = Path("empty");
    std::string damaged = Path("damaged");
    std::ofstream(cut, std::ios::binary) << whole.substr(0, 100000);
    std::ofstream(empty).flush();
    whole[100]++;
    std::ofstream(damaged, std::ios::binary) << whole;
    Done done = Run({Path("none"), cut, "posix:a/b", Path(""), empty, damaged, "sysv:x", good});
    EXPECT_EQ(done.status, 2);
    for (const std::string &bad : {Path("none"), cut, std::string("posix:a/b"), Path(""), empty,
                                   damaged, std::string("sysv:x")}) {
        EXPECT_TRUE(Has(done.out, Up(bad, 0))) << bad;
        EXPECT_TRUE(Has(done.err, "slabmill: " + bad + ": ")) << bad << done.err;
        EXPECT_FALSE(Has(done.out, "size_bytes{zone=\"" + bad + "\"}"));
    }
    EXPECT_EQ(std::count(done.err.begin(), done.err.end(), '\n'), 7) << done.err;
    EXPECT_TRUE(Has(done.out, Up(good, 1)));
    EXPECT_EQ(Value(done, "size_bytes"), std::to_string(kBytes));
}

TEST_F(Export, DamageIsBrokenAndHasTheInvariantsNumber)
{
    std::string path = Make();
    slm_slab *slab = slm_zone_slab(zone_);
    slab->header->n_runs++;
    EXPECT_EQ(Verdict(Run({path})), "status 1 broken 1 due 0 checked 1 invariant 11");
    slab->header->n_runs--;
    slab->header->magic++;
    Done done = Run({path});
    EXPECT_EQ(Verdict(done), "status 1 broken 1 due 0 checked 1 invariant ");
    EXPECT_EQ(Value(done, "size_bytes"), std::to_string(kBytes));
    EXPECT_EQ(Value(done, "objects"), "") << "there is no slab that has any";
    EXPECT_TRUE(Has(done.out, Up(path, 1)));
}

TEST_F(Export, DeadHolderMakesARepairDueAndOnlyAFailingOneIsBroken)
{
    std::string path = Make();
    Child dead([&](const Child &self) {
        Must(slm_zone_lock(zone_) == SLM_OK, "lock");
        Must(slm_journal_alloc(slm_zone_journal(zone_), 100) != nullptr, "alloc");
        self.Die();
    });
    dead.Wait();
    EXPECT_TRUE(Has(Verdict(Run({path})), "status 1 broken 0 due 1 checked 1"));
    EXPECT_EQ(slm_zone_lock(zone_), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone_), SLM_OK);
    Done done = Run({path});
    EXPECT_EQ(Verdict(done), "status 0 broken 0 due 0 checked 1 invariant 0");
    EXPECT_EQ(Value(done, "lock_deaths_total") + Value(done, "recoveries_total"), "11");

    zone_->header->lock.word = kRepair;
    slm_zone_slab(zone_)->header->n_runs++; /* as in the middle of an allocation */
    EXPECT_EQ(Verdict(Run({path})), "status 1 broken 0 due 1 checked 1 invariant 11");
    EXPECT_EQ(slm_zone_lock(zone_), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone_), SLM_OK);
    EXPECT_EQ(Verdict(Run({path})), "status 0 broken 0 due 0 checked 1 invariant 0");

    zone_->header->lock.word = kRepair;
    slm_zone_slab(zone_)->pages[0].word = 0;
    EXPECT_EQ(Verdict(Run({path})), "status 1 broken 1 due 1 checked 1 invariant 2");
    EXPECT_EQ(slm_zone_lock(zone_), SLM_E_BROKEN);
    EXPECT_TRUE(Has(Verdict(Run({path})), "status 1 broken 1"));
}

TEST_F(Export, HeldLockIsNoFaultAndNothingIsChecked)
{
    std::string path = Make();
    Child holder([&](const Child &self) {
        Must(slm_zone_lock(zone_) == SLM_OK, "lock");
        self.Stay();
    });
    Done done = Run({path});
    EXPECT_EQ(Verdict(done), "status 0 broken 0 due 0 checked 0 invariant ");
    EXPECT_EQ(Value(done, "lock_held"), "1");
}

TEST_F(Export, IsSafeOnZonesWithRandomContent)
{
    std::string path = Make();
    std::mt19937_64 random(11);
    slm_slab *slab = slm_zone_slab(zone_);
    auto *first = reinterpret_cast<uint64_t *>(slab->classes);
    size_t n_words = (slab->metadata_bytes - sizeof(slab_header)) / sizeof *first;
    for (int round = 0; round < 30; round++) {
        for (size_t i = 0; i < n_words; i++) {
            uint64_t word = random();
            first[i] = word % 3 == 0 ? slab_word(SLAB_SPAN, word >> 8 & 63, word >> 16 & 3) : word;
        }
        zone_->header->lock.word = round % 3 == 0 ? kRepair : 0;
        Done done = Run({"--all", path});
        ASSERT_EQ(done.status, 1) << done.err;
        EXPECT_EQ(Value(done, "broken"), "1");
        std::istringstream lines(done.out);
        for (std::string line; std::getline(lines, line);) {
            bool is_text = line.rfind("# HELP slabmill_zone_", 0) == 0 ||
                           line.rfind("# TYPE slabmill_zone_", 0) == 0;
            bool is_sample =
                line.rfind("slabmill_zone_", 0) == 0 &&
                line.find_first_not_of("0123456789", line.rfind("} ") + 2) == std::string::npos;
            ASSERT_TRUE(is_text || is_sample) << line;
        }
    }
}

/* --- A file --- */

TEST_F(Export, FileIsReplacedWhenItsTextIsComplete)
{
    std::string path = Make();
    std::string out = Path("zones.prom");
    std::ofstream(out) << "earlier";
    int earlier = open(out.c_str(), O_RDONLY);
    Done done = Run({path, Path("none"), "-o", out});
    EXPECT_EQ(done.status, 2);
    EXPECT_EQ(done.out, "");
    char text[16] = "";
    EXPECT_EQ(read(earlier, text, sizeof text - 1), 7) << "a reader of the earlier file has all";
    EXPECT_STREQ(text, "earlier");
    close(earlier);
    EXPECT_EQ(ReadFile(out), Run({path, Path("none")}).out);
    for (const auto &entry : std::filesystem::directory_iterator(Path(""))) {
        EXPECT_FALSE(Has(entry.path(), ".part")) << entry.path();
    }
}

TEST_F(Export, ZoneIsNotReplacedByItsText)
{
    std::string path = Make();
    std::string before = ReadFile(path);
    std::string link = Path("link");
    ASSERT_EQ(symlink("zone", link.c_str()), 0);
    for (const std::string &out : {path, link}) {
        ExpectRefusal(Run({Path("none"), path, "-o", out}),
                      out + ": it is the file to read, " + path + ", and would be lost");
        ExpectRefusal(Run({"file:" + path, "-o", out}),
                      out + ": it is the file to read, " + path + ", and would be lost");
    }
    EXPECT_EQ(ReadFile(path), before);
}

TEST_F(Export, FileThatCannotBeWrittenIsNamed)
{
    std::string path = Make();
    std::string out = Path("no/where");
    ExpectRefusal(Run({path, "-o", out}), out + ": No such file or directory");
    out = Path("full");
    ASSERT_EQ(symlink("/dev/full", out.c_str()), 0);
    ExpectRefusal(Run({path, "-o", out}), out + ": No space left on device");
}

TEST_F(Export, WrongCallsAreAnsweredWithWhatWasExpected)
{
    std::string path = Make();
    ExpectRefusal(RunCommand({kCommand, "export", path}), "export: --prometheus is missing");
    ExpectRefusal(Run({}), "export: expected at least one file, found 0");
    ExpectRefusal(Run({path, "posix:x", path}), path + " is given twice");
}

} /* namespace */
