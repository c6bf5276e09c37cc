# SPDX-License-Identifier: Apache-2.0
"""A folder laid out like the runner's runfiles, with fake fuzzers."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SOURCES = pathlib.Path("fuzz").resolve()
FAKE = pathlib.Path(__file__).with_name("fake_fuzzer.py")
CLOCKED = pathlib.Path(__file__).with_name("clocked").resolve()

sys.path.insert(0, str(SOURCES))

from overnight import settings  # noqa: E402


def is_alive(pid):
    """False for a process that has ended, or only waits to be reaped."""
    try:
        state = pathlib.Path("/proc", str(pid), "stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def wait_for_death(pid):
    """Returns when the system has carried out a kill; Bazel's limit ends a wait that never does."""
    while is_alive(pid):
        time.sleep(0.01)


def made_settings(runfiles="/r", night="fuzz/night", mill=None, **fields):
    """Settings without a command line."""
    made = object.__new__(settings.Settings)
    made.runfiles = pathlib.Path(runfiles)
    made.night_folder = made.runfiles / night
    made.is_guest = mill is not None
    made.argv = ["--minutes=1", f"--night-folder={night}"]
    made.__dict__.update(fields)
    return made


class NightTest(unittest.TestCase):
    """Each test has a cache, a source tree and runfiles of its own, and each start a clock."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.clocks = folder.name
        self.root = pathlib.Path(folder.name, "root")
        self.cache = self.root / "slabmill"
        self.out = self.root / "out"
        self.workspace = self.root / "tree"
        self.trace = self.root / "corpus" / "traces" / "one.trace"
        self.trace.parent.mkdir(parents=True)
        self.trace.write_text("trace")
        self.script(self.root / settings.SLABMILL, 'echo "replayed $2"')

    def script(self, path, body):
        """Writes a program."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n" + body)
        path.chmod(0o755)

    def target(self, name, manner, seeds=(("seed", b"seed"),), variant="asan-ubsan"):
        """Makes a fuzz target with its seeds, as (path, content)."""
        night = self.root / "fuzz" / "night"
        binary = night / variant / name
        binary.parent.mkdir(parents=True, exist_ok=True)
        # Not the first Python on PATH, which may be a script that looks for others.
        program = FAKE.read_text().split("\n", 1)[1]
        binary.write_text(f"#!{sys.executable} -SE\n{program}")
        binary.chmod(0o755)
        (binary.parent / f".{name}.manner").write_text(manner)
        for path, content in seeds:
            seed = night / "seeds" / name / "corpus" / name / path
            seed.parent.mkdir(parents=True, exist_ok=True)
            seed.write_bytes(content)

    def start(self, *words, minutes="0.05", within=(), terminal=None, workspace="tree"):
        """Starts a night of three seconds with one job, unless the words say otherwise. `within`:
        the beginning of the command; `terminal`: a descriptor instead of a pipe."""
        descriptor, clock = tempfile.mkstemp(dir=self.clocks)
        os.close(descriptor)
        environment = {
            **os.environ,
            "NIGHT_CLOCK": clock,
            "PYTHONPATH": f"{CLOCKED}:{SOURCES}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_CACHE_HOME": str(self.root),
        }
        if workspace:
            environment["BUILD_WORKSPACE_DIRECTORY"] = str(self.root / workspace)
        command = [*within, sys.executable, "-m", "overnight", "--jobs", "1", "--lanes", "seeded"]
        length = ("--minutes", minutes) if minutes and "--minutes" not in words else ()
        return subprocess.Popen(
            [*command, *length, *words],
            cwd=self.root,
            env=environment,
            stdin=terminal or subprocess.DEVNULL,
            stdout=terminal or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def night(self, *words, status=None):
        """Runs a whole night; returns (its report, what it printed)."""
        process = self.start("--out", str(self.out), *words)
        output, _ = process.communicate()
        if status is not None:
            self.assertEqual(process.returncode, status, output)
        return self.report(), output

    def report(self, out=None):
        """Returns the last report, which must match the schema and have its page."""
        from report import schema

        folder = out or self.out
        report = json.loads((folder / "report.json").read_text())
        schema.check(report)
        self.assertGreater((folder / "report.html").stat().st_size, 1000)
        return report

    def wait_until_up(self, **options):
        """Starts a night; returns it and the process id of its endless fuzzer."""
        up = self.root / "up"
        os.mkfifo(up)
        process = self.start("--out", str(self.out), "--minutes", "5", **options)
        if process.stdout:
            self.addCleanup(process.stdout.close)
        return process, int(up.read_text())

    def stop(self, process, how=signal.SIGTERM):
        """Ends a night; returns what it printed."""
        process.send_signal(how)
        output, _ = process.communicate()
        return output

    @staticmethod
    def crash_text():
        """What the fake fuzzer prints when it dies."""
        begin, end = 'CRASH = """', '"""'
        return FAKE.read_text().split(begin, 1)[1].split(end, 1)[0] + "\n"
