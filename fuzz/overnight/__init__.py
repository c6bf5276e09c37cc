# SPDX-License-Identifier: Apache-2.0
"""A night of fuzzing.

Model    One thread looks after at most --jobs processes (job.py): slices of fuzzing (time_slice.py), each
         of one lane of one target (lanes.py), chosen by what it still yields (plan.py). Between and
         after them run the work on findings (triage.py), the merging of corpora (corpus.py) and
         source coverage (coverage.py). journal.py keeps what happened; the account (account.py) is
         made from it again after a kill. morning.py writes report.json and its page.
Parts    night.py puts the parts together and runs them in order. No part knows it: each takes the
         parts that it uses, and no two modules import each other (parts_test.py).
Safety   Every process dies with the runner. Findings and inputs lie on disk from the moment that
         they are made; the runner can be killed at any time, and the next start goes on.
"""
