#!/usr/bin/env -S python3 -S -E
# SPDX-License-Identifier: Apache-2.0
"""Looks like a libFuzzer binary from outside. The file `.<name>.manner` next to it says how it
behaves:

healthy     finds a new input each slice
crashes     makes an input with BAD in it, and dies of that and of any other such input
shallow     the same, and at once
no-start    ends with status 3
silent      ends well, but executes nothing
reads       reads its corpus for longer than any slice, and ignores the request to end meanwhile
regressed   dies only of inputs with BAD in them that exist already
deaf        reads its corpus, then ignores the request to end
endless     after the time of its slice reports that it is up, and waits for the request to end
fills       fills the disk, and dies of an input with BAD in it

It moves the clock of the test (clocked/sitecustomize.py) by the time that it is to fuzz, and does
not wait. Where the order matters, it waits for the runner's signal. Triage runs it dozens of times,
so it imports little: hashlib and pathlib would take more than half of its time.
"""

import os
import signal
import sys


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


def write(path, data):
    with open(path, "wb") as stream:
        stream.write(data)


FOLDER, NAME = os.path.split(sys.argv[0])
MANNER = read(f"{FOLDER}/.{NAME}.manner").decode()
OPTIONS = dict(word[1:].split("=", 1) for word in sys.argv[1:] if word.startswith("-"))
PATHS = [word for word in sys.argv[1:] if not word.startswith("-")]
SAY = os.environ.get("HRN_FUZZ_SAY", "").split(",")

CRASH = """==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010
    #0 0x55d0c0 in slm_slab_free allocator/slab/objects.c:3:1
    #1 0x55d0c1 in hrn_run_program harness/run/run.c:3:1
SUMMARY: AddressSanitizer: heap-use-after-free allocator/slab/objects.c:3:1 in slm_slab_free"""

# Longer than the runner waits between its request to end and the kill.
LONG = 60


def say(text):
    print(text, file=sys.stderr, flush=True)


def spend(seconds):
    """Moves the clock."""
    with open(os.environ["NIGHT_CLOCK"], "ab") as stream:
        stream.write(bytes(seconds))


def wait_for_request():
    """Returns when the runner has asked this process to end. fuzz() keeps the request waiting."""
    signal.sigwait({signal.SIGUSR1})


def wait_for_kill():
    """Uses the time of its slice up, ignores the request to end, and is killed."""
    spend(seconds_wanted())
    wait_for_request()
    spend(LONG)
    while True:
        signal.pause()


def seconds_wanted():
    return int(OPTIONS["max_total_time"])


def name_of(data):
    """The name that libFuzzer gives an input."""
    from hashlib import sha1

    return sha1(data).hexdigest()


def keep(folder, data):
    """Adds an input. The fuzzer of another night may read the folder: it must not see half of it."""
    scratch = f"{folder}/.{name_of(data)}"
    write(scratch, data)
    os.replace(scratch, f"{folder}/{name_of(data)}")


def inputs(folder):
    """The contents of all files, by path."""
    paths = sorted(f"{at}/{name}" for at, _, names in os.walk(folder) for name in names)
    return [read(path) for path in paths if not os.path.basename(path).startswith(".")]


def die_of(data):
    """Saves the input, then prints the report, as libFuzzer does."""
    prefix = OPTIONS.get("artifact_prefix", "./")
    try:
        write(f"{prefix}crash-{name_of(data)}", data)
    except OSError:
        pass  # as libFuzzer does
    say(CRASH)
    sys.exit(77)


def is_bad(data):
    return MANNER in ("crashes", "shallow", "regressed", "fills") and b"BAD" in data


def reproduce(path):
    data = read(path)
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
    for data in (data for folder in sources for data in inputs(folder)):
        keep(target, data)


def read_corpus():
    n_inputs = 0
    say("INFO: seed corpus: files: 200 min: 1b max: 9b total: 300b rss: 30Mb")
    if MANNER == "reads":
        say("#2 pulse  cov: 7 ft: 8 corp: 1/1b exec/s: 1 rss: 30Mb")
        wait_for_kill()
    for data in (data for folder in PATHS for data in inputs(folder)):
        n_inputs += 1
        if is_bad(data):
            die_of(data)
    say(f"#{n_inputs} INITED cov: 30 ft: 40 corp: {n_inputs}/1b exec/s: 0 rss: 30Mb")


def fill_disk():
    for size in (1 << 20, 1 << 12, 1):
        try:
            with open(f"{PATHS[0]}/fill{size}", "ab", buffering=0) as stream:
                while True:
                    stream.write(bytes(size))
        except OSError:
            continue


def die():
    """Finds an input that it dies of."""
    if MANNER == "shallow":
        die_of(b"head" + os.urandom(8).hex().encode() + b"BAD")
    if MANNER == "fills":
        fill_disk()
    spend(seconds_wanted())
    die_of(b"headBAD!" if MANNER == "fills" else b"head" + b"xy" * 20 + b"BAD!" + b"zw" * 20)


def report(n_execs):
    """Prints its numbers."""
    say("#200 DONE   cov: 34 ft: 56 corp: 3/9b exec/s: 100 rss: 31Mb")
    say(f"stat::number_of_executed_units: {n_execs}")
    say("stat::new_units_added:          1\nstat::peak_rss_mb:              32")


def fuzz():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    read_corpus()
    if MANNER == "deaf":
        say("#64 pulse  cov: 30 ft: 40 corp: 3/9b exec/s: 9 rss: 30Mb")
        wait_for_kill()
    if MANNER in ("shallow", "crashes", "fills"):
        die()
    data = os.urandom(8)
    keep(PATHS[0], data)
    if MANNER == "endless":
        spend(seconds_wanted())
        write(os.environ["XDG_CACHE_HOME"] + "/up", b"%d\n" % os.getpid())
        wait_for_request()
        # libFuzzer ends on request without atexit(), so the harness does not print its operations.
        report(100)
        return
    n_execs = 0 if MANNER == "silent" else 100
    report(n_execs)
    say(f"slabmill: ops={n_execs * 25} execs={n_execs} seconds=1.0")
    # Last: this may be the end of the night, at which the runner asks it to end.
    spend(seconds_wanted())


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
