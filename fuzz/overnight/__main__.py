# SPDX-License-Identifier: Apache-2.0
"""The program; see settings.py for its options."""

import signal
import sys
import threading
import traceback

from report import page

from . import machine, morning, night as night_module
from .settings import Settings
from .table import format_table


class Stops:
    """The requests to end so far."""

    def __init__(self):
        self._signals = []
        self._one_came = threading.Event()

    def listen(self):
        """From now on SIGINT and SIGTERM are requests."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._add)

    def _add(self, number, _frame):
        self._signals.append(signal.Signals(number).name)
        self._one_came.set()

    def __call__(self):
        return len(self._signals)

    def last(self):
        """The name of the last signal."""
        return self._signals[-1]

    def wait(self, seconds):
        """Waits, less if a request comes."""
        if self._one_came.wait(seconds):
            self._one_came.clear()


def _print_end(report, folder):
    print("\n" + format_table(report))
    for finding in report["findings"]:
        known = f"known: {finding['known_as']}" if finding["known"] else "NEW"
        flaky = ", flaky" if finding["flaky"] else ""
        print(f"finding ({known}{flaky}): {finding['cause']}, seen {finding['seen']} times")
        print(f"  {finding['command'] or finding['input']}")
    for trouble in report["troubles"]:
        print(f"trouble: {trouble}")
    print(report["verdict"]["sentence"])
    print(f"report: {folder / 'report.html'}", flush=True)


def _begin_and_run(settings, stops):
    out, before = night_module.choose_folder(settings)
    if night_module.is_foreign(out):
        print(f"{out}: is neither empty nor the folder of a night", file=sys.stderr)
        return morning.TROUBLE
    held = night_module.lock(out)
    if held is None and settings.wanted_out is None:
        # Another runner is at work in the night that looked unfinished.
        out, before = night_module.new_folder(settings), None
        held = night_module.lock(out)
    if held is None:
        print(f"{out}: another runner is at work there", file=sys.stderr)
        return morning.TROUBLE
    with held:
        return _run(settings, out, before, stops)


def _run(settings, out, before, stops):
    night = night_module.begin(settings, out, before, stops)
    if before:
        print(f"going on with night {night.id}, {night.clock():.0f} s old: {out}", flush=True)
    if not machine.has_afl():
        print(f"afl++: {machine.NO_AFL}", flush=True)
    report, folder = night.run()
    _print_end(report, folder)
    return report["verdict"]["exit_status"]


def main(argv):
    """Returns the exit status."""
    settings = Settings(argv)
    # File names and logs hold any bytes.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        # Better now than in the morning.
        page.read_chart()
    except page.MissingPackage as missing:
        print(missing, file=sys.stderr)
        return morning.TROUBLE
    stops = Stops()
    stops.listen()
    try:
        return _begin_and_run(settings, stops)
    except OSError as error:
        # Nothing that was found is lost; the next start goes on.
        print(f"{error.filename or 'the night'}: {error.strerror or error}", file=sys.stderr)
    except Exception:
        # Python's own status for a mistake is that of new findings.
        traceback.print_exc()
    return morning.TROUBLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
