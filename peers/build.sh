#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the plugin of one peer from its adapter and the peer that is installed on this system.
# Usage: build.sh PEER OUT.so
# Exit status: 0 built; 77 the peer is not installed, and the last line of output says so; 1 the
# build failed, and its output is shown; 2 a wrong call. CC names another compiler.
set -u

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
root=$(dirname -- "$here")
nginx_source=/usr/share/nginx/src

die() {
    status=$1
    shift
    printf 'peers: %s\n' "$*" >&2
    exit "$status"
}

# $1: the peer, $2: its packages
absent() {
    echo "$1 is not installed (Debian: $2)"
    exit 77
}

# As a user builds a plugin. $1: source, $2: what to link, $3: result
build_plugin() {
    language=-std=c11
    [ "$1" = "${1%.cc}" ] || language=-std=c++17
    link=$2
    [ "$link" != - ] || link=
    # shellcheck disable=SC2086 # several words, or none
    ${CC:-cc} $language -O2 -g -Wall -Wextra -shared -fPIC -I"$root/include" -I"$root" \
        -I/usr/include/apr-1.0 "$here/$1" $link -o "$3" ||
        exit 1
}

# As Debian builds its modules, in a copy: configure writes a Makefile into its own folder.
build_nginx() {
    copy=$(mktemp -d) || exit 1
    trap 'rm -rf "$copy"' EXIT
    cp -R "$nginx_source/." "$copy" || exit 1
    (
        cd "$copy" && bash -c '. ./conf_flags && ./configure --with-cc-opt="-O2 -fPIC" \
            --with-ld-opt=-fPIC "${NGX_CONF_FLAGS[@]}" --add-dynamic-module="$0"' "$here/nginx" &&
            make -f objs/Makefile modules
    ) >"$copy/log" 2>&1 || {
        tail -n 40 "$copy/log" >&2
        exit 1
    }
    cp "$copy/objs/ngx_slabmill_module.so" "$1" || exit 1
}

[ $# -eq 2 ] || die 2 "usage: build.sh PEER OUT.so"
# shellcheck disable=SC2046 # the columns of the peer's line
set -- "$1" "$2" $(awk -v peer="$1" '$1 == peer' "$here/peers.txt")
[ $# -ge 6 ] || die 2 "no peer is named $1 (peers.txt)"
peer=$1 out=$2 source=$4 header=$5 link=$6
shift 6
if [ "$peer" = nginx ]; then
    { [ -x /usr/sbin/nginx ] && [ -e "$nginx_source/conf_flags" ]; } || absent "$peer" "$*"
    build_nginx "$out"
else
    printf '#include <%s>\n' "$header" | ${CC:-cc} -x c++ -E -I/usr/include/apr-1.0 \
        -D_GNU_SOURCE - >/dev/null 2>&1 || absent "$peer" "$*"
    build_plugin "$source" "$link" "$out"
fi
