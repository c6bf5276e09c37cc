# SPDX-License-Identifier: Apache-2.0
"""Measures this library and nginx, and writes the tables of docs/performance.md.

Usage: document PAGE
Exit status: 0 written; 1 something was not measured, so nothing is written; 2 a wrong call.
"""

import argparse
import pathlib
import re
import sys

from . import competitors, measure

ROOT = pathlib.Path.cwd()

# What the page calls an operation, and its row.
COSTS = {
    "lock and unlock a zone, nothing changed": "zone/zone_lock",
    "allocate and free in a zone, a transaction each": "zone/zone_alloc_free",
    "a transaction: delete and insert in tree and list": "zone/zone_move",
    "limit_req, known key": "zone/limit_known",
    "limit_req, new key in a full zone": "zone/limit_new",
    "tree insert, with a journal": "zone/tree_insert_journal:10000",
    "tree delete, with a journal": "zone/tree_delete_journal:10000",
    "tree insert, without a journal": "zone/tree_insert:10000",
    "tree delete, without a journal": "zone/tree_delete:10000",
    "tree search, 10,000 keys": "zone/tree_find:10000",
    "a pair in a slab with its lock": "slab/64B_random",
    "a pair in a slab, the caller holds the lock": "slab_nl/64B_random",
}
FIT = "zone/fit:"
NAMES = ("costs", "fit")
MARKS = ("<!-- table {}, by ./bazelw run //bench:update_page -->", "<!-- end of table {} -->")


def _table(head, right_from, lines):
    """A table of Markdown; cells from right_from on are numbers."""
    rule = ["---" if i < right_from else "---:" for i in range(len(head))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, rule, *lines])


def costs_table(counts, goals):
    """Raises KeyError: a row was not counted."""
    lines = []
    for text, name in COSTS.items():
        ours, nginx = counts[name]["ours"], counts[name]["nginx"]
        goal = f"{goals[name]:.1f}" if goals[name] else ""
        lines.append([text, f"{ours:,.0f}", f"{nginx:,.0f}", f"{ours / nginx:.1f}", goal])
    return _table(["operation", "ours", "nginx", "ratio", "goal"], 1, lines)


def fit_table(names, figures):
    """Raises KeyError: a row was not measured."""
    head = ["bytes", *(f"{int(name.removeprefix(FIT)):,}" for name in names)]
    lines = [[who, *(f"{figures[name][who]:,.0f}" for name in names)] for who in ("ours", "nginx")]
    return _table(head, 1, lines)


def put(text, name, table):
    """The page with another table between two marks. Raises ValueError: they are not there."""
    first, last = (mark.format(name) for mark in MARKS)
    found = re.compile(rf"({re.escape(first)}\n).*?(?={re.escape(last)}\n)", re.DOTALL)
    text, n_found = found.subn(lambda match: f"{match[1]}\n{table}\n", text)
    if n_found != 1:
        raise ValueError(f"expected once: {first} ... {last}")
    return text


def ours_of(text):
    """{row: the page's figure of ours} of the operations that the page has."""
    cells = re.findall(r"^\| ([^|]+) \| ([\d,]+) \| [\d,]+ \| [\d.]+ \|", text, re.MULTILINE)
    return {COSTS[name]: int(ours.replace(",", "")) for name, ours in cells if name in COSTS}


def _say(text):
    print(f"update_page: {text}", file=sys.stderr, flush=True)


def _nginx(folder):
    found, absent = competitors.find(ROOT, folder, {"zone"}, [], _say)
    nginx = [one for one in found if one.is_nginx]
    if not nginx:
        raise measure.Failure(f"nginx: {absent.get('nginx', 'absent')}")
    return nginx[0]


def _measured(folder):
    """The tables. Raises measure.Failure."""
    if competitors.valgrind() is None:
        raise measure.Failure("valgrind is not installed")
    both = [competitors.Competitor("ours", competitors.OURS), _nginx(folder)]
    runner = measure.Runner(ROOT, both[1].plugin)
    rows = runner.rows()
    goals = {row.name: row.goal for row in rows}
    counts, failures = measure.count_all(
        runner, both, [row for row in rows if row.name in COSTS.values()], _say)
    fit = [row for row in rows if row.name.startswith(FIT)]
    figures, failed = measure.time_all(runner, both, fit, 1, ["--seconds", "0.01"], _say)
    if failures + failed:
        raise measure.Failure("; ".join(failures + failed))
    try:
        return {"costs": costs_table(counts, goals),
                "fit": fit_table([row.name for row in fit], figures)}
    except KeyError as error:
        raise measure.Failure(f"not measured: {error.args[0]}") from None


def main():
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="update_page", allow_abbrev=False)
    parser.add_argument("page", type=pathlib.Path)
    path = parser.parse_args().page
    try:
        text = path.read_text(encoding="utf-8")
        for name in NAMES:
            put(text, name, "")
        tables = _measured(path.parents[1] / "bench-out" / "peers")
        for name in NAMES:
            text = put(text, name, tables[name])
        path.write_text(text, encoding="utf-8")
    except measure.Failure as failure:
        _say(f"NOT WRITTEN: {failure}")
        return 1
    except (OSError, ValueError) as error:
        _say(f"error: {error}")
        return 2
    print("\n".join(tables.values()) + f"\nwritten: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
