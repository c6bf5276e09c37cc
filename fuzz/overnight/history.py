# SPDX-License-Identifier: Apache-2.0
"""The reports of the last nights, kept to compare with."""

import contextlib

from . import files

_SHOWN = 7


class History:
    """A folder of report.json files by the id of their night."""

    def __init__(self, folder, night_id):
        self._folder = folder
        self._id = night_id

    def _paths(self):
        return [p for p in sorted(self._folder.glob("*.json")) if p.stem < self._id]

    def rows(self):
        """What the page compares with, oldest first."""
        rows = []
        for path in self._paths()[-_SHOWN:]:
            # Damaged, or of another format than today's.
            with contextlib.suppress(KeyError, TypeError, AttributeError):
                rows.append(self._row(files.read_json(path)))
        return rows

    def last_lines(self):
        """File: {line: times} of the last night that measured it."""
        for path in reversed(self._paths()):
            with contextlib.suppress(KeyError, TypeError, AttributeError):
                measured = files.read_json(path)["coverage"]["files"]
                return {row["path"]: dict(row["hits"].items()) for row in measured}
        return {}

    @staticmethod
    def _row(report):
        execs = [target["execs"] for target in report["targets"] if target["execs"] is not None]
        coverage = report["coverage"] or {}
        shown = ("execs_per_s", "edges", "lines_covered", "corpus_after")
        return {
            "id": report["night"]["id"],
            "seconds": report["night"]["seconds"],
            "execs": sum(execs) if execs else None,
            "lines_covered": coverage.get("lines_covered"),
            "lines_total": coverage.get("lines_total"),
            "findings": len(report["findings"]),
            "new_findings": sum(1 for finding in report["findings"] if not finding["known"]),
            "targets": {t["name"]: {name: t[name] for name in shown} for t in report["targets"]},
        }

    def add(self, report):
        """Keeps a report; those that nobody will compare with go."""
        files.write_json(self._folder / f"{self._id}.json", report)
        for path in sorted(self._folder.glob("*.json"))[: -_SHOWN - 1]:
            path.unlink()
