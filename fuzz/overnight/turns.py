# SPDX-License-Identifier: Apache-2.0
"""All turns of a night: their numbers, and what becomes of what they leave."""

import shutil

from . import causes, engines, files, turn as turn_module
from .turn import LeftTurn, Turn

# Of one turn, in a log of all: there may be thousands.
_MOST_LOG = 1 << 16


def _event(turn, numbers, death, trouble):
    """A turn, as the journal holds it."""
    return {
        "target": turn.target,
        "lane": turn.lane.name,
        "t": turn.ended_at(),
        "seconds": round(turn.fuzzed_seconds(), 2),
        "seconds_wanted": turn.seconds_wanted,
        "seed": turn.seed,
        "number": turn.number,
        "death": death,
        "trouble": trouble,
        "short_of_time": turn.is_short,
        "ended_on_request": turn.forced is not None,
        **numbers.__dict__,
    }


class Turns:
    """Makes turns, and takes their results to the findings, the journal and the corpora."""

    def __init__(self, settings, clock, store, troubles, journal, findings):
        self._settings = settings
        self._clock = clock
        self._store = store
        self._troubles = troubles
        self._journal = journal
        self._findings = findings
        self._last_number = 0

    def make(self, target, lane, seconds, shape):
        """A turn, not started yet."""
        self._last_number += 1
        begun = turn_module.begun(self._settings, self._clock, seconds, self._last_number)
        which = turn_module.Which(self._last_number, target, lane)
        return Turn(self._settings, self._clock, self._store, which, begun, self._end, shape)

    def recover(self, accounted):
        """Ends the turns whose runner was killed. The journal has those with these numbers: only
        their folders are left."""
        for folder in sorted((self._store.out / "turns").glob("*")):
            with self._troubles.survives(f"what {folder.name} left"):
                self._recover_one(folder, accounted)

    def _recover_one(self, folder, accounted):
        try:
            left = LeftTurn(self._settings, self._clock, self._store, folder, self._end)
        except (KeyError, ValueError):
            self._troubles.add(f"{folder}: is no turn's folder")
            return
        if left.was_started() and left.number not in accounted:
            left.ended()
        shutil.rmtree(folder, ignore_errors=True)

    def count_from(self, number):
        """The next turn has the number after this one."""
        self._last_number = number

    def _end(self, turn, error):
        """Called by each turn, once."""
        if error is not None:
            self._note(turn, engines.Numbers(), None, f"did not start: {error}")
            return
        text = turn.text()
        found = turn.found()
        numbers = turn.numbers(text)
        cause = causes.classify(text)
        failed = bool(found or cause)
        turn.is_short = not failed and turn.is_short_of_time(text)
        trouble = None if failed else turn.find_trouble()
        death = self._findings.found(turn, found, text, cause) if failed else None
        self._append_log(turn, text)
        self._note(turn, numbers, death, trouble)
        shutil.rmtree(turn.folder, ignore_errors=True)

    def _note(self, turn, numbers, death, trouble):
        self._journal.add(_event(turn, numbers, death, trouble))
        with self._troubles.survives("shared corpus"):
            self._store.corpora.exchange(turn.target)

    def _append_log(self, turn, text):
        path = self._store.out / "logs" / f"{turn.target}-{turn.lane.name}.log"
        with self._troubles.survives(f"log of {turn.name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "a", encoding="utf-8") as log:
                log.write(files.shorten(text, _MOST_LOG))
