# SPDX-License-Identifier: Apache-2.0
"""What the page computes from its data: sums, changes since earlier nights, warnings."""

import statistics

from . import rates, words

# More points cannot be distinguished on a plot, and make the page slow.
MAX_POINTS = 400
# Of each lane, in the table below a target's plots.
MAX_ROWS = 24
MAX_QUOTED_LINES = 12

LANES = ("generator", "seeded", "short", "msan", "tsan", "afl")


def _total(values):
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _change(now, before):
    return None if now is None or before is None else now - before


def _median(values):
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _nights(report):
    """This night and the earlier ones, newest first, all with the same keys."""
    coverage = report["coverage"] or {}
    new = [finding for finding in report["findings"] if not finding["known"]]
    tonight = {
        "id": report["night"]["id"],
        "seconds": report["night"]["seconds"],
        "execs": _total(target["execs"] for target in report["targets"]),
        "execs_per_s": rates.execs_per_s(report["targets"]),
        "lines_covered": coverage.get("lines_covered"),
        "lines_total": coverage.get("lines_total"),
        "findings": len(report["findings"]),
        "new_findings": len(new),
        "targets": {target["name"]: {} for target in report["targets"]},
    }
    nights = [tonight] + report["history"][::-1]
    # Reports of earlier versions lack the rates of earlier nights.
    return [{"execs_per_s": None, **night} for night in nights]


def _earlier_rates(nights):
    """The rates of nights with the same targets: other targets have other speeds."""
    tonight, *earlier = nights
    names = tonight["targets"].keys()
    return [night["execs_per_s"] for night in earlier if night["targets"].keys() == names]


def _pace(rate, earlier):
    """Compares a rate with the median of others: (sentence or None, whether it is bad)."""
    usual = _median(earlier)
    if rate is None or not usual:
        return None, False
    # Only a rate of 0 is 100 % less.
    percent = max(round(100 * (rate / usual - 1)), -99 if rate else -100)
    if abs(percent) < 5:
        return "as usual", False
    return f"{words.signed(percent)} % against the median", percent <= -30


def _near(value, limit):
    return value is not None and bool(limit) and value >= 0.9 * limit


def _fact(name, value, note=None, bad=False):
    return {"name": name, "value": value, "note": note, "bad": bad}


def _against(limit):
    return None if limit is None else f"limit {words.megabytes(limit)}"


def _resources(night):
    peaks, limits = night["peaks"], night["limits"]
    rss, disk, free = (peaks.get(key) for key in ("rss_mb", "disk_mb", "disk_free_mb"))
    rss_limit, disk_limit = limits.get("rss_mb"), limits.get("disk_mb")
    return [
        _fact(
            "Peak memory of a process",
            words.megabytes(rss),
            _against(rss_limit),
            _near(rss, rss_limit),
        ),
        _fact(
            "Disk used by the night",
            words.megabytes(disk),
            _against(disk_limit),
            _near(disk, disk_limit),
        ),
        _fact("Least free disk", words.megabytes(free), None, free is not None and free < 500),
    ]


def _facts(report, nights):
    night, tonight = report["night"], nights[0]
    lanes = [lane for target in report["targets"] for lane in target["lanes"]]
    pace, slow = _pace(tonight["execs_per_s"], _earlier_rates(nights))
    again = night["sessions"] > 1
    return [
        _fact(
            "Fuzzing",
            words.duration(night["seconds"]),
            f"of {words.duration(night['seconds_planned'])} planned",
            night["seconds"] < 0.9 * night["seconds_planned"],
        ),
        _fact("Ended by", night["ended_by"], None, night["ended_by"] != "time"),
        _fact("Execs", words.number(tonight["execs"]), None, not tonight["execs"]),
        _fact("Exec/s", words.number(tonight["execs_per_s"]), pace, slow),
        _fact(
            "Starts of the runner",
            words.number(night["sessions"]),
            "it was killed, and continued" if again else None,
            again,
        ),
        _fact("Deaths of fuzzers", words.number(sum(lane["deaths"] for lane in lanes))),
    ] + _resources(night)


def _ran(report, nights):
    """One sentence about whether the night ran at all."""
    night, tonight = report["night"], nights[0]
    if not night["seconds"] or not tonight["execs"]:
        return "The night did not run: nothing was executed."
    pace, _ = _pace(tonight["execs_per_s"], _earlier_rates(nights))
    full = night["seconds"] >= 0.9 * night["seconds_planned"]
    text = (
        f"Ran {words.duration(night['seconds'])}"
        f"{'' if full else ' only'} of {words.duration(night['seconds_planned'])} planned: "
        f"{words.number(tonight['execs'])} execs, {words.number(tonight['execs_per_s'])} exec/s"
    )
    return f"{text} ({pace})." if pace else f"{text}."


def _target(target, history):
    """A target, compared with the last night and its speed with all nights."""
    name = target["name"]
    earlier = [night["targets"].get(name, {}) for night in history]
    last = earlier[-1] if earlier else {}
    pace, slow = _pace(target["execs_per_s"], [night.get("execs_per_s") for night in earlier])
    return {
        **target,
        "pace": pace,
        "slow": slow,
        "edges_change": _change(target["edges"], last.get("edges")),
        "lines_change": _change(target["lines_covered"], last.get("lines_covered")),
        "grown": target["corpus_after"] - target["corpus_before"],
        "corpus_last_night": last.get("corpus_after"),
        "unknown": bool(history) and not any(earlier),
        "deaths": sum(lane["deaths"] for lane in target["lanes"]),
        "points": [p for points in _by_lane(target).values() for p in _thin(points, MAX_ROWS)],
    }


def _troubles(report):
    """All troubles as (target or None, text). The night's may include those of targets."""
    texts = report["troubles"]
    found = [(None, text) for text in texts]
    for target in report["targets"]:
        found += [(target["name"], text) for text in target["troubles"] if text not in texts]
    return found


def _replay_note(status):
    return "was not replayed to its end" if status is None else f"replay ended with status {status}"


def _notes(report):
    """What a reader should know besides the troubles, as (where, text)."""
    found = []
    for target in report["targets"]:
        reasons = {}
        for lane in target["lanes"]:
            if lane["given_up"] is not None:
                reasons.setdefault(lane["given_up"], []).append(lane["name"])
            # Reports of earlier versions lack this.
            if lane.get("short_of_time"):
                why = f"{lane['short_of_time']} of {lane['slices']} slices cut off"
                reasons.setdefault(f"short of time: {why}", []).append(lane["name"])
        found += [(f"{target['name']}: {', '.join(names)}", why) for why, names in reasons.items()]
    ran = {target["name"] for target in report["targets"]}
    last = report["history"][-1]["targets"] if report["history"] else {}
    found += [(name, "ran last night, not this one") for name in last if name not in ran]
    for trace in report["traces"]:
        if trace["status"] != 0:
            found.append((f"trace {trace['name']}", _replay_note(trace["status"])))
    return found


def _idle(targets):
    """The lanes without a slice, as (lane, why, names of the targets)."""
    found = {}
    for target in targets:
        # Reports of earlier versions lack these.
        whys = dict.fromkeys(target.get("without_slice", ()), "short of time: no slice")
        whys.update(target.get("cannot_run", {}))
        for lane in LANES:
            if lane not in [mine["name"] for mine in target["lanes"]]:
                why = whys.get(lane, "the report does not say why")
                found.setdefault((lane, why), []).append(target["name"])
    return [(*key, names) for key, names in sorted(found.items())]


def _thin(points, most):
    if len(points) <= most:
        return points
    step = (len(points) - 1) / (most - 1)
    return [points[round(i * step)] for i in range(most)]


def _by_lane(target):
    """{lane: its points that are drawn, in order of time}."""
    lanes = {}
    for point in sorted(target["series"], key=lambda point: point["t"]):
        lanes.setdefault(point["lane"], []).append(point)
    return {lane: _thin(points, MAX_POINTS) for lane, points in lanes.items()}


def plots(report):
    """The plots' data: for each target and lane, columns of equal length."""
    drawn = []
    for target in report["targets"]:
        columns = {}
        for lane, points in _by_lane(target).items():
            keys = ("t", "edges", "execs_per_s", "corpus")
            columns[lane] = {key: [point[key] for point in points] for key in keys}
        drawn.append({"name": target["name"], "lanes": columns})
    return drawn


def _quoted(lines, text):
    """The first of these lines as (number, text); text is None if unknown."""
    rows = text.split("\n") if text is not None else []
    return [
        (line, rows[line - 1] if 0 < line <= len(rows) else None)
        for line in lines[:MAX_QUOTED_LINES]
    ]


def _covered_file(file, sources):
    code = sorted(map(int, file["hits"]))
    uncovered = [line for line in code if file["hits"].get(str(line)) == 0]
    text = sources.get(file["path"])
    return {
        **file,
        "code": code,
        "uncovered": uncovered,
        "text": text,
        "lost_text": _quoted(sorted(file["lost"]), text),
        "gained_text": _quoted(sorted(file["gained"]), text),
    }


def _place(file):
    """Sorts files: those of allocator/ first, then the least covered share of lines first."""
    share = file["lines_covered"] / file["lines_total"] if file["lines_total"] else 1
    return not file["path"].startswith("allocator/"), share, file["path"]


def _coverage(report, sources):
    """The coverage, its files in the order that the page says."""
    if report["coverage"] is None:
        return None
    files = [_covered_file(file, sources) for file in report["coverage"]["files"]]
    return {**report["coverage"], "files": sorted(files, key=_place)}


def build(report, sources):
    """Returns what the templates use. The report must match the schema."""
    nights = _nights(report)
    targets = [_target(target, report["history"]) for target in report["targets"]]
    present = {point["lane"] for target in targets for point in target["series"]}
    return {
        "verdict": report["verdict"],
        "night": report["night"],
        "ran": _ran(report, nights),
        "facts": _facts(report, nights),
        "nights": nights,
        "first_night": not report["history"],
        "new": [finding for finding in report["findings"] if not finding["known"]],
        "known": [finding for finding in report["findings"] if finding["known"]],
        "troubles": _troubles(report),
        "notes": _notes(report),
        "targets": targets,
        "lanes_drawn": sorted(present, key=lambda name: (LANES + (name,)).index(name)),
        "idle": _idle(targets),
        "stalled": [target for target in targets if target["stalled"]],
        "coverage": _coverage(report, sources),
        "traces": report["traces"],
        "max_points": MAX_POINTS,
        "max_rows": MAX_ROWS,
    }
