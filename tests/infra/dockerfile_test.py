#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/dockerfile.py carries out a Dockerfile, and refuses what it does not know; the project's
Dockerfile is one that it knows."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, "tools")
import dockerfile  # pylint: disable=wrong-import-position

START = "FROM debian:12\n"


class ParseTest(unittest.TestCase):
    """The text of a Dockerfile."""

    def check_refusal(self, text, said):
        """Reads a text that is refused with a message."""
        with self.subTest(text=text), self.assertRaisesRegex(dockerfile.Unknown, said):
            dockerfile.parse(text)

    def test_comments_and_joined_lines_are_read(self):
        text = "# x\n\nFROM debian:12\nENV A=b\n  # in\nRUN one && \\\n# a comment\n    two\n"
        self.assertEqual(dockerfile.parse(text), [("ENV", "A=b"), ("RUN", "one &&  two")])

    def test_instruction_that_only_docker_knows_is_refused_with_its_line(self):
        for line in (
            "ADD x.tar /",
            "USER root",
            "CMD ./bazelw",
            "ENTRYPOINT x",
            "run lower",
            'RUN ["sh"]',
            "RUN --mount=type=cache x",
            "RUN",
            "COPY --from=x . .",
            "COPY a b",
            "ENV A b",
            "ENV A=$B",
            "ENV A=b C=d",
            "WORKDIR relative",
            "WORKDIR $HOME",
        ):
            self.check_refusal(f"{START}{line}\nRUN true\n", "^line 2: only Docker knows")

    def test_another_base_a_second_one_and_none_are_refused(self):
        for text in ("FROM debian:13\n", "FROM debian:12 AS x\n", "RUN true\n", START + START):
            self.check_refusal(text, "FROM debian:12 must be the first")

    def test_text_without_an_end_or_an_instruction_is_refused(self):
        for text, said in (
            (START + "RUN a \\\n", "line 2 has no end"),
            ("# x\n", "no instruction"),
        ):
            self.check_refusal(text, said)


class CarryOutTest(unittest.TestCase):
    """The steps, with a folder for the system; its shell is this machine's."""

    def carry_out(self, root, text):
        """Each RUN begins in its folder below root."""

        def run(script):
            script = script.replace("\ncd /", f"\ncd {root}/")
            subprocess.run(["sh", "-c", script], check=True)

        dockerfile.carry_out(dockerfile.parse(text), root / "tree", root, run)

    def test_steps_see_the_files_the_folder_and_the_variables_before_them(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "tree" / "inner").mkdir(parents=True)
            (root / "tree" / "inner" / "file").write_text("text")
            self.carry_out(root, START + "ENV A=b\nRUN pwd >early; echo $A-$B >>early\nENV B=c\n"
                           "WORKDIR /work/here\nCOPY . .\nRUN echo $A $B $(cat inner/file) >late\n")
            self.assertEqual((root / "early").read_text(), f"{root}\nb-\n")
            self.assertEqual((root / "work/here/late").read_text(), "b c text\n")

    def test_step_ends_at_its_first_command_that_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(subprocess.CalledProcessError):
                text = START + "RUN false; touch after\nRUN touch next\n"
                self.carry_out(pathlib.Path(folder), text)
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])


class ProjectTest(unittest.TestCase):
    """The project's Dockerfile."""

    def test_installs_by_bazelw_in_a_copy_of_the_tree(self):
        steps = dockerfile.parse(pathlib.Path("Dockerfile").read_text())
        names = [name for name, _ in steps]
        self.assertEqual(names.count("COPY"), 1)
        self.assertTrue(any("./bazelw" in rest for _, rest in steps[names.index("COPY"):]))

    def test_names_the_two_commands_of_the_readme(self):
        readme = pathlib.Path("README.md").read_text()
        text = pathlib.Path("Dockerfile").read_text()
        for command in ("./bazelw run //fuzz:overnight -- --minutes 2", "./bazelw test //..."):
            self.assertIn(f"\n{command}", readme)
            self.assertIn(f"slabmill {command}\n", text)


if __name__ == "__main__":
    unittest.main()
