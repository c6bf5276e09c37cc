# SPDX-License-Identifier: Apache-2.0
"""The disk space of a night: what it may use, and a reserve for its end.

When the disk runs low, new inputs are not kept any more. The reserve is then released for findings,
the journal and the report, even if other programs fill the rest.
"""

import os

from . import clock, files, machine

# With less free space, a night would fill the disk for other programs.
LEAST_FREE_MB = 64
RESERVE_MB = 16
_EVERY_SECONDS = 10


class Disk:
    """The file system with the night's folder."""

    def __init__(self, out, cache, limit_mb):
        self._out = out
        self._cache = cache
        self._limit_mb = limit_mb
        self._reserve = out / ".reserve"
        self._next_check = 0.0
        self.peak_mb = 0
        self.least_free_mb = None

    def put_aside(self):
        """Makes the reserve. Raises OSError if the disk has no room even for that."""
        with open(self._reserve, "wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, RESERVE_MB * machine.MEGABYTE)

    def release(self):
        """Deletes the reserve: from now on the night may use its space."""
        self._reserve.unlink(missing_ok=True)

    def check(self):
        """Called often, looks now and then. Returns None, or why new inputs should not be kept."""
        now = clock.now()
        if now < self._next_check:
            return None
        self._next_check = now + _EVERY_SECONDS
        used = files.size_of(self._out) + files.size_of(self._cache / "corpus")
        used -= self._reserve.stat().st_size if self._reserve.exists() else 0
        used_mb, free_mb = used // machine.MEGABYTE, machine.free_mb(self._out)
        self.peak_mb = max(self.peak_mb, used_mb)
        if self.least_free_mb is None or free_mb < self.least_free_mb:
            self.least_free_mb = free_mb
        if free_mb < LEAST_FREE_MB or used_mb > self._limit_mb:
            return f"{used_mb} MB used of {self._limit_mb}, {free_mb} MB free"
        return None
