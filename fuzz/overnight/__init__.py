# SPDX-License-Identifier: Apache-2.0
"""A night of fuzzing: traces replayed, every target for an equal share, one table at the end."""
