# SPDX-License-Identifier: Apache-2.0
"""Lanes: the ways to fuzz a target.

Blind generation finds arithmetic and life-cycle bugs sooner. Guidance finds bugs that need several
steps or magic sizes. Short inputs without seeds find what the seeds hide. MSan and TSan see what
ASan does not. AFL++ schedules and mutates differently. All lanes but `short` share one corpus.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Lane:
    """One lane. `variant` is a folder of builds (variants.bzl)."""

    name: str
    variant: str
    engine: str
    flags: tuple = ()
    seeded: bool = True
    generates: bool = False

    @property
    def reporting_variant(self):
        """The build that reports why an input fails: AFL++'s build only saves the input."""
        return "asan-ubsan" if self.engine == "afl" else self.variant


# So short that a program has about a dozen operations.
_SHORT_MAX_BYTES = 128

# In the order of their first slices: a night that is too short leaves out the last.
LANES = (
    Lane("seeded", "asan-ubsan", "libfuzzer"),
    Lane(
        "generator",
        "asan-ubsan",
        "libfuzzer",
        # One call of the mutator makes one complete input. No other mutation changes it.
        flags=("-mutate_depth=1", "-cross_over=0", "-len_control=0", "-reduce_inputs=0"),
        generates=True,
    ),
    Lane("msan", "msan", "libfuzzer"),
    Lane("tsan", "tsan", "libfuzzer"),
    Lane("afl", "afl", "afl"),
    Lane(
        "short",
        "asan-ubsan",
        "libfuzzer",
        flags=(f"-max_len={_SHORT_MAX_BYTES}",),
        seeded=False,
    ),
)

NAMES = tuple(lane.name for lane in LANES)
BY_NAME = {lane.name: lane for lane in LANES}

# The sanitizers of each build, for the report. MSan and TSan exclude all others.
SANITIZERS = {"asan-ubsan": "asan-ubsan", "msan": "msan", "tsan": "tsan", "afl": "asan-ubsan"}

UNIT_TIMEOUT_SECONDS = 10


def sanitizer_environment():
    """The environment of every fuzzed process: stack traces with names, a small quarantine."""
    symbolizer = ":external_symbolizer_path=/usr/bin/llvm-symbolizer-19"
    return {
        # A quarantine of default size takes half a gigabyte and a third of the time.
        "ASAN_OPTIONS": "quarantine_size_mb=10:dedup_token_length=3" + symbolizer,
        # The real rules_fuzzing builds UBSan so that it prints an error and continues.
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1" + symbolizer,
        "MSAN_OPTIONS": "dedup_token_length=3" + symbolizer,
        # Otherwise TSan prints a race but libFuzzer does not keep the input.
        "TSAN_OPTIONS": "halt_on_error=1" + symbolizer,
    }
