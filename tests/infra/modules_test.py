#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""MODULE.bazel, .bcr and the labels of the tree agree, for Bazels that do not run here.

Reads the project's own tree, past Bazel's list of inputs: a list would miss new folders.
"""

import ast
import json
import pathlib
import re
import subprocess
import unittest

TREE = pathlib.Path("MODULE.bazel").resolve().parent
# Bazel's own repository needs no declaration.
BUILT_IN = {"bazel_tools"}
# A workspace that uses this one.
SAMPLE = pathlib.Path("tests/install/mill")
# Names that Bazel 7 to 9 have no longer, or call deprecated. Bazel 4 cannot refuse them:
# strict_load_test has those that it can.
OLD_NAMES = {
    "_whitelist_function_transition": "_allowlist_function_transition",
    "tools/whitelists": "tools/allowlists",
    "workspace_name": "workspace_root",
    "repository_name(": "nothing: write labels by Label",
    ".relative(": "Label",
    'cfg = "host"': 'cfg = "exec"',
    "exec_tools": "tools",
}
_LABEL = re.compile(r"""["'=\s-]@(\w+)//""")


def read(path):
    """The text of a file of the tree."""
    return (TREE / path).read_text(encoding="utf-8")


def build_files():
    """Yields each path of a BUILD or .bzl file that Bazel 7 reads: not those of the stand-ins."""
    for path in sorted(TREE.rglob("*")):
        inner = path.relative_to(TREE)
        if inner.parts[0] in ("third_party", ".git") or inner.parts[0].startswith("bazel-"):
            continue
        if path.name == "BUILD" or path.suffix == ".bzl":
            yield inner


def module_calls(folder="."):
    """Yields (function, words, {keyword: value}) of each call of a MODULE.bazel."""
    for node in ast.walk(ast.parse(read(pathlib.Path(folder, "MODULE.bazel")))):
        if isinstance(node, ast.Call):
            words = [word.value for word in node.args if isinstance(word, ast.Constant)]
            named = {word.arg: word.value.value for word in node.keywords}
            yield node.func.id, words, named


def declared_repositories(folder="."):
    """The names by which the files of a MODULE.bazel may call other repositories."""
    names = set()
    for function, words, named in module_calls(folder):
        if function == "bazel_dep":
            names.add(named.get("repo_name", named["name"]))
        elif function == "use_repo":
            names.update(words)
    return names


def named_repositories(paths):
    """Returns {repository: a file that has a label in it}."""
    return {name: str(path) for path in paths for name in _LABEL.findall(read(path))}


class ModulesTest(unittest.TestCase):
    """Each test compares two files that no Bazel here compares."""

    def test_version_is_that_of_the_library(self):
        header = read("include/slabmill/version.h")
        number = {
            part: int(re.search(rf"SLM_VERSION_{part} +(\d+)", header)[1])
            for part in ("MAJOR", "MINOR", "PATCH")
        }
        module = next(named for function, _, named in module_calls() if function == "module")
        self.assertEqual(module["version"], "{MAJOR}.{MINOR}.{PATCH}".format(**number))
        level = 1000 * number["MAJOR"] or number["MINOR"]
        self.assertEqual(module["compatibility_level"], level)

    def test_every_repository_that_a_label_names_is_declared(self):
        named = named_repositories([*build_files(), pathlib.Path(".bazelrc")])
        self.assertGreater(len(named), 6)
        self.assertLessEqual(set(named), declared_repositories() | BUILT_IN, named)

    def test_sample_declares_what_its_labels_name_in_the_versions_of_this_tree(self):
        named = named_repositories([SAMPLE / "first_fit.BUILD", SAMPLE / ".bazelrc"])
        self.assertEqual(set(named), declared_repositories(SAMPLE))
        versions = {
            named["name"]: named["version"]
            for function, _, named in module_calls()
            if function in ("module", "bazel_dep")
        }
        for function, _, named in module_calls(SAMPLE):
            if function == "bazel_dep":
                self.assertEqual(named["version"], versions[named["name"]])

    def test_no_file_uses_a_name_that_later_versions_lack(self):
        found = []
        for path in build_files():
            text = read(path)
            found += [f"{path}: {old}: use {new}" for old, new in OLD_NAMES.items() if old in text]
        self.assertEqual(found, [])

    def test_registry_gets_the_address_of_the_project(self):
        metadata = json.loads(read(".bcr/metadata.template.json"))
        homepage = metadata["homepage"]
        self.assertIn(f'homepage: "{homepage}"', read("fuzz/oss-fuzz/project.yaml"))
        repository = homepage.replace("https://github.com/", "github:")
        self.assertEqual(metadata["repository"], [repository])
        self.assertEqual((metadata["versions"], metadata["yanked_versions"]), ([], {}))
        for maintainer in metadata["maintainers"]:
            self.assertLessEqual({"name", "email", "github"}, set(maintainer))

    def test_registry_fills_the_source_template(self):
        source = json.loads(read(".bcr/source.template.json"))
        self.assertEqual(set(source), {"integrity", "strip_prefix", "url"})
        self.assertEqual(source["integrity"], "")
        for key in ("strip_prefix", "url"):
            names = set(re.findall(r"{(\w+)}", source[key]))
            self.assertLessEqual(names, {"OWNER", "REPO", "VERSION", "TAG"})

    def test_registry_builds_targets_that_exist_with_each_version(self):
        text = read(".bcr/presubmit.yml")
        self.assertIn("bazel: [7.x, 8.x, 9.x]", text)
        targets = re.findall(r'- "@slabmill//([\w/]+)"', text)
        self.assertEqual(len(targets), text.count("@slabmill//"))
        for folder in targets:
            name = pathlib.Path(folder).name
            self.assertIn(f'name = "{name}"', read(f"{folder}/BUILD"))

    def test_folder_without_rules_fuzzing_is_a_wrong_call(self):
        tool = [TREE / "tools" / "with_rules_fuzzing", TREE / "third_party" / "rules_cc"]
        done = subprocess.run(tool, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("it has no fuzzing/cc_defs.bzl", done.stderr)


if __name__ == "__main__":
    unittest.main()
