# SPDX-License-Identifier: Apache-2.0
"""The public headers as Doxygen reads them: its marks in the comments, and no private parts.

A header's comments are plain C. Where a comment is says what it is about: the first one is about
the file, one that begins with "Model" is the design of the file, one at the end of a line is about
that line, and any other is about all declarations from there to the next empty line.
"""

import re

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# The keyword of a paragraph of a design: "Safety   Threads and processes may ...".
KEYWORD = re.compile(r"([A-Z][A-Za-z]+) +(?=\S)")
NAME = re.compile(r"\b(?:slm|SLM)_\w+\b")
# One in a comment that may become a link: Doxygen takes a call's arguments for a signature.
LINKED = re.compile(r"\b(?:slm|SLM)_\w+\b(?!\()")
LIST_ENUM = re.compile(r"^enum (\w+) \{ (\w+)\(\w+\) (\w+) \};$", re.MULTILINE)
LIST_ITEM = re.compile(r'^    X\((\w+), "(.*?)"\)', re.MULTILINE)


def public_names(text):
    """The functions, macros and constants that a header's code names."""
    code = COMMENT.sub("", text)
    found = re.findall(r"\b(slm_\w+)\(", code)
    found += re.findall(r"^#define (SLM_\w+)", code, re.MULTILINE)
    found += re.findall(r"^    (?:X\()?(SLM_[A-Z_0-9]+)\b", code, re.MULTILINE)
    return set(found)


class Header:
    """One header; `names` are the names that its comments become links to."""

    def __init__(self, text, names):
        self.names = names
        self.lines = _without_local_macros(_expand_lists(text)).split("\n")
        self.out = []
        self.at = 0  # the next line

    def converted(self):
        """The header with Doxygen's marks."""
        self._file_comment()
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if re.match(r"\s*\{$", line):
                self._body()
            elif line.lstrip().startswith("/*"):
                self._comment()
            else:
                self._code()
        return "\n".join(self.out)

    def _file_comment(self):
        """Lines 1 and 2: the licence, and what the file is."""
        self.at = 1
        text = " ".join(self._take_comment())
        self.out += ["/** @file", f" * @brief {self._marked(text)} */"]

    def _take_comment(self):
        """The lines of the comment here, without its marks."""
        lines = []
        while True:
            line = self.lines[self.at]
            self.at += 1
            lines.append(re.sub(r"^\s*(?:/\*|\*(?!/))? ?|\s*\*/$", "", line))
            if line.rstrip().endswith("*/"):
                return lines[1:] if lines[0] == "" and len(lines) > 1 else lines

    def _body(self):
        """A function's body: comments in it document nothing."""
        end = self.lines[self.at].replace("{", "}")
        while self.lines[self.at] != end:
            self.out.append(COMMENT.sub("", self.lines[self.at]))
            self.at += 1
        self._line()

    def _line(self):
        self.out.append(self.lines[self.at])
        self.at += 1

    def _code(self):
        """A line of code, maybe with a comment at its end."""
        line = self.lines[self.at]
        found = re.match(r"(.*?[^\s].*?)\s*/\*", line)
        if not found or re.match(r"\s*#(?!define)|.*\\$|extern \"C", line):
            self._line()
            return
        self.lines[self.at] = line[found.end(1) :]
        text = " ".join(part.strip() for part in self._take_comment())
        code = found[1]
        opaque = re.match(r"struct \w+;$", code)
        mark = "/** " if opaque else "/**< "
        comment = f"{mark}{self._marked(text)} */"
        self.out.append(f"{comment} {code[:-1]} {{}};" if opaque else f"{code} {comment}")

    def _comment(self):
        indent = re.match(r"\s*", self.lines[self.at])[0]
        lines = self._take_comment()
        if not any(lines) or lines[0].startswith("---"):
            return
        if lines[0].startswith("Private"):
            self._private()
        elif KEYWORD.match(lines[0]) and lines[0].startswith("Model"):
            self._emit(indent, self._design(lines))
        else:
            self._emit(indent, self._paragraphs(lines))
            if not indent:
                self._declarations()

    def _emit(self, indent, lines):
        self.out += [f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in lines)]
        self.out.append(f"{indent} */")

    def _private(self):
        """Leaves out what a comment calls private: up to an empty line or the end of a struct."""
        while self.lines[self.at].strip() and not self.lines[self.at].startswith("}"):
            self.at += 1

    def _declarations(self):
        """Gives each declaration of a group what is said of the first one."""
        first, begins, was_macro = None, True, False
        while self.at < len(self.lines) and self.lines[self.at].strip():
            line = self.lines[self.at]
            if line == "{":
                self._body()
                return
            if line.lstrip().startswith("/*") or re.search(r"\{$|^typedef|^struct \w+;", line):
                return
            if begins and not line.startswith(("#if", "#else", "#endif", "#pragma")):
                name = NAME.search(self._declared(line))
                if first and name and name[0] != first and "/*" not in line:
                    self.out.append(f"/** @copydoc {first} */")
                first = first or (name and name[0])
            in_macro = line.endswith("\\")
            begins = not in_macro if line.startswith("#") or was_macro else line.endswith(";")
            was_macro = in_macro
            self._code()

    def _declared(self, line):
        """The declaration that begins with this line, from its name on."""
        if line.startswith("#"):
            return line
        text = "\n".join(self.lines[self.at :]).split(";")[0]
        return (re.search(r"slm_\w+\((?!\().*", text) or re.search("$", text))[0]

    def _design(self, lines):
        """The paragraphs of a file's design, each with its keyword as a heading."""
        out = ["@file"]
        width = KEYWORD.match(lines[0]).end()
        width = width if width > 7 else 9
        for line in lines:
            found = KEYWORD.match(line)
            if found and line[:1].isupper() and found.end() >= width:
                out += ["", f"@par {found[1]}", line[found.end() :]]
            else:
                out.append(line[width:] if not line[:width].strip() else line)
        return self._paragraphs(out)

    def _paragraphs(self, lines):
        """Marked text; lines that are indented are code or a table."""
        out, is_code = [], False
        for line in lines:
            if (line.startswith("    ") or (is_code and not line)) != is_code:
                is_code = not is_code
                out += ["@code{.c}"] if is_code else ["@endcode"]
            if is_code:
                out.append(line[4:])
            elif line.startswith("@"):
                out.append(line)
            else:
                out += [""] if re.match(r"(Fails|Cost)\b", line) else []
                out.append(self._marked(line))
        return out + (["@endcode"] if is_code else [])

    def _marked(self, text):
        """Text in which nothing means anything to Doxygen, but names of the library are links."""
        parts = text.split("`")
        for i in range(0, len(parts), 2):
            part = re.sub(r"([@<>#%*&|\[\]~])", r"\\\1", parts[i])
            parts[i] = LINKED.sub(self._link, part)
        return "`".join(parts)

    def _link(self, found):
        return "#" + found[0] if found[0] in self.names else found[0]


def _expand_lists(text):
    """Writes out an enum that is made from a list of X(NAME, "text")."""
    def written(found):
        items = LIST_ITEM.findall(text)
        lines = [f"    {name}, /* {words} */" for name, words in items]
        return "\n".join(["/* The codes. */", f"enum {found[1]} {{", *lines, f"    {found[3]} /* how many there are */", "};"])

    return LIST_ENUM.sub(written, text)


def _without_local_macros(text):
    """Leaves out macros that the header itself undefines."""
    for name in re.findall(r"^#undef (\w+)", text, re.MULTILINE):
        text = re.sub(rf"^#define {name}\b(?:.*\\\n)*.*\n", "", text, flags=re.MULTILINE)
    return text
