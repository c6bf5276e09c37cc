# SPDX-License-Identifier: Apache-2.0
"""What went wrong in a night that went on all the same."""

import contextlib
import traceback


class Troubles:
    """Sentences for the report. `say` shows a line to the user at once."""

    def __init__(self, say):
        self.sentences = []
        self._say = say

    def add(self, sentence):
        """Adds a sentence to the report. A sentence that is added again is reported once."""
        if sentence not in self.sentences:
            self.sentences.append(sentence)

    def announce(self, sentence):
        """Adds a sentence, and shows it at once."""
        self.add(sentence)
        self._say(f"TROUBLE {sentence}")

    def add_mistake(self, job):
        """Reports an exception that the end of a job raised; called by its handler."""
        text = traceback.format_exc()
        self.add(f"{job.name}: the runner failed: {text.splitlines()[-1]}")
        self._say(text)

    @contextlib.contextmanager
    def survives(self, what):
        """Reports a full disk and the like, and the night goes on."""
        try:
            yield
        except OSError as error:
            sentence = f"{what}: {error.strerror or error}"
            if sentence not in self.sentences:
                self.announce(sentence)
