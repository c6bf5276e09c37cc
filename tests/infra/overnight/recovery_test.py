#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nights that continue what a kill has left."""

import json
import os
import signal
import subprocess
import unittest

from fixture import NightTest


class RecoveryTest(NightTest):
    """What a kill at the worst moment leaves, and how the next start continues."""

    CAUSE = "slab_fuzz-heap-use-after-free-slm_slab_free"

    def setUp(self):
        super().setUp()
        self.put(".lock", b"")
        began = {"id": "20200101-000000", "started": "2020-01-01T00:00:00+0000", "sessions": 1}
        self.put("night.json", began)
        self.target("slab_fuzz", "regressed")

    def put(self, path, content):
        """Writes a file of the night: bytes, or a value as JSON."""
        path = self.out / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())

    def finding(self, name, **triage):
        """Writes a finding, with or without triage."""
        noted = {"target": "slab_fuzz", "lane": "afl", "variant": "asan-ubsan", "kind": "gone"}
        noted |= {"sightings": [name], "first_seen_s": 0.5, "known_as": None, "has_input": True}
        noted |= {"package": "fuzz", "binary": str(self.root / "fuzz/night/asan-ubsan/slab_fuzz")}
        self.put(f"findings/{name}/finding.json", noted)
        self.put(f"findings/{name}/input", b"headBAD!")
        self.put(f"findings/{name}/log", self.crash_text().encode())
        if triage:
            self.put(f"findings/{name}/triage.json", triage)

    def test_finding_with_only_a_cause_joins_its_twin(self):
        self.finding("slab_fuzz-unread-1", cause=self.CAUSE)
        self.finding(self.CAUSE)
        report, _ = self.night(status=1)
        self.assertEqual([(f["cause"], f["seen"]) for f in report["findings"]], [(self.CAUSE, 2)])

    def test_finding_with_only_a_cause_is_reported_without_a_twin(self):
        self.finding("slab_fuzz-unread-1", cause=self.CAUSE)
        report, _ = self.night(status=1)
        self.assertEqual([f["cause"] for f in report["findings"]], [self.CAUSE])
        self.assertEqual(report["findings"][0]["original_bytes"], len(b"headBAD!"))

    def test_line_that_was_cut_off_damages_no_other(self):
        self.put("journal.jsonl", b'{"target": "pool')
        report, _ = self.night(status=0)
        whole = [
            line
            for line in (self.out / "journal.jsonl").read_text().splitlines()
            if line.endswith("}")
        ]
        self.assertEqual(len([json.loads(line) for line in whole]), 1)
        self.assertEqual(report["targets"][0]["lanes"][0]["slices"], 1)

    def test_crash_that_afl_saved_is_found_without_another_slice(self):
        self.put("slices/000001.slab_fuzz.afl/slice.json", {})
        self.put("afl/slab_fuzz/default/crashes/id:000000,sig:06", b"headBAD!")
        self.put("afl/slab_fuzz/default/queue/id:000001,src:000000", b"of the queue")
        report, _ = self.night(status=1)
        self.assertEqual([f["cause"] for f in report["findings"]], [self.CAUSE])
        # AFL++ prints no report.
        finding = report["findings"][0]
        self.assertEqual(finding["stack_from"], "replay")
        self.assertIn("slm_slab_free allocator/slab/objects.c:3:1", finding["stack"])
        self.assertIn("Stack, from the replay", (self.out / "report.html").read_text())
        kept = {p.read_bytes() for p in (self.cache / "corpus" / "slab_fuzz").iterdir()}
        self.assertIn(b"of the queue", kept)

    def test_children_that_afl_left_stopped_are_ended(self):
        self.put("slices/000001.slab_fuzz.afl/slice.json", {})
        environment = {**os.environ, "TMPDIR": str(self.out / "slices" / "000001.slab_fuzz.afl")}
        command = ["sh", "-c", "echo up; kill -STOP $$"]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, start_new_session=True
        ) as child:
            self.addCleanup(child.kill)
            child.stdout.readline()
            self.night(status=0)
            self.assertEqual(child.wait(), -signal.SIGKILL)

    def test_damaged_files_of_earlier_nights_do_not_end_a_night(self):
        for path, content in (("known.json", "[]"), ("history/2019.json", '{"night": {}}')):
            (self.cache / path).parent.mkdir(parents=True, exist_ok=True)
            (self.cache / path).write_text(content)
        self.finding(self.CAUSE)
        report, _ = self.night(status=1)
        self.assertEqual(report["history"], [])


if __name__ == "__main__":
    unittest.main()
