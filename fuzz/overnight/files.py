# SPDX-License-Identifier: Apache-2.0
"""Small files that are complete or absent."""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib


# The unit of st_blocks on any file system.
_BLOCK_BYTES = 512
# How much is kept of each end of a text.
_MOST_TEXT_BYTES = 2 << 20


def write_bytes(path, data):
    """Replaces a file's content atomically: a reader sees the old or the new."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(data)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write_json(path, value):
    """Writes a value as JSON, atomically."""
    write_bytes(path, json.dumps(value, indent=1).encode())


def read_json(path, default=None, kind=dict):
    """Returns what a JSON file holds; the default if it is missing, damaged or of another kind."""
    try:
        value = json.loads(pathlib.Path(path).read_bytes())
    except (OSError, ValueError, RecursionError):
        return default
    return value if isinstance(value, kind) else default


def read_text(path):
    """Returns a program's output as text. It may hold any bytes. Of a long output, which may be
    endless, returns the beginning and the end. Returns "" if there is none."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(_MOST_TEXT_BYTES)
            end = max(stream.tell(), os.fstat(stream.fileno()).st_size - _MOST_TEXT_BYTES)
            data += _cut(end - stream.tell()).encode()
            stream.seek(end)
            data += stream.read(_MOST_TEXT_BYTES)
    except OSError:
        return ""
    return data.decode("utf-8", "replace")


def _cut(n_bytes):
    return f"\n... {n_bytes:,} bytes left out ...\n" if n_bytes > 0 else ""


def shorten(text, most):
    """Keeps the beginning and the end of a longer text."""
    half = most // 2
    n_out = len(text) - 2 * half
    return text if n_out <= 0 else text[:half] + _cut(n_out) + text[-half:]


def name_of(data):
    """Returns the name of an input: the hash of its content, as libFuzzer does."""
    return hashlib.sha1(data).hexdigest()


def _walk(folder):
    try:
        entries = list(os.scandir(folder))
    except OSError:
        # The folder is gone, or never existed.
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        elif not entry.name.startswith(".") and os.path.isfile(entry.path):
            yield entry.path


def inputs_of(folder):
    """Returns the inputs below a folder, sorted by path."""
    return [pathlib.Path(path) for path in sorted(_walk(folder))]


def read_inputs(folder):
    """Yields (path, content) of each input. Fuzzers and other runners may delete some meanwhile."""
    for path in inputs_of(folder):
        try:
            yield path, path.read_bytes()
        except FileNotFoundError:
            continue


@contextlib.contextmanager
def locked(path):
    """Other runners that lock the same file wait meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def size_of(folder):
    """Returns the bytes on disk of all files below a folder."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.lstat(os.path.join(root, name))
                # A small file takes a whole block, and a new one may have none yet.
                total += max(found.st_size, found.st_blocks * _BLOCK_BYTES)
            except OSError:
                continue
    return total
