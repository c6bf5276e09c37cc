# SPDX-License-Identifier: Apache-2.0
"""What is there in the morning: report.json, report.html, and the memory of earlier nights."""

import difflib
import pathlib
import sys
import tempfile
import time

from report import page

from . import account, coverage, engines, files, lanes, machine, work
from .history import History

NO_FINDING = 0
NEW_FINDINGS = 1
TROUBLE = 2
KNOWN_FINDINGS = 3

# Of its time without anything new, from which on a target counts as stalled.
_STALLED = 0.5


def _plural(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _verdict(night, n_new, n_known, troubles):
    execs = _total(night, "execs")
    n_targets = len(night.settings.targets)
    n_ran = sum(1 for name in night.settings.targets if night.account.of(name))
    part = "" if n_ran == n_targets else f"{n_ran} of "
    ran = f"{part}{_plural(n_targets, 'target')}, {execs or 0:,} inputs run"
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


def _total(night, name):
    total = None
    for lane in night.account.lanes.values():
        total = account.add(total, getattr(lane, name))
    return total


def _lane(mine, settings):
    lane = lanes.BY_NAME[mine.lane]
    # The harness takes it from the environment.
    generates = ["HRN_FUZZ_GENERATE=SEED"] if lane.generates else []
    return {
        "name": mine.lane,
        "engine": lane.engine,
        "sanitizer": lanes.SANITIZERS[lane.variant],
        "seconds": round(mine.seconds, 1),
        "slices": mine.turns,
        "seeds": mine.seeds,
        "flags": [*generates, *engines.ENGINES[lane.engine].flags(lane, settings)],
        "execs": mine.execs,
        "ops": mine.ops,
        "edges": mine.edges,
        "new_inputs": mine.new_inputs,
        "deaths": mine.deaths,
        "short_of_time": mine.short_of_time,
        "given_up": mine.given_up,
    }


def _joined(rows, name):
    """The different values, in order of first sight."""
    return "+".join(dict.fromkeys(row[name] for row in rows))


def _rate(mine, name):
    """A second of the lanes that said it."""
    said = [lane for lane in mine if getattr(lane, name) is not None and lane.seconds > 0]
    seconds = sum(lane.seconds for lane in said)
    return round(sum(getattr(lane, name) for lane in said) / seconds, 1) if seconds else None


def _edges(mine):
    """Of the builds under ASan by libFuzzer: counters of different builds do not compare."""
    best = None
    for lane in mine:
        if lanes.BY_NAME[lane.lane].variant == "asan-ubsan":
            best = account.most(best, lane.edges)
    return best


def _lines(files_of_target):
    """(covered, all) of allocator/, or None twice."""
    if files_of_target is None:
        return None, None
    hits = [
        times
        for path, lines in files_of_target.items()
        if path.startswith("allocator/")
        for times in lines.values()
    ]
    return sum(1 for times in hits if times), len(hits)


def _target(night, name):
    mine = night.account.of(name)
    rows = [_lane(lane, night.settings) for lane in mine]
    covered, total = _lines(night.lines.get(name))
    kinds = night.kinds.get(name, {})
    spent = night.account.target_seconds.get(name, 0.0)
    since = spent - night.account.last_new_s.get(name, 0.0) if spent else None
    return {
        "name": name,
        "engine": _joined(rows, "engine"),
        "sanitizer": _joined(rows, "sanitizer"),
        "seconds": round(spent, 1),
        "execs": sum(lane.execs or 0 for lane in mine) if mine else None,
        "execs_per_s": _rate(mine, "execs"),
        "ops_per_s": _rate(mine, "ops"),
        "edges": _edges(mine),
        "lines_covered": covered,
        "lines_total": total,
        "corpus_before": night.corpus_before.get(name, 0),
        "corpus_after": night.corpora.count(name),
        "lanes": rows,
        "without_turn": work.without_turn(night, name),
        "series": night.account.series.get(name, []),
        "ops_run": kinds,
        "ops_never": sorted(kind for kind, times in kinds.items() if not times),
        "stalled": since is not None and since > _STALLED * spent,
        "seconds_since_new": None if since is None else round(since, 1),
        "troubles": [t for t in night.account.troubles if t.startswith((name + "/", name + ":"))],
    }


def _coverage(night, history):
    """Source coverage by all targets, beside that of an earlier night."""
    if not night.lines:
        return None
    by_file = {}
    for files_of_target in night.lines.values():
        for path, lines in files_of_target.items():
            mine = by_file.setdefault(path, {})
            for number, times in lines.items():
                mine[number] = mine.get(number, 0) + times
    compared_with, before = history.last_lines(night.lines)
    rows = [
        _file(path, by_file[path], night.sources.get(path), *before.get(path, (None, None)))
        for path in sorted(by_file)
    ]
    ours = [row for row in rows if row["path"].startswith("allocator/")]
    missing = sorted(set(night.settings.targets) - set(night.lines))
    return {
        "lines_covered": sum(row["lines_covered"] for row in ours),
        "lines_total": sum(row["lines_total"] for row in ours),
        "note": " ".join(["Totals are of allocator/."] + [f"Without {name}." for name in missing]),
        "compared_with": compared_with,
        "files": rows,
    }


def _file(path, hits, text, hits_before, text_before):
    compared = text is not None and text_before is not None
    now_of = dict(_same_lines(text_before, text)) if compared else {}

    def changed(was, now):
        return sorted(
            now_of[int(number)]
            for number, times in (hits_before or {}).items()
            if bool(times) == was
            and str(now_of.get(int(number))) in hits
            and bool(hits[str(now_of[int(number)])]) == now
        )

    return {
        "path": path,
        "lines_covered": sum(1 for times in hits.values() if times),
        "lines_total": len(hits),
        "hits": hits,
        "compared": compared,
        "lost": changed(True, False),
        "gained": changed(False, True),
    }


def _same_lines(before, now):
    """(number then, number now) of the lines that an edit in between did not touch."""
    before, now = before.split("\n"), now.split("\n")
    matcher = difflib.SequenceMatcher(None, before, now, autojunk=False)
    for then_at, now_at, size in matcher.get_matching_blocks():
        for i in range(size):
            yield then_at + i + 1, now_at + i + 1


def _night(night):
    settings = night.settings
    return {
        "id": night.id,
        "started": night.began["started"],
        "ended": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": round(night.clock(), 1),
        "seconds_planned": settings.seconds,
        "ended_by": night.ended_by,
        "jobs": settings.n_jobs,
        "seed": settings.seed,
        "command": ["./bazelw", "run", "//fuzz:overnight", "--", *settings.argv],
        "machine": machine.describe(),
        "versions": machine.versions(settings.workspace()),
        "limits": {
            "rss_mb": settings.rss_mb,
            "unit_timeout_s": lanes.UNIT_TIMEOUT_SECONDS,
            "disk_mb": settings.disk_mb,
        },
        "peaks": {
            "rss_mb": night.account.rss_mb,
            "disk_mb": night.disk.peak_mb,
            "disk_free_mb": night.disk.least_free_mb,
        },
        "sessions": night.sessions,
    }


def build(night, history):
    """Returns what report.json holds."""
    night_row = _night(night)
    findings = night.findings.report()
    n_known = sum(1 for finding in findings if finding["known"])
    troubles = list(night.account.troubles)
    return {
        "format": 1,
        "verdict": _verdict(night, len(findings) - n_known, n_known, troubles),
        "night": night_row,
        "targets": [_target(night, name) for name in night.settings.targets],
        "findings": findings,
        "coverage": _coverage(night, history),
        "traces": night.traces,
        "history": history.rows(),
        "troubles": troubles,
    }


def read_sources(root):
    """The text of all files that may be measured, as it is now: the build was made of it, and who
    goes on working while a night runs changes it. Nothing without the source tree."""
    if root is None:
        return {}
    paths = [p for top in coverage.FOLDERS for p in (root / top).rglob("*.[ch]")]
    return {str(path.relative_to(root)): files.read_text(path) for path in sorted(paths)}


def _write_to(folder, report, sources):
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / "report.json", report)
    try:
        page.write_page(report, sources, folder / "report.html")
    except ValueError as error:
        # A mistake of ours; the data is there, and a page can be made of it later.
        sys.stderr.write(f"no page: {error}\n")
        report["verdict"]["exit_status"] = report["verdict"]["exit_status"] or TROUBLE
    return folder


def write(night):
    """Writes both files, elsewhere if they cannot be where they should; returns the report and
    their folder."""
    history = History(night.settings.cache / "history")
    report = build(night, history)
    night.disk.release()
    night.findings.remember()
    try:
        folder = _write_to(night.out, report, night.sources)
    except OSError as error:
        elsewhere = pathlib.Path(tempfile.mkdtemp(prefix="slabmill-report-", dir="/dev/shm"))
        night.say(f"TROUBLE {night.out}: {error.strerror}; the report is in {elsewhere}")
        return report, _write_to(elsewhere, report, night.sources)
    with night.survives("memory of earlier nights"):
        history.add(report, night.sources)
    with night.survives("night.json"):
        (night.out / "night.json").unlink(missing_ok=True)
    return report, folder
