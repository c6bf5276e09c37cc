# SPDX-License-Identifier: Apache-2.0
"""Which folder a night gets: a new one, or that of a night that was killed."""

import fcntl
import itertools
import shutil
import time

from . import files
from .settings import Unusable

# What night.json must hold for a night to continue.
_BEGAN = {"id", "started", "sessions"}


def _candidates(settings):
    """Yields (folder, True) of the last night that was killed, then new ones: other runners may
    take some of them first."""
    nights = settings.cache / "nights"
    for left in sorted(nights.glob("*/night.json"))[-1:]:
        yield left.parent, True
    while True:
        yield _new_folder(nights), False


def _new_folder(nights):
    """Named after this second. A clock that was put back makes a second come twice."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    others = (f"{stamp}-{n}" for n in itertools.count(2))
    names = itertools.chain([stamp], others)
    return next(nights / name for name in names if not (nights / name).exists())


def _is_foreign(out):
    """True if a folder holds files that no night has written, and that none may remove."""
    return out.is_dir() and any(out.iterdir()) and not (out / ".lock").exists()


def _lock(out):
    """Returns an open file that keeps other runners out, or None if another runner has it."""
    out.mkdir(parents=True, exist_ok=True)
    held = open(out / ".lock", "w", encoding="utf-8")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        return None
    return held


def take(settings):
    """Returns (folder, its lock, night.json of the night that was killed there or None)."""
    wanted = settings.wanted_out
    for out, is_left in [(wanted, False)] if wanted else _candidates(settings):
        if _is_foreign(out):
            raise Unusable(f"--out {out}: is neither empty nor the folder of a night")
        held = _lock(out)
        if held is None:
            continue
        # Not earlier: another runner may have ended that night just now.
        before = files.read_json(out / "night.json")
        # A damaged night must not end every start from now on.
        if not is_left or (before and _BEGAN <= before.keys()):
            return out, held, before
        held.close()
    raise Unusable(f"--out {wanted}: another runner is at work there")


def begin(settings, out, before):
    """Returns what night.json will hold, and empties the folder for a new night."""
    began = before or {
        "id": time.strftime("%Y%m%d-%H%M%S") if settings.wanted_out else out.name,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "sessions": 0,
    }
    began["sessions"] += 1
    began["seconds_planned"] = settings.seconds
    if before is None:
        # An earlier night in this folder has ended.
        for name in ("journal.jsonl", "left_out.json"):
            (out / name).unlink(missing_ok=True)
        for name in ("slices", "findings", "seeds", "short", "afl", "logs", "coverage", "merging"):
            shutil.rmtree(out / name, ignore_errors=True)
    return began
