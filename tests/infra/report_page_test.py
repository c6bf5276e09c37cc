#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The morning page, for made-up nights."""

import html.parser
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path[:0] = ["fuzz", "tests/infra"]

import report_samples as samples  # noqa: E402
from report import page, schema, view, words  # noqa: E402

_ASKS_FOR = {"src", "srcset", "href", "action", "data", "poster", "background", "ping", "style"}
_VOID = {"meta", "link", "rect", "path", "br", "img", "input"}


class Page(html.parser.HTMLParser):
    """A parsed page: its elements, its text by section, its data and scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.text = {}
        self.data = {}
        self.scripts = []
        self._open = []
        self._section = ""
        self._script = None
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag not in _VOID:
            self._open.append(tag)
        if tag in ("section", "header"):
            self._section = attributes.get("id", tag)
        if tag == "script":
            self._script = attributes

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        expected = self._open.pop()
        assert expected == tag, f"<{expected}> closed by </{tag}>"
        self._script = None

    def handle_data(self, data):
        if self._script is None:
            self.text[self._section] = self.text.get(self._section, "") + data
        elif self._script.get("type") == "application/json":
            self.data[self._script["id"]] = json.loads(data)
        else:
            self.scripts.append(data)

    def tags(self, name):
        """Attributes of all elements with this name."""
        return [attributes for tag, attributes in self.elements if tag == name]

    def sections(self):
        """Ids of the sections, in order."""
        return [attributes["id"] for attributes in self.tags("section")]


def made(report, sources=samples.SOURCES):
    """The page of a report, parsed."""
    return Page(page.render(report, sources))


class EveryPageTest(unittest.TestCase):
    """Properties of the page of any night."""

    NIGHTS = {
        "healthy": samples.healthy(),
        "hostile": samples.hostile(),
        "first": samples.first(),
        "trouble": samples.trouble(),
        "no targets": samples.healthy(targets=[], history=[]),
    }

    @classmethod
    def setUpClass(cls):
        cls.texts = {k: page.render(night, samples.SOURCES) for k, night in cls.NIGHTS.items()}
        cls.pages = {k: Page(text) for k, text in cls.texts.items()}

    def each(self):
        """Yields all nights, with one subtest each."""
        for name, report in self.NIGHTS.items():
            with self.subTest(name):
                yield report, self.pages[name]

    def test_page_requests_nothing_outside_itself(self):
        for _, seen in self.each():
            for tag, attributes in seen.elements:
                for name in _ASKS_FOR & set(attributes):
                    self.assertRegex(attributes[name], r"^(#[a-z]+|data:,)$", (tag, name))

    def test_style_requests_nothing(self):
        style = (pathlib.Path(page.__file__).parent / "page.css").read_text()
        self.assertNotIn("url(", style)
        self.assertNotIn("@import", style)

    def test_policy_forbids_network_and_scripts_other_than_its_own(self):
        for _, seen in self.each():
            policies = [m["content"] for m in seen.tags("meta") if "http-equiv" in m]
            self.assertEqual(1, len(policies))
            self.assertIn("default-src 'none'", policies[0])
            self.assertNotIn("unsafe", policies[0])
            self.assertEqual(4, policies[0].count("'sha256-"))

    def test_page_runs_three_scripts_and_no_handler(self):
        for _, seen in self.each():
            self.assertEqual(3, len(seen.scripts))
            for tag, attributes in seen.elements:
                handlers = [name for name in attributes if name.startswith("on")]
                self.assertEqual([], handlers, tag)
            self.assertEqual([], seen.tags("img"))

    def test_sections_are_in_the_order_of_a_morning(self):
        order = ["new", "known", "troubles", "night", "targets", "plots", "operations"]
        for _, seen in self.each():
            self.assertEqual(order + ["stalled", "coverage", "run"], seen.sections())

    def test_headings_skip_no_level(self):
        for _, seen in self.each():
            levels = [int(t[1]) for t, _ in seen.elements if t in ("h1", "h2", "h3", "h4")]
            self.assertEqual(1, levels[0])
            self.assertEqual(1, levels.count(1))
            self.assertTrue(all(b <= a + 1 for a, b in zip(levels, levels[1:])), levels)

    def test_every_table_begins_with_its_caption(self):
        n_tables = 0
        for name in self.NIGHTS:
            text = self.texts[name]
            captions = re.findall(r"<table[^>]*>\s*<caption>(\w[^<]+)</caption>", text)
            self.assertEqual(text.count("<table"), len(captions))
            n_tables += len(captions)
        self.assertGreater(n_tables, 20)

    def test_verdict_is_the_heading(self):
        for report, seen in self.each():
            self.assertIn(report["verdict"]["sentence"], seen.text["header"])
            self.assertIn(report["verdict"]["word"], seen.text["header"])

    def test_every_target_is_named_where_it_matters(self):
        for report, seen in self.each():
            for target in report["targets"]:
                for section in ("targets", "plots", "run"):
                    self.assertIn(target["name"], seen.text[section])
            names = [target["name"] for target in report["targets"]]
            self.assertEqual(names, [drawn["name"] for drawn in seen.data["plots-data"]])

    def test_every_finding_is_shown_with_all_its_parts(self):
        keys = ("target", "input", "ops", "cause", "lane", "stack", "test", "command")
        for report, seen in self.each():
            for finding in words.visible(report["findings"]):
                section = seen.text["known" if finding["known"] else "new"]
                for key in keys:
                    self.assertIn(finding[key], section)
                self.assertIn(finding["law"] or finding["kind"], section)

    def test_every_trouble_is_shown(self):
        for report, seen in self.each():
            texts = report["troubles"] + [t for x in report["targets"] for t in x["troubles"]]
            for text in words.visible(texts):
                self.assertIn(text, seen.text["troubles"])

    def test_page_has_no_control_characters(self):
        for text in self.texts.values():
            text.encode("utf-8")
            self.assertEqual(words.visible(text), text)

    def test_every_night_matches_the_schema(self):
        for report in self.NIGHTS.values():
            schema.check(json.loads(json.dumps(report)))


class NightsTest(unittest.TestCase):
    """The pages of particular nights."""

    def test_healthy_night_shows_no_findings_and_its_length(self):
        seen = made(samples.healthy())
        self.assertIn("Ran 8 h 0 min of 8 h 0 min planned", seen.text["header"])
        self.assertIn("213,341,180 execs, 6,687 exec/s (−78 %", seen.text["header"])
        self.assertIn("Nothing new was found", seen.text["new"])
        self.assertIn("None of the known findings", seen.text["known"])
        self.assertIn("Nothing went wrong", seen.text["troubles"])
        self.assertNotIn("given up", seen.text["troubles"])

    def test_earlier_nights_are_listed_and_compared(self):
        seen = made(samples.healthy())
        for day in range(21, 28):
            self.assertIn(f"2026-11-{day} 22:00", seen.text["night"])
        # 655 edges against the 657 of the last night.
        self.assertIn("−2", seen.text["targets"])

    def test_coverage_names_lines_lost_and_gained_with_their_text(self):
        seen = made(samples.healthy())
        self.assertIn("3 lost lines 400–403", " ".join(seen.text["coverage"].split()))
        self.assertIn("400      if (a < 400 && b > 0)", seen.text["coverage"])
        self.assertIn("2 gained", seen.text["coverage"])

    def test_coverage_sorts_allocator_first_and_says_by_what(self):
        coverage = samples.coverage()
        coverage["files"] = [
            samples.covered_file("harness/never.c", 90, set(range(100)), lost=[1, 2, 4]),
            samples.covered_file("allocator/whole.c", 90, set()),
            samples.covered_file("allocator/large.c", 900, set(range(100))),
            samples.covered_file("examples/half.c", 90, set(range(45))),
            samples.covered_file("allocator/small.c", 9, set(range(5))),
            {**samples.covered_file("allocator/none.c", 0, set()), "compared": False},
        ]
        seen = made(samples.healthy(coverage=coverage))
        paths = [seen.data[f"source-data-{i}"]["path"] for i in range(6)]
        self.assertEqual(
            paths[:2] + paths[4:],
            ["allocator/small.c", "allocator/large.c", "harness/never.c", "examples/half.c"],
        )
        listed = seen.text["coverage"].split("By file")[1]
        self.assertEqual(paths, re.findall(r"\w+/\w+\.c", listed))
        self.assertIn(
            "Files of allocator/ first; among them and among the others, the least covered share "
            "of lines first.",
            listed,
        )

    def test_file_with_lost_lines_comes_with_its_lines(self):
        seen = made(samples.healthy())
        first = seen.data["source-data-0"]
        self.assertEqual("allocator/slab/objects.c", first["path"])
        self.assertEqual(samples.SOURCES[first["path"]], first["text"])
        self.assertEqual([400, 401, 403], first["lost"])
        self.assertEqual(0, first["hits"]["401"])
        self.assertEqual(2, len([d for d in seen.tags("details") if "data-source" in d]))

    def test_missing_sources_are_reported(self):
        seen = made(samples.healthy(), {})
        self.assertIn("not available when the page was made", seen.text["coverage"])
        self.assertIn("(text not available)", seen.text["coverage"])
        self.assertIn("Not covered: lines 400–458", seen.text["coverage"])

    def test_hostile_text_is_spelled_out(self):
        seen = made(samples.hostile())
        spelled = "<img src=x onerror=alert(2)>\"'&\\x00\\x1b[31m\ufffd\\u202e"
        self.assertIn(spelled, seen.text["new"])

    def test_flaky_and_returned_findings_are_marked(self):
        seen = made(samples.hostile())
        self.assertIn("flaky: 3 of 10", seen.text["new"])
        self.assertIn("is back", seen.text["known"])
        self.assertNotIn("is back", seen.text["new"])

    def test_stack_of_a_replay_is_called_that(self):
        for change, said in (
            ({}, "Stack of the find"),
            ({"stack_from": "replay"}, "Stack, from the replay"),
            ({"stack_from": None}, "Stack, from the replay"),
        ):
            finding = samples.finding(**change)
            if finding["stack_from"] is None:
                del finding["stack_from"]  # as in reports of earlier versions
            seen = made(samples.healthy(findings=[finding])).text["new"]
            self.assertEqual(re.findall("Stack.*", seen), [said])

    def test_first_night_shows_what_is_not_known_yet(self):
        seen = made(samples.first())
        self.assertIn("first night on record", seen.text["night"])
        self.assertIn("was not measured", seen.text["coverage"])
        self.assertIn("Nothing was recorded over time", seen.text["plots"])
        self.assertIn("No target counted its operations", seen.text["operations"])
        self.assertIn("no traces to replay", seen.text["run"])
        self.assertIn("Ran 2 min 1 s of 2 min 0 s planned", seen.text["header"])
        self.assertNotRegex("".join(seen.text.values()), r"\bNone\b(?! of the known)")

    def test_night_in_trouble_shows_what_went_wrong(self):
        seen = made(samples.trouble())
        self.assertIn("Ran 1 h 0 min only of 8 h 0 min planned", seen.text["header"])
        self.assertIn("slab_fuzz: seeded crashes at start", " ".join(seen.text["troubles"].split()))
        self.assertIn("pool_fuzz ran last night", seen.text["troubles"])
        self.assertIn("it was killed, and continued", seen.text["night"])
        self.assertIn("calloc reset", seen.text["operations"])
        self.assertIn("slab_fuzz nothing new at all", seen.text["stalled"])
        flagged = [d for d in seen.tags("div") if d.get("class") == "bad"]
        # Length, end, starts, memory, disk, free disk.
        self.assertEqual(6, len(flagged))

    def test_speed_is_compared_only_with_nights_of_the_same_targets(self):
        slow = [samples.target(name, execs=90_000) for name in ("slab_fuzz", "pool_fuzz")]
        seen = made(samples.healthy(targets=slow))
        self.assertIn("% against the median", seen.text["header"])
        seen = made(samples.healthy(targets=slow[:1]))
        self.assertNotIn("median", seen.text["header"])

    def test_exec_per_s_of_the_night_is_that_of_one_process(self):
        lanes = [
            samples.lane("seeded", execs=9000, seconds=10.0),
            samples.lane("msan", "msan", execs=1000, seconds=10.0),
            samples.lane("afl", "none", "afl", execs=None, seconds=10.0),
        ]
        history = [samples.earlier_night(27, execs_per_s=777.0, targets={"slab_fuzz": {}})]
        made_of = {"targets": [samples.target("slab_fuzz", lanes)], "history": history}
        seen = made(samples.healthy(**made_of))
        self.assertIn(" 500 exec/s (−36 % against", seen.text["header"])
        rows = [row.split("\n")[0] for row in seen.text["night"].split("2026-11-")]
        self.assertEqual(3, len(rows))
        self.assertIn("500", rows[1])
        self.assertIn("777", rows[2])
        defined = "inputs run, divided by the seconds of the processes that ran them"
        self.assertEqual(1, "".join(seen.text.values()).count(defined))
        del history[0]["execs_per_s"]
        self.assertIn(" 500 exec/s.", made(samples.healthy(**made_of)).text["header"])

    def test_coverage_without_an_earlier_night_is_not_compared(self):
        coverage = {**samples.coverage(), "compared_with": None}
        for file in coverage["files"]:
            file |= {"compared": False, "lost": [], "gained": []}
        seen = made(samples.healthy(coverage=coverage))
        self.assertIn("No earlier night on record", seen.text["coverage"])
        seen = made(samples.healthy(coverage={**coverage, "compared_with": "20261127-220004"}))
        self.assertIn("Compared with the night of 2026-11-27 22:00", seen.text["coverage"])
        self.assertIn("Not compared, because they are new", seen.text["coverage"])

    def test_night_that_executed_nothing_did_not_run(self):
        target = samples.target("slab_fuzz", execs=None)
        seen = made(samples.healthy(targets=[target]))
        self.assertIn("The night did not run", seen.text["header"])

    def test_lanes_given_up_for_the_same_reason_are_shown_together(self):
        lanes = [samples.lane(name, given_up="no output") for name in ("seeded", "short")]
        seen = made(samples.healthy(targets=[samples.target("slab_fuzz", lanes)]))
        self.assertIn("slab_fuzz: seeded, short no output", seen.text["troubles"])

    def test_lanes_short_of_time_are_not_among_the_troubles(self):
        lanes = [samples.lane("seeded"), samples.lane("msan", short_of_time=2, slices=3)]
        waiting = {"without_slice": ["tsan", "short"], "cannot_run": {}}
        target = samples.target("slab_fuzz", lanes, **waiting)
        seen = made(samples.healthy(targets=[target])).text
        self.assertIn("slab_fuzz: msan short of time: 2 of 3 slices cut off", seen["troubles"])
        self.assertIn("Nothing went wrong with the run itself", seen["troubles"])
        for lane in waiting["without_slice"]:
            self.assertIn(f"{lane} short of time: no slice: slab_fuzz\n", seen["targets"])

    def test_every_lane_without_a_slice_is_listed_with_the_reason(self):
        ran = [samples.lane("seeded"), samples.lane("generator")]
        why = {"msan": "there is no msan build", "tsan": "left out by --lanes"}
        more = {"without_slice": ["short"], "cannot_run": {**why, "afl": "AFL++ is not installed"}}
        targets = [
            samples.target("pool_fuzz", ran, **more),
            samples.target("slab_fuzz", ran[:1], **more),
        ]
        listed = made(samples.healthy(targets=targets)).text["targets"]
        listed = listed.split("Lanes without a slice")[1].strip().split("\n")
        self.assertEqual(
            listed,
            [
                "afl AFL++ is not installed: pool_fuzz, slab_fuzz",
                "generator the report does not say why: slab_fuzz",
                "msan there is no msan build: pool_fuzz, slab_fuzz",
                "short short of time: no slice: pool_fuzz, slab_fuzz",
                "tsan left out by --lanes: pool_fuzz, slab_fuzz",
            ],
        )

    def test_page_says_that_each_lane_had_a_slice(self):
        target = samples.target("slab_fuzz", [samples.lane(name) for name in view.LANES])
        seen = made(samples.healthy(targets=[target]))
        self.assertIn("Each lane of each target had a slice", seen.text["targets"])
        seen = made(samples.healthy(targets=[target, samples.target("pool_fuzz")]))
        self.assertNotIn("Each lane of each target", seen.text["targets"])

    def test_report_of_an_earlier_version_may_lack_short_time(self):
        target = samples.target("slab_fuzz", [samples.lane("seeded")])
        del target["without_slice"], target["cannot_run"], target["lanes"][0]["short_of_time"]
        seen = made(samples.healthy(targets=[target]))
        self.assertNotIn("short of time:", seen.text["troubles"])

    def test_target_without_lanes_shows_a_dash_for_its_sanitizers(self):
        target = samples.target("slab_fuzz", lanes=[], engine="", sanitizer="", series=[])
        text = page.render(samples.healthy(targets=[target]), samples.SOURCES)
        self.assertIn("<td>–<small></small></td>", text)

    def test_plot_without_a_value_is_not_drawn(self):
        points = samples.series("afl", 500)
        for point in points:
            point["edges"] = None
        target = samples.target("slab_fuzz", series=points)
        seen = made(samples.healthy(targets=[target]))
        self.assertEqual(["execs_per_s", "corpus"], [c["data-key"] for c in seen.tags("canvas")])
        self.assertIn("Not measured", seen.text["plots"])

    @staticmethod
    def plots(target):
        """The plots of a night with this target only: their text, and the rows of their table."""
        text = page.render(samples.healthy(targets=[target]), samples.SOURCES)
        plots = text[text.index('<section id="plots">') : text.index("<h3>Corpus growth</h3>")]
        rows = [re.findall(r"<t[hd][^>]*>([^<]*)", row) for row in plots.split("<tr>")[2:]]
        return plots, rows

    def test_numbers_of_plots_can_be_read_as_a_table(self):
        points = [
            {"t": 5.0, "lane": "seeded", "edges": 3001, "execs_per_s": 4001.0, "corpus": 51},
            {"t": 75.0, "lane": "msan", "edges": None, "execs_per_s": 402.0, "corpus": 52},
            {"t": 65.0, "lane": "seeded", "edges": 3003, "execs_per_s": None, "corpus": 53},
        ]
        target = samples.target("slab_fuzz", series=points)
        plots, rows = self.plots(target)
        self.assertLess(plots.index("<canvas"), plots.index("<summary>Numbers of the plots"))
        self.assertEqual(
            [
                ["seeded", "5 s", "3,001", "4,001", "51"],
                ["seeded", "1 min 5 s", "3,003", "–", "53"],
                ["msan", "1 min 15 s", "–", "402", "52"],
            ],
            rows,
        )

    def test_table_below_a_plot_has_the_ends_of_a_long_series(self):
        points = samples.series("seeded", 600, n_points=5000)
        target = samples.target("slab_fuzz", series=points)
        plots, rows = self.plots(target)
        self.assertIn(f"at most {view.MAX_ROWS} points of each", plots)
        self.assertEqual(view.MAX_ROWS, len(rows))
        for point, row in ((points[0], rows[0]), (points[-1], rows[-1])):
            self.assertEqual([words.number(point[key]) for key in ("edges", "corpus")], row[2::2])

    def test_trouble_of_a_target_is_shown_once(self):
        said = "slab_fuzz/msan: no output"
        target = samples.target("slab_fuzz", troubles=[said])
        seen = made(samples.healthy(targets=[target], troubles=[said]))
        self.assertEqual(1, seen.text["troubles"].count(said))

    def test_long_text_keeps_its_beginning_and_end(self):
        ops = "first\n" + 500_000 * "op 1: free\n" + "last\n"
        seen = made(samples.healthy(findings=[samples.finding(ops=ops)]))
        shown = seen.text["new"]
        self.assertLess(len(shown), 2 * page.MAX_TEXT)
        left_out = f"{len(ops) - page.MAX_TEXT:,} characters are left out"
        for said in ("first\n", left_out, "last\n"):
            self.assertIn(said, shown)

    def test_trace_that_failed_is_shown(self):
        traces = [{"name": "old.trace", "status": 1, "text": "law broken"}]
        seen = made(samples.healthy(traces=traces))
        self.assertIn("trace old.trace replay ended with status 1", seen.text["troubles"])
        traces[0]["status"] = None
        seen = made(samples.healthy(traces=traces))
        self.assertIn("trace old.trace was not replayed to its end", seen.text["troubles"])

    def test_long_series_are_thinned_and_keep_their_ends(self):
        points = samples.series("seeded", 600, n_points=5000)
        drawn = view.plots({"targets": [samples.target("slab_fuzz", series=points)]})
        times = drawn[0]["lanes"]["seeded"]["t"]
        self.assertEqual(view.MAX_POINTS, len(times))
        self.assertEqual((points[0]["t"], points[-1]["t"]), (times[0], times[-1]))


class WordsTest(unittest.TestCase):
    """The format of numbers and times."""

    def test_durations_have_two_units(self):
        pairs = {0.42: "0.4 s", 59: "59 s", 75: "1 min 15 s", 7200: "2 h 0 min", 90061: "1 d 1 h"}
        self.assertEqual(list(pairs.values()), [words.duration(s) for s in pairs])

    def test_shares_are_never_rounded_to_all_or_nothing(self):
        self.assertEqual("99.9 %", words.percent(99_999, 100_000))
        self.assertEqual("0.1 %", words.percent(1, 100_000))
        self.assertEqual("100.0 %", words.percent(7, 7))
        self.assertEqual("0.0 %", words.percent(0, 7))

    def test_lines_without_code_do_not_break_a_range(self):
        self.assertEqual("1–4, 7", words.ranges([7, 1, 2, 4], [1, 2, 4, 6, 7]))

    def test_numbers_have_separators_and_changes_their_sign(self):
        self.assertEqual("1,234,567", words.number(1234567))
        self.assertEqual(["+12", "−3,000", "±0"], [words.signed(n) for n in (12, -3000, 0)])

    def test_times_keep_their_zone(self):
        self.assertEqual("2026-11-28 22:00 +01:00", words.moment("2026-11-28T22:00:04+01:00"))
        self.assertEqual("2026-11-28 22:00 +00:00", words.moment("2026-11-28T22:00:04Z"))
        self.assertEqual("2026-11-28 22:00", words.moment("20261128-220004"))
        self.assertEqual("yesterday", words.moment("yesterday"))


class CommandTest(unittest.TestCase):
    """`python3 -m report`, and how files are written."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.report = self.folder / "report.json"
        self.report.write_text(json.dumps(samples.healthy()))
        self.out = self.folder / "page.html"

    def run_it(self, *words_):
        """Runs the command; returns (status, stderr)."""
        done = subprocess.run(
            ["sh", "fuzz/report/python.sh", "-m", "report", *map(str, words_), "-o", self.out],
            env={**os.environ, "PYTHONPATH": "fuzz", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stderr

    def test_command_makes_the_page_again_with_sources(self):
        (self.folder / "allocator" / "slab").mkdir(parents=True)
        (self.folder / "allocator" / "slab" / "objects.c").write_bytes(b"int slab_\xff_line;\n")
        status, error = self.run_it(self.report, "--sources", self.folder)
        self.assertEqual(0, status, error)
        self.assertIn("allocator/pool/pool.c", error)
        self.assertIn("int slab_\\ufffd_line;", self.out.read_text())

    def test_command_reads_no_source_outside_the_folder(self):
        secret = self.folder / "secret"
        secret.write_text("not for the page")
        report = samples.healthy()
        report["coverage"]["files"][0]["path"] = "../secret"
        self.report.write_text(json.dumps(report))
        (self.folder / "tree").mkdir()
        status, error = self.run_it(self.report, "--sources", self.folder / "tree")
        self.assertEqual(0, status)
        self.assertIn("'../secret'", error)
        self.assertNotIn("not for the page", self.out.read_text())

    def test_bad_input_has_status_2_and_its_path_is_printed(self):
        self.report.write_text(json.dumps({**samples.healthy(), "targets": 7}))
        cases = [(self.report, "$.targets: 7 is not of type array"), ("/nowhere", "/nowhere")]
        garbage = self.folder / "garbage.json"
        garbage.write_text("{")
        cases.append((garbage, "line 1"))
        for path, said in cases:
            with self.subTest(said):
                status, error = self.run_it(path)
                self.assertEqual(2, status)
                self.assertIn(said, error)
                self.assertNotIn("Traceback", error)
                self.assertFalse(self.out.exists())

    def test_earlier_page_stays_if_a_new_one_cannot_be_written(self):
        self.out.write_text("earlier")
        (self.folder / "page.html.part").mkdir()
        with self.assertRaises(OSError):
            page.write_page(samples.healthy(), {}, self.out)
        self.assertEqual("earlier", self.out.read_text())

    def test_python_without_jinja_names_the_missing_package(self):
        fake = self.folder / "sh"
        script = pathlib.Path("fuzz/report/python.sh").read_text()
        fake.write_text(script.replace("python3 /usr/bin/python3", "/nonexistent"))
        done = subprocess.run(["sh", fake], capture_output=True, text=True)
        self.assertEqual(2, done.returncode)
        self.assertIn("python3-jinja2", done.stderr)


if __name__ == "__main__":
    unittest.main()
