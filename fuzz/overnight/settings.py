# SPDX-License-Identifier: Apache-2.0
"""The command line, and where everything is."""

import argparse
import fnmatch
import os
import pathlib
import random

from . import lanes, machine

DESCRIPTION = """Fuzzes every target in several lanes, and writes one page about it. Corpora are
kept from night to night. Ctrl-C ends the night with a complete report; a second one skips merging
and coverage. The next start continues a night that was killed."""

USUAL_NIGHT = "fuzz/night"
# The program that replays traces, within the runfiles.
SLABMILL = pathlib.PurePath("tools/slabmill/slabmill")

EPILOG = """exit status: 0 nothing found; 1 new findings; 2 nothing new, but something did not run;
3 only known findings"""


# Ten years: more than that is a typing mistake.
_MOST_HOURS = 90_000


class Unusable(Exception):
    """The night cannot be run as asked; the message says why. Nothing was created."""


def _number(kind, what, text):
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a {what}") from None


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
    """Returns the parsed command line. A wrong one ends the program with status 2."""
    parser = argparse.ArgumentParser(
        prog="./bazelw run //fuzz:overnight --", description=DESCRIPTION, epilog=EPILOG
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=_hours, metavar="N", help="minutes of fuzzing")
    length.add_argument("--hours", type=_hours, metavar="N", help="hours of fuzzing (default: 8)")
    parser.add_argument(
        "--jobs", type=_count, default=os.cpu_count() or 2, metavar="N", help="processes at once"
    )
    parser.add_argument(
        "--targets", default="*", metavar="PATTERN", help="e.g. 'slab*', or 'slab*,pool*'"
    )
    parser.add_argument(
        "--lanes", default="*", metavar="PATTERN", help=f"one or more of {', '.join(lanes.NAMES)}"
    )
    parser.add_argument("--out", metavar="DIR", help="report, findings and logs go here")
    parser.add_argument(
        "--commit-corpus", action="store_true", help="copy new inputs worth keeping to corpus/"
    )
    parser.add_argument(
        "--shared-corpus", metavar="DIR", help="exchange inputs with other runners through DIR"
    )
    parser.add_argument("--seed", type=_whole, metavar="N", help="seed of all random choices")
    parser.add_argument("--rss-mb", type=_count, metavar="N", help="memory limit of one process")
    parser.add_argument(
        "--disk-mb", type=_count, default=4096, metavar="N", help="limit of corpora and this night"
    )
    # For nights over other targets: those with planted bugs, and those of other workspaces.
    parser.add_argument("--night-folder", default=USUAL_NIGHT, help=argparse.SUPPRESS)
    parser.add_argument("--mill-folder", default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.minutes is None:
        arguments.minutes = 60 * (8 if arguments.hours is None else arguments.hours)
    return arguments


def _check_writable(option, folder):
    """Raises Unusable unless it is a writable folder, or can be created."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise Unusable(f"{option}{folder}: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise Unusable(f"{option}{folder}: no permission to write to {nearest}")


def _matching(option, patterns, names):
    """Returns the names that a pattern matches. Each pattern must match one."""
    found = set()
    for pattern in patterns.split(","):
        matches = fnmatch.filter(names, pattern.strip())
        if not matches:
            raise Unusable(f"{option} {pattern!r}: no match; there are {', '.join(names)}")
        found.update(matches)
    return [name for name in names if name in found]


class Settings:
    """The parameters and folders of one start. The working folder is the root of the runfiles."""

    # The folders of this workspace with the sources that coverage counts.
    folders = ("allocator", "harness", "examples")

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
        # Another workspace, which has the mill as a repository, for an allocator of its own.
        self.is_guest = arguments.mill_folder is not None
        self._mill = self.runfiles / (arguments.mill_folder or "")
        self.night_folder = self.runfiles / arguments.night_folder
        self.cache = pathlib.Path(
            os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache",
            "slabmill",
            *self._cache_parts(arguments),
        )
        self.wanted_out = self._from_user(arguments.out)
        self.shared = self._from_user(arguments.shared_corpus)
        built = sorted(path.name for path in (self.night_folder / "asan-ubsan").glob("[!.]*"))
        if not built:
            raise Unusable(f"{self.night_folder}: no fuzz target here; the build made none")
        self.targets = _matching("--targets", arguments.targets, built)
        chosen = _matching("--lanes", arguments.lanes, lanes.NAMES)
        self.lanes = [lanes.BY_NAME[name] for name in chosen]
        self.slabmill = self.runfiles / SLABMILL
        # They are of our allocators.
        folder = self.runfiles / "corpus" / "traces"
        self.traces = [] if self.is_guest else sorted(folder.glob("*.trace"))

    def _cache_parts(self, arguments):
        # Real nights must not know the planted bugs, nor workspaces each other's.
        if arguments.night_folder == USUAL_NIGHT and not self.is_guest:
            return ()
        name = arguments.night_folder.replace("/", "-")
        workspace = self.workspace()
        return (f"{workspace.name}-{name}" if self.is_guest and workspace else name,)

    @staticmethod
    def workspace():
        """The source tree that `bazel run` was called in, or None."""
        folder = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
        return pathlib.Path(folder) if folder else None

    @staticmethod
    def _from_user(path):
        # `bazel run` changes the folder; a relative path starts at the user's folder.
        here = os.environ.get("BUILD_WORKING_DIRECTORY", os.getcwd())
        return None if path is None else pathlib.Path(here, path)

    def check(self):
        """Raises Unusable, or OSError, for settings that cannot work."""
        if self.commits_corpus and self.is_guest:
            raise Unusable("--commit-corpus: a mill's fuzz target has no checked-in corpus")
        if self.commits_corpus and self.workspace() is None:
            raise Unusable("--commit-corpus: not started by `bazel run`, so there is no corpus/")
        if self.shared and not self.shared.is_dir():
            # Not created: a mount may be missing.
            raise Unusable(f"--shared-corpus {self.shared}: no such folder")
        written = {"--out ": self.wanted_out, "--shared-corpus ": self.shared, "": self.cache}
        for option, folder in written.items():
            if folder:
                _check_writable(option, folder)

    def counts(self, path):
        """True if coverage counts a source: here those of some folders, in another workspace all of
        its own."""
        return self.is_guest or path.split("/")[0] in self.folders

    def is_total(self, path):
        """True if the totals of the page count it too."""
        return self.is_guest or path.startswith("allocator/")

    def package(self):
        """The Bazel package of the targets."""
        parent = self.night_folder.relative_to(self.runfiles).parent
        return "" if parent == pathlib.PurePath() else str(parent)

    def command(self):
        """What the user called."""
        if not self.is_guest:
            return ["./bazelw", "run", "//fuzz:overnight", "--", *self.argv]
        night = f"//{self.package()}:{self.night_folder.name[: -len('_files')]}"
        hidden = ("--night-folder", "--mill-folder")
        return ["bazel", "run", night, "--", *(a for a in self.argv if not a.startswith(hidden))]

    def repeat(self, target, variant):
        """(A command that builds a target as it is in a variant, the program)."""
        package = self.package()
        if self.is_guest:
            part = f"{self.night_folder.name}/{variant}"
            program = pathlib.PurePath("bazel-bin", package, part, target)
            return f"bazel build //{package}:{part}", str(program)
        config = "" if variant == "asan-ubsan" else f" --config={variant}-libfuzzer"
        binary = f"{target}_bin"
        return f"./bazelw build{config} //{package}:{binary}", f"bazel-bin/{package}/{binary}"

    def binary(self, variant, target):
        """The program of a target in one of its builds (variants.bzl); it may not exist."""
        return self.night_folder / variant / target

    def built_lanes(self):
        """Returns {target: the chosen lanes that can run here}."""
        return {
            target: [lane for lane in self.lanes if self._obstacle(lane, target) is None]
            for target in self.targets
        }

    def cannot_run(self, target):
        """Returns {name of a lane that cannot run here, or was not chosen: why}."""
        obstacles = {lane.name: self._obstacle(lane, target) for lane in lanes.LANES}
        return {name: why for name, why in obstacles.items() if why is not None}

    def _obstacle(self, lane, target):
        if lane not in self.lanes:
            return "left out by --lanes"
        if lane.engine == "afl" and not machine.has_afl():
            return "AFL++ is not installed"
        if not self.binary(lane.variant, target).exists():
            return f"there is no {lane.variant} build"
        return None

    def seeds(self, target):
        """The checked-in corpus, in the build's own copy."""
        return self.night_folder / "seeds" / target

    def afl_mutator(self):
        """Our mutator in the form that AFL++ loads, or None."""
        path = self._mill / "harness" / "afl_mutator.so"
        return path if path.exists() else None

    def dictionary(self, target):
        """The dictionary of a target's inputs, or None."""
        path = self.night_folder / "dict" / target
        return path if path.exists() and path.stat().st_size > 0 else None
