#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages of the peers (peers/peers.txt): the allocators that the mill is
# compared with. It starts no service.
# Usage: ./bazelw run //tools:install_peers [-- PEER...]
# Exit status: 0 every package is installed; 1 some are not, each named with the reason; 2 a wrong
# call. INSTALL_PEERS_LIST and INSTALL_PEERS_POLICY name other files, for tests.
set -u

# Bazel starts it in the folder of its inputs; by hand it is run in the project's root.
list=${INSTALL_PEERS_LIST:-$PWD/peers/peers.txt}
policy=${INSTALL_PEERS_POLICY:-/usr/sbin/policy-rc.d}
made_policy=

say() {
    printf 'install_peers: %s\n' "$*"
}

# Prints the packages of the peers that are arguments, or of all, each once.
packages_of() {
    awk -v wanted=" $* " '
        /^#/ || NF == 0 { next }
        wanted == "  " || index(wanted, " " $1 " ") {
            for (i = 5; i <= NF; i++) {
                if (!seen[$i]++) {
                    print $i
                }
            }
        }' "$list"
}

check_names() {
    for peer in "$@"; do
        awk -v peer="$peer" '$1 == peer { found = 1 } END { exit !found }' "$list" || {
            say "no peer is named $peer; see $list" >&2
            exit 2
        }
    done
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null)" = 'ii ' ]
}

find_missing() {
    missing=
    for package in $packages; do
        is_installed "$package" || missing="$missing $package"
    done
}

become_root() {
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || {
            say "this user may not install packages:"
            say "    sudo apt-get update && sudo apt-get install --no-install-recommends$missing"
            exit 1
        }
        as_root='sudo -n'
    fi
}

# Debian starts a service after its installation, unless this program says no. nginx is one.
forbid_services() {
    if [ ! -e "$policy" ]; then
        made_policy=1
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod +x "$policy"
    fi
}

allow_services() {
    [ -z "$made_policy" ] || $as_root rm -f "$policy"
    made_policy=
}

apt() {
    # shellcheck disable=SC2086 # as_root is no word, or two
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" </dev/null >&2
}

# One at a time after a failure: one package that is not there must not keep out the others.
install_missing() {
    become_root
    trap allow_services EXIT
    trap 'exit 1' INT TERM
    forbid_services
    say "installing:$missing"
    apt update || say "apt-get update failed; trying with the lists that are there"
    # shellcheck disable=SC2086 # several words
    apt install -y --no-install-recommends $missing || {
        for package in $missing; do
            apt install -y --no-install-recommends "$package" ||
                say "apt-get cannot install $package"
        done
    }
    allow_services
}

[ -r "$list" ] || {
    say "$list: not found; run it in the project's root" >&2
    exit 2
}
check_names "$@"
packages=$(packages_of "$@")
if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    say "there is no apt-get here; install the equivalents of these Debian packages:"
    say "    $(echo $packages)"
    exit 1
fi
find_missing
[ -z "$missing" ] || install_missing
find_missing
for package in $packages; do
    case " $missing " in
    *" $package "*) say "absent: $package" ;;
    *) say "installed: $package" ;;
    esac
done
[ -z "$missing" ]
