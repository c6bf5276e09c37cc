#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A night as a whole: what it reports, and how it ends."""

import json
import os
import shutil
import signal
import subprocess
import time
import unittest.mock
from pathlib import Path

from fixture import NightTest, is_alive, wait_for_death
from overnight import lanes, settings


class EndsTest(NightTest):
    """Verdicts and exit statuses."""

    def test_healthy_night_reports_its_numbers_and_ends_with_0(self):
        self.target("slab_fuzz", "healthy")
        report, output = self.night(status=0)
        self.assertEqual(report["verdict"]["word"], "clean")
        self.assertIn("== one.trace\nreplayed", output)
        self.assertRegex(output, r"and ops/s are those of one process\ntarget +execs +exec/s")
        target = report["targets"][0]
        self.assertEqual((target["name"], target["edges"]), ("slab_fuzz", 34))
        lane = target["lanes"][0]
        self.assertEqual((lane["slices"], len(lane["seeds"]), lane["seconds"]), (1, 1, 3.0))
        self.assertEqual((target["execs"], lane["ops"]), (100, 2500))
        self.assertEqual((target["corpus_before"], target["corpus_after"]), (1, 2))
        self.assertEqual((report["night"]["ended_by"], report["night"]["seconds"]), ("time", 3.0))
        self.assertEqual(report["night"]["peaks"]["rss_mb"], 32)

    def test_target_that_does_not_start_is_reported_and_the_night_goes_on(self):
        self.target("pool_fuzz", "no-start")
        self.target("slab_fuzz", "healthy")
        report, output = self.night("--minutes", "0.2", status=2)
        self.assertIn("pool_fuzz/seeded: ended with status 3: no output", report["troubles"])
        self.assertIn("trouble: pool_fuzz/seeded: ended with status 3", output)
        self.assertIn("3 times in a row", report["targets"][0]["lanes"][0]["given_up"])
        # Slices of four seconds, in all of the time.
        lane = report["targets"][1]["lanes"][0]
        self.assertEqual((lane["slices"], lane["execs"], lane["seconds"]), (3, 300, 12.0))

    def test_night_of_afl_alone_needs_no_operations(self):
        self.target("slab_fuzz", "healthy")
        self.target("slab_fuzz", "healthy", variant="afl")
        fuzzer = self.root / "bin" / "afl-fuzz"
        folder = f"{self.out}/afl/slab_fuzz/default"
        body = f"mkdir -p {folder}; echo 'execs_done : 9' > {folder}/fuzzer_stats"
        # The night ends at the last command: the runner may ask it to end.
        self.script(fuzzer, f"trap '' INT\n{body}\nhead -c $2 /dev/zero >> $NIGHT_CLOCK")
        path = f"{fuzzer.parent}:{os.environ['PATH']}"
        with unittest.mock.patch.dict("os.environ", PATH=path):
            report, _ = self.night("--lanes", "afl", status=0)
        lane = report["targets"][0]["lanes"][0]
        self.assertEqual((lane["execs"], lane["slices"], lane["short_of_time"]), (9, 1, 0))

    def test_slice_that_cannot_be_made_is_given_up_and_the_night_goes_on(self):
        self.target("slab_fuzz", "healthy", seeds=[("seed", b"seed"), ("mem", b"")])
        self.target("slab_fuzz", "healthy", variant="afl")
        # Reading it fails for any user.
        unreadable = next((self.root / "fuzz" / "night" / "seeds").rglob("mem"))
        unreadable.unlink()
        unreadable.symlink_to("/proc/self/mem")
        fuzzer = self.root / "bin" / "afl-fuzz"
        self.script(fuzzer, "exit 0")
        path = f"{fuzzer.parent}:{os.environ['PATH']}"
        with unittest.mock.patch.dict("os.environ", PATH=path):
            report, _ = self.night("--lanes", "afl", "--minutes", "5", status=2)
        self.assertEqual(report["night"]["ended_by"], "nothing left to run")
        self.assertIn("Input/output error", report["targets"][0]["lanes"][0]["given_up"])

    def test_target_that_executes_nothing_is_trouble(self):
        self.target("slab_fuzz", "silent")
        report, _ = self.night(status=2)
        self.assertEqual(report["troubles"], ["slab_fuzz: executed no input"])

    def test_missing_traces_and_lanes_without_a_build_are_trouble(self):
        self.target("slab_fuzz", "healthy")
        self.trace.unlink()
        report, _ = self.night("--lanes", "msan", status=2)
        self.assertIn("no recorded traces were found", report["troubles"])
        self.assertIn("slab_fuzz: had no slice", report["troubles"])

    def test_bytes_that_a_terminal_cannot_show_do_not_end_the_night(self):
        self.target("slab_fuzz", "healthy")
        self.script(self.root / settings.SLABMILL, r"printf '\377\303\251\n'")
        with unittest.mock.patch.dict("os.environ", PYTHONIOENCODING="ascii"):
            report, output = self.night()
        self.assertNotIn("the runner failed", " ".join(report["troubles"]))
        self.assertIn(r"\ufffd\xe9", output)


class ShortTest(NightTest):
    """Nights that are too short for their lanes."""

    def test_report_lists_only_lanes_and_sanitizers_that_ran(self):
        for variant in ("asan-ubsan", "msan", "tsan"):
            self.target("slab_fuzz", "healthy", variant=variant)
        # The first slice takes all the time.
        report, _ = self.night("--lanes", "seeded,msan,tsan", status=0)
        target = report["targets"][0]
        self.assertEqual([(x["name"], x["slices"]) for x in target["lanes"]], [("seeded", 1)])
        self.assertEqual((target["engine"], target["sanitizer"]), ("libfuzzer", "asan-ubsan"))
        page = (self.out / "report.html").read_text()
        self.assertIn("<td>libfuzzer<small>asan-ubsan</small></td>", page)

    def test_lane_that_reads_its_corpus_until_the_end_is_no_trouble(self):
        self.target("slab_fuzz", "reads")
        report, output = self.night(status=0)
        self.assertEqual(report["troubles"], [])
        self.assertEqual(report["targets"][0]["lanes"][0]["short_of_time"], 1)
        self.assertIn("short of time: slab_fuzz/seeded: 1 of 1 slices cut off", output)
        self.assertIn("1 of 1 slices cut off", (self.out / "report.html").read_text())

    def test_lane_that_is_killed_before_it_reports_is_no_trouble(self):
        self.target("slab_fuzz", "deaf")
        report, output = self.night(status=0)
        self.assertEqual((report["troubles"], report["targets"][0]["execs"]), ([], 64))
        self.assertIn("short of time: slab_fuzz/seeded: 1 of 1 slices cut off", output)

    def test_lanes_without_a_slice_are_named_and_are_no_trouble(self):
        for name in ("pool_fuzz", "slab_fuzz"):
            self.target(name, "healthy")
            self.target(name, "healthy", variant="msan")
        # The first slice takes all the time.
        report, output = self.night("--lanes", "seeded,msan", status=0)
        self.assertEqual(report["troubles"], [])
        pool, slab = report["targets"]
        self.assertEqual((pool["without_slice"], len(pool["lanes"])), (["msan"], 1))
        self.assertEqual(pool["lanes"][0]["slices"], 1)
        self.assertEqual((slab["without_slice"], slab["lanes"]), (["seeded", "msan"], []))
        for sentence in ("pool_fuzz: no slice for msan", "slab_fuzz: no slice for seeded, msan"):
            self.assertIn("short of time: " + sentence, output)
        self.assertIn("Nothing was found: 1 of 2 targets", output)
        left_out = {name: "left out by --lanes" for name in ("generator", "tsan", "afl", "short")}
        self.assertEqual([pool["cannot_run"], slab["cannot_run"]], [left_out, left_out])
        page = (self.out / "report.html").read_text()
        self.assertIn("<b>msan</b> short of time: no slice: pool_fuzz, slab_fuzz<", page)
        self.assertIn("<b>afl</b> left out by --lanes: pool_fuzz, slab_fuzz<", page)

    def test_lane_that_cannot_run_is_reported_with_the_reason(self):
        self.target("slab_fuzz", "healthy")
        report, _ = self.night("--lanes", "seeded,msan,tsan,afl,generator,short", status=0)
        target = report["targets"][0]
        self.assertEqual(sorted(target["cannot_run"]), ["afl", "msan", "tsan"])
        self.assertEqual(target["cannot_run"]["msan"], "there is no msan build")
        had = [lane["name"] for lane in target["lanes"]]
        named = {*had, *target["without_slice"], *target["cannot_run"]}
        self.assertEqual(named, set(lanes.NAMES))

    def test_operations_are_unknown_if_all_slices_end_on_request(self):
        self.target("slab_fuzz", "endless")
        report, _ = self.night(status=0)
        lane = report["targets"][0]["lanes"][0]
        self.assertEqual((report["troubles"], lane["execs"], lane["ops"]), ([], 100, None))

    def test_short_night_in_which_nothing_ran_is_trouble(self):
        self.target("slab_fuzz", "reads")
        fake = self.root / "fuzz" / "night" / "asan-ubsan" / "slab_fuzz"
        fake.write_text(fake.read_text().replace('say("#2 pulse', 'str("#2 pulse'))
        report, _ = self.night(status=2)
        self.assertEqual(report["troubles"], ["no target executed an input"])


class FindsTest(NightTest):
    """Findings."""

    def test_finding_is_shrunk_explained_and_known_the_next_night(self):
        self.target("slab_fuzz", "crashes")
        report, output = self.night(status=1)
        finding = report["findings"][0]
        self.assertEqual(finding["cause"], "slab_fuzz-heap-use-after-free-slm_slab_free")
        self.assertFalse(finding["known"] or finding["flaky"])
        self.assertEqual((finding["seen"], finding["first_seen_s"]), (1, 3.0))
        with open(finding["input"], "rb") as shrunk:
            # Whole records of two bytes after a head of four; BAD must stay.
            self.assertEqual(shrunk.read(), b"\0\0\0\0BAD\0")
        self.assertIn("BAD", finding["ops"])
        self.assertIn("TEST(Fake, Bug)", finding["test"])
        self.assertIn("slm_slab_free allocator/slab/objects.c:3:1", finding["stack"])
        self.assertIn(f"bazel-bin/fuzz/slab_fuzz_bin {finding['input']}", output)
        # A night is named after its second.
        while time.strftime("%Y%m%d-%H%M%S") == report["night"]["id"]:
            time.sleep(0.01)
        again, _ = self.night(status=3)
        self.assertEqual(again["findings"][0]["known_as"], f"night {report['night']['id']}")
        self.assertEqual(again["verdict"]["word"], "known findings")

    def replay_dies(self, old, new):
        """A night with a target whose report at a replay has another text than at the find."""
        self.target("slab_fuzz", "crashes")
        fake = self.root / "fuzz" / "night" / "asan-ubsan" / "slab_fuzz"
        says = f'say(CRASH if "max_total_time" in OPTIONS else CRASH.replace("{old}", "{new}"))'
        fake.write_text(fake.read_text().replace("say(CRASH)", says))
        report, _ = self.night(status=1)
        self.assertEqual(len(report["findings"]), 1)
        return report["findings"][0]

    def test_stack_is_that_of_the_find(self):
        finding = self.replay_dies("objects.c:3:1", "objects.c:99:1")
        self.assertIn("in slm_slab_free allocator/slab/objects.c:3:1", finding["stack"])
        self.assertNotIn(":99:1", finding["stack"])
        self.assertEqual((finding["stack_from"], finding["reproduced"]), ("find", 3))
        self.assertIn("Stack of the find", (self.out / "report.html").read_text())

    def test_replay_that_fails_elsewhere_does_not_rename_the_find(self):
        finding = self.replay_dies("slm_slab_free", "slm_slab_alloc")
        self.assertEqual(finding["cause"], "slab_fuzz-heap-use-after-free-slm_slab_free")
        self.assertEqual(finding["frames"][0], "slm_slab_free")
        self.assertNotIn("slm_slab_alloc", finding["stack"])
        with open(finding["input"], "rb") as shrunk:
            self.assertEqual(shrunk.read(), b"\0\0\0\0BAD\0")

    def test_flaky_finding_is_marked(self):
        self.target("slab_fuzz", "crashes")
        # The input that it dies of does not kill it when it is run alone.
        fake = self.root / "fuzz" / "night" / "asan-ubsan" / "slab_fuzz"
        bad = '("crashes", "shallow", "regressed", "fills")'
        fake.write_text(fake.read_text().replace(bad, "()"))
        report, _ = self.night(status=1)
        finding = report["findings"][0]
        self.assertTrue(finding["flaky"])
        self.assertEqual((finding["reproduced"], finding["tries"]), (0, 3))
        self.assertEqual(finding["kind"], "heap-use-after-free")

    def test_seed_that_kills_is_a_known_bug_come_back_and_read_no_more(self):
        self.target("slab_fuzz", "regressed", [("seed", b"seed"), ("regress/old_bug", b"xxxxBAD!")])
        report, _ = self.night(status=3)
        finding = report["findings"][0]
        self.assertEqual(finding["known_as"], "corpus/slab_fuzz/regress/old_bug")
        self.assertEqual(finding["seen"], 1)
        lane = report["targets"][0]["lanes"][0]
        self.assertEqual((lane["slices"], lane["deaths"], lane["execs"]), (2, 1, 100))

    def test_shallow_bug_is_given_up_before_it_takes_the_night(self):
        self.target("pool_fuzz", "shallow")
        report, _ = self.night("--minutes", "5", status=1)
        self.assertEqual(report["night"]["ended_by"], "nothing left to run")
        self.assertIn("5 early deaths in a row", report["targets"][0]["lanes"][0]["given_up"])
        self.assertEqual([finding["seen"] for finding in report["findings"]], [5])

    def test_failing_trace_is_a_finding(self):
        self.target("slab_fuzz", "healthy")
        self.script(self.root / settings.SLABMILL, "echo broke a law; exit 1")
        report, _ = self.night(status=1)
        finding = report["findings"][0]
        self.assertEqual((finding["target"], finding["kind"]), ("one.trace", "status-1"))
        self.assertIn("replay", finding["command"])

    def test_replay_that_cannot_be_started_is_trouble_and_no_finding(self):
        self.target("slab_fuzz", "healthy")
        (self.root / settings.SLABMILL).chmod(0o644)
        report, _ = self.night(status=2)
        self.assertEqual(report["findings"], [])
        self.assertIn("Permission denied", " ".join(report["troubles"]))


class CallsTest(NightTest):
    """A wrong call prints what is wrong, ends with status 2 and writes nothing."""

    def setUp(self):
        super().setUp()
        self.target("slab_fuzz", "healthy")

    def tree(self):
        """All files and folders."""
        return sorted(self.root.rglob("*"))

    def refuse(self, *words, sentence, **options):
        """Starts a night with these words, which must be refused with this sentence."""
        before = self.tree()
        with self.subTest(words):
            process = self.start(*words, **options)
            output, _ = process.communicate()
            self.assertEqual(process.returncode, 2, output)
            self.assertIn(sentence, output)
            self.assertNotIn("Traceback", output)
            self.assertEqual(self.tree(), before)

    def test_build_without_targets_is_refused(self):
        shutil.rmtree(self.root / "fuzz" / "night")
        self.refuse(sentence="fuzz/night: no fuzz target here; the build made none")

    def test_wrong_lengths_and_counts_are_refused(self):
        hours = {"minutes": None}
        self.refuse("--minutes", "0", sentence="0 is not above 0")
        self.refuse("--minutes", "nan", sentence="nan is not above 0")
        self.refuse("--minutes", "x", sentence="'x' is not a number")
        self.refuse("--hours", "-1", sentence="-1 is not above 0", **hours)
        self.refuse("--hours", "0", sentence="0 is not above 0", **hours)
        self.refuse("--hours", "1e300", sentence="1e300 is too long for a night", **hours)
        self.refuse("--hours", "1", "--minutes", "1", sentence="not allowed with argument")
        self.refuse("--jobs", "0", sentence="0 is not at least 1")
        self.refuse("--jobs", "1.5", sentence="'1.5' is not a whole number")
        self.refuse("--seed", "x", sentence="'x' is not a whole number")

    def test_patterns_that_match_nothing_are_refused(self):
        self.refuse("--targets", "nothing", sentence="no match; there are slab_fuzz")
        self.refuse("--targets", "slab*,pool*", sentence="--targets 'pool*': no match")
        self.refuse("--lanes", "none", sentence="there are seeded, generator, msan")

    def test_folders_that_cannot_be_used_are_refused(self):
        file, theirs = self.root / "file", self.root / "theirs"
        file.touch()
        (theirs / "findings").mkdir(parents=True)
        self.refuse("--out", str(file), sentence=f"--out {file}: {file} is not a folder")
        self.refuse("--out", str(file / "x"), sentence=f"{file} is not a folder")
        self.refuse("--out", "/proc/x", sentence="/proc")
        self.refuse("--out", str(theirs), sentence="neither empty nor the folder of a night")
        self.refuse("--shared-corpus", str(self.root / "no"), sentence="no: no such folder")
        self.refuse("--shared-corpus", str(file), sentence="no such folder")
        self.refuse("--commit-corpus", sentence="no corpus/", workspace=None)

    def test_folder_without_permission_to_write_is_refused(self):
        locked = self.root / "locked"
        locked.mkdir(mode=0o555)
        # Root may write there nevertheless, unless it drops its capabilities.
        drop = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--"]
        drop = drop if os.getuid() == 0 else []
        words = "--out", str(locked / "x")
        self.refuse(*words, sentence=f"no permission to write to {locked}", within=drop)

    def test_failure_of_the_runner_has_the_status_of_trouble(self):
        self.out.mkdir()
        (self.out / ".lock").touch()
        (self.out / "night.json").write_text('{"id": "x"}')
        process = self.start("--out", str(self.out))
        output, _ = process.communicate()
        self.assertIn("KeyError", output)
        self.assertEqual(process.returncode, 2)


class StopsTest(NightTest):
    """Signals."""

    def test_sigterm_ends_the_fuzzers_and_writes_the_report(self):
        self.target("slab_fuzz", "endless")
        process, fuzzer = self.wait_until_up()
        output = self.stop(process)
        self.assertEqual(process.returncode, 0, output)
        report = self.report()
        self.assertEqual(report["night"]["ended_by"], "SIGTERM")
        self.assertEqual(report["targets"][0]["execs"], 100)
        self.assertFalse(is_alive(fuzzer))

    def test_ctrl_c_ends_the_night_with_the_report(self):
        self.target("slab_fuzz", "endless")
        process, _ = self.wait_until_up()
        self.stop(process, signal.SIGINT)
        self.assertEqual(self.report()["night"]["ended_by"], "SIGINT")

    def test_terminal_that_closes_ends_the_night_with_the_report(self):
        self.target("slab_fuzz", "endless")
        ours, theirs = os.openpty()
        # Also if this test runs under nohup.
        within = ["env", "--default-signal=HUP", "setsid", "--ctty"]
        process, _ = self.wait_until_up(within=within, terminal=theirs)
        os.close(theirs)
        # The system sends SIGHUP, and all output from now on fails.
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        self.assertEqual(process.wait(), 0)
        report = self.report()
        self.assertEqual(report["night"]["ended_by"], "SIGHUP")
        self.assertEqual(report["targets"][0]["execs"], 100)
        merged = (self.out / "logs" / "merge-slab_fuzz.log").exists()
        self.assertTrue(merged, "a second SIGHUP is no second request")

    def test_terminal_that_closes_under_nohup_ends_nothing(self):
        self.target("slab_fuzz", "endless")
        process, fuzzer = self.wait_until_up(within=["sh", "-c", 'trap "" HUP; exec "$@"', "sh"])
        status = dict(
            line.split(":", 1)
            for line in Path("/proc", str(process.pid), "status").read_text().splitlines()
        )
        self.assertTrue(int(status["SigIgn"], 16) & 1 << (signal.SIGHUP - 1))
        self.stop(process)
        self.assertFalse(is_alive(fuzzer))

    def test_closed_pipe_does_not_change_the_exit_status(self):
        self.target("slab_fuzz", "crashes")
        process = self.start("--out", str(self.out))
        process.stdout.close()
        self.assertEqual(process.wait(), 1)
        self.assertEqual(len(self.report()["findings"]), 1)

    def test_sigterm_during_a_replay_is_no_finding(self):
        self.target("slab_fuzz", "healthy")
        endless = "echo $$ > $XDG_CACHE_HOME/up; exec sleep 600"
        self.script(self.root / settings.SLABMILL, endless)
        process, _ = self.wait_until_up()
        self.stop(process)
        self.assertEqual(self.report()["findings"], [])


class BreaksTest(NightTest):
    """What others do to a night while it runs."""

    def test_kill_9_leaves_no_fuzzer_and_the_next_start_continues(self):
        self.target("slab_fuzz", "endless")
        process, fuzzer = self.wait_until_up()
        self.stop(process, signal.SIGKILL)
        wait_for_death(fuzzer)
        # A fuzzer saved this at the last moment.
        time_slice = next((self.out / "slices").iterdir())
        (time_slice / "crash-1").write_bytes(b"headBAD!")
        (time_slice / "output").write_text("#1 INITED cov: 1 ft: 1\n" + self.crash_text())
        # It had run for two of the six seconds.
        for name, seconds in (("slice.json", 10), ("output", 12)):
            os.utime(time_slice / name, (seconds, seconds))
        (self.root / "up").unlink()
        self.target("slab_fuzz", "crashes")
        report, output = self.night("--minutes", "0.1", status=1)
        self.assertIn("continuing night", output)
        self.assertEqual((report["night"]["sessions"], report["night"]["seconds"]), (2, 6.0))
        self.assertEqual(report["targets"][0]["lanes"][0]["slices"], 2)
        found = [(finding["cause"], finding["seen"]) for finding in report["findings"]]
        self.assertEqual(found, [("slab_fuzz-heap-use-after-free-slm_slab_free", 2)])
        self.assertFalse((self.out / "night.json").exists())

    def test_start_without_out_continues_the_night_that_was_killed(self):
        # The night must not end before the kill.
        self.target("slab_fuzz", "endless")
        process = self.start("--minutes", "5")
        for line in process.stdout:
            if "== one.trace" in line:
                break
        process.kill()
        process.communicate()
        left = next((self.cache / "nights").iterdir())
        again = self.start()
        output, _ = again.communicate()
        self.assertIn(f"continuing night {left.name}", output)
        self.assertEqual(self.report(left)["night"]["sessions"], 2)

    def test_damaged_night_is_left_alone(self):
        self.target("slab_fuzz", "healthy")
        damaged = self.cache / "nights" / "20990101-000000" / "night.json"
        damaged.parent.mkdir(parents=True)
        damaged.write_text('{"id": "x"}')
        (damaged.parent / ".lock").touch()
        process = self.start()
        output, _ = process.communicate()
        self.assertEqual(process.returncode, 0, output)
        self.assertTrue(damaged.exists())

    def test_folder_that_is_deleted_is_reported_with_all_later_results(self):
        self.target("slab_fuzz", "endless")
        process, _ = self.wait_until_up()
        # At once: the runner makes a folder again that it sees half deleted.
        shutil.rmtree(self.out.rename(self.root / "deleted"))
        for line in process.stdout:
            if "was taken away" in line:
                break
        output = self.stop(process)
        self.assertEqual(process.returncode, 2, output)
        report = self.report()
        self.assertIn("was taken away", " ".join(report["troubles"]))
        self.assertNotIn("the runner failed", " ".join(report["troubles"]))
        self.assertEqual(report["targets"][0]["lanes"][0]["slices"], 1)

    def test_two_nights_at_once_share_only_the_cache(self):
        self.target("slab_fuzz", "healthy")
        both = [self.start(), self.start()]
        outputs = [process.communicate()[0] for process in both]
        self.assertEqual([process.returncode for process in both], [0, 0], outputs)
        nights = list((self.cache / "nights").iterdir())
        reports = [self.report(night) for night in nights]
        self.assertEqual(len({report["night"]["id"] for report in reports}), 2)
        self.assertEqual(len(list((self.cache / "history").glob("*.json"))), 2)

    def test_two_runners_do_not_share_a_night(self):
        self.target("slab_fuzz", "endless")
        process, _ = self.wait_until_up()
        second = self.start("--out", str(self.out))
        output, _ = second.communicate()
        self.assertEqual(second.returncode, 2)
        self.assertIn("another runner is at work there", output)
        self.stop(process)


class CorporaTest(NightTest):
    """Which inputs are kept, and where."""

    def test_runners_exchange_inputs_through_a_shared_folder(self):
        self.target("slab_fuzz", "healthy")
        shared = self.root / "shared"
        shared_target = shared / "slab_fuzz"
        shared_target.mkdir(parents=True)
        (shared_target / "from_elsewhere").write_bytes(b"theirs")
        report, _ = self.night("--shared-corpus", str(shared), status=0)
        cached = {p.read_bytes() for p in (self.cache / "corpus" / "slab_fuzz").iterdir()}
        self.assertIn(b"theirs", cached)
        given = {p.read_bytes() for p in shared_target.iterdir()}
        self.assertEqual(report["targets"][0]["lanes"][0]["slices"], 1)
        self.assertEqual(len(given), 2)

    def test_commit_corpus_copies_new_inputs_to_the_source_tree(self):
        self.target("slab_fuzz", "healthy")
        report, output = self.night("--commit-corpus", status=0)
        committed = list((self.workspace / "corpus" / "slab_fuzz").iterdir())
        self.assertEqual((len(committed), report["targets"][0]["corpus_after"]), (1, 2))
        self.assertIn("corpus/slab_fuzz: 1 new inputs", output)

    def test_night_above_its_disk_limit_goes_on_without_new_inputs(self):
        self.target("slab_fuzz", "healthy")
        cached = self.cache / "corpus" / "slab_fuzz"
        cached.mkdir(parents=True)
        (cached / "large").write_bytes(bytes(3 << 20))
        report, _ = self.night("--disk-mb", "1", status=2)
        self.assertIn("new inputs are not kept any more", report["troubles"][0])
        self.assertEqual(report["targets"][0]["execs"], 100)
        self.assertEqual([path.name for path in cached.iterdir()], ["large"])

    def test_full_disk_is_reported_and_so_are_findings(self):
        self.target("slab_fuzz", "fills")
        # A file system that only this night sees.
        mount = f"mount -t tmpfs -o size=100m none {self.cache}"
        inside = ["unshare", "--user", "--map-root-user", "--mount"]
        self.cache.mkdir()
        tried = subprocess.run([*inside, "sh", "-c", mount], capture_output=True, check=False)
        if tried.returncode != 0:
            why = tried.stderr.decode().strip()
            print(f"NOT RUN in part: no file system can be mounted here: {why}")
            self.skipTest("no file system can be mounted here")
        saved = f"cp {self.cache}/nights/*/report.json {self.root}/saved.json"
        process = self.start(within=[*inside, "sh", "-c", f'{mount} && "$@"; {saved}', "sh"])
        output, _ = process.communicate()
        self.assertTrue((self.root / "saved.json").exists(), output)
        report = json.loads((self.root / "saved.json").read_text())
        self.assertIn("No space left on device", " ".join(report["troubles"]), output)
        found = [finding["cause"] for finding in report["findings"]]
        self.assertEqual(found, ["slab_fuzz-heap-use-after-free-slm_slab_free"])

    def test_corpus_that_was_not_merged_is_not_committed(self):
        self.target("slab_fuzz", "healthy")
        fake = self.root / "fuzz" / "night" / "asan-ubsan" / "slab_fuzz"
        fake.write_text(fake.read_text().replace("        merge()\n", "        sys.exit(1)\n"))
        report, _ = self.night("--commit-corpus", status=2)
        self.assertIn("not merged, nothing is copied", " ".join(report["troubles"]))
        self.assertFalse((self.workspace / "corpus").exists())


class HistoryTest(NightTest):
    """Later nights know earlier ones."""

    def test_report_compares_with_at_most_seven_nights(self):
        self.target("slab_fuzz", "healthy")
        report, _ = self.night(status=0)
        history = self.cache / "history"
        for day in range(1, 10):
            earlier = dict(report, night=dict(report["night"], id=f"2020010{day}-000000"))
            (history / f"0-2020010{day}-000000.json").write_text(json.dumps(earlier))
        again, _ = self.night(status=0)
        self.assertEqual(len(again["history"]), 7)
        self.assertEqual(again["history"][-1]["id"], report["night"]["id"])


if __name__ == "__main__":
    unittest.main()
