# SPDX-License-Identifier: Apache-2.0
"""Reads `llvm-cov export -summary-only`; prints "N of M" lines of one folder of the project."""

import json
import sys


def main():
    folder = sys.argv[1]
    files = json.load(sys.stdin)["data"][0]["files"]
    lines = [f["summary"]["lines"] for f in files if f"/{folder}/" in f["filename"]]
    print(sum(n["covered"] for n in lines), "of", sum(n["count"] for n in lines))


main()
