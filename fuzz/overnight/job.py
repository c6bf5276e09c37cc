# SPDX-License-Identifier: Apache-2.0
"""Processes: each in a group of its own, with its output in a file, and none left behind."""

import contextlib
import os
import pathlib
import re
import select
import signal
import subprocess
import time

from . import files

STOP = "stop"
OVERRUN = "overrun"

# From the request to end until the kill.
_GRACE_SECONDS = 10
_TAIL_BYTES = 4096
# Of a log, and of whatever else a process writes.
_MOST_FILE_BYTES = 64 << 20
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\)B|\x0f")


def with_runner(command):
    """Lets a program die with who started it, whatever kills that, and write no endless file."""
    limit = ["prlimit", f"--fsize={_MOST_FILE_BYTES}"]
    return [*limit, "setpriv", "--pdeathsig", "KILL", "--", *map(str, command)]


def end_leftovers(folder):
    """Kills what was started with this TMPDIR and has left its group, as AFL++'s children do: when
    it is killed, they stay, stopped, for ever."""
    mark = b"TMPDIR=" + os.fsencode(folder)
    for environment in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)


def _popen(command, output, cwd, env):
    pathlib.Path(output).parent.mkdir(parents=True, exist_ok=True)
    # Not a pipe: that has no limit, and stays open for as long as a child has it.
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


def _is_over(process, seconds):
    """Waits; a process's descriptor wakes at once, where Popen.wait looks 20 times a second."""
    descriptor = os.pidfd_open(process.pid)
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def run_to_end(command, output, seconds, env, cwd=None):
    """Waits for it; returns its exit status, or None if it was killed for being late."""
    process = _popen(command, output, cwd, env)
    try:
        return process.wait() if _is_over(process, seconds) else None
    finally:
        # Its children too.
        _signal_group(process, signal.SIGKILL)
        process.wait()


class Job:
    """A process, its limit, and what happens at its end.

    end_signal asks it to end and still say its numbers. After the end `status` is its exit status
    and `forced` is None, STOP or OVERRUN: why it had to be ended.
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
        """Raises OSError if it cannot."""
        self._process = _popen(self.command, self.output, self._cwd, self._env)
        self._began = time.monotonic()

    def seconds(self):
        """How long it has run."""
        return time.monotonic() - self._began

    def poll(self):
        """True when it has ended; asks it to, and kills it, when its time is over."""
        self.status = self._process.poll()
        if self.status is not None:
            # The leader may have left children.
            _signal_group(self._process, signal.SIGKILL)
            return True
        if self.seconds() > self._seconds:
            self.ask_to_end(OVERRUN)
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            _signal_group(self._process, signal.SIGKILL)
        return False

    def ask_to_end(self, why):
        """Asks once; the kill follows."""
        if self._kill_at is None:
            self.forced = why
            self._kill_at = time.monotonic() + _GRACE_SECONDS
            _signal_group(self._process, self._end_signal)

    def text(self):
        """Its output."""
        return files.read_text(self.output)

    def tail(self):
        """The last of its output."""
        try:
            with open(self.output, "rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL_BYTES))
                return stream.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def how_it_ended(self):
        """A status in words."""
        if self.status == -signal.SIGXFSZ:
            return f"wrote a file, or printed, more than {_MOST_FILE_BYTES >> 20} MB"
        return f"ended with status {self.status}: {self.last_words()}"

    def last_words(self):
        """The last line of its output, without colours."""
        lines = [line for line in _COLOUR.sub("", self.tail()).splitlines() if line.strip()]
        return lines[-1].strip()[:200] if lines else "no output"

    # What the pool calls; a subclass says more.

    def ended(self):
        """Called once, after the end."""

    def failed_to_start(self, error):
        """Called instead, with the OSError."""


class Pool:
    """At most so many jobs at once. on_error(job) is called, with the exception at hand, when what
    a job does at its end fails: one mistake of ours must not end a night."""

    def __init__(self, n_jobs, on_error):
        self.running = []
        self._n_jobs = n_jobs
        self._on_error = on_error

    def has_room(self):
        """True if one more may start."""
        return len(self.running) < self._n_jobs

    def start(self, job):
        """Starts it; a job that cannot is told so."""
        try:
            job.start()
        except OSError as error:
            job.failed_to_start(error)
            return
        self.running.append(job)

    def poll(self):
        """Looks after all that run; jobs that ended are told so."""
        ended = [job for job in self.running if job.poll()]
        self.running = [job for job in self.running if job not in ended]
        for job in ended:
            try:
                job.ended()
            except Exception:
                self._on_error(job)

    def ask_all_to_end(self):
        """Of each its numbers are still wanted."""
        for job in self.running:
            job.ask_to_end(STOP)
