# SPDX-License-Identifier: Apache-2.0
"""Gives the runner, and the triage that it starts, the clock of a test: a file whose length is the
time in seconds. Time passes only when a fake fuzzer makes the file longer, so no result depends on
how busy the machine is. Python imports this module at each start, since PYTHONPATH leads to it."""

import os

from overnight import clock, job

_ends_within = job._ends_within

clock.now = lambda: float(os.path.getsize(os.environ["NIGHT_CLOCK"]))
# The fakes that triage runs do not hang.
job._ends_within = lambda process, _seconds: _ends_within(process, None)
