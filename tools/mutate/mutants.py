# SPDX-License-Identifier: Apache-2.0
"""Mutants of a C file: small changes, found in its syntax tree, each of which makes one bug.

A change inside the expansion of a macro is left out: its text is elsewhere. Every change keeps the
number of lines, so that the line numbers in messages and objects stay.
"""

import dataclasses
import hashlib
import re

from clang.cindex import CursorKind, Index, TypeKind

RELATIONAL = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
}
ARITHMETIC = {
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "%": ("*",),
    "<<": (">>",),
    ">>": ("<<",),
    "&": ("|",),
    "|": ("&",),
    "^": ("&",),
    "+=": ("-=",),
    "-=": ("+=",),
    "*=": ("/=",),
    "/=": ("*=",),
    "%=": ("*=",),
    "<<=": (">>=",),
    ">>=": ("<<=",),
    "&=": ("|=",),
    "|=": ("&=",),
    "^=": ("&=",),
}
LOGICAL = {"&&": ("||",), "||": ("&&",)}
BINARY = (("relational", RELATIONAL), ("arithmetic", ARITHMETIC), ("logical", LOGICAL))
INTEGER = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]*")
INTEGERS = {
    TypeKind.CHAR_S, TypeKind.SCHAR, TypeKind.UCHAR, TypeKind.SHORT, TypeKind.USHORT, TypeKind.INT,
    TypeKind.UINT, TypeKind.LONG, TypeKind.ULONG, TypeKind.LONGLONG, TypeKind.ULONGLONG,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change. The bytes from start to end of the file's text become `new`."""

    path: str
    function: str
    line: int
    column: int
    operator: str
    nth: int  # among the changes of this operator at this place
    start: int
    end: int
    old: str
    new: str
    key: str = ""  # from the content, for equivalent.txt: line numbers change with any edit

    @property
    def name(self):
        """The id by which a caller repeats it."""
        return f"{self.path}:{self.line}:{self.column}:{self.operator}:{self.nth}"

    def apply(self, text):
        """The file's text with the change in it. text: bytes"""
        return text[: self.start] + self.new.encode() + text[self.end :]

    def describe(self):
        """The change on one line."""
        old, new = (" ".join(part.split()) for part in (self.old, self.new))
        return f"`{old}` -> `{new}`" if new else f"without `{old}`"


class Finder:
    """Collects the mutants of one function."""

    def __init__(self, path, text, function):
        self._path = path
        self._text = text
        self._function = function
        self.found = []

    def _offsets(self, cursor):
        return cursor.extent.start.offset, cursor.extent.end.offset

    def _source(self, start, end):
        return self._text[start:end].decode()

    def _of(self, cursor):
        return self._source(*self._offsets(cursor))

    def _add(self, operator, start, end, news):
        old = self._source(start, end)
        line = self._text.count(b"\n", 0, start) + 1
        column = start - (self._text.rfind(b"\n", 0, start) + 1) + 1
        for nth, new in enumerate(news):
            new += "\n" * (old.count("\n") - new.count("\n"))
            where = (self._path, self._function.spelling, line, column)
            self.found.append(Mutant(*where, operator, nth, start, end, old, new))

    def walk(self, cursor):
        """Finds all mutants at a cursor and below it."""
        visit = VISITS.get(cursor.kind)
        children = list(cursor.get_children())
        if visit:
            visit(self, cursor, children)
        for child in children:
            self.walk(child)

    def binary(self, _cursor, children):
        """Another operator between two operands."""
        if len(children) != 2:
            return
        start, end = self._offsets(children[0])[1], self._offsets(children[1])[0]
        # Operands that a macro brings have the macro's place: the text between them is no operator.
        between = self._source(start, end) if start < end else ""
        sign = between.strip()
        for operator, others in BINARY:
            if sign in others:
                at = start + between.index(sign)
                self._add(operator, at, at + len(sign), others[sign])

    def unary(self, cursor, children):
        """++ for --; without ~, ! and -."""
        text, (start, end) = self._of(cursor), self._offsets(cursor)
        for sign, other in (("++", "--"), ("--", "++"), ("~", ""), ("!", ""), ("-", "")):
            if text.startswith(sign) and children and self._offsets(children[0])[0] > start:
                self._add("unary", start, start + len(sign), (other,))
                return
            if sign in ("++", "--") and text.endswith(sign):
                self._add("unary", end - len(sign), end, (other,))
                return

    def integer(self, cursor, _children):
        """One more, one less, and 0."""
        text = self._of(cursor)
        match = INTEGER.fullmatch(text)
        if match:
            value = int(match.group(1), 16 if text[:2] in ("0x", "0X") else 10)
            news = (f"({text} + 1)", f"({text} - 1)") + (("0",) if value > 1 else ())
            self._add("constant", *self._offsets(cursor), news)

    def _negate(self, condition):
        # The relational operators have the opposite among theirs.
        if condition.kind == CursorKind.BINARY_OPERATOR:
            children = list(condition.get_children())
            between = self._source(self._offsets(children[0])[1], self._offsets(children[1])[0])
            if between.strip() in RELATIONAL:
                return
        start, end = self._offsets(condition)
        if start < end:
            self._add("negate", start, end, (f"!({self._source(start, end)})",))

    def if_or_while(self, cursor, children):
        """The opposite condition; without the else."""
        if not self._of(cursor).startswith(("if", "while")):
            return
        self._negate(children[0])
        if cursor.kind == CursorKind.IF_STMT and len(children) == 3:
            if children[1].kind == CursorKind.COMPOUND_STMT:
                start, end = self._offsets(children[1])[1], self._offsets(children[2])[1]
                self._add("else", start, end, ("",))

    def do(self, cursor, children):
        """The opposite condition."""
        if self._of(cursor).startswith("do"):
            self._negate(children[1])

    def choice(self, _cursor, children):
        """The opposite condition of ?:."""
        if len(children) == 3 and self._offsets(children[0])[1] < self._offsets(children[1])[0]:
            self._negate(children[0])

    def loop(self, cursor, children):
        """The opposite condition of a for."""
        start = self._offsets(cursor)[0]
        if not self._of(cursor).startswith("for"):
            return
        for child in children[:-1]:
            if self._source(start, self._offsets(child)[0]).count(";") == 1:
                self._negate(child)

    def value(self, cursor, children):
        """Another value returned; no return."""
        text = self._of(cursor)
        if not text.startswith("return"):
            return
        if children:
            start, end = self._offsets(children[0])
            self._add("return", start, end, self._other_values(self._source(start, end)))

    def _other_values(self, text):
        result = self._function.result_type
        kind = result.get_canonical().kind
        zero = () if text in ("0", "NULL") else ("0",)
        if kind == TypeKind.BOOL:
            return (f"!({text})",)
        if kind in (TypeKind.POINTER, TypeKind.ENUM):
            return zero
        if kind in INTEGERS:
            return zero + (f"({result.spelling})(({text}) + 1)",)
        return ()

    def block(self, _cursor, children):
        """Without a statement; with two swapped."""
        previous = None
        for child in children:
            start, end = self._offsets(child)
            own = start < end and not self._is_macro(start, end)
            if own and child.kind in DELETED:
                self._add("delete", start, end, ("",))
            movable = own and child.kind in MOVED and self._is_action(child)
            if movable and previous:
                self._swap(previous, (start, end))
            previous = (start, end) if movable else None

    def labelled(self, _cursor, children):
        """Without the statement after a label."""
        self.block(None, children[-1:])

    def _is_action(self, child):
        return child.kind != CursorKind.BINARY_OPERATOR or "=" in self._of(child)

    def _is_macro(self, start, end):
        return (start, end) in self.macros

    def _swap(self, first, second):
        between = self._source(first[1], second[0])
        new = self._source(*second) + between + self._source(*first)
        if self._source(*first) != self._source(*second):
            self._add("swap", first[0], second[1], (new,))

    macros = frozenset()


DELETED = {
    CursorKind.BINARY_OPERATOR,
    CursorKind.BREAK_STMT,
    CursorKind.CALL_EXPR,
    CursorKind.COMPOUND_ASSIGNMENT_OPERATOR,
    CursorKind.CONTINUE_STMT,
    CursorKind.CSTYLE_CAST_EXPR,
    CursorKind.RETURN_STMT,
    CursorKind.UNARY_OPERATOR,
}
MOVED = DELETED - {CursorKind.BREAK_STMT, CursorKind.CONTINUE_STMT, CursorKind.RETURN_STMT}
VISITS = {
    CursorKind.BINARY_OPERATOR: Finder.binary,
    CursorKind.CASE_STMT: Finder.labelled,
    CursorKind.COMPOUND_ASSIGNMENT_OPERATOR: Finder.binary,
    CursorKind.COMPOUND_STMT: Finder.block,
    CursorKind.CONDITIONAL_OPERATOR: Finder.choice,
    CursorKind.DEFAULT_STMT: Finder.labelled,
    CursorKind.DO_STMT: Finder.do,
    CursorKind.FOR_STMT: Finder.loop,
    CursorKind.IF_STMT: Finder.if_or_while,
    CursorKind.INTEGER_LITERAL: Finder.integer,
    CursorKind.RETURN_STMT: Finder.value,
    CursorKind.UNARY_OPERATOR: Finder.unary,
    CursorKind.WHILE_STMT: Finder.if_or_while,
}


class Unreadable(Exception):
    """A file that libclang cannot parse."""


def _with_keys(mutants, text):
    """Gives each mutant its key: a hash of what it changes, and where in its function."""
    lines = text.decode().split("\n")
    seen = {}
    for mutant in mutants:
        line = lines[mutant.line - 1]
        indent = len(line) - len(line.lstrip())
        place = (mutant.path, mutant.function, line.strip(), mutant.column - indent)
        content = repr(place + (mutant.operator, mutant.old, mutant.new))
        seen[content] = seen.get(content, 0) + 1
        key = hashlib.sha256(f"{content}{seen[content]}".encode()).hexdigest()[:12]
        yield dataclasses.replace(mutant, key=key)


def find(path, text, unit, arguments, folder):
    """All mutants of a file, in its order.

    path: from the project's root, text: its bytes. unit: the source that is compiled, the file
    itself or one that includes it. arguments: the compiler's. folder: paths are relative to it.
    """
    options = 0x01  # the detailed record: places of macros
    arguments = [*arguments, f"-working-directory={folder}"]
    tree = Index.create().parse(f"{folder}/{unit}", args=arguments, options=options)
    errors = [str(one) for one in tree.diagnostics if one.severity >= 3]
    if errors:
        raise Unreadable(f"{path}: {errors[0]}")
    macros, found = set(), []
    for cursor in tree.cursor.get_children():
        file = cursor.location.file
        if file is None or not (file.name == path or file.name.endswith("/" + path)):
            continue
        if cursor.kind == CursorKind.MACRO_INSTANTIATION:
            macros.add((cursor.extent.start.offset, cursor.extent.end.offset))
        if cursor.kind == CursorKind.FUNCTION_DECL and cursor.is_definition():
            finder = Finder(path, text, cursor)
            finder.macros = macros
            finder.walk(cursor)
            found += finder.found
    found.sort(key=lambda mutant: (mutant.start, mutant.end, mutant.operator, mutant.nth))
    return list(_with_keys(found, text))
