#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of the house that can be counted: no file is too long, and no public function goes without
a test of NULL.

Reads the project's own tree, past Bazel's list of inputs: a list would miss new files.
"""

import pathlib
import re
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


def without_test_of_null(symbols, headers, tests):
    """The functions among symbols that take a pointer and that no test names."""
    headers, tests = (re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL) for text in (headers, tests))
    found = []
    for name in symbols:
        declared = re.search(rf"\b{name}\((.*?)\)\s*;", headers, re.DOTALL)
        takes_pointer = declared is None or re.search(r"[*[]", declared[1])
        if takes_pointer and not re.search(rf"\b{name}\b", tests):
            found.append(name)
    return found


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


class NullTest(unittest.TestCase):
    """Small headers, and the project's."""

    def test_function_that_no_test_names_is_found(self):
        headers = "int tested(int *p);\nint plain(int n);\nint bare(int n,\n    char **p);\n"
        tests = "/* bare */ tested(nullptr); barely(nullptr);"
        names = ["tested", "plain", "bare"]
        self.assertEqual(without_test_of_null(names, headers, tests), ["bare"])

    def test_array_is_a_pointer_and_so_is_what_no_header_declares(self):
        names = ["array", "hidden"]
        self.assertEqual(without_test_of_null(names, "int array(char text[8]);", ""), names)

    def test_each_public_function_that_takes_a_pointer_is_in_a_test_of_null(self):
        symbols = (ROOT / "tests/install/symbols.txt").read_text().split()
        headers = "".join(path.read_text() for path in ROOT.glob("include/slabmill/*.h"))
        tests = "".join(path.read_text() for path in ROOT.glob("tests/*/null_test.cc"))
        self.assertGreater(len(symbols), 150)
        self.assertEqual(without_test_of_null(symbols, headers, tests), [])


if __name__ == "__main__":
    unittest.main()
