#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the runner before each of its writes at the end of a slice, and starts it again: each slice
and finding is counted once."""

import json
import os
import shutil
import sys
import unittest
import unittest.mock

from fixture import NightTest
from overnight import night, settings

CAUSE = "slab_fuzz-heap-use-after-free-slm_slab_free"
_WRITES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir")


class Killed(BaseException):
    """No handler of the runner catches this."""


class Kill:
    """Raises Killed before the nth write and before all later ones: a dead process writes nothing,
    not even in a handler."""

    def __init__(self):
        self.n_left = None
        sys.addaudithook(self._hear)

    def _hear(self, event, arguments):
        if self.n_left is None:
            return
        if event in _WRITES or (event == "open" and arguments[1] not in ("r", "rb", None)):
            if self.n_left == 0:
                raise Killed
            self.n_left -= 1

    def reached(self, act, n_writes):
        """Runs act; returns True if it was killed before its end."""
        self.n_left = n_writes
        try:
            act()
        except Killed:
            return True
        finally:
            self.n_left = None
        return False


KILL = Kill()


class KillTest(NightTest):
    """A slice of libFuzzer that died, and one of AFL++ that saved a crash."""

    def setUp(self):
        super().setUp()
        self.target("slab_fuzz", "crashes")
        environment = {"XDG_CACHE_HOME": str(self.root)}
        self.enterContext(unittest.mock.patch.dict("os.environ", environment))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.root)

    def put(self, path, content):
        """Writes a file of the night: text, or a value as JSON."""
        path = self.out / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    def put_slices(self):
        """Writes what the fuzzers of two slices leave."""
        begun = {"seed": 7, "seconds_wanted": 10, "began_at": 5.0, "before": {}}
        time_slice = "slices/000001.slab_fuzz.seeded"
        self.put(f"{time_slice}/slice.json", begun)
        self.put(f"{time_slice}/crash-1", "headBAD!")
        self.put(f"{time_slice}/output", "#1000 INITED cov: 1 ft: 1\n" + self.crash_text())
        begun = begun | {"before": {"execs_done": 200, "edges_found": 3}}
        self.put("slices/000002.slab_fuzz.afl/slice.json", begun)
        self.put("afl/slab_fuzz/default/crashes/id:000000", "headBAD!")
        self.put("afl/slab_fuzz/default/fuzzer_stats", "execs_done : 250\nedges_found : 4\n")

    def start(self):
        """Starts the runner, which continues the night."""
        words = ["--out", str(self.out), "--seed", "1"]
        began = {"id": "1", "started": "", "sessions": 1}
        return night.begin(settings.Settings(words), self.out, began, lambda: 0)

    def numbers(self, made):
        """Returns the numbers that must be the same after any kill."""
        seen = sorted((f["cause"], f["seen"]) for f in made.findings.report())
        lanes = made.account.lanes.values()
        return seen, sorted((lane.lane, lane.slices, lane.execs, lane.deaths) for lane in lanes)

    def test_slice_is_counted_once_after_a_kill_before_any_write(self):
        n_writes, killed = 0, True
        while killed:
            with self.subTest(killed_before_write=n_writes):
                self.put_slices()
                killed = KILL.reached(self.start, n_writes)
                seen, lanes = self.numbers(self.start())
                self.assertEqual(len(seen), 2)
                self.assertEqual(seen[0], (CAUSE, 1))
                self.assertEqual(lanes, [("afl", 1, 50, 1), ("seeded", 1, 1000, 1)])
                self.assertEqual(list((self.out / "slices").iterdir()), [])
                # A start that has nothing to do changes nothing.
                self.assertEqual(self.numbers(self.start()), (seen, lanes))
            self.clear()
            n_writes += 1
        print(f"killed before each of {n_writes - 1} writes: all counted once")
        self.assertGreater(n_writes, 20)

    def test_joined_findings_are_counted_once_after_a_kill(self):
        n_writes, killed = 0, True
        while killed:
            with self.subTest(killed_before_write=n_writes):
                self.put_slices()
                self.start()
                unread = next((self.out / "findings").glob("*unread*"))
                self.put(f"findings/{unread.name}/triage.json", {"cause": CAUSE})
                killed = KILL.reached(self.start, n_writes)
                seen, _ = self.numbers(self.start())
                self.assertEqual(seen, [(CAUSE, 2)])
            self.clear()
            n_writes += 1
        print(f"union of two findings killed before each of {n_writes - 1} writes: counted once")
        self.assertGreater(n_writes, 3)

    def test_slice_has_a_sane_length_after_the_clock_jumps(self):
        for wall, seconds in ((0, 0.0), (1 << 33, 40.0)):
            self.put_slices()
            os.utime(self.out / "slices/000001.slab_fuzz.seeded/output", (wall, wall))
            made = self.start()
            self.assertEqual(made.account.lane("slab_fuzz", "seeded").seconds, seconds)
            self.assertEqual(made.clock.seconds(), 5.0 + seconds)
            self.clear()

    def clear(self):
        """Deletes the night."""
        shutil.rmtree(self.out)


if __name__ == "__main__":
    unittest.main()
