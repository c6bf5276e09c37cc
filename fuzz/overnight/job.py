# SPDX-License-Identifier: Apache-2.0
"""Processes: each in a group of its own, with its output in a file. None outlives the runner."""

import contextlib
import os
import pathlib
import re
import select
import signal
import subprocess

from . import clock, files

STOP = "stop"
OVERRUN = "overrun"

# Between the request to end and the kill.
_GRACE_SECONDS = 10
_TAIL_BYTES = 4096
# The limit for each file that a process writes, its log included.
_MOST_FILE_BYTES = 64 << 20
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\)B|\x0f")


def with_runner(command):
    """Makes a program die with the process that starts it, and limits the files that it writes."""
    limit = ["prlimit", f"--fsize={_MOST_FILE_BYTES}"]
    return [*limit, "setpriv", "--pdeathsig", "KILL", "--", *map(str, command)]


def end_leftovers(folder):
    """Kills processes that were started with this TMPDIR and have left their group. AFL++'s
    children do: when AFL++ is killed, they stay stopped forever."""
    mark = b"TMPDIR=" + os.fsencode(folder)
    for environment in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)


def _popen(command, output, cwd, env):
    pathlib.Path(output).parent.mkdir(parents=True, exist_ok=True)
    # Not a pipe: a pipe has no size limit, and stays open as long as any child holds it.
    with open(output, "wb") as stream:
        return subprocess.Popen(
            with_runner(command),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=cwd,
            env={**os.environ, **env},
        )


def _signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def _ends_within(process, seconds):
    """Waits. A process's descriptor wakes at once; Popen.wait polls 20 times a second."""
    descriptor = os.pidfd_open(process.pid)
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def run_to_end(command, output, seconds, env, cwd=None):
    """Runs a command. Returns its exit status, or None if it took too long and was killed."""
    process = _popen(command, output, cwd, env)
    try:
        return process.wait() if _ends_within(process, seconds) else None
    finally:
        # Its children too.
        _signal_group(process, signal.SIGKILL)
        process.wait()


class Job:
    """A process, its time limit, and what happens at its end.

    end_signal asks the process to end and still report its numbers. After the end `status` is its
    exit status; `forced` is None, or why it was asked to end: STOP or OVERRUN.
    """

    def __init__(
        self, name, command, output, seconds, env=None, cwd=None, end_signal=signal.SIGTERM
    ):
        self.name = name
        self.output = pathlib.Path(output)
        self.status = None
        self.forced = None
        self.command = command
        self._seconds = seconds
        self._env = env or {}
        self._cwd = cwd or self.output.parent
        self._end_signal = end_signal
        self._process = None
        self._began = None
        self._kill_at = None

    def start(self):
        """Starts the process. Raises OSError if that fails."""
        self._process = _popen(self.command, self.output, self._cwd, self._env)
        self._began = clock.now()

    def seconds(self):
        """How long it has been running."""
        return clock.now() - self._began

    def poll(self):
        """Returns True when it has ended. After its time limit, asks it to end, then kills it."""
        self.status = self._process.poll()
        if self.status is not None:
            # The leader may have left children.
            _signal_group(self._process, signal.SIGKILL)
            return True
        if self.seconds() > self._seconds:
            self.ask_to_end(OVERRUN)
        if self._kill_at is not None and clock.now() > self._kill_at:
            _signal_group(self._process, signal.SIGKILL)
        return False

    def ask_to_end(self, why):
        """Asks once. The kill follows after the grace period."""
        if self._kill_at is None:
            self.forced = why
            self._kill_at = clock.now() + _GRACE_SECONDS
            _signal_group(self._process, self._end_signal)

    def text(self):
        """Its output."""
        return files.read_text(self.output)

    def tail(self):
        """The end of its output."""
        try:
            with open(self.output, "rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL_BYTES))
                return stream.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def how_it_ended(self):
        """Its exit status in words."""
        if self.status == -signal.SIGXFSZ:
            return f"wrote a file, or printed, more than {_MOST_FILE_BYTES >> 20} MB"
        return f"ended with status {self.status}: {self.last_words()}"

    def last_words(self):
        """The last line of its output, without colour codes."""
        lines = [line for line in _COLOUR.sub("", self.tail()).splitlines() if line.strip()]
        return lines[-1].strip()[:200] if lines else "no output"

    # The pool calls these; subclasses override them.

    def ended(self):
        """Called once, after the end."""

    def failed_to_start(self, error):
        """Called instead if start() raised this OSError."""


class Pool:
    """Runs at most n_jobs jobs at once. If a job's ended() raises, on_error(job) is called within
    the exception's handler: one mistake of ours must not end a night."""

    def __init__(self, n_jobs, on_error):
        self.running = []
        self._n_jobs = n_jobs
        self._on_error = on_error

    def has_room(self):
        """True if one more may start."""
        return len(self.running) < self._n_jobs

    def start(self, job):
        """Starts a job, or calls its failed_to_start()."""
        try:
            job.start()
        except OSError as error:
            job.failed_to_start(error)
            return
        self.running.append(job)

    def poll(self):
        """Polls all running jobs, and calls ended() of those that ended."""
        ended = [job for job in self.running if job.poll()]
        self.running = [job for job in self.running if job not in ended]
        for job in ended:
            try:
                job.ended()
            except Exception:
                self._on_error(job)

    def ask_all_to_end(self):
        """Asks, not kills: each should still report its numbers."""
        for job in self.running:
            job.ask_to_end(STOP)
