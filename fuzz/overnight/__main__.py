# SPDX-License-Identifier: Apache-2.0
"""The program; see settings.py for its options."""

import os
import select
import signal
import sys
import traceback

from report import page

from . import folder, machine, morning, night as night_module, stream
from .settings import Settings, Unusable
from .table import format_table


class Stops:
    """The requests to end the night, so far."""

    def __init__(self):
        self._signals = []
        # Python writes a byte for each signal. A handler could not set an Event: the code that it
        # interrupts may hold the Event's lock.
        self._came, self._writes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def listen(self):
        """From now on SIGINT, SIGTERM and SIGHUP are requests; SIGHUP not under nohup. The end of a
        process ends wait()."""
        signal.set_wakeup_fd(self._writes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._add)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._add)

    def _add(self, number, _frame):
        # At the end of a login session the shell and the system both send SIGHUP, sometimes after
        # a SIGTERM. No user is there to mean it as a second request.
        if number == signal.SIGHUP and self._signals:
            return
        self._signals.append(signal.Signals(number).name)

    def __call__(self):
        return len(self._signals)

    def last(self):
        """The name of the last signal."""
        return self._signals[-1]

    def wait(self, seconds):
        """Waits for so long, or until a request comes or a process ends."""
        if select.select([self._came], [], [], seconds)[0]:
            os.read(self._came, 1 << 16)


def _print_short(target):
    """Prints the lanes of a target that had no slice, or slices that were cut off."""
    if target["without_slice"]:
        print(f"short of time: {target['name']}: no slice for {', '.join(target['without_slice'])}")
    for lane in target["lanes"]:
        if lane["short_of_time"]:
            slices = f"{lane['short_of_time']} of {lane['slices']} slices"
            print(f"short of time: {target['name']}/{lane['name']}: {slices} cut off")


def _print_end(report, report_folder):
    print("\n" + format_table(report))
    for target in report["targets"]:
        _print_short(target)
    for finding in report["findings"]:
        known = f"known: {finding['known_as']}" if finding["known"] else "NEW"
        flaky = ", flaky" if finding["flaky"] else ""
        print(f"finding ({known}{flaky}): {finding['cause']}, seen {finding['seen']} times")
        print(f"  {finding['command'] or finding['input']}")
    for trouble in report["troubles"]:
        print(f"trouble: {trouble}")
    print(report["verdict"]["sentence"])
    print(f"report: {report_folder / 'report.html'}", flush=True)


def _begin_and_run(settings, stops):
    settings.check()
    out, held, before = folder.take(settings)
    with held:
        return _run(settings, out, before, stops)


def _run(settings, out, before, stops):
    night = night_module.begin(settings, out, before, stops)
    if before:
        age = f"{night.clock.seconds():.0f} s old"
        print(f"continuing night {night.began['id']}, {age}: {out}", flush=True)
    if not machine.has_afl():
        print(f"afl++: {machine.NO_AFL}", flush=True)
    report, report_folder = night.run()
    _print_end(report, report_folder)
    return report["verdict"]["exit_status"]


def main(argv):
    """Returns the exit status."""
    stream.make_standard_streams_last()
    stops = Stops()
    stops.listen()
    try:
        # A missing package must show now, not in the morning.
        page.read_chart()
        return _begin_and_run(Settings(argv), stops)
    except (Unusable, page.MissingPackage) as error:
        print(f"overnight: {error}", file=sys.stderr)
    except OSError as error:
        # Nothing that was found is lost: the next start continues the night.
        print(f"{error.filename or 'the night'}: {error.strerror or error}", file=sys.stderr)
    except Exception:
        # Python's own status for an exception is 1, which means new findings here.
        traceback.print_exc()
    return morning.TROUBLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
