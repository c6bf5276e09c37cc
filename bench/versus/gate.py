# SPDX-License-Identifier: Apache-2.0
"""Compares instruction counts of the hot paths with checked-in figures, or writes new figures.

Usage: gate FIGURES [--update]
Exit status: 0 all are as they were, or NOT RUN, with the reason; 1 some are not; 2 a wrong call.
"""

import argparse
import pathlib
import subprocess
import sys

from . import competitors, measure

ROOT = pathlib.Path.cwd()
TOLERANCE = .03
HEAD = """\
# Instructions of an operation, as callgrind counts them: //bench:gate compares. A row, its figure.
# A change of more than 3 % fails, in both directions, so that a gain is kept. On purpose:
# ./bazelw run //bench:update_figures
"""


def read(text):
    """{row: figure}, in order. Raises ValueError."""
    figures = {}
    for n, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            name, figure = words
            figures[name] = float(figure)
        except ValueError:
            raise ValueError(f"line {n}: {line!r} is not a row and its figure") from None
    return figures


def write(counts):
    """The text of a file of figures."""
    return HEAD + "".join(f"{name:32} {count:.1f}\n" for name, count in counts.items())


def judge(figures, counts):
    """Lines that say how each row compares, and how many are not as they were."""
    lines, n_bad = [], 0
    for name, figure in figures.items():
        count = counts.get(name)
        if count is None:
            lines.append(f"FAILED  {name}: it was not counted")
            n_bad += 1
            continue
        change = count / figure - 1
        bad = abs(change) > TOLERANCE
        word = "FAILED" if bad else "ok"
        lines.append(f"{word:7} {name:32} {figure:9.1f} -> {count:9.1f}  {100 * change:+6.1f} %")
        n_bad += bad
    return lines, n_bad


def _why_not():
    """Why there is nothing to compare here, or None."""
    if competitors.valgrind() is None:
        return "valgrind is not installed"
    done = subprocess.run([ROOT / "bench/runner", "--build"], capture_output=True, text=True,
                          check=True)
    build = done.stdout.strip()
    return None if build == "plain" else f"the figures are those of another build: {build}"


def count(names):
    """{row: instructions} of this library. Raises measure.Failure."""
    runner = measure.Runner(ROOT, None)
    rows = [row for row in runner.rows() if row.name in names and row.is_counted]
    ours = competitors.Competitor("ours", competitors.OURS)
    counts, failures = measure.count_all(runner, [ours], rows, lambda _: None)
    if failures:
        raise measure.Failure("; ".join(failures))
    return {name: counts[name]["ours"] for name in names if name in counts}


def _gate(arguments):
    figures = read(arguments.figures.read_text(encoding="utf-8"))
    why_not = _why_not()
    if why_not is not None:
        print(f"NOT RUN: {why_not}")
        return 1 if arguments.update else 0
    counts = count(list(figures))
    lines, n_bad = judge(figures, counts)
    print("\n".join(lines))
    if arguments.update:
        arguments.figures.write_text(write(counts), encoding="utf-8")
        print(f"written: {arguments.figures}")
        return 1 if len(counts) != len(figures) else 0
    if n_bad > 0:
        print(f"{n_bad} of {len(figures)} are not as they were. If that is on purpose: "
              "./bazelw run //bench:update_figures")
    return 1 if n_bad > 0 else 0


def main():
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="gate", allow_abbrev=False)
    parser.add_argument("figures", type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    try:
        return _gate(parser.parse_args())
    except (OSError, ValueError, measure.Failure) as error:
        print(f"gate: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
