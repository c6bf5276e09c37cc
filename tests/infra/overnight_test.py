#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The overnight run, against fuzz binaries that are short shell scripts."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

SOURCES = pathlib.Path("fuzz").resolve()

HEALTHY = """echo 'INFO: Loaded 1 modules' >&2
echo '#12 DONE   cov: 34 ft: 56' >&2
echo 'stat::number_of_executed_units: 100' >&2
echo 'slabmill: ops=2500 execs=100 seconds=1' >&2
sleep 1
"""
CRASHES = """for word in "$@"; do case $word in -artifact_prefix=*) p=${word#*=};; esac; done
echo BAD > "${p}crash-1"
echo '    #1 0x55 in slm_slab_free allocator/slab.c:3' >&2
echo 'SUMMARY: AddressSanitizer: heap-use-after-free allocator/slab.c:3' >&2
exit 1
"""
NO_OPS = HEALTHY.replace("ops=2500", "ops=0")
ENDLESS = "echo up > $XDG_CACHE_HOME/up; exec sleep 600"


class OvernightTest(unittest.TestCase):
    """Runs the program in a folder laid out like its runfiles."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.out = self.root / "out"
        self.trace = self.root / "corpus" / "traces" / "one.trace"
        self.trace.parent.mkdir(parents=True)
        self.trace.write_text("trace")
        self.script(self.root / "tools" / "slabmill", 'echo "replayed $2"')

    def script(self, path, body):
        """Writes a program."""
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + body)
        path.chmod(0o755)

    def target(self, name, body):
        """Makes a fuzz target with one seed."""
        self.script(self.root / "fuzz" / f"{name}_bin", body)
        seeds = self.root / "fuzz" / f"{name}_corpus"
        seeds.mkdir()
        (seeds / "seed").write_text("seed")

    def start(self, *words):
        """Starts a night of two seconds, unless the words say otherwise."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(SOURCES),
            "XDG_CACHE_HOME": str(self.root),
        }
        command = [sys.executable, "-m", "overnight", "--minutes", "0.03", "--jobs", "1"]
        return subprocess.Popen(
            command + ["--out", str(self.out), *words],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def night(self, *words):
        """Returns (status, output) of a whole night."""
        process = self.start(*words)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def stop_when_up(self):
        """Ends a night while an ENDLESS program runs; returns its status."""
        up = self.root / "up"
        os.mkfifo(up)
        process = self.start()
        # Returns once the program has opened its end.
        self.assertEqual(up.read_text(), "up\n")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        self.assertIn("interrupted; ", output)
        self.assertIn("new corpus", output)
        return process.returncode

    def test_healthy_night_ends_with_its_numbers_and_status_0(self):
        self.target("slab_fuzz", HEALTHY)
        status, output = self.night()
        self.assertEqual(status, 0, output)
        self.assertIn("== one.trace\nreplayed", output)
        self.assertRegex(output, r"slab_fuzz +[1-9]\d*00 +\d+ +[\d,]+ +34 +0 +0\n")

    def test_finding_is_kept_once_by_kind_with_its_command_and_status_1(self):
        self.target("slab_fuzz", CRASHES)
        status, output = self.night("--minutes", "1")
        self.assertEqual(status, 1, output)
        kept = self.out / "findings" / "slab_fuzz-heap-use-after-free-slm_slab_free"
        self.assertEqual(kept.read_text(), "BAD\n")
        self.assertEqual(len(list(kept.parent.iterdir())), 2)
        self.assertIn(f"bazel-bin/fuzz/slab_fuzz_bin {kept}\n", output)
        self.assertIn("slab_fuzz: a lane gives up after 10 deaths", output)
        self.assertIn("heap-use-after-free-slm_slab_free, seen 10 times", output)

    def test_target_without_operations_is_a_failure(self):
        self.target("slab_fuzz", NO_OPS)
        status, output = self.night()
        self.assertEqual(status, 2, output)
        self.assertIn("could not run: slab_fuzz: executed no allocator operation", output)

    def test_target_that_dies_without_an_input_is_a_failure(self):
        self.target("slab_fuzz", "exit 3")
        status, output = self.night()
        self.assertEqual(status, 2, output)
        self.assertIn("could not run: slab_fuzz: ended with status 3", output)

    def test_target_without_seeds_is_fuzzed_and_yet_a_failure(self):
        self.target("slab_fuzz", HEALTHY)
        shutil.rmtree(self.root / "fuzz" / "slab_fuzz_corpus")
        status, output = self.night()
        self.assertEqual(status, 2, output)
        self.assertIn("could not run: slab_fuzz_corpus: no seeds are checked in", output)
        self.assertRegex(output, r"slab_fuzz +[1-9]")

    def test_failing_trace_is_a_finding(self):
        self.target("slab_fuzz", HEALTHY)
        self.script(self.root / "tools" / "slabmill", "exit 4")
        status, output = self.night()
        self.assertEqual(status, 1, output)
        self.assertTrue((self.out / "findings" / "one-status-4.trace").exists())

    def test_sigterm_during_a_replay_is_no_finding(self):
        self.target("slab_fuzz", HEALTHY)
        self.script(self.root / "tools" / "slabmill", ENDLESS)
        self.assertEqual(self.stop_when_up(), 0)
        self.assertFalse((self.out / "findings").exists())

    def test_missing_traces_or_targets_are_failures(self):
        self.trace.unlink()
        status, output = self.night("--targets", "pool*")
        self.assertEqual(status, 2, output)
        self.assertIn("could not run: no fuzz target of that name", output)
        self.assertIn("could not run: no recorded traces were found", output)

    def test_sigterm_ends_the_targets_and_still_prints_the_table(self):
        self.target("slab_fuzz", ENDLESS)
        self.assertEqual(self.stop_when_up(), 0)


if __name__ == "__main__":
    unittest.main()
