# SPDX-License-Identifier: Apache-2.0
# Sourced by check.sh: the variables and folders of OSS-Fuzz's base-builder image, with Debian's
# compilers and engines.

llvm=19
rt=/usr/lib/llvm-$llvm/lib/clang/$llvm/lib/linux
afl_driver=/usr/lib/afl/libAFLDriver.a

# Prints why a configuration cannot be built here; nothing if it can.
lacking() { # engine sanitizer arch
    local missing=()
    case "$1 $3" in
    "libfuzzer x86_64") ;;
    "libfuzzer i386")
        [ -e /usr/include/gnu/stubs-32.h ] || missing+=(libc6-dev-i386)
        [ -e /usr/lib/gcc/x86_64-linux-gnu/12/32/libgcc.a ] || missing+=(lib32gcc-12-dev)
        [ -e /usr/lib/gcc/x86_64-linux-gnu/12/32/libstdc++.a ] || missing+=(lib32stdc++-12-dev)
        ;;
    "afl x86_64") [ -e "$afl_driver" ] || missing+=(afl++) ;;
    *" aarch64") echo "Debian's clang has no run-time libraries of that machine" && return ;;
    *) echo "not in Debian" && return ;;
    esac
    [ -e "$rt/libclang_rt.fuzzer-x86_64.a" ] || missing+=("libclang-rt-$llvm-dev")
    for tool in clang llvm-profdata; do
        command -v "$tool-$llvm" >/dev/null || missing+=("${tool/#llvm-*/llvm}-$llvm")
    done
    [ ${#missing[@]} -eq 0 ] || echo "install the Debian packages ${missing[*]}"
}

sanitizer_flags() { # sanitizer
    # The UBSan checks that OSS-Fuzz enables; all except one are fatal.
    local fatal=bool,array-bounds,float-divide-by-zero,function,integer-divide-by-zero,return
    fatal=$fatal,shift,signed-integer-overflow,vla-bound,vptr
    case $1 in
    address) echo "-fsanitize=address -fsanitize-address-use-after-scope" ;;
    undefined) echo "-fsanitize=$fatal,unsigned-integer-overflow -fno-sanitize-recover=$fatal" ;;
    memory) echo "-fsanitize=memory -fsanitize-memory-track-origins" ;;
    coverage) echo "-fprofile-instr-generate -fcoverage-mapping -pthread" ;;
    esac
}

set_compilers() { # engine sanitizer arch
    local flags="-O1 -fno-omit-frame-pointer -gline-tables-only"
    flags="$flags -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION $(sanitizer_flags "$2")"
    CC=clang-$llvm
    CXX=clang++-$llvm
    LIB_FUZZING_ENGINE=-fsanitize=fuzzer
    if [ "$1" = afl ]; then
        CC=afl-clang-fast
        CXX=afl-clang-fast++
        LIB_FUZZING_ENGINE=$afl_driver
        export AFL_QUIET=1
    elif [ "$2" != coverage ]; then
        flags="$flags -fsanitize=fuzzer-no-link"
    fi
    [ "$3" != i386 ] || flags="-m32 -isystem /usr/include/x86_64-linux-gnu $flags"
    CFLAGS=$flags
    # The image links libc++ from an archive; here the C++ libraries need flags for that. MSan
    # defines new and delete, which libc++ allows and libstdc++ does not.
    CXXFLAGS="$flags -static-libstdc++ -static-libgcc"
    [ "$2" != memory ] || CXXFLAGS="$CXXFLAGS -Wl,-z,muldefs"
    export CC CXX LIB_FUZZING_ENGINE CFLAGS CXXFLAGS
}

# Runs the tree's build.sh. Artefacts are in STAGE/out, the output is in STAGE/build.log.
build() { # engine sanitizer arch tree stage
    mkdir -p "$5/out" "$5/src" "$5/work" "$5/tmp" "$5/cwd"
    ln -s "$4" "$5/src/slabmill"
    cp "$4/fuzz/oss-fuzz/build.sh" "$5/src/build.sh"
    (
        set_compilers "$1" "$2" "$3"
        export FUZZING_ENGINE=$1 SANITIZER=$2 ARCHITECTURE=$3 FUZZING_LANGUAGE=c
        export OUT=$5/out SRC=$5/src WORK=$5/work
        cd "$SRC/slabmill"
        exec bash -eu "$SRC/build.sh"
    ) >"$5/build.log" 2>&1 || {
        tail -n 20 "$5/build.log" >&2
        return 1
    }
}

# Makes a copy of the tree with every mistake of faults.txt.
make_faulty_tree() { # tree copy
    local file edit
    mkdir -p "$2"
    cp -RL "$1/include" "$1/allocator" "$1/harness" "$1/fuzz" "$1/corpus" "$2/"
    chmod -R u+w "$2"
    while read -r file edit; do
        sed -i "$edit" "$2/$file"
        ! cmp -s "$1/$file" "$2/$file" || {
            echo "faults.txt: the edit of $file changes nothing" >&2
            return 1
        }
    done < <(grep -v '^#' "$1/fuzz/oss-fuzz/standin/faults.txt")
}
