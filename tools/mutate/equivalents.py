# SPDX-License-Identifier: Apache-2.0
"""Mutants that no test can find, each with its proof: equivalent.txt.

An entry is a line `KEY PATH FUNCTION` and the lines of its proof, indented. KEY is a hash of what
the mutant changes and of its line, so that edits elsewhere do not touch it.
"""

import re

HEAD = re.compile(r"([0-9a-f]{12}) (\S+) (\S+)")


class Invalid(Exception):
    """A file that says what is not so."""


def read(path):
    """The entries: key -> (path, function, proof)."""
    entries, key = {}, None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = HEAD.fullmatch(line)
        if match:
            key = match.group(1)
            if key in entries:
                raise Invalid(f"{path.name}:{number}: {key} is listed twice")
            entries[key] = (match.group(2), match.group(3), "")
        elif line.startswith(" ") and key:
            entries[key] = (*entries[key][:2], f"{entries[key][2]} {line.strip()}".strip())
        elif line and not line.startswith("#"):
            expected = "expected `KEY PATH FUNCTION` or an indented proof"
            raise Invalid(f"{path.name}:{number}: {expected}")
    for key, (_, _, proof) in entries.items():
        if not proof:
            raise Invalid(f"{path.name}: {key} has no proof")
    return entries


def check_fresh(entries, path, mutants):
    """Raises Invalid if an entry of this file is of no mutant."""
    known = {mutant.key: mutant.function for mutant in mutants}
    for key, (of, function, _) in entries.items():
        if of == path and known.get(key) != function:
            raise Invalid(f"equivalent.txt: {key} is stale: no such mutant of {path}, {function}")
