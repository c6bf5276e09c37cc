# SPDX-License-Identifier: Apache-2.0
"""The morning page: report.json and its schema, made into one file that needs no network."""
