#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/release on small repositories of its own: what it makes, and what it refuses.

No Debian is made here: the library of a few lines is built on this machine (--no-chroot).
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

TOOL = pathlib.Path("tools/release").resolve()
# No setting of the user's reaches git.
ENVIRONMENT = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    # These repositories need not survive a loss of power.
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.fsync",
    "GIT_CONFIG_VALUE_0": "none",
    **{f"GIT_{role}_{what}": "x@example.org" for role in ("AUTHOR", "COMMITTER")
       for what in ("NAME", "EMAIL")},
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
}
COMMIT_SECONDS = 1767323045

FILES = {
    "include/slabmill/version.h": """\
#define SLM_VERSION_MAJOR 0
#define SLM_VERSION_MINOR 2
#define SLM_VERSION_PATCH 0
#define SLM_VERSION_STRING "0.2.0"
int slm_five(int unused);
""",
    "five.c": "#include <slabmill/version.h>\nint slm_five(int unused) { return unused + 5; }\n",
    "CMakeLists.txt": """\
cmake_minimum_required(VERSION 3.25)
file(STRINGS include/slabmill/version.h version_line REGEX "define SLM_VERSION_STRING")
string(REGEX MATCH "[0-9]+\\\\.[0-9]+\\\\.[0-9]+" version "${version_line}")
project(slabmill VERSION ${version} LANGUAGES C)
set(CMAKE_BUILD_TYPE RelWithDebInfo)
add_library(slabmill SHARED five.c)
target_include_directories(slabmill PRIVATE include)
set_target_properties(slabmill PROPERTIES VERSION ${version} SOVERSION 0.2)
install(TARGETS slabmill DESTINATION lib)
install(DIRECTORY include/slabmill DESTINATION include)
file(CONFIGURE OUTPUT slabmill.pc CONTENT "Name: slabmill
Description: five
Version: ${version}
Cflags: -I${CMAKE_INSTALL_PREFIX}/include
Libs: -L${CMAKE_INSTALL_PREFIX}/lib -lslabmill
")
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/slabmill.pc DESTINATION lib/pkgconfig)
enable_testing()
add_test(NAME one COMMAND ${CMAKE_COMMAND} -E true)
""",
    "MODULE.bazel": 'module(\n    name = "slabmill",\n    version = "0.2.0",  # a comment\n)\n',
    "CHANGELOG.md": "# Changelog\n\n## 0.2.0 (2026-01-02)\n\nNew\n\n## 0.1.0 (2025-01-02)\n",
    "Dockerfile": "FROM debian:12\nCOPY . .\nRUN make\n",
    "README.md": "`make` and `first` prints `5`.\n",
    "examples/first/first.c": """\
#include <slabmill/version.h>
#include <stdio.h>
int main(void) { return printf("%d\\n", slm_five(0)) < 0; }
""",
    "examples/first/Makefile": "first: first.c\n\t$(CC) -o $@ first.c $(SLABMILL)\n",
}


class Repository:
    """A repository with a small library that can be released."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder, "tree")
        self.out = pathlib.Path(folder, "out")
        for path, text in FILES.items():
            self.write(path, text)
        self.git("init", "-q")
        self.commit()

    def write(self, path, text):
        """Writes a file."""
        whole = self.folder / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(text)

    def change(self, path, old, new):
        """Replaces text of a file that must have it, and commits."""
        text = (self.folder / path).read_text()
        assert old in text, path
        self.write(path, text.replace(old, new))
        self.commit()

    def git(self, *words):
        """Runs git."""
        subprocess.run(["git", "-C", self.folder, *words], check=True, env=ENVIRONMENT)

    def commit(self):
        """Commits everything."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "all")

    def release(self, *options):
        """The finished tool."""
        words = [TOOL, "--tree", self.folder, "--out", self.out, "--no-chroot", *options]
        return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, env=ENVIRONMENT)

    @property
    def tarball(self):
        """What a release makes."""
        return self.out / "slabmill-0.2.0.tar.gz"


class Case(unittest.TestCase):
    """Each case has a repository."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.repository = Repository(folder.name)

    def expect(self, status, said, *options):
        """Runs the tool; it makes a tarball if it succeeds, and else none."""
        done = self.repository.release(*options)
        self.assertEqual(done.returncode, status, done.stdout)
        self.assertIn(said, done.stdout)
        self.assertEqual(self.repository.tarball.exists(), status == 0)


class ReleaseTest(Case):
    """The tarball and the refusals."""

    def check_contents(self):
        """The commit's files, sorted, with the commit's time."""
        with tarfile.open(self.repository.tarball) as tar:
            members = tar.getmembers()
        names = [member.name for member in members if member.isfile()]
        self.assertEqual(sorted(names), sorted(f"slabmill-0.2.0/{path}" for path in FILES))
        self.assertEqual(names, sorted(names))
        self.assertEqual({member.mtime for member in members}, {COMMIT_SECONDS})
        # The time and the name in gzip's own head.
        self.assertEqual(self.repository.tarball.read_bytes()[3:8], bytes(5))

    def test_commit_alone_decides_the_bytes_of_the_tarball(self):
        first = self.repository
        self.expect(0, "this machine, not a fresh Debian: the program of README.md runs")
        with tempfile.TemporaryDirectory() as folder:
            second = Repository(folder)
            shutil.rmtree(second.folder)
            subprocess.run(["git", "clone", "-q", first.folder, second.folder], check=True,
                           env=ENVIRONMENT)
            for setting in ("tar.umask 0077", "core.autocrlf true"):
                second.git("config", *setting.split())
            done = second.release()
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertEqual(second.tarball.read_bytes(), first.tarball.read_bytes())
        checked = subprocess.run(["sha256sum", "-c", f"{first.tarball.name}.sha256"],
                                 cwd=first.out, check=False, stdout=subprocess.DEVNULL)
        self.assertEqual(checked.returncode, 0)
        self.check_contents()

    def test_changed_or_new_file_is_refused(self):
        self.repository.write("new.c", "")
        self.expect(1, "1 files are changed or new, such as: ?? new.c")

    def test_versions_that_differ_are_refused_by_name(self):
        for path, old, new, said in (
            ("MODULE.bazel", '"0.2.0"', '"0.3.0"', "MODULE.bazel has the version 0.3.0, but"),
            ("CHANGELOG.md", "## 0.2.0", "## 0.2.1", "CHANGELOG.md has the version 0.2.1, but"),
            ("CMakeLists.txt", "VERSION ${version} L", "VERSION 0.1.0 L",
             "CMakeLists.txt has the version 0.1.0, but"),
            ("include/slabmill/version.h", "PATCH 0", "PATCH 1",
             "version.h has the version 0.2.0 and the numbers 0.2.1"),
            ("include/slabmill/version.h", "_STRING", "_TEXT", "version.h has no version"),
        ):
            with self.subTest(path=path, new=new):
                self.repository.change(path, old, new)
                self.expect(1, said)
                self.repository.change(path, new, old)

    def test_entry_without_a_date_is_only_for_a_rehearsal(self):
        self.repository.change("CHANGELOG.md", "2026-01-02", "not released yet")
        self.expect(1, "CHANGELOG.md has no date for 0.2.0, but: not released yet")
        self.expect(0, "(rehearsal)", "--rehearse")

    def test_tag_that_exists_is_refused(self):
        self.repository.git("tag", "v0.2.0")
        self.expect(1, "the tag v0.2.0 exists")

    def test_dockerfile_with_an_unknown_instruction_is_refused(self):
        self.repository.change("Dockerfile", "RUN make", "ADD x /")
        self.expect(1, "Dockerfile: line 3: only Docker knows: ADD x /")

    def test_failing_test_or_program_leaves_no_tarball(self):
        self.repository.change("CMakeLists.txt", "-E true", "-E false")
        self.expect(1, "CTest, or the installation, fails with exit status")
        self.repository.change("CMakeLists.txt", "-E false", "-E true")
        self.repository.change("README.md", "`5`", "`6`")
        self.expect(1, "the first program of README.md prints: 5; expected: 6")

    def test_wrong_call_ends_with_2(self):
        self.expect(2, "nowhere is not a commit", "--commit", "nowhere")
        self.expect(2, "/nowhere does not exist", "--against", "/nowhere")
        self.expect(2, "is not the folder of a git repository", "--tree", "/proc")
        self.expect(2, "unrecognized arguments: --loud", "--loud")

    def test_missing_tool_is_named(self):
        empty = self.repository.out.parent / "bin"
        empty.mkdir()
        for command in ("git", "gzip", "tar", "python3"):
            (empty / command).symlink_to(shutil.which(command))
        words = [sys.executable, TOOL, "--tree", self.repository.folder, "--no-chroot"]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, env={**ENVIRONMENT, "PATH": str(empty)})
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]),
                         (2, "release: cmake is not installed"))


@unittest.skipIf(shutil.which("abidiff") is None, "abigail-tools is not installed")
class AbiTest(Case):
    """The new library next to an earlier one."""

    def earlier(self, source):
        """An installed earlier library, of a source."""
        folder = self.repository.out.parent / "earlier"
        folder.mkdir()
        (folder / "five.c").write_text(source)
        subprocess.run(["gcc", "-g", "-shared", "-fPIC", "-Wl,-soname,libslabmill.so.0.2", "five.c",
                        "-o", "libslabmill.so.0.2.0"], cwd=folder, check=True)
        return folder

    def test_added_function_is_no_difference(self):
        self.repository.change("five.c", "\nint", "\nint slm_six(void) { return 6; }\nint")
        self.expect(0, "ABI: programs of libslabmill.so.0.2.0 run with libslabmill.so.0.2.0",
                    "--against", self.earlier(FILES["five.c"].split("\n", 1)[1]))

    def test_changed_function_is_refused(self):
        self.expect(1, "has the soname of libslabmill.so.0.2.0, but breaks its programs",
                    "--against", self.earlier("int slm_five(long *p) { return p != 0; }\n"))

    def test_removed_function_of_a_source_tarball_is_refused(self):
        self.repository.change("five.c", "\nint", "\nint slm_six(void) { return 6; }\nint")
        self.expect(0, "ABI: not compared, since no earlier version was given")
        earlier = self.repository.tarball.rename(self.repository.out / "earlier.tar.gz")
        self.repository.change("five.c", "int slm_six(void) { return 6; }\n", "")
        self.expect(1, "but breaks its programs", "--against", earlier)


if __name__ == "__main__":
    if shutil.which("git") is None:
        print("NOT RUN: git is not installed")
        sys.exit(0)
    if shutil.which("abidiff") is None:
        print("NOT RUN in part: abigail-tools is not installed")
    unittest.main()
