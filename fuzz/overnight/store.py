# SPDX-License-Identifier: Apache-2.0
"""The folder of a night, with the corpora and the disk space that it uses.

    DIR/night.json      the night's parameters, until it has ended
    DIR/journal.jsonl   see journal.py
    DIR/slices/         folders of slices under way
    DIR/findings/       see findings.py
    DIR/logs/           what the fuzzers printed
    DIR/report.html     the page, and report.json, its data
"""

import errno

from . import corpus, disk, files


class Store:
    """`out` is the folder. All writes of a night that must not be lost go through write()."""

    def __init__(self, settings, out, troubles):
        self.out = out
        self.corpora = corpus.Corpora(settings, out)
        self.disk = disk.Disk(out, settings.cache, settings.disk_mb)
        self._troubles = troubles
        self._began = None

    def write(self, what, write):
        """Calls write(). When the disk is full, releases the reserve and calls it once more."""
        with self._troubles.survives(what):
            try:
                write()
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                self._freeze(f"{what}: {error.strerror}")
                write()

    def _freeze(self, why):
        if self.corpora.frozen:
            return
        self.corpora.frozen = why
        self.disk.release()
        self._troubles.announce(f"disk: new inputs are not kept any more: {why}")

    # night.json.

    def begin(self, began):
        """Writes what a later start needs to continue this night after a kill."""
        self._began = began
        with self._troubles.survives("night.json"):
            files.write_json(self.out / "night.json", began)

    def end(self):
        """The night has ended: no later start continues it."""
        with self._troubles.survives("night.json"):
            (self.out / "night.json").unlink(missing_ok=True)

    # While the night runs.

    def check(self):
        """Called often: notices a disk that runs low, and a folder that was deleted."""
        with self._troubles.survives("disk"):
            why = self.disk.check()
            if why:
                self._freeze(why)
        self._check_folder()

    def _check_folder(self):
        """The output folder may be deleted during the night; recreate it."""
        if (self.out / ".lock").exists():
            return
        gone = "was taken away while the night ran, with what it had found until then"
        self._troubles.announce(f"{self.out}: {gone}")
        with self._troubles.survives("night.json"):
            files.write_json(self.out / "night.json", self._began)
            (self.out / ".lock").touch()
