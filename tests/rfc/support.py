"""Documents to test with, and a strict reader of HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from netlab.rfc.entries import Index
from netlab.rfc.index import parse_index
from netlab.rfc.style import STYLE

CLASSES = frozenset(re.findall(r"\.([a-z][a-z0-9-]*)", STYLE))
"""The classes that the style sheet knows."""
DATA = Path(__file__).parent / "data"


def text(number: int) -> bytes:
    """The text of one of the RFCs that are here."""
    return (DATA / f"rfc{number}.txt").read_bytes()


def index_data() -> bytes:
    """A few entries of the RFC Editor's index, as it is published: with padded ids."""
    return (DATA / "rfc-index.xml").read_bytes()


def index() -> Index:
    """The same, read."""
    return parse_index(index_data())


class Page(HTMLParser):
    """Reads a page as a strict browser would; ``wrong`` is what is not allowed in one.

    ``text`` is what a person reads, ``links`` the targets of the links, ``ids`` the
    anchors. Scripts, styles and handlers are wrong: the pages' security policy forbids them.
    """

    VOID = frozenset({"meta", "link", "input", "br", "hr"})
    BLOCKS = frozenset({"p", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "div"})

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.classes: list[str] = []
        self._open: list[str] = []
        self._text: list[str] = []
        self.feed(page)
        self.close()
        self.text = "".join(self._text)
        self.wrong += [f"<{tag}> is never closed" for tag in self._open]
        self.wrong += [f"id {each} is there twice" for each in set(self.ids) if self._twice(each)]
        self.wrong += [
            f"{each} leads nowhere"
            for each in self.links
            if each.startswith("#") and each[1:] not in self.ids
        ]
        self.wrong += [f"class {each} has no style" for each in {*self.classes} - CLASSES]
        if not page.startswith("<!DOCTYPE html>\n<html "):
            self.wrong.append("no document type")

    def _twice(self, anchor: str) -> bool:
        return self.ids.count(anchor) > 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [found["href"] or ""] if "href" in found else []
        self.classes += (found.get("class") or "").split()
        if tag in ("script", "style", "iframe", "object", "base"):
            self.wrong.append(f"<{tag}>")
        self.wrong += [f"{name}=" for name in found if name == "style" or name.startswith("on")]
        self.wrong += [f"{name} twice" for name in found if [n for n, _ in attrs].count(name) > 1]
        if tag in self.BLOCKS and {"p", "pre"} & set(self._open):
            self.wrong.append(f"<{tag}> in a paragraph")
        if tag == "a" and "a" in self._open:
            self.wrong.append("a link in a link")
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_comment(self, data: str) -> None:
        self.wrong.append("a comment")

    def handle_pi(self, data: str) -> None:
        self.wrong.append("a processing instruction")

    def unknown_decl(self, data: str) -> None:
        self.wrong.append("a declaration")
