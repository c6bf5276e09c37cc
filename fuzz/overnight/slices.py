# SPDX-License-Identifier: Apache-2.0
"""All slices of a night: makes them, and stores their results."""

import shutil

from . import causes, engines, files, time_slice as slice_module
from .time_slice import LeftSlice, TimeSlice

# How much of one slice's output goes to the log of its lane: there may be thousands of slices.
_MOST_LOG = 1 << 16


def _event(time_slice, numbers, death, trouble):
    """A slice in the journal's form."""
    return {
        "target": time_slice.target,
        "lane": time_slice.lane.name,
        "t": time_slice.ended_at(),
        "seconds": round(time_slice.fuzzed_seconds(), 2),
        "seconds_wanted": time_slice.seconds_wanted,
        "seed": time_slice.seed,
        "number": time_slice.number,
        "death": death,
        "trouble": trouble,
        "short_of_time": time_slice.is_short,
        "ended_on_request": time_slice.forced is not None,
        **numbers.__dict__,
    }


class Slices:
    """Makes slices, and passes their results to the findings, the journal and the corpora."""

    def __init__(self, settings, clock, store, troubles, journal, findings):
        self._settings = settings
        self._clock = clock
        self._store = store
        self._troubles = troubles
        self._journal = journal
        self._findings = findings
        self._last_number = 0

    def make(self, target, lane, seconds, shape):
        """Returns a slice, not started yet."""
        self._last_number += 1
        begun = slice_module.begun(self._settings, self._clock, seconds, self._last_number)
        which = slice_module.Which(self._last_number, target, lane)
        return TimeSlice(self._settings, self._clock, self._store, which, begun, self._end, shape)

    def recover(self, accounted):
        """Ends the slices whose runner was killed. Those in `accounted` are in the journal already:
        only their folders are left."""
        for folder in sorted((self._store.out / "slices").glob("*")):
            with self._troubles.survives(f"what {folder.name} left"):
                self._recover_one(folder, accounted)

    def _recover_one(self, folder, accounted):
        try:
            left = LeftSlice(self._settings, self._clock, self._store, folder, self._end)
        except (KeyError, ValueError):
            self._troubles.add(f"{folder}: not the folder of a slice")
            return
        if left.was_started() and left.number not in accounted:
            left.ended()
        shutil.rmtree(folder, ignore_errors=True)

    def count_from(self, number):
        """Gives the next slice the number after this one."""
        self._last_number = number

    def _end(self, time_slice, error):
        """Called by each slice, once."""
        if error is not None:
            self._note(time_slice, engines.Numbers(), None, f"did not start: {error}")
            return
        text = time_slice.text()
        found = time_slice.found()
        numbers = time_slice.numbers(text)
        cause = causes.classify(text)
        failed = bool(found or cause)
        time_slice.is_short = not failed and time_slice.is_short_of_time(text)
        trouble = None if failed else time_slice.find_trouble()
        death = self._findings.found(time_slice, found, text, cause) if failed else None
        self._append_log(time_slice, text)
        self._note(time_slice, numbers, death, trouble)
        shutil.rmtree(time_slice.folder, ignore_errors=True)

    def _note(self, time_slice, numbers, death, trouble):
        self._journal.add(_event(time_slice, numbers, death, trouble))
        with self._troubles.survives("shared corpus"):
            self._store.corpora.exchange(time_slice.target)

    def _append_log(self, time_slice, text):
        path = self._store.out / "logs" / f"{time_slice.target}-{time_slice.lane.name}.log"
        with self._troubles.survives(f"log of {time_slice.name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "a", encoding="utf-8") as log:
                log.write(files.shorten(text, _MOST_LOG))
