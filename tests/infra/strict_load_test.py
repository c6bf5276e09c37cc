#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every package loads in a Bazel 4 that is made as strict as Bazel 9.

The rules and providers that Bazel 8 and 9 gave to modules are taken out of Bazel (its option
experimental_builtins_bzl_path replaces built-in names). Modules of the real names have rules of
their own in their place, with the attributes that the Build Encyclopedia of Bazel 9 lists. So a
package loads only if it loads each such rule from the right file, and gives it known attributes.

Reads the project's own tree, past Bazel's list of inputs: a list would miss new folders.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TREE = pathlib.Path("MODULE.bazel").resolve().parent

# Built-in names of Bazel 4.2.3 that Bazel 9 has not. Release notes of 8.0: Java, Protobuf, Python
# and Shell; of 9.0: C++ and Objective-C.
GONE_RULES = """
    cc_binary cc_import cc_library cc_proto_library cc_test cc_toolchain cc_toolchain_suite
    fdo_prefetch_hints fdo_profile propeller_optimize
    java_binary java_import java_library java_lite_proto_library java_package_configuration
    java_plugin java_proto_library java_runtime java_test java_toolchain
    apple_binary apple_static_library j2objc_library objc_import objc_library
    proto_lang_toolchain proto_library
    py_binary py_library py_runtime py_test
    sh_binary sh_library sh_test
""".split()
GONE_NAMES = "CcInfo JavaInfo ProtoInfo PyInfo cc_common java_common".split()

# Later versions took these for granted, and have some of them no longer.
STRICT = [
    "--incompatible_" + name
    for name in (
        "always_check_depset_elements",
        "disable_depset_items",
        "disallow_empty_glob",
        "disallow_struct_provider_syntax",
        "new_actions_api",
        "no_attr_license",
        "no_rule_outputs_param",
        "restrict_string_escapes",
        "run_shell_command_string",
        "struct_has_no_methods",
    )
]

# {attribute: kind}, for the rules of one module.
_CC = {
    "alwayslink": "bool",
    "copts": "string_list",
    "data": "label_list",
    "defines": "string_list",
    "deps": "label_list",
    "includes": "string_list",
    "linkopts": "string_list",
    "linkstatic": "bool",
    "local_defines": "string_list",
    "srcs": "label_list",
}
_LIBRARY = {"hdrs": "label_list", "textual_hdrs": "label_list"}
_PROGRAM = {"args": "string_list", "linkshared": "bool"}
_SHELL = {
    "data": "label_list",
    "deps": "label_list",
    "env": "string_dict",
    "srcs": "label_list",
}


def without(attributes, *names):
    """The attributes but those."""
    return {name: kind for name, kind in attributes.items() if name not in names}


def write_rule(name, attributes):
    """A rule that declares nothing but its attributes."""
    files = {"label_list": "allow_files = True"}
    listed = "".join(
        f'        "{attribute}": attr.{kind}({files.get(kind, "")}),\n'
        for attribute, kind in attributes.items()
    )
    return f"""
{name} = rule(
    implementation = _impl,
    attrs = {{
{listed}    }},
    executable = {name.endswith("_binary")},
    test = {name.endswith("_test")},
)
"""


# {repository: {file: text}}: what the real modules have there, as far as the tree uses it.
_HEAD = "def _impl(ctx):\n    pass\n"
MODULES = {
    "rules_cc": {
        "cc/defs.bzl": _HEAD
        + write_rule("cc_library", _CC | _LIBRARY)
        + write_rule("cc_binary", without(_CC | _PROGRAM, "alwayslink", "args"))
        + write_rule("cc_test", without(_CC | _PROGRAM, "alwayslink", "args")),
        "cc/common/cc_info.bzl": "CcInfo = provider()\n",
        "cc/common/cc_common.bzl": "cc_common = struct()\n",
    },
    "rules_shell": {
        "shell/sh_binary.bzl": _HEAD + write_rule("sh_binary", _SHELL),
        "shell/sh_test.bzl": _HEAD + write_rule("sh_test", _SHELL),
    },
    # The stand-in of rules_fuzzing reads it.
    "rules_fuzzing_oss_fuzz": {"instrum.bzl": "OSS_FUZZ_CFLAGS = []\nOSS_FUZZ_CXXFLAGS = []\n"},
}

WORKSPACE = """
workspace(name = "slabmill")
load("//bazel/afl:repository.bzl", "afl_repository")
afl_repository(name = "slabmill_afl")
local_repository(name = "rules_fuzzing", path = "third_party/rules_fuzzing")
""" + "".join(f'local_repository(name = "{name}", path = "modules/{name}")\n' for name in MODULES)

_GONE = '''
def _gone(**_kwargs):
    fail("this rule is not built in")
'''
# For .bzl files: Bazel takes built-in names from here.
BUILTINS = f"""{_GONE}
exported_toplevels = {{name: None for name in {GONE_NAMES}}}
exported_rules = {{name: _gone for name in {GONE_RULES}}}
exported_to_java = {{}}
"""
# For BUILD files: names of the prelude come before built-in ones, and after loaded ones.
PRELUDE = _GONE + "".join(f"{name} = _gone\n" for name in GONE_RULES)


def write(path, text):
    """Writes a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def make_tree(folder):
    """A workspace of links to the project's folders, with modules of its own."""
    (folder / "tools").mkdir()
    own = (".bazelignore", ".git", "MODULE.bazel", "WORKSPACE", "WORKSPACE.bzlmod", "tools")
    for path in [*TREE.iterdir(), *(TREE / "tools").iterdir()]:
        if path.name not in own and not path.name.startswith("bazel-"):
            (folder / path.relative_to(TREE)).symlink_to(path)
    write(folder / "tools" / "build_rules" / "BUILD", "")
    write(folder / "tools" / "build_rules" / "prelude_bazel", PRELUDE)
    ignored = (TREE / ".bazelignore").read_text(encoding="utf-8")
    write(folder / ".bazelignore", ignored + "modules\n")
    write(folder / "WORKSPACE", WORKSPACE)
    for name, files in MODULES.items():
        write(folder / "modules" / name / "WORKSPACE", "")
        for file, text in files.items():
            write(folder / "modules" / name / file, text)
            write((folder / "modules" / name / file).parent / "BUILD", "")


class StrictLoadTest(unittest.TestCase):
    """One workspace and one Bazel server for all."""

    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(dir=os.environ["TEST_TMPDIR"])
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = pathlib.Path(scratch.name)
        cls.tree = cls.scratch / "tree"
        cls.tree.mkdir()
        make_tree(cls.tree)
        write(cls.scratch / "builtins" / "exports.bzl", BUILTINS)
        cls.addClassCleanup(cls.bazel, "shutdown")

    @classmethod
    def bazel(cls, *words):
        """Runs Bazel in the strict workspace."""
        start = ["bazel", "--noworkspace_rc", "--nohome_rc", "--local_startup_timeout_secs=3600"]
        start += [f"--output_user_root={cls.scratch}/bazel", "--host_jvm_args=-Xmx400m"]
        return subprocess.run(
            [*start, *words], cwd=cls.tree, capture_output=True, text=True, check=False
        )

    def query(self, expression):
        """Loads packages."""
        strict = [*STRICT, f"--experimental_builtins_bzl_path={self.scratch}/builtins"]
        return self.bazel("query", "--noshow_progress", *strict, expression)

    def refuse(self, error, build, bzl=None):
        """Expects that a package does not load, for the reason given."""
        self.addCleanup(shutil.rmtree, self.tree / "broken")
        write(self.tree / "broken" / "BUILD", build)
        if bzl:
            write(self.tree / "broken" / "x.bzl", bzl)
        done = self.query("//broken:all")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(error, done.stderr)

    def test_every_package_of_the_project_loads(self):
        done = self.query("//...")
        self.assertEqual(done.returncode, 0, done.stderr)
        targets = done.stdout.split()
        self.assertGreater(len(targets), 500)
        self.assertIn("//tests/infra:strict_load_test", targets)

    def test_rule_that_is_not_loaded_is_refused(self):
        self.refuse("this rule is not built in", 'sh_test(name = "x", srcs = ["x.sh"])\n')

    def test_rule_of_the_native_module_is_refused(self):
        self.refuse(
            "this rule is not built in",
            'load(":x.bzl", "x")\nx()\n',
            'def x():\n    native.cc_library(name = "x")\n',
        )

    def test_provider_that_is_not_loaded_is_refused(self):
        attributes = '{"x": attr.label(providers = [CcInfo])}'
        self.refuse(
            "NoneType",
            'load(":x.bzl", "x")\n',
            f"def _impl(ctx):\n    pass\nx = rule(implementation = _impl, attrs = {attributes})\n",
        )

    def test_name_that_the_module_lacks_is_refused(self):
        self.refuse(
            "does not contain symbol 'cc_proto_library'",
            'load("@rules_cc//cc:defs.bzl", "cc_proto_library")\n',
        )

    def test_pattern_that_matches_no_file_is_refused(self):
        self.refuse("didn't match anything", 'filegroup(name = "x", srcs = glob(["*.gone"]))\n')


def is_bazel_4():
    """Whether the option that takes names out means what it does here. Debian's has no version."""
    done = subprocess.run(["bazel", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.split()[1:2] in (["no_version"], ["4.2.3"])


if __name__ == "__main__":
    if not is_bazel_4():
        print("NOT RUN: only Bazel 4.2.3 can be made strict in this way")
        sys.exit(0)
    unittest.main()
