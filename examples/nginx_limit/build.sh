#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the module for the nginx of this system, as Debian builds its modules.
# Usage: build.sh OUT.so [FOLDER]      FOLDER, a new one, keeps nginx's headers as configured
# Exit status: 0 built; 77 nginx or its headers are not installed, and the last line of output says
# so; 1 the build failed, and its output is shown; 2 a wrong call.
set -u

{ [ $# -ge 1 ] && [ $# -le 2 ]; } || {
    echo "usage: build.sh OUT.so [FOLDER]" >&2
    exit 2
}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
nginx_source=/usr/share/nginx/src
for needed in /usr/sbin/nginx "$nginx_source/conf_flags" /usr/include/pcre2.h \
    /usr/include/openssl/ssl.h /usr/include/zlib.h; do
    [ -e "$needed" ] || {
        echo "$needed is missing (Debian: nginx-light nginx-dev libpcre2-dev libssl-dev zlib1g-dev)"
        exit 77
    }
done

# configure writes a Makefile into its own folder.
copy=$(mktemp -d) || exit 1
trap 'rm -rf "$copy"' EXIT
trap 'exit 143' HUP INT TERM
cp -R "$nginx_source/." "$copy" || exit 1
(
    cd "$copy" && bash -c '. ./conf_flags && ./configure --with-cc-opt="-O2 -fPIC" \
        --with-ld-opt=-fPIC "${NGX_CONF_FLAGS[@]}" --add-dynamic-module="$0"' "$here" &&
        make -f objs/Makefile modules
) >"$copy/log" 2>&1 || {
    tail -n 40 "$copy/log" >&2
    exit 1
}
cp "$copy/objs/ngx_http_slabmill_limit_module.so" "$1" || exit 1
[ $# -eq 1 ] || cp -R "$copy" "$2"
