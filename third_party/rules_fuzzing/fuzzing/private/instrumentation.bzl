# SPDX-License-Identifier: Apache-2.0
"""The flags of each value of cc_engine_instrumentation and cc_engine_sanitizer."""

load("@rules_fuzzing_oss_fuzz//:instrum.bzl", "OSS_FUZZ_CFLAGS", "OSS_FUZZ_CXXFLAGS")

_UBSAN = [
    "-fsanitize=undefined",
    "-fno-sanitize-recover=all",
]

# clang, not clang++, links C programs. It leaves out UBSan's C++ part.
_UBSAN_LINK = ["-fsanitize-link-c++-runtime"]

_SANITIZER_COPTS = {
    "asan": ["-fsanitize=address"],
    "asan-ubsan": ["-fsanitize=address"] + _UBSAN,
    "msan": ["-fsanitize=memory", "-fsanitize-memory-track-origins"],
    "none": [],
    "ubsan": _UBSAN,
}

# trace-cmp calls a function at every comparison: it halves the speed, and compared values help
# little in programs made of records. Without it 20 seconds reach more features (slab_image_fuzz:
# 1129 instead of 904, trace_fuzz: 1014 instead of 985). stack-depth adds one feature to code
# without recursion, and costs a store in nearly every function.
_ENGINE_COPTS = {
    "libfuzzer": [
        "-fsanitize=fuzzer-no-link",
        "-fno-sanitize-coverage=trace-cmp",
        "-fno-sanitize-coverage=stack-depth",
    ],
    "none": [],
    "oss-fuzz": [],
}

# -O2 runs 1.7 times as many operations per second as -O1, and builds as fast.
_COMMON_COPTS = [
    "-O2",
    "-gline-tables-only",
    "-fno-omit-frame-pointer",
]

SANITIZERS = sorted(_SANITIZER_COPTS.keys())

INSTRUMENTATIONS = sorted(_ENGINE_COPTS.keys())

def instrumentation_flags(engine, sanitizer, fuzzing_build_mode):
    """Returns a struct of flag lists to add to a fuzz binary and all that it links.

    Args:
      engine: a value of cc_engine_instrumentation.
      sanitizer: a value of cc_engine_sanitizer.
      fuzzing_build_mode: whether FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION is defined.
    """
    if engine == "oss-fuzz":
        return struct(
            copt = [],
            conlyopt = OSS_FUZZ_CFLAGS,
            cxxopt = OSS_FUZZ_CXXFLAGS,
            linkopt = OSS_FUZZ_CXXFLAGS + _UBSAN_LINK,
        )
    sanitize = _SANITIZER_COPTS[sanitizer]
    link_extra = _UBSAN_LINK if "ubsan" in sanitizer else []
    define = ["-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION"] if fuzzing_build_mode else []
    return struct(
        copt = _COMMON_COPTS + _ENGINE_COPTS[engine] + sanitize + define,
        conlyopt = [],
        cxxopt = [],
        linkopt = sanitize + link_extra,
    )
