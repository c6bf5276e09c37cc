#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a plugin in the process of nginx: one process, in a folder of its own, without ports and
# without a log. The mill is such a plugin.
# Usage: run.sh MODULE.so PLUGIN.so ARGUMENT...
#   run.sh ngx_slabmill_module.so mill.so check --adapter "$PWD/ngx_slabmill_module.so:nginx_slab"
# Output and exit status are those of the plugin; 2: nginx did not run it. NGINX names another nginx;
# NGINX_UNDER is a command that starts it, such as valgrind with options: its pools then have no way
# to the mill's sources, which measurements do not need.
set -u

[ $# -ge 2 ] || {
    echo "usage: run.sh MODULE.so PLUGIN.so ARGUMENT..." >&2
    exit 2
}

# A word of nginx's configuration.
quote() {
    printf ' "%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')"
}

module=$(realpath -- "$1") || exit 2
plugin=$(realpath -- "$2") || exit 2
shift 2
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
trap 'exit 143' HUP INT TERM
{
    echo "load_module$(quote "$module");"
    echo "daemon off; master_process off; pid \"$folder/nginx.pid\"; events {}"
    echo "error_log \"$folder/error.log\" emerg;"
    printf 'slabmill'
    quote "$plugin"
    for word in "$@"; do
        quote "$word"
    done
    echo ';'
} >"$folder/nginx.conf"

# Where addresses cannot be fixed, the mill runs with random ones.
fixed='setarch -R'
$fixed true 2>/dev/null || fixed=
# glibc would otherwise have no room for plugins with thread-local variables, such as jemalloc.
way=LD_PRELOAD=$module
[ -z "${NGINX_UNDER-}" ] || way=SLM_NGINX_UNROUTED=1
# shellcheck disable=SC2086 # some words, or none
$fixed env "$way" ${NGINX_UNDER-} "${NGINX:-/usr/sbin/nginx}" -p "$folder" -e "$folder/error.log" \
    -c "$folder/nginx.conf"
status=$?
if [ -s "$folder/error.log" ]; then
    cat "$folder/error.log" >&2
    [ "$status" -ne 1 ] || grep -q '\[emerg\]' "$folder/error.log" && status=2
fi
exit "$status"
