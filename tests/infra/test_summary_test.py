#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bazel/test_summary.py, on build events and XML in the form of Bazel and GoogleTest."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path("bazel", "test_summary.py").resolve()

GTEST_XML = """<testsuites><testsuite name="SlabFree">
<testcase name="A" status="run" result="completed" classname="SlabFree"/>
<testcase name="B" status="run" result="completed" classname="SlabFree">{inner}</testcase>
<testcase name="DISABLED_C" status="notrun" result="suppressed" classname="SlabFree"/>
</testsuite></testsuites>"""

BAZEL_XML = """<testsuites><testsuite name="fuzz/x" tests="1">
<testcase name="fuzz/x" status="run"></testcase></testsuite></testsuites>"""


class SummaryTest(unittest.TestCase):
    """Each test writes events, runs the script and compares the line that it prints."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.events = []

    def event(self, kind, label, **body):
        """Adds an event; `body`: such as testResult={...}."""
        self.events.append(json.dumps({"id": {kind: {"label": label}}, **body}))

    def attempt(self, label, status, xml=None, log=None):
        """Adds one execution of a test, with its XML and its log if any."""
        outputs = []
        for name, text in (("test.log", log), ("test.xml", xml)):
            if text is not None:
                path = self.folder / f"{len(self.events)}{name}"
                path.write_text(text, encoding="utf-8")
                outputs.append({"name": name, "uri": path.as_uri()})
        self.event("targetCompleted", label, completed={"success": True})
        self.event("testResult", label, testResult={"status": status, "testActionOutput": outputs})
        self.event("testSummary", label, testSummary={"overallStatus": status})

    def line(self, status):
        """Returns what the script prints for a Bazel that ended with this status."""
        path = self.folder / "events.json"
        path.write_text("\n".join(self.events), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, SCRIPT, path, str(status)],
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout

    def test_counts_cases_of_googletest_one_by_one(self):
        self.attempt("//a", "PASSED", GTEST_XML.format(inner=""))
        self.assertEqual(self.line(0), "2 passed, 0 failed, 1 skipped\n")

    def test_counts_failed_and_skipped_cases(self):
        self.attempt("//a", "FAILED", GTEST_XML.format(inner="<failure/>"))
        self.attempt("//b", "PASSED", GTEST_XML.format(inner="<skipped/>"))
        self.assertEqual(self.line(3), "2 passed, 1 failed, 3 skipped\n")

    def test_counts_a_target_without_cases_of_its_own_as_one(self):
        self.attempt("//a", "PASSED", BAZEL_XML)
        self.attempt("//b", "PASSED")
        self.attempt("//c", "FAILED", BAZEL_XML)
        self.attempt("//d", "TIMEOUT")
        self.assertEqual(self.line(3), "2 passed, 2 failed\n")

    def test_counts_a_script_that_could_not_run_as_skipped(self):
        self.attempt("//a", "PASSED", BAZEL_XML, log="begins\nNOT RUN: no 32-bit programs here\n")
        self.attempt("//b", "PASSED", BAZEL_XML, log="runs: NOT RUN: is no line of its own\n")
        self.assertEqual(self.line(0), "1 passed, 0 failed, 1 skipped\n")

    def test_counts_parts_that_a_script_could_not_run_as_skipped(self):
        log = "one\nNOT RUN in part: no mount\nNOT RUN in part: no user\n"
        self.attempt("//a", "PASSED", BAZEL_XML, log=log)
        self.assertEqual(self.line(0), "1 passed, 0 failed, 2 skipped\n")

    def test_counts_a_failed_script_as_failed_despite_skipped_parts(self):
        self.attempt("//a", "FAILED", BAZEL_XML, log="NOT RUN: no mount\n")
        self.attempt("//b", "FAILED", BAZEL_XML, log="NOT RUN in part: no mount\n")
        self.assertEqual(self.line(3), "0 passed, 2 failed\n")

    def test_counts_a_test_with_cases_without_reading_its_log(self):
        self.attempt("//a", "PASSED", GTEST_XML.format(inner=""), log="NOT RUN: no mount\n")
        self.assertEqual(self.line(0), "2 passed, 0 failed, 1 skipped\n")

    def test_counts_a_death_after_the_last_case_as_failure(self):
        self.attempt("//a", "FAILED", GTEST_XML.format(inner=""))
        self.assertEqual(self.line(3), "2 passed, 1 failed, 1 skipped\n")

    def test_counts_the_last_attempt_of_a_flaky_test(self):
        self.attempt("//a", "FAILED")
        self.attempt("//a", "PASSED")
        self.assertEqual(self.line(0), "1 passed, 0 failed\n")

    def test_counts_targets_that_do_not_build_as_failed(self):
        self.event("targetCompleted", "//lib", completed={"failureDetail": {}})
        self.event("targetCompleted", "//a", completed={"failureDetail": {}})
        self.event("testSummary", "//a", testSummary={"overallStatus": "NO_STATUS"})
        self.assertEqual(self.line(1), "0 passed, 2 failed\n")

    def test_counts_tests_that_never_ran_as_skipped(self):
        self.event("targetCompleted", "//lib", completed={"failureDetail": {}})
        self.event("targetConfigured", "//a", configured={"testSize": "SMALL"})
        self.event("targetCompleted", "//a", aborted={"reason": "INCOMPLETE"})
        self.event("testResult", "//a", aborted={"reason": "INCOMPLETE"})
        self.assertEqual(self.line(1), "0 passed, 1 failed, 1 skipped\n")

    def test_failed_run_is_never_clean(self):
        self.assertEqual(self.line(1), "0 passed, 1 failed\n")
        self.attempt("//a", "PASSED")
        self.assertEqual(self.line(8), "1 passed, 1 failed\n")

    def test_events_are_read_up_to_a_line_that_was_cut_off(self):
        self.attempt("//a", "PASSED")
        self.events.append('{"id": {"testRes')
        self.assertEqual(self.line(8), "1 passed, 1 failed\n")


if __name__ == "__main__":
    unittest.main()
