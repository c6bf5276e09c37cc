#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The project's prose has none of the words in docs/words.txt.

Usage: words_test.py FILE_OR_FOLDER...     of the source tree; "." is all of it

The files are those of the source tree, not copies in Bazel's list of inputs: a list would miss new
folders.
"""

import pathlib
import sys
import tempfile
import unittest

import prose
import words

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = ROOT / "docs" / "words.txt"
# Planted words, so that the samples in this file are no findings.
SAMPLES = words.read("zorn    grief\n^wer    a caller\ngar nicht    not at all\n")


def find(name, text):
    """(line, word) of each planted word."""
    return [(line, word) for line, word, _ in words.find(SAMPLES, pathlib.Path(name), text)]


class CTest(unittest.TestCase):
    """C and C++."""

    def test_word_in_a_comment_is_found_with_its_line(self):
        self.assertEqual(find("a.c", "int x;\n/* One.\n * Of zorn.\n */\n"), [(3, "zorn")])
        self.assertEqual(find("a.h", "int x; // zorn\n"), [(1, "zorn")])

    def test_phrase_is_found_across_lines_of_a_comment(self):
        self.assertEqual(find("a.c", "// It is gar\n// nicht so.\n"), [(2, "gar nicht")])
        self.assertEqual(find("a.c", "/* It is gar\n * nicht so. */\n"), [(2, "gar nicht")])

    def test_comments_with_code_in_between_are_two_passages(self):
        self.assertEqual(find("a.c", "int x; // gar\nint y; // nicht\n"), [])

    def test_word_in_a_message_is_found_and_a_lone_name_is_not(self):
        self.assertEqual(find("a.c", 'say("in zorn\\n");\n'), [(1, "zorn")])
        self.assertEqual(find("a.c", 'say("it is gar "\n    "nicht so");\n'), [(1, "gar nicht")])
        self.assertEqual(find("a.c", 'option("zorn");\n#include "zorn zorn.h"\n'), [])

    def test_identifiers_are_no_prose(self):
        self.assertEqual(find("a.c", "int zorn = wer(zorn); /* slm_zorn, zorn_x, x->zorn */\n"), [])
        self.assertEqual(find("a.c", "/* `zorn`, zorn(), --zorn, dir/zorn.h */\n"), [])

    def test_comments_and_strings_may_hold_each_others_marks(self):
        self.assertEqual(find("a.c", "/* don't */ int zorn; /* isn't */\n"), [])
        self.assertEqual(find("a.c", "char *s = \"/* a\"; int zorn; char t = '\"';\n"), [])

    def test_test_names_are_read_as_sentences(self):
        self.assertEqual(find("a.cc", "TEST_F(Slab, LeavesNoZorn)\n{\n"), [(1, "Zorn")])
        self.assertEqual(find("a.cc", "TEST(Slab,\n     WerWaits) {\n"), [(1, "Wer")])
        self.assertEqual(find("a.cc", "TEST(Slab, IsWer) {\n"), [])

    def test_raw_strings_are_messages(self):
        self.assertEqual(find("a.cc", 'x = R"(a\nof zorn)";\n'), [(2, "zorn")])


class PythonTest(unittest.TestCase):
    """Python, and Bazel's files."""

    def test_docstrings_comments_and_messages_are_read(self):
        text = '"""Of\nzorn."""\nzorn = 1  # zorn\nprint(f"{zorn} of zorn")\nx = {"zorn": zorn}\n'
        self.assertEqual(find("a.py", text), [(2, "zorn"), (3, "zorn"), (4, "zorn")])

    def test_phrase_is_found_across_lines_of_a_comment(self):
        self.assertEqual(find("BUILD", "x = 1\n# It is gar\n# nicht so.\n"), [(3, "gar nicht")])
        self.assertEqual(find("a.bzl", "# It is gar\n\n# nicht so.\n"), [])

    def test_test_names_are_read_as_sentences(self):
        self.assertEqual(find("a.py", "def test_wer_waits(self):\n    pass\n"), [(1, "wer")])
        self.assertEqual(find("a.py", "def zorn(self):\n    pass\n"), [])


class OtherFilesTest(unittest.TestCase):
    """Shell, documents, and what else has prose."""

    def test_shell_comments_messages_and_here_documents_are_read(self):
        text = "#!/bin/sh\n# zorn\nzorn=$#\necho \"of zorn\"\ncat <<END\nzorn $zorn\nEND\n"
        for path in ("run", "run.sh"):
            self.assertEqual(find(path, text), [(2, "zorn"), (4, "zorn"), (6, "zorn")])
        self.assertEqual(find("run", "#!/bin/bash\n# zorn\n"), [(2, "zorn")])

    def test_documents_are_read_and_text_in_backquotes_is_not(self):
        text = "# Zorn\n\nIt is gar\nnicht `zorn`.\n\n| a | wer is |\n"
        found = [(1, "Zorn"), (4, "gar nicht"), (6, "wer")]
        self.assertEqual(find("a.md", text), found)

    def test_pages_styles_and_settings_are_read(self):
        self.assertEqual(find("a.html", '<p class="zorn zorn">of\nzorn</p>\n'), [(2, "zorn")])
        self.assertEqual(find("a.css", ".zorn { } /* zorn */\n"), [(1, "zorn")])
        self.assertEqual(find("a.js", "const zorn = 'in zorn';\n"), [(1, "zorn")])
        self.assertEqual(find("a.json", '{"zorn": "in zorn"}\n'), [(1, "zorn")])
        self.assertEqual(find(".bazelrc", "build --zorn\n# zorn\n"), [(2, "zorn")])

    def test_folders_of_cmake_and_git_are_not_read(self):
        with tempfile.TemporaryDirectory() as root:
            for path in ("a/b.c", "a/made/CMakeCache.txt", "a/made/x.c", ".git/x", ".github/x"):
                file = pathlib.Path(root, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
            found = [str(path.relative_to(root)) for path in words.files_below(root, ".")]
            self.assertEqual(found, [".github/x", "a/b.c"])

    def test_files_without_prose_are_not_read(self):
        self.assertEqual(find("a.trace", "zorn\n"), [])


class SentenceTest(unittest.TestCase):
    """Words that are avoided only where a sentence begins."""

    def test_subject_is_found_at_each_beginning(self):
        for text in ("Wer waits.", "It is. Wer waits.", "So: wer waits", "- wer waits"):
            with self.subTest(text):
                self.assertEqual([word.lower() for _, word in find("a.md", text)], ["wer"])

    def test_elsewhere_it_is_no_finding(self):
        self.assertEqual(find("a.md", "A caller, wer waits, and any wer."), [])


class ListTest(unittest.TestCase):
    """docs/words.txt itself."""

    def test_each_word_of_the_list_is_found_in_a_sentence(self):
        listed = words.read(LIST.read_text())
        self.assertGreater(len(listed), 10)
        for word in listed:
            phrase = word.phrase.lstrip("^")
            text = f"{phrase.capitalize()} x." if word.phrase[0] == "^" else f"It x {phrase} x."
            with self.subTest(phrase):
                found = words.find([word], pathlib.Path("a.md"), text)
                self.assertEqual([seen.lower() for _, seen, _ in found], [phrase])


class TreeTest(unittest.TestCase):
    """The source tree."""

    folders = ()

    def test_prose_has_none_of_the_words_to_avoid(self):
        listed, found, n_passages = words.read(LIST.read_text()), [], 0
        for folder in self.folders:
            self.assertTrue((ROOT / folder).exists(), folder)
            for path in words.files_below(ROOT, folder):
                text = path.read_bytes().decode("utf-8", "replace")
                n_passages += sum(1 for _ in prose.passages_of(path, text))
                where = path.relative_to(ROOT)
                found += [
                    f"{where}:{line}: {word} (write: {instead})"
                    for line, word, instead in words.find(listed, path, text)
                ]
        self.assertGreater(n_passages, 0, "no prose was read")
        if found:
            self.fail(f"{len(found)} words to avoid\n" + "\n".join(found))


if __name__ == "__main__":
    TreeTest.folders = sys.argv[1:] or ["."]
    unittest.main(argv=sys.argv[:1])
