# SPDX-License-Identifier: Apache-2.0
"""What WORKSPACE calls: here only the repository that carries OSS-Fuzz's environment."""

load("//fuzzing/private:oss_fuzz_repository.bzl", "oss_fuzz_repository")

def rules_fuzzing_dependencies(oss_fuzz = True):
    """Declares @rules_fuzzing_oss_fuzz.

    Args:
      oss_fuzz: kept for the interface; the repository is needed by the rules themselves.
    """
    if not oss_fuzz:
        fail("this stand-in always needs @rules_fuzzing_oss_fuzz")
    oss_fuzz_repository(name = "rules_fuzzing_oss_fuzz")
