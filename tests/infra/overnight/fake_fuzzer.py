#!/usr/bin/env -S python3 -S -E
# SPDX-License-Identifier: Apache-2.0
"""Looks like a libFuzzer binary from outside. The file `.<name>.manner` next to it says how it
behaves:

healthy     finds a new input each slice
crashes     makes an input with BAD in it, and dies of that and of any other such input
shallow     the same, and at once
no-start    ends with status 3
silent      ends well, but executes nothing
reads       reads its corpus for longer than any slice, and ignores signals meanwhile
regressed   dies only of inputs with BAD in them that exist already
deaf        reads its corpus, then ignores signals
endless     reports that it is up, and waits for a signal
fills       fills the disk, and dies of an input with BAD in it
"""

import hashlib
import os
import pathlib
import signal
import sys
import time

HERE = pathlib.Path(sys.argv[0])
MANNER = HERE.with_name(f".{HERE.name}.manner").read_text().strip()
OPTIONS = dict(word[1:].split("=", 1) for word in sys.argv[1:] if word.startswith("-"))
PATHS = [pathlib.Path(word) for word in sys.argv[1:] if not word.startswith("-")]
SAY = os.environ.get("HRN_FUZZ_SAY", "").split(",")

CRASH = """==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010
    #0 0x55d0c0 in slm_slab_free allocator/slab/objects.c:3:1
    #1 0x55d0c1 in hrn_run_program harness/run/run.c:3:1
SUMMARY: AddressSanitizer: heap-use-after-free allocator/slab/objects.c:3:1 in slm_slab_free"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def inputs(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))


def die_of(data):
    """Saves the input, then prints the report, as libFuzzer does."""
    prefix = OPTIONS.get("artifact_prefix", "./")
    path = pathlib.Path(prefix + "crash-" + hashlib.sha1(data).hexdigest())
    try:
        path.write_bytes(data)
    except OSError:
        pass  # as libFuzzer does
    say(CRASH)
    sys.exit(77)


def is_bad(data):
    return MANNER in ("crashes", "shallow", "regressed", "fills") and b"BAD" in data


def reproduce(path):
    data = path.read_bytes()
    if "shape" in SAY:
        say("slabmill: shape head=4 record=2 programs=1 can=ff")
    if "ops" in SAY:
        say(f"slabmill: op 0: {data!r}")
    if "test" in SAY:
        say("slabmill: test begin\nTEST(Fake, Bug) {}\nslabmill: test end")
    if is_bad(data):
        die_of(data)


def merge():
    target, *sources = PATHS
    for path in (p for folder in sources for p in inputs(folder)):
        data = path.read_bytes()
        (target / hashlib.sha1(data).hexdigest()).write_bytes(data)


def read_corpus():
    n_inputs = 0
    say("INFO: seed corpus: files: 200 min: 1b max: 9b total: 300b rss: 30Mb")
    if MANNER == "reads":
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        say("#2 pulse  cov: 7 ft: 8 corp: 1/1b exec/s: 1 rss: 30Mb")
        time.sleep(600)
    for path in (p for folder in PATHS for p in inputs(folder)):
        n_inputs += 1
        if is_bad(path.read_bytes()):
            die_of(path.read_bytes())
    say(f"#{n_inputs} INITED cov: 30 ft: 40 corp: {n_inputs}/1b exec/s: 0 rss: 30Mb")


def fill_disk():
    for size in (1 << 20, 1 << 12, 1):
        try:
            with open(PATHS[0] / f"fill{size}", "ab", buffering=0) as stream:
                while True:
                    stream.write(bytes(size))
        except OSError:
            continue


def fuzz():
    stopped = []
    signal.signal(signal.SIGUSR1, lambda *_: stopped.append(1))
    read_corpus()
    if MANNER == "deaf":
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        say("#64 pulse  cov: 30 ft: 40 corp: 3/9b exec/s: 9 rss: 30Mb")
        time.sleep(600)
    seconds = int(OPTIONS["max_total_time"])
    if MANNER == "endless":
        pathlib.Path(os.environ["XDG_CACHE_HOME"], "up").write_text(f"{os.getpid()}\n")
        seconds = 600
    if MANNER == "fills":
        fill_disk()
        die_of(b"headBAD!")
    if MANNER == "shallow":
        die_of(b"head" + os.urandom(8).hex().encode() + b"BAD")
    data = os.urandom(8)
    (PATHS[0] / hashlib.sha1(data).hexdigest()).write_bytes(data)
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stopped:
        time.sleep(0.05)
    if MANNER == "crashes":
        die_of(b"head" + b"xy" * 20 + b"BAD!" + b"zw" * 20)
    say("#200 DONE   cov: 34 ft: 56 corp: 3/9b exec/s: 100 rss: 31Mb")
    n_execs = 0 if MANNER == "silent" else 100
    say(f"stat::number_of_executed_units: {n_execs}")
    say("stat::new_units_added:          1\nstat::peak_rss_mb:              32")
    # libFuzzer ends on request without atexit(), which the harness needs to print this.
    if not stopped:
        say(f"slabmill: ops={n_execs * 25} execs={n_execs} seconds=1.0")


def main():
    if MANNER == "no-start":
        sys.exit(3)
    if "set_cover_merge" in OPTIONS:
        merge()
    elif "max_total_time" in OPTIONS:
        fuzz()
    else:
        for path in PATHS:
            reproduce(path)


main()
