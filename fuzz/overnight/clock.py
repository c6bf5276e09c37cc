# SPDX-License-Identifier: Apache-2.0
"""The clock of a night: seconds of fuzzing, over all sessions."""

import time


class Clock:
    """Runs while the night fuzzes. It stands still before the first slice and after the last."""

    def __init__(self):
        self._seconds_before = 0.0
        self._started = self._stopped = time.monotonic()

    def carry_on(self, seconds):
        """Earlier sessions of this night fuzzed for so long."""
        self._seconds_before = seconds

    def start(self):
        """Fuzzing begins."""
        self._started, self._stopped = time.monotonic(), None

    def stop(self):
        """Fuzzing ends."""
        self._stopped = time.monotonic()

    def seconds(self):
        """Seconds of fuzzing so far, over all sessions of this night."""
        now = time.monotonic() if self._stopped is None else self._stopped
        return self._seconds_before + now - self._started
