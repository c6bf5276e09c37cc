# SPDX-License-Identifier: Apache-2.0
"""cc_fuzz_test and cc_fuzzing_engine, with the interface of the real rules_fuzzing.

One name, several targets:
  <name>           test, tag fuzz-test: replays the corpus in the current configuration
  <name>_bin       the fuzz binary, instrumented as the cc_engine_* settings say
  <name>_run       starts the engine on <name>_bin, with seeds and dictionary
  <name>_corpus    folder of all seeds
  <name>_dict      file of all dictionary words
  <name>_oss_fuzz  tar for OSS-Fuzz
  <name>_raw_      the target that <name>_bin rebuilds with instrumentation
In the real module <name> replays through the engine. Here it links the replay main, so it is a
plain test, built like every other test of the same command.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_test")
load("//fuzzing/private:binary.bzl", "cc_fuzzing_binary")
load("//fuzzing/private:engine.bzl", _cc_fuzzing_engine = "cc_fuzzing_engine")
load("//fuzzing/private:inputs.bzl", "fuzzing_corpus", "fuzzing_dictionary")
load("//fuzzing/private:launcher.bzl", "fuzzing_launcher")
load("//fuzzing/private:package.bzl", "oss_fuzz_package")

cc_fuzzing_engine = _cc_fuzzing_engine

_REPLAY = "@rules_fuzzing//fuzzing/replay:replay_main"

def _replay_test(name, size, tags, timeout, kwargs):
    corpus = ":" + name + "_corpus"
    args = dict(kwargs)
    args["deps"] = args.get("deps", []) + [_REPLAY]
    args["data"] = args.get("data", []) + [corpus]
    cc_test(
        name = name,
        args = ["$(location " + corpus + ")"],
        # Weak hooks must be in the program itself.
        linkstatic = True,
        size = size,
        timeout = timeout,
        tags = tags + ["fuzz-test"],
        **args
    )

def _fuzz_binary(name, engine, kwargs):
    args = dict(kwargs)
    args["deps"] = args.get("deps", []) + [engine]
    cc_binary(name = name + "_raw_", linkstatic = True, tags = ["manual"], **args)
    cc_fuzzing_binary(
        name = name + "_bin",
        binary = ":" + name + "_raw_",
        tags = ["manual"],
        testonly = True,
        visibility = args.get("visibility"),
    )

def cc_fuzz_test(
        name,
        corpus = None,
        dicts = None,
        engine = "@rules_fuzzing//fuzzing:cc_engine",
        size = None,
        tags = None,
        timeout = None,
        **binary_kwargs):
    """Declares a fuzz target.

    Args:
      name: of the regression test; all other names begin with it.
      corpus: seed files.
      dicts: libFuzzer dictionaries.
      engine: a cc_fuzzing_engine.
      size: of the regression test.
      tags: of the regression test; fuzz-test is added.
      timeout: of the regression test.
      **binary_kwargs: srcs, deps, copts and what else a cc_binary takes.
    """
    _replay_test(name, size, tags or [], timeout, binary_kwargs)
    _fuzz_binary(name, engine, binary_kwargs)
    common = {
        "tags": ["manual"],
        "testonly": True,
        "visibility": binary_kwargs.get("visibility"),
    }
    fuzzing_corpus(name = name + "_corpus", corpus = corpus or [], **common)
    fuzzing_dictionary(name = name + "_dict", dicts = dicts or [], **common)
    parts = {
        "binary": ":" + name + "_bin",
        "corpus": ":" + name + "_corpus",
        "dictionary": ":" + name + "_dict",
        "target_name": name,
    }
    parts.update(common)
    fuzzing_launcher(name = name + "_run", engine = engine, **parts)
    oss_fuzz_package(name = name + "_oss_fuzz", **parts)
