# SPDX-License-Identifier: Apache-2.0
"""Compares this library with nginx and other allocators."""
