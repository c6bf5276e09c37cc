# SPDX-License-Identifier: Apache-2.0
"""journal.jsonl has a line for each slice. All numbers of the report come from it, so the next
start can continue after a kill."""

import contextlib
import json

from . import files


class Journal:
    """Keeps the account and the file in step."""

    def __init__(self, store, account, troubles):
        self._path = store.out / "journal.jsonl"
        self._store = store
        self._account = account
        self._troubles = troubles

    def add(self, event):
        """Adds a slice that has ended."""
        self._account.apply(event)
        if event["trouble"]:
            self._troubles.announce(self._sentence(event))
        self._store.write("journal", lambda: self._append(event))

    def _append(self, event):
        with open(self._path, "a", encoding="utf-8") as stream:
            # The line break comes first: a kill or a full disk may have cut off the last line.
            stream.write("\n" + json.dumps(event))

    @staticmethod
    def _sentence(event):
        return f"{event['target']}/{event['lane']}: {event['trouble']}"

    def recover(self):
        """Adds up the slices of earlier sessions; returns their numbers."""
        numbers = set()
        for line in files.read_text(self._path).splitlines():
            # A line may be cut off, or of another format than today's.
            with contextlib.suppress(ValueError, KeyError, TypeError):
                event = json.loads(line)
                self._account.apply(event)
                if event["trouble"]:
                    self._troubles.add(self._sentence(event))
                numbers.add(event["number"])
        return numbers
