#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the project's documents and the reference of its public headers a site of plain files.

Usage: ./bazelw run //docs:site -- [--xml] OUT     or: tools/site/site.py [--xml] OUT

OUT is a folder that does not exist or is empty; open OUT/index.html. --xml also writes OUT/xml.
Exit status: 0 made; 1 Doxygen found something wrong with the documents; 2 nothing was made.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import headers
import pages

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGES = ("*.md", "docs/*.md", "examples/*.md")
HEADERS = "include/slabmill/*.h*"


def paths(*patterns):
    """The files of the tree that the patterns name, as paths below its root."""
    found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def write_inputs(folder):
    """Writes what Doxygen reads; returns the names of these files."""
    page_paths, header_paths = paths(*PAGES), paths(HEADERS)
    texts = {path: (ROOT / path).read_text() for path in page_paths + header_paths}
    names = set().union(*(headers.public_names(texts[path]) for path in header_paths))
    inputs = []
    for path, text in texts.items():
        if path in header_paths:
            text = headers.Header(text, names).converted()
        else:
            text = pages.Page(path, text, page_paths, header_paths).converted()
        # Doxygen takes any README.md for the start page.
        written = folder / path.replace("/README.md", "/readme.md")
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(text)
        inputs.append(written.relative_to(folder).as_posix())
    return inputs


def version():
    """The version in version.h."""
    text = (ROOT / "include/slabmill/version.h").read_text()
    return text.split('SLM_VERSION_STRING "')[1].split('"')[0]


def run_doxygen(folder, out, with_xml):
    """Makes the site; returns what Doxygen complains of."""
    settings = {
        "INPUT": " ".join(write_inputs(folder)),
        "PROJECT_NUMBER": version(),
        "OUTPUT_DIRECTORY": out,
        "STRIP_FROM_PATH": f"{folder} {folder}/include",
        "STRIP_FROM_INC_PATH": folder / "include",
        "IMAGE_PATH": ROOT / "docs",
        "LAYOUT_FILE": HERE / "layout.xml",
        "HTML_EXTRA_STYLESHEET": HERE / "style.css",
        "GENERATE_XML": "YES" if with_xml else "NO",
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    text = (HERE / "Doxyfile").read_text() + "\n".join(lines) + "\n"
    done = subprocess.run(
        ["doxygen", "-"], input=text, cwd=folder, stderr=subprocess.PIPE, text=True, check=False
    )
    complaints = done.stderr.replace(f"{folder}/", "")
    return complaints or ("" if done.returncode == 0 else f"doxygen: status {done.returncode}\n")


def main():
    """The command."""
    parser = argparse.ArgumentParser(description="Makes the documents a site.")
    parser.add_argument("--xml", action="store_true", help="also write OUT/xml")
    parser.add_argument("out", metavar="OUT", help="a folder that does not exist or is empty")
    options = parser.parse_args()
    if shutil.which("doxygen") is None:
        print("site: doxygen is not installed (in Debian: apt-get install doxygen)", file=sys.stderr)
        return 2
    out = pathlib.Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."), options.out).resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        print(f"site: {out} is not an empty folder", file=sys.stderr)
        return 2
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        complaints = run_doxygen(pathlib.Path(folder).resolve(), out, options.xml)
    sys.stderr.write(complaints)
    print(f"site: {out}/index.html")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
