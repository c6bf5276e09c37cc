# SPDX-License-Identifier: Apache-2.0
"""What each lane did, summed over its slices. After a kill it is made from the journal again."""

import dataclasses

from . import lanes

# A lane is given up after so many early deaths in a row: a bug this shallow would take all of its
# time. A death is early in the first half of a slice, but at most in its first half minute.
_DEATHS_IN_A_ROW = 5
_EARLY_PART = 0.5
_EARLY_SECONDS = 30
_TROUBLES_IN_A_ROW = 3


def _add(a, b):
    """The sum of numbers that may be unknown (None)."""
    return b if a is None else a if b is None else a + b


def most(a, b):
    """The maximum of numbers that may be unknown (None)."""
    return b if a is None else a if b is None else max(a, b)


@dataclasses.dataclass
class LaneAccount:
    """One lane of one target."""

    target: str
    lane: str
    seconds: float = 0.0
    slices: int = 0
    # Slices that ended on request: libFuzzer then does not report operations.
    on_request: int = 0
    seeds: list = dataclasses.field(default_factory=list)
    execs: int = None
    ops: int = None
    edges: int = None
    features: int = None
    new_inputs: int = 0
    deaths: int = 0
    # Slices that were killed while they read the corpus, or before they reported their numbers.
    short_of_time: int = 0
    given_up: str = None
    # New features per second; recent slices weigh more.
    yields: float = None
    early_deaths: int = 0
    troubles: int = 0

    def apply(self, event, gained):
        """Adds one slice. `gained`: the features that it found first among lanes of its build."""
        self.seconds += event["seconds"]
        self.slices += 1
        self.seeds.append(event["seed"])
        for name in ("execs", "ops"):
            setattr(self, name, _add(getattr(self, name), event[name]))
        rate = gained / max(event["seconds"], 1)
        self.yields = rate if self.yields is None else (self.yields + rate) / 2
        for name in ("edges", "features"):
            setattr(self, name, most(getattr(self, name), event[name]))
        self.new_inputs += event["new_inputs"]
        # A journal that an earlier version began has neither of these keys.
        self.short_of_time += bool(event.get("short_of_time"))
        self.on_request += bool(event.get("ended_on_request"))
        self._apply_end(event)

    def _apply_end(self, event):
        if event["death"]:
            self.deaths += 1
        early = event["seconds"] < min(_EARLY_PART * event["seconds_wanted"], _EARLY_SECONDS)
        self.early_deaths = self.early_deaths + 1 if event["death"] and early else 0
        self.troubles = self.troubles + 1 if event["trouble"] else 0
        if self.early_deaths >= _DEATHS_IN_A_ROW:
            n_deaths = self.early_deaths
            self.given_up = f"{n_deaths} early deaths in a row, the last of {event['death']}"
        elif self.troubles >= _TROUBLES_IN_A_ROW:
            self.given_up = f"{self.troubles} times in a row: {event['trouble']}"


class Account:
    """All lanes of all targets, and what happened over time."""

    def __init__(self):
        self.lanes = {}
        self.series = {}
        self.last_new_s = {}
        self.target_seconds = {}
        self.rss_mb = None
        self.last_number = 0
        self.last_t = 0.0

    def lane(self, target, lane):
        """The account of one lane."""
        key = target, lane
        if key not in self.lanes:
            self.lanes[key] = LaneAccount(target, lane)
        return self.lanes[key]

    def of(self, target):
        """The accounts of a target's lanes that had a slice."""
        return [lane for (name, _), lane in self.lanes.items() if name == target and lane.slices]

    def apply(self, event):
        """Adds one slice, in the journal's form."""
        target = event["target"]
        gained = self._gained(event)
        self.last_number = max(self.last_number, event["number"])
        self.last_t = max(self.last_t, event["t"])
        self.lane(target, event["lane"]).apply(event, gained)
        spent = self.target_seconds.get(target, 0.0) + event["seconds"]
        self.target_seconds[target] = spent
        if gained:
            self.last_new_s[target] = spent
        self.rss_mb = most(self.rss_mb, event["rss_mb"])
        self.sample(target, event["lane"], event["t"], event)

    def _gained(self, event):
        """The features that a slice reached and no lane of its build had before. Feature counts of
        different builds cannot be compared."""
        build = lanes.BY_NAME[event["lane"]].variant
        known = [
            lane.features or 0
            for lane in self.of(event["target"])
            if lanes.BY_NAME[lane.lane].variant == build
        ]
        return max(0, (event["features"] or 0) - max([event["features_at_start"] or 0, *known]))

    def sample(self, target, lane, t, numbers):
        """Adds a point to the plots."""
        names = ("edges", "execs_per_s", "corpus")
        point = {"t": round(t, 1), "lane": lane, **{name: numbers[name] for name in names}}
        self.series.setdefault(target, []).append(point)
