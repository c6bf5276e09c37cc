# SPDX-License-Identifier: Apache-2.0
"""The rows of report.json about the night, its targets and their lanes."""

import time

from report import rates

from . import account as accounts, engines, idleness, lanes, machine

# A target is stalled if it found nothing new in this share of its time.
_STALLED = 0.5


def _lane(mine, settings):
    lane = lanes.BY_NAME[mine.lane]
    # The harness takes the seed of a generator from the environment.
    generates = ["HRN_FUZZ_GENERATE=SEED"] if lane.generates else []
    return {
        "name": mine.lane,
        "engine": lane.engine,
        "sanitizer": lanes.SANITIZERS[lane.variant],
        "seconds": round(mine.seconds, 1),
        "slices": mine.slices,
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
    """The distinct values, in order of first appearance, joined by +."""
    return "+".join(dict.fromkeys(row[name] for row in rows))


def _rate(mine, name):
    """A number per second of one process, over the lanes that reported it."""
    rate = rates.of_one_process((getattr(lane, name), lane.seconds) for lane in mine)
    return None if rate is None else round(rate, 1)


def _edges(mine):
    """Edges of libFuzzer's ASan build. Counters of different builds cannot be compared."""
    best = None
    for lane in mine:
        if lanes.BY_NAME[lane.lane].variant == "asan-ubsan":
            best = accounts.most(best, lane.edges)
    return best


def _lines(files_of_target):
    """(covered, all) lines of allocator/; (None, None): not measured."""
    if files_of_target is None:
        return None, None
    hits = [
        times
        for path, lines in files_of_target.items()
        if path.startswith("allocator/")
        for times in lines.values()
    ]
    return sum(1 for times in hits if times), len(hits)


class Targets:
    """The rows of all targets. `work` has their coverage."""

    def __init__(self, settings, account, work, troubles):
        self._settings = settings
        self._account = account
        self._work = work
        self._troubles = troubles

    def row(self, name, built, corpus_before, corpus_after):
        """One target, which has a build for these lanes."""
        mine = self._account.of(name)
        lane_rows = [_lane(lane, self._settings) for lane in mine]
        return {
            "name": name,
            "engine": _joined(lane_rows, "engine"),
            "sanitizer": _joined(lane_rows, "sanitizer"),
            "execs": sum(lane.execs or 0 for lane in mine) if mine else None,
            "execs_per_s": _rate(mine, "execs"),
            "ops_per_s": _rate(mine, "ops"),
            "edges": _edges(mine),
            "corpus_before": corpus_before,
            "corpus_after": corpus_after,
            "lanes": lane_rows,
            "without_slice": idleness.without_slice(name, built, self._account),
            "cannot_run": self._settings.cannot_run(name),
            "series": self._account.series.get(name, []),
            "troubles": [t for t in self._troubles if t.startswith((name + "/", name + ":"))],
            **self._times(name),
            **self._coverage(name),
        }

    def _times(self, name):
        spent = self._account.target_seconds.get(name, 0.0)
        since = spent - self._account.last_new_s.get(name, 0.0) if spent else None
        return {
            "seconds": round(spent, 1),
            "stalled": since is not None and since > _STALLED * spent,
            "seconds_since_new": None if since is None else round(since, 1),
        }

    def _coverage(self, name):
        covered, total = _lines(self._work.lines.get(name))
        kinds = self._work.kinds.get(name, {})
        return {
            "lines_covered": covered,
            "lines_total": total,
            "ops_run": kinds,
            "ops_never": sorted(kind for kind, times in kinds.items() if not times),
        }


def night(settings, began, seconds, ended_by, peaks):
    """The row of the night. `seconds`: how long it fuzzed."""
    return {
        "id": began["id"],
        "started": began["started"],
        "ended": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": round(seconds, 1),
        "seconds_planned": settings.seconds,
        "ended_by": ended_by,
        "jobs": settings.n_jobs,
        "seed": settings.seed,
        "command": settings.command(),
        "machine": machine.describe(),
        "versions": machine.versions(settings.workspace(), settings.is_guest),
        "limits": {
            "rss_mb": settings.rss_mb,
            "unit_timeout_s": lanes.UNIT_TIMEOUT_SECONDS,
            "disk_mb": settings.disk_mb,
        },
        "peaks": peaks,
        "sessions": began["sessions"],
    }
