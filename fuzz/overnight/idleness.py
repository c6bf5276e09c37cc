# SPDX-License-Identifier: Apache-2.0
"""Targets and lanes that did no work."""

from . import lanes


def _may_have_operations(lane):
    """False if a lane reported no operations. A slice that ended on request reports none, and AFL++
    does not pass on what a target prints: then they are unknown."""
    unsaid = lane.ops is None and lane.on_request == lane.slices
    return bool(lane.ops) or unsaid or lanes.BY_NAME[lane.lane].engine == "afl"


def judge(lanes_of, account, troubles, stopped):
    """Reports targets that did no work, even if all their processes ended well. A target that had
    too little time is no trouble, unless no target ran. `stopped`: the user ended the night."""
    for target, built in lanes_of.items():
        mine = account.of(target)
        if not built:
            troubles.add(f"{target}: had no slice")
        elif any(lane.deaths or lane.troubles or lane.short_of_time for lane in mine) or not mine:
            continue
        elif not any(lane.execs for lane in mine):
            troubles.add(f"{target}: executed no input")
        elif not any(map(_may_have_operations, mine)):
            troubles.add(f"{target}: executed no allocator operation")
    ran = any(lane.execs or lane.deaths for lane in account.lanes.values())
    # A user that ends the night knows that it was too short.
    if not (ran or troubles.sentences or stopped):
        troubles.add("no target executed an input")


def without_slice(target, built, account):
    """The names of a target's lanes that had no slice."""
    had = {lane.lane for lane in account.of(target)}
    return [lane.name for lane in built if lane.name not in had]
