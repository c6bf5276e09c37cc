# SPDX-License-Identifier: Apache-2.0
"""Makes the morning page again from its data.

From the root of the tree: PYTHONPATH=fuzz sh fuzz/report/python.sh -m report REPORT.json
Exit status 2: no page was made; stderr has the reason.
"""

import argparse
import json
import pathlib
import sys

from . import page, schema


def _arguments():
    parser = argparse.ArgumentParser(prog="report", description="Makes report.html from its data.")
    parser.add_argument("report", type=pathlib.Path, help="report.json of a night")
    parser.add_argument(
        "--sources",
        type=pathlib.Path,
        metavar="DIR",
        help="root of the source tree; without it the page shows only line numbers",
    )
    parser.add_argument("-o", "--output", type=pathlib.Path, default="report.html")
    return parser.parse_args()


def _read_sources(root, report):
    """Reads the files that the coverage names. Reports those that cannot be read."""
    sources = {}
    for file in (report["coverage"] or {"files": []})["files"]:
        path = (root / file["path"]).resolve()
        try:
            # A damaged report must not show files outside the tree.
            path.relative_to(root.resolve())
            sources[file["path"]] = path.read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError) as error:
            print(f"report: lines of {file['path']!r} are left out: {error}", file=sys.stderr)
    return sources


def _make(arguments):
    report = json.loads(arguments.report.read_text(encoding="utf-8"))
    schema.check(report)
    if arguments.sources is not None and not arguments.sources.is_dir():
        raise NotADirectoryError(f"--sources {arguments.sources}: no such folder")
    sources = _read_sources(arguments.sources, report) if arguments.sources else {}
    page.write_page(report, sources, arguments.output)


def main():
    """Returns the exit status."""
    arguments = _arguments()
    try:
        _make(arguments)
    except page.MissingPackage as error:
        print(f"report: {error}", file=sys.stderr)
    except OSError as error:
        print(f"report: {error}", file=sys.stderr)
    except ValueError as error:
        print(f"report: {arguments.report}: {error}", file=sys.stderr)
    else:
        return 0
    return 2


sys.exit(main())
