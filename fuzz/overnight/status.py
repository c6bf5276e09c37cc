# SPDX-License-Identifier: Apache-2.0
"""How a night is going: a line that is written over on a terminal, else one now and then."""

import os
import sys
import time

from . import account, work

FUZZING = "fuzzing"

_TERMINAL_SECONDS = 1
_LOG_SECONDS = 30
_ERASE = "\r\x1b[K"


def clock(seconds):
    """1:02:03"""
    seconds = max(0, int(seconds))
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _short(number):
    if number is None:
        return "?"
    for limit, scale, unit in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if number >= limit:
            return f"{number / scale:,.1f} {unit}"
    return f"{number:,.0f}"


class Status:
    """What the user sees while it runs."""

    def __init__(self, night, stream=None):
        self._night = night
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._every = _TERMINAL_SECONDS if self._live else _LOG_SECONDS
        self._next = 0.0
        self.phase = FUZZING

    def line(self, sentence):
        """Says something that stays."""
        self._print((_ERASE if self._live else "") + sentence + "\n")

    def show(self):
        """Says how it goes, when it is time to."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every
        text = self.text()
        self._print(_ERASE + text[: self._columns()] if self._live else text + "\n")

    def _print(self, text):
        self._stream.write(text)
        self._stream.flush()

    @staticmethod
    def _columns():
        try:
            # A terminal that does not know its width says 0.
            return (os.get_terminal_size(sys.stdout.fileno()).columns or 101) - 1
        except OSError:
            return 100

    def _rates(self):
        """Executions and operations a second, now: by the last that each running turn said."""
        live = [turn.sample() for turn in work.turns(self._night.pool)]
        said = [n.execs_per_s for n in live if n and n.execs_per_s is not None]
        execs = sum(said) if said else None
        lanes = self._night.account.lanes.values()
        ops = sum(lane.ops or 0 for lane in lanes)
        seconds = sum(lane.seconds for lane in lanes if lane.ops)
        return execs, ops / seconds * len(live) if seconds else None

    def _edges(self):
        best = {}
        for lane in self._night.account.lanes.values():
            if lane.lane != "msan":
                best[lane.target] = account.most(best.get(lane.target), lane.edges)
        return sum(edges or 0 for edges in best.values())

    def text(self):
        """One line."""
        night = self._night
        left = night.settings.seconds - night.clock()
        running = " ".join(job.name for job in night.pool.running)
        execs, ops = self._rates()
        fuzzing = [f"{clock(night.clock())} ({clock(left)} left)"]
        fuzzing += [f"{len(night.settings.targets)} targets"]
        words = [
            *(fuzzing if self.phase == FUZZING else [clock(night.clock()), self.phase]),
            f"{_short(execs)} exec/s",
            f"{_short(ops)} ops/s",
            f"{_short(self._edges())} edges",
            f"crashes {night.findings.count(known=False)} new"
            f" {night.findings.count(known=True)} known",
        ]
        return " | ".join(words + [running])
