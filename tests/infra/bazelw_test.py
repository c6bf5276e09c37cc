#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./bazelw shows the help of a night without a build, and passes all other calls to Bazel.

A program that notes its arguments takes the place of Bazel.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

BAZEL = """#!/bin/sh
case "$1" in
--version) echo bazel no_version ;;
*) echo "$*" >> "$CALLS" ;;
esac
"""


class BazelwTest(unittest.TestCase):
    """The script, with another Bazel."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.calls = pathlib.Path(folder.name, "calls")
        self.bazel = pathlib.Path(folder.name, "bazel")
        self.bazel.write_text(BAZEL)
        self.bazel.chmod(0o755)

    def run_with(self, *words):
        """Returns what it printed, and the calls of Bazel."""
        self.calls.write_text("")
        environment = {**os.environ, "BAZEL": str(self.bazel), "CALLS": str(self.calls)}
        done = subprocess.run(
            ["./bazelw", *words], env=environment, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, self.calls.read_text().splitlines()

    def test_help_of_a_night_is_shown_without_bazel(self):
        for words in (
            ["run", "//fuzz:overnight", "--", "--help"],
            ["run", "//fuzz/overnight", "--", "-h"],
            ["run", "-c", "opt", "//fuzz:overnight", "--", "--minutes", "2", "--help"],
        ):
            with self.subTest(words):
                out, calls = self.run_with(*words)
                self.assertIn("usage: ./bazelw run //fuzz:overnight --", out)
                self.assertIn("--minutes", out)
                self.assertEqual(calls, [])

    def test_all_other_calls_go_to_bazel_as_they_are(self):
        for words in (
            ["run", "//fuzz:overnight", "--", "--minutes", "2"],
            ["run", "//fuzz:overnight", "--help"],
            ["run", "//tools/slabmill", "--", "--help"],
            ["build", "//fuzz:overnight"],
        ):
            with self.subTest(words):
                self.assertEqual(self.run_with(*words), ("", [" ".join(words)]))


if __name__ == "__main__":
    unittest.main()
