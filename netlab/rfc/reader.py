"""The page on which an RFC is read: its text in paragraphs that fit any screen, with links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netlab.rfc.entries import Entry
from netlab.rfc.markup import Child, Markup, escape, join, tag
from netlab.rfc.pages import actions, banner, byline, link, page, size
from netlab.rfc.pagination import indent_of
from netlab.rfc.references import Link
from netlab.rfc.sections import Section
from netlab.rfc.text import Block, Document

_COLUMNS = 3  # in a step to the right
_DEEPEST = 6  # steps that the style sheet knows; levels of headings, too
_ENOUGH = 3  # sections in a document's own contents, for these to be left out


def reader_page(
    document: Document,
    entry: Entry | None = None,
    errata: int = 0,
    current: Sequence[int] = (),
) -> str:
    """The page for reading ``document``; ``errata`` is the number of its errata.

    ``entry`` is what is known about it, ``None`` if the index does not tell; ``current``
    are the RFCs that stand for it now. The document's own table of contents is left out
    where the page's has the same sections.
    """
    number = document.number
    entry = entry or (Entry(number, "") if number else None)
    writer = _Writer(document)
    sections = [section for section in document.sections if not writer.is_contents(section)]
    head = []
    if entry:
        head.append(_head(entry, banner(entry, errata, current), bool(sections)))
    article = tag("article", *head, *writer.all())
    name = str(entry.name) if entry else "RFC"
    title = f"{name}: {entry.title}" if entry and entry.title else name
    return page(title, article, _contents(sections), kind="reader")


def _head(entry: Entry, notice: Markup | None, contents: bool) -> Markup:
    series = join(*[link(name) for name in entry.is_also], between=", ")
    name = join(str(entry.name), " \u00b7 " if series else None, series or None)
    return tag(
        "header",
        tag("p", name, class_="soft"),
        tag("h1", entry.title or str(entry.name)),
        tag("p", byline(entry), class_="soft"),
        actions(entry, contents=contents),
        notice,
    )


def _contents(sections: Sequence[Section]) -> Markup | None:
    if not sections:
        return None
    items = [
        tag(
            "li",
            tag("a", _heading(section), href=f"#{section.anchor}"),
            class_=f"l{min(section.level, _DEEPEST)}" if section.level > 1 else None,
        )
        for section in sections
    ]
    return tag("nav", tag("ol", *items), class_="contents", id="contents", aria_label="Contents")


def _heading(section: Section) -> str:
    if not section.number:
        return section.title
    appendix = section.level == 1 and not section.number[0].isdigit()
    return f"{'Appendix ' if appendix else ''}{section.number}. {section.title}".strip()


class _Writer:
    """Writes the blocks of a document's lines, each with the links in it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._lines = document.lines
        self._links: dict[int, list[Link]] = {}
        for each in document.links():
            self._links.setdefault(each.line, []).append(each)
        titles: Mapping[str, str] = document.contents.titles or {}
        self._left_out = range(
            document.contents.start,
            document.contents.end if len(titles) >= _ENOUGH else document.contents.start,
        )

    def is_contents(self, section: Section) -> bool:
        """Whether this is the heading of the table of contents that is left out."""
        return section.line in self._left_out

    def all(self) -> Iterator[Markup]:
        """The whole document."""
        sections = self._document.sections
        end = sections[0].line if sections else len(self._lines)
        yield from self._part(0, end)
        for at, section in enumerate(sections):
            end = sections[at + 1].line if at + 1 < len(sections) else len(self._lines)
            if not self.is_contents(section):
                yield self._heading(section)
            yield from self._part(section.body, end)

    def _heading(self, section: Section) -> Markup:
        level = f"h{min(section.level + 1, _DEEPEST)}"
        own = tag("a", _heading(section), href=f"#{section.anchor}")
        return tag(level, own, id=section.anchor)

    def _part(self, start: int, end: int) -> Iterator[Markup]:
        out = self._left_out
        if out and start < out.stop and out.start < end:
            yield from self._blocks(start, out.start)
            yield from self._blocks(out.stop, end)
        else:
            yield from self._blocks(start, end)

    def _blocks(self, start: int, end: int) -> Iterator[Markup]:
        blocks = self._document.blocks(start, end)
        at = 0
        while at < len(blocks):
            block = blocks[at]
            at += 1
            if block.prose:
                yield self._paragraph(block, at < len(blocks) and blocks[at].start == block.end)
                continue
            last = block
            indent = block.indent
            while at < len(blocks) and not blocks[at].prose:
                last = blocks[at]
                indent = min(indent, last.indent)
                at += 1
            yield self._drawing(block.start, last.end, indent)

    def _drawing(self, start: int, end: int, indent: int) -> Markup:
        lines = [join(*self._line(at, indent)) for at in range(start, end)]
        longest = max(len(line) for line in self._lines[start:end]) - indent
        kinds = " ".join(filter(None, [size(longest), _depth(indent)]))
        # The first line break is HTML's, not the text's (HTML, 13.1.2.5).
        return tag("pre", "\n", join(*lines, between="\n"), class_=kinds or None)

    def _paragraph(self, block: Block, explained: bool) -> Markup:
        parts: list[Child] = []
        for at in range(block.start, block.end):
            if at > block.start:
                parts.append("" if self._is_broken(at - 1) else "\n")
            column = indent_of(self._lines[at])
            if block.item and at == block.start:
                marker = self._line(at, column, block.indent)
                parts.append(tag("span", *marker, class_="marker"))
                column = block.indent
            parts += self._line(at, column)
        term = explained and block.end - block.start == 1 and not block.item
        kinds = ("item" if block.item else None, "term" if term else None, _depth(block.indent))
        return tag("p", *parts, class_=" ".join(filter(None, kinds)) or None)

    def _is_broken(self, at: int) -> bool:
        """Whether the last word of a line goes on in the next one, after a hyphen."""
        line = self._lines[at]
        after = self._lines[at + 1].lstrip()
        return line.endswith("-") and line[-2:-1].isalnum() and after[:1].isalnum()

    def _line(self, at: int, column: int, end: int | None = None) -> Iterator[Markup]:
        """A line from ``column`` to before ``end``, with its links."""
        line = self._lines[at][:end]
        for each in self._links.get(at, ()):
            if each.start < column or each.end > len(line):
                continue
            yield escape(line[column : each.start])
            yield _linked(each, line[each.start : each.end])
            column = each.end
        yield escape(line[column:].rstrip() if end else line[column:])


def _linked(found: Link, text: str) -> Markup:
    if found.name is None:
        return tag("a", text, href=f"#{found.anchor}")
    return link(found.name, text, found.anchor)


def _depth(indent: int) -> str | None:
    """The class for text so many columns from the margin; most text is 3 from it."""
    step = min(max(indent // _COLUMNS - 1, 0), _DEEPEST)
    return f"d{step}" if step else None
