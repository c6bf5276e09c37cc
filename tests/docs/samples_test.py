#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each sample in C or C++ of the documents compiles, here or in the test that knows its page.

Reads the project's own tree, past Bazel's list of inputs: a list would miss new documents.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = re.compile(r"^```(c|cpp)\b[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Pages whose samples make whole programs or need nginx: the tests that compile them.
ELSEWHERE = {
    "migrate-from-nginx.md": "examples/nginx_limit/guide_test.py",
    "test-your-allocator.md": "tests/slabmill/guide_test.sh",
    "tutorial.md": "tests/docs/tutorial_test.py",
}
# What a sample that is a file of its own needs, by its first line. APR is two of Debian's packages.
APR = ["apr_global_mutex", "apr_pools", "apr_rmm", "apr_shm", "apr_strings"]
FILES = {
    "/* Slabmill */": [],
    "/* APR */": APR,
    "/* APR and Slabmill */": APR,
}
NEEDS_APR = "libapr1-dev and libaprutil1-dev are not installed"
# A definition of a function, with what is between it and the one before.
FUNCTION = re.compile(r"^static [^;{]*\n\{\n.*?^\}\n", re.DOTALL | re.MULTILINE)
FLAGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused", "-Wno-return-type", "-c", "-o", "/dev/null"]
COMPILERS = {"c": ["cc", "-std=c11", "-xc"], "cpp": ["c++", "-std=c++17", "-xc++"]}


def samples(path):
    """(language, code) of each sample of a page; a whole program is left out."""
    for language, code in SAMPLE.findall(path.read_text()):
        if "int main(void)" not in code:
            yield language, code


def apr_flags():
    """The compiler's flags for APR; None if it is not installed."""
    if shutil.which("pkg-config") is None:
        return None
    command = ["pkg-config", "--cflags", "apr-1", "apr-util-1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.split() if done.returncode == 0 else None


def needs_apr(code):
    """Whether a sample calls APR."""
    return FILES.get(code.partition("\n")[0]) == APR


def whole(code):
    """A file for a compiler: statements of the sample become a function's."""
    headers = FILES.get(code.partition("\n")[0])
    if headers is not None:
        names = ["errno", "stdio", "string", "unistd", "slabmill/pool", "slabmill/zone", *headers]
        return "".join(f"#include <{name}.h>\n" for name in names) + code
    includes = "".join(re.findall(r"^#include [^\n]*\n", code, re.MULTILINE))
    functions = "\n".join(FUNCTION.findall(code))
    statements = re.sub(r"^#include [^\n]*\n", "", FUNCTION.sub("", code), flags=re.MULTILINE)
    sample = f"static inline enum slm_status sample(void)\n{{\n{statements}}}\n"
    return f'#include "tests/docs/samples.h"\n{includes}{functions}{sample}'


def complaints(language, code):
    """What the compiler says."""
    done = subprocess.run(
        [
            *COMPILERS[language],
            *FLAGS,
            *((apr_flags() or []) if needs_apr(code) else []),
            f"-I{ROOT}",
            f"-I{ROOT}/include",
            "-",
        ],
        input=whole(code),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout or ("" if done.returncode == 0 else f"status {done.returncode}")


class SamplesTest(unittest.TestCase):
    """All documents."""

    def test_each_sample_compiles_without_a_warning(self):
        n_samples = 0
        for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")]:
            if path.name in ELSEWHERE:
                continue
            for language, code in samples(path):
                if needs_apr(code) and apr_flags() is None:
                    continue
                n_samples += 1
                with self.subTest(document=path.name, code=code):
                    self.assertEqual("", complaints(language, code))
        self.assertGreaterEqual(n_samples, 11)

    def test_each_section_about_apr_has_the_same_program_twice(self):
        text = (ROOT / "docs" / "migrate-from-apr.md").read_text()
        n_sections = 0
        for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
            firsts = re.findall(r"^```c\n([^\n]*)", section, re.MULTILINE)
            if section.startswith("apr_"):
                n_sections += 1
                self.assertEqual(firsts, ["/* APR */", "/* Slabmill */"])
        self.assertEqual(n_sections, 5)

    @unittest.skipIf(apr_flags() is None, NEEDS_APR)
    def test_a_sample_of_apr_with_a_mistake_is_found(self):
        path = ROOT / "docs" / "migrate-from-apr.md"
        code = next(code for _, code in samples(path) if needs_apr(code))
        self.assertEqual("", complaints("c", code))
        self.assertNotEqual("", complaints("c", code.replace("apr_pmemdup(pool,", "apr_pmemdup(")))

    def test_a_sample_with_a_mistake_is_found(self):
        _, code = next(samples(ROOT / "docs" / "pools.md"))
        wrong = code.replace("slm_pool_create(&pool,", "slm_pool_create(pool,")
        self.assertNotEqual(code, wrong)
        self.assertNotEqual("", complaints("c", wrong))

    def test_the_tests_that_compile_the_other_samples_name_their_page(self):
        for page, test in ELSEWHERE.items():
            with self.subTest(document=page):
                self.assertTrue((ROOT / "docs" / page).exists())
                self.assertIn(page, (ROOT / test).read_text())


if __name__ == "__main__":
    if shutil.which("cc") is None or shutil.which("c++") is None:
        print("NOT RUN: there is no C or C++ compiler named cc and c++ here")
        sys.exit(0)
    if apr_flags() is None:
        print(f"NOT RUN in part: {NEEDS_APR}")
    unittest.main()
