# SPDX-License-Identifier: Apache-2.0
"""What a night leaves: report.json, report.html, and a copy for comparison with later nights."""

import pathlib
import sys
import tempfile

from report import page

from . import files

NO_FINDING = 0
NEW_FINDINGS = 1
TROUBLE = 2
KNOWN_FINDINGS = 3


def _plural(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "s")


def verdict(names, account, findings, troubles):
    """How a night with these targets went: a word, a sentence and an exit status."""
    n_known = sum(1 for finding in findings if finding["known"])
    n_new = len(findings) - n_known
    execs = sum(lane.execs or 0 for lane in account.lanes.values())
    n_ran = sum(1 for name in names if account.of(name))
    part = "" if n_ran == len(names) else f"{n_ran} of "
    ran = f"{part}{_plural(len(names), 'target')}, {execs:,} inputs run"
    known = f" {_plural(n_known, 'known finding')} again." if n_known else ""
    ill = f" {_plural(len(troubles), 'trouble')}." if troubles else ""
    if n_new:
        word, status = "new findings", NEW_FINDINGS
        sentence = f"{_plural(n_new, 'new finding')}: {ran}.{known}{ill}"
    elif troubles:
        word, status = "trouble", TROUBLE
        sentence = f"Nothing new was found, but something did not run: {ran}.{known}{ill}"
    elif n_known:
        word, status = "known findings", KNOWN_FINDINGS
        sentence = f"Nothing new:{known} {ran}."
    else:
        word, status = "clean", NO_FINDING
        sentence = f"Nothing was found: {ran}."
    return {"word": word, "sentence": sentence, "exit_status": status}


def _write_to(folder, report, sources):
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / "report.json", report)
    try:
        page.write_page(report, sources, folder / "report.html")
    except ValueError as error:
        # A mistake of ours. The data is written, so a page can be made later.
        sys.stderr.write(f"no page: {error}\n")
        report["verdict"]["exit_status"] = report["verdict"]["exit_status"] or TROUBLE
    return folder


def write(report, sources, store, history, troubles):
    """Writes both files, to /dev/shm if the night's folder fails; returns their folder."""
    try:
        folder = _write_to(store.out, report, sources)
    except OSError as error:
        elsewhere = pathlib.Path(tempfile.mkdtemp(prefix="slabmill-report-", dir="/dev/shm"))
        troubles.announce(f"{store.out}: {error.strerror}; the report is in {elsewhere}")
        return _write_to(elsewhere, report, sources)
    with troubles.survives("memory of earlier nights"):
        history.add(report, sources)
    store.end()
    return folder
