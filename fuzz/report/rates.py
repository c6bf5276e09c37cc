# SPDX-License-Identifier: Apache-2.0
"""Rates. Exec/s is the inputs that one fuzzing process runs in a second; ops/s is the same for the
operations of the allocator under test."""


def of_one_process(counts):
    """counts: (number, seconds) of each process, or sums over some; a number that is None was not
    reported. Returns None if no number was."""
    known = [(number, seconds) for number, seconds in counts if number is not None and seconds > 0]
    seconds = sum(seconds for _, seconds in known)
    return sum(number for number, _ in known) / seconds if seconds else None


def execs_per_s(targets):
    """Exec/s over all lanes of these targets of a report."""
    return of_one_process((lane["execs"], lane["seconds"]) for t in targets for lane in t["lanes"])
