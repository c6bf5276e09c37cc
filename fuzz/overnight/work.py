# SPDX-License-Identifier: Apache-2.0
"""The jobs before and after the fuzzing: traces, shapes, merges, coverage."""

import sys

from . import engines, files, job, lanes

_TRACE_SECONDS = 600
_MERGE_SECONDS = 900
_COVERAGE_SECONDS = 900
_SHAPE_SECONDS = 60
# What a shell answers for a program that it cannot start.
_NOT_STARTED = (126, 127)


class Work:
    """Makes these jobs, and holds their results."""

    def __init__(self, settings, store, troubles, say):
        self._settings = settings
        self._store = store
        self._troubles = troubles
        self._say = say
        self.traces = []
        # {target: {file: {line: times}}} and {target: {operation: times}}, from coverage.
        self.lines = {}
        self.kinds = {}
        # {target: what AFL++'s mutator needs}.
        self.shapes = {}

    def _task(self, name, command, seconds, done, **options):
        logs = self._store.out / "logs"
        output = logs / f"{name.replace('/', '-').replace(' ', '-')}.log"
        return _Task(self._troubles, done, name, command, output, seconds, **options)

    # Before fuzzing: replays recorded traces, and asks each target for the shape of its inputs.

    def opening(self, findings):
        """Yields the jobs. A trace that fails is a finding."""
        if not self._settings.traces and not self._settings.is_guest:
            self._troubles.add("no recorded traces were found")
        yield from (self._trace(trace, findings) for trace in self._settings.traces)
        yield from (self._ask_shape(target) for target in self._settings.targets)

    def _trace(self, trace, findings):
        def done(task, how):
            text = task.text()
            self.traces.append({"name": trace.name, "status": task.status, "text": text.strip()})
            if task.status in _NOT_STARTED:
                self._troubles.add(f"replaying {trace.name}: {text.strip()}")
            elif how:
                kind = "timeout" if task.forced else f"status-{task.status}"
                findings.trace_failed(trace, kind, text)
            self._say(f"== {trace.name}\n{text.rstrip()}")

        runfiles = self._settings.runfiles
        command = [self._settings.slabmill, "replay", trace.relative_to(runfiles)]
        return self._task(f"trace {trace.name}", command, _TRACE_SECONDS, done, cwd=runfiles)

    def _ask_shape(self, target):
        def done(task, _how):
            found = engines.SHAPE.search(task.text())
            if found:
                self.shapes[target] = ",".join(found.groups())

        # A target that fails here also fails in its slices, which report it.
        command = [self._settings.binary("asan-ubsan", target), "-runs=0"]
        env = {"HRN_FUZZ_SAY": "shape"}
        return self._task(f"shape {target}", command, _SHAPE_SECONDS, done, env=env)

    # After fuzzing.

    def merges(self):
        """Yields a job for each target."""
        for target in self._settings.targets:
            with self._troubles.survives(f"merging {target}"):
                yield self._merge(target)

    def _merge(self, target):
        def done(_task, how):
            if how:
                self._troubles.add(f"merging {target} {how}; its corpus stays as it is")
            else:
                self._store.corpora.finish_merge(target)

        command = self._store.corpora.merge_command(target)
        env = {**lanes.sanitizer_environment(), "TMPDIR": str(self._store.out / "logs")}
        return self._task(f"merge {target}", command, _MERGE_SECONDS, done, env=env)

    def coverages(self):
        """Yields a job for each target that has a build for coverage."""
        for target in self._settings.targets:
            if self._settings.binary("coverage", target).exists():
                yield self._coverage(target)

    def _coverage(self, target):
        result = self._store.out / "coverage" / f"{target}.json"

        def done(_task, how):
            found = files.read_json(result)
            if how or not found:
                self._troubles.add(f"coverage of {target} {how}")
                return
            self.lines[target] = {
                path: lines
                for path, lines in found["lines"].items()
                if self._settings.counts(path)
            }
            self.kinds[target] = found["kinds"]

        binary = self._settings.binary("coverage", target)
        command = [sys.executable, "-m", "overnight.coverage", binary, result]
        command += self._store.corpora.all_of(target)
        return self._task(f"coverage {target}", command, _COVERAGE_SECONDS, done)

    def commit_corpora(self):
        """Copies the merged corpora to the source tree."""
        workspace, corpora = self._settings.workspace(), self._store.corpora
        for target in self._settings.targets:
            if not corpora.is_merged(target):
                self._troubles.add(f"--commit-corpus: {target}: not merged, nothing is copied")
                continue
            with self._troubles.survives(f"corpus/{target}"):
                self._say(f"corpus/{target}: {corpora.commit(target, workspace)} new inputs")


class _Task(job.Job):
    """A job that calls done(task, how) at its end. `how`: what went wrong, or None."""

    def __init__(self, troubles, done, *arguments, **options):
        self._troubles, self._done = troubles, done
        super().__init__(*arguments, **options)

    def failed_to_start(self, error):
        self._troubles.add(f"{self.name}: did not start: {error}")

    def ended(self):
        if self.forced == job.STOP:
            return
        how = "did not end in time" if self.forced else None
        if how is None and self.status != 0:
            how = self.how_it_ended()
        with self._troubles.survives(self.name):
            self._done(self, how)
