// SPDX-License-Identifier: Apache-2.0
// Times rows by Google Benchmark, or counts their instructions under Valgrind's callgrind.
#include "bench/runner.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <regex>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <valgrind/callgrind.h>

#include "harness/registry/registry.h"

namespace {

constexpr size_t kCountedOps = 2000; // about so many operations are counted

const bench_row *const kLists[] = {bench_pool_rows,   bench_slab_rows, bench_density_rows,
                                   bench_shared_rows, bench_zone_rows, bench_own_rows,
                                   bench_trace_rows};

const char kUsage[] =
    "usage: runner --list | --build\n"
    "       runner [--adapter NAME|PATH:NAME] [--rows REGEX] [--quick] [--seconds S] [--traces "
    "DIR]\n"
    "       valgrind --tool=callgrind --instr-atstart=no runner --count [--adapter ...] ...\n";

#if !defined(__clang_major__) || __clang_major__ != 19
const char kBuild[] = "not clang 19";
#elif !defined(__x86_64__)
const char kBuild[] = "not x86-64";
#else
const char kBuild[] = "plain";
#endif

struct Options {
    std::string adapter;
    std::string rows = ".";
    std::string seconds = "0.05";
    std::string traces;
    bool list = false;
    bool build = false;
    bool count = false;
};

std::vector<const bench_row *> all_rows()
{
    std::vector<const bench_row *> rows;
    for (const bench_row *list : kLists) {
        for (const bench_row *row = list; row->name != nullptr; row++) {
            rows.push_back(row);
        }
    }
    return rows;
}

std::vector<const bench_row *> chosen_rows(const Options &options)
{
    std::vector<const bench_row *> rows;
    std::regex pattern(options.rows);
    for (const bench_row *row : all_rows()) {
        if (std::regex_search(row->name, pattern)) {
            rows.push_back(row);
        }
    }
    return rows;
}

int list_rows()
{
    for (const bench_row *row : all_rows()) {
        printf("%s\t%s\t%s\t%d\t%.17g\t%d\t%d\n", row->name, row->text,
               row->unit == nullptr ? "" : row->unit, row->higher_is_better, row->goal,
               (row->flags & BENCH_SLOW) != 0, (row->flags & BENCH_NO_COUNT) != 0);
    }
    return 0;
}

// Whether instructions of this build can be compared with checked-in figures.
int print_build()
{
    puts(kBuild);
    return 0;
}

// --- Time ---

void pause_timing(void *data)
{
    static_cast<benchmark::State *>(data)->PauseTiming();
}

void resume_timing(void *data)
{
    static_cast<benchmark::State *>(data)->ResumeTiming();
}

// Google Benchmark calls a function several times, with ever more iterations: the work is made once.
class Timed {
  public:
    Timed(const bench_row *row, const bench_subject *subject) : row_(row), subject_(subject)
    {
    }

    void run(benchmark::State &state)
    {
        meter_ = {pause_timing, resume_timing, &state};
        if (work_ == nullptr && !begin()) {
            state.SkipWithError("cannot");
            return;
        }
        for (auto _ : state) {
            row_->run(work_, row_->batch);
        }
        state.counters["batch"] = static_cast<double>(row_->batch);
    }

    void end()
    {
        if (work_ != nullptr) {
            row_->end(work_);
        }
        work_ = nullptr;
    }

  private:
    bool begin()
    {
        bench_meter idle = {[](void *) {}, [](void *) {}, nullptr};
        bench_meter wanted = meter_;
        meter_ = idle;
        work_ = row_->begin(row_, subject_, &meter_);
        if (work_ != nullptr && (row_->flags & BENCH_SLOW) == 0) {
            row_->run(work_, row_->batch); // warm
        }
        meter_ = wanted;
        return work_ != nullptr;
    }

    const bench_row *row_;
    const bench_subject *subject_;
    bench_meter meter_ = {};
    void *work_ = nullptr;
};

void measure_figure(benchmark::State &state, const bench_row *row, const bench_subject *subject)
{
    double figure = NAN;
    for (auto _ : state) {
        figure = row->figure(row, subject);
    }
    if (std::isnan(figure)) {
        state.SkipWithError("cannot");
    } else {
        state.counters["figure"] = figure;
    }
}

int time_row(const bench_row *row, const bench_subject *subject, benchmark::BenchmarkReporter *to)
{
    Timed timed(row, subject);
    benchmark::ClearRegisteredBenchmarks();
    if (row->figure != nullptr) {
        benchmark::RegisterBenchmark(row->name, measure_figure, row, subject)->Iterations(1);
    } else {
        benchmark::RegisterBenchmark(row->name, [&timed](benchmark::State &s) { timed.run(s); });
    }
    size_t n = benchmark::RunSpecifiedBenchmarks(to);
    timed.end();
    return n == 1 ? 0 : 2;
}

// One JSON object a line. Google Benchmark's own reporter ends a document after each run.
class Lines : public benchmark::BenchmarkReporter {
  public:
    bool ReportContext(const Context &) override
    {
        return true;
    }

    void ReportRuns(const std::vector<Run> &runs) override
    {
        for (const Run &run : runs) {
            report(run);
        }
        fflush(stdout);
    }

  private:
    static void report(const Run &run)
    {
        auto figure = run.counters.find("figure");
        auto batch = run.counters.find("batch");
        if (run.error_occurred) {
            printf("{\"row\": \"%s\", \"value\": null}\n", run.run_name.function_name.c_str());
        } else if (figure != run.counters.end()) {
            printf("{\"row\": \"%s\", \"value\": %.6g}\n", run.run_name.function_name.c_str(),
                   static_cast<double>(figure->second));
        } else {
            printf("{\"row\": \"%s\", \"value\": %.6g}\n", run.run_name.function_name.c_str(),
                   run.GetAdjustedCPUTime() / static_cast<double>(batch->second));
        }
    }
};

int time_rows(const Options &options, const bench_subject &subject)
{
    std::string min_time = "--benchmark_min_time=" + options.seconds;
    char program[] = "runner";
    char *argv[] = {program, min_time.data(), nullptr};
    int argc = 2;
    benchmark::Initialize(&argc, argv);
    Lines lines;
    int status = 0;
    for (const bench_row *row : chosen_rows(options)) {
        status |= time_row(row, &subject, &lines);
    }
    return status;
}

// --- Instructions ---

void toggle(void *)
{
    CALLGRIND_TOGGLE_COLLECT;
}

// Valgrind writes a file for each row, whose description has the row's name.
void count_row(const bench_row *row, const bench_subject &subject)
{
    bench_meter idle = {[](void *) {}, [](void *) {}, nullptr};
    bench_meter meter = idle;
    void *work = row->begin(row, &subject, &meter);
    if (work == nullptr) {
        return;
    }
    size_t n_ops = (kCountedOps + row->batch - 1) / row->batch * row->batch;
    row->run(work, n_ops);
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    meter = {toggle, toggle, nullptr};
    CALLGRIND_TOGGLE_COLLECT;
    row->run(work, n_ops);
    CALLGRIND_TOGGLE_COLLECT;
    std::string label = std::string(row->name) + " " + std::to_string(n_ops);
    CALLGRIND_DUMP_STATS_AT(label.c_str());
    CALLGRIND_STOP_INSTRUMENTATION;
    meter = idle;
    row->end(work);
}

int count_rows(const Options &options, const bench_subject &subject)
{
    if (RUNNING_ON_VALGRIND == 0) {
        fputs("runner: --count: start it by valgrind --tool=callgrind --collect-atstart=no\n",
              stderr);
        return 2;
    }
    for (const bench_row *row : chosen_rows(options)) {
        if (row->figure == nullptr && (row->flags & BENCH_NO_COUNT) == 0) {
            count_row(row, subject);
        }
    }
    return 0;
}

// --- Arguments ---

int complain(const char *what)
{
    fprintf(stderr, "runner: %s\n%s", what, kUsage);
    return 2;
}

// Where the next argument belongs, or NULL.
std::string *text_option(Options *options, const char *word)
{
    return strcmp(word, "--adapter") == 0   ? &options->adapter
           : strcmp(word, "--rows") == 0    ? &options->rows
           : strcmp(word, "--seconds") == 0 ? &options->seconds
           : strcmp(word, "--traces") == 0  ? &options->traces
                                            : nullptr;
}

bool read_arguments(int argc, char **argv, Options *options, bench_subject *subject)
{
    for (int i = 1; i < argc; i++) {
        std::string *text = text_option(options, argv[i]);
        if (text != nullptr && i + 1 < argc) {
            *text = argv[++i];
        } else if (strcmp(argv[i], "--quick") == 0) {
            subject->quick = true;
        } else if (strcmp(argv[i], "--list") == 0) {
            options->list = true;
        } else if (strcmp(argv[i], "--build") == 0) {
            options->build = true;
        } else if (strcmp(argv[i], "--count") == 0) {
            options->count = true;
        } else {
            return false;
        }
    }
    try {
        std::regex pattern(options->rows);
    } catch (const std::regex_error &) {
        return false;
    }
    return strtod(options->seconds.c_str(), nullptr) > 0;
}

// PATH:NAME of a shared object, or a name of this program.
const slm_adapter *find_adapter(const std::string &text)
{
    char wrong[HRN_WRONG_TEXT_BYTES] = "";
    size_t colon = text.rfind(':');
    if (colon == std::string::npos || text.find('/') == std::string::npos) {
        return hrn_adapter_find(text.c_str());
    }
    const slm_adapter **list = hrn_plugin_open(text.substr(0, colon).c_str(), wrong, sizeof wrong);
    if (list == nullptr) {
        fprintf(stderr, "runner: %s\n", wrong);
        return nullptr;
    }
    const slm_adapter *found = nullptr;
    for (size_t i = 0; list[i] != nullptr && found == nullptr; i++) {
        found = list[i]->name == text.substr(colon + 1) ? list[i] : nullptr;
    }
    free(list);
    return found;
}

} // namespace

int bench_run(int argc, char **argv, bench_subject subject)
{
    Options options;
    if (!read_arguments(argc, argv, &options, &subject)) {
        return complain("unknown argument, or one without its value");
    }
    if (options.list || options.build) {
        return options.list ? list_rows() : print_build();
    }
    subject.traces = options.traces.empty() ? nullptr : options.traces.c_str();
    if (!options.adapter.empty()) {
        subject.adapter = find_adapter(options.adapter);
        if (subject.adapter == nullptr) {
            return complain(("no adapter is named " + options.adapter).c_str());
        }
    }
    if (chosen_rows(options).empty()) {
        return complain(("no row matches " + options.rows).c_str());
    }
    return options.count ? count_rows(options, subject) : time_rows(options, subject);
}
