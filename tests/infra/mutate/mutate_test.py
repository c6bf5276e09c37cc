# SPDX-License-Identifier: Apache-2.0
"""//tools:mutate judges the mutants of a small file as expected, and keeps its list honest."""

import argparse
import contextlib
import io
import json
import pathlib
import shutil
import tempfile
import unittest

import by_hand
from mutate import __main__ as command, actions as bazel_lines, equivalents, judge as judges
from mutate import mutants as finder, plan as plans, process

HERE = pathlib.Path(__file__).parent
SETTINGS = argparse.Namespace(seed=1, runs=3000, sample=None, jobs=1, json=False, list=False)


class SumsTest(unittest.TestCase):
    """sums.c with its fuzz target and its test, built once."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name, "root")
        cls.root.mkdir()
        for name in ("sums.c", "sums.h", "sums_fuzz.c", "sums_check.c"):
            shutil.copy(HERE / name, cls.root)
        corpus = cls.root / "corpus"
        corpus.mkdir()
        (corpus / "one").write_bytes(b"\4")
        build = by_hand.Build(cls.root)
        fuzz = build.compile(["sums.c", "sums_fuzz.c"], "fuzz", by_hand.FUZZ_FLAGS)
        check = build.compile(["sums.c", "sums_check.c"], "check", ())
        fuzz, check = build.link("fuzz", fuzz, by_hand.FUZZ_LINK), build.link("check", check, ())
        build.run()
        fuzz = build.program("sums_fuzz", fuzz, corpus)
        cls.plan = build.plan("sums.c", [fuzz], [build.program("sums_check", check)])
        cls.mutants = command.find_all(cls.plan, {})

    def mutant(self, function, operator, change):
        """The one mutant of a function that makes this change."""
        all_of = [(one.function, one.operator, one.describe()) for one in self.mutants]
        self.assertEqual(all_of.count((function, operator, change)), 1, all_of)
        return self.mutants[all_of.index((function, operator, change))]

    def judge(self, *what, entries=()):
        """The verdict on a mutant."""
        with tempfile.TemporaryDirectory() as folder:
            judge = judges.Judge(self.plan, SETTINGS, dict(entries), pathlib.Path(folder))
            return judge.judge(self.mutant(*what))

    def expect(self, verdict, outcome, stage="", how=""):
        """Asserts how it ended."""
        self.assertEqual((verdict.outcome, verdict.stage), (outcome, stage), verdict)
        self.assertIn(how, verdict.how)

    def test_corpus_kills_what_its_inputs_reach(self):
        verdict = self.judge("sum_weights", "arithmetic", "`+` -> `-`")
        self.expect(verdict, "killed", "corpus", "deadly signal")
        self.assertEqual(verdict.by, "sums_fuzz")

    def test_sanitizers_report_kills(self):
        verdict = self.judge("sum_weights", "constant", "`3` -> `(3 + 1)`")
        self.expect(verdict, "killed", "corpus", "UndefinedBehaviorSanitizer")

    def test_fuzzing_kills_what_the_corpus_misses_and_counts_executions(self):
        verdict = self.judge("sum_weights", "constant", "`10` -> `(10 + 1)`")
        self.expect(verdict, "killed", "fuzzing", "deadly signal")
        self.assertGreater(verdict.executions, 0)

    def test_unit_test_kills_what_no_fuzz_target_calls(self):
        verdict = self.judge("half_of", "constant", "`2` -> `(2 + 1)`")
        self.expect(verdict, "killed", "tests", "Sums.HalfOfEightIsFour")

    def test_mutant_that_sleeps_for_ever_is_a_timeout(self):
        self.addCleanup(setattr, process, "IDLE_SECONDS", process.IDLE_SECONDS)
        process.IDLE_SECONDS = 3
        verdict = self.judge("pass_gate", "delete", "without `is_open = 1`")
        self.expect(verdict, "killed", "tests", "timeout: no process of it could run")

    def test_mutant_that_loops_for_ever_is_a_timeout(self):
        self.addCleanup(setattr, judges, "CPU_SECONDS_MIN", judges.CPU_SECONDS_MIN)
        judges.CPU_SECONDS_MIN = 1
        verdict = self.judge("count_bits", "delete", "without `n /= 2`")
        self.expect(verdict, "killed", "tests", "timeout: more than 1 s of CPU time")

    def test_change_that_no_program_notices_survives(self):
        self.expect(self.judge("capped", "constant", "`99` -> `(99 + 1)`"), "survived")

    def test_change_that_shows_under_a_sanitizer_only_is_not_equivalent(self):
        self.expect(self.judge("hide_both", "delete", "without `hide(&hidden[0])`"), "survived")

    def test_same_objects_are_equivalent(self):
        verdict = self.judge("next_of", "constant", "`7` -> `(7 + 1)`")
        self.expect(verdict, "equivalent", how="the compiler makes the same objects")

    def test_mutant_that_does_not_compile_does_not_count(self):
        verdict = self.judge("half_of", "delete", "without `return n / 2`")
        self.expect(verdict, "does not compile", how="non-void function")
        report = command.Report(as_json=False)
        with contextlib.redirect_stdout(io.StringIO()):
            report.add(verdict)
        self.assertEqual(report.n_judged(), 0)

    def test_survivor_with_a_proof_is_equivalent(self):
        what = ("remembered", "delete", "without `last_remembered = n`")
        self.expect(self.judge(*what), "survived")
        key = self.mutant(*what).key
        verdict = self.judge(*what, entries={key: ("sums.c", "remembered", "it is never read")})
        self.expect(verdict, "equivalent", how="listed: it is never read")

    def test_proof_of_a_killed_mutant_is_an_error(self):
        what = ("half_of", "constant", "`2` -> `(2 + 1)`")
        entries = {self.mutant(*what).key: ("sums.c", "half_of", "halves are not used")}
        status, lines, _ = self.end([self.judge(*what, entries=entries)] * 40, entries)
        self.assertIn("the proof of", "".join(lines))
        self.assertEqual(status, 1)

    def end(self, verdicts, entries=(), as_json=False):
        """Closes a report. Returns the status, the lines for humans, and the document."""
        report, streams = command.Report(as_json), (io.StringIO(), io.StringIO())
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            for one in verdicts:
                report.add(one)
            status = report.close(dict(entries))
        lines = streams[1 if as_json else 0].getvalue().splitlines()
        return status, lines, json.loads(streams[0].getvalue()) if as_json else None

    def verdict(self, outcome, how=""):
        """Some mutant's."""
        return judges.Verdict(self.mutants[0], outcome, how=how)

    def test_last_line_counts_and_the_status_says_whether_one_survived(self):
        killed, same = self.verdict("killed"), self.verdict("equivalent")
        invalid, survived = self.verdict("does not compile"), self.verdict("survived")
        closing = "mutants: {} killed, {} survived, {} equivalent of {}"
        status, lines, _ = self.end([killed, killed, same, invalid])
        self.assertEqual((status, lines[-1]), (0, closing.format(2, 0, 1, 3)))
        status, lines, document = self.end([killed, survived], as_json=True)
        self.assertEqual((status, lines[-1]), (1, closing.format(1, 1, 0, 2)))
        self.assertEqual((document["survived"], document["n"]), (1, 2))
        self.assertEqual(document["mutants"][1]["id"], self.mutants[0].name)

    def test_more_proofs_than_a_twentieth_are_an_error(self):
        listed = [self.verdict("equivalent", "listed: so it is")] * 2
        self.assertEqual(self.end(listed + [self.verdict("killed")] * 38)[0], 0)
        self.assertEqual(self.end(listed + [self.verdict("killed")] * 18)[0], 1)

    def test_same_seed_chooses_the_same_mutants(self):
        def names(seed):
            settings = argparse.Namespace(sample=5, seed=seed)
            pairs = [(None, one) for one in self.mutants]
            return [one.name for _, one in command.choose(pairs, set(), settings)]

        self.assertEqual(names(1), names(1))
        self.assertNotEqual(names(1), names(2))

    def test_id_chooses_one_mutant(self):
        pairs = [(None, one) for one in self.mutants]
        chosen = command.choose(pairs, {self.mutants[3].name}, SETTINGS)
        self.assertEqual([one for _, one in chosen], [self.mutants[3]])
        with self.assertRaises(plans.Wrong):
            command.choose(pairs, {"sums.c:1:1:delete:0"}, SETTINGS)


class EquivalentsTest(unittest.TestCase):
    """The checked-in list."""

    def read(self, text):
        """The entries of a list."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "equivalent.txt")
            path.write_text(text)
            return equivalents.read(path)

    def test_entry_has_a_key_a_place_and_a_proof(self):
        entries = self.read("# head\n0123456789ab a/b.c f\n    one\n    two\n")
        self.assertEqual(entries, {"0123456789ab": ("a/b.c", "f", "one two")})

    def test_entry_without_a_proof_or_twice_is_an_error(self):
        for text in ("0123456789ab a.c f\n", "0123456789ab a.c f\n    x\n" * 2, "what is this\n"):
            with self.assertRaises(equivalents.Invalid):
                self.read(text)

    def test_no_entry_of_the_checked_in_list_is_stale(self):
        entries = equivalents.read(pathlib.Path("tools/mutate/equivalent.txt"))
        for path in sorted({one[0] for one in entries.values()}):
            words = ["-std=c11", "-iquote", ".", "-isystem", "include"]
            text = pathlib.Path(path).read_bytes()
            found = finder.find(path, text, path, words, pathlib.Path.cwd())
            equivalents.check_fresh(entries, path, found)

    def test_entry_without_a_mutant_is_stale(self):
        with self.assertRaises(equivalents.Invalid):
            equivalents.check_fresh({"0123456789ab": ("a.c", "f", "proof")}, "a.c", [])
        equivalents.check_fresh({"0123456789ab": ("b.c", "f", "proof")}, "a.c", [])


class PlanTest(unittest.TestCase):
    """What judges a file, and how it is linked."""

    def test_every_room_has_fuzz_targets_that_exist(self):
        targets = {one.stem for one in pathlib.Path("fuzz").glob("*_fuzz.c")}
        rooms = [*pathlib.Path("allocator").iterdir(), *pathlib.Path("harness").iterdir()]
        for room in (one for one in rooms if one.is_dir()):
            found = plans.fuzz_targets_of(f"{room}/x.c")
            self.assertTrue(found and targets.issuperset(found), f"{room}: {found}")
        self.assertEqual(plans.fuzz_targets_of("fuzz/zone_threads/x.c"), ["zone_threads_fuzz"])
        self.assertEqual(plans.fuzz_targets_of("tools/slabmill/main.c"), [])

    def test_lines_of_bazel_are_read_and_ordered(self):
        def action(mnemonic, output, words, inputs=()):
            return {"mnemonic": mnemonic, "primaryOutputId": output, "arguments": words,
                    "inputDepSetIds": list(inputs)}  # fmt: skip

        graph = {
            "pathFragments": [{"id": 1, "label": "o"}]
            + [{"id": 2 + n, "parentId": 1, "label": name} for n, name in enumerate("abcd")],
            "artifacts": [{"id": n, "pathFragmentId": n} for n in (2, 3, 4, 5)],
            "depSetOfFiles": [{"id": 1, "directArtifactIds": [4]}],
            "actions": [
                action("ExecutableSymlink", 5, [], [1]),
                action("CppLink", 4, ["cc", "-o", "o/c", "o/b", "@bazel-out/o/c-2.params"]),
                action("CppArchive", 3, ["ar", "rcsD", "o/b", "o/a"]),
                action("CppCompile", 2, ["cc", "-c", "a.c", "-o", "o/a"]),
                action("FileWrite", 2, []),
            ],
        }
        actions = bazel_lines.read_actions(json.dumps(graph))
        ordered = bazel_lines.needed_for(["o/d"], actions)
        self.assertEqual([one.output for one in ordered], ["o/a", "o/b", "o/c", "o/d"])
        self.assertEqual(ordered[0].source, "a.c")
        self.assertEqual(ordered[2].arguments, ("cc", "-o", "o/c", "o/b"))


if __name__ == "__main__":
    unittest.main()
