# SPDX-License-Identifier: Apache-2.0
"""How libFuzzer and AFL++ are started, and what they print: one class each, one interface."""

import dataclasses
import re
import signal

from . import files, lanes

# Slow units are none: they passed.
FINDING_PREFIXES = ("crash-", "timeout-", "oom-", "leak-")
# Past its slice a process is in trouble.
GRACE_SECONDS = 30


@dataclasses.dataclass
class Numbers:
    """What one slice came to; None: not said."""

    execs: int = None
    ops: int = None
    edges: int = None
    features: int = None
    features_at_start: int = None
    corpus: int = None
    new_inputs: int = 0
    rss_mb: int = None
    execs_per_s: float = None


def _last(pattern, text):
    found = pattern.findall(text)
    return int(found[-1]) if found else None


class LibFuzzer:
    """One process a slice. It writes what it keeps into the first folder that it is given."""

    end_signal = signal.SIGUSR1
    # Its own end, after an interrupt.
    good_statuses = (0, 72)
    # In the folder of the slice, and away with it.
    findings_stay = False

    _PULSE = re.compile(r"^#(\d+)\s+\w", re.MULTILINE)
    _EXECS = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)
    _NEW = re.compile(r"^stat::new_units_added:\s*(\d+)", re.MULTILINE)
    _RSS = re.compile(r"^stat::peak_rss_mb:\s*(\d+)", re.MULTILINE)
    _PULSE_RSS = re.compile(r"\brss: (\d+)Mb")
    _EDGES = re.compile(r"^#\d+\s.*\bcov: (\d+)", re.MULTILINE)
    _FEATURES = re.compile(r"^#\d+\s.*\bft: (\d+)", re.MULTILINE)
    _CORPUS = re.compile(r"^#\d+\s.*\bcorp: (\d+)", re.MULTILINE)
    _RATE = re.compile(r"^#\d+\s.*\bexec/s: (\d+)", re.MULTILINE)
    _READS = re.compile(r"^INFO: seed corpus: files: ", re.MULTILINE)
    _READ = re.compile(r"^#\d+\s+INITED\s.*\bft: (\d+)", re.MULTILINE)
    # The harness prints it when the process ends: slabmill: ops=<N> execs=<N> seconds=<S>
    _OPS = re.compile(r"^slabmill: ops=(\d+) execs=\d+ seconds=", re.MULTILINE)
    _NEW_LINE = re.compile(r"^#\d+\s+NEW\s", re.MULTILINE)

    @staticmethod
    def flags(lane, settings):
        """Those that are the same in each slice."""
        timeout = f"-timeout={lanes.UNIT_TIMEOUT_SECONDS}"
        return [*lane.flags, timeout, f"-rss_limit_mb={settings.rss_mb}", "-print_final_stats=1"]

    @classmethod
    def command(cls, time_slice, settings):
        """The folders: what is kept, then what is only read."""
        options = [
            f"-max_total_time={time_slice.seconds_wanted}",
            f"-artifact_prefix={time_slice.folder}/",
            f"-seed={time_slice.seed}",
            *cls.flags(time_slice.lane, settings),
        ]
        if time_slice.dictionary:
            options.append(f"-dict={time_slice.dictionary}")
        return [time_slice.binary, *options, time_slice.corpus, *time_slice.read_only]

    @staticmethod
    def totals(_slice):
        """What it has counted before a slice: each process counts anew."""
        return {}

    @staticmethod
    def environment(time_slice):
        """The seed of a generator goes by a variable of the harness."""
        generate = {"HRN_FUZZ_GENERATE": str(time_slice.seed)} if time_slice.lane.generates else {}
        return {**lanes.sanitizer_environment(), **generate}

    @classmethod
    def numbers(cls, text, _slice):
        """Reads a whole log. A process that was killed prints no totals: its last pulse counts."""
        execs = _last(cls._EXECS, text)
        new = _last(cls._NEW, text)
        rss = _last(cls._RSS, text)
        return Numbers(
            execs=_last(cls._PULSE, text) if execs is None else execs,
            ops=_last(cls._OPS, text),
            edges=_last(cls._EDGES, text),
            features=_last(cls._FEATURES, text),
            features_at_start=_last(cls._READ, text),
            corpus=_last(cls._CORPUS, text),
            new_inputs=len(cls._NEW_LINE.findall(text)) if new is None else new,
            rss_mb=_last(cls._PULSE_RSS, text) if rss is None else rss,
            # 0 is said in the first second, of whatever speed.
            execs_per_s=_last(cls._RATE, text) or None,
        )

    @classmethod
    def has_read_corpus(cls, text):
        """False: what it died of is among its seeds."""
        return cls._READ.search(text) is not None

    @classmethod
    def is_reading_corpus(cls, text):
        """True: the last thing that it did. It does not listen to end_signal meanwhile."""
        return cls._READS.search(text) is not None and not cls.has_read_corpus(text)

    @staticmethod
    def findings(time_slice):
        """The inputs that it saved; what it keeps is in the corpus already."""
        return [
            path
            for path in sorted(time_slice.folder.glob("*"))
            if path.name.startswith(FINDING_PREFIXES)
        ]


class Afl:
    """AFL++ keeps a folder of its own for each target from slice to slice."""

    end_signal = signal.SIGINT
    good_statuses = (0,)
    # The next start of the runner meets them again.
    findings_stay = True

    _FOLDER = "default"

    @staticmethod
    def flags(_lane, _settings):
        """Those that are the same in each slice. Its own limit of memory would stop ASan."""
        return ["-m", "none", "-t", f"{lanes.UNIT_TIMEOUT_SECONDS * 1000}"]

    @classmethod
    def command(cls, time_slice, settings):
        """Goes on where the last slice ended, if there was one."""
        again = (time_slice.state / cls._FOLDER / "fuzzer_stats").exists()
        options = ["-V", time_slice.seconds_wanted, "-s", time_slice.seed, "-o", time_slice.state]
        options += cls.flags(time_slice.lane, settings)
        options += ["-i", "-" if again else time_slice.first_inputs()]
        if time_slice.dictionary:
            options += ["-x", time_slice.dictionary]
        return ["afl-fuzz", *options, "--", time_slice.binary]

    @staticmethod
    def environment(time_slice):
        """Quiet, whatever the machine's settings; the same mutator as libFuzzer's."""
        env = {
            "AFL_SKIP_CPUFREQ": "1",
            "AFL_NO_AFFINITY": "1",
            "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1",
            "AFL_NO_UI": "1",
            # Each slice begins with all inputs of the slices before.
            "AFL_FAST_CAL": "1",
            "AFL_SKIP_CRASHES": "1",
            # It insists on these, and on none for the sanitizers that are not there.
            "ASAN_OPTIONS": "abort_on_error=1:symbolize=0:quarantine_size_mb=10:detect_leaks=0",
            "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:symbolize=0",
        }
        if time_slice.mutator and time_slice.shape:
            env["AFL_CUSTOM_MUTATOR_LIBRARY"] = str(time_slice.mutator)
            env["HRN_FUZZ_SHAPE"] = time_slice.shape
        return env

    @classmethod
    def totals(cls, time_slice):
        """What it has counted in all slices so far; None: not said."""
        text = files.read_text(time_slice.state / cls._FOLDER / "fuzzer_stats")
        lines = (line.split(":", 1) for line in text.splitlines() if ":" in line)
        pairs = {name.strip(): value.strip() for name, value in lines}
        names = ("execs_done", "edges_found", "corpus_count", "execs_per_sec")
        return {name: cls._number(pairs.get(name, "")) for name in names}

    @staticmethod
    def _number(text):
        return int(float(text)) if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text) else None

    @classmethod
    def numbers(cls, text, time_slice):
        """Its totals are over all slices; the difference to those before is this one's."""
        stats = cls.totals(time_slice)
        execs, edges = stats["execs_done"], stats["edges_found"]
        return Numbers(
            execs=None if execs is None else max(0, execs - time_slice.before("execs_done")),
            edges=edges,
            features=edges,
            features_at_start=time_slice.before("edges_found") or edges,
            corpus=stats["corpus_count"],
            new_inputs=time_slice.n_kept,
            execs_per_s=stats["execs_per_sec"],
        )

    @classmethod
    def has_read_corpus(cls, _text):
        """Crashing seeds are skipped."""
        return True

    @classmethod
    def is_reading_corpus(cls, _text):
        """It listens to end_signal at any time."""
        return False

    @classmethod
    def findings(cls, time_slice):
        """Crashes and hangs not seen before; new inputs go to the common corpus."""
        base = time_slice.state / cls._FOLDER
        for path in files.inputs_of(base / "queue"):
            # Not its state, and not what it was given.
            if path.name.startswith("id:") and "orig:" not in path.name:
                time_slice.keep(path)
        found = [p for name in ("crashes", "hangs") for p in files.inputs_of(base / name)]
        return [p for p in found if p.name.startswith("id:") and time_slice.is_new(p)]


ENGINES = {"libfuzzer": LibFuzzer, "afl": Afl}

# What a target says of its inputs: bytes of the head, of a record, and what its mutator needs.
SHAPE = re.compile(
    r"^slabmill: shape head=(\d+) record=(\d+) programs=(\d+) can=([0-9a-fx]+)", re.MULTILINE
)
