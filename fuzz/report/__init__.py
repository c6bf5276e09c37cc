# SPDX-License-Identifier: Apache-2.0
"""Makes the morning page from report.json: one file that needs no network."""
