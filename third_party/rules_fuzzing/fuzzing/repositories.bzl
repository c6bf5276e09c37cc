# SPDX-License-Identifier: Apache-2.0
"""WORKSPACE calls this. It declares only the repository with OSS-Fuzz's environment."""

load("//fuzzing/private:oss_fuzz_repository.bzl", "oss_fuzz_repository")

def rules_fuzzing_dependencies(oss_fuzz = True):
    """Declares @rules_fuzzing_oss_fuzz.

    Args:
      oss_fuzz: part of the real interface; must be True, since the rules need the repository.
    """
    if not oss_fuzz:
        fail("this stand-in always needs @rules_fuzzing_oss_fuzz")
    oss_fuzz_repository(name = "rules_fuzzing_oss_fuzz")
