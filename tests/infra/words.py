# SPDX-License-Identifier: Apache-2.0
"""Finds words that the project's prose avoids (docs/words.txt)."""

import os
import pathlib
import re
from typing import NamedTuple

import prose

# Words next to these are names of options, files or functions.
_NOT_BEFORE = r"(?<![\w./$])(?<!--)(?<!->)"
_NOT_AFTER = r"(?![\w(/]|\.\w)"
# After a mark, in quotes or not.
_SENTENCE = r"(?:^|(?<=[.!?:;|]\s))[\"'(]?"
# Folders with a hidden name that have prose.
_HIDDEN = (".ci", ".clusterfuzzlite", ".github")
_CODE = re.compile(r"`[^`]*`")


class Word(NamedTuple):
    """A word or phrase to avoid, and what to write instead."""

    phrase: str
    instead: str
    pattern: re.Pattern


def _pattern(phrase):
    begins = phrase.startswith("^")
    words = r"\s+".join(map(re.escape, phrase.lstrip("^").split()))
    start = _SENTENCE if begins else ""
    return re.compile(f"{start}{_NOT_BEFORE}{words}{_NOT_AFTER}", re.IGNORECASE)


def read(text):
    """Returns the words of docs/words.txt."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    pairs = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in lines]
    return [Word(phrase, instead, _pattern(phrase)) for phrase, instead in pairs]


def find(words, path, text):
    """Returns (line, what is there, what to write instead) of a file, in order."""
    found = []
    for passage in prose.passages_of(path, text):
        # Of the same length, so that offsets stay.
        shown = _CODE.sub(lambda code: "`" * len(code.group()), passage.text)
        for word in words:
            for match in word.pattern.finditer(shown):
                line = passage.line_at(match.end() - 1)
                found.append((line, match.group().strip("\"'( "), word.instead))
    return sorted(found)


def files_below(root, folder):
    """Yields the files of a source tree, without those of Bazel, CMake and git."""
    top = pathlib.Path(root, folder)
    if top.is_file():
        yield top
    for where, folders, names in os.walk(top):
        here = pathlib.Path(where)
        folders[:] = [
            name
            for name in sorted(folders)
            if (name in _HIDDEN or not name.startswith("."))
            and not (here / name / "CMakeCache.txt").exists()
        ]
        yield from (here / name for name in sorted(names))
