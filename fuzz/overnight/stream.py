# SPDX-License-Identifier: Apache-2.0
"""Standard output and error that survive a closed terminal or a pipe without a reader."""

import contextlib
import os
import sys


class Stream:
    """A text stream that may break at any time. The report will hold all, so the night goes on."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        """Writes, if the stream still works."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self):
        """Flushes, if the stream still works. Python calls this at exit: an error would change the
        exit status."""
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name):
        return getattr(self._stream, name)


def make_standard_streams_last():
    """From now on stdout and stderr cannot fail, even if closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w", encoding="utf-8")
        # File names and logs may hold any bytes.
        stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Stream(stream))
