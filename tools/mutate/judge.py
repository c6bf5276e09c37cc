# SPDX-License-Identifier: Apache-2.0
"""Judges mutants: the compiler, then the corpora, then fuzzing, then the unit's tests."""

import collections
import dataclasses
import os
import pathlib
import re
import shutil
import tempfile
import threading

from . import actions as lines, process

KILLED, SURVIVED, EQUIVALENT, INVALID = "killed", "survived", "equivalent", "does not compile"
# Far more than the unmodified program takes, and enough for one that ends at once.
CPU_FACTOR = 4
CPU_SECONDS_MIN = 10
RSS_MIB_MAX = 1024
ACCOUNT = re.compile(r"^slabmill: ops=\d+ execs=(\d+)|^Done (\d+) runs|^#(\d+)\t", re.MULTILINE)
FAILED = re.compile(r"^\[  FAILED  \] ([\w./]+)", re.MULTILINE)
STARTED = re.compile(r"^\[ RUN      \] ([\w./]+)", re.MULTILINE)
SUMMARY = re.compile(r"^SUMMARY: (.*)$|^(slabmill: .*broken.*)$", re.MULTILINE)


class Unfit(Exception):
    """The unmodified program fails: it judges nothing."""


@dataclasses.dataclass
class Verdict:
    """What became of a mutant."""

    mutant: object
    outcome: str
    stage: str = ""  # corpus, fuzzing, tests
    by: str = ""  # the program
    executions: int = 0  # of the fuzz target until the end
    how: str = ""

    def as_dict(self):
        """For --json."""
        mutant = self.mutant
        return {
            "id": mutant.name,
            "key": mutant.key,
            "function": mutant.function,
            "change": mutant.describe(),
            "outcome": self.outcome,
            "stage": self.stage,
            "by": self.by,
            "executions": self.executions,
            "how": self.how,
        }


def executions_of(output):
    """How many inputs a fuzz target ran, from what it printed."""
    counts = [int(next(filter(None, groups))) for groups in ACCOUNT.findall(output)]
    return max(counts, default=0)


def how_it_failed(ended):
    """One line: the failed test, or the sanitizer's summary, or how the process ended."""
    failed, started = FAILED.search(ended.output), STARTED.findall(ended.output)
    if failed:
        return failed.group(1)
    if started:
        return f"{started[-1]}: {ended.how}"
    summary = SUMMARY.search(ended.output)
    return f"{ended.how}: {summary.group(0)}" if summary else ended.how


class Baselines:
    """CPU seconds of unmodified programs, each measured once. Several threads may call it."""

    def __init__(self):
        self._seconds = {}
        self._locks = collections.defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def get(self, key, start):
        """The seconds of key. start: runs the program, and returns how it ended."""
        with self._lock:
            lock = self._locks[key]
        with lock:
            if key not in self._seconds:
                ended = start()
                if ended.how:
                    raise Unfit(f"{key[1]} fails without a change: {how_it_failed(ended)}")
                self._seconds[key] = ended.cpu_seconds
            return self._seconds[key]


class Judge:
    """Judges the mutants of one file. Several threads may call it."""

    def __init__(self, plan, settings, equivalents, folder, baselines=None):
        self._plan = plan
        self._settings = settings
        self._equivalents = equivalents
        self._folder = folder
        self._baselines = baselines or Baselines()
        self._objects = {}  # of the file as it is
        self._lock = threading.Lock()
        self._compiles = plan.compiles()

    def judge(self, mutant):
        """All stages for one mutant, in a folder of its own."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            folder = pathlib.Path(name)
            text = mutant.apply(self._plan.text)
            rebuild = lines.Rebuild(self._plan.tree, self._plan.path, text, folder)
            try:
                if self._is_same(rebuild, folder):
                    how = "the compiler makes the same objects"
                    return Verdict(mutant, EQUIVALENT, how=how)
                return self._run_stages(mutant, rebuild, folder)
            except lines.BuildError as error:
                text = str(error).splitlines() or [""]
                errors = [line for line in text if "error:" in line]
                return Verdict(mutant, INVALID, how=(errors or text)[0])

    def _run_stages(self, mutant, rebuild, folder):
        for stage, programs in (
            ("corpus", self._plan.fuzz),
            ("fuzzing", self._plan.fuzz),
            ("tests", self._plan.tests),
        ):
            for program in programs:
                outputs = [program.executable, *program.runfiles.values()]
                made = rebuild.make(outputs, program.actions)
                if not made:
                    continue
                ended = self._run(stage, program, made, folder)
                if ended.how:
                    return self._killed(mutant, stage, program, ended)
        listed = self._equivalents.get(mutant.key)
        if listed:
            return Verdict(mutant, EQUIVALENT, how=f"listed: {listed[2]}")
        return Verdict(mutant, SURVIVED)

    def _killed(self, mutant, stage, program, ended):
        executions = executions_of(ended.output) if stage != "tests" else 0
        return Verdict(mutant, KILLED, stage, program.name, executions, how_it_failed(ended))

    # --- The compiler ---

    def _is_same(self, rebuild, folder):
        """Whether all objects are the same byte by byte. Raises BuildError if one is not made."""
        same = True
        for number, action in enumerate(self._compiles):
            new = folder / f"same-{number}.o"
            words = lines.optimised(rebuild.with_change(action, str(new)))
            lines.run_line(words, self._plan.tree.root)
            same = same and new.read_bytes() == self._object_of(action)
        return same

    def _object_of(self, action):
        with self._lock:
            if action.output not in self._objects:
                new = self._folder / f"object-{len(self._objects)}.o"
                outputs = {action.output: str(new), action.after("-MF"): f"{new}.d"}
                words = [outputs.get(word, word) for word in action.arguments]
                lines.run_line(lines.optimised(words), self._plan.tree.root)
                self._objects[action.output] = new.read_bytes()
            return self._objects[action.output]

    # --- Programs ---

    def _run(self, stage, program, made, folder):
        def start():
            return self._start(stage, program, {}, self._folder, 3600)

        seconds = self._baselines.get((stage, program.name), start)
        return self._start(stage, program, made, folder, CPU_SECONDS_MIN + CPU_FACTOR * seconds)

    def _start(self, stage, program, made, folder, cpu_seconds):
        folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        start = self._start_test if stage == "tests" else self._start_fuzz
        try:
            return start(stage, program, made, folder, cpu_seconds)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _place(self, output, made):
        return pathlib.Path(self._plan.tree.root, made.get(output, output))

    def _start_fuzz(self, stage, program, made, folder, cpu_seconds):
        words = [
            self._place(program.executable, made),
            f"-artifact_prefix={folder}/",
            f"-rss_limit_mb={RSS_MIB_MAX}",
            "-timeout=0",
            f"-seed={self._settings.seed}",
        ]
        if stage == "corpus":
            words += ["-runs=0", program.corpus]
        else:
            # libFuzzer writes what it keeps into the first folder.
            (folder / "kept").mkdir()
            words += [f"-runs={self._settings.runs}", folder / "kept", program.corpus]
        environment = dict(os.environ, TMPDIR=str(folder))
        return process.run(words, folder, environment, folder / "log", cpu_seconds)

    def _start_test(self, _stage, program, made, folder, cpu_seconds):
        files = folder / "runfiles"
        for name, output in program.runfiles.items():
            if output:
                (files / name).parent.mkdir(parents=True, exist_ok=True)
                (files / name).symlink_to(self._place(output, made))
        scratch = folder / "tmp"
        scratch.mkdir()
        (files / "slabmill").mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "RUNFILES_DIR": str(files),
            "TEST_SRCDIR": str(files),
            "TEST_TMPDIR": str(scratch),
            "TEST_WORKSPACE": "slabmill",
            "TMPDIR": str(scratch),
            "TZ": "UTC",
            "GTEST_FAIL_FAST": "1",
        }
        words = [self._place(program.executable, made), *program.arguments]
        return process.run(words, files / "slabmill", environment, folder / "log", cpu_seconds)
