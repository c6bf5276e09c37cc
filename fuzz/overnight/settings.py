# SPDX-License-Identifier: Apache-2.0
"""What the command line asks for, and where everything lies."""

import argparse
import fnmatch
import os
import pathlib
import random

from . import lanes, machine

DESCRIPTION = """Fuzzes every target in several lanes, and writes one page about it. Corpora are
kept from night to night. Ctrl-C ends with the whole report; a second one leaves out merging and
coverage. A night that was killed is gone on with by the next start."""

USUAL_NIGHT = "fuzz/night"

EPILOG = """exit status: 0 nothing found; 1 new findings; 2 nothing new, but something did not run;
3 only findings that were known"""


# Ten years: what is more was a slip.
_MOST_HOURS = 90_000


class Unusable(Exception):
    """What was asked for cannot be done; the message says what and why. Nothing was made."""


def _number(kind, what, text):
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what}") from None


def _hours(text):
    number = _number(float, "number", text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    if number > _MOST_HOURS:
        raise argparse.ArgumentTypeError(f"{text} is too long for a night")
    return number


def _whole(text):
    return _number(int, "whole number", text)


def _count(text):
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def parse_arguments(argv):
    """Returns the parsed command line; wrong ones end the program with status 2."""
    parser = argparse.ArgumentParser(
        prog="./bazelw run //fuzz:overnight --", description=DESCRIPTION, epilog=EPILOG
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=_hours, metavar="N", help="minutes of fuzzing")
    length.add_argument("--hours", type=_hours, metavar="N", help="hours of it (default: 8)")
    parser.add_argument(
        "--jobs", type=_count, default=os.cpu_count() or 2, metavar="N", help="processes at once"
    )
    parser.add_argument(
        "--targets", default="*", metavar="PATTERN", help="e.g. 'slab*', or 'slab*,pool*'"
    )
    parser.add_argument(
        "--lanes", default="*", metavar="PATTERN", help=f"the same, of {', '.join(lanes.NAMES)}"
    )
    parser.add_argument("--out", metavar="DIR", help="report, findings and logs go here")
    parser.add_argument(
        "--commit-corpus", action="store_true", help="copy what is worth keeping into corpus/"
    )
    parser.add_argument(
        "--shared-corpus", metavar="DIR", help="exchange inputs with other runners through DIR"
    )
    parser.add_argument("--seed", type=_whole, metavar="N", help="of all that is random")
    parser.add_argument("--rss-mb", type=_count, metavar="N", help="memory of one process")
    parser.add_argument(
        "--disk-mb", type=_count, default=4096, metavar="N", help="corpora and this night's files"
    )
    # For targets with planted bugs.
    parser.add_argument("--night-folder", default=USUAL_NIGHT, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.minutes is None:
        arguments.minutes = 60 * (8 if arguments.hours is None else arguments.hours)
    return arguments


def _check_writable(option, folder):
    """Whether it is a folder, or can be made."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise Unusable(f"{option}{folder}: {nearest} is no folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise Unusable(f"{option}{folder}: no right to write to {nearest}")


def _matching(option, patterns, names):
    """Those of the names that one of the patterns matches; each must match one."""
    found = set()
    for pattern in patterns.split(","):
        matches = fnmatch.filter(names, pattern.strip())
        if not matches:
            raise Unusable(f"{option} {pattern!r}: there is none; there are {', '.join(names)}")
        found.update(matches)
    return [name for name in names if name in found]


class Settings:
    """One start's parameters and folders. The working folder is the root of the runfiles."""

    def __init__(self, argv):
        arguments = parse_arguments(argv)
        self.argv = list(argv)
        self.seconds = arguments.minutes * 60
        self.n_jobs = arguments.jobs
        self.commits_corpus = arguments.commit_corpus
        self.rss_mb = arguments.rss_mb or machine.rss_limit_mb(arguments.jobs)
        self.disk_mb = arguments.disk_mb
        self.seed = arguments.seed
        if self.seed is None:
            self.seed = random.SystemRandom().randrange(1, 1 << 31)
        self.runfiles = pathlib.Path.cwd()
        self.night_folder = self.runfiles / arguments.night_folder
        self.cache = pathlib.Path(
            os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache",
            "slabmill",
            # Planted bugs are nothing that real nights should know.
            *(() if self._is_usual(arguments) else (arguments.night_folder.replace("/", "-"),)),
        )
        self.wanted_out = self._from_user(arguments.out)
        self.shared = self._from_user(arguments.shared_corpus)
        built = sorted(path.name for path in (self.night_folder / "asan-ubsan").glob("[!.]*"))
        if not built:
            raise Unusable(f"{self.night_folder}: holds no fuzz target; the build made none")
        self.targets = _matching("--targets", arguments.targets, built)
        chosen = _matching("--lanes", arguments.lanes, lanes.NAMES)
        self.lanes = [lanes.BY_NAME[name] for name in chosen]
        self.slabmill = self.runfiles / "tools" / "slabmill"
        self.traces = sorted((self.runfiles / "corpus" / "traces").glob("*.trace"))

    @staticmethod
    def _is_usual(arguments):
        return arguments.night_folder == USUAL_NIGHT

    @staticmethod
    def workspace():
        """The source tree that `bazel run` was called in, or None."""
        folder = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
        return pathlib.Path(folder) if folder else None

    @staticmethod
    def _from_user(path):
        # `bazel run` changes the folder; a relative path is meant from where the user was.
        here = os.environ.get("BUILD_WORKING_DIRECTORY", os.getcwd())
        return None if path is None else pathlib.Path(here, path)

    def check(self):
        """Raises Unusable, or OSError, for what could only go wrong."""
        if self.commits_corpus and self.workspace() is None:
            raise Unusable("--commit-corpus: not started by `bazel run`, so there is no corpus/")
        if self.shared and not self.shared.is_dir():
            # Not made: it may be a mount that is missing.
            raise Unusable(f"--shared-corpus {self.shared}: no such folder")
        written = {"--out ": self.wanted_out, "--shared-corpus ": self.shared, "": self.cache}
        for option, folder in written.items():
            if folder:
                _check_writable(option, folder)

    def package(self):
        """Of Bazel: where the targets come from."""
        return str(self.night_folder.relative_to(self.runfiles).parent)

    def binary(self, variant, target):
        """The program of a target in one of its builds (variants.bzl); it may not be there."""
        return self.night_folder / variant / target

    def built_lanes(self):
        """Target: those of the chosen lanes that can run here."""
        return {
            target: [lane for lane in self.lanes if self._can_run(lane, target)]
            for target in self.targets
        }

    def _can_run(self, lane, target):
        has_engine = lane.engine != "afl" or machine.has_afl()
        return has_engine and self.binary(lane.variant, target).exists()

    def seeds(self, target):
        """The checked-in corpus, in the build's own copy."""
        return self.night_folder / "seeds" / target

    def afl_mutator(self):
        """Our mutator in the form that AFL++ loads, or None."""
        path = self.runfiles / "harness" / "afl_mutator.so"
        return path if path.exists() else None

    def dictionary(self, target):
        """The words of its inputs, or None."""
        path = self.night_folder / "dict" / target
        return path if path.exists() and path.stat().st_size > 0 else None
