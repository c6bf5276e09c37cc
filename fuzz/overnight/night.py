# SPDX-License-Identifier: Apache-2.0
"""One night: its parts, and the order of its events."""

from . import (
    clock,
    compare,
    findings,
    folder,
    idleness,
    job,
    morning,
    plan,
    rows,
    status,
    time_slice,
)
from .account import Account
from .history import History
from .journal import Journal
from .screen import Screen
from .slices import Slices
from .store import Store
from .troubles import Troubles
from .work import Work

_POLL_SECONDS = 0.2
_SAMPLE_SECONDS = 5
# In a shorter night, triage waits until fuzzing has ended.
_LONG_NIGHT_SECONDS = 600


class Night:
    """Puts the parts together; no part knows it. `began`: what night.json holds; `stops` counts the
    requests to end."""

    def __init__(self, settings, out, began, stops):
        self.settings = settings
        self.began = began
        self.clock = clock.Clock()
        self.account = Account()
        self.pool = job.Pool(settings.n_jobs, self._add_mistake)
        self._stops = stops
        self._screen = Screen()
        self._troubles = Troubles(self._screen.say)
        self._store = Store(settings, out, self._troubles)
        self._sources = compare.read_sources(settings)
        parts = settings, self._store, self._troubles
        self._work = Work(*parts, self._screen.say)
        self.findings = findings.Findings(*parts, self._screen.say, began["id"])
        self._journal = Journal(self._store, self.account, self._troubles)
        self._slices = Slices(settings, self.clock, *parts[1:], self._journal, self.findings)
        self._status = status.Status(
            settings, self.clock, self.account, self.findings, lambda: self.pool.running
        )
        self._lanes_of = settings.built_lanes()
        self._looks_at_once = settings.seconds >= _LONG_NIGHT_SECONDS
        self._next_sample = 0.0
        self.ended_by = "time"

    def _add_mistake(self, failed):
        self._troubles.add_mistake(failed)

    def recover(self):
        """Continues a night that was killed: reads its findings and journal, ends its slices."""
        self.findings.recover()
        self._slices.recover(self._journal.recover())
        self._slices.count_from(self.account.last_number)
        self.clock.carry_on(self.account.last_t)

    # The order of events.

    def run(self):
        """Fuzzes, closes, and returns (the report, its folder)."""
        self._store.disk.put_aside()
        before = self.began.setdefault("corpus_before", {})
        for target in self.settings.targets:
            before.setdefault(target, self._store.corpora.count(target))
        self._store.begin(self.began)
        self._drain(self._work.opening(self.findings))
        self.clock.start()
        self._fuzz()
        self.clock.stop()
        self._close()
        return self._report()

    def _fuzz(self):
        left = self.settings.seconds - self.clock.seconds()
        end = clock.now() + left
        n_lanes = sum(map(len, self._lanes_of.values()))
        length = plan.slice_seconds(n_lanes, left * self.settings.n_jobs)
        while not self._stops() and clock.now() < end:
            self._start_what_fits(min(length, end - clock.now()))
            if not self.pool.running:
                if end - clock.now() > 1:
                    self.ended_by = "nothing left to run"
                break
            self._look_after()
        if self._stops():
            self.ended_by = self._stops.last()
        for running in time_slice.among(self.pool.running):
            running.ask_to_end(job.STOP)
        while time_slice.among(self.pool.running):
            self._look_after()

    def _start_what_fits(self, seconds):
        while self.pool.has_room():
            triage = self.findings.next_job() if self._looks_at_once else None
            if triage:
                self.pool.start(triage)
                continue
            under_way = time_slice.under_way(self.pool.running)
            choice = plan.choose(self._lanes_of, self.account, under_way)
            if choice is None or seconds < 1:
                return
            target, lane = choice
            shape = self._work.shapes.get(target)
            self.pool.start(self._slices.make(target, lane, seconds, shape))

    def _look_after(self):
        # First: when a process has ended, the next one starts without a wait.
        self._stops.wait(_POLL_SECONDS)
        self.pool.poll()
        self._sample()
        self._store.check()
        self._screen.show(self._status.text)

    def _drain(self, jobs, until=1):
        """Runs all jobs, unless the user asks to end for the `until`th time."""
        jobs = iter(jobs)
        while self._stops() < until:
            # Makes the jobs one by one: a merge begins with a copy of the seeds.
            while self.pool.has_room() and (waiting := next(jobs, None)):
                self.pool.start(waiting)
            if not self.pool.running:
                break
            self._look_after()
        self.pool.ask_all_to_end()
        while self.pool.running:
            self._look_after()

    def _close(self):
        """Triage, merging, coverage. A further request to end skips what is left of it."""
        idleness.judge(self._lanes_of, self.account, self._troubles, bool(self._stops()))
        until = self._stops() + 1
        self._status.phase = "looking into findings"
        self._drain(iter(self.findings.next_job, None), until)
        self._status.phase = "merging corpora"
        if not self._store.corpora.frozen:
            self._drain(self._work.merges(), until)
        self._status.phase = "measuring coverage"
        self._drain(self._work.coverages(), until)
        if self.settings.commits_corpus:
            self._work.commit_corpora()

    def _sample(self):
        now = clock.now()
        if now < self._next_sample:
            return
        self._next_sample = now + _SAMPLE_SECONDS
        for running in time_slice.among(self.pool.running):
            numbers = running.sample()
            if numbers and numbers.edges:
                at, name = self.clock.seconds(), running.lane.name
                self.account.sample(running.target, name, at, numbers.__dict__)

    # The report.

    def _report(self):
        history = History(self.settings.cache / "history")
        report = self._build(history)
        self._store.disk.release()
        self.findings.remember()
        return report, morning.write(report, self._sources, self._store, history, self._troubles)

    def _build(self, history):
        """Returns the content of report.json."""
        settings, corpora = self.settings, self._store.corpora
        found, troubles = self.findings.report(), list(self._troubles.sentences)
        targets = rows.Targets(settings, self.account, self._work, troubles)
        before, seconds = self.began["corpus_before"], self.clock.seconds()
        return {
            "format": 1,
            "verdict": morning.verdict(settings.targets, self.account, found, troubles),
            "night": rows.night(settings, self.began, seconds, self.ended_by, self._peaks()),
            "targets": [
                targets.row(name, built, before.get(name, 0), corpora.count(name))
                for name, built in self._lanes_of.items()
            ],
            "findings": found,
            "coverage": compare.coverage(
                self._work.lines, self._sources, settings, history
            ),
            "traces": self._work.traces,
            "history": history.rows(),
            "troubles": troubles,
        }

    def _peaks(self):
        disk = self._store.disk
        return {
            "rss_mb": self.account.rss_mb,
            "disk_mb": disk.peak_mb,
            "disk_free_mb": disk.least_free_mb,
        }


def begin(settings, out, before, stops):
    """Returns a new Night in a folder, or the one that was killed there."""
    night = Night(settings, out, folder.begin(settings, out, before), stops)
    if before is not None:
        night.recover()
    return night
