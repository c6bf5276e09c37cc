# SPDX-License-Identifier: Apache-2.0
"""Source coverage of a night, compared with that of an earlier one."""

import difflib

from . import coverage as measured, files


def _paths(settings, root):
    if not settings.is_guest:
        return [p for top in settings.folders for p in (root / top).rglob("*.[ch]")]
    # Another workspace may have a million files.
    binaries = [settings.binary("coverage", target) for target in settings.targets]
    built = {p for binary in binaries if binary.exists() for p in measured.sources_of(binary)}
    return [root / path for path in built if (root / path).is_file()]


def read_sources(settings):
    """Returns {path: text} of all files that coverage may measure; {} without a source tree. A
    night reads them at its start, when they are what was built: the user may edit them later."""
    root = settings.workspace()
    if root is None:
        return {}
    paths = sorted(_paths(settings, root))
    return {str(path.relative_to(root)): files.read_text(path) for path in paths}


def coverage(lines_of, sources, settings, history):
    """Source coverage by all targets, next to that of an earlier night."""
    if not lines_of:
        return None
    by_file = {}
    for files_of_target in lines_of.values():
        for path, lines in files_of_target.items():
            mine = by_file.setdefault(path, {})
            for number, times in lines.items():
                mine[number] = mine.get(number, 0) + times
    compared_with, before = history.last_lines(lines_of)
    rows = [
        _file(path, by_file[path], sources.get(path), *before.get(path, (None, None)))
        for path in sorted(by_file)
    ]
    ours = [row for row in rows if settings.is_total(row["path"])]
    missing = sorted(set(settings.targets) - set(lines_of))
    totals = "Totals are of this workspace." if settings.is_guest else "Totals are of allocator/."
    return {
        "lines_covered": sum(row["lines_covered"] for row in ours),
        "lines_total": sum(row["lines_total"] for row in ours),
        "note": " ".join([totals] + [f"Without {name}." for name in missing]),
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
    """Yields (old number, new number) of the lines that are the same in both texts."""
    before, now = before.split("\n"), now.split("\n")
    matcher = difflib.SequenceMatcher(None, before, now, autojunk=False)
    for then_at, now_at, size in matcher.get_matching_blocks():
        for i in range(size):
            yield then_at + i + 1, now_at + i + 1
