# SPDX-License-Identifier: Apache-2.0
"""The page: plots and tables, by the libraries of the morning page (fuzz/report)."""

import pathlib
import re

import jinja2

import report.page

from . import table

MissingPackage = report.page.MissingPackage

_HERE = pathlib.Path(__file__).parent / "templates"

# Cost against size: title, caption, {name of a line: rows with a size each}. The rows are those
# whose name matches; its one group is the size.
CURVES = (
    ("Tree: find, by keys", "time", r"zone/tree_find:(\d+)$"),
    ("Pool: objects after a reset, by objects", "time", r"pool/reset_(\d+[kM])$"),
    ("Pool: large blocks, by live blocks", "time", r"pool/large_(\d+)$"),
    ("Slab: 64 B, by fill in %", "time", r"slab/64B_fill_(\d+)$"),
    ("Slab: a run, by holes in front of it", "instructions", r"slab_nl/run_holes_(\d+)$"),
    ("Zone: a release, by releases in its transaction", "time", r"zone/zone_frees:(\d+)$"),
    ("Zone: repair, by bytes", "time", r"own/repair_(\d+\w+)$"),
)
SCALES = (
    ("Shared slab, 64 B, by processes", r"shared/64B_(\d+)$"),
    ("Shared slab, mixed sizes, by processes", r"shared/mixed_(\d+)$"),
    ("Transactions, by processes", r"zone/move_processes:(\d+)$"),
)
PEERS_MAX = 5  # of a plot


def check():
    """Raises MissingPackage where the page could not be made."""
    report.page.read_chart()


def _positive(value):
    """Logarithmic axes have no 0."""
    return value if value is None or value > 0 else None


def _lines(rows):
    """Datasets of rows that are points: ours, nginx, and some peers."""
    names = list(dict.fromkeys(peer for row in rows for peer in row["peers"]))
    names.sort(key=lambda name: name != "nginx")
    lines = [{"label": "ours", "data": [_positive(row["ours"]) for row in rows]}]
    for name in names[:PEERS_MAX]:
        lines.append({"label": name, "data": [_positive(row["peers"].get(name)) for row in rows]})
    return lines


def _points(rows, metric, pattern):
    found = [(re.search("^" + pattern, row["row"]), row) for row in rows if row["metric"] == metric]
    return [(match[1], row) for match, row in found if match]


def _series(rows, title, metric, pattern, caption, logarithmic):
    points = _points(rows, metric, pattern)
    if len(points) < 2:
        return None
    return {"type": "line", "title": title, "caption": caption, "size": "wide",
            "unit": points[0][1]["unit"], "logarithmic": logarithmic,
            "labels": [label for label, _ in points],
            "datasets": _lines([row for _, row in points])}


def _ratios(rows):
    judged = [row for row in rows if _positive(table.ratio(row)) is not None]
    if not judged:
        return None
    return {"type": "bar", "flat": True, "logarithmic": True, "title": "Ours divided by nginx's",
            "caption": "Green: the goal is met; red: it is not; grey: there is none. 1 is nginx.",
            "unit": "ratio", "size": "tall" if len(judged) > 20 else "wide",
            "labels": [f"{row['workload']}, {row['unit']}" for row in judged],
            "datasets": [{"label": "ratio", "data": [table.ratio(row) for row in judged],
                          "met": [table.is_met(row) for row in judged]}]}


def plots(rows):
    """The plots, as the script draws them."""
    drawn = [_ratios(rows)]
    drawn += [_series(rows, title, metric, pattern, "Lower is better.", True)
              for title, metric, pattern in CURVES]
    drawn += [_series(rows, title, "figure", pattern, "Million operations a second of all processes:"
                      " higher is better.", False) for title, pattern in SCALES]
    drawn.append(_series(rows, "Density: payload as a share of the region, by size of objects",
                         "figure", r"density/(\d+B)$", "Higher is better.", False))
    return [plot for plot in drawn if plot is not None]


def _environment():
    return jinja2.Environment(loader=jinja2.FileSystemLoader(_HERE), autoescape=True,
                              undefined=jinja2.StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)


def render(result):
    """The text of the page of a result, as compare.json has it."""
    rows = result["rows"]
    drawn = plots(rows)
    judged = [table.is_met(row) for row in rows if table.is_met(row) is not None]
    styles = [pathlib.Path(report.page.__file__).parent / "page.css", _HERE / "compare.css"]
    scripts = [report.page.read_chart(), (_HERE / "compare.js").read_text(encoding="utf-8")]
    return _environment().get_template("compare.html").render(
        machine=result["machine"],
        notes=result["notes"],
        failures=result["failures"],
        n_met=judged.count(True),
        n_judged=len(judged),
        plots=drawn,
        sections=table.sections(rows),
        plots_data=report.page.data(drawn),
        style=report.page.inline("".join(path.read_text(encoding="utf-8") for path in styles)),
        scripts=[report.page.inline(script) for script in scripts],
    )


def write(result, path):
    """Writes the page. An earlier page stays if that fails."""
    text = render(result)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
