# SPDX-License-Identifier: Apache-2.0
"""Makes an input that fails small: fewer records, then simpler bytes, and still the same cause.

Works on whole records, as the mutators do: without a single byte, all records after it would be
other operations.
"""


class Shrinker:
    """fails(data) returns whether an input still fails for the same cause. It is called until it
    raises StopIteration, or nothing gets smaller."""

    def __init__(self, fails, head_bytes, record_bytes):
        self._fails = fails
        self._head = head_bytes
        self._record = max(1, record_bytes)

    def shrink(self, data):
        """Returns the smallest input that was found in time."""
        self._best = data
        try:
            while self._drop_records() | self._simplify():
                pass
        except StopIteration:
            pass
        return self._best

    def _split(self):
        body = self._best[self._head :]
        return [body[i : i + self._record] for i in range(0, len(body), self._record)]

    def _try(self, data):
        if data == self._best or not self._fails(data):
            return False
        self._best = data
        return True

    def _drop_records(self):
        """Drops halves, quarters, ... down to single records. It begins at the end: earlier records
        rarely need later ones."""
        changed = False
        width = max(1, len(self._split()) // 2)
        while width >= 1:
            end = len(self._split())
            while end > 0:
                records = self._split()
                begin = max(0, end - width)
                rest = b"".join(records[:begin] + records[end:])
                changed |= self._try(self._best[: self._head] + rest)
                end = begin
            width //= 2
        return changed

    def _simplify(self):
        """Sets each byte to 0, or halves it, or subtracts 1."""
        changed = False
        for i in range(len(self._best)):
            for value in (0, self._best[i] // 2, self._best[i] - 1):
                if value < 0 or value >= self._best[i]:
                    continue
                if self._try(self._best[:i] + bytes([value]) + self._best[i + 1 :]):
                    changed = True
                    break
        return changed
