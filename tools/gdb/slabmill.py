# SPDX-License-Identifier: Apache-2.0
"""Slabmill in gdb: what handles and lock words mean.

    (gdb) source tools/gdb/slabmill.py
    (gdb) print *zone                    pools, slabs, zones, locks and their states in words
    (gdb) print/r *zone                  the fields as they are
    (gdb) slabmill-lock-word WORD        a lock word, as an expression or a number

Reads memory only, so it works on core files too. Needs the library's debug information.
"""

import gdb

# allocator/lock/word.h
WAITERS = 1 << 31
REPAIR = 1 << 30
TURN = 1 << 29
THREAD = TURN - 1

LOCK_KINDS = {0: "robust", 1: "spinning", 2: "file"}
# allocator/zone/header.h
ZONE_STATES = {
    0: "being made",
    0x79646165: "ready",
    0x6E6B6F72: "broken",
    0x6E61656C: "clean",
    0x79706F63: "being copied",
    0x65766F6D: "moved, if its file has no name",
}


def number(value):
    """An integer of the program."""
    return int(value)


def text(value):
    """A char array of the program, up to its zero."""
    return value.string(errors="replace")


def count(n, what):
    """A number of things."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def lock_word(word):
    """A lock's word in words."""
    thread = word & THREAD
    parts = [f"held by thread {thread}" if thread else "free"]
    marks = ((WAITERS, "has waiters"), (REPAIR, "needs repair"), (TURN, "left to a waiter"))
    return ", ".join(parts + [name for mark, name in marks if word & mark])


class LockStatePrinter:
    """struct slm_lock_state."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        """One line."""
        kind = LOCK_KINDS.get(number(self.value["kind"]), "of an unknown kind")
        deaths = count(number(self.value["n_deaths"]), "dead holder")
        return f"lock ({kind}): {lock_word(number(self.value['word']))}; {deaths} so far"


class LockPrinter:
    """struct slm_lock."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        """One line."""
        return LockStatePrinter(self.value["state"].dereference()).to_string()


def first_block_bytes(pool):
    """The size of a pool's first block, which the pool itself lies in."""
    first = gdb.lookup_type("struct slm_pool_first")
    start = number(pool.address) - first["pool"].bitpos // 8
    return number(gdb.Value(start).cast(first.pointer())["block"]["n_bytes"])


class PoolPrinter:
    """struct slm_pool."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        """One line."""
        rest = self.value["rest"].dereference()
        n_large = 0
        if number(rest["large"]):
            n_large = number(rest["large"]["n_kind"][0])
        parts = [
            f"{count(number(rest['n_blocks']), 'block')} of {first_block_bytes(self.value)} bytes",
            f"{number(rest['n_fresh'])} of them fresh",
            count(n_large, "large block"),
            count(number(rest["n_cleanups"]), "cleanup"),
            f"{number(rest['source_bytes'])} bytes from the source",
            f"{number(self.value['high']) - number(self.value['low'])} free in the current block",
        ]
        return "pool: " + ", ".join(parts)


class SlabPrinter:
    """struct slm_slab."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        """One line, of the view and of what the region stores now."""
        header = self.value["header"].dereference()
        classes = range(number(self.value["shape"]["n_classes"]))
        n_used = sum(number(self.value["classes"][i]["n_used"]) for i in classes)
        parts = [
            # The upper half is the complement of the number.
            count(number(header["n_pages"]) & 0xFFFFFFFF, "page"),
            f"{number(header['n_free_pages'])} of them free",
            f"{count(n_used, 'object')} in spans",
            count(number(header["n_runs"]), "run"),
        ]
        return f'slab "{text(self.value["name"])}": ' + ", ".join(parts)


class ZonePrinter:
    """struct slm_zone."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        """One line."""
        header = self.value["header"].dereference()
        state = ZONE_STATES.get(number(header["state"]), "in an unknown state")
        parts = [
            state,
            f"{number(header['bytes'])} of {number(header['fixed']['max_bytes'])} bytes",
            count(number(header["n_recoveries"]), "repair"),
            LockStatePrinter(header["lock"]).to_string(),
        ]
        return f'zone "{text(header["fixed"]["name"])}": ' + ", ".join(parts)


class LockWordCommand(gdb.Command):
    """slabmill-lock-word WORD: prints what a lock word says: holder, waiters, need of repair."""

    def __init__(self):
        super().__init__("slabmill-lock-word", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        """Called by gdb."""
        if not argument:
            raise gdb.GdbError("slabmill-lock-word: expected a lock word, for instance state->word")
        print(lock_word(number(gdb.parse_and_eval(argument)) & (2**64 - 1)))


PRINTERS = {
    "slm_lock": LockPrinter,
    "slm_lock_state": LockStatePrinter,
    "slm_pool": PoolPrinter,
    "slm_slab": SlabPrinter,
    "slm_zone": ZonePrinter,
}


def printer_of(value):
    """Called by gdb for each value that it prints."""
    printer = PRINTERS.get(value.type.strip_typedefs().tag)
    return printer(value) if printer else None


printer_of.__name__ = "slabmill"
gdb.pretty_printers.append(printer_of)
LockWordCommand()
