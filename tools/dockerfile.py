# SPDX-License-Identifier: Apache-2.0
"""Carries out a Dockerfile in the folder of a Debian 12, without Docker.

Knows FROM debian:12, ENV NAME=VALUE, WORKDIR, COPY of the whole tree, and RUN as shell text. It
refuses everything else, so that no line of a Dockerfile is left out unseen.
"""

import pathlib
import re
import shlex
import shutil

_ENV = re.compile(r"([A-Za-z_]\w*)=([\w./:+-]*)")


class Unknown(Exception):
    """A line that only Docker understands."""


def _instructions(text):
    """Yields (line number, name, the rest) of each instruction; lines that `\\` joins are one."""
    waiting, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*(#|$)", line):
            continue
        start = start if waiting else number
        waiting += line.strip()
        if waiting.endswith("\\"):
            waiting = waiting[:-1] + " "
            continue
        name, _, rest = waiting.partition(" ")
        yield start, name, rest.strip()
        waiting = ""
    if waiting:
        raise Unknown(f"line {start} has no end")


def _is_known(name, rest):
    """Whether an instruction has a form that carry_out knows."""
    if name == "ENV":
        return _ENV.fullmatch(rest) is not None
    if name == "WORKDIR":
        return re.fullmatch(r"/[\w./-]*", rest) is not None
    if name == "COPY":
        return rest == ". ."
    return name == "RUN" and re.match(r"\[|--", rest) is None and rest != ""


def parse(text):
    """The instructions after FROM, as (name, rest). Raises Unknown."""
    steps = []
    for number, name, rest in _instructions(text):
        is_first = not steps
        if is_first != (name == "FROM") or (is_first and rest != "debian:12"):
            raise Unknown(f"line {number}: FROM debian:12 must be the first, and no other")
        if not is_first and not _is_known(name, rest):
            raise Unknown(f"line {number}: only Docker knows: {name} {rest}")
        steps.append((name, rest))
    if not steps:
        raise Unknown("it has no instruction")
    return steps[1:]


def carry_out(steps, tree, root, run):
    """Carries out steps of parse in the Debian at root. COPY takes the folder tree; run(script)
    runs a shell script in that Debian, and raises an exception if it fails."""
    exports, workdir = "", "/"
    for name, rest in steps:
        inside = pathlib.Path(root, workdir.lstrip("/"))
        if name == "ENV":
            variable, value = _ENV.fullmatch(rest).groups()
            exports += f"export {variable}={shlex.quote(value)}\n"
        elif name == "WORKDIR":
            workdir = rest
            pathlib.Path(root, workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif name == "COPY":
            shutil.copytree(tree, inside, symlinks=True, dirs_exist_ok=True)
        else:
            run(f"set -e\n{exports}cd {shlex.quote(workdir)}\n{rest}\n")
