# SPDX-License-Identifier: Apache-2.0
"""Changes C files in small ways, one at a time, and shows which changes no test notices.

Each mutant is compiled and linked without Bazel and meets three stages until one fails: the
checked-in corpora of the file's fuzz targets (ASan and UBSan), a number of executions of fuzzing in
each, and the file's GoogleTests. A mutant that compiles to the same objects as the file is
equivalent; others are if tools/mutate/equivalent.txt has a proof. A mutant that does not compile
does not count.

Exit status: 0 if no mutant survived, 1 if one did, 2 for a wrong call.
"""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import random
import re
import sys
import tempfile

from . import equivalents, judge as judges, mutants as finder, plan as plans
from .judge import EQUIVALENT, INVALID, KILLED, SURVIVED

ID = re.compile(r"(.+\.[ch]):\d+:\d+:\w+:\d+")
LISTED_SHARE_MAX = 0.05


def parse(argv):
    """Reads the arguments."""
    parser = argparse.ArgumentParser(
        prog="mutate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", help="a C file, a folder of some, or a mutant's id")
    add("--sample", metavar="N", type=int, help="so many mutants, chosen by the seed (or all)")
    add("--seed", metavar="S", type=int, default=1, help="of the choice and of fuzzing (or 1)")
    add("--jobs", metavar="N", type=int, default=1, help="mutants at a time (or 1)")
    add("--runs", metavar="N", type=int, default=20000, help="executions a target (or 20000)")
    add("--list", action="store_true", help="print the mutants and their keys, and run nothing")
    add("--json", action="store_true", help="print one JSON document instead")
    options = parser.parse_args(argv)
    for name in ("sample", "jobs", "runs"):
        value = getattr(options, name)
        if value is not None and value < 1:
            parser.error(f"--{name}: expected at least 1")
    return options


class Report:
    """What became of the mutants so far."""

    def __init__(self, as_json):
        self._as_json = as_json
        self.verdicts = []

    def say(self, text):
        """Prints a line for a human."""
        print(text, file=sys.stderr if self._as_json else sys.stdout, flush=True)

    def add(self, verdict):
        """Notes a verdict, and prints it."""
        self.verdicts.append(verdict)
        mutant = verdict.mutant
        line = f"{verdict.outcome}: {mutant.name} {mutant.function}: {mutant.describe()}"
        if verdict.outcome == KILLED:
            soon = f", {verdict.executions} executions" if verdict.stage != "tests" else ""
            line += f": {verdict.stage}: {verdict.by}{soon}: {verdict.how}"
        elif verdict.how:
            line += f": {verdict.how}"
        self.say(line)

    def count(self, outcome, stage=None):
        """The number of mutants that ended so."""
        ends = [(one.outcome, one.stage) for one in self.verdicts]
        return sum(1 for one in ends if one[0] == outcome and stage in (None, one[1]))

    def n_judged(self):
        """Mutants that compiled."""
        return len(self.verdicts) - self.count(INVALID)

    def complaints(self, entries):
        """What else is wrong than survivors: proofs."""
        for one in self.verdicts:
            if one.outcome == KILLED and one.mutant.key in entries:
                yield f"equivalent.txt: the proof of {one.mutant.key} is wrong: it was killed"
        listed = sum(1 for one in self.verdicts if one.how.startswith("listed: "))
        most = math.ceil(LISTED_SHARE_MAX * self.n_judged())
        if listed > most:
            yield f"equivalent.txt: {listed} of {self.n_judged()} are listed, at most {most} may be"

    def close(self, entries):
        """Prints the end. Returns the exit status."""
        complaints = list(self.complaints(entries))
        for one in complaints:
            self.say(f"mutate: {one}")
        stages = ", ".join(
            f"{self.count(KILLED, stage)} by {stage}" for stage in ("corpus", "fuzzing", "tests")
        )
        counts = [self.count(one) for one in (KILLED, SURVIVED, EQUIVALENT)]
        self.say(f"killed: {stages}; {self.count(INVALID)} more do not compile")
        closing = "mutants: {} killed, {} survived, {} equivalent of {}"
        self.say(closing.format(*counts, self.n_judged()))
        if self._as_json:
            names = ("killed", "survived", "equivalent")
            document = dict(zip(names, counts), n=self.n_judged(), complaints=complaints)
            document["mutants"] = [one.as_dict() for one in self.verdicts]
            json.dump(document, sys.stdout, indent=1)
            print()
        return 1 if counts[1] or complaints else 0


def from_root(word, workspace, working):
    """The paths of a file, or of a folder's C sources, from the project's root."""
    path = pathlib.Path(working, word)
    if not path.exists():
        raise plans.Wrong(f"{word}: there is no such file")
    try:
        workspace = workspace.resolve()
        path = path.resolve().relative_to(workspace)
    except ValueError:
        raise plans.Wrong(f"{word}: not a file of this project") from None
    paths = [path]
    if (workspace / path).is_dir():
        paths = sorted(one.relative_to(workspace) for one in (workspace / path).glob("*.c"))
    if not paths or any(one.suffix not in (".c", ".h") for one in paths):
        raise plans.Wrong(f"{word}: neither a C file nor a folder of some")
    return [one.as_posix() for one in paths]


def find_all(plan, entries):
    """The mutants of a plan's file."""
    compiles = plan.compiles()
    sources = [one for one in compiles if one.source.endswith(".c")]
    if not sources:
        raise plans.Wrong(f"{plan.path}: no C source of its tests reads it")
    action = sources[0]
    words = [word for word in action.arguments[1:] if not word.startswith("-fsanitize")]
    for flag in ("-c", "-o", "-MF"):
        at = words.index(flag)
        del words[at : at + 2]
    words.remove("-MD")
    found = finder.find(plan.path, plan.text, action.source, words, plan.tree.root)
    equivalents.check_fresh(entries, plan.path, found)
    return found


def choose(found, names, settings):
    """The mutants to judge, in an order that the seed decides if there is a sample.

    found: (judge, mutant) pairs. More than the sample: some do not compile.
    """
    if names:
        chosen = [one for one in found if one[1].name in names]
        missing = names - {one[1].name for one in chosen}
        if missing:
            raise plans.Wrong(f"no mutant has the id {' '.join(sorted(missing))}")
        return chosen
    if settings.sample:
        random.Random(settings.seed).shuffle(found)
    return found


def judge_all(chosen, settings, report):
    """Judges mutants until the sample is full."""
    pending = iter(chosen)
    most = settings.sample or len(chosen)
    with concurrent.futures.ThreadPoolExecutor(settings.jobs) as pool:
        running = {}
        while True:
            while len(running) < settings.jobs and report.n_judged() + len(running) < most:
                pair = next(pending, None)
                if pair is None:
                    break
                running[pool.submit(pair[0].judge, pair[1])] = pair
            if not running:
                return
            done, _ = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in done:
                del running[future]
                report.add(future.result())


def run(settings, workspace, working, report):
    """Does what the arguments ask for. Returns the exit status."""
    names = {word for word in settings.files if ID.fullmatch(word)}
    words = [ID.fullmatch(word).group(1) if word in names else word for word in settings.files]
    base = [workspace if word in names else working for word in settings.files]
    found = [from_root(word, workspace, top) for word, top in zip(words, base)]
    paths = {path for all_of in found for path in all_of}
    entries = equivalents.read(workspace / "tools" / "mutate" / "equivalent.txt")
    with tempfile.TemporaryDirectory(prefix="mutate-") as name:
        folder = pathlib.Path(name)
        planner = plans.Planner(workspace, folder, report.say)
        found, baselines = [], judges.Baselines()
        for plan in planner.plan(sorted(paths)):
            judge = judges.Judge(plan, settings, entries, folder, baselines)
            found += [(judge, mutant) for mutant in find_all(plan, entries)]
        chosen = choose(found, names, settings)
        if settings.list:
            for _, mutant in chosen[: settings.sample]:
                report.say(f"{mutant.key} {mutant.name} {mutant.function}: {mutant.describe()}")
            return 0
        report.say(f"mutate: {len(found)} mutants, seed {settings.seed}")
        judge_all(chosen, settings, report)
    return report.close(entries)


def main(argv):
    """Returns the exit status."""
    settings = parse(argv)
    workspace = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", os.getcwd()))
    working = pathlib.Path(os.environ.get("BUILD_WORKING_DIRECTORY", os.getcwd()))
    try:
        return run(settings, workspace, working, Report(settings.json))
    except (equivalents.Invalid, finder.Unreadable, judges.Unfit, plans.Wrong) as error:
        print(f"mutate: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
