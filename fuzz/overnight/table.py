# SPDX-License-Identifier: Apache-2.0
"""The table that ends a night."""

_HEAD = ("target", "execs", "exec/s", "ops/s", "edges", "new corpus", "findings")


def _rate(number, seconds):
    return None if number is None else round(number / max(seconds, 1e-9))


def _row(result):
    numbers = (
        result.execs,
        _rate(result.execs, result.seconds),
        _rate(result.ops, result.seconds),
        result.edges,
        result.n_new_corpus,
        result.n_findings,
    )
    # Processes that were interrupted or crashed may not have said their numbers.
    return (result.target,) + tuple("?" if n is None else f"{n:,}" for n in numbers)


def format_table(results):
    """Returns the table as text: names to the left, numbers to the right."""
    rows = [_HEAD] + [_row(result) for result in results]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells))
    return "\n".join(lines)
