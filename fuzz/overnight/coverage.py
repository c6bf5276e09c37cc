# SPDX-License-Identifier: Apache-2.0
"""Measures the source coverage of one target by its corpus, and the operations that ran.

Usage: python3 -m overnight.coverage BINARY OUT.json CORPUS...

Replays the corpora through the binary built for llvm-cov. OUT.json gets {"lines": {file: {line:
times}}, "kinds": {operation: times}}. Exit status 0 if it was written.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

from . import files, job, lanes

_KIND = re.compile(r"^slabmill: kind (\S+) (\d+)$", re.MULTILINE)
# Bazel compiles in a sandbox: only the path below the sandbox's root is known. Other repositories
# are in external/, and what was built is in bazel-out/.
_PATH = re.compile(
    r"^(?:/proc/self/cwd/|/.*/execroot/[^/]+/)?"
    r"(?!/|external/|bazel-out/)(.*\.(?:c|h|cc|cpp|cxx|hh|hpp))$"
)


def _replay(binary, corpora, profile):
    env = {
        **lanes.sanitizer_environment(),
        "LLVM_PROFILE_FILE": str(profile),
        "HRN_FUZZ_SAY": "kinds",
    }
    output = profile.with_name("output")
    # No limit: the caller's time is limited.
    status = job.run_to_end([binary, *corpora], output, None, env)
    text = files.read_text(output)
    if not profile.exists():
        raise RuntimeError(f"{binary}: no profile, status {status}: {text[-400:]}")
    return {name: int(times) for name, times in _KIND.findall(text)}


def _export(binary, profile):
    merged = profile.with_suffix(".profdata")
    subprocess.run(
        ["llvm-profdata-19", "merge", "-sparse", "-o", merged, profile], check=True
    )
    done = subprocess.run(
        ["llvm-cov-19", "export", "-format=lcov", f"-instr-profile={merged}", binary],
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout.decode("utf-8", "replace")


def read_lcov(text):
    """Returns {file: {line: times}} of the sources of the workspace."""
    lines, current = {}, None
    for entry in text.splitlines():
        if entry.startswith("SF:"):
            found = _PATH.search(entry[3:])
            current = lines.setdefault(found.group(1), {}) if found else None
        elif entry.startswith("DA:") and current is not None:
            number, times = entry[3:].split(",")[:2]
            current[number] = max(current.get(number, 0), int(times))
    return lines


def sources_of(binary):
    """Returns the paths of the sources of the workspace that the program was built from."""
    with tempfile.TemporaryDirectory() as scratch:
        profile = pathlib.Path(scratch, "profile.profraw")
        corpus = pathlib.Path(scratch, "corpus")
        corpus.mkdir()
        _replay(binary, [corpus], profile)
        return list(read_lcov(_export(os.path.realpath(binary), profile)))


def main(argv):
    """Returns the exit status."""
    binary, out, *corpora = argv
    with tempfile.TemporaryDirectory() as scratch:
        profile = pathlib.Path(scratch, "profile.profraw")
        kinds = _replay(binary, corpora, profile)
        lines = read_lcov(_export(os.path.realpath(binary), profile))
    files.write_json(out, {"lines": lines, "kinds": kinds})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
