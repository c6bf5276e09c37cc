# SPDX-License-Identifier: Apache-2.0
"""Writes report.html: one file with its styles, scripts and data inside.

Chart.js (Debian's libjs-chart.js) draws the plots. dygraphs is better at millions of points, but
Chart.js takes plain numbers, needs no style sheet of its own, which the page's policy would refuse,
and fits its box, which a phone needs.
"""

import base64
import hashlib
import json
import os
import pathlib

import jinja2

from . import schema, view, words

CHART = pathlib.Path("/usr/share/javascript/chart.js/chart.min.js")

# The most characters of one text of a report: the operations of a long input may be megabytes.
MAX_TEXT = 20_000

_HERE = pathlib.Path(__file__).parent


class MissingPackage(Exception):
    """A Debian package is not installed; the message names it."""


def read_chart():
    """Returns the text of Chart.js. A night calls it at its start, so that it fails early."""
    try:
        return CHART.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingPackage(f"no {CHART}; install Debian's package libjs-chart.js") from None


def inline(text):
    """Checks that a script or style needs no escaping in a page, and hashes it for the policy."""
    lowered = text.lower()
    for word in ("</script", "<!--", "</style"):
        if word in lowered:
            raise ValueError(f"{word!r} in a script or style of the page")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"text": text, "hash": f"'sha256-{digest}'"}


def data(value):
    """Returns JSON that is safe in a script element, for any value."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _source(file):
    """The data of one file's lines. It is a block of its own, parsed when the file is opened."""
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
    """Returns the page's text. Raises schema.Invalid if the report does not match the schema."""
    schema.check(report)
    report, sources = words.visible(report, MAX_TEXT), words.visible(sources)
    seen = view.build(report, sources)
    files = seen["coverage"]["files"] if seen["coverage"] else []
    scripts = [read_chart()]
    scripts += [(_HERE / name).read_text(encoding="utf-8") for name in ("plots.js", "page.js")]
    return _environment().get_template("page.html").render(
        seen,
        scripts=[inline(text) for text in scripts],
        style=inline((_HERE / "page.css").read_text(encoding="utf-8")),
        plots_data=data(view.plots(report)),
        sources_data=[data(_source(file)) for file in files],
    )


def write_page(report, sources, path):
    """Writes the page of a report. `sources`: {path as in its coverage: text}.

    The page is replaced atomically: a full disk leaves an earlier page unchanged.
    """
    text = render(report, sources)
    path = pathlib.Path(path)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
