# SPDX-License-Identifier: Apache-2.0
"""The result: rows as JSON has them, a table for the terminal, and CSV."""

import csv

SOURCE_GOAL = 1.15


def _number(value):
    if value is None:
        return "-"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= .1 else f"{value:.4f}"


def _goal(row, figures):
    """A pool adds at most 15 % to what its source takes for large blocks."""
    source, nginx = figures.get("source alone"), figures.get("nginx")
    if row.name.startswith("pool/large_"):
        return SOURCE_GOAL * source / nginx if source and nginx else None
    return row.goal or None


def build(rows, medians, counts):
    """A list of rows: one for the time or figure of each workload, one for its instructions."""
    built = []
    for row in rows:
        kinds = [("time" if row.unit in ("", "ns", "ms") else "figure", row.unit or "ns", medians)]
        if row.is_counted:
            kinds.append(("instructions", "instructions", counts))
        for metric, unit, figures in kinds:
            found = dict(figures.get(row.name, {}))
            if row.group == "slab_nl":
                found = {**_heaps(figures, row), **found}
            if not found:
                continue
            goal = _goal(row, found)
            built.append({
                "row": row.name,
                "workload": row.text,
                "metric": metric,
                "unit": unit,
                "lower_is_better": not row.higher_is_better,
                "ours": found.pop("ours", None),
                "peers": found,
                "goal": goal,
            })
    return built


def _heaps(figures, row):
    """Heaps have no lock: what they took in the group with the lock is their figure here too."""
    with_lock = figures.get(row.runner_name, {})
    return {who: value for who, value in with_lock.items() if who not in ("ours", "nginx")}


def ratio(row):
    """Ours divided by nginx's, or None."""
    nginx = row["peers"].get("nginx")
    return row["ours"] / nginx if row["ours"] is not None and nginx else None


def is_met(row):
    """Whether the goal is met; None: there is none, or no figure."""
    found = ratio(row)
    if found is None or row["goal"] is None:
        return None
    return found <= row["goal"] if row["lower_is_better"] else found >= row["goal"]


def _cells(row, peers):
    unit = "I" if row["unit"] == "instructions" else row["unit"]
    return [unit, _number(row["ours"]), *(_number(row["peers"].get(peer)) for peer in peers),
            _number(ratio(row)), _number(row["goal"])]


def _peers(rows):
    """nginx first."""
    peers = list(dict.fromkeys(peer for row in rows for peer in row["peers"]))
    return sorted(peers, key=lambda peer: peer != "nginx")


def sections(built):
    """The rows of each group, with their cells as texts."""
    found = []
    for group in dict.fromkeys(row["row"].split("/")[0] for row in built):
        rows = [row for row in built if row["row"].split("/")[0] == group]
        peers = _peers(rows)
        found.append({
            "name": group,
            "peers": peers,
            "rows": [{"workload": row["workload"], "cells": _cells(row, peers),
                      "met": is_met(row)} for row in rows],
        })
    return found


def _lines(section):
    met = {None: "", True: "met", False: "not met"}
    lines = [["workload", "", "ours", *section["peers"], "ours/nginx", "goal", ""]]
    lines += [[row["workload"], *row["cells"], met[row["met"]]] for row in section["rows"]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        cells = [line[0].ljust(widths[0]), line[1].ljust(widths[1])]
        cells += [cell.rjust(width) for cell, width in zip(line[2:], widths[2:])]
        yield "  ".join(cells).rstrip()


def text(built):
    """The table, a section for each group of rows."""
    lines = []
    for section in sections(built):
        lines += [*_lines(section), ""]
    judged = [is_met(row) for row in built if is_met(row) is not None]
    lines.append(f"goals: {judged.count(True)} met of {len(judged)}; 'I': instructions")
    return "\n".join(lines)


def write_csv(built, path):
    peers = list(dict.fromkeys(peer for row in built for peer in row["peers"]))
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["row", "workload", "metric", "unit", "lower_is_better", "ours", *peers,
                      "ratio_to_nginx", "goal"])
        for row in built:
            out.writerow([row["row"], row["workload"], row["metric"], row["unit"],
                          row["lower_is_better"], row["ours"],
                          *(row["peers"].get(peer) for peer in peers), ratio(row), row["goal"]])
