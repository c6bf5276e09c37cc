# SPDX-License-Identifier: Apache-2.0
"""One turn of one lane on one target: a process of the fuzzer, and what it leaves."""

import shutil

from . import causes, engines, files, job


class Turn(job.Job):
    """Its folder holds all that it writes besides the corpus, until it is looked through."""

    def __init__(self, night, target, lane, seconds, number):
        settings = night.settings
        self.night = night
        self.target = target
        self.lane = lane
        self.seconds_wanted = max(1, round(seconds))
        self.number = number
        self.seed = (settings.seed + number) % ((1 << 31) - 1) + 1
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
        self.began_at = night.clock()
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

    def remembered(self, name):
        """A number that the engine kept from its last turn, or 0."""
        return files.read_json(self.state / "slabmill.json", {}).get(name, 0)

    def remember(self, **numbers):
        """Keeps numbers for the next turn."""
        files.write_json(self.state / "slabmill.json", numbers)

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
        self.command = self.engine.command(self, self.night.settings)
        super().start()

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
        trouble = None if found or cause else self._find_trouble()
        death = self.night.findings.found(self, found, text, cause) if found or cause else None
        self._append_log(text)
        self.night.turn_ended(self, numbers, death, trouble)
        shutil.rmtree(self.folder, ignore_errors=True)

    def died_of_its_corpus(self, text):
        """True: the input was there before."""
        return not self.engine.has_read_corpus(text)

    def _find_trouble(self):
        if self.forced == job.OVERRUN:
            return "did not end in time"
        if self.forced is None and self.status not in self.engine.good_statuses:
            return f"ended with status {self.status}: {self.last_words()}"
        return None

    def _append_log(self, text):
        path = self.night.out / "logs" / f"{self.target}-{self.lane.name}.log"
        with self.night.survives(f"log of {self.name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "a", encoding="utf-8") as log:
                log.write(text)
