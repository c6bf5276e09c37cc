#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Starts a command in what OSS-Fuzz's runner leaves a fuzz target: artefacts and everything else
# read-only, an unwritable working folder, no /dev/shm, and /tmp.
# Usage: unshare -rm runner.sh OUT TMP COMMAND...; COMMAND sees OUT as /mnt/out and TMP as /tmp.
set -eu

# By descriptor: the names can lead through /mnt or /tmp, which are hidden next.
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
