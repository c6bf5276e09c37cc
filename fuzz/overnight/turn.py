# SPDX-License-Identifier: Apache-2.0
"""One turn of one lane on one target: a process of the fuzzer, and what it leaves."""

import shutil

from . import causes, engines, files, job, lanes

_BEGUN = "turn.json"
# Of one turn, in a log of all: there may be thousands.
_MOST_LOG = 1 << 16


def plan(night, seconds, number):
    """What a turn begins with; it lies in the turn's folder for the case that the runner is
    killed."""
    return {
        "seed": (night.settings.seed + number) % ((1 << 31) - 1) + 1,
        "seconds_wanted": max(1, round(seconds)),
        "began_at": night.clock(),
        # Filled in at the start.
        "before": {},
    }


class Turn(job.Job):
    """Its folder holds all that it writes besides the corpus, until it is looked through."""

    def __init__(self, night, target, lane, number, begun):
        settings = night.settings
        self.night = night
        self.target = target
        self.lane = lane
        self.number = number
        self._begun = begun
        self.seconds_wanted = begun["seconds_wanted"]
        self.seed = begun["seed"]
        self.began_at = begun["began_at"]
        self.engine = engines.ENGINES[lane.engine]
        self.binary = settings.binary(lane.variant, target)
        self.dictionary = settings.dictionary(target)
        self.mutator = settings.afl_mutator() if lane.engine == "afl" else None
        self.shape = night.shapes.get(target)
        self.folder = night.out / "turns" / f"{number:06}.{target}.{lane.name}"
        self.corpus = night.corpora.written_by(target, lane, self.folder)
        self.read_only = night.corpora.read_by(target, lane)
        self.state = night.out / "afl" / target
        self.n_kept = 0
        self.is_short = False
        super().__init__(
            f"{target}/{lane.name}",
            None,
            self.folder / "output",
            self.seconds_wanted + engines.GRACE_SECONDS,
            env=self._environment(),
            end_signal=self.engine.end_signal,
        )

    def _environment(self):
        return {**self.engine.environment(self), "TMPDIR": str(self.folder)}

    # What the engines ask.

    def first_inputs(self):
        """One folder with all that is known, for an engine that reads only one."""
        folder = self.folder / "inputs"
        self.night.corpora.gather(self.target, folder)
        return folder

    def before(self, name):
        """A total of the engine's, as it was when this turn began; 0 if there was none."""
        return self._begun["before"].get(name) or 0

    def is_new(self, path):
        """True once for each content."""
        return self.night.corpora.is_new(self.state, path)

    def keep(self, path):
        """Adds an input to the common corpus, if it is new there."""
        if self.is_new(path) and self.night.corpora.add(self.target, path.read_bytes()):
            self.n_kept += 1

    # What the pool calls.

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.corpus, self.state.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self._begun["before"] = self.engine.totals(self)
        begun = self.folder / _BEGUN
        self.night.store(f"start of {self.name}", lambda: files.write_json(begun, self._begun))
        self.command = self.engine.command(self, self.night.settings)
        super().start()

    def fuzzed_seconds(self):
        """How long it has had its turn."""
        return self.night.clock() - self.began_at

    def ended_at(self):
        """By the clock of the night."""
        return self.began_at + self.fuzzed_seconds()

    def sample(self):
        """Its numbers so far."""
        return self.engine.numbers(self.tail(), self) if self.lane.engine == "libfuzzer" else None

    def failed_to_start(self, error):
        self.night.turn_ended(self, engines.Numbers(), None, f"did not start: {error}")

    def ended(self):
        job.end_leftovers(self.folder)
        text = self.text()
        found = self.engine.findings(self)
        numbers = self.engine.numbers(text, self)
        cause = causes.classify(text)
        failed = bool(found or cause)
        self.is_short = not failed and self.is_short_of_time(text)
        trouble = None if failed else self.find_trouble()
        death = self.night.findings.found(self, found, text, cause) if failed else None
        self._append_log(text)
        self.night.turn_ended(self, numbers, death, trouble)
        shutil.rmtree(self.folder, ignore_errors=True)

    def died_of_its_corpus(self, text):
        """True: the input was there before."""
        return not self.engine.has_read_corpus(text)

    def is_short_of_time(self, text):
        """True: it had to be killed at the end of the night, and could not say its numbers, or at the
        end of its turn while it read its corpus. MSan on a busy machine reads for longer than a short
        night's turn and its grace."""
        if self.forced is None or self.status in self.engine.good_statuses:
            return False
        return self.forced == job.STOP or self.engine.is_reading_corpus(text)

    def find_trouble(self):
        """What went wrong, None: nothing. An engine does not count the reading of its corpus as time:
        a process that ends when it is asked to did as it should."""
        if self.status in self.engine.good_statuses or self.forced == job.STOP or self.is_short:
            return None
        return "did not end in time" if self.forced else self.how_it_ended()

    def _append_log(self, text):
        path = self.night.out / "logs" / f"{self.target}-{self.lane.name}.log"
        with self.night.survives(f"log of {self.name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "a", encoding="utf-8") as log:
                log.write(files.shorten(text, _MOST_LOG))


class LeftTurn(Turn):
    """One whose runner was killed. Its folder has all that is needed to end it; a number that does
    not change when it is ended twice is its own, so that nothing is counted twice."""

    def __init__(self, night, folder):
        """Raises ValueError or KeyError if it is no turn's folder."""
        number, target, lane = folder.name.split(".")
        begun = {**plan(night, 0, int(number)), **files.read_json(folder / _BEGUN, {})}
        super().__init__(night, target, lanes.BY_NAME[lane], int(number), begun)
        self.forced = job.STOP

    def was_started(self):
        """False: it was killed on the way."""
        return (self.folder / _BEGUN).exists()

    def is_short_of_time(self, _text):
        """The kill of its runner cut it off, not the end of its time."""
        return False

    def fuzzed_seconds(self):
        """Until the last that it printed, as far as the clock on the wall tells."""
        try:
            first, last = ((self.folder / name).stat().st_mtime for name in (_BEGUN, "output"))
        except OSError:
            return 0.0
        return min(max(last - first, 0.0), self.seconds_wanted + engines.GRACE_SECONDS)
