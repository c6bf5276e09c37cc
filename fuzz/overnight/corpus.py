# SPDX-License-Identifier: Apache-2.0
"""Corpora: the checked-in one, which is read; the cached one, which grows from night to night; and
one that other runners share.

An input that kills its target would kill every process that reads it: it is left out from then on.
"""

import contextlib
import os
import pathlib
import re
import shutil

from . import files

# The most that libFuzzer reads of a file.
_MOST_INPUT_BYTES = 1 << 20
_CONTENT_NAME = re.compile("[0-9a-f]{40}")


class Corpora:
    """The folders of all targets, for one night."""

    def __init__(self, settings, out):
        self._settings = settings
        self._out = out
        self._seen = {}
        self._taken = set()
        self._merging = {}
        self._merged = set()
        self._left_out = set(files.read_json(out / "left_out.json", [], list))
        self.frozen = None

    def cached(self, target):
        """What earlier nights and this one found."""
        return self._settings.cache / "corpus" / target

    def seeds(self, target):
        """The checked-in inputs, less those that kill."""
        filtered = self._out / "seeds" / target
        return filtered if filtered.exists() else self._settings.seeds(target)

    def short(self, target):
        """What the lane without seeds found; merged in the end."""
        return self._out / "short" / target

    def written_by(self, target, lane, slice_folder):
        """Where a slice writes new inputs; away with the slice when the disk is full."""
        if self.frozen:
            return slice_folder / "discarded"
        return self.cached(target) if lane.seeded else self.short(target)

    def read_by(self, target, lane):
        """Folders that a slice reads besides."""
        if not lane.seeded:
            return []
        return ([self.cached(target)] if self.frozen else []) + [self.seeds(target)]

    def all_of(self, target):
        """Folders with every input of a target."""
        folders = (self.cached(target), self.seeds(target), self.short(target))
        return [folder for folder in folders if folder.exists()]

    def count(self, target):
        """How many inputs there are, cached and checked in."""
        return sum(len(files.inputs_of(f)) for f in (self.cached(target), self.seeds(target)))

    def gather(self, target, folder):
        """Copies every input into one folder: AFL++ takes no links."""
        for source in self.all_of(target):
            for _, data in files.read_inputs(source):
                if data:
                    files.write_bytes(folder / files.name_of(data), data)

    def is_new(self, scope, path):
        """True once for each content in a scope, of this start of the runner."""
        seen = self._seen.setdefault(scope, set())
        name = files.name_of(path.read_bytes())
        if name in seen:
            return False
        seen.add(name)
        return True

    def add(self, target, data):
        """Adds an input to the cached corpus; False if it is there, or the disk is full."""
        path = self.cached(target) / files.name_of(data)
        if self.frozen or path.exists():
            return False
        files.write_bytes(path, data)
        return True

    def leave_out(self, target, data):
        """No process reads this input any more. Returns the checked-in path, if it has one."""
        name = files.name_of(data)
        self._left_out.add(name)
        for folder in (self.cached(target), self.short(target)):
            for path, content in files.read_inputs(folder):
                if content == data:
                    path.unlink(missing_ok=True)
        seed = self._filter_seeds(target, data)
        files.write_json(self._out / "left_out.json", sorted(self._left_out))
        return seed

    def _filter_seeds(self, target, data):
        source, found = self._settings.seeds(target), None
        for path, content in files.read_inputs(source):
            if content == data:
                # In the build's copy lies the path in the source tree.
                found = str(path.relative_to(source))
        if found is None:
            return None
        kept = self._out / "seeds" / target
        if not kept.exists():
            # A kill, or a full disk, must not leave a part of it in its place.
            copy = kept.with_name(f".{target}")
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy)
            for folder, _, _ in os.walk(copy):
                os.chmod(folder, 0o755)
            copy.rename(kept)
        (kept / found).unlink(missing_ok=True)
        return found

    # Merging: into a folder of this night, from which what is new is copied; then what was merged
    # goes. At no moment is an input nowhere, and what others write meanwhile stays.

    def merge_command(self, target):
        """What makes the smallest set of inputs with all features, in a folder of its own."""
        folder = self._out / "merging" / target
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # What is there first counts as reached: nothing is kept that the seeds do as well.
        for _, data in files.read_inputs(self.seeds(target)):
            files.write_bytes(folder / files.name_of(data), data)
        self._merging[target] = files.inputs_of(self.cached(target))
        binary = self._settings.binary("asan-ubsan", target)
        limit = f"-rss_limit_mb={self._settings.rss_mb}"
        others = [f for f in self.all_of(target) if f != self.seeds(target)]
        return [binary, "-set_cover_merge=1", limit, folder, *others]

    def finish_merge(self, target):
        """Takes what was merged, less what is checked in."""
        folder = self._out / "merging" / target
        kept = {files.name_of(data): data for _, data in files.read_inputs(folder)}
        for _, data in files.read_inputs(self.seeds(target)):
            kept.pop(files.name_of(data), None)
        cached = self.cached(target)
        with files.locked(cached.with_name(f".{target}.lock")):
            for name, data in kept.items():
                if not (cached / name).exists():
                    files.write_bytes(cached / name, data)
            for path in self._merging.pop(target):
                if path != cached / path.name or path.name not in kept:
                    path.unlink(missing_ok=True)
        self._merged.add(target)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.short(target), ignore_errors=True)

    def is_merged(self, target):
        """True if its corpus is as small as it gets."""
        return target in self._merged

    # Other runners.

    def exchange(self, target):
        """Gives the shared folder what is new here, and takes what is new there."""
        if self._settings.shared is None:
            return
        there, here = self._settings.shared / target, self.cached(target)
        theirs, ours = files.inputs_of(there), files.inputs_of(here)
        there.mkdir(parents=True, exist_ok=True)
        self._give(ours, {path.name for path in theirs}, there)
        known = {path.name for path in ours}
        error = None
        for path in theirs:
            if path.name not in known and path not in self._taken and not self.frozen:
                try:
                    self._take(target, path)
                except OSError as failed:
                    error = failed
        if error:
            raise error

    @staticmethod
    def _give(ours, known, there):
        for path in ours:
            if path.name not in known:
                with contextlib.suppress(FileNotFoundError):
                    data = path.read_bytes()
                    files.write_bytes(there / files.name_of(data), data)

    def _take(self, target, path):
        """Whoever wrote it: what is large is no input, and what is not as its name says may be
        half written yet."""
        if path.stat().st_size > _MOST_INPUT_BYTES:
            return
        data = path.read_bytes()
        name = files.name_of(data)
        if _CONTENT_NAME.fullmatch(path.name) and path.name != name:
            return
        self._taken.add(path)
        if name not in self._left_out:
            self.add(target, data)

    # The source tree.

    def commit(self, target, workspace):
        """Copies the merged inputs into corpus/; returns how many were new."""
        folder = pathlib.Path(workspace, "corpus", target)
        n_new = 0
        for _, data in files.read_inputs(self.cached(target)):
            copy = folder / files.name_of(data)[:16]
            if not copy.exists():
                files.write_bytes(copy, data)
                n_new += 1
        return n_new
