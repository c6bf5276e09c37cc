# SPDX-License-Identifier: Apache-2.0
"""Keeps one example of each kind of finding, with its log and the command that shows it again."""

import dataclasses
import pathlib
import shutil
import threading


@dataclasses.dataclass
class Finding:
    """One kind of failure of one target."""

    target: str
    kind: str
    path: pathlib.Path
    reproduce: str
    n_seen: int = 1


class Findings:
    """All findings of a night, by target and kind."""

    def __init__(self, out):
        self._folder = out / "findings"
        self._by_kind = {}
        # Lanes report from threads of their own.
        self._lock = threading.Lock()

    def __iter__(self):
        return iter(self._by_kind.values())

    def __len__(self):
        return len(self._by_kind)

    def of(self, target):
        """The findings of one target."""
        return [finding for finding in self if finding.target == target]

    def add(self, target, kind, source, log, command):
        """Copies the input and its log on first sight; `command` takes the input's path."""
        with self._lock:
            known = self._by_kind.get((target, kind))
            if known:
                known.n_seen += 1
                return
            kept = self._keep(f"{target}-{kind}{source.suffix}", source, log)
            finding = Finding(target, kind, kept, command.format(kept))
            self._by_kind[target, kind] = finding
        print(f"FINDING {target}: {kind}\n  {finding.reproduce}", flush=True)

    def _keep(self, name, source, log):
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = self._folder / name
        shutil.copyfile(source, kept)
        kept.with_name(name + ".log").write_text(log, encoding="utf-8")
        return kept
