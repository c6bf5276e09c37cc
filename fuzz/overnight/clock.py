# SPDX-License-Identifier: Apache-2.0
"""The time: now, and the seconds of fuzzing of a night, over all sessions."""

import time


def now():
    """Seconds since some moment. All waits and limits of the runner count by this clock, except
    those of run_to_end (job.py)."""
    return time.monotonic()


class Clock:
    """Runs while the night fuzzes. It stands still before the first slice and after the last."""

    def __init__(self):
        self._seconds_before = 0.0
        self._started = self._stopped = now()

    def carry_on(self, seconds):
        """Earlier sessions of this night fuzzed for so long."""
        self._seconds_before = seconds

    def start(self):
        """Fuzzing begins."""
        self._started, self._stopped = now(), None

    def stop(self):
        """Fuzzing ends."""
        self._stopped = now()

    def seconds(self):
        """Seconds of fuzzing so far, over all sessions of this night."""
        until = now() if self._stopped is None else self._stopped
        return self._seconds_before + until - self._started
