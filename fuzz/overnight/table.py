# SPDX-License-Identifier: Apache-2.0
"""The table that ends a night."""

_CAPTION = "Targets, over all their lanes; exec/s and ops/s are those of one process"
_COLUMNS = (
    ("target", lambda t: t["name"]),
    ("execs", lambda t: t["execs"]),
    ("exec/s", lambda t: t["execs_per_s"]),
    ("ops/s", lambda t: t["ops_per_s"]),
    ("edges", lambda t: t["edges"]),
    ("lines", lambda t: t["lines_covered"]),
    ("corpus", lambda t: t["corpus_after"]),
    ("new", lambda t: sum(lane["new_inputs"] for lane in t["lanes"])),
    ("findings", lambda t: t["n_findings"]),
)


def _cell(value):
    # A process that was interrupted or crashed may not have reported its numbers.
    if value is None:
        return "?"
    return value if isinstance(value, str) else f"{round(value):,}"


def format_table(report):
    """Returns the table as text: a caption, then names to the left, numbers to the right."""
    n_findings = {}
    for finding in report["findings"]:
        n_findings[finding["target"]] = n_findings.get(finding["target"], 0) + 1
    rows = [[name for name, _ in _COLUMNS]]
    for target in report["targets"]:
        values = {**target, "n_findings": n_findings.get(target["name"], 0)}
        rows.append([_cell(value(values)) for _, value in _COLUMNS])
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    lines = [_CAPTION]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells))
    return "\n".join(lines)
