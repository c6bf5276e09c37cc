#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/analyze fails on what is not explained, and on what is explained for nothing.

The project's own tree is for the command itself, which takes minutes.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MISSING = [tool for tool in ("gcc", "cppcheck") if shutil.which(tool) is None]
FAULTY = """#include <stdlib.h>
void twice(void *p);
void twice(void *p)
{
    free(p);
    free(p);
}
"""
SOUND = FAULTY.replace("    free(p);\n", "", 1)
EXPLAINED = [
    "cppcheck tools/x.c doubleFree: it is never called",
    "gcc tools/x.c analyzer-double-free: it is never called",
]


@unittest.skipIf(MISSING, f"not installed: {' '.join(MISSING)}")
class AnalyzeTest(unittest.TestCase):
    """A tree with one file."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name)
        for path in ("tools/analyze/analyze.py", "tools/compile_commands", "bazel/copts.bzl"):
            (self.tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, self.tree / path)

    def analyze(self, text, explained):
        """(exit status, output) for a tree with this file and these explanations."""
        (self.tree / "tools" / "x.c").write_text(text)
        lines = "".join(line + "\n" for line in explained)
        (self.tree / "tools" / "analyze" / "explained.txt").write_text("# why\n\n" + lines)
        words = [self.tree / "tools" / "analyze" / "analyze.py"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def test_what_each_tool_finds_fails_until_it_is_explained(self):
        status, printed = self.analyze(FAULTY, [])
        self.assertEqual(status, 1, printed)
        self.assertIn("tools/x.c:6: ", printed)
        for word in ("[cppcheck doubleFree]\n", "[gcc analyzer-double-free]\n"):
            self.assertIn(word, printed)
        for i, line in enumerate(EXPLAINED):
            self.assertEqual(self.analyze(FAULTY, [line])[0], 1, EXPLAINED[1 - i])
        status, printed = self.analyze(FAULTY, EXPLAINED)
        self.assertEqual(status, 0, printed)
        self.assertTrue(printed.endswith(" 0 not explained\n"), printed)

    def test_an_explanation_without_a_finding_fails(self):
        status, printed = self.analyze(SOUND, EXPLAINED[1:])
        self.assertEqual(status, 1, printed)
        self.assertIn("explained.txt: gcc tools/x.c analyzer-double-free: nothing is found", printed)
        self.assertEqual(self.analyze(SOUND, [])[0], 0)

    def test_a_program_that_fails_is_no_finding(self):
        (self.tree / "tools" / "x.c").write_text(FAULTY)
        (self.tree / "tools" / "analyze" / "explained.txt").write_text("# none\n")
        bin_folder = self.tree / "bin"
        bin_folder.mkdir()
        environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
        commands = self.tree / "tools" / "compile_commands"
        for path in (bin_folder / "gcc", bin_folder / "cppcheck", commands):
            path.write_text("#!/bin/sh\necho it is broken >&2\nexit 1\n")
            path.chmod(0o755)
            words = [self.tree / "tools" / "analyze" / "analyze.py"]
            done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            self.assertIn(f"{path.name} ended with 1:\nit is broken\n", done.stderr)
            if path != commands:
                path.unlink()


if __name__ == "__main__":
    if MISSING:
        print(f"NOT RUN in part: not installed: {' '.join(MISSING)}")
    unittest.main()
