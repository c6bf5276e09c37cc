# SPDX-License-Identifier: Apache-2.0
"""Runs a program that may loop, sleep, fill the memory or the disk.

Its limits do not depend on how busy the machine is: the CPU time of all its processes, the memory
that they use, and idleness, which is when for IDLE_SECONDS none of them could run. Limits of the
address space would not do: ASan and tests of large slabs reserve far more than they use.
"""

import dataclasses
import functools
import os
import pathlib
import signal
import subprocess
import time

IDLE_SECONDS = 30
IDLE_CPU_SECONDS = 0.3
POLL_SECONDS = 0.25
OUTPUT_BYTES_MAX = 64 << 20
MEMORY_BYTES_MAX = 4 << 30
TAIL_BYTES = 256 << 10
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SHM = 'mount -t tmpfs -o size=2g,mode=1777 tmpfs /dev/shm && exec "$@"'


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a program ended."""

    how: str  # "" if its status was 0, else in words
    cpu_seconds: float
    output: str  # the last part of what it printed


@functools.cache
def own_shm():
    """What gives a program a /dev/shm of its own, where this user may: mutants leave segments."""
    words = ["unshare", "--mount", "sh", "-c", SHM, "sh"]
    try:
        done = subprocess.run([*words, "true"], capture_output=True, check=False)
    except OSError:
        return ()
    return tuple(words) if done.returncode == 0 else ()


@dataclasses.dataclass(frozen=True)
class Use:
    """What processes use."""

    cpu_seconds: float = 0.0  # with that of children that have ended
    memory_bytes: int = 0
    could_run: bool = False


def _words_of(path):
    """The fields of a stat file of /proc from the third on; none if the process has ended."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _use_of(folder, words):
    threads = map(_words_of, folder.glob("task/*/stat"))
    could_run = any(one and one[0] in "RD" for one in threads)
    ticks = sum(int(word) for word in words[11:15])
    return Use(ticks / TICKS, int(words[21]) * PAGE_BYTES, could_run)


class Session:
    """The processes of one program, by their session."""

    def __init__(self, leader):
        self._leader = leader

    def _processes(self):
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            words = _words_of(folder / "stat")
            if words and int(words[3]) == self._leader:
                yield folder, words

    def look(self):
        """Returns what all of them use."""
        uses = [_use_of(folder, words) for folder, words in self._processes()]
        return Use(
            sum(one.cpu_seconds for one in uses),
            sum(one.memory_bytes for one in uses),
            any(one.could_run for one in uses),
        )

    def kill(self):
        """Ends all of them."""
        for folder, _ in self._processes():
            try:
                os.kill(int(folder.name), signal.SIGKILL)
            except ProcessLookupError:
                pass


class _Watch:
    """Decides when a program has run for long enough."""

    def __init__(self, session, cpu_seconds, log):
        self._session = session
        self._limit = cpu_seconds
        self._log = log
        self._since, self._cpu_then = time.monotonic(), 0.0
        self.cpu = 0.0

    def complaint(self):
        """Why it must end now, or ""."""
        use, now = self._session.look(), time.monotonic()
        self.cpu = max(self.cpu, use.cpu_seconds)
        if use.could_run or self.cpu - self._cpu_then > IDLE_CPU_SECONDS:
            self._since, self._cpu_then = now, self.cpu
        if self.cpu > self._limit:
            return f"timeout: more than {self._limit:.0f} s of CPU time"
        if now - self._since > IDLE_SECONDS:
            return "timeout: no process of it could run"
        if use.memory_bytes > MEMORY_BYTES_MAX:
            return "more memory than any test needs"
        if self._log.stat().st_size > OUTPUT_BYTES_MAX:
            return "output without end"
        return ""


def _in_words(status):
    if status < 0:
        name = signal.Signals(-status).name
        return "timeout: SIGXCPU" if name == "SIGXCPU" else f"signal {name}"
    return f"exit status {status}" if status else ""


def _tail(log):
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        return file.read().decode(errors="replace")


def run(arguments, cwd, environment, log, cpu_seconds):
    """Runs a program to its end or its limits. log: the file that gets its output."""
    seconds = int(cpu_seconds) + 1
    limits = ["prlimit", f"--cpu={seconds}:{seconds + 5}", "--core=0"]
    words = [*own_shm(), *limits, *map(str, arguments)]
    with log.open("wb") as output:
        child = subprocess.Popen(
            words,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        session = Session(child.pid)
        watch = _Watch(session, cpu_seconds, log)
        try:
            complaint = _wait(child, watch)
        finally:
            session.kill()
            status = child.wait()
    return Ended(complaint or _in_words(status), watch.cpu, _tail(log))


def _wait(child, watch):
    while True:
        try:
            child.wait(timeout=POLL_SECONDS)
            return ""
        except subprocess.TimeoutExpired:
            complaint = watch.complaint()
            if complaint:
                return complaint
