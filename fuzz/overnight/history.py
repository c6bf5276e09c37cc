# SPDX-License-Identifier: Apache-2.0
"""The reports of the last nights, kept for comparison."""

import contextlib
import re

from report import rates

from . import files

_SHOWN = 7
_SOURCES = ".sources"


def _measured(report):
    return {target["name"] for target in report["targets"] if target["lines_total"] is not None}


def _place(path):
    """Sorts by the number that a report's name begins with."""
    return int(re.match(r"\d*", path.stem).group() or 0), path.name


class History:
    """A folder of report.json files, numbered in order of arrival: times would be out of order
    after a clock was put back. Next to each report are the sources that it measured."""

    def __init__(self, folder):
        self._folder = folder

    def _paths(self):
        return sorted(self._folder.glob("*.json"), key=_place)

    def rows(self):
        """Returns a row for each of the last nights, oldest first."""
        rows = []
        for path in self._paths()[-_SHOWN:]:
            # A report may be damaged, or of another format than today's.
            with contextlib.suppress(KeyError, TypeError, AttributeError):
                rows.append(self._row(files.read_json(path)))
        return rows

    def last_lines(self, targets):
        """Returns (id, {file: ({line: times}, text or None)}) of the last night that measured only
        these targets: lines that only another target reaches would look lost. Returns (None, {}) if
        there is no such night."""
        for path in reversed(self._paths()):
            with contextlib.suppress(KeyError, TypeError, AttributeError):
                report = files.read_json(path)
                if not _measured(report) <= set(targets):
                    continue
                texts = files.read_json(path.with_suffix(_SOURCES), {})
                rows = report["coverage"]["files"]
                lines = {row["path"]: (dict(row["hits"]), texts.get(row["path"])) for row in rows}
                return report["night"]["id"], lines
        return None, {}

    @staticmethod
    def _row(report):
        execs = [target["execs"] for target in report["targets"] if target["execs"] is not None]
        coverage = report["coverage"] or {}
        shown = ("execs_per_s", "edges", "lines_covered", "corpus_after")
        return {
            "id": report["night"]["id"],
            "seconds": report["night"]["seconds"],
            "execs": sum(execs) if execs else None,
            "execs_per_s": rates.execs_per_s(report["targets"]),
            "lines_covered": coverage.get("lines_covered"),
            "lines_total": coverage.get("lines_total"),
            "findings": len(report["findings"]),
            "new_findings": sum(1 for finding in report["findings"] if not finding["known"]),
            "targets": {t["name"]: {name: t[name] for name in shown} for t in report["targets"]},
        }

    def add(self, report, sources):
        """Keeps a report, and deletes those that are too old to be compared with."""
        paths = self._paths()
        number = _place(paths[-1])[0] + 1 if paths else 1
        path = self._folder / f"{number}-{report['night']['id']}.json"
        files.write_json(path.with_suffix(_SOURCES), sources)
        files.write_json(path, report)
        for old in self._paths()[: -_SHOWN - 1]:
            old.unlink()
            old.with_suffix(_SOURCES).unlink(missing_ok=True)
