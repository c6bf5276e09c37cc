# SPDX-License-Identifier: Apache-2.0
"""One target's share of the night: several lanes on one corpus."""

import dataclasses
import pathlib
import shutil
import tempfile
import threading
import time

from .lane import Lane


@dataclasses.dataclass
class Result:
    """A row of the table."""

    target: str
    seconds: float
    execs: int
    ops: int
    edges: int
    n_new_corpus: int
    n_findings: int
    troubles: list


def _count_files(folder):
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _sum(stats, name):
    """None if no process said its number; else a lower bound if some did not."""
    said = [getattr(entry, name) for entry in stats if getattr(entry, name) is not None]
    return sum(said) if said else None


def _find_troubles(lanes, result, interrupted):
    """A share that did no work is a failure, whatever the exit status of its processes."""
    troubles = sorted({lane.trouble for lane in lanes if lane.trouble})
    if troubles or interrupted or result.n_findings:
        return troubles
    if not result.execs:
        return [f"{result.target}: executed no input"]
    if not result.ops:
        return [f"{result.target}: executed no allocator operation"]
    return []


def _copy_seeds(seeds, folder):
    """Returns sentences on what is wrong with the checked-in corpus."""
    if seeds.is_dir():
        shutil.copytree(seeds, folder)
        return []
    # Bazel leaves an empty folder out.
    folder.mkdir()
    return [f"{seeds.name}: no seeds are checked in"]


def _run_lanes(settings, target, work, deadline, findings, stop):
    lanes = [Lane(settings, target, index, work) for index in range(settings.n_jobs)]
    threads = [
        threading.Thread(target=lane.run, args=(deadline, findings, stop)) for lane in lanes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return lanes


def run_target(settings, target, seconds, findings, stop):
    """Fuzzes one target for its share; returns its Result."""
    corpus = settings.corpus(target)
    corpus.mkdir(parents=True, exist_ok=True)
    n_before = _count_files(corpus)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="slabmill-") as name:
        work = pathlib.Path(name)
        troubles = _copy_seeds(settings.seeds(target), work / "seeds")
        lanes = _run_lanes(settings, target, work, started + seconds, findings, stop)
    stats = [entry for lane in lanes for entry in lane.stats]
    result = Result(
        target=target,
        seconds=time.monotonic() - started,
        execs=_sum(stats, "execs"),
        ops=_sum(stats, "ops"),
        edges=max((entry.edges or 0 for entry in stats), default=0),
        n_new_corpus=_count_files(corpus) - n_before,
        n_findings=len(findings.of(target)),
        troubles=troubles,
    )
    result.troubles += _find_troubles(lanes, result, stop.is_set())
    return result
