# SPDX-License-Identifier: Apache-2.0
"""Bazel's compile and link lines, and how to repeat them for one changed file.

Bazel builds everything once. From then on a mutant needs no Bazel: the lines of the units that read
the changed file run again, then those of the archives and programs made of them, with new output
files in place of the old.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess

SOURCES = {".c", ".cc", ".h"}
COMPILE = "CppCompile"
LINKS = {"CppArchive", "CppLink"}


class BuildError(Exception):
    """A line that failed; its text is what the compiler printed."""


@dataclasses.dataclass(frozen=True)
class Action:
    """One line: it makes `output`. Paths are relative to the root of the build."""

    kind: str
    arguments: tuple
    output: str

    def after(self, flag):
        """The argument that follows a flag."""
        return self.arguments[self.arguments.index(flag) + 1]

    @property
    def source(self):
        """What a compile line compiles."""
        return self.after("-c")


def read_actions(text):
    """The lines in what `aquery --output=jsonproto` prints that compile, link, or run a test, by
    output."""
    graph = json.loads(text)
    fragments = {one["id"]: one for one in graph["pathFragments"]}
    artifacts = {one["id"]: one["pathFragmentId"] for one in graph["artifacts"]}
    sets = {one["id"]: one for one in graph["depSetOfFiles"]}

    def path(artifact):
        one, parts = fragments[artifacts[artifact]], []
        while one:
            parts.append(one["label"])
            one = fragments.get(one.get("parentId"))
        return "/".join(reversed(parts))

    actions = {}
    for one in graph["actions"]:
        output = path(one["primaryOutputId"])
        if one["mnemonic"] == COMPILE or one["mnemonic"] in LINKS:
            # The file of parameters at the end repeats the arguments.
            words = tuple(word for word in one["arguments"] if not word.startswith("@bazel-out"))
            kind = COMPILE if one["mnemonic"] == COMPILE else "CppLink"
            actions[output] = Action(kind, words, output)
        elif one["mnemonic"] == "TestRunner":
            # Bazel's script, the test, and the test's own arguments.
            words = tuple(one["arguments"])
            actions[output] = Action("Test", words[2:], words[1])
        elif one["mnemonic"] == "ExecutableSymlink":
            target = path(sets[one["inputDepSetIds"][0]]["directArtifactIds"][0])
            actions[output] = Action("Symlink", (target,), output)
    return actions


def needed_for(outputs, actions):
    """The actions that make these outputs, and what those need, each after what it needs."""
    ordered, seen = [], set()

    def visit(output):
        if output in seen or output not in actions:
            return
        seen.add(output)
        if actions[output].kind != COMPILE:
            for word in actions[output].arguments:
                if word != output:
                    visit(word)
        ordered.append(actions[output])

    for output in outputs:
        visit(output)
    return ordered


def link_or_copy(source, target):
    """Makes a file appear under a second name: Bazel replaces its outputs, and never writes into
    them."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copy2(source, target)


class Tree:
    """A copy of the sources, and of what Bazel made of them: later edits do not reach it."""

    def __init__(self, root, execroot, actions):
        self.root = root
        self._execroot = execroot
        self._actions = actions

    def take_sources(self, workspace):
        """Copies the project's C and C++ files."""
        for top, folders, names in os.walk(workspace):
            folders[:] = [one for one in folders if not one.startswith((".", "bazel-"))]
            for name in names:
                source = pathlib.Path(top, name)
                if source.suffix in SOURCES:
                    target = self.root / source.relative_to(workspace)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(source, target)
        (self.root / "external").symlink_to(self._execroot / "external")

    def take_outputs(self, outputs):
        """Takes everything that is needed to link these again. Returns their actions."""
        ordered = needed_for(outputs, self._actions)
        for action in ordered:
            paths = [action.output]
            if action.kind == COMPILE:
                paths += [action.after("-MF"), action.source]
            for path in paths:
                if path.startswith("bazel-out/"):
                    self.take(path)
        return ordered

    def take(self, path):
        """Takes one file that Bazel made. Returns where it is."""
        link_or_copy(self._execroot / path, self.root / path)
        return self.root / path

    def reads(self, action, path):
        """Whether a compile line reads a file of the project."""
        words = (self.root / action.after("-MF")).read_text().split()
        return path in words or f"./{path}" in words


def overlay_text(root, path, mutated):
    """What makes clang read one file in place of another, under the other's name."""
    entry = {"type": "file", "name": f"{root}/{path}", "external-contents": str(mutated)}
    return json.dumps({"version": 0, "use-external-names": False, "roots": [entry]})


def run_line(arguments, root):
    """Runs a compile or link line. Compilers get no limit: they read no mutated program."""
    done = subprocess.run(
        arguments, cwd=root, capture_output=True, text=True, check=False, errors="replace"
    )
    if done.returncode != 0:
        raise BuildError(done.stderr.strip())


class Rebuild:
    """The outputs that one changed file changes, made in a folder as they are asked for."""

    def __init__(self, tree, path, text, folder):
        self._tree = tree
        self._path = path
        self._folder = folder
        self._made = {}  # output -> the new one, or the same if the change does not reach it
        mutated = folder / f"mutated{pathlib.Path(path).suffix}"
        mutated.write_bytes(text)
        self._overlay = folder / "overlay.json"
        self._overlay.write_text(overlay_text(tree.root, path, mutated))

    def make(self, outputs, actions):
        """Makes what these outputs need. Returns the new place of each that changes, by output."""
        for action in actions:
            if action.output not in self._made:
                self._made[action.output] = self._make(action)
        return {one: self._made[one] for one in outputs if self._made.get(one, one) != one}

    def _make(self, action):
        if action.kind == COMPILE:
            changes = self._tree.reads(action, self._path)
            return self._compile(action) if changes else action.output
        words = [self._made.get(word, word) for word in action.arguments]
        if tuple(words) == action.arguments:
            return action.output
        if action.kind == "Symlink":
            return words[0]
        new = self._new_name(action)
        run_line([new if word == action.output else word for word in words], self._tree.root)
        return new

    def _new_name(self, action):
        return str(self._folder / f"{len(self._made)}-{pathlib.Path(action.output).name}")

    def _compile(self, action):
        new = self._new_name(action)
        run_line(self.with_change(action, new), self._tree.root)
        return new

    def with_change(self, action, new):
        """The compile line of an action with the changed file, for another output."""
        outputs = {action.output: new, action.after("-MF"): f"{new}.d"}
        words = [outputs.get(word, word) for word in action.arguments]
        return [*words, "-ivfsoverlay", str(self._overlay), "-fno-color-diagnostics"]


def _kept_sanitizers(word):
    """A flag without the sanitizers that note places in the source, which a change moves."""
    kept = set(word.removeprefix("-fsanitize=").split(",")) & {"address", "memory", "thread"}
    return [f"-fsanitize={','.join(sorted(kept))}"] if kept else []


def optimised(arguments):
    """A compile line without debug information, at -O2: for comparing objects. Sanitizers stay that
    the sources ask for, as to hide memory from a program that may not read it."""
    left_out = ("-fno-sanitize", "-g", "-O", "-fprofile", "-fcoverage", "-frandom")
    words = []
    for word in arguments:
        if word.startswith("-fsanitize="):
            words += _kept_sanitizers(word)
        elif not word.startswith(left_out):
            words.append(word)
    return [*words, "-O2", "-g0"]
