#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The files that OSS-Fuzz and ClusterFuzzLite read are well formed and agree with each other.

A YAML library may be missing, so read_yaml knows what these files use (mappings, lists, plain and
quoted words) and refuses everything else.
"""

import glob
import re
import unittest

_ACTION = "google/clusterfuzzlite/actions/%s_fuzzers@v1"
_KEY = re.compile(r"([\w-]+):(?: +(.*))?$")


def _lines(text):
    for number, line in enumerate(text.splitlines(), 1):
        if "\t" in line:
            raise ValueError(f"line {number}: a tab")
        words = line.strip()
        if words and not words.startswith("#"):
            yield number, len(line) - len(line.lstrip()), words


def _scalar(words):
    if words[0] in "\"'":
        if len(words) < 2 or words[-1] != words[0]:
            raise ValueError(f"{words}: a quote is not closed")
        return words[1:-1]
    if words[0] in "&*!|>[]{}@`%" or ": " in words or " #" in words:
        raise ValueError(f"{words}: not a plain word")
    return words


def _block(lines, indent):
    """Removes the lines of one block from the front of the list, and returns its value."""
    result = [] if lines[0][2].startswith("- ") else {}
    while lines and lines[0][1] >= indent:
        number, depth, words = lines.pop(0)
        if depth != indent or words.startswith("- ") != isinstance(result, list):
            raise ValueError(f"line {number}: indented wrongly")
        if isinstance(result, list):
            result.append(_item(lines, number, depth, words[2:]))
            continue
        key, value = _pair(lines, number, depth, words)
        if key in result:
            raise ValueError(f"line {number}: {key} is there twice")
        result[key] = value
    return result


def _item(lines, number, depth, words):
    if not _KEY.match(words):
        return _scalar(words)
    lines.insert(0, (number, depth + 2, words))
    return _block(lines, depth + 2)


def _pair(lines, number, depth, words):
    match = _KEY.match(words)
    if not match:
        raise ValueError(f"line {number}: neither key nor item")
    key, rest = match.groups()
    if rest:
        return key, _scalar(rest)
    return key, _block(lines, lines[0][1]) if lines and lines[0][1] > depth else None


def read_yaml(path):
    with open(path, encoding="utf-8") as file:
        lines = list(_lines(file.read()))
    return _block(lines, 0)


def _jobs():
    """Yields (path and name, matrix of sanitizers, steps) of each job of each workflow."""
    for path in sorted(glob.glob(".github/workflows/cflite_*.yml")):
        for name, job in read_yaml(path)["jobs"].items():
            matrix = job.get("strategy", {}).get("matrix", {}).get("sanitizer", [])
            yield f"{path}: {name}", matrix, job["steps"]


def _sanitizers():
    entries = read_yaml("fuzz/oss-fuzz/project.yaml")["sanitizers"]
    return {name for entry in entries for name in ([entry] if isinstance(entry, str) else entry)}


class Reader(unittest.TestCase):
    def read(self, text):
        return _block(list(_lines(text)), 0)

    def test_reads_mappings_lists_and_words(self):
        self.assertEqual(
            self.read("a: 'x y'\nb:\n  - c: 1\n    d: 2\n  - e\nf:\n"),
            {"a": "x y", "b": [{"c": "1", "d": "2"}, "e"], "f": None},
        )

    def test_refuses_unknown_syntax(self):
        for text in ("a: [1]\n", "a:\n\tb: 1\n", "a: 1\n  b: 2\n", "a: 1\na: 2\n", "a\n"):
            with self.subTest(text=text), self.assertRaises(ValueError):
                self.read(text)


class Workflows(unittest.TestCase):
    def test_every_mode_has_a_job(self):
        modes = [s["with"]["mode"] for _, _, steps in _jobs() for s in steps if "mode" in s["with"]]
        self.assertEqual(sorted(modes), ["batch", "code-change", "coverage", "prune"])

    def test_each_job_builds_then_runs_with_one_sanitizer(self):
        for where, matrix, steps in _jobs():
            with self.subTest(where=where):
                uses = [step["uses"] for step in steps]
                self.assertEqual(uses, [_ACTION % word for word in ("build", "run")][: len(uses)])
                sanitizers = {step["with"]["sanitizer"] for step in steps}
                self.assertEqual(len(sanitizers), 1)
                self.assertEqual(sanitizers == {"${{ matrix.sanitizer }}"}, bool(matrix))
                self.assertEqual({step["with"]["language"] for step in steps}, {"c"})

    def test_sanitizers_are_those_of_the_project(self):
        for where, matrix, _ in _jobs():
            with self.subTest(where=where):
                self.assertEqual(set(matrix), _sanitizers() if matrix else set())

    def test_every_run_has_a_time_limit_and_may_only_read(self):
        for where, _, steps in _jobs():
            for step in steps[1:]:
                with self.subTest(where=where):
                    self.assertGreater(int(step["with"]["fuzz-seconds"]), 0)
        for path in glob.glob(".github/workflows/cflite_*.yml"):
            with self.subTest(path=path):
                self.assertEqual(read_yaml(path)["permissions"], "read-all")


class Projects(unittest.TestCase):
    def test_project_has_the_keys_that_oss_fuzz_requires(self):
        project = read_yaml("fuzz/oss-fuzz/project.yaml")
        for key in ("homepage", "main_repo", "primary_contact"):
            self.assertTrue(project[key])
        self.assertEqual(project["language"], "c")
        self.assertIn("libfuzzer", project["fuzzing_engines"])
        self.assertIn("address", _sanitizers())

    def test_clusterfuzzlite_builds_with_the_script_of_oss_fuzz(self):
        self.assertEqual(read_yaml(".clusterfuzzlite/project.yaml"), {"language": "c"})
        with open(".clusterfuzzlite/build.sh", encoding="utf-8") as file:
            self.assertIn("fuzz/oss-fuzz/build.sh", file.read())


if __name__ == "__main__":
    unittest.main()
