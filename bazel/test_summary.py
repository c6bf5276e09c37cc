# SPDX-License-Identifier: Apache-2.0
"""Prints the closing line of a test run: `N passed, N failed[, N skipped]`.

Usage: test_summary.py BUILD_EVENTS_JSON BAZEL_EXIT_STATUS

The build event file names this run's targets and their test.xml files, cached ones included.
Each of GoogleTest's cases counts. A test that writes no XML of its own counts as one. A target that
failed to build is one failure. A test that was not run because a dependency is missing is skipped.

A test without XML of its own prints a line about what it cannot run here. `NOT RUN: REASON` means
all of the test, which then counts as skipped. `NOT RUN in part: REASON` means one part of it: the
part counts as skipped, in addition to the test.
"""

import collections
import json
import re
import sys
import urllib.parse
import xml.etree.ElementTree

Counts = collections.namedtuple("Counts", "passed failed skipped")

NOT_RUN = re.compile(rb"^NOT RUN( in part)?: ", re.MULTILINE)

PASSED = Counts(1, 0, 0)
FAILED = Counts(0, 1, 0)
SKIPPED = Counts(0, 0, 1)


def total(counts):
    """Adds up Counts."""
    return Counts(*(sum(column) for column in zip(Counts(0, 0, 0), *counts)))


def read_events(path):
    """Yields (kind, id, event) of each line. The last line of a killed run may be incomplete."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                return
            kind, event_id = next(iter(event["id"].items()))
            yield kind, event_id, event


def count_case(case):
    """Counts one <testcase>. GoogleTest reports disabled cases as not run."""
    if case.find("failure") is not None or case.find("error") is not None:
        return FAILED
    if case.find("skipped") is not None or case.get("result") in ("skipped", "suppressed"):
        return SKIPPED
    return FAILED if case.get("status") == "notrun" else PASSED


def read_cases(path):
    """Returns the <testcase> elements that a test framework wrote.

    Bazel writes a stand-in when a test leaves no XML; its one case has no class.
    """
    try:
        root = xml.etree.ElementTree.parse(path).getroot()
    except (OSError, xml.etree.ElementTree.ParseError):
        return []
    return [case for case in root.iter("testcase") if case.get("classname")]


def find_output(result, name):
    """Returns the path of a result's test.xml or test.log, or None."""
    for output in result.get("testActionOutput", []):
        uri = urllib.parse.urlparse(output.get("uri", ""))
        if output["name"] == name and uri.scheme == "file":
            return urllib.parse.unquote(uri.path)
    return None


def count_log(path):
    """Counts a test that passed by what its log says was not run."""
    try:
        with open(path, "rb") as log:
            parts = NOT_RUN.findall(log.read())
    except OSError:
        parts = []
    if b"" in parts:
        return SKIPPED
    return total([PASSED] + [SKIPPED] * len(parts))


def count_result(result):
    """Counts one execution of one test target."""
    passed = result.get("status") == "PASSED"
    path = find_output(result, "test.xml")
    cases = total(count_case(case) for case in (read_cases(path) if path else []))
    if passed:
        return cases if any(cases) else count_log(find_output(result, "test.log") or "")
    # A test that dies after its last case has failed, even if all its cases passed.
    return cases if cases.failed else total([cases, FAILED])


def summarise(events, bazel_status):
    """Returns the Counts of a whole run."""
    results = {}
    not_built = set()
    tests = set()
    for kind, event_id, event in events:
        label = event_id.get("label")
        if kind == "testResult" and "testResult" in event:
            # The last attempt of a retried test counts; attempts are in order.
            results[label, event_id.get("run"), event_id.get("shard")] = event["testResult"]
        elif kind == "testSummary":
            tests.add(label)
        elif kind == "targetConfigured" and "testSize" in event.get("configured", {}):
            tests.add(label)
        elif kind == "targetCompleted":
            # Without `completed` the test was never tried: the build had stopped.
            if not event.get("completed", {"success": True}).get("success"):
                not_built.add(label)
    ran = {label for label, _, _ in results}
    counts = [count_result(result) for result in results.values()]
    counts += [FAILED] * len(not_built - ran)
    counts += [SKIPPED] * len(tests - ran - not_built)
    if bazel_status != 0 and not total(counts).failed:
        counts.append(FAILED)
    return total(counts)


def main(argv):
    """Prints the line. The exit status is 0 if that worked, also for failed tests."""
    counts = summarise(read_events(argv[1]), int(argv[2]))
    line = f"{counts.passed} passed, {counts.failed} failed"
    print(line + (f", {counts.skipped} skipped" if counts.skipped else ""))


if __name__ == "__main__":
    main(sys.argv)
