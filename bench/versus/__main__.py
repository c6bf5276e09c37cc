# SPDX-License-Identifier: Apache-2.0
"""./bazelw run -c opt //bench:compare -- --help"""

import argparse
import json
import os
import pathlib
import re
import sys
import time

from . import competitors, measure, page, table

ROOT = pathlib.Path.cwd()  # Bazel's folder of inputs
ROUNDS, QUICK_ROUNDS = 7, 3
SECONDS, QUICK_SECONDS = "0.1", "0.01"
START = time.monotonic()


def _pattern(text):
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from None


def _plugin(text):
    path, colon, name = text.rpartition(":")
    if not colon or not name or not pathlib.Path(path).is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is not PATH.so:ADAPTER of a file that exists")
    return text


def _positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def _parser():
    parser = argparse.ArgumentParser(
        prog="compare", allow_abbrev=False,
        description="Measures this library, nginx and other allocators, and prints a table.",
        epilog="Exit status: 0; 1 a competitor failed, which is reported; 2 a wrong call.")
    parser.add_argument("--quick", action="store_true",
                        help="a minute of processor time, two minutes on a busy machine: shorter "
                        "measurements, and no slow rows")
    parser.add_argument("--rows", type=_pattern, default=re.compile(""), metavar="PATTERN",
                        help="only rows whose name matches the regular expression (--list)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="writes the rows as JSON")
    parser.add_argument("--out", type=pathlib.Path, metavar="DIR", default=pathlib.Path("bench-out"),
                        help="CSV, JSON, the page, and the peers' plugins (default: bench-out)")
    parser.add_argument("--plugin", type=_plugin, action="append", default=[], metavar="PATH.so:NAME",
                        help="one more competitor: an adapter of a shared object")
    parser.add_argument("--rounds", type=_positive, metavar="N",
                        help=f"default: {ROUNDS}, {QUICK_ROUNDS} with --quick")
    parser.add_argument("--no-count", action="store_true", help="counts no instructions")
    parser.add_argument("--list", action="store_true", help="lists the rows, and ends")
    return parser


def _say(text):
    print(f"compare: {time.monotonic() - START:4.0f} s: {text}", file=sys.stderr, flush=True)


def _choose(rows, arguments):
    chosen = [row for row in rows if arguments.rows.search(row.name)]
    return [row for row in chosen if not (arguments.quick and row.is_slow)]


def _measure(arguments, rows, found):
    module = next((one.plugin for one in found if one.is_nginx), None)
    runner = measure.Runner(ROOT, module)
    n_rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    more = ["--seconds", QUICK_SECONDS, "--quick"] if arguments.quick else ["--seconds", SECONDS]
    medians, failures = measure.time_all(runner, found, rows, n_rounds, more, _say)
    counts, notes = {}, []
    if arguments.no_count:
        notes.append("instructions are not counted: --no-count")
    elif competitors.valgrind() is None:
        notes.append("instructions are not counted: valgrind is not installed")
    else:
        near = [one for one in found if not arguments.quick or one.name in ("ours", "nginx")]
        counts, failed = measure.count_all(runner, near, rows, _say)
        failures += failed
    return table.build(rows, medians, counts), failures, notes


def _machine():
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return {"processors": os.cpu_count(), "model": model[1] if model else "unknown",
            "load": os.getloadavg()[0], "date": time.strftime("%Y-%m-%d %H:%M")}


def _write(arguments, result):
    out = arguments.out
    text = json.dumps(result, indent=1)
    (out / "compare.json").write_text(text + "\n", encoding="utf-8")
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    table.write_csv(result["rows"], out / "compare.csv")
    page.write(result, out / "compare.html")


def _compare(arguments):
    """The exit status."""
    rows = _choose(measure.Runner(ROOT, None).rows(), arguments)
    if arguments.list:
        print("\n".join(f"{row.name:32} {row.text}" for row in rows))
        return 0
    if not rows:
        raise ValueError(f"no row matches {arguments.rows.pattern!r} (--list)")
    page.check()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.json is not None:
        arguments.json.write_text("", encoding="utf-8")
    machine = _machine()
    found, absent = competitors.find(
        ROOT, arguments.out.resolve() / "peers", {row.group for row in rows}, arguments.plugin, _say)
    built, failures, notes = _measure(arguments, rows, found)
    notes += [f"absent: {why}" for why in absent.values()]
    if arguments.quick:
        notes.append("--quick: short measurements; rows that take minutes are left out")
    result = {"rows": built, "absent": absent, "failures": failures, "notes": notes,
              "machine": machine}
    print(table.text(built))
    for note in notes + [f"FAILED: {failure}" for failure in failures]:
        print(note)
    _write(arguments, result)
    print(f"page: {(arguments.out / 'compare.html').resolve()}")
    return 1 if failures else 0


def main():
    """Returns the exit status."""
    os.chdir(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
    arguments = _parser().parse_args()
    try:
        return _compare(arguments)
    except (OSError, ValueError, measure.Failure, page.MissingPackage) as error:
        print(f"compare: error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
