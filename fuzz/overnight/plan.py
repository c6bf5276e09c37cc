# SPDX-License-Identifier: Apache-2.0
"""Chooses the lane of a target for the next slice.

The next slice goes to the lane with the fewest seconds per weight. The weight grows with the new
features that the lane's last slices found, so that time goes to lanes that still yield. It has a
floor, so that every lane gets some time.
"""

# The best lane's weight; the floor is 1.
_BEST = 8.0
# Each lane should have about three slices, each long enough to be worth a start.
_SLICES_EACH = 3
_LEAST_SECONDS = 4
_MOST_SECONDS = 300


def slice_seconds(n_lanes, cpu_seconds):
    """The length of the slices of a night."""
    wanted = cpu_seconds / max(1, n_lanes * _SLICES_EACH)
    return min(max(wanted, _LEAST_SECONDS), _MOST_SECONDS)


def _weight(account, best):
    if not account.yields or not best:
        return 1.0
    return 1.0 + (_BEST - 1.0) * account.yields / best


def choose(lanes_of, account, running):
    """Returns (target, lane) or None.

    lanes_of: {target: its lanes, in the order of their first slices}.
    running: {(target, lane name): planned seconds of running slices}.
    """
    choices = []
    best = max((lane.yields or 0.0 for lane in account.lanes.values()), default=0.0)
    for target, lanes in lanes_of.items():
        for rank, lane in enumerate(lanes):
            mine = account.lane(target, lane.name)
            under_way = running.get((target, lane.name), 0.0)
            # Two AFL++ processes cannot share a target: AFL++ locks its folder.
            if mine.given_up or (under_way and lane.engine == "afl"):
                continue
            spent = (mine.seconds + under_way) / _weight(mine, best)
            if mine.slices == 0 and not under_way:
                choices.append((0, rank, spent, target, lane.name))
            else:
                choices.append((1, spent, spent, target, lane.name))
    if not choices:
        return None
    *_, target, name = min(choices)
    return target, next(lane for lane in lanes_of[target] if lane.name == name)
