#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Corpora that other runners write, read and damage meanwhile."""

import pathlib
import tempfile
import types
import unittest

import fixture  # noqa: F401  (finds the runner)
from overnight import corpus, files


class CorporaTest(unittest.TestCase):
    """Folders of one target, and two runners."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.settings = types.SimpleNamespace(
            cache=self.root / "cache",
            shared=self.root / "shared",
            rss_mb=1,
            seeds=lambda target: self.root / "seeds" / target,
            binary=lambda variant, target: self.root / variant / target,
        )
        self.cached = self.settings.cache / "corpus" / "t"
        self.ours = corpus.Corpora(self.settings, self.root / "ours")

    def put(self, folder, *contents):
        """Writes inputs."""
        for data in contents:
            files.write_bytes(folder / files.name_of(data), data)

    def have(self, folder):
        """Contents of a folder."""
        return {data for _, data in files.read_inputs(folder)}

    def merge(self, corpora, *contents):
        """Merges as the fuzzer does, with this result; finish_merge() must follow."""
        folder = pathlib.Path(corpora.merge_command("t")[3])
        self.put(folder, *contents)

    def test_merge_keeps_what_another_runner_writes_meanwhile(self):
        self.put(self.cached, b"a", b"b")
        self.merge(self.ours, b"a")
        self.put(self.cached, b"new")
        self.ours.finish_merge("t")
        self.assertEqual(self.have(self.cached), {b"a", b"new"})

    def test_merges_of_two_runners_leave_all_of_one(self):
        self.put(self.cached, b"a", b"b")
        theirs = corpus.Corpora(self.settings, self.root / "theirs")
        self.merge(self.ours, b"a")
        self.merge(theirs, b"b")
        self.ours.finish_merge("t")
        theirs.finish_merge("t")
        self.assertEqual(self.have(self.cached), {b"b"})

    def test_merge_leaves_out_what_is_checked_in(self):
        self.put(self.settings.seeds("t"), b"seed")
        self.put(self.cached, b"seed", b"a")
        self.merge(self.ours, b"a")
        self.ours.finish_merge("t")
        self.assertEqual(self.have(self.cached), {b"a"})

    def test_inputs_that_vanish_before_they_are_read_are_skipped(self):
        self.put(self.cached, b"a", b"b")
        inputs = files.read_inputs(self.cached)
        next(inputs)
        for path in self.cached.iterdir():
            path.unlink()
        self.assertEqual(list(inputs), [])

    def test_input_left_out_is_not_taken_again_under_another_name(self):
        files.write_bytes(self.settings.shared / "t" / "any", b"BAD")
        self.ours.leave_out("t", b"BAD")
        self.ours.exchange("t")
        self.assertEqual(self.have(self.cached), set())

    def test_half_written_input_is_taken_when_it_is_complete(self):
        path = self.settings.shared / "t" / files.name_of(b"whole")
        files.write_bytes(path, b"who")
        self.ours.exchange("t")
        self.assertEqual(self.have(self.cached), set())
        path.write_bytes(b"whole")
        self.ours.exchange("t")
        self.assertEqual(self.have(self.cached), {b"whole"})

    def test_hostile_files_in_a_shared_folder_stop_nothing(self):
        folder = self.settings.shared / "t"
        folder.mkdir(parents=True)
        (folder / "a-loop").symlink_to("a-loop")
        (folder / "a-device").symlink_to("/dev/zero")
        (folder / "a-memory").symlink_to("/proc/self/mem")
        with open(folder / "a-large", "wb") as large:
            large.truncate(1 << 40)
        (folder / ("l" * 255)).write_bytes(b"long name")
        (folder / "z").write_bytes(b"good")
        with self.assertRaises(OSError):
            self.ours.exchange("t")
        self.assertEqual(self.have(self.cached), {b"good", b"long name"})

    def test_nothing_is_taken_when_the_disk_is_full(self):
        self.put(self.settings.shared / "t", b"theirs")
        self.ours.frozen = "full"
        self.ours.exchange("t")
        self.assertEqual(self.have(self.cached), set())

    def test_incomplete_copy_of_seeds_is_not_used(self):
        self.put(self.settings.seeds("t"), b"BAD", b"good")
        (self.root / "ours" / "seeds" / ".t").mkdir(parents=True)
        self.assertEqual(self.ours.seeds("t"), self.settings.seeds("t"))
        self.ours.leave_out("t", b"BAD")
        self.assertEqual(self.have(self.ours.seeds("t")), {b"good"})


if __name__ == "__main__":
    unittest.main()
