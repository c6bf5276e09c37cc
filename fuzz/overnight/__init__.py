# SPDX-License-Identifier: Apache-2.0
"""A night of fuzzing.

Model    One thread looks after at most --jobs processes (job.py): turns of fuzzing (turn.py), each
         of one lane of one target (lanes.py) chosen by what it still yields (plan.py); and between
         and behind them the work on what was found (triage.py), the merging of corpora (corpus.py)
         and source coverage (coverage.py). What happened is in a journal (night.py) from which the
         account (account.py) is made again after a kill; report.py turns it into one page.
Safety   Every process dies with the runner. Findings and inputs lie on disk from the moment that
         they are made; the runner can be killed at any time, and the next start goes on.
"""
