#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Slabmill's samples in docs/migrate-from-nginx.md compile; nginx_limit_test compiles nginx's."""

import re
import shutil
import sys
import unittest

import guide


class GuideTest(unittest.TestCase):
    """All samples of the page."""

    def test_each_sample_of_slabmill_compiles_without_a_warning(self):
        for heading, code in guide.samples("Slabmill"):
            with self.subTest(section=heading):
                self.assertEqual("", guide.complaints("Slabmill", code, ["-std=c11", "-Iinclude"]))

    def test_a_sample_that_does_not_compile_is_found(self):
        _, code = next(guide.samples("Slabmill"))
        wrong = code.replace("slm_pool_create(&pool,", "slm_pool_create(pool,")
        self.assertNotEqual(code, wrong)
        self.assertNotEqual("", guide.complaints("Slabmill", wrong, ["-std=c11", "-Iinclude"]))

    def test_each_section_has_both_samples_and_no_code_is_left_out(self):
        headings = [[heading for heading, _ in guide.samples(whose)] for whose in guide.PRELUDES]
        self.assertEqual(headings[0], headings[1])
        self.assertGreaterEqual(len(headings[0]), 5)
        n_blocks = len(re.findall(r"^```c$", guide.GUIDE.read_text(), re.MULTILINE))
        self.assertEqual(n_blocks, sum(map(len, headings)))


if __name__ == "__main__":
    if shutil.which("cc") is None:
        print("NOT RUN: there is no C compiler named cc here")
        sys.exit(0)
    unittest.main()
