#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the mill's command on an adapter of a peer, after building the peer's plugin. An adapter of
# nginx runs in the process of nginx.
# Usage: ./bazelw run -c opt //peers:mill -- ADAPTER COMMAND [ARGUMENT...]
#   ... -- mimalloc check --ops 10000000
#   ... -- nginx_slab_misuse soak --seconds 60 --seed 1
#   ... -- --list
# Output and exit status are those of the mill; 77: the peer is not installed. PEERS_OUT names a
# folder for plugins that are used again; else they are built each time.
set -u

# Bazel starts it in the folder of its inputs.
peers=$PWD/peers
mill=$PWD/tools/slabmill/slabmill
cd "${BUILD_WORKING_DIRECTORY:-$PWD}" || exit 2

if [ "${1-}" = --list ]; then
    awk '!/^#/ { print $2 }' "$peers/expected.txt"
    exit 0
fi
[ $# -ge 2 ] || {
    echo "usage: mill.sh ADAPTER COMMAND [ARGUMENT...] | --list" >&2
    exit 2
}
adapter=$1
command=$2
shift 2
peer=$(awk -v adapter="$adapter" '$2 == adapter { print $1 }' "$peers/expected.txt")
[ -n "$peer" ] || {
    echo "peers: no adapter is named $adapter (--list)" >&2
    exit 2
}

folder=${PEERS_OUT-}
if [ -z "$folder" ]; then
    folder=$(mktemp -d) || exit 2
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 143' HUP INT TERM
fi
plugin=$folder/$peer.so
[ -e "$plugin" ] || "$peers/build.sh" "$peer" "$plugin" || exit $?

# Room for the thread-local variables of a library that is loaded late: jemalloc has many.
GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384
export GLIBC_TUNABLES
set -- "$command" --adapter "$plugin:$adapter" "$@"
if [ "$peer" = nginx ]; then
    "$peers/nginx/run.sh" "$plugin" "$peers/nginx/mill.so" "$@"
else
    "$mill" "$@"
fi
