# SPDX-License-Identifier: Apache-2.0
"""One libFuzzer process at a time on one target, started again after each finding."""

import os
import pathlib
import shutil
import tempfile
import time

from . import logs, process

# A process that dies without a word loses at most this much of the count of operations.
_SLICE_SECONDS = 600
_UNIT_TIMEOUT_SECONDS = 10
_RSS_LIMIT_MB = 1024
# Past the end of its slice a process is in trouble: asked to stop, then killed.
_GRACE_SECONDS = 30
# A bug this shallow would only fill the disk for the rest of the night.
_MAX_DEATHS = 10

_FINDING_PREFIXES = ("crash-", "timeout-", "oom-", "leak-")
_INTERRUPTED = 72
_COMMAND = "./bazelw build //fuzz:{target}_bin && bazel-bin/fuzz/{target}_bin "


def _sanitizer_environment():
    symbolizer = shutil.which("llvm-symbolizer-19")
    common = f":external_symbolizer_path={symbolizer}" if symbolizer else ""
    return {
        # Without the first, freed memory alone is half a gigabyte and a third of the time.
        "ASAN_OPTIONS": "quarantine_size_mb=10:dedup_token_length=3" + common,
        "UBSAN_OPTIONS": "print_stacktrace=1" + common,
    }


class Lane:
    """A worker of one target. Its numbers are sums over the processes that it ran."""

    def __init__(self, settings, target, index, work):
        self._settings = settings
        self._target = target
        self._seeds = work / "seeds"
        self._work = work / f"lane{index}"
        self._log = settings.out / "logs" / f"{target}-{index}.log"
        self._n_deaths = 0
        self.stats = []
        self.trouble = None

    def run(self, deadline, findings, stop):
        """Works until the deadline (of the monotonic clock), the stop or too many deaths."""
        while not stop.is_set() and self.trouble is None and self._n_deaths < _MAX_DEATHS:
            remaining = deadline - time.monotonic()
            # However short the share, a target runs once.
            if remaining < 1 and self.stats:
                return
            seconds = int(min(max(remaining, 1), _SLICE_SECONDS))
            try:
                self._run_slice(seconds, findings, stop)
            except OSError as error:
                self.trouble = f"{self._target}: did not start: {error}"
        if self._n_deaths == _MAX_DEATHS:
            print(f"{self._target}: a lane gives up after {_MAX_DEATHS} deaths", flush=True)

    def _command(self, seconds, artifacts):
        options = [
            f"-max_total_time={seconds}",
            f"-timeout={_UNIT_TIMEOUT_SECONDS}",
            f"-rss_limit_mb={_RSS_LIMIT_MB}",
            f"-artifact_prefix={artifacts}/",
            "-print_final_stats=1",
        ]
        dictionary = self._settings.dictionary(self._target)
        if dictionary:
            options.append(f"-dict={dictionary}")
        folders = [self._settings.corpus(self._target), self._seeds]
        return [self._settings.binary(self._target)] + options + folders

    def _run_slice(self, seconds, findings, stop):
        self._work.mkdir(parents=True, exist_ok=True)
        scratch = pathlib.Path(tempfile.mkdtemp(dir=self._work))
        output = scratch / "output"
        status, forced = process.run(
            self._command(seconds, scratch),
            output,
            seconds + _GRACE_SECONDS,
            stop,
            cwd=scratch,
            env={**os.environ, **_sanitizer_environment(), "TMPDIR": str(scratch)},
        )
        text = process.read_output(output)
        with open(self._log, "a", encoding="utf-8") as log:
            log.write(text)
        self.stats.append(logs.parse_stats(text))
        self._judge(status, forced, scratch, text, findings)
        shutil.rmtree(scratch, ignore_errors=True)

    def _judge(self, status, forced, scratch, text, findings):
        inputs = [p for p in sorted(scratch.iterdir()) if p.name.startswith(_FINDING_PREFIXES)]
        kind = logs.classify(text) if inputs else None
        for path in inputs:
            command = _COMMAND.format(target=self._target) + "{}"
            findings.add(self._target, kind, path, text, command)
        if inputs:
            self._n_deaths += 1
        elif forced == process.OVERRUN:
            self.trouble = f"{self._target}: did not end in time; see {self._log}"
        elif forced is None and status not in (0, _INTERRUPTED):
            self.trouble = f"{self._target}: ended with status {status}; see {self._log}"
