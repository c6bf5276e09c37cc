#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The script that `bazel run` starts."""

import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path("fuzz/overnight/overnight.sh").resolve()
OF_THE_TREE, OF_THE_BUILD = "fuzz/report/python.sh", "harness/afl_mutator.so"


class StartTest(unittest.TestCase):
    """Started in folders that have some of the runfiles."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def put(self, path):
        """Writes a file that shows what it was called with."""
        path = self.root / path
        path.parent.mkdir(parents=True)
        path.write_text('echo "$PYTHONPATH: $*"\n')

    def start(self, *words, here="."):
        """Returns (status, stdout, stderr)."""
        command = ["sh", str(SCRIPT), *words]
        done = subprocess.run(command, cwd=self.root / here, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def refuse(self):
        """Expects the one line that says how to start it."""
        status, out, error = self.start("--minutes", "1")
        self.assertEqual((status, out), (2, ""))
        self.assertRegex(error, r"\Aovernight: .*: \./bazelw run //fuzz:overnight -- --help\n\Z")

    def test_by_itself_it_says_how_to_start_it(self):
        self.refuse()

    def test_in_the_source_tree_it_says_how_to_start_it(self):
        self.put(OF_THE_TREE)
        self.refuse()

    def test_in_the_folder_of_the_build_it_says_how_to_start_it(self):
        self.put(OF_THE_BUILD)
        self.refuse()

    def test_in_the_runfiles_it_starts_the_night(self):
        self.put(OF_THE_TREE)
        self.put(OF_THE_BUILD)
        said = f"{self.root}/fuzz: -m overnight --minutes 1\n"
        self.assertEqual(self.start("--minutes", "1"), (0, said, ""))

    def test_in_another_workspace_it_starts_the_night_of_the_mill(self):
        self.put(f"mill/{OF_THE_TREE}")
        self.put(f"mill/{OF_THE_BUILD}")
        (self.root / "lib").mkdir()
        status, out, _ = self.start("--mill-folder=../mill", "--jobs=1", here="lib")
        said = f"{self.root}/lib/../mill/fuzz: -m overnight --mill-folder=../mill --jobs=1\n"
        self.assertEqual((status, out), (0, said))


if __name__ == "__main__":
    unittest.main()
