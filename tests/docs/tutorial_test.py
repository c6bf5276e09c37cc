#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/tutorial.md, followed word for word, shows what the page shows.

Its files are written and its lines run in an empty folder, in order, with the tree's library in the
place of an installed one. Reads the project's own tree, as site_test does.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(c|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks():
    """(kind, text) of each block of the page."""
    return BLOCK.findall(PAGE.read_text())


def commands(console):
    """(command, what it prints) of a block."""
    return re.findall(r"^\$ ([^\n]*)\n((?:(?!\$ )[^\n]*\n)*)", console, re.MULTILINE)


def install(folder):
    """Makes the library in a folder, and a pkg-config that says where it is."""
    subprocess.run([ROOT / "tools" / "amalgamate", folder], check=True, stdout=subprocess.DEVNULL)
    library = folder / "slabmill.o"
    subprocess.run(["cc", "-std=gnu11", "-c", "slabmill.c", "-o", library], cwd=folder, check=True)
    tool = folder / "pkg-config"
    tool.write_text(f'#!/bin/sh\necho "-I{ROOT}/include {library} -pthread"\n')
    tool.chmod(0o755)


def run(command, folder, tools):
    """What a shell prints for a command."""
    path = f"{tools}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    done = subprocess.run(
        ["sh", "-c", f"{command}\nexit $?"],
        cwd=folder,
        env={"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    # Shells name a signal in different words.
    return re.sub(r"^.*\bKilled\b.*$", "Killed", done.stdout, flags=re.MULTILINE)


class TutorialTest(unittest.TestCase):
    """The page."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tools = pathlib.Path(folder.name) / "tools"
        self.folder = pathlib.Path(folder.name) / "empty"
        self.tools.mkdir()
        self.folder.mkdir()

    def test_each_step_prints_what_the_page_shows(self):
        install(self.tools)
        n_commands = 0
        for kind, text in blocks():
            if kind == "c":
                (self.folder / "visits.c").write_text(text)
                continue
            for command, expected in commands(text):
                n_commands += 1
                with self.subTest(command=command, number=n_commands):
                    self.assertEqual(run(command, self.folder, self.tools), expected)
        self.assertGreaterEqual(n_commands, 6)

    def test_it_is_short_and_each_step_keeps_what_the_one_before_has(self):
        self.assertLessEqual(len(PAGE.read_text().splitlines()), 150)
        steps = [text for kind, text in blocks() if kind == "c"]
        self.assertEqual(len(steps), 3)
        for step in steps:
            self.assertIn("slm_zone_open(", step)
            self.assertIn("int main(", step)
        self.assertLess(len(steps[0]), len(steps[1]))
        self.assertLess(len(steps[1]), len(steps[2]))


if __name__ == "__main__":
    if shutil.which("cc") is None:
        print("NOT RUN: there is no C compiler named cc here")
        sys.exit(0)
    unittest.main()
