#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The module in a real nginx: limits, counts, reloads, upgrades, workers that are killed.

Usage: nginx_limit_test.py SLABMILL      the program, for its inspect
"""

import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import guide
import nginx_rig
from nginx_rig import Load, Nginx, await_, await_read, debug, is_running, request_text

SLABMILL = pathlib.Path(sys.argv.pop(1)).resolve()
SCRATCH = tempfile.TemporaryDirectory()
MODULE = pathlib.Path(SCRATCH.name, "module.so")
HEADERS = pathlib.Path(SCRATCH.name, "nginx")

BURST = 4
REFILL_SECONDS = 60  # at 1r/m
HTTP = "slabmill_limit_zone name=ZONE size=1m rate=1r/m key=$http_x_key;"
SERVER = f"""
        location /file {{ slabmill_limit zone=ZONE burst={BURST} nodelay; empty_gif; }}
        location /again {{ slabmill_limit zone=ZONE burst={BURST} nodelay; try_files /none /file; }}
        location /status {{ slabmill_limit_status; }}"""


class NginxTest(unittest.TestCase):
    """An nginx for each test."""

    def setUp(self):
        self.nginx = Nginx(MODULE)
        self.addCleanup(self.nginx.close)
        self.began = time.monotonic()

    def start(self, http=HTTP, server=SERVER):
        self.nginx.configure(http, server)
        self.nginx.start()
        self.began = time.monotonic()

    def status(self, path="/file", key="a"):
        return self.nginx.ask(path, key)[0]

    def n_refilled(self):
        """How many more requests of a key the time that passed allows, at most."""
        return int((time.monotonic() - self.began) // REFILL_SECONDS)

    def expect_burst(self, n_passed, what):
        """n_passed requests of one key that sent more."""
        self.assertGreaterEqual(n_passed, BURST + 1, what)
        self.assertLessEqual(n_passed, BURST + 1 + self.n_refilled(), what)

    def expect_whole_zone(self):
        """slabmill inspect finds every invariant to hold."""
        done = subprocess.run(
            [SLABMILL, "inspect", f"posix:{self.nginx.zone}"],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def words_of_root(self):
        """The first words of the zone's root, as slabmill inspect shows them."""
        done = subprocess.run(
            [SLABMILL, "inspect", "--json", f"posix:{self.nginx.zone}"],
            stdout=subprocess.PIPE,
            check=True,
        )
        return json.loads(done.stdout)["root"]["words"]

    def expect_exact_counts(self, results):
        """No worker was killed: each request was answered, and counted as it was answered."""
        statuses = collections.Counter(status for _, status in results)
        self.assertEqual(set(statuses), {200, 503})
        counts = self.nginx.counts()
        self.assertEqual(counts["passed"], statuses[200])
        self.assertEqual(counts["limited"], statuses[503])
        for key in {key for key, _ in results}:
            self.expect_burst(results.count((key, 200)), key)


class LimitTest(NginxTest):
    """What the directives say."""

    def test_a_key_gets_one_request_and_its_burst_and_then_503(self):
        self.start()
        n_passed = sum(self.status() == 200 for _ in range(12))
        self.expect_burst(n_passed, "a")
        self.assertEqual(self.status(key="b"), 200)
        counts = self.nginx.counts()
        self.assertEqual((counts["passed"], counts["limited"]), (n_passed + 1, 12 - n_passed))
        self.assertEqual(counts["keys"], 2)
        pairs = list(zip(self.words_of_root(), self.words_of_root()[1:]))
        self.assertIn((counts["passed"], counts["limited"]), pairs)
        self.assertIn(f"zone {self.nginx.zone}: limited, excess 5.000", self.nginx.log())

    def test_requests_without_a_key_are_neither_limited_nor_counted(self):
        self.start()
        for _ in range(BURST + 3):
            self.assertEqual(self.status(key=""), 200)
        self.assertEqual(self.status(key="k" * 1025), 200)
        self.nginx.await_log("the key has 1025 bytes, at most 1024")
        self.assertEqual(self.nginx.counts()["passed"], 0)

    def test_the_key_is_the_address_where_none_is_given(self):
        self.start(http=HTTP.replace("key=$http_x_key", ""))
        statuses = [self.status(key=str(i)) for i in range(BURST + 3)]
        self.expect_burst(statuses.count(200), "unix:")
        self.assertEqual(self.nginx.counts()["keys"], 1)

    def test_a_redirected_request_is_counted_once(self):
        self.start()
        self.assertEqual(self.status("/again"), 200)
        self.assertEqual(self.nginx.counts()["passed"], 1)

    def test_without_nodelay_requests_come_at_the_rate(self):
        server = SERVER.replace(f"burst={BURST} nodelay", "burst=20")
        self.start(http=HTTP.replace("1r/m", "10r/s"), server=server)
        began = time.monotonic()
        statuses = [status for _, status in Load(self.nginx, 5, 4, lambda idx, number: "a").join()]
        self.assertEqual(statuses, [200] * 20)
        # 19 requests wait for their turn of 100 ms; nginx's clock is exact to some milliseconds.
        self.assertGreaterEqual(time.monotonic() - began, 1.8)

    def test_a_client_that_leaves_while_it_is_delayed_is_counted_and_harms_nothing(self):
        self.start(server=SERVER.replace("nodelay", ""))
        self.assertEqual(self.status(), 200)
        link = self.nginx.connect()
        link.sendall(request_text("/file", "a").encode())
        await_(lambda: self.nginx.counts()["passed"] == 2, "the delayed request is not counted")
        link.close()
        self.nginx.await_log("prematurely closed")
        self.assertEqual(self.status(key="b"), 200)

    def test_wrong_words_are_refused_with_a_reason(self):
        for http, server, reason in [
            (HTTP.replace("size=1m", "size=63k"), "", "at least 64k"),
            (HTTP.replace("size=1m", ""), "", "at least 64k"),
            (HTTP.replace("1r/m", "1r/h"), "", "such as 10r/s or 30r/m"),
            (HTTP.replace("1r/m", "0r/s"), "", "such as 10r/s or 30r/m"),
            (HTTP.replace("name=ZONE", "name=a/b"), "", "letters, digits"),
            (HTTP.replace("name=ZONE", ""), "", "letters, digits"),
            (HTTP.replace("key=", "keys="), "", 'an unknown option, or one that is given twice'),
            (HTTP.replace("size=1m", "size=1m size=1m"), "", "given twice"),
            (HTTP + HTTP, "", "the zone is declared twice"),
            ("", "slabmill_limit zone=other;", 'no slabmill_limit_zone has that name: "other"'),
            (HTTP, "slabmill_limit burst=1;", "expected zone="),
            (HTTP, "slabmill_limit zone=ZONE burst=-1;", "expected zone=NAME"),
            (HTTP, "slabmill_limit zone=ZONE; slabmill_limit zone=ZONE;", "is duplicate"),
        ]:
            with self.subTest(reason=reason):
                self.nginx.configure(http, server)
                done = self.nginx.command("-t")
                self.assertIn(reason, done.stdout)
                self.assertNotEqual(done.returncode, 0)

    def test_a_test_of_the_configuration_makes_no_zone(self):
        self.nginx.configure(HTTP, SERVER)
        self.assertEqual(self.nginx.command("-t").returncode, 0)
        self.assertFalse(pathlib.Path("/dev/shm", self.nginx.zone).exists())

    def test_a_full_zone_drops_the_oldest_keys(self):
        self.start(http=HTTP.replace("size=1m", "size=64k"))
        self.assertEqual(self.status(key="first"), 200)
        n_keys = 0
        while self.nginx.counts()["evicted"] == 0:
            self.assertEqual({self.status(key=str(n_keys + i)) for i in range(50)}, {200})
            n_keys += 50
        self.assertGreater(n_keys, 100)
        for _ in range(BURST + 1):
            self.assertEqual(self.status(key="first"), 200, "a key that was dropped begins again")
        self.expect_whole_zone()


class LifeTest(NginxTest):
    """Reloads, upgrades, ends."""

    def test_a_reload_under_load_loses_nothing(self):
        self.start()
        load = Load(self.nginx, 4, 250, lambda idx, number: f"{number % 50}")
        for step in range(1, 6):
            load.await_done(step * 150)
            self.nginx.reload()
        self.expect_exact_counts(load.join())
        self.expect_whole_zone()

    def test_an_upgrade_under_load_loses_nothing(self):
        self.start()
        load = Load(self.nginx, 4, 250, lambda idx, number: f"{number % 50}")
        load.await_done(100)
        old, new = self.nginx.upgrade()
        self.assertNotEqual(old, new)
        load.await_done(500)
        self.nginx.upgrade()
        self.expect_exact_counts(load.join())
        self.expect_whole_zone()

    def test_an_upgrade_that_is_taken_back_loses_nothing(self):
        self.start()
        old = self.nginx.pid()
        load = Load(self.nginx, 4, 150, lambda idx, number: f"{number % 50}")
        load.await_done(100)
        self.nginx.send(signal.SIGUSR2)
        new = await_(lambda: self.nginx.pid() not in (None, old) and self.nginx.pid(), "no new one")
        await_(lambda: len(self.nginx.pids_of_workers()) == 2, "no new workers")
        self.nginx.send(signal.SIGQUIT, new)
        await_(lambda: not is_running(new), "the new master does not end")
        await_(lambda: self.nginx.pid() == old, "the old master has not its file again")
        self.nginx.reload()
        self.expect_exact_counts(load.join())

    def test_counts_continue_after_a_clean_end_and_after_all_was_killed(self):
        self.start()
        for number, end in enumerate((signal.SIGQUIT, signal.SIGKILL, signal.SIGQUIT)):
            while self.status() == 200:
                pass
            counts = self.nginx.counts()
            self.expect_burst(counts["passed"], f"start {number}")
            self.nginx.stop(end)
            (self.nginx.folder / "socket").unlink(missing_ok=True)
            self.nginx.start()
            self.assertEqual(self.nginx.counts()["passed"], counts["passed"])

    def test_a_zone_in_a_file_survives_a_restart(self):
        self.start(http=HTTP.replace("name=ZONE", "name=ZONE file=FOLDER/zone"))
        self.assertEqual(self.status(), 200)
        self.nginx.stop()
        self.nginx.start()
        self.assertEqual(self.nginx.counts()["passed"], 1)
        self.assertFalse(pathlib.Path("/dev/shm", self.nginx.zone).exists())

    def test_a_zone_that_is_no_longer_declared_keeps_its_counts_for_later(self):
        self.start()
        self.assertEqual(self.status(), 200)
        self.nginx.configure("", re.sub("slabmill_limit zone.*?;", "", SERVER))
        self.nginx.reload()
        self.assertEqual(self.nginx.ask("/status")[1], "no zones\n")
        self.nginx.configure(HTTP, SERVER)
        self.nginx.reload()
        self.assertEqual(self.nginx.counts()["passed"], 1)


class SizeTest(NginxTest):
    """Reloads with another size, and what cannot be done."""

    def test_another_size_moves_the_counts_while_requests_go_on(self):
        self.start()
        load = Load(self.nginx, 4, 200, lambda idx, number: f"{number % 50}")
        for step, size in enumerate(("2m", "128k", "1m"), 1):
            load.await_done(step * 150)
            self.nginx.configure(HTTP.replace("size=1m", f"size={size}"), SERVER)
            self.nginx.reload()
        self.assertEqual(self.nginx.counts()["bytes"], 1 << 20)
        self.expect_exact_counts(load.join())
        self.assertEqual(self.nginx.counts()["evicted"], 0)
        self.expect_whole_zone()

    def test_a_request_that_an_old_worker_ends_after_a_move_is_counted(self):
        self.start()
        for _ in range(BURST):
            self.assertEqual(self.status(), 200)
        text = request_text("/file", "a")
        links = [self.nginx.connect() for _ in range(3)]
        for link in links:
            link.sendall(text[:-2].encode())
            await_read(link)
        old = self.nginx.pids_of_workers()
        self.nginx.configure(HTTP.replace("size=1m", "size=2m"), SERVER)
        self.nginx.send(signal.SIGHUP)
        await_(lambda: set(self.nginx.pids_of_workers()) - set(old), "no new workers")
        self.assertTrue(any(map(is_running, old)), "an old worker has the requests")
        for link in links:
            link.sendall(text[-2:].encode())
        answers = [link.recv(12).decode()[-3:] for link in links]
        for link in links:
            link.close()
        await_(lambda: not any(map(is_running, old)), "the old workers do not end")
        self.assertEqual(sorted(answers), ["200", "503", "503"])
        counts = self.nginx.counts()
        self.assertEqual((counts["passed"], counts["limited"]), (BURST + 1, 2))
        self.assertEqual(counts["bytes"], 2 << 20)

    def test_a_reload_that_cannot_have_its_zone_is_refused_in_words(self):
        self.start()
        self.assertEqual(self.status(), 200)
        (self.nginx.folder / "other").write_bytes(b"not a zone" * 20000)
        (self.nginx.folder / "other").chmod(0o600)
        workers = self.nginx.pids_of_workers()
        zone = self.nginx.zone
        for number, (words, reason) in enumerate([
            ("name=ZONE file=FOLDER/new", f"zone {zone}: its segment.kind is "),
            ("name=ZONE.b file=FOLDER/other", f"zone {zone}.b: {self.nginx.folder}/other: "),
        ]):
            server = SERVER.replace("ZONE", words.split()[0][len("name="):])
            self.nginx.configure(HTTP.replace("name=ZONE", words), server)
            self.nginx.send(signal.SIGHUP)
            self.nginx.await_log("[emerg]", number + 1)
            self.assertIn(f"slabmill_limit: {reason}", self.nginx.log())
            self.assertEqual(self.status(), 200)
            self.assertEqual(self.nginx.pids_of_workers(), workers)
            self.assertEqual(self.nginx.counts()["passed"], number + 2)

    def test_a_start_that_cannot_have_its_zone_ends_with_the_reason(self):
        (self.nginx.folder / "other").write_bytes(b"not a zone" * 20000)
        self.nginx.configure(HTTP.replace("name=ZONE", "name=ZONE file=FOLDER/other"), SERVER)
        done = self.nginx.command()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("/other", self.nginx.log())


class KillTest(NginxTest):
    """Workers that are killed."""

    N_KILLS = 20

    def two_workers(self):
        """Waits until there are two: one may have just been killed."""
        def found():
            workers = self.nginx.pids_of_workers()
            return workers if len(workers) == 2 else None

        return await_(found, "no two workers")

    def kill_a_worker(self):
        """Returns when it has ended."""
        victim = self.two_workers()[0]
        os.kill(victim, signal.SIGKILL)
        await_(lambda: not is_running(victim), "a killed worker runs")

    def test_killed_workers_under_load_lose_no_count_and_no_request_hangs(self):
        self.start()
        load = Load(self.nginx, 4, 500, lambda idx, number: f"{number % 100}")
        for step in range(1, self.N_KILLS + 1):
            load.await_done(step * 90)
            self.kill_a_worker()
        results = load.join()
        statuses = collections.Counter(status for _, status in results)
        self.assertLessEqual(set(statuses), {200, 503, None})
        counts = self.nginx.counts()
        # What was answered was counted. What was not answered may have been.
        self.assertGreaterEqual(counts["passed"], statuses[200])
        self.assertGreaterEqual(counts["limited"], statuses[503])
        self.assertLessEqual(counts["passed"] + counts["limited"], len(results))
        self.assertEqual(counts["keys"], 100)
        # Each key was asked 20 times: its burst is used up, by answered requests and by lost ones.
        passed = collections.Counter(key for key, status in results if status == 200)
        lost = collections.Counter(key for key, status in results if status is None)
        for number in range(100):
            key = str(number)
            self.assertGreaterEqual(passed[key] + lost[key], BURST + 1, key)
            self.assertLessEqual(passed[key], BURST + 1 + self.n_refilled(), key)
        self.expect_whole_zone()

    def test_a_worker_killed_in_its_turn_is_undone_by_the_next_request(self):
        self.start()
        self.assertEqual(self.status(), 200)
        for number in range(3):
            with self.subTest(kill=number):
                self.kill_in_turn()
                self.assertEqual(self.nginx.must_ask("/file", f"other {number}")[0], 200)
                counts = self.nginx.counts()
                self.assertEqual(counts["passed"], 2 + number, "the killed request is not counted")
                self.assertEqual(counts["repairs"], number + 1)
                self.assertEqual(counts["undone"], number + 1)
        self.nginx.await_log(f"zone {self.nginx.zone}: repaired", 3)
        self.assertIn("died holding the lock", self.nginx.log())
        self.expect_whole_zone()

    def kill_in_turn(self):
        """Kills a worker that has changed the zone and not committed, while gdb has stopped it."""
        victim, other = self.two_workers()
        os.kill(other, signal.SIGSTOP)  # so the victim gets the request
        steps = ["break slm_limit_req_hit_counted", "continue", "break slm_zone_end", "continue"]
        debugger = debug(victim, *steps, "kill")
        # From then on it runs only as far as gdb lets it.
        await_(lambda: nginx_rig.tracer_of(victim) == debugger.pid, "gdb does not stop the worker")
        link = self.nginx.connect()
        link.sendall(request_text("/file", "a").encode())
        said = debugger.communicate(timeout=nginx_rig.HANG_SECONDS)[0].decode()
        os.kill(other, signal.SIGCONT)
        self.assertIn("slm_zone_end", said)
        self.assertFalse(is_running(victim), said)
        link.close()

    def setUp(self):
        super().setUp()
        if "in_its_turn" in self.id() and WHY_NO_DEBUGGER:
            self.skipTest(WHY_NO_DEBUGGER)


class WorkerTest(NginxTest):
    """Which user has what."""

    def test_workers_without_privileges_use_the_zone_of_their_master(self):
        self.start()
        for pid in self.nginx.pids_of_workers():
            self.assertEqual(nginx_rig.uid_of(pid), nginx_rig.worker_uid())
        about = pathlib.Path("/dev/shm", self.nginx.zone).stat()
        self.assertEqual(about.st_uid, os.geteuid())
        self.assertEqual(about.st_mode & 0o777, 0o660 if os.geteuid() == 0 else 0o600)
        self.assertEqual(self.status(), 200)

    def test_a_second_server_by_mistake_leaves_the_zone_alone(self):
        self.start()
        self.assertEqual(self.status(), 200)
        self.nginx.configure(HTTP.replace("size=1m", "size=2m"), SERVER)
        done = self.nginx.command()
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.nginx.counts()["bytes"], 1 << 20)
        self.assertEqual(self.nginx.counts()["passed"], 1)


class GuideTest(unittest.TestCase):
    """docs/migrate-from-nginx.md."""

    def test_each_sample_of_nginx_compiles_without_a_warning(self):
        folders = ("objs", "src/core", "src/event", "src/event/modules", "src/os/unix")
        flags = [f"-I{HEADERS / folder}" for folder in folders] + ["-Wno-unused-parameter"]
        n_samples = 0
        for heading, code in guide.samples("nginx"):
            with self.subTest(section=heading):
                self.assertEqual("", guide.complaints("nginx", code, flags))
            n_samples += 1
        self.assertGreaterEqual(n_samples, 5)


def why_no_debugger():
    """Why gdb cannot stop a process of this user, or None."""
    if shutil.which("gdb") is None:
        return "gdb is not installed"
    with subprocess.Popen(["sleep", "1000"]) as sleeper:
        said = debug(sleeper.pid, "info registers rip", "kill").communicate()[0].decode()
        sleeper.kill()
    return None if "0x" in said and "ptrace:" not in said else "gdb may not stop processes"


if __name__ == "__main__":
    REASON = nginx_rig.build_module(MODULE, HEADERS)
    if REASON:
        print(f"NOT RUN: {REASON}")
        sys.exit(0)
    WHY_NO_DEBUGGER = why_no_debugger()
    if WHY_NO_DEBUGGER:
        print(f"NOT RUN in part: a worker killed in its turn: {WHY_NO_DEBUGGER}")
    if os.geteuid() != 0:
        print("NOT RUN in part: this user is not root, so workers have the user of their master")
    unittest.main()
