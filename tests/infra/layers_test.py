#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds includes and calls against docs/layers.txt: no arrow upwards, and no circle.

Usage: layers_test.py SYMBOLS   what `nm -A -P` prints for the rooms' static libraries
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

LAYERS = pathlib.Path("docs/layers.txt")
MEMBER = re.compile(r"\[(.*?)(?:\.pic)?\.o\]")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:<slabmill/([^>]+)\.h>|"([^"]+)")', re.M)


class Plan:
    """What docs/layers.txt says."""

    def __init__(self, text):
        self.layer = {}  # folder -> number of its layer
        self.header_folder = {}  # name of a public header -> folder
        self.insiders = set()  # folders outside allocator/ that may include private headers
        n_layers = 0
        for line in text.splitlines():
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "headers":
                self.header_folder.update({name: words[1] for name in words[2:]})
            elif words[0] == "insiders":
                self.insiders.update(words[1:])
            else:
                self.layer.update({folder: n_layers for folder in words})
                n_layers += 1

    def folder_of(self, path):
        """The longest listed folder that holds the path, or None."""
        folders = [folder for folder in self.layer if path.startswith(folder + "/")]
        return max(folders, key=len, default=None)

    def complaint(self, path, header, quoted):
        """What is wrong with this include, or None."""
        source = self.folder_of(path)
        if path.startswith("include/slabmill/"):
            source = self.header_folder.get(path[len("include/slabmill/") : -len(".h")])
            if quoted is not None:
                return f"{path}: a public header includes {quoted}, which is not installed"
        target = self.header_folder.get(header) if header else self.folder_of(quoted)
        if source is None:
            return f"{path}: docs/layers.txt does not list its folder"
        if target is None:
            return f"{path}: docs/layers.txt does not say where {header or quoted} belongs"
        if quoted and quoted.startswith("allocator/") and not path.startswith("allocator/"):
            if source not in self.insiders:
                return f"{path}: includes {quoted}, and {source} is no insider"
        if source != target and self.layer[target] >= self.layer[source]:
            return f"{path}: includes {header or quoted}, of {target}, which is not below {source}"
        return None


def includes_of(path, text):
    """(path, public header or None, quoted path or None) of each include of the project's."""
    for public, quoted in INCLUDE.findall(text):
        yield path, public or None, quoted or None


def project_files():
    for folder in ("include", "allocator", "examples", "harness", "fuzz", "tools", "peers",
                   "bench"):
        for path in sorted(pathlib.Path(folder).rglob("*.[ch]")):
            yield str(path)


def symbols_in(text):
    """(file, symbol, kind) for each line of `nm -A -P`."""
    for line in text.splitlines():
        where, rest = line.split(": ", 1)
        symbol, kind = rest.split()[:2]
        room = pathlib.Path(where[: where.index("[")]).parent.name
        yield f"{room}/{MEMBER.search(where).group(1)}", symbol, kind


def calls_in(text):
    """{file: {file it refers to: a symbol}} between the files that `nm -A -P` read."""
    home, wanted = {}, collections.defaultdict(set)
    for member, symbol, kind in symbols_in(text):
        if kind == "U":
            wanted[member].add(symbol)
        elif kind.isupper():
            home[symbol] = member
    return {
        member: {home[s]: s for s in symbols if s in home and home[s] != member}
        for member, symbols in wanted.items()
    }


def circle_in(graph):
    """A list of nodes that lead back to the first, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node) :] + [node]
        if node in done:
            return None
        path.append(node)
        found = next(filter(None, (visit(n) for n in sorted(graph.get(node, {})))), None)
        path.pop()
        done.add(node)
        return found

    return next(filter(None, (visit(node) for node in sorted(graph))), None)


class Layers(unittest.TestCase):
    symbols = ""

    def test_no_include_points_upwards(self):
        plan = Plan(LAYERS.read_text())
        complaints, n_includes = [], 0
        for path in project_files():
            for include in includes_of(path, pathlib.Path(path).read_text()):
                n_includes += 1
                complaint = plan.complaint(*include)
                if complaint:
                    complaints.append(complaint)
        self.assertGreater(n_includes, 300)
        self.assertEqual([], complaints)

    def test_no_files_of_the_library_call_each_other_in_a_circle(self):
        graph = calls_in(self.symbols)
        self.assertGreater(len(graph), 40)
        circle = circle_in(graph)
        self.assertIsNone(circle, "\n".join(
            f"{a} -> {b}: {graph[a][b]}" for a, b in zip(circle or [], (circle or [])[1:])))


    def test_every_global_symbol_of_the_library_starts_with_slm(self):
        names = [name for _, name, kind in symbols_in(self.symbols) if kind in "TDBRVW"]
        self.assertGreater(len(names), 200)
        # Sanitizers add names that start with two underscores.
        self.assertEqual([], [name for name in names if not name.startswith(("slm_", "__"))])


class TheTestItself(unittest.TestCase):
    PLAN = Plan("low\nmiddle other\nhigh\nheaders low low\nheaders high high\ninsiders high\n")

    def test_reports_an_arrow_upwards(self):
        self.assertIn("not below", self.PLAN.complaint("low/a.c", "high", None))
        self.assertIn("not below", self.PLAN.complaint("middle/a.c", None, "other/b.h"))
        self.assertIsNone(self.PLAN.complaint("high/a.c", "low", None))

    def test_reports_a_folder_that_the_list_lacks(self):
        self.assertIn("does not list", self.PLAN.complaint("new/a.c", "low", None))
        self.assertIn("does not say", self.PLAN.complaint("low/a.c", None, "new/a.h"))

    def test_finds_a_circle_of_calls(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, callee in (("a", "b"), ("b", "c"), ("c", "a")):
                source = pathlib.Path(folder, name + ".c")
                source.write_text(f"void {callee}(void); void {name}(void) {{ {callee}(); }}\n")
                subprocess.run(["cc", "-c", source.name], cwd=folder, check=True)
            subprocess.run(["ar", "rcs", "libx.a", "a.o", "b.o", "c.o"], cwd=folder, check=True)
            nm = ["nm", "-A", "-P", f"{folder}/libx.a"]
            done = subprocess.run(nm, capture_output=True, text=True, check=True)
            circle = circle_in(calls_in(done.stdout))
            self.assertEqual(4, len(circle))


if __name__ == "__main__":
    Layers.symbols = pathlib.Path(sys.argv[1]).read_text()
    unittest.main(argv=sys.argv[:1])
