# SPDX-License-Identifier: Apache-2.0
"""slabmill_dependencies: the repositories that this one needs, for any WORKSPACE."""

load("//bazel/afl:repository.bzl", "afl_repository")

_DEBIAN = {
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "platforms": "/usr/share/bazel/tools/platforms",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_proto": "/usr/share/bazel/rules/proto",
}

_THIRD_PARTY = [
    # Bazel 4 asks for it as soon as a test is analysed.
    "remote_coverage_tools",
    # Debian's own bazel-rules-cc is too new for its Bazel.
    "rules_cc",
    "rules_fuzzing",
    "rules_shell",
]

def _declare(rule, name, **kwargs):
    if name not in native.existing_rules():
        rule(name = name, **kwargs)

def slabmill_dependencies(path):
    """Declares those repositories that WORKSPACE has not declared above.

    Args:
      path: of slabmill's own folder, as local_repository takes it.
    """
    for name, folder in _DEBIAN.items():
        _declare(native.local_repository, name, path = folder)
    for name in _THIRD_PARTY:
        _declare(native.local_repository, name, path = path + "/third_party/" + name)
    _declare(afl_repository, "slabmill_afl")
    _declare(
        native.new_local_repository,
        "com_google_googletest",
        build_file = str(Label("//third_party/googletest:googletest.BUILD")),
        path = "/usr/src/googletest",
    )
