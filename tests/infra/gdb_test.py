#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/gdb/slabmill.py prints pools, slabs, zones and locks of a stopped program."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

FOLDER = tempfile.TemporaryDirectory()
PROGRAM = pathlib.Path(FOLDER.name, "program")
SCRIPT = pathlib.Path("tools/gdb/slabmill.py").resolve()
HANDLES = ("*pool", "*slab", "*zone", "*lock")


def compile_program():
    """The program and the library, with debug information."""
    sources = ["tests/infra/gdb_program.c", *map(str, pathlib.Path("allocator").glob("*/*.c"))]
    command = ["cc", "-g", "-O0", "-std=c11", "-Iinclude", "-I.", *sources, "-pthread", "-o", PROGRAM]
    subprocess.run(command, check=True)


def debug(*commands):
    """gdb's output for commands."""
    words = ["gdb", "-nx", "-batch", "-ex", "set confirm off", "-ex", "set debuginfod enabled off"]
    for command in (f"source {SCRIPT}", "set style enabled off", *commands):
        words += ["-ex", command]
    done = subprocess.run(
        [*words, PROGRAM], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def stop_at(n_looks, *commands):
    """What is printed when the program is in look_here for the n-th time."""
    steps = ["break look_here", "run"] + ["continue"] * (n_looks - 1)
    return debug(*steps, *commands)


class GdbTest(unittest.TestCase):
    """A program with a pool and a zone, of which the lock is free at first, then held."""

    def test_handles_are_printed_in_words(self):
        said = stop_at(1, *(f"print {handle}" for handle in HANDLES))
        for expected in (
            r'= pool: 1 block of 1024 bytes, 0 of them fresh, 1 large block, 1 cleanup, '
            r"\d+ bytes from the source, \d+ free in the current block",
            r'= slab "looked_at": 238 pages, 237 of them free, 2 objects in spans, 0 runs',
            r'= zone "looked_at": ready, 1048576 of 2097152 bytes, 0 repairs, lock \(robust\): free; '
            r"0 dead holders so far",
            r"= lock \(robust\): free; 0 dead holders so far",
        ):
            self.assertRegex(said, expected)

    def test_holder_of_a_lock_is_the_thread_that_locked_it(self):
        said = stop_at(2, "print *lock", "info inferiors")
        pid = re.search(r"process (\d+)", said).group(1)
        self.assertIn(f"lock (robust): held by thread {pid}; 0 dead holders so far", said)

    def test_fields_are_printed_as_they_are_when_asked_for(self):
        self.assertIn("fast_word = ", stop_at(1, "print/r *lock"))

    def test_lock_word_is_printed_with_its_marks(self):
        for word, expected in (
            ("0", "free"),
            ("0x7b", "held by thread 123"),
            ("0x1234567880000000 | 5", "held by thread 5, has waiters"),
            ("0x40000000", "free, needs repair"),
            ("0xe0000001", "held by thread 1, has waiters, needs repair, left to a waiter"),
        ):
            with self.subTest(word):
                self.assertIn(f"{expected}\n", debug(f"slabmill-lock-word {word}"))

    def test_lock_word_without_a_word_says_what_is_expected(self):
        self.assertIn("expected a lock word", debug("slabmill-lock-word"))


def why_not():
    """Why gdb cannot run programs here, or None."""
    if shutil.which("gdb") is None:
        return "gdb is not installed"
    if "GDB has Python" not in debug("python print('GDB has Python')"):
        return "gdb has no Python"
    compile_program()
    said = stop_at(1)
    return None if "look_here" in said and "Operation not permitted" not in said else "no ptrace here"


if __name__ == "__main__":
    REASON = why_not()
    if REASON:
        print(f"NOT RUN: {REASON}")
        sys.exit(0)
    unittest.main()
