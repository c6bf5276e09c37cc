#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of the runner, each by itself."""

import ast
import graphlib
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import types
import unittest
import unittest.mock

from fixture import SOURCES, made_settings
from overnight import (
    account,
    causes,
    compare,
    coverage,
    engines,
    files,
    findings,
    history,
    job,
    lanes,
    machine,
    plan,
    settings,
    shrink,
    status,
    store,
    troubles,
    time_slice,
)

LOGS = pathlib.Path(__file__).with_name("logs")


class ImportsTest(unittest.TestCase):
    """Which modules know each other."""

    @staticmethod
    def imports(path):
        """The modules of the runner that a file imports."""
        statements = ast.walk(ast.parse(path.read_text()))
        ours = [node for node in statements if isinstance(node, ast.ImportFrom) and node.level]
        return {node.module or alias.name for node in ours for alias in node.names}

    def test_imports_form_no_circle_and_no_part_imports_the_night(self):
        files_of_runner = sorted((SOURCES / "overnight").glob("*.py"))
        graph = {path.stem: self.imports(path) for path in files_of_runner}
        # Raises CycleError.
        order = list(graphlib.TopologicalSorter(graph).static_order())
        self.assertIn("night", order)
        self.assertEqual([name for name in graph if "night" in graph[name]], ["__main__"])

    def test_only_the_clock_reads_the_time_that_passes(self):
        """The tests of whole nights replace it."""
        texts = {path.stem: path.read_text() for path in (SOURCES / "overnight").glob("*.py")}
        readers = re.compile(r"\b(monotonic|perf_counter|time\.time)(_ns)?\b")
        self.assertEqual([name for name, text in texts.items() if readers.search(text)], ["clock"])


class RunfilesTest(unittest.TestCase):
    """Where the build puts what the runner starts."""

    def test_program_that_replays_traces_is_where_the_runner_looks(self):
        done = subprocess.run([settings.SLABMILL, "--version"], stdout=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stdout.split()[0]), (0, "slabmill"))


class CausesTest(unittest.TestCase):
    """Causes of what real processes printed (fuzz/planted)."""

    def name(self, log, target="t"):
        """The cause of a recorded log."""
        return causes.classify((LOGS / f"{log}.log").read_text()).name(target)

    def test_each_kind_of_failure_has_its_name(self):
        for log, name in (
            ("overrun", "t-heap-buffer-overflow-planted_overrun"),
            ("law", "t-law-misuse_answer"),
            ("timeout", "t-timeout"),
            ("out_of_memory", "t-out-of-memory"),
            ("race", "t-data-race-race"),
            ("uninitialised", "t-use-of-uninitialized-value-planted_uninitialised"),
            ("overflow", "t-signed-integer-overflow-cannot-be-represented-f"),
        ):
            with self.subTest(log):
                self.assertEqual(self.name(log), name)

    def test_broken_law_is_named_and_its_sentence_is_kept(self):
        cause = causes.classify((LOGS / "law.log").read_text())
        self.assertEqual((cause.kind, cause.law), ("law", "misuse_answer"))
        self.assertIn("free(0x7f2ea9bbd007), past_end: SLM_OK", cause.stack)
        self.assertIn("try_pointer", cause.frames)

    def test_other_numbers_in_an_error_are_the_same_cause(self):
        text = (LOGS / "overflow.log").read_text()
        other = text.replace("10 + 2147483647", "-77 + 2147483646")
        self.assertNotEqual(text, other)
        self.assertEqual(causes.classify(text).name("t"), causes.classify(other).name("t"))

    def test_cause_with_endless_frame_names_fits_a_folder_name(self):
        names = set()
        for end in "xy":
            frame = f"    #0 0x1 in {'f' * 300}{end} allocator/a.c:1:1\n"
            log = f"==1==ERROR: A\n{frame}SUMMARY: AddressSanitizer: SEGV a.c:1\n"
            names.add(causes.classify(log).name("t"))
        self.assertEqual(len(names), 2)
        self.assertLess(max(map(len, names)), 200)

    def test_endless_blank_lines_are_read_quickly(self):
        began = time.process_time()
        log = "==1==ERROR: A\n" + "\n" * (1 << 17) + "SUMMARY: AddressSanitizer: SEGV a.c:1\n"
        self.assertLess(len(causes.classify(log).stack), 1 << 17)
        self.assertLess(time.process_time() - began, 10)

    def test_empty_summary_has_no_cause(self):
        self.assertIsNone(causes.classify("SUMMARY: AddressSanitizer:  \n"))

    def test_output_without_a_report_has_no_cause(self):
        self.assertIsNone(causes.classify("#3 DONE cov: 3\nslabmill: ops=3 execs=1 seconds=0.1\n"))
        self.assertIsNone(causes.classify(""))


class ShrinkerTest(unittest.TestCase):
    """Shrinking, with failures that are known exactly."""

    def shrink(self, fails, data, head=4, record=3):
        """Returns the result, and all inputs that were tried."""
        asked = []

        def ask(smaller):
            asked.append(smaller)
            return fails(smaller)

        return shrink.Shrinker(ask, head, record).shrink(data), asked

    def test_whole_records_are_dropped_and_the_head_stays(self):
        data = b"HEAD" + b"abc" * 30 + b"BUG" + b"xyz" * 17
        small, asked = self.shrink(lambda d: b"BUG" in d and len(d) >= 4, data)
        self.assertEqual(small, b"\0\0\0\0BUG")
        self.assertTrue(all((len(d) - 4) % 3 == 0 for d in asked))

    def test_two_records_far_apart_are_both_kept(self):
        data = b"HEAD" + b"one" + b"abc" * 40 + b"two" + b"abc" * 9
        small, _ = self.shrink(lambda d: b"one" in d and b"two" in d, data)
        self.assertEqual(small[4:], b"onetwo")

    def test_bytes_become_as_small_as_the_failure_allows(self):
        small, _ = self.shrink(lambda d: len(d) == 7 and d[5] >= 100, b"HEAD\xff\xff\xff")
        self.assertEqual(small, b"\0\0\0\0\0\x64\0")

    def test_input_that_never_fails_again_is_unchanged(self):
        self.assertEqual(self.shrink(lambda d: False, b"HEADabc")[0], b"HEADabc")

    def test_the_best_so_far_is_kept_when_time_runs_out(self):
        n_left = [2]

        def fails(data):
            n_left[0] -= 1
            if n_left[0] < 0:
                raise StopIteration
            return len(data) >= 4

        small, _ = self.shrink(fails, b"HEAD" + b"abc" * 8)
        self.assertEqual(small, b"HEAD")


def _event(**numbers):
    return {
        **dict.fromkeys(("execs", "ops", "edges", "features", "features_at_start", "corpus")),
        **dict.fromkeys(("rss_mb", "execs_per_s", "death", "trouble")),
        **{"target": "t", "lane": "seeded", "t": 1.0, "seconds": 10.0, "seconds_wanted": 10},
        **{"seed": 7, "number": 1, "new_inputs": 0},
        **numbers,
    }


class LanesTest(unittest.TestCase):
    """The environment of fuzzed processes."""

    OVERFLOW = "int main(int argc, char **argv) { (void)argv; return (argc + 0x7fffffff) & 0; }"

    def test_undefined_behaviour_ends_a_process_built_to_continue(self):
        with tempfile.TemporaryDirectory() as folder:
            source, program = pathlib.Path(folder, "a.c"), pathlib.Path(folder, "a")
            source.write_text(self.OVERFLOW)
            build = ["clang-19", "-fsanitize=address,undefined", source, "-o", program]
            subprocess.run(build, check=True)
            # LeakSanitizer does not work where a test is traced.
            environment = lanes.sanitizer_environment()
            environment["ASAN_OPTIONS"] += ":detect_leaks=0"
            ran = subprocess.run([program], env=environment, capture_output=True, check=False)
            self.assertIn(b"signed integer overflow", ran.stderr)
            self.assertNotEqual(ran.returncode, 0)


class AccountTest(unittest.TestCase):
    """Sums, yields, and lanes that are given up."""

    def setUp(self):
        self.account = account.Account()

    def test_yield_counts_only_new_features(self):
        self.account.apply(_event(features_at_start=100, features=150))
        lane = self.account.lane("t", "seeded")
        self.assertEqual(lane.yields, 5.0)
        self.account.apply(_event(features_at_start=150, features=150))
        self.assertEqual(lane.yields, 2.5)

    def test_feature_of_another_lane_of_the_build_is_not_new(self):
        self.account.apply(_event(features_at_start=100, features=150))
        self.account.apply(_event(lane="short", features_at_start=0, features=140))
        self.assertEqual(self.account.lane("t", "short").yields, 0)
        self.account.apply(_event(lane="msan", features_at_start=0, features=140))
        self.assertEqual(self.account.lane("t", "msan").yields, 14.0)

    def test_five_early_deaths_in_a_row_give_a_lane_up(self):
        for _ in range(4):
            self.account.apply(_event(seconds=1.0, death="x"))
        self.account.apply(_event())
        for _ in range(5):
            self.assertIsNone(self.account.lane("t", "seeded").given_up)
            self.account.apply(_event(seconds=1.0, death="x"))
        self.assertIn("5 early deaths", self.account.lane("t", "seeded").given_up)

    def test_late_deaths_never_give_a_lane_up(self):
        for _ in range(20):
            self.account.apply(_event(seconds=60.0, seconds_wanted=300, death="x"))
        self.assertIsNone(self.account.lane("t", "seeded").given_up)
        self.assertEqual(self.account.lane("t", "seeded").deaths, 20)

    def test_numbers_that_were_not_reported_are_not_0(self):
        self.account.apply(_event())
        self.assertIsNone(self.account.lane("t", "seeded").execs)
        self.account.apply(_event(execs=5))
        self.assertEqual(self.account.lane("t", "seeded").execs, 5)

    def test_time_without_news_starts_at_the_last_new_feature(self):
        self.account.apply(_event(features_at_start=100, features=150))
        self.account.apply(_event(features_at_start=150, features=150))
        self.account.apply(_event(features_at_start=150, features=150))
        self.assertEqual(self.account.target_seconds["t"] - self.account.last_new_s["t"], 20.0)


class RatesTest(unittest.TestCase):
    """Exec/s and ops/s are those of one process wherever a night shows them."""

    def test_line_shows_the_rates_of_one_process(self):
        sums = account.Account()
        sums.apply(_event(execs=1000, ops=8000, seconds=10.0))
        sums.apply(_event(lane="msan", execs=1000, ops=2000, seconds=10.0))
        running = [object.__new__(time_slice.TimeSlice) for _ in range(3)]
        for one, rate in zip(running, (300, 100, None)):
            numbers = engines.Numbers(execs_per_s=rate)
            one.name, one.sample = "t/seeded", lambda numbers=numbers: numbers
        made = made_settings(seconds=60, targets=["t"])
        clock = types.SimpleNamespace(seconds=lambda: 20.0)
        found = types.SimpleNamespace(count=lambda known: 0)
        text = status.Status(made, clock, sums, found, lambda: running).text()
        self.assertIn(" | 200 exec/s | 500 ops/s | ", text)

    def test_rate_of_afl_is_that_of_its_slice(self):
        with tempfile.TemporaryDirectory() as folder:
            stats = pathlib.Path(folder, "default", "fuzzer_stats")
            files.write_bytes(stats, b"execs_done : 900\nexecs_per_sec : 7.5\n")
            slice_of_afl = types.SimpleNamespace(
                state=pathlib.Path(folder), before=lambda _: 300, n_kept=0,
                fuzzed_seconds=lambda: 60.0,
            )
            numbers = engines.Afl.numbers("", slice_of_afl)
            self.assertEqual((numbers.execs, numbers.execs_per_s), (600, 10.0))

    def test_earlier_night_keeps_the_rate_of_one_process(self):
        with tempfile.TemporaryDirectory() as folder:
            past = history.History(pathlib.Path(folder))
            night = _report("1", {}, targets=("t", "u"))
            night["targets"][0]["lanes"] = [{"execs": 600, "seconds": 10.0}]
            night["targets"][1]["lanes"] = [
                {"execs": 200, "seconds": 10.0}, {"execs": None, "seconds": 5.0}
            ]
            past.add(night, {})
            self.assertEqual([row["execs_per_s"] for row in past.rows()], [40.0])


class PlanTest(unittest.TestCase):
    """Which lane has the next slice."""

    def setUp(self):
        self.account = account.Account()
        self.lanes_of = {name: list(lanes.LANES) for name in ("a", "b")}

    def play(self, n_slices, yields):
        """Gives n slices of 10 s. Each finds yields(target, lane) new features per second. Returns
        the lanes' names in order, and seconds by target and lane."""
        names = []
        for _ in range(n_slices):
            target, lane = plan.choose(self.lanes_of, self.account, {})
            names.append(lane.name)
            known = self.account.lane(target, lane.name).features or 0
            found = known + 10 * yields(target, lane.name)
            event = _event(target=target, lane=lane.name, features_at_start=known, features=found)
            self.account.apply(event)
        return names, {key: lane.seconds for key, lane in self.account.lanes.items()}

    def test_each_lane_of_each_target_has_a_first_slice_by_rank(self):
        seen, _ = self.play(12, lambda *_: 0)
        self.assertEqual(seen, [lane.name for lane in lanes.LANES for _ in "ab"])

    def test_time_goes_to_lanes_that_yield_and_none_starves(self):
        _, spent = self.play(400, lambda t, lane: 9 if (t, lane) == ("a", "msan") else 0)
        best = spent.pop(("a", "msan"))
        self.assertGreater(best, 5 * max(spent.values()))
        self.assertGreater(min(spent.values()), 100)

    def test_lane_that_was_given_up_has_no_slice(self):
        for name in ("a", "b"):
            for lane in lanes.LANES:
                self.account.lane(name, lane.name).given_up = "why"
        self.assertIsNone(plan.choose(self.lanes_of, self.account, {}))
        self.account.lane("b", "tsan").given_up = None
        self.assertEqual(plan.choose(self.lanes_of, self.account, {})[0], "b")

    def test_afl_has_one_slice_at_a_time_on_a_target(self):
        only = {"a": [lanes.BY_NAME["afl"]]}
        self.assertIsNone(plan.choose(only, self.account, {("a", "afl"): 10.0}))
        only = {"a": [lanes.BY_NAME["seeded"]]}
        self.assertIsNotNone(plan.choose(only, self.account, {("a", "seeded"): 10.0}))

    def test_slices_are_neither_too_short_nor_too_long(self):
        self.assertEqual(plan.slice_seconds(50, 60), 4)
        self.assertEqual(plan.slice_seconds(50, 2 * 8 * 3600), 300)
        self.assertEqual(plan.slice_seconds(10, 3000), 100)


class LanesThatCannotRunTest(unittest.TestCase):
    """Why a lane has no slice, however long the night is."""

    def test_each_lane_runs_or_has_its_reason(self):
        with tempfile.TemporaryDirectory() as folder:
            for variant in ("asan-ubsan", "tsan", "afl"):
                files.write_bytes(pathlib.Path(folder, "fuzz/night", variant, "t"), b"")
            chosen = [lane for lane in lanes.LANES if lane.name != "short"]
            made = made_settings(folder, targets=["t"], lanes=chosen)
            why = {"msan": "there is no msan build", "short": "left out by --lanes"}
            for has_afl, more in ((True, {}), (False, {"afl": "AFL++ is not installed"})):
                with unittest.mock.patch.object(machine, "has_afl", return_value=has_afl):
                    self.assertEqual(made.cannot_run("t"), {**why, **more})
                    runs = [lane.name for lane in made.built_lanes()["t"]]
                    self.assertEqual(sorted([*runs, *why, *more]), sorted(lanes.NAMES))


class SliceTest(unittest.TestCase):
    """The verdict on a slice that ended without a finding."""

    @staticmethod
    def trouble(engine, forced, status, text=""):
        """Returns the trouble of a slice that ended so, "short of time", or None."""
        ended = types.SimpleNamespace(
            engine=engine, forced=forced, status=status, how_it_ended=lambda: f"status {status}"
        )
        ended.is_short = time_slice.TimeSlice.is_short_of_time(ended, text)
        found = time_slice.TimeSlice.find_trouble(ended)
        return "short of time" if ended.is_short and found is None else found

    READS = "INFO: Running with entropic power schedule\nINFO: seed corpus: files: 203 min: 1b\n"
    READ = READS + "#204\tINITED cov: 30 ft: 40 corp: 3/1b exec/s: 0 rss: 30Mb\n"

    def test_fuzzer_killed_while_it_reads_its_corpus_is_short_of_time(self):
        for forced in (job.OVERRUN, job.STOP):
            end = (engines.LibFuzzer, forced, -signal.SIGKILL)
            self.assertEqual(self.trouble(*end, self.READS), "short of time")

    def test_fuzzer_killed_before_or_after_it_reads_is_in_trouble(self):
        for text in ("", self.READ):
            end = (engines.LibFuzzer, job.OVERRUN, -signal.SIGKILL)
            self.assertEqual(self.trouble(*end, text), "did not end in time")

    def test_fuzzer_that_fails_while_it_reads_its_corpus_is_in_trouble(self):
        self.assertEqual(self.trouble(engines.LibFuzzer, None, 3, self.READS), "status 3")

    def test_late_fuzzer_that_exits_on_request_is_no_trouble(self):
        self.assertIsNone(self.trouble(engines.Afl, job.OVERRUN, 0))
        self.assertIsNone(self.trouble(engines.LibFuzzer, job.OVERRUN, 72))

    def test_late_fuzzer_that_has_to_be_killed_is_in_trouble(self):
        for engine in (engines.Afl, engines.LibFuzzer):
            self.assertEqual(
                self.trouble(engine, job.OVERRUN, -signal.SIGKILL), "did not end in time"
            )

    def test_fuzzer_killed_at_the_end_of_the_night_is_no_trouble(self):
        for engine, text in ((engines.Afl, ""), (engines.LibFuzzer, self.READ)):
            said = self.trouble(engine, job.STOP, -signal.SIGKILL, text)
            self.assertEqual(said, "short of time")
        self.assertIsNone(self.trouble(engines.LibFuzzer, job.STOP, 72, self.READ))

    def test_any_other_end_is_reported_by_its_status(self):
        self.assertEqual(self.trouble(engines.LibFuzzer, None, 3), "status 3")
        self.assertIsNone(self.trouble(engines.LibFuzzer, None, 0))


class CoverageTest(unittest.TestCase):
    """Reading llvm-cov's output."""

    def test_lines_of_our_sources_are_read_and_others_are_not(self):
        text = (
            "SF:/proc/self/cwd/allocator/slab/objects.c\nDA:3,17\nDA:4,0\nend_of_record\n"
            "SF:/usr/include/x.h\nDA:3,9\nend_of_record\n"
            "SF:harness/run/run.c\nDA:1,2\nend_of_record\n"
            "SF:/proc/self/cwd/external/slabmill/harness/run/run.c\nDA:1,2\nend_of_record\n"
            "SF:bazel-out/bin/name.c\nDA:1,2\nend_of_record\n"
            "SF:/c/execroot/user/heap.cc\nDA:5,1\nend_of_record\n"
        )
        self.assertEqual(
            coverage.read_lcov(text),
            {
                "allocator/slab/objects.c": {"3": 17, "4": 0},
                "harness/run/run.c": {"1": 2},
                "heap.cc": {"5": 1},
            },
        )


def _report(night, covered, targets=("t",)):
    """The part of a report that later nights compare with; covered: {file: {line: times}}."""
    numbers = dict.fromkeys(("execs", "execs_per_s", "edges", "lines_covered", "corpus_after"))
    return {
        "night": {"id": night, "seconds": 1.0},
        "targets": [{"name": n, "lines_total": 1, "lanes": [], **numbers} for n in targets],
        "findings": [],
        "coverage": {"files": [{"path": p, "hits": hits} for p, hits in covered.items()]},
    }


class HistoryTest(unittest.TestCase):
    """Comparison with earlier nights."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.past = history.History(self.folder)

    def test_damaged_reports_are_skipped(self):
        self.assertEqual((self.past.rows(), self.past.last_lines(["t"])), ([], (None, {})))
        for damaged in ('{"night": ', "[]", '{"targets": [], "coverage": []}', "[" * 9999):
            (self.folder / "1-x.json").write_text(damaged)
            self.assertEqual((self.past.rows(), self.past.last_lines(["t"])), ([], (None, {})))

    def test_nights_keep_their_order_when_the_clock_is_put_back(self):
        for number in range(12):
            self.past.add(_report(f"2030010{number % 3}-000000", {}), {})
        self.past.add(_report("20010101-000000", {}), {})
        ids = [row["id"][:8] for row in self.past.rows()]
        self.assertEqual(ids[-3:], ["20300101", "20300102", "20010101"])
        self.assertEqual(len(ids), 7)
        self.assertEqual(len(list(self.folder.iterdir())), 2 * 8)

    def compare(self, before, text_before, hits, text, targets=("t",)):
        """The coverage of a night with these lines in one file, after another night."""
        covered, sources = {"allocator/a.c": before}, {"allocator/a.c": text_before}
        self.past.add(_report("1", covered), {p: s for p, s in sources.items() if s})
        lines = {name: {"allocator/a.c": hits} for name in targets}
        return compare.coverage(
                lines, {"allocator/a.c": text}, made_settings(targets=[*targets, "u"]), self.past
            )

    def test_new_code_is_neither_a_lost_nor_a_gained_line(self):
        found = self.compare({"1": 3, "2": 0}, "a\nb", {"1": 0, "2": 5, "3": 0}, "a\nb\nnew")
        row = found["files"][0]
        self.assertEqual((row["lost"], row["gained"], row["compared"]), ([1], [2], True))
        self.assertEqual((row["lines_covered"], row["lines_total"]), (1, 3))
        self.assertEqual((found["compared_with"], found["note"][-10:]), ("1", "Without u."))

    def test_an_edit_above_a_function_loses_nothing(self):
        before = {"2": 1, "3": 1, "4": 0}
        now = {"1": 0, "4": 1, "5": 0, "6": 1}
        row = self.compare(before, "f\n x;\n y;\n z;", now, "new\n\nf\n x;\n y;\n z;")["files"][0]
        self.assertEqual((row["lost"], row["gained"]), ([5], [6]))

    def test_edited_line_is_not_compared(self):
        row = self.compare({"1": 1, "2": 1}, "a\nb", {"1": 1, "2": 0}, "a\nB")["files"][0]
        self.assertEqual(row["lost"], [])

    def test_file_without_its_text_is_marked_as_not_compared(self):
        row = self.compare({"1": 1}, None, {"1": 0}, "a")["files"][0]
        self.assertEqual((row["compared"], row["lost"]), (False, []))

    def test_night_is_not_compared_with_one_of_more_targets(self):
        found = self.compare({"1": 1}, "a", {"1": 0}, "a", targets=("other",))
        self.assertIsNone(found["compared_with"])
        self.assertEqual(found["files"][0]["lost"], [])


class DiskTest(unittest.TestCase):
    """What counts as used space."""

    def test_small_files_take_whole_blocks(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in "abc":
                pathlib.Path(folder, name).touch()
            found = types.SimpleNamespace(st_size=1, st_blocks=8)
            with unittest.mock.patch.object(files.os, "lstat", return_value=found):
                self.assertEqual(files.size_of(folder), 3 * 4096)


class FindingsTest(unittest.TestCase):
    """A finding whose cause is known only after triage."""

    def test_command_names_the_folder_that_the_cause_gave_it(self):
        with tempfile.TemporaryDirectory() as root:
            out = pathlib.Path(root)
            settings = made_settings(cache=out, seconds=60, disk_mb=1)
            trouble = troubles.Troubles(self.fail)
            parts = settings, store.Store(settings, out, trouble), trouble
            found = findings.Findings(*parts, print, "1")
            folder = found.folder / "t-unread-1"
            finding = dict.fromkeys(("lane", "known_as", "kind"), None)
            finding |= {"target": "t", "package": "fuzz", "variant": "msan", "sightings": ["1"]}
            found.by_cause[folder.name] = finding | {"first_seen_s": 0.0, "has_input": True}
            files.write_bytes(folder / "shrunk", b"x")
            files.write_json(folder / "triage.json", {"cause": "t-law-x", "input": "shrunk"})
            found.triage_ended(folder, None)
            row = found.report()[0]
            self.assertTrue(pathlib.Path(row["input"]).exists())
            self.assertTrue(row["command"].endswith(f"/fuzz/t_bin {out}/findings/t-law-x/shrunk"))
            self.assertIn("--config=msan-libfuzzer //fuzz:t_bin", row["command"])


if __name__ == "__main__":
    unittest.main()
