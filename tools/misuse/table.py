#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints what each tool says of each kind of misuse, as the table of docs/testing.md.

Builds the library as one file (tools/amalgamate) and misuse.c for each tool, and runs each mistake.
A cell has the status that the library returns, the tool's report, or `-`: nothing was noticed.

Exit status: 0, or 1 if a tool does not run, or with --check, if the document's table differs.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DOCUMENT = ROOT / "docs" / "testing.md"

# For each tool: more options of the compiler, what runs the program, and its report.
TOOLS = {
    "plain": ([], [], None),
    "SLM_CHECKS=2": (["-DSLM_CHECKS=2"], [], None),
    "ASan": (["-fsanitize=address"], [], r"ERROR: AddressSanitizer: ([\w-]+)"),
    "MSan": (["-fsanitize=memory"], [], r"WARNING: MemorySanitizer: ([\w-]+)"),
    "TSan": (["-fsanitize=thread"], [], r"WARNING: ThreadSanitizer: ([\w -]+) \("),
    "Valgrind": (
        ["-DSLM_VALGRIND=1"],
        ["valgrind", "--quiet", "--error-exitcode=9"],
        r"==\d+== (Invalid (?:read|write)|Conditional jump|Use of uninitialised value)",
    ),
}


def run(command, **more):
    """Runs a command to its end; returns it with its output."""
    return subprocess.run(command, capture_output=True, text=True, errors="replace", **more)


def build(folder, tool):
    """Builds the program for a tool; returns its path."""
    program = folder / re.sub(r"\W", "", tool)
    flags = ["-std=c11", "-O0", "-gdwarf-4", f"-I{ROOT}/include", f"-I{folder}", *TOOLS[tool][0]]
    done = run(["clang-19", *flags, HERE / "misuse.c", folder / "slabmill.c", "-pthread",
                "-o", program])
    if done.returncode != 0:
        sys.exit(f"misuse: {tool}: {done.stderr}")
    return program


def outcome(tool, program, number):
    """What a tool says of a mistake."""
    _, runner, report = TOOLS[tool]
    done = run([*runner, program, str(number)])
    found = re.search(report, done.stderr) if report else None
    if found:
        return found[1].lower()
    if done.returncode < 0 or re.search(r"^slabmill: ", done.stderr, re.M):
        return "stops"
    if done.returncode != 0:
        sys.exit(f"misuse: {tool}, mistake {number}: {done.stderr}")
    said = done.stdout.split("\n")[0]
    return f"`{said}`" if said.startswith("SLM_") else said or "-"


def column(folder, tool):
    """The cells of a tool."""
    program = build(folder, tool)
    n_mistakes = len(run([program, "list"]).stdout.splitlines())
    return [outcome(tool, program, number) for number in range(n_mistakes)]


def rows(tools):
    """The lines of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([ROOT / "tools" / "amalgamate", folder], check=True)
        columns = [column(folder, tool) for tool in tools]
        names = run([folder / re.sub(r"\W", "", tools[0]), "list"]).stdout.splitlines()
    yield ["misuse", *tools]
    for cells in zip(names, *columns):
        yield list(cells)


def documented(tools):
    """The same columns of the document's table."""
    lines = DOCUMENT.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| misuse |"))
    head = [cell.strip() for cell in lines[start].strip("|").split("|")]
    chosen = [0, *(head.index(tool) for tool in tools)]
    table = [lines[start]]
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append(line)
    for line in table:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        yield [cells[i] for i in chosen]


def main(argv):
    """Reads the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare with docs/testing.md")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS), help="columns")
    options = parser.parse_args(argv)
    table = list(rows(options.tools))
    for i, cells in enumerate(table):
        print("| " + " | ".join(cells) + " |")
        if i == 0:
            print("| --- " * len(cells) + "|")
    if options.check and table != list(documented(options.tools)):
        print("misuse: the table of docs/testing.md is another one", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
