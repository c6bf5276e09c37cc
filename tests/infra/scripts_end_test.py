#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shell scripts that get a signal end their children and clean up (tools/group.sh)."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

# Replaces the program that a script waits for: it never ends by itself.
ENDLESS = 'echo $$ > "$UP"\nexec sleep 600\n'
# Replaces bazelw, which waits for Bazel.
BAZELW = """case "$1" in
query) echo //a:b ;;
*)
    sh -c 'echo $$ > "$UP"; exec sleep 600'
    echo "ended with $?"
    ;;
esac
"""


def is_alive(pid):
    """False for a process that has ended, or only waits to be reaped."""
    try:
        stat = pathlib.Path("/proc", str(pid), "stat").read_text()
        return stat.rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class ScriptsTest(unittest.TestCase):
    """Each script, in a tree that has all it needs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name, "tree")
        self.scratch = pathlib.Path(folder.name, "scratch")
        self.scratch.mkdir()
        self.up = pathlib.Path(folder.name, "up")
        os.mkfifo(self.up)
        for top in ("tools", "fuzz/oss-fuzz"):
            for path in pathlib.Path(top).rglob("*.sh"):
                copy = self.tree / path
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)

    def script(self, path, body):
        """Writes a program."""
        path = self.tree / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n" + body)
        path.chmod(0o755)

    def child_of(self, process):
        """Waits until the script's child is up; returns its process id."""
        with subprocess.Popen(["cat", self.up], stdout=subprocess.PIPE) as reader:
            while reader.poll() is None:
                if process.poll() is not None:
                    reader.kill()
                time.sleep(0.01)
            line = reader.stdout.read().decode()
        self.assertRegex(line, r"^\d+\n$", "the script ended too early")
        return int(line)

    def ends(self, command, how=signal.SIGTERM):
        """Sends a signal to a script while its child runs: only to the script, not to its group."""
        environment = {**os.environ, "TMPDIR": str(self.scratch), "UP": str(self.up)}
        process = subprocess.Popen(
            command,
            cwd=self.tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        child = self.child_of(process)
        process.send_signal(how)
        self.assertEqual(process.wait(), 128 + how)
        while is_alive(child):
            time.sleep(0.01)
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_coverage_ends_its_child_on_each_signal(self):
        self.script("bazelw", BAZELW)
        for how in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(how):
                self.ends(["tools/coverage.sh"], how)

    def test_make_seeds_ends_its_child(self):
        self.script("bazelw", BAZELW)
        self.ends(["tools/make_seeds.sh"])

    def test_check_of_oss_fuzz_ends_its_child(self):
        folder = pathlib.Path("fuzz", "oss-fuzz")
        self.script("there/fuzz/x_fuzz.c", "")
        (self.tree / "there" / folder).mkdir()
        for name in ("Dockerfile", "project.yaml"):
            shutil.copy(folder / name, self.tree / "there" / folder / name)
        head = (folder / "build.sh").read_text().split("set -eu")[0]
        self.script(pathlib.Path("there", folder, "build.sh"), head + ENDLESS)
        words = ["--quick", "--tree", "there"]
        self.ends(["bash", "fuzz/oss-fuzz/check.sh", *words])

    def test_script_that_ends_by_itself_keeps_its_status(self):
        for command, status in ((["tools/coverage.sh", "what"], 2), (["tools/coverage.sh"], 1)):
            self.script("bazelw", "exit 0")
            done = subprocess.run(command, cwd=self.tree, capture_output=True, check=False)
            self.assertEqual(done.returncode, status)


if __name__ == "__main__":
    unittest.main()
