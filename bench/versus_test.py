#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The comparison: arguments, the rows, JSON, CSV, table and page; and the gate's judgement."""

import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path[:0] = ["bench", "fuzz"]

# pylint: disable=wrong-import-position
from versus import competitors, document, gate, measure, page, table

KEYS = {"row", "workload", "metric", "unit", "lower_is_better", "ours", "peers", "goal"}
MACHINE = {"processors": 2, "model": "none", "load": 0, "date": "2026-01-01 00:00"}


def run(*arguments, folder, **environment):
    """`compare` as Bazel starts it, called in the folder."""
    environment = {**os.environ, "BUILD_WORKING_DIRECTORY": str(folder), **environment}
    return subprocess.run(["bench/compare.sh", *arguments], capture_output=True, text=True,
                          check=False, env=environment)


def row(name, ours, peers, goal=None, lower=True, metric="time", unit="ns"):
    return {"row": name, "workload": name, "metric": metric, "unit": unit,
            "lower_is_better": lower, "ours": ours, "peers": peers, "goal": goal}


class FolderTest(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.folder = pathlib.Path(self._folder.name)


class ArgumentsTest(FolderTest):
    """A wrong call ends with status 2 and one sentence, and writes nothing."""

    def wrong(self, message, *arguments):
        done = run(*arguments, folder=self.folder)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(message, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_wrong_arguments_are_refused(self):
        self.wrong("unrecognized arguments: --fast", "--fast")
        self.wrong("unrecognized arguments: pool", "pool")
        self.wrong("'(' is no regular expression", "--rows", "(")
        self.wrong("no row matches 'nothing'", "--rows", "nothing")
        self.wrong("'0' is no number above 0", "--rounds", "0")
        self.wrong("is not PATH.so:ADAPTER of a file that exists", "--plugin", "none.so:mine")
        self.wrong("expected one argument", "--json")

    def test_json_file_that_cannot_be_written_is_refused_before_anything_runs(self):
        done = run("--rows", "^zone/lock$", "--json", "no/folder.json", folder=self.folder)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("no/folder.json", done.stderr)

    def test_list_has_a_line_for_each_row(self):
        done = run("--list", folder=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        names = [line.split()[0] for line in done.stdout.splitlines()]
        self.assertEqual(len(names), len(set(names)))
        self.assertGreater(len(names), 100)
        self.assertEqual({name.split("/")[0] for name in names}, set(competitors.GROUPS))

    def test_quick_leaves_slow_rows_out(self):
        done = run("--list", "--quick", folder=self.folder)
        self.assertNotIn("pool/reset_1M", done.stdout)
        self.assertIn("pool/reset_1k", done.stdout)


class RunTest(FolderTest):
    """A tiny comparison: ours, and nginx where it is installed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # With the module of nginx, which is built once.
        cls._out = tempfile.TemporaryDirectory()
        cls.out = pathlib.Path(cls._out.name)
        cls.addClassCleanup(cls._out.cleanup)

    def compare(self, rows, *more, **environment):
        done = run("--quick", "--rounds", "1", "--rows", rows, "--json", "rows.json",
                   "--out", str(self.out), *more, folder=self.folder, **environment)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done, json.loads((self.folder / "rows.json").read_text())

    def test_writes_table_json_csv_and_page(self):
        # Two points make a curve, also where nginx is not installed.
        names = ["zone/lock", "zone/move_processes:1", "zone/move_processes:2"]
        done, result = self.compare(f"^({'|'.join(names)})$", "--no-count")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual([one["row"] for one in result["rows"]], names)
        for one in result["rows"]:
            self.assertEqual(set(one), KEYS)
            self.assertGreater(one["ours"], 0)
            self.assertTrue(all(figure > 0 for figure in one["peers"].values()))
        kinds = [(one["metric"], one["unit"], one["lower_is_better"]) for one in result["rows"]]
        self.assertEqual(kinds, [("time", "ns", True)] + [("figure", "M/s", False)] * 2)
        self.assertIn("lock and unlock", done.stdout)
        page_path = self.out.resolve() / "compare.html"
        self.assertEqual(done.stdout.splitlines()[-1], f"page: {page_path}")
        self.assertTrue("<canvas" in page_path.read_text(), "the page has no plot")
        with open(self.out / "compare.csv", encoding="utf-8", newline="") as file:
            self.assertEqual([line["row"] for line in csv.DictReader(file)], names)

    def test_absent_peers_are_reported(self):
        # A compiler that finds no header: only nginx, which needs none, may be there.
        done, result = self.compare("^pool/reset_1k$", "--no-count", CC="false")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("absent: talloc is not installed (Debian: libtalloc-dev)", done.stdout)
        self.assertIn("talloc", result["absent"])
        self.assertNotIn("talloc", result["rows"][0]["peers"])
        self.assertIn("bump", result["rows"][0]["peers"])

    def test_plugin_is_one_more_competitor(self):
        plugin = self.out.resolve() / "mine.so"
        subprocess.run(["peers/build.sh", "glibc", plugin], check=True)
        done, result = self.compare("^slab/64B_lifo$", "--no-count", "--plugin",
                                    f"{plugin}:glibc", CC="false")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("glibc", result["absent"])
        self.assertGreater(result["rows"][0]["peers"]["glibc"], 0)

    def test_missing_valgrind_is_reported(self):
        if competitors.valgrind() is None:
            done, result = self.compare("^zone/lock$")
            self.assertIn("instructions are not counted: valgrind is not installed", done.stdout)
            self.assertEqual(len(result["rows"]), 1)
            return
        _, result = self.compare("^zone/lock$")
        self.assertEqual([one["metric"] for one in result["rows"]], ["time", "instructions"])
        self.assertLess(result["rows"][1]["ours"], 1000)


class FailureTest(FolderTest):
    def test_process_that_fails_is_reported_and_the_others_stay(self):
        class Broken(measure.Runner):
            def _command(self, competitor, group, rows, more):
                if competitor.name == "broken":
                    return ["sh", "-c", "echo gone >&2; exit 3"]
                return super()._command(competitor, group, rows, more)

        runner = Broken(pathlib.Path.cwd(), None)
        rows = [one for one in runner.rows() if one.name == "zone/lock"]
        pair = [competitors.Competitor(name, competitors.OURS) for name in ("ours", "broken")]
        medians, failures = measure.time_all(
            runner, pair, rows, 1, ["--seconds", "0.001"], lambda _: None)
        self.assertEqual(list(medians["zone/lock"]), ["ours"])
        self.assertEqual(failures, ["broken, zone: exit status 3: gone"])


class TableTest(unittest.TestCase):
    def test_goal_is_met_in_the_direction_of_the_row(self):
        self.assertTrue(table.is_met(row("a/b", 4, {"nginx": 10}, .4)))
        self.assertFalse(table.is_met(row("a/b", 5, {"nginx": 10}, .4)))
        self.assertTrue(table.is_met(row("a/b", 30, {"nginx": 10}, 3, lower=False)))
        self.assertFalse(table.is_met(row("a/b", 29, {"nginx": 10}, 3, lower=False)))

    def test_goal_of_a_row_without_nginx_is_not_judged(self):
        self.assertIsNone(table.is_met(row("a/b", 4, {"apr": 10}, .4)))
        self.assertIsNone(table.is_met(row("a/b", None, {"nginx": 10}, .4)))
        self.assertIsNone(table.is_met(row("a/b", 4, {"nginx": 10})))

    def test_large_blocks_are_judged_by_the_source(self):
        one = measure.Row("pool/large_1", "pool/large_1", "pool", "large", "", False, 0, False,
                          False)
        medians = {"pool/large_1": {"ours": 23, "nginx": 40, "source alone": 20}}
        built = table.build([one], medians, {})
        self.assertAlmostEqual(built[0]["goal"], 1.15 * 20 / 40)
        self.assertTrue(table.is_met(built[0]))

    def test_heaps_stand_in_the_rows_without_lock_too(self):
        one = measure.Row("slab_nl/x", "slab/x", "slab_nl", "x", "", False, 0, False, False)
        medians = {"slab/x": {"ours": 9, "nginx": 8, "mimalloc": 2},
                   "slab_nl/x": {"ours": 5, "nginx": 6}}
        built = table.build([one], medians, {})
        self.assertEqual(built[0]["ours"], 5)
        self.assertEqual(built[0]["peers"], {"mimalloc": 2, "nginx": 6})


class PageTest(unittest.TestCase):
    ROWS = [row("zone/tree_find:1000", 1, {"nginx": 2}, 1.05),
            row("zone/tree_find:10000", 3, {"nginx": 2}, 1.05),
            row("density/8B", .9, {"nginx": .8, "<b>": .1}, 1, False, "figure", "share"),
            row("density/24B", .9, {"nginx": 0}, 1, False, "figure", "share")]

    def test_has_a_plot_of_ratios_and_one_of_each_curve(self):
        titles = [plot["title"] for plot in page.plots(self.ROWS)]
        self.assertEqual(titles, ["Ours divided by nginx's", "Tree: find, by keys",
                                  "Density: payload as a share of the region, by size of objects"])

    def test_curve_of_one_point_is_left_out(self):
        self.assertEqual(len(page.plots(self.ROWS[:1])), 1)

    def test_page_escapes_what_competitors_are_called(self):
        text = page.render({"rows": self.ROWS, "machine": MACHINE, "notes": ["a <note>"],
                            "failures": [], "absent": {}})
        self.assertNotIn("<b>", text)
        self.assertIn("a &lt;note&gt;", text)
        self.assertIn("Goals: 2 met of 3", text)


class GateTest(FolderTest):
    def test_change_above_the_tolerance_fails_in_both_directions(self):
        figures = {"a": 100, "b": 100, "c": 100, "d": 100}
        lines, n_bad = gate.judge(figures, {"a": 102.9, "b": 103.1, "c": 96.9, "d": 97.1})
        self.assertEqual([line.split()[0] for line in lines], ["ok", "FAILED", "FAILED", "ok"])
        self.assertEqual(n_bad, 2)

    def test_row_that_was_not_counted_fails(self):
        self.assertEqual(gate.judge({"a": 1}, {})[1], 1)

    def test_figures_that_are_written_are_read_again(self):
        self.assertEqual(gate.read(gate.write({"a/b": 12.5, "c/d:9": 1.0})),
                         {"a/b": 12.5, "c/d:9": 1.0})

    def test_damaged_line_is_named(self):
        for text in ("a 1\nb\n", "a 1\nb c\n", "a 1\nb 1 2\n"):
            with self.assertRaisesRegex(ValueError, "line 2"):
                gate.read(text)

    def test_gate_fails_with_a_wrong_figure_and_says_how_to_write_it(self):
        if competitors.valgrind() is None:
            self.skipTest("valgrind is not installed")
        path = self.folder / "figures.txt"
        path.write_text("zone/lock 1\n")
        environment = {**os.environ, "PYTHONPATH": "bench:fuzz"}
        done = subprocess.run([sys.executable, "-m", "versus.gate", path], capture_output=True,
                              text=True, check=False, env=environment)
        if "NOT RUN" in done.stdout:
            self.skipTest(done.stdout)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("1 of 1 are not as they were", done.stdout)
        self.assertIn("update_figures", done.stdout)


class DocumentTest(FolderTest):
    """The tables of docs/performance.md."""

    def setUp(self):
        super().setUp()
        self.text = pathlib.Path("docs/performance.md").read_text(encoding="utf-8")

    def test_page_has_each_operation_with_the_checked_in_figure(self):
        figures = gate.read(pathlib.Path("bench/figures.txt").read_text(encoding="utf-8"))
        ours = document.ours_of(self.text)
        self.assertEqual(set(ours), set(document.COSTS.values()))
        _, n_bad = gate.judge({name: figures[name] for name in ours}, ours)
        self.assertEqual(n_bad, 0, "./bazelw run //bench:update_page")

    def test_tables_of_the_page_are_those_that_are_written(self):
        counts = {name: {"ours": 1234.4, "nginx": 500} for name in document.COSTS.values()}
        costs = document.costs_table(counts, {name: 1.5 for name in counts} | {"zone/limit_new": 0})
        self.assertIn("| limit_req, known key | 1,234 | 500 | 2.5 | 1.5 |\n", costs)
        self.assertIn("| limit_req, new key in a full zone | 1,234 | 500 | 2.5 |  |\n", costs)
        fit = document.fit_table(["zone/fit:8", "zone/fit:1000"], {
            "zone/fit:8": {"ours": 5000, "nginx": 7}, "zone/fit:1000": {"ours": 1, "nginx": 2}})
        self.assertEqual(fit, "| bytes | 8 | 1,000 |\n| --- | ---: | ---: |\n| ours | 5,000 | 1 |\n"
                              "| nginx | 7 | 2 |\n")
        text = document.put(document.put(self.text, "costs", costs), "fit", fit)
        self.assertIn(costs, text)
        self.assertIn(fit, text)
        self.assertEqual(set(document.ours_of(text).values()), {1234})
        self.assertEqual(document.put(text, "fit", fit), text)
        self.assertEqual(text.count("\n## "), self.text.count("\n## "))

    def test_row_that_was_not_counted_is_no_table(self):
        with self.assertRaises(KeyError):
            document.costs_table({}, {})

    def test_page_without_marks_is_a_wrong_call_and_stays(self):
        path = self.folder / "page.md"
        path.write_text(self.text.replace("end of table fit", "end"))
        before = path.read_text()
        done = subprocess.run(["bench/update_page.sh", path], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("expected once: <!-- table fit", done.stderr)
        self.assertEqual(path.read_text(), before)

    def test_nothing_is_written_if_something_cannot_be_measured(self):
        path = self.folder / "docs" / "page.md"
        path.parent.mkdir()
        path.write_text(self.text)
        (self.folder / "sh").symlink_to("/bin/sh")
        done = subprocess.run(["bench/update_page.sh", path], capture_output=True, text=True,
                              check=False, env={**os.environ, "PATH": str(self.folder)})
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("NOT WRITTEN: valgrind is not installed", done.stderr)
        self.assertEqual(path.read_text(), self.text)


class RunnerTest(unittest.TestCase):
    """The program alone."""

    def wrong(self, message, *arguments):
        done = subprocess.run(["bench/runner", *arguments], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(message, done.stderr)

    def test_wrong_arguments_are_refused(self):
        self.wrong("unknown argument", "--fast")
        self.wrong("unknown argument", "--rows")
        self.wrong("unknown argument", "--rows", "(")
        self.wrong("unknown argument", "--seconds", "0")
        self.wrong("no row matches nothing", "--rows", "nothing")
        self.wrong("no adapter is named none", "--adapter", "none", "--rows", "zone/lock")
        self.wrong("start it by valgrind", "--count", "--rows", "zone/lock")

    def test_recording_that_is_missing_is_null(self):
        done = subprocess.run(
            ["bench/runner", "--adapter", "own_pool", "--rows", "trace_pool/", "--traces", "none"],
            capture_output=True, text=True, check=True)
        values = [json.loads(line)["value"] for line in done.stdout.splitlines()]
        self.assertEqual(values, [None, None])

    def test_recording_is_replayed(self):
        done = subprocess.run(
            ["bench/runner", "--adapter", "own_slab_fine", "--rows", "limit_req_refused",
             "--traces", "corpus/traces"], capture_output=True, text=True, check=True)
        # nginx refused 22,578 of its requests.
        self.assertEqual(json.loads(done.stdout)["value"], 0)

    def test_row_that_the_subject_cannot_do_is_null(self):
        done = subprocess.run(
            ["bench/runner", "--adapter", "bump", "--seconds", "0.001", "--rows", "pool/large_1$"],
            capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(done.stdout), {"row": "pool/large_1", "value": None})


if __name__ == "__main__":
    unittest.main()
