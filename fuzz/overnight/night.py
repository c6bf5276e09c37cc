# SPDX-License-Identifier: Apache-2.0
"""One night: its folder, its journal, and the order of its events.

    DIR/night.json      what was asked for; there while the night is not over
    DIR/journal.jsonl   a line for each turn: all numbers of the report come from here
    DIR/turns/          folders of turns under way
    DIR/findings/       see findings.py
    DIR/logs/           what the fuzzers printed
    DIR/report.html     report.json: the end
"""

import contextlib
import errno
import fcntl
import itertools
import json
import shutil
import time
import traceback

from . import account, corpus, disk, files, findings, job, morning, plan, status, work
from .settings import Unusable

_POLL_SECONDS = 0.2
_SAMPLE_SECONDS = 5
# In a shorter one, what was found is looked into when the time for fuzzing is over.
_LONG_NIGHT_SECONDS = 600
# What a night needs of night.json to go on.
_BEGAN = {"id", "started", "sessions"}


class Night:
    """All state of a night. `stops` counts the requests to end."""

    def __init__(self, settings, out, began, sessions, stops):
        self.settings = settings
        self.out = out
        self.id = began["id"]
        self.began = began
        self.stops = stops
        self.sessions = sessions
        self.account = account.Account()
        self.sources = morning.read_sources(settings.workspace())
        self.corpora = corpus.Corpora(settings, out)
        self.disk = disk.Disk(out, settings.cache, settings.disk_mb)
        self.findings = findings.Findings(self)
        self.lanes_of = work.lanes_of(settings)
        self.shapes = {}
        self.kinds = {}
        self.lines = {}
        self.traces = []
        self.corpus_before = began.get("corpus_before", {})
        self.ended_by = "time"
        self.pool = job.Pool(settings.n_jobs, self._tell_mistake)
        self.status = status.Status(self)
        self._looks_at_once = settings.seconds >= _LONG_NIGHT_SECONDS
        self._n_turns = 0
        self._seconds_before = 0.0
        # Before the first turn, and behind the last, the clock stands still.
        self._started = self._fuzzes_until = time.monotonic()
        self._next_sample = 0.0

    # Time, words, and troubles that a night survives.

    def clock(self):
        """Seconds of fuzzing so far, over all sessions of this night."""
        now = time.monotonic() if self._fuzzes_until is None else self._fuzzes_until
        return self._seconds_before + now - self._started

    def say(self, sentence):
        """Tells the user at once."""
        self.status.line(sentence)

    @contextlib.contextmanager
    def survives(self, what):
        """A full disk is told, and the night goes on."""
        try:
            yield
        except OSError as error:
            sentence = f"{what}: {error.strerror or error}"
            if sentence not in self.account.troubles:
                self.say(f"TROUBLE {sentence}")
            self.account.add_trouble(sentence)

    def store(self, what, write):
        """Calls write; when the disk is full, once more with what was put aside."""
        with self.survives(what):
            try:
                write()
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                self._freeze(f"{what}: {error.strerror}")
                write()

    def _freeze(self, why):
        if self.corpora.frozen:
            return
        self.corpora.frozen = why
        self.disk.release()
        sentence = f"disk: new inputs are not kept any more: {why}"
        self.account.add_trouble(sentence)
        self.say(f"TROUBLE {sentence}")

    def _tell_mistake(self, failed):
        text = traceback.format_exc()
        self.account.add_trouble(f"{failed.name}: the runner failed: {text.splitlines()[-1]}")
        self.say(text)

    # The journal.

    def turn_ended(self, turn, numbers, death, trouble):
        """Called by each turn, once."""
        event = {
            "target": turn.target,
            "lane": turn.lane.name,
            "t": turn.ended_at(),
            "seconds": round(turn.fuzzed_seconds(), 2),
            "seconds_wanted": turn.seconds_wanted,
            "seed": turn.seed,
            "number": turn.number,
            "death": death,
            "trouble": trouble,
            "short_of_time": turn.is_short,
            "ended_on_request": turn.forced is not None,
            **numbers.__dict__,
        }
        self.account.apply(event)
        if trouble:
            self.say(f"TROUBLE {turn.name}: {trouble}")
        self._write(event)
        with self.survives("shared corpus"):
            self.corpora.exchange(turn.target)

    def _write(self, event):
        def write():
            with open(self.out / "journal.jsonl", "a", encoding="utf-8") as stream:
                # Before it, for the last line may have been cut off by a kill or a full disk.
                stream.write("\n" + json.dumps(event))

        self.store("journal", write)

    def recover(self):
        """Takes up a night that was killed: its turns, its findings, and what lay in turns."""
        accounted = set()
        self.findings.recover()
        for line in files.read_text(self.out / "journal.jsonl").splitlines():
            # A line may be cut off, or of another format than today's.
            with contextlib.suppress(ValueError, KeyError, TypeError):
                event = json.loads(line)
                self.account.apply(event)
                accounted.add(event["number"])
        for folder in sorted((self.out / "turns").glob("*")):
            with self.survives(f"what {folder.name} left"):
                work.harvest(self, folder, accounted)
        self._n_turns = self.account.last_number
        self._seconds_before = self.account.last_t

    # The order of events.

    def run(self):
        """Fuzzes, closes, and returns what the report holds."""
        self.disk.put_aside()
        for target in self.settings.targets:
            self.corpus_before.setdefault(target, self.corpora.count(target))
        self.began["corpus_before"] = self.corpus_before
        with self.survives("night.json"):
            files.write_json(self.out / "night.json", self.began)
        self._drain(work.opening(self))
        self._started, self._fuzzes_until = time.monotonic(), None
        self._fuzz()
        self._fuzzes_until = time.monotonic()
        self._close()
        return morning.write(self)

    def _fuzz(self):
        left = self.settings.seconds - self._seconds_before
        end = time.monotonic() + left
        n_lanes = sum(map(len, self.lanes_of.values()))
        length = plan.turn_seconds(n_lanes, left * self.settings.n_jobs)
        while not self.stops() and time.monotonic() < end:
            self._start_what_fits(min(length, end - time.monotonic()))
            if not self.pool.running:
                if end - time.monotonic() > 1:
                    self.ended_by = "nothing left to run"
                break
            self._look_after()
        if self.stops():
            self.ended_by = self.stops.last()
        for turn in work.turns(self.pool):
            turn.ask_to_end(job.STOP)
        while work.turns(self.pool):
            self._look_after()

    def _start_what_fits(self, seconds):
        while self.pool.has_room():
            triage = self.findings.next_job() if self._looks_at_once else None
            if triage:
                self.pool.start(triage)
                continue
            choice = plan.choose(self.lanes_of, self.account, work.under_way(self.pool))
            if choice is None or seconds < 1:
                return
            self._n_turns += 1
            self.pool.start(work.turn(self, *choice, seconds, self._n_turns))

    def _look_after(self):
        self.pool.poll()
        self._sample()
        self._check_disk()
        self._check_folder()
        self.status.show()
        self.stops.wait(_POLL_SECONDS)

    def _drain(self, jobs, until=1):
        """Runs jobs until there are no more, or it was asked to end so many times."""
        jobs = iter(jobs)
        while self.stops() < until:
            # Made one by one: a merge begins with a copy of the seeds.
            while self.pool.has_room() and (waiting := next(jobs, None)):
                self.pool.start(waiting)
            if not self.pool.running:
                break
            self._look_after()
        self.pool.ask_all_to_end()
        while self.pool.running:
            self._look_after()

    def _close(self):
        """What is left: findings, corpora, coverage. A second request to end leaves it out."""
        work.judge_idleness(self)
        until = self.stops() + 1
        self.status.phase = "looking into findings"
        self._drain(iter(self.findings.next_job, None), until)
        self.status.phase = "merging corpora"
        if not self.corpora.frozen:
            self._drain(work.merges(self), until)
        self.status.phase = "measuring coverage"
        self._drain(work.coverages(self), until)
        if self.settings.commits_corpus:
            work.commit_corpora(self)

    def _sample(self):
        now = time.monotonic()
        if now < self._next_sample:
            return
        self._next_sample = now + _SAMPLE_SECONDS
        for turn in work.turns(self.pool):
            numbers = turn.sample()
            if numbers and numbers.edges:
                self.account.sample(turn.target, turn.lane.name, self.clock(), numbers.__dict__)

    def _check_disk(self):
        with self.survives("disk"):
            why = self.disk.check()
            if why:
                self._freeze(why)

    def _check_folder(self):
        """Somebody may take it away; what comes from then on is kept."""
        if (self.out / ".lock").exists():
            return
        gone = "was taken away while the night ran, with what it had found until then"
        self.account.add_trouble(f"{self.out}: {gone}")
        self.say(f"TROUBLE {self.out}: {gone}")
        with self.survives("night.json"):
            files.write_json(self.out / "night.json", self.began)
            (self.out / ".lock").touch()


# Which folder.


def _candidates(settings):
    """(folder, True) of the last night that was killed, then new ones, for other runners take
    some."""
    nights = settings.cache / "nights"
    for left in sorted(nights.glob("*/night.json"))[-1:]:
        yield left.parent, True
    while True:
        yield _new_folder(nights), False


def _new_folder(nights):
    """Named after this second, of which there may be several: clocks are put back."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    others = (f"{stamp}-{n}" for n in itertools.count(2))
    names = itertools.chain([stamp], others)
    return next(nights / name for name in names if not (nights / name).exists())


def _is_foreign(out):
    """True if a folder holds what no night has written, and none may take away."""
    return out.is_dir() and any(out.iterdir()) and not (out / ".lock").exists()


def _lock(out):
    """Returns an open file that keeps other runners out, or None if there is one."""
    out.mkdir(parents=True, exist_ok=True)
    held = open(out / ".lock", "w", encoding="utf-8")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        return None
    return held


def take_folder(settings):
    """Returns (folder, its lock, what is known of the night there or None)."""
    wanted = settings.wanted_out
    for out, is_left in [(wanted, False)] if wanted else _candidates(settings):
        if _is_foreign(out):
            raise Unusable(f"--out {out}: is neither empty nor the folder of a night")
        held = _lock(out)
        if held is None:
            continue
        # Not earlier: another runner may have ended that night just now.
        before = files.read_json(out / "night.json")
        # What is damaged must not end every start from now on.
        if not is_left or (before and _BEGAN <= before.keys()):
            return out, held, before
        held.close()
    raise Unusable(f"--out {wanted}: another runner is at work there")


def begin(settings, out, before, stops):
    """Returns the Night in a folder: a new one, or the one that was killed there."""
    began = before or {
        "id": time.strftime("%Y%m%d-%H%M%S") if settings.wanted_out else out.name,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "sessions": 0,
    }
    began["sessions"] += 1
    began["seconds_planned"] = settings.seconds
    if before is None:
        # What an earlier night left here is over.
        for name in ("journal.jsonl", "left_out.json"):
            (out / name).unlink(missing_ok=True)
        for name in ("turns", "findings", "seeds", "short", "afl", "logs", "coverage", "merging"):
            shutil.rmtree(out / name, ignore_errors=True)
    night = Night(settings, out, began, began["sessions"], stops)
    if before is not None:
        night.recover()
    return night


