#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/check chooses the tests of a file, and says how they ended.

Bazel's place is taken by a program that notes its arguments and answers as the case wants it.
"""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

# Notes its arguments, one call a line. A query prints the file `answer`, a test ends with the status
# in the file `status`, unless it is one of the tests in `passing`.
BAZELW = """#!/bin/sh
echo "$*" >> calls
case "$1" in
query) cat answer ;;
test)
    for last in "$@"; do :; done
    cp events "${last#--build_event_json_file=}"
    grep -qxF "$2" passing || exit "$(cat status)"
    ;;
esac
"""


class CheckTest(unittest.TestCase):
    """The program in a tree of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name).resolve()
        (self.tree / "tools").mkdir()
        for name in ("check", "format"):
            shutil.copy(pathlib.Path("tools", name), self.tree / "tools" / name)
        self.write("bazelw", BAZELW).chmod(0o755)
        self.write("status", "0\n")
        self.write("passing", "")
        self.write("calls", "")
        self.write("events", "")
        self.write("answer", "//tests/slab:slab_test\n//tests/slab:walk_test\n")

    def write(self, path, text):
        """Writes a file; returns its path."""
        path = self.tree / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def check(self, *words):
        """Runs it; returns what it ended with."""
        command = [self.tree / "tools" / "check", *words]
        return subprocess.run(command, cwd=self.tree, capture_output=True, text=True, check=False)

    def calls(self, command):
        """The arguments of the calls of one of Bazel's commands, without it."""
        lines = (self.tree / "calls").read_text().splitlines()
        found = [line.partition(" ")[2] for line in lines if line.startswith(command)]
        return [re.sub(r" --build_event_json_file=\S+$", "", line) for line in found]

    def chosen_from(self, path):
        """The tests that a file's are chosen from."""
        self.write("calls", "")
        self.write(path, "")
        self.assertEqual(self.check(path).returncode, 0)
        (query,) = self.calls("query")
        return re.search(rf"rdeps\((.*), {re.escape(path)}\)", query).group(1)

    def test_tests_of_a_room_are_in_the_folder_of_its_name(self):
        for room in ("base", "slab", "zone"):
            with self.subTest(room):
                path = f"allocator/{room}/x.c"
                self.assertEqual(self.chosen_from(path), f"//tests/{room}:all")

    def test_header_belongs_to_the_room_whose_contract_it_is(self):
        for header, room in (
            ("pool", "pool"),
            ("zone_set", "zone"),
            ("zone_image", "zone"),
            ("rbtree", "tree"),
            ("lru", "tree"),
            ("status", "base"),
            ("word", "lock"),
        ):
            with self.subTest(header):
                path = f"include/slabmill/{header}.h"
                self.assertEqual(self.chosen_from(path), f"//tests/{room}:all")

    def test_other_folders_have_their_tests_too(self):
        for path, tests in (
            ("harness/trace/parse.c", "//tests/harness/... + //tests/sched:all"),
            ("fuzz/zone_fuzz.c", "//fuzz:zone_fuzz"),
            ("corpus/zone_fuzz/seed", "//fuzz:zone_fuzz"),
            ("fuzz/zone/world.c", "//fuzz:all + //tests/fuzz:all"),
            ("fuzz/overnight/plan.py", "//tests/infra/overnight:all"),
            ("fuzz/report/page.py", "//tests/infra:all"),
            ("fuzz/oss-fuzz/build.sh", "//tests/infra/oss_fuzz:all"),
            ("tools/mutate/plan.py", "//tests/infra/mutate:all"),
            ("tools/slabmill/inspect/json.c", "//tests/slabmill:all"),
            ("tools/coverage.sh", "//tests/infra:all"),
            ("examples/limitd/conn.c", "//examples/..."),
            ("tests/slab/fixture.h", "//tests/slab/..."),
            (".bazelrc", "//tests/infra:all"),
        ):
            with self.subTest(path):
                self.assertEqual(self.chosen_from(path), tests)

    def test_document_is_checked_by_the_tests_of_documents(self):
        self.write("docs/design.md", "")
        self.assertEqual(self.check("docs/design.md").returncode, 0)
        tests = "//tests/infra:documents_test //tests/infra:words_test"
        self.assertEqual((self.calls("query"), self.calls("test")), ([], [tests]))

    def test_test_with_the_files_name_runs_first(self):
        self.write("allocator/slab/walk.c", "")
        self.assertEqual(self.check("allocator/slab/walk.c").returncode, 0)
        self.assertEqual(self.calls("test"), ["//tests/slab:walk_test", "//tests/slab:slab_test"])

    def test_without_one_the_test_with_the_rooms_name_runs_first(self):
        self.write("allocator/slab/span.c", "")
        self.assertEqual(self.check("allocator/slab/span.c").returncode, 0)
        self.assertEqual(self.calls("test"), ["//tests/slab:slab_test", "//tests/slab:walk_test"])

    def test_last_line_says_that_all_passed_and_how_many(self):
        self.write("allocator/slab/span.c", "")
        done = self.check("allocator/slab/span.c")
        self.assertEqual(
            done.stdout.splitlines()[-1], "check: passed: allocator/slab/span.c: 2 tests"
        )

    def test_failure_of_the_nearest_test_ends_the_check_with_1(self):
        self.write("allocator/slab/walk.c", "")
        self.write("status", "3\n")
        done = self.check("allocator/slab/walk.c")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(
            done.stdout.splitlines()[-1],
            "check: FAILED: allocator/slab/walk.c: //tests/slab:walk_test",
        )
        self.assertEqual(self.calls("test"), ["//tests/slab:walk_test"])

    def test_last_line_names_only_the_tests_that_failed(self):
        self.write("allocator/slab/span.c", "")
        self.write("answer", "".join(f"//tests/slab:{name}_test\n" for name in "abc"))
        self.write("status", "3\n")
        events = [
            {"id": {"testSummary": {"label": f"//tests/slab:{name}_test"}},
             "testSummary": {"overallStatus": status}}
            for name, status in (("a", "PASSED"), ("b", "FAILED"))
        ]
        self.write("events", "".join(json.dumps(event) + "\n" for event in events))
        done = self.check("allocator/slab/span.c")
        self.assertEqual(
            done.stdout.splitlines()[-1],
            "check: FAILED: allocator/slab/span.c: //tests/slab:b_test //tests/slab:c_test",
        )

    def test_failure_of_another_test_ends_the_check_with_1_too(self):
        self.write("allocator/slab/walk.c", "")
        self.write("status", "3\n")
        self.write("passing", "//tests/slab:walk_test\n")
        done = self.check("allocator/slab/walk.c")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(
            done.stdout.splitlines()[-1],
            "check: FAILED: allocator/slab/walk.c: //tests/slab:slab_test",
        )

    def wrong(self, message, *words):
        """Expects a wrong call, which runs no test."""
        done = self.check(*words)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, message)
        self.assertEqual(self.calls("test"), [])

    def test_file_that_is_not_there_is_named(self):
        self.write("allocator/slab/span.c", "")
        self.wrong("check: gone.c: there is no such file\n", "allocator/slab/span.c", "gone.c")

    def test_file_outside_of_the_project_is_refused(self):
        self.wrong("check: /etc/passwd: not a file of this project\n", "/etc/passwd")

    def test_file_that_no_test_depends_on_is_named(self):
        self.write("answer", "")
        self.write("allocator/slab/new.c", "int  x;\n")
        self.wrong(
            "check: allocator/slab/new.c: no test of //tests/slab:all depends on it\n",
            "allocator/slab/new.c",
        )
        self.assertEqual((self.tree / "allocator/slab/new.c").read_text(), "int  x;\n")

    def test_help_says_what_it_does_and_runs_nothing(self):
        done = self.check("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("tests nearest to them", done.stdout)
        self.assertEqual((self.tree / "calls").read_text(), "")

    def test_call_without_a_file_is_wrong(self):
        self.assertEqual(self.check().returncode, 2)


if __name__ == "__main__":
    unittest.main()
