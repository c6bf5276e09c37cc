# SPDX-License-Identifier: Apache-2.0
"""Corpora of a target: the checked-in one is only read; the cached one grows from night to night;
a third one may be shared with other runners.

An input that kills its target would kill every process that reads it, so it is left out from then
on.
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
        """The folder of what this night and earlier ones found."""
        return self._settings.cache / "corpus" / target

    def seeds(self, target):
        """The folder of the checked-in inputs, without those that kill."""
        filtered = self._out / "seeds" / target
        return filtered if filtered.exists() else self._settings.seeds(target)

    def short(self, target):
        """The folder of what the lane without seeds found. It is merged at the end."""
        return self._out / "short" / target

    def written_by(self, target, lane, slice_folder):
        """The folder to which a slice writes new inputs. When the disk is full, it is deleted with
        the slice."""
        if self.frozen:
            return slice_folder / "discarded"
        return self.cached(target) if lane.seeded else self.short(target)

    def read_by(self, target, lane):
        """The other folders that a slice reads."""
        if not lane.seeded:
            return []
        return ([self.cached(target)] if self.frozen else []) + [self.seeds(target)]

    def all_of(self, target):
        """The folders with every input of a target."""
        folders = (self.cached(target), self.seeds(target), self.short(target))
        return [folder for folder in folders if folder.exists()]

    def count(self, target):
        """The number of inputs, cached and checked in."""
        return sum(len(files.inputs_of(f)) for f in (self.cached(target), self.seeds(target)))

    def gather(self, target, folder):
        """Copies every input into one folder: AFL++ does not follow links."""
        for source in self.all_of(target):
            for _, data in files.read_inputs(source):
                if data:
                    files.write_bytes(folder / files.name_of(data), data)

    def is_new(self, scope, path):
        """True when this start of the runner sees a content for the first time in a scope."""
        seen = self._seen.setdefault(scope, set())
        name = files.name_of(path.read_bytes())
        if name in seen:
            return False
        seen.add(name)
        return True

    def add(self, target, data):
        """Adds an input to the cached corpus. False: it is there already, or the disk is full."""
        path = self.cached(target) / files.name_of(data)
        if self.frozen or path.exists():
            return False
        files.write_bytes(path, data)
        return True

    def leave_out(self, target, data):
        """Removes an input, so that no process reads it again. Returns its checked-in path, if it
        has one."""
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
                # Within the build's copy it is the path in the source tree.
                found = str(path.relative_to(source))
        if found is None:
            return None
        kept = self._out / "seeds" / target
        if not kept.exists():
            # A kill or a full disk must not leave part of the copy under the final name.
            copy = kept.with_name(f".{target}")
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy)
            for folder, _, _ in os.walk(copy):
                os.chmod(folder, 0o755)
            copy.rename(kept)
        (kept / found).unlink(missing_ok=True)
        return found

    # A merge writes to a folder of this night. Then what is new there is copied to the cache, and
    # what was merged is deleted from it. Every input is in one place at any moment, and inputs that
    # other runners write meanwhile stay.

    def merge_command(self, target):
        """Returns the command that makes the smallest set of inputs with all features, in a folder
        of its own."""
        folder = self._out / "merging" / target
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # What is in the folder first counts as reached: inputs that add nothing to the seeds go.
        for _, data in files.read_inputs(self.seeds(target)):
            files.write_bytes(folder / files.name_of(data), data)
        self._merging[target] = files.inputs_of(self.cached(target))
        binary = self._settings.binary("asan-ubsan", target)
        limit = f"-rss_limit_mb={self._settings.rss_mb}"
        others = [f for f in self.all_of(target) if f != self.seeds(target)]
        return [binary, "-set_cover_merge=1", limit, folder, *others]

    def finish_merge(self, target):
        """Replaces the cached corpus with the result, without what is checked in."""
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
        """True if this night has merged the target's corpus."""
        return target in self._merged

    # Other runners.

    def exchange(self, target):
        """Copies new inputs to the shared folder, and new inputs of the shared folder here."""
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
        """Copies one input here. A large file is not an input. A file whose name is the hash of
        another content may not be written completely yet."""
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
        """Copies the merged inputs to corpus/; returns how many were new."""
        folder = pathlib.Path(workspace, "corpus", target)
        n_new = 0
        for _, data in files.read_inputs(self.cached(target)):
            copy = folder / files.name_of(data)[:16]
            if not copy.exists():
                files.write_bytes(copy, data)
                n_new += 1
        return n_new
