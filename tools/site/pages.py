# SPDX-License-Identifier: Apache-2.0
"""The project's Markdown pages as Doxygen reads them.

Doxygen does not know the anchors that headings have elsewhere, so each heading gets a label, and
each link to a page or a heading becomes a reference to a label.
"""

import pathlib
import re

FENCE = re.compile(r"^( *)```(\w*).*$")
HEADING = re.compile(r"^(#+) (.*)$")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)", re.DOTALL)
LANGUAGES = {"c": "c", "cpp": "cpp"}


def anchor_of(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def label_of(path):
    """The label of a page, which is its name in the site."""
    path = pathlib.PurePosixPath(path)
    if path.name == "README.md":
        return "index" if str(path.parent) == "." else path.parent.name
    return path.stem.lower()


def _escaped(text):
    """Prose in which nothing but Markdown means anything."""
    parts = re.split(r"(`[^`]*`)", text)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"([\\@%]|<(?!/?[a-z]+>|-->|!--)|(?<=\s)::)", r"\\\1", parts[i])
    return "".join(parts)


class Page:
    """One page; `pages` are the paths of all pages, `headers` those of the public headers."""

    def __init__(self, path, text, pages, headers):
        self.path = pathlib.PurePosixPath(path)
        self.text = text
        self.pages = pages
        self.headers = headers

    def converted(self):
        """The page as Doxygen reads it."""
        out, prose, fence = [], [], None
        for line in [*self.text.split("\n"), None]:
            found = line is not None and FENCE.match(line)
            if fence is None and (line is None or found):
                out += self._prose("\n".join(prose)).split("\n") if prose else []
                prose = []
            if found:
                out.append(self._fence(found) if fence is None else line)
                fence = True if fence is None else None
            elif line is not None:
                (prose if fence is None else out).append(line)
        return "\n".join(out)

    def _fence(self, found):
        return f"{found[1]}```{{.{LANGUAGES.get(found[2], 'unparsed')}}}"

    def _prose(self, text):
        text = LINK.sub(self._link, _escaped(text))
        return "\n".join(map(self._heading, text.split("\n")))

    def _heading(self, line):
        found = HEADING.match(line)
        if not found:
            return line
        label = label_of(self.path)
        if found[1] != "#":
            label += "-" + anchor_of(found[2].replace("\\", ""))
        # Doxygen writes marks of code in headings as they are.
        line = line.replace("`", "")
        return line if label == "index" else f"{line} {{#{label}}}"

    def _link(self, found):
        text, target = found[1], found[2]
        if re.match(r"\w+:", target):
            return found[0]
        name, _, anchor = target.partition("#")
        path = _joined(self.path.parent, name) if name else str(self.path)
        if path in self.headers:
            return f"[{text}](@ref {pathlib.PurePosixPath(path).name})"
        if path not in self.pages:
            return text
        label = label_of(path)
        return f"[{text}](@ref {label}-{anchor})" if anchor else f"[{text}](@ref {label})"


def _joined(folder, name):
    parts = []
    for part in (folder / name).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
