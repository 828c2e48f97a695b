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
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from itertools import islice
from os import PathLike, fspath
from types import TracebackType
from typing import NamedTuple

import msgspec

from netlab.rfc.database import Database
from netlab.rfc.index import Entry
from netlab.rfc.names import NotAName, Series, parse_name
from netlab.rfc.pagination import decode
from netlab.rfc.queries import UNSTEMMED, Query, parse_query
from netlab.rfc.ranking import worth
from netlab.rfc.results import Fragment, Hit, Results
from netlab.rfc.snippets import count_found, snippet

_VERSION = 1  # of the tables
_GROUP = 20  # texts, in one statement
_GROUPS = 50  # of them, in one transaction
_NUMBERS = 100_000  # a text's row is its number plus a multiple of this: its edition
_WEIGHTS = "12.0, 10.0, 8.0, 5.0, 2.5"  # of names, title, authors, keywords, abstract
_FIRST = 100  # of the documents found, so many are ranked with care

_WORDS = re.compile(r"[^\W_]+")

_OWN = ("entries", "series", "texts", "outdated")
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
"""


class _Text(NamedTuple):
    """The text of a document, as it goes in."""

    number: int
    digest: bytes
    body: str


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
        self._texts = texts
        self._database = Database(fspath(path), _VERSION, _TABLES, _OWN)

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

        They are read ahead, in another thread. If that raises an error, what was taken in
        before is kept.
        """
        added = 0
        texts = iter(texts)
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(_group, texts)
            while group := coming.result():
                with self._database.writing() as db:
                    for _ in range(_GROUPS):
                        coming = reader.submit(_group, texts)
                        added += _add(db, group)
                        if coming.exception() is not None or not (group := coming.result()):
                            break
        return added

    def remove_text(self, number: int) -> None:
        """The text of a document is not at hand any more."""
        with self._database.writing() as db:
            db.execute("UPDATE texts SET at_hand = 0 WHERE number = ?", (number,))

    # -- what comes out

    def entry(self, number: int) -> Entry | None:
        """What is known of a document, ``None`` if nothing is."""
        with self._database.reading() as db:
            return _entry(db, number)

    def at_hand(self) -> tuple[int, ...]:
        """The numbers of the documents whose text is at hand, in rising order."""
        with self._database.reading() as db:
            rows = db.execute("SELECT number FROM texts WHERE at_hand ORDER BY number")
            return tuple(number for (number,) in rows)

    def search(self, query: str, limit: int = 20, offset: int = 0) -> Results:
        """The documents that ``query``, any text, asks for; ``limit`` of them from ``offset`` on.

        A document whose name is asked for (``rfc 793``, ``std62``) comes first. The others
        have all of the words, in what is known about them or in their text; if none
        has, the last word is taken for the beginning of one, and then any word is enough.
        """
        parsed = parse_query(query)
        with self._database.reading() as db:
            named = _named(db, query)
            scores, every = _scores(db, parsed)
            for number in named:
                scores.pop(number, None)
            ranked = _ranked(db, scores, parsed.words)
            total = len(named) + len(ranked)
            numbers = [*named, *ranked][max(offset, 0) :][: max(limit, 0)]
            found = [(_entry(db, number), _is_at_hand(db, number)) for number in numbers]
        words = (parsed.telling() if parsed.telling().terms else parsed).words
        hits = [
            self._hit(entry or Entry(number, ""), at_hand, words)
            for number, (entry, at_hand) in zip(numbers, found, strict=True)
        ]
        return Results(tuple(hits), total, every or not ranked)

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


def _group(texts: Iterator[tuple[int, bytes]]) -> list[_Text]:
    """The next few of ``texts``; of a document that is among them twice, the last one."""
    found = {
        number: _Text(number, blake2b(data, digest_size=16).digest(), decode(data))
        for number, data in islice(texts, _GROUP)
    }
    return list(found.values())


def _add(db: sqlite3.Connection, group: Sequence[_Text]) -> int:
    """Takes in some texts; returns how many were new."""
    marks = ", ".join("?" * len(group))
    found = db.execute(
        f"SELECT number, place, digest, at_hand FROM texts WHERE number IN ({marks})",
        [text.number for text in group],
    )
    known = {number: (place, digest, at_hand) for number, place, digest, at_hand in found}
    rows: list[tuple[int, int, bytes]] = []
    bodies: list[int | str] = []
    back: list[tuple[int]] = []
    outdated: list[tuple[int]] = []
    for number, digest, body in group:
        place, old, at_hand = known.get(number, (number, None, 0))
        if old == digest:
            if not at_hand:
                back.append((number,))
            continue
        if old is not None:
            # A row without content cannot be taken out: it is passed over from now on.
            outdated.append((place,))
            place += _NUMBERS
        rows.append((number, place, digest))
        bodies += (place, body)
    if rows:  # in one statement: other threads work while it runs
        values = ", ".join(["(?, ?)"] * len(rows))
        db.execute(f"INSERT INTO bodies (rowid, body) VALUES {values}", bodies)
        db.executemany("INSERT OR REPLACE INTO texts VALUES (?, ?, ?, 1)", rows)
    db.executemany("INSERT INTO outdated VALUES (?)", outdated)
    db.executemany("UPDATE texts SET at_hand = 1 WHERE number = ?", back)
    return len(rows) + len(back)


# -- what comes out


def _entry(db: sqlite3.Connection, number: int) -> Entry | None:
    row = db.execute("SELECT data FROM entries WHERE number = ?", (number,)).fetchone()
    return msgspec.json.decode(row[0], type=Entry) if row else None


def _named(db: sqlite3.Connection, query: str) -> list[int]:
    """The documents that the whole of a query names."""
    try:
        name = parse_name(query)
    except NotAName:
        return []
    if name.series is not Series.RFC:
        rows = db.execute(
            "SELECT number FROM series WHERE name = ? ORDER BY number",
            (f"{name.series}{name.number}",),
        )
    else:
        rows = db.execute(
            "SELECT number FROM entries WHERE number = ?1"
            " UNION SELECT number FROM texts WHERE number = ?1 AND at_hand",
            (name.number,),
        )
    return [number for (number,) in rows]


def _scores(db: sqlite3.Connection, query: Query) -> tuple[dict[int, float], bool]:
    """The documents with the words of a query, the best with the least score."""
    telling = query.telling()
    if not query.terms:
        return {}, True
    if not telling.terms:  # half of all texts have such words
        return _matches(db, f"{{names title authors keywords}} : ({query.every()})", ""), True
    last = telling if telling.terms[-1] == query.terms[-1] else Query(())
    for every, known, body in (
        (True, query.every(), telling.every()),
        (True, query.begun(), last.begun()),
        (False, telling.any(), telling.any()),
    ):
        scores = _matches(db, known, body)
        if scores:
            return scores, every
    return {}, True


def _matches(db: sqlite3.Connection, known: str, body: str) -> dict[int, float]:
    scores: dict[int, float] = dict(
        db.execute(
            f"SELECT rowid, bm25(known, {_WEIGHTS}) FROM known WHERE known MATCH ?", (known,)
        )
    )
    if body:
        for number, score in db.execute(
            f"SELECT rowid % {_NUMBERS}, bm25(bodies) FROM bodies WHERE bodies MATCH ?"
            " AND rowid NOT IN (SELECT place FROM outdated)",
            (body,),
        ):
            scores[number] = scores.get(number, 0.0) + score
    return scores


def _ranked(db: sqlite3.Connection, scores: dict[int, float], words: tuple[str, ...]) -> list[int]:
    """The documents in their order, by what full-text search does not know of them."""
    pairs = sorted((score, -number) for number, score in scores.items())
    ranked = [-number for _, number in pairs]
    for number in ranked[:_FIRST]:
        entry = _entry(db, number)
        if entry is not None:
            scores[number] *= worth(entry, words)
    return [
        *sorted(ranked[:_FIRST], key=lambda number: (scores[number], -number)),
        *ranked[_FIRST:],
    ]


def _is_at_hand(db: sqlite3.Connection, number: int) -> bool:
    row = db.execute("SELECT at_hand FROM texts WHERE number = ?", (number,)).fetchone()
    return bool(row and row[0])


def _count_marked(shown: Iterable[Fragment], words: tuple[str, ...]) -> int:
    """How many of the words a snippet shows."""
    return count_found(" ".join(part.text for part in shown if part.found), words)
