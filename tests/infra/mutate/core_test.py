# SPDX-License-Identifier: Apache-2.0
"""A small sample of mutants of the slab, judged by slab_fuzz alone: at most one of six survives.

`./bazelw run //tools:mutate_core` is the large sample, with all targets and tests.
"""

import argparse
import contextlib
import io
import pathlib
import tempfile
import unittest

import by_hand
from mutate import __main__ as command, judge as judges

PATH = "allocator/slab/run.c"
ROOMS = (
    *(f"allocator/{room}" for room in ("base", "lock", "pool", "slab", "source")),
    *("harness/" + room for room in ("adapters", "base", "failure", "inputs", "laws", "memory")),
    *("harness/" + room for room in ("program", "registry", "run", "trace")),
    "fuzz/common",
)
# They do something in regions above 16 MiB only, which slab_fuzz does not make: large_test and
# fit_test of //tests/slab do.
OF_LARGE_REGIONS = {"clear_above", "descend_lowest", "find_above", "set_above", "slm_slab_run_find"}
SETTINGS = argparse.Namespace(seed=1, runs=2000, sample=6, jobs=1)


class CoreTest(unittest.TestCase):
    """The slab's free pages, from the sources of this tree."""

    def test_fuzzing_kills_a_sample_of_the_slab(self):
        with tempfile.TemporaryDirectory() as folder:
            report, lines = command.Report(as_json=False), io.StringIO()
            with contextlib.redirect_stdout(lines):
                self.judge(pathlib.Path(folder), report)
        print(lines.getvalue())
        self.assertEqual(report.n_judged(), 6)
        self.assertLessEqual(report.count("survived"), 1, lines.getvalue())

    def judge(self, folder, report):
        """Judges the sample."""
        root = folder / "root"
        root.mkdir()
        for top in ("allocator", "corpus", "fuzz", "harness", "include"):
            (root / top).symlink_to(pathlib.Path(top).resolve())
        rooms = (sorted(pathlib.Path(room).glob("*.c")) for room in ROOMS)
        sources = [str(one) for room in rooms for one in room if one.name != "afl.c"]
        build = by_hand.Build(root)
        objects = build.compile([*sources, "fuzz/slab_fuzz.c"], "fuzz", by_hand.FUZZ_FLAGS)
        executable = build.link("fuzz", objects, (*by_hand.FUZZ_LINK, "-pthread"))
        build.run()
        fuzz = build.program("slab_fuzz", executable, root / "corpus/slab_fuzz")
        plan = build.plan(PATH, [fuzz], [])
        judge = judges.Judge(plan, SETTINGS, {}, folder)
        found = [(judge, mutant) for mutant in command.find_all(plan, {})
                 if mutant.function not in OF_LARGE_REGIONS]
        command.judge_all(command.choose(found, set(), SETTINGS), SETTINGS, report)


if __name__ == "__main__":
    unittest.main()
