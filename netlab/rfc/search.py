"""Search over all RFCs: what the index says of them, and the texts that are at hand.

SQLite files, which several processes read and write at once. They hold nothing that
cannot be made again from the index and the texts.

Full-text tables (FTS5) are there of what is known about each document, with its content,
and of the texts, without: see ``netlab.rfc.bodies``. A text is asked for when a part of it
is to be shown.

Source: https://www.sqlite.org/fts5.html and https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import lru_cache
from itertools import islice
from os import PathLike, fspath
from types import TracebackType

import msgspec

from netlab.rfc.bodies import Bodies, plain, text_of
from netlab.rfc.database import Database
from netlab.rfc.entries import Entry
from netlab.rfc.names import NotAName, Series, parse_name
from netlab.rfc.queries import UNSTEMMED, Query, parse_query
from netlab.rfc.ranking import worth
from netlab.rfc.results import Fragment, Hit, Results
from netlab.rfc.snippets import count_found, snippet

_VERSION = 2  # of the tables
PARTS = 2
"""Parts of the texts, by the remainder of their numbers: taken in at the same time."""
_BATCH = 500  # texts that are taken in at once: some 30 MB
_WEIGHTS = "12.0, 10.0, 8.0, 5.0, 2.5"  # of names, title, authors, keywords, abstract
_FIRST = 100  # of the documents found, so many are ranked with care

_WORDS = re.compile(r"[^\W_]+")

_OWN = ("entries", "series", "texts", "outdated")  # of any version
_TABLES = """
CREATE TABLE entries (number INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE series (name TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (name, number))
    WITHOUT ROWID;
CREATE VIRTUAL TABLE known USING fts5(names, title, authors, keywords, abstract,
    tokenize = 'porter unicode61')
"""


def _no_text(_number: int) -> bytes | None:
    return None


def part_path(path: str | PathLike[str], part: int) -> str:
    """Where the texts of a part are, in a search in the file ``path``; see ``Bodies``."""
    path = fspath(path)
    return path if path == ":memory:" else f"{path}-texts{part + 1}"


class Search:
    """The search index in the file ``path``, and others beside it, made if it is not there.

    ``texts`` returns the text of a document, as it is served, or ``None``; it is asked for
    those that a snippet is to be cut from. Its calls may come from several threads, one
    at a time. Raises ``ConfigurationError`` if the file cannot be one, and ``SearchFailed``
    from any method if it cannot be used.
    """

    def __init__(
        self, path: str | PathLike[str], texts: Callable[[int], bytes | None] = _no_text
    ) -> None:
        self._texts = texts
        path = fspath(path)
        with ExitStack() as opened:
            self._database = Database(path, _VERSION, _TABLES, _OWN)
            opened.callback(self._database.close)
            self._parts: list[Bodies] = []
            for part in range(PARTS):
                self._parts.append(Bodies(part_path(path, part)))
                opened.callback(self._parts[-1].close)
            opened.pop_all()  # they stay open

    def __enter__(self) -> Search:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the files; the object is of no more use."""
        for part in self._parts:
            part.close()
        self._database.close()

    # -- what goes in

    def update_entries(self, entries: Iterable[Entry]) -> int:
        """Makes ``entries`` all that is known of documents; returns how many changed."""
        with self._database.writing() as db:
            old = dict(db.execute("SELECT number, data FROM entries"))
            new: dict[int, tuple[Entry, bytes]] = {}
            for entry in entries:
                data = msgspec.json.encode(entry)
                if old.pop(entry.number, None) != data:
                    new[entry.number] = (entry, data)
            _forget(db, [*new, *old])
            _learn(db, new.values())
            return len(new) + len(old)

    def add_text(self, number: int, data: bytes) -> bool:
        """Takes in the text of a document, as it is served; whether it was new."""
        return self.add_texts([(number, data)]) == 1

    def add_texts(self, texts: Iterable[tuple[int, bytes]]) -> int:
        """Takes in texts with their numbers; returns how many were new, or new editions.

        Some are read while others are taken in. If reading raises an error, what was read
        before in whole batches is kept.
        """
        added = 0
        texts = iter(texts)
        writing: list[Future[int]] = []
        with ThreadPoolExecutor(PARTS) as writers:  # its own: others search meanwhile
            while batch := [text_of(*each) for each in islice(texts, _BATCH)]:
                added += sum(each.result() for each in writing)
                writing = [
                    writers.submit(self._parts[part].add, own)
                    for part in range(PARTS)
                    if (own := [text for text in batch if text.number % PARTS == part])
                ]
        return added + sum(each.result() for each in writing)

    def remove_texts(self, numbers: Iterable[int]) -> None:
        """The texts of these documents are not at hand any more."""
        numbers = tuple(numbers)
        for at, part in enumerate(self._parts):
            own = [number for number in numbers if number % PARTS == at]
            if own:
                part.remove(own)

    def _part(self, number: int) -> Bodies:
        return self._parts[number % PARTS]

    # -- what comes out

    def entry(self, number: int) -> Entry | None:
        """What is known of a document, ``None`` if nothing is."""
        with self._database.reading() as db:
            return _entry(db, number)

    def at_hand(self) -> tuple[int, ...]:
        """The numbers of the documents whose text is at hand, in rising order."""
        return tuple(sorted(number for part in self._parts for number in part.at_hand()))

    def search(self, query: str, limit: int = 20, offset: int = 0) -> Results:
        """The documents that ``query``, any text, asks for; ``limit`` of them from ``offset`` on.

        A document whose name is asked for (``rfc 793``, ``std62``) comes first. The others
        have all of the words, in what is known about them or in their text; if none
        has, the last word is taken for the beginning of one, and then any word is enough.
        """
        parsed = parse_query(query)
        with self._database.reading() as db:
            named = self._named(db, query)
            scores, every = self._scores(db, parsed)
            for number in named:
                scores.pop(number, None)
            ranked = _ranked(db, scores, parsed.words)
            total = len(named) + len(ranked)
            numbers = [*named, *ranked][max(offset, 0) :][: max(limit, 0)]
            entries = _entries(db, numbers)
        words = (parsed.telling() if parsed.telling().terms else parsed).words
        hits = [self._hit(entries.get(number) or Entry(number, ""), words) for number in numbers]
        return Results(tuple(hits), total, every or not ranked)

    def _named(self, db: sqlite3.Connection, query: str) -> list[int]:
        """The documents that the whole of a query names."""
        try:
            name = parse_name(query)
        except NotAName:
            return []
        if name.series is Series.RFC:
            number = name.number
            is_known = _entry(db, number) is not None or self._part(number).has(number)
            return [number] if is_known else []
        rows = db.execute(
            "SELECT number FROM series WHERE name = ? ORDER BY number",
            (f"{name.series}{name.number}",),
        )
        return [number for (number,) in rows]

    def _scores(self, db: sqlite3.Connection, query: Query) -> tuple[dict[int, float], bool]:
        """The documents with the words of a query, the best with the least score."""
        telling = query.telling()
        if not query.terms:
            return {}, True
        if not telling.terms:  # half of all texts have such words
            return self._matches(
                db, f"{{names title authors keywords}} : ({query.every(names=True)})", ""
            ), True
        last = telling if telling.terms[-1] == query.terms[-1] else Query(())
        for every, known, body in (
            (True, query.every(names=True), telling.every()),
            (True, query.begun(names=True), last.begun()),
            (False, telling.any(names=True), telling.any()),
        ):
            scores = self._matches(db, known, body)
            if scores:
                return scores, every
        return {}, True

    def _matches(self, db: sqlite3.Connection, known: str, body: str) -> dict[int, float]:
        scores: dict[int, float] = dict(
            db.execute(
                f"SELECT rowid, bm25(known, {_WEIGHTS}) FROM known WHERE known MATCH ?", (known,)
            )
        )
        # One part after the other: threads would hand Python's lock to each other for each row.
        for part in self._parts if body else ():
            for number, score in part.matches(body):
                scores[number] = scores.get(number, 0.0) + score
        return scores

    def _hit(self, entry: Entry, words: tuple[str, ...]) -> Hit:
        at_hand = self._part(entry.number).has(entry.number)
        names = _WORDS.findall(", ".join(entry.authors).lower())
        words = tuple(word for word in words if word not in names)  # those are shown anyway
        abstract = entry.abstract
        shown = snippet(abstract, words)
        if at_hand and (not abstract or count_found(abstract, words) < len(words)):
            data = self._texts(entry.number)
            of_text = snippet(plain(data), words) if data is not None else ()
            if not abstract or _count_marked(of_text, words) > _count_marked(shown, words):
                shown = of_text
        return Hit(entry, shown, at_hand)


# -- what goes in


def _learn(db: sqlite3.Connection, entries: Collection[tuple[Entry, bytes]]) -> None:
    db.executemany(
        "INSERT INTO entries VALUES (?, ?)", ((entry.number, data) for entry, data in entries)
    )
    db.executemany(
        "INSERT INTO series VALUES (?, ?)",
        ((name.key, entry.number) for entry, _ in entries for name in entry.is_also),
    )
    db.executemany(
        "INSERT INTO known (rowid, names, title, authors, keywords, abstract)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        map(_columns, (entry for entry, _ in entries)),
    )


def _columns(entry: Entry) -> tuple[int, str, str, str, str, str]:
    """What full-text search finds an entry by."""
    return (
        entry.number,
        " ".join(f"{name} {name.key}" for name in (entry.name, *entry.is_also)),
        entry.title,
        " ".join(f"{name}{UNSTEMMED}" for name in _WORDS.findall(", ".join(entry.authors))),
        ", ".join(entry.keywords),
        entry.abstract,
    )


def _forget(db: sqlite3.Connection, numbers: Sequence[int]) -> None:
    rows = [(number,) for number in numbers]
    db.executemany("DELETE FROM entries WHERE number = ?", rows)
    db.executemany("DELETE FROM series WHERE number = ?", rows)
    db.executemany("DELETE FROM known WHERE rowid = ?", rows)


# -- what comes out


def _entry(db: sqlite3.Connection, number: int) -> Entry | None:
    return _entries(db, [number]).get(number)


def _entries(db: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Entry]:
    """What is known of documents, of those of which anything is."""
    marks = ", ".join("?" * len(numbers))
    rows = db.execute(f"SELECT number, data FROM entries WHERE number IN ({marks})", numbers)
    return {number: _decoded(data) for number, data in rows}


@lru_cache(maxsize=1000)
def _decoded(data: bytes) -> Entry:
    return msgspec.json.decode(data, type=Entry)


def _ranked(db: sqlite3.Connection, scores: dict[int, float], words: tuple[str, ...]) -> list[int]:
    """The documents in their order, by what full-text search does not know of them."""
    pairs = sorted((score, -number) for number, score in scores.items())
    ranked = [-number for _, number in pairs]
    for number, entry in _entries(db, ranked[:_FIRST]).items():
        scores[number] *= worth(entry, words)
    return [
        *sorted(ranked[:_FIRST], key=lambda number: (scores[number], -number)),
        *ranked[_FIRST:],
    ]


def _count_marked(shown: Iterable[Fragment], words: tuple[str, ...]) -> int:
    """How many of the words a snippet shows."""
    return count_found(" ".join(part.text for part in shown if part.found), words)
