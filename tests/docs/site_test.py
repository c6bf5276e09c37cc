#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The site: each public name has a comment, Doxygen has no complaint, each link leads somewhere.

Reads the project's own tree, past Bazel's list of inputs: a list would miss new documents.
"""

import html.parser
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
from xml.etree import ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "site"
sys.path.insert(0, str(TOOL))
sys.dont_write_bytecode = True

import headers  # noqa: E402  pylint: disable=wrong-import-position
import pages  # noqa: E402  pylint: disable=wrong-import-position

NEEDS = "doxygen is not installed (in Debian: apt-get install doxygen)"
HAS_DOXYGEN = shutil.which("doxygen") is not None


def make_site(tool, out):
    """Runs the command."""
    return subprocess.run(
        [tool / "site.py", "--xml", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def comments_of_names(xml):
    """{name: whether it has a comment} of functions, structs, enums, constants, types and macros."""
    found = {}

    def add(element, name):
        texts = (element.find(f"{kind}description") for kind in ("brief", "detailed"))
        has_comment = any("".join(text.itertext()).strip() for text in texts if text is not None)
        found[name] = found.get(name, False) or has_comment

    for path in xml.glob("*.xml"):
        for compound in ElementTree.parse(path).getroot().iter("compounddef"):
            if compound.get("kind") == "struct":
                add(compound, compound.findtext("compoundname"))
            if not compound.findtext("compoundname").endswith(".h"):
                continue
            for member in compound.iter("memberdef"):
                if member.get("kind") != "variable":
                    add(member, member.findtext("name"))
                for value in member.iter("enumvalue"):
                    add(value, value.findtext("name"))
    return found


def private_names(text):
    """What comments of the headers call private."""
    return set(re.findall(r"\bslm_\w+", "".join(re.findall(r"/\* Private.*?\n\n", text, re.DOTALL))))


class Links(html.parser.HTMLParser):
    """The anchors of a page, and where its links lead."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.targets = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors |= {attrs[name] for name in ("id", "name") if attrs.get(name)}
        self.targets |= {attrs[name] for name in ("href", "src", "data") if attrs.get(name)}


def broken_links(site):
    """(page, link) for each link that leads nowhere."""
    read = {path: Links(path.read_text()) for path in site.glob("*.html")}
    broken = []
    for path, links in read.items():
        for target in links.targets:
            if re.match(r"(https?|javascript|mailto):", target):
                continue
            name, _, anchor = urllib.parse.unquote(target).partition("#")
            other = site / name if name else path
            if not other.exists() or (anchor and anchor not in read[other].anchors):
                broken.append((path.name, target))
    return sorted(broken)


@unittest.skipUnless(HAS_DOXYGEN, NEEDS)
class SiteTest(unittest.TestCase):
    """The project's site."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.site = pathlib.Path(cls.folder.name) / "site"
        cls.done = make_site(TOOL, cls.site)
        cls.comments = comments_of_names(cls.site / "xml")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_doxygen_complains_of_nothing(self):
        self.assertEqual((self.done.returncode, self.done.stderr), (0, ""))
        self.assertIn("index.html", self.done.stdout)

    def test_each_public_name_has_a_comment(self):
        self.assertGreater(len(self.comments), 450)
        self.assertEqual(sorted(name for name, has in self.comments.items() if not has), [])

    def test_each_function_is_in_the_reference(self):
        symbols = set((ROOT / "tests/install/symbols.txt").read_text().split())
        text = "".join(path.read_text() for path in ROOT.glob("include/slabmill/*.h"))
        self.assertEqual(symbols - set(self.comments), private_names(text) & symbols)

    def test_each_link_leads_to_a_file_and_an_anchor(self):
        self.assertEqual(broken_links(self.site), [])

    def test_the_menu_leads_to_each_page(self):
        menu = (self.site / "menudata.js").read_text()
        documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")]
        self.assertGreater(len(documents), 10)
        for path in documents:
            label = pages.label_of(path.relative_to(ROOT))
            with self.subTest(document=path.name):
                self.assertIn(f'url:"{label}.html"', menu)

    def test_search_and_pictures_work_without_a_server(self):
        self.assertTrue((self.site / "search" / "search.js").exists())
        self.assertTrue((self.site / "inspect.svg").exists())


@unittest.skipUnless(HAS_DOXYGEN, NEEDS)
class SmallTreeTest(unittest.TestCase):
    """Trees with a mistake each."""

    HEADER = (
        "/* SPDX */\n/* Small: a header. */\n\n/*\n * Model    See slm_small.\n */\n"
        '#define SLM_VERSION_STRING "1.0" /* text */\n\n/* Does it. */\nint slm_small(void);\n'
    )

    def make(self, header, page):
        """Makes the site of a tree; returns its folder and how the command ended."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = pathlib.Path(folder.name)
        shutil.copytree(TOOL, root / "tools" / "site")
        (root / "include" / "slabmill").mkdir(parents=True)
        (root / "include" / "slabmill" / "version.h").write_text(header)
        (root / "docs").mkdir()
        (root / "README.md").write_text(page)
        (root / "tools" / "site" / "layout.xml").write_text("<doxygenlayout/>")
        return root / "site", make_site(root / "tools" / "site", root / "site")

    def test_a_right_tree_is_accepted(self):
        site, done = self.make(self.HEADER, "# Title\n\n## Part\n\n[x](#part)\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        comments = comments_of_names(site / "xml")
        self.assertEqual(comments, {"SLM_VERSION_STRING": True, "slm_small": True})
        self.assertEqual(broken_links(site), [])

    def test_a_name_without_a_comment_is_found(self):
        site, _ = self.make(self.HEADER.replace("/* Does it. */\n", ""), "# Title\n")
        self.assertFalse(comments_of_names(site / "xml")["slm_small"])

    def test_a_link_to_no_heading_is_a_complaint(self):
        _, done = self.make(self.HEADER, "# Title\n\n[x](#part)\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("part", done.stderr)

    def test_a_folder_with_files_is_refused(self):
        site, _ = self.make(self.HEADER, "# Title\n")
        done = make_site(site.parent / "tools" / "site", site)
        self.assertEqual(done.returncode, 2)
        self.assertIn("is not an empty folder", done.stderr)


class MissingTest(unittest.TestCase):
    """Without Doxygen."""

    def test_the_command_names_the_package_and_makes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, TOOL / "site.py", pathlib.Path(folder) / "site"],
                env={"PATH": folder},
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            self.assertEqual(done.returncode, 2)
            self.assertIn("apt-get install doxygen", done.stderr)
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])


class HeaderTest(unittest.TestCase):
    """Comments of C become Doxygen's."""

    def convert(self, text):
        text = "/* SPDX */\n/* Small. */\n" + text
        return headers.Header(text, headers.public_names(text)).converted()

    def test_the_second_line_says_what_the_file_is(self):
        self.assertTrue(self.convert("").startswith("/** @file\n * @brief Small. */"))

    def test_a_design_has_a_heading_for_each_keyword(self):
        text = self.convert("/*\n * Model    One.\n *          Two.\n * Safety   Any.\n */\n")
        self.assertIn("@par Model\n * One.\n * Two.\n *\n * @par Safety\n * Any.", text)

    def test_a_comment_is_of_all_declarations_up_to_an_empty_line(self):
        text = self.convert("/* Both. */\nint slm_a(void);\nint slm_b(void);\n\nint slm_c(void);\n")
        self.assertEqual(text.count("@copydoc slm_a"), 1)
        self.assertIn("/** @copydoc slm_a */\nint slm_b(void);", text)

    def test_a_comment_at_the_end_of_a_line_is_of_that_line(self):
        self.assertIn("int n; /**< how many, or more */", self.convert("int n; /* how many,\n * or more */"))

    def test_a_private_part_is_left_out(self):
        text = self.convert("/* Private: x. */\nint slm_a(void);\n\n/* B. */\nint slm_b(void);\n")
        self.assertNotIn("slm_a", text)
        self.assertIn("int slm_b(void);", text)

    def test_a_comment_in_a_body_is_no_documentation(self):
        self.assertNotIn("why", self.convert("int f(void)\n{\n    /* why */\n}\n"))

    def test_a_name_of_the_library_is_a_link_and_a_call_is_not(self):
        text = self.convert("/* As slm_a, slm_a(1), slm_no. */\nint slm_a(void);\n")
        self.assertIn("As #slm_a, slm_a(1), slm_no.", text)


class PageTest(unittest.TestCase):
    """Markdown with Doxygen's labels."""

    def convert(self, text):
        paths = ["README.md", "docs/a.md", "docs/b.md"]
        return pages.Page("docs/a.md", text, paths, ["include/slabmill/zone.h"]).converted()

    def test_headings_get_labels_and_links_become_references(self):
        text = self.convert("# A\n\n## Two `words`\n\n[x](b.md#y-z) [p](#two-words)\n")
        self.assertIn("# A {#a}\n\n## Two words {#a-two-words}\n", text)
        self.assertIn("[x](@ref b-y-z) [p](@ref a-two-words)", text)

    def test_a_link_to_a_header_leads_to_the_reference_and_one_to_no_page_is_text(self):
        text = self.convert("[h](../include/slabmill/zone.h) [l](layers.txt) [w](https://x.y/)")
        self.assertEqual(text, "[h](@ref zone.h) l [w](https://x.y/)")

    def test_code_is_left_alone(self):
        text = "```c\n# a @b [x](b.md)\n```\n"
        self.assertEqual(self.convert(text), text.replace("```c", "```{.c}"))


if __name__ == "__main__":
    if not HAS_DOXYGEN:
        print(f"NOT RUN in part: {NEEDS}")
    unittest.main()
