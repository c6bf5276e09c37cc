# SPDX-License-Identifier: Apache-2.0
"""A night of fuzzing.

Model    One thread looks after at most --jobs processes (job.py). A time slice (time_slice.py)
         fuzzes one target in one lane (lanes.py), chosen by what it still yields (plan.py).
         Between and after the slices run the work on findings (triage.py), the merging of corpora
         (corpus.py) and source coverage (coverage.py). The journal (journal.py) records what
         happened. After a kill the account (account.py) is made from it again. morning.py writes
         report.json and its page.
Parts    night.py puts the parts together and runs them in order. No part knows it: each takes the
         parts that it uses, and no two modules import each other (parts_test.py).
Safety   Every process dies with the runner. Findings and inputs are on disk from the moment that
         they are made. The runner can be killed at any time; the next start continues the night.
"""
