# SPDX-License-Identifier: Apache-2.0
"""slm_room, hrn_room: one room of the library, of the harness; slm_variant: a test build of rooms."""

load("@rules_cc//cc:defs.bzl", "cc_library")
load("//bazel:copts.bzl", "SLM_COPTS")

# Of the library.
ROOMS = [
    "base",
    "journal",
    "lease",
    "lock",
    "pool",
    "segment",
    "slab",
    "source",
    "table",
    "tree",
    "zone",
]

HARNESS_ROOMS = [
    "adapters",
    "base",
    "broken",
    "conformance",
    "failure",
    "inputs",
    "laws",
    "memory",
    "program",
    "registry",
    "run",
    "sched",
    "trace",
    "zoo",
]

# The bodies of fuzz targets, and common, which all of them link.
FUZZ_BODIES = [
    "any",
    "common",
    "journal",
    "lock",
    "rbtree",
    "schedule",
    "slab_image",
    "trace",
    "zone",
    "zone_threads",
]

# The packages that may include a room's private headers. Others use //allocator:insiders.
_INSIDERS = [
    "//allocator:__subpackages__",
    "//tests:__subpackages__",
]

def slm_room(name, deps = [], linkopts = []):
    """All sources of this folder as one library.

    Declares <name>, the library; :priv, its private headers, for tests that break its invariants by
    hand; :sources and :headers, the files, for slm_variant and for builds without Bazel.

    Args:
      name: of the room, the same as the folder's.
      deps: the rooms below that it calls.
      linkopts: as cc_library has them.
    """
    headers = native.glob(["*.h"], allow_empty = True)
    cc_library(
        name = name,
        srcs = native.glob(["*.c"]) + headers,
        copts = SLM_COPTS,
        linkopts = linkopts,
        visibility = ["//visibility:public"],
        deps = deps + ["//include:headers"],
    )
    cc_library(
        name = "priv",
        hdrs = headers,
        visibility = _INSIDERS,
        deps = [":" + name],
    )
    native.filegroup(
        name = "sources",
        srcs = native.glob(["*.c"]),
        visibility = ["//visibility:public"],
    )
    native.filegroup(
        name = "headers",
        srcs = headers,
        visibility = ["//visibility:public"],
    )

    # For copies with planted faults, which tests must find, and for copies of the tree.
    native.exports_files(["BUILD"] + native.glob(["*.c"]), visibility = ["//tests:__subpackages__"])

def slm_variant(
        name,
        units,
        defines = [],
        copts = [],
        deps = [],
        testonly = True,
        tags = [],
        target_compatible_with = []):
    """Declares a library of some rooms, compiled with other options.

    Args:
      name: of the library.
      units: the rooms that it consists of; other rooms that it needs are deps.
      defines: macros, also for targets that depend on it.
      copts: further compiler options.
      deps: as cc_library has them.
      testonly: as cc_library has it.
      tags: as cc_library has them.
      target_compatible_with: as cc_library has it.
    """
    cc_library(
        name = name,
        testonly = testonly,
        tags = tags,
        target_compatible_with = target_compatible_with,
        srcs = ["//allocator/%s:sources" % unit for unit in units],
        hdrs = ["//allocator/%s:headers" % unit for unit in units],
        copts = SLM_COPTS + copts,
        defines = defines,
        linkopts = ["-pthread"],
        visibility = [
            "//bench:__subpackages__",
            "//fuzz:__subpackages__",
            "//harness:__subpackages__",
            "//tests:__subpackages__",
        ],
        deps = deps + ["//include:headers"],
    )

_MILL = [
    "//bench:__subpackages__",
    "//fuzz:__subpackages__",
    "//harness:__subpackages__",
    "//tests:__subpackages__",
    "//tools:__subpackages__",
]

def hrn_room(
        name,
        deps,
        exclude = [],
        srcs = [],
        copts = [],
        linkopts = [],
        alwayslink = False,
        linkstatic = False,
        visibility = _MILL):
    """All sources of this folder, of the harness or of a fuzz target's body, as one library.

    Declares <name>, the library, and :files, for the build without Bazel (fuzz/oss-fuzz/build.sh).

    Args:
      name: of the room, which is that of the folder.
      deps: the rooms that it calls.
      exclude: files of the folder that are targets of their own.
      srcs: sources of other folders.
      copts: further compiler options.
      linkopts: as cc_library has them.
      alwayslink: as cc_library has it.
      linkstatic: as cc_library has it.
      visibility: as cc_library has it.
    """
    cc_library(
        name = name,
        srcs = native.glob(["*.c"], exclude = exclude) + srcs,
        hdrs = native.glob(["*.h"], allow_empty = True, exclude = exclude),
        copts = SLM_COPTS + copts,
        linkopts = linkopts,
        visibility = visibility,
        deps = deps,
        alwayslink = alwayslink,
        linkstatic = linkstatic,
    )
    native.filegroup(
        name = "files",
        srcs = native.glob(["*.c"]) + native.glob(["*.h"], allow_empty = True),
        visibility = ["//visibility:public"],
    )

    # For copies of the tree.
    native.exports_files(["BUILD"], visibility = ["//tests:__subpackages__"])
