#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the library's tests as other compilers, and other levels of optimisation, make them.

Each compiler and level builds the unit tests and the replays of all corpora, warnings as errors,
and runs them.

Exit status: 0 if all went well everywhere, 1 if something failed or a compiler could not run,
2 for a wrong call.
"""

import argparse
import os
import pathlib
import shutil
import sys

from bazel_tests import FILE_ROOMS, PLAIN_ROOMS, REPLAYS, describe, query, room_tests, run_tests

CLANGS = range(14, 20)
COMPILERS = ["gcc-12", *(f"clang-{n}" for n in CLANGS)]
LTO = "O2-lto"
LEVELS = ["O0", "O1", "O2", "O3", LTO]
ROOMS = sorted(PLAIN_ROOMS + FILE_ROOMS)
# Logs.
SCRATCH = pathlib.Path.home() / ".cache/slabmill/compilers"


def flags_of(compiler, level):
    """Bazel's options for the level."""
    flags = [f"--copt=-{level.split('-')[0]}", "--copt=-Werror"]
    if level == LTO:
        flags += ["--copt=-flto", "--linkopt=-flto", "--linkopt=-O2"]
        if compiler.startswith("clang"):
            flags += [f"--linkopt=-fuse-ld={shutil.which(linker_of(compiler))}"]
    return flags


def linker_of(compiler):
    """The linker that reads what clang -flto writes."""
    return compiler.replace("clang", "ld.lld")


def missing_of(compiler, level):
    """The programs that this machine lacks."""
    words = [compiler]
    if level == LTO and compiler.startswith("clang"):
        words.append(linker_of(compiler))
    return [word for word in words if shutil.which(word) is None]


def run(compiler, level, labels, jobs):
    """Prints a line. Whether all went well."""
    title = f"{compiler:<9} -{level:<7}"
    lacking = missing_of(compiler, level)
    if lacking:
        print(f"{title} NOT RUN: there is no {' '.join(lacking)}", flush=True)
        return False
    log = SCRATCH / f"{compiler}-{level}.log"
    options = [f"--repo_env=CC={compiler}", f"--jobs={jobs}", *flags_of(compiler, level)]
    well, said = describe(run_tests(options, labels, log), log)
    print(f"{title} {said}", flush=True)
    return well


def parse(words):
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="bazel run //tests/machines:compilers --",
        description=__doc__.split("\n", maxsplit=1)[0],
    )
    for name, choices in (("compiler", COMPILERS), ("level", LEVELS), ("room", ROOMS)):
        parser.add_argument(
            f"--{name}", action="append", choices=choices, help="only this one; may be repeated"
        )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="of Bazel")
    return parser.parse_args(words)


def main(words):
    """Runs the command; returns its exit status."""
    options = parse(words)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    parts = [room_tests(room) for room in options.room or ROOMS]
    labels = sorted(query(" + ".join(parts + ([] if options.room else [REPLAYS]))))
    runs = [
        run(compiler, level, labels, options.jobs)
        for compiler in options.compiler or COMPILERS
        for level in options.level or LEVELS
    ]
    print(f"compilers: {sum(runs)} of {len(runs)}")
    return 0 if all(runs) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
