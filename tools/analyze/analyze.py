#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs gcc -fanalyzer and cppcheck over the C files of allocator/, harness/ and tools/.

What they find is printed, unless explained.txt says why it cannot happen. An explanation that
nothing needs any more is printed as well.

Exit status: 0 if all that was found is explained, 1 if not, 2 for a wrong call or if a program that it
runs fails, 3 if an analyser is missing.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# `bazel run` names the tree; by hand, this file is in it.
ROOT = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", HERE.parent.parent))
FOLDERS = ("allocator", "harness", "tools")
GCC_FINDING = re.compile(r"^(\S+?):(\d+):\d+: warning: (.*) \[-W(analyzer-[a-z0-9-]+)\]$", re.MULTILINE)
CPPCHECK_FINDING = re.compile(r"^(\S+?):(\d+):\d+: \w+: (.*) \[(\w+)\]$", re.MULTILINE)
# Words of clang's command that gcc is not given.
NOT_OF_GCC = re.compile(r"-W.*")

Finding = collections.namedtuple("Finding", "tool path kind line text")


def run(words):
    """What the program says. If it fails, this one ends."""
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"analyze: {words[0]} ended with {done.returncode}:\n{done.stderr}", file=sys.stderr)
        raise SystemExit(2)
    return done.stdout + done.stderr


def commands_of_files():
    """The command that compiles each file, of tools/compile_commands."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "commands.json"
        words = [ROOT / "tools" / "compile_commands", "-o", path]
        run(words)
        entries = json.loads(path.read_text(encoding="utf-8"))
    return {entry["file"]: entry["arguments"] for entry in entries}


def find(tool, pattern, said):
    """The findings in what a tool said, each once."""
    return {
        Finding(tool, os.path.normpath(path), kind, line, text)
        for path, line, text, kind in pattern.findall(said)
    }


def analyze_with_gcc(path, command):
    """What gcc -fanalyzer finds in a file."""
    flags = [word for word in command[1:-2] if not NOT_OF_GCC.fullmatch(word)]
    words = ["gcc", *flags, "-O1", "-fanalyzer", "-c", path, "-o", os.devnull]
    return find("gcc", GCC_FINDING, run(words))


def analyze_with_cppcheck(paths):
    """What cppcheck finds. In one process: only so does it look across files. Version 2.10 cannot read
    an attribute with two parts."""
    words = ["cppcheck", "--quiet", "--std=c11", "--enable=warning,portability"]
    defines = ["_GNU_SOURCE", "__GNUC__=12", "__x86_64__", "__linux__", "SLM_CHECKS=1"]
    defines.append("__attribute__(x)=")
    words += [f"-D{define}" for define in defines] + ["-I", "include", "-I", "."]
    return find("cppcheck", CPPCHECK_FINDING, run([*words, *paths]))


def read_explained():
    """The lines `TOOL PATH KIND: reason` of explained.txt, as (tool, path, kind)."""
    lines = (HERE / "explained.txt").read_text(encoding="utf-8").splitlines()
    keys = [line.partition(":")[0].split() for line in lines if line and not line.startswith("#")]
    return {tuple(key) for key in keys}


def report(findings, explained):
    """Prints what is not explained, and explanations without a finding. How many."""
    found = {finding[:3] for finding in findings}
    bad = sorted(finding for finding in findings if finding[:3] not in explained)
    for finding in bad:
        print(f"{finding.path}:{finding.line}: {finding.text} [{finding.tool} {finding.kind}]")
    stale = sorted(explained - found)
    for key in stale:
        print(f"explained.txt: {' '.join(key)}: nothing is found there")
    return len(bad) + len(stale)


def main(argv):
    """Reads the arguments, and runs it."""
    parser = argparse.ArgumentParser(
        prog="bazel run //tools/analyze --",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    n_processors = len(os.sched_getaffinity(0))
    parser.add_argument("-j", metavar="N", type=int, default=n_processors, help="files at a time")
    n_jobs = max(1, parser.parse_args(argv).j)
    for tool in ("gcc", "cppcheck"):
        if shutil.which(tool) is None:
            print(f"analyze: there is no {tool} here: apt-get install {tool}", file=sys.stderr)
            return 3
    commands = commands_of_files()
    paths = sorted(p for p in commands if p.endswith(".c") and p.split("/")[0] in FOLDERS)
    findings = analyze_with_cppcheck(paths)
    with concurrent.futures.ThreadPoolExecutor(n_jobs) as pool:
        for found in pool.map(lambda path: analyze_with_gcc(path, commands[path]), paths):
            findings |= found
    explained = read_explained()
    n_bad = report(findings, explained)
    print(f"analyze: {len(paths)} files, {len(findings)} found, {n_bad} not explained")
    return 1 if n_bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
