# SPDX-License-Identifier: Apache-2.0
"""The prose in source files: documents, comments, string literals, and test names as sentences.

A passage is text that is read in one piece, such as the lines of one comment. A string literal
without a space is a name and no prose.
"""

import io
import re
import tokenize

# Bazel's language has the tokens of Python.
_PYTHON_SUFFIXES = (".BUILD", ".bzl", ".py")
_C_SUFFIXES = (".c", ".cc", ".h", ".pml")
_C_TOKEN = re.compile(
    r"""
    (?P<comment> //[^\n]* | /\*.*?\*/ )
    | (?P<include> ^[ \t]*\#[ \t]*include[^\n]* )
    | (?P<raw> R"(?P<end>[^(\s]*)\(.*?\)(?P=end)" )
    | (?P<string> "(?:\\.|[^"\\\n])*" )
    | (?P<char> '(?:\\.|[^'\\\n])+' )
    | (?P<test> \b(?:TYPED_)?TEST(?:_[A-Z]+)?\s*\(\s*\w+\s*,\s*\w+\s*\) )
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_JS_TOKEN = re.compile(
    r"""(?P<comment> //[^\n]* | /\*.*?\*/ ) | (?P<string> (["'`])(?:\\.|(?!\3)[^\\])*\3 )""",
    re.VERBOSE | re.DOTALL,
)
_CSS_TOKEN = re.compile(r"(?P<comment>/\*.*?\*/)", re.DOTALL)
_JSON_TOKEN = re.compile(r'(?P<string>"(?:\\.|[^"\\\n])*")')
_SH_TOKEN = re.compile(
    r"""
    (?P<escaped> \\. )
    | (?P<comment> (?<![^\s;(])\#[^\n]* )
    | (?P<string> '[^']*' | "(?:\\.|[^"\\])*" )
    | (?P<here> <<-?\s*(?P<quote>['"]?)(?P<word>\w+)(?P=quote)[^\n]*\n(?P<body>.*?)^\s*(?P=word)$ )
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_HASH_TOKEN = re.compile(r"(?P<comment>(?<!\S)\#[^\n]*)")
_HTML_TOKEN = re.compile(r"(?P<text>(?:(?<=[>}])|^)[^<>{}]+|\{\#.*?\#\}|<!--.*?-->)", re.DOTALL)
_TOKENS = {
    ".js": _JS_TOKEN,
    ".css": _CSS_TOKEN,
    ".json": _JSON_TOKEN,
    ".html": _HTML_TOKEN,
    ".yml": _HASH_TOKEN,
    ".yaml": _HASH_TOKEN,
    ".cmake": _HASH_TOKEN,
    ".bazel": _HASH_TOKEN,
}
_HASH_NAMES = (
    ".bazelignore",
    ".bazelrc",
    ".clang-format",
    ".clang-tidy",
    ".gitignore",
    "CMakeLists.txt",
    "Dockerfile",
    "WORKSPACE",
)
# What a comment line begins with.
_COMMENT_MARK = re.compile(
    r"^[ \t]*(?:/\*+|\*+/?|///?<?|#+!?|<!--|\{#)[ \t]?|[ \t]*(?:\*/|#\}|-->)$"
)
# A new passage within a comment or a document: an item of a list, a heading, a row of a table.
_ITEM = re.compile(r"^\s*(?:[-*+] |\d+\. |#+ |\||>)")
_NAME_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


class Passage:
    """Lines of text, joined. It knows the line of each of its parts."""

    def __init__(self, line, text):
        self.text = text
        self._starts = [(0, line)]

    def add(self, line, text, separator=" "):
        """Adds the next line."""
        self._starts.append((len(self.text) + len(separator), line))
        self.text += separator + text

    def line_at(self, offset):
        """The number in the file of the line at this offset of the text."""
        return max(line for start, line in self._starts if start <= offset)


def passages_of(path, text):
    """Yields the passages of a file; none if its kind has no prose."""
    if path.name == "BUILD" or path.suffix in _PYTHON_SUFFIXES or _runs(text, "python"):
        yield from _of_python(text)
    elif path.suffix == ".sh" or _runs(text, "(ba)?sh"):
        yield from _of_tokens(_SH_TOKEN, text)
    elif path.suffix in _C_SUFFIXES:
        yield from _of_tokens(_C_TOKEN, text)
    elif path.suffix == ".md":
        yield from _lines(1, text)
    elif path.suffix in _TOKENS:
        yield from _of_tokens(_TOKENS[path.suffix], text)
    elif path.name in _HASH_NAMES:
        yield from _of_tokens(_HASH_TOKEN, text)


def _runs(text, program):
    """True for a script that this program runs; `program` is a regular expression."""
    return re.match(rf"#!.*\b{program}", text) is not None


def name_as_sentence(name):
    """LeavesNoneOver and test_leaves_none_over become Leaves None Over and leaves none over."""
    return " ".join(part for part in _NAME_PARTS.findall(name) if part not in ("test", "TEST"))


def _lines(number, text):
    """The passages of a text whose first line has this number."""
    passage = None
    for number, line in enumerate(text.split("\n"), number):
        if not line.strip() or _ITEM.match(line):
            yield from [passage] if passage else []
            passage = None
        if line.strip():
            words = _ITEM.sub("", line).strip()
            if passage:
                passage.add(number, words)
            else:
                passage = Passage(number, words)
    yield from [passage] if passage else []


def _uncomment(text):
    return "\n".join(_COMMENT_MARK.sub("", line) for line in text.split("\n"))


def _of_literal(number, text):
    """A string literal, if it is prose."""
    body = text.replace("\\n", "\n")
    if re.search(r"\S\s+\S", body):
        for offset, line in enumerate(text.split("\n")):
            for part in line.split("\\n"):
                if part:
                    yield Passage(number + offset, part)


def _joined(pieces):
    """Joins (kind, line, text) of comments that follow each other without code in between."""
    waiting = None
    for kind, line, text, is_next in pieces:
        if waiting and waiting[0] == kind and is_next:
            waiting[2] += text if kind == "string" else "\n" + text
            continue
        if waiting:
            yield waiting
        waiting = [kind, line, text]
    if waiting:
        yield waiting


def _of_pieces(pieces):
    for kind, line, text in _joined(pieces):
        if kind == "comment":
            yield from _lines(line, _uncomment(text))
        elif kind == "string":
            yield from _of_literal(line, text)
        elif kind == "name":
            yield Passage(line, name_as_sentence(text))
        else:
            yield from _lines(line, text)


def _of_tokens(pattern, text):
    yield from _of_pieces(_pieces(pattern, text))


def _pieces(pattern, text):
    """Yields (kind, line, text, True if only blanks, or one line break, are before it)."""
    end, line = 0, 1
    for found in pattern.finditer(text):
        between = text[end : found.start()]
        line += between.count("\n")
        kind, body = found.lastgroup, found.group()
        is_next = not between.strip()
        if kind == "comment":
            yield "comment", line, body, is_next and between.count("\n") == 1
        elif kind == "test":
            for name in re.findall(r"\w+", body)[1:]:
                yield "name", line, name, False
        elif found.groupdict().get("body"):
            yield "text", line + 1, found.group("body"), False
        elif kind == "text":
            yield "text", line, _uncomment(body), False
        elif found.groupdict().get("string"):
            yield "string", line, body[1:-1], is_next
        elif kind in ("raw", "end"):
            yield "text", line, body, False
        line += body.count("\n")
        end = found.end()


def _of_python(text):
    yield from _of_pieces(_python_pieces(text))


_LAYOUT = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
# Python 3.12 takes f-strings apart.
_FSTRING_MIDDLE = getattr(tokenize, "FSTRING_MIDDLE", None)


def _python_pieces(text):
    """The same for Python, and for Bazel's language, whose tokens are Python's."""
    previous, n_breaks = None, 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        line = token.start[0]
        if token.type in _LAYOUT:
            n_breaks += token.type == tokenize.NL or token.type == tokenize.NEWLINE
            continue
        if token.type == tokenize.COMMENT:
            # Alone on its line: the break is a token of its own.
            is_next = previous == tokenize.COMMENT and n_breaks == 1
            yield "comment", line, token.string, is_next
        elif token.type == tokenize.STRING:
            yield from _python_string(token, previous == tokenize.STRING)
        elif token.type == _FSTRING_MIDDLE:
            yield "string", line, token.string, False
        elif token.type == tokenize.NAME and token.string.startswith("test_"):
            yield "name", line, token.string, False
        previous, n_breaks = token.type, 0


def _python_string(token, is_next):
    quote = re.match(r"""([a-zA-Z]*)("{3}|'{3}|"|')""", token.string)
    body = token.string[quote.end() : -len(quote.group(2))]
    if "f" in quote.group(1).lower():
        body = re.sub(r"\{[^{}]*\}", "0", body)
    if len(quote.group(2)) == 3:
        yield "text", token.start[0], body, False
    else:
        yield "string", token.start[0], body, is_next
