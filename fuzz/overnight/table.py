# SPDX-License-Identifier: Apache-2.0
"""The table that ends a night."""

_HEAD = ("target", "execs", "exec/s", "ops/s", "edges", "new corpus", "findings")


def _row(result):
    seconds = max(result.seconds, 1e-9)
    numbers = (
        result.execs,
        round(result.execs / seconds),
        round(result.ops / seconds),
        result.edges,
        result.n_new_corpus,
        result.n_findings,
    )
    return (result.target,) + tuple(f"{number:,}" for number in numbers)


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
