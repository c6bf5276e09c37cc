# SPDX-License-Identifier: Apache-2.0
"""Examines one finding: does it fail again, how small can the input get, what does it print?

Usage: python3 -m overnight.triage FOLDER SECONDS

FOLDER is a finding's folder (findings.py). Writes triage.json and `shrunk` there. Exit status 0 if
the finding was examined, reproduced or not.
"""

import pathlib
import re
import sys
import tempfile

from . import causes, clock, files, job, lanes, shrink

_TRIES = 3
_RUN_SECONDS = lanes.UNIT_TIMEOUT_SECONDS * 3
# An input that hangs is run many times, so the limit is shorter than the fuzzer's.
_HANG_SECONDS = 2
_SHAPE = re.compile(r"^slabmill: shape head=(\d+) record=(\d+)", re.MULTILINE)
_OP = re.compile(r"^slabmill: ((?:head|op) .*)$", re.MULTILINE)
_TEST = re.compile(r"^slabmill: test begin\n(.*?)^slabmill: test end$", re.MULTILINE | re.DOTALL)
# Bytes per line, for a target that does not print its operations.
_DUMP_BYTES = 16
_SHOWN_OPS = 500


class Runner:
    """Runs inputs through the binary that failed."""

    def __init__(self, finding, scratch):
        self._binary = finding["binary"]
        self._scratch = pathlib.Path(scratch)
        hangs = finding["kind"] == "timeout"
        self._limit = _HANG_SECONDS if hangs else lanes.UNIT_TIMEOUT_SECONDS

    def run(self, data, say=""):
        """Runs one input; returns what the process printed."""
        path = self._scratch / "input"
        path.write_bytes(data)
        command = [self._binary, f"-timeout={self._limit}", str(path)]
        command.insert(1, f"-artifact_prefix={self._scratch}/")
        env = {**lanes.sanitizer_environment(), "TMPDIR": str(self._scratch), "HRN_FUZZ_SAY": say}
        output = self._scratch / "output"
        status = job.run_to_end(command, output, _RUN_SECONDS, env, cwd=self._scratch)
        late = "\nSUMMARY: libFuzzer: timeout\n" if status is None else ""
        return files.read_text(output) + late

    def cause(self, data):
        """Returns why the process dies of an input, or None."""
        return causes.classify(self.run(data))


def _deadline(fails, seconds):
    """Returns fails(), but raising StopIteration after so many seconds."""
    end = clock.now() + seconds

    def ask(data):
        if clock.now() > end:
            raise StopIteration
        return fails(data)

    return ask


def _dump(data, head, record):
    """The input as lines of bytes, one per record, for a target that does not print operations."""
    width = record if record > 1 else _DUMP_BYTES
    lines = [f"head  {data[:head].hex(' ')}"] if head else []
    for number, at in enumerate(range(head, len(data), width)):
        lines.append(f"{number:4}  {data[at : at + width].hex(' ')}")
    return lines


def _middle_out(lines):
    """Keeps the first and last lines: a hang may print millions of operations."""
    n_out = len(lines) - 2 * _SHOWN_OPS
    if n_out > 0:
        lines = [*lines[:_SHOWN_OPS], f"... at least {n_out} more ...", *lines[-_SHOWN_OPS:]]
    return "\n".join(lines)


def _shape(text):
    found = _SHAPE.search(text)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 1)


class Triage:
    """One finding."""

    def __init__(self, folder, seconds, scratch):
        self._folder = pathlib.Path(folder)
        self._seconds = seconds
        self._finding = files.read_json(self._folder / "finding.json")
        self._runner = Runner(self._finding, scratch)

    def _reproduce(self, data):
        """Returns (how many tries failed, the first cause seen, or None)."""
        seen = [self._runner.cause(data) for _ in range(_TRIES)]
        found = [cause for cause in seen if cause]
        return len(found), found[0] if found else None

    def _shrink(self, data, cause, shape):
        target = self._finding["target"]
        name = cause.name(target)

        def fails(smaller):
            found = self._runner.cause(smaller)
            return found is not None and found.name(target) == name

        return shrink.Shrinker(_deadline(fails, self._seconds), *shape).shrink(data)

    def _has_twin(self, cause):
        """True if the cause has a finding already: this one will only be counted."""
        name = cause.name(self._finding["target"])
        return name != self._folder.name and (self._folder.parent / name).exists()

    def examine(self):
        """Returns the content of triage.json."""
        original = (self._folder / "input").read_bytes()
        first = causes.classify(files.read_text(self._folder / "log"))
        n_again, again = self._reproduce(original)
        # The find names the finding. A replay may fail in another way, or not at all.
        cause = first or again
        if cause and self._has_twin(cause):
            return {"cause": cause.name(self._finding["target"])}
        flaky = n_again < _TRIES
        shape = _shape(self._runner.run(b"", "shape"))
        data = original
        # A flaky input is not shrunk: a smaller one that passes proves nothing.
        if again and not flaky:
            data = self._shrink(original, again, shape)
        said = self._runner.run(data, "ops,test")
        files.write_bytes(self._folder / "shrunk", data)
        last = causes.classify(said) or cause
        test = _TEST.search(said)
        return {
            "cause": cause.name(self._finding["target"]) if cause else None,
            "kind": last.kind if last else "gone",
            "law": last.law if last else None,
            "frames": list(last.frames) if last else [],
            "stack": last.stack if last else "",
            "stack_from": "replay",
            "ops": _middle_out(_OP.findall(said) or _dump(data, *shape)),
            "test": test.group(1) if test else "",
            "flaky": flaky,
            "reproduced": n_again,
            "tries": _TRIES,
            "input": "shrunk",
            "size_bytes": len(data),
            "original_bytes": len(original),
        }


def main(argv):
    """Returns the exit status."""
    folder, seconds = pathlib.Path(argv[0]), float(argv[1])
    if not (folder / "input").exists():
        # The disk was full: there is only the first log.
        return 0
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        files.write_json(folder / "triage.json", Triage(folder, seconds, scratch).examine())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
