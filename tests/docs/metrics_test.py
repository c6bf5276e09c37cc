#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/operations.md explains each metric that `slabmill export` prints, and no other.

Reads the project's own tree, as site_test does.
"""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "operations.md"
SOURCE = ROOT / "tools" / "slabmill" / "inspect" / "export.c"


def metrics(text, quote):
    """The names of metrics between two quotes."""
    return set(re.findall(rf"{quote}(slabmill_zone_\w+){quote}", text))


def differences(page, source):
    """Names that only the page has, and names that only the source has."""
    explained, printed = metrics(page, "`"), metrics(source, '"')
    return sorted(explained - printed), sorted(printed - explained)


class MetricsTest(unittest.TestCase):
    """The page, and small texts."""

    def test_each_metric_is_explained_and_each_explained_one_is_printed(self):
        self.assertGreater(len(metrics(SOURCE.read_text(), '"')), 20)
        self.assertEqual(differences(PAGE.read_text(), SOURCE.read_text()), ([], []))

    def test_a_metric_that_only_one_of_them_has_is_found(self):
        found = differences("`slabmill_zone_a` `slabmill_zone_b`", '{"slabmill_zone_b", "slabmill_zone_c"}')
        self.assertEqual(found, (["slabmill_zone_a"], ["slabmill_zone_c"]))


if __name__ == "__main__":
    unittest.main()
