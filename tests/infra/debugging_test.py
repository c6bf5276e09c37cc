#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/debugging.md shows what really comes: its commands are run, and what they print is compared.

A block ```sh builds the programs. A block ```text is a session: `$ COMMAND`, or `(gdb) COMMAND`
after `$ gdb ...`, and all that the command prints. A line `...` stands for any lines. Addresses are
0xADDR, process ids PID, and numbers of lines in slabmill.c, which is generated, LINE.

Reads the project's own tree, past Bazel's list of inputs: the library is built from all of it.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "debugging.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROMPT = re.compile(r"(\$|\(gdb\)) (.*)$")
MARK = "--- next command ---"
MISTAKES = ("free_twice", "write_past", "read_after_reset")
ZONE_MISTAKES = ("free_twice", "write_past", "read_after_free", "store_unlocked", "note_unlocked")
GDB_MISTAKES = ("free_twice", "zone_free_twice", "zone_write_past", "zone_store_unlocked",
                "zone_note_unlocked")


def masked(text, folder):
    """A tool's output without what differs from run to run."""
    text = text.replace(f"{folder}/", "")
    for pattern, instead in (
        (r"0x[0-9a-fA-F]{4,}", "0xADDR"),
        (r"==\d+==", "==PID=="),
        (r"slabmill\.c:\d+", "slabmill.c:LINE"),
    ):
        text = re.sub(pattern, instead, text)
    lines = [line.expandtabs().rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def is_shown_by(quoted, lines):
    """Whether quoted lines, in which `...` stands for any lines, are all that was printed."""
    pattern = "".join("(?:.*\n)*" if line == "..." else re.escape(line) + "\n" for line in quoted)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def steps_of(session):
    """The commands of a session: (prompt, command, quoted lines)."""
    steps = []
    for line in session.splitlines():
        prompt = PROMPT.match(line)
        if prompt:
            steps.append((prompt[1], prompt[2], []))
        else:
            steps[-1][2].append(line)
    return steps


def run(command, folder, **more):
    """A finished command; both outputs are one."""
    return subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **more
    )


def run_gdb(command, inputs, folder):
    """What gdb prints for each of its commands."""
    words = ["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set confirm off",
             "-ex", "set style enabled off", "-ex", "set width 0"]
    for text in inputs:
        words += ["-ex", f"echo {MARK}\\n", "-ex", text]
    done = run([*words, *command.split()[1:]], folder)
    return done.stdout.split(f"{MARK}\n")[1:]


def outputs_of(steps, folder):
    """What each step of a session prints."""
    if steps[0][1].startswith("gdb "):
        assert all(prompt == "(gdb)" for prompt, _, _ in steps[1:]), "a session of gdb is one block"
        return ["", *run_gdb(steps[0][1], [text for _, text, _ in steps[1:]], folder)]
    return [run(command.split(), folder).stdout for _, command, _ in steps]


def make_folder(folder):
    """A folder that the page's lines run in as in the project's, without a write to that."""
    for name in ("allocator", "include", "tools"):
        pathlib.Path(folder, name).symlink_to(ROOT / name)


def why_not(tool):
    """Why a tool cannot be used here, or None."""
    if shutil.which(tool) is None:
        return f"{tool} is not installed"
    if tool == "gdb":
        text = run(["gdb", "-nx", "-batch", "-ex", "python print('has Python')", "-ex", "run",
                    shutil.which("true")], "/").stdout
        if "has Python" not in text:
            return "gdb has no Python"
        if "exited normally" not in text:
            return "gdb cannot run programs here"
    return None


class DebuggingTest(unittest.TestCase):
    """The page's blocks, in order."""

    @classmethod
    def setUpClass(cls):
        blocks = BLOCK.findall(PAGE.read_text())
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = str(pathlib.Path(cls.scratch.name).resolve())
        make_folder(cls.folder)
        script = "".join(text for kind, text in blocks if kind == "sh")
        done = run(["bash", "-euc", script], cls.folder)
        if done.returncode != 0:
            raise RuntimeError(f"the page's lines fail: {done.stdout}")
        cls.sessions = [steps_of(text) for kind, text in blocks if kind == "text"]

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def check(self, steps):
        """Compares a session with what comes."""
        outputs = outputs_of(steps, self.folder)
        self.assertEqual(len(outputs), len(steps))
        for (_, command, quoted), output in zip(steps, outputs):
            lines = masked(output, self.folder)
            with self.subTest(command=command):
                self.assertTrue(is_shown_by(quoted, lines), "this comes:\n" + "\n".join(lines))

    def test_each_command_prints_what_the_page_quotes(self):
        reasons = {tool: why_not(tool) for tool in ("gdb", "valgrind")}
        n_compared = 0
        for session in self.sessions:
            is_gdb = session[0][1].startswith("gdb ")
            steps = session if is_gdb else [
                step for step in session
                if not step[1].startswith("valgrind ") or not reasons["valgrind"]
            ]
            if steps and not (is_gdb and reasons["gdb"]):
                self.check(steps)
                n_compared += len(steps)
        for reason in filter(None, reasons.values()):
            print(f"NOT RUN in part: {reason}")
        self.assertGreater(n_compared, 20)

    def test_each_mistake_is_shown_with_each_tool(self):
        commands = {command for session in self.sessions for _, command, _ in session}
        for mistake in (*MISTAKES, *(f"zone_{name}" for name in ZONE_MISTAKES)):
            for tool in ("bugs/plain", "bugs/checks2", "bugs/asan", "valgrind -q bugs/valgrind"):
                self.assertIn(f"{tool} {mistake}", commands)

    def test_each_kind_of_mistake_is_shown_in_gdb(self):
        text = "".join(f"{command}\n" for session in self.sessions for _, command, _ in session)
        for mistake in GDB_MISTAKES:
            self.assertIn(f"gdb -q --args bugs/plain {mistake}\n", text)


class ComparisonTest(unittest.TestCase):
    """The comparison itself."""

    def test_line_that_does_not_come_or_is_not_quoted_is_noticed(self):
        lines = ["a", "b", "c"]
        for quoted, expected in (
            (["a", "b", "c"], True),
            (["a", "...", "c"], True),
            (["..."], True),
            (["a", "..."], True),
            ([], False),
            (["a", "c"], False),
            (["a", "...", "d"], False),
            (["a", "b", "c", "d"], False),
        ):
            with self.subTest(quoted=quoted):
                self.assertEqual(is_shown_by(quoted, lines), expected)

    def test_addresses_and_process_ids_are_masked(self):
        self.assertEqual(
            masked("==12== at 0x1F2A: 0xfd f (slabmill.c:7) /t/x.c:3 \n\n", "/t"),
            ["==PID== at 0xADDR: 0xfd f (slabmill.c:LINE) x.c:3"],
        )


if __name__ == "__main__":
    sys.exit(unittest.main())
