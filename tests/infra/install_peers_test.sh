#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools/install_peers.sh with commands that stand for Debian's: nothing is installed here.
# Usage: install_peers_test.sh SCRIPT
set -u

script=$PWD/$1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
bin=$scratch/bin
mkdir "$bin" "$scratch/installed"
n_failed=0

make() { # command, with its text as input
    { echo '#!/bin/sh' && cat; } >"$bin/$1"
    chmod +x "$bin/$1"
}

make dpkg-query <<EOF
for name in "\$@"; do :; done
[ ! -e "$scratch/installed/\$name" ] || printf 'ii '
EOF
make apt-get <<EOF
echo "\$*" >>"$scratch/calls"
[ ! -e "$scratch/policy" ] || echo 'services are forbidden' >>"$scratch/calls"
case "\$*" in *gone*) exit 100 ;; *' install '*) ;; *) exit 0 ;; esac
for name in "\$@"; do touch "$scratch/installed/\$name"; done
EOF
make sudo <<'EOF'
[ "$1" != -n ] || shift
exec "$@"
EOF
make true </dev/null
make id <<EOF
cat "$scratch/uid"
EOF
echo 0 >"$scratch/uid"
for command in awk cat chmod env rm sh tee touch; do
    ln -s "$(command -v "$command")" "$bin/$command"
done
cat >"$scratch/list" <<'EOF'
# a comment
one one.c one.h - libone-dev
two two.c two.h -ltwo libtwo-dev libone-dev
EOF

run() { # argument...
    rm -f "$scratch/calls"
    PATH=$bin INSTALL_PEERS_LIST=$scratch/list INSTALL_PEERS_POLICY=$scratch/policy \
        /bin/sh "$script" "$@" >"$scratch/out" 2>&1
    status=$?
}

expect() { # what, then a command
    what=$1
    shift
    "$@" >/dev/null && return
    n_failed=$((n_failed + 1))
    echo "FAILED: $what"
    cat "$scratch/out"
}

run
expect 'what is missing is installed' [ "$status" -eq 0 ]
expect 'it is named' grep -qx 'install_peers: installed: libtwo-dev' "$scratch/out"
expect 'each package is installed once' grep -qx -- \
    '-q install -y --no-install-recommends libone-dev libtwo-dev' "$scratch/calls"
expect 'no service starts' grep -q 'services are forbidden' "$scratch/calls"
expect 'services may start afterwards' [ ! -e "$scratch/policy" ]

run
expect 'with all installed, nothing is done' [ "$status" -eq 0 ]
expect 'with all installed, apt-get is not called' [ ! -e "$scratch/calls" ]

echo 'three three.c three.h - gone-dev libthree-dev' >>"$scratch/list"
run
expect 'a package that cannot be installed is a failure' [ "$status" -eq 1 ]
expect 'it is named' grep -qx 'install_peers: absent: gone-dev' "$scratch/out"
expect 'the others are installed' grep -qx 'install_peers: installed: libthree-dev' "$scratch/out"

run one
expect 'only the named peer counts' [ "$status" -eq 0 ]
run four
expect 'an unknown peer is a wrong call' [ "$status" -eq 2 ]

echo 1000 >"$scratch/uid"
rm "$scratch/installed/libone-dev"
run one
expect 'another user than root installs by sudo' [ "$status" -eq 0 ]
expect 'and forbids services by sudo' grep -q 'services are forbidden' "$scratch/calls"
make sudo <<'EOF'
exit 1
EOF
rm "$scratch/installed/libone-dev"
run one
expect 'without the right to sudo it fails' [ "$status" -eq 1 ]
expect 'and says what to run' grep -q 'apt-get install --no-install-recommends libone-dev' \
    "$scratch/out"
echo 0 >"$scratch/uid"

echo '#!/bin/sh' >"$scratch/policy"
run three
expect 'a policy of the system is kept' [ -e "$scratch/policy" ]

rm "$bin/apt-get"
run
expect 'without apt-get it fails' [ "$status" -eq 1 ]
expect 'and says what to install' grep -q 'libone-dev libtwo-dev gone-dev' "$scratch/out"

[ "$n_failed" -eq 0 ]
