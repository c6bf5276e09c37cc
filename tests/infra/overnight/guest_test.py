# SPDX-License-Identifier: Apache-2.0
"""A night of another workspace: allocator_mill's."""

import unittest

from fixture import made_settings
from overnight import causes


class GuestTest(unittest.TestCase):
    """A night of another workspace."""

    def test_commands_are_those_of_the_workspace(self):
        guest = made_settings(night="lib/mine_night_files", mill="../slabmill")
        self.assertEqual(guest.command(), ["bazel", "run", "//lib:mine_night", "--", "--minutes=1"])
        self.assertEqual(
            guest.repeat("mine_fuzz", "asan-ubsan"),
            (
                "bazel build //lib:mine_night_files/asan-ubsan",
                "bazel-bin/lib/mine_night_files/asan-ubsan/mine_fuzz",
            ),
        )
        top = made_settings(night="mine_night_files", mill="../slabmill")
        self.assertEqual(top.command()[2], "//:mine_night")
        self.assertEqual(top.repeat("f", "msan")[1], "bazel-bin/mine_night_files/msan/f")

    def test_all_its_sources_count(self):
        guest, here = made_settings(mill="../slabmill"), made_settings()
        for path, counts, total in (
            ("heap.cc", False, False),
            ("harness/run/run.c", True, False),
            ("allocator/slab/slab.c", True, True),
        ):
            self.assertTrue(guest.counts(path) and guest.is_total(path))
            self.assertEqual((here.counts(path), here.is_total(path)), (counts, total))

    def test_frames_of_another_workspace_are_those_of_its_own_sources(self):
        log = (
            "==1==ERROR: AddressSanitizer: SEGV\n"
            "    #0 0x1 in __pthread_kill_implementation nptl/pthread_kill.c:43:17\n"
            "    #1 0x2 in abort stdlib/abort.c:79:7\n"
            "    #2 0x3 in merge /proc/self/cwd/heap.cc:12:3\n"
            "    #3 0x4 in release /proc/self/cwd/lib/adapter.c:9:3\n"
            "    #4 0x5 in hrn_run_op /proc/self/cwd/external/slabmill/harness/run/run.c:9:3\n"
            "SUMMARY: AddressSanitizer: SEGV heap.cc:12:3 in merge\n"
        )
        cause = causes.classify(log)
        self.assertEqual(cause.frames, ("merge", "release"))
        self.assertEqual(cause.name("t"), "t-SEGV-merge-release")
        law = log.replace("merge /proc/self/cwd/heap.cc", "hrn_law_overlap external/slabmill/h.c")
        self.assertEqual(causes.classify(law).name("t"), "t-law-overlap")
        self.assertEqual(causes.classify(law).frames, ("release",))


if __name__ == "__main__":
    unittest.main()
