# SPDX-License-Identifier: Apache-2.0
"""Reads what a failing process printed: kind, law, frames and one name for the cause.

Each of our laws fails in a function of its own, <unit>_law_<name>, so the stack names the law.
Other causes are distinguished by the error and the top frames of our own code.
"""

import dataclasses
import re

from . import files

_LAW = re.compile(r"^\w+?_law_(\w+)$")
# #3 0x55... in slm_slab_free allocator/slab/objects.c:120:5
_FRAME = re.compile(r"^[ \t]*#(\d+) 0x[0-9a-f]+ in (\S+)(.*)$", re.MULTILINE)
_TSAN_FRAME = re.compile(r"^[ \t]+#(\d+) (\w+) (\S+:\d+.*)$", re.MULTILINE)
_REPORT = re.compile(
    r"^(?:slabmill: broken law: |==\d+== ?(?:ERROR|WARNING): |WARNING: ThreadS|.*runtime error: )",
    re.MULTILINE,
)
_SUMMARY = re.compile(r"^SUMMARY: (\w+): (\S.*)$", re.MULTILINE)
_RUNTIME_ERROR = re.compile(r"runtime error: (.+)$", re.MULTILINE)
_LIBFUZZER_KINDS = {
    "timeout": "timeout",
    "out-of-memory": "out-of-memory",
    "deadly signal": "abort",
    "fuzz target exited": "exit",
}
_MOST_NAME = 160
# Other output between the lines of a report can make a stack longer than this.
_MOST_STACK = 1 << 16
# How many frames name a cause, and how many a report shows.
_NAMING = 2
_SHOWN = 12
# A path in the workspace. Other repositories, such as the mill of another workspace, are in
# external/. The C library's debug information has the paths of its own tree.
_C_LIBRARY = (
    r"(?:\./)?(?:nptl|csu|signal|sysdeps|assert|elf|debug|libio|string|stdlib|misc|posix|io|time)/"
    r"|(?:\./)?malloc/(?:malloc|arena)\.c"
)
_OURS = re.compile(rf"^(?!/|external/|{_C_LIBRARY})\S+\.(?:c|h|cc|cpp|cxx|hh|hpp)\b")
_IS_SOURCE = re.compile(r"\.(?:c|h|cc)\b")
# The folder of Bazel's compiler and the binary: the same in every line.
_NOISE = re.compile(r"/proc/self/cwd/| \(/\S*\+0x[0-9a-f]+\)| \(BuildId: [0-9a-f]+\)")
# Functions that every input passes through.
_COMMON = re.compile(r"LLVMFuzzer|^hrn_fuzz_one$|^main$|^hrn_run")


@dataclasses.dataclass(frozen=True)
class Cause:
    """Why a process died. `name` is the same for the same cause in one target."""

    kind: str
    law: str
    frames: tuple
    stack: str

    def name(self, target):
        """One word of letters, digits, - and _."""
        if self.kind in ("timeout", "out-of-memory"):
            # The frame in which it was caught is arbitrary.
            words = [target, self.kind]
        elif self.law:
            words = [target, "law", self.law]
        else:
            words = [target, self.kind, *self.frames[:_NAMING]]
        name = re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(words)).strip("-")
        if len(name) > _MOST_NAME:
            # A folder gets this name.
            name = f"{name[:_MOST_NAME]}-{files.name_of(name.encode())[:8]}"
        return name


def _kind(text, summary):
    if summary is None:
        return None
    tool, rest = summary.groups()
    if tool == "libFuzzer":
        return next((k for word, k in _LIBFUZZER_KINDS.items() if rest.startswith(word)), rest)
    if tool == "UndefinedBehaviorSanitizer":
        error = _RUNTIME_ERROR.search(text)
        return _without_values(error.group(1)) if error else rest.split()[0]
    if tool == "ThreadSanitizer":
        return rest.split(" /")[0].split(" (")[0].strip().replace(" ", "-")
    return rest.split()[0]


def _without_values(sentence):
    """Removes numbers and names: with other values it is still the same error."""
    sentence = re.sub(r"0x[0-9a-f]+|-?\d+|'[^']*'", "", sentence)
    return "-".join(re.findall(r"[A-Za-z_]+", sentence)[:6])


def _first_stack(text):
    """The frames from #0 up to the next #0: the first stack of a report."""
    frames = []
    for pattern in (_FRAME, _TSAN_FRAME):
        for number, name, rest in pattern.findall(text):
            if number == "0" and frames:
                break
            frames.append((name, rest.strip()))
        if frames:
            break
    return frames


def has_stack(text):
    """True if a report has frames."""
    return bool(_first_stack(text))


def _stack_text(text):
    begin = _REPORT.search(text)
    end = _SUMMARY.search(text)
    start = begin.start() if begin else 0
    stack = _NOISE.sub("", text[start : end.end() if end else None]).strip()
    return files.shorten(stack, _MOST_STACK)


def classify(text):
    """Reads what a process printed; None if it reports no failure."""
    summary = _SUMMARY.search(text)
    kind = _kind(text, summary)
    if kind is None:
        return None
    stack = _first_stack(_stack_text(text))
    ours = [name for name, where in stack if _OURS.search(where) and not _COMMON.search(name)]
    laws = (_LAW.match(name) for name, where in stack if _IS_SOURCE.search(where))
    law = next((found.group(1) for found in laws if found), None)
    return Cause(
        kind="law" if law else kind,
        law=law,
        frames=tuple(ours[:_SHOWN]),
        stack=_stack_text(text),
    )
