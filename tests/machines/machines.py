#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the library's tests on machines of other kinds: natively, or under qemu-user.

For each machine, Bazel builds the unit tests, the deaths at yield points and the replays of all
corpora with a cross compiler, statically linked, and runs them. Then each pair of machines shares
zones (crossing.sh). What a machine cannot do is in EXCLUDED, with the reason.

Exit status: 0 if all went well on all machines, 1 if something failed or a machine could not run,
2 for a wrong call.
"""

import argparse
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import typing

from bazel_tests import FILE_ROOMS, HERE, PLAIN_ROOMS, REPLAYS, TREE
from bazel_tests import describe, query, room_tests, run_tests

# Compilers under the names that Bazel looks for, and logs: one folder a machine.
SCRATCH = pathlib.Path.home() / ".cache/slabmill/machines"


class Machine(typing.NamedTuple):
    """A kind of machine. compiler and run are the beginnings of commands."""

    name: str
    compiler: str
    packages: str
    ar: str = "ar"
    run: str = ""
    has_cxx: bool = True
    # What two machines must have in common to share a zone.
    byte_order: str = "little"
    # Whether a file can be mapped beyond its end. With pages larger than this machine's own,
    # qemu-user maps something else there: then no file or shared memory can be used that may grow.
    maps_files: bool = True


def emulated(name, triple, order, page=None):
    """A machine that qemu-user plays, with pages of so many bytes."""
    qemu = "qemu-" + name + (f" -p {page}" if page else "")
    package = triple.replace("_", "-")
    return Machine(
        name=name + (f"-{page // 1024}k" if page else ""),
        compiler=triple + "-gcc",
        packages=f"qemu-user g++-{package}",
        ar=triple + "-ar",
        run=qemu,
        byte_order=order,
        maps_files=page is None,
    )


# libc6-dev-i386 has no asm/ of its own: the 64-bit headers' serves.
_I386 = "gcc -m32 -idirafter /usr/include/x86_64-linux-gnu"
# musl-tools has no headers of the kernel.
_MUSL = "musl-gcc -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu"
MACHINES = (
    Machine("x86_64", "gcc", "gcc g++"),
    Machine("i386", _I386, "gcc libc6-dev-i386 lib32gcc-12-dev lib32stdc++-12-dev"),
    Machine("musl", _MUSL, "musl-tools linux-libc-dev", has_cxx=False),
    emulated("aarch64", "aarch64-linux-gnu", "little"),
    emulated("aarch64", "aarch64-linux-gnu", "little", 65536),
    emulated("riscv64", "riscv64-linux-gnu", "little"),
    emulated("ppc64", "powerpc64-linux-gnu", "big"),
    emulated("ppc64", "powerpc64-linux-gnu", "big", 65536),
    emulated("s390x", "s390x-linux-gnu", "big"),
)

# The parts of a run: tests of rooms that map no file, and the others; queries of Bazel.
PARTS = {room: room_tests(room) for room in PLAIN_ROOMS}
FILE_PARTS = {room: room_tests(room) for room in FILE_ROOMS}
FILE_PARTS["deaths"] = "//tests/kill:yield_points_test"
C_PARTS = {"replays": REPLAYS}
ALL_PARTS = [*PARTS, *FILE_PARTS, *C_PARTS]
# Tests that cannot run on some machines: which, and why.
EMULATED = {machine.name for machine in MACHINES if machine.run}
BIG = {machine.name for machine in MACHINES if machine.byte_order == "big"}
_EXEC = "a program of the machine cannot be started by exec here"
_MEMORY = "qemu-user has madvise, MAP_FIXED_NOREPLACE and the modes of SysV segments in part only"
_OWN_STAT = "qemu-user writes a /proc/self/stat of its own, without the time of the start"
_UNKNOWN = "fails or hangs under qemu-user, and it is not known why"
EXCLUDED = {
    "//tests/images:images_test": (BIG, "the images are of a machine of the other byte order"),
    "//tests/lock:file_test": (EMULATED, _EXEC),
    "//tests/lock:object_test": (EMULATED, _EXEC),
    "//tests/lock:step_test": (EMULATED, "qemu-user has no ptrace"),
    "//tests/segment:guard_test": (EMULATED, "qemu-user ends a program at a cut page itself"),
    "//tests/segment:names_test": (EMULATED, _MEMORY),
    "//tests/segment:segment_test": (EMULATED, _MEMORY),
    "//tests/segment:space_test": (EMULATED, _MEMORY),
    "//tests/zone:copy_test": (EMULATED, "copying is too slow for the threads that write"),
    "//tests/zone:move_test": (EMULATED, _UNKNOWN),
    "//tests/zone:owner_test": (EMULATED, _OWN_STAT),
    "//tests/zone:set_test": (EMULATED, _UNKNOWN),
}


def make_tool(path, command):
    """A program that runs the command. Bazel wants one file, and its folder for linkers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    path.chmod(0o755)


def missing_of(machine):
    """What this machine lacks to build and run for that one; empty: nothing."""
    words = [machine.compiler.split()[0], machine.ar]
    words += machine.run.split()[:1]
    lacking = [word for word in words if shutil.which(word) is None]
    return lacking or can_compile(machine)


def can_compile(machine):
    """Whether an empty program compiles and runs: [] or what went wrong."""
    scratch = SCRATCH / machine.name
    scratch.mkdir(parents=True, exist_ok=True)
    source = scratch / "empty.c"
    source.write_text("int main(void) { return 0; }\n", encoding="utf-8")
    program = str(scratch / "empty")
    for words in (
        [*shlex.split(machine.compiler), "-static", str(source), "-o", program],
        [*machine.run.split(), program],
    ):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return [(done.stderr.strip().splitlines() or [shlex.join(words)])[-1]]
    return []


def parts_of(machine):
    """The parts that the machine can run."""
    parts = dict(PARTS) if machine.has_cxx else {}
    if machine.has_cxx and machine.maps_files:
        parts |= FILE_PARTS
    return parts | C_PARTS


def left_out(machine):
    """The tests that the machine cannot run, each with the reason."""
    return {label: why for label, (names, why) in EXCLUDED.items() if machine.name in names}


def targets_of(machine, wanted):
    """The labels of the tests that the machine runs."""
    parts = parts_of(machine)
    labels = query(" + ".join(parts[part] for part in wanted if part in parts))
    return sorted(labels - set(left_out(machine)))


def run_machine(machine, parts, jobs):
    """Builds and runs the machine's tests, and prints its line. Whether all went well."""
    tools = SCRATCH / machine.name
    make_tool(tools / "gcc", machine.compiler)
    options = [
        f"--repo_env=CC={tools}/gcc",
        f"--repo_env=AR={shutil.which(machine.ar)}",
        "--dynamic_mode=off",
        "--linkopt=-static",
        f"--jobs={jobs}",
        *([f"--run_under={machine.run}"] if machine.run else []),
    ]
    log = tools / "log"
    well, said = describe(run_tests(options, targets_of(machine, parts), log), log)
    print(f"{machine.name:<12} {said}", flush=True)
    return well


def cross(machines):
    """Each pair of machines shares a zone, or refuses it. Whether all went well."""
    words = [str(HERE / "crossing.sh")]
    for machine in machines:
        if not machine.maps_files:
            print(f"{machine.name:<12} NOT RUN in part: qemu-user maps no file beyond its end here")
            continue
        words += [machine.name, machine.byte_order, machine.compiler, machine.run]
    done = subprocess.run(words, cwd=TREE, check=False)
    return done.returncode == 0


def parse(words):
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="bazel run //tests/machines --", description=__doc__.split("\n", maxsplit=1)[0]
    )
    names = [machine.name for machine in MACHINES]
    parser.add_argument(
        "--machine", action="append", choices=names, help="only this one; may be repeated"
    )
    parser.add_argument(
        "--part", action="append", choices=ALL_PARTS, help="only this part; may be repeated"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="of Bazel")
    parser.add_argument("--list", action="store_true", help="print the machines, and what they need")
    return parser.parse_args(words)


def main(words):
    """Runs the command; returns its exit status."""
    options = parse(words)
    wanted = [m for m in MACHINES if not options.machine or m.name in options.machine]
    if options.list:
        for machine in wanted:
            print(f"{machine.name:<12} {machine.byte_order:<7} needs {machine.packages}")
            for label, why in left_out(machine).items():
                print(f"{'':<12} not {label}: {why}")
        return 0
    ready = []
    for machine in wanted:
        lacking = missing_of(machine)
        if lacking:
            print(f"{machine.name:<12} NOT RUN: {' '.join(lacking)}; in Debian: apt-get install")
            print(f"{'':<12}     {machine.packages}")
        else:
            ready.append(machine)
    n_well = sum(run_machine(machine, options.part or ALL_PARTS, options.jobs) for machine in ready)
    crossed = len(ready) < 2 or cross(ready)
    print(f"machines: {n_well} of {len(wanted)}" + ("" if crossed else "; zones do not cross"))
    return 0 if n_well == len(wanted) and crossed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
