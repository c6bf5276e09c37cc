#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The check of report.json against its schema."""

import copy
import sys
import unittest

sys.dont_write_bytecode = True
sys.path[:0] = ["fuzz", "tests/infra"]

import report_samples as samples  # noqa: E402
from report import page, schema  # noqa: E402


class SchemaTest(unittest.TestCase):
    """Broken reports, each with the path of the wrong value."""

    def refused(self, path, change):
        """Expects that after the change a healthy report is refused at this path."""
        report = copy.deepcopy(samples.healthy(findings=[samples.finding()]))
        schema.check(report)
        change(report)
        with self.assertRaises(schema.Invalid) as caught:
            schema.check(report)
        self.assertTrue(str(caught.exception).startswith(path + ": "), caught.exception)

    def test_missing_key_is_refused(self):
        self.refused("$", lambda r: r.pop("findings"))
        self.refused("$.targets[1].lanes[2]", lambda r: r["targets"][1]["lanes"][2].pop("seeds"))

    def test_wrong_type_is_refused(self):
        self.refused("$.targets[0].execs", lambda r: r["targets"][0].update(execs="many"))
        self.refused("$.targets", lambda r: r.update(targets={}))
        self.refused("$.findings[0].known", lambda r: r["findings"][0].update(known=1))
        self.refused("$.night.jobs", lambda r: r["night"].update(jobs=True))
        self.refused("$.coverage.note", lambda r: r["coverage"].update(note=7))

    def test_unknown_word_or_format_is_refused(self):
        self.refused("$.verdict.word", lambda r: r["verdict"].update(word="fine"))
        self.refused("$.format", lambda r: r.update(format=2))
        self.refused("$.format", lambda r: r.update(format=True))

    def test_number_that_json_does_not_have_is_refused(self):
        self.refused("$.night.seconds", lambda r: r["night"].update(seconds=float("nan")))

    def test_lines_that_are_not_numbers_are_refused(self):
        hits = "$.coverage.files[0].hits"
        self.refused(hits + "['4']", lambda r: r["coverage"]["files"][0].update(hits={"4": "x"}))
        self.refused(
            hits + ", name 'four'", lambda r: r["coverage"]["files"][0].update(hits={"four": 4})
        )

    def test_unknown_keyword_of_the_schema_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "minimum"):
            schema._check(1, {"minimum": 0}, "$")

    def test_broken_report_has_no_page(self):
        with self.assertRaises(schema.Invalid):
            page.render({"format": 1}, {})


if __name__ == "__main__":
    unittest.main()
