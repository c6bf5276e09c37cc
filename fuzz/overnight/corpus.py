# SPDX-License-Identifier: Apache-2.0
"""Corpora: the checked-in one, which is read; the cached one, which grows from night to night; and
one that other runners share.

An input that kills its target would kill every process that reads it: it is left out from then on.
"""

import os
import pathlib
import shutil

from . import files


class Corpora:
    """The folders of all targets, for one night."""

    def __init__(self, settings, out):
        self._settings = settings
        self._out = out
        self._seen = {}
        self._left_out = set(files.read_json(out / "left_out.json", []))
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

    def written_by(self, target, lane, turn_folder):
        """Where a turn writes new inputs; away with the turn when the disk is full."""
        if self.frozen:
            return turn_folder / "discarded"
        return self.cached(target) if lane.seeded else self.short(target)

    def read_by(self, target, lane):
        """Folders that a turn reads besides."""
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
        for path in (p for f in self.all_of(target) for p in files.inputs_of(f)):
            data = path.read_bytes()
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
        files.write_json(self._out / "left_out.json", sorted(self._left_out))
        for folder in (self.cached(target), self.short(target)):
            for path in files.inputs_of(folder):
                if files.name_of(path.read_bytes()) == name:
                    path.unlink()
        return self._filter_seeds(target, name)

    def _filter_seeds(self, target, name):
        source, found = self._settings.seeds(target), None
        for path in files.inputs_of(source):
            if files.name_of(path.read_bytes()) == name:
                # In the build's copy lies the path in the source tree.
                found = str(path.relative_to(source))
        if found is None:
            return None
        kept = self._out / "seeds" / target
        if not kept.exists():
            shutil.copytree(source, kept)
            for folder, _, _ in os.walk(kept):
                os.chmod(folder, 0o755)
        (kept / found).unlink(missing_ok=True)
        return found

    # Merging: into a new folder, which takes the old one's place in two steps.

    def merge_command(self, target):
        """What makes the smallest set of inputs with all features; into `merging`."""
        folder = self._merging(target)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # What is there first counts as reached: nothing is kept that the seeds do as well.
        for path in files.inputs_of(self.seeds(target)):
            data = path.read_bytes()
            files.write_bytes(folder / files.name_of(data), data)
        binary = self._settings.binary("asan-ubsan", target)
        limit = f"-rss_limit_mb={self._settings.rss_mb}"
        others = [f for f in self.all_of(target) if f != self.seeds(target)]
        return [binary, "-set_cover_merge=1", limit, folder, *others]

    def finish_merge(self, target):
        """Takes what was merged, less what is checked in."""
        merged, cached = self._merging(target), self.cached(target)
        checked_in = {files.name_of(p.read_bytes()) for p in files.inputs_of(self.seeds(target))}
        for path in files.inputs_of(merged):
            if path.name in checked_in:
                path.unlink()
        old = cached.with_name(f".{target}.old")
        shutil.rmtree(old, ignore_errors=True)
        if cached.exists():
            cached.rename(old)
        merged.rename(cached)
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(self.short(target), ignore_errors=True)

    def recover(self):
        """A kill between the two steps of a merge left the old folder only."""
        for old in self._settings.cache.glob("corpus/.*.old"):
            cached = old.with_name(old.name[1 : -len(".old")])
            if cached.exists():
                shutil.rmtree(old)
            else:
                old.rename(cached)

    def _merging(self, target):
        return self.cached(target).with_name(f".{target}.merging")

    # Other runners.

    def exchange(self, target):
        """Gives the shared folder what is new here, and takes what is new there."""
        if self._settings.shared is None:
            return 0
        there, here = self._settings.shared / target, self.cached(target)
        there.mkdir(parents=True, exist_ok=True)
        here.mkdir(parents=True, exist_ok=True)
        theirs = {path.name: path for path in files.inputs_of(there)}
        ours = {path.name: path for path in files.inputs_of(here)}
        for name in ours.keys() - theirs.keys():
            files.write_bytes(there / name, ours[name].read_bytes())
        taken = theirs.keys() - ours.keys() - self._left_out
        for name in taken:
            files.write_bytes(here / name, theirs[name].read_bytes())
        return len(taken)

    # The source tree.

    def commit(self, target, workspace):
        """Copies the merged inputs into corpus/; returns how many were new."""
        folder = pathlib.Path(workspace, "corpus", target)
        n_new = 0
        for path in files.inputs_of(self.cached(target)):
            data = path.read_bytes()
            copy = folder / files.name_of(data)[:16]
            if not copy.exists():
                files.write_bytes(copy, data)
                n_new += 1
        return n_new
