# SPDX-License-Identifier: Apache-2.0
"""Small files that are whole or not there."""

import hashlib
import json
import os
import pathlib


def write_bytes(path, data):
    """Replaces a file's content at once: a reader sees the old or the new."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(data)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write_json(path, value):
    """The same for a value as JSON."""
    write_bytes(path, json.dumps(value, indent=1).encode())


def read_json(path, default=None):
    """Returns what a JSON file holds, or the default if it is not there or damaged."""
    try:
        return json.loads(pathlib.Path(path).read_bytes())
    except (OSError, ValueError):
        return default


def read_text(path):
    """Returns a program's output as text, whatever bytes it wrote; empty if there is none."""
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def name_of(data):
    """Names an input after its content, as libFuzzer does."""
    return hashlib.sha1(data).hexdigest()


def inputs_of(folder):
    """Returns the inputs below a folder, in order of their names."""
    folder = pathlib.Path(folder)
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))


def size_of(folder):
    """Returns the bytes of all files below a folder."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                continue
    return total
