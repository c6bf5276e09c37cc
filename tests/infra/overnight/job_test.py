#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Processes that the runner starts, and what it waits for."""

import itertools
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

from fixture import SOURCES, wait_for_death
from overnight import __main__ as program, clock, files, job

_PATHS = {"PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1"}


class JobTest(unittest.TestCase):
    """Processes that do not end when they should. Time passes only when a test says so."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.output = pathlib.Path(folder.name, "output")
        self.now = 0.0
        self.enterContext(unittest.mock.patch.object(clock, "now", lambda: self.now))

    def run_to_end(self, command, seconds, **options):
        """Returns the job after its end."""
        made = job.Job("x", ["/bin/sh", "-c", command], self.output, seconds, **options)
        made.start()
        while not made.poll():
            pass
        return made

    def poll_until(self, made, text):
        """Polls until the job, which must not end, has printed this."""
        while made.text() != text:
            self.assertFalse(made.poll(), "it ended too early")

    def run_over_time(self, trap, **options):
        """Returns a job that has set its trap, at the end of its time."""
        command = ["/bin/sh", "-c", f"{trap}; echo ready; while :; do :; done"]
        made = job.Job("x", command, self.output, 3600, **options)
        made.start()
        self.poll_until(made, "ready\n")
        self.now = 3600.0
        self.assertFalse(made.poll())
        self.assertIsNone(made.forced)
        self.now = 3600.1
        return made

    def test_job_is_asked_to_end_when_its_time_runs_out(self):
        made = self.run_over_time("trap 'echo bye; exit 5' USR1", end_signal=signal.SIGUSR1)
        while not made.poll():
            pass
        self.assertEqual((made.status, made.forced), (5, job.OVERRUN))
        self.assertEqual(made.text(), "ready\nbye\n")

    def test_job_that_ignores_the_request_is_killed_after_the_grace_period(self):
        made = self.run_over_time("trap 'echo no' TERM")
        self.poll_until(made, "ready\nno\n")
        self.now += job._GRACE_SECONDS
        self.assertFalse(made.poll())
        # It is still alive: it answers.
        os.killpg(made._process.pid, signal.SIGTERM)
        self.poll_until(made, "ready\nno\nno\n")
        self.now += 0.1
        while not made.poll():
            pass
        self.assertEqual((made.status, made.forced), (-signal.SIGKILL, job.OVERRUN))

    def test_endless_output_ends_the_process_before_the_disk_is_full(self):
        with unittest.mock.patch.object(job, "_MOST_FILE_BYTES", 1 << 16):
            made = self.run_to_end("exec yes", 30)
        self.assertEqual((made.status, made.forced), (-signal.SIGXFSZ, None))
        self.assertEqual(len(made.text()), 1 << 16)
        self.assertIn("printed, more than", made.how_it_ended())

    def test_beginning_and_end_of_a_long_output_are_read(self):
        self.output.write_bytes(b"first\n" + bytes(9 << 20) + b"\nlast")
        text = files.read_text(self.output)
        self.assertTrue(text.startswith("first\n") and text.endswith("\nlast"))
        self.assertIn("bytes left out", text)
        self.assertLess(len(text), 5 << 20)

    def test_waiting_for_a_process_does_not_wait_for_its_child(self):
        command = ["sh", "-c", "sleep 600 & echo $!"]
        # Waiting for the child would take more than 300 s, and return None.
        self.assertEqual(job.run_to_end(command, self.output, 300, {}), 0)
        wait_for_death(int(files.read_text(self.output)))

    def test_late_process_is_killed_with_its_child(self):
        command = ["sh", "-c", "trap '' TERM; sleep 600 & echo $!; wait"]
        ends_within = job._ends_within

        def ends_after_it_printed(process, seconds):
            while not files.read_text(self.output).endswith("\n"):
                self.assertIsNone(process.poll(), "it ended too early")
            return ends_within(process, seconds)

        with unittest.mock.patch.object(job, "_ends_within", ends_after_it_printed):
            self.assertIsNone(job.run_to_end(command, self.output, 0.01, {}))
        wait_for_death(int(files.read_text(self.output)))

    def test_process_that_triage_starts_dies_with_it(self):
        pids = self.output.with_name("pids")
        os.mkfifo(pids)
        target = self.output.with_name("target")
        target.write_text(f"#!/bin/sh\necho $$ > {pids}\nexec sleep 600\n")
        target.chmod(0o755)
        finding = {"binary": str(target), "kind": "x"}
        run = f"triage.Runner({finding}, {str(pids.parent)!r}).run(b'')"
        code = f"from overnight import triage\n{run}"
        process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **_PATHS})
        hanging = int(pids.read_text())
        process.kill()
        process.wait()
        wait_for_death(hanging)

    def test_job_that_ends_leaves_no_child(self):
        made = self.run_to_end("sleep 600 & echo $!", 10)
        wait_for_death(int(made.text()))

    def test_exception_at_the_end_of_a_job_does_not_stop_others(self):
        ended, wrong = [], []

        class Failing(job.Job):
            """Raises, or records its end."""

            def ended(self):
                if self.name == "bad":
                    raise KeyError("x")
                ended.append(self.name)

        pool = job.Pool(2, lambda failed: wrong.append(failed.name))
        for name in ("bad", "good"):
            pool.start(Failing(name, ["true"], self.output, 10))
        while pool.running:
            pool.poll()
        self.assertEqual((wrong, ended), (["bad"], ["good"]))

    def test_last_words_are_without_colours(self):
        made = self.run_to_end(r"printf 'first\n\033[1;31mPROGRAM ABORT\033[0m\n\n'; exit 1", 10)
        self.assertEqual(made.last_words(), "PROGRAM ABORT")


class StopsTest(unittest.TestCase):
    """What ends a wait of the runner. Each wait would take an hour."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)

    def setUp(self):
        for number in self.SIGNALS:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.addCleanup(signal.set_wakeup_fd, -1)
        self.addCleanup(sys.settrace, sys.gettrace())
        self.stops = program.Stops()
        self.stops.listen()

    def wait_with_signal_at_line(self, n_before):
        """Waits, with a signal at the start and another after so many lines of Python. Returns
        False if there are fewer lines."""
        lines = itertools.count()

        def trace(_frame, event, _argument):
            if event == "line" and next(lines) == n_before:
                signal.raise_signal(signal.SIGTERM)
            return trace

        signal.raise_signal(signal.SIGINT)
        sys.settrace(trace)
        self.stops.wait(3600)
        sys.settrace(None)
        return next(lines) > n_before

    def test_signal_at_any_moment_of_a_wait_does_not_stop_the_runner(self):
        n_lines = 0
        while self.wait_with_signal_at_line(n_lines):
            n_lines += 1
        self.assertGreater(n_lines, 0)
        self.assertEqual(self.stops(), 2 * n_lines + 1)

    def test_end_of_a_process_ends_a_wait(self):
        with subprocess.Popen(["true"]) as process:
            self.stops.wait(3600)
            self.assertEqual(process.poll(), 0)


if __name__ == "__main__":
    unittest.main()
