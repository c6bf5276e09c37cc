# SPDX-License-Identifier: Apache-2.0
"""Reads what a libFuzzer process and the harness print on stderr."""

import dataclasses
import re

# The harness prints it when the process ends: slabmill: ops=<N> execs=<N> seconds=<S>
_OPS = re.compile(r"^slabmill: ops=(\d+) execs=\d+ seconds=", re.MULTILINE)
_EXECS = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)
_NEW_UNITS = re.compile(r"^stat::new_units_added:\s*(\d+)", re.MULTILINE)
_PULSE = re.compile(r"^#(\d+)\s", re.MULTILINE)
_EDGES = re.compile(r"^#\d+\s.*\bcov: (\d+)", re.MULTILINE)

_SUMMARY = re.compile(r"^SUMMARY: (\w+): (\S+)", re.MULTILINE)
_RUNTIME_ERROR = re.compile(r"runtime error: ([a-z -]+)")
_FRAME = re.compile(r"^\s+#\d+ 0x[0-9a-f]+ in (\w+)", re.MULTILINE)


@dataclasses.dataclass
class Stats:
    """One process's work. Numbers that it did not print are None."""

    execs: int
    ops: int
    edges: int
    new_units: int


def _last(pattern, text):
    found = pattern.findall(text)
    return int(found[-1]) if found else None


def parse_stats(text):
    """Reads a log. A process that was killed prints no totals: its last pulse counts instead."""
    execs = _last(_EXECS, text)
    return Stats(
        execs=_last(_PULSE, text) if execs is None else execs,
        ops=_last(_OPS, text),
        edges=_last(_EDGES, text),
        new_units=_last(_NEW_UNITS, text),
    )


def classify(text):
    """Names a finding after its error and the first of our functions on the stack."""
    summary = _SUMMARY.search(text)
    error = summary.group(2) if summary else "died"
    runtime = _RUNTIME_ERROR.search(text)
    if runtime:
        error = runtime.group(1)
    ours = [name for name in _FRAME.findall(text) if name.startswith(("slm_", "hrn_"))]
    words = [error] + ours[:1]
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(words)).strip("-")
