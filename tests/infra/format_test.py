#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every C and C++ file of the project is formatted, and tools/format says so where one is not.

Reads the project's own tree, past Bazel's list of inputs: a list would miss new folders.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path("tools/format").resolve()


def run(tool, *words):
    """Runs tools/format of some tree."""
    return subprocess.run([tool, *words], capture_output=True, text=True, check=False)


class FormatTest(unittest.TestCase):
    """The project's tree, and small ones."""

    def small_tree(self, text):
        """A tree with one file, not at its top."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        tree = pathlib.Path(folder.name)
        (tree / "tools").mkdir()
        (tree / "some" / "folder").mkdir(parents=True)
        shutil.copy(TOOL, tree / "tools" / "format")
        shutil.copy(TOOL.parent.parent / ".clang-format", tree / ".clang-format")
        (tree / "some" / "folder" / "x.c").write_text(text)
        return tree

    def test_every_file_of_the_project_is_formatted(self):
        done = run(TOOL, "--check")
        self.assertEqual((done.returncode, done.stdout), (0, ""), "run tools/format")

    def test_check_names_an_unformatted_file_and_leaves_it(self):
        tree = self.small_tree("int  x;\n")
        done = run(tree / "tools" / "format", "--check")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "format: some/folder/x.c: is not formatted\n")
        self.assertEqual((tree / "some" / "folder" / "x.c").read_text(), "int  x;\n")

    def test_without_check_it_is_formatted(self):
        tree = self.small_tree("int  x;\n")
        done = run(tree / "tools" / "format")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "format: some/folder/x.c: formatted\n")
        self.assertEqual((tree / "some" / "folder" / "x.c").read_text(), "int x;\n")

    def test_files_that_cmake_made_are_passed_over(self):
        tree = self.small_tree("int  x;\n")
        (tree / "some" / "CMakeCache.txt").write_text("")
        self.assertEqual(run(tree / "tools" / "format", "--check").returncode, 0)

    def test_file_that_is_not_there_is_a_wrong_call(self):
        done = run(TOOL, "--check", "gone.c")
        self.assertEqual(done.returncode, 2)
        self.assertIn("gone.c: there is no such file", done.stderr)


if __name__ == "__main__":
    if run(TOOL, "--check", "tests/base/bits_test.cc").returncode == 3:
        print("NOT RUN: there is no clang-format 14 here")
        sys.exit(0)
    unittest.main()
