#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/compile_commands lists every source of its tree with flags by which it compiles."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SOURCES = {
    "allocator/base/status.c": '#include <slabmill/status.h>\nint x;\n',
    "allocator/base/inner.c": '#include "allocator/base/inner.h"\nint x;\n',
    "tests/base/status_test.cc": "#include <gtest/gtest.h>\n#include <string_view>\n",
    "harness/sched/hook.c": "#if !SLM_SCHED\n#error no yield points\n#endif\nint x;\n",
}
HEADERS = {
    "allocator/base/inner.h": "typedef int inner;\n",
    "include/slabmill/status.h": "typedef int outer;\n",
}
# Below the project's warnings.
FAULTY = {
    "tools/narrow.c": "int narrow(long x);\nint narrow(long x) { return x; }\n",
    "tools/narrow.cc": "int narrow(long x) { return x; }\n",
}


class CompileCommandsTest(unittest.TestCase):
    """The program in a tree of its own."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.tree = pathlib.Path(folder.name).resolve()
        for path in ("tools/compile_commands", "bazel/copts.bzl"):
            (cls.tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, cls.tree / path)
        for path, text in (SOURCES | FAULTY | HEADERS).items():
            (cls.tree / path).parent.mkdir(parents=True, exist_ok=True)
            (cls.tree / path).write_text(text)
        command = [cls.tree / "tools" / "compile_commands"]
        cls.said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        entries = json.loads((cls.tree / "compile_commands.json").read_text())
        cls.entries = {entry["file"]: entry for entry in entries}

    def compile(self, path):
        """Compiles a file as its entry says, as far as its text goes."""
        entry = self.entries[path]
        command = [*entry["arguments"], "-fsyntax-only"]
        return subprocess.run(
            command, cwd=entry["directory"], capture_output=True, text=True, check=False
        )

    def test_all_sources_are_listed_and_no_header(self):
        self.assertEqual(set(self.entries), set(SOURCES) | set(FAULTY))
        self.assertEqual(
            self.said, f"compile_commands: 6 files in {self.tree}/compile_commands.json\n"
        )

    def test_sources_compile_with_the_listed_flags(self):
        for path in SOURCES:
            with self.subTest(path):
                done = self.compile(path)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_projects_warnings_are_errors(self):
        for path in FAULTY:
            with self.subTest(path):
                done = self.compile(path)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("-Wshorten-64-to-32", done.stderr)


if __name__ == "__main__":
    unittest.main()
