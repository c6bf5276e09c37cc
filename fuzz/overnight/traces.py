# SPDX-License-Identifier: Apache-2.0
"""Replays the recorded traces, each through `slabmill replay`."""

import subprocess

_LIMIT_SECONDS = 600
_COMMAND = "./bazelw run //tools:slabmill -- replay {}"


def _replay(settings, trace):
    """Returns (status, output) of one replay; a timeout has status None."""
    try:
        done = subprocess.run(
            [settings.slabmill, "replay", trace],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        return None, (expired.output or b"").decode(errors="replace")
    return done.returncode, done.stdout.decode(errors="replace")


def replay_all(settings, findings, stop):
    """Returns sentences on what could not be replayed."""
    if not settings.traces:
        return ["no recorded traces were found"]
    for trace in settings.traces:
        if stop.is_set():
            break
        try:
            status, output = _replay(settings, trace)
        except OSError as error:
            return [f"slabmill did not start: {error}"]
        print(f"== {trace.name}\n{output.rstrip()}", flush=True)
        if status != 0:
            kind = "timeout" if status is None else f"status-{status}"
            findings.add(trace.stem, kind, trace, output, _COMMAND)
    return []
