# SPDX-License-Identifier: Apache-2.0
"""The pieces of a night's work: which turns there are, traces, merges, coverage, leftovers."""

import shutil
import sys

from . import engines, files, job, lanes, machine, turn as turns_module

_TRACE_SECONDS = 600
_MERGE_SECONDS = 900
_COVERAGE_SECONDS = 900


def lanes_of(settings):
    """Target: the lanes that it has a build for."""
    return {
        target: [
            lane
            for lane in settings.lanes
            if settings.binary(lane.variant, target).exists()
            and (lane.engine != "afl" or machine.has_afl())
        ]
        for target in settings.targets
    }


def turn(night, target, lane, seconds, number):
    """A turn, not started yet."""
    begun = turns_module.plan(night, seconds, number)
    return turns_module.Turn(night, target, lane, number, begun)


def turns(pool):
    """Those of a pool's jobs that are turns."""
    return [running for running in pool.running if isinstance(running, turns_module.Turn)]


def under_way(pool):
    """(target, lane name): seconds planned."""
    planned = {}
    for running in turns(pool):
        key = running.target, running.lane.name
        planned[key] = planned.get(key, 0.0) + running.seconds_wanted
    return planned


class _Task(job.Job):
    """A job whose end is one call."""

    def __init__(self, night, name, command, seconds, done, **options):
        self._night, self._done = night, done
        output = night.out / "logs" / f"{name.replace('/', '-').replace(' ', '-')}.log"
        super().__init__(name, command, output, seconds, **options)

    def failed_to_start(self, error):
        self._night.account.add_trouble(f"{self.name}: did not start: {error}")

    def ended(self):
        if self.forced == job.STOP:
            return
        how = "did not end in time" if self.forced else None
        if how is None and self.status != 0:
            how = self.how_it_ended()
        with self._night.survives(self.name):
            self._done(self, how)


# Before the fuzzing: recorded traces, and what each target says of itself.


def opening(night):
    """The jobs."""
    if not night.settings.traces:
        night.account.add_trouble("no recorded traces were found")
    yield from (_trace(night, trace) for trace in night.settings.traces)
    yield from (_ask_shape(night, target) for target in night.settings.targets)


def _trace(night, trace):
    def done(task, how):
        text = task.text()
        night.traces.append({"name": trace.name, "status": task.status, "text": text.strip()})
        if how:
            kind = "timeout" if task.forced else f"status-{task.status}"
            night.findings.trace_failed(trace, kind, text)
        night.say(f"== {trace.name}\n{text.rstrip()}")

    runfiles = night.settings.runfiles
    command = [night.settings.slabmill, "replay", trace.relative_to(runfiles)]
    return _Task(night, f"trace {trace.name}", command, _TRACE_SECONDS, done, cwd=runfiles)


def _ask_shape(night, target):
    def done(task, _how):
        found = engines.SHAPE.search(task.text())
        if found:
            night.shapes[target] = ",".join(found.groups())

    # A target that cannot even do this says so in its turns.
    command = [night.settings.binary("asan-ubsan", target), "-runs=0"]
    return _Task(night, f"shape {target}", command, 60, done, env={"HRN_FUZZ_SAY": "shape"})


# After it.


def _may_have_operations(lane):
    """False if a lane said that it had none, or nothing where it would have said it. AFL++ does not
    pass on what a target says."""
    unsaid = lane.ops is None and lane.on_request == lane.turns
    return bool(lane.ops) or unsaid or lanes.BY_NAME[lane.lane].engine == "afl"


def judge_idleness(night):
    """A target that did no work is in trouble, even if all its processes ended well. A target that
    had too little time is not, unless no target ran."""
    for target in night.settings.targets:
        mine = night.account.of(target)
        if not night.lanes_of[target]:
            night.account.add_trouble(f"{target}: had no turn")
        elif any(lane.deaths or lane.troubles or lane.short_of_time for lane in mine) or not mine:
            continue
        elif not any(lane.execs for lane in mine):
            night.account.add_trouble(f"{target}: executed no input")
        elif not any(map(_may_have_operations, mine)):
            night.account.add_trouble(f"{target}: executed no allocator operation")
    ran = any(lane.execs or lane.deaths for lane in night.account.lanes.values())
    # A user that ends the night knows that it is not a whole one.
    if not (ran or night.account.troubles or night.stops()):
        night.account.add_trouble("no target executed an input")


def without_turn(night, target):
    """The names of a target's lanes that had no turn."""
    had = {lane.lane for lane in night.account.of(target)}
    return [lane.name for lane in night.lanes_of[target] if lane.name not in had]


def merges(night):
    """A job for each target."""
    for target in night.settings.targets:
        with night.survives(f"merging {target}"):
            yield _merge(night, target)


def _merge(night, target):
    def done(_task, how):
        if how:
            night.account.add_trouble(f"merging {target} {how}; its corpus stays as it is")
        else:
            night.corpora.finish_merge(target)

    command = night.corpora.merge_command(target)
    env = {**lanes.sanitizer_environment(), "TMPDIR": str(night.out / "logs")}
    return _Task(night, f"merge {target}", command, _MERGE_SECONDS, done, env=env)


def coverages(night):
    """A job for each target that has a build for it."""
    for target in night.settings.targets:
        if night.settings.binary("coverage", target).exists():
            yield _coverage(night, target)


def _coverage(night, target):
    result = night.out / "coverage" / f"{target}.json"

    def done(_task, how):
        found = files.read_json(result)
        if how or not found:
            night.account.add_trouble(f"coverage of {target} {how}")
            return
        night.lines[target] = found["lines"]
        night.kinds[target] = found["kinds"]

    command = [sys.executable, "-m", "overnight.coverage"]
    command += [night.settings.binary("coverage", target), result, *night.corpora.all_of(target)]
    return _Task(night, f"coverage {target}", command, _COVERAGE_SECONDS, done)


def commit_corpora(night):
    """Copies what is worth keeping into the source tree."""
    workspace = night.settings.workspace()
    for target in night.settings.targets:
        if not night.corpora.is_merged(target):
            night.account.add_trouble(f"--commit-corpus: {target}: not merged, nothing is copied")
            continue
        with night.survives(f"corpus/{target}"):
            night.say(f"corpus/{target}: {night.corpora.commit(target, workspace)} new inputs")


# After a kill.


def harvest(night, folder, accounted):
    """Ends a turn whose runner was killed, unless its number says that only its folder is left."""
    try:
        left = turns_module.LeftTurn(night, folder)
    except (KeyError, ValueError):
        night.account.add_trouble(f"{folder}: is no turn's folder")
        return
    if left.was_started() and left.number not in accounted:
        left.ended()
    shutil.rmtree(folder, ignore_errors=True)
