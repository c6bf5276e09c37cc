#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of the house that can be counted: no file is too long.

Reads the project's own tree, past Bazel's list of inputs: a list would miss new files.
"""

import pathlib
import tempfile
import unittest

import words

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINES_MAX = 600
SUFFIXES = {".c", ".h", ".cc", ".py", ".sh"}


def long_files(root):
    """The sources below root that have more than LINES_MAX lines, each with its count."""
    counts = {
        str(path.relative_to(root)): len(path.read_bytes().splitlines())
        for path in words.files_below(root, ".")
        if path.suffix in SUFFIXES
    }
    return {path: n_lines for path, n_lines in counts.items() if n_lines > LINES_MAX}


class LengthTest(unittest.TestCase):
    """Small trees, and the project's."""

    def test_file_with_a_line_too_many_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for suffix in SUFFIXES:
                (root / f"whole{suffix}").write_text("\n" * LINES_MAX)
                (root / f"long{suffix}").write_text("\n" * (LINES_MAX + 1))
            (root / "text.md").write_text("\n" * (LINES_MAX + 1))
            self.assertEqual(long_files(root), {f"long{suffix}": 601 for suffix in SUFFIXES})

    def test_no_file_of_the_project_is_too_long(self):
        self.assertEqual(long_files(ROOT), {}, "split it by topic")


if __name__ == "__main__":
    unittest.main()
