# SPDX-License-Identifier: Apache-2.0
"""Runs of the project's tests with another compiler, and what Bazel says of them."""

import os
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
# `bazel run` names the tree; by hand, this file is in it.
TREE = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", HERE.parent.parent))
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)
# Rooms of tests: those that map no file, and the others.
PLAIN_ROOMS = "base pool slab source tree".split()
FILE_ROOMS = "images journal lease lock segment table zone".split()
# Programs in C.
REPLAYS = "attr(tags, fuzz-test, tests(//fuzz:all))"


def room_tests(room):
    """The query for the room's tests that are programs of their own."""
    return f"kind(cc_test, //tests/{room}:all)"


def query(expression):
    """The labels that Bazel's query prints."""
    done = subprocess.run(
        ["bazel", "query", "--noshow_progress", expression],
        cwd=TREE,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def run_tests(options, labels, log):
    """Builds and runs tests. (passed, failed, skipped), or None if Bazel did not count."""
    words = ["./bazelw", "test", "--config=other-bin", "--build_tests_only", "--keep_going"]
    with open(log, "w", encoding="utf-8") as out:
        subprocess.run(
            [*words, *options, "--", *labels],
            cwd=TREE,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    found = SUMMARY.findall(log.read_text(encoding="utf-8", errors="replace"))
    return tuple(int(word or 0) for word in found[-1]) if found else None


def describe(counts, log):
    """Whether all went well, and what to print."""
    if counts is None:
        return False, f"the tests did not run; see {log}"
    is_well = counts[0] > 0 and counts[1] == 0
    said = "{} passed, {} failed, {} skipped".format(*counts)
    return is_well, said if is_well else f"{said}; see {log}"
