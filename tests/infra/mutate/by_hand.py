# SPDX-License-Identifier: Apache-2.0
"""Plans without Bazel: compile and link lines that a test writes itself."""

import concurrent.futures
import pathlib
import subprocess

from mutate import actions as lines, plan as plans

SANITIZERS = "address,undefined"
FUZZ_FLAGS = ("-O1", "-g", f"-fsanitize=fuzzer-no-link,{SANITIZERS}", "-fno-sanitize-recover=all")
FUZZ_LINK = (f"-fsanitize=fuzzer,{SANITIZERS}",)


class Build:
    """A build in a folder: it runs the lines that it is given, two at a time."""

    def __init__(self, root):
        self.root = root
        self.actions = {}

    def _add(self, action):
        self.actions[action.output] = action

    def compile(self, sources, name, flags):
        """Adds the compile lines of some sources. Returns their objects."""
        objects = []
        for source in sources:
            output = f"bazel-out/{name}/{source}.o"
            words = ("clang-19", "-std=c11", "-Wall", "-Werror", "-iquote", ".")
            words += ("-isystem", "include", *flags, "-MD", "-MF", f"{output}.d")
            words += ("-c", source, "-o", output)
            self._add(lines.Action(lines.COMPILE, words, output))
            objects.append(output)
        return objects

    def link(self, name, objects, flags):
        """Adds a link line. Returns the program."""
        output = f"bazel-out/{name}.program"
        words = ("clang-19", "-o", output, *objects, *flags)
        self._add(lines.Action("CppLink", words, output))
        return output

    def run(self):
        """Runs all lines, compile lines first."""
        for action in self.actions.values():
            (self.root / action.output).parent.mkdir(parents=True, exist_ok=True)
        for compiles in (True, False):
            some = [one for one in self.actions.values() if (one.kind == lines.COMPILE) == compiles]
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                for done in pool.map(self._start, some):
                    if done.returncode != 0:
                        raise AssertionError(done.stderr)

    def _start(self, action):
        return subprocess.run(
            action.arguments, cwd=self.root, capture_output=True, text=True, check=False
        )

    def program(self, label, executable, corpus=None):
        """A program that judges mutants."""
        actions = lines.needed_for([executable], self.actions)
        return plans.Program(label, executable, actions, corpus=corpus)

    def plan(self, path, fuzz, tests):
        """The plan for a file."""
        tree = lines.Tree(self.root, self.root, self.actions)
        return plans.Plan(path, pathlib.Path(self.root, path).read_bytes(), tree, fuzz, tests)
