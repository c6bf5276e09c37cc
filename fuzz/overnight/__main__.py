# SPDX-License-Identifier: Apache-2.0
"""The night's order of events; see settings.py for its options."""

import pathlib
import signal
import sys
import threading
import time

from .campaign import run_target
from .findings import Findings
from .settings import Settings, parse_arguments
from .table import format_table
from .traces import replay_all

NO_FINDING = 0
FINDINGS = 1
COULD_NOT_RUN = 2


def _run_targets(settings, deadline, findings, stop):
    results = []
    for index, target in enumerate(settings.targets):
        if stop.is_set():
            break
        # What one share left over goes to the ones after it.
        share = (deadline - time.monotonic()) / (len(settings.targets) - index)
        print(f"== {target}: {max(share, 1):.0f} s, {settings.n_jobs} at once", flush=True)
        results.append(run_target(settings, target, max(share, 1), findings, stop))
    return results


def _print_end(settings, results, findings, troubles):
    print("\n" + format_table(results))
    for finding in findings:
        print(f"finding: {finding.target}: {finding.kind}, seen {finding.n_seen} times")
        print(f"  {finding.reproduce}")
    for trouble in troubles:
        print(f"could not run: {trouble}")
    print(f"logs and findings: {settings.out}", flush=True)


def main(argv):
    """Returns the exit status."""
    deadline = time.monotonic()
    settings = Settings(parse_arguments(argv), pathlib.Path.cwd())
    deadline += settings.seconds
    (settings.out / "logs").mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    findings = Findings(settings.out)
    troubles = [] if settings.targets else ["no fuzz target of that name"]
    troubles += replay_all(settings, findings, stop)
    results = _run_targets(settings, deadline, findings, stop)
    troubles += [trouble for result in results for trouble in result.troubles]
    if stop.is_set():
        print(f"interrupted; {len(results)} of {len(settings.targets)} targets had begun")
    _print_end(settings, results, findings, troubles)
    if troubles:
        return COULD_NOT_RUN
    return FINDINGS if len(findings) else NO_FINDING


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
