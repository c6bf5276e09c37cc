# SPDX-License-Identifier: Apache-2.0
"""Writes report.html: one file with its styles, scripts and data inside.

Plots are Chart.js's (Debian's libjs-chart.js): dygraphs is stronger at panning through millions of
points, but Chart.js is smaller to feed (plain numbers, no dates), needs no style sheet of its own,
which the page's policy would refuse, and sizes itself to its box, which a phone needs.
"""

import base64
import hashlib
import json
import os
import pathlib

import jinja2

from . import schema, view, words

CHART = pathlib.Path("/usr/share/javascript/chart.js/chart.min.js")

# Characters of one text of a report: the operations of a long input may fill megabytes.
MAX_TEXT = 20_000

_HERE = pathlib.Path(__file__).parent


class MissingPackage(Exception):
    """Something that Debian has is not installed; the message names the package."""


def read_chart():
    """Returns the plotting library's text. A night may call it early, to fail before it starts."""
    try:
        return CHART.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingPackage(f"no {CHART}; install Debian's package libjs-chart.js") from None


def _inline(text):
    """Checks that a script or style can stand in a page as it is, and hashes it for the policy."""
    lowered = text.lower()
    for word in ("</script", "<!--", "</style"):
        if word in lowered:
            raise ValueError(f"{word!r} in a script or style of the page")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"text": text, "hash": f"'sha256-{digest}'"}


def _data(value):
    """JSON that may stand in a script element, whatever is in it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _source(file):
    """What the drill-down needs of one file; a block of its own, parsed when it is opened."""
    return {key: file[key] for key in ("path", "text", "hits", "lost", "gained")}


def _environment():
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("number", "signed", "duration", "moment", "ranges", "label"):
        environment.filters[name] = getattr(words, name)
    environment.globals.update(percent=words.percent, measured=words.measured)
    return environment


def render(report, sources):
    """Returns the page's text. Raises schema.Invalid if the report is not one."""
    schema.check(report)
    report, sources = words.visible(report, MAX_TEXT), words.visible(sources)
    seen = view.build(report, sources)
    files = seen["coverage"]["files"] if seen["coverage"] else []
    scripts = [read_chart()]
    scripts += [(_HERE / name).read_text(encoding="utf-8") for name in ("plots.js", "page.js")]
    return _environment().get_template("page.html").render(
        seen,
        scripts=[_inline(text) for text in scripts],
        style=_inline((_HERE / "page.css").read_text(encoding="utf-8")),
        plots_data=_data(view.plots(report)),
        sources_data=[_data(_source(file)) for file in files],
    )


def write_page(report, sources, path):
    """Writes the page for a report; `sources` maps paths as in its coverage to text.

    The page appears whole or not at all: a full disk leaves an earlier one as it was.
    """
    text = render(report, sources)
    path = pathlib.Path(path)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
