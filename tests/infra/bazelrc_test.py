#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
""".bazelrc's settings of <name>_bin mean the same under the real rules_fuzzing. Its settings have
these values, and its default engine replays. A service that builds gets all but the tests."""

import pathlib
import re
import unittest

SETTINGS = {
    "cc_engine": {
        "@rules_fuzzing//fuzzing/engines:libfuzzer",
        "@rules_fuzzing//fuzzing/engines:replay",
        "@rules_fuzzing_oss_fuzz//:oss_fuzz_engine",
    },
    "cc_engine_instrumentation": {"none", "libfuzzer", "jazzer", "honggfuzz", "oss-fuzz"},
    "cc_engine_sanitizer": {
        "none",
        "asan",
        "msan",
        "msan-origin-tracking",
        "ubsan",
        "asan-ubsan",
    },
}
_LINE = re.compile(r"build(?::(\S+))? --@rules_fuzzing//fuzzing:(\w+)=(\S+)")


def read_settings():
    """Returns {config, "" for none: {setting: value}}."""
    configs = {}
    for line in pathlib.Path(".bazelrc").read_text(encoding="utf-8").splitlines():
        if found := _LINE.fullmatch(line):
            config, setting, value = found.groups()
            configs.setdefault(config or "", {})[setting] = value
    return configs


class BazelrcTest(unittest.TestCase):
    """Each config, and the build without any."""

    def setUp(self):
        self.configs = read_settings()
        self.assertGreater(len(self.configs), 8)

    def test_real_rules_know_every_value(self):
        for config, settings in self.configs.items():
            for setting, value in settings.items():
                with self.subTest(config=config, setting=setting):
                    self.assertIn(value, SETTINGS[setting])

    def test_build_without_config_names_libfuzzer_as_the_engine(self):
        default = self.configs[""]
        self.assertEqual(default["cc_engine"], "@rules_fuzzing//fuzzing/engines:libfuzzer")
        self.assertEqual(default["cc_engine_instrumentation"], "libfuzzer")

    def test_every_config_of_libfuzzer_names_it_as_the_engine(self):
        for config, settings in self.configs.items():
            if config.endswith("-libfuzzer"):
                with self.subTest(config=config):
                    self.assertEqual(settings["cc_engine"][-10:], ":libfuzzer")
                    self.assertEqual(settings["cc_engine_instrumentation"], "libfuzzer")

    def test_a_service_that_builds_gets_every_action_but_tests(self):
        """A strategy for an action's kind wins over the service of --remote_executor."""
        text = pathlib.Path(".bazelrc").read_text(encoding="utf-8")
        kinds = re.findall(r"^\w+(?::remote)? --(?:spawn_)?strategy=([^=\s]+)", text, re.MULTILINE)
        self.assertEqual(kinds, ["TestRunner"])


if __name__ == "__main__":
    unittest.main()
