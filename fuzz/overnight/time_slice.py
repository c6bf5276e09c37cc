# SPDX-License-Identifier: Apache-2.0
"""A time slice: one process of the fuzzer, in one lane, on one target."""

from typing import NamedTuple

from . import engines, files, job, lanes

_BEGUN = "slice.json"


class Which(NamedTuple):
    """Identifies a slice, and names its folder."""

    number: int
    target: str
    lane: lanes.Lane

    def folder_name(self):
        """The folder's name in DIR/slices."""
        return f"{self.number:06}.{self.target}.{self.lane.name}"

    @staticmethod
    def of_folder(name):
        """Raises ValueError or KeyError if it is not the folder of a slice."""
        number, target, lane = name.split(".")
        return Which(int(number), target, lanes.BY_NAME[lane])


def begun(settings, clock, seconds, number):
    """A slice's parameters. Its folder holds them too, in case the runner is killed."""
    return {
        "seed": (settings.seed + number) % ((1 << 31) - 1) + 1,
        "seconds_wanted": max(1, round(seconds)),
        "began_at": clock.seconds(),
        # Filled in at the start.
        "before": {},
    }


def among(jobs):
    """The jobs that are slices."""
    return [running for running in jobs if isinstance(running, TimeSlice)]


def under_way(jobs):
    """Returns {(target, lane name): planned seconds of its slices}."""
    planned = {}
    for running in among(jobs):
        key = running.target, running.lane.name
        planned[key] = planned.get(key, 0.0) + running.seconds_wanted
    return planned


class TimeSlice(job.Job):
    """Its folder holds all that it writes besides the corpus. At the end it calls
    at_end(time_slice, None), or at_end(time_slice, error) if it could not start."""

    def __init__(self, settings, clock, store, which, start, at_end, shape=None):
        self._settings = settings
        self._clock = clock
        self._store = store
        self._at_end = at_end
        self._begun = start
        self.number, self.target, self.lane = which
        self.seconds_wanted = start["seconds_wanted"]
        self.seed = start["seed"]
        self.began_at = start["began_at"]
        self.engine = engines.ENGINES[self.lane.engine]
        self.binary = settings.binary(self.lane.variant, self.target)
        self.dictionary = settings.dictionary(self.target)
        self.mutator = settings.afl_mutator() if self.lane.engine == "afl" else None
        self.shape = shape
        self.folder = store.out / "slices" / which.folder_name()
        self.corpus = store.corpora.written_by(self.target, self.lane, self.folder)
        self.read_only = store.corpora.read_by(self.target, self.lane)
        self.state = store.out / "afl" / self.target
        self.n_kept = 0
        self.is_short = False
        super().__init__(
            f"{self.target}/{self.lane.name}",
            None,
            self.folder / "output",
            self.seconds_wanted + engines.GRACE_SECONDS,
            env=self._environment(),
            end_signal=self.engine.end_signal,
        )

    def _environment(self):
        return {**self.engine.environment(self), "TMPDIR": str(self.folder)}

    # The engines call these.

    def first_inputs(self):
        """Makes one folder with all inputs, for an engine that reads only one."""
        folder = self.folder / "inputs"
        self._store.corpora.gather(self.target, folder)
        return folder

    def before(self, name):
        """A total of the engine from before this slice; 0 if there was none."""
        return self._begun["before"].get(name) or 0

    def is_new(self, path):
        """True when a content is seen for the first time."""
        return self._store.corpora.is_new(self.state, path)

    def keep(self, path):
        """Adds an input to the common corpus, if it is new."""
        if self.is_new(path) and self._store.corpora.add(self.target, path.read_bytes()):
            self.n_kept += 1

    # The pool calls these.

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.corpus, self.state.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self._begun["before"] = self.engine.totals(self)
        path = self.folder / _BEGUN
        self._store.write(f"start of {self.name}", lambda: files.write_json(path, self._begun))
        self.command = self.engine.command(self, self._settings)
        super().start()

    def failed_to_start(self, error):
        self._at_end(self, error)

    def ended(self):
        job.end_leftovers(self.folder)
        self._at_end(self, None)

    # Its results.

    def fuzzed_seconds(self):
        """How long it has been fuzzing."""
        return self._clock.seconds() - self.began_at

    def ended_at(self):
        """When it ended, by the night's clock."""
        return self.began_at + self.fuzzed_seconds()

    def sample(self):
        """Its numbers so far."""
        return self.engine.numbers(self.tail(), self) if self.lane.engine == "libfuzzer" else None

    def numbers(self, text):
        """Its numbers, after the end."""
        return self.engine.numbers(text, self)

    def found(self):
        """The failing inputs that it saved."""
        return self.engine.findings(self)

    def died_of_its_corpus(self, text):
        """True: the input that killed it was in the corpus."""
        return not self.engine.has_read_corpus(text)

    def is_short_of_time(self, text):
        """True if it was killed at the end of the night before it reported its numbers, or after
        its slice while it still read its corpus. On a busy machine MSan may read for longer than a
        short night's slice and its grace period."""
        if self.forced is None or self.status in self.engine.good_statuses:
            return False
        return self.forced == job.STOP or self.engine.is_reading_corpus(text)

    def find_trouble(self):
        """Returns what went wrong, or None. An engine does not count the time in which it reads its
        corpus, so a process that runs late but exits on request behaved correctly."""
        if self.status in self.engine.good_statuses or self.forced == job.STOP or self.is_short:
            return None
        return "did not end in time" if self.forced else self.how_it_ended()


class LeftSlice(TimeSlice):
    """A slice whose runner was killed. Its folder has all that is needed to end it. It keeps its
    number when it is ended twice, so that nothing is counted twice."""

    def __init__(self, settings, clock, store, folder, at_end):
        """Raises ValueError or KeyError if it is not the folder of a slice."""
        which = Which.of_folder(folder.name)
        usual = begun(settings, clock, 0, which.number)
        start = {**usual, **files.read_json(folder / _BEGUN, {})}
        super().__init__(settings, clock, store, which, start, at_end)
        self.forced = job.STOP

    def was_started(self):
        """False: the runner was killed before it started the process."""
        return (self.folder / _BEGUN).exists()

    def is_short_of_time(self, _text):
        """False: the kill of its runner cut it off, not the end of its time."""
        return False

    def fuzzed_seconds(self):
        """The time until its last output, by the times of its files."""
        try:
            first, last = ((self.folder / name).stat().st_mtime for name in (_BEGUN, "output"))
        except OSError:
            return 0.0
        return min(max(last - first, 0.0), self.seconds_wanted + engines.GRACE_SECONDS)
