"""The RFC Editor's index of all documents, ``rfc-index.xml``, read into entries.

Both published forms are understood: ids with and without padding (``RFC0001``,
``RFC1``), and the namespace with ``http`` and with ``https``. Read by Expat, which is
linear in the bytes; a document type, and so any entity of its own, is refused.

Source: https://www.rfc-editor.org/rfc-index.xsd
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from xml.parsers import expat

from netlab.errors import RemoteProtocolError
from netlab.escaping import escape
from netlab.rfc.entries import MONTHS, Date, Entry, Index
from netlab.rfc.names import Name, Series

LONGEST = 64 << 20
"""The most bytes that are taken for an index; it has 14 million in 2024."""

_DEEPEST = 50  # elements within each other; an index has 5
_NAMESPACES = ("https://www.rfc-editor.org/rfc-index", "http://www.rfc-editor.org/rfc-index", "")
_FORMATS = {"ascii": "txt", "text": "txt", "txt": "txt"}


class UnreadableListing(RemoteProtocolError):
    """What came as the index, or as the errata, is not that; the message says why."""

    kind = "unreadable_listing"


def parse_index(data: bytes) -> Index:
    """The documents that ``data``, the bytes of ``rfc-index.xml``, lists; see ``IndexReader``."""
    reader = IndexReader()
    reader.feed(data)
    return reader.close()


class IndexReader:
    """Reads the bytes of ``rfc-index.xml``, a piece at a time.

    An entry without a readable number is left out; what an entry says is taken as far as
    it can be read. A relation that is told on one side only is completed on the other.

    Raises ``UnreadableListing`` for what is not a whole index with at least one RFC.
    """

    def __init__(self) -> None:
        self._size = 0
        self._reader = reader = _Reader()
        # The encoding is given, so that no codec that the document names is ever looked for.
        self._parser = parser = expat.ParserCreate("utf-8", " ")
        parser.buffer_text = True
        parser.StartElementHandler = reader.start
        parser.EndElementHandler = reader.end
        parser.CharacterDataHandler = reader.text
        parser.StartDoctypeDeclHandler = reader.doctype

    def feed(self, data: bytes) -> list[Entry]:
        """The entries that end in ``data``, as they are written, without what others tell."""
        self._size += len(data)
        if self._size > LONGEST:
            raise UnreadableListing(f"the index has more than {LONGEST} bytes")
        self._parse(data, False)
        found, self._reader.found = self._reader.found, []
        return found

    def close(self) -> Index:
        """All that was read."""
        self._parse(b"", True)
        reader = self._reader
        if not reader.entries:
            raise UnreadableListing("the index lists no RFC")
        return Index(
            MappingProxyType(dict(sorted(_completed(reader.entries).items()))),
            frozenset(reader.not_issued - reader.entries.keys()),
            MappingProxyType(_members(reader)),
        )

    def _parse(self, data: bytes, is_end: bool) -> None:
        try:
            self._parser.Parse(data, is_end)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            raise UnreadableListing(
                f"the index is broken at line {error.lineno}, column {error.offset + 1}: {what}"
            ) from error


def _completed(entries: dict[int, Entry]) -> dict[int, Entry]:
    """The entries, with each relation on both of its sides."""
    obsoleted, updated = _reversed(entries, "obsoletes"), _reversed(entries, "updates")
    obsoletes, updates = _reversed(entries, "obsoleted_by"), _reversed(entries, "updated_by")
    for number, entry in entries.items():
        changes = {
            field: numbers
            for field, numbers in (
                ("obsoletes", _union(entry.obsoletes, obsoletes.get(number))),
                ("obsoleted_by", _union(entry.obsoleted_by, obsoleted.get(number))),
                ("updates", _union(entry.updates, updates.get(number))),
                ("updated_by", _union(entry.updated_by, updated.get(number))),
            )
            if numbers != getattr(entry, field)
        }
        if changes:
            entries[number] = replace(entry, **changes)  # type: ignore[arg-type]
    return entries


def _reversed(entries: Mapping[int, Entry], field: str) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for number, entry in entries.items():
        for other in getattr(entry, field):
            if other != number:
                found.setdefault(other, []).append(number)
    return found


def _union(numbers: tuple[int, ...], more: Iterable[int] | None) -> tuple[int, ...]:
    return tuple(sorted({*numbers, *more})) if more else numbers


def _members(reader: _Reader) -> dict[Name, tuple[int, ...]]:
    members = {name: set(numbers) for name, numbers in reader.members.items()}
    for entry in reader.entries.values():
        for name in entry.is_also:
            members.setdefault(name, set()).add(entry.number)
    return {name: tuple(sorted(numbers)) for name, numbers in sorted(members.items())}


# What is read of an entry, by the path below it; anything else is passed over.
_LEAVES = frozenset(
    {
        *("doc-id", "title", "author/name", "author/title", "date/month", "date/day"),
        *("date/year", "format/file-format", "format/page-count", "page-count", "keywords/kw"),
        *("abstract/p", "draft", "obsoletes/doc-id", "obsoleted-by/doc-id", "updates/doc-id"),
        *("updated-by/doc-id", "is-also/doc-id", "see-also/doc-id", "current-status"),
        *("publication-status", "stream", "area", "wg_acronym", "errata-url", "doi"),
    }
)
_ENTRIES = ("rfc-entry", "rfc-not-issued-entry", "bcp-entry", "std-entry", "fyi-entry")
_EDITOR = "\0editor"  # an author's title, between the names; no name in XML has a NUL


class _Reader:
    """What Expat calls: gathers the leaves of an entry, and makes the entry at its end."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.not_issued: set[int] = set()
        self.members: dict[Name, set[int]] = {}
        self.found: list[Entry] = []  # that nobody has taken yet
        self._path: list[str] = []
        self._text: list[str] = []
        self.text = self._text.append
        self._leaves: dict[str, list[str]] = {}

    def doctype(self, *_: object) -> None:
        raise UnreadableListing("the index has a document type, which an index never has")

    # These two are called a million times: mind the cost of every line.

    def start(self, tag: str, _attributes: object) -> None:
        path = self._path
        if not path:
            self._root(tag)
        path.append(tag[tag.rfind(" ") + 1 :])
        depth = len(path)
        if depth <= 3 or (depth == 4 and path[2] not in _LEAVES):
            self._text.clear()  # the text of a leaf is all text in it
            if depth == 2:
                self._leaves = {}
        elif depth > _DEEPEST:
            raise UnreadableListing(f"the index has more than {_DEEPEST} elements in each other")

    def _root(self, tag: str) -> None:
        namespace, _, local = tag.rpartition(" ")
        if local != "rfc-index" or namespace not in _NAMESPACES:
            raise UnreadableListing(f"this is no index: its root is <{escape(local, 40)}>")

    def end(self, _tag: str) -> None:
        path = self._path
        depth = len(path)
        if 2 < depth < 5:
            leaf = path[2] if depth == 3 else f"{path[2]}/{path[3]}"
            if leaf in _LEAVES:
                text = "".join(self._text).strip()
                if leaf == "author/title":
                    leaf, text = "author/name", _EDITOR if text.lower() == "editor" else ""
                if text:
                    self._leaves.setdefault(leaf, []).append(text)
        elif depth == 2 and path[1] in _ENTRIES:
            self._entry(path[1], self._leaves)
        path.pop()

    def _entry(self, kind: str, found: dict[str, list[str]]) -> None:
        name = _name(_first(found, "doc-id"))
        if name is None:
            return
        if name.series is not Series.RFC:
            self.members.setdefault(name, set()).update(_numbers(found, "is-also"))
        elif kind == "rfc-not-issued-entry":
            self.not_issued.add(name.number)
        elif kind == "rfc-entry":
            entry = self.entries[name.number] = _make(name.number, found)
            self.found.append(entry)


def _make(number: int, found: dict[str, list[str]]) -> Entry:
    return Entry(
        number=number,
        title=_first(found, "title"),
        authors=tuple(_authors(found.get("author/name", ()))),
        date=_date(found),
        status=_first(found, "current-status"),
        published_as=_first(found, "publication-status"),
        stream=_first(found, "stream"),
        area=_first(found, "area"),
        group=_first(found, "wg_acronym"),
        pages=_number(_first(found, "page-count") or _first(found, "format/page-count")),
        keywords=tuple(dict.fromkeys(filter(None, map(_keyword, found.get("keywords/kw", ()))))),
        abstract="\n\n".join(_paragraphs(found.get("abstract/p", ()))),
        obsoletes=_numbers(found, "obsoletes"),
        obsoleted_by=_numbers(found, "obsoleted-by"),
        updates=_numbers(found, "updates"),
        updated_by=_numbers(found, "updated-by"),
        see_also=_names(found, "see-also"),
        is_also=tuple(n for n in _names(found, "is-also") if n.series is not Series.RFC),
        formats=tuple(
            dict.fromkeys(
                _FORMATS.get(each.lower(), each.lower())
                for each in found.get("format/file-format", ())
            )
        ),
        draft=_first(found, "draft"),
        doi=_first(found, "doi"),
        errata_url=_first(found, "errata-url"),
    )


_DOC_ID = re.compile(r"(RFC|BCP|STD|FYI)0*([1-9][0-9]{0,4})", re.IGNORECASE | re.ASCII)


def _name(doc_id: str) -> Name | None:
    matched = _DOC_ID.fullmatch(doc_id)
    return Name(Series(matched[1].lower()), int(matched[2])) if matched else None


def _names(found: dict[str, list[str]], relation: str) -> tuple[Name, ...]:
    ids = found.get(f"{relation}/doc-id")
    if not ids:
        return ()
    return tuple(dict.fromkeys(name for name in map(_name, ids) if name is not None))


def _numbers(found: dict[str, list[str]], relation: str) -> tuple[int, ...]:
    names = _names(found, relation)
    if not names:
        return ()
    return tuple(sorted(name.number for name in names if name.series is Series.RFC))


def _first(found: dict[str, list[str]], leaf: str) -> str:
    texts = found.get(leaf)
    return " ".join(texts[0].split()) if texts else ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0


def _date(found: dict[str, list[str]]) -> Date:
    month = _first(found, "date/month").capitalize()
    known = _month(month)
    day = _number(_first(found, "date/day"))
    return Date(_number(_first(found, "date/year")), known, day if known and day <= 31 else 0)


@lru_cache(1000)
def _month(text: str) -> int:
    """The number of a month, of which ``text`` is the name or how it begins; else 0."""
    return next((n for n, name in enumerate(MONTHS) if text and name.startswith(text)), 0)


def _authors(names: Iterable[str]) -> list[str]:
    authors: list[str] = []
    for name in names:
        if name != _EDITOR:
            authors.append(" ".join(name.split()))
        elif authors:
            authors[-1] += ", Ed."
    return authors


def _keyword(text: str) -> str:
    """A keyword without the marks that old records have: ``[TCP|s]``."""
    marked = re.fullmatch(r"\[([^\[\]|]*)(?:\|[^\[\]]*)?\]", text)
    return " ".join((marked[1] if marked else text).split())


_EMPTY = re.compile(r"\n[ \t\r]*\n")
_BROKEN = re.compile(r"-(?<=[a-z]-)\s*\n\s*(?=[a-z])")  # a word with a hyphen


def _paragraphs(texts: Iterable[str]) -> list[str]:
    """Each paragraph on one line, which records break anywhere, and without marks of nroff."""
    return [
        " ".join(_BROKEN.sub("-", part).replace("\\%", "").split())
        for text in texts
        for part in (_EMPTY.split(text) if "\n" in text else (text,))
        if part.strip()
    ]
