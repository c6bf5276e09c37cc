# SPDX-License-Identifier: Apache-2.0
"""How a night is going, in one line."""

from report import rates

from . import account as accounts, time_slice as slices

FUZZING = "fuzzing"


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
    """What the user sees while the night runs. `running` returns the jobs that run now."""

    def __init__(self, settings, night_clock, account, findings, running):
        self._settings = settings
        self._clock = night_clock
        self._account = account
        self._findings = findings
        self._running = running
        self.phase = FUZZING

    def _rates(self):
        """Exec/s and ops/s of one process: of those that run now, by the last status line of each,
        and of those that have ended, which alone report operations."""
        live = [time_slice.sample() for time_slice in slices.among(self._running())]
        execs = rates.of_one_process((n.execs_per_s, 1) for n in live if n)
        lanes = self._account.lanes.values()
        return execs, rates.of_one_process((lane.ops, lane.seconds) for lane in lanes)

    def _edges(self):
        best = {}
        for lane in self._account.lanes.values():
            if lane.lane != "msan":
                best[lane.target] = accounts.most(best.get(lane.target), lane.edges)
        return sum(edges or 0 for edges in best.values())

    def text(self):
        """One line."""
        seconds = self._clock.seconds()
        execs, ops = self._rates()
        fuzzing = [f"{clock(seconds)} ({clock(self._settings.seconds - seconds)} left)"]
        fuzzing += [f"{len(self._settings.targets)} targets"]
        words = [
            *(fuzzing if self.phase == FUZZING else [clock(seconds), self.phase]),
            f"{_short(execs)} exec/s",
            f"{_short(ops)} ops/s",
            f"{_short(self._edges())} edges",
            f"crashes {self._findings.count(known=False)} new"
            f" {self._findings.count(known=True)} known",
        ]
        return " | ".join(words + [" ".join(job.name for job in self._running())])
