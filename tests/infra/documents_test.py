#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""README.md is short and shows the first program as it is; links and labels of documents lead
somewhere.

Usage: documents_test.py FIRST       the first program, as Bazel built it

Reads the project's own tree, past Bazel's list of inputs: a list would miss new documents.
"""

import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIRST = pathlib.Path(sys.argv.pop(1)).resolve()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])
LABEL = re.compile(r"(?<![\w:])//([a-z][\w/-]*)(?::([\w.-]+))?")
TOP = "allocator|bench|corpus|docs|examples|fuzz|harness|include|peers|tests|third_party|tools"
PATH = re.compile(rf"`((?:{TOP})/[\w./+-]*\w)/?`")
PLACEHOLDER = re.compile(r"[A-Z]{2,}")


def without_code(text):
    """A document's prose."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(path):
    """The anchors that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ (.*)$", without_code(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def has_target(package, name):
    """Whether a BUILD file seems to declare a target: macros make some names from others."""
    build = ROOT / package / "BUILD"
    if not build.exists() or not name:
        return build.exists()
    stem = re.sub(r"_(bin|run|oss_fuzz)$", "", name)
    return name == "all" or any(f'"{word}"' in build.read_text() for word in (name, stem))


class DocumentsTest(unittest.TestCase):
    """All documents of the tree."""

    def setUp(self):
        self.readme = (ROOT / "README.md").read_text()

    def test_readme_has_at_most_160_lines(self):
        self.assertLessEqual(len(self.readme.splitlines()), 160)

    def test_readme_shows_the_first_program_and_its_makefile_as_they_are(self):
        for language, name in (("c", "first.c"), ("make", "Makefile")):
            text = (ROOT / "examples" / "first" / name).read_text()
            self.assertIn(f"\n```{language}\n{text}```\n", self.readme, name)

    def test_readme_says_what_the_first_program_prints(self):
        done = subprocess.run([FIRST], stdout=subprocess.PIPE, text=True, check=True)
        self.assertIn(f"prints `{done.stdout.strip()}`", self.readme)

    def test_links_lead_to_files_and_headings(self):
        n_links = 0
        for path in DOCUMENTS:
            for link in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text())):
                if re.match(r"https?:", link):
                    continue
                n_links += 1
                name, _, anchor = link.partition("#")
                target = (path.parent / name).resolve() if name else path
                with self.subTest(document=path.name, link=link):
                    self.assertTrue(target.exists(), "there is no such file")
                    if anchor:
                        self.assertIn(anchor, anchors(target))
        self.assertGreater(n_links, 20)

    def test_paths_that_documents_name_are_there(self):
        n_paths = 0
        for path in DOCUMENTS:
            # What a change log names may be gone.
            text = "" if path.name == "CHANGELOG.md" else without_code(path.read_text())
            for name in PATH.findall(text):
                if not re.search(r"(?<![a-z])[A-Z]+(?![a-z])", name):
                    n_paths += 1
                    with self.subTest(document=path.name, path=name):
                        self.assertTrue((ROOT / name).exists())
        self.assertGreater(n_paths, 100)

    def test_bazel_targets_that_documents_name_are_declared(self):
        n_labels = 0
        for path in DOCUMENTS:
            for package, name in LABEL.findall(path.read_text()):
                if PLACEHOLDER.search(package + (name or "")) or package.endswith("/"):
                    continue
                n_labels += 1
                with self.subTest(document=path.name, label=f"//{package}:{name}"):
                    self.assertTrue(has_target(package, name))
        self.assertGreater(n_labels, 20)

    def test_no_block_builds_optimised_and_runs_what_bazel_bin_has(self):
        # An optimised build makes bazel-bin another folder, and the next usual one takes it back.
        for path in DOCUMENTS:
            for block in re.findall(r"^```.*?^```$", path.read_text(), re.DOTALL | re.MULTILINE):
                with self.subTest(document=path.name, block=block):
                    self.assertFalse("build -c opt" in block and "bazel-bin/" in block)

    def test_scripts_that_documents_call_are_there(self):
        n_scripts = 0
        for path in DOCUMENTS:
            for script in re.findall(r"(?<![\w/.])((?:tools|fuzz)/[\w/-]+(?:\.sh)?) ", path.read_text()):
                n_scripts += 1
                with self.subTest(document=path.name, script=script):
                    self.assertTrue((ROOT / script).exists())
        self.assertGreater(n_scripts, 5)


if __name__ == "__main__":
    unittest.main()
