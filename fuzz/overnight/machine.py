# SPDX-License-Identifier: Apache-2.0
"""The machine a night runs on: its memory, its disk, the versions of its tools."""

import os
import platform
import re
import shutil
import subprocess

# An input that needs more memory is a finding on any machine.
_MOST_RSS_MB = 2048
# All processes together may use this share.
_SHARE_OF_MEMORY = 0.7
MEGABYTE = 1 << 20


def memory_mb():
    """All memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEGABYTE


def rss_limit_mb(n_jobs):
    """The memory that each of so many processes may have."""
    return max(256, min(_MOST_RSS_MB, int(memory_mb() * _SHARE_OF_MEMORY / n_jobs)))


def free_mb(folder):
    """The space on a folder's file system that we may still use."""
    return shutil.disk_usage(folder).free // MEGABYTE


def _first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (done.stdout or done.stderr).strip().splitlines()
    return re.sub(r"\x1b\[[0-9;]*m", "", lines[0]).strip() if lines else None


def _cpu():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


NO_AFL = "not installed (Debian: afl++), so its lane does not run"


def has_afl():
    """Whether AFL++ can be started."""
    return shutil.which("afl-fuzz") is not None


def describe():
    """Returns what the report says about the machine."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_mb": memory_mb(),
        "system": platform.platform(),
    }


def versions(workspace, is_guest):
    """Returns {tool: version} of the installed tools."""
    found = {
        "clang": _first_line("clang-19", "--version"),
        "python": platform.python_version(),
    }
    found["afl++"] = _first_line("afl-fuzz") if has_afl() else NO_AFL
    if workspace:
        found[workspace.name if is_guest else "slabmill"] = _first_line(
            "git", "-C", str(workspace), "describe", "--always", "--dirty", "--abbrev=12"
        )
    return {tool: version for tool, version in found.items() if version}
