# SPDX-License-Identifier: Apache-2.0
"""The ways in which a target is fuzzed.

Blind generation finds arithmetic and life-cycle bugs sooner, guidance what needs states built up or
magic sizes, short inputs without seeds what the seeds hide; MSan and TSan see what ASan does not;
AFL++ has another schedule and other habits. All but `short` share one corpus.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Lane:
    """One way. `variant` is a folder of builds (variants.bzl)."""

    name: str
    variant: str
    engine: str
    flags: tuple = ()
    seeded: bool = True
    generates: bool = False

    @property
    def telling_variant(self):
        """The build that reports why an input fails: AFL++'s only saves it."""
        return "asan-ubsan" if self.engine == "afl" else self.variant


# Small enough that a program has a dozen operations.
_SHORT_MAX_BYTES = 128

# In the order of their first slices: a night that is too short leaves out the last.
LANES = (
    Lane("seeded", "asan-ubsan", "libfuzzer"),
    Lane(
        "generator",
        "asan-ubsan",
        "libfuzzer",
        # One call of the mutator makes one whole input, which nothing else touches.
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

# Of the build, for the report; MSan and TSan go together with nothing else.
SANITIZERS = {"asan-ubsan": "asan-ubsan", "msan": "msan", "tsan": "tsan", "afl": "asan-ubsan"}

UNIT_TIMEOUT_SECONDS = 10


def sanitizer_environment():
    """What every fuzzed process gets: stack traces with names, a small quarantine."""
    symbolizer = ":external_symbolizer_path=/usr/bin/llvm-symbolizer-19"
    return {
        # Without the first, freed memory alone is half a gigabyte and a third of the time.
        "ASAN_OPTIONS": "quarantine_size_mb=10:dedup_token_length=3" + symbolizer,
        # The real rules_fuzzing builds UBSan so that it prints an error and goes on.
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1" + symbolizer,
        "MSAN_OPTIONS": "dedup_token_length=3" + symbolizer,
        # Else a race is printed and the input not kept.
        "TSAN_OPTIONS": "halt_on_error=1" + symbolizer,
    }
