"""Full-text search in the texts of RFCs: a part of them, in a file of its own.

Full-text search takes in a text at a time, and that is the time of it all. So the texts
are in several parts (see ``netlab.rfc.search``), each of which a thread can write.

Texts are not in the file: they are there once, where they are stored.

Source: https://www.sqlite.org/fts5.html, 4.4.2 (contentless tables)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

from netlab.rfc.database import Database
from netlab.rfc.pagination import decode

_VERSION = 1  # of the tables
_GROUP = 20  # texts, in one statement
_EDITION = 100_000  # a text's row is its number plus a multiple of this: its edition

_OWN = ("texts", "outdated")
_TABLES = """
CREATE TABLE texts (number INTEGER PRIMARY KEY, place INTEGER NOT NULL, digest BLOB NOT NULL,
    at_hand INTEGER NOT NULL);
CREATE TABLE outdated (place INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE bodies USING fts5(body, content = '', tokenize = 'porter unicode61');
INSERT INTO bodies (bodies, rank) VALUES ('automerge', 16);
INSERT INTO bodies (bodies, rank) VALUES ('hashsize', 4194304)
"""


class Text(NamedTuple):
    """The text of a document, as it goes in; ``digest`` tells editions apart."""

    number: int
    digest: bytes
    body: str


def text_of(number: int, data: bytes) -> Text:
    """The text of a document, of the bytes that are served."""
    return Text(number, sha256(data).digest(), plain(data))


def plain(data: bytes) -> str:
    """A text in which the same words are found as in what ``decode`` gives, in less time.

    Control characters, which part words, are still in it; what is overstruck is not.
    """
    if b"\b" not in data and b"\r" not in data:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    return decode(data)


class Bodies:
    """The texts in the file ``path``, which is made if it is not there; see ``Database``."""

    def __init__(self, path: str) -> None:
        self._database = Database(path, _VERSION, _TABLES, _OWN)

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def add(self, texts: Iterable[Text]) -> int:
        """Takes in texts, all or none; returns how many were new, or new editions."""
        added = 0
        texts = iter(texts)
        with self._database.writing() as db:
            while group := list(islice(texts, _GROUP)):
                added += _add(db, {text.number: text for text in group}.values())
        return added

    def remove(self, numbers: Iterable[int]) -> None:
        """These texts are not at hand any more."""
        with self._database.writing() as db:
            db.executemany(
                "UPDATE texts SET at_hand = 0 WHERE number = ?", ((each,) for each in numbers)
            )

    def at_hand(self) -> list[int]:
        """The numbers of the texts that are at hand."""
        with self._database.reading() as db:
            return [number for (number,) in db.execute("SELECT number FROM texts WHERE at_hand")]

    def has(self, number: int) -> bool:
        """Whether a text is at hand."""
        with self._database.reading() as db:
            row = db.execute("SELECT at_hand FROM texts WHERE number = ?", (number,)).fetchone()
        return bool(row and row[0])

    def matches(self, expression: str) -> Sequence[tuple[int, float]]:
        """The numbers of the texts that match a query of FTS5, and their scores: least is best."""
        with self._database.reading() as db:
            return db.execute(
                f"SELECT rowid % {_EDITION}, bm25(bodies) FROM bodies WHERE bodies MATCH ?"
                " AND rowid NOT IN (SELECT place FROM outdated)",
                (expression,),
            ).fetchall()


def _add(db: sqlite3.Connection, group: Iterable[Text]) -> int:
    known = dict(_known(db, [text.number for text in group]))
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
            place += _EDITION
        rows.append((number, place, digest))
        bodies += (place, body)
    if rows:  # in one statement: other threads work while it runs
        values = ", ".join(["(?, ?)"] * len(rows))
        db.execute(f"INSERT INTO bodies (rowid, body) VALUES {values}", bodies)
        db.executemany("INSERT OR REPLACE INTO texts VALUES (?, ?, ?, 1)", rows)
    db.executemany("INSERT INTO outdated VALUES (?)", outdated)
    db.executemany("UPDATE texts SET at_hand = 1 WHERE number = ?", back)
    return len(rows) + len(back)


def _known(
    db: sqlite3.Connection, numbers: Sequence[int]
) -> Iterator[tuple[int, tuple[int, bytes, int]]]:
    """What is there of these: its row, its digest, whether it is at hand."""
    marks = ", ".join("?" * len(numbers))
    for number, *rest in db.execute(
        f"SELECT number, place, digest, at_hand FROM texts WHERE number IN ({marks})", numbers
    ):
        place, digest, at_hand = rest
        yield number, (place, digest, at_hand)
