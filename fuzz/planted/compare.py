#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints how many executions the plain harness and the mill need to find each planted bug.

The mill is measured twice: on adapters that promise nothing, and on those that declare what they
promise. Each bug is fuzzed in each way from an empty corpus, by libFuzzer with the same options, with seeds
1, 2, ..., until it is found or the bound on executions is reached. The table has the medians. A bug
that half of the seeds have missed is not fuzzed further: its median is above the bound. A process
that the bug makes hang counts as a find.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
OPTIONS = ["-len_control=0", "-max_len=1024", "-print_final_stats=1", "-timeout=20", "-verbosity=0"]


def parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plain", required=True, help="binary of plain_slab_fuzz")
    parser.add_argument("--mill", required=True, help="binary of chosen_fuzz")
    parser.add_argument("--bound", type=int, default=20000, help="executions (default: 20000)")
    parser.add_argument("--seeds", type=int, default=10, help="how many (default: 10)")
    parser.add_argument("--only", default="", help="a regular expression of names")
    return parser.parse_args(arguments)


def planted(binary):
    """Returns [name, class, sentence] of each bug."""
    environment = dict(os.environ, HRN_PLANTED="list")
    output = subprocess.run([binary], env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return [line.split("\t") for line in output.stdout.splitlines()]


def executions(way, name, seed, bound):
    """Returns how many executions a find took; None: none within the bound."""
    binary, variables = way
    command = [os.path.abspath(binary), f"-seed={seed}", f"-runs={bound}", *OPTIONS]
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            command,
            cwd=folder,
            env=dict(os.environ, HRN_PLANTED=name, **variables),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
    found = EXECUTED.search(run.stderr)
    if found is None:
        sys.exit(f"{binary}, {name}, seed {seed}: no count of executions in\n{run.stderr}")
    return None if run.returncode == 0 else int(found.group(1))


def median(way, name, n_seeds, bound):
    """Returns the median over the seeds; None: above the bound."""
    counts = []
    n_missed = 0
    for seed in range(1, n_seeds + 1):
        count = executions(way, name, seed, bound)
        n_missed += count is None
        if 2 * n_missed >= n_seeds:
            return None
        counts.append(float("inf") if count is None else count)
    return statistics.median(counts)


def shown(value):
    return "-" if value is None else f"{value:,.0f}"


def main():
    options = parse(sys.argv[1:])
    rows = [row for row in planted(options.mill) if re.search(options.only, row[0])]
    ways = [(options.plain, {}), (options.mill, {"HRN_PLANTED_SILENT": "1"}), (options.mill, {})]
    n_found = [0] * len(ways)
    print(f"Medians of {options.seeds} seeds, at most {options.bound:,} executions each (-: not found).")
    print("\n| bug | class | plain | mill without promises | mill |")
    print("| --- | --- | ---: | ---: | ---: |", flush=True)
    for name, kind, _ in rows:
        medians = [median(way, name, options.seeds, options.bound) for way in ways]
        n_found = [n + (value is not None) for n, value in zip(n_found, medians)]
        print(f"| {name} | {kind} | {' | '.join(map(shown, medians))} |", flush=True)
    print("\nof {} bugs: plain {}, mill without promises {}, mill {}".format(len(rows), *n_found))


if __name__ == "__main__":
    main()
