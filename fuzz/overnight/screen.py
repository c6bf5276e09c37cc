# SPDX-License-Identifier: Apache-2.0
"""Where the user reads how a night goes: a terminal, a pipe or a file.

On a terminal the status is one line that is written over. Elsewhere it is a line now and then.
"""

import os
import sys

from . import clock

_TERMINAL_SECONDS = 1
_LOG_SECONDS = 30
_ERASE = "\r\x1b[K"


class Screen:
    """Standard output."""

    def __init__(self):
        self._stream = sys.stdout
        self._live = self._stream.isatty()
        self._every = _TERMINAL_SECONDS if self._live else _LOG_SECONDS
        self._next = 0.0

    def say(self, sentence):
        """Prints a line that stays."""
        self._print((_ERASE if self._live else "") + sentence + "\n")

    def show(self, status):
        """Prints what status() returns, when it is time to."""
        if clock.now() < self._next:
            return
        self._next = clock.now() + self._every
        text = status()
        self._print(_ERASE + text[: self._columns()] if self._live else text + "\n")

    def _print(self, text):
        self._stream.write(text)
        self._stream.flush()

    @staticmethod
    def _columns():
        try:
            # A terminal that does not know its width reports 0.
            return (os.get_terminal_size(sys.stdout.fileno()).columns or 101) - 1
        except OSError:
            return 100
