# SPDX-License-Identifier: Apache-2.0
"""How libFuzzer and AFL++ are started, and how their output is read: one class each with the same
interface."""

import dataclasses
import re
import signal

from report import rates

from . import files, lanes

# Not slow-unit-: such an input passed.
FINDING_PREFIXES = ("crash-", "timeout-", "oom-", "leak-")
# A process that runs on for so long after its slice is in trouble.
GRACE_SECONDS = 30


@dataclasses.dataclass
class Numbers:
    """The results of one slice; None: not reported."""

    execs: int = None
    ops: int = None
    edges: int = None
    features: int = None
    features_at_start: int = None
    corpus: int = None
    new_inputs: int = 0
    rss_mb: int = None
    # So far in this slice.
    execs_per_s: float = None


def _last(pattern, text):
    found = pattern.findall(text)
    return int(found[-1]) if found else None


class LibFuzzer:
    """One process per slice. It writes the inputs that it keeps to the first folder given."""

    end_signal = signal.SIGUSR1
    # 72 is its own exit status after an interrupt.
    good_statuses = (0, 72)
    # Findings are in the slice's folder, and deleted with it.
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
        """The flags that are the same in each slice."""
        timeout = f"-timeout={lanes.UNIT_TIMEOUT_SECONDS}"
        return [*lane.flags, timeout, f"-rss_limit_mb={settings.rss_mb}", "-print_final_stats=1"]

    @classmethod
    def command(cls, time_slice, settings):
        """The folder to which it writes comes first, then those that it only reads."""
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
        """Totals before a slice: none, since each process counts from 0."""
        return {}

    @staticmethod
    def environment(time_slice):
        """A generator gets its seed through a variable of the harness."""
        generate = {"HRN_FUZZ_GENERATE": str(time_slice.seed)} if time_slice.lane.generates else {}
        return {**lanes.sanitizer_environment(), **generate}

    @classmethod
    def numbers(cls, text, _slice):
        """Reads a log. A killed process prints no totals, so its last status line counts."""
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
            # In the first second it prints 0 at any speed.
            execs_per_s=_last(cls._RATE, text) or None,
        )

    @classmethod
    def has_read_corpus(cls, text):
        """False: the process ended while it read its corpus."""
        return cls._READ.search(text) is not None

    @classmethod
    def is_reading_corpus(cls, text):
        """True: it began to read its corpus and did not finish. It ignores end_signal meanwhile."""
        return cls._READS.search(text) is not None and not cls.has_read_corpus(text)

    @staticmethod
    def findings(time_slice):
        """The failing inputs that it saved. Those that it keeps are in the corpus already."""
        return [
            path
            for path in sorted(time_slice.folder.glob("*"))
            if path.name.startswith(FINDING_PREFIXES)
        ]


class Afl:
    """AFL++ keeps a folder of its own for each target, from slice to slice."""

    end_signal = signal.SIGINT
    good_statuses = (0,)
    # Findings stay in its folder: the next start of the runner sees them again.
    findings_stay = True

    _FOLDER = "default"

    @staticmethod
    def flags(_lane, _settings):
        """The flags that are the same in each slice. AFL++'s own memory limit would stop ASan."""
        return ["-m", "none", "-t", f"{lanes.UNIT_TIMEOUT_SECONDS * 1000}"]

    @classmethod
    def command(cls, time_slice, settings):
        """Continues the last slice, if there was one."""
        again = (time_slice.state / cls._FOLDER / "fuzzer_stats").exists()
        options = ["-V", time_slice.seconds_wanted, "-s", time_slice.seed, "-o", time_slice.state]
        options += cls.flags(time_slice.lane, settings)
        options += ["-i", "-" if again else time_slice.first_inputs()]
        if time_slice.dictionary:
            options += ["-x", time_slice.dictionary]
        return ["afl-fuzz", *options, "--", time_slice.binary]

    @staticmethod
    def environment(time_slice):
        """Makes it accept any machine's settings, and gives it the mutator that libFuzzer has."""
        env = {
            "AFL_SKIP_CPUFREQ": "1",
            "AFL_NO_AFFINITY": "1",
            "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1",
            "AFL_NO_UI": "1",
            # Each slice begins with all inputs of the slices before.
            "AFL_FAST_CAL": "1",
            "AFL_SKIP_CRASHES": "1",
            # It refuses to start without these, and with options of other sanitizers.
            "ASAN_OPTIONS": "abort_on_error=1:symbolize=0:quarantine_size_mb=10:detect_leaks=0",
            "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:symbolize=0",
        }
        if time_slice.mutator and time_slice.shape:
            env["AFL_CUSTOM_MUTATOR_LIBRARY"] = str(time_slice.mutator)
            env["HRN_FUZZ_SHAPE"] = time_slice.shape
        return env

    @classmethod
    def totals(cls, time_slice):
        """Its counts over all slices so far; None: not reported."""
        text = files.read_text(time_slice.state / cls._FOLDER / "fuzzer_stats")
        lines = (line.split(":", 1) for line in text.splitlines() if ":" in line)
        pairs = {name.strip(): value.strip() for name, value in lines}
        names = ("execs_done", "edges_found", "corpus_count")
        return {name: cls._number(pairs.get(name, "")) for name in names}

    @staticmethod
    def _number(text):
        return int(float(text)) if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text) else None

    @classmethod
    def numbers(cls, text, time_slice):
        """AFL++ counts over all slices: subtracts the totals from before this one."""
        stats = cls.totals(time_slice)
        execs, edges = stats["execs_done"], stats["edges_found"]
        if execs is not None:
            execs = max(0, execs - time_slice.before("execs_done"))
        return Numbers(
            execs=execs,
            edges=edges,
            features=edges,
            features_at_start=time_slice.before("edges_found") or edges,
            corpus=stats["corpus_count"],
            new_inputs=time_slice.n_kept,
            execs_per_s=rates.of_one_process([(execs, time_slice.fuzzed_seconds())]),
        )

    @classmethod
    def has_read_corpus(cls, _text):
        """True: AFL++ skips seeds that crash."""
        return True

    @classmethod
    def is_reading_corpus(cls, _text):
        """False: AFL++ obeys end_signal at any time."""
        return False

    @classmethod
    def findings(cls, time_slice):
        """Crashes and hangs not seen before. Adds new inputs to the common corpus."""
        base = time_slice.state / cls._FOLDER
        for path in files.inputs_of(base / "queue"):
            # Skips AFL++'s state and the inputs that it was given.
            if path.name.startswith("id:") and "orig:" not in path.name:
                time_slice.keep(path)
        found = [p for name in ("crashes", "hangs") for p in files.inputs_of(base / name)]
        return [p for p in found if p.name.startswith("id:") and time_slice.is_new(p)]


ENGINES = {"libfuzzer": LibFuzzer, "afl": Afl}

# What a target prints about its inputs: bytes of the head, of a record, and what its mutator needs.
SHAPE = re.compile(
    r"^slabmill: shape head=(\d+) record=(\d+) programs=(\d+) can=([0-9a-fx]+)", re.MULTILINE
)
