# SPDX-License-Identifier: Apache-2.0
"""What the command line asks for, and where everything lies."""

import argparse
import fnmatch
import os
import pathlib
import time

BIN_SUFFIX = "_bin"

DESCRIPTION = """Replays the recorded traces, then fuzzes each target for an equal share of the
time. Exit status: 0 no finding; 1 findings; 2 something could not run."""


def parse_arguments(argv):
    """Returns the parsed command line; wrong ones end the program with status 2."""
    parser = argparse.ArgumentParser(
        prog="./bazelw run //fuzz:overnight --", description=DESCRIPTION
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, metavar="N", help="length of the night")
    length.add_argument("--hours", type=float, metavar="H", help="the same (default: 8)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes at once")
    parser.add_argument("--targets", default="*", metavar="PATTERN", help="e.g. 'slab*'")
    parser.add_argument("--out", metavar="DIR", help="findings and logs go here")
    arguments = parser.parse_args(argv)
    if arguments.minutes is None:
        arguments.minutes = 60 * (8 if arguments.hours is None else arguments.hours)
    if arguments.minutes <= 0 or arguments.jobs <= 0:
        parser.error("the time and the number of jobs must be positive")
    return arguments


class Settings:
    """One night's parameters and folders."""

    def __init__(self, arguments, runfiles):
        self.seconds = arguments.minutes * 60
        self.n_jobs = arguments.jobs
        self.runfiles = runfiles
        self.cache = pathlib.Path(
            os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache", "slabmill"
        )
        self.out = self._out_folder(arguments.out)
        self.targets = self._find_targets(arguments.targets)
        self.slabmill = runfiles / "tools" / "slabmill"
        self.traces = sorted((runfiles / "corpus" / "traces").glob("*.trace"))

    def _out_folder(self, wanted):
        if wanted is None:
            return self.cache / "nights" / time.strftime("%Y%m%d-%H%M%S")
        # `bazel run` changes the folder; a relative path is meant from where the user was.
        return pathlib.Path(os.environ.get("BUILD_WORKING_DIRECTORY", os.getcwd()), wanted)

    def _find_targets(self, pattern):
        binaries = sorted((self.runfiles / "fuzz").glob("*" + BIN_SUFFIX))
        names = [path.name[: -len(BIN_SUFFIX)] for path in binaries]
        return [name for name in names if fnmatch.fnmatch(name, pattern)]

    def binary(self, target):
        """The instrumented program."""
        return self.runfiles / "fuzz" / (target + BIN_SUFFIX)

    def seeds(self, target):
        """The checked-in corpus, in the build's own copy."""
        return self.runfiles / "fuzz" / (target + "_corpus")

    def dictionary(self, target):
        """The words of its inputs, or None."""
        path = self.runfiles / "fuzz" / (target + "_dict")
        return path if path.exists() and path.stat().st_size > 0 else None

    def corpus(self, target):
        """What earlier nights found; it outlives this one."""
        return self.cache / "corpus" / target
