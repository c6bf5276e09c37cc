# SPDX-License-Identifier: Apache-2.0
"""Runs a program in a process group of its own, none of which is left behind."""

import os
import signal
import subprocess
import time

STOP = "stop"
OVERRUN = "overrun"

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 5


def _end_group(process):
    """Ends a process and its children: libFuzzer still prints its totals on SIGUSR1."""
    for how in (signal.SIGUSR1, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(timeout=_GRACE_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _wait(process, seconds, stop):
    limit = time.monotonic() + seconds
    forced = None
    while process.poll() is None and forced is None:
        if stop.wait(_POLL_SECONDS):
            forced = STOP
        elif time.monotonic() > limit:
            forced = OVERRUN
    # Also when the leader has ended by itself: its children may not have.
    _end_group(process)
    return forced


def run(command, output, seconds, stop, **popen):
    """Runs a command, its output to a file, for at most these seconds or until the stop.

    Returns (exit status, None, STOP or OVERRUN: why it had to be ended). Raises OSError if it does
    not start.
    """
    with open(output, "wb") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **popen,
        )
        forced = _wait(process, seconds, stop)
    return process.returncode, forced


def read_output(output):
    """Returns a program's output as text, whatever bytes it wrote."""
    return output.read_text(encoding="utf-8", errors="replace")
