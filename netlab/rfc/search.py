"""Search over all RFCs: what the index says of them, and the texts that are at hand.

One SQLite file, which several processes read and write at once. It holds nothing that
cannot be made again from the index and the texts.

Two full-text tables (FTS5): of what is known about each document, with its content, and
of the texts, without. A text is there once, where it is stored, and is asked for when a
part of it is to be shown.

Source: https://www.sqlite.org/fts5.html and https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from itertools import islice
from os import PathLike, fspath
from threading import RLock
from types import TracebackType

import msgspec

from netlab.errors import ConfigurationError, NetlabError
from netlab.escaping import escape
from netlab.rfc.index import Entry
from netlab.rfc.names import NotAName, Series, parse_name
from netlab.rfc.pagination import decode
from netlab.rfc.queries import UNSTEMMED, Query, parse_query
from netlab.rfc.ranking import worth
from netlab.rfc.results import Fragment, Hit, Results
from netlab.rfc.snippets import count_found, snippet

_VERSION = 1  # of the tables
_WAIT = 30.0  # seconds, for another process that writes
_BATCH = 1000  # texts, in one transaction
_PAGE = 16384  # bytes of the file that are read and written at once
_LOG = 64 << 20  # bytes that are written before they are moved to their places
_NUMBERS = 100_000  # a text's row is its number plus a multiple of this: its edition
_WEIGHTS = "12.0, 10.0, 8.0, 5.0, 2.5"  # of names, title, authors, keywords, abstract
_FIRST = 100  # of the documents found, so many are ranked with care

_WORDS = re.compile(r"[^\W_]+")

_TABLES = f"""
CREATE TABLE entries (number INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE series (name TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (name, number))
    WITHOUT ROWID;
CREATE TABLE texts (number INTEGER PRIMARY KEY, place INTEGER NOT NULL, digest BLOB NOT NULL,
    at_hand INTEGER NOT NULL);
CREATE TABLE outdated (place INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE known USING fts5(names, title, authors, keywords, abstract,
    tokenize = 'porter unicode61');
CREATE VIRTUAL TABLE bodies USING fts5(body, content = '', tokenize = 'porter unicode61');
INSERT INTO bodies (bodies, rank) VALUES ('hashsize', {64 << 20});
INSERT INTO bodies (bodies, rank) VALUES ('automerge', 16);
PRAGMA user_version = {_VERSION};
"""


class SearchFailed(NetlabError):
    """The search index could not be read or written; the message says why."""

    kind = "search_failed"


def _no_text(_number: int) -> str | None:
    return None


class Search:
    """The search index in the file ``path``, which is made if it is not there.

    ``texts`` returns the text of a document by its number, or ``None``; it is asked for
    those that a snippet is to be cut from. Its calls may come from several threads, one
    at a time. Raises ``ConfigurationError`` if the file cannot be one, and ``SearchFailed``
    from any method if it cannot be used.
    """

    def __init__(
        self, path: str | PathLike[str], texts: Callable[[int], str | None] = _no_text
    ) -> None:
        self._path = fspath(path)
        self._texts = texts
        self._lock = RLock()
        try:
            self._db = sqlite3.connect(
                self._path, timeout=_WAIT, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise ConfigurationError(
                f"search index '{escape(self._path)}': {error}; {_hint(error)}"
            ) from error

    def _prepare(self) -> None:
        self._db.execute(f"PRAGMA page_size = {_PAGE}")  # of a new file
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_LOG // _PAGE}")
        self._db.execute("PRAGMA synchronous = NORMAL")
        if self._version() == _VERSION:
            return
        with self._writing():
            if self._version() == _VERSION:  # another process was first
                return
            for kind, name in self._db.execute(
                "SELECT type, name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'"
                " UNION ALL SELECT type, name FROM sqlite_master WHERE type = 'table'"
                " AND name IN ('entries', 'series', 'texts', 'outdated')"
            ).fetchall():
                self._db.execute(f'DROP {kind} IF EXISTS "{name}"')
            for statement in _TABLES.split(";\n"):
                self._db.execute(statement)

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

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
        """Closes the file; the object is of no more use."""
        with self._lock:
            self._db.close()

    # -- what goes in

    def update_entries(self, entries: Iterable[Entry]) -> int:
        """Makes ``entries`` all that is known of documents; returns how many changed."""
        with self._told(), self._writing():
            old = dict(self._db.execute("SELECT number, data FROM entries"))
            changed = 0
            for entry in entries:
                data = msgspec.json.encode(entry)
                if old.pop(entry.number, None) != data:
                    self._forget(entry.number)
                    self._learn(entry, data)
                    changed += 1
            for number in old:
                self._forget(number)
            return changed + len(old)

    def _learn(self, entry: Entry, data: bytes) -> None:
        self._db.execute("INSERT INTO entries VALUES (?, ?)", (entry.number, data))
        for name in entry.is_also:
            self._db.execute("INSERT INTO series VALUES (?, ?)", (name.key, entry.number))
        names = (entry.name, *entry.is_also)
        self._db.execute(
            "INSERT INTO known (rowid, names, title, authors, keywords, abstract)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                entry.number,
                " ".join(f"{name} {name.key}" for name in names),
                entry.title,
                " ".join(f"{name}{UNSTEMMED}" for name in _WORDS.findall(", ".join(entry.authors))),
                ", ".join(entry.keywords),
                entry.abstract,
            ),
        )

    def _forget(self, number: int) -> None:
        self._db.execute("DELETE FROM entries WHERE number = ?", (number,))
        self._db.execute("DELETE FROM series WHERE number = ?", (number,))
        self._db.execute("DELETE FROM known WHERE rowid = ?", (number,))

    def add_text(self, number: int, data: bytes) -> bool:
        """Takes in the text of a document, as it is served; whether it was new."""
        return self.add_texts([(number, data)]) == 1

    def add_texts(self, texts: Iterable[tuple[int, bytes]]) -> int:
        """Takes in texts with their numbers; returns how many were new, or new editions.

        What is there by then is kept if this ends early.
        """
        added = 0
        texts = iter(texts)
        while batch := list(islice(texts, _BATCH)):
            with self._told(), self._writing():
                added += sum(self._add(number, data) for number, data in batch)
        return added

    def _add(self, number: int, data: bytes) -> bool:
        digest = blake2b(data, digest_size=16).digest()
        row = self._db.execute(
            "SELECT place, digest, at_hand FROM texts WHERE number = ?", (number,)
        ).fetchone()
        place = number
        if row is not None:
            if row[1] == digest:
                if not row[2]:
                    self._db.execute("UPDATE texts SET at_hand = 1 WHERE number = ?", (number,))
                return not row[2]
            # A row without content cannot be taken out: it is passed over from now on.
            self._db.execute("INSERT INTO outdated VALUES (?)", (row[0],))
            place = row[0] + _NUMBERS
        self._db.execute("INSERT INTO bodies (rowid, body) VALUES (?, ?)", (place, decode(data)))
        self._db.execute(
            "INSERT OR REPLACE INTO texts VALUES (?, ?, ?, 1)", (number, place, digest)
        )
        return True

    def remove_text(self, number: int) -> None:
        """The text of a document is not at hand any more."""
        with self._told(), self._writing():
            self._db.execute("UPDATE texts SET at_hand = 0 WHERE number = ?", (number,))

    # -- what comes out

    def entry(self, number: int) -> Entry | None:
        """What is known of a document, ``None`` if nothing is."""
        with self._told():
            row = self._db.execute(
                "SELECT data FROM entries WHERE number = ?", (number,)
            ).fetchone()
        return msgspec.json.decode(row[0], type=Entry) if row else None

    def at_hand(self) -> tuple[int, ...]:
        """The numbers of the documents whose text is at hand, in rising order."""
        with self._told():
            rows = self._db.execute("SELECT number FROM texts WHERE at_hand ORDER BY number")
            return tuple(number for (number,) in rows)

    def search(self, query: str, limit: int = 20, offset: int = 0) -> Results:
        """The documents that ``query``, any text, asks for; ``limit`` of them from ``offset`` on.

        A document whose name is asked for (``rfc 793``, ``std62``) comes first. The others
        have all of the words, in what is known about them or in their text; if none
        has, the last word is taken for the beginning of one, and then any word is enough.
        """
        parsed = parse_query(query)
        with self._told(), self._reading():
            named = self._named(query)
            scores, every = self._scores(parsed)
            for number in named:
                scores.pop(number, None)
            ranked = self._ranked(scores, parsed.words)
            total = len(named) + len(ranked)
            numbers = [*named, *ranked][max(offset, 0) :][: max(limit, 0)]
            found = [(self.entry(number), self._is_at_hand(number)) for number in numbers]
        words = (parsed.telling() if parsed.telling().terms else parsed).words
        hits = [
            self._hit(entry or Entry(number, ""), at_hand, words)
            for number, (entry, at_hand) in zip(numbers, found, strict=True)
        ]
        return Results(tuple(hits), total, every or not ranked)

    def _named(self, query: str) -> list[int]:
        """The documents that the whole of a query names."""
        try:
            name = parse_name(query)
        except NotAName:
            return []
        if name.series is not Series.RFC:
            rows = self._db.execute(
                "SELECT number FROM series WHERE name = ? ORDER BY number",
                (f"{name.series}{name.number}",),
            )
        else:
            rows = self._db.execute(
                "SELECT number FROM entries WHERE number = ?1"
                " UNION SELECT number FROM texts WHERE number = ?1 AND at_hand",
                (name.number,),
            )
        return [number for (number,) in rows]

    def _scores(self, query: Query) -> tuple[dict[int, float], bool]:
        """The documents with the words of a query, the best with the least score."""
        telling = query.telling()
        if not query.terms:
            return {}, True
        if not telling.terms:  # half of all texts have such words
            return self._matches(f"{{names title authors keywords}} : ({query.every()})", ""), True
        last = telling if telling.terms[-1] == query.terms[-1] else Query(())
        for every, known, body in (
            (True, query.every(), telling.every()),
            (True, query.begun(), last.begun()),
            (False, telling.any(), telling.any()),
        ):
            scores = self._matches(known, body)
            if scores:
                return scores, every
        return {}, True

    def _matches(self, known: str, body: str) -> dict[int, float]:
        scores: dict[int, float] = dict(
            self._db.execute(
                f"SELECT rowid, bm25(known, {_WEIGHTS}) FROM known WHERE known MATCH ?", (known,)
            )
        )
        if body:
            for number, score in self._db.execute(
                f"SELECT rowid % {_NUMBERS}, bm25(bodies) FROM bodies WHERE bodies MATCH ?"
                " AND rowid NOT IN (SELECT place FROM outdated)",
                (body,),
            ):
                scores[number] = scores.get(number, 0.0) + score
        return scores

    def _ranked(self, scores: dict[int, float], words: tuple[str, ...]) -> list[int]:
        """The documents in their order, by what full-text search does not know of them."""
        pairs = sorted((score, -number) for number, score in scores.items())
        ranked = [-number for _, number in pairs]
        for number in ranked[:_FIRST]:
            entry = self.entry(number)
            if entry is not None:
                scores[number] *= worth(entry, words)
        return [
            *sorted(ranked[:_FIRST], key=lambda number: (scores[number], -number)),
            *ranked[_FIRST:],
        ]

    def _is_at_hand(self, number: int) -> bool:
        row = self._db.execute("SELECT at_hand FROM texts WHERE number = ?", (number,)).fetchone()
        return bool(row and row[0])

    def _hit(self, entry: Entry, at_hand: bool, words: tuple[str, ...]) -> Hit:
        names = _WORDS.findall(", ".join(entry.authors).lower())
        words = tuple(word for word in words if word not in names)  # those are shown anyway
        abstract = entry.abstract
        shown = snippet(abstract, words)
        if at_hand and (not abstract or count_found(abstract, words) < len(words)):
            text = self._texts(entry.number)
            of_text = snippet(text, words) if text is not None else ()
            if not abstract or _count_marked(of_text, words) > _count_marked(shown, words):
                shown = of_text
        return Hit(entry, shown, at_hand)

    # -- the database

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, whole or not at all; waits for other processes' to end."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """All that is read within is of one moment."""
        with self._lock:
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._db.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise SearchFailed(f"search index '{escape(self._path)}': {error}") from error


def _count_marked(shown: Iterable[Fragment], words: tuple[str, ...]) -> int:
    """How many of the words a snippet shows."""
    return count_found(" ".join(part.text for part in shown if part.found), words)


def _hint(error: sqlite3.Error) -> str:
    """What to do when a search index cannot be opened."""
    if "fts5" in str(error):
        return "Python's sqlite3 needs an SQLite with FTS5"
    if isinstance(error, sqlite3.OperationalError):
        return "its folder must be there, and this program be allowed to write in it"
    return "if it is damaged, delete it: it is made again"
