# SPDX-License-Identifier: Apache-2.0
"""Reports to make pages of: real ones as the runner makes them, and hostile ones."""

import math

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    "\"'&\x00\x1b[31m\udcff\u202e"
)

SOURCES = {
    "allocator/pool/pool.c": "".join(f"int pool_line_{i}(void);\n" for i in range(1, 121)),
    "allocator/slab/objects.c": "\n".join(
        f'    if (a < {i} && b > 0) {{ "</script>"; }}' for i in range(1, 900)
    ),
}


def lane(name, sanitizer="asan-ubsan", engine="libfuzzer", **changes):
    """A lane that ran well."""
    made = {
        "name": name,
        "engine": engine,
        "sanitizer": sanitizer,
        "seconds": 3190.5,
        "slices": 16,
        "seeds": [1838271 + 7 * i for i in range(16)],
        "flags": ["-max_len=4096", "-timeout=10", "-rss_limit_mb=2560", "-print_final_stats=1"],
        "execs": 21_334_118,
        "ops": 1_201_334_118,
        "edges": 641,
        "new_inputs": 31,
        "deaths": 0,
        "short_of_time": 0,
        "given_up": None,
    }
    return {**made, **changes}


def series(name, level, n_points=240, seconds=28800):
    """Edges grow ever more slowly, and the speed sinks as the corpus grows."""
    return [
        {
            "t": seconds * (i + 1) / n_points,
            "lane": name,
            "edges": round(level * (1 - math.exp(-6 * (i + 1) / n_points) * 0.4)),
            "execs_per_s": 9000 - 6 * i + 400 * math.sin(i),
            "corpus": 200 + round(8 * math.sqrt(i)),
        }
        for i in range(n_points)
    ]


def target(name, lanes=None, **changes):
    """A target that ran well in all its lanes."""
    lanes = lanes if lanes is not None else [
        lane("generator", edges=None),
        lane("seeded"),
        lane("short", edges=512),
        lane("msan", "msan", edges=488),
        lane("afl", "none", "afl", ops=None, edges=551),
    ]
    points = [p for i, it in enumerate(lanes) for p in series(it["name"], 660 - 50 * i)]
    made = {
        "name": name,
        "engine": "libfuzzer+afl",
        "sanitizer": "asan-ubsan+msan",
        "seconds": 15952.5,
        "execs": 106_670_590,
        "execs_per_s": 6686.8,
        "ops_per_s": 301_225.4,
        "edges": 641,
        "lines_covered": 812,
        "lines_total": 1406,
        "corpus_before": 203,
        "corpus_after": 241,
        "without_slice": [],
        "cannot_run": {"tsan": "there is no tsan build"},
        "lanes": lanes,
        "series": points,
        "ops_run": {"alloc": 48211, "calloc": 12004, "free": 39120, "reset": 311},
        "ops_never": [],
        "stalled": False,
        "seconds_since_new": 1240.0,
        "troubles": [],
    }
    return {**made, **changes}


def finding(**changes):
    """A new finding that reproduces."""
    made = {
        "target": "slab_fuzz",
        "kind": "heap-use-after-free",
        "law": None,
        "frames": ["slm_slab_free", "free_chunk", "hrn_run_op"],
        "input": "/root/.cache/slabmill/findings/slab_fuzz-uaf-slm_slab_free.bin",
        "ops": "create pages=4 min=8\nalloc #0 64\nfree #0\nfree #0",
        "known": False,
        "cause": "slab_fuzz-heap-use-after-free-slm_slab_free",
        "known_as": None,
        "flaky": False,
        "reproduced": 10,
        "tries": 10,
        "seen": 3,
        "first_seen_s": 7384.2,
        "lane": "seeded",
        "size_bytes": 48,
        "original_bytes": 4096,
        "stack_from": "find",
        "stack": "==1==ERROR: AddressSanitizer: heap-use-after-free\n    #0 0x55 in slm_slab_free",
        "test": "TEST(SlabFound, HeapUseAfterFreeInFree) {\n    EXPECT_EQ(replay(kOps), kFine);\n}",
        "command": "./bazelw run //fuzz:slab_fuzz_bin -- /root/.cache/slabmill/slab_fuzz-uaf.bin",
    }
    return {**made, **changes}


def covered_file(path, n_lines, never, lost=(), gained=()):
    """A file in which every third line has no code."""
    hits = {str(i): 0 if i in never else 40 * i for i in range(1, n_lines + 1) if i % 3}
    return {
        "path": path,
        "lines_covered": sum(1 for n in hits.values() if n),
        "lines_total": len(hits),
        "hits": hits,
        "compared": True,
        "lost": list(lost),
        "gained": list(gained),
    }


def coverage():
    """Two files; one of them lost lines."""
    files = [
        covered_file("allocator/pool/pool.c", 120, {7, 8}, gained=[10, 11]),
        covered_file("allocator/slab/objects.c", 899, set(range(400, 460)), lost=[400, 401, 403]),
    ]
    total = {key: sum(file[key] for file in files) for key in ("lines_covered", "lines_total")}
    return {**total, "note": None, "compared_with": "20261127-220004", "files": files}


def earlier_night(day, **changes):
    """A night of the previous week."""
    names = {"execs_per_s": 6500 + 10 * day, "edges": 630 + day, "lines_covered": 810}
    made = {
        "id": f"202611{day:02}-220004",
        "seconds": 28790.0 - day,
        "execs": 960_000_000 + day * 1_000_000,
        "execs_per_s": 30_000.0 + day,
        "lines_covered": 660,
        "lines_total": 680,
        "findings": 0,
        "new_findings": 0,
        "targets": {
            name: {**names, "corpus_after": 190 + day} for name in ("slab_fuzz", "pool_fuzz")
        },
    }
    return {**made, **changes}


def machine():
    """The `night` part of a report."""
    return {
        "id": "20261128-220004",
        "started": "2026-11-28T22:00:04+01:00",
        "ended": "2026-11-29T06:02:11+01:00",
        "seconds": 28801.2,
        "seconds_planned": 28800,
        "ended_by": "time",
        "jobs": 2,
        "seed": 1838271,
        "command": ["./bazelw", "run", "//fuzz:overnight", "--", "--hours", "8"],
        "machine": {"cpu": "x86_64", "cores": 2, "memory_mb": 24576, "system": "Linux 6.1"},
        "versions": {"slabmill": "4a5bb27", "clang": "19.1.7", "AFL++": "4.04c"},
        "limits": {"rss_mb": 2560, "unit_timeout_s": 10, "max_len": 4096, "disk_mb": 20000},
        "peaks": {"rss_mb": 812.4, "disk_mb": 1310.2, "disk_free_mb": 78112},
        "sessions": 1,
    }


def healthy(**changes):
    """A complete night after a week of others, without findings."""
    made = {
        "format": 1,
        "verdict": {"word": "clean", "sentence": "No new findings in 8 h.", "exit_status": 0},
        "night": machine(),
        "targets": [target("pool_fuzz"), target("slab_fuzz", edges=655)],
        "findings": [],
        "coverage": coverage(),
        "traces": [{"name": "one.trace", "status": 0, "text": "replayed 18 ops"}],
        "history": [earlier_night(day) for day in range(21, 28)],
        "troubles": [],
    }
    return {**made, **changes}


def hostile():
    """Findings, known and new, with any text that could break out of a page."""
    texts = ("target", "kind", "law", "input", "ops", "cause", "stack", "test", "command", "lane")
    evil = finding(**{key: HOSTILE + key for key in texts}, frames=[HOSTILE + "frame"])
    flaky = finding(flaky=True, reproduced=3, kind="timeout", cause="flaky-cause")
    back = finding(known=True, known_as="corpus/slab/regress/double-free.bin", cause="back-cause")
    sentence = "2 new findings, 1 known finding is back."
    return healthy(
        verdict={"word": "new findings", "sentence": sentence, "exit_status": 1},
        findings=[evil, flaky, back],
        troubles=[HOSTILE + "trouble"],
        traces=[{"name": HOSTILE + "trace", "status": None, "text": HOSTILE}],
    )


def first():
    """The first night, on a machine without llvm-cov."""
    sentence = "No new findings in 2 min; the first night on record."
    return healthy(
        verdict={"word": "clean", "sentence": sentence, "exit_status": 0},
        night={**machine(), "seconds": 121.0, "seconds_planned": 120},
        targets=[target("pool_fuzz", lines_covered=None, lines_total=None, series=[], ops_run={})],
        coverage=None,
        history=[],
        traces=[],
    )


def trouble():
    """A night that was killed, ran for an hour, filled the disk, and lost a target."""
    broken = target(
        "slab_fuzz",
        [lane("seeded", execs=None, ops=None, edges=None, given_up="crashes at start: status 1")],
        execs=None,
        execs_per_s=None,
        ops_per_s=None,
        edges=None,
        ops_never=["calloc", "reset"],
        stalled=True,
        seconds_since_new=None,
        troubles=["its corpus decodes to no operation"],
    )
    night = {**machine(), "seconds": 3600.0, "ended_by": "SIGTERM", "sessions": 3}
    night["peaks"] = {"rss_mb": 2550, "disk_mb": 19990, "disk_free_mb": 12}
    sentence = "No new findings, but the night ran for 1 h of 8 h and 1 target did not start."
    return healthy(
        verdict={"word": "trouble", "sentence": sentence, "exit_status": 3},
        night=night,
        targets=[target("rbtree_fuzz", execs=90_000, execs_per_s=25.0), broken],
        troubles=["the disk is full: 12 MB free; corpora were not merged"],
    )
