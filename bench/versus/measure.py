# SPDX-License-Identifier: Apache-2.0
"""Runs the runner: each competitor in a process of its own, in turn, several times."""

import collections
import concurrent.futures
import dataclasses
import json
import os
import re
import statistics
import subprocess
import tempfile

ROUND_TIMEOUT = 1800
SHORT_ROUNDS = 3
COUNT = re.compile(r"^desc: Trigger: Client Request: (\S+) (\d+)$.*?^summary: (\d+)$", re.M | re.S)


@dataclasses.dataclass
class Row:
    name: str  # GROUP/WORKLOAD, as users choose it
    runner_name: str
    group: str
    text: str
    unit: str  # "": timed
    higher_is_better: bool
    goal: float
    is_slow: bool
    is_counted: bool


class Failure(Exception):
    """The runner cannot be used at all."""


def _environment():
    # Room for the thread-local variables of a library that is loaded late.
    return {**os.environ, "GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=16384"}


class Runner:
    """The runner, as a program and as a plugin of nginx."""

    def __init__(self, root, nginx_module):
        self._root = root
        self._nginx_module = nginx_module

    def rows(self):
        done = subprocess.run(
            [self._root / "bench/runner", "--list"], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Failure(f"bench/runner --list: {done.stderr.strip()}")
        rows = []
        for line in done.stdout.splitlines():
            name, text, unit, higher, goal, slow, uncounted = line.split("\t")
            group, rest = name.split("/", 1)
            row = Row(name, name, group, text, unit, higher == "1", float(goal), slow == "1",
                      unit == "" and uncounted == "0")
            rows.append(row)
            if group == "slab" and unit == "":
                rows.append(dataclasses.replace(
                    row, name=f"slab_nl/{rest}", group="slab_nl", goal=_goal_without_lock(row),
                    text=row.text.replace("slab:", "slab, caller holds the lock:")))
        return rows

    def _command(self, competitor, group, rows, more):
        names = "|".join(re.escape(row.runner_name) for row in rows)
        arguments = ["--rows", f"^({names})$", "--traces", self._root / "corpus/traces", *more]
        if competitor.adapter(group):
            arguments += ["--adapter", competitor.adapter(group)]
        if competitor.is_nginx:
            return [self._root / "peers/nginx/run.sh", self._nginx_module,
                    self._root / "bench/nginx.so", *arguments]
        return [self._root / "bench/runner", *arguments]

    def time(self, competitor, group, rows, more):
        """{row's name: figure or None}, and None or why the process failed."""
        command = self._command(competitor, group, rows, more)
        done, why = _run(command, _environment())
        by_runner_name = {row.runner_name: row for row in rows}
        figures = {}
        for line in done.splitlines():
            if line.startswith("{"):
                found = json.loads(line)
                figures[by_runner_name[found["row"]].name] = found["value"]
        return figures, why

    def count(self, competitor, group, rows):
        """{row's name: instructions of an operation}, and None or why it failed."""
        by_runner_name = {row.runner_name: row for row in rows}
        counts = {}
        with tempfile.TemporaryDirectory() as folder:
            under = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no",
                     f"--callgrind-out-file={folder}/count.%p"]
            command = self._command(competitor, group, rows, ["--count"])
            environment = _environment()
            if competitor.is_nginx:
                environment["NGINX_UNDER"] = " ".join(under)
            else:
                command = [*under, *command]
            _, why = _run(command, environment)
            for entry in os.scandir(folder):
                with open(entry.path, encoding="utf-8", errors="replace") as file:
                    for name, n_ops, total in COUNT.findall(file.read()):
                        counts[by_runner_name[name].name] = int(total) / int(n_ops)
        return counts, why


def _goal_without_lock(row):
    """Those of 64 B differ; no goal has the lock in it but these."""
    return {"slab/64B_lifo": .4, "slab/64B_random": .4, "slab/8B_random": .4}.get(
        row.name, row.goal)


def _run(command, environment):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env=environment, timeout=ROUND_TIMEOUT)
    except subprocess.TimeoutExpired:
        return "", f"no end after {ROUND_TIMEOUT} s"
    if done.returncode == 0:
        return done.stdout, None
    lines = [line for line in done.stderr.splitlines() if not line.startswith("==")]
    last = lines[-1] if lines else "no message"
    return done.stdout, f"exit status {done.returncode}: {last}"


def _only_new(text, known):
    if text is not None and text not in known:
        known.append(text)


def _takes_part(competitor, group, n, n_rounds):
    """Short comparisons are of ours and nginx: the others run in their first round only."""
    is_near = competitor.name in ("ours", "nginx")
    return group in competitor.groups and (is_near or n == 0 or n_rounds > SHORT_ROUNDS)


def time_all(runner, competitors, rows, n_rounds, more, say):
    """{row's name: {competitor: median}}, and a list of failures. Rounds are interleaved: in each,
    every competitor runs every row of a group once."""
    samples = collections.defaultdict(lambda: collections.defaultdict(list))
    failures = []
    for group in dict.fromkeys(row.group for row in rows):
        own = [row for row in rows if row.group == group]
        for n in range(n_rounds if group != "density" else 1):
            say(f"{group}: round {n + 1} of {n_rounds if group != 'density' else 1}")
            todo = [row for row in own if n == 0 or not row.is_slow]
            for competitor in competitors:
                if not todo or not _takes_part(competitor, group, n, n_rounds):
                    continue
                figures, why = runner.time(competitor, group, todo, more)
                _only_new(why and f"{competitor.name}, {group}: {why}", failures)
                for name, figure in figures.items():
                    if figure is not None:
                        samples[name][competitor.name].append(figure)
    medians = {name: {who: statistics.median(list_) for who, list_ in found.items()}
               for name, found in samples.items()}
    return medians, failures


def count_all(runner, competitors, rows, say):
    """{row's name: {competitor: instructions}}, and a list of failures. Counts do not depend on the
    load, so two run at a time."""
    jobs = []
    for group in dict.fromkeys(row.group for row in rows):
        own = [row for row in rows if row.group == group and row.is_counted]
        jobs += [(competitor, group, own) for competitor in competitors
                 if group in competitor.groups and own]
    counts = collections.defaultdict(dict)
    failures = []
    if jobs:
        say(f"instructions: {len(jobs)} runs under Valgrind")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda job: runner.count(*job), jobs)
        for (competitor, group, _), (found, why) in zip(jobs, done):
            _only_new(why and f"{competitor.name}, {group}, instructions: {why}", failures)
            for name, count in found.items():
                counts[name][competitor.name] = count
    return counts, failures
