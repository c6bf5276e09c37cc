# SPDX-License-Identifier: Apache-2.0
"""What judges a file's mutants: its fuzz targets and GoogleTests, built once by Bazel."""

import dataclasses
import importlib.machinery
import importlib.util
import pathlib
import re
import subprocess

from . import actions as lines

# Static programs: a shared library would have to be linked again for each program that loads it.
FLAGS = ["--dynamic_mode=off", "--noshow_progress"]

# The fuzz targets that judge a file, the nearest first. The first pattern that matches counts. Each
# target links most of the library, but tests only a part of it.
FUZZ_OF = (
    (r"fuzz/zone/edge", "zone_edge_fuzz"),
    (r"fuzz/zone/table", "zone_table_fuzz"),
    (r"fuzz/(journal|lock|rbtree|schedule|slab_image|trace|zone|zone_threads)/", r"\1_fuzz"),
    (r"fuzz/(\w+_fuzz)\.c", r"\1"),
    (r"harness/sched/", "schedule_fuzz"),
    (r"harness/trace/", "trace_fuzz slab_fuzz pool_fuzz"),
    (r"(harness|fuzz/common)/", "slab_fuzz pool_fuzz"),
    (r"(allocator/|include/slabmill/)pool", "pool_fuzz pool_vs_slow_fuzz"),
    (r"(allocator/|include/slabmill/)slab", "slab_fuzz slab_image_fuzz"),
    (r"allocator/tree/", "rbtree_fuzz"),
    (r"allocator/(table|lease)/", "zone_table_fuzz"),
    (r"allocator/lock/", "lock_fuzz schedule_fuzz zone_threads_fuzz"),
    (r"allocator/journal/", "journal_fuzz zone_fuzz rbtree_fuzz zone_image_fuzz schedule_fuzz"),
    (r"allocator/zone/", "zone_edge_fuzz zone_fuzz zone_image_fuzz schedule_fuzz"),
    (r"allocator/segment/", "zone_edge_fuzz zone_fuzz zone_image_fuzz"),
    (r"allocator/(base|source)/", "slab_fuzz pool_fuzz"),
)

# Tests of other folders, which judge a room after its own: searches of schedules, and what a journal
# refuses to trees and lists.
MORE_TESTS_OF = (
    (r"allocator/lock/", "//tests/sched:lock_schedules_test"),
    (r"allocator/(journal|zone)/", "//tests/sched:zone_schedules_test"),
    (
        r"allocator/tree/",
        "//tests/journal:fresh_test //tests/journal:full_test //tests/journal:misuse_test",
    ),
)


class Wrong(Exception):
    """A call that cannot be carried out."""


@dataclasses.dataclass
class Program:
    """A program that judges mutants."""

    name: str  # its label
    executable: str  # from the root of the build
    actions: list  # that make it and the programs that it starts
    arguments: tuple = ()  # a test's own
    corpus: pathlib.Path = None  # of a fuzz target
    runfiles: dict = dataclasses.field(default_factory=dict)  # path below the folder -> file


@dataclasses.dataclass
class Plan:
    """What judges the mutants of one file."""

    path: str
    text: bytes
    tree: lines.Tree
    fuzz: list
    tests: list

    def compiles(self):
        """The compile lines that read the file, without those that differ in their output only."""
        seen = {}
        for program in self.fuzz + self.tests:
            for action in program.actions:
                if action.kind == lines.COMPILE and self.tree.reads(action, self.path):
                    seen.setdefault(_variant(action), action)
        return list(seen.values())


def _variant(action):
    names = (action.output, action.after("-MF"))
    return tuple(word for word in lines.optimised(action.arguments) if word not in names)


def fuzz_targets_of(path):
    """The names of the fuzz targets that judge a file."""
    for pattern, targets in FUZZ_OF:
        match = re.match(pattern, path)
        if match:
            return match.expand(targets).split()
    return []


def load_check(workspace):
    """tools/check, which knows the tests of a file."""
    loader = importlib.machinery.SourceFileLoader("check", str(workspace / "tools" / "check"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
    loader.exec_module(module)
    return module


class Bazel:
    """The commands of Bazel that a plan needs."""

    def __init__(self, workspace):
        self._workspace = workspace
        self._check = load_check(workspace)

    def _run(self, *words):
        done = subprocess.run(
            ["./bazelw", *words], cwd=self._workspace, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Wrong(f"bazelw {words[0]}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def execroot(self):
        """The folder in which Bazel's lines run."""
        return pathlib.Path(self._run("info", *FLAGS, "execution_root").strip())

    def tests_of(self, path):
        """Labels of a file's GoogleTests, the nearest first."""
        try:
            near, rest = self._check.tests_of(path)
        except self._check.Wrong:
            return []
        labels = [one for one in near + rest if not one.startswith("//fuzz:")]
        for pattern, more in MORE_TESTS_OF:
            labels += more.split() if re.match(pattern, path) else []
        if not labels:
            return []
        query = f"kind('cc_test rule', set({' '.join(labels)}))"
        kinds = set(self._run("query", "--noshow_progress", query).split())
        return [one for one in labels if one in kinds]

    def build(self, labels):
        """Builds them. Returns the actions that did."""
        self._run("build", *FLAGS, *labels)
        expression = f"deps({' + '.join(labels)})"
        return lines.read_actions(self._run("aquery", *FLAGS, "--output=jsonproto", expression))


def _binary_of(label):
    package, _, name = label.removeprefix("//").partition(":")
    return f"bazel-out/k8-fastbuild/bin/{package}/{name}"


class Planner:
    """Plans for some files, which share one build and one copy of the sources."""

    def __init__(self, workspace, folder, say):
        self._workspace = workspace
        self._bazel = Bazel(workspace)
        self._folder = folder
        self._programs = {}  # label -> Program
        self._say = say

    def plan(self, paths):
        """One plan for each file."""
        texts = {path: (self._workspace / path).read_bytes() for path in paths}
        fuzz = {path: [f"//fuzz:{one}_bin" for one in fuzz_targets_of(path)] for path in paths}
        tests = {path: self._bazel.tests_of(path) for path in paths}
        every = [*fuzz.values(), *tests.values()]
        labels = sorted({label for some in every for label in some})
        if not labels:
            raise Wrong(f"no test and no fuzz target depends on {' '.join(paths)}")
        self._say(f"mutate: building {len(labels)} programs")
        actions = self._bazel.build(labels)
        runs = (one for one in actions.values() if one.kind == "Test")
        self._arguments = {one.output: one.arguments for one in runs}
        self._execroot = self._bazel.execroot()
        tree = lines.Tree(self._folder / "root", self._execroot, actions)
        tree.take_sources(self._workspace)
        for label in labels:
            self._programs[label] = self._program(label, tree)
        return [self._plan(path, texts[path], tree, fuzz[path], tests[path]) for path in paths]

    def _plan(self, path, text, tree, fuzz, tests):
        def that_read(labels):
            programs = [self._programs[label] for label in labels]
            return [one for one in programs if self._reads(tree, one, path)]

        return Plan(path, text, tree, that_read(fuzz), that_read(tests))

    @staticmethod
    def _reads(tree, program, path):
        compiles = (one for one in program.actions if one.kind == lines.COMPILE)
        return any(tree.reads(action, path) for action in compiles)

    def _program(self, label, tree):
        executable = _binary_of(label)
        if label.endswith("_fuzz_bin"):
            corpus = self._folder / "corpus" / label.rpartition(":")[2].removesuffix("_bin")
            self._take_corpus(corpus)
            return Program(label, executable, tree.take_outputs([executable]), corpus=corpus)
        manifest = self._execroot / f"{executable}.runfiles_manifest"
        runfiles, outputs = {}, [executable]
        for line in manifest.read_text().splitlines():
            name, _, file = line.partition(" ")
            runfiles[name] = self._take_runfile(file, tree, outputs)
        arguments = self._arguments.get(label.removeprefix("//").replace(":", "/"), ())
        return Program(label, executable, tree.take_outputs(outputs), arguments, runfiles=runfiles)

    def _take_runfile(self, file, tree, outputs):
        """Returns the file, or, for one that Bazel made, its path from the root of the build."""
        for top in (self._execroot, self._execroot.parent.parent):
            if file.startswith(f"{top}/bazel-out/"):
                path = file.removeprefix(f"{top}/")
                tree.take(path)
                outputs.append(path)
                return path
        return file

    def _take_corpus(self, corpus):
        corpus.mkdir(parents=True, exist_ok=True)
        files = (self._workspace / "corpus" / corpus.name).rglob("*")
        for number, file in enumerate(sorted(one for one in files if one.is_file())):
            (corpus / f"{number}-{file.name}"[:200]).write_bytes(file.read_bytes())
