# SPDX-License-Identifier: Apache-2.0
"""Which competitor runs which rows, by which adapter; and what of it is on this system."""

import dataclasses
import hashlib
import pathlib
import shutil
import subprocess

# The groups of rows. slab_nl is slab with adapters whose caller holds the lock.
GROUPS = ("pool", "inline", "slab", "slab_nl", "density", "shared", "zone", "own",
          "trace_slab", "trace_pool")

# No adapter: the rows run kernels of the runner, or of the nginx module.
KERNELS = ""

# name: {group: adapter}. A name with a peer is built from that peer (peers/peers.txt).
OURS = {
    "pool": "own_pool",
    "slab": "own_slab",
    "slab_nl": "own_slab_nl",
    "density": "own_slab_fine",
    "shared": "own_slab",
    "zone": KERNELS,
    "inline": KERNELS,
    "own": KERNELS,
    "trace_slab": "own_slab",
    "trace_pool": "own_pool",
}
NGINX = {
    "pool": "nginx_bench_pool",
    "slab": "nginx_bench_slab",
    "slab_nl": "nginx_bench_slab_nl",
    "density": "nginx_bench_slab_nl",
    "shared": "nginx_bench_slab",
    "zone": KERNELS,
    "inline": KERNELS,
    "trace_slab": "nginx_bench_slab",
    "trace_pool": "nginx_bench_pool",
}
# This library with other options, and the limits.
VARIANTS = {
    "ours, fine": {"slab_nl": "own_slab_fine", "trace_slab": "own_slab_fine"},
    "ours, powers": {"density": "own_slab_nl"},
    "ours, fine 16": {"density": "own_slab_fine_16"},
    "source alone": {"pool": "source_alone"},
    "bump": {"pool": "bump"},
}
# Heaps know no lock, so their figures stand in both groups of slabs.
PEERS = {
    "apr": {"pool": "apr", "trace_pool": "apr"},
    "obstack": {"pool": "obstack", "trace_pool": "obstack"},
    "talloc": {"pool": "talloc", "trace_pool": "talloc"},
    "glibc": {"pool": "glibc", "slab": "glibc"},
    "jemalloc": {"slab": "jemalloc"},
    "mimalloc": {"slab": "mimalloc"},
    "tcmalloc": {"slab": "tcmalloc"},
    "boost_interprocess": {"slab": "boost_best_fit", "density": "boost_best_fit",
                           "trace_slab": "boost_best_fit"},
}


@dataclasses.dataclass
class Competitor:
    name: str
    groups: dict
    plugin: pathlib.Path | None = None  # of a peer
    is_nginx: bool = False

    def adapter(self, group):
        """What the runner's --adapter gets; "" if it needs none."""
        name = self.groups[group]
        return f"{self.plugin}:{name}" if name and self.plugin else name


def _key(root):
    """Changes when a plugin must be built again."""
    digest = hashlib.sha256()
    for path in sorted(root.glob("peers/**/*")) + [root / "include/slabmill/adapter.h"]:
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build(root, peer, plugin):
    """None, or why there is no plugin."""
    part = plugin.with_suffix(".part")
    done = subprocess.run(
        [root / "peers/build.sh", peer, part], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        part.rename(plugin)
        return None
    lines = (done.stdout + done.stderr).strip().splitlines() or ["no output"]
    return lines[-1] if done.returncode == 77 else f"its plugin cannot be built: {lines[-1]}"


def find(root, folder, wanted, extra, say):
    """The competitors, and {name: why it is absent}. wanted: the groups that are measured; extra:
    PATH:NAME of each further plugin."""
    found = [Competitor("ours", OURS)]
    absent = {}
    folder = folder / _key(root)
    folder.mkdir(parents=True, exist_ok=True)
    for peer, groups in {"nginx": NGINX, **PEERS}.items():
        if not wanted & groups.keys():
            continue
        plugin = folder / f"{peer}.so"
        if not plugin.exists():
            say(f"building the plugin of {peer}")
            why = _build(root, peer, plugin)
            if why is not None:
                absent[peer] = why
                continue
        found.append(Competitor(peer, groups, plugin, peer == "nginx"))
    found += [Competitor(name, groups) for name, groups in VARIANTS.items() if wanted & groups.keys()]
    for text in extra:
        path, name = text.rsplit(":", 1)
        groups = {group: name for group in ("pool", "slab", "density")}
        is_taken = any(one.name == name for one in found)
        found.append(Competitor(text if is_taken else name, groups, pathlib.Path(path).resolve()))
    return found, absent


def valgrind():
    """Its path, or None."""
    return shutil.which("valgrind")
