#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The messages that docs/troubleshooting.md explains are those that the library prints.

Reads the project's own tree, as site_test does.
"""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
FORMAT = re.compile(r"%[-+ #0]*[\d*]*(?:\.[\d*]+)?(?:ll|l|z|h|j)*[a-zA-Z]")


def literals(text):
    """The string literals of C code, each with a mark where a value is printed."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r'"\s*PRI\w+\s*"', "llu", text)
    text = re.sub(r'"\s*"', "", text)
    return {FORMAT.sub("@", found) for found in re.findall(r'"((?:[^"\\\n]|\\.)*)"', text)}


def messages(text):
    """The headings of the page, each with a mark where a value differs."""
    found = re.findall(r"^## `(.*)`$", text, re.MULTILINE)
    return {re.sub(r"\b[A-Z]+\b", "@", message): message for message in found}


class MessagesTest(unittest.TestCase):
    """The page, and small texts."""

    def test_each_message_is_a_literal_of_the_library(self):
        sources = [*ROOT.glob("allocator/*/*.[ch]"), ROOT / "include/slabmill/status.h"]
        known = set().union(*(literals(path.read_text()) for path in sources))
        listed = messages(PAGE.read_text())
        self.assertGreaterEqual(len(listed), 10)
        for marked, message in listed.items():
            with self.subTest(message=message):
                self.assertTrue(marked in known, "no literal says that")

    def test_each_heading_is_a_message(self):
        n_headings = len(re.findall(r"^## ", PAGE.read_text(), re.MULTILINE))
        self.assertEqual(n_headings, len(messages(PAGE.read_text())))

    def test_a_message_in_other_words_is_found(self):
        known = literals('f("%s: %zu bytes, more than %" PRIu64 " (%.80s)"\n  " now"); /* "x" */')
        self.assertEqual(known, {"@: @ bytes, more than @ (@) now"})
        self.assertNotIn(next(iter(messages("## `FILE: N bytes, above N`\n"))), known)


if __name__ == "__main__":
    unittest.main()
