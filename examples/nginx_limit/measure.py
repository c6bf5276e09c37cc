#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nginx_limit and nginx's own limit_req in one server: the table of docs/migrate-from-nginx.md.

Usage: measure.py [--rounds N] [--seconds N] [--kills N] [requests] [capacity] [kills]

requests   wrk asks two workers, in rounds: requests a second, and the workers' CPU time a request
capacity   how many keys a zone of 1 MiB keeps
kills      gdb kills workers at instructions spread over the turn that adds a key to a full zone
"""

import argparse
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile

import nginx_rig
from nginx_rig import Hang, Nginx, await_, children_of, debug, is_running, request_text

SCRATCH = tempfile.TemporaryDirectory()
MODULE = pathlib.Path(SCRATCH.name, "module.so")

OURS, THEIRS, NONE = "slabmill_limit", "limit_req", "no limit"
PATHS = {OURS: "/ours", THEIRS: "/theirs", NONE: "/none"}

HTTP = """
    slabmill_limit_zone name=ZONE size=1m rate={rate} key=$arg_k;
    limit_req_zone $arg_k zone=theirs:1m rate={rate};
"""
SERVER = """
        location /ours {{ slabmill_limit zone=ZONE {burst}; empty_gif; }}
        location /theirs {{ limit_req zone=theirs {burst}; empty_gif; }}
        location /none {{ empty_gif; }}
        location /status {{ slabmill_limit_status; }}"""

# wrk's threads draw keys: one of N known ones, or with N 0 always a new one.
SCRIPT = """
local n = {n_keys}
local next = 0
function request()
    next = next + 1
    return wrk.format("GET", "{path}?k=" .. string.format("%08d", n > 0 and math.random(n) or next))
end
"""


def start(rate, burst, **options):
    """An nginx with both limits."""
    nginx = Nginx(MODULE, level="crit", **options)
    nginx.configure(HTTP.format(rate=rate), SERVER.format(burst=f"burst={burst} nodelay" if burst else ""))
    nginx.start()
    return nginx


# --- Requests ---


def cpu_seconds(pids):
    """What the processes, of one thread each, used so far."""
    files = [pathlib.Path(f"/proc/{pid}/schedstat") for pid in pids]
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "%s:%d" % probe.getsockname()


def run_wrk(nginx, path, n_keys, seconds):
    """(requests a second, workers' CPU in microseconds for a request)"""
    script = pathlib.Path(SCRATCH.name, "keys.lua")
    script.write_text(SCRIPT.format(n_keys=n_keys, path=path))
    pids = nginx.pids_of_workers()
    before = cpu_seconds(pids)
    words = ["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", script, f"http://{nginx.listen}"]
    said = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    n = int(re.search(r"(\d+) requests in", said)[1])
    if "Non-2xx" in said or "Socket errors" in said:
        raise AssertionError(said)
    rate = float(re.search(r"Requests/sec: *([\d.]+)", said)[1])
    return rate, (cpu_seconds(pids) - before) * 1e6 / n


def measure_requests(options):
    nginx = start("1000000r/s", 1000000, listen=free_address())
    try:
        for what, n_keys in (("5000 known keys", 5000), ("each key new, zone full", 0)):
            results = {whose: [] for whose in PATHS}
            for _ in range(options.rounds):
                for whose, path in PATHS.items():
                    results[whose].append(run_wrk(nginx, path, n_keys, options.seconds))
            for whose, rounds in results.items():
                rates, times = zip(*rounds)
                print(
                    f"requests: {what}: {whose}: {statistics.median(rates):.0f} a second, "
                    f"{statistics.median(times):.2f} us of CPU ({min(times):.2f} to {max(times):.2f})",
                    flush=True,
                )
    finally:
        nginx.close()


# --- Capacity ---


class Link:
    """One connection that is kept."""

    def __init__(self, nginx):
        self.link = nginx.connect()

    def status(self, path):
        """Of an answer with a short body. OSError: none came."""
        self.link.sendall(request_text(path, "", more="").encode())
        answer = b""
        n_bytes = None
        while n_bytes is None or len(answer) < n_bytes:
            part = self.link.recv(65536)
            if not part:
                raise ConnectionError("the connection ended")
            answer += part
            head, end, _ = answer.partition(b"\r\n\r\n")
            if end:
                n_body = int(re.search(rb"Content-Length: (\d+)", head)[1])
                n_bytes = len(head) + len(end) + n_body
        return int(answer[9:12])


def key_of(number, n_bytes):
    return f"{number:x}".rjust(n_bytes, "z")


def count_keys(nginx, path, n_bytes, n_most, first=0):
    """Adds n_most keys, and asks for them again from the newest: those still there are limited."""
    link = Link(nginx)
    last = first + n_most - 1
    for number in range(first, last + 1):
        if link.status(f"{path}?k={key_of(number, n_bytes)}") != 200:
            raise AssertionError("a new key is limited")
    n_kept = 0
    while link.status(f"{path}?k={key_of(last - n_kept, n_bytes)}") == 503:
        n_kept += 1
    return n_kept


def measure_capacity(_):
    for n_bytes in (4, 16, 64):
        for whose in (OURS, THEIRS):
            nginx = start("1r/m", 0)
            try:
                n_keys = count_keys(nginx, PATHS[whose], n_bytes, 16000)
            finally:
                nginx.close()
            print(f"capacity: keys of {n_bytes} bytes: {whose}: {n_keys} in 1 MiB", flush=True)


# --- Kills ---

LOCK = {OURS: "slm_zone_lock", THEIRS: "ngx_shmtx_lock"}
N_INSTRUCTIONS = {OURS: 2400, THEIRS: 1100}  # of the turn, about: docs/performance.md
N_FULL = 12000  # keys, more than fit


def kill_after(nginx, whose, n_steps, number):
    """Kills a worker n_steps instructions after it has taken the lock for a new key."""
    victim, other = await_(
        lambda: len(nginx.pids_of_workers()) == 2 and nginx.pids_of_workers(), "no two workers"
    )
    os.kill(other, signal.SIGSTOP)
    steps = [f"break {LOCK[whose]}", "continue", "delete", "finish", f"stepi {n_steps}", "kill"]
    debugger = debug(victim, *steps)
    await_(lambda: nginx_rig.tracer_of(victim) == debugger.pid, "gdb does not stop the worker")
    with nginx.connect() as link:
        link.sendall(request_text(f"{PATHS[whose]}?k=kill{number}", "").encode())
        said = debugger.communicate()[0].decode()
    os.kill(other, signal.SIGCONT)
    if is_running(victim):
        raise AssertionError(said)


def survives(nginx, path, number):
    """Whether new keys get answers, and no worker crashes, after a kill."""
    try:
        answers = [nginx.ask(f"{path}?k=after{number}.{i}") for i in range(8)]
    except Hang:
        return False
    return all(answer is not None for answer in answers)


def kill_workers(nginx, whose, n_kills):
    """How many kills the server survived, up to the first that it did not."""
    for number in range(n_kills):
        n_steps = (number * 2 + 1) * N_INSTRUCTIONS[whose] // (2 * n_kills)
        kill_after(nginx, whose, n_steps, number)
        if not survives(nginx, PATHS[whose], number):
            return number
    return n_kills


def use_after_kills(nginx, whose):
    """What the zone still does, in words."""
    try:
        return f"the zone keeps {count_keys(nginx, PATHS[whose], 8, N_FULL, N_FULL)} keys"
    except OSError:
        pass
    try:
        nginx.await_log("exited on signal 11")
        return "then a worker that adds keys crashes (SIGSEGV)"
    except Hang:
        return "then a worker that adds keys hangs"


def measure_kills(options):
    nginx_rig.HANG_SECONDS = 20  # a server that hangs is a result here
    for whose in (OURS, THEIRS):
        nginx = start("1r/m", 0)
        try:
            n_before = count_keys(nginx, PATHS[whose], 8, N_FULL)
            n_survived = kill_workers(nginx, whose, options.kills)
            after = use_after_kills(nginx, whose)
        finally:
            for pid in children_of(nginx.pid()):
                os.kill(pid, signal.SIGKILL)
            nginx.close()
        print(
            f"kills: {whose}: the zone keeps {n_before} keys; it answers after {n_survived} of "
            f"{options.kills} kills in a turn; {after}",
            flush=True,
        )


PARTS = {"requests": measure_requests, "capacity": measure_capacity, "kills": measure_kills}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("parts", nargs="*", metavar="PART", default=list(PARTS))
    options = parser.parse_args()
    if not set(options.parts) <= set(PARTS):
        parser.error(f"parts are {' '.join(PARTS)}")
    reason = nginx_rig.build_module(MODULE)
    if reason:
        sys.exit(f"measure: {reason}")
    for part in options.parts:
        PARTS[part](options)


if __name__ == "__main__":
    main()
