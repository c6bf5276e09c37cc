#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Starts a command with the rights that OSS-Fuzz's runner gives a fuzz target: everything is
# read-only, artefacts and the working folder too, except /tmp; /dev/shm is not writable.
# Usage: unshare -rm runner.sh OUT TMP COMMAND...; COMMAND sees OUT as /mnt/out and TMP as /tmp.
set -eu

# Opens both folders first: their paths may lead through /mnt or /tmp, which are hidden next.
exec 3<"$1" 4<"$2"
shift 2
mount -t tmpfs none /mnt
mkdir /mnt/out /mnt/cwd
mount --no-canonicalize --bind /proc/self/fd/3 /mnt/out
mount -o remount,bind,ro /mnt/out
mount --no-canonicalize --bind /proc/self/fd/4 /tmp
exec 3<&- 4<&-
mount -t tmpfs -o ro none /dev/shm
mount -o remount,bind,ro /
mount -o remount,bind,ro /mnt
cd /mnt/cwd
for folder in / /mnt/out /mnt/cwd /dev/shm; do
    if (: >"$folder/probe") 2>/dev/null; then
        echo "runner.sh: $folder can be written to" >&2
        exit 125
    fi
done
exec "$@"
