# SPDX-License-Identifier: Apache-2.0
"""Where a night says how it goes: a terminal or a pipe, whose reader may have gone by then."""

import contextlib
import os
import sys


class Stream:
    """A text stream that may break at any time: the report will say all, so the night goes on."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        """Tries to."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self):
        """Tries to. Python calls it once more at the end, and would change the exit status."""
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name):
        return getattr(self._stream, name)


def make_standard_streams_last():
    """From now on neither stdout nor stderr can fail, even closed ones."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w", encoding="utf-8")
        # File names and logs hold any bytes.
        stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Stream(stream))
