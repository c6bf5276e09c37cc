# SPDX-License-Identifier: Apache-2.0
"""Replays the recorded traces, each through `slabmill replay`."""

from . import process

_LIMIT_SECONDS = 600
_COMMAND = "./bazelw run //tools:slabmill -- replay {}"


def _replay(settings, trace, findings, stop):
    output = settings.out / "logs" / (trace.name + ".log")
    command = [settings.slabmill, "replay", trace]
    status, forced = process.run(command, output, _LIMIT_SECONDS, stop)
    text = process.read_output(output)
    print(f"== {trace.name}\n{text.rstrip()}", flush=True)
    if forced == process.OVERRUN:
        findings.add(trace.stem, "timeout", trace, text, _COMMAND)
    elif forced is None and status != 0:
        findings.add(trace.stem, f"status-{status}", trace, text, _COMMAND)


def replay_all(settings, findings, stop):
    """Returns sentences on what could not be replayed."""
    if not settings.traces:
        return ["no recorded traces were found"]
    for trace in settings.traces:
        if stop.is_set():
            break
        try:
            _replay(settings, trace, findings, stop)
        except OSError as error:
            return [f"slabmill did not start: {error}"]
    return []
